/*
 * test_suppress.c - which addresses are one, and what an end with each reason
 * does to the suppression list.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "mta/outcome.h"
#include "router/config.h"
#include "router/config_int.h"
#include "router/store/store.h"
#include "router/suppress.h"

/* -- the key --------------------------------------------------------------- */

static void
all_forms_of_an_address_have_one_key(void **state)
{
	static const struct {
		const char *address, *key;
	} forms[] = {
		{ "taro@docomo.ne.jp", "taro@docomo.ne.jp" },
		{ "Taro@DoCoMo.ne.jp", "taro@docomo.ne.jp" },
		{ "\"taro\"@docomo.ne.jp", "taro@docomo.ne.jp" },
		{ "\"t\\a\\r\\o\"@docomo.ne.jp", "taro@docomo.ne.jp" },
		{ "taro@docomo.ne.jp.", "taro@docomo.ne.jp" },
		{ "a..b@x.jp", "a..b@x.jp" },
		{ "\"a..b\"@X.JP", "a..b@x.jp" },
		{ "A..B@x.jp", "a..b@x.jp" },
		{ "\".a.\"@x.jp", ".a.@x.jp" },
		/* Quoted, and as a recipient holds it. */
		{ "\"A b\"@x.jp", "a b@x.jp" },
		{ "A b@x.jp", "a b@x.jp" },
		{ "\"a@b\"@x.jp", "a@b@x.jp" },
		{ "a@b@x.jp", "a@b@x.jp" },
		/* A local part like a source route is that of nobody else. */
		{ "@a:b@x.jp", "@a:b@x.jp" },
		{ "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]" },
		{ "a@[192.0.2.1]", "a@[192.0.2.1]" },
		/* Beyond ASCII nothing is folded. */
		{ "\xc3\x84@x.jp", "\xc3\x84@x.jp" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char *key = suppress_key(forms[i].address);

		assert_non_null(key);
		assert_string_equal(key, forms[i].key);
		free(key);
	}
}

static void
what_is_no_address_has_no_key(void **state)
{
	static const char *const none[] = { "", "a", "@", "a@", "@x.jp",
		"a\r\nb@x.jp", "a\x7f@x.jp", "a@x\n.jp" };
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_null(suppress_key(none[i]));
	memset(text, 'a', sizeof(text));
	strcpy(text + 65, "@x.jp");
	assert_null(suppress_key(text));
	memset(text, 'a', sizeof(text));
	text[1] = '@';
	text[399] = '\0';
	assert_null(suppress_key(text));
}

/* -- the policy ------------------------------------------------------------ */

#define DAY INT64_C(86400000)
#define NOW INT64_C(1795305600000)

static struct config *
settings(const char *text, struct str *report)
{
	struct str whole = STR_INIT;
	struct config *c;

	str_addf(&whole,
	    "hostname = mail.example.jp\n"
	    "listener r { type = relay address = \"127.0.0.1:2525\" "
	    "networks = { 127.0.0.0/8 } }\n%s",
	    text);
	c = config_parse("t.conf", whole.data, whole.len, report);
	str_release(&whole);
	return c;
}

static struct config *
good_settings(const char *text)
{
	struct str report = STR_INIT;
	struct config *c = settings(text, &report);

	assert_string_equal(report.data, "");
	assert_non_null(c);
	str_release(&report);
	return c;
}

/* Sisimai's vocabulary, and ours: what each does with no word of the settings.
 */
static const struct {
	const char *reason;
	bool suppresses, may; /* by itself; when the settings name it */
} vocabulary[] = {
	{ "userunknown", true, true },
	{ "hostunknown", true, true },
	{ "hasmoved", true, true },
	{ "complaint", true, true },
	{ "mailboxfull", false, true },
	{ "suspend", false, true },
	{ "notaccept", false, true },
	{ "mailererror", false, true },
	{ "authfailure", false, false },
	{ "badreputation", false, false },
	{ "blocked", false, false },
	{ "contenterror", false, false },
	{ "delivered", false, false },
	{ "emailtoolarge", false, false },
	{ "exceedlimit", false, false },
	{ "expired", false, false },
	{ "failedstarttls", false, false },
	{ "feedback", false, false },
	{ "filtered", false, false },
	{ "mesgtoobig", false, false },
	{ "networkerror", false, false },
	{ "norelaying", false, false },
	{ "notcompliantrfc", false, false },
	{ "onhold", false, false },
	{ "policyviolation", false, false },
	{ "ratelimited", false, false },
	{ "rejected", false, false },
	{ "requireptr", false, false },
	{ "securityerror", false, false },
	{ "spamdetected", false, false },
	{ "speeding", false, false },
	{ "suppressed", false, false },
	{ "syntaxerror", false, false },
	{ "systemerror", false, false },
	{ "systemfull", false, false },
	{ "toomanyconn", false, false },
	{ "undefined", false, false },
	{ "vacation", false, false },
	{ "virusdetected", false, false },
};

#define NREASONS (sizeof(vocabulary) / sizeof(vocabulary[0]))

/* Of somebody who was named, for good. */
static bool
by_reason(const struct config *c, const char *path, const char *carrier,
    const char *reason, int64_t at, struct suppress_cause *out)
{
	const struct suppress_ask ask = {
		.path = path,
		.carrier = carrier,
		.reason = reason,
		.at = at,
	};

	return suppress_by_outcome(c, &ask, out);
}

static void
only_what_lies_with_the_address_suppresses(void **state)
{
	struct config *c = good_settings("");
	struct suppress_cause cause;

	(void)state;
	for (size_t i = 0; i < NREASONS; i++) {
		bool got =
		    by_reason(c, "mta", "", vocabulary[i].reason, NOW, &cause);

		if (got != vocabulary[i].suppresses)
			fail_msg("%s", vocabulary[i].reason);
		if (!got)
			continue;
		assert_string_equal(cause.cause, vocabulary[i].reason);
		assert_string_equal(cause.scope, "");
		assert_int_equal(cause.expires, 0);
		assert_true(cause.strikes <= 1);
		assert_false(cause.soft);
	}
	assert_false(by_reason(c, "mta", "", "nonsense", NOW, &cause));
	assert_false(by_reason(c, "mta", "", "", NOW, &cause));
	config_unref(&c);
}

static void
settings_name_no_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < NREASONS; i++) {
		struct str report = STR_INIT, text = STR_INIT;
		struct config *c;

		str_addf(&text,
		    "suppression {\ncauses = { \"%s after 1 in 1d\" }\n}\n",
		    vocabulary[i].reason);
		c = settings(text.data, &report);
		if ((c != NULL) != vocabulary[i].may)
			fail_msg("%s: %s", vocabulary[i].reason, report.data);
		if (c == NULL) {
			assert_non_null(
			    strstr(report.data, "t.conf:4: causes: '"));
			assert_non_null(
			    strstr(report.data, "never suppresses"));
		}
		config_unref(&c);
		str_release(&text);
		str_release(&report);
	}
}

static void
carriers_give_addresses_to_others(void **state)
{
	static const struct {
		const char *carrier, *reason;
		int64_t days;
	} cases[] = {
		{ "docomo", "userunknown", 180 },
		{ "au", "userunknown", 90 },
		{ "softbank", "userunknown", 0 },
		{ "ymobile", "hasmoved", 180 },
		{ "rakuten", "hostunknown", 180 },
		{ "ours", "userunknown", 10 },
		{ "", "userunknown", 400 },
		{ "", "hostunknown", 5 },
		{ "docomo", "hostunknown", 5 },
		/* Who complained stays there. */
		{ "docomo", "complaint", 0 },
		{ "", "complaint", 0 },
	};
	struct config *c = good_settings(
	    "suppression {\nexpires = 400d\n"
	    "carriers = { \"au=90d\", \"softbank=never\", \"ours=10d\" }\n"
	    "causes = { \"hostunknown for 5d\" }\n}\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct suppress_cause cause;
		int64_t days = cases[i].days;

		if (strcmp(cases[i].carrier, "rakuten") == 0)
			days = 5; /* the reason's own word goes first */
		assert_true(by_reason(
		    c, "mta", cases[i].carrier, cases[i].reason, NOW, &cause));
		assert_int_equal(
		    cause.expires, days == 0 ? 0 : NOW + days * DAY);
	}
	config_unref(&c);
}

static void
settings_say_how_often_and_for_whom(void **state)
{
	struct config *c = good_settings(
	    "suppression {\ncauses = { \"mailboxfull after 5 in 30d for 7d\", "
	    "\"suspend after 3 in 14d path-only\", \"userunknown off\", "
	    "\"hasmoved after 2 in 1d\", \"complaint for 30d path-only\" }\n"
	    "}\n");
	struct suppress_cause cause;

	(void)state;
	assert_true(by_reason(c, "mta", "au", "mailboxfull", NOW, &cause));
	assert_int_equal(cause.strikes, 5);
	assert_int_equal(cause.within, 30 * DAY);
	assert_int_equal(cause.expires, NOW + 7 * DAY);
	assert_true(cause.soft);
	assert_string_equal(cause.scope, "");
	assert_true(by_reason(c, "mta", "", "suspend", NOW, &cause));
	assert_int_equal(cause.strikes, 3);
	assert_int_equal(cause.expires, NOW + 30 * DAY);
	assert_string_equal(cause.scope, "mta");
	assert_false(by_reason(c, "mta", "", "userunknown", NOW, &cause));
	assert_true(by_reason(c, "mta", "", "hasmoved", NOW, &cause));
	assert_int_equal(cause.strikes, 2);
	assert_false(cause.soft);
	/* Nobody here knows which path: the store will. */
	assert_true(by_reason(c, NULL, "", "complaint", NOW, &cause));
	assert_null(cause.scope);
	assert_int_equal(cause.expires, NOW + 30 * DAY);
	config_unref(&c);
}

static void
the_stage_says_who_is_meant(void **state)
{
	static const struct {
		enum smtp_stage stage;
		const char *reason;
		bool soft, suppresses;
		unsigned strikes;
	} cases[] = {
		{ STAGE_RCPT, "userunknown", false, true, 0 },
		{ STAGE_RCPT, "userunknown", true, false, 0 },
		{ STAGE_NONE, "userunknown", false, true, 0 },
		{ STAGE_DOT, "hasmoved", false, true, 0 },
		/* Nobody was named yet, whatever the words were. */
		{ STAGE_CONNECT, "userunknown", false, false, 0 },
		{ STAGE_EHLO, "userunknown", false, false, 0 },
		{ STAGE_TLS, "userunknown", false, false, 0 },
		{ STAGE_AUTH, "userunknown", false, false, 0 },
		{ STAGE_MAIL, "userunknown", false, false, 0 },
		{ STAGE_MAIL, "hostunknown", false, false, 0 },
		{ STAGE_MAIL, "mailboxfull", true, false, 0 },
		{ STAGE_DOT, "mailboxfull", true, true, 5 },
		/* A carrier in disorder says so of all its subscribers. */
		{ STAGE_DNS, "hostunknown", false, true, 0 },
		{ STAGE_RCPT, "hostunknown", false, true,
		    SUPPRESS_RELAY_STRIKES },
	};
	struct config *c = good_settings(
	    "suppression {\ncauses = { \"mailboxfull after 5 in 30d\" }\n}\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct outcome o = { .stage = cases[i].stage };
		const struct suppress_ask ask = {
			.path = "mta",
			.carrier = "",
			.reason = cases[i].reason,
			.outcome = &o,
			.soft = cases[i].soft,
			.at = NOW,
		};
		struct suppress_cause cause = { .strikes = 0 };

		if (suppress_by_outcome(c, &ask, &cause) !=
			cases[i].suppresses ||
		    cause.strikes != cases[i].strikes)
			fail_msg("%s of %s", stage_name(cases[i].stage),
			    cases[i].reason);
	}
	config_unref(&c);
}

static void
mistakes_are_told(void **state)
{
	static const struct {
		const char *key, *value, *told;
	} mistakes[] = {
		{ "causes", "", "empty value" },
		{ "causes", " ", "expected a reason" },
		{ "causes", "nonsense", "no such reason: 'nonsense'" },
		{ "causes", "mailboxfull", "say after how many" },
		{ "causes", "mailboxfull for 3d", "say after how many" },
		{ "causes", "mailboxfull after", "a number from 1" },
		{ "causes", "mailboxfull after 0 in 3d", "a number from 1" },
		{ "causes", "mailboxfull after 1.5 in 3d", "a number from 1" },
		{ "causes", "mailboxfull after 5", "expected 'in'" },
		{ "causes", "mailboxfull after 5 in", "a time after 'in'" },
		{ "causes", "mailboxfull after 5 in 3", "expected a time" },
		{ "causes", "userunknown for 9999999d", "too large" },
		{ "causes", "userunknown off for 3d", "unexpected 'for 3d'" },
		{ "causes", "userunknown never", "unexpected 'never'" },
		{ "carriers", "docomo", "docomo=180d" },
		{ "carriers", "=180d", "not the name of a carrier" },
		{ "carriers", "docomo=", "expected a time" },
		{ "carriers", "docomo=0", "too small" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct str report = STR_INIT, text = STR_INIT;
		struct config *c;

		str_addf(&text, "suppression {\n%s = { \"%s\" }\n}\n",
		    mistakes[i].key, mistakes[i].value);
		c = settings(text.data, &report);
		assert_null(c);
		if (strstr(report.data, mistakes[i].told) == NULL ||
		    strstr(report.data, "t.conf:4: ") == NULL)
			fail_msg("'%s': %s", mistakes[i].value, report.data);
		str_release(&text);
		str_release(&report);
	}
}

static void
a_cause_is_given_once(void **state)
{
	struct str report = STR_INIT;
	struct config *c =
	    settings("suppression { causes = { \"hasmoved off\", "
		     "\"hasmoved for 3d\" } }\n",
		&report);

	(void)state;
	assert_null(c);
	assert_non_null(strstr(report.data, "'hasmoved' given twice"));
	str_release(&report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_of_an_address_have_one_key),
		cmocka_unit_test(what_is_no_address_has_no_key),
		cmocka_unit_test(only_what_lies_with_the_address_suppresses),
		cmocka_unit_test(settings_name_no_other),
		cmocka_unit_test(carriers_give_addresses_to_others),
		cmocka_unit_test(settings_say_how_often_and_for_whom),
		cmocka_unit_test(the_stage_says_who_is_meant),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(a_cause_is_given_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
