/*
 * lane_int.h - lanes' inside: who waits (lane.c), who carries (lane_session.c), when (lane_pace.c),
 * what has become old (lane_sweep.c), whether the path is open (lane_path.c).
 */
#ifndef ROUTER_LANE_INT_H
#define ROUTER_LANE_INT_H

#include "router/core_int.h"
#include "router/lane.h"
#include "rules/rules.h"

struct event;
struct map;

/* A rest after trouble, longer each time until something succeeds. */
struct backoff {
	unsigned failures; /* in a row */
	int64_t since;     /* mono ms: when it failed last */
	int64_t rest;      /* ms, before chance has its part */
	int64_t until;     /* mono ms; 0: open */
	char why[160];     /* for people */
};

/* Those of one sender's domain, in the order they came. */
struct sender {
	TAILQ_ENTRY(sender) link;
	char *domain;
	struct recipient_list waiting;
};
TAILQ_HEAD(sender_list, sender);

/* One destination of a lane: a domain, or "" where the path has a single endpoint. */
struct dest {
	TAILQ_ENTRY(dest) link;
	struct lane *lane;
	char *domain;
	struct sender_list senders; /* with someone waiting; the head is next */
	struct map *by_sender;
	unsigned waiting, sessions;
	struct session_list idle;   /* newest first: the others may be closed for age */
	struct backoff backoff;     /* its name does not resolve */
};
TAILQ_HEAD(dest_list, dest);

struct path_state {
	TAILQ_ENTRY(path_state) link;
	char *name;
	unsigned waiting, sending;  /* recipients, of all its lanes */
	unsigned sessions;
	struct backoff hold;        /* a fault of the path itself */
};

struct lane {
	TAILQ_ENTRY(lane) link;
	TAILQ_ENTRY(lane) run_link;
	bool runnable;              /* in the list of those to run */
	struct lanes *lanes;
	struct path_state *state;
	char *key, *path, *source, *group;
	const char *carrier;        /* interned */
	struct rules_shape shape;   /* of the configuration in `config` */
	struct config *config;      /* a reference */
	const struct config_path *settings; /* inside config */
	struct dest_list dests;     /* the head is next */
	struct map *by_domain;
	unsigned waiting, sending, sessions;
	struct backoff backoff;
	int64_t succeeded;          /* mono ms: when the peer last had its say on a message */
	double rate;                /* recipients per second; 0: no limit */
	double scale;               /* 1, lower after "too fast" */
	double next_at;             /* mono ms: when the next may leave */
	struct event *timer;
};
TAILQ_HEAD(lane_list, lane);

struct lanes {
	struct core *core;
	struct map *by_key;
	struct lane_list all, run;
	TAILQ_HEAD(, path_state) paths;
	unsigned sessions, sending;
	int64_t swept;
};

/* lane.c */
void lane_make_runnable(struct lane *);
struct lane *lane_find(const struct lanes *, const struct route *); /* NULL: there is none */
const char *lane_dest_name(const struct lane *, const char *domain);
void lane_free(struct lane *);                          /* nobody waits, no session */
void dest_free(struct dest *);                          /* likewise */
void dest_unlink(struct dest *, struct sender *, struct recipient *); /* waits no more */
void dest_forget_sender(struct dest *, struct sender *); /* if nobody of it waits any more */
/* Moves those that `wanted` says from the destination to *out. */
void lane_take_from(struct dest *, bool (*wanted)(void *arg, const struct recipient *), void *arg,
    struct recipient_list *out);

/* lane_path.c */
struct path_state *path_state_get(struct lanes *, const char *name);
/* Its rule says `fallback hold`. */
bool lane_waits_for_path(const struct recipient *);

/* lane_session.c */
void lane_close_session(struct session *); /* without delivery and in no list: once */

/* lane_sweep.c */
void lanes_sweep(struct lanes *, int64_t now); /* now: mono ms; does its work once a second */
void lanes_drop_unused(struct lanes *, int64_t now);

/* lane_pace.c */
void backoff_fail(struct backoff *, const struct rules_shape *, int64_t least, int64_t fixed,
    const char *why);
void backoff_succeed(struct backoff *);
bool backoff_rests(const struct backoff *, int64_t now);
/* One that was at work since `started` and would have it rest for `least` tells nothing new: what it
 * met is why it rests. */
bool backoff_knows(const struct backoff *, int64_t started, int64_t least);

/* When the lane may send next: now or before, or the mono ms to wake at. */
int64_t lane_open_at(const struct lane *, int64_t now);
/* A transaction of n recipients leaves now. */
void lane_spend(struct lane *, unsigned n, int64_t now);
void lane_slow_down(struct lane *);
void lane_speed_up(struct lane *);
/* Connections that may be open: one while the lane or its path is being probed. */
unsigned lane_connections(const struct lane *);
void lane_configure(struct lane *, struct config *);

#endif
