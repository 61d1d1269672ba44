/*
 * test_reputation.c - what was counted lately: rings, cuts, clocks that jump,
 * and no more scopes than there may be.
 */
#include "router/reputation.h"

#include "mta/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define NOON   (INT64_C(20000) * DAY + 12 * HOUR + 30 * MINUTE)

static const struct reputation_span last_hour = { REPUTATION_MINUTES, 60 },
				    last_day = { REPUTATION_HOURS, 24 },
				    last_week = { REPUTATION_DAYS, 7 };

static struct reputation rep;
static struct reputation_scope *scope;

static int
set_up(void **state)
{
	(void)state;
	reputation_init(&rep);
	scope = reputation_find(
	    &rep, &(struct mail_scope){ "mta", "docomo", "", "" }, true);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	reputation_clear(&rep);
	return 0;
}

static void
count(struct reputation_scope *s, int64_t at, int64_t attempted, int64_t now)
{
	int64_t n[COUNT_MAX] = {
		[COUNT_ATTEMPTED] = attempted, [COUNT_UNKNOWN] = attempted / 10
	};

	reputation_count(&rep, s, at, n, now);
}

static int64_t
sum(const struct reputation_scope *s, struct reputation_span span,
    const struct reputation_cut *cut, int64_t now)
{
	int64_t n[COUNT_MAX];

	reputation_sum(s, span, cut, now, n);
	return n[COUNT_ATTEMPTED];
}

static void
each_ring_has_its_time(void **state)
{
	static const struct {
		int64_t ago, hour, day, week;
	} rows[] = {
		{ 0, 100, 100, 100 },
		{ 59 * MINUTE, 100, 100, 100 },
		{ 60 * MINUTE, 0, 100, 100 },
		{ 23 * HOUR, 0, 100, 100 },
		{ 24 * HOUR, 0, 0, 100 },
		{ 6 * DAY, 0, 0, 100 },
		{ 7 * DAY, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		count(scope, NOON - rows[i].ago, 100, NOON);
		assert_int_equal(
		    sum(scope, last_hour, NULL, NOON), rows[i].hour);
		assert_int_equal(sum(scope, last_day, NULL, NOON), rows[i].day);
		assert_int_equal(
		    sum(scope, last_week, NULL, NOON), rows[i].week);
		tear_down(state);
		set_up(state);
	}
}

static void
time_takes_it_out(void **state)
{
	(void)state;
	count(scope, NOON, 100, NOON);
	assert_int_equal(sum(scope, last_hour, NULL, NOON + 59 * MINUTE), 100);
	assert_int_equal(sum(scope, last_hour, NULL, NOON + 60 * MINUTE), 0);
	assert_int_equal(sum(scope, last_day, NULL, NOON + 60 * MINUTE), 100);
	/* A later minute takes over the cell. */
	count(scope, NOON + HOUR, 5, NOON + HOUR);
	assert_int_equal(sum(scope, last_hour, NULL, NOON + HOUR), 5);
	/* What is taken back is taken back. */
	count(scope, NOON + HOUR, -5, NOON + HOUR);
	assert_int_equal(sum(scope, last_hour, NULL, NOON + HOUR), 0);
}

static void
a_clock_may_jump(void **state)
{
	(void)state;
	/* Forth by a year, and back: what lies ahead does not count, and does
	 * not stand in the way. */
	count(scope, NOON + 365 * DAY, 100, NOON + 365 * DAY);
	assert_int_equal(sum(scope, last_week, NULL, NOON), 0);
	count(scope, NOON, 7, NOON);
	assert_int_equal(sum(scope, last_hour, NULL, NOON), 7);
	assert_int_equal(sum(scope, last_day, NULL, NOON), 7);
	/* Told of a moment that is ahead by little: another thread's clock. */
	count(scope, NOON + MINUTE - 1, 1, NOON);
	assert_int_equal(sum(scope, last_hour, NULL, NOON), 8);
	/* A cut that lies ahead is none. */
	reputation_anew(&rep, scope, NOON + DAY);
	assert_int_equal(sum(scope, last_hour, &scope->own, NOON), 8);
}

static void
the_last_so_many(void **state)
{
	struct reputation_span span;

	(void)state;
	count(scope, NOON, 10, NOON);
	count(scope, NOON - 5 * MINUTE, 10, NOON);
	count(scope, NOON - 3 * HOUR, 10, NOON);
	count(scope, NOON - 3 * DAY, 10, NOON);
	span = reputation_last(scope, COUNT_ATTEMPTED, 15, NULL, NOON);
	assert_int_equal(span.ring, REPUTATION_MINUTES);
	assert_int_equal(span.periods, 6);
	span = reputation_last(scope, COUNT_ATTEMPTED, 30, NULL, NOON);
	assert_int_equal(span.ring, REPUTATION_HOURS);
	assert_int_equal(span.periods, 4);
	span = reputation_last(scope, COUNT_ATTEMPTED, 31, NULL, NOON);
	assert_int_equal(span.ring, REPUTATION_DAYS);
	assert_int_equal(span.periods, 4);
	span = reputation_last(scope, COUNT_ATTEMPTED, 1000, NULL, NOON);
	assert_int_equal(span.ring, REPUTATION_DAYS);
	assert_int_equal(span.periods, 7);
}

static void
anew_from_a_moment_on(void **state)
{
	(void)state;
	count(scope, NOON - 2 * HOUR, 50, NOON);
	count(scope, NOON, 100, NOON);
	reputation_anew(&rep, scope, NOON);
	assert_int_equal(sum(scope, last_hour, &scope->own, NOON), 0);
	assert_int_equal(sum(scope, last_day, &scope->own, NOON), 0);
	assert_int_equal(sum(scope, last_week, &scope->own, NOON), 0);
	/* In the same minute, hour and day. */
	count(scope, NOON, 3, NOON);
	assert_int_equal(sum(scope, last_hour, &scope->own, NOON), 3);
	assert_int_equal(sum(scope, last_week, &scope->own, NOON), 3);
	/* Told late of what was before. */
	count(scope, NOON - 5 * MINUTE, 9, NOON);
	count(scope, NOON - 2 * HOUR, 9, NOON);
	assert_int_equal(sum(scope, last_hour, &scope->own, NOON), 3);
	assert_int_equal(sum(scope, last_day, &scope->own, NOON), 3);
	assert_int_equal(sum(scope, last_week, &scope->own, NOON), 3);
	/* All that ever was is still known. */
	assert_int_equal(sum(scope, last_day, NULL, NOON), 171);
}

static void
a_narrower_one_knows_when_the_wider_began_anew(void **state)
{
	struct mail_scope of = { "mta", "docomo", "a.example", "" };
	struct reputation_scope *narrow = reputation_within(&rep, &of, scope);

	(void)state;
	assert_ptr_equal(narrow->wider, scope);
	count(narrow, NOON, 10, NOON);
	reputation_anew(&rep, scope, NOON);
	count(narrow, NOON, 4, NOON);
	assert_int_equal(sum(narrow, last_hour, &narrow->own, NOON), 14);
	assert_int_equal(sum(narrow, last_hour, &narrow->in_wider, NOON), 4);
	/* One that comes later begins with it. */
	of.sender = "b.example";
	narrow = reputation_within(&rep, &of, scope);
	count(narrow, NOON, 2, NOON);
	assert_int_equal(sum(narrow, last_hour, &narrow->in_wider, NOON), 2);
}

static void
senders_are_bounded(void **state)
{
	struct mail_scope of = { "mta", "docomo", "", "" };
	struct reputation_scope *watched;
	static int dummy;
	char name[32];

	(void)state;
	of.sender = "watched.example";
	watched = reputation_within(&rep, &of, scope);
	watched->watch = (void *)&dummy;
	for (int i = 0; i < 3 * REPUTATION_SCOPES; i++) {
		snprintf(name, sizeof(name), "s%d.example", i);
		of.sender = name;
		count(reputation_within(&rep, &of, scope), NOON, 1, NOON);
	}
	assert_int_equal(map_count(rep.by_key), REPUTATION_SCOPES);
	assert_int_equal(scope->narrower, REPUTATION_SCOPES - 1);
	of.sender = "watched.example";
	assert_ptr_equal(reputation_find(&rep, &of, false), watched);
	of.sender = "s0.example";
	assert_null(reputation_find(&rep, &of, false));
	of.sender = name;
	assert_non_null(reputation_find(&rep, &of, false));
	/* What cannot be a name is no scope. */
	of.sender = "a b";
	assert_null(reputation_within(&rep, &of, scope));
}

static void
pace_of_the_minutes_in_use(void **state)
{
	(void)state;
	count(scope, NOON, 60, NOON);
	count(scope, NOON - 30 * MINUTE, 180, NOON);
	assert_true(reputation_pace(scope, COUNT_ATTEMPTED, NOON) == 2);
	assert_true(reputation_pace(scope, COUNT_SENT, NOON) == 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(each_ring_has_its_time),
		TEST(time_takes_it_out),
		TEST(a_clock_may_jump),
		TEST(the_last_so_many),
		TEST(anew_from_a_moment_on),
		TEST(a_narrower_one_knows_when_the_wider_began_anew),
		TEST(senders_are_bounded),
		TEST(pace_of_the_minutes_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
