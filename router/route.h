/*
 * route.h - from an envelope to a way out, by the rules of a configuration.
 */
#ifndef ROUTER_ROUTE_H
#define ROUTER_ROUTE_H

#include "router/message.h"
#include "rules/rules.h"

struct config;

/* Decides where a recipient goes now. Any thread. */
void route_decide(const struct config *, const struct message *, const struct recipient *,
    struct route *);

/* The same place, the same key of counters. */
bool route_equal(const struct route *, const struct route *);

/*
 * The store's shelf for it: recipients of one lane and one sender share a shelf, so that a stuck
 * lane or a bulk sender fills only its own (queue.h). Different ones may share a shelf by chance.
 */
unsigned route_shelf(const struct config *, const struct route *, const char *sender);

/* What names the lane: path, source and, for an mta path, the group. Returns the hash. */
uint64_t route_lane_hash(const struct config *, const struct route *);

void route_shape(const struct config *, const struct route *, const char *domain,
    struct rules_shape *);

#endif
