/*
 * form_amazon.c - what SES tells through SNS, when the topic's subscriber is a
 * mail address: an event as JSON, and SNS's farewell under it.
 *
 * The event itself is read by ses/event.h, as it is when SNS brings it.
 */
#include "router/feedback/form_int.h"

#include "router/ses/event.h"

#include <ctype.h>
#include <string.h>

/* clang-format off */
static const enum report_kind kinds[EVENT_NOTE + 1] = {
	[EVENT_DELIVERY]  = REPORT_DELIVERED,
	[EVENT_BOUNCE]    = REPORT_BOUNCE,
	[EVENT_REJECT]    = REPORT_BOUNCE,
	[EVENT_DELAY]     = REPORT_DELAYED,
	[EVENT_COMPLAINT] = REPORT_COMPLAINT,
};
/* clang-format on */

/* The event's text; len 0 when the message holds none. */
static struct piece
event_text(const struct form_input *in)
{
	static const char *const words[] = { "\"notificationtype\"",
		"\"eventtype\"", NULL };
	const char *p = in->text, *end;

	while (isspace((unsigned char)*p))
		p++;
	if (*p != '{' || strstr(in->from, ".amazonaws.com") == NULL)
		return (struct piece){ p, 0 };
	end = strstr(p, "\n--\n");
	if (end == NULL)
		end = p + strlen(p);
	if (!form_has_any((struct piece){ p, (size_t)(end - p) }, words))
		return (struct piece){ p, 0 };
	return form_trim((struct piece){ p, (size_t)(end - p) });
}

static void
add_part(struct report *r, const struct ses_event_part *told)
{
	enum report_kind kind = kinds[told->feedback.event];
	struct report_part *part;

	if (kind == REPORT_NONE)
		return;
	part = report_add(r, kind, told->address);
	if (part == NULL)
		return;
	part->outcome = told->outcome;
	part->outcome.scope = SCOPE_RECIPIENT;
	report_set(&part->host, told->peer, strlen(told->peer));
}

bool
form_amazon(struct report *r, const struct form_input *in)
{
	struct piece text = event_text(in);
	struct ses_event event;

	if (text.len == 0)
		return false;
	ses_event_read(&event, text.at, text.len, NULL, NULL);
	for (size_t i = 0; i < event.n; i++)
		add_part(r, &event.part[i]);
	if (r->n > 0)
		r->form = "ses-event";
	ses_event_clear(&event);
	return r->n > 0;
}
