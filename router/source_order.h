/*
 * source_order.h - the order in which a pool's sources are tried for one sender's domain and group.
 *
 * Weighted rendezvous hashing: each source draws a number from a hash of (sender's domain, group,
 * its name) with its weight, and the lowest is first. So each pair keeps its source, shares follow
 * the weights, and a source that is added or removed moves only what it gains or had. Pure; any
 * thread.
 */
#ifndef ROUTER_SOURCE_ORDER_H
#define ROUTER_SOURCE_ORDER_H

struct config_pool;
struct config_source;

/* The one behind `after` in the order; NULL: the first. Returns NULL behind the last. */
const struct config_source *source_next(const struct config_pool *, const char *sender,
    const char *group, const struct config_source *after);

#endif
