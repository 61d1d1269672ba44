/*
 * test_pace.c - a rate measured at the peer, in every window there is.
 *
 * The peer is modelled: what starts here arrives at some moment before it ends.
 * Arrivals are drawn to be as unlucky as they can be, and counted in all
 * windows. It is one thread.
 */
#include "router/pace.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 20000

/* A generator of our own: the same draws on every machine. */
static uint64_t seed;

static unsigned
draw(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

struct flight {
	uint64_t number;
	unsigned n;
	int64_t ends;
};

static struct peer {
	int64_t at[MOST]; /* arrivals */
	size_t n;
	struct flight flight[64];
	size_t nflights;
} peer;

static void
land(struct pace *p, int64_t now)
{
	for (size_t i = 0; i < peer.nflights;) {
		struct flight *f = &peer.flight[i];

		if (f->ends > now) {
			i++;
			continue;
		}
		pace_end(p, f->number, f->n, f->ends);
		*f = peer.flight[--peer.nflights];
	}
}

static void
take_off(struct pace *p, unsigned n, int64_t now, unsigned slowest)
{
	int64_t took = draw(slowest + 1);
	/* Mostly at one of the ends. */
	int64_t after = draw(3) == 0   ? draw((unsigned)took + 1)
			: draw(2) == 0 ? took
				       : 0;

	peer.flight[peer.nflights++] =
	    (struct flight){ pace_start(p, n, now, 1), n, now + took };
	for (unsigned i = 0; i < n && peer.n < MOST; i++)
		peer.at[peer.n++] = now + after;
}

static int
earlier(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The most that any window of that length, its ends included, holds. */
static unsigned
busiest(int64_t period)
{
	unsigned most = 0;
	size_t first = 0;

	qsort(peer.at, peer.n, sizeof(peer.at[0]), earlier);
	for (size_t last = 0; last < peer.n; last++) {
		while (peer.at[last] - peer.at[first] > period)
			first++;
		if (last - first + 1 > most)
			most = (unsigned)(last - first + 1);
	}
	return most;
}

/* As a lane with much to do: ms by ms, as soon as it may. */
static void
run(struct pace *p, int64_t from, int64_t to, unsigned batch, unsigned slowest)
{
	for (int64_t now = from; now < to; now++) {
		unsigned room, n;

		land(p, now);
		while (pace_open_at(p, now) <= now && peer.nflights < 64 &&
		       (room = pace_room(p, now)) > 0) {
			n = 1 + draw(batch);
			take_off(p, n < room ? n : room, now, slowest);
		}
		/* What open_at says, room keeps. */
		if (pace_open_at(p, now) > now)
			assert_true(peer.nflights == 64 ||
				    pace_room(p, now) == 0 ||
				    pace_open_at(p, now) > now);
	}
}

static const struct {
	unsigned count;
	int64_t period;
	unsigned batch, slowest;
} rates[] = {
	{ 1, 1000, 1, 0 },
	{ 1, 1000, 3, 900 },
	{ 5, 1000, 1, 0 },
	{ 5, 1000, 1, 300 },
	{ 5, 1000, 5, 3000 },
	{ 14, 1000, 1, 150 },
	{ 100, 1000, 10, 50 },
	{ 127, 1000, 1, 5 },
	{ 128, 1000, 1, 5 },
	{ 129, 1000, 7, 5 },
	{ 1000, 1000, 20, 3 },
	{ 60, 60000, 1, 2000 },
	{ 300, 60000, 30, 90000 },
	{ 7, 3000, 2, 7000 },
};

#define N(a) (sizeof(a) / sizeof(a[0]))

static void
no_window_holds_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rates); i++) {
		struct pace p = { 0 };
		int64_t length = 12 * rates[i].period;

		seed = i + 1;
		peer.n = peer.nflights = 0;
		pace_set(&p, rates[i].count, rates[i].period, false);
		run(&p, 1000000, 1000000 + length, rates[i].batch,
		    rates[i].slowest);
		assert_in_range(peer.n, 1, MOST - 1);
		assert_in_range(busiest(rates[i].period), 1, rates[i].count);
		pace_clear(&p);
	}
}

/* With a quick peer nearly all of the rate is used, and no period begins with a
 * burst. */
static void
it_is_used(void **state)
{
	struct pace p = { 0 };

	(void)state;
	seed = 7;
	peer.n = peer.nflights = 0;
	pace_set(&p, 10, 1000, false);
	run(&p, 0, 60000, 1, 2);
	assert_in_range(peer.n, 580, 600);
	/* An idle hour saves nothing up. */
	peer.n = 0;
	run(&p, 3660000, 3660500, 1, 0);
	assert_in_range(peer.n, 5, 6);
	pace_clear(&p);
	pace_set(&p, 1000, 1000, false);
	peer.n = peer.nflights = 0;
	run(&p, 0, 10000, 1, 1);
	assert_in_range(peer.n, 9800, 10000);
	pace_clear(&p);
}

static void
lower_scales(void **state)
{
	struct pace p = { 0 };
	int64_t now = 5000;

	(void)state;
	pace_set(&p, 10, 1000, true);
	pace_start(&p, 1, now, 0.5);
	assert_in_range(pace_open_at(&p, now), now + 180, now + 200);
	pace_clear(&p);
}

static void
no_rate_no_limit(void **state)
{
	struct pace p = { 0 };

	(void)state;
	assert_int_equal(pace_room(&p, 1), UINT_MAX);
	assert_int_equal(pace_open_at(&p, 1), 1);
	pace_end(&p, pace_start(&p, 100000, 1, 1), 100000, 2);
	assert_int_equal(pace_open_at(&p, 1), 1);
	assert_true(pace_is_idle(&p, 1));
	pace_clear(&p);
}

/* What began without a limit ends under one, and is nobody of those since. */
static void
a_limit_comes_later(void **state)
{
	struct pace p = { 0 };
	uint64_t before = pace_start(&p, 3, 5, 1);

	(void)state;
	pace_set(&p, 1, 1000, false);
	pace_resume(&p, before, 3);
	pace_start(&p, 1, 10, 1);
	pace_end(&p, before, 3, 20);
	assert_int_equal(pace_open_at(&p, 99000), INT64_MAX);
	pace_clear(&p);
}

/* The peer counts what it is asked: ends do not matter. */
static void
by_start(void **state)
{
	struct pace p = { 0 };

	(void)state;
	pace_set(&p, 2, 1000, true);
	pace_start(&p, 2, 10000, 1);
	assert_int_equal(pace_open_at(&p, 10001), 11001);
	pace_set(&p, 2, 1000, false);
	assert_int_equal(pace_room(&p, 12000), 2);
	pace_start(&p, 2, 12000, 1);
	assert_int_equal(pace_open_at(&p, 99000), INT64_MAX);
	assert_int_equal(pace_room(&p, 99000), 0);
	pace_clear(&p);
}

/* A reload with another rate, while some are on their way. */
static void
what_was_sent_counts_on(void **state)
{
	static const unsigned counts[] = { 5, 50, 3, 200, 5, 129, 1, 7 };

	(void)state;
	for (unsigned turn = 0; turn < 50; turn++) {
		struct pace p = { 0 };
		int64_t now = 1000000;
		unsigned highest = 0;

		seed = turn;
		peer.n = peer.nflights = 0;
		for (size_t i = 0; i < N(counts); i++) {
			unsigned count = counts[(i + turn) % N(counts)];

			if (pace_set(&p, count, 1000, false))
				for (size_t k = 0; k < peer.nflights; k++)
					pace_resume(&p, peer.flight[k].number,
					    peer.flight[k].n);
			run(&p, now, now + 1700, 4, 700);
			now += 1700;
			/* Once a whole period is behind it, only the new rate
			 * counts. */
			if (count > highest)
				highest = count;
			assert_in_range(busiest(1000), 1, highest);
		}
		pace_clear(&p);
	}
}

static void
after_a_restart(void **state)
{
	(void)state;
	for (unsigned turn = 0; turn < 60; turn++) {
		struct pace p = { 0 }, q = { 0 };
		struct str text = STR_INIT;
		int64_t now = 1000000, end, wall = 1700000000000;
		unsigned count;

		seed = turn;
		count = 1 + draw(300);
		peer.n = peer.nflights = 0;
		pace_set(&p, count, 60000, false);
		for (end = now + 30000 + draw(90000); now < end; now += 50) {
			run(&p, now, now + 50, 3, 4000);
			/* Whenever there is news it is written. */
			if (pace_opened(&p)) {
				str_clear(&text);
				pace_write(&p, wall, &text);
			}
		}
		/* What was on its way has arrived before the next process is
		 * there. */
		now += 4001;
		for (size_t i = 0; i < peer.n; i++)
			assert_true(peer.at[i] < now);
		pace_set(&q, count, 60000, false);
		peer.nflights = 0;
		pace_read(&q, text.data, now, wall);
		run(&q, now, now + 130000, 3, 4000);
		assert_in_range(busiest(60000), 1, count);
		pace_clear(&p);
		pace_clear(&q);
		str_release(&text);
	}
}

static void
text_that_is_none(void **state)
{
	static const char *const texts[] = { "", "x", "0 1 2", "99999999999",
		"-1", "5", "5 ", "5 x", "1 9223372036854775807",
		"1 -9223372036854775808 1", "3 1 2 3 4 5 6 7 8 9",
		"1 9223372036854775807 9223372036854775807 1",
		"2147483647 9 9 9", "10 -9223372036854775808 -5 -5" };

	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		struct pace p = { 0 };

		pace_set(&p, 10, 60000, false);
		pace_read(&p, texts[i], 1000, 0);
		assert_true(pace_open_at(&p, 1000) >= 1000);
		assert_true(pace_room(&p, 200000) <= 10);
		assert_true(pace_room(&p, 200000) >= 1);
		pace_clear(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_window_holds_more),
		cmocka_unit_test(it_is_used),
		cmocka_unit_test(lower_scales),
		cmocka_unit_test(no_rate_no_limit),
		cmocka_unit_test(a_limit_comes_later),
		cmocka_unit_test(by_start),
		cmocka_unit_test(what_was_sent_counts_on),
		cmocka_unit_test(after_a_restart),
		cmocka_unit_test(text_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
