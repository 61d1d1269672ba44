/*
 * test_account.c - what GetAccount answers, good and bad, and what closes an
 * account.
 */
#include "router/ses/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int
read_text(const char *text, struct ses_account *a, struct err *e)
{
	json_t *json = json_loads(text, 0, NULL);
	int rc = ses_account_read(json, 1000, a, e);

	json_decref(json);
	return rc;
}

/* A real one, with what we have no use for. */
static const char whole[] =
    "{\"DedicatedIpAutoWarmupEnabled\":false,\"EnforcementStatus\":"
    "\"PROBATION\",\"ProductionAccessEnabled\":true,\"SendQuota\":"
    "{\"Max24HourSend\":50000.0,\"MaxSendRate\":14.0,\"SentLast24Hours\":"
    "123.0},\"SendingEnabled\":true,\"SuppressionAttributes\":"
    "{\"SuppressedReasons\":[\"COMPLAINT\"]},\"Details\":{\"MailType\":"
    "\"TRANSACTIONAL\"},\"VdmAttributes\":{}}";

static void
test_whole(void **state)
{
	struct ses_account a = { .trouble = "old trouble", .refused = true };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(read_text(whole, &a, &e), 0);
	assert_int_equal(a.at, 1000);
	assert_true(a.max_24_hours == 50000);
	assert_true(a.rate == 14);
	assert_true(a.sent_24_hours == 123);
	assert_int_equal(a.enforcement, SES_PROBATION);
	assert_string_equal(a.enforcement_text, "PROBATION");
	assert_true(a.sending_enabled);
	assert_true(a.production);
	assert_false(a.suppress_bounces);
	assert_true(a.suppress_complaints);
	assert_string_equal(a.trouble, "");
	assert_false(a.refused);
	assert_null(ses_account_closed(&a));
}

static void
test_missing(void **state)
{
	struct ses_account a;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(read_text("{\"SendQuota\":{}}", &a, &e), 0);
	assert_true(a.max_24_hours == 200);
	assert_true(a.rate == 1);
	assert_true(a.sent_24_hours == 0);
	assert_int_equal(a.enforcement, SES_HEALTHY);
	assert_true(a.sending_enabled);
	assert_false(a.production);
	assert_true(a.suppress_bounces);
	assert_true(a.suppress_complaints);
	assert_null(ses_account_closed(&a));
	assert_int_equal(
	    read_text(
		"{\"SendQuota\":{},\"SuppressionAttributes\":{}}", &a, &e),
	    0);
	assert_false(a.suppress_bounces);
}

static void
test_no_account(void **state)
{
	static const char *const rows[] = { "[]", "{}", "{\"SendQuota\":[]}",
		"{\"SendQuota\":null}",
		"{\"SendQuota\":{\"MaxSendRate\":\"14\"}}",
		"{\"SendQuota\":{\"Max24HourSend\":[]}}",
		"{\"SendQuota\":{\"SentLast24Hours\":true}}",
		"{\"SendQuota\":{\"SentLast24Hours\":1e300}}",
		"{\"SendQuota\":{\"MaxSendRate\":1e20}}",
		"{\"SendQuota\":{\"Max24HourSend\":-1e200}}" };
	struct ses_account a = { .at = 7, .rate = 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(read_text(rows[i], &a, &e), -1);
		assert_true(e.text[0] != '\0');
	}
	assert_int_equal(ses_account_read(NULL, 1, &a, NULL), -1);
	assert_int_equal(a.at, 7);
	assert_true(a.rate == 3);
}

static void
test_enforcement(void **state)
{
	static const struct {
		const char *text, *kept;
		enum ses_enforcement want;
	} rows[] = {
		{ "\"HEALTHY\"", "HEALTHY", SES_HEALTHY },
		{ "\"SHUTDOWN\"", "SHUTDOWN", SES_SHUTDOWN },
		{ "\"PENDING_SOMETHING\"", "PENDING_SOMETHING",
		    SES_ENFORCEMENT_OTHER },
		{ "\"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ\"",
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDE", SES_ENFORCEMENT_OTHER },
		{ "\"A\\nB\"", "A", SES_ENFORCEMENT_OTHER },
		{ "\"\"", "HEALTHY", SES_HEALTHY },
		{ "\" HEALTHY\"", "unknown", SES_ENFORCEMENT_OTHER },
		{ "17", "HEALTHY", SES_HEALTHY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ses_account a;
		char text[200];

		snprintf(text, sizeof(text),
		    "{\"SendQuota\":{},\"EnforcementStatus\":%s}",
		    rows[i].text);
		assert_int_equal(read_text(text, &a, NULL), 0);
		assert_int_equal(a.enforcement, rows[i].want);
		assert_string_equal(a.enforcement_text, rows[i].kept);
	}
	assert_string_equal(ses_enforcement_name(SES_SHUTDOWN), "SHUTDOWN");
}

static void
test_closed(void **state)
{
	static const struct {
		const char *text;
		bool closed;
	} rows[] = {
		{ "{\"SendQuota\":{},\"EnforcementStatus\":\"SHUTDOWN\"}",
		    true },
		{ "{\"SendQuota\":{},\"SendingEnabled\":false}", true },
		{ "{\"SendQuota\":{\"Max24HourSend\":0}}", true },
		{ "{\"SendQuota\":{\"MaxSendRate\":0.0}}", true },
		{ "{\"SendQuota\":{\"MaxSendRate\":-1,\"Max24HourSend\":-1}}",
		    false },
		{ "{\"SendQuota\":{\"SentLast24Hours\":300}}", false },
	};
	struct ses_account a = { .at = 0 };

	(void)state;
	assert_null(ses_account_closed(&a)); /* not known */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_text(rows[i].text, &a, NULL), 0);
		assert_int_equal(
		    ses_account_closed(&a) != NULL, rows[i].closed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_no_account),
		cmocka_unit_test(test_enforcement),
		cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
