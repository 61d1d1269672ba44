/*
 * event_text.h - an event of SES as the JSON that it sends.
 */
#ifndef TESTS_SANDBOX_EVENT_TEXT_H
#define TESTS_SANDBOX_EVENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"
#include "tests/sandbox/fates.h"

struct ses_mail;

struct event_text {
	const struct ses_mail *mail;
	const struct fate *fate;  /* NULL: Send */
	const char *const *to;    /* whom it tells of */
	size_t nto;
	int64_t accepted, at;     /* wall ms: of the mail, of the event */
	const char *feedback_id;
	bool notification;        /* the older form, of an identity's notifications: no tags */
};

/* "Bounce"; of notificationType and eventType alike. */
const char *event_type_name(enum event_type);
/* Appends the event, its line feed included. */
void event_text(const struct event_text *, struct str *);

#endif
