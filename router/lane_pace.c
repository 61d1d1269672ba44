/*
 * lane_pace.c - when a lane may send: rests after trouble, rate, number of connections.
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"
#include "router/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define REST_FIRST 5000    /* ms after the first failure, or the shape's first retry when shorter */
#define REST_MOST  1800000 /* ms */
#define CATCH_UP   20.0    /* ms of a late timer that are made good */

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
	int64_t at = now;

	if (l->state->hold.until > at)
		at = l->state->hold.until;
	if (l->backoff.until > at)
		at = l->backoff.until;
	if (l->rate > 0 && l->next_at > (double)at)
		at = (int64_t)(l->next_at + 0.999);
	return at;
}

void
lane_spend(struct lane *l, unsigned n, int64_t now)
{
	double from = (double)now - CATCH_UP;

	if (l->rate <= 0)
		return;
	if (l->next_at > from)
		from = l->next_at;
	l->next_at = from + n * 1000.0 / (l->rate * l->scale);
}

void
lane_slow_down(struct lane *l)
{
	l->scale /= 2;
	if (l->scale < 1.0 / 64)
		l->scale = 1.0 / 64;
}

void
lane_speed_up(struct lane *l)
{
	l->scale += 0.01;
	if (l->scale > 1)
		l->scale = 1;
}

unsigned
lane_connections(const struct lane *l)
{
	if (l->backoff.failures > 0 || l->state->hold.failures > 0)
		return 1;
	return l->shape.connections;
}

void
lane_configure(struct lane *l, struct config *config)
{
	struct config *old = l->config;

	l->config = config_ref(config);
	l->settings = config_path_find(config, l->path);
	ruleset_shape(config->rules, l->carrier[0] != '\0' ? l->carrier : NULL,
	    l->group[0] != '\0' ? l->group : NULL, l->group, l->path,
	    &l->shape);
	l->rate = l->shape.rate_count > 0
	    ? (double)l->shape.rate_count / l->shape.rate_seconds
	    : 0;
	if (l->settings->kind == PATH_SES) {
		/* SES judges a message as a whole, so each recipient goes alone; the rate is the
		 * account's. */
		l->shape.recipients_per_message = 1;
		l->shape.connections = l->settings->connections;
		l->shape.messages = l->settings->messages_per_connection;
		l->rate = l->settings->rate;
	}
	config_unref(&old);
}
