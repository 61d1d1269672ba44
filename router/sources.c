/*
 * sources.c - which address mail leaves from.
 *
 * How much a new one may send is in sources_warm.c.
 */
#include "router/sources_int.h"

#include "mta/base/alloc.h"
#include "router/config.h"
#include "router/core_nodes.h"
#include "router/route.h"
#include "router/source_order.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Whose turn it is in a pool with balance = round-robin. By position: a new
 * configuration begins anew. */
struct turns {
	STAILQ_ENTRY(turns) link;
	char *pool;
	int64_t message;  /* the last one, whose other recipients go with it */
	size_t last;	  /* its source */
	int64_t credit[]; /* of each source */
};

/* What is asked of each source in turn. */
struct choice {
	struct sources *sources;
	const struct rules_warm_up *plan; /* NULL: none that would move it */
	struct route route;		  /* the source is filled in */
	const struct sources_asks *asks;
};

/* -- may it be used ------------------------------------------------------ */

static const struct rules_warm_up *
plan_of(const struct core *c, const struct route *route)
{
	struct rules_shape shape;

	route_shape(c->config, route, route->group, &shape);
	return shape.warm_up != NULL
		   ? ruleset_warm_up(c->config->rules, shape.warm_up)
		   : NULL;
}

static struct choice
choice_init(struct sources *ss, const struct route *route,
    const struct sources_asks *asks)
{
	const struct rules_warm_up *plan = plan_of(ss->core, route);

	return (struct choice){ .sources = ss,
		.plan = plan != NULL && !plan->wait ? plan : NULL,
		.route = *route,
		.asks = asks };
}

static bool
has_allowance(struct choice *ch, const char *source)
{
	unsigned left;
	int64_t again;

	if (ch->plan == NULL)
		return true;
	left = sources_allowance(
	    ch->sources, source, ch->route.group, ch->plan, &again);
	if (left == 0 || left == UINT_MAX)
		return left > 0;
	ch->route.source = source;
	return left > ch->asks->waiting(ch->asks->arg, &ch->route);
}

static bool
is_used_up(struct choice *ch, const char *source)
{
	int64_t again;

	return ch->plan != NULL && sources_allowance(ch->sources, source,
				       ch->route.group, ch->plan, &again) == 0;
}

static bool
is_drained(const struct sources *ss, const char *source)
{
	return pauses_drained(ss->core->pauses, source);
}

static bool
is_here(const struct sources *ss, const char *source)
{
	return nodes_have_here(ss->core->nodes, source);
}

static bool
is_usable(struct choice *ch, const char *source)
{
	const struct pauses *ps = ch->sources->core->pauses;
	const char *why;
	int64_t until;

	ch->route.source = source;
	return is_here(ch->sources, source) && !pauses_drained(ps, source) &&
	       !pauses_rest(ps, "", source, "", &until, &why) &&
	       !ch->asks->shut(ch->asks->arg, &ch->route) &&
	       has_allowance(ch, source);
}

/* -- one sender's domain, one source ------------------------------------- */

static const struct config_source *
choose_stable(
    struct choice *ch, const struct config_pool *pool, const char *sender)
{
	const char *group = ch->route.group;
	const struct config_source *s = NULL, *first = NULL, *stays = NULL;

	while ((s = source_next(pool, sender, group, s)) != NULL) {
		if (is_usable(ch, s->name))
			return s;
		if (!is_here(ch->sources, s->name))
			continue;
		if (first == NULL)
			first = s;
		if (stays == NULL && !is_drained(ch->sources, s->name))
			stays = s;
	}
	if (first == NULL)
		return source_next(pool, sender, group, NULL);
	return stays != NULL ? stays : first;
}

/* -- in turn ------------------------------------------------------------- */

static struct turns *
turns_of(struct sources *ss, const struct config_pool *pool)
{
	struct turns *t;

	STAILQ_FOREACH(t, &ss->turns, link)
	if (strcmp(t->pool, pool->name) == 0)
		return t;
	t = xcalloc(1, sizeof(*t) + pool->nsources * sizeof(t->credit[0]));
	t->pool = xstrdup(pool->name);
	STAILQ_INSERT_TAIL(&ss->turns, t, link);
	return t;
}

static void
turns_free_all(struct sources *ss)
{
	struct turns *t;

	while ((t = STAILQ_FIRST(&ss->turns)) != NULL) {
		STAILQ_REMOVE_HEAD(&ss->turns, link);
		free(t->pool);
		free(t);
	}
}

/*
 * Each source that may be used gains its weight, the richest is taken and pays
 * for all: so they alternate as evenly as their weights let them. Returns the
 * number of sources when there is none.
 */
static size_t
take_turn(struct choice *ch, const struct config_pool *pool, struct turns *t)
{
	size_t best = pool->nsources;
	int64_t sum = 0;

	for (size_t i = 0; i < pool->nsources; i++) {
		if (!is_usable(ch, pool->sources[i]->name))
			continue;
		t->credit[i] += pool->sources[i]->weight;
		sum += pool->sources[i]->weight;
		if (best == pool->nsources || t->credit[i] > t->credit[best])
			best = i;
	}
	if (best < pool->nsources)
		t->credit[best] -= sum;
	return best;
}

static const struct config_source *
to_wait_for(const struct sources *ss, const struct config_pool *pool)
{
	const struct config_source *first = NULL;

	for (size_t i = 0; i < pool->nsources; i++) {
		if (!is_here(ss, pool->sources[i]->name))
			continue;
		if (!is_drained(ss, pool->sources[i]->name))
			return pool->sources[i];
		if (first == NULL)
			first = pool->sources[i];
	}
	return first != NULL ? first : pool->sources[0];
}

static const struct config_source *
choose_in_turn(
    struct choice *ch, const struct config_pool *pool, int64_t message)
{
	struct turns *t = turns_of(ch->sources, pool);
	size_t i;

	if (t->message == message &&
	    is_usable(ch, pool->sources[t->last]->name))
		return pool->sources[t->last];
	i = take_turn(ch, pool, t);
	if (i == pool->nsources)
		return to_wait_for(ch->sources, pool);
	t->message = message;
	t->last = i;
	return pool->sources[i];
}

/* -- the choice ---------------------------------------------------------- */

void
sources_choose(struct sources *ss, const struct config_pool *pool,
    struct route *route, const struct message *m,
    const struct sources_asks *asks)
{
	const struct config_source *s = pool->sources[0];
	struct choice ch;

	if (pool->nsources > 1) {
		ch = choice_init(ss, route, asks);
		s = pool->balance == POOL_ROUND_ROBIN
			? choose_in_turn(&ch, pool, m->id)
			: choose_stable(&ch, pool, m->from_domain);
	}
	route->source = intern(s->name);
}

bool
sources_should_leave(struct sources *ss, const struct config_pool *pool,
    const struct route *route, const struct sources_asks *asks)
{
	struct choice ch;

	if (pool->nsources < 2)
		return false;
	ch = choice_init(ss, route, asks);
	if (!is_drained(ss, route->source) && !is_used_up(&ch, route->source))
		return false;
	for (size_t i = 0; i < pool->nsources; i++)
		if (strcmp(pool->sources[i]->name, route->source) != 0 &&
		    is_usable(&ch, pool->sources[i]->name))
			return true;
	return false;
}

/* -- its life ------------------------------------------------------------ */

struct sources *
sources_new(struct core *c)
{
	struct sources *ss = xcalloc(1, sizeof(*ss));

	ss->core = c;
	STAILQ_INIT(&ss->turns);
	warm_start(ss);
	return ss;
}

void
sources_configure(struct sources *ss)
{
	turns_free_all(ss);
}

void
sources_free(struct sources **sp)
{
	struct sources *ss = *sp;

	if (ss == NULL)
		return;
	turns_free_all(ss);
	warm_stop(ss);
	free(ss);
	*sp = NULL;
}
