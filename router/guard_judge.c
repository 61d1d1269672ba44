/*
 * guard_judge.c - from counts to a level.
 *
 * A level needs the lower end of the interval to be above its threshold and
 * more than one or two bad ones, so few messages cannot raise it; and it ends
 * only when the rate itself is clearly below, so that one message more or less
 * does not turn it on and off.
 */
#include "router/guard_judge.h"

#define HELD                                                                   \
	0.8 /* of the threshold: above it a level that is held holds on        \
	     */
/* Bad ones that a level needs at least: of two complaints of 150 messages the
 * interval says more than two people mean. */
#define FEWEST 3

static const char *const level_names[] = {
	[GUARD_OK] = "ok",
	[GUARD_WARN] = "warn",
	[GUARD_SLOW] = "slow",
	[GUARD_PAUSE] = "pause",
	[GUARD_PROBE] = "probe",
};

const char *
guard_level_name(enum guard_level level)
{
	return level_names[level];
}

enum counter
guard_volume(bool ses)
{
	return ses ? COUNT_SENT : COUNT_ATTEMPTED;
}

/* Counters that are told apart in time can make the rest less than nothing for
 * a moment. */
static void
subtract(int64_t n[static COUNT_MAX], const int64_t less[static COUNT_MAX])
{
	for (size_t i = 0; i < COUNT_MAX; i++)
		n[i] = n[i] > less[i] ? n[i] - less[i] : 0;
}

static void
rate_in(const struct guard_rules *rules, const struct guard_counts *counts,
    const struct guard_counts *less, enum rate_kind kind,
    enum guard_window window, struct rate *rate)
{
	int64_t n[COUNT_MAX];

	for (size_t i = 0; i < COUNT_MAX; i++)
		n[i] = counts->n[window][i];
	if (less != NULL)
		subtract(n, less->n[window]);
	rate_of(kind, n, rules->ses, rate);
}

static bool
holds(const struct guard_rules *rules, const struct rate *rate, double limit,
    bool held)
{
	if (!rate->known || rate->volume < rules->minimum)
		return false;
	return (rate->hits >= FEWEST && rate->low > limit) ||
	       (held && rate->rate >= HELD * limit);
}

/* In which window, and by which kind, if in any. */
static bool
level_holds(const struct guard_rules *rules, const struct guard_counts *counts,
    const struct guard_counts *less, enum guard_level level, bool held,
    struct guard_judged *out)
{
	struct rate rate;

	for (enum rate_kind k = 0; k < RATE_KINDS; k++) {
		double limit = rules->limit[k][level - GUARD_WARN];

		for (enum guard_window w = 0; limit > 0 && w < GUARD_WINDOWS;
		     w++) {
			rate_in(rules, counts, less, k, w, &rate);
			if (!holds(rules, &rate, limit, held))
				continue;
			*out = (struct guard_judged){ level, k, w, rate };
			return true;
		}
	}
	return false;
}

/* Of a day, what comes nearest to its threshold. */
static void
nearest(const struct guard_rules *rules, const struct guard_counts *counts,
    struct guard_judged *out)
{
	double most = -1;
	struct rate rate;

	*out = (struct guard_judged){ .level = GUARD_OK, .window = GUARD_DAY };
	for (enum rate_kind k = 0; k < RATE_KINDS; k++) {
		double limit = rules->limit[k][0];

		if (limit <= 0)
			continue;
		rate_in(rules, counts, NULL, k, GUARD_DAY, &rate);
		if (rate.rate / limit <= most)
			continue;
		most = rate.rate / limit;
		out->kind = k;
		out->rate = rate;
	}
}

void
guard_judge(const struct guard_rules *rules, const struct guard_counts *counts,
    const struct guard_counts *explained, enum guard_level held,
    struct guard_judged *out)
{
	for (enum guard_level l = GUARD_PAUSE; l > GUARD_OK; l--) {
		const struct guard_counts *less =
		    explained != NULL ? &explained[l - GUARD_WARN] : NULL;

		if (level_holds(rules, counts, less, l, held >= l, out))
			return;
	}
	nearest(rules, counts, out);
}

int64_t
guard_left(const struct guard_rules *rules, enum rate_kind kind,
    const struct rate *rate, enum guard_level level)
{
	double limit = rules->limit[kind][level - GUARD_WARN];
	int64_t volume =
	    rate->volume > rules->minimum ? rate->volume : rules->minimum;
	int64_t low = rate->hits < FEWEST ? FEWEST - rate->hits : 0;
	int64_t high = volume > rate->hits ? volume - rate->hits : 0;
	struct rate then;

	while (low < high) {
		int64_t half = low + (high - low) / 2;

		rate_of_hits(rate->hits + half, volume, &then);
		if (then.low > limit)
			high = half;
		else
			low = half + 1;
	}
	return low;
}
