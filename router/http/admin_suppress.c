/*
 * admin_suppress.c - GET /v1/suppression, GET /v1/suppression/show: who is not
 * written to, and why.
 *
 * What changes the list is in admin_suppress_put.c and admin_suppress_remove.c.
 */
#include "router/http/admin_suppress_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/smtp/address.h"
#include "router/suppress.h"

/* -- filters --------------------------------------------------------------- */

static const char *const fields[] = { "scope", "address", "cause", "path",
	"source", "who", "since", "until", "expired" };

#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

const char *
suppress_scope_read(const char *text)
{
	return text != NULL && strcmp(text, SUPPRESS_ALL) == 0 ? "" : text;
}

static const char *
field(struct admin_request *r, const char *name)
{
	return r->body != NULL ? json_string_value(json_object_get(
				     json_object_get(r->body, "filter"), name))
			       : admin_arg(r, name);
}

/* "" where there is none. */
static const char *
text_field(struct admin_request *r, const char *name)
{
	const char *text = field(r, name);

	return text != NULL ? text : "";
}

/* "@domain", or an address. NULL: neither. */
static char *
read_address(const char *text)
{
	size_t n = strlen(text);
	char *key;

	if (text[0] != '@')
		return suppress_key(text);
	if (n < 2 || n > ADDRESS_DOMAIN_MAX + 1)
		return NULL;
	key = xstrdup(text);
	for (char *p = key; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return key;
}

static bool
is_field(const char *name)
{
	for (size_t i = 0; i < NFIELDS; i++)
		if (strcmp(fields[i], name) == 0)
			return true;
	return false;
}

/* Of a body, where a name that is not known would match more than was meant. */
static bool
check_names(struct admin_request *r)
{
	json_t *filter = json_object_get(r->body, "filter"), *value;
	const char *name;

	json_object_foreach(filter, name, value)
	{
		if (is_field(name) && json_is_string(value))
			continue;
		admin_error(r, 400, "there is no '%s' to filter by", name);
		return false;
	}
	return true;
}

static bool
check_time(struct admin_request *r, const char *name)
{
	const char *text = field(r, name);
	int64_t at;

	if (text == NULL || clock_iso_read(text, &at) == 0)
		return true;
	admin_error(r, 400,
	    "%s is a time such as 2026-11-03T00:00:00Z, not "
	    "'%s'",
	    name, text);
	return false;
}

/* Of nothing at all, which would match everything. */
static bool
check_empty(struct admin_request *r)
{
	for (size_t i = 0; i < NFIELDS; i++) {
		const char *text = field(r, fields[i]);

		if (text == NULL || text[0] != '\0')
			continue;
		admin_error(r, 400, "%s is empty", fields[i]);
		return false;
	}
	return true;
}

static bool
check_times(struct admin_request *r)
{
	int64_t since, until;

	if (!check_time(r, "since") || !check_time(r, "until"))
		return false;
	if (clock_iso_read(text_field(r, "since"), &since) != 0 ||
	    clock_iso_read(text_field(r, "until"), &until) != 0 ||
	    since < until)
		return true;
	admin_error(r, 400, "since is not before until");
	return false;
}

static bool
check_address(struct admin_request *r)
{
	const char *text = field(r, "address");
	char *key = text != NULL ? read_address(text) : NULL;
	bool good = text == NULL || key != NULL;

	free(key);
	if (!good)
		admin_error(r, 400, "no address: '%s'", text);
	return good;
}

bool
suppress_filter_check(struct admin_request *r, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < NFIELDS; i++)
		*n += field(r, fields[i]) != NULL;
	return check_names(r) && check_empty(r) && check_times(r) &&
	       check_address(r);
}

void
suppress_filter(
    struct admin_request *r, struct suppression_filter *out, char **key)
{
	const char *address = field(r, "address");

	*key = address != NULL ? read_address(address) : NULL;
	*out = (struct suppression_filter){
		.scope = suppress_scope_read(field(r, "scope")),
		.address = *key != NULL ? *key : "",
		.cause = text_field(r, "cause"),
		.path = text_field(r, "path"),
		.source = text_field(r, "source"),
		.who = text_field(r, "who"),
		.expired = field(r, "expired") != NULL,
	};
	clock_iso_read(text_field(r, "since"), &out->since);
	clock_iso_read(text_field(r, "until"), &out->until);
}

/* -- rows ------------------------------------------------------------------ */

static const char *const states[] = {
	[SUPPRESSION_SYNCED] = "synced",
	[SUPPRESSION_LOCAL] = "local",
	[SUPPRESSION_GONE] = "gone",
};

/* As people write it: a key holds the local part without its quotes. */
static void
put_address(json_t *o, const char *key)
{
	const char *at = strrchr(key, '@');
	char buf[ADDRESS_TEXT_MAX];
	struct address a = { .null = false };
	size_t n = at != NULL ? (size_t)(at - key) : 0;

	if (n == 0 || n >= sizeof(a.local) ||
	    strlen(at + 1) >= sizeof(a.domain)) {
		admin_put(o, "address", key);
		return;
	}
	memcpy(a.local, key, n);
	strcpy(a.domain, at + 1);
	admin_put(o, "address", address_format(&a, QUOTE_RAW, buf));
}

/* What is not known of an entry is left out. */
static void
put_known(json_t *o, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		admin_put(o, key, text);
}

json_t *
suppress_row(const struct suppression *s)
{
	json_t *o = json_object();
	char id[RECIPIENT_ID_TEXT];

	put_address(o, s->address);
	admin_put(o, "scope", s->scope[0] != '\0' ? s->scope : SUPPRESS_ALL);
	admin_put(o, "cause", s->cause);
	put_known(o, "source", s->source);
	admin_put_time(o, "expires", s->expires);
	admin_put_time(o, "at", s->at);
	put_known(o, "who", s->who);
	put_known(o, "evidence", s->evidence);
	put_known(o, "path", s->path);
	if (s->message != 0)
		admin_put(
		    o, "message", recipient_id_text(s->message, s->index, id));
	if (s->soft)
		json_object_set_new(o, "soft", json_true());
	/* How it stands to the list of that path's account. */
	if (s->scope[0] != '\0' && s->state != SUPPRESSION_SYNCED)
		admin_put(o, "state", states[s->state]);
	return o;
}

/* The place of the last row: what reading on begins behind. */
static void
add_row(void *arg, const struct suppression *s)
{
	struct admin_request *r = arg;
	struct str place = STR_INIT;

	json_array_append_new(r->rows, suppress_row(s));
	str_addf(&place, "%s %s", s->scope, s->address);
	free(r->text);
	r->text = str_detach(&place);
}

/* -- GET /v1/suppression --------------------------------------------------- */

/* ?after=SCOPE ADDRESS: a scope is a name, and so holds no space. */
static void
run_list(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	const char *after = admin_arg(r, "after");
	size_t n = after != NULL ? strcspn(after, " ") : 0;
	char *scope = xstrndup(after != NULL ? after : "", n), *key;
	struct suppression_filter filter;

	suppress_filter(r, &filter, &key);
	r->count = store_read_suppressions(reader, &filter, scope,
	    after != NULL && after[n] == ' ' ? after + n + 1 : "", r->limit,
	    add_row, r);
	free(scope);
	free(key);
}

static void
read_list(struct admin_request *r)
{
	json_t *reply = json_object();

	json_object_set(reply, "rows", r->rows);
	if (r->count == r->limit)
		admin_put(reply, "next", r->text);
	admin_reply(r, 200, reply);
}

void
admin_suppression_list(struct admin_request *r)
{
	const char *text = admin_arg(r, "limit");
	int64_t limit = ADMIN_LIMIT_DEFAULT;
	size_t n;

	if (text != NULL &&
	    admin_number(text, 1, ADMIN_LIMIT_MAX, &limit) != 0) {
		admin_error(
		    r, 400, "limit is a number from 1 to %d", ADMIN_LIMIT_MAX);
	} else if (suppress_filter_check(r, &n)) {
		r->limit = (size_t)limit;
		r->rows = json_array();
		admin_query(r, run_list, read_list);
	}
}

/* -- GET /v1/suppression/show ---------------------------------------------- */

static void
run_show(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	struct suppression_filter filter = { .cause = "",
		.path = "",
		.source = "",
		.who = "",
		.expired = true };
	char *key = suppress_key(admin_arg(r, "address"));

	filter.address = key;
	store_read_suppressions(
	    reader, &filter, "", "", ADMIN_LIMIT_MAX, add_row, r);
	free(key);
}

static void
read_show(struct admin_request *r)
{
	json_t *reply = json_object();

	json_object_set(reply, "rows", r->rows);
	admin_reply(r, 200, reply);
}

/* ?address=ADDRESS: its entries for all paths and for single ones, those as
 * well that have expired. */
void
admin_suppression_show(struct admin_request *r)
{
	const char *text = admin_arg(r, "address");
	char *key = text != NULL ? suppress_key(text) : NULL;

	if (key == NULL) {
		admin_error(r, 400, "no address: '%s'", text ? text : "");
	} else {
		r->rows = json_array();
		admin_query(r, run_show, read_show);
	}
	free(key);
}
