/*
 * event_text.c - an event of SES as the JSON that it sends.
 *
 * Members and their order are those of captured events: the outcome stands
 * before the mail in a Bounce and a Complaint, behind it in the others.
 */
#include "tests/sandbox/event_text.h"

#include "mta/base/clock.h"
#include "tests/sandbox/aws.h"
#include "tests/sandbox/events.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/message.h"

#include <string.h>

#define EXPIRES_MS (14 * 3600 * INT64_C(1000)) /* SES's default, 840 minutes   \
						*/
#define SOURCE_IP   "192.0.2.10"
#define MTA_IP	    "192.0.2.25"
#define OUTGOING_IP "192.0.2.86"
#define CALLER	    "oiwake"
#define NOT_SENT    "dns; amazonses.com" /* SES itself refused */

/* clang-format off */
static const struct {
	const char *name, *member;
	bool first; /* before the mail */
} types[EVENT_TYPES] = {
	[EVENT_SEND]      = { "Send",          "send",          false },
	[EVENT_DELIVERY]  = { "Delivery",      "delivery",      false },
	[EVENT_BOUNCE]    = { "Bounce",        "bounce",        true },
	[EVENT_COMPLAINT] = { "Complaint",     "complaint",     true },
	[EVENT_REJECT]    = { "Reject",        "reject",        false },
	[EVENT_DELAY]     = { "DeliveryDelay", "deliveryDelay", false },
};
/* clang-format on */

const char *
event_type_name(enum event_type type)
{
	return types[type].name;
}

static void
add_time(struct str *o, const char *key, int64_t wall)
{
	char iso[25];

	json_str(o, key, clock_iso(wall, iso));
}

static void
add_list(struct str *o, const char *key, const char *const *items, size_t n)
{
	size_t i;

	json_open(o, key, '[');
	for (i = 0; i < n; i++)
		json_str(o, NULL, items[i]);
	json_close(o, ']');
}

static void
add_tag(struct str *o, const char *name, const char *value)
{
	add_list(o, name, &value, 1);
}

/* --- the mail --- */

static const char *
operation(const struct ses_mail *m)
{
	return strcmp(m->operation, "SMTP") == 0 ? "SendSmtpEmail"
						 : m->operation;
}

static void
from_domain(const struct ses_mail *m, struct str *o)
{
	struct str address = STR_INIT;
	const char *at;

	message_address(m->header_from, &address);
	at = strrchr(address.len > 0 ? address.data : m->source, '@');
	str_adds(o, at != NULL ? at + 1 : "");
	str_release(&address);
}

static void
add_tags(const struct event_text *x, const char *domain, struct str *o)
{
	const struct ses_mail *m = x->mail;
	size_t i;

	json_open(o, "tags", '{');
	add_tag(o, "ses:source-tls-version", "TLSv1.3");
	add_tag(o, "ses:operation", operation(m));
	add_tag(o, "ses:configuration-set", m->configuration_set);
	add_tag(o, "ses:source-ip", SOURCE_IP);
	add_tag(o, "ses:from-domain", domain);
	add_tag(o, "ses:caller-identity", CALLER);
	if (x->fate != NULL && x->fate->type == EVENT_DELIVERY) {
		add_tag(o, "ses:outgoing-tls-version", "TLSv1.3");
		add_tag(o, "ses:outgoing-ip", OUTGOING_IP);
	}
	for (i = 0; i < m->ntags; i++)
		add_tag(o, m->tags[i].name, m->tags[i].value);
	json_close(o, '}');
}

static void
add_header(struct str *o, const char *name, const char *value)
{
	if (*value == '\0')
		return;
	json_open(o, NULL, '{');
	json_str(o, "name", name);
	json_str(o, "value", value);
	json_close(o, '}');
}

static void
list_of_to(const struct ses_mail *m, struct str *o)
{
	size_t i;

	for (i = 0; i < m->nto; i++)
		str_addf(o, "%s%s", i > 0 ? ", " : "", m->to[i]);
}

static void
add_headers(const struct ses_mail *m, const char *to, struct str *o)
{
	json_bool(o, "headersTruncated", false);
	json_open(o, "headers", '[');
	add_header(o, "From", m->header_from);
	add_header(o, "To", to);
	add_header(o, "Subject", m->subject);
	add_header(o, "Message-ID", m->message_id);
	add_header(o, "Date", m->date);
	add_header(o, "MIME-Version", "1.0");
	json_close(o, ']');
}

/* Events name SES's own id here, notifications the message's. */
static void
add_common_headers(const struct event_text *x, const char *to, struct str *o)
{
	const struct ses_mail *m = x->mail;
	const char *id = x->notification ? m->message_id : m->id;

	json_open(o, "commonHeaders", '{');
	add_list(o, "from", &m->header_from, 1);
	if (*m->date != '\0')
		json_str(o, "date", m->date);
	add_list(o, "to", &to, 1);
	if (*id != '\0')
		json_str(o, "messageId", id);
	json_str(o, "subject", m->subject);
	json_close(o, '}');
}

static void
add_mail(const struct event_text *x, struct str *o)
{
	const struct ses_mail *m = x->mail;
	struct str to = STR_INIT, domain = STR_INIT, arn = STR_INIT;

	list_of_to(m, &to);
	from_domain(m, &domain);
	str_addf(&arn, "arn:aws:ses:" AWS_REGION ":" AWS_ACCOUNT ":identity/%s",
	    domain.data);
	json_open(o, "mail", '{');
	add_time(o, "timestamp", x->accepted);
	json_str(o, "source", m->source);
	json_str(o, "sourceArn", arn.data);
	if (x->notification) {
		json_str(o, "sourceIp", SOURCE_IP);
		json_str(o, "callerIdentity", CALLER);
	}
	json_str(o, "sendingAccountId", AWS_ACCOUNT);
	json_str(o, "messageId", m->id);
	add_list(o, "destination", m->to, m->nto);
	add_headers(m, to.data, o);
	add_common_headers(x, to.data, o);
	if (!x->notification)
		add_tags(x, domain.data, o);
	json_close(o, '}');
	str_release(&to);
	str_release(&domain);
	str_release(&arn);
}

/* --- what happened --- */

/* A list of {"emailAddress"}, with what the receiving system said, if it did.
 */
static void
add_recipients(const struct event_text *x, const char *key, struct str *o)
{
	struct str text = STR_INIT;
	const char *status;
	size_t i;

	json_open(o, key, '[');
	for (i = 0; i < x->nto; i++) {
		json_open(o, NULL, '{');
		json_str(o, "emailAddress", x->to[i]);
		if (x->fate->status != NULL) {
			str_clear(&text);
			status = fate_text(x->fate, x->to[i], &text);
			if (x->fate->type == EVENT_BOUNCE)
				json_str(o, "action", "failed");
			json_str(o, "status", status);
			json_str(o, "diagnosticCode", text.data);
		}
		json_close(o, '}');
	}
	json_close(o, ']');
	str_release(&text);
}

static void
add_bounce(const struct event_text *x, struct str *o)
{
	const struct fate *f = x->fate;

	json_str(o, "feedbackId", x->feedback_id);
	json_str(o, "bounceType", f->kind);
	json_str(o, "bounceSubType", f->sub);
	add_recipients(x, "bouncedRecipients", o);
	add_time(o, "timestamp", x->at);
	if (f->reporting == NULL)
		return;
	if (strcmp(f->reporting, NOT_SENT) != 0)
		json_str(o, "remoteMtaIp", MTA_IP);
	json_str(o, "reportingMTA", f->reporting);
}

static void
add_complaint(const struct event_text *x, struct str *o)
{
	const struct fate *f = x->fate;

	json_str(o, "feedbackId", x->feedback_id);
	json_str(o, "complaintSubType", f->sub);
	add_recipients(x, "complainedRecipients", o);
	add_time(o, "timestamp", x->at);
	if (f->kind == NULL)
		return;
	json_str(o, "userAgent", f->agent);
	json_str(o, "complaintFeedbackType", f->kind);
	add_time(o, "arrivalDate", x->at);
}

static void
add_delivery(const struct event_text *x, struct str *o)
{
	struct str text = STR_INIT;

	(void)fate_text(x->fate, x->to[0], &text);
	add_time(o, "timestamp", x->at);
	json_int(o, "processingTimeMillis", x->at - x->accepted);
	add_list(o, "recipients", x->to, x->nto);
	json_str(o, "smtpResponse", text.data);
	json_str(o, "remoteMtaIp", MTA_IP);
	json_str(o, "reportingMTA", x->fate->reporting);
	str_release(&text);
}

static void
add_delay(const struct event_text *x, struct str *o)
{
	add_time(o, "timestamp", x->at);
	json_str(o, "delayType", x->fate->kind);
	add_time(o, "expirationTime", x->accepted + EXPIRES_MS);
	add_recipients(x, "delayedRecipients", o);
	if (x->fate->reporting != NULL)
		json_str(o, "reportingMTA", x->fate->reporting);
}

static void
add_reject(const struct event_text *x, struct str *o)
{
	json_str(o, "reason", x->fate->text);
}

static void
add_nothing(const struct event_text *x, struct str *o)
{
	(void)x;
	(void)o;
}

static void
add_outcome(const struct event_text *x, enum event_type type, struct str *o)
{
	static void (*const adds[EVENT_TYPES])(
	    const struct event_text *, struct str *) = {
		[EVENT_SEND] = add_nothing,
		[EVENT_DELIVERY] = add_delivery,
		[EVENT_BOUNCE] = add_bounce,
		[EVENT_COMPLAINT] = add_complaint,
		[EVENT_REJECT] = add_reject,
		[EVENT_DELAY] = add_delay,
	};

	json_open(o, types[type].member, '{');
	adds[type](x, o);
	json_close(o, '}');
}

void
event_text(const struct event_text *x, struct str *o)
{
	enum event_type type = x->fate != NULL ? x->fate->type : EVENT_SEND;

	json_open(o, NULL, '{');
	json_str(o, x->notification ? "notificationType" : "eventType",
	    types[type].name);
	if (types[type].first)
		add_outcome(x, type, o);
	add_mail(x, o);
	if (!types[type].first)
		add_outcome(x, type, o);
	json_close(o, '}');
	str_addc(o, '\n');
}
