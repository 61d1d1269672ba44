/*
 * replies.c - what Amazon SES's SMTP replies mean; those of its API are in replies_api.c.
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
	{ 421, "maximum message count per session", { .action = VERDICT_RETRY, .reason = "toomanyconn", .reconnect = true } },
	{ 421, "too many concurrent",        { .action = VERDICT_RETRY, .reason = "toomanyconn", .pause = SECONDS(5), .slow = true } },
	{ 454, "maximum sending rate",       { .action = VERDICT_RETRY, .reason = "speeding", .pause = SECONDS(1), .slow = true } },
	{ 454, "daily message quota",        { .action = VERDICT_HOLD, .reason = "speeding" } },
	{ 454, "sigv2",                      { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 454, NULL,                         { .action = VERDICT_RETRY, .reason = "systemerror", .pause = SECONDS(5) } },
	{ 451, "timeout waiting for data",   { .action = VERDICT_RETRY, .reason = "networkerror", .reconnect = true } },
	{ 451, NULL,                         { .action = VERDICT_RETRY, .reason = "systemerror", .pause = SECONDS(5) } },
	{ 530, NULL,                         { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 535, NULL,                         { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 552, NULL,                         { .action = VERDICT_BOUNCE, .reason = "mesgtoobig" } },
	{ 553, NULL,                         { .action = VERDICT_BOUNCE, .reason = "syntaxerror" } },
	/* These quote the message, which must not be able to say what closes the path. */
	{ 554, "duplicate header",           { .action = VERDICT_BOUNCE, .reason = "contenterror" } },
	{ 554, "missing final",              { .action = VERDICT_BOUNCE, .reason = "syntaxerror" } },
	{ 554, "local address",              { .action = VERDICT_BOUNCE, .reason = "syntaxerror" } },
	{ 554, "domain contains",            { .action = VERDICT_BOUNCE, .reason = "syntaxerror" } },
	{ 554, "transaction failed",         { .action = VERDICT_BOUNCE, .reason = "contenterror" } },
	{ 554, "access denied",              { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 554, "not verified",               { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 554, "paused",                     { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 554, "sending suspended",          { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 554, "configuration set",          { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 554, "shutdown",                   { .action = VERDICT_HOLD, .reason = "securityerror" } },
	{ 554, "message rejected",           { .action = VERDICT_BOUNCE, .reason = "contenterror" } },
};
/* clang-format on */

/*
 * What is refused before MAIL knows nothing of a message: it is the path's. STAGE_NONE is our own word
 * on a recipient (path_carries) and never comes from SES.
 */
static const struct verdict refused_early = { .action = VERDICT_HOLD,
	.reason = "securityerror" };

/* A bad certificate, no STARTTLS. A connection that breaks or stalls in the handshake is neither. */
static bool
is_tls_refusal(const struct outcome *o)
{
	return o->stage == STAGE_TLS && o->scope >= SCOPE_LANE &&
	    o->code / 100 != 4 && !o->reset;
}

/* Of the message and nobody else: what ses_blame says. */
static const struct verdict its_own_fault = { .action = VERDICT_BOUNCE,
	.reason = "contenterror" };
#define BLAMED "5.6.0"

void
ses_blame(struct outcome *o, const char *rule_set, const char *path_set)
{
	static const char before[] = "configuration set <";
	const char *p = strcasestr(o->text, before);
	size_t n;

	if (p == NULL || outcome_class(o) != 5 ||
	    strcasestr(p, "does not exist") == NULL)
		return;
	p += sizeof(before) - 1;
	n = strcspn(p, ">");
	if ((strlen(rule_set) == n && strncmp(rule_set, p, n) == 0) ||
	    (path_set != NULL && strlen(path_set) == n &&
		strncmp(path_set, p, n) == 0))
		return;
	strcpy(o->enhanced, BLAMED);
	o->scope = SCOPE_MESSAGE;
}

bool
ses_blames_sender(const struct outcome *o)
{
	if (outcome_class(o) != 5 || o->stage < STAGE_AUTH)
		return false;
	return strcasestr(o->text, "not verified") != NULL ||
	       strcasestr(o->text, "NotVerified") != NULL ||
	       (strcasestr(o->text, "not authorized") != NULL &&
		   strcasestr(o->text, ":identity/") != NULL);
}

const struct verdict *
ses_classify(const struct outcome *o)
{
	const struct verdict *v = ses_api_verdict(o);

	if (outcome_class(o) == 5 && strcmp(o->enhanced, BLAMED) == 0)
		return &its_own_fault;
	if (v != NULL)
		return v;
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
	n = strspn(p,
	    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
	if (strcspn(p, "0123456789") >= n || n >= SES_ID_MAX || p[n] != '\0')
		return buf;
	memcpy(buf, p, n);
	buf[n] = '\0';
	return buf;
}
