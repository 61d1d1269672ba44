/*
 * test_message.c - ids, interned names, messages and recipients.
 */
#include "router/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS_2026 INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

static void
ids_grow_whatever_the_clock_does(void **state)
{
	static const int64_t clock[] = { 0, 0, 5, 5, 3, -1000, 6, 1000000 };
	struct id_maker m = { .maker = 1023 };
	int64_t last = 0, id;

	(void)state;
	for (size_t i = 0; i < sizeof(clock) / sizeof(clock[0]); i++)
		for (int n = 0; n < 5000; n++) {
			id = message_id_new(&m, MS_2026 + clock[i]);
			assert_true(id > last);
			assert_int_equal(id >> 12 & 1023, 1023);
			last = id;
		}
}

static void
ids_of_two_makers_differ(void **state)
{
	struct id_maker a = { .maker = 1 }, b = { .maker = 2 };

	(void)state;
	for (int i = 0; i < 5000; i++)
		assert_int_not_equal(
		    message_id_new(&a, MS_2026), message_id_new(&b, MS_2026));
}

static void
an_id_tells_its_time(void **state)
{
	struct id_maker m = { .maker = 7 };
	int64_t id = message_id_new(&m, MS_2026);

	(void)state;
	assert_int_equal((id >> 22) + INT64_C(1735689600000), MS_2026);
}

static void
an_id_as_text_comes_back(void **state)
{
	static const int64_t ids[] = { 1, 31, 32, INT64_MAX,
		INT64_C(1) << 62, INT64_C(123456789012345678) };
	char text[MESSAGE_ID_TEXT], before[MESSAGE_ID_TEXT] = "";
	struct id_maker m = { .maker = 0 };
	int64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		message_id_text(ids[i], text);
		assert_int_equal(strlen(text), 13);
		assert_int_equal(message_id_parse(text, &back), 0);
		assert_int_equal(back, ids[i]);
	}
	for (int i = 0; i < 5000; i++) {
		message_id_text(message_id_new(&m, MS_2026 + i), text);
		assert_true(strcmp(before, text) < 0);
		memcpy(before, text, sizeof(text));
	}
}

static void
id_text_is_read_as_people_type_it(void **state)
{
	static const struct {
		const char *text;
		int64_t id; /* -1: none */
	} row[] = {
		{ "0000000000001", 1 },
		{ "000000000000i", 1 },
		{ "000000000000L", 1 },
		{ "OOOOOOOOOOO10", 32 },
		{ "0000000000000", -1 }, /* "any" in a filter */
		{ "00000000000az", 351 },
		{ "7ZZZZZZZZZZZZ", INT64_MAX },
		{ "8000000000000", -1 },
		{ "000000000000U", -1 },
		{ "000000000000", -1 },
		{ "00000000000000", -1 },
		{ "000000000000 ", -1 },
		{ "", -1 },
		{ "00000000000\xc3\xa9", -1 },
	};
	int64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		id = -1;
		assert_int_equal(
		    message_id_parse(row[i].text, &id), row[i].id < 0 ? -1 : 0);
		assert_int_equal(id, row[i].id);
	}
}

static void
a_recipient_splits_its_address_and_keeps_its_message(void **state)
{
	struct message *m = message_new(5);
	struct recipient *r;
	char id[RECIPIENT_ID_TEXT];

	(void)state;
	message_set_from(m, "odd@local@example.jp");
	assert_string_equal(m->from_domain, "example.jp");
	r = recipient_new(m, 4294967295u, "a..b@c@docomo.ne.jp");
	message_unref(&m);
	assert_null(m);
	assert_string_equal(r->domain, "docomo.ne.jp");
	assert_string_equal(r->message->from, "odd@local@example.jp");
	assert_string_equal(r->route.path, "");
	recipient_set_last(r, "450 later");
	recipient_set_last(r, r->last + 4);
	assert_string_equal(r->last, "later");
	assert_string_equal(
	    recipient_id_text(5, r->index, id), "0000000000005.4294967295");
	recipient_free(&r);
	assert_null(r);
}

static void
the_null_reverse_path_has_no_domain(void **state)
{
	struct message *m = message_new(1);

	(void)state;
	message_set_from(m, "a@b");
	message_set_from(m, "");
	assert_string_equal(m->from, "");
	assert_string_equal(m->from_domain, "");
	message_unref(&m);
}

static void
equal_names_are_one_string(void **state)
{
	const char *first[2000];
	char name[20];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "rule-%d", i);
		first[i] = intern(name);
		assert_string_equal(first[i], name);
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "rule-%d", i);
		assert_ptr_equal(intern(name), first[i]);
	}
	assert_ptr_equal(intern(""), intern(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_grow_whatever_the_clock_does),
		cmocka_unit_test(ids_of_two_makers_differ),
		cmocka_unit_test(an_id_tells_its_time),
		cmocka_unit_test(an_id_as_text_comes_back),
		cmocka_unit_test(id_text_is_read_as_people_type_it),
		cmocka_unit_test(
		    a_recipient_splits_its_address_and_keeps_its_message),
		cmocka_unit_test(the_null_reverse_path_has_no_domain),
		cmocka_unit_test(equal_names_are_one_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
