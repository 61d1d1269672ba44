/*
 * aws_mood.c - what the AWS of the sandbox can be made to do wrong.
 *
 * A mood meets the requests to send mail unless its row says more, or a service
 * is named: `set aws mood truncate sqs`.
 */
#include "tests/sandbox/aws_int.h"

#include <stdlib.h>
#include <string.h>

#define SLOW_MS 60000

#define PAGE                                                                   \
	"<!DOCTYPE html><html><head><title>Sign in to the network</title>"     \
	"</head><body><form method=post action=/login></form></body></html>\n"

/* clang-format off */
static const struct aws_mood moods[] = {
	{ "throttle",    SCOPE_SEND, ACT_FAULT, false, SES_RATE, 0, NULL, NULL },
	{ "quota",       SCOPE_SEND, ACT_FAULT, false, SES_QUOTA, 0, NULL, NULL },
	{ "quotalimit",  SCOPE_SEND, ACT_FAULT, false, SES_QUOTA_LIMIT, 0, NULL, NULL },
	{ "paused",      SCOPE_SEND, ACT_FAULT, false, SES_PAUSED, 0, NULL, NULL },
	{ "suspended",   SCOPE_SEND, ACT_FAULT, false, SES_SUSPENDED, 0, NULL, NULL },
	{ "setpaused",   SCOPE_SEND, ACT_FAULT, false, SES_SET_PAUSED, 0, NULL, NULL },
	{ "notverified", SCOPE_SEND, ACT_FAULT, false, SES_NOT_VERIFIED, 0, NULL, NULL },
	{ "mailfrom",    SCOPE_SEND, ACT_FAULT, false, SES_MAIL_FROM, 0, NULL, NULL },
	{ "denied",      SCOPE_SEND, ACT_FAULT, false, SES_DENIED, 0, NULL, NULL },
	{ "badauth",     SCOPE_SES,  ACT_FAULT, false, SES_BAD_AUTH, 0, NULL, NULL },
	{ "temporary",   SCOPE_SEND, ACT_FAULT, false, SES_TEMPORARY, 0, NULL, NULL },
	{ "redirect",    SCOPE_SES,  ACT_ANSWER, false, 0, 302, "text/html", "" },
	{ "html",        SCOPE_SES,  ACT_ANSWER, false, 0, 200, "text/html", PAGE },
	{ "badgateway",  SCOPE_SES,  ACT_ANSWER, false, 0, 502, "text/html",
	    "<html><body><h1>502 Bad Gateway</h1></body></html>\n" },
	{ "unavailable", SCOPE_SES,  ACT_ANSWER, false, 0, 503, "text/plain", "Slow down\n" },
	{ "down",        SCOPE_ALL,  ACT_DOWN, false, 0, 0, NULL, NULL },
	{ "blackhole",   SCOPE_SES,  ACT_SILENCE, false, 0, 0, NULL, NULL },
	{ "close",       SCOPE_SES,  ACT_CLOSE, false, 0, 0, NULL, NULL },
	{ "reset",       SCOPE_SES,  ACT_RESET, false, 0, 0, NULL, NULL },
	{ "closedot",    SCOPE_SEND, ACT_CLOSE, true, 0, 0, NULL, NULL },
	{ "rstdot",      SCOPE_SEND, ACT_RESET, true, 0, 0, NULL, NULL },
	{ "silentdot",   SCOPE_SEND, ACT_SILENCE, true, 0, 0, NULL, NULL },
	{ "truncate",    SCOPE_SEND, ACT_TRUNCATE, true, 0, 0, NULL, NULL },
	{ "garble",      SCOPE_SEND, ACT_GARBLE, true, 0, 0, NULL, NULL },
	{ "huge",        SCOPE_SEND, ACT_HUGE, true, 0, 0, NULL, NULL },
	{ "slow",        SCOPE_SEND, ACT_SLOW, true, 0, 0, NULL, NULL },
	{ NULL, 0, 0, false, 0, 0, NULL, NULL },
};
/* clang-format on */

const struct aws_mood *
aws_mood_for(const struct pending *p)
{
	const struct aws *a = p->aws;
	const char *name = p->service != NULL ? p->service->name : "";
	bool hit = false;

	if (a->mood == NULL)
		return NULL;
	if (a->mood_service[0] != '\0')
		hit = strcmp(a->mood_service, "all") == 0 ||
		      strcmp(a->mood_service, name) == 0;
	else if (a->mood->scope == SCOPE_ALL)
		hit = true;
	else if (a->mood->scope == SCOPE_SES)
		hit = strcmp(name, "ses") == 0;
	else
		hit = aws_is_send(&p->x);
	return hit ? a->mood : NULL;
}

enum ses_fault
aws_mood_fault(const struct aws_exchange *x)
{
	const struct aws_mood *m = ((const struct pending *)x)->mood;

	return m != NULL && m->act == ACT_FAULT ? m->fault : SES_OK;
}

const char *
aws_mood_what(const struct aws_exchange *x)
{
	const struct aws_mood *m = ((const struct pending *)x)->mood;
	bool silent = m != NULL && m->done &&
		      (m->act == ACT_CLOSE || m->act == ACT_RESET ||
			  m->act == ACT_SILENCE);

	return silent ? "silent" : "delivered";
}

static const struct aws_mood *
find_mood(const char *name, size_t len, unsigned *ms)
{
	const struct aws_mood *m;
	size_t n;

	for (m = moods; m->name != NULL; m++) {
		n = strlen(m->name);
		if (len < n || strncmp(name, m->name, n) != 0)
			continue;
		*ms = SLOW_MS;
		if (len == n)
			return m;
		if (m->act == ACT_SLOW &&
		    strspn(name + n, "0123456789") == len - n) {
			*ms = (unsigned)strtoul(name + n, NULL, 10);
			return m;
		}
	}
	return NULL;
}

void
aws_mood_use(struct aws_exchange *x, const char *name)
{
	unsigned ms;

	((struct pending *)x)->mood = find_mood(name, strlen(name), &ms);
}

/* "M" or "M SERVICE" */
int
aws_set_mood(struct aws *a, const char *value, struct err *e)
{
	size_t len = strcspn(value, " ");
	const char *service = value + len + strspn(value + len, " ");
	const struct aws_mood *m;
	unsigned ms = 0;

	m = find_mood(value, len, &ms);
	if (m == NULL && strcmp(value, "normal") != 0)
		return err_set(e, "aws knows no mood '%s'", value);
	if (strlen(service) >= sizeof(a->mood_service))
		return err_set(e, "aws has no service '%s'", service);
	strcpy(a->mood_service, service);
	a->mood = m;
	a->mood_ms = ms;
	return aws_listen(a, m == NULL || m->act != ACT_DOWN, e);
}
