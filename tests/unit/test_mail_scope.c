/*
 * test_mail_scope.c - which mail is meant: read, written, matched.
 */
#include "router/mail_scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
is_written_in_one_way(void **state)
{
	static const struct {
		const char *from, *name;
	} rows[] = {
		{ "path=mta", "path=mta" },
		{ "sender=News.Example.JP path=mta",
		    "path=mta sender=news.example.jp" },
		{ "  user=shop   carrier=docomo ", "carrier=docomo user=shop" },
		{ "user=a=b", "user=a=b" },
		{ "sender=x.example user=U carrier=au path=p",
		    "path=p carrier=au sender=x.example user=U" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str text = STR_INIT, name = STR_INIT;
		struct mail_scope scope;
		struct err e = ERR_INIT;

		assert_int_equal(
		    mail_scope_read(rows[i].from, &scope, &text, &e), 0);
		mail_scope_add(&name, &scope);
		assert_string_equal(name.data, rows[i].name);
		str_release(&text);
		str_release(&name);
	}
}

static void
mistakes_are_named(void **state)
{
	static const struct {
		const char *from, *why;
	} rows[] = {
		{ "", "expected path=, carrier=, sender= or user=" },
		{ "   ", "expected path=, carrier=, sender= or user=" },
		{ "mta", "expected path=, carrier=, sender= or user=, not "
			 "'mta'" },
		{ "paths=mta", "expected path=, carrier=, sender= or user=, "
			       "not 'paths=mta'" },
		{ "path=", "no value of 'path'" },
		{ "path=a path=b", "'path' given twice" },
		{ "path=a\nb", "control character in the value of 'path'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str text = STR_INIT;
		struct mail_scope scope;
		struct err e = ERR_INIT;

		assert_int_equal(
		    mail_scope_read(rows[i].from, &scope, &text, &e), -1);
		assert_string_equal(e.text, rows[i].why);
		assert_int_equal(text.len, 0);
		str_release(&text);
	}
}

static void
a_value_has_an_end(void **state)
{
	struct str text = STR_INIT;
	struct mail_scope scope;
	struct err e = ERR_INIT;
	char from[7 + 256 + 1] = "sender=";

	(void)state;
	memset(from + 7, 'a', 256);
	assert_int_equal(mail_scope_read(from, &scope, &text, &e), -1);
	assert_string_equal(e.text, "too long a value of 'sender'");
	from[7 + 255] = '\0';
	assert_int_equal(mail_scope_read(from, &scope, &text, &e), 0);
	str_release(&text);
}

static void
holds_what_it_does_not_tell_apart(void **state)
{
	static const struct mail_scope mail = { "mta", "docomo",
		"News.Example.JP", "shop" };
	static const struct {
		struct mail_scope scope;
		bool holds;
	} rows[] = {
		{ { "mta", "", "", "" }, true },
		{ { "MTA", "", "", "" }, false },
		{ { "mta", "docomo", "news.example.jp", "shop" }, true },
		{ { "mta", "au", "news.example.jp", "shop" }, false },
		{ { "", "", "news.example.jp", "" }, true },
		{ { "", "", "example.jp", "" }, false },
		{ { "", "", "", "Shop" }, false },
		{ { "", "", "", "" }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    mail_scope_holds(&rows[i].scope, &mail), rows[i].holds);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_written_in_one_way),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(a_value_has_an_end),
		cmocka_unit_test(holds_what_it_does_not_tell_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
