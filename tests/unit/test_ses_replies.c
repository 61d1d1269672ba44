/*
 * test_ses_replies.c - every reply of SES that is known, what it means, and
 * that the trouble of an account never bounces a recipient.
 */
#include "router/ses/replies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

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

		classify(NULL, PATH_SES, "gmail.com", &o, &v);
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
	classify(NULL, PATH_SES, "docomo", &o, &v);
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
		classify(NULL, PATH_SES, "", &o, &v);
		if (v.action != row[i].action)
			fail_msg("row %zu: action %d", i, v.action);
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
		struct outcome o =
		    said(SCOPE_MESSAGE, STAGE_DOT, row[i].reply);
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
		cmocka_unit_test(message_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
