/*
 * admin_rows.c - rows of answers: a recipient in the queue, an event, a lane.
 */
#include "router/http/admin_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/http/admin_int.h"

/* -- a recipient in the queue ----------------------------------------------- */

static const char *
state_name(const struct queue_row *row)
{
	switch (row->state) {
	case RCPT_WAITING:
		return row->recipient->held_at != 0 ? "held" : "waiting";
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

char *
admin_held_text(const char *who, const char *why)
{
	json_t *o = json_object();
	char *text;

	admin_put(o, "who", who);
	admin_put(o, "why", why);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		abort(); /* out of memory */
	return text;
}

/* As admin_held_text wrote it; whatever else is there says nothing. */
static json_t *
held_json(const struct recipient *r)
{
	json_t *o;

	if (r->held_at == 0)
		return json_null();
	o = json_loads(r->held, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		o = json_object();
	}
	admin_put_time(o, "since", r->held_at);
	return o;
}

json_t *
admin_queue_row(const struct queue_row *row)
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
	json_object_set_new(o, "held", held_json(rcpt));
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

/* -- an event ---------------------------------------------------------------- */

json_t *
admin_event_row(const struct event_row *event)
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
	admin_put(o, "ruleset", event->ruleset);
	admin_put(o, "stage", event->stage);
	json_object_set_new(o, "code", json_integer(event->code));
	admin_put(o, "enhanced", event->enhanced);
	admin_put(o, "reason", event->reason);
	admin_put(o, "text", event->text);
	admin_put(o, "peer", event->peer);
	admin_put(o, "remote_id", event->remote_id);
	return o;
}

/* -- its lane ---------------------------------------------------------------- */

static bool
same_text(const json_t *a, const json_t *b, const char *key)
{
	const char *x = json_string_value(json_object_get(a, key));
	const char *y = json_string_value(json_object_get(b, key));

	return x != NULL && y != NULL && strcmp(x, y) == 0;
}

/* A recipient that has not been given a source yet may go by any of them. */
json_t *
admin_lane_of(const json_t *lanes, const json_t *row)
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

/* -- ids ----------------------------------------------------------------------- */

int
admin_recipient_id(const char *text, int64_t *message, int *index)
{
	char id[MESSAGE_ID_TEXT];
	size_t len = strcspn(text, ".");
	char *end = NULL;
	unsigned long n;

	*index = -1;
	if (len >= sizeof(id))
		return -1;
	memcpy(id, text, len);
	id[len] = '\0';
	if (message_id_parse(id, message) != 0)
		return -1;
	if (text[len] == '\0')
		return 0;
	errno = 0;
	n = strtoul(text + len + 1, &end, 10);
	if (text[len + 1] < '0' || text[len + 1] > '9' || *end != '\0' ||
	    errno != 0 || n > 1000000)
		return -1;
	*index = (int)n;
	return 0;
}

