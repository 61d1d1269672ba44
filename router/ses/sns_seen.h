/*
 * sns_seen.h - ids of messages that have been proved genuine: those in hand, and the latest that are settled.
 *
 * SNS repeats a message, under the same id, until it is answered with 200. One thread.
 */
#ifndef ROUTER_SES_SNS_SEEN_H
#define ROUTER_SES_SNS_SEEN_H

#include <stddef.h>

struct sns_seen;

enum sns_seen_state { SEEN_NEVER, SEEN_IN_HAND, SEEN_SETTLED };

struct sns_seen *sns_seen_new(size_t most); /* settled ones are kept; those in hand all are */
void sns_seen_free(struct sns_seen **);
enum sns_seen_state sns_seen_look(const struct sns_seen *, const char *id);
void sns_seen_take(struct sns_seen *, const char *id);    /* one never seen: in hand */
void sns_seen_settle(struct sns_seen *, const char *id);  /* one in hand */
void sns_seen_release(struct sns_seen *, const char *id); /* one in hand: never seen */

#endif
