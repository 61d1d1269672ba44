/*
 * test_store_tally_keep.c - how long counts by time are kept, under how many
 * keys, and who is told of them.
 *
 * The engine alone, at times that are chosen here; at last the store, whose own
 * thread does the same by the clock.
 */
#include "tests/unit/store_fixture.h"

#include "router/store/sqlite_int.h"

#include <sched.h>

#define MINUTE INT64_C(60000)
#define HOUR   INT64_C(3600000)
#define DAY    INT64_C(86400000)
#define NOON   (INT64_C(20000) * DAY + 12 * HOUR) /* of some day */
#define KEEP   (30 * DAY)

static struct engine *engine;
static struct store_reader *reader;

static int
open_engine(void **state)
{
	struct err e = ERR_INIT;

	set_up(state);
	store_close(&the->store);
	the->config.tally_keep = KEEP;
	engine = sqlite_engine.open(&the->config, &e);
	reader = sqlite_engine.reader_open(&the->config, &e);
	if (engine == NULL || reader == NULL)
		fail_msg("%s", e.text);
	return 0;
}

static int
close_engine(void **state)
{
	sqlite_engine.reader_close(&reader);
	sqlite_engine.close(&engine);
	return tear_down(state);
}

static void
begin(void)
{
	struct err e = ERR_INIT;

	assert_int_equal(engine->ops->begin(engine, &e), STORE_OK);
}

static void
commit(void)
{
	struct err e = ERR_INIT;

	assert_int_equal(engine->ops->commit(engine, &e), STORE_OK);
}

static const struct tally_key docomo = { "mta", "docomo", "docomo",
	"example.jp", "s1", "keitai", "" };

static void
add(const struct tally_key *key, int64_t at, int64_t now)
{
	struct tally t = { .n = { [COUNT_SENT] = 1 } };
	struct tally_row row = {
		.at = at, .span = MINUTE, .key = *key, .tally = &t
	};
	struct err e = ERR_INIT;

	assert_int_equal(
	    sql_add_tally(engine, &row, now, &e), STORE_OK);
}

static void
add_one(int64_t at, int64_t now)
{
	begin();
	add(&docomo, at, now);
	commit();
}

static void
fold_all(int64_t now)
{
	struct err e = ERR_INIT;
	size_t n = 1;

	while (n > 0) {
		begin();
		assert_int_equal(
		    sql_fold_tallies(engine, now, 500, &n, &e),
		    STORE_OK);
		commit();
	}
}

static void
trim_all(int64_t now)
{
	struct err e = ERR_INIT;
	size_t n = 1;

	while (n > 0) {
		begin();
		assert_int_equal(
		    sql_trim_tallies(engine, now, 3, &n, &e),
		    STORE_OK);
		commit();
	}
}

static int64_t
ask(const char *sql)
{
	sqlite3 *db = container_of(sql_of_reader(reader), struct sqlite, sql)->db;
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* How many rows there are of each length. */
static void
assert_rows(int64_t minutes, int64_t hours, int64_t days)
{
	assert_int_equal(
	    ask("SELECT count(*) FROM tally WHERE level = 0"), minutes);
	assert_int_equal(
	    ask("SELECT count(*) FROM tally WHERE level = 1"), hours);
	assert_int_equal(
	    ask("SELECT count(*) FROM tally WHERE level = 2"), days);
}

struct sum {
	int64_t n[COUNT_MAX];
	int64_t simulated, any_group, any_sender, least_span;
};

static void
add_row(void *arg, const struct tally_row *row)
{
	struct sum *s = arg;

	for (int c = 0; c < COUNT_MAX; c++)
		s->n[c] += row->tally->n[c];
	if (strcmp(row->key.group, TALLY_SIMULATOR) == 0)
		s->simulated += row->tally->n[COUNT_SENT];
	if (strcmp(row->key.group, "*") == 0)
		s->any_group += row->tally->n[COUNT_SENT];
	if (strcmp(row->key.sender, "*") == 0)
		s->any_sender += row->tally->n[COUNT_SENT];
	if (s->least_span == 0 || row->span < s->least_span)
		s->least_span = row->span;
}

static struct sum
sum_of(struct tally_filter f, int64_t now)
{
	struct sum s = { 0 };

	sql_read_tallies(reader, &f, now, add_row, &s);
	return s;
}

static int64_t
sent_since(int64_t since, int64_t now)
{
	struct tally_filter f = { .since = since };

	return sum_of(f, now).n[COUNT_SENT];
}

/* -- how long ---------------------------------------------------------------- */

static void
a_minute_is_folded_once_it_is_over(void **state)
{
	(void)state;
	add_one(NOON, NOON);
	add_one(NOON + MINUTE, NOON);
	fold_all(NOON + 3 * MINUTE - 1);
	assert_rows(2, 0, 0);
	fold_all(NOON + 3 * MINUTE);
	assert_rows(2, 1, 1);
	assert_int_equal(sent_since(0, NOON), 2);
	/* Once. */
	fold_all(NOON + 3 * MINUTE);
	assert_int_equal(sent_since(0, NOON), 2);
	fold_all(NOON + DAY);
	assert_rows(2, 1, 1);
	assert_int_equal(sent_since(0, NOON), 2);
}

static void
what_is_counted_late_is_in_all_three(void **state)
{
	int64_t now = NOON + 3 * MINUTE;

	(void)state;
	add_one(NOON, NOON);
	fold_all(now);
	add_one(NOON, now);
	add_one(NOON - 5 * MINUTE, now);
	add_one(NOON - 2 * HOUR, now);
	assert_rows(3, 3, 1);
	fold_all(now);
	assert_int_equal(sent_since(0, now), 4);
	assert_int_equal(sent_since(NOON - HOUR, now), 3);
	assert_int_equal(sent_since(NOON, now), 2);
}

static void
late_counts_go_where_their_time_is_kept(void **state)
{
	(void)state;
	add_one(NOON, NOON);
	fold_all(NOON + HOUR);
	add_one(NOON - 3 * DAY, NOON);
	assert_rows(1, 2, 2);
	add_one(NOON - 12 * DAY, NOON);
	assert_rows(1, 2, 3);
	add_one(NOON - KEEP - 2 * DAY, NOON);
	assert_rows(1, 2, 3);
	assert_int_equal(sent_since(0, NOON), 3);
}

static void
what_is_old_goes_and_its_sum_stays(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		add_one(NOON + i * 5 * HOUR, NOON);
	trim_all(NOON + 20 * DAY); /* nothing has been folded yet */
	assert_rows(10, 0, 0);
	fold_all(NOON + 3 * DAY);
	trim_all(NOON + 2 * DAY);
	assert_rows(10, 10, 3);
	trim_all(NOON + 2 * DAY + 7 * HOUR);
	assert_rows(8, 10, 3);
	assert_int_equal(sent_since(NOON - DAY, NOON + 2 * DAY), 10);
	trim_all(NOON + 5 * DAY);
	assert_rows(0, 10, 3);
	assert_int_equal(sent_since(NOON - DAY, NOON + 5 * DAY), 10);
	trim_all(NOON + 15 * DAY);
	assert_rows(0, 0, 3);
	assert_int_equal(sent_since(NOON - DAY, NOON + 15 * DAY), 10);
	trim_all(NOON + KEEP + DAY);
	assert_rows(0, 0, 2);
	assert_int_equal(ask("SELECT count(*) FROM tally_key"), 1);
	trim_all(NOON + KEEP + 5 * DAY);
	assert_rows(0, 0, 0);
	assert_int_equal(ask("SELECT count(*) FROM tally_key"), 0);
	/* And it begins anew, under a number of its own. */
	add_one(NOON + 100 * DAY, NOON + 100 * DAY);
	assert_int_equal(ask("SELECT id FROM tally_key"), 2);
	assert_int_equal(sent_since(0, NOON + 100 * DAY), 1);
}

/* A window of long ago begins at a full hour, or day, but not before it. */
static void
windows_are_rounded_down_to_what_is_kept(void **state)
{
	static const int64_t ago[] = { 0, HOUR, DAY, 3 * DAY, 11 * DAY };
	static const int64_t round[] = { MINUTE, MINUTE, MINUTE, HOUR, DAY };

	(void)state;
	for (int i = 0; i < 5; i++) {
		int64_t at = NOON + 90 * MINUTE - ago[i];
		int64_t begin_of = at - at % round[i];

		begin();
		add(&docomo, begin_of, NOON);
		add(&docomo, begin_of - MINUTE, NOON);
		commit();
	}
	fold_all(NOON + DAY);
	for (int i = 0; i < 5; i++)
		assert_int_equal(sent_since(NOON + 90 * MINUTE + 7 - ago[i],
				     NOON + 2 * HOUR),
		    2 * i + 1);
}

static void
a_wrong_clock_loses_no_count(void **state)
{
	(void)state;
	add_one(NOON, NOON);
	add_one(NOON + 1000 * DAY, NOON + 1000 * DAY);
	fold_all(NOON + 1000 * DAY + HOUR);
	for (int i = 0; i < 100; i++)
		add_one(NOON + i * MINUTE, NOON + i * MINUTE);
	fold_all(NOON + HOUR);
	assert_int_equal(sent_since(NOON, NOON + DAY), 102);
	assert_int_equal(sum_of((struct tally_filter){ .since = NOON,
					 .until = NOON + 101 * MINUTE },
			     NOON + DAY)
			     .n[COUNT_SENT],
	    101);
}

static void
a_damaged_row_stops_no_mail(void **state)
{
	sqlite3 *db = container_of(sql_of(engine)->q, struct sqlite, sql)->db;

	(void)state;
	log_set_level(LOG_ERROR + 1);
	add_one(NOON, NOON);
	add_one(NOON + MINUTE, NOON);
	assert_int_equal(sqlite3_exec(db,
			     "UPDATE tally SET data = x'ff'", NULL, NULL,
			     NULL), SQLITE_OK);
	add_one(NOON, NOON);
	assert_int_equal(sent_since(0, NOON), 1);
	fold_all(NOON + HOUR);
	assert_int_equal(sent_since(0, NOON), 1);
	assert_rows(2, 1, 1);
}

/* -- filters ------------------------------------------------------------------ */

static void
only_what_is_asked_for(void **state)
{
	struct tally_key ses = { "ses", "", "example.com", "example.net", "",
		"default", "set1" };

	(void)state;
	begin();
	for (int i = 0; i < 3; i++)
		add(&docomo, NOON, NOON);
	add(&ses, NOON, NOON);
	commit();
#define SENT(...) \
	sum_of((struct tally_filter){ __VA_ARGS__ }, NOON).n[COUNT_SENT]
	assert_int_equal(SENT(.path = "mta"), 3);
	assert_int_equal(SENT(.path = "ses"), 1);
	assert_int_equal(SENT(.carrier = ""), 1);
	assert_int_equal(SENT(.carrier = "docomo", .path = "mta"), 3);
	assert_int_equal(SENT(.sender = "example.net"), 1);
	assert_int_equal(SENT(.rule = "keitai"), 3);
	assert_int_equal(SENT(.rule = "other"), 0);
	assert_int_equal(SENT(.since = NOON + MINUTE), 0);
	assert_int_equal(SENT(.until = NOON), 0);
	assert_int_equal(SENT(.since = -5, .until = INT64_MAX), 4);
	assert_int_equal(SENT(.since = INT64_MAX), 0);
	assert_int_equal(SENT(.since = NOON + HOUR, .until = NOON), 0);
#undef SENT
}

/* -- how many keys -------------------------------------------------------------- */

static void
label_values_without_end_are_few_keys(void **state)
{
	enum { MANY = 60000 };
	char group[40], sender[40], rule[40];
	struct tally_key k = { "ses", "", group, sender, "", rule, "" };
	struct tally_key simulator = k;
	struct sum s;

	(void)state;
	simulator.group = TALLY_SIMULATOR;
	begin();
	for (int i = 0; i < MANY; i++) {
		snprintf(group, sizeof(group), "domain%d.example", i);
		snprintf(sender, sizeof(sender), "sender%d.example", i / 2);
		snprintf(rule, sizeof(rule), "rule%d", i % 7 ? 0 : i);
		add(&k, NOON, NOON);
		if (i % 1000 == 0)
			add(&simulator, NOON, NOON);
	}
	commit();
	assert_true(ask("SELECT count(*) FROM tally_key") <=
		    (int64_t)TALLY_KEYS_MAX + 100);
	s = sum_of((struct tally_filter){ .since = 0 }, NOON);
	assert_int_equal(s.n[COUNT_SENT], MANY + MANY / 1000);
	assert_int_equal(s.simulated, MANY / 1000);
	assert_int_equal(s.any_group, MANY - TALLY_KEYS_OF_GROUPS + 2);
	assert_true(s.any_sender > 0);
}

static void
a_key_that_is_known_stays_apart(void **state)
{
	char group[40];
	struct tally_key first = { "ses", "", "first.example", "a.example", "",
		"default", "" };
	struct tally_key k = first;

	(void)state;
	begin();
	add(&first, NOON, NOON);
	k.group = group;
	for (int i = 0; i < 3000; i++) {
		snprintf(group, sizeof(group), "domain%d.example", i);
		add(&k, NOON, NOON);
	}
	add(&first, NOON, NOON);
	commit();
	assert_int_equal(
	    sum_of((struct tally_filter){ .path = "ses" }, NOON).any_group,
	    3002 - TALLY_KEYS_OF_GROUPS - 1);
	/* What is no key of the store any more is known no more. */
	begin();
	k.group = "another.example";
	k.carrier = "docomo";
	add(&k, NOON, NOON);
	engine->ops->rollback(engine);
	begin();
	add(&k, NOON, NOON);
	commit();
	assert_int_equal(sum_of((struct tally_filter){ .carrier = "docomo" },
			     NOON)
			     .n[COUNT_SENT],
	    1);
}

/* -- the store's own thread ------------------------------------------------------ */

struct asking {
	struct store_query query;
	struct tally_filter filter;
	struct sum sum;
};

static void
run_asking(struct store_query *q, struct store_reader *r)
{
	struct asking *a = container_of(q, struct asking, query);

	store_read_tallies(r, &a->filter, add_row, &a->sum);
}

static struct sum
ask_store(struct tally_filter filter)
{
	struct asking a = { .filter = filter };

	a.query.reply_to = the->inbox;
	a.query.run = run_asking;
	a.query.done = on_query_answer;
	store_query(the->store, &a.query);
	await(1);
	return a.sum;
}

/* Its minutes are not read any more once they are in their days. */
static void
the_store_folds_by_itself(void **state)
{
	int64_t id[20], deadline = clock_mono() + 60000;
	struct sum s = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct settlement t;

		id[i] = put(1, clock_wall(), true);
		t = settlement(id[i], 0, SETTLE_FINAL, 1u << COUNT_SENT);
		t.at = clock_wall() - 3 * DAY - i * HOUR;
		assert_int_equal(ask_settle(&t, NULL), STORE_OK);
	}
	assert_int_equal(fixture_reopen(NULL), 0);
	while (s.least_span != DAY && clock_mono() < deadline) {
		s = ask_store((struct tally_filter){
		    .since = 0, .until = clock_wall() - DAY });
		assert_int_equal(s.n[COUNT_SENT], 20);
		sched_yield();
	}
	assert_int_equal(s.least_span, DAY);
	assert_int_equal(ask_store((struct tally_filter){ 0 }).n[COUNT_ACCEPTED],
	    20);
}

struct told {
	struct counters_watch watch;
	int times;
	int64_t accepted;
};

static void
take(void *arg, const struct tally_row *row)
{
	struct told *t = arg;

	assert_int_equal(row->span, MINUTE);
	t->accepted += row->tally->n[COUNT_ACCEPTED];
}

static void
on_told(struct counters_watch *w)
{
	struct told *t = container_of(w, struct told, watch);

	t->times++;
	store_take_counters(the->store, w, take, t);
}

static void
who_watches_is_told_of_all_commits(void **state)
{
	struct told t = { .watch = { .told = on_told } }, late = t;
	struct store_enqueue *q;

	(void)state;
	t.watch.inbox = late.watch.inbox = the->inbox;
	put(2, clock_wall(), false);
	store_watch_counters(the->store, &t.watch);
	store_watch_counters(the->store, &late.watch);
	for (int i = 0; i < 50; i++)
		put(2, clock_wall(), false);
	/* Nothing is told of what was rejected. */
	q = new_message(3, clock_wall(), 10);
	assert_int_equal(ask_enqueue(q), STORE_OK);
	assert_int_equal(ask_enqueue(q), STORE_REJECTED);
	free_message(q);
	while (t.accepted < 103 || late.accepted < 103)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_true(t.times >= 1 && t.times <= 51);
	store_unwatch_counters(the->store, &late.watch);
	put(1, clock_wall(), false);
	while (t.accepted < 104)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_int_equal(t.accepted, 104); /* and not what was before */
	assert_int_equal(late.accepted, 103);
	/* What waits for nobody goes with the watch. */
	put(1, clock_wall(), false);
	store_unwatch_counters(the->store, &t.watch);
	event_base_loop(the->base, EVLOOP_NONBLOCK);
	assert_true(t.accepted <= 105);
}

#define E(name)                                                                \
	SQLITE_OWN_WITH(                                                       \
	    name, open_engine, close_engine, "the engine is SQLite's")
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		E(a_minute_is_folded_once_it_is_over),
		E(what_is_counted_late_is_in_all_three),
		E(late_counts_go_where_their_time_is_kept),
		E(what_is_old_goes_and_its_sum_stays),
		E(windows_are_rounded_down_to_what_is_kept),
		E(a_wrong_clock_loses_no_count),
		E(a_damaged_row_stops_no_mail),
		E(only_what_is_asked_for),
		E(label_values_without_end_are_few_keys),
		E(a_key_that_is_known_stays_apart),
		T(the_store_folds_by_itself),
		T(who_watches_is_told_of_all_commits),
	};

	return RUN_STORE_TESTS(tests);
}
