/*
 * event_detail.c - the member of an event that its type names, with SES's
 * members and words.
 *
 * Applications stop writing to an address that bounced as Permanent, so only
 * what is wrong with the address itself is told as that: a carrier's block, a
 * full mailbox or a filter never is.
 */
#include "router/events/event_json_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/message.h"

#define PATIENCE_OF_SES INT64_C(50400000) /* 14 hours: SES's own patience */

/* clang-format off */
static const struct {
	const char *reason, *type, *sub_type;
} bounces[] = {
	{ "userunknown",    "Permanent",    "General" },
	{ "hostunknown",    "Permanent",    "General" },
	{ "hasmoved",       "Permanent",    "General" },
	{ "suppressed",     "Permanent",    "Suppressed" },
	{ "mailboxfull",    "Transient",    "MailboxFull" },
	{ "mesgtoobig",     "Transient",    "MessageTooLarge" },
	{ "exceedlimit",    "Transient",    "MessageTooLarge" },
	{ "emailtoolarge",  "Transient",    "MessageTooLarge" },
	{ "contenterror",   "Transient",    "ContentRejected" },
	{ "spamdetected",   "Transient",    "ContentRejected" },
	{ "virusdetected",  "Transient",    "ContentRejected" },
	{ "filtered",       "Transient",    "ContentRejected" },
	{ "policyviolation","Transient",    "ContentRejected" },
	{ "undefined",      "Undetermined", "Undetermined" },
	{ "onhold",         "Undetermined", "Undetermined" },
	{ "",               "Undetermined", "Undetermined" },
	{ NULL,             "Transient",    "General" },
};

static const struct {
	const char *reason, *type;
} delays[] = {
	{ "mailboxfull",     "MailboxFull" },
	{ "spamdetected",    "SpamDetected" },
	{ "contenterror",    "SpamDetected" },
	{ "blocked",         "IPFailure" },
	{ "badreputation",   "IPFailure" },
	{ "requireptr",      "IPFailure" },
	{ "authfailure",     "IPFailure" },
	{ "ratelimited",     "IPFailure" },
	{ "speeding",        "IPFailure" },
	{ "toomanyconn",     "IPFailure" },
	{ "networkerror",    "TransientCommunicationFailure" },
	{ "failedstarttls",  "TransientCommunicationFailure" },
	{ "systemerror",     "RecipientServerError" },
	{ "systemfull",      "RecipientServerError" },
	{ "mailererror",     "RecipientServerError" },
	{ "undefined",       "Undetermined" },
	{ "",                "Undetermined" },
	{ NULL,              "General" },
};
/* clang-format on */

/* -- what several have ----------------------------------------------------- */

static json_t *
recipient_json(const struct event_row *row)
{
	json_t *o = json_object();

	event_put(o, "emailAddress", row->recipient);
	return o;
}

static void
put_list(json_t *detail, const char *name, json_t *item)
{
	json_t *list = json_array();

	json_array_append_new(list, item);
	json_object_set_new(detail, name, list);
}

/* Stays the same however often it is told. */
static void
put_feedback_id(json_t *detail, const struct event_row *row)
{
	char id[RECIPIENT_ID_TEXT], text[RECIPIENT_ID_TEXT + 32];

	snprintf(text, sizeof(text), "oiwake-%s-%lld",
	    recipient_id_text(row->message, row->index, id),
	    (long long)row->seq);
	event_put(detail, "feedbackId", text);
}

static bool
is_address(const char *text)
{
	struct in6_addr a;

	return inet_pton(AF_INET, text, &a) == 1 ||
	       inet_pton(AF_INET6, text, &a) == 1;
}

/* "host[ADDRESS]:port" of our own sessions, the address alone of SES's events.
 */
static void
put_remote(json_t *detail, const struct event_row *row)
{
	const char *open = strrchr(row->peer, '['), *close;
	char *address;

	close = open != NULL ? strchr(open, ']') : NULL;
	address = close != NULL ? xstrndup(open + 1, (size_t)(close - open) - 1)
				: xstrdup(row->peer);
	if (is_address(address))
		event_put(detail, "remoteMtaIp", address);
	free(address);
}

static const char *
reporter(const struct event_telling *t)
{
	return t->ours && t->ctx->hostname != NULL ? t->ctx->hostname
						   : "amazonses.com";
}

static void
put_reporting_mta(json_t *detail, const struct event_telling *t)
{
	struct str s = STR_INIT;

	str_addf(&s, "dns; %s", reporter(t));
	event_put(detail, "reportingMTA", s.data);
	str_release(&s);
}

/* "550 5.1.1 user unknown"; a sentence of our own has no code. */
static void
add_reply(struct str *out, const struct event_row *row)
{
	if (row->code != 0)
		str_addf(out, "%d ", row->code);
	if (row->enhanced[0] != '\0')
		str_addf(out, "%s ", row->enhanced);
	str_adds(out, row->text);
}

/* -- bounce ---------------------------------------------------------------- */

static void
put_bounce_type(json_t *detail, const struct event_row *row)
{
	size_t i = 0;

	if (row->type == EVENT_SUPPRESSED) {
		event_put(detail, "bounceType", "Permanent");
		event_put(detail, "bounceSubType", "OnAccountSuppressionList");
		return;
	}
	if (row->type == EVENT_EXPIRED) {
		event_put(detail, "bounceType", "Transient");
		event_put(detail, "bounceSubType", "General");
		return;
	}
	while (bounces[i].reason != NULL &&
	       strcmp(bounces[i].reason, row->reason) != 0)
		i++;
	event_put(detail, "bounceType", bounces[i].type);
	event_put(detail, "bounceSubType", bounces[i].sub_type);
}

static void
put_status(json_t *o, const struct event_row *row)
{
	char class[8];

	if (row->type == EVENT_SUPPRESSED) {
		event_put(o, "status", "5.1.1");
	} else if (row->type == EVENT_EXPIRED) {
		event_put(o, "status", "4.4.7");
	} else if (row->enhanced[0] != '\0') {
		event_put(o, "status", row->enhanced);
	} else if (row->code >= 400 && row->code < 600) {
		snprintf(class, sizeof(class), "%d.0.0", row->code / 100);
		event_put(o, "status", class);
	}
}

/* SES's words for the end of its patience, which applications look for. */
static void
add_expiry(struct str *out, const struct event_row *row)
{
	int64_t waited = row->at - message_id_time(row->message);

	str_addf(out,
	    "smtp; 550 4.4.7 Message expired: unable to deliver in %lld "
	    "minutes.<",
	    (long long)(waited > 0 ? waited / 60000 : 0));
	add_reply(out, row);
	str_addc(out, '>');
}

static void
put_diagnostic(json_t *o, const struct event_row *row)
{
	struct str s = STR_INIT;

	if (row->type == EVENT_EXPIRED) {
		add_expiry(&s, row);
	} else {
		str_adds(&s, row->code != 0 ? "smtp; " : "");
		add_reply(&s, row);
	}
	if (s.len > 0)
		event_put(o, "diagnosticCode", s.data);
	str_release(&s);
}

json_t *
event_detail_bounce(const struct event_telling *t)
{
	json_t *detail = json_object(), *item = recipient_json(t->row);

	put_feedback_id(detail, t->row);
	put_bounce_type(detail, t->row);
	event_put(item, "action", "failed");
	put_status(item, t->row);
	put_diagnostic(item, t->row);
	put_list(detail, "bouncedRecipients", item);
	event_put_time(detail, "timestamp", t->row->at);
	put_remote(detail, t->row);
	put_reporting_mta(detail, t);
	return detail;
}

/* -- delay ----------------------------------------------------------------- */

json_t *
event_detail_delay(const struct event_telling *t)
{
	json_t *detail = json_object(), *item = recipient_json(t->row);
	int64_t patience =
	    t->ours && t->ctx->expiry > 0 ? t->ctx->expiry : PATIENCE_OF_SES;
	size_t i = 0;

	while (delays[i].reason != NULL &&
	       strcmp(delays[i].reason, t->row->reason) != 0)
		i++;
	event_put_time(detail, "timestamp", t->row->at);
	event_put(detail, "delayType", delays[i].type);
	event_put_time(detail, "expirationTime",
	    message_id_time(t->row->message) + patience);
	put_status(item, t->row);
	put_diagnostic(item, t->row);
	put_list(detail, "delayedRecipients", item);
	event_put(detail, "reportingMTA", reporter(t));
	return detail;
}

/* -- the others ------------------------------------------------------------ */

json_t *
event_detail_send(const struct event_telling *t)
{
	(void)t;
	return json_object();
}

json_t *
event_detail_delivery(const struct event_telling *t)
{
	const struct event_row *row = t->row;
	int64_t took = row->at - message_id_time(row->message);
	json_t *detail = json_object();
	struct str reply = STR_INIT;

	event_put_time(detail, "timestamp", row->at);
	json_object_set_new(
	    detail, "processingTimeMillis", json_integer(took > 0 ? took : 0));
	put_list(detail, "recipients", event_string(row->recipient));
	add_reply(&reply, row);
	event_put(detail, "smtpResponse", reply.data);
	str_release(&reply);
	put_remote(detail, row);
	event_put(detail, "reportingMTA", reporter(t));
	return detail;
}

/* Of a report, what kind of feedback it is stands in its text. */
static const char *
feedback_type(const struct event_row *row)
{
	static const char *const types[] = { "abuse", "auth-failure", "fraud",
		"not-spam", "other", "virus" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(row->text, types[i]) == 0)
			return types[i];
	return "abuse";
}

json_t *
event_detail_complaint(const struct event_telling *t)
{
	json_t *detail = json_object();

	put_feedback_id(detail, t->row);
	json_object_set_new(detail, "complaintSubType", json_null());
	put_list(detail, "complainedRecipients", recipient_json(t->row));
	event_put_time(detail, "timestamp", t->row->at);
	event_put(detail, "complaintFeedbackType", feedback_type(t->row));
	event_put_time(detail, "arrivalDate", t->row->at);
	return detail;
}

json_t *
event_detail_reject(const struct event_telling *t)
{
	json_t *detail = json_object();

	event_put(detail, "reason",
	    t->row->text[0] != '\0' ? t->row->text : "Bad content");
	return detail;
}

json_t *
event_detail_open(const struct event_telling *t)
{
	json_t *detail = json_object();

	event_put(detail, "ipAddress", t->row->peer);
	event_put_time(detail, "timestamp", t->row->at);
	event_put(detail, "userAgent", t->row->text);
	return detail;
}

/* Which browser it was is not in the log: its text is the link. */
json_t *
event_detail_click(const struct event_telling *t)
{
	json_t *detail = json_object();

	event_put(detail, "ipAddress", t->row->peer);
	event_put_time(detail, "timestamp", t->row->at);
	event_put(detail, "userAgent", "");
	event_put(detail, "link", t->row->text);
	json_object_set_new(detail, "linkTags", json_object());
	return detail;
}

json_t *
event_detail_rendering(const struct event_telling *t)
{
	json_t *detail = json_object();

	event_put(detail, "errorMessage", t->row->text);
	event_put(detail, "templateName", "");
	return detail;
}

json_t *
event_detail_subscription(const struct event_telling *t)
{
	json_t *detail = json_object();

	event_put(detail, "contactList", t->row->text);
	event_put_time(detail, "timestamp", t->row->at);
	event_put(detail, "source", "");
	return detail;
}

/* What the guard has done, to which mail. Members of what it does not tell
 * apart are left out. */
json_t *
event_detail_guard(const struct event_telling *t)
{
	const struct event_row *row = t->row;
	const struct {
		const char *name, *value;
	} scope[] = { { "path", row->path }, { "carrier", row->carrier },
		{ "sender", row->sender }, { "user", row->peer } };
	json_t *detail = json_object();

	event_put_time(detail, "timestamp", row->at);
	event_put(detail, "action", row->reason);
	for (size_t i = 0; i < sizeof(scope) / sizeof(scope[0]); i++)
		if (scope[i].value[0] != '\0')
			event_put(detail, scope[i].name, scope[i].value);
	event_put(detail, "evidence", row->text);
	return detail;
}
