/*
 * reputation.h - what became lately of the mail of paths, carriers, senders and users: sums in memory.
 *
 * A scope is whose mail it is; each keeps what was counted in the last 60 minutes, 24 hours and 7 days. A
 * narrower scope knows the wider ones that its mail counts in, too. Scopes are bounded: the one that was idle
 * for longest is forgotten, so a million senders cost no more memory than some thousands. Times are wall ms
 * (UTC); what lies ahead of `now`, after a clock was set back, does not count and gives way. One thread.
 */
#ifndef ROUTER_REPUTATION_H
#define ROUTER_REPUTATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "router/mail_scope.h"
#include "router/store/tally.h"

#define REPUTATION_SCOPES 4096 /* about 15 MB */

enum reputation_ring { REPUTATION_MINUTES, REPUTATION_HOURS, REPUTATION_DAYS };
#define REPUTATION_RINGS   3
#define REPUTATION_CELLS   (60 + 24 + 7)
#define REPUTATION_COUNTED 8 /* counters that are kept */

struct reputation_cell {
	int64_t period; /* since 1970, in the ring's unit */
	int32_t n[REPUTATION_COUNTED];
};

/* From this moment on; `before` is what the periods that it falls in had counted by then. */
struct reputation_cut {
	int64_t at; /* 0: everything counts */
	int32_t before[REPUTATION_RINGS][REPUTATION_COUNTED];
};

struct guard_watch;

struct reputation_scope {
	TAILQ_ENTRY(reputation_scope) link; /* idle for longest first */
	char *key;
	struct mail_scope of;               /* its strings are its own */
	struct str words;
	struct reputation_scope *wider;     /* whose counts hold its counts; NULL */
	unsigned narrower;                  /* how many have it as `wider` */
	struct reputation_cut own;          /* from when on it is judged */
	struct reputation_cut in_wider;     /* and from when on the wider one is */
	struct reputation_cell cells[REPUTATION_CELLS];
	bool changed;                       /* since somebody set it to false */
	int64_t blamed;                     /* the guard's: when the wider one was over for it; 0 */
	struct guard_watch *watch;          /* the guard's; such a one is not forgotten */
};
TAILQ_HEAD(reputation_scopes, reputation_scope);

struct map;
struct reputation {
	struct map *by_key;
	struct reputation_scopes scopes;
};

void reputation_init(struct reputation *);
void reputation_clear(struct reputation *);

/* The scope of that; made when there is none and `make`. NULL: none, or all are watched. */
struct reputation_scope *reputation_find(struct reputation *, const struct mail_scope *, bool make);
/* As reputation_find with the wider one. */
struct reputation_scope *reputation_within(struct reputation *, const struct mail_scope *,
    struct reputation_scope *wider);

/* Counts in all three rings, in the minute of `at`; or in one, in the period of `at`. May be negative. */
void reputation_count(struct reputation *, struct reputation_scope *, int64_t at,
    const int64_t n[static COUNT_MAX], int64_t now);
void reputation_load(struct reputation_scope *, enum reputation_ring, int64_t at,
    const int64_t n[static COUNT_MAX], int64_t now);

/* The latest periods of a ring, this one included. */
struct reputation_span {
	enum reputation_ring ring;
	unsigned periods;
};
/* Adds up what was counted since the cut (NULL: whenever). Counters that are not kept are 0. */
void reputation_sum(const struct reputation_scope *, struct reputation_span,
    const struct reputation_cut *, int64_t now, int64_t n[static COUNT_MAX]);
/* The shortest span in which that counter has come to `least`; else the 7 days. */
struct reputation_span reputation_last(const struct reputation_scope *, enum counter, int64_t least,
    const struct reputation_cut *, int64_t now);
/* A second's share of what that counter counted in the minutes of the last hour in which it did. */
double reputation_pace(const struct reputation_scope *, enum counter, int64_t now);

void reputation_cut(const struct reputation_scope *, struct reputation_cut *, int64_t at);
/* It is judged by what is counted from then on; what is narrower counts in it from then on. */
void reputation_anew(struct reputation *, struct reputation_scope *, int64_t at);

#endif
