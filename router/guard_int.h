/*
 * guard_int.h - inside of the guard: who is watched, and what the files of it (guard.h) share.
 */
#ifndef ROUTER_GUARD_INT_H
#define ROUTER_GUARD_INT_H

#include <event2/event.h>
#include <sys/queue.h>

#include "router/core_int.h"
#include "router/guard_judge.h"
#include "router/reputation.h"

/* A scope whose level is not ok, or that was paused lately. */
struct guard_watch {
	TAILQ_ENTRY(guard_watch) link;
	struct reputation_scope *scope;
	char *name;             /* the scope's canonical text */
	struct guard_state s;
	char *evidence;         /* of the last change; "" */
	double pace;            /* SLOW: recipients per second */
	int64_t next;           /* SLOW: mono ms when the next may leave */
	bool kept;              /* guard_kept has met it */
};
TAILQ_HEAD(guard_watches, guard_watch);

struct guard {
	struct core *core;
	struct reputation rep;
	struct counters_watch counted;
	struct event *soon;     /* scopes that have changed are looked at */
	struct event *tick;     /* each second: times that are over */
	struct guard_watches watches;
	unsigned slowed;        /* of them */
	bool stopped;
	bool follows;           /* another node judges */
	struct guard_counting *counting; /* guard_nodes.c; NULL: nobody else counts */
};

/* guard_nodes.c: with other nodes counts come from the store, for what this one has counted is not all. */
void guard_count_all(struct guard *); /* now, and every while */
void guard_count_stop(struct guard *);
void guard_count_free(struct guard *);

/* guard.c */
struct guard_watch *guard_watch_get(struct guard *, struct reputation_scope *); /* made when there is none */
/* Nothing is watched of it any more; no watch of ours is left. */
void guard_watch_end(struct guard *, struct guard_watch *);
/* So many recipients may go, to see what becomes of them: those of this node. */
void guard_let_some_go(struct guard *, const struct guard_watch *, unsigned n);
void guard_look_soon(struct guard *);
/* A row of the store's counts, to the scopes whose mail it is; ring NULL: into all three. */
void guard_feed(struct guard *, const struct tally_row *, const enum reputation_ring *ring, int64_t now);

/* guard_view.c */
/* By what the scope is judged; false: by nothing. */
bool guard_rules_of(const struct guard *, const struct reputation_scope *, struct guard_rules *);
/* As it stands now, what narrower ones explain left out. */
void guard_view(struct guard *, const struct guard_rules *, const struct reputation_scope *,
    int64_t now, struct guard_judged *);
/* What was counted since it is judged anew. */
void guard_view_own(const struct reputation_scope *, int64_t now, int64_t n[static COUNT_MAX]);

/* guard_slow.c */
void guard_slow_begin(struct guard_watch *, bool ses, int64_t now);

/* guard_keep.c */
/* On disk, and `action` (NOTHING: none) among the events. */
void guard_keep(struct guard *, const struct guard_watch *, enum guard_action, int64_t now);
void guard_forget(struct guard *, const struct guard_watch *);
void guard_load(struct guard *);
/* The counts that a ring holds. */
struct tally_filter guard_window_of(enum reputation_ring, int64_t now);
/* The watch of that name, made when there is none; NULL: no scope has that name. */
struct guard_watch *guard_watch_of(struct guard *, const char *name);
/* A watch as it is kept, taken over; NULL: there is no such scope. */
struct guard_watch *guard_take(struct guard *, const struct kept *);
/* After counts were read: the cuts of what is judged anew. */
void guard_cut_again(struct guard *);

/* guard_text.c */
/* "hard bounce rate of news.example.jp by ses 9.8 % (8.1-11.7 %) of 1,024 in 1 h" */
void guard_text_rate(struct str *, const struct mail_scope *, enum rate_kind, enum guard_window,
    const struct rate *);
void guard_text_percent(struct str *, double share);
void guard_text_number(struct str *, int64_t);
void guard_text_left(struct str *, struct str *ja, enum rate_kind, int64_t left, enum guard_level);
void guard_text_budget(struct str *, struct str *ja, const struct guard_budget *);
void guard_text_window(struct str *, enum guard_window, int64_t last); /* "1h", "last:1000" */

#endif
