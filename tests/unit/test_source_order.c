/*
 * test_source_order.c - each pair of sender and group has its order of a
 * pool's sources.
 */
#include "router/source_order.h"

#include "router/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SOURCES = 6, PAIRS = 20000 };

static char names[SOURCES][16];
static struct config_source source[SOURCES];
static struct config_source *chosen[SOURCES];
static struct config_pool pool;

/* A pool of those whose weight is not 0. */
static void
make_pool(const unsigned weight[SOURCES])
{
	pool = (struct config_pool){ .sources = chosen };
	for (size_t i = 0; i < SOURCES; i++) {
		snprintf(names[i], sizeof(names[i]), "tokyo%zu", i + 1);
		source[i] = (struct config_source){ .name = names[i],
			.weight = weight[i] };
		if (weight[i] > 0)
			chosen[pool.nsources++] = &source[i];
	}
}

static const struct config_source *
next(unsigned pair, const struct config_source *after)
{
	static const char *const group[] = { "docomo", "au", "softbank",
		"a.example" };
	char sender[32];

	snprintf(sender, sizeof(sender), "news%u.example.jp", pair / 4);
	return source_next(&pool, sender, group[pair % 4], after);
}

/* All of them, each once. */
static void
the_order_holds_every_source_once(void **state)
{
	static const unsigned weight[SOURCES] = { 1, 1, 5, 1, 100, 1 };

	(void)state;
	make_pool(weight);
	for (unsigned p = 0; p < 200; p++) {
		const struct config_source *s = NULL;
		bool seen[SOURCES] = { false };
		size_t n = 0;

		while ((s = next(p, s)) != NULL) {
			assert_false(seen[s - source]);
			seen[s - source] = true;
			n++;
		}
		assert_int_equal(n, SOURCES);
	}
}

static void
the_order_of_the_settings_does_not_matter(void **state)
{
	static const unsigned weight[SOURCES] = { 1, 2, 3, 1, 2, 3 };
	const struct config_source *first[200];

	(void)state;
	make_pool(weight);
	for (unsigned p = 0; p < 200; p++)
		first[p] = next(p, NULL);
	for (size_t i = 0; i < SOURCES; i++)
		chosen[i] = &source[SOURCES - 1 - i];
	for (unsigned p = 0; p < 200; p++)
		assert_ptr_equal(next(p, NULL), first[p]);
}

static void
sender_and_group_both_count(void **state)
{
	static const unsigned weight[SOURCES] = { 1, 1, 1, 1, 1, 1 };
	unsigned by_group = 0, by_sender = 0;

	(void)state;
	make_pool(weight);
	for (unsigned p = 0; p < 400; p += 4) {
		by_group += next(p, NULL) != next(p + 1, NULL);
		by_sender += next(p, NULL) != next(p + 4, NULL);
	}
	/* 5 of 6 are elsewhere. */
	assert_in_range(by_group, 60, 99);
	assert_in_range(by_sender, 60, 99);
}

static void
shares_follow_the_weights(void **state)
{
	static const unsigned rows[][SOURCES] = {
		{ 1, 1, 1, 1, 1, 1 },
		{ 1, 2, 0, 0, 0, 0 },
		{ 1, 2, 3, 4, 5, 6 },
		{ 100, 1, 0, 0, 0, 0 },
		{ 1000000, 1000000, 2000000, 0, 0, 0 },
	};

	(void)state;
	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		double sum = 0, n[SOURCES] = { 0 };

		make_pool(rows[k]);
		for (size_t i = 0; i < SOURCES; i++)
			sum += rows[k][i];
		for (unsigned p = 0; p < PAIRS; p++)
			n[next(p, NULL) - source]++;
		for (size_t i = 0; i < SOURCES; i++) {
			double share = n[i] / PAIRS, due = rows[k][i] / sum;

			if (share < due - 0.015 || share > due + 0.015)
				fail_msg("row %zu: source %zu has %g, not %g",
				    k, i + 1, share, due);
		}
	}
}

/* Whoever had another one before keeps it, and of the orders only the one that
 * is gone is missing. */
static void
removal_moves_only_its_own(void **state)
{
	static const unsigned all[SOURCES] = { 3, 1, 2, 1, 5, 1 };
	const struct config_source **before =
	    calloc(PAIRS * SOURCES, sizeof(*before));

	(void)state;
	for (size_t gone = 0; gone < SOURCES; gone++) {
		unsigned weight[SOURCES], moved = 0;

		make_pool(all);
		for (unsigned p = 0; p < PAIRS / 10; p++) {
			const struct config_source *s = NULL;

			for (size_t i = 0; i < SOURCES; i++)
				before[p * SOURCES + i] = s = next(p, s);
		}
		memcpy(weight, all, sizeof(weight));
		weight[gone] = 0;
		make_pool(weight);
		for (unsigned p = 0; p < PAIRS / 10; p++) {
			const struct config_source *s = NULL;

			moved += before[p * SOURCES] == &source[gone];
			for (size_t i = 0; i < SOURCES; i++)
				if (before[p * SOURCES + i] != &source[gone])
					assert_ptr_equal(s = next(p, s),
					    before[p * SOURCES + i]);
		}
		assert_true(moved > 0);
	}
	free(before);
}

/* One that gains weight takes from the others, and nobody else changes. */
static void
more_weight_only_draws_to_itself(void **state)
{
	static const unsigned light[SOURCES] = { 1, 1, 1, 1, 0, 0 };
	static const unsigned heavy[SOURCES] = { 1, 3, 1, 1, 0, 0 };
	const struct config_source **before = calloc(PAIRS, sizeof(*before));
	unsigned moved = 0;

	(void)state;
	make_pool(light);
	for (unsigned p = 0; p < PAIRS; p++)
		before[p] = next(p, NULL);
	make_pool(heavy);
	for (unsigned p = 0; p < PAIRS; p++) {
		const struct config_source *s = next(p, NULL);

		if (s != before[p])
			assert_ptr_equal(s, &source[1]);
		moved += s != before[p];
	}
	/* From 1/4 to 3/6. */
	assert_in_range(moved, PAIRS / 4 - PAIRS / 50, PAIRS / 4 + PAIRS / 50);
	free(before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_holds_every_source_once),
		cmocka_unit_test(the_order_of_the_settings_does_not_matter),
		cmocka_unit_test(sender_and_group_both_count),
		cmocka_unit_test(shares_follow_the_weights),
		cmocka_unit_test(removal_moves_only_its_own),
		cmocka_unit_test(more_weight_only_draws_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
