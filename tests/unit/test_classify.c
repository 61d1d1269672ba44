/*
 * test_classify.c - what replies mean: each row of the facts about carriers,
 * what anybody says, and what has no code.
 *
 * The rows of the facts stand below as they are there; with $OIWAKE_FACTS
 * (default ../shared/facts) at hand, each row of carrier_replies.tsv must be
 * one of them. Run from the top of the source: reads conf/.
 */
#include "router/classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/said.h"

#define HOUR 3600000

static struct ruleset *rules; /* those that ship: what carriers say is in them */

/* clang-format off */
static const struct row {
	const char *carrier, *fact;   /* as in the facts */
	const char *group;            /* NULL: no reply of a dialogue */
	enum smtp_stage stages[3];    /* where it is said; ends with STAGE_NONE */
	const char *reply;
	enum verdict_action action;
	const char *reason;
	int64_t pause;                /* at least */
} rows[] = {
	{ "docomo", "421 Service not available, closing transmission channel", "docomo", { STAGE_CONNECT },
	    "421 Service not available, closing transmission channel", VERDICT_RETRY, "blocked", 1 },
	{ "docomo", "550 Unknown user <addr>", "docomo", { STAGE_RCPT },
	    "550 Unknown user <a@docomo.ne.jp>", VERDICT_BOUNCE, "userunknown", 0 },
	{ "docomo", "550 Unknown user <addr>", "docomo", { STAGE_DATA, STAGE_DOT },
	    "550 Unknown user <a@docomo.ne.jp>", VERDICT_FILTERED, "filtered", 0 },
	{ "docomo", "550 Unknown user <addr>", "docomo", { STAGE_DOT },
	    "550 5.2.0 Unknown user <a@docomo.ne.jp>", VERDICT_FILTERED, "filtered", 0 },
	{ "docomo", "552 Too much mail data <addr>", "docomo", { STAGE_RCPT, STAGE_DATA, STAGE_DOT },
	    "552 Too much mail data <a@docomo.ne.jp>", VERDICT_RETRY, "mailboxfull", 0 },
	{ "docomo", "552 Too many recipients", "docomo", { STAGE_RCPT },
	    "552 Too many recipients", VERDICT_RETRY, "toomanyconn", 0 },
	{ "docomo", "554:Transaction failed", "docomo", { STAGE_MAIL, STAGE_RCPT, STAGE_DOT },
	    "554:Transaction failed", VERDICT_RETRY, "toomanyconn", 0 },
	{ "docomo", "500 Line Too Long", "docomo", { STAGE_DATA, STAGE_DOT },
	    "500 Line Too Long", VERDICT_BOUNCE, "syntaxerror", 0 },
	{ "docomo", "503 Bad sequence of commands", "docomo", { STAGE_DATA },
	    "503 Bad sequence of commands", VERDICT_RETRY, "systemerror", 0 },
	{ "docomo", "504 Command parameter not implemented", "docomo", { STAGE_DOT },
	    "504 Command parameter not implemented", VERDICT_BOUNCE, "syntaxerror", 0 },
	{ "docomo", "250 Requested mail action okay, completed", "docomo", { STAGE_DOT },
	    "250 Requested mail action okay, completed", VERDICT_SENT, "delivered", 0 },

	{ "au", "550 <addr>: User unknown", "kddi", { STAGE_RCPT },
	    "550 <a@ezweb.ne.jp>: User unknown", VERDICT_BOUNCE, "userunknown", 0 },
	{ "au", "550 : User unknown", "kddi", { STAGE_DATA, STAGE_DOT },
	    "550 : User unknown", VERDICT_FILTERED, "filtered", 0 },
	{ "au", "554 Error: no valid recipients", "kddi", { STAGE_DATA },
	    "554 Error: no valid recipients", VERDICT_RETRY, "systemerror", 0 },
	{ "au", "554 <addr>: Relay access denied", "kddi", { STAGE_RCPT },
	    "554 <a@example.ezweb.ne.jp>: Relay access denied", VERDICT_BOUNCE, "hostunknown", 0 },
	{ "au", "The user(s) account is temporarily over quota", NULL, { 0 }, NULL, 0, NULL, 0 },
	{ "au", "The user(s) account is disabled.", NULL, { 0 }, NULL, 0, NULL, 0 },
	{ "au", "The user(s) account is temporarily limited.", NULL, { 0 }, NULL, 0, NULL, 0 },
	{ "au", "header X-SPASIGN: NG", NULL, { 0 }, NULL, 0, NULL, 0 },
	{ "au", "Your message was not delivered within 0 days and 1 hours. / Remote host is not responding.",
	    NULL, { 0 }, NULL, 0, NULL, 0 },
	{ "au", "TCP RESET", NULL, { 0 }, NULL, 0, NULL, 0 }, /* a_reset_is_a_block */

	{ "softbank", "550 Invalid recipient: <addr>", "softbank", { STAGE_RCPT },
	    "550 Invalid recipient: <a@i.softbank.jp>", VERDICT_BOUNCE, "userunknown", 0 },
	{ "softbank", "553 <domain> does not exist", "softbank", { STAGE_MAIL, STAGE_RCPT },
	    "553 <example.jp> does not exist", VERDICT_BOUNCE, "rejected", 0 },
	{ "softbank", "(none: accepted)", NULL, { 0 }, NULL, 0, NULL, 0 },
	{ "ymobile", "421 (bare code, no text)", "softbank", { STAGE_RCPT },
	    "421", VERDICT_RETRY, "onhold", 0 },

	{ "yahoo.ne.jp", "421 [TSS04] Messages from <ip> temporarily deferred due to unexpected volume or user complaints",
	    "yahoo", { STAGE_CONNECT, STAGE_MAIL },
	    "421 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
	    VERDICT_RETRY, "blocked", HOUR },
	{ "yahoo.ne.jp", "421 [IPTS04] Messages from <ip> temporarily deferred due to unexpected volume or user complaints",
	    "yahoo", { STAGE_CONNECT, STAGE_MAIL },
	    "421 [IPTS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
	    VERDICT_RETRY, "blocked", HOUR },
	{ "yahoo.ne.jp", "553 Mail from <ip> not allowed - VS98-IP0 deferred", "yahoo", { STAGE_CONNECT, STAGE_MAIL },
	    "553 Mail from 192.0.2.1 not allowed - VS98-IP0 deferred", VERDICT_RETRY, "blocked", HOUR },

	/* Not in the facts: other spellings, other people's replies, near misses. */
	{ "", "", "docomo", { STAGE_RCPT }, "550 UNKNOWN USER", VERDICT_BOUNCE, "userunknown", 0 },
	{ "", "", "docomo", { STAGE_DOT }, "550 go away", VERDICT_BOUNCE, "undefined", 0 },
	{ "", "", "kddi", { STAGE_RCPT }, "550 : User unknown", VERDICT_BOUNCE, "userunknown", 0 },
	{ "", "", "kddi", { STAGE_DOT }, "550 <a@au.com>: User unknown", VERDICT_FILTERED, "filtered", 0 },
	{ "", "", "docomo.example", { STAGE_DOT }, "550 Unknown user <a@b>", VERDICT_BOUNCE, "filtered", 0 },
	{ "", "", "docomo.example", { STAGE_DOT }, "552 Too much mail data", VERDICT_BOUNCE, "mailboxfull", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "550 5.1.1 no such user here", VERDICT_BOUNCE, "userunknown", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "550 5.1.1 ?", VERDICT_BOUNCE, "userunknown", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "550 5.2.0 ?", VERDICT_BOUNCE, "filtered", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "552 5.2.2 full", VERDICT_BOUNCE, "mailboxfull", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "452 4.2.2 full", VERDICT_RETRY, "mailboxfull", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "452 later", VERDICT_RETRY, "toomanyconn", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "550 5.7.1 blocked using dnsbl.example", VERDICT_BOUNCE, "blocked", 0 },
	{ "", "", "gmail.com", { STAGE_RCPT }, "550 5.7.1 very low reputation of the sending IP", VERDICT_BOUNCE, "badreputation", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "450 4.2.2 full", VERDICT_RETRY, "mailboxfull", 0 },
	{ "", "", "example.jp", { STAGE_RCPT }, "550 Greylisted, come back", VERDICT_RETRY, "onhold", 0 },
	{ "", "", "example.jp", { STAGE_DOT }, "550 5.7.1 policy", VERDICT_BOUNCE, "policyviolation", 0 },
	{ "", "", "example.jp", { STAGE_DOT }, "550 9.9.9 ?", VERDICT_BOUNCE, "undefined", 0 },
	{ "", "", "example.jp", { STAGE_DOT }, "250 user unknown, but taken", VERDICT_SENT, "delivered", 0 },
	{ "", "", "example.jp", { STAGE_DOT }, "354 what", VERDICT_RETRY, "undefined", 0 },
	{ "", "", "", { STAGE_RCPT }, "450 later", VERDICT_RETRY, "undefined", 0 },
};
/* clang-format on */

#define N(a) (sizeof(a) / sizeof(a[0]))

static enum outcome_scope
scope_at(enum smtp_stage stage)
{
	return stage < STAGE_MAIL ? SCOPE_LANE
	    : stage == STAGE_RCPT ? SCOPE_RECIPIENT
				  : SCOPE_MESSAGE;
}

static void
every_row_has_its_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		for (size_t k = 0; k < 3 && rows[i].stages[k] != 0; k++) {
			enum smtp_stage stage = rows[i].stages[k];
			struct outcome o =
			    said(scope_at(stage), stage, rows[i].reply);
			struct verdict v;

			classify(rules, NULL, PATH_MTA, rows[i].group, &o, &v);
			if (v.action != rows[i].action ||
			    strcmp(v.reason, rows[i].reason) != 0)
				fail_msg("%s: '%s' at %s is %d, %s",
				    rows[i].group, rows[i].reply,
				    stage_name(stage), v.action, v.reason);
			assert_true(v.pause >= rows[i].pause);
		}
}

/* -- the facts */

/* A tab ends a field, and two in a row an empty one. */
static char *
next_field(char **line)
{
	char *field = *line;
	size_t n = strcspn(field, "\t\n");

	*line += field[n] != '\0' ? n + 1 : n;
	field[n] = '\0';
	return field;
}

static const struct row *
row_of(const char *carrier, const char *fact)
{
	for (size_t i = 0; i < N(rows); i++)
		if (strcmp(rows[i].carrier, carrier) == 0 &&
		    strcmp(rows[i].fact, fact) == 0)
			return &rows[i];
	return NULL;
}

static void
every_fact_is_a_row(void **state)
{
	const char *dir = getenv("OIWAKE_FACTS");
	char path[4096], line[4096];
	unsigned n = 0;
	FILE *fp;

	(void)state;
	snprintf(path, sizeof(path), "%s/carrier_replies.tsv",
	    dir != NULL ? dir : "../shared/facts");
	if ((fp = fopen(path, "r")) == NULL)
		skip();
	assert_non_null(fgets(line, sizeof(line), fp)); /* names of the fields */
	while (fgets(line, sizeof(line), fp) != NULL) {
		char *rest = line, *carrier = next_field(&rest), *fact;

		next_field(&rest); /* host */
		next_field(&rest); /* stage */
		fact = next_field(&rest);
		if (row_of(carrier, fact) == NULL)
			fail_msg("no test of %s: %s", carrier, fact);
		n++;
	}
	fclose(fp);
	assert_true(n > 0);
}

/* -- without a reply */

/* clang-format off */
static const struct {
	enum outcome_scope scope;
	enum smtp_stage stage;
	bool permanent;
	const char *enhanced;
	enum verdict_action action;
	const char *reason;
} silent[] = {
	{ SCOPE_RECIPIENT, STAGE_DNS, true, "5.1.2", VERDICT_BOUNCE, "hostunknown" },
	{ SCOPE_RECIPIENT, STAGE_DNS, true, "5.4.4", VERDICT_BOUNCE, "networkerror" },
	{ SCOPE_LANE, STAGE_DNS, false, "4.4.3", VERDICT_RETRY, "networkerror" },
	{ SCOPE_LANE, STAGE_CONNECT, false, "", VERDICT_RETRY, "networkerror" },
	{ SCOPE_LANE, STAGE_TLS, false, "", VERDICT_RETRY, "securityerror" },
	{ SCOPE_PATH, STAGE_AUTH, true, "", VERDICT_RETRY, "securityerror" },
	{ SCOPE_SESSION, STAGE_RCPT, false, "", VERDICT_RETRY, "networkerror" },
	{ SCOPE_SESSION, STAGE_BODY, false, "", VERDICT_RETRY, "networkerror" },
	{ SCOPE_SESSION, STAGE_DOT, false, "", VERDICT_RETRY, "networkerror" },
	/* What we refuse ourselves before MAIL, for what the peer offers. */
	{ SCOPE_MESSAGE, STAGE_MAIL, true, "5.6.7", VERDICT_BOUNCE, "contenterror" },
	{ SCOPE_MESSAGE, STAGE_MAIL, true, "5.3.4", VERDICT_BOUNCE, "mesgtoobig" },
	{ SCOPE_MESSAGE, STAGE_NONE, false, "", VERDICT_RETRY, "undefined" },
};
/* clang-format on */

static void
what_has_no_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(silent); i++) {
		struct outcome o;
		struct verdict v;

		outcome_set(&o, silent[i].scope, silent[i].stage,
		    silent[i].permanent, "user unknown, say our own words");
		strcpy(o.enhanced, silent[i].enhanced);
		classify(rules, NULL, PATH_MTA, "docomo", &o, &v);
		if (v.action != silent[i].action ||
		    strcmp(v.reason, silent[i].reason) != 0)
			fail_msg("row %zu: %d, %s", i, v.action, v.reason);
	}
}

/* Our rules' refusal is no address's fault, whatever words the rule has for it. */
static void
a_rejection_by_rule(void **state)
{
	static const char *const texts[] = { "550 5.7.1 no such user",
		"550 5.7.1 Unknown user", "550 5.1.1 user unknown",
		"550 too many, greylisted", "550 x" };

	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		struct outcome o = said(SCOPE_RECIPIENT, STAGE_NONE, texts[i]);
		struct verdict v;

		classify(rules, NULL, PATH_REJECT, "docomo", &o, &v);
		assert_int_equal(v.action, VERDICT_BOUNCE);
		assert_string_equal(v.reason, "policyviolation");
	}
}

/* A source address that is gone closes the path; nothing that a peer says or does can. */
static void
a_source_that_is_gone(void **state)
{
	static const struct {
		enum outcome_scope scope;
		enum smtp_stage stage;
		const char *reply; /* NULL: none */
		enum verdict_action action;
	} row[] = {
		{ SCOPE_PATH, STAGE_CONNECT, NULL, VERDICT_HOLD },
		{ SCOPE_LANE, STAGE_CONNECT, NULL, VERDICT_RETRY },
		{ SCOPE_PATH, STAGE_DNS, NULL, VERDICT_RETRY },
		{ SCOPE_LANE, STAGE_CONNECT,
		    "421 cannot use the source address", VERDICT_RETRY },
		{ SCOPE_PATH, STAGE_CONNECT, "421 go away", VERDICT_RETRY },
	};

	(void)state;
	for (size_t i = 0; i < N(row); i++) {
		struct outcome o;
		struct verdict v;

		if (row[i].reply != NULL)
			o = said(row[i].scope, row[i].stage, row[i].reply);
		else
			outcome_set(&o, row[i].scope, row[i].stage, false,
			    "cannot use the source address");
		classify(rules, NULL, PATH_MTA, "kddi", &o, &v);
		assert_int_equal(v.action, row[i].action);
	}
}

static void
a_reset_is_a_block(void **state)
{
	struct outcome o;
	struct verdict v;

	(void)state;
	outcome_set(&o, SCOPE_LANE, STAGE_CONNECT, false, "connection reset");
	o.reset = true;
	classify(rules, NULL, PATH_MTA, "kddi", &o, &v);
	assert_int_equal(v.action, VERDICT_RETRY);
	assert_string_equal(v.reason, "blocked");
	assert_true(v.pause > 0);
}

/* Refused before there was a recipient: no recipient bounces for it. */
static void
a_refused_session_bounces_nobody(void **state)
{
	static const enum smtp_stage stages[] = { STAGE_CONNECT, STAGE_EHLO,
		STAGE_TLS, STAGE_AUTH };

	(void)state;
	for (size_t i = 0; i < N(stages); i++) {
		struct outcome o =
		    said(SCOPE_LANE, stages[i], "554 5.7.1 no, not you");
		struct verdict v;

		classify(rules, NULL, PATH_MTA, "kddi", &o, &v);
		assert_int_equal(v.action, VERDICT_RETRY);
	}
}

static void
statuses(void **state)
{
	static const struct {
		const char *reply, *group;
		enum smtp_stage stage;
		const char *status;
	} row[] = {
		{ "550 5.7.26 x", "example.jp", STAGE_DOT, "5.7.26" },
		{ "550 Unknown user", "docomo", STAGE_RCPT, "5.1.1" },
		{ "550 Unknown user", "docomo", STAGE_DOT, "5.7.1" },
		{ "552 Too much mail data", "docomo", STAGE_DOT, "4.2.2" },
		{ "550 x", "example.jp", STAGE_DOT, "5.0.0" },
		{ "450 x", "example.jp", STAGE_DOT, "4.0.0" },
		{ "250 x", "example.jp", STAGE_DOT, "2.0.0" },
	};

	(void)state;
	for (size_t i = 0; i < N(row); i++) {
		struct outcome o =
		    said(SCOPE_RECIPIENT, row[i].stage, row[i].reply);
		struct verdict v;

		classify(rules, NULL, PATH_MTA, row[i].group, &o, &v);
		assert_string_equal(classify_status(&o, &v), row[i].status);
	}
}

/* y-mobile.ne.jp's bare 421 is its word for an address that is not there. */
static void
what_never_changed_until_the_end(void **state)
{
	static const struct {
		const char *group, *last, *reason;
	} row[] = {
		{ "softbank", "421", "userunknown" },
		{ "softbank", "421 ", "userunknown" },
		{ "softbank", "421 4.3.2", "userunknown" },
		{ "softbank", "421 too busy", "expired" },
		{ "docomo", "421", "expired" },
		{ "softbank", "", "expired" },
		{ "softbank", "cannot connect", "expired" },
		{ "softbank", "42", "expired" },
		{ "softbank", "4210", "expired" },
		{ "example.jp", "421", "expired" },
	};

	(void)state;
	for (size_t i = 0; i < N(row); i++)
		assert_string_equal(
		    classify_expired(rules, row[i].group, row[i].last),
		    row[i].reason);
	assert_string_equal(
	    classify_expired(NULL, "softbank", "421"), "expired");
}

static int
load_rules(void **state)
{
	struct rules_report report;

	(void)state;
	rules_report_init(&report);
	rules = ruleset_load("conf/oiwake.rules", NULL, &report);
	rules_report_clear(&report);
	return rules != NULL ? 0 : -1;
}

static int
free_rules(void **state)
{
	(void)state;
	ruleset_unref(rules);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_its_meaning),
		cmocka_unit_test(every_fact_is_a_row),
		cmocka_unit_test(what_has_no_code),
		cmocka_unit_test(a_rejection_by_rule),
		cmocka_unit_test(a_source_that_is_gone),
		cmocka_unit_test(a_reset_is_a_block),
		cmocka_unit_test(a_refused_session_bounces_nobody),
		cmocka_unit_test(statuses),
		cmocka_unit_test(what_never_changed_until_the_end),
	};

	return cmocka_run_group_tests(tests, load_rules, free_rules);
}
