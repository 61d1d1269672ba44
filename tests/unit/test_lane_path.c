/*
 * test_lane_path.c - when a path is closed, when somebody should try it, and
 * who waits for it: on lanes without a core.
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"
#include "rules/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const unsigned minute[] = { 60 };
static const struct rules_shape shape = { .retry = minute, .nretry = 1 };

static struct path_state *
path(struct lanes *ls, const char *name, unsigned failures, int64_t until)
{
	struct path_state *p = path_state_get(ls, name);

	p->hold.failures = failures;
	p->hold.until = until;
	return p;
}

static void
one_state_per_path(void **state)
{
	struct lanes *ls = lanes_new(NULL);
	struct path_state *a = path_state_get(ls, "ses");

	(void)state;
	assert_ptr_equal(path_state_get(ls, "ses"), a);
	assert_ptr_not_equal(path_state_get(ls, "mta"), a);
	assert_string_equal(a->name, "ses");
	lanes_free(&ls);
}

static void
closed_until_it_works(void **state)
{
	struct lanes *ls = lanes_new(NULL);
	struct path_state *p = path_state_get(ls, "ses");

	(void)state;
	assert_false(lanes_path_closed(ls, "ses"));
	assert_false(lanes_path_closed(ls, "nobody's"));
	assert_false(lanes_wants_probe(ls, "nobody's"));
	backoff_fail(&p->hold, &shape, 0, 60000, "535");
	assert_true(lanes_path_closed(ls, "ses"));
	assert_false(lanes_path_closed(ls, "mta"));
	p->hold.until = 0; /* its rest is over, which opens nothing */
	assert_true(lanes_path_closed(ls, "ses"));
	backoff_succeed(&p->hold);
	assert_false(lanes_path_closed(ls, "ses"));
	lanes_free(&ls);
}

/* Closed, rested, and nobody is there already. */
static void
one_at_a_time_tries(void **state)
{
	static const struct {
		unsigned failures;
		bool rests;
		unsigned waiting, sending;
		bool wants;
	} row[] = {
		{ 0, false, 0, 0, false },
		{ 1, true, 0, 0, false },
		{ 1, false, 0, 0, true },
		{ 1, false, 1, 0, false },
		{ 1, false, 0, 1, false },
		{ 9, false, 0, 0, true },
		{ 9, true, 0, 0, false },
		{ 9, false, 3, 4, false },
	};
	struct lanes *ls = lanes_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct path_state *p = path(ls, "ses", row[i].failures,
		    row[i].rests ? clock_mono() + 60000 : 0);

		p->waiting = row[i].waiting;
		p->sending = row[i].sending;
		if (lanes_wants_probe(ls, "ses") != row[i].wants)
			fail_msg("row %zu", i);
		/* Looking changes nothing. */
		assert_int_equal(lanes_wants_probe(ls, "ses"), row[i].wants);
	}
	lanes_free(&ls);
}

static void
an_operator_ends_the_rest(void **state)
{
	struct lanes *ls = lanes_new(NULL);

	(void)state;
	path(ls, "ses", 2, clock_mono() + 60000);
	path(ls, "mta", 2, clock_mono() + 60000);
	lanes_end_rests(ls, "ses");
	assert_true(lanes_wants_probe(ls, "ses"));
	assert_false(lanes_wants_probe(ls, "mta"));
	lanes_end_rests(ls, NULL);
	assert_true(lanes_wants_probe(ls, "mta"));
	lanes_free(&ls);
}

/* `fallback hold`, and only while its path is closed. */
static void
who_may_wait(void **state)
{
	static const struct {
		const char *fallback, *path;
		bool waits, kept;
	} row[] = {
		{ NULL, "ses", false, false },
		{ "mta", "ses", false, false },
		{ "hold", "ses", true, true },
		{ "hold", "mta", true, false },
		{ "hold", "other", true, false },
	};
	struct lanes *ls = lanes_new(NULL);

	(void)state;
	path(ls, "ses", 1, 0);
	path(ls, "mta", 0, 0);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct recipient r = { .route.path = row[i].path,
			.route.fallback = row[i].fallback };

		assert_int_equal(lane_waits_for_path(&r), row[i].waits);
		assert_int_equal(lanes_keep(ls, &r), row[i].kept);
	}
	lanes_free(&ls);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_state_per_path),
		cmocka_unit_test(closed_until_it_works),
		cmocka_unit_test(one_at_a_time_tries),
		cmocka_unit_test(an_operator_ends_the_rest),
		cmocka_unit_test(who_may_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
