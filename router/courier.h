/*
 * courier.h - the I/O side of an outgoing session, whatever it speaks.
 *
 * courier.c takes deliveries from the core, has each recorded in the store before it may leave, and
 * gives it back; how it is carried is the transport's: SMTP (courier_smtp.c) or Amazon's API
 * (ses/courier_api.c). All in the session's I/O thread.
 */
#ifndef ROUTER_COURIER_H
#define ROUTER_COURIER_H

#include <stdbool.h>

#include "router/session.h"

struct courier_class;

enum courier_state {
	COURIER_CALLING, /* no transaction can start yet */
	COURIER_READY,   /* a transaction may start */
	COURIER_SENDING, /* a transaction is in hand */
	COURIER_LEAVING, /* it says good-bye, or the peer is of no more use: takes nothing more */
	COURIER_CLOSED,  /* no connection, but a delivery that waits for the store */
	COURIER_GONE,    /* the core has been told; gives back what still arrives */
};

/* First member of each transport's own. */
struct courier {
	enum courier_state state;
	const struct courier_class *class;
	struct session *session;
	struct delivery *delivery; /* taken and not given back yet */
};

/* A transport. None of these is called back into by what it calls. */
struct courier_class {
	struct courier *(*new)(void);
	/* Calls the peer; courier_ready or courier_closed follows, now or later. */
	void (*open)(struct courier *);
	/* READY, with a delivery and its body: begins to send it, SENDING from then on, or waits until
	 * delivery->begun is set: then it is called again. */
	void (*start)(struct courier *);
	/* SENDING, and begun now: the submission may be completed. */
	void (*permit)(struct courier *);
	/* SENDING, and it must not be completed: courier_finish and courier_closed follow. */
	void (*abort)(struct courier *);
	/* No more work comes: courier_closed follows, unless it has come. */
	void (*close)(struct courier *);
	void (*free)(struct courier *);
};

extern const struct courier_class courier_smtp;
extern const struct courier_class courier_api; /* router/ses/courier_api.c */

/* For transports. */

/* READY. False: its first delivery has gone back already and nobody knows of this session: LEAVING, the
 * transport should close. */
bool courier_ready(struct courier *);
/* The delivery in hand has its outcomes; state READY: the next one may come. */
void courier_finish(struct courier *);
/* The same outcome for all its recipients. */
void courier_finish_all(struct courier *, const struct outcome *);
/*
 * The session is over. A delivery that waits for it shares its fate; one that is only waiting for the
 * store keeps the session alive until it has gone back.
 */
void courier_closed(struct courier *, const struct outcome *why);
/* Whether the delivery in hand is still this node's: to be asked right before its submission is completed. False: it
 * must not be, and the delivery goes back as not tried, whatever is made of it. */
bool courier_holds(struct courier *);
/* As it goes on the wire, without angle brackets; the caller frees. "" for the null path. */
char *courier_address(const char *plain, bool raw);

#endif
