/*
 * test_json_read.c - JSON as jansson reads it, and what is left out of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "mta/base/str.h"
#include "router/ses/json_read.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(s) s, sizeof(s) - 1

/* clang-format off */
static const struct {
	const char *text;
	size_t len;
	bool good;
} rows[] = {
	{ TEXT("{}"), true }, { TEXT(" [ ] \r\n\t"), true },
	{ TEXT("{\"a\":1,\"b\":[true,false,null,\"x\"]}"), true },
	{ TEXT("{\"a\":{\"b\":{\"c\":[[],[{}]]}}}"), true },
	{ TEXT("{\"a\":1,\"a\":2}"), true },
	{ TEXT("[-0,0,-12,9223372036854775807,-9223372036854775808]"), true },
	{ TEXT("[0.5,1e5,-1.25E-3,1E+2,5e-324,1e-999]"), true },
	{ TEXT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), true },
	{ TEXT("[\"a\\u0041\\u00e9\\u3042\\uD83D\\ude00z\"]"), true },
	{ TEXT("{\"n\\u0061me\":\"\\u0062\",\"x\":\"y\\n\"}"), true },
	{ TEXT("[\"\xc2\x80\xc2\x9f\"]"), true }, /* C1 controls are no matter of JSON's */
	{ TEXT("[\"\xc3\xa9\xe3\x81\x82\xf0\x9f\x98\x80\x7f\"]"), true },
	{ TEXT(""), false }, { TEXT("  "), false }, { TEXT("1"), false },
	{ TEXT("\"a\""), false }, { TEXT("null"), false },
	{ TEXT("{"), false }, { TEXT("["), false }, { TEXT("[1"), false },
	{ TEXT("[1,]"), false }, { TEXT("[,1]"), false }, { TEXT("[1 2]"), false },
	{ TEXT("[1}"), false }, { TEXT("{\"a\"}"), false }, { TEXT("{\"a\":}"), false },
	{ TEXT("{a:1}"), false }, { TEXT("{\"a\":1,}"), false }, { TEXT("{1:1}"), false },
	{ TEXT("{} {}"), false }, { TEXT("[]x"), false }, { TEXT("[]\0"), false },
	{ TEXT("[01]"), false }, { TEXT("[-]"), false }, { TEXT("[1.]"), false },
	{ TEXT("[.5]"), false }, { TEXT("[1e]"), false }, { TEXT("[+1]"), false },
	{ TEXT("[9223372036854775808]"), false }, { TEXT("[1e999]"), false },
	{ TEXT("[truex]"), false }, { TEXT("[tru]"), false }, { TEXT("[tru"), false },
	{ TEXT("[True]"), false },
	{ TEXT("[\"a]"), false }, { TEXT("[\"\\"), false }, { TEXT("[\"\\x\"]"), false },
	{ TEXT("[\"\\u12\"]"), false }, { TEXT("[\"\\u12g4\"]"), false },
	{ TEXT("[\"\\u"), false }, { TEXT("[\"\\ud83d\"]"), false },
	{ TEXT("[\"\\ud83d\\n\"]"), false }, { TEXT("[\"\\ud83d\\u0041\"]"), false },
	{ TEXT("[\"\\ude00\"]"), false }, { TEXT("[\"a\nb\"]"), false },
	{ TEXT("[\"a\0b\"]"), false }, { TEXT("[\"\xff\"]"), false },
	{ TEXT("[\"\xc0\x80\"]"), false }, { TEXT("[\"\xed\xa0\x80\"]"), false },
	{ TEXT("[\"\xe3\x81\"]"), false }, { TEXT("[\"\xf4\x90\x80\x80\"]"), false },
	{ TEXT("\xef\xbb\xbf[]"), false },
};
/* clang-format on */

static void
test_as_jansson(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = ERR_INIT;
		json_t *want =
		    json_loadb(rows[i].text, rows[i].len, 0, NULL);
		json_t *got =
		    json_read(rows[i].text, rows[i].len, 0, NULL, &e);

		print_message("%s %s\n", rows[i].text, e.text);
		assert_int_equal(got != NULL, rows[i].good);
		assert_int_equal(want != NULL, rows[i].good);
		assert_int_equal(e.text[0] == '\0', rows[i].good);
		assert_true(!rows[i].good || json_equal(want, got));
		json_decref(want);
		json_decref(got);
	}
}

/* A text that ends at any byte is refused, and is not read beyond it. */
static void
test_cut_short(void **state)
{
	static const char text[] =
	    "{\"a\":[1,-2.5e3,\"x\\u3042\\ud83d\\ude00\xe3\x81\x82\\n\"],"
	    "\"b\":{\"c\":true,\"d\":null}}";
	char *part;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		part = test_malloc(len + 1);
		memcpy(part, text, len);
		part[len] = 'x';
		assert_null(json_read(part, len, 0, NULL, NULL));
		test_free(part);
	}
}

static void
test_flags(void **state)
{
	static const char twice[] = "{\"x\":{\"a\":1,\"b\":2,\"\\u0061\":3}}";
	static const char nul[] = "[\"a\\u0000b\"]", name[] = "{\"\\u0000\":1}";
	struct err e = ERR_INIT;
	json_t *j;

	(void)state;
	j = json_read(TEXT(twice), 0, NULL, &e);
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(j, "x"), "a")),
	    3);
	json_decref(j);
	assert_null(
	    json_read(TEXT(twice), JSON_REJECT_DUPLICATES, NULL, &e));
	assert_string_equal(e.text, "no JSON: a member twice at byte 27");
	assert_null(json_read(TEXT(nul), 0, NULL, &e));
	j = json_read(TEXT(nul), JSON_ALLOW_NUL, NULL, &e);
	assert_int_equal(json_string_length(json_array_get(j, 0)), 3);
	json_decref(j);
	assert_null(json_read(TEXT(name), JSON_ALLOW_NUL, NULL, &e));
}

static void
test_left_out(void **state)
{
	static const char *const without[] = { "h", "c", NULL };
	static const char text[] =
	    "{\"a\":1,\"h\":[{\"h\":{}},\"x\\n\",1.5],\"m\":{\"b\":2,\"c\":{}},"
	    "\"hh\":3}";
	static const char *const wrong[] = { "{\"h\":[1,]}", "{\"h\":\"\xff\"}",
		"{\"h\":{\"a\" 1}}", "{\"h\"}", "{\"h\":01}" };
	json_t *j = json_read(TEXT(text), 0, without, NULL);
	char *left = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

	(void)state;
	assert_string_equal(left, "{\"a\":1,\"hh\":3,\"m\":{\"b\":2}}");
	free(left);
	json_decref(j);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_null(
		    json_read(wrong[i], strlen(wrong[i]), 0, without, NULL));
}

static void
test_depth(void **state)
{
	struct str s = STR_INIT;
	json_t *j;

	(void)state;
	for (int i = 0; i < JSON_READ_DEPTH; i++)
		str_addc(&s, '[');
	for (int i = 0; i < JSON_READ_DEPTH; i++)
		str_addc(&s, ']');
	j = json_read(s.data, s.len, 0, NULL, NULL);
	assert_non_null(j);
	json_decref(j);
	str_clear(&s);
	for (int i = 0; i < 1000000; i++)
		str_adds(&s, "{\"a\":[");
	assert_null(json_read(s.data, s.len, 0, NULL, NULL));
	str_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_jansson),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
