/*
 * replies_api.c - what the answers of SES's API to SendEmail mean
 * (facts/aws.md, section 2).
 *
 * An answer becomes an outcome as a reply of SMTP does: a code that fits, and
 * the text "Type: sentence". The type is AWS's own word, which nothing in a
 * message can forge; its sentences may quote the message, so where that could
 * close the path they are only looked at from their beginning.
 */
#include "router/ses/replies.h"

#include "router/ses/call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECONDS(n) ((int64_t)(n)*1000)

/* For an answer of something that is not SES: a proxy, a load balancer. */
#define NOBODY "HTTP"

#define THROTTLED                                                              \
	"TooManyRequestsException LimitExceededException ThrottlingException " \
	"Throttling"
#define BAD                                                                    \
	"BadRequestException InvalidParameterValue InvalidParameterException " \
	"ValidationException"
#define NOT_US                                                                 \
	"AccessDeniedException AccessDenied NotAuthorized "                    \
	"InvalidSignatureException "                                           \
	"SignatureDoesNotMatch IncompleteSignatureException "                  \
	"IncompleteSignature "                                                 \
	"UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId " \
	"MissingAuthenticationTokenException MissingAuthenticationToken "      \
	"OptInRequired"
#define PAUSED                                                                 \
	"AccountSuspendedException SendingPausedException "                    \
	"AccountSendingPausedException "                                       \
	"ConfigurationSetSendingPausedException "                              \
	"MailFromDomainNotVerifiedException"
#define NO_SET                                                                 \
	"NotFoundException ConfigurationSetDoesNotExist "                      \
	"ConfigurationSetDoesNotExistException"
#define OLD_KEYS                                                               \
	"ExpiredTokenException ExpiredToken RequestExpired "                   \
	"RequestTimeTooSkewed"
#define TROUBLE                                                                \
	"InternalServiceErrorException InternalServiceError InternalFailure "  \
	"InternalServerError "                                                 \
	"ServiceUnavailableException ServiceUnavailable "                      \
	"ConcurrentModificationException"

#define HOLD	.action = VERDICT_HOLD, .reason = "securityerror"
#define SYNTAX	.action = VERDICT_BOUNCE, .reason = "syntaxerror"
#define CONTENT .action = VERDICT_BOUNCE, .reason = "contenterror"
#define TOO_BIG .action = VERDICT_BOUNCE, .reason = "mesgtoobig"
#define AGAIN                                                                  \
	.action = VERDICT_RETRY, .reason = "systemerror", .pause = SECONDS(5)
#define RENEW                                                                  \
	.action = VERDICT_RETRY, .reason = "securityerror", .pause = SECONDS(5)
#define SLOW                                                                   \
	.action = VERDICT_RETRY, .reason = "speeding", .pause = SECONDS(1),    \
	.slow = true

/* First match wins. */
/* clang-format off */
static const struct row {
	const char *types;   /* with a blank between */
	const char *text;    /* in the sentence without regard to case, at its beginning after '^'; NULL: any */
	int code;
	struct verdict verdict;
} rows[] = {
	{ THROTTLED, "daily",                          454, { .action = VERDICT_HOLD, .reason = "speeding" } },
	{ THROTTLED, NULL,                             454, { SLOW } },
	{ OLD_KEYS, NULL,                              454, { RENEW } },
	{ NOT_US, NULL,                                535, { HOLD } },
	{ PAUSED, NULL,                                554, { HOLD } },
	{ NO_SET, NULL,                                554, { HOLD } },
	{ "MessageRejected", "^Email address is not verified", 554, { HOLD } },
	{ "MessageRejected", "^Email address not verified",    554, { HOLD } },
	{ "MessageRejected", "^MAIL FROM domain",      554, { HOLD } },
	{ "MessageRejected", "^Account is",            554, { HOLD } },
	{ "MessageRejected", "^Sending paused",        554, { HOLD } },
	{ "MessageRejected", "^Sending suspended",     554, { HOLD } },
	{ "MessageRejected", "^Configuration set",     554, { HOLD } },
	{ "MessageRejected", "^Access denied",         554, { HOLD } },
	{ "MessageRejected", NULL,                     554, { CONTENT } },
	{ BAD, "^Invalid email address",               553, { SYNTAX } },
	{ BAD, "^Missing final",                       553, { SYNTAX } },
	{ BAD, "^Missing local",                       553, { SYNTAX } },
	{ BAD, "^Missing domain",                      553, { SYNTAX } },
	{ BAD, "^Domain ",                             553, { SYNTAX } },
	{ BAD, "^Local address",                       553, { SYNTAX } },
	{ BAD, "^Message length",                      552, { TOO_BIG } },
	{ BAD, "^Configuration set",                   554, { HOLD } },
	{ BAD, NULL,                                   554, { CONTENT } },
	{ "RequestEntityTooLargeException", NULL,      552, { TOO_BIG } },
	{ TROUBLE, NULL,                               451, { AGAIN } },
	{ NOBODY, "^413",                              552, { TOO_BIG } },
	{ NOBODY, "^429",                              454, { SLOW } },
	{ NOBODY, NULL,                                451, { AGAIN } },
};
/* clang-format on */

static bool
names(const char *types, const char *type, size_t len)
{
	for (const char *p = types; *p != '\0';) {
		size_t n = strcspn(p, " ");
		if (n == len && strncasecmp(p, type, n) == 0)
			return true;
		p += n + strspn(p + n, " ");
	}
	return false;
}

static bool
says(const char *sentence, const char *text)
{
	if (text == NULL)
		return true;
	if (*text != '^')
		return strcasestr(sentence, text) != NULL;
	return strncasecmp(sentence, text + 1, strlen(text + 1)) == 0;
}

/* Of a text "Type: sentence"; NULL: nobody knows the type, or it is no such
 * text. */
static const struct row *
find(const char *text)
{
	size_t n = strcspn(text, ":");

	if (text[n] != ':' || text[n + 1] != ' ')
		return NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (names(rows[i].types, text, n) &&
		    says(text + n + 2, rows[i].text))
			return &rows[i];
	return NULL;
}

const struct verdict *
ses_api_verdict(const struct outcome *o)
{
	const struct row *row = find(o->text);

	return row != NULL && row->code == o->code ? &row->verdict : NULL;
}

/* -- answers -------------------------------------------------------------- */

static enum outcome_scope
scope_of(const struct aws_answer *a, const struct row *row)
{
	if (row != NULL && row->verdict.action == VERDICT_HOLD)
		return SCOPE_PATH;
	return a->error[0] == '\0' ? SCOPE_SESSION : SCOPE_MESSAGE;
}

/* In the words that the SMTP client has for it. */
static void
unread(struct outcome *o, const char *why)
{
	outcome_set(o, SCOPE_SESSION, STAGE_DOT, false,
	    "%s while waiting for SES -- message may be sent more than once",
	    why);
	o->unread = true;
}

/* What broke before there was a whole answer. */
static void
no_answer(const struct aws_answer *a, struct outcome *o)
{
	if (a->no_credentials) {
		outcome_set(o, SCOPE_PATH, STAGE_AUTH, true, "%s", a->why.text);
	} else if (a->untrusted) {
		outcome_set(o, SCOPE_PATH, STAGE_TLS, false, "%s", a->why.text);
	} else if (a->may_be_sent) {
		unread(o, a->why.text);
	} else {
		outcome_set(
		    o, SCOPE_SESSION, STAGE_CONNECT, false, "%s", a->why.text);
	}
}

/* SES has it, or somebody behind a gateway may have: nobody can say which. */
static bool
may_have_arrived(const struct aws_answer *a)
{
	return a->status / 100 == 2 ||
	       (a->error[0] == '\0' && (a->status == 502 || a->status == 504));
}

static void
refused(const struct aws_answer *a, struct outcome *o)
{
	const struct row *row;

	if (a->error[0] != '\0')
		outcome_set(o, SCOPE_MESSAGE, STAGE_DOT, false, "%s: %s",
		    a->error, a->message);
	else
		outcome_set(o, SCOPE_SESSION, STAGE_DOT, false,
		    NOBODY ": %d without an error of SES", a->status);
	row = find(o->text);
	o->scope = scope_of(a, row);
	o->code = row != NULL ? row->code : 451;
	if (o->code == 535)
		o->stage = STAGE_AUTH;
}

void
ses_api_outcome(const struct aws_answer *a, struct outcome *o)
{
	const char *id =
	    json_string_value(json_object_get(a->json, "MessageId"));
	char why[64];

	if (a->status == 0) {
		no_answer(a, o);
	} else if (a->status / 100 == 2 && id != NULL && id[0] != '\0') {
		outcome_set(o, SCOPE_MESSAGE, STAGE_DOT, false, "Ok %s", id);
		o->code = 250;
	} else if (may_have_arrived(a)) {
		snprintf(why, sizeof(why), "answer %d without a message id",
		    a->status);
		unread(o, why);
	} else {
		refused(a, o);
	}
}
