/*
 * event.c - an SES event or notification read: whom it is about.
 *
 * Here is what all types have in common: which message, which recipients, when.
 * event_kinds.c says what each type means, feedback.c settles it.
 */
#include "router/ses/event_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/smtp/address.h"
#include "router/ses/json_read.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REMOTE_ID_MAX 200

/* -- our tag -------------------------------------------------------------- */

char *
ses_tag_id(int64_t message, unsigned index, char buf[static SES_TAG_ID_MAX])
{
	recipient_id_text(message, index, buf);
	buf[MESSAGE_ID_TEXT - 1] = '-';
	return buf;
}

int
ses_tag_id_read(const char *text, int64_t *message, unsigned *index)
{
	char id[MESSAGE_ID_TEXT], again[SES_TAG_ID_MAX];
	int64_t found;
	unsigned long n;

	if (strlen(text) < MESSAGE_ID_TEXT || strlen(text) >= sizeof(again))
		return -1;
	memcpy(id, text, sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	n = strtoul(text + MESSAGE_ID_TEXT, NULL, 10);
	/* Only as we write it: no blanks, signs or leading zeros. */
	if (message_id_parse(id, &found) < 0 || n > UINT32_MAX ||
	    strcasecmp(ses_tag_id(found, (unsigned)n, again), text) != 0)
		return -1;
	*message = found;
	*index = (unsigned)n;
	return 0;
}

/* -- the recipients ------------------------------------------------------- */

/* "Name <local@domain>" as well. What is no address stays as it is, cut. */
static char *
read_address(const char *text)
{
	const char *open = strrchr(text, '<'), *end = text + strlen(text);
	char out[ADDRESS_LOCAL_MAX + ADDRESS_DOMAIN_MAX + 2];
	struct address a;

	if (open != NULL && end[-1] == '>') {
		text = open + 1;
		end--;
	}
	if (address_parse(&a, text, (size_t)(end - text), NULL) == 0)
		snprintf(out, sizeof(out), "%s@%s", a.local, a.domain);
	else
		event_copy(out, sizeof(out), text);
	return xstrdup(out);
}

static const char *
address_of(const json_t *item)
{
	const char *text = json_is_string(item)
			       ? json_string_value(item)
			       : event_member(item, "emailAddress");

	return text;
}

/* Who answered: the receiving system's address, else whoever reports. */
static void
read_peer(const json_t *detail, struct ses_event_part *part)
{
	const char *p = event_member(detail, "remoteMtaIp"), *semicolon;

	if (p[0] == '\0')
		p = event_member(detail, "reportingMTA");
	if (p[0] == '\0')
		p = event_member(detail, "ipAddress");
	if ((semicolon = strchr(p, ';')) != NULL)
		p = semicolon + 1;
	event_copy(part->peer, sizeof(part->peer), p + strspn(p, " "));
}

static void
read_part(const struct event_reading *r, const struct event_kind *kind,
    const json_t *item, bool alone, struct ses_event_part *part)
{
	struct ses_event *ev = r->event;

	part->address = read_address(address_of(item));
	read_peer(r->detail, part);
	part->feedback = (struct feedback){
		.message = ev->message,
		.index = ev->index,
		.remote_id = ev->remote_id,
		.address = part->address,
		.alone = alone,
		.kind = FEEDBACK_NOTE,
		.event = EVENT_NOTE,
		.at = ev->at,
		.outcome = &part->outcome,
		.reason = part->reason,
		.peer = part->peer,
	};
	if (kind != NULL)
		kind->read(r, item, part);
}

/*
 * A type with a list of its own that names nobody is about the only recipient,
 * if there is one. When there is none either, what is said is said of whoever
 * has that id.
 */
static void
read_parts(const struct event_reading *r, const struct event_kind *kind)
{
	const json_t *all = json_object_get(r->mail, "destination");
	const json_t *list = all;
	struct ses_event *ev = r->event;
	size_t n;

	if (kind != NULL && kind->list != NULL) {
		list = json_object_get(r->detail, kind->list);
		if (json_array_size(list) == 0 && json_array_size(all) == 1)
			list = all;
	}
	n = json_array_size(list);
	ev->n = n == 0 ? 1 : n < SES_EVENT_PARTS_MAX ? n : SES_EVENT_PARTS_MAX;
	ev->part = xcalloc(ev->n, sizeof(*ev->part));
	/* One submission to one recipient, wherever that forwarded it to. */
	for (size_t i = 0; i < ev->n; i++)
		read_part(r, kind, json_array_get(list, i),
		    json_array_size(all) == 1 ||
			(json_array_size(all) == 0 && n <= 1),
		    &ev->part[i]);
}

/* -- the event ------------------------------------------------------------ */

static int64_t
time_of(const json_t *object)
{
	int64_t at;

	if (clock_iso_read(event_member(object, "timestamp"), &at) < 0)
		return 0;
	return at;
}

static void
read_tag(struct ses_event *ev, const json_t *mail)
{
	const json_t *tags = json_object_get(mail, "tags");
	const json_t *values = json_object_get(tags, SES_TAG_ID);
	const char *text = json_string_value(json_array_get(values, 0));

	if (text != NULL)
		ses_tag_id_read(text, &ev->message, &ev->index);
}

static void
read_mail(struct ses_event *ev, const json_t *mail)
{
	char id[REMOTE_ID_MAX];

	event_copy(id, sizeof(id), event_member(mail, "messageId"));
	free(ev->remote_id);
	ev->remote_id = xstrdup(id);
	ev->sent_at = time_of(mail);
	read_tag(ev, mail);
}

static void
read_event(struct ses_event *ev, const json_t *root,
    const struct ruleset *rules, const struct reasons *reasons)
{
	const struct event_kind *kind = event_kind_find(ev->type);
	struct event_reading r = {
		.event = ev,
		.mail = json_object_get(root, "mail"),
		.rules = rules,
		.reasons = reasons,
	};

	if (!json_is_object(r.mail)) {
		err_set(&ev->why, "an event '%s' without its mail", ev->type);
		return;
	}
	read_mail(ev, r.mail);
	if (kind != NULL)
		r.detail = json_object_get(root, kind->detail);
	ev->at = time_of(r.detail);
	if (ev->at == 0)
		ev->at = ev->sent_at;
	ev->kind = kind != NULL ? SES_EVENT_MAIL : SES_EVENT_UNKNOWN;
	if (kind == NULL)
		err_set(&ev->why, "unknown type of event '%s'", ev->type);
	read_parts(&r, kind);
}

static void
read_root(struct ses_event *ev, const json_t *root,
    const struct ruleset *rules, const struct reasons *reasons)
{
	const char *type = event_member(root, "eventType");

	if (type[0] == '\0')
		type = event_member(root, "notificationType");
	event_copy(ev->type, sizeof(ev->type), type);
	if (ev->type[0] == '\0')
		err_set(&ev->why, "JSON that is no event of SES");
	else if (strcmp(ev->type, "AmazonSnsSubscriptionSucceeded") == 0)
		ev->kind = SES_EVENT_CONTROL;
	else
		read_event(ev, root, rules, reasons);
}

/* What SES says to a new event destination, in so many words. */
static bool
is_greeting(const char *text, size_t len)
{
	static const char words[] = "Successfully validated SNS topic";

	while (len > 0 && isspace((unsigned char)*text))
		text++, len--;
	return len >= sizeof(words) - 1 &&
	       memcmp(text, words, sizeof(words) - 1) == 0;
}

void
ses_event_read(struct ses_event *ev, const char *text, size_t len,
    const struct ruleset *rules, const struct reasons *reasons)
{
	/* The most of an event, and nobody reads it. */
	static const char *const without[] = { "headers", "commonHeaders",
		NULL };
	json_t *root;

	*ev = (struct ses_event){ .kind = SES_EVENT_FOREIGN,
		.remote_id = xstrdup("") };
	if (is_greeting(text, len)) {
		ev->kind = SES_EVENT_CONTROL;
		return;
	}
	/* A NUL may stand in some header's text, which nobody reads. */
	root = json_read(text, len, JSON_ALLOW_NUL, without, &ev->why);
	if (root != NULL)
		read_root(ev, root, rules, reasons);
	json_decref(root);
}

void
ses_event_clear(struct ses_event *ev)
{
	for (size_t i = 0; i < ev->n; i++)
		free(ev->part[i].address);
	free(ev->part);
	free(ev->remote_id);
	*ev = (struct ses_event){ .kind = SES_EVENT_FOREIGN };
}
