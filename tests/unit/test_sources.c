/*
 * test_sources.c - which source is chosen, and how much a new one may send: by
 * days, over restarts, and whatever the clock does.
 */
#include "tests/unit/core_fixture.h"

#include "router/sources_int.h"
#include "rules/rules.h"

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#define DAY INT64_C(86400000)

static const char settings[] =
    "hostname = a.jp\n"
    "rules = t.rules\n"
    "listener r { type = relay address = \"127.0.0.1:0\"\n"
    "networks = { 127.0.0.0/8 } }\n"
    "source s1 { hostname = s1.a.jp }\n"
    "source s2 { hostname = s2.a.jp }\n"
    "source s3 { hostname = s3.a.jp weight = 2 }\n"
    "pool stable { sources = { s1, s2, s3 } }\n"
    "pool turns { sources = { s1, s2, s3 } balance = round-robin }\n"
    "pool one { sources = { s1 } }\n"
    "path mta { type = mta pool = stable }\n";

static const char rules[] = "warm-up slow first 5 grow 2 cap 20\n"
			    "warm-up patient first 5 grow 2 cap 20 wait\n"
			    "warm-up large first 1000 grow 1.5 cap 100000\n"
			    "shape domain slow.example warm-up slow\n"
			    "shape domain patient.example warm-up patient\n"
			    "route all any via mta\n";

static struct config *config;

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
set_up_core(void **state)
{
	struct str report = STR_INIT;

	set_up(state);
	assert_int_equal(chdir(the->dir), 0);
	write_file("t.conf", settings);
	write_file("t.rules", rules);
	config = config_load_part("t.conf", CONFIG_RULES, &report);
	if (config == NULL)
		fail_msg("%s", report.data);
	str_release(&report);
	core_set_up(config);
	return 0;
}

static int
tear_down_core(void **state)
{
	core_tear_down();
	config_unref(&config);
	assert_int_equal(chdir("/tmp"), 0);
	return tear_down(state);
}

/* -- choosing ------------------------------------------------------------ */

static unsigned waits; /* for each source */

static unsigned
waiting(void *arg, const struct route *route)
{
	assert_ptr_equal(arg, &waits);
	assert_string_equal(route->path, "mta");
	return waits;
}

static struct route
route_to(const char *group)
{
	return (struct route){ .path = "mta",
		.pool = "",
		.source = "",
		.carrier = "",
		.group = group,
		.rule = "all",
		.ruleset = "",
		.configuration_set = "" };
}

static const char *shut; /* a source */

static bool
is_shut(void *arg, const struct route *route)
{
	assert_ptr_equal(arg, &waits);
	return shut != NULL && strcmp(route->source, shut) == 0;
}

static const struct sources_asks asks = { waiting, is_shut, &waits };

static const char *
choose_for(const char *pool, const char *group, const char *sender, int64_t id)
{
	struct message *m = message_new(id);
	struct route route = route_to(group);
	struct str from = STR_INIT;

	str_addf(&from, "info@%s", sender);
	message_set_from(m, from.data);
	sources_choose(
	    core.sources, config_pool_find(config, pool), &route, m, &asks);
	message_unref(&m);
	str_release(&from);
	return route.source;
}

static const char *
choose(const char *pool, const char *group)
{
	return choose_for(pool, group, "news.example", 1);
}

static void
stop(enum pause_kind kind, const char *name)
{
	pauses_set(core.pauses,
	    &(struct pause){ kind, name, "root", "", clock_wall(), 0 }, NULL,
	    NULL);
}

static void
go_on(enum pause_kind kind, const char *name)
{
	assert_true(pauses_end(core.pauses, kind, name, "root", NULL, NULL));
}

static bool
should_leave(const char *pool, const char *source, const char *group)
{
	struct route route = route_to(group);

	route.source = source;
	return sources_should_leave(
	    core.sources, config_pool_find(config, pool), &route, &asks);
}

static const struct rules_warm_up *
plan(const char *name)
{
	const struct rules_warm_up *p = ruleset_warm_up(config->rules, name);

	assert_non_null(p);
	return p;
}

static unsigned
left(const char *source, const char *group, const char *name)
{
	int64_t again;

	return sources_allowance(
	    core.sources, source, group, plan(name), &again);
}

static void
spend(const char *source, const char *group, const char *name, unsigned n)
{
	sources_spend(core.sources, source, group, plan(name), n);
	core_settle();
}

/* Its order, found by draining one after the other. */
static void
order_of(const char *group, const char *order[3])
{
	for (size_t i = 0; i < 3; i++) {
		order[i] = choose("stable", group);
		stop(PAUSE_DRAIN, order[i]);
	}
	for (size_t i = 0; i < 3; i++)
		go_on(PAUSE_DRAIN, order[i]);
}

static void
a_pair_keeps_its_source(void **state)
{
	const char *s = choose("stable", "a.example");

	(void)state;
	for (int64_t id = 1; id < 20; id++)
		assert_string_equal(
		    choose_for("stable", "a.example", "news.example", id), s);
	core_restart();
	assert_string_equal(choose("stable", "a.example"), s);
	assert_string_equal(choose("one", "a.example"), "s1");
}

static void
the_next_takes_over_while_one_is_stopped(void **state)
{
	static const enum pause_kind kinds[] = { PAUSE_DRAIN, PAUSE_SOURCE };
	const char *order[3];

	(void)state;
	order_of("a.example", order);
	for (size_t k = 0; k < 2; k++) {
		stop(kinds[k], order[0]);
		assert_string_equal(choose("stable", "a.example"), order[1]);
		stop(kinds[k], order[1]);
		assert_string_equal(choose("stable", "a.example"), order[2]);
		go_on(kinds[k], order[0]);
		assert_string_equal(choose("stable", "a.example"), order[0]);
		go_on(kinds[k], order[1]);
	}
}

static void
one_with_a_fault_is_passed_over(void **state)
{
	const char *order[3];

	(void)state;
	order_of("a.example", order);
	shut = order[0];
	assert_string_equal(choose("stable", "a.example"), order[1]);
	assert_string_not_equal(choose("turns", "a.example"), order[0]);
	/* All the same it is the one to wait for. */
	stop(PAUSE_SOURCE, order[1]);
	stop(PAUSE_SOURCE, order[2]);
	assert_string_equal(choose("stable", "a.example"), order[0]);
	assert_string_equal(choose("one", "a.example"), "s1");
	shut = NULL;
}

static void
when_none_is_free_it_waits_for_one_that_is_not_drained(void **state)
{
	const char *order[3];

	(void)state;
	order_of("a.example", order);
	stop(PAUSE_DRAIN, order[0]);
	stop(PAUSE_SOURCE, order[1]);
	stop(PAUSE_SOURCE, order[2]);
	assert_string_equal(choose("stable", "a.example"), order[1]);
	stop(PAUSE_DRAIN, order[1]);
	stop(PAUSE_DRAIN, order[2]);
	assert_string_equal(choose("stable", "a.example"), order[0]);
	assert_string_equal(choose("turns", "a.example"), "s1");
	go_on(PAUSE_DRAIN, "s2");
	go_on(PAUSE_DRAIN, "s1");
	go_on(PAUSE_DRAIN, "s3");
	stop(PAUSE_PATH, "mta"); /* of no concern here */
	stop(PAUSE_GROUP, "a.example");
	assert_string_equal(choose("stable", "a.example"), order[0]);
}

static void
in_turn_by_weight_and_message(void **state)
{
	unsigned n[3] = { 0 }, repeated = 0;
	const char *before = "";

	(void)state;
	for (int64_t id = 1; id <= 400; id++) {
		const char *s = choose_for("turns", "a.example", "x.jp", id);

		n[s[1] - '1']++;
		repeated += strcmp(s, before) == 0;
		before = s;
		/* Its other recipients go with it, wherever they go. */
		assert_string_equal(
		    choose_for("turns", "b.example", "x.jp", id), s);
	}
	assert_int_equal(n[0], 100);
	assert_int_equal(n[1], 100);
	assert_int_equal(n[2], 200);
	/* Spread: never three of s3 together, seldom two. */
	assert_true(repeated <= 100);
}

static void
turns_pass_over_who_is_stopped(void **state)
{
	unsigned n[3] = { 0 };

	(void)state;
	stop(PAUSE_DRAIN, "s3");
	for (int64_t id = 1; id <= 100; id++)
		n[choose_for("turns", "a.example", "x.jp", id)[1] - '1']++;
	assert_int_equal(n[0], 50);
	assert_int_equal(n[1], 50);
	go_on(PAUSE_DRAIN, "s3");
	/* It has not saved up turns. */
	memset(n, 0, sizeof(n));
	for (int64_t id = 101; id <= 140; id++)
		n[choose_for("turns", "a.example", "x.jp", id)[1] - '1']++;
	assert_in_range(n[2], 19, 21);
	/* The message that it was on goes on with another. */
	stop(PAUSE_SOURCE, choose_for("turns", "a.example", "x.jp", 141));
	choose_for("turns", "a.example", "x.jp", 141);
	sources_configure(core.sources);
	assert_string_not_equal(
	    choose_for("turns", "a.example", "x.jp", 142), "");
}

/* At the end of this turn of the loop. */
static bool
tells_the_core(void)
{
	return event_pending(core.sources->used_up, EV_TIMEOUT, NULL);
}

/* -- warm-up ------------------------------------------------------------- */

static void
what_is_over_takes_the_next_source(void **state)
{
	const char *order[3];

	(void)state;
	order_of("slow.example", order);
	spend(order[0], "slow.example", "slow", 4);
	assert_string_equal(choose("stable", "slow.example"), order[0]);
	/* One is spoken for. */
	waits = 1;
	assert_string_not_equal(choose("stable", "slow.example"), order[0]);
	waits = 0;
	assert_false(should_leave("stable", order[0], "slow.example"));
	assert_false(tells_the_core());
	sources_spend(core.sources, order[0], "slow.example", plan("slow"), 1);
	assert_true(tells_the_core());
	core_settle();
	assert_string_equal(choose("stable", "slow.example"), order[1]);
	assert_true(should_leave("stable", order[0], "slow.example"));
	assert_false(should_leave("one", order[0], "slow.example"));
	spend(order[1], "slow.example", "slow", 5);
	stop(PAUSE_SOURCE, order[2]);
	/* Nobody is left: it waits for its own. */
	assert_false(should_leave("stable", order[0], "slow.example"));
	assert_string_equal(choose("stable", "slow.example"), order[0]);
}

/* When all were used up, those who wait are told of the first that may go on. */
static void
a_new_day_is_told(void **state)
{
	const char *order[3];
	unsigned before;

	(void)state;
	order_of("slow.example", order);
	stop(PAUSE_DRAIN, order[2]);
	spend(order[1], "slow.example", "slow", 5);
	clock_offset += DAY / 2;
	spend(order[0], "slow.example", "slow", 5);
	core_settle();
	assert_false(should_leave("stable", order[0], "slow.example"));
	assert_true(evtimer_pending(core.sources->renewed, NULL));
	for (unsigned turn = 0; turn < 2; turn++) {
		before = woken;
		event_active(core.sources->renewed, EV_TIMEOUT, 1);
		core_settle();
		assert_int_equal(woken - before, turn);
		assert_true(evtimer_pending(core.sources->renewed, NULL));
		if (turn > 0)
			break;
		clock_offset += DAY / 2 + 1;
		core_restart();
	}
	assert_true(should_leave("stable", order[0], "slow.example"));
}

static void
a_patient_plan_waits(void **state)
{
	const char *order[3];
	int64_t again;

	(void)state;
	order_of("patient.example", order);
	sources_spend(
	    core.sources, order[0], "patient.example", plan("patient"), 5);
	assert_false(tells_the_core());
	assert_int_equal(sources_allowance(core.sources, order[0],
			     "patient.example", plan("patient"), &again),
	    0);
	assert_in_range(again, clock_wall() + DAY - 60000, clock_wall() + DAY);
	assert_string_equal(choose("stable", "patient.example"), order[0]);
	assert_false(should_leave("stable", order[0], "patient.example"));
	/* A drain does not ask the plan. */
	stop(PAUSE_DRAIN, order[0]);
	assert_true(should_leave("stable", order[0], "patient.example"));
	assert_string_equal(choose("stable", "patient.example"), order[1]);
}

static void
sources_and_groups_have_their_own_days(void **state)
{
	(void)state;
	spend("s1", "g", "slow", 3);
	assert_int_equal(left("s1", "g", "slow"), 2);
	assert_int_equal(left("s2", "g", "slow"), 5);
	assert_int_equal(left("s1", "h", "slow"), 5);
	/* Without a plan, and without a source, there is no limit. */
	assert_int_equal(
	    sources_allowance(core.sources, "s1", "g", NULL, &(int64_t){ 0 }),
	    UINT_MAX);
	assert_int_equal(left("", "g", "slow"), UINT_MAX);
	sources_spend(core.sources, "s1", "g", NULL, 5);
	assert_int_equal(left("s1", "g", "slow"), 2);
}

static void
each_day_allows_more_until_the_plan_is_over(void **state)
{
	static const unsigned allowed[] = { 5, 10, 20 };

	(void)state;
	for (size_t day = 0; day < 3; day++) {
		for (unsigned n = allowed[day]; n > 0; n--) {
			assert_int_equal(left("s1", "g", "slow"), n);
			spend("s1", "g", "slow", 1);
		}
		assert_int_equal(left("s1", "g", "slow"), 0);
		clock_offset += DAY - 60000;
		assert_int_equal(left("s1", "g", "slow"), 0);
		core_restart();
		assert_int_equal(left("s1", "g", "slow"), 0);
		clock_offset += 120000;
	}
	assert_int_equal(left("s1", "g", "slow"), UINT_MAX);
	spend("s1", "g", "slow", 1000);
	core_restart();
	assert_int_equal(left("s1", "g", "slow"), UINT_MAX);
}

static void
a_day_without_mail_does_not_count(void **state)
{
	(void)state;
	spend("s1", "g", "slow", 1);
	clock_offset += 10 * DAY;
	assert_int_equal(left("s1", "g", "slow"), 10);
	clock_offset += 10 * DAY;
	assert_int_equal(left("s1", "g", "slow"), 10);
	/* The day begins with its first recipient, not before. */
	spend("s1", "g", "slow", 10);
	clock_offset += DAY - 60000;
	assert_int_equal(left("s1", "g", "slow"), 0);
	clock_offset += 120000;
	assert_int_equal(left("s1", "g", "slow"), 20);
}

static void
a_clock_set_back_gives_nothing_twice(void **state)
{
	int64_t again;

	(void)state;
	spend("s1", "g", "slow", 5);
	clock_offset -= 30 * DAY;
	assert_int_equal(
	    sources_allowance(core.sources, "s1", "g", plan("slow"), &again),
	    0);
	/* Nor does it keep anybody waiting for a month. */
	assert_true(again <= clock_wall() + DAY);
	core_restart();
	assert_int_equal(left("s1", "g", "slow"), 0);
	clock_offset += DAY - 60000;
	assert_int_equal(left("s1", "g", "slow"), 0);
	clock_offset += 120000;
	assert_int_equal(left("s1", "g", "slow"), 10);
	spend("s1", "g", "slow", 4);
	clock_offset -= 3600000;
	assert_int_equal(left("s1", "g", "slow"), 6);
}

/* As after kill -9: what is in the store is all that is known. */
static void
after_a_crash_a_block_may_be_lost_and_nothing_is_sent_twice(void **state)
{
	unsigned sent = 0, crashes;

	(void)state;
	for (crashes = 0; left("s1", "g", "large") > 0; crashes++) {
		unsigned before = left("s1", "g", "large");

		for (unsigned n = 0; n < 133 && left("s1", "g", "large") > 0;
		     n++, sent++)
			spend("s1", "g", "large", 1);
		core_restart();
		assert_true(left("s1", "g", "large") + 133 <= before ||
			    left("s1", "g", "large") == 0);
	}
	assert_true(sent <= 1000);
	assert_true(sent + 20 * crashes >= 1000);
}

static void
small_plans_lose_nothing_in_a_crash(void **state)
{
	(void)state;
	for (unsigned n = 5; n > 0; n--) {
		assert_int_equal(left("s1", "g", "slow"), n);
		spend("s1", "g", "slow", 1);
		core_restart();
	}
	assert_int_equal(left("s1", "g", "slow"), 0);
}

/* The store is told before the one who asks can go on. */
static void
what_leaves_is_on_its_way_to_the_store_first(void **state)
{
	(void)state;
	sources_spend(core.sources, "s1", "g", plan("slow"), 1);
	assert_int_equal(core.edits, 1);
	core_settle();
	sources_spend(core.sources, "s1", "h", plan("large"), 1);
	assert_int_equal(core.edits, 1);
	/* The rest of its block is there already. */
	sources_spend(core.sources, "s1", "h", plan("large"), 19);
	assert_int_equal(core.edits, 1);
	sources_spend(core.sources, "s1", "h", plan("large"), 1);
	assert_int_equal(core.edits, 2);
}

/* Nothing leaves that would not be remembered. */
static void
without_the_store_nothing_leaves(void **state)
{
	struct rlimit none, before;

	(void)state;
	log_open("/dev/null", NULL);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	spend("s1", "g", "slow", 1);
	assert_int_equal(left("s1", "g", "slow"), 0);
	core_settle();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(left("s1", "h", "slow"), 5);
	core_restart();
	log_open(NULL, NULL);
	assert_int_equal(left("s1", "g", "slow"), 5);
	spend("s1", "g", "slow", 1);
	assert_int_equal(left("s1", "g", "slow"), 4);
}

static void
set_warm(const char *source, const char *group, bool warm)
{
	sources_set_warm(core.sources, source, group, warm, NULL, NULL);
	core_settle();
}

static void
an_operator_knows_better(void **state)
{
	(void)state;
	spend("s1", "g", "slow", 5);
	set_warm("s1", "g", true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(left("s1", "g", "slow"), UINT_MAX);
		assert_int_equal(left("s1", "h", "slow"), 5);
		core_restart();
	}
	spend("s1", "h", "slow", 1);
	set_warm("s1", "", true);
	set_warm("s1", "i", false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(left("s1", "g", "slow"), UINT_MAX);
		assert_int_equal(left("s1", "h", "slow"), UINT_MAX);
		assert_int_equal(left("s1", "i", "slow"), 5);
		assert_int_equal(left("s2", "h", "slow"), 5);
		core_restart();
	}
	clock_offset += 1000 * DAY;
	assert_int_equal(left("s1", "h", "slow"), UINT_MAX);
	set_warm("s1", "", false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(left("s1", "g", "slow"), 5);
		assert_int_equal(left("s1", "h", "slow"), 5);
		core_restart();
	}
}

static void
one_that_is_not_used_is_new_again(void **state)
{
	(void)state;
	spend("s1", "g", "slow", 5);
	spend("s1", "h", "slow", 5);
	clock_offset += 89 * DAY;
	spend("s1", "h", "slow", 1);
	assert_int_equal(left("s1", "g", "slow"), 10);
	clock_offset += 2 * DAY;
	assert_int_equal(left("s1", "g", "slow"), 5);
	assert_int_equal(left("s1", "h", "slow"), 20);
	core_restart();
	assert_int_equal(left("s1", "g", "slow"), 5);
	assert_int_equal(left("s1", "h", "slow"), 20);
}

static void
add_row(void *arg, const struct warm_row *r)
{
	str_addf(arg, "%s %s %s %s day %u: %u of %u%s/", r->source,
	    r->group[0] != '\0' ? r->group : "*",
	    r->plan[0] != '\0' ? r->plan : "-", r->warm ? "warm" : "new",
	    r->day, r->sent, r->allowed, r->again != 0 ? "" : ", not begun");
}

static void
assert_rows(const char *expected)
{
	struct str text = STR_INIT;

	sources_each_warm(core.sources, add_row, &text);
	assert_string_equal(text.data, expected);
	str_release(&text);
}

static void
progress_is_listed(void **state)
{
	(void)state;
	assert_rows("");
	spend("s2", "b", "slow", 3);
	spend("s1", "b", "slow", 1);
	spend("s1", "a", "slow", 5);
	for (int i = 0; i < 2; i++) {
		assert_rows("s1 a slow new day 1: 5 of 5/"
			    "s1 b slow new day 1: 1 of 5/"
			    "s2 b slow new day 1: 3 of 5/");
		core_restart();
	}
	clock_offset += DAY + 1;
	spend("s1", "a", "slow", 2);
	set_warm("s2", "", true);
	assert_rows("s1 a slow new day 2: 2 of 10/"
		    "s1 b slow new day 2: 0 of 10, not begun/"
		    "s2 * - warm day 1: 0 of 0, not begun/");
}

static void
odd_values_are_no_harm(void **state)
{
	static const char *const value[] = { "", "{", "[]", "{\"day\":-1}",
		"{\"day\":1e9,\"sent\":99999999999,\"begin\":\"x\"}" };
	char key[8];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "s1\tg%zu", i);
		keep_put(&core, "warm-up", key, value[i], 0, NULL, NULL);
	}
	keep_put(&core, "warm-up", "", "{}", 0, NULL, NULL);
	keep_put(&core, "warm-up", "s1", "{\"warm\":true}", 0, NULL, NULL);
	core_restart();
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(left("s1", key + 3, "slow"), 5);
	assert_int_equal(left("s1", "h", "slow"), 5);
}

#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, set_up_core, tear_down_core)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_pair_keeps_its_source),
		T(the_next_takes_over_while_one_is_stopped),
		T(one_with_a_fault_is_passed_over),
		T(when_none_is_free_it_waits_for_one_that_is_not_drained),
		T(in_turn_by_weight_and_message),
		T(turns_pass_over_who_is_stopped),
		T(what_is_over_takes_the_next_source),
		T(a_new_day_is_told),
		T(a_patient_plan_waits),
		T(sources_and_groups_have_their_own_days),
		T(each_day_allows_more_until_the_plan_is_over),
		T(a_day_without_mail_does_not_count),
		T(a_clock_set_back_gives_nothing_twice),
		T(after_a_crash_a_block_may_be_lost_and_nothing_is_sent_twice),
		T(small_plans_lose_nothing_in_a_crash),
		T(what_leaves_is_on_its_way_to_the_store_first),
		T(without_the_store_nothing_leaves),
		T(an_operator_knows_better),
		T(one_that_is_not_used_is_new_again),
		T(progress_is_listed),
		T(odd_values_are_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
