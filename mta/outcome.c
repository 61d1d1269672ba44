/*
 * outcome.c - what happened to a recipient, a message, a session or a lane.
 */
#include "mta/outcome.h"

#include "mta/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const stages[STAGE_MAX] = {
	[STAGE_NONE] = "none",
	[STAGE_DNS] = "dns",
	[STAGE_CONNECT] = "connect",
	[STAGE_EHLO] = "ehlo",
	[STAGE_TLS] = "tls",
	[STAGE_AUTH] = "auth",
	[STAGE_MAIL] = "mail",
	[STAGE_RCPT] = "rcpt",
	[STAGE_DATA] = "data",
	[STAGE_BODY] = "sending body",
	[STAGE_DOT] = "end of data",
	[STAGE_QUIT] = "quit",
};

const char *
stage_name(enum smtp_stage stage)
{
	return stages[stage];
}

const char *
scope_name(enum outcome_scope scope)
{
	switch (scope) {
	case SCOPE_RECIPIENT:
		return "recipient";
	case SCOPE_MESSAGE:
		return "message";
	case SCOPE_SESSION:
		return "session";
	case SCOPE_LANE:
		return "lane";
	case SCOPE_PATH:
		return "path";
	}
	return "?";
}

void
outcome_set(struct outcome *o, enum outcome_scope scope, enum smtp_stage stage,
    bool permanent, const char *fmt, ...)
{
	va_list ap;

	memset(o, 0, sizeof(*o));
	o->scope = scope;
	o->stage = stage;
	o->permanent = permanent;
	va_start(ap, fmt);
	vsnprintf(o->text, sizeof(o->text), fmt, ap);
	va_end(ap);
	for (char *p = o->text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

char *
outcome_reply(const struct outcome *o)
{
	struct str s = STR_INIT;

	if (o->code != 0)
		str_addf(&s, "%d ", o->code);
	if (o->enhanced[0] != '\0')
		str_addf(&s, "%s ", o->enhanced);
	str_adds(&s, o->text);
	return str_detach(&s);
}

int
outcome_class(const struct outcome *o)
{
	if (o->code >= 100)
		return o->code / 100;
	return o->permanent ? 5 : 4;
}
