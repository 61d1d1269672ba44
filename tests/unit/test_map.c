/*
 * test_map.c - a map against a model, with puts and removals in random order.
 */
#include "mta/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEYS  600
#define STEPS 60000

static char key[KEYS][16];
static bool present[KEYS];
static int value[KEYS];

static uint32_t
next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static void
compare(const struct map *m, size_t count)
{
	assert_int_equal(map_count(m), count);
	for (unsigned i = 0; i < KEYS; i++)
		assert_ptr_equal(
		    map_get(m, key[i]), present[i] ? &value[i] : NULL);
}

/* Grows and shrinks by turns, so that chains form, wrap round and are closed
 * up. */
static void
walk(uint32_t seed, unsigned keys)
{
	struct map *m = map_new();
	uint32_t x = seed;
	size_t count = 0;

	memset(present, 0, sizeof(present));
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = next_random(&x) % keys;
		bool put =
		    next_random(&x) % 8 < (step / 5000 % 2 == 0 ? 6u : 2u);

		if (put && !present[i]) {
			map_put(m, key[i], &value[i]);
			count++;
		} else if (!put) {
			assert_ptr_equal(map_remove(m, key[i]),
			    present[i] ? &value[i] : NULL);
			count -= present[i];
		} else {
			continue;
		}
		present[i] = put;
		if (step % 97 == 0)
			compare(m, count);
	}
	compare(m, count);
	map_free(&m);
	assert_null(m);
}

static void
as_the_model_says(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(key[i], sizeof(key[i]), "k%u", i);
	for (uint32_t seed = 1; seed <= 4; seed++) {
		walk(seed, KEYS);
		walk(seed, 11); /* at home in the first size: no growth, much
				   removal */
	}
}

/* Keys are compared as texts, not as pointers. */
static void
equal_texts_are_one_key(void **state)
{
	struct map *m = map_new();
	char a[] = "docomo.ne.jp", b[] = "docomo.ne.jp";

	(void)state;
	map_put(m, a, a);
	assert_ptr_equal(map_get(m, b), a);
	assert_null(map_get(m, "docomo.ne.j"));
	assert_null(map_get(m, ""));
	assert_ptr_equal(map_remove(m, b), a);
	assert_null(map_remove(m, b));
	map_put(m, "", b);
	assert_ptr_equal(map_get(m, ""), b);
	map_free(&m);
	map_free(&m);
}

static void
hash_of_pieces_knows_their_borders(void **state)
{
	uint64_t a = hash_text(hash_text(HASH_START, "a"), "bc");
	uint64_t b = hash_text(hash_text(HASH_START, "ab"), "c");

	(void)state;
	assert_true(a != b);
	assert_true(hash_text(HASH_START, "") != HASH_START);
	assert_true(a == hash_text(hash_text(HASH_START, "a"), "bc"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_model_says),
		cmocka_unit_test(equal_texts_are_one_key),
		cmocka_unit_test(hash_of_pieces_knows_their_borders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
