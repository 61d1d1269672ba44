/*
 * lane_path.c - a path as its lanes see it: open, or closed by a fault of the
 * path itself.
 *
 * A fault (VERDICT_HOLD: refused credentials, a quota that is spent, a source
 * address that is gone) closes a path. It rests for config.probe; then each of
 * its lanes tries with one connection, until a peer judges a message, which
 * opens it again, or the fault shows once more and it rests again.
 *
 * Those whose rule has a fallback path leave a closed one (core_take.c), and so
 * might nobody be left to try it. Therefore, when the rest is over and nobody
 * waits in its lanes (but in those that rest for reasons of their own) or is
 * out with their sessions, lanes_wants_probe says so, and whoever has its turn
 * next goes by it after all. It is one at a time: while it is on its way the
 * others still take the fallback, and if it meets the fault it takes the
 * fallback too. A closed path that is somebody's fallback is tried in the same
 * way. One that nobody is routed to stays closed until somebody is, which costs
 * that one a try and nobody else anything.
 */
#include "router/lane_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/map.h"
#include "rules/rules.h"

#include <string.h>

static struct path_state *
path_find(const struct lanes *ls, const char *name)
{
	struct path_state *p;

	TAILQ_FOREACH (p, &ls->paths, link)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

struct path_state *
path_state_get(struct lanes *ls, const char *name)
{
	struct path_state *p = path_find(ls, name);

	if (p != NULL)
		return p;
	p = xcalloc(1, sizeof(*p));
	p->name = xstrdup(name);
	TAILQ_INIT(&p->wanting);
	TAILQ_INSERT_TAIL(&ls->paths, p, link);
	return p;
}

static bool
is_closed(const struct path_state *p)
{
	return p != NULL && p->hold.failures > 0;
}

bool
lanes_path_closed(const struct lanes *ls, const char *path)
{
	return is_closed(path_find(ls, path));
}

/* Its lane and its destination do not rest themselves, nor is the lane paused
 * or used up: what fails then is the path. */
static bool
is_ready(const struct lanes *ls, const struct route *route, const char *domain,
    int64_t now)
{
	const struct lane *l = lane_find(ls, route);
	const struct dest *d;

	if (l == NULL)
		return true;
	d = map_get(l->by_domain, lane_dest_name(l, domain));
	return lane_leave_at(l, now) <= now &&
	       (d == NULL || !backoff_rests(&d->backoff, now));
}

static bool
has_ready_waiting(const struct lane *l, int64_t now)
{
	const struct dest *d;

	if (l->waiting == 0 || lane_leave_at(l, now) > now)
		return false;
	TAILQ_FOREACH (d, &l->dests, link)
		if (d->waiting > 0 && !backoff_rests(&d->backoff, now))
			return true;
	return false;
}

/* Somebody is on the way by that path, or about to be. */
static bool
is_tried(const struct lanes *ls, const struct path_state *p, int64_t now)
{
	const struct lane *l;

	if (p->sending > 0 || p->waiting == 0)
		return p->sending > 0;
	TAILQ_FOREACH (l, &ls->all, link)
		if (l->state == p && has_ready_waiting(l, now))
			return true;
	return false;
}

bool
lanes_wants_probe(
    const struct lanes *ls, const struct route *route, const char *domain)
{
	const struct path_state *p = path_find(ls, route->path);
	int64_t now = clock_mono();

	return is_closed(p) && !backoff_rests(&p->hold, now) &&
	       !is_tried(ls, p, now) && is_ready(ls, route, domain, now);
}

bool
lane_waits_for_path(const struct recipient *r)
{
	return r->route.fallback != NULL &&
	       strcmp(r->route.fallback, RULES_PATH_HOLD) == 0;
}

bool
lanes_keep(const struct lanes *ls, const struct recipient *r)
{
	return lane_waits_for_path(r) && lanes_path_closed(ls, r->route.path);
}
