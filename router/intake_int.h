/*
 * intake_int.h - the inside of an intake, for intake*.c and for io.c's list of them.
 */
#ifndef ROUTER_INTAKE_INT_H
#define ROUTER_INTAKE_INT_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "mta/base/str.h"
#include "mta/smtp/lint.h"
#include "router/bounce_in.h"
#include "router/intake.h"
#include "router/store/store.h"
#include "router/users.h"

struct body;
struct config;
struct config_listener;
struct io;
struct listener;
struct rules_shape;
struct smtp_reply;
struct smtp_session;

struct intake {
	LIST_ENTRY(intake) link;
	struct io *io;
	struct listener *listener;
	struct config *config;                    /* a reference */
	const struct config_listener *settings;   /* inside config */
	struct smtp_session *session;             /* NULL once it has gone */
	struct sockaddr_storage peer;

	/* The transaction: NULL and empty between two. */
	struct message *message;
	struct recipient_list recipients;
	struct body *body;
	struct str head;                          /* header until it has ended, ours first */
	size_t head_own;                          /* bytes of it that are our fields on top */
	bool head_written;
	char *mail;                               /* for its events; NULL: nothing yet */
	struct lint lint;                         /* of all that went into the body */
	unsigned refused;                         /* of its recipients, for its form */
	struct bounce_in bounce;                  /* at an inbound listener */

	/* Requests that may outlive the session. */
	struct store_enqueue enqueue;
	bool enqueueing;
	unsigned keeping;                         /* senders on their way into the store */
	int64_t data_ended;                       /* mono ms, for the log */
	struct users_check check;
	bool checking;
};

/* intake.c */

/* Frees when neither the session nor a request needs it any more. */
void intake_release(struct intake *);
/* At the end of DATA, the recipients known: to the store, unless all of them are refused. */
void intake_admit(struct intake *);
/* Or that reply, and nothing is kept. */
void intake_refuse(struct intake *, const struct smtp_reply *);

/* intake_form.c: notes it in the recipient, routed already, when its carrier would refuse the form of
 * the message. */
void intake_judge_form(const struct intake *, const struct config *, struct recipient *,
    const struct rules_shape *);

/* intake_rules.c */

/* At RCPT: the rules reject it whatever the content will be; *reply says so. */
bool intake_rejects_early(struct intake *, const struct recipient *, struct smtp_reply *);
/*
 * At the end of DATA: routes each recipient as the rules stand now, to count it as accepted under that
 * path and to choose its shelf, and judges the form of the message for it. The decision that sends it is
 * made again when it is due. True when all may come into memory.
 */
bool intake_plan(struct intake *);
/* Then: all of them are rejected or refused, so there is nothing to take on; *reply says so. */
bool intake_rejects(struct intake *, struct smtp_reply *);

#endif
