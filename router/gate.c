/*
 * gate.c - who may not go because of what preflight found.
 *
 * Subjects (gate_subject.c) wait for their turn, the thread (gate_thread.c)
 * checks a few at a time, and what comes back is laid over what was known
 * (gate_findings.c). The core asks gate_lets for each recipient, and hears when
 * another answer is to be had.
 */
#include "router/gate_int.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/map.h"
#include "router/config.h"
#include "router/core_int.h"

#define CHECKS_MAX 8	 /* made at once */
#define FAILING_MS 30000 /* until what fails is looked at again */
#define USED_MS	   100	 /* between two checks again of what no setting names */
#define WHY_MAX	   200
/* Between two core_gates_changed: each goes through all that is held. */
#define TELL_MS 1000

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* -- what follows from a check
 * ---------------------------------------------------------------------- */

static void
in_ms(struct event *ev, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	event_add(ev, &tv);
}

static void
on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;
	bool closed = g->closed;

	(void)fd;
	(void)what;
	g->opened = g->closed = g->missed = false;
	g->told = clock_mono();
	core_gates_changed(g->core, closed);
}

static void
tell(struct gate *g)
{
	int64_t now = clock_mono();
	int64_t at = g->told != 0 ? g->told + TELL_MS : now;

	if (!evtimer_pending(g->tell, NULL))
		in_ms(g->tell, later(at - now, 0));
}

static void
put_carriers(struct logline *l, unsigned carriers)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ PREFLIGHT_DOCOMO, "docomo" },
		{ PREFLIGHT_AU, "au" },
		{ PREFLIGHT_SOFTBANK, "softbank" },
		{ GATE_OTHERS, "others" },
	};
	struct str s = STR_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (carriers & names[i].bit)
			str_addf(
			    &s, "%s%s", s.len > 0 ? "," : "", names[i].name);
	log_str(l, "carriers", carriers == GATE_ALL ? "all" : s.data);
	str_release(&s);
}

static void
log_change(struct gate *g, const struct gate_subject *s, bool closed,
    unsigned carriers)
{
	const struct finding *f = NULL;
	struct str name = STR_INIT;
	struct logline l;

	if (!log_start(&l, closed ? LOG_WARN : LOG_INFO,
		closed ? "gate_closed" : "gate_open"))
		return;
	for (size_t i = 0; closed && f == NULL && i < s->findings.n; i++)
		if (gate_finding_bits(&s->findings.list[i]) & carriers)
			f = &s->findings.list[i].f;
	gate_subject_name(s, &name);
	log_str(&l, "subject", name.data);
	put_carriers(&l, carriers);
	log_str(&l, "mode", g->enforces ? "enforce" : "warn");
	if (f != NULL) {
		log_str(&l, "check", f->check);
		log_str(&l, "what", f->what);
		log_str(&l, "why", f->why);
		log_str(&l, "mend", f->mend);
	}
	log_end(&l);
	str_release(&name);
}

static void
note_change(struct gate *g, struct gate_subject *s, bool known, unsigned before)
{
	unsigned now = gate_findings_closed(&s->findings);
	unsigned more = now & ~before, less = before & ~now;

	if (more != 0)
		log_change(g, s, true, more);
	if (less != 0)
		log_change(g, s, false, less);
	g->closed |= known && more != 0;
	g->opened |= s->waited_for && (!known || less != 0);
	if (now == 0)
		s->waited_for = false;
	if (g->closed || g->opened)
		tell(g);
}

/* It was asked of settings that are no longer in force: its subject is due
 * again. */
static bool
is_outdated(const struct gate *g, const struct gate_check *k)
{
	return k->config != g->core->config;
}

static void
take_findings(struct gate *g, struct gate_subject *s, struct gate_check *k)
{
	unsigned before = gate_findings_closed(&s->findings);
	bool known = s->known;

	gate_findings_decide(&k->found, &s->findings, known);
	gate_findings_clear(&s->findings);
	s->findings = k->found;
	k->found = (struct gate_findings){ .n = 0 };
	s->known = true;
	s->at = clock_wall();
	gate_keep(g, s);
	note_change(g, s, known, before);
}

static void check_next(struct gate *);

static void
on_checked(struct task *task)
{
	struct gate_check *k = container_of(task, struct gate_check, task);
	struct gate *g = k->gate;
	struct gate_subject *s = map_get(g->subjects, k->key);

	g->checking--;
	if (s != NULL && !g->stopped) {
		if (!is_outdated(g, k))
			take_findings(g, s, k);
		gate_subject_wait(g, s);
	}
	gate_check_free(&k);
	check_next(g);
}

/* -- whose turn it is
 * --------------------------------------------------------------------------------
 */

/* How long what is in that list waits for its next check. */
static int64_t
wait_of(const struct gate *g, enum gate_turn turn)
{
	int64_t interval = g->core->config->preflight_interval;

	if (turn == TURN_FAILING)
		return sooner(interval, FAILING_MS);
	return turn == TURN_NEW ? 0 : interval;
}

/* Mono ms. */
static int64_t
due_at(const struct gate *g, const struct gate_subject *s)
{
	int64_t due =
	    s->round != g->round ? 0 : s->checked + wait_of(g, s->turn);

	return s->configured || !s->known ? due : later(due, g->next_used);
}

static struct gate_subject *
first_due(struct gate *g, int64_t now, int64_t *next)
{
	*next = INT64_MAX;
	for (int turn = TURN_NEW; turn < TURN_CHECKING; turn++) {
		struct gate_subject *s = TAILQ_FIRST(&g->turns[turn]);
		int64_t due = s != NULL ? due_at(g, s) : INT64_MAX;
		if (due <= now)
			return s;
		*next = sooner(*next, due);
	}
	return NULL;
}

static void
check(struct gate *g, struct gate_subject *s, int64_t now)
{
	if (!s->configured && s->known)
		g->next_used = now + USED_MS;
	TAILQ_REMOVE(&g->turns[s->turn], s, turns);
	s->turn = TURN_CHECKING;
	TAILQ_INSERT_TAIL(&g->turns[s->turn], s, turns);
	s->round = g->round;
	s->checked = now;
	g->checking++;
	gate_thread_check(g->thread, gate_check_new(g, g->core->config, s));
}

static bool
begin(struct gate *g)
{
	if (g->thread == NULL)
		g->thread = gate_thread_new(g->core->inbox, on_checked);
	return g->thread != NULL;
}

static void
check_next(struct gate *g)
{
	int64_t now = clock_mono(), next = INT64_MAX;
	struct gate_subject *s;

	if (g->stopped || g->nsources == 0)
		return;
	while (g->checking < CHECKS_MAX &&
	       (s = first_due(g, now, &next)) != NULL) {
		if (!begin(g)) {
			next = now + FAILING_MS;
			break;
		}
		check(g, s, now);
	}
	if (next != INT64_MAX)
		in_ms(g->timer, next - now);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd;
	(void)what;
	if (g->missed && clock_mono() - g->told > FAILING_MS)
		tell(g);
	check_next(g);
}

void
gate_check_all(struct gate *g)
{
	g->round++;
	for (size_t i = g->nnamed; i-- > 0;)
		if (g->named[i]->turn != TURN_CHECKING)
			gate_subject_wait(g, g->named[i]);
	check_next(g);
}

/* -- what settings name
 * ------------------------------------------------------------------------------
 */

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
	g->named = xrealloc(g->named, (g->nnamed + 1) * sizeof(*g->named));
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

/* -- who may go
 * --------------------------------------------------------------------------------------
 */

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
		check_next(g);
	open = lets(g, source_of(g, route->source), carriers) &&
	       lets(g, domain, carriers);
	*why = g->why.data;
	return open || path->preflight == GATE_WARN;
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

/* -- for people
 * --------------------------------------------------------------------------------------
 */

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

/* -- its life
 * ----------------------------------------------------------------------------------------
 */

struct gate *
gate_new(struct core *core)
{
	struct gate *g = xcalloc(1, sizeof(*g));

	g->core = core;
	g->subjects = map_new();
	for (int turn = 0; turn < TURN_LISTS; turn++)
		TAILQ_INIT(&g->turns[turn]);
	TAILQ_INIT(&g->used);
	g->timer = evtimer_new(core->base, on_timer, g);
	g->tell = evtimer_new(core->base, on_tell, g);
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
