/*
 * resend.h - what a session delivered until the peer took it back.
 *
 * docomo cuts a session that carries too many recipients and throws away what it had taken in it
 * with a 250 (facts: "554:Transaction failed"). What such a session delivered is therefore kept in
 * mind until it ends; when it ends so, each is put in the queue again, as a message of its own under
 * a new id, for the old one is settled. Core thread only.
 */
#ifndef ROUTER_RESEND_H
#define ROUTER_RESEND_H

#include <stddef.h>
#include <sys/queue.h>

struct core;
struct delivery;
struct outcome;
struct resend_item;
TAILQ_HEAD(resend_list, resend_item);

/* The i-th recipient of the delivery has been delivered. */
void resend_remember(struct resend_list *, const struct delivery *, size_t i);
/* The session has ended well. */
void resend_forget(struct resend_list *);
/* The peer has taken all of them back. */
void resend_all(struct core *, struct resend_list *, const struct outcome *why);

#endif
