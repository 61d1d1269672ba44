/*
 * test_pause.c - what an operator has stopped, until when, and after a restart.
 */
#include "tests/unit/core_fixture.h"

#define HOUR INT64_C(3600000)

static struct config config;

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

static unsigned kept;

static void
on_kept(void *arg, const char *why)
{
	(void)arg;
	assert_null(why);
	kept++;
}

static void
begin(enum pause_kind kind, const char *name, int64_t until, const char *why)
{
	unsigned before = kept;

	pauses_set(core.pauses,
	    &(struct pause){ kind, name, "root", why, clock_wall(), until },
	    on_kept, NULL);
	core_settle();
	assert_int_equal(kept, before + 1);
}

static bool
end(enum pause_kind kind, const char *name)
{
	unsigned before = kept;
	bool ended = pauses_end(core.pauses, kind, name, "root", on_kept, NULL);

	core_settle();
	assert_int_equal(kept, before + ended);
	return ended;
}

static bool
rests(const char *path, const char *source, const char *group)
{
	const char *why = NULL;
	int64_t until = 0;

	if (!pauses_rest(core.pauses, path, source, group, &until, &why))
		return false;
	assert_non_null(why);
	assert_true(until > clock_wall());
	return true;
}

static void
add(void *arg, const struct pause *p)
{
	str_addf(arg, "%s %s/", pause_kind_name(p->kind), p->name);
	assert_string_equal(p->who, "root");
}

static void
assert_lists(const char *expected)
{
	struct str text = STR_INIT;

	pauses_each(core.pauses, add, &text);
	assert_string_equal(text.data, expected);
	str_release(&text);
}

/* -- tests --------------------------------------------------------------- */

static void
each_kind_holds_its_own(void **state)
{
	static const struct {
		enum pause_kind kind;
		bool a, b, c;
	} row[] = {
		{ PAUSE_PATH, true, false, false },
		{ PAUSE_SOURCE, false, true, false },
		{ PAUSE_GROUP, false, false, true },
		{ PAUSE_DRAIN, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		begin(row[i].kind, "x", 0, "");
		assert_int_equal(rests("x", "s", "g"), row[i].a);
		assert_int_equal(rests("p", "x", "g"), row[i].b);
		assert_int_equal(rests("p", "s", "x"), row[i].c);
		assert_false(rests("p", "s", "g"));
		assert_false(rests("", "", ""));
		assert_int_equal(pauses_drained(core.pauses, "x"),
		    row[i].kind == PAUSE_DRAIN);
		assert_true(end(row[i].kind, "x"));
		assert_false(rests("x", "x", "x"));
		assert_false(pauses_drained(core.pauses, "x"));
		assert_false(end(row[i].kind, "x"));
	}
}

static void
names_of_paths_are_exact_and_domains_are_not(void **state)
{
	(void)state;
	begin(PAUSE_PATH, "mta", 0, "");
	begin(PAUSE_GROUP, "a.example", 0, "");
	assert_false(rests("MTA", "", ""));
	assert_true(rests("", "", "A.Example"));
	assert_true(end(PAUSE_GROUP, "A.EXAMPLE"));
	core_restart();
	assert_lists("path mta/");
}

static void
the_latest_end_and_its_reason_are_told(void **state)
{
	int64_t now = clock_wall(), until;
	const char *why;

	(void)state;
	begin(PAUSE_SOURCE, "s", now + HOUR, "moving");
	assert_true(pauses_rest(core.pauses, "p", "s", "g", &until, &why));
	assert_int_equal(until, now + HOUR);
	assert_string_equal(why, "source paused by root: moving");
	begin(PAUSE_GROUP, "g", now + 2 * HOUR, "");
	assert_true(pauses_rest(core.pauses, "p", "s", "g", &until, &why));
	assert_int_equal(until, now + 2 * HOUR);
	assert_string_equal(why, "group paused by root");
	begin(PAUSE_PATH, "p", 0, "ours");
	assert_true(pauses_rest(core.pauses, "p", "s", "g", &until, &why));
	assert_true(until == INT64_MAX);
	assert_string_equal(why, "path paused by root: ours");
}

static void
the_last_word_counts(void **state)
{
	int64_t until;
	const char *why;

	(void)state;
	begin(PAUSE_PATH, "p", 0, "first");
	begin(PAUSE_PATH, "p", clock_wall() + HOUR, "second");
	assert_lists("path p/");
	assert_true(pauses_rest(core.pauses, "p", "", "", &until, &why));
	assert_true(until < INT64_MAX);
	assert_string_equal(why, "path paused by root: second");
	core_restart();
	assert_true(pauses_rest(core.pauses, "p", "", "", &until, &why));
	assert_true(until < INT64_MAX);
	assert_string_equal(why, "path paused by root: second");
}

static void
a_restart_resumes_nothing(void **state)
{
	const char *why;
	int64_t until;

	(void)state;
	begin(PAUSE_DRAIN, "tokyo 1", 0, "");
	begin(PAUSE_SOURCE, "tokyo 1", 0, "\"odd\" \\ \xe6\x98\x8e");
	begin(PAUSE_GROUP, "b.example", clock_wall() + HOUR, "");
	begin(PAUSE_GROUP, "a.example", 0, "");
	begin(PAUSE_PATH, "p", 0, "");
	assert_true(end(PAUSE_PATH, "p"));
	core_restart();
	assert_lists("source tokyo 1/group a.example/group b.example/"
		     "drain tokyo 1/");
	assert_true(pauses_rest(core.pauses, "", "tokyo 1", "", &until, &why));
	assert_string_equal(
	    why, "source paused by root: \"odd\" \\ \xe6\x98\x8e");
	assert_true(pauses_drained(core.pauses, "tokyo 1"));
	/* What ended while nobody ran. */
	clock_offset = 2 * HOUR;
	core_restart();
	assert_lists("source tokyo 1/group a.example/drain tokyo 1/");
}

static void
one_that_ends_by_itself_wakes_what_it_held(void **state)
{
	int64_t until = clock_wall() + 50;

	(void)state;
	begin(PAUSE_GROUP, "g", until, "");
	begin(PAUSE_GROUP, "h", until + HOUR, "");
	woken = 0;
	assert_true(rests("", "", "g"));
	while (woken == 0)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_true(clock_wall() >= until);
	assert_false(rests("", "", "g"));
	assert_lists("group h/");
	assert_false(end(PAUSE_GROUP, "g"));
}

static void
a_change_wakes_what_it_concerns(void **state)
{
	(void)state;
	woken = 0;
	begin(PAUSE_DRAIN, "s", 0, "");
	assert_true(woken > 0);
	woken = 0;
	assert_true(end(PAUSE_DRAIN, "s"));
	assert_true(woken > 0);
}

static void
when_its_time_is_over_it_holds_nothing(void **state)
{
	(void)state;
	begin(PAUSE_PATH, "p", clock_wall() + HOUR, "");
	begin(PAUSE_DRAIN, "s", clock_wall() + HOUR, "");
	clock_offset = HOUR + 1; /* before the timer is asked */
	assert_false(rests("p", "", ""));
	assert_false(pauses_drained(core.pauses, "s"));
	assert_lists("");
	assert_false(end(PAUSE_PATH, "p"));
}

/* What a later version, or a hand, has left in the store. */
static void
odd_values_are_no_harm(void **state)
{
	static const char *const value[] = { "", "{", "[]", "{\"who\":1}" };
	char key[32];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(key, sizeof(key), "path p%zu", i);
		keep_put(&core, "pause", key, value[i], 0, NULL, NULL);
	}
	keep_put(&core, "pause", "path", "{}", 0, NULL, NULL);
	keep_put(&core, "pause", "road x", "{}", 0, NULL, NULL);
	core_restart();
	for (size_t i = 0; i < 4; i++) {
		snprintf(key, sizeof(key), "p%zu", i);
		assert_true(rests(key, "", ""));
		assert_true(end(PAUSE_PATH, key));
	}
	assert_lists("");
}

#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, set_up_core, tear_down_core)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_kind_holds_its_own),
		T(names_of_paths_are_exact_and_domains_are_not),
		T(the_latest_end_and_its_reason_are_told),
		T(the_last_word_counts),
		T(a_restart_resumes_nothing),
		T(one_that_ends_by_itself_wakes_what_it_held),
		T(a_change_wakes_what_it_concerns),
		T(when_its_time_is_over_it_holds_nothing),
		T(odd_values_are_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
