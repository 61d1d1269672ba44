/*
 * test_stats.c - counters and tallies added up by dimensions, period by period,
 * and over the windows that people ask for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "router/series.h"
#include "router/stats.h"
#include "router/store/store.h"
#include "router/window.h"

#define ROW(path_, carrier_, sender_, ...)                                     \
	{                                                                      \
		.path = path_, .carrier = carrier_, .group = "g",              \
		.sender = sender_, .source = "s", .rule = "r",                 \
		.configuration_set = "",                                       \
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
	assert_false(rows[0].rate[RATE_DELIVERED].known);
	assert_int_equal(rows[0].within[STATS_P50], -1);
	assert_string_equal(rows[1].key[STATS_CARRIER], "docomo");
	assert_null(rows[1].key[STATS_SENDER]);
	assert_int_equal(rows[1].n[COUNT_ACCEPTED], 110);
	assert_int_equal(rows[1].queued, 110 - 95 - 5 - 3 - 1 - 1 - 2);
	assert_true(rows[1].rate[RATE_DELIVERED].known);
	near_to(rows[1].rate[RATE_DELIVERED].rate, 93.0 / 102.0);
	assert_int_equal(rows[1].unconfirmed, 0);
	/* SES took 49 and nothing has been heard of them. */
	assert_string_equal(rows[2].key[STATS_PATH], "ses");
	assert_int_equal(rows[2].queued, 0);
	assert_false(rows[2].rate[RATE_DELIVERED].known);
	assert_int_equal(rows[2].unconfirmed, 49);
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
	near_to(rows[0].rate[RATE_DELIVERED].rate, 88.0 / 97.0);
	stats_total(s, &total);
	near_to(total.rate[RATE_DELIVERED].rate, 93.0 / 102.0);
	assert_int_equal(total.n[COUNT_ACCEPTED], 161);
	assert_null(total.key[STATS_PATH]);

	stats_add(s, &later, true);
	stats_total(s, &total);
	near_to(total.rate[RATE_DELIVERED].rate, 133.0 / 143.0);
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

/* -- tallies --------------------------------------------------------------- */

#define KEY(path_, carrier_, group_, sender_)                                  \
	{                                                                      \
		.path = (path_), .carrier = (carrier_), .group = (group_),     \
		.sender = (sender_), .source = "s", .rule = "r",               \
		.configuration_set = "c"                                       \
	}

static void
rates_of_mixed_paths(void **state)
{
	static const struct tally_key mta = KEY("mta", "docomo", "d", "a.jp");
	static const struct tally_key ses = KEY("ses", "docomo", "d", "a.jp");
	static const struct tally_key simulator =
	    KEY("ses", "", TALLY_SIMULATOR, "a.jp");
	struct tally a = { .n = { [COUNT_SENT] = 900,
			       [COUNT_DELIVERED] = 900,
			       [COUNT_BOUNCED] = 100,
			       [COUNT_ATTEMPTED] = 1000,
			       [COUNT_HARD] = 90,
			       [COUNT_UNKNOWN] = 80,
			       [COUNT_COMPLAINED] = 1 } };
	struct tally b = { .n = { [COUNT_SENT] = 500,
			       [COUNT_DELIVERED] = 400,
			       [COUNT_BOUNCED] = 30,
			       [COUNT_RETURNED] = 30,
			       [COUNT_ATTEMPTED] = 500,
			       [COUNT_HARD] = 20,
			       [COUNT_EXEMPT] = 10,
			       [COUNT_COMPLAINED] = 2 } };
	struct stats *s = stats_new(1u << STATS_CARRIER);
	const struct stats_row *rows;
	struct stats_row total;

	(void)state;
	stats_add_tally(s, &mta, &a, false);
	stats_add_tally(s, &ses, &b, true);
	stats_add_tally(s, &simulator, &b, true);
	assert_int_equal(stats_rows(s, &rows), 2);
	/* The simulator's: counted, and in no rate. */
	assert_string_equal(rows[0].key[STATS_CARRIER], "");
	assert_int_equal(rows[0].n[COUNT_BOUNCED], 30);
	assert_int_equal(rows[0].unconfirmed, 70);
	for (int k = 0; k < RATE_KINDS; k++)
		assert_false(rows[0].rate[k].known);
	/* Each path judged as its kind is, then together. */
	assert_int_equal(rows[1].rate[RATE_BOUNCE].hits, 110);
	assert_int_equal(rows[1].rate[RATE_BOUNCE].volume, 1000 + 490);
	assert_int_equal(rows[1].rate[RATE_COMPLAINT].hits, 3);
	assert_int_equal(rows[1].rate[RATE_COMPLAINT].volume, 900 + 490);
	assert_int_equal(rows[1].rate[RATE_UNKNOWN].hits, 80);
	assert_int_equal(rows[1].rate[RATE_UNKNOWN].volume, 1500);
	assert_int_equal(rows[1].rate[RATE_DELIVERED].volume, 1430);
	stats_total(s, &total);
	assert_int_equal(total.n[COUNT_SENT], 900 + 500 + 500);
	assert_int_equal(total.unconfirmed, 140);
	assert_int_equal(total.rate[RATE_BOUNCE].volume, 1490);
	stats_free(&s);
}

static void
times_and_reasons(void **state)
{
	static const struct tally_key keys[] = {
		KEY("mta", "docomo", "d", "a.jp"),
		KEY("mta", "docomo", "d", "b.jp"),
	};
	struct stats *s =
	    stats_new(1u << STATS_PATH | 1u << STATS_CONFIGURATION_SET);
	const struct stats_row *rows;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tally t = TALLY_INIT;

		tally_add_time(&t, i == 0 ? 100 : 60000, i == 0 ? 96 : 4);
		tally_add_reason(&t, COUNT_BOUNCED, "userunknown", 3);
		tally_add_reason(&t, COUNT_DEFERRED, "blocked", (int64_t)i);
		stats_add_tally(s, &keys[i], &t, false);
		tally_clear(&t);
	}
	assert_int_equal(stats_rows(s, &rows), 1);
	assert_string_equal(rows[0].key[STATS_CONFIGURATION_SET], "c");
	/* Known to a sixteenth. */
	assert_in_range(rows[0].within[STATS_P50], 100, 107);
	assert_in_range(rows[0].within[STATS_P95], 100, 107);
	assert_in_range(rows[0].within[STATS_P99], 60000, 64000);
	assert_int_equal(rows[0].tally->nreason, 2);
	assert_string_equal(rows[0].tally->reason[0].name, "userunknown");
	assert_int_equal(rows[0].tally->reason[0].n, 6);
	stats_free(&s);
}

static void
period_by_period(void **state)
{
	static const struct tally_key a = KEY("mta", "docomo", "d", "a.jp");
	static const struct tally_key b = KEY("mta", "au", "k", "b.jp");
	const struct tally one = {
		.n = { [COUNT_SENT] = 1, [COUNT_UNKNOWN] = 5 }
	};
	struct stats *s = stats_new(1u << STATS_CARRIER);
	struct series *series =
	    series_new(1u << STATS_CARRIER, 3600000, 60000, 3);
	static const struct {
		int64_t at;
		const struct tally_key *key;
	} rows[] = { { 3600000, &a }, { 3720000, &a }, { 3720000, &a },
		{ 3660000, &b }, { 3540000, &a }, { 3780000, &a } };
	const struct stats_row *found;
	const int64_t *n;

	(void)state;
	stats_add_tally(s, &a, &one, false);
	assert_int_equal(stats_rows(s, &found), 1);
	series_want(series, &found[0]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tally_row row = { .at = rows[i].at,
			.span = 60000,
			.key = *rows[i].key,
			.tally = &one };

		series_add(series, &row);
	}
	n = series_of(series, 0, COUNT_SENT);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 0); /* another's */
	assert_int_equal(n[2], 2); /* one before it and one after do not fit */
	assert_int_equal(series_of(series, 0, COUNT_UNKNOWN)[2], 10);
	series_free(&series);
	stats_free(&s);
}

/* -- windows --------------------------------------------------------------- */

static void
windows(void **state)
{
	static const struct {
		const char *text;
		enum window_kind kind;
		int64_t n;
	} good[] = {
		{ "1h", WINDOW_TIME, 3600000 },
		{ "24h", WINDOW_TIME, 86400000 },
		{ "7d", WINDOW_TIME, 604800000 },
		{ "90d", WINDOW_TIME, 7776000000 },
		{ "1min", WINDOW_TIME, 60000 },
		{ "90s", WINDOW_TIME, 90000 },
		{ "1d12h", WINDOW_TIME, 129600000 },
		{ "all", WINDOW_ALL, 0 },
		{ "last:1", WINDOW_LAST, 1 },
		{ "last:1000000000", WINDOW_LAST, 1000000000 },
	};
	static const char *const bad[] = { "", "0", "1s", "59s", "h", "1",
		"-1h", "1h ", "last:", "last:0", "last:-1", "last:1000000001",
		"last:x", "last:99999999999999999999", "LAST:1", "all,",
		"4000d", "1e300d", "nan", "1y",
		"1000000000000000000000000000000000000000000h" };
	struct err e = ERR_INIT;
	struct window w;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(window_parse(good[i].text, &w, &e), 0);
		assert_int_equal(w.kind, good[i].kind);
		assert_int_equal(w.kind == WINDOW_TIME ? w.ms : w.n, good[i].n);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.text[0] = '\0';
		if (window_parse(bad[i], &w, &e) != -1 || e.text[0] == '\0')
			fail_msg("'%s' is taken as a window", bad[i]);
	}
}

#define NOW (INT64_C(1795406400000) + 45296789) /* a day, 12:34:56.789 */

/* A window that is longer begins at a full hour, and then at a full day. */
static void
where_windows_begin(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* ago, from the minute, hour, day of NOW */
		int64_t unit;
	} cases[] = {
		{ "1h", WINDOW_HOUR, WINDOW_MINUTE },
		{ "47h", 47 * WINDOW_HOUR, WINDOW_MINUTE },
		{ "2d", 2 * WINDOW_DAY, WINDOW_HOUR },
		{ "49h", 49 * WINDOW_HOUR, WINDOW_HOUR },
		{ "9d", 9 * WINDOW_DAY, WINDOW_HOUR },
		{ "10d", 10 * WINDOW_DAY, WINDOW_DAY },
		{ "90d", 90 * WINDOW_DAY, WINDOW_DAY },
	};
	struct window w;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(window_parse(cases[i].text, &w, NULL), 0);
		assert_int_equal(window_since(&w, NULL, NOW, NULL),
		    NOW - NOW % cases[i].unit - cases[i].ms);
	}
	assert_int_equal(window_parse("all", &w, NULL), 0);
	assert_int_equal(window_since(&w, NULL, NOW, NULL), 0);
	/* A clock that stands at the beginning of time. */
	assert_int_equal(window_parse("90d", &w, NULL), 0);
	assert_int_equal(window_since(&w, NULL, 5000, NULL), 0);
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
	assert_int_equal(stats_parse_by("group,configuration-set", &by, &e), 0);
	assert_int_equal(by, 1u << STATS_GROUP | 1u << STATS_CONFIGURATION_SET);
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
		cmocka_unit_test(rates_of_mixed_paths),
		cmocka_unit_test(times_and_reasons),
		cmocka_unit_test(period_by_period),
		cmocka_unit_test(windows),
		cmocka_unit_test(where_windows_begin),
		cmocka_unit_test(dimensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
