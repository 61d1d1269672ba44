/*
 * keep.h - small things of the core's that must outlive a restart, put into the store one at a time.
 *
 * Core thread only. Requests of one caller are carried out in the order given, and before anything
 * that is asked of the store later: what was put before a delivery left the core is on disk, or has
 * been refused, before that delivery's final dot.
 */
#ifndef ROUTER_KEEP_H
#define ROUTER_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct event_row;
struct kept;

/* What is told while the database is away: it is put there as soon as it is back, unless we end before. */
#define KEEP_LATER "the database is away, and other nodes hear of it when it is back"

/* Copies all. value NULL: forget it. `done` (NULL: nobody) is called when the store has answered,
 * with NULL or the reason why it is not kept, or that it is later (KEEP_LATER). */
void keep_put(struct core *, const char *kind, const char *key, const char *value, int64_t expires,
    void (*done)(void *arg, const char *why), void *arg);

/* The same with an event (NULL: none) that goes into the log of events in the same transaction. The log says when
 * it failed. */
void keep_put_event(struct core *, const char *kind, const char *key, const char *value, int64_t expires,
    const struct event_row *);

/* The database is back; and: what waits for that is given up. */
void keep_go_on(struct core *);
void keep_stop(struct core *);

/*
 * Other nodes keep such things as well: core_nodes.c reads again what they may have changed, and hands all there is of
 * a kind to its owner. A key that this node has put something under since the reading was asked for is not to be
 * looked at: what was read there is older than what the owner has.
 */
bool keep_is_ours(const struct core *, const char *kind, const char *key);
void keep_reading_begins(struct core *);
void keep_reading_ends(struct core *);

#endif
