/*
 * replies.c - what Amazon SES's SMTP replies mean.
 */
#include "router/ses/replies.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SECONDS(n) ((int64_t)(n) * 1000)

/* clang-format off */
static const struct {
	int code;
	const char *text; /* anywhere in the reply without regard to case; NULL: any */
	struct verdict verdict;
} rows[] = {
	{ 421, "maximum message count per session", { VERDICT_RETRY, "toomanyconn", 0, false, true } },
	{ 421, "too many concurrent",        { VERDICT_RETRY, "toomanyconn", SECONDS(5), true, false } },
	{ 454, "maximum sending rate",       { VERDICT_RETRY, "speeding", SECONDS(1), true, false } },
	{ 454, "daily message quota",        { VERDICT_HOLD, "speeding", 0, false, false } },
	{ 454, "sigv2",                      { VERDICT_HOLD, "securityerror", 0, false, false } },
	{ 454, NULL,                         { VERDICT_RETRY, "systemerror", SECONDS(5), false, false } },
	{ 451, "timeout waiting for data",   { VERDICT_RETRY, "networkerror", 0, false, true } },
	{ 451, NULL,                         { VERDICT_RETRY, "systemerror", SECONDS(5), false, false } },
	{ 530, NULL,                         { VERDICT_HOLD, "securityerror", 0, false, false } },
	{ 535, NULL,                         { VERDICT_HOLD, "securityerror", 0, false, false } },
	{ 552, NULL,                         { VERDICT_BOUNCE, "mesgtoobig", 0, false, false } },
	{ 553, NULL,                         { VERDICT_BOUNCE, "syntaxerror", 0, false, false } },
	/* These quote the message, which must not be able to say what closes the path. */
	{ 554, "duplicate header",           { VERDICT_BOUNCE, "contenterror", 0, false, false } },
	{ 554, "missing final",              { VERDICT_BOUNCE, "syntaxerror", 0, false, false } },
	{ 554, "local address",              { VERDICT_BOUNCE, "syntaxerror", 0, false, false } },
	{ 554, "domain contains",            { VERDICT_BOUNCE, "syntaxerror", 0, false, false } },
	{ 554, "transaction failed",         { VERDICT_BOUNCE, "contenterror", 0, false, false } },
	{ 554, "access denied",              { VERDICT_HOLD, "securityerror", 0, false, false } },
	{ 554, "not verified",               { VERDICT_HOLD, "securityerror", 0, false, false } },
	{ 554, "paused",                     { VERDICT_HOLD, "securityerror", 0, false, false } },
	{ 554, "configuration set",          { VERDICT_HOLD, "securityerror", 0, false, false } },
	{ 554, "shutdown",                   { VERDICT_HOLD, "securityerror", 0, false, false } },
};
/* clang-format on */

/*
 * What is refused before MAIL knows nothing of a message: it is the path's. STAGE_NONE is our own word
 * on a recipient (path_carries) and never comes from SES.
 */
static const struct verdict refused_early = { VERDICT_HOLD, "securityerror",
	0, false, false };

/* A bad certificate, no STARTTLS. A connection that breaks or stalls in the handshake is neither. */
static bool
is_tls_refusal(const struct outcome *o)
{
	return o->stage == STAGE_TLS && o->scope >= SCOPE_LANE &&
	    o->code / 100 != 4 && !o->reset;
}

const struct verdict *
ses_classify(const struct outcome *o)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == o->code &&
		    (rows[i].text == NULL ||
			strcasestr(o->text, rows[i].text) != NULL))
			return &rows[i].verdict;
	if (is_tls_refusal(o))
		return &refused_early;
	if (o->stage > STAGE_NONE && o->stage < STAGE_MAIL &&
	    outcome_class(o) == 5)
		return &refused_early;
	return NULL;
}

char *
ses_message_id(const struct outcome *o, char buf[static SES_ID_MAX])
{
	const char *p = o->text;
	size_t n;

	buf[0] = '\0';
	if (outcome_class(o) != 2 || strncmp(p, "Ok ", 3) != 0)
		return buf;
	p += 3;
	n = strspn(p, "0123456789abcdefABCDEF-");
	if (n == 0 || n >= SES_ID_MAX || p[n] != '\0')
		return buf;
	memcpy(buf, p, n);
	buf[n] = '\0';
	return buf;
}
