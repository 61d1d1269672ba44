/*
 * admin_traffic.c - GET /v1/traffic: envelopes of recent mail, a page at a
 * time.
 *
 * A row is a message, or of a large one what the store keeps together. A page
 * ends with a whole row, after `limit` messages or PAGE_MAX bytes; "next" is
 * then where the following one begins.
 */
#include <string.h>

#include "router/http/admin_int.h"

#define PAGE_MAX (2u << 20) /* bytes of addresses and the like, roughly */
#define ROW_COST 64	    /* of a recipient or message besides its text */

static json_t *
message_json(const struct traffic_row *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "seq", json_integer(row->seq));
	json_object_set_new(o, "at", json_integer(row->at));
	admin_put(o, "from", row->from);
	admin_put(o, "header_from", row->header_from);
	admin_put(o, "user", row->user);
	admin_put(o, "listener", row->listener);
	admin_put(o, "tags", row->tags);
	json_object_set_new(o, "size", json_integer((json_int_t)row->size));
	json_object_set_new(o, "to", json_array());
	return o;
}

static void
add_recipient(void *arg, const struct traffic_row *row)
{
	struct admin_request *r = arg;
	json_t *last = json_array_get(r->rows, json_array_size(r->rows) - 1),
	       *to;

	if (last == NULL || row->seq != r->after) {
		if (r->count >= PAGE_MAX)
			return; /* this and what follows: on the next page */
		last = message_json(row);
		json_array_append_new(r->rows, last);
		r->after = row->seq;
		r->count += ROW_COST + strlen(row->from) + strlen(row->tags);
	}
	to = json_object();
	admin_put(to, "address", row->address);
	json_object_set_new(to, "irregular", json_boolean(row->irregular));
	json_array_append_new(json_object_get(last, "to"), to);
	r->count += ROW_COST + strlen(row->address);
}

static void
run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	json_t *reply = json_object();
	size_t n;

	r->rows = json_array();
	n = store_read_traffic(
	    reader, r->since, r->after, r->limit, add_recipient, r);
	json_object_set_new(reply, "next",
	    n == r->limit || json_array_size(r->rows) < n
		? json_integer(r->after)
		: json_null());
	json_object_set_new(reply, "rows", r->rows);
	r->rows = NULL;
	r->text = json_dumps(reply, JSON_COMPACT);
	json_decref(reply);
}

static void
read_done(struct admin_request *r)
{
	if (r->text == NULL)
		admin_error(r, 500, "no answer could be made");
	else
		admin_reply_text(r, 200, r->text);
}

static int64_t
number_arg(struct admin_request *r, const char *name, int64_t otherwise,
    int64_t most, bool *good)
{
	const char *text = admin_arg(r, name);
	int64_t n = otherwise;

	if (text != NULL && admin_number(text, 0, most, &n) != 0)
		*good = false;
	return n;
}

void
admin_traffic(struct admin_request *r)
{
	bool good = true;

	r->since = number_arg(r, "since", 0, INT64_MAX, &good);
	r->after = number_arg(r, "after", 0, INT64_MAX, &good);
	r->limit = (size_t)number_arg(
	    r, "limit", ADMIN_LIMIT_DEFAULT, ADMIN_LIMIT_MAX, &good);
	if (!good || r->limit == 0)
		admin_error(r, 400,
		    "since, after and limit are numbers, limit from 1 to %d",
		    ADMIN_LIMIT_MAX);
	else
		admin_query(r, run, read_done);
}
