/*
 * lane_leave.c - whether anybody may leave a lane now, by all that has a say:
 * its own pace and rests (lane_pace.c), what an operator has paused, how much
 * its source may send today, what is left of its account's quota, what other
 * nodes leave of it all (lane_share.c).
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"

#include <limits.h>

static const struct rules_warm_up *
plan_of(const struct lane *l)
{
	return l->shape.warm_up != NULL
		   ? ruleset_warm_up(l->config->rules, l->shape.warm_up)
		   : NULL;
}

/* From the wall's time to the lane's. What has no end is told when it is over
 * (core_pauses_changed). */
static int64_t
mono_of(int64_t wall, int64_t now)
{
	int64_t at;

	if (wall == INT64_MAX)
		return INT64_MAX;
	at = now + wall - clock_wall();
	return at > now ? at : now;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t
lane_leave_at(const struct lane *l, int64_t now)
{
	struct core *c = l->lanes->core;
	int64_t at = lane_open_at(l, now), until;
	const char *why;

	if (pauses_rest(c->pauses, l->path, l->source, l->group, &until, &why))
		at = later(at, mono_of(until, now));
	if (sources_allowance(
		c->sources, l->source, l->group, plan_of(l), &until) == 0)
		at = later(at, mono_of(until, now));
	if (quotas_room(c->quotas, l->path, l->transactional, now, &until) == 0)
		at = later(at, until);
	if (at > now || l->waiting == 0)
		return at;
	/* Both are asked, so that one answer tells of both. */
	at = lane_share_at(l, now);
	return sources_room(c->sources, l->source, l->group, plan_of(l), now) >
		       0
		   ? at
		   : INT64_MAX;
}

unsigned
lane_room(const struct lane *l, int64_t now)
{
	unsigned paced = pace_room(&l->pace, now), allowed;
	uint64_t shared = shared_room(l->rate, now);
	int64_t again;

	if (shared < paced)
		paced = (unsigned)shared;

	allowed = sources_room(
	    l->lanes->core->sources, l->source, l->group, plan_of(l), now);
	if (paced < allowed)
		allowed = paced;
	paced = quotas_room(
	    l->lanes->core->quotas, l->path, l->transactional, now, &again);
	return paced < allowed ? paced : allowed;
}

static void
leaves_guard(const struct lane *l, const struct delivery *d, int64_t now)
{
	struct mail_scope mail = core_mail_of(d->recipients[0], &d->route);

	guard_leaves(l->lanes->core->guard, &mail, (unsigned)d->n, now);
}

void
lane_leaves(struct lane *l, struct delivery *d, int64_t now)
{
	d->term = store_term(l->lanes->core->store);
	d->number = pace_start(&l->pace, (unsigned)d->n, now,
	    l->scale * lane_part_of_rate(l, now));
	shared_start(l->rate, d->n);
	TAILQ_INSERT_TAIL(&l->deliveries, d, link);
	leaves_guard(l, d, now);
	lane_keep(l, now);
	quotas_start(l->lanes->core->quotas, l->path, (unsigned)d->n,
	    ses_is_simulator(d->recipients[0]->address), l->scale, now,
	    &d->quota);
	sources_spend(l->lanes->core->sources, l->source, l->group, plan_of(l),
	    (unsigned)d->n);
}

bool
lane_is_used_up(const struct lane *l, int64_t now)
{
	int64_t at = lane_leave_at(l, now);

	return (at > now + 60000 && at != INT64_MAX) || lane_is_starved(l, now);
}

const char *
lane_paused_why(const struct lane *l, int64_t *until)
{
	const char *why;

	return pauses_rest(l->lanes->core->pauses, l->path, l->source, l->group,
		   until, &why)
		   ? why
		   : NULL;
}
