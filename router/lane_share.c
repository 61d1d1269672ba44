/*
 * lane_share.c - what other nodes leave of a lane's rate and of its
 * connections.
 *
 * A lane of the same path, source and group is one lane of all nodes: its shape
 * holds for them together. What this node may do of it is reserved in the store
 * (share.h); its own pace and width (lane_pace.c) hold besides. Amazon's limit
 * is on recipients, not on connections: of a ses path only the account's limits
 * are shared (ses/quota.h).
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/store/share_divide.h"

#define LONG 60000 /* ms without any: mail that waits is told so */

/* -- what it would use ----------------------------------------------------- */

static unsigned
busy(const struct lane *l)
{
	const struct delivery *d;
	unsigned n = 0;

	TAILQ_FOREACH(d, &l->deliveries, link)
	n++;
	return n;
}

static bool
may_send(const struct lane *l, int64_t now)
{
	int64_t again;

	return l->waiting > 0 && l->state->shut == NULL &&
	       l->state->hold.until <= now && l->backoff.until <= now &&
	       lane_paused_why(l, &again) == NULL;
}

static bool
has_way(const struct lane *l, int64_t now)
{
	return l->sessions > 0 || shared_room(l->open, now) > 0;
}

static uint64_t
rate_demand(void *arg)
{
	struct lane *l = arg;
	int64_t now = clock_mono();

	if (!may_send(l, now))
		return 0;
	/* While nothing is known of either, both are asked for at once. */
	return has_way(l, now) || !shared_is_known(l->rate) ? l->waiting : 0;
}

/* Idle ones stay as long as nobody else wants one. */
static uint64_t
open_demand(void *arg)
{
	struct lane *l = arg;
	int64_t now = clock_mono();
	uint64_t most = lane_connections(l), n = busy(l);

	if (may_send(l, now))
		n += l->waiting;
	if (n > most)
		n = most;
	return shared_others(l->open) == 0 && n < l->sessions ? l->sessions : n;
}

/* -- what it may use ------------------------------------------------------- */

bool
lane_has_too_many(const struct lane *l)
{
	return l->open != NULL &&
	       l->sessions > shared_reserved(l->open, clock_mono());
}

static void
on_changed(void *arg)
{
	struct lane *l = arg;

	while (lane_has_too_many(l) && lane_close_idle(l))
		;
	lane_make_runnable(l);
}

int64_t
lane_share_at(const struct lane *l, int64_t now)
{
	if (l->rate == NULL)
		return now;
	if (!has_way(l, now) && shared_is_known(l->rate))
		return INT64_MAX;
	if (shared_room(l->rate, now) > 0)
		return now;
	return shared_open_at(l->rate, now);
}

bool
lane_is_starved(const struct lane *l, int64_t now)
{
	return l->waiting > 0 && (shared_starved(l->rate, now) > LONG ||
				     shared_starved(l->open, now) > LONG);
}

double
lane_part_of_rate(const struct lane *l, int64_t now)
{
	uint64_t reserved = shared_reserved(l->rate, now);

	if (l->pace.period >= SHARE_SPENT_FROM || reserved >= l->pace.count ||
	    reserved == 0)
		return 1;
	return (double)reserved / l->pace.count;
}

/* -- its life -------------------------------------------------------------- */

void
lane_share_shape(struct lane *l)
{
	int64_t now = clock_mono();
	bool ses = l->settings->kind == PATH_SES;

	shared_set(l->rate, l->pace.count, l->pace.period, now);
	shared_set(l->open, ses ? 0 : l->shape.connections, 0, now);
}

static struct shared *
join(struct lane *l, const char *what, uint64_t (*demand)(void *))
{
	const struct share_user user = { demand, on_changed, l };
	struct str name = STR_INIT;
	struct shared *s;

	str_addf(&name, "%s %s", what, l->key);
	s = shares_join(l->lanes->core->shares, name.data, &user);
	str_release(&name);
	return s;
}

void
lane_join(struct lane *l)
{
	l->rate = join(l, "rate", rate_demand);
	l->open = join(l, "open", open_demand);
}

void
lane_part(struct lane *l)
{
	shares_part(&l->rate);
	shares_part(&l->open);
}
