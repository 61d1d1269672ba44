/*
 * test_pattern.c - patterns, what is read from them, and the sieve; PCRE2 alone
 * is the model.
 */
#include "rules/sieve_int.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct pattern *
make(const char *text, const char *flags)
{
	struct pattern_fault fault;
	struct pattern *p;

	p = pattern_new(text, strlen(text), flags, strlen(flags), &fault);
	if (p == NULL)
		fail_msg("/%s/%s: %s", text, flags, fault.text);
	return p;
}

static void
matches(void **state)
{
	static const struct {
		const char *text, *flags, *subject;
		enum pattern_result result;
	} table[] = {
		{ "^qa\\+.*@example\\.com$", "", "qa+1@example.com", 1 },
		{ "^qa\\+.*@example\\.com$", "", "qa1@example.com", 0 },
		{ "DOCOMO", "", "taro@docomo.ne.jp", 0 },
		{ "DOCOMO", "i", "taro@docomo.ne.jp", 1 },
		{ "a b # c", "", "a b # c", 1 },
		{ "a b # c", "x", "ab", 1 },
		{ "a.b", "", "a\nb", 0 },
		{ "a.b", "s", "a\nb", 1 },
		{ "A . B", "xsi", "a\nb", 1 },
		{ "^$", "", "", 1 },
		{ "", "", "", 1 },
		{ "", "", "a@b", 1 },
		{ "@", "", "", 0 },
		/* Verbs go by the book, which JIT does not. */
		{ "(?:.*+(*PRUNE)b)|a", "", "xa", 0 },
		{ "(?:.*+b)|a", "", "xa", 1 },
		{ "\\/", "", "a/b@c", 1 },
		/* UTF: a character is one, whatever its bytes. */
		{ "^.@", "", "\xe3\x81\x82@b", 1 },
		{ "^..@", "", "\xe3\x81\x82@b", 0 },
		{ "\xe3\x81\x82", "", "x\xe3\x81\x82x", 1 },
		{ "\xc3\xa9", "i", "\xc3\x89", 1 },
		{ "\xc3\xa9", "", "\xc3\x89", 0 },
		{ "k", "i", "\xe2\x84\xaa", 1 },
		{ "s", "i", "\xc5\xbf", 1 },
		/* Bytes that are no UTF match nothing, and do no harm. */
		{ "a@b", "",
		    "\xff\xfe"
		    "a@b",
		    1 },
		{ "a.*b", "",
		    "a\xff"
		    "b",
		    0 },
		{ "a[^x]b", "",
		    "a\xff"
		    "b",
		    0 },
		{ "^a@b", "",
		    "\xff"
		    "a@b",
		    0 },
		{ "a@b$", "", "a@b\xe3\x81", 0 },
		{ "\xe3\x81\x82", "", "\xe3\x81", 0 },
		{ "(*NO_JIT)a@b", "",
		    "\xff\xfe"
		    "a@b",
		    1 },
		{ "(*NO_JIT)^a@b", "",
		    "\xff"
		    "a@b",
		    0 },
		{ "(*NO_JIT)a.*b", "",
		    "a\xff"
		    "b",
		    0 },
		/* A callout that nobody hears. */
		{ "a(?C1)b", "", "ab", 1 },
	};
	struct pattern *p;

	(void)state;
	for (size_t i = 0; i < LENGTH(table); i++) {
		p = make(table[i].text, table[i].flags);
		if (pattern_match(p, table[i].subject,
			strlen(table[i].subject)) != table[i].result)
			fail_msg("row %zu: /%s/%s", i, table[i].text,
			    table[i].flags);
		assert_true(pattern_memory(p) > 100);
		pattern_free(p);
	}
	pattern_free(NULL);
}

static void
a_subject_may_hold_nul(void **state)
{
	struct pattern *p = make("a\\x00b$", "");

	(void)state;
	assert_int_equal(pattern_match(p, "a\0b", 3), PATTERN_YES);
	assert_int_equal(pattern_match(p, "a\0b", 2), PATTERN_NO);
	pattern_free(p);
}

static void
faults_have_a_place(void **state)
{
	static const struct {
		const char *text, *flags;
		size_t offset;
		const char *words;
	} table[] = {
		{ "a(b", "", 3, "missing closing parenthesis" },
		{ "a)b", "", 1, "unmatched closing parenthesis" },
		{ "ab[c", "", 4, "missing terminating ] for character class" },
		{ "a**b**", "", 2,
		    "quantifier does not follow a repeatable item" },
		{ "abc\\", "", 4, "\\ at end of pattern" },
		{ "ab\\Cd", "", 4, "using \\C is disabled by the application" },
		{ "x(?<=a*)", "", 1,
		    "lookbehind assertion is not fixed length" },
		{ "a\\1", "", 2, "reference to non-existent subpattern" },
		{ "ab\xff", "", 2, "UTF-8 error: illegal byte (0xfe or 0xff)" },
		{ "abc", "q", 4, "flag 'q' is not known (i, x and s are)" },
		{ "abc", "ixm", 6, "flag 'm' is not known (i, x and s are)" },
		{ "abc", "isi", 6, "flag 'i' is given twice" },
		{ "abc", "i\x01", 5, "flag is not known (i, x and s are)" },
		{ "abc", "I", 4, "flag 'I' is not known (i, x and s are)" },
	};
	struct pattern_fault fault;

	(void)state;
	for (size_t i = 0; i < LENGTH(table); i++) {
		assert_null(pattern_new(table[i].text, strlen(table[i].text),
		    table[i].flags, strlen(table[i].flags), &fault));
		if (strcmp(fault.text, table[i].words) != 0 ||
		    fault.offset != table[i].offset)
			fail_msg("/%s/%s: %zu: %s", table[i].text,
			    table[i].flags, fault.offset, fault.text);
	}
}

static void
size_has_a_bound(void **state)
{
	static const char *const large[] = {
		"(?:(?:[a-c][d-f][0-4]){30}){30}",
		"(?:(?:(?:abcdef){60000}){60000}){60000}",
	};
	struct pattern_fault fault;
	struct pattern *p;
	char *text;

	(void)state;
	text = malloc(4097);
	memset(text, 'a', 4097);
	p = pattern_new(text, 4096, "", 0, &fault);
	assert_non_null(p);
	pattern_free(p);
	assert_null(pattern_new(text, 4097, "", 0, &fault));
	assert_string_equal(fault.text, "pattern is longer than 4096 bytes");
	assert_int_equal(fault.offset, 4096);
	memset(text, '(', 1000);
	memset(text + 1000, ')', 1000);
	assert_null(pattern_new(text, 2000, "", 0, &fault));
	assert_string_equal(fault.text, "parentheses are too deeply nested");
	free(text);
	for (size_t i = 0; i < LENGTH(large); i++) {
		assert_null(
		    pattern_new(large[i], strlen(large[i]), "", 0, &fault));
		assert_non_null(strstr(fault.text, "too large"));
	}
}

/* With JIT and without: an end to every match, told from a no. */
static void
hostile_patterns_end(void **state)
{
	static const char *const table[] = {
		"^(a+)+$",
		"(a*)*[bc]",
		"a*a*a*a*a*a*[bc]",
		"^((a+)?)+[bc]",
		"(.*)(.*)(.*)(.*)[bc]",
		"(?<=a)a*?a*?a*?a*?[bc]",
		"^(a|aa)+!b?[cd]",
		"(a?(?R)?)b?[cd]", /* recursion without end */
		"\\X*\\X*\\X*\\X*[bc]",
	};
	char subject[320], text[64];
	struct pattern *p;

	(void)state;
	memset(subject, 'a', sizeof(subject));
	subject[319] = '!';
	for (size_t i = 0; i < LENGTH(table); i++)
		for (int jit = 0; jit < 2; jit++) {
			snprintf(text, sizeof(text), "%s%s",
			    jit ? "" : "(*NO_JIT)", table[i]);
			p = make(text, "");
			assert_int_equal(
			    pattern_match(p, subject, 320), PATTERN_LIMIT);
			pattern_free(p);
		}
}

/* Where groups nest by the hundred, each step of the interpreter is long: it
 * has fewer, and these come to their end. */
static void
many_groups_have_few_steps(void **state)
{
	static const char *const table[] = {
		"^(?:a{1,2}){1,400}[bc]",
		"^(?:a?){1,300}[bc]",
		"(?:a{1,2}){1,400}[bc]",
		"^(?:(?:(?:(?:a{1,2}){1,20}){1,5}){1,4}){1,2}[bc]",
	};
	struct pattern *p;
	char text[80], subject[640];

	(void)state;
	memset(subject, 'a', sizeof(subject));
	for (size_t i = 0; i < LENGTH(table); i++) {
		snprintf(text, sizeof(text), "(*NO_JIT)%s", table[i]);
		p = make(text, "");
		assert_int_equal(pattern_match(p, subject, sizeof(subject)),
		    PATTERN_LIMIT);
		pattern_free(p);
	}
}

/* What is asked of addresses every day is far from the limits. */
static void
honest_patterns_do_not_meet_limits(void **state)
{
	static const char *const table[] = {
		"^[a-z.]+[0-9]*@(?:[a-z0-9-]+\\.)+jp$",
		"([a-z]|[0-9])+@",
		"^[^@]*(\\d\\d)[^@]*@",
		"(?i)[A-Z]+[0-9]*@.*\\.ne\\.",
		"^(?:[a-z0-9]{1,63}[._-]?){1,20}@(?:[a-z0-9-]+\\.){1,9}jp$",
		"^(?:(?:a|b)+42)?(\\w+)@(?:(mail|mx)\\.)?(?:docomo|au)",
	};
	char subject[128], text[64];
	struct pattern *p;

	(void)state;
	memset(subject, 'a', sizeof(subject));
	memcpy(subject + 50, "42", 2);
	memcpy(subject + 100, "@mail.docomo.ne.jp", 19);
	for (size_t i = 0; i < LENGTH(table); i++)
		for (int jit = 0; jit < 2; jit++) {
			snprintf(text, sizeof(text), "%s%s",
			    jit ? "" : "(*NO_JIT)", table[i]);
			p = make(text, "");
			assert_int_not_equal(
			    pattern_match(p, subject, strlen(subject)),
			    PATTERN_LIMIT);
			pattern_free(p);
		}
}

static void
literals(void **state)
{
	static const struct {
		const char *text, *flags, *literal;
	} table[] = {
		{ "docomo", "", "docomo" },
		{ "^qa\\+.*@example\\.com$", "", "@example.com" },
		{ "docomo", "i", "docomo" },
		{ "DoCoMo", "i", "docomo" },
		{ "DoCoMo", "", "DoCoMo" },
		{ "", "", "" },
		{ "abc?def", "", "def" },
		{ "abc*de", "", "ab" },
		{ "abcd{0,3}ef", "", "abc" },
		{ "abc{2}d", "", "abccd" },
		{ "abc{2,}d", "", "abcc" },
		{ "abc+de", "", "abc" },
		{ "abc++d", "", "abc" },
		{ "abc{0}de", "", "ab" },
		{ "abc{,3}", "", "" },
		{ "abc{x}", "", "" },
		{ "abc|def", "", "" },
		{ "(abc|def)xy", "", "xy" },
		{ "(?:abc)xy", "", "xy" },
		{ "(abc)?xy", "", "xy" },
		{ "(a[)]|(b\\)c))xy", "", "xy" },
		{ "(?=abc)xy", "", "xy" },
		{ "(?!abc)xy", "", "xy" },
		{ "(?<!abc)xy", "", "xy" },
		{ "ab(?i)cd", "", "" },
		{ "ab(?#x)cd", "", "" },
		{ "((?x:#))xyz((\n)abc)?de", "", "" },
		{ "a[\\E]xyz]c", "", "" },
		{ "a[\\c]xyz]c", "", "" },
		{ "(?:a(*ACCEPT)b)cd", "", "" },
		{ "(*UCP)abc", "", "" },
		{ "abc(?R)?d", "", "" },
		{ "a\\Qb|c\\Ed", "", "" },
		{ "ab\\x41cd", "", "" },
		{ "abc\\bdefg", "", "defg" },
		{ "abc\\d+d", "", "abc" },
		{ "a\\.b\\@c", "", "a.b@c" },
		{ "a.b", "", "a" },
		{ "a b", "x", "" },
		{ "a b", "", "a b" },
		{ "ab[c]d", "", "abcd" },
		{ "ab[cd]efg", "", "efg" },
		{ "ab[]|]efg", "", "efg" },
		{ "ab[^]|]efg", "", "efg" },
		{ "ab[[:alpha:]|]efg", "", "efg" },
		{ "a[[:<:]]b", "", "" },
		{ "a[\\]|]efg", "", "efg" },
		{ "ab[\\Q]\\E]c", "", "" },
		/* Without case, k and s are more than ASCII. */
		{ "abkcde", "i", "cde" },
		{ "abkcde", "", "abkcde" },
		{ "abs?cde", "i", "cde" },
		{ "ab[k]cde", "i", "cde" },
		{ "ab\xc3\xa9"
		  "cde",
		    "i", "cde" },
		{ "ab\xc3\xa9"
		  "c",
		    "",
		    "ab\xc3\xa9"
		    "c" },
		{ "ab\xc3\xa9?cd", "", "ab" },
		{ "0123456789abcdefghij", "", "0123456789abcdef" },
	};
	struct pattern *p;
	const char *text;
	size_t len;
	int fold;

	(void)state;
	for (size_t i = 0; i < LENGTH(table); i++) {
		p = make(table[i].text, table[i].flags);
		text = pattern_literal(p, &len, &fold);
		if (len != strlen(table[i].literal) ||
		    memcmp(text, table[i].literal, len) != 0)
			fail_msg("/%s/%s: '%.*s'", table[i].text,
			    table[i].flags, (int)len, text);
		assert_int_equal(fold, strchr(table[i].flags, 'i') != NULL);
		pattern_free(p);
	}
}

/* A sieve that lets everything through would be right and useless. */
static void
the_sieve_holds_back(void **state)
{
	static const struct {
		const char *text, *flags, *subject;
		unsigned passes;
	} table[] = {
		{ "^qa\\+.*@example\\.com$", "", "taro@docomo.ne.jp", 0 },
		{ "DOCOMO", "i", "taro@ezweb.ne.jp", 0 },
		{ "DOCOMO", "i", "taro@DoCoMo.ne.jp", 1 },
		{ "^[a-z]+[0-9]{4,}@", "", "taro@docomo.ne.jp", 0 },
		{ "^[a-z]+[0-9]{4,}@", "", "taro197@docomo.ne.jp", 0 },
		{ "^[a-z]+[0-9]{4,}@", "", "taro1975@docomo.ne.jp", 1 },
		{ "\\d{3}", "", "a12b12@c", 0 },
		{ "\\d{3}", "", "a12b123@c", 1 },
		{ "^(?:info|admin)@", "", "taro@docomo.ne.jp", 0 },
		{ "^(?:info|admin)@", "", "info@docomo.ne.jp", 1 },
		{ "(?:x|y)(?:z|q)", "", "taro@docomo.ne.jp", 0 },
		{ "(?:x|y)(?:z|q)", "", "", 0 },
		{ ".*", "", "", 1 },
		/* After bytes that are no UTF anything may begin. */
		{ "(?s)^.*(?:i|j)", "",
		    "\xff"
		    "i",
		    1 },
	};
	struct sieve *sieve;
	struct pattern *p;
	uint64_t bits;

	(void)state;
	for (size_t i = 0; i < LENGTH(table); i++) {
		p = make(table[i].text, table[i].flags);
		sieve = sieve_new((const struct pattern *const *)&p, 1);
		pattern_free(p);
		bits = UINT64_MAX;
		sieve_pass(
		    sieve, table[i].subject, strlen(table[i].subject), &bits);
		if (bits != table[i].passes)
			fail_msg("row %zu: /%s/%s: %llx", i, table[i].text,
			    table[i].flags, (unsigned long long)bits);
		sieve_free(sieve);
	}
	sieve_free(NULL);
}

/* Hundreds of patterns for one domain: none is tried for the domain's sake. */
static void
a_shared_text_is_no_choice(void **state)
{
	static const char subject[] = "taro@docomo.ne.jp";
	struct pattern *pattern[200];
	uint64_t bits[SIEVE_WORDS(200)];
	struct sieve *sieve;
	char text[64];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(text, sizeof(text),
		    i % 2 ? "^qa%u.*@docomo\\.ne\\.jp$"
			  : "[a-e]%u[0-9]{3}x*@docomo\\.ne\\.jp$",
		    i);
		pattern[i] = make(text, "");
	}
	sieve = sieve_new((const struct pattern *const *)pattern, 200);
	sieve_pass(sieve, subject, sizeof(subject) - 1, bits);
	for (size_t w = 0; w < LENGTH(bits); w++)
		assert_int_equal(bits[w], 0);
	/* qa1 stands in qa17, so both are tried. */
	sieve_pass(sieve, "qa17-@docomo.ne.jp", 18, bits);
	assert_true(bits[0] == (UINT64_C(1) << 17 | UINT64_C(1) << 1));
	sieve_pass(sieve, "e144123@docomo.ne.jp", 20, bits);
	assert_true(bits[0] == UINT64_C(1) << 14 && bits[1] == 0);
	assert_true(bits[2] == UINT64_C(1) << (144 - 128));
	sieve_free(sieve);
	for (size_t i = 0; i < 200; i++)
		pattern_free(pattern[i]);
}

static void
memory_of_a_sieve(size_t n, size_t most)
{
	struct pattern **pattern = calloc(n, sizeof(*pattern));
	uint64_t *bits = malloc(SIEVE_WORDS(n) * sizeof(*bits));
	struct sieve *sieve;
	char text[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%08x%c_+~!%c%c%c",
		    (unsigned)i * 2654435761u, (int)('a' + i % 26),
		    (int)('g' + i % 19), (int)(',' + i % 3),
		    (int)('g' + i % 17));
		text[10] = '-';
		pattern[i] = make(text, "");
	}
	sieve = sieve_new((const struct pattern *const *)pattern, n);
	if (sieve_memory(sieve) > most)
		fail_msg("%zu patterns: %zu bytes", n, sieve_memory(sieve));
	for (size_t i = 0; i < n; i += 97) {
		snprintf(text, sizeof(text), "%08x%c_+~!%c%c%c",
		    (unsigned)i * 2654435761u, (int)('a' + i % 26),
		    (int)('g' + i % 19), (int)(',' + i % 3),
		    (int)('g' + i % 17));
		text[10] = '-';
		sieve_pass(sieve, text, strlen(text), bits);
		assert_true(bits[i / 64] >> (i % 64) & 1);
	}
	sieve_free(sieve);
	for (size_t i = 0; i < n; i++)
		pattern_free(pattern[i]);
	free(pattern);
	free(bits);
}

static void
a_sieve_stays_small(void **state)
{
	(void)state;
	memory_of_a_sieve(500, 1 << 20);
	memory_of_a_sieve(10000, 32 << 20);
}

static void
no_patterns_are_a_sieve_too(void **state)
{
	const struct pattern *none = NULL;
	struct sieve *sieve = sieve_new(&none, 0);

	(void)state;
	sieve_pass(sieve, "a@b", 3, NULL);
	assert_true(sieve_memory(sieve) < 65536);
	sieve_free(sieve);
}

/* ---- against PCRE2 alone ---- */

struct dice {
	uint64_t x;
	char text[512];
	size_t n;
};

static unsigned
roll(struct dice *d, unsigned sides)
{
	d->x ^= d->x << 13;
	d->x ^= d->x >> 7;
	d->x ^= d->x << 17;
	return (unsigned)(d->x >> 33) % sides;
}

static void
say(struct dice *d, const char *text)
{
	size_t len = strlen(text);

	if (d->n + len < sizeof(d->text)) {
		memcpy(d->text + d->n, text, len + 1);
		d->n += len;
	}
}

static const char *const characters[] = { "a", "b", "c", "A", "B", "1", "2",
	"@", ".", "-", "k", "K", "s", "S", "ab", "bc", "1a", "\xc3\xa9",
	"\xc3\x89", "\xe2\x84\xaa", "\xc5\xbf", "\xe3\x81\x82" };

static void say_pattern(struct dice *, unsigned depth);

static void
say_item(struct dice *d, unsigned depth)
{
	static const char *const things[] = { ".", "\\d", "\\w", "\\.", "\\-",
		"[a-c]", "[^a]", "[]a]", "[a-]", "[k-s]", "[1\\d]", "[\\]b]",
		"[[:alpha:]]", "[--@]", "\\b", "^", "$", "\\K", "\\x61", "\\A",
		"\\R", "\\X", "[A-C1-2]", "[a\xc3\xa9]", "\\Qa.\\E" };
	static const char *const open[] = { "(", "(?:", "(?=", "(?!",
		"(?<=", "(?<!", "(?>", "(?i:", "(?|",
		"(?s:", "(?x: ", "(?-i:" };
	static const char *const odd[] = { "(*ACCEPT)", "(*COMMIT)", "(*FAIL)",
		"(*SKIP)", "(*PRUNE)", "(?i)", "(?#a)", "(?1)", "\\1", "(?C)",
		"(?(1)a|b)", "(?x)", "(*THEN)" };
	unsigned kind = roll(d, 100);

	if (kind < 58) {
		say(d, characters[roll(d, LENGTH(characters))]);
	} else if (kind < 80 || depth == 0) {
		say(d, things[roll(d, LENGTH(things))]);
	} else if (kind < 97) {
		say(d, open[roll(d, LENGTH(open))]);
		say_pattern(d, depth - 1);
		say(d, ")");
	} else {
		say(d, odd[roll(d, LENGTH(odd))]);
	}
}

static void
say_pattern(struct dice *d, unsigned depth)
{
	static const char *const repeats[] = { "?", "*", "+", "{2}", "{1,2}",
		"{0,1}", "{0}", "{2,}", "+?", "*+", "??", "{2}?", "{,2}",
		"{1}{0}", "{1}" };
	unsigned items = 1 + roll(d, 4);

	for (unsigned i = 0; i < items; i++) {
		if (roll(d, 16) == 0)
			say(d, "|");
		say_item(d, depth);
		if (roll(d, 4) == 0)
			say(d, repeats[roll(d, LENGTH(repeats))]);
	}
}

static void
say_subject(struct dice *d)
{
	unsigned items = roll(d, 14);

	d->n = 0;
	d->text[0] = '\0';
	for (unsigned i = 0; i < items; i++)
		say(d, roll(d, 25) == 0
			   ? (roll(d, 2) ? "\xff" : "\xe3\x81")
			   : characters[roll(d, LENGTH(characters))]);
}

struct model {
	struct pattern *pattern;
	pcre2_code *code;
	char *text;
};

static bool
model_make(struct model *m, struct dice *d)
{
	static const char *const flags[] = { "", "", "i", "s", "x", "is" };
	static const char *const starts[] = { "", "", "", "", "^", "^",
		"(*NO_JIT)", "(*UCP)", "(*NO_START_OPT)" };
	const char *flag = flags[roll(d, LENGTH(flags))];
	struct pattern_fault fault;
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
	PCRE2_SIZE at;
	int error;

	d->n = 0;
	say(d, starts[roll(d, LENGTH(starts))]);
	say_pattern(d, 2);
	m->pattern = pattern_new(d->text, d->n, flag, strlen(flag), &fault);
	if (m->pattern == NULL)
		return false;
	options |= strchr(flag, 'i') != NULL ? PCRE2_CASELESS : 0;
	options |= strchr(flag, 's') != NULL ? PCRE2_DOTALL : 0;
	options |= strchr(flag, 'x') != NULL ? PCRE2_EXTENDED : 0;
	m->code = pcre2_compile(
	    (PCRE2_SPTR)d->text, d->n, options, &error, &at, NULL);
	assert_non_null(m->code);
	pcre2_jit_compile(m->code, PCRE2_JIT_COMPLETE);
	m->text = strdup(d->text);
	return true;
}

static bool
model_matches(const struct model *m, const struct dice *d, uint32_t options,
    pcre2_match_data *data)
{
	return pcre2_match(m->code, (PCRE2_SPTR)d->text, d->n, 0, options, data,
		   NULL) >= 0;
}

/* How often the sieve held back, and how often a pattern matched. */
static unsigned held, matched;

/*
 * JIT and the interpreter differ in whether nothing matches after bytes that
 * are no UTF at the end. What is held back both must deny. They differ about
 * verbs as well: there the interpreter is right.
 */
static void
compare(const struct model *m, bool tried, const struct dice *d,
    pcre2_match_data *data)
{
	uint32_t how = strstr(m->text, "(*") != NULL ? PCRE2_NO_JIT : 0;
	enum pattern_result mine = PATTERN_NO;
	bool model;

	if (tried)
		mine = pattern_match(m->pattern, d->text, d->n);
	if (mine == PATTERN_LIMIT)
		return;
	model = model_matches(m, d, how, data) ||
		(!tried && model_matches(m, d, PCRE2_NO_JIT, data));
	held += !tried;
	matched += model;
	if ((mine == PATTERN_YES) != model)
		fail_msg("/%s/ on '%s' (%s): %d", m->text, d->text,
		    tried ? "tried" : "held back", (int)mine);
}

static void
compare_all(const struct model *m, size_t n, const struct sieve *sieve,
    const struct dice *d, pcre2_match_data *data)
{
	uint64_t bits[SIEVE_WORDS(100)];

	memset(bits, 0xff, sizeof(bits));
	sieve_pass(sieve, d->text, d->n, bits);
	for (size_t i = 0; i < n; i++)
		compare(&m[i], bits[i / 64] >> (i % 64) & 1, d, data);
	if (n % 64 != 0)
		assert_true(bits[n / 64] >> (n % 64) == 0);
}

static void
walk(struct dice *d, size_t n, unsigned subjects)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	struct model m[100];
	const struct pattern *pattern[100];
	struct sieve *sieve;

	for (size_t i = 0; i < n; i++) {
		while (!model_make(&m[i], d))
			;
		pattern[i] = m[i].pattern;
	}
	sieve = sieve_new(pattern, n);
	for (unsigned i = 0; i < subjects; i++) {
		say_subject(d);
		compare_all(m, n, sieve, d, data);
	}
	sieve_free(sieve);
	for (size_t i = 0; i < n; i++) {
		pattern_free(m[i].pattern);
		pcre2_code_free(m[i].code);
		free(m[i].text);
	}
	pcre2_match_data_free(data);
}

static void
as_pcre2_alone_says(void **state)
{
	struct dice d = { .x = 88172645463325252u };

	(void)state;
	held = matched = 0;
	for (int i = 0; i < 100; i++)
		walk(&d, 1 + roll(&d, 100), 60);
	assert_true(held > 10000);
	assert_true(matched > 10000);
}

/* ---- threads ---- */

static void *
match_often(void *arg)
{
	struct pattern *const *p = arg;
	uintptr_t wrong = 0;
	char slow[100];

	memset(slow, 'a', sizeof(slow));
	slow[99] = '!';
	for (int i = 0; i < 300; i++) {
		wrong += pattern_match(p[0], "taro1975@docomo.ne.jp", 21) !=
			 PATTERN_YES;
		wrong +=
		    pattern_match(p[0], "taro@docomo.ne.jp", 17) != PATTERN_NO;
		wrong += pattern_match(p[1], "taro1975@docomo.ne.jp", 21) !=
			 PATTERN_YES;
		if (i % 100 == 0)
			wrong += pattern_match(p[2], slow, sizeof(slow)) !=
				 PATTERN_LIMIT;
	}
	return (void *)wrong;
}

/* Twice, so that the second ones come after others have ended. */
static void
threads_do_not_meet(void **state)
{
	struct pattern *p[] = { make("^[a-z]+[0-9]{4,}@", ""),
		make("(*NO_JIT)^[a-z]+[0-9]{4,}@", ""), make("^(a+)+$", "") };
	pthread_t thread[4];
	void *wrong;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < LENGTH(thread); i++)
			assert_int_equal(
			    pthread_create(&thread[i], NULL, match_often, p),
			    0);
		assert_null(match_often(p));
		for (size_t i = 0; i < LENGTH(thread); i++) {
			assert_int_equal(pthread_join(thread[i], &wrong), 0);
			assert_null(wrong);
		}
	}
	for (size_t i = 0; i < LENGTH(p); i++)
		pattern_free(p[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(a_subject_may_hold_nul),
		cmocka_unit_test(faults_have_a_place),
		cmocka_unit_test(size_has_a_bound),
		cmocka_unit_test(hostile_patterns_end),
		cmocka_unit_test(many_groups_have_few_steps),
		cmocka_unit_test(honest_patterns_do_not_meet_limits),
		cmocka_unit_test(literals),
		cmocka_unit_test(the_sieve_holds_back),
		cmocka_unit_test(a_shared_text_is_no_choice),
		cmocka_unit_test(a_sieve_stays_small),
		cmocka_unit_test(no_patterns_are_a_sieve_too),
		cmocka_unit_test(as_pcre2_alone_says),
		cmocka_unit_test(threads_do_not_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
