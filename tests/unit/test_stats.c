/*
 * test_stats.c - counters added up by dimensions, and what may be said of
 * delivery.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "router/stats.h"

#define ROW(path_, carrier_, sender_, ...)                                     \
	{                                                                      \
		.path = path_, .carrier = carrier_, .group = "g",              \
		.sender = sender_, .source = "s", .rule = "r",                 \
		.n = { __VA_ARGS__ }                                           \
	}

static const struct counter_row counters[] = {
	ROW("mta", "docomo", "a.jp", [COUNT_ACCEPTED] = 100, [COUNT_SENT] = 90,
	    [COUNT_DELIVERED] = 88, [COUNT_BOUNCED] = 5, [COUNT_FILTERED] = 3,
	    [COUNT_DEFERRED] = 7, [COUNT_EXPIRED] = 1),
	ROW("mta", "docomo", "b.jp", [COUNT_ACCEPTED] = 10, [COUNT_SENT] = 5,
	    [COUNT_DELIVERED] = 5, [COUNT_SUPPRESSED] = 1, [COUNT_REMOVED] = 2),
	ROW("mta", "au", "a.jp", [COUNT_ACCEPTED] = 1),
	ROW("ses", "", "a.jp", [COUNT_ACCEPTED] = 50, [COUNT_SENT] = 49,
	    [COUNT_BOUNCED] = 1),
};

static struct stats *
fill(const char *by_text)
{
	struct err e = ERR_INIT;
	struct stats *s;
	unsigned by;

	assert_int_equal(stats_parse_by(by_text, &by, &e), 0);
	s = stats_new(by);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		stats_add(
		    s, &counters[i], strcmp(counters[i].path, "ses") == 0);
	return s;
}

static void
near_to(double a, double b)
{
	if (!(fabs(a - b) < 5e-5))
		fail_msg("%.6f is not near %.6f", a, b);
}

static void
by_path_and_carrier(void **state)
{
	struct stats *s = fill("path,carrier");
	const struct stats_row *rows;

	(void)state;
	assert_int_equal(stats_rows(s, &rows), 3);
	assert_string_equal(rows[0].key[STATS_CARRIER], "au");
	assert_int_equal(rows[0].queued, 1);
	assert_false(rows[0].known);
	assert_string_equal(rows[1].key[STATS_CARRIER], "docomo");
	assert_null(rows[1].key[STATS_SENDER]);
	assert_int_equal(rows[1].n[COUNT_ACCEPTED], 110);
	assert_int_equal(rows[1].queued, 110 - 95 - 5 - 3 - 1 - 1 - 2);
	assert_true(rows[1].known);
	near_to(rows[1].delivery_rate, 93.0 / 102.0);
	/* SES took 49 and nothing has been heard of them. */
	assert_string_equal(rows[2].key[STATS_PATH], "ses");
	assert_int_equal(rows[2].queued, 0);
	assert_false(rows[2].known);
	stats_free(&s);
	assert_null(s);
}

static void
unknown_delivery_is_left_out(void **state)
{
	struct stats *s = fill("sender");
	const struct stats_row *rows;
	struct stats_row total;
	struct counter_row later =
	    ROW("ses", "", "a.jp", [COUNT_DELIVERED] = 40);

	(void)state;
	assert_int_equal(stats_rows(s, &rows), 2);
	near_to(rows[0].delivery_rate, 88.0 / 97.0);
	stats_total(s, &total);
	near_to(total.delivery_rate, 93.0 / 102.0);
	assert_int_equal(total.n[COUNT_ACCEPTED], 161);
	assert_null(total.key[STATS_PATH]);

	stats_add(s, &later, true);
	stats_total(s, &total);
	near_to(total.delivery_rate, 133.0 / 143.0);
	stats_free(&s);
}

static void
many_groups(void **state)
{
	struct stats *s = stats_new(1u << STATS_SENDER | 1u << STATS_RULE);
	const struct stats_row *rows;
	char sender[16];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 1000; i++) {
			struct counter_row row =
			    ROW("mta", "", sender, [COUNT_ACCEPTED] = 1);

			snprintf(sender, sizeof(sender), "%04d.jp", i);
			stats_add(s, &row, false);
		}
	assert_int_equal(stats_rows(s, &rows), 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(sender, sizeof(sender), "%04d.jp", i);
		assert_string_equal(rows[i].key[STATS_SENDER], sender);
		assert_int_equal(rows[i].n[COUNT_ACCEPTED], 2);
	}
	stats_free(&s);
}

/* Values of Wilson's formula as printed by other programs (R: prop.test without
 * continuity correction). */
static void
wilson(void **state)
{
	static const struct {
		int64_t good, all;
		double low, high;
	} cases[] = {
		{ 0, 10, 0.0, 0.277535 },
		{ 10, 10, 0.722467, 1.0 },
		{ 5, 10, 0.236593, 0.763407 },
		{ 95, 100, 0.888250, 0.978463 },
		{ 1, 1, 0.206543, 1.0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double low, high;

		stats_wilson(cases[i].good, cases[i].all, &low, &high);
		near_to(low, cases[i].low);
		near_to(high, cases[i].high);
	}
}

static void
dimensions(void **state)
{
	static const char *const bad[] = { "", "path,", ",path", "paths",
		"path carrier", "pat" };
	struct err e = ERR_INIT;
	unsigned by = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(stats_parse_by(bad[i], &by, &e), -1);
	assert_int_equal(stats_parse_by("rule,path,rule", &by, &e), 0);
	assert_int_equal(by, 1u << STATS_RULE | 1u << STATS_PATH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_path_and_carrier),
		cmocka_unit_test(unknown_delivery_is_left_out),
		cmocka_unit_test(many_groups),
		cmocka_unit_test(wilson),
		cmocka_unit_test(dimensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
