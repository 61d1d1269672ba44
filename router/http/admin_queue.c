/*
 * admin_queue.c - /v1/queue: what waits, why, and an operator's hand on it.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "router/http/admin_int.h"
#include "router/http/admin_rows.h"

#define EVENTS_MAX 200 /* of one message, shown with it */

static void
add_row(void *arg, const struct queue_row *row)
{
	json_array_append_new(arg, admin_queue_row(row));
}

static void
add_event(void *arg, const struct event_row *event)
{
	json_array_append_new(arg, admin_event_row(event));
}

static void
add_event_before(void *arg, const struct event_row *event)
{
	json_array_insert_new(arg, 0, admin_event_row(event));
}

/* -- filters
 * --------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset; /* in struct queue_filter */
} selectors[] = {
	{ "to", offsetof(struct queue_filter, to) },
	{ "domain", offsetof(struct queue_filter, domain) },
	{ "sender", offsetof(struct queue_filter, sender) },
	{ "path", offsetof(struct queue_filter, path) },
	{ "carrier", offsetof(struct queue_filter, carrier) },
};
#define NSELECTORS (sizeof(selectors) / sizeof(selectors[0]))

static void
set_selector(struct queue_filter *filter, size_t i, const char *value)
{
	memcpy((char *)filter + selectors[i].offset, &value, sizeof(value));
}

static void
filter_init(struct queue_filter *filter)
{
	*filter = (struct queue_filter){ .index = -1 };
	for (size_t i = 0; i < NSELECTORS; i++)
		set_selector(filter, i, "");
}

static int
parse_limit(const char *text, size_t *limit)
{
	int64_t n;

	if (admin_number(text, 1, ADMIN_LIMIT_MAX, &n) != 0)
		return -1;
	*limit = (size_t)n;
	return 0;
}

/* -- GET /v1/queue
 * ----------------------------------------------------------------- */

/* With the lanes as they were when it was asked for. */
static void
put_lanes(const json_t *rows, const json_t *lanes)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_object_set_new(row, "lane", admin_lane_of(lanes, row));
	}
}

static void
list_run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	json_t *rows = json_array(), *reply = json_object();
	size_t n = store_read_queue(reader, &r->filter, add_row, rows);

	if (r->events != NULL)
		put_lanes(rows, r->events);
	if (n == r->filter.limit)
		json_object_set(reply, "next",
		    json_object_get(json_array_get(rows, n - 1), "id"));
	if (admin_arg(r, "count") != NULL)
		json_object_set_new(reply, "count",
		    json_integer((json_int_t)store_count_queue(
			reader, &r->filter)));
	json_object_set_new(reply, "rows", rows);
	r->text = json_dumps(reply, JSON_COMPACT);
	json_decref(reply);
}

static void
list_read(struct admin_request *r)
{
	if (r->text == NULL)
		admin_error(r, 500, "no answer could be made");
	else
		admin_reply_text(r, 200, r->text);
}

/* "ID.n", the last of the page before. */
static int
parse_after(const char *text, struct queue_filter *filter)
{
	int index;

	if (admin_recipient_id(text, &filter->after_message, &index) != 0 ||
	    index < 0)
		return -1;
	filter->after_index = (unsigned)index;
	return 0;
}

/* ?to=, domain=, sender=, path=, carrier=, limit=N, after=ID.n; with count= how
 * many there are in all, with lanes= the lane of each. */
void
admin_queue_list(struct admin_request *r)
{
	const char *limit = admin_arg(r, "limit"),
		   *after = admin_arg(r, "after");

	filter_init(&r->filter);
	r->filter.limit = ADMIN_LIMIT_DEFAULT;
	for (size_t i = 0; i < NSELECTORS; i++) {
		const char *value = admin_arg(r, selectors[i].name);

		if (value != NULL)
			set_selector(&r->filter, i, value);
	}
	if (limit != NULL && parse_limit(limit, &r->filter.limit) != 0) {
		admin_error(
		    r, 400, "limit is a number from 1 to %d", ADMIN_LIMIT_MAX);
	} else if (after != NULL && parse_after(after, &r->filter) != 0) {
		admin_error(r, 400, "after is the id of a recipient");
	} else {
		if (admin_arg(r, "lanes") != NULL)
			r->events = admin_lanes(r->core);
		admin_query(r, list_run, list_read);
	}
}

/* -- GET /v1/queue/ID
 * ---------------------------------------------------------------- */

static void
show_run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);

	r->rows = json_array();
	r->events = json_array();
	store_read_queue(reader, &r->filter, add_row, r->rows);
	if (r->filter.index >= 0)
		store_read_recipient_events(reader, r->filter.message,
		    (unsigned)r->filter.index, 0, EVENTS_MAX, add_event_before,
		    r->events);
	else
		store_read_events(reader, r->filter.message, 0, EVENTS_MAX,
		    add_event, r->events);
}

static void
show_read(struct admin_request *r)
{
	json_t *lanes, *reply, *row;
	size_t i;

	if (json_array_size(r->rows) == 0 && json_array_size(r->events) == 0) {
		admin_error(r, 404, "no such message or recipient");
		return;
	}
	lanes = admin_lanes(r->core);
	for (i = 0; (row = json_array_get(r->rows, i)) != NULL; i++)
		json_object_set_new(row, "lane", admin_lane_of(lanes, row));
	json_decref(lanes);
	reply = json_object();
	json_object_set(reply, "rows", r->rows);
	json_object_set(reply, "events", r->events);
	admin_reply(r, 200, reply);
}

void
admin_queue_show(struct admin_request *r)
{
	filter_init(&r->filter);
	r->filter.limit = ADMIN_LIMIT_MAX;
	if (admin_recipient_id(
		r->rest, &r->filter.message, &r->filter.index) != 0)
		admin_error(r, 400, "not an id of a message or recipient");
	else
		admin_query(r, show_run, show_read);
}

/* -- POST /v1/queue/retry, /v1/queue/delete, /v1/queue/hold ------------------ */

#define WHY_MOST 500 /* bytes, kept with each recipient that is held */

struct edit {
	struct admin_request *request;
	const char *done; /* "retried" */
	struct str who;
};

static void
log_clean(struct logline *l, const char *name, const char *text)
{
	struct str clean = STR_INIT;

	admin_add_clean(&clean, text);
	log_str(l, name, clean.data);
	str_release(&clean);
}

static void
log_edit(const struct edit *e, int64_t changed)
{
	const char *key;
	json_t *value;
	struct logline l;

	if (!log_start(&l, LOG_INFO, "queue"))
		return;
	log_str(&l, "what", e->done);
	log_int(&l, "changed", changed);
	json_object_foreach(e->request->body, key, value)
	{
		if (json_is_string(value))
			log_clean(&l, key, json_string_value(value));
		else
			log_str(&l, key, "yes");
	}
	log_str(&l, "who", e->who.data);
	log_end(&l);
}

static void
edit_done(void *arg, int64_t changed, const char *why)
{
	struct edit *e = arg;
	struct admin_request *r = e->request;
	json_t *reply;

	if (changed >= 0)
		log_edit(e, changed);
	str_release(&e->who);
	free(e);
	if (changed < 0) {
		admin_error(r, 500, "%s", why ? why : "the store refused");
		return;
	}
	reply = json_object();
	json_object_set_new(reply, "changed", json_integer(changed));
	admin_reply(r, 200, reply);
}

static struct edit *
edit_new(struct admin_request *r, const char *done)
{
	struct edit *e = xcalloc(1, sizeof(*e));

	e->request = r;
	e->done = done;
	str_init(&e->who);
	admin_add_who(r, &e->who);
	return e;
}

static void
retry(struct admin_request *r)
{
	core_queue_edit(
	    r->core, &r->filter, false, edit_done, edit_new(r, "retried"));
}

static void
delete(struct admin_request *r)
{
	core_queue_edit(
	    r->core, &r->filter, true, edit_done, edit_new(r, "deleted"));
}

static void
hold(struct admin_request *r)
{
	struct edit *e = edit_new(r, "held");
	struct str why = STR_INIT;
	char *held;

	admin_add_clean(&why, json_string_value(json_object_get(r->body, "why")));
	held = admin_held_text(e->who.data, why.data);
	core_queue_hold(r->core, &r->filter, held, edit_done, e);
	free(held);
	str_release(&why);
}

static void
count_run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);

	r->count = store_count_queue(reader, &r->filter);
}

static void
count_read(struct admin_request *r)
{
	json_t *reply = json_object();

	json_object_set_new(
	    reply, "would_change", json_integer((json_int_t)r->count));
	admin_reply(r, 200, reply);
}

/* A known selector with a text; false for anything else. */
static bool
read_selector(struct queue_filter *filter, const char *key, json_t *value)
{
	const char *text = json_string_value(value);

	if (text == NULL || *text == '\0')
		return false;
	if (strcmp(key, "id") == 0)
		return admin_recipient_id(
			   text, &filter->message, &filter->index) == 0;
	for (size_t i = 0; i < NSELECTORS; i++)
		if (strcmp(key, selectors[i].name) == 0) {
			set_selector(filter, i, text);
			return true;
		}
	return false;
}

/* What is no selector. */
static bool
is_aside(const char *key)
{
	return strcmp(key, "why") == 0 || strcmp(key, "dry_run") == 0;
}

/* Everything at once must be meant, not forgotten. */
static bool
read_selectors(struct admin_request *r)
{
	bool all = json_is_true(json_object_get(r->body, "all"));
	size_t n = 0;
	const char *key;
	json_t *value;

	filter_init(&r->filter);
	json_object_foreach(r->body, key, value)
	{
		if (is_aside(key))
			continue;
		n++;
		if (strcmp(key, "all") == 0 ||
		    read_selector(&r->filter, key, value))
			continue;
		admin_error(r, 400, "bad selector '%s'", key);
		return false;
	}
	if (n > 0 && all == (n == 1 && json_object_get(r->body, "all") != NULL))
		return true;
	admin_error(r, 400, "expected selectors, or \"all\": true alone");
	return false;
}

static bool
check_why(struct admin_request *r, bool wanted)
{
	const json_t *why = json_object_get(r->body, "why");

	if (why == NULL ? !wanted
			: json_is_string(why) && json_string_length(why) > 0 &&
				  json_string_length(why) <= WHY_MOST)
		return true;
	admin_error(r, 400, "why is a text of up to %d bytes", WHY_MOST);
	return false;
}

/* {selectors, "why", "dry_run": true}: which, and to say how many, only. */
static void
edit(struct admin_request *r, bool why, void (*change)(struct admin_request *))
{
	bool dry = json_is_true(json_object_get(r->body, "dry_run"));

	if (!read_selectors(r) || !check_why(r, why && !dry))
		return;
	if (dry)
		admin_query(r, count_run, count_read);
	else
		admin_find_who(r, change);
}

void
admin_queue_retry(struct admin_request *r)
{
	edit(r, false, retry);
}

void
admin_queue_delete(struct admin_request *r)
{
	edit(r, false, delete);
}

void
admin_queue_hold(struct admin_request *r)
{
	edit(r, true, hold);
}
