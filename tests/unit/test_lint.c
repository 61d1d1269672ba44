/*
 * test_lint.c - messages of every awkward form, whole and byte by byte.
 */
#include "mta/smtp/lint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mta/smtp/header.h"

#define FROM "From: a@example.jp\r\n"
#define ID   "Message-ID: <1@example.jp>\r\n"
#define GOOD FROM ID

static void
read_all(struct lint *l, const char *text, size_t len, size_t step)
{
	lint_init(l);
	for (size_t i = 0; i < len; i += step)
		lint_feed(l, text + i, len - i < step ? len - i : step);
	lint_finish(l);
}

static const struct {
	const char *text;
	const char *says; /* NULL: nothing */
} forms[] = {
	{ GOOD "\r\nbody\r\n", NULL },
	{ GOOD "\r\n", NULL },
	{ GOOD, NULL },
	{ "from: a@example.jp\r\nMESSAGE-ID: <1@x>\r\n\r\n", NULL },
	{ "From : a@example.jp\r\nMessage-ID\t: <1@x>\r\n\r\n", NULL },
	{ "From:a\r\nMessage-ID:1\r\n\r\n", NULL },
	{ "From:\r\n a@example.jp\r\n" ID "\r\n", NULL },
	{ "From: \r\n\t\r\n\ta@example.jp\r\n" ID "\r\n", NULL },
	{ "From: \"\"\r\n" ID "\r\n", NULL },

	{ "", "there is no From field" },
	{ "\r\n" GOOD, "there is no From field" },
	{ "body\r\n" GOOD, "there is no From field" },
	{ "To: b@example.jp\r\n\r\n" GOOD, "there is no From field" },
	{ ID "\r\n", "there is no From field" },
	{ ID "X-From: a\r\nFromage: a\r\nFro: m\r\n\r\n",
	    "there is no From field" },
	{ " From: a@example.jp\r\n" ID "\r\n", "there is no From field" },
	{ ID "X: y\r\n From: a@example.jp\r\n\r\n", "there is no From field" },
	{ ID "not a field\r\n" FROM "\r\n", "there is no From field" },
	{ ID "From\r\n: a\r\n\r\n", "there is no From field" },
	{ ID "Fr\303\266m: a\r\n\r\n", "there is no From field" },
	{ "From:\r\n" ID "\r\n", "the From field is empty" },
	{ "From: \t \r\n" ID "\r\n", "the From field is empty" },
	{ "From: <>\r\n" ID "\r\n", "the From field is empty" },
	{ "From:\r\n \r\n\t\r\n" ID "\r\n", "the From field is empty" },
	{ ID "From:\r\n\r\nbody\r\n", "the From field is empty" },
	{ ID "From:\r\n", "the From field is empty" },
	{ ID "From:", "the From field is empty" },
	{ "From:\r\nnot a field\r\n", "the From field is empty" },

	{ FROM "\r\n" ID, "there is no Message-ID field" },
	{ FROM "Message-Identity: 1\r\n\r\n", "there is no Message-ID field" },
	{ FROM "Message-ID:\r\n\r\n", "the Message-ID field is empty" },
	{ FROM "Message-Id: <>\r\n\r\n", "the Message-ID field is empty" },
	{ FROM "Message-ID: < >\r\n\r\n1\r\n",
	    "the Message-ID field is empty" },

	{ GOOD FROM "\r\n", "there are two From fields" },
	{ GOOD ID "\r\n", "there are two Message-ID fields" },
	{ GOOD "Subject: a\r\nSUBJECT : b\r\n\r\n",
	    "there are two Subject fields" },
	{ GOOD "Date: 1\r\nX: y\r\nDate: 2\r\n\r\n",
	    "there are two Date fields" },
	{ GOOD "To: a\r\nTo: b\r\nCc: a\r\nCc: b\r\n\r\n",
	    "there are two To fields" },
	{ GOOD "Cc: a\r\ncc: b\r\n\r\n", "there are two Cc fields" },
	{ GOOD "Bcc:\r\nBcc:\r\n\r\n", "there are two Bcc fields" },
	{ GOOD "Sender: a\r\nSender: a\r\n\r\n",
	    "there are two Sender fields" },
	{ GOOD "Reply-To: a\r\nReply-To: a\r\n\r\n",
	    "there are two Reply-To fields" },
	{ GOOD "In-Reply-To: 1\r\nIn-Reply-To: 1\r\n\r\n",
	    "there are two In-Reply-To fields" },
	{ GOOD "References: 1\r\nReferences: 1\r\n\r\n",
	    "there are two References fields" },
	{ GOOD "Subject: a\r\n Subject: b\r\n\r\nSubject: c\r\n", NULL },
	{ GOOD "Received: a\r\nReceived: b\r\nKeywords: a\r\nKeywords: b\r\n"
	       "Resent-To: a\r\nResent-To: b\r\n\r\n",
	    NULL },
	{ GOOD "X-A-Name-Of-Just-Thirty-Two-Byte: a\r\n"
	       "Subject-Of-A-Name-Longer-Than-What-Is-Kept: a\r\n"
	       "Subject: b\r\n\r\n",
	    NULL },
};

static void
test_forms(void **state)
{
	const struct lint_limits none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		for (size_t step = 1; step < 100; step += step + 1) {
			struct err e = ERR_INIT;
			struct lint l;
			int rc;

			read_all(
			    &l, forms[i].text, strlen(forms[i].text), step);
			rc = lint_judge(&l, &none, &e);
			assert_string_equal(
			    e.text, forms[i].says != NULL ? forms[i].says : "");
			assert_int_equal(rc, forms[i].says != NULL ? -1 : 0);
			assert_int_equal(e.code, 0);
			assert_int_equal(l.size, strlen(forms[i].text));
		}
	}
}

/* Both readers of a header find its end at the same place. */
static void
test_header_ends_where_header_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct header h;
		struct lint l;

		header_init(&h);
		header_feed(&h, forms[i].text, strlen(forms[i].text));
		header_finish(&h);
		read_all(&l, forms[i].text, strlen(forms[i].text), 7);
		assert_int_equal(l.header_size, h.size);
		assert_int_equal(l.no_from, !h.has_from);
		assert_int_equal(l.no_message_id, !h.has_message_id);
		header_clear(&h);
	}
}

static void
test_lines(void **state)
{
	static const struct {
		const char *text;
		uint64_t longest, at;
	} cases[] = {
		{ "", 0, 0 },
		{ "\r\n", 0, 0 },
		{ "a", 1, 1 },
		{ "a\r\n", 1, 1 },
		{ "a\r\nbb\r\ncc\r\n", 2, 2 },
		{ "a\r\nbb\r\nccc", 3, 3 },
		{ "\r\n\r\nx\r\n", 1, 3 },
		{ "a\r", 2, 1 },
		{ "a\rb\r\n", 3, 1 },
		{ "a\r\r\n", 2, 1 },
		{ "a\nbb\n", 2, 2 },
		{ "Subject: x\r\n y\r\n\r\n12345678901\r\n", 11, 4 },
		{ "Subject: xyz\r\n y\r\n\r\n12345678901\r\n", 12, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t step = 1; step < 9; step++) {
			struct lint l;

			read_all(
			    &l, cases[i].text, strlen(cases[i].text), step);
			assert_int_equal(l.longest_line, cases[i].longest);
			assert_int_equal(l.longest_at, cases[i].at);
		}
	}
}

static void
judge(const char *text, size_t len, const struct lint_limits *limits,
    const char *says, int code)
{
	struct err e = ERR_INIT;
	struct lint l;

	read_all(&l, text, len, 1000);
	assert_int_equal(lint_judge(&l, limits, &e), says[0] != '\0' ? -1 : 0);
	assert_string_equal(e.text, says);
	assert_int_equal(e.code, code);
}

/* At the limit it is good, a byte over it is not; number and limit are said. */
static void
test_limits(void **state)
{
	static char text[5000];
	size_t n = strlen(GOOD "\r\n");
	struct lint_limits limits = { 0 };

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, GOOD "\r\n", n);
	limits.size = 5000;
	judge(text, 5000, &limits, "", 0);
	limits.size = 4999;
	judge(text, 5000, &limits,
	    "a message of 5000 bytes is larger than 4999", EMSGSIZE);
	judge(text, 4999, &limits, "", 0);

	limits = (struct lint_limits){ .header = n };
	judge(text, 5000, &limits, "", 0);
	limits.header = n - 1;
	judge(text, 5000, &limits, "a header of 50 bytes is larger than 49", 0);

	limits = (struct lint_limits){ .line = 998 };
	memcpy(text + n + 998, "\r\n", 2);
	judge(text, n + 1000, &limits, "", 0);
	memcpy(text + n, "\r\n\r\n\r\n", 6);
	memset(text + n + 6, 'y', 999);
	memcpy(text + n + 6 + 999, "\r\n", 2);
	judge(text, n + 6 + 999 + 2, &limits,
	    "a line of 999 bytes (line 7) is longer than 998", 0);
}

static void
test_lines_of_the_author(void **state)
{
	const struct lint_limits limits = { .line = 20 };
	struct err e = ERR_INIT;
	struct lint l;

	(void)state;
	lint_init(&l);
	lint_feed(&l, "Received: x\r\n\ty\r\n", 17);
	lint_number_lines(&l);
	lint_feed(&l, GOOD, strlen(GOOD));
	lint_finish(&l);
	assert_int_equal(l.header_size, 17 + strlen(GOOD));
	assert_int_equal(lint_judge(&l, &limits, &e), -1);
	assert_string_equal(
	    e.text, "a line of 26 bytes (line 2) is longer than 20");
}

/* What sending adds is in header and message, and in no line. */
static void
test_added(void **state)
{
	const struct lint_limits fits = { .size = 150,
		.header = 150,
		.line = 28,
		.added = 100 },
				 size = { .size = 149, .added = 100 },
				 header = { .header = 149, .added = 100 };

	(void)state;
	judge(GOOD "\r\n", 50, &fits, "", 0);
	judge(GOOD "\r\n", 50, &size,
	    "a message of 150 bytes is larger than 149", EMSGSIZE);
	judge(GOOD "\r\n", 50, &header,
	    "a header of 150 bytes is larger than 149", 0);
}

/* The first of many faults is what is said; sizes before fields. */
static void
test_order(void **state)
{
	const struct lint_limits all = { .size = 10, .header = 9, .line = 3 },
				 line = { .line = 3 };

	(void)state;
	judge("Subject: a\r\nSubject: b\r\n\r\n", 26, &all,
	    "a message of 26 bytes is larger than 10", EMSGSIZE);
	judge("Subject: a\r\nSubject: b\r\n\r\n", 26, &line,
	    "a line of 10 bytes (line 1) is longer than 3", 0);
}

/* Every byte value where a field, a name, a value or a line begins. */
static void
test_any_byte(void **state)
{
	static const char *const before[] = { "", "A", "A:", "A: b\r\n", "From",
		"From: a\r\n\r", "A: b\r" };

	(void)state;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		for (int c = 0; c < 256; c++) {
			char text[64];
			size_t n = strlen(before[i]);
			struct lint whole, bytes;

			memcpy(text, before[i], n);
			text[n++] = (char)c;
			memcpy(text + n, "z\r\n", 3);
			read_all(&whole, text, n + 3, sizeof(text));
			read_all(&bytes, text, n + 3, 1);
			assert_int_equal(whole.header_size, bytes.header_size);
			assert_in_range(whole.header_size, 0, n + 3);
			assert_int_equal(
			    whole.longest_line, bytes.longest_line);
			assert_int_equal(whole.empty_from, bytes.empty_from);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_header_ends_where_header_says),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_lines_of_the_author),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_any_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
