/*
 * test_rates.c - rates as the world computes them, and what may be said of a
 * share and of two of them, against published figures.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "router/proportion.h"
#include "router/rates.h"

static void
is(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.6f is not %.6f", got, want);
}

/* R. G. Newcombe, Two-sided confidence intervals for the single proportion
 * (Statistics in Medicine 17, 1998, 857-872), table I, method 3. */
static void
wilson(void **state)
{
	static const struct {
		int64_t hits, volume;
		double low, high;
	} cases[] = {
		{ 81, 263, 0.2553, 0.3662 },
		{ 15, 148, 0.0624, 0.1605 },
		{ 0, 20, 0.0000, 0.1611 },
		{ 1, 29, 0.0061, 0.1718 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double low, high;

		proportion_interval(
		    cases[i].hits, cases[i].volume, &low, &high);
		is(low, cases[i].low, 0.00005);
		is(high, cases[i].high, 0.00005);
		/* Of the rest, mirrored. */
		proportion_interval(cases[i].volume - cases[i].hits,
		    cases[i].volume, &low, &high);
		is(1 - high, cases[i].low, 0.00005);
		is(1 - low, cases[i].high, 0.00005);
	}
}

/* R. G. Newcombe, Interval estimation for the difference between independent
 * proportions (Statistics in Medicine 17, 1998, 873-890), table II, method 10.
 */
static void
newcombe(void **state)
{
	static const struct {
		struct proportion a, b;
		double low, high;
	} cases[] = {
		{ { 56, 70 }, { 48, 80 }, 0.0524, 0.3339 },
		{ { 9, 10 }, { 3, 10 }, 0.1705, 0.8090 },
		{ { 6, 7 }, { 2, 7 }, 0.0582, 0.8062 },
		{ { 5, 56 }, { 0, 29 }, -0.0381, 0.1926 },
		{ { 0, 10 }, { 0, 20 }, -0.1611, 0.2775 },
		{ { 0, 10 }, { 0, 10 }, -0.2775, 0.2775 },
		{ { 10, 10 }, { 0, 20 }, 0.6791, 1.0000 },
		{ { 10, 10 }, { 0, 10 }, 0.6075, 1.0000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double low, high;

		proportion_difference(cases[i].a, cases[i].b, &low, &high);
		is(low, cases[i].low, 0.00005);
		is(high, cases[i].high, 0.00005);
		proportion_difference(cases[i].b, cases[i].a, &low, &high);
		is(-high, cases[i].low, 0.00005);
		is(-low, cases[i].high, 0.00005);
	}
}

static void
p_values(void **state)
{
	(void)state;
	/* The manual of statsmodels, proportions_ztest: z = -1.408, p = 0.159.
	 */
	is(proportion_p_value(
	       (struct proportion){ 5, 83 }, (struct proportion){ 12, 99 }),
	    0.159, 0.0005);
	/* The Physicians' Health Study as in A. Agresti, An Introduction to
	 * Categorical Data Analysis, 2.4.3: X2 = 25.01, one degree of freedom.
	 */
	is(proportion_p_value((struct proportion){ 189, 11034 },
	       (struct proportion){ 104, 11037 }),
	    erfc(sqrt(25.01 / 2)), 1e-8);
	/* Nothing to tell them apart by. */
	is(proportion_p_value(
	       (struct proportion){ 10, 10 }, (struct proportion){ 7, 7 }),
	    1, 0);
	is(proportion_p_value(
	       (struct proportion){ 0, 10 }, (struct proportion){ 0, 1 }),
	    1, 0);
}

/* 356 in each group for 60 % and 70 %: the usual textbook case, and R's
 * power.prop.test(p1 = .6, p2 = .7, power = .8), n = 355.9 in each. */
static void
needed(void **state)
{
	(void)state;
	is(proportion_needed(0.6, 0.7, 1), 2 * 355.943, 0.01);
	is(proportion_needed(0.7, 0.6, 1), 2 * 355.943, 0.01);
	/* A 95:5 split takes far more than halves do. */
	assert_true(proportion_needed(0.95, 0.90, 1.0 / 19) >
		    4 * proportion_needed(0.95, 0.90, 1));
	/* Which of the two is called a does not matter. */
	is(proportion_needed(0.95, 0.90, 1.0 / 19),
	    proportion_needed(0.90, 0.95, 19), 1e-6);
	assert_true(isinf(proportion_needed(0.9, 0.9, 1)));
}

static void
as_the_world_computes_them(void **state)
{
	static const int64_t n[COUNT_MAX] = {
		[COUNT_SENT] = 1100,
		[COUNT_DELIVERED] = 1000,
		[COUNT_BOUNCED] = 60,
		[COUNT_FILTERED] = 20,
		[COUNT_EXPIRED] = 10,
		[COUNT_COMPLAINED] = 2,
		[COUNT_ATTEMPTED] = 1500,
		[COUNT_HARD] = 50,
		[COUNT_UNKNOWN] = 30,
		[COUNT_EXEMPT] = 100,
	};
	static const struct {
		enum rate_kind kind;
		bool ses;
		int64_t hits, volume;
	} cases[] = {
		{ RATE_DELIVERED, false, 1000, 1090 },
		{ RATE_DELIVERED, true, 1000, 1090 },
		{ RATE_BOUNCE, true, 50, 1000 },
		{ RATE_BOUNCE, false, 50, 1090 },
		{ RATE_COMPLAINT, true, 2, 1000 },
		{ RATE_COMPLAINT, false, 2, 1000 },
		{ RATE_UNKNOWN, true, 30, 1500 },
		{ RATE_UNKNOWN, false, 30, 1500 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rate r;
		double low, high;

		rate_of(cases[i].kind, n, cases[i].ses, &r);
		assert_int_equal(r.hits, cases[i].hits);
		assert_int_equal(r.volume, cases[i].volume);
		assert_true(r.known);
		is(r.rate, (double)r.hits / (double)r.volume, 1e-12);
		proportion_interval(r.hits, r.volume, &low, &high);
		is(r.low, low, 0);
		is(r.high, high, 0);
	}
}

static void
nothing_and_odd_things(void **state)
{
	static const int64_t none[COUNT_MAX] = { 0 };
	static const int64_t taken[COUNT_MAX] = {
		[COUNT_SENT] = 9, [COUNT_BOUNCED] = 1
	};
	static const int64_t odd[COUNT_MAX] = { [COUNT_SENT] = 5,
		[COUNT_EXEMPT] = 5,
		[COUNT_HARD] = 2,
		[COUNT_DELIVERED] = 1,
		[COUNT_COMPLAINED] = 3,
		[COUNT_ATTEMPTED] = 1,
		[COUNT_UNKNOWN] = 2 };
	struct rate r;

	(void)state;
	for (int k = 0; k < RATE_KINDS; k++) {
		rate_of((enum rate_kind)k, none, k % 2, &r);
		assert_false(r.known);
		is(r.rate + r.low + r.high, 0, 0);
	}
	/* SES took nine: of none is it known where they went. */
	rate_of(RATE_DELIVERED, taken, true, &r);
	assert_false(r.known);
	rate_of(RATE_DELIVERED, taken, false, &r);
	assert_true(r.known);
	/* All of it exempt. */
	rate_of(RATE_BOUNCE, odd, true, &r);
	assert_false(r.known);
	assert_int_equal(r.hits, 2);
	/* More hits than volume. */
	rate_of(RATE_COMPLAINT, odd, false, &r);
	assert_true(r.known);
	is(r.rate, 1, 0);
	rate_of(RATE_UNKNOWN, odd, false, &r);
	is(r.high, 1, 0);
	/* Counters that were tampered with. */
	rate_of_hits(-3, 10, &r);
	is(r.rate, 0, 0);
	rate_of_hits(1, -5, &r);
	assert_false(r.known);
}

static void
what_is_left(void **state)
{
	static const struct {
		int64_t hits, volume;
		double limit;
		int64_t left;
	} cases[] = {
		{ 3, 100, 0.05, 2 }, /* 5 % of 100 is 5 */
		{ 5, 100, 0.05, 0 },
		{ 7, 100, 0.05, 0 },
		{ 0, 101, 0.05, 6 },
		{ 188, 10000, 0.05, 312 },
		{ 188, 10000, 0.10, 812 },
		{ 0, 1000, 0.001, 1 },
		{ 0, 0, 0.05, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rate r;

		rate_of_hits(cases[i].hits, cases[i].volume, &r);
		assert_int_equal(rate_left(&r, cases[i].limit), cases[i].left);
	}
}

static void
limits_of_the_world(void **state)
{
	(void)state;
	is(rate_limits_of(RATE_BOUNCE, true).review, 0.05, 0);
	is(rate_limits_of(RATE_BOUNCE, true).stop, 0.10, 0);
	is(rate_limits_of(RATE_COMPLAINT, true).review, 0.001, 0);
	is(rate_limits_of(RATE_COMPLAINT, true).stop, 0.005, 0);
	is(rate_limits_of(RATE_UNKNOWN, true).review, 0, 0);
	is(rate_limits_of(RATE_BOUNCE, false).stop, 0, 0);
	assert_string_equal(rate_name(RATE_COMPLAINT), "complaint");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wilson),
		cmocka_unit_test(newcombe),
		cmocka_unit_test(p_values),
		cmocka_unit_test(needed),
		cmocka_unit_test(as_the_world_computes_them),
		cmocka_unit_test(nothing_and_odd_things),
		cmocka_unit_test(what_is_left),
		cmocka_unit_test(limits_of_the_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
