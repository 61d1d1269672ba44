/*
 * route.h - from an envelope to a way out, by the rules of a configuration.
 */
#ifndef ROUTER_ROUTE_H
#define ROUTER_ROUTE_H

#include "router/message.h"
#include "rules/rules.h"

struct config;

/* Decides where a recipient goes now, by all that is known of its message. Any thread. */
void route_decide(const struct config *, const struct message *, const struct recipient *,
    struct route *);

/*
 * At RCPT, with no content yet: whether the rules reject the recipient whatever the content will be.
 * *out is the route then, and out->reject what to say: one line of printable ASCII. Any thread.
 */
bool route_rejects_early(const struct config *, const struct message *, const struct recipient *,
    struct route *out);

/*
 * The recipient's route by its rule's fallback path instead of its own. False, with *out untouched,
 * when its rule has none, when that path is not able to carry it, and for one that may have been
 * delivered already ("final dot sent, reply unread").
 */
bool route_fallback(const struct config *, const struct recipient *, struct route *out);

/* Whether mail goes first when a quota is near its end: by its rule, or by its tag
 * priority=transactional. */
bool route_transactional(const struct rules_decision *, const char *tags);

/* Patterns of rules given up at a limit, since the start of the process. Any thread. */
uint64_t route_pattern_limits(void);

/* The same place, the same key of counters. */
bool route_equal(const struct route *, const struct route *);

/*
 * The store's shelf for it: recipients of one lane and one sender share a shelf, so that a stuck
 * lane or a bulk sender fills only its own (queue.h). Different ones may share a shelf by chance.
 */
unsigned route_shelf(const struct config *, const struct route *, const char *sender);

/* What names the lane: path, source and, for an mta path, the group; transactional mail has a lane of
 * its own on a ses path. Returns the hash. */
uint64_t route_lane_hash(const struct config *, const struct route *);

void route_shape(const struct config *, const struct route *, const char *domain,
    struct rules_shape *);

#endif
