/*
 * lane_int.h - lanes' inside: who waits (lane.c), who carries (lane_session.c), what came of it
 * (lane_judge.c), when (lane_pace.c), what has become old (lane_sweep.c), whether the path is open
 * (lane_path.c), what of it outlives a restart (lane_keep.c), what other nodes leave (lane_share.c).
 */
#ifndef ROUTER_LANE_INT_H
#define ROUTER_LANE_INT_H

#include "router/core_int.h"
#include "router/lane.h"
#include "router/pace.h"
#include "rules/rules.h"

struct event;
struct kept_pace;
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
	int64_t slowed_until;       /* mono ms: when the first of those that the guard slows may go; 0: nobody
				       was passed over */
};
TAILQ_HEAD(dest_list, dest);

TAILQ_HEAD(lane_list, lane);

struct path_state {
	TAILQ_ENTRY(path_state) link;
	char *name;
	unsigned waiting, sending;  /* recipients, of all its lanes */
	unsigned sessions, idle;    /* idle: those of them without work */
	struct lane_list wanting;   /* lanes to wake in turn when a connection becomes free */
	struct backoff hold;        /* a fault of the path itself */
	char *shut;                 /* why its account or quota lets nothing out; NULL: it does */
	struct path_taken {
		char *domain;       /* of a sender; NULL: nobody's */
		int64_t at;         /* mono ms */
	} taken[2];                 /* whose mail was taken last, and last of all others' */
};

struct lane {
	TAILQ_ENTRY(lane) link;
	TAILQ_ENTRY(lane) run_link;
	bool runnable;              /* in the list of those to run */
	TAILQ_ENTRY(lane) want_link;
	bool wants;                 /* in its path's list of those that want a connection */
	bool woken;                 /* out of it just now: its turn */
	struct lanes *lanes;
	struct path_state *state;
	char *key, *path, *source, *group;
	bool transactional;         /* of a ses path: it goes first when the quota is near its end */
	const char *carrier;        /* interned */
	struct rules_shape shape;   /* of the configuration in `config` */
	struct config *config;      /* a reference */
	const struct config_path *settings; /* inside config */
	struct dest_list dests;     /* the head is next */
	struct map *by_domain;
	unsigned waiting, sending, sessions;
	struct backoff backoff;
	int64_t succeeded;          /* mono ms: when the peer last had its say on a message */
	struct pace pace;
	/* What this node may do of the lane's rate and of its connections, all nodes having one lane together.
	 * NULL: there are no others. */
	struct shared *rate, *open;
	/* What the peer bears of the shape, found out by trying: halved when it pushes back, more with
	 * each success (AIMD). */
	double scale;               /* of the rate: 1, or lower */
	double width;               /* connections: the shape's, or fewer */
	int64_t slowed;             /* mono ms: when it pushed back last; 0: never */
	unsigned split;             /* recipients in a session at most, for it said "too many"; 0: as
				       the shape says */
	struct delivery_list deliveries; /* on their way */
	struct event *timer;
};

struct lanes {
	struct core *core;
	struct map *by_key;
	struct lane_list all, run;
	TAILQ_HEAD(, path_state) paths;
	unsigned sessions, sending;
	int64_t swept;
	int64_t began;              /* mono ms: of this process; 0: the store is new, nothing was
				       sent before */
	struct map *kept;           /* lane's key -> its pace before the restart, */
	STAILQ_HEAD(, kept_pace) kept_list; /* and all of these */
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
/* Mail of a sender of that domain was taken. */
void path_note_taken(struct path_state *, const char *domain, int64_t now);
/* Its rule says `fallback hold`. */
bool lane_waits_for_path(const struct recipient *);

/* lane_leave.c */
/* As lane_open_at, with what operators have paused and what the source may send today. */
int64_t lane_leave_at(const struct lane *, int64_t now);
/* Nobody may leave for more than a moment, and not for want of an answer to what is on its way. */
bool lane_is_used_up(const struct lane *, int64_t now);
/* How many may leave together then. */
unsigned lane_room(const struct lane *, int64_t now);
/* The delivery leaves now: counted against all of that. */
void lane_leaves(struct lane *, struct delivery *, int64_t now);
/* Why an operator has it wait, and until when (wall ms); NULL: nobody does. */
const char *lane_paused_why(const struct lane *, int64_t *until);

/* lane_share.c */
void lane_join(struct lane *);                /* a new one, before it has its shape; and when it goes: */
void lane_part(struct lane *);
void lane_share_shape(struct lane *);         /* it has another shape */
/* What the other nodes leave has it wait: as lane_open_at, INT64_MAX: until there is an answer of the store. */
int64_t lane_share_at(const struct lane *, int64_t now);
bool lane_is_starved(const struct lane *, int64_t now); /* and has so for long */
/* More connections are open than may be. */
bool lane_has_too_many(const struct lane *);
/* The part of the shape's rate that is this node's, more than 0 and at most 1. */
double lane_part_of_rate(const struct lane *, int64_t now);

/* lane_keep.c */
void lanes_forget_kept(struct lanes *);
void lane_restore(struct lane *);             /* a new one: what it sent before the restart */
void lane_keep(struct lane *, int64_t now);   /* a long period's progress, when there is news */

/* lane_session.c */
/* Recipients that one session may carry; 0: no limit. */
unsigned lane_session_limit(const struct lane *);
void delivery_free(struct delivery *);
void session_forget(struct session *);        /* gone, and without a delivery */
void session_busy(struct session *);          /* idle no more */
void session_next(struct session *, const struct delivery *, bool worn); /* rests, or closes */
bool lane_close_idle(struct lane *);          /* one that is idle; false: none is */
void lane_wants_no_more(struct lane *);       /* a connection of its path */
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

/* When the lane may send next: now or before, the mono ms to wake at, or INT64_MAX: when somebody who
 * is on the way has come back. */
int64_t lane_open_at(const struct lane *, int64_t now);
/* What was sent at `started` was too fast. Those sent before the last time tell nothing new. */
void lane_slow_down(struct lane *, int64_t started);
void lane_speed_up(struct lane *);
/* Connections that may be open: one while the lane or its path is being probed. */
unsigned lane_connections(const struct lane *);
void lane_configure(struct lane *, struct config *);

#endif
