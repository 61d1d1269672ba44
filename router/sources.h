/*
 * sources.h - which address mail leaves from, and how much a new one may send.
 *
 * Each (sender's domain, group) has its order of a pool's sources (source_order.h), or they take
 * turns by message (balance = round-robin). The first that is neither drained, paused nor out of its
 * warm-up's allowance is taken.
 *
 * Warm-up. A shape may name a plan (rules.h): how many recipients a source may send to a group on the
 * first, second, ... day. Days are a source's and group's own: 24 hours from their first recipient,
 * and one without any does not count. What has been sent is kept in the store in blocks ahead, so
 * that after a crash never more is sent than allowed, and at most a block less. A source that sends
 * nothing to a group for 90 days is new to it again. An operator may say that a source is warm, or
 * new. Core thread only.
 */
#ifndef ROUTER_SOURCES_H
#define ROUTER_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

struct config_pool;
struct core;
struct message;
struct route;
struct rules_warm_up;
struct sources;

/* Reads what is kept; before the store's first request. */
struct sources *sources_new(struct core *);
void sources_free(struct sources **);
/* core->config has changed. */
void sources_configure(struct sources *);

/* What is asked of others about a source, that of the route. */
struct sources_asks {
	/* How many recipients wait for it already, by the route's path and to its group. */
	unsigned (*waiting)(void *arg, const struct route *);
	/* There is something wrong with it. */
	bool (*shut)(void *arg, const struct route *);
	void *arg;
};

/*
 * Only sources of this node (core_nodes.h) are taken; where the pool has none of them, the route gets one that is not.
 *
 * Sets the route's source to the first of the pool that is not shut and may be used now, those who
 * wait having their part of its allowance; when there is none, to the first in order that is not
 * drained (else the first), to wait for. With a plan that says `wait` nobody is sent elsewhere for
 * want of allowance.
 */
void sources_choose(struct sources *, const struct config_pool *, struct route *,
    const struct message *, const struct sources_asks *);
/* The route's source is drained, or has no more allowance today and its plan does not say `wait`;
 * and another of the pool may be used now. */
bool sources_should_leave(struct sources *, const struct config_pool *, const struct route *,
    const struct sources_asks *);

/* How many more recipients the source may send to that group today; UINT_MAX: no limit. *again: wall
 * ms when there will be more. plan NULL: none; nor has a path without sources ("") one. */
unsigned sources_allowance(struct sources *, const char *source, const char *group,
    const struct rules_warm_up *plan, int64_t *again);
/* Of these, how many may leave here now, other nodes sending from the same source: 0: the lanes are woken when there is
 * an answer. */
unsigned sources_room(struct sources *, const char *source, const char *group, const struct rules_warm_up *plan,
    int64_t now);
/* n leave now, at most as many as are allowed. Call before they are handed to a session. When that
 * was the last of the day and the plan does not say `wait`, core_pauses_changed follows. */
void sources_spend(struct sources *, const char *source, const char *group,
    const struct rules_warm_up *plan, unsigned n);

/* An operator says that the source is warm, or new, to that group ("": to all). `done` as with
 * pauses_set. */
void sources_set_warm(struct sources *, const char *source, const char *group, bool warm,
    void (*done)(void *arg, const char *why), void *arg);

/* core_nodes.c: what operators have said of warm-ups on any node; all that is kept. */
struct kept;
void sources_kept(struct core *, const struct kept *, size_t n);

/* A source and a group to which its warm-up has begun, or one that an operator called warm. */
struct warm_row {
	const char *source, *group; /* group "": to all */
	const char *plan;           /* in force now; "": none */
	bool warm;                  /* by an operator's word, or its plan is over */
	unsigned day;               /* from 1 */
	unsigned allowed, sent;     /* today; allowed 0: no limit */
	int64_t again;              /* wall ms: when the next day begins; 0: with the next recipient */
};
/* In the order of source and group. */
void sources_each_warm(struct sources *, void (*each)(void *arg, const struct warm_row *),
    void *arg);

#endif
