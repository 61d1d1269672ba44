/*
 * hooks.h - the application is told: from a cursor over the event log to webhooks, SNS-shaped posts and files.
 *
 * Each hook has a cursor of its own (kept in the store), requests of its own and waits of its own: a slow one
 * delays nobody. At least once, in order per recipient: an event is let go of when its POST was answered 2xx or its
 * line is on disk. How far a hook has come is on disk a fifth of a second after it has told something, and sooner
 * when that is much: after a crash at most 500 events of a hook are told again, and those on their way. All on one
 * thread of its own.
 */
#ifndef ROUTER_EVENTS_HOOKS_H
#define ROUTER_EVENTS_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"

struct config;
struct hooks;
struct store;

/* Starts the thread; a hook that is new begins with what happens from now on. Keeps a reference on config. */
struct hooks *hooks_start(struct store *, struct config *, struct err *e);
/* A new generation; cursors stay by name. Any thread. */
void hooks_configure(struct hooks *, struct config *);
/* Ends what is in flight, keeps the cursors, joins the thread. */
void hooks_stop(struct hooks **);

/* For the admin API: one row per hook, any thread, as of a moment ago. */
struct hook_row {
	const char *name, *kind, *where;
	int64_t cursor, behind;      /* seq; events not told yet, filtered ones included */
	uint64_t told, failed;       /* events told, POSTs that failed, since the start */
	int64_t failing_since;       /* wall ms; 0 */
	const char *why;             /* of the last failure; "" */
};
void hooks_each(struct hooks *, void (*each)(void *arg, const struct hook_row *), void *arg);
/* Another number after each commit that wrote events; begins with 0. Any thread. */
uint64_t hooks_commits(struct hooks *);
/* Goes back, or on, to the first event at or after that wall time: they are told again. 0 or -1. Any thread. */
int hooks_replay(struct hooks *, const char *name, int64_t since, struct err *e);

#endif
