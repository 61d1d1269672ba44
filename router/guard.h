/*
 * guard.h - mail that harms its path is noticed, slowed and stopped before Amazon or a carrier does it.
 *
 * Each ses path and each sender by it is judged by hard bounces and complaints, each carrier of an mta path, and
 * each sender and application user there, by unknown users against the budget of the carrier's shape. A level
 * (warn, slow, pause) holds when there is enough volume and even the lower end of the rate's 95 % interval is
 * above its threshold. Where a sender or a user explains why a path or a carrier is over, only that one is
 * stopped. A pause (pause.h, of mail) ends with a probe: a few recipients go, and what becomes of them opens the
 * way again or stops it for twice as long. What the guard does is in the log, among the events, in `oiwake
 * guard`, and kept in the store. Settings: section `guard`. Core thread only.
 *
 *	reputation.h    what is counted, by scope
 *	guard_judge.c   from counts to a level; guard_step.c from a level to what is done
 *	guard_view.c    what a scope is judged by, narrower ones first
 *	guard.c         counts come in, scopes are looked at, things are done
 *	guard_slow.c    how fast a slowed scope may go
 *	guard_keep.c    after a restart; guard_text.c in words; guard_show.c for people
 */
#ifndef ROUTER_GUARD_H
#define ROUTER_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "router/mail_scope.h"
#include "router/rates.h"

struct core;
struct guard;
struct recipient;

enum guard_level { GUARD_OK, GUARD_WARN, GUARD_SLOW, GUARD_PAUSE, GUARD_PROBE };
const char *guard_level_name(enum guard_level); /* "ok", "warn", "slow", "pause", "probe" */

struct guard *guard_new(struct core *);
void guard_free(struct guard **);
/* Reads what is kept and what was counted in the last 7 days: before the store's first request. */
void guard_start(struct guard *);
void guard_stop(struct guard *);
/* The core's configuration is another one. */
void guard_configure(struct guard *);

/* core_nodes.c: whether this node judges, for all. One that does not does what is kept of the one that does. */
void guard_leads(struct guard *, bool leads);
struct kept;
void guard_kept(struct core *, const struct kept *, size_t n);

/* On disk: a recipient's attempt with these counters, bits of enum counter. The store's own counts know no user. */
void guard_settled(struct guard *, const struct recipient *, unsigned counters);
/* A pause of that mail has ended, by whom ever: what is within is judged by what comes from now on. */
void guard_resumed(struct guard *, const struct mail_scope *);

/* When mail described in full may leave, as far as it is slowed: mono ms, now or before: at once. */
int64_t guard_leave_at(const struct guard *, const struct mail_scope *, int64_t now);
/* So many recipients of it leave. */
void guard_leaves(struct guard *, const struct mail_scope *, unsigned n, int64_t now);

/* For people. Texts are valid during the call. */
struct guard_row {
	struct mail_scope scope;
	const char *name;            /* canonical text of the scope */
	enum rate_kind kind;         /* by which it is judged worst */
	enum guard_level level;
	const char *window;          /* "1h", "24h", "last:1000" */
	struct rate rate;
	double warn, slow, pause;    /* thresholds, 0..1 */
	int64_t since, until;        /* wall ms; 0 */
	const char *evidence;        /* "" */
	int64_t left;                /* more hits at that volume until the next level; -1: there is none */
	const char *left_text, *left_text_ja; /* "" */
};
/* Those whose level is not ok; with `all`, every one with any volume. The worst first. */
void guard_each(struct guard *, bool all, void (*each)(void *arg, const struct guard_row *),
    void *arg);

/* What a ses path has left of what Amazon bears, by the last 24 hours. */
struct guard_budget {
	const char *path;
	enum rate_kind kind;
	struct rate rate;
	double review, stop;         /* Amazon's thresholds, 0..1 */
	int64_t left_review, left_stop;
	const char *text, *text_ja;
};
void guard_each_budget(struct guard *, void (*each)(void *arg, const struct guard_budget *),
    void *arg);

#endif
