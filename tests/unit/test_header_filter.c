/*
 * test_header_filter.c - fields that leave, fields that stay, byte for byte.
 */
#include "router/header_filter.h"

#include "mta/base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const drop[] = { "!x-ses-stays:", "x-ses-",
	"return-path:", "dkim-signature:" };

/* clang-format off */
static const struct {
	const char *header, *left; /* NULL: untouched */
} rows[] = {
	{ "", NULL },
	{ "\r\n", NULL },
	{ "Subject: x\r\n\r\n", NULL },
	/* first, last, both, all */
	{ "Return-Path: <a@b>\r\nSubject: x\r\n\r\n", "Subject: x\r\n\r\n" },
	{ "Subject: x\r\nReturn-Path: <a@b>\r\n\r\n", "Subject: x\r\n\r\n" },
	{ "X-SES-A: 1\r\nSubject: x\r\nX-SES-B: 2\r\n\r\n", "Subject: x\r\n\r\n" },
	{ "X-SES-A: 1\r\nX-SES-B: 2\r\n\r\n", "\r\n" },
	{ "X-SES-A: 1\r\n", "" },
	/* any case; a prefix is not the whole name */
	{ "dKiM-sIgNaTuRe: v=1\r\nA: b\r\n\r\n", "A: b\r\n\r\n" },
	{ "x-ses-CONFIGURATION-set: c\r\nA: b\r\n\r\n", "A: b\r\n\r\n" },
	{ "Return-Path-Not: 1\r\nX-SESAME: 2\r\nX-DKIM-Signature: 3\r\n\r\n", NULL },
	{ "X-SES-: 1\r\nA: b\r\n\r\n", "A: b\r\n\r\n" },
	/* blanks before the colon are the obsolete syntax, and SES knows it too */
	{ "Return-Path \t: <a@b>\r\nA: b\r\n\r\n", "A: b\r\n\r\n" },
	{ "Return-Path x: <a@b>\r\nA: b\r\n\r\n", NULL },
	/* the exception, and what only begins like it */
	{ "X-SES-Stays: 1\r\nA: b\r\n\r\n", NULL },
	{ "X-SES-A: 1\r\nX-Ses-Stays : 2\r\nX-SES-Stayshere: 3\r\n\r\n", "X-Ses-Stays : 2\r\n\r\n" },
	/* folded, in what leaves and in what stays */
	{ "DKIM-Signature: v=1;\r\n b=x\r\n\tc=y\r\nA: b\r\n c\r\n\r\n", "A: b\r\n c\r\n\r\n" },
	{ "A: b\r\n X-SES-A: 1\r\n\tReturn-Path: 2\r\n\r\n", NULL },
	{ "A: b\r\nX-SES-A:\r\n \r\n c\r\nB: d\r\n\r\n", "A: b\r\nB: d\r\n\r\n" },
	/* no empty line, no line end, nothing behind the name */
	{ "A: b\r\nReturn-Path: <a@b>\r\n", "A: b\r\n" },
	{ "A: b\r\nReturn-Path: <a@b>", "A: b\r\n" },
	{ "A: b\r\nReturn-Path:", "A: b\r\n" },
	{ "A: b\r\nReturn-Path", NULL },
	{ "A: b\r\nX-SES-", "A: b\r\n" },
	/* what begins with a blank belongs to nobody */
	{ " X-SES-A: 1\r\nA: b\r\n\r\n", NULL },
};
/* clang-format on */

static void
check(struct body *b, size_t size, const char *left)
{
	struct str out = STR_INIT;
	struct err e = ERR_INIT;
	bool dropped;

	str_adds(&out, "before");
	assert_int_equal(
	    header_filter(b, size, drop, 4, &out, &dropped, &e), 0);
	assert_int_equal(dropped, left != NULL);
	assert_memory_equal(out.data, "before", 6);
	assert_string_equal(out.data + 6, left != NULL ? left : "");
	str_release(&out);
}

static struct body *
body_of(const char *header, const char *text)
{
	struct str s = STR_INIT;
	size_t n;

	str_adds(&s, header);
	str_adds(&s, text);
	n = s.len;
	return body_take(str_detach(&s), n);
}

static void
fields_leave_and_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* The text behind the header is never looked at. */
		struct body *b = body_of(
		    rows[i].header, "X-SES-Text: 1\r\n Return-Path: 2\r\n");
		check(b, strlen(rows[i].header), rows[i].left);
		body_unref(&b);
	}
}

static void
from_a_spool_file(void **state)
{
	char dir[] = "/tmp/test_header_filter.XXXXXX";
	static char block[4096];
	struct err e = ERR_INIT;
	struct body *b;

	(void)state;
	assert_non_null(mkdtemp(dir));
	b = body_new(dir, "1");
	assert_int_equal(
	    body_add(b, "Return-Path: <a>\r\nA: b\r\n\r\n", 26, &e), 0);
	memset(block, 'x', sizeof(block));
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(body_add(b, block, sizeof(block), &e), 0);
	assert_true(body_is_spooled(b));
	check(b, 26, "A: b\r\n\r\n");
	body_discard(b);
	body_unref(&b);
	assert_int_equal(rmdir(dir), 0);
}

static void
a_lost_spool_file_is_told(void **state)
{
	struct body *b = body_spooled("/nonexistent", "1", 1000);
	struct str out = STR_INIT;
	struct err e = ERR_INIT;
	bool dropped = true;

	(void)state;
	assert_int_equal(
	    header_filter(b, 100, drop, 3, &out, &dropped, &e), -1);
	assert_int_not_equal(e.text[0], '\0');
	assert_false(dropped);
	assert_int_equal(out.len, 0);
	body_unref(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_leave_and_stay),
		cmocka_unit_test(from_a_spool_file),
		cmocka_unit_test(a_lost_spool_file_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
