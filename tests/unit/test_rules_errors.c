/*
 * test_rules_errors.c - what the rule reader says about mistakes, word for
 * word.
 */
#include "tests/unit/rules_help.h"

#include "tests/unit/rules_mistakes.h"
#include "tests/unit/rules_mistakes_reply.h"
#include "tests/unit/rules_mistakes_route.h"
#include "tests/unit/rules_warnings.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char *
report_of(const char *text, size_t len)
{
	struct rules_report r;
	char *said;

	rules_report_init(&r);
	assert_null(
	    ruleset_parse(&(struct rules_file){ "r", text, len }, 1, NULL, &r));
	said = rules_report_string(&r);
	rules_report_clear(&r);
	return said;
}

static void
assert_report(const char *text, const char *expected)
{
	char *said = report_of(text, strlen(text));

	assert_string_equal(said, expected);
	free(said);
}

/* "line:col: text" of each problem, one a line. */
static char *
problems_of(const char *text, const struct rules_options *options, bool loads)
{
	struct rules_report r;
	struct ruleset *rs;
	char *said = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&said, &len);

	assert_non_null(out);
	rules_report_init(&r);
	rs = ruleset_parse(
	    &(struct rules_file){ "r", text, strlen(text) }, 1, options, &r);
	for (size_t i = 0; i < r.n; i++)
		fprintf(out, "%u:%u: %s%s\n", r.problem[i].line,
		    r.problem[i].col, r.problem[i].warning ? "warning: " : "",
		    r.problem[i].text);
	assert_int_equal(fclose(out), 0);
	if ((rs != NULL) != loads)
		fail_msg("%s:\n%s\nsaid:\n%s",
		    loads ? "does not load" : "loads", text, said);
	ruleset_unref(rs);
	rules_report_clear(&r);
	return said;
}

static void
assert_problems(const struct mistake *m, const char *rest,
    const struct rules_options *options, bool loads)
{
	char *text, *said;

	assert_true(asprintf(&text, "%s\n%s", m->text, rest) > 0);
	said = problems_of(text, options, loads);
	if (strcmp(said, m->problems) != 0)
		fail_msg("for:\n%s\nsaid:\n%s\nexpected:\n%s", m->text, said,
		    m->problems);
	free(said);
	free(text);
}

static void
test_mistakes(void **state)
{
	static const char rest[] = "route z to any via ses\n";

	(void)state;
	for (size_t i = 0; i < COUNT(mistakes); i++)
		assert_problems(&mistakes[i], rest, NULL, false);
	for (size_t i = 0; i < COUNT(route_mistakes); i++)
		assert_problems(&route_mistakes[i], rest, NULL, false);
	for (size_t i = 0; i < COUNT(reply_mistakes); i++)
		assert_problems(&reply_mistakes[i], rest, NULL, false);
}

static void
test_growths(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_growths); i++) {
		struct mistake m;
		char *text, *problems;

		assert_true(asprintf(&text, "warm-up a first 1 cap 9 grow %s",
				bad_growths[i]) > 0);
		assert_true(asprintf(&problems,
				"1:30: expected a growth above 1 and up to 10, "
				"such as '1.5' or '2', got '%s'\n",
				bad_growths[i]) > 0);
		m = (struct mistake){ text, problems };
		assert_problems(&m, "route z to any via ses\n", NULL, false);
		free(text);
		free(problems);
	}
}

static void
test_warnings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(warnings); i++)
		assert_problems(&warnings[i], "", NULL, true);
}

static void
test_irregular_to_ses(void **state)
{
	static const char *const regular_only[] = { "ses" };
	const struct rules_options options = {
		.regular_only = regular_only,
		.nregular_only = 1,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(irregulars); i++)
		assert_problems(&irregulars[i], "", &options,
		    *irregulars[i].problems == '\0');
}

static void
test_no_rule_for_the_rest(void **state)
{
	(void)state;
	assert_report("route a to x.jp via ses\n",
	    "r: no rule for everything else; end with one such as 'route "
	    "default to any via ses'\n");
	assert_report("",
	    "r: no rule for everything else; end with one such as 'route "
	    "default to any via ses'\n");
}

/* The caret stands under the place, whatever is before it. */
static void
test_echo(void **state)
{
	char text[400], *said, *caret, *line;

	(void)state;
	assert_report("route z to any via ses\n\troute\ta to docomo via x\n",
	    "r:2:13: expected 'any', 'carrier', 'domain' or an address, got "
	    "'docomo'\n"
	    "    \troute\ta to docomo via x\n"
	    "    \t     \t     ^\n");
	assert_report("hint a.jp \"\xe6\x90\xba\xe5\xb8\xaf\" b\n",
	    "r:1:21: expected a text in quotes after 'b'\n"
	    "    hint a.jp \"\xe6\x90\xba\xe5\xb8\xaf\" b\n"
	    "                      ^\n");
	/* In a pattern, at the byte that is wrong. */
	assert_report("# qa\n  route qa to /^qa\\+[z-a]@/i \\\n    via mta\n",
	    "r:2:24: bad pattern: range out of order in character class\n"
	    "      route qa to /^qa\\+[z-a]@/i \\\n"
	    "                           ^\n");
	assert_report("route a to /\xe6\x90\xba\xe5\xb8\xaf(/ via mta\n",
	    "r:1:20: bad pattern: missing closing parenthesis\n"
	    "    route a to /\xe6\x90\xba\xe5\xb8\xaf(/ via mta\n"
	    "                     ^\n");
	/* Of a long line, what stands around it. */
	memset(text, ' ', 300);
	memcpy(text + 300, "rout z to any via ses", 22);
	said = report_of(text, strlen(text));
	line = strchr(said, '\n') + 1;
	caret = strchr(line, '\n') + 1;
	assert_int_equal(strncmp(said, "r:1:301: ", 9), 0);
	assert_memory_equal(line + (strchr(caret, '^') - caret), "rout z", 6);
	assert_in_range(caret - line, 100, 200);
	free(said);
}

static void
test_text_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *report;
	} cases[] = {
		{ "a\0b", 3, "r:1:2: control character 0x00\n" },
		{ "a\nb\x1b[31m", 8, "r:2:2: control character 0x1b\n" },
		{ "a\rb", 3, "r:1:2: control character 0x0d\n" },
		{ "a\x7f", 2, "r:1:2: control character 0x7f\n" },
		{ "\xc2\x9b", 2, "r:1:1: control character 0x9b\n" },
		{ "# \x93\xfa", 4, "r:1:3: byte 0x93 is not UTF-8\n" },
		{ "\xc0\x80", 2, "r:1:1: byte 0xc0 is not UTF-8\n" },
		{ "\xe3\x80", 2, "r:1:1: byte 0xe3 is not UTF-8\n" },
		{ "\xe0\x80\x80", 3, "r:1:1: byte 0xe0 is not UTF-8\n" },
		{ "\xed\xa0\x80", 3, "r:1:1: byte 0xed is not UTF-8\n" },
		{ "\xf4\x90\x80\x80", 4, "r:1:1: byte 0xf4 is not UTF-8\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *said = report_of(cases[i].text, cases[i].len);

		assert_string_equal(said, cases[i].report);
		free(said);
	}
}

/* A file of nothing but mistakes: the first are told, the rest counted. */
static void
test_many_mistakes(void **state)
{
	char text[3 * 1000 + 1], *said;
	struct rules_report r;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		memcpy(text + 3 * i, "x!\n", 4);
	rules_report_init(&r);
	assert_null(ruleset_parse(
	    &(struct rules_file){ "r", text, strlen(text) }, 1, NULL, &r));
	assert_int_equal(r.n, RULES_REPORT_MAX);
	assert_int_equal(r.left_out, 900);
	rules_report_clear(&r);
	said = report_of(text, strlen(text));
	assert_non_null(strstr(said, "... and 900 more\n"));
	free(said);
}

static void
test_too_many_pairs(void **state)
{
	char *text = NULL, *said;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	fputs("route a from domain", out);
	for (int i = 0; i < 2000; i++)
		fprintf(out, " f%d.jp", i);
	fputs(" to domain", out);
	for (int i = 0; i < 1000; i++)
		fprintf(out, " t%d.jp", i);
	fputs(" via ses\n", out);
	assert_int_equal(fclose(out), 0);
	said = report_of(text, len);
	assert_non_null(strstr(said,
	    "r:1:9: 2000 senders times 1000 recipients are more than 1000000 "
	    "pairs; make it two rules\n"));
	free(said);
	free(text);
}

/* One byte too many of each. */
static void
test_too_long(void **state)
{
	static const struct {
		const char *before, *after;
		size_t len;
		const char *problem;
	} cases[] = {
		{ "route a any reject \"", "\"", 400,
		    "1:20: the text is longer than 400 bytes\n" },
		{ "route a to /", "/ via ses", 4096,
		    "1:4109: bad pattern: pattern is longer than 4096 "
		    "bytes\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char fill[5000], *text, *said;

		memset(fill, 'x', sizeof(fill));
		assert_true(asprintf(&text, "%s%.*s%s\nroute z any via ses\n",
				cases[i].before, (int)cases[i].len, fill,
				cases[i].after) > 0);
		free(problems_of(text, NULL, true));
		free(text);
		assert_true(asprintf(&text, "%s%.*s%s\nroute z any via ses\n",
				cases[i].before, (int)cases[i].len + 1, fill,
				cases[i].after) > 0);
		said = problems_of(text, NULL, false);
		assert_string_equal(said, cases[i].problem);
		free(said);
		free(text);
	}
}

/* So many patterns, and one more. */
static void
test_too_many_patterns(void **state)
{
	char *text = NULL, *said;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	for (unsigned i = 0; i <= RULES_PATTERNS_MAX; i++)
		fprintf(out, "route r%u to /^%u/ via ses\n", i, i);
	fputs("route z any via ses\n", out);
	assert_int_equal(fclose(out), 0);
	said = problems_of(text, NULL, false);
	assert_string_equal(
	    said, "10001:17: more than 10000 patterns in a rule set\n");
	free(said);
	free(text);
}

/* A warning is told like a mistake, and names the other rule's file. */
static void
test_warning_across_files(void **state)
{
	static const char first[] = "include \"b\"\nroute z any via ses\n";
	static const char second[] = "\nroute all to .x.jp via mta\n"
				     "route one to s.x.jp via mta\n";
	const struct rules_file files[] = {
		{ "a", first, strlen(first) },
		{ "b", second, strlen(second) },
	};
	struct rules_report r;
	struct ruleset *rs;
	char *said;

	(void)state;
	rules_report_init(&r);
	rs = ruleset_parse(files, 2, NULL, &r);
	assert_non_null(rs);
	said = rules_report_string(&r);
	assert_string_equal(said,
	    "b:3:7: warning: rule 'one' can never match: rule 'all' (b:2) "
	    "takes all of it\n"
	    "    route one to s.x.jp via mta\n"
	    "          ^\n");
	assert_int_equal(r.errors, 0);
	free(said);
	rules_report_clear(&r);
	ruleset_unref(rs);
}

static void
test_suggest(void **state)
{
	static const char *const names[] = { "docomo", "au", "softbank" };
	static const struct {
		const char *word, *near;
	} cases[] = {
		{ "docmo", "docomo" },
		{ "DOCOMO", "docomo" },
		{ "dcoomo", "docomo" },
		{ "dcomoo", "docomo" },
		{ "ua", "au" },
		{ "softbnak", "softbank" },
		{ "sofbnk", "softbank" },
		{ "hardbank", NULL },
		{ "kddi", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *near = rules_suggest(cases[i].word, names, 3);

		if (cases[i].near == NULL)
			assert_null(near);
		else
			assert_string_equal(near, cases[i].near);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_growths),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_irregular_to_ses),
		cmocka_unit_test(test_warning_across_files),
		cmocka_unit_test(test_no_rule_for_the_rest),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_text_refused),
		cmocka_unit_test(test_many_mistakes),
		cmocka_unit_test(test_too_many_pairs),
		cmocka_unit_test(test_too_many_patterns),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_suggest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
