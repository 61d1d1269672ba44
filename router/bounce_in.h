/*
 * bounce_in.h - bounces that come back to signed addresses of ours (mta/return_path.h).
 *
 * On the way out the sender of a message is kept in the store under the message's id, so that it is
 * known when the queue has long forgotten the message. A bounce that comes in at an inbound listener
 * for an address with a good token is enqueued as it is, from <>, to that sender.
 */
#ifndef ROUTER_BOUNCE_IN_H
#define ROUTER_BOUNCE_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/return_path.h"
#include "router/store/store.h"

struct config;
struct intake;
struct message;
struct smtp_rcpt;
struct smtp_reply;

#define BOUNCE_KEPT "return" /* store: kind; key: message id as text; value: reverse-path */

/* Part of an intake: the bounce in hand. */
struct bounce_in {
	struct return_path path;  /* what its address says */
	char *sender;             /* found in the store; NULL: nobody */
	struct store_query query;
	bool looking;             /* the query is under way, it needs the intake */
};

/* RCPT at an inbound listener: false with *reply unless it is one of our addresses, still good. */
bool bounce_in_rcpt(struct intake *, const struct smtp_rcpt *, struct smtp_reply *);
/* At the end of DATA: finds the sender; then intake_admit, or intake_refuse. */
void bounce_in_forward(struct intake *);
/* The store has it. */
void bounce_in_log(const struct intake *);
void bounce_in_clear(struct bounce_in *);

/* Just before the message of an intake, routed already, is enqueued: keeps its sender where a bounce
 * may come to an address of ours. Both are in the store before the client hears 250. */
void bounce_in_keep_sender(struct intake *);
/* Wall ms: its tokens are good no longer. */
int64_t bounce_in_kept_until(const struct config *, const struct message *);

#endif
