/*
 * admin_suppress_remove.c - POST /v1/suppression/remove: entries that an
 * operator takes away, by address or by what they have in common.
 *
 * What goes by a filter goes in slices, as store_unsuppress says.
 */
#include "router/http/admin_suppress_int.h"

#include <stdlib.h>
#include <string.h>

#include "router/suppress.h"

/* -- POST /v1/suppression/remove ------------------------------------------- */

static void take_next(struct suppress_change *);

static void
on_taken(struct store_request *req)
{
	struct store_unsuppress *op =
	    container_of(req, struct store_unsuppress, req);
	struct suppress_change *c =
	    container_of(op, struct suppress_change, take);

	c->total += op->changed;
	if (req->status != STORE_OK)
		suppress_failed(c, req);
	else
		take_next(c);
}

static void
take(struct suppress_change *c)
{
	c->take.req =
	    (struct store_request){ .reply_to = core_inbox(c->request->core),
		    .done = on_taken };
	store_unsuppress(core_store(c->request->core), &c->take);
}

/* The next of the addresses; the answer when there are no more. */
static void
take_next(struct suppress_change *c)
{
	const json_t *body = c->request->body;
	const json_t *one =
	    json_array_get(json_object_get(body, "addresses"), c->at++);

	free(c->key);
	c->key = NULL;
	if (one == NULL) {
		suppress_answer(c, c->total);
		return;
	}
	c->key = suppress_key(json_string_value(one));
	c->take = (struct store_unsuppress){
		.filter = { .scope = suppress_scope_read(json_string_value(
				json_object_get(body, "scope"))),
		    .address = c->key,
		    .cause = "",
		    .path = "",
		    .source = "",
		    .who = "",
		    .expired = true },
	};
	take(c);
}

static void
take_by_filter(struct admin_request *r)
{
	struct suppress_change *c = suppress_change_new(r, "removed");

	suppress_filter(r, &c->take.filter, &c->key);
	take(c);
}

static void
take_addresses(struct admin_request *r)
{
	struct suppress_change *c = suppress_change_new(r, "removed");

	take_next(c);
}

/* -- what would go --------------------------------------------------------- */

static void
count_row(void *arg, const struct suppression *s)
{
	(void)arg;
	(void)s;
}

static void
run_count(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	struct suppression_filter filter;
	char *key;

	suppress_filter(r, &filter, &key);
	r->count = store_read_suppressions(
	    reader, &filter, "", "", INT64_MAX, count_row, NULL);
	free(key);
}

static void
read_count(struct admin_request *r)
{
	json_t *reply = json_object();

	json_object_set_new(
	    reply, "would_remove", json_integer((json_int_t)r->count));
	admin_reply(r, 200, reply);
}

static bool
check_addresses(struct admin_request *r)
{
	const json_t *all = json_object_get(r->body, "addresses"), *one;
	struct err e = ERR_INIT;
	size_t i;

	json_array_foreach(all, i, one)
	{
		char *key = json_is_string(one)
				? suppress_address(json_string_value(one), &e)
				: NULL;

		if (key == NULL) {
			admin_error(r, 400, "%s",
			    e.text[0] != '\0'
				? e.text
				: "addresses is an array of texts");
			return false;
		}
		free(key);
	}
	return true;
}

/* {"addresses": [...], "scope", "why"}, or {"filter": {...}, "why", "dry_run"}
 */
void
admin_suppression_remove(struct admin_request *r)
{
	const json_t *filter = json_object_get(r->body, "filter");
	/* `expired` alone names none: it adds to what the others match. */
	bool filters = json_object_size(filter) >
		       (json_object_get(filter, "expired") != NULL);
	size_t n;

	if (!suppress_check_why(r))
		return;
	if (filters == suppress_has_addresses(r))
		admin_error(r, 400, "say which: addresses, or a filter");
	else if (!filters && check_addresses(r))
		admin_find_who(r, take_addresses);
	else if (!filters || !suppress_filter_check(r, &n))
		return;
	else if (json_is_true(json_object_get(r->body, "dry_run")))
		admin_query(r, run_count, read_count);
	else
		admin_find_who(r, take_by_filter);
}
