/*
 * test_str.c - byte strings that grow, sentences of errors, and times as text.
 */
#include "mta/base/str.h"

#include "mta/base/clock.h"
#include "mta/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
empty_without_memory(void **state)
{
	struct str s = STR_INIT, t;
	char *p;

	(void)state;
	str_init(&t);
	assert_string_equal(s.data, "");
	str_add(&s, NULL, 0);
	str_adds(&s, "");
	str_clear(&s);
	assert_int_equal(s.room, 0);
	p = str_detach(&s);
	assert_string_equal(p, "");
	free(p);
	str_release(&s);
	str_release(&t);
	assert_string_equal(str_empty, "");
}

/* The closing NUL is there after every step, whatever the size. */
static void
grows_by_every_step(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	for (size_t i = 0; i < 5000; i++) {
		if (i % 3 == 0)
			str_addc(&s, (char)('a' + i % 26));
		else if (i % 3 == 1)
			str_addf(&s, "%c", (int)('a' + i % 26));
		else
			str_add(&s, &(char){ (char)('a' + i % 26) }, 1);
		assert_int_equal(s.len, i + 1);
		assert_int_equal(s.data[s.len], '\0');
		assert_true(s.room > s.len);
	}
	for (size_t i = 0; i < s.len; i++)
		assert_int_equal(s.data[i], 'a' + i % 26);
	str_release(&s);
}

/* Formatted text of every length around what vsnprintf is first given. */
static void
formats_of_every_length(void **state)
{
	static char text[400];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t have = 0; have < 200; have += 61)
		for (int n = 0; n < 300; n++) {
			struct str s = STR_INIT;

			str_add(&s, text, have);
			str_addf(&s, "<%.*s>", n, text);
			assert_int_equal(s.len, have + (size_t)n + 2);
			assert_int_equal(strlen(s.data), s.len);
			assert_int_equal(s.data[have], '<');
			assert_int_equal(s.data[s.len - 1], '>');
			str_release(&s);
		}
}

static void
clear_keeps_and_detach_gives(void **state)
{
	struct str s = STR_INIT;
	size_t room;
	char *p;

	(void)state;
	str_adds(&s, "0123456789");
	room = s.room;
	str_clear(&s);
	assert_string_equal(s.data, "");
	assert_int_equal(s.room, room);
	str_add(&s, "a\0b", 3);
	p = str_detach(&s);
	assert_memory_equal(p, "a\0b", 4);
	assert_ptr_equal(s.data, str_empty);
	free(p);
}

static void
control_bytes(void **state)
{
	(void)state;
	assert_false(str_has_control("", 0));
	assert_false(str_has_control("a\tb\x7f\x80", 5));
	assert_true(str_has_control("a\r", 2));
	assert_true(str_has_control("\na", 2));
	assert_true(str_has_control("a\0b", 3));
	assert_false(str_has_control("ab\n", 2));
}

static void
errors_are_one_line(void **state)
{
	struct err e = ERR_INIT;
	char longest[2000];

	(void)state;
	assert_int_equal(err_set(&e, "cannot read '%s'", "a\r\nb"), -1);
	assert_string_equal(e.text, "cannot read 'a  b'");
	assert_int_equal(e.code, 0);
	errno = ENOSPC;
	assert_int_equal(err_sys(&e, "cannot write '%s'", "x"), -1);
	assert_string_equal(
	    e.text, "cannot write 'x': No space left on device");
	assert_int_equal(e.code, ENOSPC);
	/* A text may quote the one before. */
	err_set(&e, "while starting: %s", e.text);
	assert_string_equal(e.text,
	    "while starting: cannot write 'x': No space left on device");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	err_set(&e, "%s", longest);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	errno = EIO;
	err_sys(&e, "%s", longest);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_int_equal(err_set(NULL, "x"), -1);
	assert_int_equal(err_sys(NULL, "x"), -1);
}

static void
times_as_text(void **state)
{
	static const struct {
		int64_t wall;
		const char *iso, *mail;
	} row[] = {
		{ 0, "1970-01-01T00:00:00.000Z",
		    "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ INT64_C(1795343707123), "2026-11-22T10:35:07.123Z",
		    "Sun, 22 Nov 2026 10:35:07 +0000" },
		{ INT64_C(1709164800009), "2024-02-29T00:00:00.009Z",
		    "Thu, 29 Feb 2024 00:00:00 +0000" },
	};
	char iso[25], mail[48];

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_string_equal(clock_iso(row[i].wall, iso), row[i].iso);
		assert_string_equal(
		    clock_rfc5322(row[i].wall, mail), row[i].mail);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_without_memory),
		cmocka_unit_test(grows_by_every_step),
		cmocka_unit_test(formats_of_every_length),
		cmocka_unit_test(clear_keeps_and_detach_gives),
		cmocka_unit_test(control_bytes),
		cmocka_unit_test(errors_are_one_line),
		cmocka_unit_test(times_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
