/*
 * guard_judge.h - the guard's judgement: from counts to a level, from a level to what is to be done. Pure.
 */
#ifndef ROUTER_GUARD_JUDGE_H
#define ROUTER_GUARD_JUDGE_H

#include "router/guard.h"

enum guard_window { GUARD_HOUR, GUARD_DAY, GUARD_LAST };
#define GUARD_WINDOWS 3
#define GUARD_PROBED  ((enum guard_window)GUARD_WINDOWS) /* of a state: what a probe has shown */
#define GUARD_LEVELS  3 /* with a threshold: warn, slow, pause */

struct guard_rules {
	bool ses;
	double limit[RATE_KINDS][GUARD_LEVELS]; /* by level - GUARD_WARN, 0..1; 0: not judged by that */
	int64_t minimum;             /* volume below which nothing is judged */
	int64_t last;                /* of the window "last" */
	unsigned probe;              /* recipients */
	int64_t pause, pause_max;    /* ms */
	bool enforce;                /* else it warns at most */
};

struct guard_counts {
	int64_t n[GUARD_WINDOWS][COUNT_MAX];
};

struct guard_judged {
	enum guard_level level;      /* OK, WARN, SLOW, PAUSE */
	enum rate_kind kind;         /* what it is judged by; of OK: what comes nearest to its threshold */
	enum guard_window window;
	struct rate rate;
};

/* What the counters of a kind are counted over. */
enum counter guard_volume(bool ses);

/*
 * The highest level that holds in any window. explained[level - GUARD_WARN]: what of the counts is of narrower
 * scopes that are at that level themselves, and does not speak against this one; NULL: nothing. A level that is
 * `held` already holds on until the rate is a fifth below its threshold.
 */
void guard_judge(const struct guard_rules *, const struct guard_counts *,
    const struct guard_counts *explained, enum guard_level held, struct guard_judged *);

/* How many more hits, at that volume or the least that counts, until the level holds. */
int64_t guard_left(const struct guard_rules *, enum rate_kind, const struct rate *, enum guard_level);

struct guard_state {
	enum guard_level level;
	enum guard_level judged;     /* as judged last: more than WARN where nothing is enforced */
	enum rate_kind kind;
	enum guard_window window;
	struct rate rate;            /* at the last change of level */
	int64_t since;               /* wall ms: of that level */
	int64_t until;               /* PAUSE: wall ms */
	int64_t length;              /* ms of the last pause; 0: none */
	int64_t reopened;            /* wall ms; 0 */
	int64_t asked;               /* PROBE: wall ms when recipients were last let go */
};

enum guard_action {
	GUARD_NOTHING, GUARD_WARNED, GUARD_SLOWED, GUARD_PAUSED, GUARD_PROBING, GUARD_REOPENED, GUARD_RESUMED,
	GUARD_ASKS_AGAIN, /* not told of: another few for the probe */
};
#define GUARD_ACTIONS 8
const char *guard_action_name(enum guard_action); /* "warned", ... */

/* After a pause (length > 0) that long without one: the next is as the first. */
#define GUARD_GOOD_TIME INT64_C(86400000)
/* How long (ms) what SES says of a probe is waited for. */
#define GUARD_PATIENCE  INT64_C(600000)

/* `probe`: what was counted since the probe began. */
enum guard_action guard_step(const struct guard_rules *, const struct guard_judged *,
    const int64_t probe[static COUNT_MAX], int64_t now, struct guard_state *);

#endif
