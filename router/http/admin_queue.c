/*
 * admin_queue.c - /v1/queue: what waits, why, and an operator's hand on it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/http/admin_int.h"

#define EVENTS_MAX 200 /* of one message, shown with it */

/* -- rows
 * ---------------------------------------------------------------------- */

static const char *
state_name(const struct queue_row *row)
{
	switch (row->state) {
	case RCPT_WAITING:
		return "waiting";
	case RCPT_LEASED:
		return "in memory";
	case RCPT_SENDING:
		return "sending";
	}
	return "";
}

static void
put_route(json_t *o, const struct route *route)
{
	admin_put(o, "path", route->path);
	admin_put(o, "pool", route->pool);
	admin_put(o, "source", route->source);
	admin_put(o, "carrier", route->carrier);
	admin_put(o, "group", route->group);
	admin_put(o, "rule", route->rule);
	admin_put(o, "ruleset", route->ruleset);
	admin_put(o, "configuration_set", route->configuration_set);
}

static json_t *
row_json(const struct queue_row *row)
{
	const struct recipient *rcpt = row->recipient;
	const struct message *m = rcpt->message;
	char id[RECIPIENT_ID_TEXT];
	json_t *o = json_object();

	admin_put(o, "id", recipient_id_text(m->id, rcpt->index, id));
	admin_put(o, "from", m->from);
	admin_put(o, "to", rcpt->address);
	admin_put(o, "state", state_name(row));
	put_route(o, &rcpt->route);
	json_object_set_new(o, "attempts", json_integer(rcpt->attempts));
	json_object_set_new(o, "unread", json_boolean(rcpt->unread));
	admin_put(o, "last", rcpt->last);
	admin_put_time(o, "received", m->received);
	admin_put_time(o, "due", rcpt->due);
	admin_put_time(o, "expires", rcpt->expires);
	json_object_set_new(o, "size", json_integer((json_int_t)m->size));
	admin_put(o, "user", m->user);
	admin_put(o, "listener", m->listener);
	admin_put(o, "client", m->client);
	admin_put(o, "message_id", m->message_id);
	return o;
}

static void
add_row(void *arg, const struct queue_row *row)
{
	json_array_append_new(arg, row_json(row));
}

static void
add_event(void *arg, const struct event_row *event)
{
	char id[RECIPIENT_ID_TEXT];
	json_t *o = json_object();

	admin_put_time(o, "at", event->at);
	admin_put(o, "event", event_type_name(event->type));
	admin_put(o, "id", recipient_id_text(event->message, event->index, id));
	admin_put(o, "to", event->recipient);
	admin_put(o, "path", event->path);
	admin_put(o, "source", event->source);
	admin_put(o, "rule", event->rule);
	admin_put(o, "stage", event->stage);
	json_object_set_new(o, "code", json_integer(event->code));
	admin_put(o, "enhanced", event->enhanced);
	admin_put(o, "reason", event->reason);
	admin_put(o, "text", event->text);
	admin_put(o, "peer", event->peer);
	admin_put(o, "remote_id", event->remote_id);
	json_array_append_new(arg, o);
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

/* "ID" or "ID.n". */
static int
parse_id(const char *text, struct queue_filter *filter)
{
	char message[MESSAGE_ID_TEXT];
	size_t len = strcspn(text, ".");
	char *end = NULL;
	unsigned long index;

	if (len >= sizeof(message))
		return -1;
	memcpy(message, text, len);
	message[len] = '\0';
	if (message_id_parse(message, &filter->message) != 0)
		return -1;
	if (text[len] == '\0')
		return 0;
	errno = 0;
	index = strtoul(text + len + 1, &end, 10);
	if (text[len + 1] < '0' || text[len + 1] > '9' || *end != '\0' ||
	    errno != 0 || index > 1000000)
		return -1;
	filter->index = (int)index;
	return 0;
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

static void
list_run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	json_t *rows = json_array(), *reply = json_object();

	store_read_queue(reader, &r->filter, add_row, rows);
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

void
admin_queue_list(struct admin_request *r)
{
	const char *limit = admin_arg(r, "limit");

	filter_init(&r->filter);
	r->filter.limit = ADMIN_LIMIT_DEFAULT;
	for (size_t i = 0; i < NSELECTORS; i++) {
		const char *value = admin_arg(r, selectors[i].name);

		if (value != NULL)
			set_selector(&r->filter, i, value);
	}
	if (limit != NULL && parse_limit(limit, &r->filter.limit) != 0)
		admin_error(
		    r, 400, "limit is a number from 1 to %d", ADMIN_LIMIT_MAX);
	else
		admin_query(r, list_run, list_read);
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
	store_read_events(
	    reader, r->filter.message, 0, EVENTS_MAX, add_event, r->events);
}

static bool
same_text(const json_t *a, const json_t *b, const char *key)
{
	const char *x = json_string_value(json_object_get(a, key));
	const char *y = json_string_value(json_object_get(b, key));

	return x != NULL && y != NULL && strcmp(x, y) == 0;
}

/* A recipient that has not been given a source yet may go by any of them. */
static json_t *
lane_of(const json_t *lanes, const json_t *row)
{
	const char *source = json_string_value(json_object_get(row, "source"));
	size_t i;
	json_t *lane;

	for (i = 0; (lane = json_array_get(lanes, i)) != NULL; i++)
		if (same_text(lane, row, "path") &&
		    same_text(lane, row, "group") &&
		    (source == NULL || *source == '\0' ||
			same_text(lane, row, "source")))
			return json_incref(lane);
	return json_null();
}

/* Only the events of the recipient asked for. */
static void
keep_events(json_t *events, const char *id)
{
	for (size_t i = json_array_size(events); i-- > 0;) {
		const char *of = json_string_value(
		    json_object_get(json_array_get(events, i), "id"));

		if (of == NULL || strcmp(of, id) != 0)
			json_array_remove(events, i);
	}
}

static void
show_read(struct admin_request *r)
{
	json_t *lanes, *reply, *row;
	char id[RECIPIENT_ID_TEXT];
	size_t i;

	if (r->filter.index >= 0)
		keep_events(r->events, recipient_id_text(r->filter.message,
					   (unsigned)r->filter.index, id));
	if (json_array_size(r->rows) == 0 && json_array_size(r->events) == 0) {
		admin_error(r, 404, "no such message or recipient");
		return;
	}
	lanes = admin_lanes(r->core);
	for (i = 0; (row = json_array_get(r->rows, i)) != NULL; i++)
		json_object_set_new(row, "lane", lane_of(lanes, row));
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
	if (parse_id(r->rest, &r->filter) != 0)
		admin_error(r, 400, "not an id of a message or recipient");
	else
		admin_query(r, show_run, show_read);
}

/* -- POST /v1/queue/retry, /v1/queue/delete
 * -------------------------------------------- */

static void
edit_done(void *arg, int64_t changed, const char *why)
{
	struct admin_request *r = arg;
	json_t *reply;

	if (changed < 0) {
		admin_error(r, 500, "%s", why ? why : "the store refused");
		return;
	}
	reply = json_object();
	json_object_set_new(reply, "changed", json_integer(changed));
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
		return parse_id(text, filter) == 0;
	for (size_t i = 0; i < NSELECTORS; i++)
		if (strcmp(key, selectors[i].name) == 0) {
			set_selector(filter, i, text);
			return true;
		}
	return false;
}

static void
edit(struct admin_request *r, bool delete)
{
	bool all = json_is_true(json_object_get(r->body, "all"));

	filter_init(&r->filter);
	for (void *it = json_object_iter(r->body); it != NULL;
	     it = json_object_iter_next(r->body, it)) {
		const char *key = json_object_iter_key(it);

		if (strcmp(key, "all") == 0 ||
		    read_selector(&r->filter, key, json_object_iter_value(it)))
			continue;
		admin_error(r, 400, "bad selector '%s'", key);
		return;
	}
	/* Everything at once must be meant, not forgotten. */
	if (all != (json_object_size(r->body) == 1 &&
		       json_object_get(r->body, "all") != NULL) ||
	    json_object_size(r->body) == 0) {
		admin_error(
		    r, 400, "expected selectors, or \"all\": true alone");
		return;
	}
	core_queue_edit(r->core, &r->filter, delete, edit_done, r);
}

void
admin_queue_retry(struct admin_request *r)
{
	edit(r, false);
}

void
admin_queue_delete(struct admin_request *r)
{
	edit(r, true);
}
