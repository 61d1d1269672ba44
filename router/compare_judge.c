/*
 * compare_judge.c - which of two paths delivers better: weighing.
 */
#include "router/compare_int.h"

#include <math.h>

#include "mta/base/alloc.h"
#include "router/proportion.h"

#define SURE 0.05 /* a p-value below it */

static const char *const names[] = {
	[COMPARE_OPEN] = "open",
	[COMPARE_BETTER] = "better",
	[COMPARE_WORSE] = "worse",
	[COMPARE_EQUAL] = "same",
};

const char *
compare_verdict_name(enum compare_verdict verdict)
{
	return names[verdict];
}

/* -- are the two sides alike? ---------------------------------------------- */

/* What is known of how far two mixes are apart. */
struct distance {
	double apart;	 /* total variation distance */
	double expected; /* of it, by chance alone: its mean, */
	double variance; /* and about that of the parts' differences */
	double widest;	 /* of the parts */
	const char *most;
	double share[2];
};

static void
add_part(struct distance *d, const char *name, int64_t n, int64_t m,
    const struct mix *a, const struct mix *b)
{
	double p = (double)n / (double)a->total;
	double q = (double)m / (double)b->total;
	double all = (double)a->total + (double)b->total;
	double both = (double)(n + m) / all;
	double variance =
	    both * (1 - both) * (1 / (double)a->total + 1 / (double)b->total);

	d->apart += fabs(p - q) / 2;
	d->expected += sqrt(variance * 2 / M_PI) / 2;
	d->variance += variance * (1 - 2 / M_PI) / 4;
	if (fabs(p - q) > d->widest) {
		d->widest = fabs(p - q);
		d->most = name;
		d->share[0] = p;
		d->share[1] = q;
	}
}

/* Chance alone sets two samples of one mix apart, the more so the more parts
 * there are and the smaller they are: what is more than its mean and three
 * standard deviations is no chance. */
const char *
mix_differs(const struct mix *a, const struct mix *b, double share[static 2])
{
	struct distance d = { 0 };

	if (a->total <= 0 || b->total <= 0)
		return NULL;
	for (size_t i = 0; i < a->n; i++)
		add_part(&d, a->parts[i]->name, a->parts[i]->n,
		    mix_of(b, a->parts[i]->name), a, b);
	for (size_t i = 0; i < b->n; i++)
		if (mix_of(a, b->parts[i]->name) == 0)
			add_part(
			    &d, b->parts[i]->name, 0, b->parts[i]->n, a, b);
	share[0] = d.share[0];
	share[1] = d.share[1];
	return d.apart > COMPARE_MIX_APART &&
		       d.apart > d.expected + 3 * sqrt(d.variance)
		   ? d.most
		   : NULL;
}

/* -- what is not known yet ------------------------------------------------- */

static int64_t
pending(const struct compare_side *side)
{
	return side->unconfirmed + side->waiting;
}

double
compare_pending(const struct compare_side *side)
{
	int64_t all = side->rate.volume + pending(side);

	return all > 0 ? (double)pending(side) / (double)all : 0;
}

/* The rate if that many more are known of, delivered all or none. */
static double
rate_with(const struct compare_side *side, int64_t delivered)
{
	return (double)(side->rate.hits + delivered) /
	       (double)(side->rate.volume + pending(side));
}

void
compare_bounds(const struct compare_row *row, double *low, double *high)
{
	const struct compare_side *a = &row->side[0], *b = &row->side[1];

	*low = rate_with(a, 0) - rate_with(b, pending(b));
	*high = rate_with(a, pending(a)) - rate_with(b, 0);
}

/* -- the verdict ----------------------------------------------------------- */

static int64_t
quantile(const struct tally *t, double share)
{
	int64_t ms;

	return tally_quantile(t, share, &ms) ? ms : -1;
}

static int64_t
not_below_0(int64_t n)
{
	return n > 0 ? n : 0;
}

static void
fill_side(struct compare_side *to, const struct side *from)
{
	const int64_t *n = from->tally.n;

	to->path = from->path;
	rate_of(RATE_DELIVERED, n, from->ses, &to->rate);
	if (from->ses)
		to->unconfirmed = not_below_0(
		    n[COUNT_SENT] - n[COUNT_DELIVERED] - n[COUNT_RETURNED]);
	/* What ended in the window may have come before it. */
	to->waiting = not_below_0(n[COUNT_ACCEPTED] + n[COUNT_RETURNED] -
				  n[COUNT_SENT] - n[COUNT_BOUNCED] -
				  n[COUNT_FILTERED] - n[COUNT_EXPIRED] -
				  n[COUNT_SUPPRESSED] - n[COUNT_REMOVED]);
	to->p50 = quantile(&from->tally, 0.50);
	to->p95 = quantile(&from->tally, 0.95);
}

static enum compare_verdict
verdict_of(const struct compare_row *row)
{
	bool sure = row->p_value < SURE;

	if (sure && row->low > 0)
		return COMPARE_BETTER;
	if (sure && row->high < 0)
		return COMPARE_WORSE;
	if (row->low > -COMPARE_SAME && row->high < COMPARE_SAME)
		return COMPARE_EQUAL;
	return COMPARE_OPEN;
}

static int64_t
needed(const struct rate *a, const struct rate *b)
{
	double have = (double)a->volume + (double)b->volume;
	double more = ceil(proportion_needed(a->rate, b->rate,
			       (double)b->volume / (double)a->volume) -
			   have);

	return more <= COMPARE_NEEDED_MAX ? (int64_t)fmax(more, 1) : -1;
}

/* Counters that were tampered with may say more than all. */
static struct proportion
proportion_of(const struct rate *r)
{
	int64_t hits = r->hits < r->volume ? r->hits : r->volume;

	return (struct proportion){ not_below_0(hits), r->volume };
}

void
compare_judge(
    struct compare_row *row, const struct side *first, const struct side *other)
{
	const struct rate *a = &row->side[0].rate, *b = &row->side[1].rate;

	fill_side(&row->side[0], first);
	fill_side(&row->side[1], other);
	row->needed = -1;
	row->known = a->known && b->known;
	if (!row->known)
		return;
	row->difference = a->rate - b->rate;
	proportion_difference(
	    proportion_of(a), proportion_of(b), &row->low, &row->high);
	row->p_value = proportion_p_value(proportion_of(a), proportion_of(b));
	row->verdict = verdict_of(row);
	if (row->verdict == COMPARE_OPEN)
		row->needed = needed(a, b);
}
