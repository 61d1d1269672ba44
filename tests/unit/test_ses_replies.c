/*
 * test_ses_replies.c - every reply of SES that is known, over SMTP and over its
 * API, what it means, and that the trouble of an account never bounces a
 * recipient.
 */
#include "router/ses/replies.h"

#include "router/ses/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/said.h"

#define ARN "arn:aws:iam::123456789012:user/oiwake"

/* clang-format off */
static const struct {
	enum smtp_stage stage;
	const char *reply;
	enum verdict_action action;
	const char *reason; /* NULL: any */
	bool slow, reconnect;
} replies[] = {
	{ STAGE_DOT, "250 Ok 0106017033dbb64d-be13a01e-dbf1-44b7-b876-3622165dacc1-000000",
	    VERDICT_SENT, "delivered", false, false },
	{ STAGE_CONNECT, "421 Too many concurrent SMTP connections",
	    VERDICT_RETRY, "toomanyconn", true, false },
	{ STAGE_MAIL, "421 Connection closed by server. Maximum message count per session reached.",
	    VERDICT_RETRY, "toomanyconn", false, true },
	{ STAGE_DOT, "451 Temporary service failure", VERDICT_RETRY, "systemerror", false, false },
	{ STAGE_DOT, "454 Temporary service failure", VERDICT_RETRY, "systemerror", false, false },
	{ STAGE_AUTH, "454 Temporary authentication failure", VERDICT_RETRY, "systemerror", false, false },
	{ STAGE_MAIL, "451 4.4.2 Timeout waiting for data from client.",
	    VERDICT_RETRY, "networkerror", false, true },
	{ STAGE_DOT, "451 Timeout waiting for data from client",
	    VERDICT_RETRY, "networkerror", false, true },
	{ STAGE_DOT, "454 Throttling failure: Maximum sending rate exceeded.",
	    VERDICT_RETRY, "speeding", true, false },
	{ STAGE_DOT, "454 Throttling failure: Daily message quota exceeded.",
	    VERDICT_HOLD, "speeding", false, false },
	{ STAGE_DOT, "454 Throttling failure: Maximum SigV2 SMTP sending rate exceeded",
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_MAIL, "530 Authentication required", VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_MAIL, "530 Must issue a STARTTLS command first",
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_AUTH, "535 Authentication Credentials Invalid",
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_AUTH, "535 Account not subscribed to SES",
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_CONNECT, "554 no service here", VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_EHLO, "501 bad name", VERDICT_HOLD, NULL, false, false },
	{ STAGE_DOT, "552 Message is too long.", VERDICT_BOUNCE, "mesgtoobig", false, false },
	{ STAGE_MAIL, "553 <a b@c> Invalid email address", VERDICT_BOUNCE, "syntaxerror", false, false },
	{ STAGE_RCPT, "553 <x@y> address unknown", VERDICT_BOUNCE, "syntaxerror", false, false },
	{ STAGE_DOT, "554 Access denied: User " ARN " is not authorized to perform ses:SendRawEmail on resource " ARN,
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_DOT, "554 Message rejected: Email address is not verified. The following identities "
	    "failed the check in region AP-NORTHEAST-1: a@example.jp, b@example.jp",
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_DOT, "554 MAIL FROM domain not verified: DNS setup for MAIL FROM domain is invalid.",
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_DOT, "554 Message rejected: Account is paused", VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_DOT, "554 Message rejected: Configuration set <marketing> does not exist",
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_DOT, "554 Message rejected: Sending suspended for this account.",
	    VERDICT_HOLD, "securityerror", false, false },
	{ STAGE_DOT, "554 Message rejected: Bad content", VERDICT_BOUNCE, "contenterror", false, false },
	{ STAGE_DOT, "554 Transaction failed: Recipient count exceeds 50.",
	    VERDICT_BOUNCE, "contenterror", false, false },
	{ STAGE_DOT, "554 Transaction failed: Duplicate header 'DKIM-Signature'.",
	    VERDICT_BOUNCE, "contenterror", false, false },
	{ STAGE_DOT, "554 Transaction failed: Duplicate header 'Message-ID'.",
	    VERDICT_BOUNCE, "contenterror", false, false },
	{ STAGE_DOT, "554 Transaction failed: Missing final '@domain'",
	    VERDICT_BOUNCE, "syntaxerror", false, false },
	{ STAGE_DOT, "554 Transaction failed: Local address contains control or whitespace",
	    VERDICT_BOUNCE, "syntaxerror", false, false },
	{ STAGE_DOT, "554 Transaction failed: Domain contains illegal character",
	    VERDICT_BOUNCE, "syntaxerror", false, false },
	/* What a message can make SES quote must not close the path. */
	{ STAGE_DOT, "554 Transaction failed: Illegal header 'Paused: not verified'.",
	    VERDICT_BOUNCE, "contenterror", false, false },
	/* Never seen before: about this message, not about the path. */
	{ STAGE_DOT, "554 Something new", VERDICT_BOUNCE, "undefined", false, false },
	{ STAGE_DOT, "550 Something new", VERDICT_BOUNCE, "undefined", false, false },
	{ STAGE_DOT, "450 Something new", VERDICT_RETRY, "undefined", false, false },
};
/* clang-format on */

static void
every_reply_has_its_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct outcome o =
		    said(SCOPE_MESSAGE, replies[i].stage, replies[i].reply);
		struct verdict v;

		classify(NULL, NULL, PATH_SES, "gmail.com", &o, &v);
		if (v.action != replies[i].action)
			fail_msg("%s: action %d", replies[i].reply, v.action);
		if (replies[i].reason != NULL)
			assert_string_equal(v.reason, replies[i].reason);
		assert_int_equal(v.slow, replies[i].slow);
		assert_int_equal(v.reconnect, replies[i].reconnect);
	}
}

/* A carrier's table is not asked about SES, whatever the group. */
static void
carriers_tables_are_not_asked(void **state)
{
	struct outcome o =
	    said(SCOPE_MESSAGE, STAGE_DOT, "550 Unknown user <a@docomo.ne.jp>");
	struct verdict v;

	(void)state;
	classify(NULL, NULL, PATH_SES, "docomo", &o, &v);
	assert_int_equal(v.action, VERDICT_BOUNCE);
	assert_string_equal(v.reason, "undefined");
}

/* What is ours or the network's and has no code. */
static void
without_a_reply(void **state)
{
	static const struct {
		enum outcome_scope scope;
		enum smtp_stage stage;
		bool permanent, reset;
		enum verdict_action action;
	} row[] = {
		/* path_carries: this recipient, never the path (settle cannot
		 * hold it) */
		{ SCOPE_RECIPIENT, STAGE_NONE, true, false, VERDICT_BOUNCE },
		{ SCOPE_PATH, STAGE_DNS, false, false, VERDICT_RETRY },
		{ SCOPE_LANE, STAGE_CONNECT, false, false, VERDICT_RETRY },
		{ SCOPE_LANE, STAGE_TLS, false, false, VERDICT_HOLD },
		{ SCOPE_LANE, STAGE_TLS, false, true, VERDICT_RETRY },
		{ SCOPE_SESSION, STAGE_TLS, false, false, VERDICT_RETRY },
		{ SCOPE_PATH, STAGE_AUTH, true, false, VERDICT_HOLD },
		{ SCOPE_SESSION, STAGE_BODY, false, false, VERDICT_RETRY },
		{ SCOPE_SESSION, STAGE_DOT, false, false, VERDICT_RETRY },
		{ SCOPE_MESSAGE, STAGE_MAIL, true, false, VERDICT_BOUNCE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct outcome o;
		struct verdict v;

		outcome_set(&o, row[i].scope, row[i].stage, row[i].permanent,
		    "our own words");
		o.reset = row[i].reset;
		classify(NULL, NULL, PATH_SES, "", &o, &v);
		if (v.action != row[i].action)
			fail_msg("row %zu: action %d", i, v.action);
	}
}

/* -- the API -------------------------------------------------------------- */

/* clang-format off */
static const struct {
	int status;
	const char *type, *message;
	int code;
	enum verdict_action action;
	const char *reason;
	int64_t pause; /* ms */
	bool slow;
} errors[] = {
	{ 429, "TooManyRequestsException", "Maximum sending rate exceeded.", 454, VERDICT_RETRY, "speeding", 1000, true },
	{ 429, "TooManyRequestsException", "Daily message quota exceeded.", 454, VERDICT_HOLD, "speeding", 0, false },
	{ 400, "LimitExceededException", "Daily message quota exceeded.", 454, VERDICT_HOLD, "speeding", 0, false },
	{ 400, "LimitExceededException", "Maximum sending rate exceeded.", 454, VERDICT_RETRY, "speeding", 1000, true },
	{ 400, "ThrottlingException", "Rate exceeded", 454, VERDICT_RETRY, "speeding", 1000, true },
	{ 400, "Throttling", "Daily message quota exceeded.", 454, VERDICT_HOLD, "speeding", 0, false },
	{ 400, "AccountSuspendedException", "", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "SendingPausedException", "Sending is paused for this account", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "ConfigurationSetSendingPausedException", "x", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "MailFromDomainNotVerifiedException", "x", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "MessageRejected", "Email address is not verified. The following identities failed the check in "
	    "region AP-NORTHEAST-1: a@example.jp", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "MessageRejected", "Account is paused", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "MessageRejected", "Sending paused for this account.", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "MessageRejected", "Sending suspended for this account.", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "MessageRejected", "Bad content", 554, VERDICT_BOUNCE, "contenterror", 0, false },
	{ 404, "NotFoundException", "Configuration set <news> does not exist.", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "BadRequestException", "Configuration set <news> does not exist.", 554, VERDICT_HOLD, "securityerror", 0, false },
	{ 400, "BadRequestException", "Invalid email address <a..b@c>.", 553, VERDICT_BOUNCE, "syntaxerror", 0, false },
	{ 400, "BadRequestException", "Missing final '@domain'", 553, VERDICT_BOUNCE, "syntaxerror", 0, false },
	{ 400, "BadRequestException", "Missing local name", 553, VERDICT_BOUNCE, "syntaxerror", 0, false },
	{ 400, "BadRequestException", "Domain contains illegal character", 553, VERDICT_BOUNCE, "syntaxerror", 0, false },
	{ 400, "InvalidParameterValue", "Local address contains control or whitespace", 553, VERDICT_BOUNCE, "syntaxerror", 0, false },
	{ 400, "InvalidParameterValue", "Illegal header 'X'.", 554, VERDICT_BOUNCE, "contenterror", 0, false },
	{ 400, "BadRequestException", "Duplicate header 'From'.", 554, VERDICT_BOUNCE, "contenterror", 0, false },
	{ 400, "BadRequestException", "Message length is more than 41943040 bytes long: '41943041'.", 552, VERDICT_BOUNCE, "mesgtoobig", 0, false },
	{ 413, "RequestEntityTooLargeException", "x", 552, VERDICT_BOUNCE, "mesgtoobig", 0, false },
	{ 403, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized to perform: ses:SendEmail", 535, VERDICT_HOLD, "securityerror", 0, false },
	{ 403, "InvalidSignatureException", "The request signature we calculated does not match", 535, VERDICT_HOLD, "securityerror", 0, false },
	{ 403, "SignatureDoesNotMatch", "Signature expired", 535, VERDICT_HOLD, "securityerror", 0, false },
	{ 403, "UnrecognizedClientException", "The security token included in the request is invalid.", 535, VERDICT_HOLD, "securityerror", 0, false },
	{ 403, "MissingAuthenticationTokenException", "Missing Authentication Token", 535, VERDICT_HOLD, "securityerror", 0, false },
	{ 403, "ExpiredTokenException", "The security token included in the request is expired", 454, VERDICT_RETRY, "securityerror", 5000, false },
	{ 500, "InternalServiceErrorException", "x", 451, VERDICT_RETRY, "systemerror", 5000, false },
	{ 503, "ServiceUnavailableException", "x", 451, VERDICT_RETRY, "systemerror", 5000, false },
	{ 409, "ConcurrentModificationException", "x", 451, VERDICT_RETRY, "systemerror", 5000, false },
	/* Case is AWS's own affair. */
	{ 429, "toomanyrequestsexception", "daily", 454, VERDICT_HOLD, "speeding", 0, false },
	/* Never seen before: whose fault it is nobody knows, so nobody is bounced for it. */
	{ 400, "SomethingNewException", "Email address is not verified", 451, VERDICT_RETRY, "systemerror", 5000, false },
	{ 418, "SomethingNewException", "", 451, VERDICT_RETRY, "systemerror", 5000, false },
	/* Not SES: a proxy, a load balancer, a wall. */
	{ 503, "", "", 451, VERDICT_RETRY, "systemerror", 5000, false },
	{ 500, "", "", 451, VERDICT_RETRY, "systemerror", 5000, false },
	{ 403, "", "", 451, VERDICT_RETRY, "systemerror", 5000, false },
	{ 302, "", "", 451, VERDICT_RETRY, "systemerror", 5000, false },
	{ 429, "", "", 454, VERDICT_RETRY, "speeding", 1000, true },
	{ 413, "", "", 552, VERDICT_BOUNCE, "mesgtoobig", 0, false },
	/* What a message can make SES quote must not close the path. */
	{ 400, "MessageRejected", "Illegal header 'X: Email address is not verified'", 554, VERDICT_BOUNCE, "contenterror", 0, false },
	{ 400, "MessageRejected", "Header 'AccountSuspendedException: Sending paused' is bad", 554, VERDICT_BOUNCE, "contenterror", 0, false },
	{ 400, "BadRequestException", "Illegal header 'Configuration set <x> does not exist: daily'", 554, VERDICT_BOUNCE, "contenterror", 0, false },
	{ 400, "BadRequestException", "Illegal header 'TooManyRequestsException: daily'", 554, VERDICT_BOUNCE, "contenterror", 0, false },
};
/* clang-format on */

static void
answer_to(const struct aws_answer *a, struct outcome *o, struct verdict *v)
{
	ses_api_outcome(a, o);
	classify(NULL, NULL, PATH_SES, "gmail.com", o, v);
}

static void
every_error_has_its_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct aws_answer a = { .status = errors[i].status,
			.body = "" };
		struct outcome o;
		struct verdict v;

		strcpy(a.error, errors[i].type);
		strcpy(a.message, errors[i].message);
		answer_to(&a, &o, &v);
		if (o.code != errors[i].code || v.action != errors[i].action ||
		    strcmp(v.reason, errors[i].reason) != 0)
			fail_msg("%d %s: code %d, action %d, %s",
			    errors[i].status, o.text, o.code, v.action,
			    v.reason);
		assert_int_equal(v.pause, errors[i].pause);
		assert_int_equal(v.slow, errors[i].slow);
		assert_false(o.unread);
		assert_int_equal(
		    o.stage, errors[i].code == 535 ? STAGE_AUTH : STAGE_DOT);
		/* Only what is SES's own word on a message leaves the session.
		 */
		assert_int_equal(o.scope >= SCOPE_SESSION,
		    errors[i].type[0] == '\0' || v.action == VERDICT_HOLD);
	}
}

static void
a_message_id_is_success(void **state)
{
	json_t *json = json_pack("{s:s}", "MessageId",
	    "0106017033dbb64d-be13a01e-dbf1-44b7-b876-3622165dacc1-000000");
	struct aws_answer a = { .status = 200, .json = json };
	char id[SES_ID_MAX];
	struct outcome o;
	struct verdict v;

	(void)state;
	answer_to(&a, &o, &v);
	assert_int_equal(v.action, VERDICT_SENT);
	assert_int_equal(o.code, 250);
	assert_int_equal(o.stage, STAGE_DOT);
	assert_string_equal(ses_message_id(&o, id),
	    "0106017033dbb64d-be13a01e-dbf1-44b7-b876-3622165dacc1-000000");
	json_decref(json);
}

/* Nobody can say whether SES has it: never taken for a refusal, nor for
 * success. */
static void
without_a_readable_answer(void **state)
{
	json_t *odd[] = { NULL, json_pack("{}"), json_pack("[]"),
		json_pack("{s:i}", "MessageId", 1),
		json_pack("{s:s}", "MessageId", "") };
	struct outcome o;
	struct verdict v;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct aws_answer a = { .status = 200, .json = odd[i] };
		answer_to(&a, &o, &v);
		assert_true(o.unread);
		assert_int_equal(o.stage, STAGE_DOT);
		assert_int_equal(v.action, VERDICT_RETRY);
		json_decref(odd[i]);
	}
	for (int status = 502; status <= 504; status += 2) {
		struct aws_answer a = { .status = status };
		answer_to(&a, &o, &v);
		assert_true(o.unread);
		assert_int_equal(v.action, VERDICT_RETRY);
	}
}

static void
without_an_answer(void **state)
{
	struct aws_answer lost = { .may_be_sent = true,
		.why = { .text = "connection reset" } };
	struct aws_answer never = { .why = { .text = "connection refused" } };
	struct aws_answer nobody = { .no_credentials = true,
		.why = { .text = "no keys in the environment" } };
	struct aws_answer forged = { .untrusted = true,
		.why = { .text = "self-signed certificate" } };
	struct outcome o;
	struct verdict v;

	(void)state;
	answer_to(&forged, &o, &v);
	assert_false(o.unread);
	assert_int_equal(o.stage, STAGE_TLS);
	assert_int_equal(v.action, VERDICT_HOLD);
	answer_to(&lost, &o, &v);
	assert_true(o.unread);
	assert_int_equal(o.stage, STAGE_DOT);
	assert_int_equal(o.scope, SCOPE_SESSION);
	assert_int_equal(v.action, VERDICT_RETRY);
	assert_string_equal(o.text,
	    "connection reset while waiting for SES -- message may be sent "
	    "more than once");
	answer_to(&never, &o, &v);
	assert_false(o.unread);
	assert_int_equal(o.stage, STAGE_CONNECT);
	assert_int_equal(o.scope, SCOPE_SESSION);
	assert_int_equal(v.action, VERDICT_RETRY);
	assert_string_equal(v.reason, "networkerror");
	answer_to(&nobody, &o, &v);
	assert_false(o.unread);
	assert_int_equal(v.action, VERDICT_HOLD);
	assert_string_equal(o.text, "no keys in the environment");
}

/* An application's own mistake is not the path's. */
static void
whose_configuration_set(void **state)
{
	static const struct {
		const char *reply, *rule, *path;
		enum verdict_action action;
	} row[] = {
		{ "554 Message rejected: Configuration set <a> does not exist.",
		    "a", "b", VERDICT_HOLD },
		{ "554 Message rejected: Configuration set <a> does not exist.",
		    "", "a", VERDICT_HOLD },
		{ "554 Message rejected: Configuration set <a> does not exist.",
		    "", NULL, VERDICT_BOUNCE },
		{ "554 Message rejected: Configuration set <a> does not exist.",
		    "aa", "b", VERDICT_BOUNCE },
		{ "554 NotFoundException: Configuration set <a> does not "
		  "exist.",
		    "", "b", VERDICT_BOUNCE },
		{ "554 NotFoundException: Configuration set <a> does not "
		  "exist.",
		    "", "a", VERDICT_HOLD },
		{ "554 Message rejected: Configuration set <a> is paused", "",
		    "b", VERDICT_HOLD },
		{ "454 Throttling failure: Configuration set <a> does not "
		  "exist",
		    "", "b", VERDICT_RETRY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct outcome o = said(SCOPE_MESSAGE, STAGE_DOT, row[i].reply);
		struct verdict v;

		ses_blame(&o, row[i].rule, row[i].path);
		classify(NULL, NULL, PATH_SES, "gmail.com", &o, &v);
		if (v.action != row[i].action)
			fail_msg("row %zu: action %d", i, v.action);
	}
}

static void
who_is_to_blame(void **state)
{
	static const struct {
		const char *reply;
		bool sender;
	} row[] = {
		{ "554 Message rejected: Email address is not verified. The "
		  "following identities failed the check in region "
		  "AP-NORTHEAST-1: a@b.jp",
		    true },
		{ "554 MessageRejected: Email address is not verified. The "
		  "following identities failed",
		    true },
		{ "554 MailFromDomainNotVerifiedException: x", true },
		{ "554 Access denied: User `arn:aws:iam::1:user/u' is not "
		  "authorized to perform `ses:SendRawEmail' on resource "
		  "`arn:aws:ses:eu-west-1:1:identity/b.jp'",
		    true },
		{ "535 AccessDeniedException: User `u' is not authorized to "
		  "perform `ses:SendEmail' on resource "
		  "`arn:aws:ses:eu-west-1:1:identity/b.jp'",
		    true },
		{ "535 AccessDeniedException: User `u' is not authorized to "
		  "perform `ses:SendEmail'",
		    false },
		{ "535 Authentication Credentials Invalid", false },
		{ "554 Message rejected: Sending paused for this account.",
		    false },
		{ "454 Email address is not verified", false },
		{ "250 Ok not verified", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct outcome o = said(SCOPE_MESSAGE, STAGE_DOT, row[i].reply);

		if (ses_blames_sender(&o) != row[i].sender)
			fail_msg("row %zu", i);
	}
}

static void
message_ids(void **state)
{
	static const struct {
		const char *reply, *id;
	} row[] = {
		{ "250 Ok 0106017033dbb64d-be13a01e-dbf1-44b7-b876-"
		  "3622165dacc1-000000",
		    "0106017033dbb64d-be13a01e-dbf1-44b7-b876-3622165dacc1-"
		    "000000" },
		{ "250 Ok", "" },
		{ "250 Ok ", "" },
		{ "250 ok 0106017033dbb64d", "" },
		{ "250 Ok 0106 0107", "" },
		{ "250 Ok zz", "" },
		{ "250 Ok ses-123456789", "ses-123456789" },
		{ "250 Ok queued as 123", "" },
		{ "250 Ok 1<2", "" },
		{ "250 2.0.0 Ok 0106017033dbb64d-000000",
		    "0106017033dbb64d-000000" },
		{ "250 Ok 00000000000000000000000000000000000000000000000000000"
		  "00000000000000000000000000",
		    "0000000000000000000000000000000000000000000000000000000000"
		    "000000000000000000000" },
		{ "250 Ok 00000000000000000000000000000000000000000000000000000"
		  "000000000000000000000000000",
		    "" },
		{ "554 Ok 0106017033dbb64d-000000", "" },
	};
	char buf[SES_ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct outcome o = said(SCOPE_MESSAGE, STAGE_DOT, row[i].reply);
		assert_string_equal(ses_message_id(&o, buf), row[i].id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reply_has_its_meaning),
		cmocka_unit_test(carriers_tables_are_not_asked),
		cmocka_unit_test(without_a_reply),
		cmocka_unit_test(every_error_has_its_meaning),
		cmocka_unit_test(a_message_id_is_success),
		cmocka_unit_test(without_a_readable_answer),
		cmocka_unit_test(without_an_answer),
		cmocka_unit_test(whose_configuration_set),
		cmocka_unit_test(who_is_to_blame),
		cmocka_unit_test(message_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
