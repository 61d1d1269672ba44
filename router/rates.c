/*
 * rates.c - the rates that the world judges senders by, from counters.
 */
#include "router/rates.h"

#include <math.h>

#include "router/proportion.h"

static const char *const names[RATE_KINDS] = {
	[RATE_DELIVERED] = "delivered",
	[RATE_BOUNCE] = "bounce",
	[RATE_COMPLAINT] = "complaint",
	[RATE_UNKNOWN] = "unknown",
};

/* What Amazon does with an account; carriers publish no number. */
static const struct rate_limits limits_of_ses[RATE_KINDS] = {
	[RATE_BOUNCE] = { .review = 0.05, .stop = 0.10 },
	[RATE_COMPLAINT] = { .review = 0.001, .stop = 0.005 },
};

const char *
rate_name(enum rate_kind kind)
{
	return names[kind];
}

void
rate_of_hits(int64_t hits, int64_t volume, struct rate *rate)
{
	int64_t within = hits < volume ? hits : volume;

	*rate = (struct rate){ .hits = hits, .volume = volume };
	rate->known = volume > 0;
	if (!rate->known)
		return;
	within = within > 0 ? within : 0;
	rate->rate = (double)within / (double)volume;
	proportion_interval(within, volume, &rate->low, &rate->high);
}

static const enum counter hit_of[RATE_KINDS] = {
	[RATE_DELIVERED] = COUNT_DELIVERED,
	[RATE_BOUNCE] = COUNT_HARD,
	[RATE_COMPLAINT] = COUNT_COMPLAINED,
	[RATE_UNKNOWN] = COUNT_UNKNOWN,
};

static int64_t
volume_of(enum rate_kind kind, const int64_t n[static COUNT_MAX], bool ses)
{
	int64_t ended = n[COUNT_DELIVERED] + n[COUNT_BOUNCED] +
			n[COUNT_FILTERED] + n[COUNT_EXPIRED];
	int64_t representative = n[COUNT_SENT] - n[COUNT_EXEMPT];

	switch (kind) {
	case RATE_DELIVERED:
		/* What SES took and says nothing of may have gone anywhere. */
		if (ses && n[COUNT_SENT] > 0 && n[COUNT_DELIVERED] == 0)
			return 0;
		return ended;
	case RATE_BOUNCE:
		return ses ? representative : ended;
	case RATE_COMPLAINT:
		return ses ? representative : n[COUNT_DELIVERED];
	case RATE_UNKNOWN:
		return n[COUNT_ATTEMPTED];
	}
	return 0;
}

void
rate_of(enum rate_kind kind, const int64_t n[static COUNT_MAX], bool ses,
    struct rate *rate)
{
	rate_of_hits(n[hit_of[kind]], volume_of(kind, n, ses), rate);
}

struct rate_limits
rate_limits_of(enum rate_kind kind, bool ses)
{
	return ses ? limits_of_ses[kind] : (struct rate_limits){ 0 };
}

int64_t
rate_left(const struct rate *rate, double limit)
{
	/* 5 % of 100 is 5, whatever binary fractions say. */
	double at = ceil(limit * (double)rate->volume - 1e-9);
	int64_t left = (int64_t)at - rate->hits;

	return left > 0 ? left : 0;
}
