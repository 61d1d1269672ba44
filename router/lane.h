/*
 * lane.h - deliveries waiting for one destination from one source, and their pace.
 *
 * A lane is one (path, source, group). It owns the recipients that wait for it, by destination and
 * by sender in turn, and the sessions that carry them; it opens sessions up to its shape, rests when
 * the destination pushes back, and never opens a socket itself (courier.c does). Core thread only.
 */
#ifndef ROUTER_LANE_H
#define ROUTER_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "router/classify.h"
#include "router/message.h"
#include "router/session.h"

struct core;
struct lane;
struct lane_row;
struct lanes;
struct verdict;

struct lanes *lanes_new(struct core *);
void lanes_free(struct lanes **); /* recipients and sessions gone before */

/* What lanes were doing before the restart: once, before the store's first request. */
void lanes_load(struct lanes *);

/* The recipient waits in the lane of its route from now on. `first`: ahead of its sender's others. */
void lanes_add(struct lanes *, struct recipient *, bool first);
/* Gives work to sessions wherever there is room; called when anything has changed, and on a timer. */
void lanes_run(struct lanes *);
/* A new configuration is in force: lanes take their shapes from it, open sessions end. */
void lanes_configure(struct lanes *);
/* Takes out all that wait and hands each to `each`. */
void lanes_drain(struct lanes *, void (*each)(void *arg, struct recipient *), void *arg);
/* Takes out those that `wanted` says; they are handed to `each`. */
void lanes_take(struct lanes *, bool (*wanted)(void *arg, const struct recipient *),
    void (*each)(void *arg, struct recipient *), void *arg);
/* How many of the wanted wait. */
unsigned lanes_count(struct lanes *, bool (*wanted)(void *arg, const struct recipient *),
    void *arg);
/* How many wait in the lane of that route. */
unsigned lanes_waiting(const struct lanes *, const struct route *);
/* How many wait in all lanes of that path. */
unsigned lanes_path_waiting(const struct lanes *, const char *path);
/* And in all lanes from that source to that group. */
unsigned lanes_source_waiting(const struct lanes *, const char *source, const char *group);
/* What may hold lanes from outside has changed: all look again in the next run. */
void lanes_wake(struct lanes *);
/* An operator wants a try now: that path, its lanes and destinations end their rest; NULL: all. */
void lanes_end_rests(struct lanes *, const char *path);
/* Closes all idle sessions; those with work leave after it. */
void lanes_close_sessions(struct lanes *);

/* A fault of the path itself has closed it, and nothing has gone through since. */
bool lanes_path_closed(const struct lanes *, const char *path);
/* What it or its account says; NULL: it is not closed. */
const char *lanes_why_closed(const struct lanes *, const char *path);
/* The path's account or quota lets nothing out, `why` says so, until this is called with NULL: nobody tries it
 * meanwhile, for whoever closed it knows when it is open. Then the rests of its lanes are over too. */
void lanes_shut(struct lanes *, const char *path, const char *why);
/* The route's path is closed, its rest is over, and nobody is there to try it: one to that domain by
 * that route should (lane_path.c). */
bool lanes_wants_probe(const struct lanes *, const struct route *, const char *domain);
/* The path is open, and mail of senders of another domain has been taken lately: it works. */
bool lanes_path_takes_others(const struct lanes *, const char *path, const char *domain);
/* Its path is closed and its rule says `fallback hold`: meanwhile it does not expire, and nobody is
 * told of a delay. */
bool lanes_keep(const struct lanes *, const struct recipient *);

/* From the courier, by the core: a delivery is back (its recipients are settled by the caller, who
 * says how the whole went), a session has gone. True when the path was closed or opened by it. */
bool lane_delivered(struct delivery *, const struct verdict *worst, const struct outcome *why);
void lane_session_closed(struct session *);

/* Its sessions carry a limited number of recipients. */
bool lane_limits_recipients(const struct lane *);

void lanes_each(struct lanes *, void (*each)(void *arg, const struct lane_row *), void *arg);
unsigned lanes_sessions(const struct lanes *);
unsigned lanes_sending(const struct lanes *); /* recipients out with sessions */

#endif
