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
	int64_t until;

	(void)state;
	begin(PAUSE_GROUP, "h", clock_wall() + HOUR, "");
	until = clock_wall() + 1000; /* not over before it is kept */
	begin(PAUSE_GROUP, "g", until, "");
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

/* -- mail ---------------------------------------------------------------- */

static bool
holds(const char *path, const char *carrier, const char *sender)
{
	const struct mail_scope mail = { path, carrier, sender, "shop" };
	const char *why = NULL;
	int64_t until = 0;
	bool held = pauses_mail(core.pauses, &mail, &until, &why);

	assert_int_equal(held, why != NULL);
	assert_int_equal(held, until > clock_wall());
	return held;
}

static void
mail_is_held_by_what_describes_it(void **state)
{
	(void)state;
	assert_false(holds("mta", "docomo", "a.example"));
	begin(PAUSE_MAIL, "carrier=docomo sender=a.example", 0, "bad");
	begin(PAUSE_PATH, "other", 0, "");
	assert_true(holds("mta", "docomo", "A.Example"));
	assert_false(holds("mta", "au", "a.example"));
	assert_false(holds("mta", "docomo", "b.example"));
	assert_false(rests("mta", "", "docomo"));
	assert_int_equal(pauses_of_mail(core.pauses), 1);
	core_restart();
	assert_true(holds("mta", "docomo", "a.example"));
	assert_lists("path other/mail carrier=docomo sender=a.example/");
	assert_true(end(PAUSE_MAIL, "carrier=docomo sender=a.example"));
	assert_false(holds("mta", "docomo", "a.example"));
	assert_int_equal(pauses_of_mail(core.pauses), 0);
}

static void
some_may_pass(void **state)
{
	const struct mail_scope mail = { "mta", "docomo", "a.example", "" };

	(void)state;
	begin(PAUSE_MAIL, "sender=a.example", 0, "");
	assert_false(pauses_pass(core.pauses, &mail));
	pauses_let_pass(core.pauses, "sender=a.example", 2);
	assert_true(pauses_pass(core.pauses, &mail));
	assert_int_equal(pauses_passes(core.pauses, "sender=a.example"), 1);
	/* Another one holds it as well. */
	begin(PAUSE_MAIL, "path=mta", 0, "");
	pauses_let_pass(core.pauses, "path=mta", 1);
	assert_false(pauses_pass(core.pauses, &mail));
	assert_true(end(PAUSE_MAIL, "path=mta"));
	assert_true(pauses_pass(core.pauses, &mail));
	assert_false(pauses_pass(core.pauses, &mail));
	assert_true(holds("mta", "docomo", "a.example"));
}

/* The guard's own ends when the guard says so: it has to look at what becomes
 * of a few first, however long nobody ran. */
static void
the_guards_pause_does_not_end_by_itself(void **state)
{
	const struct pause p = { PAUSE_MAIL, "path=mta", PAUSE_GUARD, "bad",
		clock_wall(), clock_wall() + HOUR };

	(void)state;
	pauses_set(core.pauses, &p, NULL, NULL);
	begin(PAUSE_MAIL, "path=ses", clock_wall() + HOUR, "");
	clock_offset = 2 * HOUR;
	assert_true(pauses_find(core.pauses, PAUSE_MAIL, "path=mta") != NULL);
	assert_null(pauses_find(core.pauses, PAUSE_MAIL, "path=ses"));
	core_restart();
	assert_true(pauses_find(core.pauses, PAUSE_MAIL, "path=mta") != NULL);
	assert_null(pauses_find(core.pauses, PAUSE_MAIL, "path=ses"));
}

/* -- other nodes ----------------------------------------------------------- */

#define BY_ANN "{\"who\":\"ann\",\"why\":\"w\",\"at\":1,\"until\":0}"

/* What another node has put there is in force here, and what it has taken away is over. */
static void
other_nodes_begin_and_end_them(void **state)
{
	const struct kept rows[] = {
		{ "pause", "path mta", BY_ANN, 0 },
		{ "pause", "source s1", "not JSON", 0 },
		{ "pause", "nonsense x", BY_ANN, 0 },
		{ "pause", "drain", BY_ANN, 0 },
	};

	(void)state;
	pauses_kept(&core, rows, 4);
	assert_true(rests("mta", "", ""));
	assert_true(rests("", "s1", ""));
	assert_string_equal(
	    pauses_find(core.pauses, PAUSE_PATH, "mta")->who, "ann");
	pauses_kept(&core, rows + 1, 3);
	assert_false(rests("mta", "", ""));
	pauses_kept(&core, NULL, 0);
	assert_false(rests("", "s1", ""));
}

/* One that is on its way to the store is not over because it is not there yet, nor one that has come there since
 * what is read was asked for. */
static void
what_is_read_is_older_than_our_own(void **state)
{
	const struct kept row = { "pause", "path mta", BY_ANN, 0 };

	(void)state;
	keep_reading_begins(&core);
	pauses_set(core.pauses,
	    &(struct pause){ PAUSE_PATH, "mta", "root", "", 5, 0 }, NULL,
	    NULL);
	pauses_kept(&core, NULL, 0);
	assert_true(rests("mta", "", ""));
	core_settle();
	pauses_kept(&core, NULL, 0);
	assert_true(rests("mta", "", ""));
	assert_true(end(PAUSE_PATH, "mta"));
	pauses_kept(&core, &row, 1);
	assert_false(rests("mta", "", ""));
	keep_reading_ends(&core);
	pauses_kept(&core, &row, 1);
	assert_true(rests("mta", "", ""));
}

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
		T(mail_is_held_by_what_describes_it),
		T(some_may_pass),
		T(the_guards_pause_does_not_end_by_itself),
		T(other_nodes_begin_and_end_them),
		T(what_is_read_is_older_than_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
