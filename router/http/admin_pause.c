/*
 * admin_pause.c - /v1/pause, /v1/resume, /v1/drain, /v1/pauses: what an
 * operator stops, and lets go on.
 */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/http/admin_int.h"
#include "router/keep.h"
#include "router/mail_scope.h"
#include "router/path.h"
#include "router/pause.h"

#define SECONDS_MAX (366 * 86400)
#define NAME_MOST   255 /* a domain's; for a table that a terminal can show */
#define WHY_MOST    1000

/* -- what is meant ------------------------------------------------------- */

struct target {
	enum pause_kind kind;
	const char *name; /* inside the request's body */
};

/* Kinds that are asked for by name; a drain is of a source. */
static const enum pause_kind kinds[] = { PAUSE_PATH, PAUSE_SOURCE,
	PAUSE_GROUP, PAUSE_MAIL };
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

/* {"kind": "mail", "name": "path=mta"} */
static size_t
read_kind(const struct admin_request *r, struct target *t)
{
	const char *kind =
	    json_string_value(json_object_get(r->body, "kind"));

	t->name = json_string_value(json_object_get(r->body, "name"));
	for (size_t i = 0; i < NKINDS && kind != NULL; i++)
		if (strcmp(kind, pause_kind_name(kinds[i])) == 0) {
			t->kind = kinds[i];
			return 1;
		}
	return 0;
}

/* {"mail": "path=mta"} */
static size_t
read_key(const struct admin_request *r, struct target *t)
{
	size_t found = 0;

	for (size_t i = 0; i < NKINDS; i++) {
		json_t *value =
		    json_object_get(r->body, pause_kind_name(kinds[i]));

		if (value == NULL)
			continue;
		found++;
		t->kind = kinds[i];
		t->name = json_string_value(value);
	}
	return found;
}

static bool
has(const struct admin_request *r, const char *key)
{
	return json_object_get(r->body, key) != NULL;
}

/* Just one of path, source, group and mail, either way, and not empty. */
static bool
read_target(const struct admin_request *r, struct target *t)
{
	bool by_kind = has(r, "kind");

	return (by_kind ? read_kind(r, t) : read_key(r, t)) == 1 &&
	       has(r, "name") == by_kind && t->name != NULL &&
	       t->name[0] != '\0' &&
	       strlen(t->name) <=
		   (t->kind == PAUSE_MAIL ? 5 * NAME_MOST : NAME_MOST) &&
	       !str_has_control(t->name, strlen(t->name));
}

/* Of a request that was looked at before. */
static struct target
target_of(const struct admin_request *r)
{
	struct target t = { .name = NULL };

	read_target(r, &t);
	assert(t.name != NULL);
	return t;
}

/* Nothing but the target and these. */
static bool
has_only(const struct admin_request *r, const char *const *keys, size_t nkeys)
{
	size_t n = has(r, "kind") ? 2 : 1;

	for (size_t i = 0; i < nkeys; i++)
		n += has(r, keys[i]);
	return json_object_size(r->body) == n;
}

static void
list_paths(const struct config *c, struct str *names)
{
	for (size_t i = 0; i < c->npaths; i++)
		if (path_class(c->paths[i].kind) != NULL)
			str_addf(names, "%s%s", names->len > 0 ? ", " : "",
			    c->paths[i].name);
}

static void
list_sources(const struct config *c, struct str *names)
{
	for (size_t i = 0; i < c->nsources; i++)
		str_addf(names, "%s%s", names->len > 0 ? ", " : "",
		    c->sources[i].name);
}

static bool
is_path(const struct config *c, const char *name)
{
	const struct config_path *path = config_path_find(c, name);

	return path != NULL && path_class(path->kind) != NULL;
}

static bool
is_known(const struct config *c, const struct target *t)
{
	if (t->kind == PAUSE_SOURCE)
		return config_source_find(c, t->name) != NULL;
	return t->kind != PAUSE_PATH || is_path(c, t->name);
}

static bool check_known(struct admin_request *, const struct target *);

/* What it says can be read, of a path that there is; or answers. */
static bool
check_mail(struct admin_request *r, const struct target *t)
{
	struct target path = { .kind = PAUSE_PATH };
	struct str text = STR_INIT;
	struct mail_scope mail;
	struct err e = ERR_INIT;
	bool good = mail_scope_read(t->name, &mail, &text, &e) == 0;

	path.name = good ? mail.path : "";
	if (!good)
		admin_error(r, 400, "%s", e.text);
	else if (path.name[0] != '\0')
		good = check_known(r, &path);
	str_release(&text);
	return good;
}

/* Or answers with the names there are. */
static bool
check_known(struct admin_request *r, const struct target *t)
{
	struct config *c;
	struct str names = STR_INIT;
	bool known;

	if (t->kind == PAUSE_MAIL)
		return check_mail(r, t);
	c = core_config(r->core);
	known = is_known(c, t);

	if (!known) {
		(t->kind == PAUSE_PATH ? list_paths : list_sources)(c, &names);
		admin_error(r, 400, "there is no %s '%s' but %s",
		    t->kind == PAUSE_PATH ? "path" : "source", t->name,
		    names.len > 0 ? names.data : "none at all");
	}
	str_release(&names);
	config_unref(&c);
	return known;
}

/* -- POST /v1/pause, /v1/drain ------------------------------------------- */

void
admin_on_kept(void *arg, const char *why)
{
	struct admin_request *r = arg;
	json_t *reply;

	if (why != NULL && strcmp(why, KEEP_LATER) == 0) {
		admin_error(r, 503, "in force on this node: %s", why);
		return;
	}
	if (why != NULL) {
		admin_error(r, 500,
		    "in force, but forgotten at the next start: %s", why);
		return;
	}
	reply = json_object();
	json_object_set_new(reply, "ok", json_true());
	admin_reply(r, 200, reply);
}

static char *
lower(const char *name)
{
	char *copy = xstrdup(name);

	for (char *p = copy; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static char *
canonical(const char *name)
{
	struct str text = STR_INIT, out = STR_INIT;
	struct mail_scope mail;

	if (mail_scope_read(name, &mail, &text, NULL) == 0)
		mail_scope_add(&out, &mail);
	str_release(&text);
	return str_detach(&out);
}

/* Domains are compared in lower case; so are the names of receiving systems. */
static char *
name_of(const struct target *t)
{
	return t->kind == PAUSE_GROUP  ? lower(t->name)
	       : t->kind == PAUSE_MAIL ? canonical(t->name)
				       : xstrdup(t->name);
}

/* "seconds": 3600, or "until": a time. 0: until resumed. -1: it cannot be read,
 * or is no time to pause for. */
static int64_t
end_of(const struct admin_request *r, int64_t now)
{
	const json_t *seconds = json_object_get(r->body, "seconds");
	const json_t *time = json_object_get(r->body, "until");
	int64_t until = -1;

	if (seconds == NULL && time == NULL)
		return 0;
	if (seconds != NULL && time != NULL)
		return -1;
	if (json_is_integer(seconds) &&
	    json_integer_value(seconds) <= SECONDS_MAX)
		until = now + (int64_t)json_integer_value(seconds) * 1000;
	else if (json_is_string(time) &&
		 clock_iso_read(json_string_value(time), &until) != 0)
		return -1;
	return until > now && until - now <= SECONDS_MAX * INT64_C(1000)
		   ? until
		   : -1;
}

static void
set(struct admin_request *r, const struct target *t)
{
	const char *text = json_string_value(json_object_get(r->body, "why"));
	char *name = name_of(t);
	struct str who = STR_INIT, why = STR_INIT;
	struct pause p = { .kind = t->kind, .name = name, .at = clock_wall() };

	admin_add_who(r, &who);
	admin_add_clean(&why, text != NULL ? text : "");
	p.who = who.data;
	p.why = why.data;
	/* It was good when it was asked, a moment ago. */
	p.until = end_of(r, p.at);
	if (p.until < 0)
		p.until = p.at;
	pauses_set(core_pauses(r->core), &p, admin_on_kept, r);
	str_release(&who);
	str_release(&why);
	free(name);
}

/* Who was found out: the target was good then. */
static void
pause_it(struct admin_request *r)
{
	struct target t = target_of(r);

	set(r, &t);
}

/* Every recipient is held against each pause of mail. */
static bool
check_room(struct admin_request *r, const struct target *t)
{
	if (t->kind != PAUSE_MAIL ||
	    pauses_of_mail(core_pauses(r->core)) < PAUSE_MAIL_MAX)
		return true;
	admin_error(r, 409, "%d kinds of mail are paused: end some first",
	    PAUSE_MAIL_MAX);
	return false;
}

static bool
check_pause(struct admin_request *r, struct target *t)
{
	static const char *const keys[] = { "seconds", "until", "why" };
	json_t *why = json_object_get(r->body, "why");

	if (read_target(r, t) &&
	    has_only(r, keys, sizeof(keys) / sizeof(keys[0])) &&
	    end_of(r, clock_wall()) >= 0 &&
	    (why == NULL ||
		(json_is_string(why) && json_string_length(why) <= WHY_MOST)))
		return check_known(r, t) && check_room(r, t);
	admin_error(r, 400,
	    "expected one of path, source, group and mail with a name, and if "
	    "need be \"seconds\": 1 to %d or \"until\": a time, and \"why\": a "
	    "text of up to %d bytes",
	    SECONDS_MAX, WHY_MOST);
	return false;
}

void
admin_pause(struct admin_request *r)
{
	struct target t = { .name = NULL };

	if (check_pause(r, &t))
		admin_find_who(r, pause_it);
}

static bool
has_another(
    struct core *core, const struct config_pool *pool, const char *source)
{
	const struct pauses *ps = core_pauses(core);
	bool in_pool = false, other = false;

	for (size_t i = 0; i < pool->nsources; i++) {
		const char *name = pool->sources[i]->name;

		if (strcmp(name, source) == 0)
			in_pool = true;
		else
			other |= !pauses_drained(ps, name);
	}
	return other || !in_pool;
}

/* What would leave by it must have somewhere else to go. */
static bool
check_others(struct admin_request *r, const char *source)
{
	struct config *c = core_config(r->core);
	const struct config_pool *without = NULL;

	for (size_t i = 0; i < c->npools && without == NULL; i++)
		if (!has_another(r->core, &c->pools[i], source))
			without = &c->pools[i];
	if (without != NULL)
		admin_error(r, 409,
		    "pool '%s' has no other source to take its mail: pause it "
		    "instead",
		    without->name);
	config_unref(&c);
	return without == NULL;
}

static void
drain_it(struct admin_request *r)
{
	struct target t = target_of(r);

	t.kind = PAUSE_DRAIN;
	if (check_others(r, t.name))
		set(r, &t);
}

void
admin_drain(struct admin_request *r)
{
	struct target t = { .name = NULL };

	if (!check_pause(r, &t))
		return;
	if (t.kind != PAUSE_SOURCE)
		admin_error(r, 400, "only a source can be drained");
	else
		admin_find_who(r, drain_it);
}

/* -- POST /v1/resume ----------------------------------------------------- */

/* A source may be paused and drained. */
static bool
end(struct admin_request *r, enum pause_kind kind, const char *name,
    const char *who)
{
	struct pauses *ps = core_pauses(r->core);
	bool drained = kind == PAUSE_SOURCE && pauses_drained(ps, name);

	if (pauses_end(
		ps, kind, name, who, drained ? NULL : admin_on_kept, r))
		return !drained || pauses_end(ps, PAUSE_DRAIN, name, who,
				       admin_on_kept, r);
	return drained &&
	       pauses_end(ps, PAUSE_DRAIN, name, who, admin_on_kept, r);
}

static void
resume_it(struct admin_request *r)
{
	struct target t = target_of(r);
	char *name = name_of(&t);
	struct str who = STR_INIT;

	admin_add_who(r, &who);
	if (!end(r, t.kind, name, who.data))
		admin_error(r, 404, "%s '%s' is not %s",
		    pause_kind_name(t.kind), t.name,
		    t.kind == PAUSE_SOURCE ? "paused or drained" : "paused");
	str_release(&who);
	free(name);
}

void
admin_resume(struct admin_request *r)
{
	struct target t = { .name = NULL };

	if (!read_target(r, &t) || !has_only(r, NULL, 0))
		admin_error(r, 400,
		    "expected one of path, source, group and mail with a name");
	else
		admin_find_who(r, resume_it);
}

/* -- GET /v1/pauses ------------------------------------------------------ */

static void
add_pause(void *arg, const struct pause *p)
{
	json_t *row = json_object();

	admin_put(row, "kind", pause_kind_name(p->kind));
	admin_put(row, "name", p->name);
	admin_put(row, "who", p->who);
	admin_put(row, "why", p->why);
	admin_put_time(row, "at", p->at);
	admin_put_time(row, "until", p->until);
	json_array_append_new(arg, row);
}

void
admin_pauses(struct admin_request *r)
{
	json_t *reply = json_object(), *rows = json_array();

	pauses_each(core_pauses(r->core), add_pause, rows);
	json_object_set_new(reply, "rows", rows);
	admin_reply(r, 200, reply);
}
