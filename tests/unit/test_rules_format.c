/*
 * test_rules_format.c - the canonical form of rule files.
 *
 * Run from the top of the source: reads conf/.
 */
#include "tests/unit/rules_help.h"

#include "tests/unit/format_help.h"

#define BOM "\xef\xbb\xbf"

struct example {
	const char *what, *in, *out;
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* clang-format off */
static const struct example lines[] = {
	{ "nothing", "", "" },
	{ "only blanks", " \n\t\n\r\n \\\n  ", "" },
	{ "no line end", "route a to any via ses", "route a  to any   via ses\n" },
	{ "CRLF and a mark",
	  BOM "# c \r\n\r\nfoo  bar\t\r\n",
	  "# c\n\nfoo bar\n" },
	{ "a second mark is a word's",
	  BOM BOM "foo\n",
	  BOM BOM "foo\n" },
	{ "a mark after blank lines is a word's",
	  "\n\n" BOM "foo\n",
	  BOM BOM "foo\n" },
	{ "blank lines",
	  "\n\n# a\n\n\n\n# b\nfoo\n\n \n\t\nfoo\n\n\n",
	  "# a\n\n# b\nfoo\n\nfoo\n" },
	{ "words stay as written",
	  "foo   \"a \\\" \\\\ b\"   \"a b\"@example.jp\t/a\\/ #b/ix a#b \\x c\\\n",
	  "foo \"a \\\" \\\\ b\" \"a b\"@example.jp /a\\/ #b/ix a#b \\x c\\\n" },
	{ "continued lines are joined",
	  "foo \\\n\\\n   bar \\  \r\n baz\nqux\n",
	  "foo bar baz\nqux\n" },
	{ "a backslash within a line is a word",
	  "foo \\ bar \\ # c\n",
	  "foo \\ bar \\  # c\n" },
	{ "comments",
	  "  # own\n#without\nfoo #  at its end  \t\n\t## indented\n# ends in \\\nbar\n",
	  "# own\n#without\nfoo  #  at its end\n## indented\n# ends in \\\nbar\n" },
	{ "a comment after a continued line ends the statement",
	  "foo \\\n  bar \\\n  # why\n  baz\n",
	  "foo bar  # why\nbaz\n" },
	{ "comments at the ends of a block's lines",
	  "route a any via ses # one\nroute bcd any via ses pool x#y\nroute c any via mta pool x # two\n",
	  "route a    any   via ses         # one\n"
	  "route bcd  any   via ses pool x#y\n"
	  "route c    any   via mta pool x  # two\n" },
};

static const struct example blocks[] = {
	{ "routes",
	  "route keitai to carrier * via mta pool keitai\n"
	  "route pattern to /^a b#c/i and not size > 1MB discard\n"
	  "route no from <> reject \"no thanks\"\n"
	  "route wait listener submission hold\n"
	  "route pin from otp@x.jp via ses transactional  fallback mta\n"
	  "route default any via ses 95% mta 5% fallback none raw\n",
	  "route keitai   to carrier *                      via mta pool keitai\n"
	  "route pattern  to /^a b#c/i and not size > 1MB   discard\n"
	  "route no       from <>                           reject \"no thanks\"\n"
	  "route wait     listener submission               hold\n"
	  "route pin      from otp@x.jp                     via ses transactional fallback mta\n"
	  "route default  any                               via ses 95% mta 5% fallback none raw\n" },
	{ "routes that lack something",
	  "route\nroute a\nroute via\nroute b via ses\nroute c to any\n",
	  "route\nroute a\nroute via\nroute b             via ses\nroute c    to any\n" },
	{ "a name in quotes is no action",
	  "route a user \"via\" via ses\n",
	  "route a  user \"via\"   via ses\n" },
	{ "carriers",
	  "carrier docomo group docomo docomo.ne.jp\n"
	  "carrier softbank   softbank.ne.jp i.softbank.jp\n"
	  "carrier au group kddi ezweb.ne.jp\n",
	  "carrier docomo   group docomo  docomo.ne.jp\n"
	  "carrier softbank               softbank.ne.jp i.softbank.jp\n"
	  "carrier au       group kddi    ezweb.ne.jp\n" },
	{ "carriers without groups",
	  "carrier docomo docomo.ne.jp\ncarrier au ezweb.ne.jp au.com\n",
	  "carrier docomo docomo.ne.jp\ncarrier au     ezweb.ne.jp au.com\n" },
	{ "shapes",
	  "shape default connections 20 messages 100\n"
	  "shape carrier au quote raw rate 5/s\n"
	  "shape domain a.jp .b.jp retry 1h,2h warm-up slow\n"
	  "shape path rate rate 1/s\n",
	  "shape default            connections 20  messages 100\n"
	  "shape carrier au         quote  raw  rate 5/s\n"
	  "shape domain a.jp .b.jp  retry 1h,2h  warm-up slow\n"
	  "shape path rate          rate 1/s\n" },
	{ "shapes of messages",
	  "shape default max-size 3MB unfit hold quote require-tls yes\n"
	  "shape carrier au max-line 998 max-header none\n",
	  "shape default     max-size 3MB  unfit hold  quote  require-tls yes\n"
	  "shape carrier au  max-line 998  max-header none\n" },
	{ "replies",
	  "reply docomo rcpt 550 /unknown  user/ bounce userunknown # gone\n"
	  "reply any data body dot 5xx filtered filtered\n"
	  "reply retry rcpt 421 /^$/ retry onhold at-expiry userunknown   pause lane 5min slow\n",
	  "reply docomo  rcpt 550 /unknown  user/   bounce userunknown  # gone\n"
	  "reply any     data body dot 5xx          filtered filtered\n"
	  "reply retry   rcpt 421 /^$/              retry onhold at-expiry userunknown pause lane 5min slow\n" },
	{ "replies that lack something",
	  "reply\nreply any\nreply any rcpt\nreply any rcpt 550\nreply any rcpt 550 bounce\nreply bounce\n",
	  "reply\nreply any\nreply any     rcpt\nreply any     rcpt 550\n"
	  "reply any     rcpt 550   bounce\nreply bounce\n" },
	{ "plans",
	  "warm-up gentle first 50 grow 1.5 cap 20000\n"
	  "warm-up wait wait cap 9 odd 3 grow 2 overflow first 1\nwarm-up\nwarm-up x\n",
	  "warm-up gentle  first 50  grow 1.5  cap 20000\n"
	  "warm-up wait    wait  cap 9  odd 3  grow 2  overflow  first 1\nwarm-up\nwarm-up x\n" },
	{ "keys of another version",
	  "shape default bogus 3 quote odd\n",
	  "shape default  bogus 3  quote  odd\n" },
	{ "expectations",
	  "expect a@docomo.ne.jp rule keitai via mta\n"
	  "expect from <> to \"a b\"@c.jp user via tag a=b c=d size 3 hold carrier none\n"
	  "expect b@c.jp discard\n",
	  "expect a@docomo.ne.jp  rule keitai  via mta\n"
	  "expect from <> to \"a b\"@c.jp user via tag a=b c=d size 3  hold  carrier none\n"
	  "expect b@c.jp          discard\n" },
	{ "hints and includes",
	  "include  \"a.rules\"\ninclude   \"rules.d/*.rules\"\n"
	  "hint a.jp b.jp   \"one  text\"\nhint c.jp \"another\"\nhint d.jp\n",
	  "include \"a.rules\"\ninclude \"rules.d/*.rules\"\n"
	  "hint a.jp b.jp  \"one  text\"\nhint c.jp       \"another\"\nhint d.jp\n" },
	{ "what ends a block",
	  "route a any via ses\n"
	  "carrier long-name group long-name a.jp\n"
	  "route bcd any via ses\n"
	  "# comment\n"
	  "route efghi any via ses\n"
	  "\n"
	  "route jk any via ses\n"
	  "\"route\" any via ses\n",
	  "route a  any   via ses\n"
	  "carrier long-name group long-name  a.jp\n"
	  "route bcd  any   via ses\n"
	  "# comment\n"
	  "route efghi  any   via ses\n"
	  "\n"
	  "route jk  any   via ses\n"
	  "\"route\" any via ses\n" },
	{ "a wide cell moves its own row only",
	  "route a any via ses\n"
	  "route bc to domain first.example.co.jp second.example.co.jp third.example.jp via mta\n"
	  "route d from any via ses\n",
	  "route a   any        via ses\n"
	  "route bc  to domain first.example.co.jp second.example.co.jp third.example.jp   via mta\n"
	  "route d   from any   via ses\n" },
	{ "East Asian characters have two columns, half-width ones and marks not",
	  "hint 追分.jp \"a\"\nhint abcd.jp \"b\"\nhint ｵｲﾜｹ.jp \"c\"\nhint e\xcc\x81" "bcd.jp \"d\"\n",
	  "hint 追分.jp  \"a\"\nhint abcd.jp  \"b\"\nhint ｵｲﾜｹ.jp  \"c\"\nhint e\xcc\x81" "bcd.jp  \"d\"\n" },
};

#define AT60 "123456789.123456789.123456789.123456789.123456789.123456789."
#define AT90 AT60 "123456789.123456789.123456789."

static const struct example broken[] = {
	{ "a route before its action, under its conditions",
	  "route compare from domain news.example.jp to carrier docomo and not local-part irregular via mta 95% ses 5%\n"
	  "route keitai to carrier * via mta\n",
	  "route compare  from domain news.example.jp to carrier docomo and not local-part irregular \\\n"
	  "               via mta 95% ses 5%\n"
	  "route keitai   to carrier *   via mta\n" },
	{ "a route's lists between words, and not after a word that wants the next",
	  "route a to domain a.example.jp b.example.jp c.example.jp d.example.jp e.example.jp and not to domain x.example.jp via mta\n",
	  "route a  to domain a.example.jp b.example.jp c.example.jp d.example.jp e.example.jp \\\n"
	  "         and not to domain x.example.jp \\\n"
	  "         via mta\n" },
	{ "a share stays with its path",
	  "route a any via first 20% pool pool-of-the-first second 20% pool pool-of-the-2nd-one the-third-one 60% fallback hold\n",
	  "route a  any \\\n"
	  "         via first 20% pool pool-of-the-first second 20% pool pool-of-the-2nd-one \\\n"
	  "         the-third-one 60% fallback hold\n" },
	{ "a carrier's domains under one another",
	  "carrier softbank group softbank d.vodafone.ne.jp h.vodafone.ne.jp t.vodafone.ne.jp c.vodafone.ne.jp r.vodafone.ne.jp # old\n"
	  "carrier au group kddi au.com\n",
	  "carrier softbank group softbank  d.vodafone.ne.jp h.vodafone.ne.jp t.vodafone.ne.jp \\\n"
	  "                                 c.vodafone.ne.jp r.vodafone.ne.jp  # old\n"
	  "carrier au       group kddi      au.com\n" },
	{ "a shape before a key",
	  "shape carrier docomo connections 2 messages 50 recipients 100/session recipients 10/message rate 5/s retry 1h\n",
	  "shape carrier docomo  connections 2  messages 50  recipients 100/session  recipients 10/message \\\n"
	  "                      rate 5/s  retry 1h\n" },
	{ "a hint before its text",
	  "hint docomo.co.jp nttdocomo.co.jp \"corporate domain, not carrier mail; subscribers are at docomo.ne.jp\"\n",
	  "hint docomo.co.jp nttdocomo.co.jp \\\n"
	  "     \"corporate domain, not carrier mail; subscribers are at docomo.ne.jp\"\n" },
	{ "what the language does not know, by four",
	  "frobnicate " AT60 " " AT60 " x\n",
	  "frobnicate " AT60 " \\\n    " AT60 " x\n" },
	{ "a word longer than a line stays whole",
	  "route a any reject \"" AT90 "123456789.\" fallback none\n",
	  "route a  any \\\n"
	  "    reject \\\n"
	  "    \"" AT90 "123456789.\" \\\n"
	  "    fallback none\n" },
	{ "exactly a line",
	  "foo " AT90 " 12345\nfoo " AT90 " 123456\n",
	  "foo " AT90 " 12345\nfoo " AT90 " \\\n    123456\n" },
	{ "exactly a line with its backslash",
	  "fooo " AT90 "123 56\n"
	  "fooo " AT90 "1234 56\n",
	  "fooo " AT90 "123 \\\n    56\n"
	  "fooo \\\n    " AT90 "1234 \\\n    56\n" },
};

/* Refused, with this. */
static const struct example refused[] = {
	{ "an open quote", "# ok\nfoo \"a\n", "t:2:5: no closing quote\n    foo \"a\n        ^\n" },
	{ "an open pattern", "foo /a\n", "t:1:5: no closing '/' of the pattern\n    foo /a\n        ^\n" },
	{ "two of them",
	  "\"\n/\n",
	  "t:1:1: no closing quote\n    \"\n    ^\nt:2:1: no closing '/' of the pattern\n    /\n    ^\n" },
	{ "no UTF-8", "foo\n\xff\n", "t:2:1: byte 0xff is not UTF-8\n" },
	{ "a control character", "foo \x1b[m\n", "t:1:5: control character 0x1b\n" },
	{ "nothing to continue",
	  "foo \\\n bar \\",
	  "t:2:6: no line after the backslash\n     bar \\\n         ^\n" },
};
/* clang-format on */

static void
check(const struct example *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *out = canonical(e[i].in, strlen(e[i].in));

		if (out == NULL || strcmp(out, e[i].out) != 0)
			fail_msg("%s:\n%s", e[i].what, out);
		free(out);
		assert_canonical(e[i].in, strlen(e[i].in));
	}
}

static void
test_lines(void **state)
{
	(void)state;
	check(lines, COUNT(lines));
}

static void
test_blocks(void **state)
{
	(void)state;
	check(blocks, COUNT(blocks));
}

static void
test_broken(void **state)
{
	(void)state;
	check(broken, COUNT(broken));
}

static char *
refusal(const char *text, size_t len)
{
	struct rules_report r;
	char *said;

	rules_report_init(&r);
	assert_null(rules_format(&(struct rules_file){ "t", text, len }, &r));
	said = rules_report_string(&r);
	rules_report_clear(&r);
	return said;
}

static void
test_refused(void **state)
{
	static const char nul[] = "foo\0bar\n";
	char *said;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		said = refusal(refused[i].in, strlen(refused[i].in));
		assert_string_equal(said, refused[i].out);
		free(said);
	}
	said = refusal(nul, sizeof(nul) - 1);
	assert_string_equal(said, "t:1:4: control character 0x00\n");
	free(said);
	said = refusal(nul, RULES_FILE_MAX + 1);
	assert_string_equal(
	    said, "t: cannot read the file: larger than 16 MB\n");
	free(said);
}

/* ---- the files that ship ---- */

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 20);
	size_t n;

	assert_non_null(f);
	assert_non_null(text);
	n = fread(text, 1, (1 << 20) - 1, f);
	assert_true(n > 0 && feof(f));
	fclose(f);
	return text;
}

static struct ruleset *
parse_two(const char *main_text, const char *carriers)
{
	struct rules_file file[] = {
		{ "oiwake.rules", main_text, strlen(main_text) },
		{ "carriers.rules", carriers, strlen(carriers) },
	};
	struct rules_report r;
	struct ruleset *rs;

	rules_report_init(&r);
	rs = ruleset_parse(file, 2, NULL, &r);
	rules_report_print(&r, stderr);
	assert_non_null(rs);
	rules_report_clear(&r);
	return rs;
}

static void
assert_same_decision(
    const struct ruleset *a, const struct ruleset *b, const char *to)
{
	struct rules_decision x = decide(a, "", to), y = decide(b, "", to);
	const char *hint_x = x.hint ? x.hint : "",
		   *hint_y = y.hint ? y.hint : "";

	assert_string_equal(x.rule->name, y.rule->name);
	assert_string_equal(x.path, y.path);
	assert_string_equal(x.pool ? x.pool : "", y.pool ? y.pool : "");
	assert_string_equal(
	    x.carrier ? x.carrier : "", y.carrier ? y.carrier : "");
	assert_string_equal(x.group ? x.group : "", y.group ? y.group : "");
	assert_string_equal(hint_x, hint_y);
}

static void
test_shipped_files(void **state)
{
	static const char *const to[] = { "a..b@docomo.ne.jp", "a@mopera.net",
		"a@x.biz.au.com", "a@q.vodafone.ne.jp", "a@jp-q.ne.jp",
		"a@sub.pdx.ne.jp", "a@yahoo.ne.jp", "a@rakumail.jp",
		"a@docomo.co.jp", "a@oct.dion.ne.jp", "a@gmail.com" };
	char *text[2] = { read_file("conf/oiwake.rules"),
		read_file("conf/carriers.rules") };
	char *out[2];
	struct ruleset *before, *after;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_canonical(text[i], strlen(text[i]));
		out[i] = canonical(text[i], strlen(text[i]));
		assert_non_null(out[i]);
	}
	before = parse_two(text[0], text[1]);
	after = parse_two(out[0], out[1]);
	for (size_t i = 0; i < COUNT(to); i++)
		assert_same_decision(before, after, to[i]);
	ruleset_unref(before);
	ruleset_unref(after);
	for (int i = 0; i < 2; i++) {
		free(text[i]);
		free(out[i]);
	}
}

/* No line is longer than 100 columns unless its only word is. */
static void
test_line_length(void **state)
{
	char *text = read_file("conf/carriers.rules");
	char *out = canonical(text, strlen(text)), *rest = out;
	const char *line;

	(void)state;
	assert_non_null(out);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '#' && strlen(line) > 100)
			fail_msg("%zu columns: %s", strlen(line), line);
	free(out);
	free(text);
}

/* A block of many rows, and rows of many words: linear, or this would not end.
 */
static void
test_many(void **state)
{
	size_t n = 50000, len = 0;
	char *text = calloc(n, 40), *out;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		len += (size_t)sprintf(
		    text + len, "route r%zu to a%zu.jp via ses\n", i, i);
	out = canonical(text, len);
	assert_non_null(out);
	assert_int_equal(
	    strncmp(out, "route r0      to a0.jp       via ses\n", 36), 0);
	free(out);
	len = (size_t)sprintf(text, "carrier au");
	for (size_t i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, " a%zu.jp", i);
	assert_canonical(text, len);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_shipped_files),
		cmocka_unit_test(test_line_length),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
