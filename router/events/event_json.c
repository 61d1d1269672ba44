/*
 * event_json.c - a row of the event log as SES would tell it.
 *
 * The mail object comes from what was kept at intake, this event's own members
 * and tags are added; the member that the type names is made by event_detail.c.
 */
#include "router/events/event_json.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/events/event_json_int.h"
#include "router/message.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* -- types ----------------------------------------------------------------- */

static const struct {
	enum event_type type;
	const char *name, *member;
	json_t *(*detail)(const struct event_telling *);
} kinds[] = {
	{ EVENT_SEND, "Send", "send", event_detail_send },
	{ EVENT_DELIVERY, "Delivery", "delivery", event_detail_delivery },
	{ EVENT_BOUNCE, "Bounce", "bounce", event_detail_bounce },
	{ EVENT_EXPIRED, "Bounce", "bounce", event_detail_bounce },
	{ EVENT_SUPPRESSED, "Bounce", "bounce", event_detail_bounce },
	{ EVENT_DELAY, "DeliveryDelay", "deliveryDelay", event_detail_delay },
	{ EVENT_COMPLAINT, "Complaint", "complaint", event_detail_complaint },
	{ EVENT_REJECT, "Reject", "reject", event_detail_reject },
	{ EVENT_OPEN, "Open", "open", event_detail_open },
	{ EVENT_CLICK, "Click", "click", event_detail_click },
	{ EVENT_RENDERING, "Rendering Failure", "failure",
	    event_detail_rendering },
	{ EVENT_SUBSCRIPTION, "Subscription", "subscription",
	    event_detail_subscription },
	{ EVENT_GUARD, "Guard", "guard", event_detail_guard },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t
kind_of(enum event_type type)
{
	size_t i = 0;

	while (i < KINDS && kinds[i].type != type)
		i++;
	return i;
}

const char *
event_json_name(enum event_type type)
{
	size_t i = kind_of(type);

	return i < KINDS ? kinds[i].name : "";
}

bool
event_json_is_name(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return true;
	return false;
}

/* What SES took has its id, unless that could not be read. */
static bool
is_ours(const struct event_row *row, const struct event_json_context *ctx)
{
	return !ctx->by_ses && row->remote_id[0] == '\0';
}

unsigned
event_json_types(const struct event_row *row,
    const struct event_json_context *ctx,
    enum event_type types[static EVENT_TOLD_MAX])
{
	unsigned n = 0;

	if (kind_of(row->type) == KINDS)
		return 0;
	/* A notice of our own: nobody sent it who could be told. */
	if (ctx->mail == NULL && row->sender[0] == '\0' &&
	    row->type != EVENT_GUARD)
		return 0;
	if ((row->type == EVENT_SEND || row->type == EVENT_DELIVERY) &&
	    is_ours(row, ctx)) {
		types[n++] = EVENT_SEND;
		types[n++] = EVENT_DELIVERY;
	} else {
		types[n++] = row->type;
	}
	return n;
}

char *
event_json_id(const struct event_row *row, enum event_type type,
    char buf[static EVENT_ID_MAX])
{
	char id[RECIPIENT_ID_TEXT];

	snprintf(buf, EVENT_ID_MAX, "%s_%lld_%s",
	    recipient_id_text(row->message, row->index, id),
	    (long long)row->seq, event_json_name(type));
	for (char *p = buf; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			*p = '-';
	return buf;
}

/* -- values ---------------------------------------------------------------- */

json_t *
event_string(const char *text)
{
	json_t *value = json_string(text);
	struct str clean = STR_INIT;

	if (value != NULL)
		return value;
	event_text_add(&clean, text, strlen(text));
	value = json_loadb(clean.data, clean.len, JSON_DECODE_ANY, NULL);
	str_release(&clean);
	return value != NULL ? value : json_string("");
}

void
event_put(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, event_string(text));
}

void
event_put_time(json_t *object, const char *name, int64_t wall)
{
	char buf[25];

	json_object_set_new(object, name, json_string(clock_iso(wall, buf)));
}

/* -- mail ------------------------------------------------------------------ */

static void
add_tag(json_t *tags, const char *name, const char *text)
{
	json_t *list;

	if (text == NULL || text[0] == '\0')
		return;
	list = json_array();
	json_array_append_new(list, event_string(text));
	json_object_set_new(tags, name, list);
}

static void
add_tags(json_t *mail, const struct event_row *row)
{
	json_t *tags = json_object_get(mail, "tags");
	char id[RECIPIENT_ID_TEXT];

	if (!json_is_object(tags)) {
		tags = json_object();
		json_object_set_new(mail, "tags", tags);
	}
	add_tag(
	    tags, "oiwake:id", recipient_id_text(row->message, row->index, id));
	add_tag(tags, "oiwake:path", row->path);
	add_tag(tags, "oiwake:carrier", row->carrier);
	add_tag(tags, "oiwake:group", row->group);
	add_tag(tags, "oiwake:source", row->source);
	add_tag(tags, "oiwake:rule", row->rule);
	add_tag(tags, "oiwake:reason", row->reason);
}

/* SES's own, or one that cannot be: with the id of one recipient, as SES would
 * have given each a message of its own. */
static json_t *
message_id(const struct event_row *row)
{
	char id[RECIPIENT_ID_TEXT], text[RECIPIENT_ID_TEXT + 8];

	if (row->remote_id[0] != '\0')
		return event_string(row->remote_id);
	snprintf(text, sizeof(text), "oiwake-%s",
	    recipient_id_text(row->message, row->index, id));
	return json_string(text);
}

static json_t *
mail_json(const struct event_row *row, const struct event_json_context *ctx)
{
	json_t *kept =
	    ctx->mail != NULL ? json_loads(ctx->mail, 0, NULL) : NULL;
	json_t *mail = json_object(), *destination = json_array(), *common;

	event_put_time(mail, "timestamp", message_id_time(row->message));
	event_put(mail, "source", "");
	json_object_set_new(mail, "messageId", message_id(row));
	json_array_append_new(destination, event_string(row->recipient));
	json_object_set_new(mail, "destination", destination);
	json_object_set_new(mail, "headersTruncated", json_boolean(true));
	if (json_is_object(kept))
		json_object_update(mail, kept);
	json_decref(kept);
	common = json_object_get(mail, "commonHeaders");
	if (json_is_object(common))
		json_object_set_new(common, "messageId", message_id(row));
	add_tags(mail, row);
	return mail;
}

/* Of no message: what looks for members of `mail` finds them all the same. */
static json_t *
no_mail_json(const struct event_row *row)
{
	json_t *mail = json_object(), *tags = json_object();
	char id[48];

	snprintf(id, sizeof(id), "oiwake-guard-%lld", (long long)row->seq);
	event_put_time(mail, "timestamp", row->at);
	event_put(mail, "source", "");
	event_put(mail, "messageId", id);
	json_object_set_new(mail, "destination", json_array());
	json_object_set_new(mail, "headersTruncated", json_boolean(false));
	add_tag(tags, "oiwake:path", row->path);
	add_tag(tags, "oiwake:carrier", row->carrier);
	add_tag(tags, "oiwake:reason", row->reason);
	json_object_set_new(mail, "tags", tags);
	return mail;
}

json_t *
event_json(const struct event_row *row, enum event_type type,
    const struct event_json_context *ctx)
{
	struct event_telling t = {
		.row = row, .ctx = ctx, .ours = is_ours(row, ctx)
	};
	size_t i = kind_of(type);
	json_t *event;

	if (i == KINDS)
		return NULL;
	event = json_object();
	json_object_set_new(event, "eventType", json_string(kinds[i].name));
	json_object_set_new(event, "mail",
	    type == EVENT_GUARD ? no_mail_json(row) : mail_json(row, ctx));
	json_object_set_new(event, kinds[i].member, kinds[i].detail(&t));
	return event;
}
