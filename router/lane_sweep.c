/*
 * lane_sweep.c - what has become old in lanes: idle sessions, recipients past their time behind a
 * destination that fails or a lane that is kept back, lanes that nobody needs.
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"
#include "router/config.h"
#include "router/path.h"

#define SWEEP 1000 /* ms between two looks */

struct look {
	const struct lanes *lanes;
	const struct settler *settler;
	int64_t now; /* wall ms */
};

static bool
waited_too_long(void *arg, const struct recipient *r)
{
	const struct look *look = arg;

	return r->expires <= look->now && !lanes_keep(look->lanes, r);
}

static bool
is_owed_a_word(void *arg, const struct recipient *r)
{
	const struct look *look = arg;

	return settle_is_delayed(look->settler, r, look->now);
}

/* How long (ms) a session waits for more work. */
static int64_t
idle_most(const struct lane *l)
{
	int64_t peer = path_idle_most(l->settings);

	return l->config->idle_session < peer ? l->config->idle_session
					      : peer;
}

static void
close_old(struct lanes *ls, int64_t now)
{
	struct session *s, *prev;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link)
		TAILQ_FOREACH (d, &l->dests, link)
			for (s = TAILQ_LAST(&d->idle, session_list);
			     s != NULL &&
			     now - s->idle_since >= idle_most(l);
			     s = prev) {
				prev = TAILQ_PREV(s, session_list, link);
				session_busy(s);
				lane_close_session(s);
			}
}

/* What a destination that sends nothing owes its waiting: a word, and an end, with the reason. */
static void
settle_waiting(struct dest *d, const char *why)
{
	struct recipient_list late = TAILQ_HEAD_INITIALIZER(late),
			      expired = TAILQ_HEAD_INITIALIZER(expired);
	struct lanes *ls = d->lane->lanes;
	struct settler *settler = ls->core->settler;
	struct look look = { ls, settler, clock_wall() };
	struct recipient *r;

	lane_take_from(d, waited_too_long, &look, &expired);
	lane_take_from(d, is_owed_a_word, &look, &late);
	while ((r = TAILQ_FIRST(&expired)) != NULL) {
		TAILQ_REMOVE(&expired, r, link);
		if (r->last[0] == '\0')
			recipient_set_last(r, why);
		settle_expired(settler, r);
	}
	while ((r = TAILQ_FIRST(&late)) != NULL) {
		TAILQ_REMOVE(&late, r, link);
		settle_delayed(settler, r, why);
	}
}

static void
settle_failing(struct dest *d, const struct backoff *b)
{
	if (b->failures > 0)
		settle_waiting(d, b->why);
}

static bool
waits_for_quota(const struct lane *l, int64_t now)
{
	struct str why = STR_INIT;
	bool waits = quotas_why(l->lanes->core->quotas, l->path,
	    l->transactional, now, &why);

	str_release(&why);
	return waits;
}

/* In words for senders: who paused it is for operators alone, and so are the affairs of an account. NULL:
 * nothing keeps it back. */
static const char *
kept_back(const struct lane *l, int64_t now)
{
	int64_t until;

	if (lane_paused_why(l, &until) != NULL)
		return "sending there is paused";
	if (l->state->shut != NULL)
		return "the way there is closed for the time being";
	return lane_is_used_up(l, now) || waits_for_quota(l, now)
	    ? "what may be sent there for now is used up"
	    : NULL;
}

static void
settle_all_waiting(struct lanes *ls, int64_t now)
{
	const char *why;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link) {
		why = l->waiting > 0 ? kept_back(l, now) : NULL;
		TAILQ_FOREACH (d, &l->dests, link) {
			settle_failing(d, &l->state->hold);
			settle_failing(d, &l->backoff);
			settle_failing(d, &d->backoff);
			if (why != NULL)
				settle_waiting(d, why);
		}
	}
}

#define FORGET 600000 /* ms that a peer's push-back is remembered by an idle lane */

static bool
is_forgettable(const struct lane *l, int64_t now)
{
	return pace_is_idle(&l->pace, now) &&
	    (l->slowed == 0 || l->slowed + FORGET <= now);
}

/* Lanes at rest with nothing to do are dropped, so memory follows what is going on. */
void
lanes_drop_unused(struct lanes *ls, int64_t now)
{
	struct lane *l, *next_lane;
	struct dest *d, *next_dest;

	for (l = TAILQ_FIRST(&ls->all); l != NULL; l = next_lane) {
		next_lane = TAILQ_NEXT(l, link);
		for (d = TAILQ_FIRST(&l->dests); d != NULL; d = next_dest) {
			next_dest = TAILQ_NEXT(d, link);
			if (d->waiting == 0 && d->sessions == 0 &&
			    !backoff_rests(&d->backoff, now))
				dest_free(d);
		}
		if (TAILQ_EMPTY(&l->dests) && l->sessions == 0 &&
		    lane_open_at(l, now) <= now && is_forgettable(l, now))
			lane_free(l);
	}
}

void
lanes_sweep(struct lanes *ls, int64_t now)
{
	if (now - ls->swept < SWEEP)
		return;
	ls->swept = now;
	close_old(ls, now);
	settle_all_waiting(ls, now);
	lanes_drop_unused(ls, now);
}
