/*
 * lane_sweep.c - what has become old in lanes: idle sessions, recipients past their time behind a
 * destination that fails, lanes that nobody needs.
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"
#include "router/config.h"

#define SWEEP 1000 /* ms between two looks */

static bool
waited_too_long(void *arg, const struct recipient *r)
{
	return r->expires <= *(const int64_t *)arg;
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
			     now - s->idle_since >= l->config->idle_session;
			     s = prev) {
				prev = TAILQ_PREV(s, session_list, link);
				TAILQ_REMOVE(&d->idle, s, link);
				lane_close_session(s);
			}
}

/* What a destination that has been failing owes its waiting: an end, with the reason. */
static void
expire_waiting(struct dest *d, const struct backoff *b)
{
	struct recipient_list out = TAILQ_HEAD_INITIALIZER(out);
	int64_t now = clock_wall();
	struct recipient *r;

	if (b->failures == 0)
		return;
	lane_take_from(d, waited_too_long, &now, &out);
	while ((r = TAILQ_FIRST(&out)) != NULL) {
		TAILQ_REMOVE(&out, r, link);
		if (r->last[0] == '\0')
			recipient_set_last(r, b->why);
		settle_expired(d->lane->lanes->core->settler, r);
	}
}

static void
expire_all(struct lanes *ls)
{
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link)
		TAILQ_FOREACH (d, &l->dests, link) {
			expire_waiting(d, &l->state->hold);
			expire_waiting(d, &l->backoff);
			expire_waiting(d, &d->backoff);
		}
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
		    lane_open_at(l, now) <= now)
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
	expire_all(ls);
	lanes_drop_unused(ls, now);
}
