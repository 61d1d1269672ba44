/*
 * lane.c - who waits for one destination from one source.
 *
 * core.c puts recipients in, by destination and by sender; lane_session.c takes the next of them out
 * for a session, lane_pace.c says when, lane_path.c whether the path is open, lane_sweep.c drops what
 * has become old.
 */
#include "router/lane_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/map.h"
#include "router/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TRANSACTIONAL "transactional" /* group of such a lane */

/* -- making and unmaking ------------------------------------------------------------------------ */

struct lanes *
lanes_new(struct core *core)
{
	struct lanes *ls = xcalloc(1, sizeof(*ls));

	ls->core = core;
	ls->by_key = map_new();
	TAILQ_INIT(&ls->all);
	TAILQ_INIT(&ls->run);
	TAILQ_INIT(&ls->paths);
	ls->kept = map_new();
	STAILQ_INIT(&ls->kept_list);
	return ls;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lane *l = arg;

	(void)fd;
	(void)what;
	lane_make_runnable(l);
	core_wake(l->lanes->core);
}

static struct lane *
lane_new(struct lanes *ls, char *key, const struct recipient *r,
    const char *group)
{
	struct lane *l = xcalloc(1, sizeof(*l));

	l->lanes = ls;
	l->key = key;
	l->path = xstrdup(r->route.path);
	l->carrier = r->route.carrier;
	l->source = xstrdup(r->route.source);
	l->group = xstrdup(group);
	l->transactional = strcmp(group, TRANSACTIONAL) == 0 &&
	    r->route.transactional;
	l->state = path_state_get(ls, l->path);
	l->scale = 1;
	l->by_domain = map_new();
	TAILQ_INIT(&l->dests);
	TAILQ_INIT(&l->deliveries);
	lane_join(l);
	lane_configure(l, ls->core->config);
	lane_restore(l);
	l->timer = evtimer_new(ls->core->base, on_timer, l);
	map_put(ls->by_key, l->key, l);
	TAILQ_INSERT_TAIL(&ls->all, l, link);
	return l;
}

void
lane_free(struct lane *l)
{
	assert(l->waiting == 0 && l->sessions == 0 && TAILQ_EMPTY(&l->dests));
	if (l->runnable)
		TAILQ_REMOVE(&l->lanes->run, l, run_link);
	lane_wants_no_more(l);
	TAILQ_REMOVE(&l->lanes->all, l, link);
	map_remove(l->lanes->by_key, l->key);
	map_free(&l->by_domain);
	lane_part(l);
	pace_clear(&l->pace);
	event_free(l->timer);
	config_unref(&l->config);
	free(l->key);
	free(l->path);
	free(l->source);
	free(l->group);
	free(l);
}

static struct dest *
dest_get(struct lane *l, const char *domain)
{
	struct dest *d = map_get(l->by_domain, domain);

	if (d != NULL)
		return d;
	d = xcalloc(1, sizeof(*d));
	d->lane = l;
	d->domain = xstrdup(domain);
	d->by_sender = map_new();
	TAILQ_INIT(&d->senders);
	TAILQ_INIT(&d->idle);
	map_put(l->by_domain, d->domain, d);
	TAILQ_INSERT_TAIL(&l->dests, d, link);
	return d;
}

void
dest_free(struct dest *d)
{
	assert(TAILQ_EMPTY(&d->senders) && d->sessions == 0);
	map_remove(d->lane->by_domain, d->domain);
	TAILQ_REMOVE(&d->lane->dests, d, link);
	map_free(&d->by_sender);
	free(d->domain);
	free(d);
}

static struct sender *
sender_get(struct dest *d, const char *domain)
{
	struct sender *s = map_get(d->by_sender, domain);

	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->domain = xstrdup(domain);
	TAILQ_INIT(&s->waiting);
	map_put(d->by_sender, s->domain, s);
	TAILQ_INSERT_TAIL(&d->senders, s, link);
	return s;
}

/* A sender of whom nobody waits is forgotten. */
void
dest_forget_sender(struct dest *d, struct sender *s)
{
	if (!TAILQ_EMPTY(&s->waiting))
		return;
	map_remove(d->by_sender, s->domain);
	TAILQ_REMOVE(&d->senders, s, link);
	free(s->domain);
	free(s);
}

void
lanes_free(struct lanes **lsp)
{
	struct lanes *ls = *lsp;
	struct path_state *p;

	if (ls == NULL)
		return;
	lanes_drop_unused(ls, INT64_MAX - 1);
	assert(TAILQ_EMPTY(&ls->all));
	while ((p = TAILQ_FIRST(&ls->paths)) != NULL) {
		TAILQ_REMOVE(&ls->paths, p, link);
		free(p->shut);
		free(p->taken[0].domain);
		free(p->taken[1].domain);
		free(p->name);
		free(p);
	}
	map_free(&ls->by_key);
	lanes_forget_kept(ls);
	free(ls);
	*lsp = NULL;
}

/* -- waiting -------------------------------------------------------------------------------------- */

void
lane_make_runnable(struct lane *l)
{
	if (l->runnable)
		return;
	l->runnable = true;
	TAILQ_INSERT_TAIL(&l->lanes->run, l, run_link);
}

/* An mta path has a lane per receiving system, another kind one for all but transactional mail, which has one
 * of its own. */
static const char *
lane_group(const struct lanes *ls, const struct route *route)
{
	const struct config_path *path =
	    config_path_find(ls->core->config, route->path);

	if (path->kind == PATH_MTA)
		return route->group;
	return route->transactional ? TRANSACTIONAL : "";
}

static void
lane_key(const struct lanes *ls, const struct route *route, struct str *key)
{
	str_addf(key, "%s\n%s\n%s", route->path, route->source,
	    lane_group(ls, route));
}

struct lane *
lane_find(const struct lanes *ls, const struct route *route)
{
	struct str key = STR_INIT;
	struct lane *l;

	lane_key(ls, route, &key);
	l = map_get(ls->by_key, key.data);
	str_release(&key);
	return l;
}

unsigned
lanes_waiting(const struct lanes *ls, const struct route *route)
{
	const struct lane *l = lane_find(ls, route);

	return l != NULL ? l->waiting : 0;
}

unsigned
lanes_source_waiting(
    const struct lanes *ls, const char *source, const char *group)
{
	const struct lane *l;
	unsigned n = 0;

	TAILQ_FOREACH (l, &ls->all, link)
		if (strcmp(l->source, source) == 0 &&
		    strcmp(l->group, group) == 0)
			n += l->waiting;
	return n;
}

void
lanes_wake(struct lanes *ls)
{
	struct lane *l;

	TAILQ_FOREACH (l, &ls->all, link)
		lane_make_runnable(l);
}

static struct lane *
lane_for(struct lanes *ls, const struct recipient *r)
{
	struct lane *l = lane_find(ls, &r->route);
	struct str key = STR_INIT;

	if (l != NULL)
		return l;
	lane_key(ls, &r->route, &key);
	return lane_new(
	    ls, str_detach(&key), r, lane_group(ls, &r->route));
}

const char *
lane_dest_name(const struct lane *l, const char *domain)
{
	bool one_endpoint = l->settings->kind != PATH_MTA ||
	    l->settings->relay_host != NULL;

	return one_endpoint ? "" : domain;
}

void
lanes_add(struct lanes *ls, struct recipient *r, bool first)
{
	struct lane *l = lane_for(ls, r);
	struct dest *d = dest_get(l, lane_dest_name(l, r->domain));
	struct sender *s = sender_get(d, r->message->from_domain);

	if (first)
		TAILQ_INSERT_HEAD(&s->waiting, r, link);
	else
		TAILQ_INSERT_TAIL(&s->waiting, r, link);
	d->waiting++;
	l->waiting++;
	l->state->waiting++;
	lane_make_runnable(l);
}

void
dest_unlink(struct dest *d, struct sender *s, struct recipient *r)
{
	TAILQ_REMOVE(&s->waiting, r, link);
	d->waiting--;
	d->lane->waiting--;
	d->lane->state->waiting--;
}

static void
sender_take(struct dest *d, struct sender *s,
    bool (*wanted)(void *, const struct recipient *), void *arg,
    struct recipient_list *out)
{
	struct recipient *r, *next;

	for (r = TAILQ_FIRST(&s->waiting); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!wanted(arg, r))
			continue;
		dest_unlink(d, s, r);
		TAILQ_INSERT_TAIL(out, r, link);
	}
	dest_forget_sender(d, s);
}

void
lane_take_from(struct dest *d, bool (*wanted)(void *, const struct recipient *),
    void *arg, struct recipient_list *out)
{
	struct sender *s, *next;

	for (s = TAILQ_FIRST(&d->senders); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		sender_take(d, s, wanted, arg, out);
	}
}

void
lanes_take(struct lanes *ls, bool (*wanted)(void *, const struct recipient *),
    void (*each)(void *, struct recipient *), void *arg)
{
	struct recipient_list out = TAILQ_HEAD_INITIALIZER(out);
	struct recipient *r;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link)
		TAILQ_FOREACH (d, &l->dests, link)
			lane_take_from(d, wanted, arg, &out);
	/* `each` may add to lanes again: only now. */
	while ((r = TAILQ_FIRST(&out)) != NULL) {
		TAILQ_REMOVE(&out, r, link);
		each(arg, r);
	}
}

static bool
everyone(void *arg, const struct recipient *r)
{
	(void)arg;
	(void)r;
	return true;
}

struct drain {
	void (*each)(void *, struct recipient *);
	void *arg;
};

static void
drain_one(void *arg, struct recipient *r)
{
	struct drain *d = arg;

	d->each(d->arg, r);
}

void
lanes_drain(
    struct lanes *ls, void (*each)(void *, struct recipient *), void *arg)
{
	struct drain d = { each, arg };

	lanes_take(ls, everyone, drain_one, &d);
}

static unsigned
count_wanted(const struct dest *d,
    bool (*wanted)(void *, const struct recipient *), void *arg)
{
	const struct recipient *r;
	const struct sender *s;
	unsigned n = 0;

	TAILQ_FOREACH (s, &d->senders, link)
		TAILQ_FOREACH (r, &s->waiting, link)
			n += wanted(arg, r);
	return n;
}

unsigned
lanes_count(struct lanes *ls, bool (*wanted)(void *, const struct recipient *),
    void *arg)
{
	unsigned total = 0;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link)
		TAILQ_FOREACH (d, &l->dests, link)
			total += count_wanted(d, wanted, arg);
	return total;
}

void
lanes_end_rests(struct lanes *ls, const char *path)
{
	struct path_state *p;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (p, &ls->paths, link)
		if (path == NULL || strcmp(p->name, path) == 0)
			p->hold.until = 0;
	TAILQ_FOREACH (l, &ls->all, link) {
		if (path != NULL && strcmp(l->path, path) != 0)
			continue;
		l->backoff.until = 0;
		TAILQ_FOREACH (d, &l->dests, link)
			d->backoff.until = 0;
		lane_make_runnable(l);
	}
}

/* -- for people ------------------------------------------------------------------------------------------------ */

static void
describe_state(const struct lane *l, int64_t mono, int64_t wall,
    struct str *state, int64_t *until)
{
	const struct backoff *b = l->state->hold.until > mono
	    ? &l->state->hold
	    : &l->backoff;
	const char *paused = lane_paused_why(l, until);

	if (paused != NULL) {
		str_adds(state, paused);
		*until = *until != INT64_MAX ? *until : 0;
		return;
	}
	*until = backoff_rests(b, mono) ? wall + b->until - mono : 0;
	if (l->state->shut != NULL)
		str_addf(state, "path closed: %s", l->state->shut);
	else if (b == &l->state->hold)
		str_addf(state, "path closed: %s", b->why);
	else if (*until != 0)
		str_addf(state, "resting: %s", b->why);
	else if (quotas_why(l->lanes->core->quotas, l->path, l->transactional, mono,
		     state))
		return;
	else if (lane_is_used_up(l, mono))
		str_adds(state, "waiting: the source's allowance of today or "
				"the rate is used up");
	else
		str_adds(state, "open");
}

void
lanes_each(struct lanes *ls, void (*each)(void *, const struct lane_row *),
    void *arg)
{
	int64_t mono = clock_mono(), wall = clock_wall();
	struct str state = STR_INIT;
	struct lane *l;

	TAILQ_FOREACH (l, &ls->all, link) {
		struct lane_row row = { .path = l->path,
			.source = l->source,
			.group = l->group,
			.carrier = l->carrier,
			.waiting = l->waiting,
			.sending = l->sending,
			.connections = l->sessions,
			.max_connections = lane_connections(l),
			.rate = l->scale };
		str_clear(&state);
		describe_state(l, mono, wall, &state, &row.blocked_until);
		row.state = state.data;
		each(arg, &row);
	}
	str_release(&state);
}

unsigned
lanes_sessions(const struct lanes *ls)
{
	return ls->sessions;
}

unsigned
lanes_sending(const struct lanes *ls)
{
	return ls->sending;
}
