/*
 * guard_step.c - from a judgement to what is done.
 *
 *	ok, warn, slow   follow the judgement, up and down
 *	pause            until its time is over, then probe
 *	probe            a few recipients go: ok again, or a pause of twice the
 *time
 *
 * What is paused sends nothing, so its counts say nothing new: only a probe
 *ends it.
 */
#include "router/guard_judge.h"

static const char *const action_names[GUARD_ACTIONS] = {
	[GUARD_NOTHING] = "",
	[GUARD_WARNED] = "warned",
	[GUARD_SLOWED] = "slowed",
	[GUARD_PAUSED] = "paused",
	[GUARD_PROBING] = "probing",
	[GUARD_REOPENED] = "reopened",
	[GUARD_RESUMED] = "resumed",
	[GUARD_ASKS_AGAIN] = "",
};

const char *
guard_action_name(enum guard_action action)
{
	return action_names[action];
}

static void
enter(struct guard_state *s, enum guard_level level, int64_t now)
{
	s->level = level;
	s->since = now;
	s->until = 0;
}

static void
take_evidence(struct guard_state *s, const struct guard_judged *j)
{
	s->kind = j->kind;
	s->window = j->window;
	s->rate = j->rate;
}

/* -- pausing ------------------------------------------------------------- */

/* Twice the last one, unless there was a good time since. */
static void
begin_pause(const struct guard_rules *rules, int64_t now, struct guard_state *s)
{
	bool again = s->length > 0 && now - s->reopened < GUARD_GOOD_TIME;

	s->length = again ? 2 * s->length : rules->pause;
	if (s->length > rules->pause_max)
		s->length = rules->pause_max;
	enter(s, GUARD_PAUSE, now);
	s->until = now + s->length;
}

static enum guard_action
step_pause(const struct guard_rules *rules, int64_t now, struct guard_state *s)
{
	/* The clock was set back: no pause is longer than the longest. */
	if (s->until - now > rules->pause_max)
		s->until = now + s->length;
	if (s->until > now)
		return GUARD_NOTHING;
	enter(s, GUARD_PROBE, now);
	s->asked = now;
	return GUARD_PROBING;
}

/* -- probing ------------------------------------------------------------- */

static int64_t
share(double part, int64_t n)
{
	return (int64_t)(part * (double)n);
}

/* Most of them went, and what became of them is known, or has been waited for.
 */
static bool
is_complete(const struct guard_rules *rules, const struct guard_state *s,
    const int64_t n[static COUNT_MAX], const struct rate *rate, int64_t now)
{
	int64_t most = share(0.8, rules->probe);

	if (rate->volume < (most > 0 ? most : 1))
		return false;
	return !rules->ses || n[COUNT_DELIVERED] + n[COUNT_RETURNED] >= most ||
	       now - s->asked >= GUARD_PATIENCE;
}

/* By plain count: there are too few for an interval. */
static bool
is_bad(double limit, const struct rate *rate, const struct guard_rules *rules)
{
	int64_t of = rate->volume > rules->probe ? rate->volume : rules->probe;

	return rate->hits > 0 && (double)rate->hits >= limit * (double)of;
}

static enum guard_action
step_probe(const struct guard_rules *rules, const int64_t n[static COUNT_MAX],
    int64_t now, struct guard_state *s)
{
	double limit = rules->limit[s->kind][GUARD_PAUSE - GUARD_WARN];
	struct rate rate;

	rate_of(s->kind, n, rules->ses, &rate);
	if (s->asked > now)
		s->asked = now;
	if (is_bad(limit, &rate, rules)) {
		s->rate = rate;
		s->window = GUARD_PROBED;
		s->reopened = now; /* as if it had been open: twice as long */
		begin_pause(rules, now, s);
		return GUARD_PAUSED;
	}
	if (is_complete(rules, s, n, &rate, now)) {
		s->rate = rate;
		s->window = GUARD_PROBED;
		enter(s, GUARD_OK, now);
		s->judged = GUARD_OK;
		s->reopened = now;
		return GUARD_REOPENED;
	}
	if (now - s->asked < rules->pause)
		return GUARD_NOTHING;
	s->asked = now;
	return GUARD_ASKS_AGAIN;
}

/* -- following ----------------------------------------------------------- */

static enum guard_action
step_open(const struct guard_rules *rules, const struct guard_judged *j,
    int64_t now, struct guard_state *s)
{
	enum guard_level before = s->level, to = j->level;
	bool worse = j->level > s->judged;

	if (!rules->enforce && to > GUARD_WARN)
		to = GUARD_WARN;
	s->judged = j->level;
	/* Without force it says each step up all the same. */
	if (to == before && !(worse && !rules->enforce))
		return GUARD_NOTHING;
	take_evidence(s, j);
	if (to == GUARD_PAUSE) {
		begin_pause(rules, now, s);
		return GUARD_PAUSED;
	}
	enter(s, to, now);
	return to == GUARD_SLOW	  ? GUARD_SLOWED
	       : to == GUARD_WARN ? GUARD_WARNED
				  : GUARD_REOPENED;
}

enum guard_action
guard_step(const struct guard_rules *rules, const struct guard_judged *j,
    const int64_t probe[static COUNT_MAX], int64_t now, struct guard_state *s)
{
	if (s->since > now)
		s->since = now;
	if (s->reopened > now)
		s->reopened = now;
	switch (s->level) {
	case GUARD_PAUSE:
		return step_pause(rules, now, s);
	case GUARD_PROBE:
		return step_probe(rules, probe, now, s);
	case GUARD_OK:
	case GUARD_WARN:
	case GUARD_SLOW:
		break;
	}
	return step_open(rules, j, now, s);
}
