/*
 * gate.c - who may not go because of what preflight found.
 *
 * Settings and mail name subjects (gate_subject.c), which are checked in turn
 * (gate_turn.c); gate_lets answers from what is known of them.
 */
#include "router/gate_int.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "router/config.h"
#include "router/core_int.h"

#define WHY_MAX 200

/* -- what settings name ---------------------------------------------------- */

static void
name_subject(struct gate *g, const char *key, const struct config_path *path)
{
	struct gate_subject *s = gate_subject_get(g, key);

	s->path = path;
	if (s->configured)
		return;
	TAILQ_REMOVE(&g->used, s, used);
	g->nused--;
	s->configured = true;
	g->named = xrealloc(
	    g->named, (g->nnamed + 1) * sizeof(struct gate_subject *));
	g->named[g->nnamed++] = s;
}

static void
name_sources(struct gate *g)
{
	const struct config *c = g->core->config;
	const struct config_path **paths = gate_paths(c);
	char buf[NET_TEXT_MAX];

	for (size_t i = 0; i < c->nsources; i++) {
		const struct config_source *source = &c->sources[i];
		const char *address = gate_address_of(source, buf);
		if (paths[i] == NULL)
			continue;
		str_clear(&g->key);
		str_addf(&g->key, "source %s %s %s", source->name,
		    source->hostname, address != NULL ? address : "-");
		name_subject(g, g->key.data, paths[i]);
	}
	free(paths);
	g->nsources = g->nnamed;
}

static void
name_domains(struct gate *g)
{
	const struct config *c = g->core->config;

	for (size_t i = 0; g->nsources > 0 && i < c->ndkim; i++) {
		str_clear(&g->key);
		str_addf(&g->key, "domain %s", c->dkim[i].domain);
		name_subject(g, g->key.data, NULL);
	}
}

/* A source that is not there any more goes; a domain is from now on one met in
 * the mail. */
static void
unname(struct gate *g, struct gate_subject **old, size_t nold)
{
	for (size_t i = 0; i < nold; i++) {
		struct gate_subject *s = old[i];
		if (s->configured)
			continue;
		if (s->source != NULL)
			gate_subject_remove(g, s);
	}
	free(old);
}

static void
set_names(struct gate *g)
{
	struct gate_subject **old = g->named;
	size_t nold = g->nnamed;

	g->named = NULL;
	g->nnamed = g->nsources = 0;
	for (size_t i = 0; i < nold; i++) {
		old[i]->configured = false;
		TAILQ_INSERT_TAIL(&g->used, old[i], used);
		g->nused++;
	}
	name_sources(g);
	name_domains(g);
	unname(g, old, nold);
}

static void
set_enforces(struct gate *g)
{
	const struct config *c = g->core->config;

	g->enforces = false;
	for (size_t i = 0; i < c->npaths; i++)
		g->enforces |= gate_is_on(&c->paths[i]) &&
			       c->paths[i].preflight == GATE_ENFORCE;
}

void
gate_configure(struct gate *g)
{
	set_names(g);
	set_enforces(g);
	gate_check_all(g);
}

/* -- who may go ------------------------------------------------------------ */

static struct gate_subject *
source_of(const struct gate *g, const char *name)
{
	for (size_t i = 0; i < g->nsources; i++)
		if (strcmp(g->named[i]->source, name) == 0)
			return g->named[i];
	return NULL;
}

static bool
is_name(const char *domain)
{
	return domain[0] != '\0' && domain[0] != '[' &&
	       strpbrk(domain, " \t") == NULL;
}

/* With a return path of ours the reverse-path's domain is that for everybody.
 */
static bool
has_envelope(const struct gate *g, const struct message *m)
{
	return g->core->config->return_path.domain == NULL &&
	       is_name(m->from_domain) &&
	       strcasecmp(m->from_domain, m->header_from) != 0;
}

/* NULL: its message has no sending domain to look at. */
static struct gate_subject *
domain_of(struct gate *g, const struct message *m)
{
	struct gate_subject *s;

	if (m->from[0] == '\0' || m->header_from[0] == '\0' ||
	    strpbrk(m->header_from, " \t") != NULL)
		return NULL;
	str_clear(&g->key);
	str_addf(&g->key, "domain %s", m->header_from);
	if (has_envelope(g, m))
		str_addf(&g->key, " %s", m->from_domain);
	for (size_t i = 0; i < g->key.len; i++)
		if (g->key.data[i] >= 'A' && g->key.data[i] <= 'Z')
			g->key.data[i] = (char)(g->key.data[i] + 'a' - 'A');
	s = gate_subject_get(g, g->key.data);
	gate_subject_touch(g, s);
	return s;
}

/* One line of printable characters. */
static void
say_why(struct gate *g, const struct finding *f)
{
	str_clear(&g->why);
	g->undecided = f == NULL;
	if (f == NULL)
		str_adds(&g->why, "preflight: being checked");
	else
		str_addf(&g->why, "preflight: %.*s: %.*s", WHY_MAX, f->subject,
		    WHY_MAX, f->what);
	for (size_t i = 0; i < g->why.len; i++)
		if ((unsigned char)g->why.data[i] < ' ' ||
		    (unsigned char)g->why.data[i] > '~')
			g->why.data[i] = '?';
}

static bool
lets(struct gate *g, struct gate_subject *s, unsigned carriers)
{
	const struct finding *f;

	if (s == NULL)
		return true;
	f = gate_findings_against(&s->findings, carriers);
	if (s->known && f == NULL)
		return true;
	s->waited_for = true;
	say_why(g, s->known ? f : NULL);
	return false;
}

bool
gate_lets(struct gate *g, const struct message *m, const struct route *route,
    const char **why)
{
	const struct config_path *path =
	    config_path_find(g->core->config, route->path);
	struct gate_subject *domain;
	unsigned carriers;
	bool open;

	if (path == NULL || !gate_is_on(path) || g->stopped)
		return true;
	carriers = preflight_carrier(route->carrier);
	domain = domain_of(g, m);
	if (domain != NULL && !domain->known && domain->turn == TURN_NEW)
		gate_check_next(g);
	open = lets(g, source_of(g, route->source), carriers) &&
	       lets(g, domain, carriers);
	*why = g->why.data;
	return open || path->preflight == GATE_WARN;
}

bool
gate_is_undecided(const struct gate *g)
{
	return g->undecided;
}

bool
gate_shuts_source(const struct gate *g, const struct route *route)
{
	const struct config_path *path =
	    config_path_find(g->core->config, route->path);
	const struct gate_subject *s = source_of(g, route->source);

	return path != NULL && gate_is_on(path) && !g->stopped &&
	       path->preflight == GATE_ENFORCE && s != NULL && s->known &&
	       gate_findings_against(
		   &s->findings, preflight_carrier(route->carrier)) != NULL;
}

/* -- for people ------------------------------------------------------------ */

static void
each_of(const struct gate_subject *s,
    void (*each)(void *, const struct finding *, bool, int64_t), void *arg)
{
	for (size_t i = 0; i < s->findings.n; i++)
		each(arg, &s->findings.list[i].f, s->findings.list[i].closes,
		    s->at);
}

static void
each_that(struct gate *g, bool closed,
    void (*each)(void *, const struct finding *, bool, int64_t), void *arg)
{
	const struct gate_subject *s;

	for (int turn = 0; turn < TURN_LISTS; turn++)
		TAILQ_FOREACH(s, &g->turns[turn], turns)
	if (closed == (gate_findings_closed(&s->findings) != 0))
		each_of(s, each, arg);
}

void
gate_each(struct gate *g,
    void (*each)(void *, const struct finding *, bool, int64_t), void *arg)
{
	each_that(g, true, each, arg);
	each_that(g, false, each, arg);
}

/* -- its life -------------------------------------------------------------- */

struct gate *
gate_new(struct core *core)
{
	struct gate *g = xcalloc(1, sizeof(*g));

	g->core = core;
	g->subjects = map_new();
	for (int turn = 0; turn < TURN_LISTS; turn++)
		TAILQ_INIT(&g->turns[turn]);
	TAILQ_INIT(&g->used);
	g->timer = evtimer_new(core->base, gate_on_timer, g);
	g->tell = evtimer_new(core->base, gate_on_tell, g);
	g->stopped = true;
	str_init(&g->why);
	str_init(&g->key);
	return g;
}

void
gate_start(struct gate *g)
{
	set_names(g);
	set_enforces(g);
	if (g->nsources > 0)
		gate_load(g);
	g->stopped = false;
	gate_check_all(g);
}

void
gate_stop(struct gate *g)
{
	g->stopped = true;
	evtimer_del(g->timer);
	evtimer_del(g->tell);
	gate_thread_free(&g->thread);
}

void
gate_free(struct gate **gp)
{
	struct gate *g = *gp;
	struct gate_subject *s;

	if (g == NULL)
		return;
	gate_stop(g);
	for (int turn = 0; turn < TURN_LISTS; turn++)
		while ((s = TAILQ_FIRST(&g->turns[turn])) != NULL)
			gate_subject_remove(g, s);
	map_free(&g->subjects);
	event_free(g->timer);
	event_free(g->tell);
	free(g->named);
	str_release(&g->why);
	str_release(&g->key);
	free(g);
	*gp = NULL;
}
