/*
 * bounce_in.h - mail that comes back: to signed addresses of ours (mta/return_path.h), to those for complaints,
 * to postmaster and abuse.
 *
 * On the way out the sender of a message is kept in the store under the message's id, so that it is known when
 * the queue has long forgotten the message. What comes in at an inbound listener is read and judged
 * (router/feedback/), and what it says of recipients of ours is in the store before the client hears 250. A bounce
 * then goes on, as it is and from <>, to the sender of its message. Nothing that comes in here is ever answered
 * by mail.
 */
#ifndef ROUTER_BOUNCE_IN_H
#define ROUTER_BOUNCE_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/return_path.h"

struct config;
struct intake;
struct message;
struct report_in;
struct smtp_rcpt;
struct smtp_reply;

#define BOUNCE_KEPT "return" /* store: kind; key: message id as text; value: reverse-path */

enum bounce_kind {
	BOUNCE_RETURN_PATH, /* to a signed address */
	BOUNCE_FEEDBACK,    /* to an address for complaints */
	BOUNCE_POSTMASTER,  /* to postmaster or abuse */
};

/* Part of an intake: the mail in hand. */
struct bounce_in {
	enum bounce_kind kind;
	struct return_path path;  /* what its address says; RETURN_PATH only */
	struct report_in *report; /* from the end of DATA; NULL */
	bool busy;                /* the store has it in hand: it needs the intake */
};

/* MAIL at an inbound listener: false with *reply when its client brings too many. */
bool bounce_in_mail(struct intake *, struct smtp_reply *);
/* RCPT there: false with *reply unless it is one of our addresses, still good. */
bool bounce_in_rcpt(struct intake *, const struct smtp_rcpt *, struct smtp_reply *);
/* At the end of DATA: reads and settles it; then intake_admit or intake_refuse. */
void bounce_in_take(struct intake *);
/* The store has what goes on. */
void bounce_in_log(const struct intake *);
void bounce_in_clear(struct bounce_in *);

/* bounce_keep.c: just before the message of an intake, routed already, is enqueued: keeps its sender where a
 * bounce may come to an address of ours. Both are in the store before the client hears 250. */
void bounce_in_keep_sender(struct intake *);
/* Wall ms: its tokens are good no longer. */
int64_t bounce_in_kept_until(const struct config *, const struct message *);

#endif
