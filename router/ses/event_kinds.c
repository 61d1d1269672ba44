/*
 * event_kinds.c - the types of SES events, and what each says of a recipient.
 *
 * Bounces and delays are in event_bounce.c. What each type means to counters is
 * said in store.h under feedback.
 */
#include "router/ses/event_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void
set_reason(struct ses_event_part *part, const char *reason)
{
	event_copy(part->reason, sizeof(part->reason), reason);
}

static void
set_text(struct ses_event_part *part, const char *text)
{
	event_copy(part->outcome.text, sizeof(part->outcome.text), text);
}

void
event_part_end(
    struct ses_event_part *part, enum counter counter, const char *reason)
{
	part->feedback.kind = FEEDBACK_ENDED;
	part->feedback.counter = counter;
	part->feedback.event = counter == COUNT_EXPIRED	     ? EVENT_EXPIRED
			       : counter == COUNT_SUPPRESSED ? EVENT_SUPPRESSED
							     : EVENT_BOUNCE;
	if (strcmp(reason, "userunknown") == 0)
		part->feedback.also |= 1u << COUNT_UNKNOWN;
	set_reason(part, reason);
}

/* -- what SES did --------------------------------------------------------- */

static void
read_send(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	(void)r;
	(void)item;
	part->feedback.kind = FEEDBACK_SENT;
	part->feedback.event = EVENT_SEND;
}

/* "250 2.6.0 Message received"; what is not said is known all the same. */
static void
read_delivery(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	const char *p = event_member(r->detail, "smtpResponse");
	struct outcome *o = &part->outcome;

	(void)item;
	part->feedback.kind = FEEDBACK_DELIVERED;
	part->feedback.event = EVENT_DELIVERY;
	set_reason(part, "delivered");
	o->stage = STAGE_DOT;
	o->code = 250;
	if (strncmp(p, "250", 3) == 0)
		p += 3;
	event_reply(o, p + strspn(p, " -"));
}

static void
read_reject(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	(void)item;
	part->outcome.permanent = true;
	set_text(part, event_member(r->detail, "reason"));
	event_part_end(part, COUNT_BOUNCED, "virusdetected");
	part->feedback.event = EVENT_REJECT;
}

static void
read_rendering(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	(void)item;
	part->outcome.permanent = true;
	set_text(part, event_member(r->detail, "errorMessage"));
	event_part_end(part, COUNT_BOUNCED, "contenterror");
	part->feedback.event = EVENT_RENDERING;
}

/* -- what recipients did -------------------------------------------------- */

static bool
is_on_a_list(const char *sub_type)
{
	return strcasecmp(sub_type, "OnAccountSuppressionList") == 0 ||
	       strcasecmp(sub_type, "OnTenantSuppressionList") == 0;
}

static void
read_complaint(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	const char *sub_type = event_member(r->detail, "complaintSubType");
	const char *what = event_member(r->detail, "complaintFeedbackType");

	(void)item;
	if (is_on_a_list(sub_type)) {
		/* They had complained before, and SES sent nothing. */
		part->outcome.permanent = true;
		set_text(part, sub_type);
		event_part_end(part, COUNT_SUPPRESSED, "suppressed");
		part->feedback.also |= 1u << COUNT_EXEMPT;
		return;
	}
	set_text(part, what);
	if (strcasecmp(what, "not-spam") == 0)
		return;
	part->feedback.kind = FEEDBACK_COMPLAINT;
	part->feedback.event = EVENT_COMPLAINT;
	set_reason(part, "feedback");
}

static void
read_open(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	(void)item;
	part->feedback.event = EVENT_OPEN;
	set_text(part, event_member(r->detail, "userAgent"));
}

static void
read_click(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	(void)item;
	part->feedback.event = EVENT_CLICK;
	set_text(part, event_member(r->detail, "link"));
}

static void
read_subscription(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	(void)item;
	part->feedback.event = EVENT_SUBSCRIPTION;
	set_text(part, event_member(r->detail, "contactList"));
}

/* clang-format off */
static const struct event_kind kinds[] = {
	{ "Send",              "send",          NULL,                   read_send },
	{ "Delivery",          "delivery",      "recipients",           read_delivery },
	{ "Bounce",            "bounce",        "bouncedRecipients",    event_read_bounce },
	{ "Complaint",         "complaint",     "complainedRecipients", read_complaint },
	{ "DeliveryDelay",     "deliveryDelay", "delayedRecipients",    event_read_delay },
	{ "Reject",            "reject",        NULL,                   read_reject },
	{ "Rendering Failure", "failure",       NULL,                   read_rendering },
	{ "Open",              "open",          NULL,                   read_open },
	{ "Click",             "click",         NULL,                   read_click },
	{ "Subscription",      "subscription",  NULL,                   read_subscription },
};
/* clang-format on */

const struct event_kind *
event_kind_find(const char *type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	return NULL;
}
