/*
 * test_guard.c - from counts to a level, from a level to what is done.
 */
#include "router/guard_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)
#define NOW  (INT64_C(20000) * DAY)

/* A carrier that bears 2 % unknown users; SES's rates. */
static const struct guard_rules mta = {
	.limit = { [RATE_UNKNOWN] = { 0.01, 0.015, 0.02 } },
	.minimum = 100,
	.last = 1000,
	.probe = 50,
	.pause = HOUR,
	.pause_max = 6 * HOUR,
	.enforce = true,
};
static const struct guard_rules ses = {
	.ses = true,
	.limit = { [RATE_BOUNCE] = { 0.02, 0.04, 0.08 },
	    [RATE_COMPLAINT] = { 0.0005, 0.0008, 0.003 } },
	.minimum = 100,
	.last = 1000,
	.probe = 50,
	.pause = HOUR,
	.pause_max = 6 * HOUR,
	.enforce = true,
};

/* -- judging ------------------------------------------------------------- */

static void
set(struct guard_counts *c, enum guard_window w, int64_t unknown, int64_t of)
{
	c->n[w][COUNT_UNKNOWN] = unknown;
	c->n[w][COUNT_ATTEMPTED] = of;
}

static enum guard_level
judge(int64_t unknown, int64_t of, enum guard_level held)
{
	struct guard_counts counts = { 0 };
	struct guard_judged j;

	set(&counts, GUARD_HOUR, unknown, of);
	guard_judge(&mta, &counts, NULL, held, &j);
	assert_int_equal(j.rate.volume, j.level == GUARD_OK ? 0 : of);
	return j.level;
}

static void
levels(void **state)
{
	static const struct {
		int64_t unknown, of;
		enum guard_level held, level;
	} rows[] = {
		{ 0, 0, GUARD_OK, GUARD_OK },
		{ 1, 3, GUARD_OK, GUARD_OK },	/* 1 of 3 does not shout */
		{ 99, 99, GUARD_OK, GUARD_OK }, /* below the least volume */
		{ 99, 99, GUARD_PAUSE, GUARD_OK },
		{ 4, 100, GUARD_OK, GUARD_SLOW }, /* 4 %: 1.6 % to 9.8 % */
		{ 3, 100, GUARD_OK, GUARD_WARN }, /* 3 %: 1.0 % to 8.5 % */
		{ 2, 100, GUARD_OK, GUARD_OK },
		{ 10, 100, GUARD_OK, GUARD_PAUSE },
		{ 20, 1000, GUARD_OK, GUARD_WARN }, /* at it, not above it */
		{ 50, 1000, GUARD_OK, GUARD_PAUSE },
		{ 200, 10000, GUARD_OK, GUARD_SLOW },
		/* A level that is held holds on until a fifth below. */
		{ 16, 1000, GUARD_PAUSE, GUARD_PAUSE },
		{ 15, 1000, GUARD_PAUSE, GUARD_SLOW },
		{ 12, 1000, GUARD_SLOW, GUARD_SLOW },
		{ 11, 1000, GUARD_SLOW, GUARD_WARN },
		{ 8, 1000, GUARD_WARN, GUARD_WARN },
		{ 7, 1000, GUARD_WARN, GUARD_OK },
		{ 8, 1000, GUARD_OK, GUARD_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    judge(rows[i].unknown, rows[i].of, rows[i].held),
		    rows[i].level);
}

static void
any_window_will_do(void **state)
{
	struct guard_counts counts = { 0 };
	struct guard_judged j;

	(void)state;
	set(&counts, GUARD_HOUR, 9, 90);
	set(&counts, GUARD_DAY, 5, 5000);
	set(&counts, GUARD_LAST, 40, 1000);
	guard_judge(&mta, &counts, NULL, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_PAUSE);
	assert_int_equal(j.window, GUARD_LAST);
}

/* Of 150 messages two complaints are 1.3 %, and 0.4 % by the interval; and yet
 * they are two people. */
static void
two_people_are_no_reason(void **state)
{
	struct guard_counts counts = { 0 };
	struct guard_judged j;
	int64_t *n = counts.n[GUARD_HOUR];

	(void)state;
	n[COUNT_SENT] = 150;
	n[COUNT_COMPLAINED] = 2;
	guard_judge(&ses, &counts, NULL, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_OK);
	assert_int_equal(
	    guard_left(&ses, RATE_COMPLAINT,
		&(struct rate){ .hits = 2, .volume = 150 }, GUARD_PAUSE),
	    1);
	n[COUNT_COMPLAINED] = 3;
	guard_judge(&ses, &counts, NULL, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_PAUSE);
}

static void
ses_is_judged_by_either_rate(void **state)
{
	struct guard_counts counts = { 0 };
	struct guard_judged j;
	int64_t *n = counts.n[GUARD_DAY];

	(void)state;
	n[COUNT_SENT] = 1000;
	n[COUNT_HARD] = 40;
	guard_judge(&ses, &counts, NULL, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_WARN);
	assert_int_equal(j.kind, RATE_BOUNCE);
	n[COUNT_COMPLAINED] = 8;
	guard_judge(&ses, &counts, NULL, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_PAUSE);
	assert_int_equal(j.kind, RATE_COMPLAINT);
	/* What the account's own list answered counts neither way. */
	n[COUNT_COMPLAINED] = 0;
	n[COUNT_EXEMPT] = 700;
	guard_judge(&ses, &counts, NULL, GUARD_OK, &j);
	assert_int_equal(j.rate.volume, 300);
	assert_int_equal(j.level, GUARD_PAUSE);
	/* No unknown users are asked for. */
	set(&counts, GUARD_DAY, 1000, 1000);
	n[COUNT_HARD] = 0;
	guard_judge(&ses, &counts, NULL, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_OK);
}

static void
what_is_explained_does_not_count(void **state)
{
	struct guard_counts counts = { 0 }, explained[GUARD_LEVELS] = { 0 };
	struct guard_judged j;

	(void)state;
	set(&counts, GUARD_HOUR, 110, 2000);
	/* One sender at pause: without it there is little left. */
	for (size_t i = 0; i < GUARD_LEVELS; i++)
		set(&explained[i], GUARD_HOUR, 100, 1000);
	guard_judge(&mta, &counts, explained, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_OK);
	/* It explains a part only. */
	set(&counts, GUARD_HOUR, 150, 2000);
	guard_judge(&mta, &counts, explained, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_PAUSE);
	assert_int_equal(j.rate.hits, 50);
	/* A sender that only warns explains no pause. */
	memset(&explained[GUARD_PAUSE - GUARD_WARN], 0, sizeof(explained[0]));
	memset(&explained[GUARD_SLOW - GUARD_WARN], 0, sizeof(explained[0]));
	set(&counts, GUARD_HOUR, 110, 2000);
	guard_judge(&mta, &counts, explained, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_PAUSE);
	/* More explained than there is: nothing is left. */
	for (size_t i = 0; i < GUARD_LEVELS; i++)
		set(&explained[i], GUARD_HOUR, 200, 1990);
	guard_judge(&mta, &counts, explained, GUARD_OK, &j);
	assert_int_equal(j.level, GUARD_OK);
}

static void
how_many_more(void **state)
{
	struct rate rate;
	int64_t left;

	(void)state;
	for (int64_t volume = 1; volume <= 3000; volume += 73) {
		rate_of_hits(0, volume, &rate);
		left = guard_left(&mta, RATE_UNKNOWN, &rate, GUARD_PAUSE);
		volume = volume < 100 ? 100 : volume;
		assert_int_equal(judge(left, volume, GUARD_OK), GUARD_PAUSE);
		assert_int_not_equal(
		    judge(left - 1, volume, GUARD_OK), GUARD_PAUSE);
	}
	rate_of_hits(500, 1000, &rate);
	assert_int_equal(guard_left(&mta, RATE_UNKNOWN, &rate, GUARD_PAUSE), 0);
}

/* -- doing --------------------------------------------------------------- */

static struct guard_state s;

static int
set_up(void **state)
{
	(void)state;
	s = (struct guard_state){ .level = GUARD_OK };
	return 0;
}

static enum guard_action
step_by(const struct guard_rules *rules, enum guard_level level, int64_t now)
{
	struct guard_judged j = { .level = level, .kind = RATE_UNKNOWN };
	int64_t n[COUNT_MAX] = { 0 };

	rate_of_hits(10, 100, &j.rate);
	return guard_step(rules, &j, n, now, &s);
}

static enum guard_action
probe(int64_t unknown, int64_t of, int64_t now)
{
	struct guard_judged j = { .level = GUARD_PAUSE };
	int64_t n[COUNT_MAX] = {
		[COUNT_UNKNOWN] = unknown, [COUNT_ATTEMPTED] = of
	};

	return guard_step(&mta, &j, n, now, &s);
}

static void
follows_the_judgement(void **state)
{
	static const struct {
		enum guard_level judged;
		enum guard_action action;
	} rows[] = {
		{ GUARD_OK, GUARD_NOTHING },
		{ GUARD_WARN, GUARD_WARNED },
		{ GUARD_WARN, GUARD_NOTHING },
		{ GUARD_SLOW, GUARD_SLOWED },
		{ GUARD_WARN, GUARD_WARNED },
		{ GUARD_OK, GUARD_REOPENED },
		{ GUARD_SLOW, GUARD_SLOWED },
		{ GUARD_OK, GUARD_REOPENED },
		{ GUARD_PAUSE, GUARD_PAUSED },
		/* Nothing goes, so nothing new is known. */
		{ GUARD_OK, GUARD_NOTHING },
		{ GUARD_WARN, GUARD_NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    step_by(&mta, rows[i].judged, NOW), rows[i].action);
	assert_int_equal(s.until, NOW + HOUR);
}

static void
without_force_it_warns_of_each_step(void **state)
{
	struct guard_rules rules = mta;

	(void)state;
	rules.enforce = false;
	assert_int_equal(step_by(&rules, GUARD_WARN, NOW), GUARD_WARNED);
	assert_int_equal(step_by(&rules, GUARD_WARN, NOW), GUARD_NOTHING);
	assert_int_equal(step_by(&rules, GUARD_PAUSE, NOW), GUARD_WARNED);
	assert_int_equal(s.judged, GUARD_PAUSE);
	assert_int_equal(s.level, GUARD_WARN);
	assert_int_equal(step_by(&rules, GUARD_PAUSE, NOW), GUARD_NOTHING);
	assert_int_equal(step_by(&rules, GUARD_WARN, NOW), GUARD_NOTHING);
	assert_int_equal(step_by(&rules, GUARD_OK, NOW), GUARD_REOPENED);
}

static void
a_probe_that_is_good_reopens(void **state)
{
	(void)state;
	step_by(&mta, GUARD_PAUSE, NOW);
	assert_int_equal(probe(0, 0, NOW + HOUR - 1), GUARD_NOTHING);
	assert_int_equal(probe(0, 0, NOW + HOUR), GUARD_PROBING);
	assert_int_equal(s.level, GUARD_PROBE);
	/* Most of them, not the first of them. */
	assert_int_equal(probe(0, 39, NOW + HOUR), GUARD_NOTHING);
	assert_int_equal(probe(0, 40, NOW + HOUR), GUARD_REOPENED);
	assert_int_equal(s.level, GUARD_OK);
}

static void
a_probe_that_is_bad_pauses_for_twice_as_long(void **state)
{
	int64_t now = NOW, length = HOUR;

	(void)state;
	step_by(&mta, GUARD_PAUSE, now);
	for (int i = 0; i < 5; i++) {
		now += length;
		assert_int_equal(probe(0, 0, now), GUARD_PROBING);
		/* 1 of 50 is 2 %: not below it, whatever comes after. */
		assert_int_equal(probe(1, 1, now), GUARD_PAUSED);
		length =
		    2 * length < mta.pause_max ? 2 * length : mta.pause_max;
		assert_int_equal(s.until - now, length);
	}
}

static void
after_a_good_day_it_begins_anew(void **state)
{
	int64_t now = NOW + HOUR;

	(void)state;
	step_by(&mta, GUARD_PAUSE, NOW);
	probe(0, 0, now);
	assert_int_equal(probe(0, 50, now), GUARD_REOPENED);
	assert_int_equal(
	    step_by(&mta, GUARD_PAUSE, now + DAY - 1), GUARD_PAUSED);
	assert_int_equal(s.length, 2 * HOUR);
	now += DAY - 1 + 2 * HOUR;
	probe(0, 0, now);
	assert_int_equal(probe(0, 50, now), GUARD_REOPENED);
	assert_int_equal(step_by(&mta, GUARD_PAUSE, now + DAY), GUARD_PAUSED);
	assert_int_equal(s.length, HOUR);
}

static void
a_probe_asks_again(void **state)
{
	(void)state;
	step_by(&mta, GUARD_PAUSE, NOW);
	probe(0, 0, NOW + HOUR);
	assert_int_equal(probe(0, 10, NOW + 2 * HOUR - 1), GUARD_NOTHING);
	assert_int_equal(probe(0, 10, NOW + 2 * HOUR), GUARD_ASKS_AGAIN);
	assert_int_equal(probe(0, 10, NOW + 2 * HOUR), GUARD_NOTHING);
}

static void
ses_is_waited_for(void **state)
{
	struct guard_judged j = { .level = GUARD_PAUSE, .kind = RATE_BOUNCE };
	int64_t n[COUNT_MAX] = { 0 }, now = NOW + HOUR;

	(void)state;
	rate_of_hits(100, 1000, &j.rate);
	assert_int_equal(guard_step(&ses, &j, n, NOW, &s), GUARD_PAUSED);
	assert_int_equal(guard_step(&ses, &j, n, now, &s), GUARD_PROBING);
	n[COUNT_SENT] = 50;
	assert_int_equal(guard_step(&ses, &j, n, now, &s), GUARD_NOTHING);
	n[COUNT_DELIVERED] = 37;
	n[COUNT_RETURNED] = n[COUNT_HARD] = 3; /* 6 % */
	assert_int_equal(guard_step(&ses, &j, n, now, &s), GUARD_REOPENED);

	s = (struct guard_state){ .level = GUARD_PROBE,
		.kind = RATE_BOUNCE,
		.length = HOUR,
		.asked = now };
	n[COUNT_DELIVERED] = 0;
	now += GUARD_PATIENCE - 1;
	assert_int_equal(guard_step(&ses, &j, n, now, &s), GUARD_NOTHING);
	assert_int_equal(guard_step(&ses, &j, n, now + 1, &s), GUARD_REOPENED);

	s = (struct guard_state){ .level = GUARD_PROBE,
		.kind = RATE_BOUNCE,
		.length = HOUR,
		.asked = now };
	n[COUNT_RETURNED] = n[COUNT_HARD] = 4; /* 8 % */
	assert_int_equal(guard_step(&ses, &j, n, now, &s), GUARD_PAUSED);
}

static void
clocks_jump(void **state)
{
	(void)state;
	/* Forth: the pause is over early, and so a few go. */
	step_by(&mta, GUARD_PAUSE, NOW);
	assert_int_equal(probe(0, 0, NOW + 365 * DAY), GUARD_PROBING);
	/* Back: the probe goes on, and its patience begins anew. */
	assert_int_equal(probe(0, 0, NOW), GUARD_NOTHING);
	assert_int_equal(probe(0, 0, NOW + HOUR), GUARD_ASKS_AGAIN);
	assert_int_equal(probe(1, 50, NOW), GUARD_PAUSED);
	assert_int_equal(s.until, NOW + 2 * HOUR);
	/* Back while it is paused: not for a year. */
	assert_int_equal(probe(0, 0, NOW - 365 * DAY), GUARD_NOTHING);
	assert_int_equal(s.until, NOW - 365 * DAY + 2 * HOUR);
	assert_int_equal(
	    probe(0, 0, NOW - 365 * DAY + 2 * HOUR), GUARD_PROBING);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, set_up)
	static const struct CMUnitTest tests[] = {
		TEST(levels),
		TEST(any_window_will_do),
		TEST(two_people_are_no_reason),
		TEST(ses_is_judged_by_either_rate),
		TEST(what_is_explained_does_not_count),
		TEST(how_many_more),
		TEST(follows_the_judgement),
		TEST(without_force_it_warns_of_each_step),
		TEST(a_probe_that_is_good_reopens),
		TEST(a_probe_that_is_bad_pauses_for_twice_as_long),
		TEST(after_a_good_day_it_begins_anew),
		TEST(a_probe_asks_again),
		TEST(ses_is_waited_for),
		TEST(clocks_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
