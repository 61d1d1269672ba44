/*
 * guard_slow.c - how fast mail of a slowed scope may go: a quarter as fast as
 * it went in the last hour, and at least one recipient in five seconds.
 *
 * With other nodes each has an equal part of that.
 *
 * Asked for each recipient at the head of a sender's line, so it costs nothing
 * while nothing is slowed.
 */
#include "router/core_nodes.h"
#include "router/guard_int.h"

#define SHARE 0.25
#define LEAST 0.2 /* recipients per second */

void
guard_slow_begin(struct guard_watch *w, bool ses, int64_t now)
{
	w->pace = SHARE * reputation_pace(w->scope, guard_volume(ses), now);
	if (w->pace < LEAST)
		w->pace = LEAST;
	w->next = 0;
}

static bool
slows(const struct guard_watch *w, const struct mail_scope *mail)
{
	return w->s.level == GUARD_SLOW &&
	       mail_scope_holds(&w->scope->of, mail);
}

/* Of several the slowest counts. */
int64_t
guard_leave_at(
    const struct guard *g, const struct mail_scope *mail, int64_t now)
{
	const struct guard_watch *w;
	int64_t at = now;

	if (g == NULL || g->slowed == 0)
		return now;
	TAILQ_FOREACH(w, &g->watches, link)
	if (slows(w, mail) && w->next > at)
		at = w->next;
	return at;
}

void
guard_leaves(
    struct guard *g, const struct mail_scope *mail, unsigned n, int64_t now)
{
	unsigned nodes;
	struct guard_watch *w;

	if (g == NULL || g->slowed == 0)
		return;
	nodes = nodes_count(g->core->nodes);
	TAILQ_FOREACH(w, &g->watches, link)
	if (slows(w, mail))
		w->next = (w->next > now ? w->next : now) +
			  (int64_t)(n * 1000.0 * nodes / w->pace);
}
