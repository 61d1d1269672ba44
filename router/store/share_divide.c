/*
 * share_divide.c - how what is limited is divided among nodes.
 */
#include "router/store/share_divide.h"

#include "mta/base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>

#define SILENT 5000 /* ms: who has not asked for so long wants nothing */

/* ms that what goes round stays with a node: two periods, but so many at least
 * and at most. */
#define TURN_LEAST 2000
#define TURN_MOST  20000

#define STEPS 128 /* rows of what was spent, in a period */

/*
 * ms until it is worth while to ask again: for news of what others want, while
 * there is enough for one more, while something is about to be given back or to
 * be free; and for what goes round, so many for each that is ahead (what is
 * spent comes back too slowly for that).
 */
#define AGAIN	    1000
#define AGAIN_IDLE  2000
#define AGAIN_SOON  200
#define AGAIN_AHEAD 50u

/* One that wants something. */
struct part {
	const struct share_row *row;
	uint64_t want;
	bool mine;
	bool holds; /* what goes round, or some of it */
};

struct division {
	const struct share *ask;
	int64_t now, turn;
	uint64_t limit;
	uint64_t standing; /* reserved for anybody but the asker */
	uint64_t fixed;	   /* of it, for those who want nothing */
	uint64_t wanted;
	uint64_t level; /* what goes round is more than that */
	struct part *part;
	size_t n;
	size_t ahead; /* of the asker, for what goes round */
	uint64_t fair;
};

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool
is_asking(const struct share_row *r, int64_t now)
{
	return r->epoch > 0 && r->want > 0 && now - r->asked < SILENT;
}

static void
add_part(struct division *d, const struct share_row *row, bool mine)
{
	d->part[d->n++] =
	    (struct part){ .row = row, .want = row->want, .mine = mine };
	d->wanted += row->want;
}

/* What everybody else has and wants. */
static void
add_others(
    struct division *d, const struct share_row *rows, size_t n, int64_t epoch)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].epoch == epoch || rows[i].until <= d->now)
			continue;
		d->standing += rows[i].reserved;
		if (!is_asking(&rows[i], d->now)) {
			d->fixed += rows[i].reserved;
			continue;
		}
		d->limit = least(d->limit, rows[i].limit);
		add_part(d, &rows[i], false);
	}
}

static const struct share_row *
find(const struct share_row *rows, size_t n, int64_t epoch, int64_t now)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].epoch == epoch && rows[i].until > now)
			return &rows[i];
	return NULL;
}

/* -- what goes round ------------------------------------------------------- */

static bool
is_in_turn(const struct division *d, const struct part *p)
{
	return p->holds && d->now - p->row->since < d->turn;
}

/* Those in their turn, those who wait, and those who have had their turn, of
 * whom the one that has had it longest goes first. */
static int
class_of(const struct division *d, const struct part *p)
{
	return is_in_turn(d, p) ? 0 : p->holds ? 2 : 1;
}

static bool
is_ahead(const struct division *d, const struct part *a, const struct part *b)
{
	int first = class_of(d, a), second = class_of(d, b);

	if (first != second)
		return first < second;
	if (a->row->since != b->row->since)
		return (a->row->since < b->row->since) == (first != 2);
	return a->row->epoch < b->row->epoch;
}

static size_t
count_ahead(const struct division *d, const struct part *mine)
{
	size_t ahead = 0;

	for (size_t i = 0; i < d->n; i++)
		ahead += !d->part[i].mine && d->part[i].want > d->level &&
			 is_ahead(d, &d->part[i], mine);
	return ahead;
}

/* -- even parts ------------------------------------------------------------ */

static int
by_want(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return x->want < y->want ? -1 : x->want > y->want;
}

/* As much for each as he wants, or `level`; then *rest are left for some of
 * those who want more. */
static uint64_t
find_level(struct division *d, uint64_t left, uint64_t *rest)
{
	qsort(d->part, d->n, sizeof(*d->part), by_want);
	for (size_t i = 0; i < d->n; i++) {
		uint64_t even = left / (d->n - i);

		if (d->part[i].want > even) {
			*rest = left % (d->n - i);
			return even;
		}
		left -= d->part[i].want;
	}
	*rest = 0;
	return UINT64_MAX;
}

static struct part *
part_of_asker(struct division *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->part[i].mine)
			return &d->part[i];
	return NULL;
}

/* Half of what nobody wants is lent out, so that more mail need not ask first;
 * the other half is there at once for a node that comes. What is used up only
 * once is not lent, for it would be lost with its node. */
static uint64_t
lent(const struct division *d, uint64_t all)
{
	if (d->ask->period >= SHARE_SPENT_FROM)
		return 0;
	return less(all, d->wanted) / 2 / d->n;
}

static void
divide(struct division *d)
{
	uint64_t all = less(d->limit, d->fixed + d->ask->spent), rest;
	struct part *mine;

	d->level = find_level(d, all, &rest);
	mine = part_of_asker(d);
	if (mine == NULL)
		return;
	d->fair = least(mine->want, d->level);
	if (mine->want <= d->level) {
		if (d->level == UINT64_MAX)
			d->fair += lent(d, all);
		return;
	}
	for (size_t i = 0; i < d->n; i++)
		d->part[i].holds = d->part[i].row->reserved > d->level;
	d->ahead = count_ahead(d, mine);
	if (d->ahead < rest)
		d->fair++;
	d->ahead = less(d->ahead + 1, rest);
}

/* -- the answer ------------------------------------------------------------ */

static int64_t
turn_of(int64_t period)
{
	if (period > TURN_MOST / 2)
		return TURN_MOST;
	return period > TURN_LEAST / 2 ? 2 * period : TURN_LEAST;
}

/* A turn begins with what was not held before, or anew when nobody is ahead;
 * who has given it back waits from now on. */
static int64_t
since(const struct division *d, const struct share_row *old, uint64_t target)
{
	bool had = old->reserved > d->level;
	bool holds = target > d->level || d->ask->keep > d->level;

	if (had != holds)
		return d->now;
	if (had && target > d->level && d->now - old->since >= d->turn)
		return d->now;
	return old->since;
}

static int64_t
again(const struct division *d, uint64_t target)
{
	int64_t wait = AGAIN_SOON;

	if (d->ask->keep > target || target < least(d->fair, d->ask->want))
		return wait;
	if (target == 0 && d->ask->want > 0 &&
	    d->ask->period < SHARE_SPENT_FROM)
		return (int64_t)least(AGAIN_AHEAD * (d->ahead + 1), AGAIN);
	return d->n > 1 || d->wanted > d->limit / 2 ? AGAIN : AGAIN_IDLE;
}

/* What a node that is silent may have used it has used. */
static uint64_t
use_of(const struct division *d, const struct share_row *r)
{
	return r->epoch > 0 && d->now - r->asked < SILENT ? r->held
							  : r->reserved;
}

static uint64_t
all_used(const struct division *d, const struct share_row *rows, size_t n,
    int64_t epoch)
{
	uint64_t used = d->ask->held + d->ask->spent;

	for (size_t i = 0; i < n; i++)
		if (rows[i].epoch != epoch && rows[i].until > d->now)
			used += use_of(d, &rows[i]);
	return used;
}

void
share_divide(struct share *ask, const struct share_row *rows, size_t n,
    int64_t epoch, int64_t now, struct share_row *mine)
{
	const struct share_row *old = find(rows, n, epoch, now);
	struct share_row asker =
	    old != NULL ? *old : (struct share_row){ .since = now };
	struct division d = { .ask = ask,
		.now = now,
		.turn = turn_of(ask->period),
		.limit = ask->limit };
	uint64_t target;

	asker.epoch = epoch;
	asker.want = ask->want;
	d.part = xcalloc(n + 1, sizeof(*d.part));
	add_others(&d, rows, n, epoch);
	ask->others = d.wanted;
	if (ask->want > 0)
		add_part(&d, &asker, true);
	divide(&d);
	target = least(d.fair, less(d.limit, d.standing + ask->spent));
	*mine = (struct share_row){ .epoch = epoch,
		.reserved = target > ask->keep ? target : ask->keep,
		.held = ask->held,
		.want = ask->want,
		.limit = ask->limit,
		.asked = now,
		.since = since(&d, &asker, target) };
	ask->reserved = target;
	ask->used = all_used(&d, rows, n, epoch);
	ask->again = again(&d, target);
	free(d.part);
}

int64_t
share_lapses(int64_t now, int64_t period)
{
	int64_t step = period / STEPS + 1;

	return ((now + period) / step + 1) * step;
}
