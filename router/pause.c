/*
 * pause.c - what has been stopped: paths, sources and groups that rest, mail
 * that is put back, sources that take nothing new.
 *
 * They are few: a list in the order of kind and name. One that has come to its
 * end is no pause any more whenever anybody asks; a timer takes it away and
 * wakes what it held.
 */
#include "router/pause.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/core_int.h"
#include "router/keep.h"
#include "router/mail_scope.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define KIND	  "pause" /* in the store */
#define LOOK_MOST 60000	  /* ms between looks at the clock, which may jump */

static const char *const kind_name[PAUSE_KINDS] = {
	[PAUSE_PATH] = "path",
	[PAUSE_SOURCE] = "source",
	[PAUSE_GROUP] = "group",
	[PAUSE_DRAIN] = "drain",
	[PAUSE_MAIL] = "mail",
};

struct stop {
	TAILQ_ENTRY(stop) link;
	struct pause p; /* owns its strings */
	char *text;	/* for people: why nothing goes */
	struct mail_scope scope; /* of mail; in `words` */
	struct str words;
	unsigned passes;
	bool kept; /* pauses_kept has met it */
};

struct pauses {
	struct core *core;
	TAILQ_HEAD(stop_list, stop) list;
	size_t of_mail; /* the last in the list */
	bool changed;	/* by pauses_kept */
	struct event *timer;
};

const char *
pause_kind_name(enum pause_kind kind)
{
	return kind_name[kind];
}

/* -- the list ------------------------------------------------------------ */

static void
stop_free(struct stop *s)
{
	free((void *)(uintptr_t)s->p.name);
	free((void *)(uintptr_t)s->p.who);
	free((void *)(uintptr_t)s->p.why);
	free(s->text);
	str_release(&s->words);
	free(s);
}

static char *
sentence(const struct pause *p)
{
	struct str s = STR_INIT;

	str_addf(&s, "%s paused by %s", kind_name[p->kind], p->who);
	if (p->why[0] != '\0')
		str_addf(&s, ": %s", p->why);
	return str_detach(&s);
}

static struct stop *
stop_new(const struct pause *p)
{
	struct stop *s = xcalloc(1, sizeof(*s));

	s->p = *p;
	s->p.name = xstrdup(p->name);
	s->p.who = xstrdup(p->who);
	s->p.why = xstrdup(p->why);
	s->text = sentence(p);
	str_init(&s->words);
	if (p->kind == PAUSE_MAIL &&
	    mail_scope_read(p->name, &s->scope, &s->words, NULL) != 0) {
		stop_free(s);
		return NULL;
	}
	return s;
}

/* Domains are the same in any case. */
static int
compare(enum pause_kind kind, const char *name, const struct stop *s)
{
	if (kind != s->p.kind)
		return kind < s->p.kind ? -1 : 1;
	return kind == PAUSE_GROUP ? strcasecmp(name, s->p.name)
				   : strcmp(name, s->p.name);
}

static struct stop *
find(const struct pauses *ps, enum pause_kind kind, const char *name)
{
	struct stop *s;

	TAILQ_FOREACH(s, &ps->list, link)
	if (compare(kind, name, s) == 0)
		return s;
	return NULL;
}

static void
take_out(struct pauses *ps, struct stop *s)
{
	ps->of_mail -= s->p.kind == PAUSE_MAIL;
	TAILQ_REMOVE(&ps->list, s, link);
	stop_free(s);
}

/* A name that means no mail, in a store that was tampered with, is passed over. */
static void
put_in(struct pauses *ps, const struct pause *p)
{
	struct stop *new = stop_new(p), *old = find(ps, p->kind, p->name), *s;

	if (new == NULL)
		return;
	ps->of_mail += p->kind == PAUSE_MAIL;
	if (old != NULL)
		take_out(ps, old);
	TAILQ_FOREACH(s, &ps->list, link)
	if (compare(p->kind, p->name, s) < 0)
		break;
	if (s != NULL)
		TAILQ_INSERT_BEFORE(s, new, link);
	else
		TAILQ_INSERT_TAIL(&ps->list, new, link);
}

static bool
is_guards(const struct pause *p)
{
	return p->kind == PAUSE_MAIL && strcmp(p->who, PAUSE_GUARD) == 0;
}

static bool
is_over(const struct pause *p, int64_t now)
{
	return p->until != 0 && p->until <= now && !is_guards(p);
}

/* -- in the store -------------------------------------------------------- */

static char *
key_of(enum pause_kind kind, const char *name)
{
	struct str s = STR_INIT;

	str_addf(&s, "%s %s", kind_name[kind], name);
	return str_detach(&s);
}

static void
keep(struct pauses *ps, const struct pause *p,
    void (*done)(void *, const char *), void *arg)
{
	json_t *o = json_pack("{s:s, s:s, s:I, s:I}", "who", p->who, "why",
	    p->why, "at", (json_int_t)p->at, "until", (json_int_t)p->until);
	char *value = json_dumps(o, JSON_COMPACT);
	char *key = key_of(p->kind, p->name);

	/* Text that is no UTF-8 has no place in JSON; the pause has. */
	keep_put(ps->core, KIND, key,
	    value != NULL ? value : "{\"who\":\"?\",\"why\":\"?\"}",
	    is_guards(p) ? 0 : p->until, done, arg);
	json_decref(o);
	free(value);
	free(key);
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

static bool
kind_of(const char *key, enum pause_kind *kind)
{
	size_t len = strcspn(key, " ");

	for (unsigned i = 0; i < PAUSE_KINDS && key[len] == ' '; i++)
		if (strlen(kind_name[i]) == len &&
		    strncmp(kind_name[i], key, len) == 0) {
			*kind = (enum pause_kind)i;
			return true;
		}
	return false;
}

/* What is kept there, for `each`; nothing when it is no pause. */
static void
read_kept(struct pauses *ps, const struct kept *k,
    void (*each)(struct pauses *, const struct pause *))
{
	json_t *o = json_loads(k->value, 0, NULL);
	struct pause p = {
		.who = text_of(o, "who"),
		.why = text_of(o, "why"),
		.at = json_integer_value(json_object_get(o, "at")),
		.until = k->expires != 0
			     ? k->expires
			     : json_integer_value(json_object_get(o, "until")),
	};

	if (kind_of(k->key, &p.kind)) {
		p.name = strchr(k->key, ' ') + 1;
		each(ps, &p);
	}
	json_decref(o);
}

static void
load(void *arg, const struct kept *k)
{
	read_kept(arg, k, put_in);
}

/* -- beginning and ending ------------------------------------------------ */

static void
tell(const char *event, const struct pause *p, const char *who)
{
	char until[25];
	struct logline l;

	if (!log_start(&l, LOG_INFO, event))
		return;
	log_str(&l, kind_name[p->kind == PAUSE_DRAIN ? PAUSE_SOURCE : p->kind],
	    p->name);
	log_str(&l, "who", who);
	if (p->why[0] != '\0')
		log_str(&l, "why", p->why);
	if (p->until != 0)
		log_str(&l, "until", clock_iso(p->until, until));
	log_end(&l);
}

/* For the first that ends by itself. */
static void
set_timer(struct pauses *ps)
{
	int64_t now = clock_wall(), wait = LOOK_MOST;
	struct timeval tv;
	const struct stop *s;
	bool any = false;

	TAILQ_FOREACH(s, &ps->list, link)
	{
		if (s->p.until == 0 || is_guards(&s->p))
			continue;
		any = true;
		if (s->p.until - now < wait)
			wait = s->p.until > now ? s->p.until - now : 0;
	}
	tv = (struct timeval){ .tv_sec = (time_t)(wait / 1000),
		.tv_usec = (suseconds_t)(wait % 1000 * 1000) };
	if (any)
		event_add(ps->timer, &tv);
	else
		event_del(ps->timer);
}

static void
changed(struct pauses *ps)
{
	set_timer(ps);
	core_pauses_changed(ps->core);
}

/* Takes it out, and has what it held looked at again. */
static void
end(struct pauses *ps, struct stop *s)
{
	struct str words = s->words;
	struct mail_scope scope = s->scope;
	bool of_mail = s->p.kind == PAUSE_MAIL;

	str_init(&s->words);
	take_out(ps, s);
	if (of_mail)
		core_mail_resumed(ps->core, &scope);
	str_release(&words);
}

/* The store forgets it by itself. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pauses *ps = arg;
	int64_t now = clock_wall();
	struct stop *s, *next;
	bool ended = false;

	(void)fd;
	(void)what;
	for (s = TAILQ_FIRST(&ps->list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (!is_over(&s->p, now))
			continue;
		tell("resumed", &s->p, "its time is over");
		end(ps, s);
		ended = true;
	}
	if (ended)
		changed(ps);
	else
		set_timer(ps);
}

void
pauses_set(struct pauses *ps, const struct pause *p,
    void (*done)(void *, const char *), void *arg)
{
	tell(p->kind == PAUSE_DRAIN ? "drained" : "paused", p, p->who);
	put_in(ps, p);
	keep(ps, p, done, arg);
	changed(ps);
}

bool
pauses_end(struct pauses *ps, enum pause_kind kind, const char *name,
    const char *who, void (*done)(void *, const char *), void *arg)
{
	struct stop *s = find(ps, kind, name);
	char *key;

	if (s == NULL || is_over(&s->p, clock_wall()))
		return false;
	tell("resumed", &s->p, who);
	/* Under the name as it was first written. */
	key = key_of(kind, s->p.name);
	end(ps, s);
	keep_put(ps->core, KIND, key, NULL, 0, done, arg);
	free(key);
	changed(ps);
	return true;
}

/* -- what other nodes have begun and ended ------------------------------- */

static bool
is_same(const struct pause *a, const struct pause *b)
{
	return a->at == b->at && a->until == b->until &&
	       strcmp(a->who, b->who) == 0 && strcmp(a->why, b->why) == 0;
}

static void
take_over(struct pauses *ps, const struct pause *p)
{
	struct stop *s = find(ps, p->kind, p->name);
	unsigned passes = s != NULL ? s->passes : 0;

	if (s == NULL || !is_same(&s->p, p)) {
		tell(p->kind == PAUSE_DRAIN ? "drained" : "paused", p, p->who);
		put_in(ps, p);
		ps->changed = true;
		s = find(ps, p->kind, p->name);
	}
	if (s == NULL)
		return;
	s->passes = passes;
	s->kept = true;
}

/* Where it was ended, what it held was let go, but for what this node has put
 * there since. */
static void
end_others(struct pauses *ps)
{
	int64_t now = clock_wall();
	struct stop *s, *next;
	char *key;

	for (s = TAILQ_FIRST(&ps->list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		key = key_of(s->p.kind, s->p.name);
		if (!s->kept && !is_over(&s->p, now) &&
		    !keep_is_ours(ps->core, KIND, key)) {
			tell("resumed", &s->p, "another node");
			end(ps, s);
			ps->changed = true;
		}
		free(key);
	}
}

void
pauses_kept(struct core *c, const struct kept *kept, size_t n)
{
	struct pauses *ps = c->pauses;
	struct stop *s;

	ps->changed = false;
	TAILQ_FOREACH(s, &ps->list, link)
	s->kept = false;
	for (size_t i = 0; i < n; i++)
		if (!keep_is_ours(c, KIND, kept[i].key))
			read_kept(ps, &kept[i], take_over);
	end_others(ps);
	if (ps->changed)
		changed(ps);
}

/* -- asking -------------------------------------------------------------- */

bool
pauses_rest(const struct pauses *ps, const char *path, const char *source,
    const char *group, int64_t *until, const char **why)
{
	const char *const name[] = { path, source, group };
	static const enum pause_kind kind[] = { PAUSE_PATH, PAUSE_SOURCE,
		PAUSE_GROUP };
	int64_t now = clock_wall(), latest = 0, end;
	const struct stop *s;

	if (TAILQ_EMPTY(&ps->list))
		return false;
	for (size_t i = 0; i < 3; i++) {
		s = find(ps, kind[i], name[i]);
		if (s == NULL || is_over(&s->p, now))
			continue;
		end = s->p.until != 0 ? s->p.until : INT64_MAX;
		if (end > latest) {
			latest = end;
			*why = s->text;
		}
	}
	if (latest == 0)
		return false;
	*until = latest;
	return true;
}

/* The first in the list of those that are of mail; from there on all are. */
static struct stop *
first_of_mail(const struct pauses *ps)
{
	struct stop *s = TAILQ_LAST(&ps->list, stop_list), *before;

	if (ps->of_mail == 0)
		return NULL;
	while ((before = TAILQ_PREV(s, stop_list, link)) != NULL &&
	       before->p.kind == PAUSE_MAIL)
		s = before;
	return s;
}

bool
pauses_mail(const struct pauses *ps, const struct mail_scope *mail,
    int64_t *until, const char **why)
{
	int64_t latest = 0, end, now;
	const struct stop *s;

	if (ps->of_mail == 0)
		return false;
	now = clock_wall();
	for (s = first_of_mail(ps); s != NULL; s = TAILQ_NEXT(s, link)) {
		if (is_over(&s->p, now) || !mail_scope_holds(&s->scope, mail))
			continue;
		end = s->p.until != 0 ? s->p.until : INT64_MAX;
		if (end > latest) {
			latest = end;
			*why = s->text;
		}
	}
	*until = latest;
	return latest > 0;
}

/* One that another pause holds as well is not let pass by any. */
bool
pauses_pass(struct pauses *ps, const struct mail_scope *mail)
{
	int64_t now = clock_wall();
	struct stop *s, *by = NULL;

	for (s = first_of_mail(ps); s != NULL; s = TAILQ_NEXT(s, link)) {
		if (is_over(&s->p, now) || !mail_scope_holds(&s->scope, mail))
			continue;
		if (s->passes == 0 || by != NULL)
			return false;
		by = s;
	}
	if (by == NULL)
		return false;
	by->passes--;
	return true;
}

void
pauses_let_pass(struct pauses *ps, const char *name, unsigned n)
{
	struct stop *s = find(ps, PAUSE_MAIL, name);

	if (s != NULL)
		s->passes = n;
}

unsigned
pauses_passes(const struct pauses *ps, const char *name)
{
	const struct stop *s = find(ps, PAUSE_MAIL, name);

	return s != NULL ? s->passes : 0;
}

const struct pause *
pauses_find(const struct pauses *ps, enum pause_kind kind, const char *name)
{
	const struct stop *s = find(ps, kind, name);

	return s != NULL && !is_over(&s->p, clock_wall()) ? &s->p : NULL;
}

size_t
pauses_of_mail(const struct pauses *ps)
{
	return ps->of_mail;
}

bool
pauses_drained(const struct pauses *ps, const char *source)
{
	const struct stop *s = find(ps, PAUSE_DRAIN, source);

	return s != NULL && !is_over(&s->p, clock_wall());
}

void
pauses_each(const struct pauses *ps, void (*each)(void *, const struct pause *),
    void *arg)
{
	int64_t now = clock_wall();
	const struct stop *s;

	TAILQ_FOREACH(s, &ps->list, link)
	if (!is_over(&s->p, now))
		each(arg, &s->p);
}

/* -- its life ------------------------------------------------------------ */

struct pauses *
pauses_new(struct core *c)
{
	struct pauses *ps = xcalloc(1, sizeof(*ps));

	ps->core = c;
	TAILQ_INIT(&ps->list);
	ps->timer = event_new(c->base, -1, 0, on_timer, ps);
	store_each_kept(c->store, KIND, load, ps);
	set_timer(ps);
	return ps;
}

void
pauses_free(struct pauses **pp)
{
	struct pauses *ps = *pp;
	struct stop *s, *next;

	if (ps == NULL)
		return;
	for (s = TAILQ_FIRST(&ps->list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		stop_free(s);
	}
	event_free(ps->timer);
	free(ps);
	*pp = NULL;
}
