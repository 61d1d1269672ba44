/*
 * lane_path.c - a path as its lanes see it: open, or closed by a fault of the
 * path itself.
 *
 * A fault (VERDICT_HOLD: refused credentials, a quota that is spent, a source
 * address that is gone) closes a path. It rests for config.probe; then each of
 * its lanes tries with one connection, until a peer judges a message, which
 * opens it again, or the fault shows once more and it rests again.
 *
 * What is said against one sender closes no path that takes others' mail
 * (core_back.c), so whose mail it has taken is remembered here.
 *
 * A path may also be shut by what is known of its account or quota
 * (ses/quota.h); nobody tries it then.
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
#include "mta/base/log.h"
#include "mta/base/map.h"
#include "rules/rules.h"

#include <stdlib.h>
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

unsigned
lanes_path_waiting(const struct lanes *ls, const char *path)
{
	const struct path_state *p = path_find(ls, path);

	return p != NULL ? p->waiting : 0;
}

static bool
is_closed(const struct path_state *p)
{
	return p != NULL && (p->hold.failures > 0 || p->shut != NULL);
}

bool
lanes_path_closed(const struct lanes *ls, const char *path)
{
	return is_closed(path_find(ls, path));
}

const char *
lanes_why_closed(const struct lanes *ls, const char *path)
{
	const struct path_state *p = path_find(ls, path);

	if (!is_closed(p))
		return NULL;
	return p->shut != NULL ? p->shut : p->hold.why;
}

void
lanes_shut(struct lanes *ls, const char *path, const char *why)
{
	struct path_state *p = path_state_get(ls, path);

	free(p->shut);
	p->shut = why != NULL ? xstrdup(why) : NULL;
	if (why != NULL) {
		log_text(LOG_WARN, "path_closed", "path '%s': %s", path, why);
		return;
	}
	log_text(LOG_INFO, "path_open", "path '%s' may send again", path);
	lanes_end_rests(ls, path);
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

	return is_closed(p) && p->shut == NULL &&
	       !backoff_rests(&p->hold, now) && !is_tried(ls, p, now) && is_ready(ls, route, domain, now);
}

/* -- whose mail is taken -------------------------------------------------- */

#define LATELY 600000 /* ms */

void
path_note_taken(struct path_state *p, const char *domain, int64_t now)
{
	struct path_taken *t = p->taken;

	if (t[0].domain == NULL || strcmp(t[0].domain, domain) != 0) {
		free(t[1].domain);
		t[1] = t[0];
		t[0].domain = xstrdup(domain);
	}
	t[0].at = now;
}

bool
lanes_path_takes_others(
    const struct lanes *ls, const char *path, const char *domain)
{
	const struct path_state *p = path_find(ls, path);
	int64_t now = clock_mono();

	if (p == NULL || is_closed(p))
		return false;
	for (size_t i = 0; i < 2; i++)
		if (p->taken[i].domain != NULL &&
		    now - p->taken[i].at < LATELY &&
		    strcmp(p->taken[i].domain, domain) != 0)
			return true;
	return false;
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
