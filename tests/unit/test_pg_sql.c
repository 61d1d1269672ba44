/*
 * test_pg_sql.c - PostgreSQL's tables: made once by many, refused when they are
 * another's; every statement means something there, and none of those that mail
 * waits for looks at more rows than it needs. PostgreSQL alone.
 */
#include "tests/unit/store_fixture.h"

#include "router/store/pg.h"

#include <poll.h>
#include <pthread.h>

#define DAY INT64_C(86400000)

static char schema[40];

/* As a writer's, in the test's schema. */
static PGconn *
connect_to(const char *settings)
{
	struct str url = STR_INIT;
	PGconn *c;

	str_addf(&url, "%s%coptions=-csearch_path%%3D%s%s", fixture_database(),
	    strchr(fixture_database(), '?') != NULL ? '&' : '?', schema,
	    settings);
	c = PQconnectdb(url.data);
	str_release(&url);
	if (PQstatus(c) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(c));
	return c;
}

static PGconn *
connect_here(void)
{
	return connect_to("");
}

static int64_t
ask(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);
	ExecStatusType st = PQresultStatus(r);
	int64_t n = 0;

	if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	if (PQntuples(r) > 0 && PQnfields(r) > 0)
		n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return n;
}

static int
new_schema(void **state)
{
	static unsigned number;
	char sql[80];

	(void)state;
	snprintf(schema, sizeof(schema), "p_%d_%u", (int)getpid(), ++number);
	snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", schema);
	pg_sql_number(fixture_database(), sql);
	return 0;
}

static int
old_schema(void **state)
{
	char sql[160];

	(void)state;
	snprintf(sql, sizeof(sql),
	    "SET client_min_messages = warning; DROP SCHEMA %s CASCADE",
	    schema);
	pg_sql_number(fixture_database(), sql);
	return 0;
}

/* A connection to its tables. */
static PGconn *
with_tables(void)
{
	PGconn *c = connect_here();
	struct err e = ERR_INIT;

	if (pg_schema_check(c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

/* -- versions -------------------------------------------------------------- */

static void *
check_in_thread(void *arg)
{
	PGconn *c = connect_here();
	struct err *e = arg;
	int ret = pg_schema_check(c, e);

	PQfinish(c);
	return ret == 0 ? arg : NULL;
}

static void
many_start_at_once(void **state)
{
	struct err e[6] = { 0 };
	pthread_t thread[6];
	PGconn *c;
	void *ok;

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, check_in_thread, &e[i]),
		    0);
	for (int i = 0; i < 6; i++) {
		pthread_join(thread[i], &ok);
		if (ok == NULL)
			fail_msg("%s", e[i].text);
	}
	c = with_tables();
	assert_int_equal(ask(c, "SELECT count(*) FROM oiwake_schema"), 1);
	assert_int_equal(
	    ask(c, "SELECT count(*) FROM part_made WHERE parent = 'event'"), 3);
	PQfinish(c);
}

static void *
open_in_thread(void *arg)
{
	PGconn *c = connect_to("%20-clock_timeout%3D50");
	struct err *e = arg;
	bool ok = pg_schema_open(c, e) == 0 &&
		  ask(c, "SELECT count(*) FROM pg_settings WHERE"
			 " name = 'lock_timeout' AND setting = '50'") == 1;

	PQfinish(c);
	return ok ? arg : NULL;
}

/* Whoever starts while another brings a large database up to date does not
 * fail for that. */
static void
a_start_waits_for_who_is_at_the_tables(void **state)
{
	PGconn *holder = with_tables();
	struct err e = ERR_INIT;
	pthread_t thread;
	bool ended = false;
	void *ok;

	(void)state;
	ask(holder, "BEGIN");
	ask(holder, "SELECT 1 FROM pg_advisory_xact_lock(1332836192)");
	assert_int_equal(pthread_create(&thread, NULL, open_in_thread, &e), 0);
	while (
	    !ended &&
	    ask(holder, "SELECT count(*) FROM pg_locks WHERE NOT granted"
			" AND locktype = 'advisory' AND objid = 1332836192"
			" AND database = (SELECT oid FROM pg_database"
			"  WHERE datname = current_database())"
			" AND clock_timestamp() - waitstart > '200 ms'") == 0)
		ended = pthread_tryjoin_np(thread, &ok) == 0;
	ask(holder, "COMMIT");
	if (!ended)
		pthread_join(thread, &ok);
	if (ended || ok == NULL)
		fail_msg("%s", e.text);
	PQfinish(holder);
}

static void
newer_is_refused(void **state)
{
	PGconn *c = with_tables();
	struct err e = ERR_INIT;
	char want[160];
	int64_t known = ask(c, "SELECT version FROM oiwake_schema");

	(void)state;
	ask(c, "UPDATE oiwake_schema SET version = 99");
	assert_int_equal(pg_schema_check(c, &e), -1);
	snprintf(want, sizeof(want),
	    "store '%s' has schema 99, this program knows up to %d", PQdb(c),
	    (int)known);
	assert_string_equal(e.text, want);
	/* And nothing is left locked. */
	ask(c, "UPDATE oiwake_schema SET version = version");
	PQfinish(c);
}

static void
others_tables_are_refused(void **state)
{
	PGconn *c = connect_here();
	struct err e = ERR_INIT;
	char want[160];

	(void)state;
	ask(c, "CREATE TABLE message(id int)");
	assert_int_equal(pg_schema_check(c, &e), -1);
	snprintf(want, sizeof(want),
	    "store '%s' is a database of another program", PQdb(c));
	assert_string_equal(e.text, want);
	assert_int_equal(
	    ask(c, "SELECT count(*) FROM pg_tables WHERE tablename ="
		   " 'oiwake_schema' AND schemaname = current_schema()"),
	    0);
	PQfinish(c);
}

/* A store that has been copied to another is not run on. */
static void
marks_are_seen(void **state)
{
	PGconn *c = with_tables();
	struct err e = ERR_INIT;

	(void)state;
	ask(c, "CREATE TABLE " COPY_MARK_FROM "(n int)");
	assert_int_equal(pg_schema_check(c, &e), -1);
	assert_non_null(strstr(e.text, "has been copied to another"));
	PQfinish(c);
}

/* After a restore from a server that had seen more transactions. */
static void
numbers_go_on(void **state)
{
	PGconn *c = with_tables();
	struct err e = ERR_INIT;
	int64_t last;

	(void)state;
	last = ask(c, "SELECT oiwake_seq() + (1000000::bigint << 20) + 7");
	ask(c, "INSERT INTO event SELECT oiwake_seq() + (1000000::bigint << 20)"
	       " + 7, oiwake_now(), 1, 0, 1, 0, '', '', '', '', '', '', '', '',"
	       " '', '', '', '', '', ''");
	assert_int_equal(pg_schema_check(c, &e), 0);
	assert_true(ask(c, "SELECT oiwake_seq()") > last);
	await_transactions_of(fixture_database());
	assert_true(ask(c, "SELECT max(seq) FROM event WHERE"
			   " seq < oiwake_horizon()") > last);
	PQfinish(c);
}

/* -- statements ------------------------------------------------------------ */

static bool
is_integer(Oid type)
{
	return type == 20 || type == 21 || type == 23 || type == 16;
}

static bool
is_text_or_bytes(Oid type)
{
	return type == 25 || type == 17;
}

/* What is bound and what is read is decoded by its length alone. */
static void
check_types(PGconn *c, const char *name, const char *sql)
{
	PGresult *r = PQdescribePrepared(c, name);

	for (int i = 0; i < PQnparams(r); i++)
		if (PQparamtype(r, i) != 20 &&
		    !is_text_or_bytes(PQparamtype(r, i)))
			fail_msg("parameter %d is no bigint: %s", i + 1, sql);
	for (int i = 0; i < PQnfields(r); i++)
		if (!is_integer(PQftype(r, i)) &&
		    !is_text_or_bytes(PQftype(r, i)) && PQftype(r, i) != 2278)
			fail_msg("column %d is of type %u: %s", i,
			    PQftype(r, i), sql);
	PQclear(r);
}

static void
every_statement_is_prepared(void **state)
{
	PGconn *c = with_tables();
	char name[16];
	PGresult *r;

	(void)state;
	for (int i = 0; i < SQL_MAX; i++) {
		if (pg_sql[i] == NULL)
			continue;
		snprintf(name, sizeof(name), "s%d", i);
		r = PQprepare(c, name, pg_sql[i], 0, NULL);
		if (PQresultStatus(r) != PGRES_COMMAND_OK)
			fail_msg("%s: %s", pg_sql[i], PQerrorMessage(c));
		PQclear(r);
		check_types(c, name, pg_sql[i]);
	}
	PQfinish(c);
}

/* -- plans ------------------------------------------------------------------
 */

#define ROWS "50000"

static void
fill(PGconn *c)
{
	ask(c, "INSERT INTO message SELECT i, 0, 'news@example.jp', '', 0, 0,"
	       " '', '', '', '', '', 5, 5, 1, ''"
	       " FROM generate_series(1, " ROWS ") i");
	ask(c,
	    "INSERT INTO recipient(message, idx, state, shelf, due, expires,"
	    " attempts, notify, flags, unread, delay_told, held_at, holder,"
	    " address, skey, orcpt, last, path, pool, source, carrier, grp,"
	    " rule, ruleset, configuration_set, sender, held)"
	    " SELECT i, 0, (i % 100 = 0)::int, i % 50, i * 7919 % 10000,"
	    " 9000, 0, 0, 0, 0, 0, 0, (i % 100 = 0)::int, 'u' || i || '@a.jp',"
	    " 'u' || i || '@a.jp', '', '', 'mta', 'p', 's', 'c', 'g', 'r',"
	    " 'v1', '', 'example.jp', ''"
	    " FROM generate_series(1, " ROWS "::bigint) i");
	ask(c, "INSERT INTO event SELECT i, oiwake_now() - i, i, 0, 1, 250,"
	       " 'example.jp', 'u' || i || '@a.jp', '', '', '', '', '', '', '',"
	       " '', '', '', '', '' FROM generate_series(1, " ROWS ") i");
	ask(c, "INSERT INTO suppression(scope, address, cause, who, state, at,"
	       " source, evidence, path, message, idx, expires, soft)"
	       " SELECT '', 'b' || i || '@a.jp', '', '', 0, 0, '', '', '', 0,"
	       " 0, i, 0 FROM generate_series(1, " ROWS ") i");
	ask(c, "INSERT INTO sent_key(path, carrier, grp, sender, source, rule,"
	       " configuration_set) VALUES('', '', '', '', '', '', '')");
	ask(c, "INSERT INTO sent SELECT i, 0, 0, i, 1, 0, '', 'x' || i, '', ''"
	       " FROM generate_series(1, " ROWS ") i");
	ask(c, "ANALYZE");
}

/* Lines of the plan of it that no index has answered, of tables that have
 * rows. */
static void
check_plan(
    PGconn *c, enum statement which, const char *values, const char *index)
{
	static const char *const bad[] = { "Seq Scan on recipient",
		"Seq Scan on message", "Seq Scan on suppression",
		"Seq Scan on sent ", "->  Sort", "Hash Join", "Merge Join" };
	struct str plan = STR_INIT, sql = STR_INIT;
	PGresult *r;

	str_addf(&sql, "PREPARE p AS %s", pg_sql[which]);
	ask(c, sql.data);
	str_clear(&sql);
	str_addf(&sql, "EXPLAIN EXECUTE p%s", values);
	r = PQexec(c, sql.data);
	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql.data, PQerrorMessage(c));
	for (int i = 0; i < PQntuples(r); i++)
		str_addf(&plan, "%s\n", PQgetvalue(r, i, 0));
	PQclear(r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (strstr(plan.data, bad[i]) != NULL)
			fail_msg("%s in\n%s", bad[i], plan.data);
	if (strstr(plan.data, index) == NULL)
		fail_msg("no %s in\n%s", index, plan.data);
	ask(c, "DEALLOCATE p");
	str_release(&plan);
	str_release(&sql);
}

/* clang-format off */
static const struct {
	enum statement which;
	const char *values, *index;
} plans[] = {
	{ SQL_LEASE, "(7, 5000, 100, 9)", "recipient_waiting" },
	{ SQL_NEXT_DUE, "(7)", "recipient_waiting" },
	{ SQL_NEXT_SHELF, "(7)", "recipient_waiting" },
	{ SQL_READ_SHELVES, "", "recipient_waiting" },
	{ SQL_BEGIN_SAME, "(5, 0, 'mta', 'p', 's', 'c', 'g', 'r', 'v1', '', 9, 1)", "recipient_pkey" },
	{ SQL_GET_STORED, "(5, 0)", "recipient_pkey" },
	{ SQL_RETRY, "(5, 0, 1, 2, 0, 'x', 0, 0, 9, 0)", "recipient_pkey" },
	{ SQL_EDIT_SLICE, "(-1, '', '', '', '', '', 0, 0, 90000, 1000, NULL, 0)", "recipient_pkey" },
	{ SQL_FIND_SUPPRESSED, "('b7@a.jp', 'mta', 0)", "suppression_address" },
	{ SQL_TRIM_SUPPRESSION, "(7, 100)", "suppression_expires" },
	{ SQL_UNSUPPRESS_SLICE, "(NULL, '', '', '', '', '', 0, 0, 0, 0, 0, 1000)", "suppression_pkey" },
	{ SQL_GET_SENT, "(5, 0)", "sent_pkey" },
	{ SQL_FIND_SENT_REMOTE, "('x7', 0, 'x')", "sent_remote" },
	{ SQL_TRIM_SENT, "(7, 100)", "sent_remember" },
	{ SQL_NODE_SENDING, "(1, 100)", "recipient_taken" },
	{ SQL_NODE_RETURN, "(1, 100, 7)", "recipient_taken" },
	{ SQL_READ_EVENTS, "(5, 100)", "seq_idx" },
	{ SQL_READ_LAST_EVENT, "", "seq_idx" },
};
/* clang-format on */

static void
nothing_is_scanned(void **state)
{
	PGconn *c = with_tables(), *w;

	(void)state;
	fill(c);
	w = connect_to("%20-cplan_cache_mode%3Dforce_generic_plan"
		       "%20-cenable_hashjoin%3Doff%20-cenable_mergejoin%3Doff"
		       "%20-cenable_bitmapscan%3Doff");
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		check_plan(w, plans[i].which, plans[i].values, plans[i].index);
	PQfinish(w);
	PQfinish(c);
}

/* -- a pipeline -------------------------------------------------------------
 */

/* libpq reads while it sends, whenever the server does not take more. */
static void
what_has_been_read_already_is_not_waited_for(void **state)
{
	PGconn *c = with_tables();
	struct pollfd p = { .fd = PQsocket(c), .events = POLLIN };
	struct pg *pg = pg_new(PG_WRITE);
	struct sql *q = pg_sql_of(pg);
	struct stmt *st = sql_stmt(q, SQL_TALLY_STATE);
	enum store_status status;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(pg_attach(pg, c, &e), 0);
	pg_begin(pg, 0);
	sql_ahead(q, st, "test");
	assert_int_equal(PQsendFlushRequest(c), 1);
	assert_int_equal(PQflush(c), 0);
	assert_int_equal(poll(&p, 1, -1), 1);
	assert_int_equal(PQconsumeInput(c), 1);
	if (!sql_next(q, st, "test", &status, &e))
		fail_msg("%s", e.text);
	sql_reset(st);
	assert_int_equal(pg_commit(pg, &e), STORE_OK);
	pg_free(&pg);
}

/* -- the queue --------------------------------------------------------------
 */

static void
put_recipient(PGconn *c, int message, int index, int holder)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO recipient VALUES(%d, %d, %d, 7, 5, 9, 0, 0, 0, 0, 0,"
	    " 0, %d, 'a@a.jp', 'a@a.jp', '', '', 'mta', '', '', '', '', '', '',"
	    " '', '', '')",
	    message, index, holder != 0, holder);
	ask(c, sql);
}

static void
put_message(PGconn *c, int message, int nrcpt)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO message VALUES(%d, 0, '', '', 0, 0, '', '', '', '',"
	    " '', 0, 0, %d, ''); INSERT INTO body VALUES(%d, 'x')",
	    message, nrcpt, message);
	ask(c, sql);
}

/* Two nodes settle the last two recipients of a message at the same time. */
static void
the_last_of_two_takes_the_message(void **state)
{
	PGconn *a = with_tables(), *b = connect_here();
	PGresult *r;

	(void)state;
	put_message(a, 1, 2);
	put_recipient(a, 1, 0, 3);
	put_recipient(a, 1, 1, 4);
	ask(a, "BEGIN; SELECT oiwake_remove(1, 0, 3)");
	assert_int_equal(PQsendQuery(b, "SELECT oiwake_remove(1, 1, 4)"), 1);
	while (
	    ask(a, "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid ="
		   " (SELECT pid FROM pg_stat_activity WHERE query ="
		   " 'SELECT oiwake_remove(1, 1, 4)' LIMIT 1)") == 0)
		;
	ask(a, "COMMIT");
	while ((r = PQgetResult(b)) != NULL) {
		assert_string_equal(PQgetvalue(r, 0, 0), "t");
		PQclear(r);
	}
	assert_int_equal(ask(a, "SELECT count(*) FROM message"), 0);
	assert_int_equal(ask(a, "SELECT count(*) FROM body"), 0);
	PQfinish(a);
	PQfinish(b);
}

static void
only_who_holds_it_removes_it(void **state)
{
	PGconn *c = with_tables();

	(void)state;
	put_message(c, 1, 2);
	put_recipient(c, 1, 0, 3);
	put_recipient(c, 1, 1, 0);
	ask(c, "SELECT oiwake_remove(1, 0, 4)");
	assert_int_equal(ask(c, "SELECT count(*) FROM recipient"), 2);
	ask(c, "SELECT oiwake_remove(1, 0, 3)");
	assert_int_equal(ask(c, "SELECT count(*) FROM recipient"), 1);
	assert_int_equal(ask(c, "SELECT count(*) FROM body"), 1);
	ask(c, "SELECT oiwake_remove(1, 1, 3)");
	assert_int_equal(ask(c, "SELECT count(*) FROM body"), 0);
	PQfinish(c);
}

/* -- parts by time -----------------------------------------------------------
 */

static void
put_event(PGconn *c, int seq, int64_t days)
{
	char sql[300];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO event SELECT %d, oiwake_now() + %lld, 1, 0, 1, 0, '',"
	    " '', '', '', '', '', '', '', '', '', '', '', '', ''",
	    seq, (long long)(days * DAY));
	ask(c, sql);
}

static void
old_parts_are_dropped(void **state)
{
	PGconn *c = with_tables();

	(void)state;
	ask(c, "SELECT oiwake_part_add(k, (oiwake_now() / 86400000 - 10)"
	       " * 86400000) FROM part_kind k WHERE parent = 'event'");
	put_event(c, 1, -10);
	put_event(c, 2, -400); /* in no part of its own, as the next one */
	put_event(c, 3, -5);
	put_event(c, 4, 0);
	assert_int_equal(ask(c, "SELECT count(*) FROM event_default"), 2);
	assert_int_equal(ask(c, "SELECT oiwake_trim('event',"
				" oiwake_now() - 8 * 86400000, 100)"),
	    1);
	assert_int_equal(ask(c, "SELECT count(*) FROM event"), 2);
	assert_int_equal(ask(c, "SELECT min(seq) FROM event"), 3);
	assert_int_equal(
	    ask(c, "SELECT count(*) FROM part_made WHERE parent = 'event'"), 3);
	/* What is kept for less than a day or two goes row by row, but for the
	 * newest. */
	assert_int_equal(
	    ask(c, "SELECT oiwake_trim('event', oiwake_now() + 1, 100)"), 1);
	assert_int_equal(ask(c, "SELECT max(seq) FROM event"), 4);
	PQfinish(c);
}

/* The clock was wrong, or nobody has made the part in time. */
static void
what_waited_for_its_part_moves_there(void **state)
{
	PGconn *c = with_tables();

	(void)state;
	put_event(c, 1, 5);
	put_event(c, 2, 6);
	ask(c, "SELECT oiwake_part_add(k, (oiwake_now() / 86400000 + 5)"
	       " * 86400000) FROM part_kind k WHERE parent = 'event'");
	assert_int_equal(ask(c, "SELECT count(*) FROM event_default"), 1);
	assert_int_equal(ask(c, "SELECT count(*) FROM event"), 2);
	PQfinish(c);
}

/* Whoever reads for long makes nobody wait who trims. */
static void
a_reader_is_not_waited_for(void **state)
{
	PGconn *a = with_tables(), *b = connect_here();

	(void)state;
	ask(a, "SELECT oiwake_part_add(k, (oiwake_now() / 86400000 - 10)"
	       " * 86400000) FROM part_kind k WHERE parent = 'event'");
	ask(b, "BEGIN; SELECT count(*) FROM event");
	ask(a, "SELECT oiwake_trim('event', oiwake_now() - 8 * 86400000, 9)");
	assert_int_equal(
	    ask(a, "SELECT count(*) FROM part_made WHERE parent = 'event'"), 4);
	ask(b, "COMMIT");
	ask(a, "SELECT oiwake_trim('event', oiwake_now() - 8 * 86400000, 9)");
	assert_int_equal(
	    ask(a, "SELECT count(*) FROM part_made WHERE parent = 'event'"), 3);
	PQfinish(a);
	PQfinish(b);
}

static void
reading_begins_at_a_time(void **state)
{
	PGconn *c = with_tables();

	(void)state;
	ask(c, "INSERT INTO event SELECT i, oiwake_now() - 1000000 + i * 10,"
	       " 1, 0, 1, 0, '', '', '', '', '', '', '', '', '', '', '', '',"
	       " '', '' FROM generate_series(1, 1000) i");
	/* Told late, of long ago. */
	ask(c, "INSERT INTO event SELECT 1001, oiwake_now() - 5000000, 1, 0, 1,"
	       " 0, '', '', '', '', '', '', '', '', '', '', '', '', '', ''");
	assert_int_equal(ask(c, "SELECT oiwake_event_before((SELECT at FROM"
				" event WHERE seq = 500))"),
	    499);
	assert_int_equal(ask(c, "SELECT oiwake_event_before(0)"), 0);
	assert_int_equal(
	    ask(c, "SELECT oiwake_event_before(oiwake_now() + 1)"), 1001);
	PQfinish(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_schema, old_schema)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_start_at_once),
		TEST(a_start_waits_for_who_is_at_the_tables),
		TEST(newer_is_refused),
		TEST(others_tables_are_refused),
		TEST(marks_are_seen),
		TEST(numbers_go_on),
		TEST(every_statement_is_prepared),
		TEST(nothing_is_scanned),
		TEST(what_has_been_read_already_is_not_waited_for),
		TEST(the_last_of_two_takes_the_message),
		TEST(only_who_holds_it_removes_it),
		TEST(old_parts_are_dropped),
		TEST(what_waited_for_its_part_moves_there),
		TEST(a_reader_is_not_waited_for),
		TEST(reading_begins_at_a_time),
	};

	if (fixture_database() == NULL)
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
