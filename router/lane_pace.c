/*
 * lane_pace.c - when a lane may send: rests after trouble, rate (pace.c), number of connections.
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"
#include "router/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define REST_FIRST 5000    /* ms after the first failure, or the shape's first retry when shorter */
#define REST_MOST  1800000 /* ms */

/* Plus or minus a fifth, so that what failed together does not come back together. */
static int64_t
jitter(int64_t ms)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return ms;
	return ms - ms / 5 + (int64_t)(r % 1000) * (ms / 5) / 500;
}

void
backoff_fail(struct backoff *b, const struct rules_shape *shape, int64_t least,
    int64_t fixed, const char *why)
{
	int64_t rest = (int64_t)shape->retry[0] * 1000;
	unsigned doublings = b->failures < 16 ? b->failures : 16;

	if (rest > REST_FIRST)
		rest = REST_FIRST;
	rest <<= doublings;
	if (rest > REST_MOST)
		rest = REST_MOST;
	if (rest < least)
		rest = least;
	if (fixed > 0)
		rest = fixed;
	b->failures++;
	b->since = clock_mono();
	b->rest = rest;
	b->until = b->since + jitter(rest);
	snprintf(b->why, sizeof(b->why), "%s", why);
}

void
backoff_succeed(struct backoff *b)
{
	b->failures = 0;
	b->until = 0;
	b->why[0] = '\0';
}

bool
backoff_rests(const struct backoff *b, int64_t now)
{
	return b->until > now;
}

bool
backoff_knows(const struct backoff *b, int64_t started, int64_t least)
{
	return b->failures > 0 && started <= b->since && least <= b->rest;
}

int64_t
lane_open_at(const struct lane *l, int64_t now)
{
	int64_t at = pace_open_at(&l->pace, now);

	if (l->state->hold.until > at)
		at = l->state->hold.until;
	if (l->backoff.until > at)
		at = l->backoff.until;
	return at;
}

/* -- what the peer bears ----------------------------------------------------------------------- */

#define SCALE_LEAST (1.0 / 64)
#define SCALE_STEP  0.01 /* of the shape's rate, per success */
#define WIDTH_STEP  0.02 /* connections, per success */

void
lane_slow_down(struct lane *l, int64_t started)
{
	if (l->slowed > 0 && started <= l->slowed)
		return;
	l->slowed = clock_mono();
	l->scale = l->scale / 2 > SCALE_LEAST ? l->scale / 2 : SCALE_LEAST;
	l->width = l->width / 2 > 1 ? l->width / 2 : 1;
}

void
lane_speed_up(struct lane *l)
{
	double most = l->shape.connections;

	l->scale = l->scale + SCALE_STEP < 1 ? l->scale + SCALE_STEP : 1;
	l->width = l->width + WIDTH_STEP < most ? l->width + WIDTH_STEP : most;
}

unsigned
lane_connections(const struct lane *l)
{
	if (l->backoff.failures > 0 || l->state->hold.failures > 0)
		return 1;
	return (unsigned)l->width;
}

/* -- from the configuration ------------------------------------------------------------------------ */

/* True when the rate is another. */
static bool
take_shape(struct lane *l)
{
	ruleset_shape(l->config->rules,
	    l->carrier[0] != '\0' ? l->carrier : NULL,
	    l->group[0] != '\0' ? l->group : NULL, l->group, l->path,
	    &l->shape);
	if (l->settings->kind != PATH_SES)
		return pace_set(&l->pace, l->shape.rate_count,
		    (int64_t)l->shape.rate_seconds * 1000, false);
	/* SES judges a message as a whole, so each recipient goes alone; the rate is the account's: quota.h. */
	l->shape.recipients_per_message = 1;
	l->shape.connections = l->settings->connections;
	l->shape.messages = l->settings->messages_per_connection;
	return pace_set(&l->pace, 0, 0, true);
}

void
lane_configure(struct lane *l, struct config *config)
{
	struct config *old = l->config;
	bool full = l->width >= l->shape.connections;
	const struct delivery *d;

	l->config = config_ref(config);
	l->settings = config_path_find(config, l->path);
	if (take_shape(l))
		TAILQ_FOREACH (d, &l->deliveries, link)
			pace_resume(&l->pace, d->number, (unsigned)d->n);
	lane_share_shape(l);
	if (full || l->width > l->shape.connections)
		l->width = l->shape.connections;
	l->split = 0;
	config_unref(&old);
}
