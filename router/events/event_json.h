/*
 * event_json.h - an event as the application is told: Amazon SES's event JSON, whichever path the mail took.
 *
 * Code written for SES notifications reads it as it is (event publishing, eventType). What SES has no member
 * for is in mail.tags under "oiwake:..." (path, rule, carrier, reason, id, ...), where SES puts its own
 * "ses:..." tags. Pure, any thread.
 *
 *	event_mail.c    at intake: what is kept of a message
 *	event_json.c    a row of the event log and what was kept -> SES's JSON
 *	event_detail.c  the member that the type names: bounce, delivery, ...
 */
#ifndef ROUTER_EVENTS_EVENT_JSON_H
#define ROUTER_EVENTS_EVENT_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "mta/base/str.h"
#include "router/store/store.h"

struct header;
struct message;

/*
 * What is kept of a message at its intake for its events: SES's `mail` object without what is only known later
 * (messageId, destination) or is of one event. `fields` are the bytes of its header, as it goes out but for our
 * trace; what `header` says of it is known. At most EVENT_MAIL_MAX bytes: fields that are too long and those
 * after the room is used up are left out, and headersTruncated says so. Whatever bytes come: it is JSON, what is
 * no UTF-8 is U+FFFD. Free it.
 */
#define EVENT_MAIL_MAX 8192
char *event_mail_json(const struct message *, const struct header *header, const char *fields, size_t len);

/* The bytes as a JSON string with its quotes. */
void event_text_add(struct str *, const char *text, size_t len);

struct event_json_context {
	const char *mail;       /* of store_read_mail; NULL: no longer kept, or never */
	bool by_ses;            /* its path is one of SES's */
	const char *hostname;   /* reportingMTA of the other paths */
	int64_t expiry;         /* ms after its intake that its path gives up; 0: not known */
};

/*
 * What a row is told as, in this order: SES says Send and then Delivery, where for us to be sent and to be
 * delivered is the same, and the log has one row. Returns how many; 0: the application is not told of it, as of our own notices.
 */
#define EVENT_TOLD_MAX 2
unsigned event_json_types(const struct event_row *, const struct event_json_context *,
    enum event_type types[static EVENT_TOLD_MAX]);
/* SES's name: "Send", "Delivery", "Bounce", "Complaint", "DeliveryDelay", "Reject", "Open", ... */
const char *event_json_name(enum event_type);
/* Whether an application could be told of a type of that name. */
bool event_json_is_name(const char *name);

/*
 * The row as that type. A new object. mail.messageId is SES's own, else "oiwake-" and the id of the recipient, which
 * no id of SES can be.
 */
json_t *event_json(const struct event_row *, enum event_type, const struct event_json_context *);

/* What tells this event from all others, and stays: "0J8X...-0_1234_Delivery"; of letters, digits, '-', '_'. */
#define EVENT_ID_MAX 64
char *event_json_id(const struct event_row *, enum event_type, char buf[static EVENT_ID_MAX]);

#endif
