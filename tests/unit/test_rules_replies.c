/*
 * test_rules_replies.c - `reply` and `warm-up`: which line holds, what it says,
 * and how much a plan allows; against a naive walk over random sets too.
 *
 * All in one thread.
 */
#include "tests/unit/rules_help.h"

#include <ctype.h>
#include <limits.h>
#include <strings.h>
#include <time.h>

#include "tests/unit/rules_draw.h"

#define REST "route z to any via mta\n"
#define GROUPS                                                                 \
	"carrier c group g a.jp\ncarrier c group h b.jp\ncarrier d d.jp\n"

static const struct rules_reply *
ask(const struct ruleset *rs, const char *group, enum rules_stage stage,
    unsigned code, const char *text)
{
	return ruleset_reply(rs,
	    &(struct rules_reply_query){
		.group = group, .stage = stage, .code = code, .text = text });
}

static void
assert_reason(const struct rules_reply *r, const char *reason)
{
	assert_string_equal(r != NULL ? r->reason : "nothing", reason);
}

/* ---- what a line says ---- */

static void
a_line_says_what_follows(void **state)
{
	static const struct {
		const char *line;
		struct rules_reply reply;
	} rows[] = {
		{ "retry blocked", { RULES_REPLY_RETRY, "blocked", NULL, 0,
				       false, false, 0, 0 } },
		{ "retry blocked pause lane 5min slow",
		    { RULES_REPLY_RETRY, "blocked", NULL, 300, false, true, 0,
			0 } },
		{ "retry onhold slow at-expiry userunknown pause source 1h",
		    { RULES_REPLY_RETRY, "onhold", "userunknown", 3600, true,
			true, 0, 0 } },
		{ "bounce userunknown pause lane 30s",
		    { RULES_REPLY_BOUNCE, "userunknown", NULL, 30, false, false,
			0, 0 } },
		{ "filtered filtered pause source 365d",
		    { RULES_REPLY_FILTERED, "filtered", NULL, 31536000, true,
			false, 0, 0 } },
		{ "split toomanyconn slow", { RULES_REPLY_SPLIT, "toomanyconn",
						NULL, 0, false, true, 0, 0 } },
		{ "resend toomanyconn", { RULES_REPLY_RESEND, "toomanyconn",
					    NULL, 0, false, false, 0, 0 } },
		{ "requote syntaxerror", { RULES_REPLY_REQUOTE, "syntaxerror",
					     NULL, 0, false, false, 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct rules_reply *want = &rows[i].reply, *r;
		struct ruleset *rs;
		char *text;

		assert_true(asprintf(&text, REST "reply any rcpt 550 %s\n",
				rows[i].line) > 0);
		rs = parse(text);
		r = ask(rs, NULL, RULES_STAGE_RCPT, 550, "no");
		assert_non_null(r);
		assert_int_equal(r->action, want->action);
		assert_string_equal(r->reason, want->reason);
		assert_string_equal(r->at_expiry ? r->at_expiry : "",
		    want->at_expiry ? want->at_expiry : "");
		assert_int_equal(r->pause, want->pause);
		assert_int_equal(r->pause_source, want->pause_source);
		assert_int_equal(r->slow, want->slow);
		assert_string_equal(r->file, "test.rules");
		assert_int_equal(r->line, 2);
		ruleset_unref(rs);
		free(text);
	}
}

/* Sisimai's, all of them. */
static void
every_reason_is_known(void **state)
{
	static const char *const reasons[] = { "authfailure", "badreputation",
		"blocked", "contenterror", "exceedlimit", "expired",
		"failedstarttls", "filtered", "hasmoved", "hostunknown",
		"mailboxfull", "mailererror", "mesgtoobig", "networkerror",
		"norelaying", "notaccept", "notcompliantrfc", "onhold",
		"policyviolation", "ratelimited", "rejected", "requireptr",
		"securityerror", "spamdetected", "speeding", "suppressed",
		"suspend", "syntaxerror", "systemerror", "systemfull",
		"toomanyconn", "undefined", "userunknown", "virusdetected" };

	(void)state;
	for (size_t i = 0; i < COUNT(reasons); i++) {
		struct ruleset *rs;
		char *text;

		assert_true(asprintf(&text,
				REST "reply any dot 5xx bounce %s\n"
				     "reply any dot 4xx retry onhold at-expiry "
				     "%s\n",
				reasons[i], reasons[i]) > 0);
		rs = parse(text);
		assert_reason(
		    ask(rs, "", RULES_STAGE_DOT, 599, ""), reasons[i]);
		assert_string_equal(
		    ask(rs, "", RULES_STAGE_DOT, 400, "")->at_expiry,
		    reasons[i]);
		ruleset_unref(rs);
		free(text);
	}
}

static const char *const stage_names[] = { "connect", "ehlo", "tls", "auth",
	"mail", "rcpt", "data", "body", "dot" };

#define STAGES COUNT(stage_names)

static void
each_stage_is_its_bit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STAGES; i++) {
		char text[120];
		struct ruleset *rs;

		snprintf(text, sizeof(text),
		    REST "reply any %s any retry onhold\n", stage_names[i]);
		rs = parse(text);
		for (unsigned k = 0; k < STAGES; k++)
			assert_int_equal(
			    ask(rs, NULL, 1u << k, 450, "") != NULL, i == k);
		assert_null(ask(rs, NULL, 0, 450, ""));
		ruleset_unref(rs);
	}
}

/* Where there is no recipient yet, what is about recipients means nothing. */
static void
any_stage_is_where_it_can_be(void **state)
{
	static const struct {
		const char *action;
		unsigned stages;
	} rows[] = {
		{ "retry", 0x1ff },
		{ "bounce", 0x1ff },
		{ "filtered", 0x1e0 },
		{ "requote", 0x1e0 },
		{ "split", 0x1f0 },
		{ "resend", 0x1f0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned stages = 0;
		char text[120];
		struct ruleset *rs;

		snprintf(text, sizeof(text),
		    REST "reply any any any %s onhold\n", rows[i].action);
		rs = parse(text);
		for (unsigned k = 0; k < STAGES; k++)
			if (ask(rs, NULL, 1u << k, 550, "") != NULL)
				stages |= 1u << k;
		assert_int_equal(stages, rows[i].stages);
		ruleset_unref(rs);
	}
}

/* "421", "reset" or "silence" as a question. */
static bool
knows(const struct ruleset *rs, const char *said)
{
	return ruleset_reply(rs, &(struct rules_reply_query){
				     .stage = RULES_STAGE_CONNECT,
				     .code = (unsigned)strtoul(said, NULL, 10),
				     .reset = strcmp(said, "reset") == 0,
				 }) != NULL;
}

static void
assert_knows(
    const struct ruleset *rs, const char *code, const char *said, bool yes)
{
	char *words = strdup(said), *rest = words, *word;

	assert_non_null(words);
	while ((word = strsep(&rest, " ")) != NULL)
		if (knows(rs, word) != yes)
			fail_msg("'%s' and %s", code, word);
	free(words);
}

static void
each_code_takes_its_replies(void **state)
{
	static const struct {
		const char *code, *yes, *no;
	} rows[] = {
		{ "550", "550", "silence reset 450 551 55 5 5500" },
		{ "200", "200", "silence reset 250 2" },
		{ "599", "599", "silence reset 499 598" },
		{ "4xx", "400 421 499", "silence reset 4 40 250 354 500 4000" },
		{ "5xx", "500 550 599", "silence reset 5 50 250 499 600" },
		{ "any", "silence reset 400 499 500 599", "250 354 600 4 5" },
		{ "none", "silence", "reset 421 550 1" },
		{ "reset", "reset", "silence 421 550 2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[120];
		struct ruleset *rs;

		snprintf(text, sizeof(text),
		    REST "reply any any %s retry onhold\n", rows[i].code);
		rs = parse(text);
		assert_knows(rs, rows[i].code, rows[i].yes, true);
		assert_knows(rs, rows[i].code, rows[i].no, false);
		ruleset_unref(rs);
	}
}

/* ---- the text ---- */

static void
patterns_see_the_text(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool yes;
	} rows[] = {
		{ "/unknown user/", "<a@b> Unknown USER here", true },
		{ "/UNKNOWN user/", "unknown user", true },
		{ "/unknown user/i", "Unknown User", true },
		{ "/unknown user/", "unknown  user", false },
		{ "/^unknown/", "an unknown", false }, { "/^$/", "", true },
		{ "/^$/", NULL, true }, { "/^$/", " ", false },
		{ "/a b  # blanks/x", "ab", true }, { "/a\\/b/", "A/B", true },
		/* Bytes that are no UTF-8, and UTF-8 as bytes. */
		{ "/\\xff.user/", "\xff\xfeUser", true },
		{ "/^...$/", "\xe3\x81\x82", true },
		{ "/^.$/", "\xe3\x81\x82", false },
		{ "/\xe3\x81\x82$/", "\x80\xe3\x81\x82", true },
		{ "/[\\x80-\\x9f]{2}/", "a\x80\x9f", true },
		{ "/user/", "\xc3\x28 user \xed\xa0\x80", true },
		{ "/\\x{e9}/", "\xe9", true },
		{ "/\\x{e9}/", "\xc9", false }, /* only ASCII has case */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ruleset *rs;
		char *text;

		assert_true(asprintf(&text,
				REST "reply any dot 5xx %s bounce rejected\n",
				rows[i].pattern) > 0);
		rs = parse(text);
		if ((ask(rs, NULL, RULES_STAGE_DOT, 554, rows[i].text) !=
			NULL) != rows[i].yes)
			fail_msg("%s on row %zu", rows[i].pattern, i);
		ruleset_unref(rs);
		free(text);
	}
}

/* Where there was no reply, the text is nobody's word. */
static void
silence_has_no_text(void **state)
{
	struct ruleset *rs = parse(REST "reply any any any /^/ retry onhold\n");
	struct rules_reply_query q = { .stage = RULES_STAGE_DOT, .text = "x" };

	(void)state;
	assert_null(ruleset_reply(rs, &q));
	q.reset = true;
	assert_null(ruleset_reply(rs, &q));
	q.code = 400;
	assert_non_null(ruleset_reply(rs, &q));
	ruleset_unref(rs);
}

static void
patterns_see_so_much_of_it(void **state)
{
	struct ruleset *rs = parse(REST "reply any dot 4xx /end/ retry onhold\n"
					"reply any dot 5xx /^.*$/ bounce "
					"rejected\n");
	char text[100000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + 637, "end", 4);
	assert_non_null(ask(rs, NULL, RULES_STAGE_DOT, 400, text));
	memcpy(text + 637, "xend", 5);
	assert_null(ask(rs, NULL, RULES_STAGE_DOT, 400, text));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_non_null(ask(rs, NULL, RULES_STAGE_DOT, 500, text));
	ruleset_unref(rs);
}

/* Each gives up on the text; three in a look-up, and no more are tried. */
static void
limits_end_a_look(void **state)
{
	static const char evil[] =
	    "reply g dot 550 /^(a+)+(?:[b0]|x)$/ bounce rejected\n"
	    "reply g dot 550 /^(a+)+(?:[b1]|x)$/ bounce rejected\n"
	    "reply any dot 550 /^(a+)+(?:[b2]|x)$/ bounce "
	    "rejected\n";
	char text[2000], said[301];
	struct ruleset *rs;

	(void)state;
	memset(said, 'a', sizeof(said) - 1);
	said[sizeof(said) - 1] = '\0';

	/* The third is in `any`: the count is one for both. */
	snprintf(text, sizeof(text),
	    GROUPS REST "reply h dot 550 /a/ bounce suspend\n"
			"reply any dot 550 /a/ bounce blocked\n%s",
	    evil);
	rs = parse(text);
	assert_null(ask(rs, "g", RULES_STAGE_DOT, 550, said));
	assert_reason(ask(rs, "h", RULES_STAGE_DOT, 550, said), "suspend");
	assert_reason(ask(rs, "d", RULES_STAGE_DOT, 550, said), "blocked");
	assert_reason(ask(rs, "g", RULES_STAGE_DOT, 550, "aab"), "rejected");
	ruleset_unref(rs);

	/* A line without a pattern needs no trial. */
	snprintf(text, sizeof(text),
	    GROUPS REST "reply any dot 550 bounce blocked\n%s", evil);
	rs = parse(text);
	assert_reason(ask(rs, "g", RULES_STAGE_DOT, 550, said), "blocked");
	ruleset_unref(rs);
}

/* ---- which line holds ---- */

static void
the_last_line_of_the_group_holds(void **state)
{
	struct ruleset *rs =
	    parse(GROUPS REST "reply g rcpt 550 /a/ bounce userunknown\n"
			      "reply g rcpt 550 /b/ bounce suspend\n"
			      "reply any any 5xx bounce rejected\n"
			      "reply any any 5xx /z/ bounce onhold\n");

	(void)state;
	assert_reason(ask(rs, "g", RULES_STAGE_RCPT, 550, "ab"), "suspend");
	assert_reason(ask(rs, "g", RULES_STAGE_RCPT, 550, "a"), "userunknown");
	assert_reason(ask(rs, "g", RULES_STAGE_RCPT, 550, "az"), "userunknown");
	assert_reason(ask(rs, "g", RULES_STAGE_RCPT, 550, "z"), "onhold");
	assert_reason(ask(rs, "g", RULES_STAGE_RCPT, 550, "c"), "rejected");
	assert_reason(ask(rs, "g", RULES_STAGE_DATA, 550, "a"), "rejected");
	assert_reason(ask(rs, "h", RULES_STAGE_RCPT, 550, "a"), "rejected");
	assert_reason(ask(rs, "G", RULES_STAGE_RCPT, 550, "a"), "rejected");
	assert_reason(ask(rs, "", RULES_STAGE_RCPT, 550, "a"), "rejected");
	assert_reason(ask(rs, NULL, RULES_STAGE_RCPT, 550, "z"), "onhold");
	assert_reason(ask(rs, "a.jp", RULES_STAGE_RCPT, 550, "z"), "onhold");
	assert_null(ask(rs, "g", RULES_STAGE_RCPT, 450, "a"));
	ruleset_unref(rs);
}

static struct ruleset *
parse_three(
    const char *main, const char *a, const char *b, struct rules_report *report)
{
	const struct rules_file files[] = {
		{ "main.rules", main, strlen(main) },
		{ "a.rules", a, strlen(a) },
		{ "b.rules", b, strlen(b) },
	};

	rules_report_init(report);
	return ruleset_parse(files, COUNT(files), NULL, report);
}

/* What is included may be said otherwise after it, without a word about it. */
static void
a_line_after_the_include_holds(void **state)
{
	static const char included[] =
	    "carrier c group g a.jp\n"
	    "reply g rcpt 550 /a/ bounce userunknown\n"
	    "warm-up w first 1 grow 2 cap 9\n"
	    "warm-up unused first 1 grow 2 cap 9\n";
	struct rules_report report;
	struct ruleset *rs =
	    parse_three("include \"a.rules\"\n"
			"shape default warm-up w\n"
			"reply g rcpt 550 bounce suspend\n"
			"warm-up w first 5 grow 3 cap 10 wait\n" REST,
		included, "", &report);

	(void)state;
	rules_report_print(&report, stderr);
	assert_non_null(rs);
	assert_int_equal(report.n, 0);
	assert_reason(ask(rs, "g", RULES_STAGE_RCPT, 550, "a"), "suspend");
	assert_int_equal(ruleset_warm_up(rs, "w")->first, 5);
	assert_true(ruleset_warm_up(rs, "w")->wait);
	assert_string_equal(ruleset_warm_up(rs, "w")->file, "main.rules");
	assert_int_equal(ruleset_warm_up(rs, "w")->line, 4);
	assert_int_equal(ruleset_warm_up(rs, "unused")->cap, 9);
	rules_report_clear(&report);
	ruleset_unref(rs);
}

/* ---- against a naive walk ---- */

struct line {
	const char *group; /* NULL: any */
	const char *code;
	const char *text; /* of a pattern that is no more than a text */
	unsigned stages;
	bool begins, ends;
};

#define LINES_MAX 40

static const char *const line_groups[] = { "g", "h", "d" };
static const char *const line_codes[] = { "550", "552", "421", "4xx", "5xx",
	"any", "none", "reset" };
static const char *const line_texts[] = { "a", "b", "ab", "" };
static const unsigned asked_codes[] = { 0, 250, 421, 450, 550, 552 };
static const char *const asked_texts[] = { "", "a", "B", "xABx", "ba\xff",
	"\xe3\x81\x82" };
static const char *const asked_groups[] = { "g", "h", "d", "c", "nosuch", "",
	NULL };

static struct line
draw_line(void)
{
	struct line l = { .group = chance(70) ? ONE_OF(line_groups) : NULL,
		.code = ONE_OF(line_codes) };

	l.stages = 1u << draw(STAGES);
	l.stages |= 1u << draw(STAGES);
	if (chance(20))
		l.stages = (1u << STAGES) - 1;
	if (chance(60) && strcmp(l.code, "none") != 0 &&
	    strcmp(l.code, "reset") != 0) {
		l.text = ONE_OF(line_texts);
		l.begins = chance(30) || l.text[0] == '\0';
		l.ends = chance(30) || l.text[0] == '\0';
	}
	return l;
}

/* Line i says that many seconds and one more. */
static void
write_line(FILE *out, const struct line *l, unsigned i)
{
	fprintf(out, "reply %s", l->group != NULL ? l->group : "any");
	if (l->stages == (1u << STAGES) - 1)
		fputs(" any", out);
	else
		for (unsigned k = 0; k < STAGES; k++)
			if (l->stages & 1u << k)
				fprintf(out, " %s", stage_names[k]);
	fprintf(out, " %s", l->code);
	if (l->text != NULL)
		fprintf(out, " /%s%s%s/", l->begins ? "^" : "", l->text,
		    l->ends ? "$" : "");
	fprintf(out, " retry onhold pause lane %us\n", i + 1);
}

static bool
code_fits(const char *code, const struct rules_reply_query *q)
{
	if (q->code == 0)
		return strcmp(code, "any") == 0 ||
		       strcmp(code, q->reset ? "reset" : "none") == 0;
	if (strcmp(code, "any") == 0)
		return q->code >= 400;
	if (isdigit((unsigned char)code[0]) && code[1] == 'x')
		return q->code / 100 == (unsigned)(code[0] - '0');
	return (unsigned)atoi(code) == q->code;
}

static bool
text_fits(const struct line *l, const char *text)
{
	size_t len = strlen(text), n = strlen(l->text);

	for (size_t at = 0; at + n <= len; at++)
		if (strncasecmp(text + at, l->text, n) == 0 &&
		    (!l->begins || at == 0) && (!l->ends || at + n == len))
			return true;
	return false;
}

/* The number of the line that holds, from 1; 0: none. */
static unsigned
oracle(const struct line *lines, unsigned n, const struct rules_reply_query *q)
{
	unsigned of_group = 0, of_any = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct line *l = &lines[i];

		if (!(l->stages & (unsigned)q->stage) ||
		    !code_fits(l->code, q) ||
		    (l->text != NULL &&
			(q->code == 0 || !text_fits(l, q->text))))
			continue;
		if (l->group == NULL)
			of_any = i + 1;
		else if (q->group != NULL && strcmp(q->group, l->group) == 0)
			of_group = i + 1;
	}
	return of_group > 0 ? of_group : of_any;
}

/* The lines up to a stand before the include, those up to b in the file. */
static struct ruleset *
load_lines(const struct line *lines, unsigned n, char **texts_out)
{
	unsigned a = draw(n + 1), b = a + draw(n - a + 1);
	struct rules_report report;
	struct ruleset *rs;
	size_t len;
	FILE *out[2];

	for (int i = 0; i < 2; i++)
		assert_non_null(out[i] = open_memstream(&texts_out[i], &len));
	fputs(GROUPS, out[0]);
	for (unsigned i = 0; i < n; i++) {
		if (i == a)
			fputs("include \"a.rules\"\n", out[0]);
		write_line(out[i >= a && i < b], &lines[i], i);
	}
	fputs(REST, out[0]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fclose(out[i]), 0);
	rs = parse_three(texts_out[0], texts_out[1], "", &report);
	if (rs == NULL)
		rules_report_print(&report, stderr);
	assert_non_null(rs);
	rules_report_clear(&report);
	return rs;
}

static void
ask_lines(const struct ruleset *rs, const struct line *lines, unsigned n,
    char *const *texts_in, unsigned *found)
{
	struct rules_reply_query q = {
		.group = ONE_OF(asked_groups),
		.stage = 1u << draw(STAGES),
		.code = ONE_OF(asked_codes),
		.text = ONE_OF(asked_texts),
	};
	const struct rules_reply *r;
	unsigned want;

	q.reset = q.code == 0 && chance(50);
	r = ruleset_reply(rs, &q);
	want = oracle(lines, n, &q);
	*found += want > 0;
	if ((r != NULL ? r->pause : 0) != want)
		fail_msg("%s\n--- a.rules\n%s\n--- group %s stage %#x code %u "
			 "%s'%s': line %u, expected %u",
		    texts_in[0], texts_in[1], q.group ? q.group : "-",
		    (unsigned)q.stage, q.code, q.reset ? "reset " : "", q.text,
		    r != NULL ? r->pause : 0, want);
}

static void
random_lines(unsigned sets)
{
	unsigned found = 0, asked = 0;

	for (unsigned s = 0; s < sets; s++) {
		struct line lines[LINES_MAX];
		unsigned n = 1 + draw(LINES_MAX);
		struct ruleset *rs;
		char *text[2];

		for (unsigned i = 0; i < n; i++)
			lines[i] = draw_line();
		rs = load_lines(lines, n, text);
		for (int i = 0; i < 200; i++, asked++)
			ask_lines(rs, lines, n, text, &found);
		ruleset_unref(rs);
		free(text[0]);
		free(text[1]);
	}
	/* Else nothing was tried. */
	assert_in_range(found, asked / 10, asked - asked / 10);
}

static void
as_a_naive_walk_says(void **state)
{
	const char *given = getenv("RULES_SEED");
	uint64_t seed =
	    given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

	(void)state;
	draw_state = 1;
	random_lines(150);
	draw_state = seed;
	printf("RULES_SEED=%llu\n", (unsigned long long)seed);
	random_lines(150);
}

/* ---- warm-up ---- */

static struct rules_warm_up
plan_of(unsigned first, unsigned grow, unsigned cap)
{
	return (
	    struct rules_warm_up){ .first = first, .grow = grow, .cap = cap };
}

static void
allowances(void **state)
{
	/* From day 1 on; the last one is the end. */
	static const struct {
		unsigned first, grow, cap, days[12];
	} rows[] = {
		{ 50, 150, 300, { 50, 75, 112, 168, 252, 300, 0 } },
		{ 100, 200, 800, { 100, 200, 400, 800, 0 } },
		{ 100, 200, 801, { 100, 200, 400, 800, 801, 0 } },
		{ 100, 200, 799, { 100, 200, 400, 799, 0 } },
		{ 7, 1000, 50000, { 7, 70, 700, 7000, 50000, 0 } },
		{ 1, 101, 4, { 1, 2, 3, 4, 0 } }, /* one more at least */
		{ 99, 101, 102, { 99, 100, 101, 102, 0 } },
		{ 100, 125, 200, { 100, 125, 156, 195, 200, 0 } },
		{ 5, 150, 5, { 5, 0 } },
		{ 1, 1000, 1, { 1, 0 } },
		{ 90000000, 1000, 100000000, { 90000000, 100000000, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rules_warm_up p =
		    plan_of(rows[i].first, rows[i].grow, rows[i].cap);
		unsigned day = 0;

		do
			assert_int_equal(rules_warm_up_allowance(&p, day + 1),
			    rows[i].days[day]);
		while (rows[i].days[day++] > 0);
		assert_int_equal(rules_warm_up_allowance(&p, day + 1), 0);
		assert_int_equal(rules_warm_up_allowance(&p, 1000000), 0);
		assert_int_equal(rules_warm_up_allowance(&p, UINT_MAX), 0);
	}
}

/* It grows every day by what is said or by one, comes to the cap and is over.
 */
static void
every_plan_grows_and_ends(void **state)
{
	(void)state;
	draw_state = 7;
	for (int i = 0; i < 300; i++) {
		unsigned first = 1 + draw(1000);
		struct rules_warm_up p =
		    plan_of(first, 101 + draw(900), first + draw(100000));
		unsigned day = 1, now, before = 0;

		while ((now = rules_warm_up_allowance(&p, day++)) != 0) {
			assert_in_range(now, before + 1, p.cap);
			if (now < p.cap && before * p.grow / 100 > before)
				assert_int_equal(now, before * p.grow / 100);
			else if (before > 0 && now < p.cap)
				assert_int_equal(now, before + 1);
			before = now;
		}
		assert_int_equal(before, p.cap);
	}
}

static void
plans_are_read(void **state)
{
	struct ruleset *rs = parse(
	    REST "shape path mta warm-up gentle\n"
		 "shape domain a.jp warm-up fast-1 \n"
		 "shape domain b.jp warm-up none\n"
		 "warm-up gentle first 50 grow 1.5 cap 20000\n"
		 "warm-up fast-1 wait cap 100000000 grow 10 first 100000000\n"
		 "shape domain c.jp warm-up third\n"
		 "warm-up third grow 1.05 overflow first 1 cap 2\n");
	const struct rules_warm_up *p = ruleset_warm_up(rs, "gentle");
	struct rules_shape s;

	(void)state;
	assert_string_equal(p->name, "gentle");
	assert_int_equal(p->first, 50);
	assert_int_equal(p->grow, 150);
	assert_int_equal(p->cap, 20000);
	assert_false(p->wait);
	assert_int_equal(p->line, 5);
	p = ruleset_warm_up(rs, "fast-1");
	assert_int_equal(p->first, 100000000);
	assert_int_equal(p->grow, 1000);
	assert_true(p->wait);
	assert_int_equal(ruleset_warm_up(rs, "third")->grow, 105);
	assert_null(ruleset_warm_up(rs, "Gentle"));
	assert_null(ruleset_warm_up(rs, ""));

	ruleset_shape(rs, NULL, NULL, "x.jp", "mta", &s);
	assert_string_equal(s.warm_up, "gentle");
	ruleset_shape(rs, NULL, NULL, "a.jp", "mta", &s);
	assert_string_equal(s.warm_up, "fast-1");
	ruleset_shape(rs, NULL, NULL, "b.jp", "mta", &s);
	assert_null(s.warm_up);
	assert_int_equal(s.origin[SHAPE_WARM_UP].line, 4);
	ruleset_unref(rs);
}

/* ---- what ships ---- */

static void
what_ships(void **state)
{
	struct rules_report report;
	struct rules_shape s;
	struct ruleset *rs;

	(void)state;
	rules_report_init(&report);
	rs = ruleset_load("conf/oiwake.rules", NULL, &report);
	rules_report_print(&report, stderr);
	assert_non_null(rs);
	assert_int_equal(report.n, 0);
	rules_report_clear(&report);

	ruleset_shape(rs, "docomo", "docomo", "docomo.ne.jp", "mta", &s);
	assert_int_equal(s.max_line, 998);
	assert_int_equal(s.max_size, 0);
	assert_null(s.warm_up);
	ruleset_shape(rs, "au", "kddi", "au.com", "mta", &s);
	assert_int_equal(s.max_size, 3 << 20);
	assert_int_equal(s.max_line, 998);
	ruleset_shape(rs, "ymobile", "softbank", "ymobile.ne.jp", "mta", &s);
	assert_int_equal(s.max_size, 1 << 20);
	assert_int_equal(s.max_header, 12 << 10);
	ruleset_shape(rs, "ymobile", "yahoo", "yahoo.ne.jp", "mta", &s);
	assert_int_equal(s.max_size, 0); /* no MMS */
	assert_int_equal(s.max_line, 998);
	ruleset_shape(rs, NULL, NULL, "gmail.com", "ses", &s);
	assert_int_equal(s.max_line, 0);
	assert_int_equal(s.unfit, RULES_UNFIT_REFUSE);
	assert_int_equal(
	    rules_warm_up_allowance(ruleset_warm_up(rs, "gentle"), 16), 20000);

	/* Both forms of a local part are tried; an unknown user is believed. */
	assert_int_equal(ask(rs, "docomo", RULES_STAGE_RCPT, 550,
			     "Syntax error in <a..b@docomo.ne.jp>")
			     ->action,
	    RULES_REPLY_REQUOTE);
	assert_int_equal(ask(rs, "kddi", RULES_STAGE_RCPT, 501,
			     "Bad recipient address syntax")
			     ->action,
	    RULES_REPLY_REQUOTE);
	assert_int_equal(ask(rs, "docomo", RULES_STAGE_RCPT, 550,
			     "Unknown user <malformed@docomo.ne.jp>")
			     ->action,
	    RULES_REPLY_BOUNCE);
	assert_null(
	    ask(rs, "example.jp", RULES_STAGE_RCPT, 550, "syntax error"));
	ruleset_unref(rs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_what_follows),
		cmocka_unit_test(every_reason_is_known),
		cmocka_unit_test(each_stage_is_its_bit),
		cmocka_unit_test(any_stage_is_where_it_can_be),
		cmocka_unit_test(each_code_takes_its_replies),
		cmocka_unit_test(patterns_see_the_text),
		cmocka_unit_test(silence_has_no_text),
		cmocka_unit_test(patterns_see_so_much_of_it),
		cmocka_unit_test(limits_end_a_look),
		cmocka_unit_test(the_last_line_of_the_group_holds),
		cmocka_unit_test(a_line_after_the_include_holds),
		cmocka_unit_test(as_a_naive_walk_says),
		cmocka_unit_test(allowances),
		cmocka_unit_test(every_plan_grows_and_ends),
		cmocka_unit_test(plans_are_read),
		cmocka_unit_test(what_ships),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
