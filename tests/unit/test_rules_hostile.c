/*
 * test_rules_hostile.c - rule files that are allowed and mean harm: each is
 * loaded, or refused, in seconds.
 *
 * What goes wrong here goes wrong by the square: the sizes are such that it
 * takes many minutes, and the runner's limit says so. All in one thread.
 * time limit: 150 s
 */
#include "tests/unit/rules_help.h"

static const char *const regular_only[] = { "ses" };
static const struct rules_options options = {
	.regular_only = regular_only,
	.nregular_only = 1,
};

/* A set as it is being written. */
struct text {
	char *text;
	size_t len;
	FILE *out;
};

static FILE *
write_begin(struct text *t)
{
	*t = (struct text){ .text = NULL };
	t->out = open_memstream(&t->text, &t->len);
	assert_non_null(t->out);
	return t->out;
}

/* Loads and forgets the text. The report is for the caller to clear. */
static struct ruleset *
load_text(struct text *t, struct rules_report *r)
{
	struct ruleset *rs;

	fputs("route last any via mta\n", t->out);
	assert_int_equal(fclose(t->out), 0);
	rules_report_init(r);
	rs = ruleset_parse(
	    &(struct rules_file){ "r", t->text, t->len }, 1, &options, r);
	free(t->text);
	return rs;
}

static void
assert_loads(struct text *t)
{
	struct rules_report r;
	struct ruleset *rs = load_text(t, &r);

	if (rs == NULL)
		rules_report_print(&r, stderr);
	assert_non_null(rs);
	ruleset_unref(rs);
	rules_report_clear(&r);
}

/* The first problem is this one. */
static void
assert_refused(struct text *t, const char *problem)
{
	struct rules_report r;

	assert_null(load_text(t, &r));
	assert_true(r.n > 0);
	assert_string_equal(r.problem[0].text, problem);
	rules_report_clear(&r);
}

/* ---- mistakes by the hundred thousand ---- */

static void
unknown_names_are_cheap(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 100000; i++)
		fprintf(out, "carrier known%d d%d.jp\n", i, i);
	for (int i = 0; i < 100000; i++)
		fprintf(out, "route r%d to carrier knowm%d via mta\n", i, i);
	assert_refused(&t, "unknown carrier 'knowm0', did you mean 'known0'?");
}

static void
unknown_names_on_one_line(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	fputs("route r to carrier", out);
	for (int i = 0; i < 500000; i++)
		fprintf(out, " n%d", i);
	fputs(" via mta\n", out);
	assert_refused(&t, "unknown carrier 'n0'");
}

/* No one reads ten thousand mistakes: the reader does not either. */
static void
reading_ends_after_many_mistakes(void **state)
{
	struct rules_report r;
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 1000000; i++)
		fputs("x\n", out);
	assert_null(load_text(&t, &r));
	assert_int_equal(r.errors, RULES_ERRORS_MAX);
	assert_int_equal(r.n + r.left_out, RULES_ERRORS_MAX);
	rules_report_clear(&r);
}

/* ---- the review ---- */

static void
unused_carriers_are_cheap(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 100000; i++)
		fprintf(out, "carrier c%d group g%d d%d.jp\n", i, i, i);
	assert_loads(&t);
}

static void
names_listed_twice_are_cheap(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	fputs("route r to", out);
	for (int i = 0; i < 400000; i++)
		fputs(" a.jp", out);
	fputs(" via mta\ncarrier c", out);
	for (int i = 0; i < 400000; i++)
		fputs(" a.jp", out);
	fputs("\n", out);
	assert_loads(&t);
}

/* Each of the second rule's names has gone elsewhere before. */
static void
names_taken_are_cheap(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	fputs("route a to .jp via mta\nroute b to x.com", out);
	for (int i = 0; i < 300000; i++)
		fprintf(out, " d%d.jp", i);
	fputs(" via mta\n", out);
	assert_loads(&t);
}

static void
many_pairs_are_cheap(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 390; i++) {
		fprintf(out, "route r%d from x%d.jp", i, i);
		for (int k = 0; k < 99; k++)
			fprintf(out, " s%d.jp", k);
		fprintf(out, " to y%d.jp", i);
		for (int k = 0; k < 99; k++)
			fprintf(out, " d%d.jp", k);
		fputs(" via mta\n", out);
	}
	assert_loads(&t);
}

/* Each is compared with all after it in its group. */
static void
hidden_replies_are_cheap(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < RULES_REPLIES_MAX; i++)
		fprintf(out, "reply any dot %d /x/ bounce rejected\n",
		    200 + i % 400);
	assert_loads(&t);
	out = write_begin(&t);
	for (int i = 0; i < RULES_REPLIES_MAX; i++)
		fprintf(out, "reply any dot 500 /x%d/ bounce rejected\n", i);
	assert_loads(&t);
}

/* ---- irregular addresses ---- */

static void
named_domains_of_carriers_are_cheap(void **state)
{
	static const char *const rules[] = {
		"via mta",
		"local-part irregular via mta",
		"from a.jp via mta 0% ses 100%",
	};
	struct text t;
	FILE *out;

	(void)state;
	for (size_t k = 0; k < sizeof(rules) / sizeof(*rules); k++) {
		out = write_begin(&t);
		for (int i = 0; i < 50000; i++)
			fprintf(out, "carrier c d%d.jp\n", i);
		if (k == 2)
			fputs("route c to carrier c via mta\n", out);
		for (int i = 0; i < 50000; i++)
			fprintf(
			    out, "route r%d to d%d.jp %s\n", i, i, rules[k]);
		assert_loads(&t);
	}
}

/* Rules under no name at all, each to be asked for each domain. */
static void
there_is_an_end_to_irregular_looks(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 50000; i++)
		fprintf(out,
		    "carrier c d%d.jp\nroute n%d to d%d.jp from "
		    "a.jp via mta\n",
		    i, i, i);
	for (int i = 0; i < 50000; i++)
		fprintf(
		    out, "route r%d not to .x%d.jp carrier c via mta\n", i, i);
	assert_refused(&t,
	    "too many rules for the carriers' 50001 domains to tell where "
	    "irregular addresses go");
}

/* ---- too much ---- */

static void
words_have_an_end(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	fputs("route r to", out);
	for (int i = 0; i <= RULES_WORDS_MAX; i++)
		fputs(" a.b", out);
	fputs(" via mta\n", out);
	assert_refused(&t, "more than 2000000 words in a statement");
}

static void
a_set_has_so_many_words(void **state)
{
	struct rules_report r;
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < RULES_WORDS_MAX / 4 + 1; i++)
		fprintf(out, "route %x any hold\n", i);
	assert_null(load_text(&t, &r));
	assert_int_equal(r.errors, 1);
	assert_string_equal(
	    r.problem[0].text, "more than 2000000 words in the rule set");
	assert_int_equal(r.problem[0].line, RULES_WORDS_MAX / 4 + 1);
	rules_report_clear(&r);
}

static void
includes_have_an_end(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 100000; i++)
		fputs("include \"nosuch*\"\n", out);
	assert_refused(&t, "more than 1000 'include' in a rule set");
}

static void
replies_have_an_end(void **state)
{
	struct rules_report r;
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 300000; i++)
		fputs("reply any dot 500 bounce rejected\n", out);
	assert_null(load_text(&t, &r));
	assert_int_equal(r.errors, 1);
	assert_string_equal(
	    r.problem[0].text, "more than 10000 'reply' in a rule set");
	assert_int_equal(r.problem[0].line, RULES_REPLIES_MAX + 1);
	rules_report_clear(&r);
}

static void
pairs_of_a_set_have_an_end(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 300; i++) {
		fprintf(out, "route r%d from", i);
		for (int k = 0; k < 900; k++)
			fprintf(out, " s%d-%d.jp", i, k);
		fputs(" to", out);
		for (int k = 0; k < 900; k++)
			fprintf(out, " d%d-%d.jp", i, k);
		fputs(" via mta\n", out);
	}
	assert_refused(&t,
	    "senders times recipients of all rules are more than 4000000 "
	    "pairs");
}

static void
expected_tags_have_an_end(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	fputs("expect a@b.jp tag", out);
	for (int i = 0; i < 500000; i++)
		fputs(" a=b", out);
	fputs(" via mta\n", out);
	assert_refused(&t, "more than 50 tags, which no message has");
}

/* Each takes 5 ms to compile. */
static void
patterns_too_large_together(void **state)
{
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 9000; i++)
		fprintf(out,
		    "route r%d to /^x%d(?:a{1,2}){1,400}[bc]/ via mta\n", i, i);
	assert_refused(
	    &t, "the patterns of the rule set take more than 64 MB together");
}

/* And each of these is refused by itself. */
static void
patterns_too_large_each(void **state)
{
	struct rules_report r;
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	for (int i = 0; i < 9000; i++)
		fprintf(out,
		    "route r%d to /^x%d(?:(?:[a-c][d-f][0-4]){30}){30}/ via "
		    "mta\n",
		    i, i);
	assert_null(load_text(&t, &r));
	assert_non_null(strstr(r.problem[0].text, "too large"));
	rules_report_clear(&r);
}

/* ---- decisions ---- */

/* A mailbox that tries patterns, and rules of which each gives up on it. */
static void
limits_end_a_decision(void **state)
{
	struct rules_decision d;
	char local[300];
	struct text t;
	FILE *out = write_begin(&t);
	struct rules_report r;
	struct ruleset *rs;

	(void)state;
	fputs("route early to /^x/ via mta\n", out);
	for (int i = 0; i < 500; i++)
		fprintf(out, "route r%d to /^(a+)+(?:[b%d]|x)$/ via mta\n", i,
		    i % 10);
	fputs("route late to /^a/ via late\n", out);
	rs = load_text(&t, &r);
	assert_non_null(rs);
	memset(local, 'a', sizeof(local) - 1);
	local[sizeof(local) - 1] = '\0';
	ruleset_decide(rs,
	    &(struct rules_query){ .to_local = local, .to_domain = "b.jp" },
	    &d);
	assert_string_equal(d.rule->name, "last");
	assert_int_equal(d.limited, 501); /* tried or not */
	assert_string_equal(d.limited_rule->name, "r0");
	/* The next decision has its own. */
	ruleset_decide(rs,
	    &(struct rules_query){ .to_local = "aa", .to_domain = "b.jp" }, &d);
	assert_string_equal(d.rule->name, "late");
	assert_int_equal(d.limited, 0);
	rules_report_clear(&r);
	ruleset_unref(rs);
}

/* Ten thousand lines, of which the first would match; most are passed over by
 * their code, and of the rest three at most are tried in vain. */
static void
replies_are_looked_up_at_once(void **state)
{
	struct rules_reply_query q = { .stage = RULES_STAGE_DOT, .code = 500 };
	struct rules_report r;
	struct ruleset *rs;
	char said[512];
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	fputs("reply any dot 500 bounce rejected\n", out);
	for (int i = 1; i < RULES_REPLIES_MAX; i++)
		fprintf(out,
		    "reply any dot 5%02d /^(a+)+(?:[b%d]|x)$/ bounce suspend\n",
		    i % 20, i % 10);
	rs = load_text(&t, &r);
	assert_non_null(rs);
	memset(said, 'a', sizeof(said) - 1);
	said[sizeof(said) - 1] = '\0';
	q.text = said;
	for (int i = 0; i < 200; i++)
		assert_string_equal(ruleset_reply(rs, &q)->reason, "rejected");
	rules_report_clear(&r);
	ruleset_unref(rs);
}

/* A pattern may not be asked about a part of an address. */
static void
patterns_see_all_or_nothing(void **state)
{
	struct rules_query q = { .to_domain = "x.jp" };
	struct rules_decision d;
	struct rules_report r;
	struct ruleset *rs;
	char local[1000];
	struct text t;

	(void)state;
	fputs(
	    "route a to /a$/ via mta\nroute b to .jp not to /x.jp$/ via mta\n",
	    write_begin(&t));
	rs = load_text(&t, &r);
	assert_non_null(rs);
	memset(local, 'a', sizeof(local) - 1);
	local[sizeof(local) - 1] = '\0';
	q.to_local = local;
	ruleset_decide(rs, &q, &d);
	/* The first pattern did not match, nor did that after `not`. */
	assert_string_equal(d.rule->name, "b");
	assert_int_equal(d.limited, 2);
	assert_string_equal(d.limited_rule->name, "b"); /* tables come first */
	rules_report_clear(&r);
	ruleset_unref(rs);
}

/* Thousands of patterns in one condition match, and none of another does. */
static void
half_of_a_rule_matches(void **state)
{
	struct rules_decision d;
	struct rules_report r;
	struct ruleset *rs;
	struct text t;
	FILE *out = write_begin(&t);

	(void)state;
	fputs("route r to", out);
	for (int i = 0; i < 4000; i++)
		fprintf(out, " /a(?#%d)/", i);
	fputs(" and to", out);
	for (int i = 0; i < 4000; i++)
		fprintf(out, " /a?[b-y]$(?#%d)/", i);
	fputs(" via mta\n", out);
	rs = load_text(&t, &r);
	assert_non_null(rs);
	ruleset_decide(rs,
	    &(struct rules_query){ .to_local = "a", .to_domain = "a.z" }, &d);
	assert_string_equal(d.rule->name, "last");
	rules_report_clear(&r);
	ruleset_unref(rs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_names_are_cheap),
		cmocka_unit_test(unknown_names_on_one_line),
		cmocka_unit_test(reading_ends_after_many_mistakes),
		cmocka_unit_test(unused_carriers_are_cheap),
		cmocka_unit_test(names_listed_twice_are_cheap),
		cmocka_unit_test(names_taken_are_cheap),
		cmocka_unit_test(many_pairs_are_cheap),
		cmocka_unit_test(hidden_replies_are_cheap),
		cmocka_unit_test(named_domains_of_carriers_are_cheap),
		cmocka_unit_test(there_is_an_end_to_irregular_looks),
		cmocka_unit_test(words_have_an_end),
		cmocka_unit_test(a_set_has_so_many_words),
		cmocka_unit_test(includes_have_an_end),
		cmocka_unit_test(replies_have_an_end),
		cmocka_unit_test(pairs_of_a_set_have_an_end),
		cmocka_unit_test(expected_tags_have_an_end),
		cmocka_unit_test(patterns_too_large_together),
		cmocka_unit_test(patterns_too_large_each),
		cmocka_unit_test(limits_end_a_decision),
		cmocka_unit_test(replies_are_looked_up_at_once),
		cmocka_unit_test(patterns_see_all_or_nothing),
		cmocka_unit_test(half_of_a_rule_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
