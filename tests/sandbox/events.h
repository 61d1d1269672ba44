/*
 * events.h - what the sandbox's SES tells of a message it has accepted: events, to its queue and its topic.
 *
 * Event publishing happens for mail with a configuration set (any name but "silent"); identity notifications
 * can be switched on besides. What happens to a recipient is said by its local part, as main.c lists, or by the
 * mailbox simulator's addresses. Events go to SQS (sqs.c) and to SNS (sns.c), which signs and posts.
 */
#ifndef TESTS_SANDBOX_EVENTS_H
#define TESTS_SANDBOX_EVENTS_H

#include <stddef.h>

#include "mta/base/err.h"

struct events;
struct sandbox;

struct events *events_new(struct sandbox *);

struct ses_mail_tag {
	const char *name, *value;
};

struct ses_mail {
	const char *id;               /* SES message id */
	const char *source;           /* reverse-path */
	const char *const *to;        /* recipients */
	size_t nto;
	const char *configuration_set;/* NULL: none */
	const struct ses_mail_tag *tags;
	size_t ntags;
	const char *header_from, *subject, *message_id, *date; /* "" where there is none */
	const char *operation;        /* "SendEmail", "SendRawEmail", "SMTP" */
};

/* Journals and tells all that will happen to it. Copies. */
void events_mail(struct sandbox *, const struct ses_mail *);
/* With `early` on: ms by which the answer to a mail is held back, so that its events are there before; else 0. */
unsigned events_hold(const struct sandbox *);
/* `set events KEY VALUE`: as main.c lists. 0 or -1. */
int events_set(struct sandbox *, const char *key, const char *value, struct err *);

#endif
