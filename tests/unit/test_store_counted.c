/*
 * test_store_counted.c - what transactions count is added up once, whatever
 * happens in between; and each node hears once of what the others count.
 *
 * The engine alone against a model, at times that are chosen here: transactions
 * that are committed or not, added up or not, a process that ends or is killed.
 * Then stores that share a database. STORE_COUNTED_STEPS in the environment
 * makes it longer.
 */
#include "tests/unit/store_fixture.h"

#include "router/store/sqlite_int.h"

#include <signal.h>
#include <sys/wait.h>

#define MINUTE INT64_C(60000)
#define HOUR   INT64_C(3600000)
#define DAY    INT64_C(86400000)
#define NOON   (INT64_C(20000) * DAY + 12 * HOUR) /* of some day */

enum { STEPS = 400, KEYS = 5, MINUTES = 12, ROUNDS = 12 };

static struct engine *engine;
static struct store_reader *reader;

struct model {
	int64_t accepted[KEYS][MINUTES], sent[KEYS][MINUTES];
	int64_t before[KEYS]; /* accepted before there were counts by time */
};

static unsigned
pick(unsigned n)
{
	return (unsigned)random() % n;
}

static void
connect_engine(void)
{
	struct err e = ERR_INIT;

	engine = sqlite_engine.open(&the->config, &e);
	reader = sqlite_engine.reader_open(&the->config, &e);
	if (engine == NULL || reader == NULL)
		fail_msg("%s", e.text);
}

static void
disconnect_engine(void)
{
	sqlite_engine.reader_close(&reader);
	sqlite_engine.close(&engine);
}

static int
open_engine(void **state)
{
	set_up(state);
	store_close(&the->store);
	the->config.tally_keep = 100000 * DAY;
	connect_engine();
	return 0;
}

static int
close_engine(void **state)
{
	disconnect_engine();
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

/* -- one record ---------------------------------------------------------------
 */

static struct route
route_of(unsigned key)
{
	static char group[KEYS][20];
	struct route r = to_docomo;

	snprintf(group[key], sizeof(group[key]), "group%u", key);
	r.group = group[key];
	return r;
}

static void
write_record(const struct counters *c)
{
	struct err e = ERR_INIT;

	assert_int_equal(
	    engine->ops->add_counters(engine, c, NOON, &e), STORE_OK);
}

static void
count_some(struct model *m)
{
	struct counters c;

	counters_init(&c);
	c.since = NOON;
	for (unsigned i = pick(6); i > 0; i--) {
		unsigned key = pick(KEYS), minute = pick(MINUTES);
		struct route r = route_of(key);
		int64_t at = NOON + minute * MINUTE + pick(60000);
		int64_t n = (int64_t)pick(200) - 50;

		switch (pick(4)) {
		case 0:
			counters_add(
			    &c, &r, "example.jp", NOON - 1, COUNT_ACCEPTED, n);
			m->before[key] += n;
			break;
		case 1:
			counters_add(&c, &r, "example.jp", at, COUNT_SENT, n);
			m->sent[key][minute] += n;
			break;
		default:
			counters_add(
			    &c, &r, "example.jp", at, COUNT_ACCEPTED, n);
			m->accepted[key][minute] += n;
		}
	}
	write_record(&c);
	counters_release(&c);
}

/* -- what is to be seen
 * --------------------------------------------------------- */

static unsigned
key_of(const char *group)
{
	unsigned key = (unsigned)strtoul(group + strlen("group"), NULL, 10);

	assert_true(key < KEYS);
	return key;
}

static void
see_minute(void *arg, const struct tally_row *row)
{
	struct model *m = arg;
	int64_t minute = (row->at - NOON) / MINUTE;
	unsigned key = key_of(row->key.group);

	assert_true(minute >= 0 && minute < MINUTES);
	m->accepted[key][minute] += row->tally->n[COUNT_ACCEPTED];
	m->sent[key][minute] += row->tally->n[COUNT_SENT];
}

struct totals {
	int64_t accepted[KEYS], sent[KEYS];
	unsigned rows[KEYS];
};

static void
see_total(void *arg, const struct counter_row *row)
{
	struct totals *t = arg;
	unsigned key = key_of(row->group);

	assert_string_equal(row->path, "mta");
	assert_string_equal(row->sender, "example.jp");
	t->accepted[key] += row->n[COUNT_ACCEPTED];
	t->sent[key] += row->n[COUNT_SENT];
	t->rows[key]++;
}

static struct tally *
see_sum(void *arg, const struct tally_key *key)
{
	(void)key;
	return arg;
}

static void
assert_totals(const struct model *m)
{
	int64_t queued = 0, by_time = 0;
	struct totals t = { .sent = { 0 } };
	struct tally sum = TALLY_INIT;

	store_read_counters(reader, see_total, &t);
	for (unsigned k = 0; k < KEYS; k++) {
		queued += t.accepted[k] - t.sent[k];
		assert_true(t.rows[k] <= 1);
		t.accepted[k] -= m->before[k];
		for (unsigned i = 0; i < MINUTES; i++) {
			t.accepted[k] -= m->accepted[k][i];
			t.sent[k] -= m->sent[k][i];
			by_time += m->accepted[k][i];
		}
		assert_int_equal(t.accepted[k], 0);
		assert_int_equal(t.sent[k], 0);
	}
	assert_true(store_read_queue_size(reader) == (uint64_t)queued);
	sql_sum_tallies(reader, &(struct tally_filter){ .since = NOON }, NOON,
	    see_sum, &sum);
	assert_int_equal(sum.n[COUNT_ACCEPTED], by_time);
	tally_clear(&sum);
}

static void
assert_model(const struct model *m)
{
	struct tally_filter f = { .since = NOON, .step = TALLY_MINUTE };
	struct model seen = { .before = { 0 } };

	sqlite_engine.reader_begin(reader);
	sql_read_tallies(reader, &f, NOON, see_minute, &seen);
	assert_memory_equal(seen.accepted, m->accepted, sizeof(m->accepted));
	assert_memory_equal(seen.sent, m->sent, sizeof(m->sent));
	assert_totals(m);
	sqlite_engine.reader_end(reader);
}

/* -- histories
 * ------------------------------------------------------------------ */

static bool
by_chance_commit(void)
{
	if (pick(4) > 0) {
		commit();
		return true;
	}
	engine->ops->rollback(engine);
	return false;
}

/* Minutes are folded while there are still counts of them to come. */
static void
keep_counts(void)
{
	int64_t now = NOON + pick(MINUTES + 4) * MINUTE;
	struct err e = ERR_INIT;
	bool more;

	if (pick(3) > 0)
		sql_of(engine)->count_up_at = 0;
	assert_int_equal(
	    sql_keep_counts(engine, now, pick(5) > 0, 3, &more, &e), STORE_OK);
}

static void
a_step(struct model *m)
{
	struct model then = *m;

	if (pick(20) == 0) {
		disconnect_engine();
		connect_engine();
		return;
	}
	begin();
	for (unsigned i = pick(3) * pick(2); i > 0; i--)
		count_some(&then);
	if (pick(3) == 0)
		keep_counts();
	/* More than are added up at once. */
	for (unsigned i = pick(60) == 0 ? 700 : pick(3); i > 0; i--)
		count_some(&then);
	if (by_chance_commit())
		*m = then;
}

static void
any_history_is_added_up_once(void **state)
{
	const char *steps = getenv("STORE_COUNTED_STEPS");
	struct model m = { .before = { 0 } };
	struct err e = ERR_INIT;
	bool more = true;

	(void)state;
	srandom(4711);
	for (int i = steps != NULL ? atoi(steps) : STEPS; i > 0; i--) {
		a_step(&m);
		assert_model(&m);
	}
	while (more) {
		begin();
		assert_int_equal(
		    sql_count_up(engine, NOON, &more, &e), STORE_OK);
		commit();
		assert_model(&m);
	}
	assert_int_equal(sqlite_sql_number("SELECT count(*) FROM counted"), 0);
	/* And goes on with numbers that were never used. */
	begin();
	count_some(&m);
	commit();
	assert_model(&m);
	assert_true(sqlite_sql_number("SELECT min(seq) FROM counted") >
		    sqlite_sql_number("SELECT counted FROM tally_state"));
}

/* -- kill -9
 * ---------------------------------------------------------------------- */

/* Counts one at a time, and tells when it is committed. */
static void
count_until_killed(int told)
{
	static const struct model none;
	struct err e = ERR_INIT;
	struct counters c;
	struct route r = route_of(0);
	char yes = 'y';

	connect_engine();
	srandom((unsigned)getpid());
	for (;;) {
		struct model m = none;

		begin();
		if (pick(3) == 0)
			keep_counts();
		counters_init(&c);
		counters_add(&c, &r, "example.jp", NOON, COUNT_ACCEPTED, 1);
		write_record(&c);
		counters_release(&c);
		if (engine->ops->commit(engine, &e) != STORE_OK ||
		    write(told, &yes, 1) != 1 || m.before[0] != 0)
			_exit(1);
	}
}

static int64_t
killed_after(unsigned told)
{
	int fd[2], status;
	int64_t n = 0;
	char yes;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		count_until_killed(fd[1]);
	close(fd[1]);
	for (; read(fd[0], &yes, 1) == 1; n++)
		if (n + 1 == told) {
			usleep(pick(3000));
			kill(pid, SIGKILL);
		}
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return n;
}

static void
killed_at_any_moment_it_is_counted_once(void **state)
{
	struct model m = { .before = { 0 } };
	struct totals t;

	(void)state;
	srandom(4711);
	disconnect_engine();
	for (int i = 0; i < ROUNDS; i++) {
		m.accepted[0][0] += killed_after(1 + pick(20));
		connect_engine();
		t = (struct totals){ .sent = { 0 } };
		store_read_counters(reader, see_total, &t);
		/* The last one may have been committed and not told of. */
		assert_true(t.accepted[0] == m.accepted[0][0] ||
			    t.accepted[0] == m.accepted[0][0] + 1);
		m.accepted[0][0] = t.accepted[0];
		assert_model(&m);
		disconnect_engine();
	}
	connect_engine();
}

/* -- damage
 * ------------------------------------------------------------------------ */

static void
damaged_records_stop_no_mail(void **state)
{
	static const char *const damage[] = {
		"x''",
		"x'02'",
		"zeroblob(40)",
		"substr(data, 2)",
		"substr(data, 1, length(data) - 1)",
		"data || x'07'",
		"x'01ffffffff0f' || substr(data, 3)",
		"x'01' || zeroblob(3)",
	};
	struct model m = { .before = { 0 } };
	struct counters c;
	struct route r = route_of(0);

	(void)state;
	log_set_level(LOG_ERROR + 1);
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		struct err e = ERR_INIT;
		char sql[100];
		struct totals t = { .sent = { 0 } };
		bool more;

		for (int j = 0; j < 2; j++) {
			counters_init(&c);
			counters_add(&c, &r, "example.jp", NOON,
			    j == 0 ? COUNT_UNREAD : COUNT_ACCEPTED, 1);
			begin();
			write_record(&c);
			commit();
			counters_release(&c);
			snprintf(sql, sizeof(sql),
			    "UPDATE counted SET data = CAST(%s AS BLOB)",
			    damage[i]);
			if (j == 0)
				sqlite_sql_number(sql);
		}
		m.accepted[0][0]++;
		store_read_counters(reader, see_total, &t);
		assert_int_equal(t.accepted[0], m.accepted[0][0]);
		begin();
		assert_int_equal(
		    sql_count_up(engine, NOON, &more, &e), STORE_OK);
		commit();
		assert_model(&m);
	}
}

/* -- several nodes
 * ------------------------------------------------------------------ */

struct ear {
	struct counters_watch watch;
	struct store *store;
	int64_t accepted;
};

static void
hear(void *arg, const struct tally_row *row)
{
	struct ear *w = arg;

	w->accepted += row->tally->n[COUNT_ACCEPTED];
}

static void
on_told(struct counters_watch *watch)
{
	struct ear *w = container_of(watch, struct ear, watch);

	store_take_counters(w->store, watch, hear, w);
}

/* As it is done at a start: what there is, and then what comes. */
static void
listen_to(struct ear *w, struct store *s)
{
	*w = (struct ear){ .watch = { .inbox = the->inbox, .told = on_told },
		.store = s };
	store_each_tally(s, &(struct tally_filter){ .since = 0 }, hear, w);
	store_watch_counters(s, &w->watch);
}

static void
wait_for(struct ear *w, size_t n, int64_t accepted)
{
	for (size_t i = 0; i < n; i++)
		while (w[i].accepted < accepted)
			event_base_loop(the->base, EVLOOP_ONCE);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(w[i].accepted, accepted);
}

static struct store *
another_node(const char *name)
{
	struct store_config config = the->config;
	struct store_recovery recovery;
	struct err e = ERR_INIT;
	struct store *s;
	char *dir;

	dir = xcalloc(1, sizeof(the->dir) + 20);
	snprintf(dir, sizeof(the->dir) + 20, "%s/%s", the->dir, name);
	assert_int_equal(mkdir(dir, 0700), 0);
	config.directory = dir;
	config.node = name;
	s = store_open(&config, &recovery, &e);
	free(dir);
	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

static int64_t
put_some(struct store *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		the->store = s;
		put(2, clock_wall(), false);
	}
	return 2 * n;
}

static void
each_node_hears_once_of_what_others_count(void **state)
{
	struct store *store[3] = { the->store };
	struct ear w[3];
	int64_t accepted = 0;

	(void)state;
	if (the->url == NULL)
		skip();
	srandom(4711);
	accepted += put_some(store[0], 3); /* before anybody listens */
	store[1] = another_node("second");
	listen_to(&w[1], store[1]);
	assert_true(w[1].accepted <= accepted);
	listen_to(&w[0], store[0]);
	for (int i = 0; i < 20; i++)
		accepted += put_some(store[pick(2)], 1 + pick(3));
	wait_for(w, 2, accepted);
	store[2] = another_node("third");
	for (int i = 0; i < 5; i++)
		accepted += put_some(store[pick(2)], 1 + pick(3));
	listen_to(&w[2], store[2]);
	for (int i = 0; i < 20; i++)
		accepted += put_some(store[pick(3)], 1 + pick(3));
	wait_for(w, 3, accepted);
	accepted += put_some(store[2], 1);
	wait_for(w, 3, accepted);
	for (int i = 0; i < 3; i++)
		store_unwatch_counters(store[i], &w[i].watch);
	the->store = store[0];
	store_close(&store[1]);
	store_close(&store[2]);
}

#define E(name)                                                                \
	SQLITE_OWN_WITH(                                                       \
	    name, open_engine, close_engine, "the engine is SQLite's")
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		E(any_history_is_added_up_once),
		E(killed_at_any_moment_it_is_counted_once),
		E(damaged_records_stop_no_mail),
		T(each_node_hears_once_of_what_others_count),
	};

	return RUN_STORE_TESTS(tests);
}
