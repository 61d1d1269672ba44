/*
 * test_lane_path.c - when a path is closed, when somebody should try it, and
 * who waits for it: on lanes without a core.
 */
#include "tests/unit/core_fixture.h"

#include "mta/base/map.h"
#include "router/lane_int.h"

static const unsigned minute[] = { 60 };
static const struct rules_shape shape = { .retry = minute, .nretry = 1 };

static struct config_path paths[] = {
	{ .name = (char[]){ "ses" }, .kind = PATH_SES },
	{ .name = (char[]){ "mta" }, .kind = PATH_MTA },
};
static struct config config = { .paths = paths, .npaths = 2 };

static int
set_up_core(void **state)
{
	set_up(state);
	core_set_up(&config);
	return 0;
}

static int
tear_down_core(void **state)
{
	core_tear_down();
	return tear_down(state);
}

static const struct route by_ses = { .path = "ses", .source = "", .group = "" };
static const struct route to_a = {
	.path = "mta", .source = "s1", .group = "a.example"
};
static const struct route to_b = {
	.path = "mta", .source = "s1", .group = "b.example"
};

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
	struct lanes *ls = lanes_new(&core);
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
	struct lanes *ls = lanes_new(&core);
	struct path_state *p = path_state_get(ls, "ses");

	(void)state;
	assert_false(lanes_path_closed(ls, "ses"));
	assert_false(lanes_path_closed(ls, "nobody's"));
	assert_false(lanes_wants_probe(ls, &by_ses, "a.example"));
	backoff_fail(&p->hold, &shape, 0, 60000, "535");
	assert_true(lanes_path_closed(ls, "ses"));
	assert_string_equal(lanes_why_closed(ls, "ses"), "535");
	assert_false(lanes_path_closed(ls, "mta"));
	assert_null(lanes_why_closed(ls, "mta"));
	p->hold.until = 0; /* its rest is over, which opens nothing */
	assert_true(lanes_path_closed(ls, "ses"));
	backoff_succeed(&p->hold);
	assert_false(lanes_path_closed(ls, "ses"));
	lanes_free(&ls);
}

/* An open path that took mail of another domain, and not long ago. */
static void
whose_mail_is_taken(void **state)
{
	int64_t now = clock_mono(), old = now - 601000;
	struct lanes *ls = lanes_new(&core);
	struct path_state *p = path_state_get(ls, "ses");

	(void)state;
	assert_false(lanes_path_takes_others(ls, "nobody's", "a.jp"));
	assert_false(lanes_path_takes_others(ls, "ses", "a.jp"));
	path_note_taken(p, "a.jp", old);
	assert_false(lanes_path_takes_others(ls, "ses", "b.jp"));
	path_note_taken(p, "a.jp", now);
	assert_true(lanes_path_takes_others(ls, "ses", "b.jp"));
	assert_false(lanes_path_takes_others(ls, "ses", "a.jp"));
	path_note_taken(p, "b.jp", now);
	path_note_taken(p, "b.jp", now);
	assert_true(lanes_path_takes_others(ls, "ses", "a.jp"));
	assert_true(lanes_path_takes_others(ls, "ses", "b.jp"));
	path_note_taken(p, "", now); /* of <> */
	assert_true(lanes_path_takes_others(ls, "ses", ""));
	p->hold.failures = 1;
	assert_false(lanes_path_takes_others(ls, "ses", "c.jp"));
	p->hold.failures = 0;
	p->shut = xstrdup("suspended");
	assert_false(lanes_path_takes_others(ls, "ses", "c.jp"));
	lanes_free(&ls);
}

/* Closed, rested, and nobody is there already. */
static void
one_at_a_time_tries(void **state)
{
	static const struct {
		unsigned failures, sending;
		bool rests, wants;
	} row[] = {
		{ 0, 0, false, false },
		{ 1, 0, true, false },
		{ 1, 0, false, true },
		{ 1, 1, false, false },
		{ 9, 0, false, true },
		{ 9, 0, true, false },
		{ 9, 4, false, false },
	};
	struct lanes *ls = lanes_new(&core);

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct path_state *p = path(ls, "ses", row[i].failures,
		    row[i].rests ? clock_mono() + 60000 : 0);

		p->sending = row[i].sending;
		for (unsigned k = 0; k < 2; k++) /* looking changes nothing */
			if (lanes_wants_probe(ls, &by_ses, "a.example") !=
			    row[i].wants)
				fail_msg("row %zu", i);
	}
	lanes_free(&ls);
}

/* Who waits in a lane or for a destination that rests itself tries nothing. */
static void
who_waits_to_try(void **state)
{
	static const struct {
		unsigned waiting;
		bool lane_rests, dest_rests, paused;
		bool a_wants, b_wants;
	} row[] = {
		{ 0, false, false, false, true, true },
		{ 0, true, false, false, false, true },
		{ 0, false, true, false, false, true },
		{ 1, false, false, false, false, false },
		{ 1, true, false, false, false, true },
		{ 1, false, true, false, false, true },
		{ 5, true, true, false, false, true },
		{ 0, false, false, true, false, true },
		{ 5, false, false, true, false, true },
	};
	struct lanes *ls = lanes_new(&core);
	struct lane l = { .lanes = ls,
		.settings = &paths[1],
		.path = (char[]){ "mta" },
		.source = (char[]){ "s1" },
		.group = (char[]){ "a.example" } };
	struct dest d = { .lane = &l, .domain = (char[]){ "a.example" } };
	char key[] = "mta\ns1\na.example";

	(void)state;
	l.state = path(ls, "mta", 1, 0);
	l.by_domain = map_new();
	TAILQ_INIT(&l.dests);
	TAILQ_INSERT_TAIL(&l.dests, &d, link);
	map_put(l.by_domain, d.domain, &d);
	map_put(ls->by_key, key, &l);
	TAILQ_INSERT_TAIL(&ls->all, &l, link);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int64_t later = clock_mono() + 60000;

		l.state->waiting = l.waiting = d.waiting = row[i].waiting;
		l.backoff.until = row[i].lane_rests ? later : 0;
		d.backoff.until = row[i].dest_rests ? later : 0;
		if (row[i].paused)
			pauses_set(core.pauses,
			    &(struct pause){ PAUSE_GROUP, "a.example", "root",
				"", clock_wall(), 0 },
			    NULL, NULL);
		if (lanes_wants_probe(ls, &to_a, "a.example") != row[i].a_wants)
			fail_msg("row %zu, a", i);
		if (lanes_wants_probe(ls, &to_b, "b.example") != row[i].b_wants)
			fail_msg("row %zu, b", i);
	}
	TAILQ_REMOVE(&ls->all, &l, link);
	map_remove(ls->by_key, key);
	map_free(&l.by_domain);
	lanes_free(&ls);
}

static void
an_operator_ends_the_rest(void **state)
{
	struct lanes *ls = lanes_new(&core);

	(void)state;
	path(ls, "ses", 2, clock_mono() + 60000);
	path(ls, "mta", 2, clock_mono() + 60000);
	lanes_end_rests(ls, "ses");
	assert_true(lanes_wants_probe(ls, &by_ses, "a.example"));
	assert_false(lanes_wants_probe(ls, &to_b, "b.example"));
	lanes_end_rests(ls, NULL);
	assert_true(lanes_wants_probe(ls, &to_b, "b.example"));
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
	struct lanes *ls = lanes_new(&core);

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

#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, set_up_core, tear_down_core)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_state_per_path),
		T(closed_until_it_works),
		T(whose_mail_is_taken),
		T(one_at_a_time_tries),
		T(who_waits_to_try),
		T(an_operator_ends_the_rest),
		T(who_may_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
