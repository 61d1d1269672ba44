/*
 * reputation_ring.c - what was counted in the last minutes, hours and days.
 *
 * A cell belongs to a period and is taken over by the next one that falls on
 * it. One that lies ahead was filled before the clock was set back.
 */
#include "router/reputation.h"

#include <limits.h>
#include <string.h>

static const struct {
	int64_t unit; /* ms */
	unsigned first, cells;
} rings[REPUTATION_RINGS] = {
	[REPUTATION_MINUTES] = { 60000, 0, 60 },
	[REPUTATION_HOURS] = { 3600000, 60, 24 },
	[REPUTATION_DAYS] = { 86400000, 84, 7 },
};

static const enum counter counted[REPUTATION_COUNTED] = {
	COUNT_ATTEMPTED,
	COUNT_UNKNOWN,
	COUNT_SENT,
	COUNT_HARD,
	COUNT_EXEMPT,
	COUNT_COMPLAINED,
	COUNT_DELIVERED,
	COUNT_RETURNED,
};

static int64_t
period_of(enum reputation_ring ring, int64_t at)
{
	return at / rings[ring].unit;
}

static struct reputation_cell *
cell_of(struct reputation_scope *s, enum reputation_ring ring, int64_t period)
{
	return &s->cells[rings[ring].first +
			 (uint64_t)period % rings[ring].cells];
}

/* -- counting ------------------------------------------------------------ */

static void
add(int32_t to[static REPUTATION_COUNTED], const int64_t n[static COUNT_MAX])
{
	for (size_t i = 0; i < REPUTATION_COUNTED; i++) {
		int64_t sum = to[i] + n[counted[i]];

		to[i] = (int32_t)(sum > INT32_MAX   ? INT32_MAX
				  : sum < INT32_MIN ? INT32_MIN
						    : sum);
	}
}

void
reputation_load(struct reputation_scope *s, enum reputation_ring ring,
    int64_t at, const int64_t n[static COUNT_MAX], int64_t now)
{
	int64_t period = period_of(ring, at), latest = period_of(ring, now);
	struct reputation_cell *c;

	if (at < 0 || period > latest ||
	    period <= latest - (int64_t)rings[ring].cells)
		return;
	c = cell_of(s, ring, period);
	if (c->period != period)
		*c = (struct reputation_cell){ .period = period };
	add(c->n, n);
}

/* Told late of what was before the cut. */
static void
add_before(
    struct reputation_cut *cut, int64_t at, const int64_t n[static COUNT_MAX])
{
	if (cut->at == 0 || period_of(REPUTATION_MINUTES, at) >=
				period_of(REPUTATION_MINUTES, cut->at))
		return;
	for (unsigned i = 0; i < REPUTATION_RINGS; i++)
		if (period_of(i, at) == period_of(i, cut->at))
			add(cut->before[i], n);
}

void
reputation_count(struct reputation *rep, struct reputation_scope *s, int64_t at,
    const int64_t n[static COUNT_MAX], int64_t now)
{
	/* Another thread's clock, a moment ahead. */
	if (at > now && at - now < rings[REPUTATION_MINUTES].unit)
		at = now;
	for (unsigned i = 0; i < REPUTATION_RINGS; i++)
		reputation_load(s, i, at, n, now);
	add_before(&s->own, at, n);
	add_before(&s->in_wider, at, n);
	s->changed = true;
	TAILQ_REMOVE(&rep->scopes, s, link);
	TAILQ_INSERT_TAIL(&rep->scopes, s, link);
}

/* -- adding up ----------------------------------------------------------- */

/* A cut that lies ahead was made before the clock was set back. */
static const struct reputation_cut *
valid_cut(const struct reputation_cut *cut, int64_t now)
{
	return cut != NULL && cut->at > 0 && cut->at <= now ? cut : NULL;
}

static void
add_cell(const struct reputation_cell *c, enum reputation_ring ring,
    const struct reputation_cut *cut, int64_t n[static COUNT_MAX])
{
	int64_t from = cut != NULL ? period_of(ring, cut->at) : 0;

	if (c->period < from)
		return;
	for (size_t i = 0; i < REPUTATION_COUNTED; i++) {
		n[counted[i]] += c->n[i];
		if (cut != NULL && c->period == from)
			n[counted[i]] -= cut->before[ring][i];
	}
}

void
reputation_sum(const struct reputation_scope *s, struct reputation_span span,
    const struct reputation_cut *cut, int64_t now, int64_t n[static COUNT_MAX])
{
	int64_t latest = period_of(span.ring, now);
	const struct reputation_cell *c = &s->cells[rings[span.ring].first];

	memset(n, 0, COUNT_MAX * sizeof(n[0]));
	cut = valid_cut(cut, now);
	for (unsigned i = 0; i < rings[span.ring].cells; i++, c++)
		if (c->period <= latest &&
		    c->period > latest - (int64_t)span.periods)
			add_cell(c, span.ring, cut, n);
}

static size_t
slot_of(enum counter counter)
{
	size_t i = 0;

	while (counted[i] != counter)
		i++;
	return i;
}

/* The number of the latest periods of the ring in which it comes to that; 0:
 * all of them do not. */
static unsigned
periods_for(const struct reputation_scope *s, enum reputation_ring ring,
    enum counter counter, int64_t least, const struct reputation_cut *cut,
    int64_t now)
{
	const struct reputation_cell *cells = &s->cells[rings[ring].first];
	int64_t latest = period_of(ring, now), sum = 0;
	int64_t from = cut != NULL ? period_of(ring, cut->at) : 0;
	size_t slot = slot_of(counter);

	for (unsigned i = 0; i < rings[ring].cells; i++) {
		int64_t period = latest - (int64_t)i;
		const struct reputation_cell *c =
		    &cells[(uint64_t)period % rings[ring].cells];

		if (period < from)
			break;
		if (c->period == period)
			sum += c->n[slot];
		if (cut != NULL && period == from)
			sum -= cut->before[ring][slot];
		if (sum >= least)
			return i + 1;
	}
	return 0;
}

/* Rings overlap, so each is asked on its own, the finest first. */
struct reputation_span
reputation_last(const struct reputation_scope *s, enum counter counter,
    int64_t least, const struct reputation_cut *cut, int64_t now)
{
	unsigned periods;

	cut = valid_cut(cut, now);
	for (unsigned ring = 0; ring < REPUTATION_RINGS; ring++) {
		periods = periods_for(s, ring, counter, least, cut, now);
		if (periods > 0)
			return (struct reputation_span){ ring, periods };
	}
	return (struct reputation_span){ REPUTATION_DAYS, 7 };
}

double
reputation_pace(
    const struct reputation_scope *s, enum counter counter, int64_t now)
{
	static const struct reputation_span hour = { REPUTATION_MINUTES, 60 };
	int64_t latest = period_of(REPUTATION_MINUTES, now), sum[COUNT_MAX];
	size_t k = slot_of(counter);
	int64_t minutes = 0;

	for (unsigned i = 0; i < hour.periods; i++)
		minutes += s->cells[i].period <= latest &&
			   s->cells[i].period > latest - 60 &&
			   s->cells[i].n[k] > 0;
	reputation_sum(s, hour, NULL, now, sum);
	return minutes > 0 ? (double)sum[counter] / (60.0 * (double)minutes)
			   : 0;
}

/* -- anew ---------------------------------------------------------------- */

void
reputation_cut(
    const struct reputation_scope *s, struct reputation_cut *cut, int64_t at)
{
	*cut = (struct reputation_cut){ .at = at };
	for (unsigned i = 0; i < REPUTATION_RINGS; i++) {
		const struct reputation_cell *c = &s->cells[rings[i].first];

		for (unsigned k = 0; k < rings[i].cells; k++)
			if (c[k].period == period_of(i, at))
				memcpy(cut->before[i], c[k].n,
				    sizeof(cut->before[i]));
	}
}
