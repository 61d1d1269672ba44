/*
 * admin_suppress_put.c - POST /v1/suppression/add and import: entries that an
 * operator puts on the list, all of a request or none.
 */
#include "router/http/admin_suppress_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/path.h"
#include "router/suppress.h"

#define DAY	     (INT64_C(86400) * 1000) /* ms */
#define EXPIRES_MOST (INT64_C(3660) * 86400) /* s */

static const char *
or_else(const char *text, const char *otherwise)
{
	return text[0] != '\0' ? text : otherwise;
}

/* -- what is put ----------------------------------------------------------- */

/* All paths, or one of ours. What an SES account suppresses is its own list. */
static const char *
check_scope(struct admin_request *r, const char *text, struct err *e)
{
	struct config *c = core_config(r->core);
	const char *scope = suppress_scope_read(text);
	const struct config_path *path = config_path_find(c, scope);

	if (scope[0] != '\0' && path != NULL && path->kind == PATH_SES)
		err_set(e,
		    "what is suppressed for path '%s' alone is the list of its "
		    "account: oiwake ses suppression add",
		    scope);
	else if (scope[0] != '\0' &&
		 (path == NULL || path_class(path->kind) == NULL))
		err_set(e, "there is no path '%s'", scope);
	config_unref(&c);
	return e->text[0] == '\0' ? scope : NULL;
}

static const char *
check_cause(const char *text, struct err *e)
{
	const struct suppress_reason *reason = suppress_reason_find(text);

	if (strcmp(text, SUPPRESS_MANUAL) == 0)
		return text;
	if (reason == NULL)
		err_set(e, "no such cause: '%s'", text);
	else if (reason->nature == SUPPRESS_NEVER)
		err_set(
		    e, "'%s' never suppresses: %s", text, reason->why_never);
	else
		return reason->name;
	return NULL;
}

/* 0 where there is none. */
static int
read_time(const json_t *row, const char *name, int64_t *out, struct err *e)
{
	const char *text = suppress_member(row, name);

	*out = 0;
	if (text[0] != '\0' && (clock_iso_read(text, out) != 0 || *out <= 0))
		return err_set(e, "%s is no time: '%s'", name, text);
	return 0;
}

/* What a row does not say is taken from the request. */
static int
read_row(struct suppress_change *c, const json_t *row, const char *source,
    struct suppression *s, struct err *e)
{
	const json_t *body = c->request->body;

	s->scope = check_scope(c->request,
	    or_else(suppress_member(row, "scope"),
		or_else(suppress_member(body, "scope"), SUPPRESS_ALL)),
	    e);
	if (s->scope == NULL)
		return -1;
	s->cause = check_cause(
	    or_else(suppress_member(row, "cause"),
		or_else(suppress_member(body, "cause"), SUPPRESS_MANUAL)),
	    e);
	if (s->cause == NULL ||
	    read_time(row, "expires", &s->expires, e) != 0 ||
	    read_time(row, "at", &s->at, e) != 0)
		return -1;
	/* A clock elsewhere may be ahead; by more than a day it is wrong. */
	if (s->at > clock_wall() + DAY)
		return err_set(e, "at lies in the future: '%s'",
		    suppress_member(row, "at"));
	if (s->at == 0)
		s->at = clock_wall();
	s->who = or_else(suppress_member(row, "who"), c->who.data);
	s->source = or_else(suppress_member(row, "source"), source);
	s->evidence = or_else(
	    suppress_member(row, "evidence"), suppress_member(body, "why"));
	s->path = "";
	s->soft = json_is_true(json_object_get(row, "soft"));
	s->state = SUPPRESSION_LOCAL;
	s->address = suppress_address(suppress_member(row, "address"), e);
	return s->address != NULL ? 0 : -1;
}

static struct suppression *
next_entry(struct suppress_change *c)
{
	if (c->n == c->room) {
		c->room = c->room > 0 ? 2 * c->room : 16;
		c->list = xrealloc(c->list, c->room * sizeof(*c->list));
	}
	memset(&c->list[c->n], 0, sizeof(c->list[c->n]));
	return &c->list[c->n];
}

static void
on_put(struct store_request *req)
{
	struct store_suppress *op =
	    container_of(req, struct store_suppress, req);
	struct suppress_change *c =
	    container_of(op, struct suppress_change, put);

	if (req->status != STORE_OK)
		suppress_failed(c, req);
	else
		suppress_answer(c, op->changed);
}

static void
put(struct suppress_change *c)
{
	c->put.req.reply_to = core_inbox(c->request->core);
	c->put.req.done = on_put;
	c->put.n = c->n;
	c->put.list = c->list;
	store_suppress(core_store(c->request->core), &c->put);
}

/* -- POST /v1/suppression/import ------------------------------------------- */

static void
add_bad(struct suppress_change *c, size_t row, const struct err *e)
{
	json_t *o = json_object();

	json_object_set_new(o, "row", json_integer((json_int_t)row));
	admin_put(o, "error", e->text);
	json_array_append_new(c->bad, o);
}

static void
read_rows(struct suppress_change *c)
{
	const json_t *row;
	size_t i;

	c->bad = json_array();
	json_array_foreach(json_object_get(c->request->body, "rows"), i, row)
	{
		struct err e = ERR_INIT;

		if (read_row(c, row, "import", next_entry(c), &e) == 0)
			c->n++;
		else
			add_bad(c, i + 1, &e);
	}
}

static bool
is_asked(const struct admin_request *r, const char *name)
{
	return json_is_true(json_object_get(r->body, name));
}

static void
import(struct admin_request *r)
{
	struct suppress_change *c = suppress_change_new(r, "imported");

	read_rows(c);
	if (is_asked(r, "dry_run") ||
	    (json_array_size(c->bad) > 0 && !is_asked(r, "skip_bad"))) {
		suppress_told(c);
		return;
	}
	put(c);
}

/* {"rows": [{"address": ..., "scope", "cause", "source", "expires", "at",
 * "who", "evidence", "soft"}], "why", "dry_run", "skip_bad"}. When rows are bad
 * nothing is imported, unless they are to be skipped. */
void
admin_suppression_import(struct admin_request *r)
{
	if (!json_is_array(json_object_get(r->body, "rows")))
		admin_error(r, 400, "rows is an array of entries");
	else if (suppress_check_why(r))
		admin_find_who(r, import);
}

/* -- POST /v1/suppression/add ---------------------------------------------- */

/* Seconds from now; 0: for ever. */
static int
read_expires(const struct admin_request *r, int64_t *out, struct err *e)
{
	const json_t *given = json_object_get(r->body, "expires");
	int64_t s = json_integer_value(given);

	*out = 0;
	if (given == NULL)
		return 0;
	if (!json_is_integer(given) || s < 1 || s > EXPIRES_MOST)
		return err_set(e,
		    "expires is a number of seconds from 1 to %lld",
		    (long long)EXPIRES_MOST);
	*out = clock_wall() + s * 1000;
	return 0;
}

/* What a row does not say, the body says for all. */
static int
add_one(struct suppress_change *c, const char *address, int64_t expires,
    struct err *e)
{
	json_t *row = json_pack("{s:s}", "address", address);
	int rc = read_row(c, row, "cli", next_entry(c), e);

	json_decref(row);
	if (rc != 0)
		return -1;
	c->list[c->n++].expires = expires;
	return 0;
}

static int
add_each(struct suppress_change *c, struct err *e)
{
	const json_t *all = json_object_get(c->request->body, "addresses"),
		     *one;
	int64_t expires;
	size_t i;

	if (read_expires(c->request, &expires, e) != 0)
		return -1;
	json_array_foreach(all, i, one)
	{
		if (!json_is_string(one))
			return err_set(e, "addresses is an array of texts");
		if (add_one(c, json_string_value(one), expires, e) != 0)
			return -1;
	}
	return 0;
}

static void
add(struct admin_request *r)
{
	struct suppress_change *c = suppress_change_new(r, "added");
	struct err e = ERR_INIT;

	if (add_each(c, &e) == 0) {
		put(c);
		return;
	}
	admin_error(r, 400, "%s", e.text);
	suppress_change_free(c);
}

/* {"addresses": [...], "scope", "cause", "why", "expires": seconds} */
void
admin_suppression_add(struct admin_request *r)
{
	if (!suppress_has_addresses(r))
		admin_error(r, 400, "addresses is an array of texts");
	else if (suppress_check_why(r))
		admin_find_who(r, add);
}
