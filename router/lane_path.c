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
 * waits in its lanes or is out with their sessions, lanes_wants_probe says so,
 * and whoever has its turn next goes by it after all. It is one at a time:
 * while it is on its way the others still take the fallback, and if it meets
 * the fault it takes the fallback too. A closed path that is somebody's
 * fallback is tried in the same way. One that nobody is routed to stays closed
 * until somebody is, which costs that one a try and nobody else anything.
 */
#include "router/lane_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "rules/rules.h"

#include <string.h>

static struct path_state *
path_find(const struct lanes *ls, const char *name)
{
	struct path_state *p;

	TAILQ_FOREACH(p, &ls->paths, link)
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

bool
lanes_wants_probe(const struct lanes *ls, const char *path)
{
	const struct path_state *p = path_find(ls, path);

	return is_closed(p) && !backoff_rests(&p->hold, clock_mono()) &&
	       p->waiting == 0 && p->sending == 0;
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
