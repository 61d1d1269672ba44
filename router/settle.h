/*
 * settle.h - the one place where a recipient's story goes on or ends.
 *
 * Whatever happens to a recipient comes here as an outcome: delivered, deferred, bounced, filtered,
 * expired, suppressed, removed, or given back untouched. One settlement carries state, counters, event and DSN
 * into one transaction; only after it is on disk is the log line written and the recipient let go.
 * Core thread only.
 */
#ifndef ROUTER_SETTLE_H
#define ROUTER_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "router/classify.h"
#include "router/message.h"

struct core;
struct delivery;
struct settler;

struct settler *settler_new(struct core *);
void settler_free(struct settler **);

/* How an attempt went. `d` may be NULL: the recipient was judged without a session. Takes over r. */
void settle_attempt(struct settler *, struct recipient *r, const struct delivery *d,
    const struct outcome *, const struct verdict *);
/* Back to the store as it was, due then (wall ms). Takes over r. */
void settle_return(struct settler *, struct recipient *r, int64_t due);
/* The same because of `why`, which listings show. */
void settle_give_back(struct settler *, struct recipient *r, int64_t due, const char *why);
/*
 * It is held, because of `why` (NULL: its rule says `hold`): back to the store, due at
 * SETTLE_HELD_UNTIL, which never comes and yet is a time that shelves and listings can show
 * (9999-12-31T23:59:59Z). The core makes what is held due when the rules or what preflight found may
 * have changed, and an operator does by retrying the path "hold". Takes over r.
 */
#define SETTLE_HELD_UNTIL INT64_C(253402300799000)
void settle_held(struct settler *, struct recipient *r, const char *why);
/* An operator holds it, as `held` says: likewise, until an operator retries it. Takes over r. */
void settle_hold(struct settler *, struct recipient *r, const char *held);
/* It waits for a lane or path that rests, for longer than the sender should not hear of it: told why,
 * and back to the store. Takes over r. */
void settle_delayed(struct settler *, struct recipient *r, const char *why);
/* Whether it has waited that long and nobody has been told: its sender, if he wants to hear, and the application. */
bool settle_is_delayed(const struct settler *, const struct recipient *, int64_t now);
/* Removed by an operator. Takes over r. */
void settle_removed(struct settler *, struct recipient *r);
/* Its address is on the suppression list, for the reason in words. Takes over r. */
void settle_suppressed(struct settler *, struct recipient *r, const char *why);
/* It has been in the queue for longer than its shape allows. Takes over r. */
void settle_expired(struct settler *, struct recipient *r);

/* Sends what has gathered to the store; called once per turn of the loop. */
void settle_flush(struct settler *);
/* Settlements not answered yet. */
unsigned settle_pending(const struct settler *);

#endif
