/*
 * test_store_schema.c - an older store becomes one of today, whatever happens
 * meanwhile.
 *
 * The text of the old tables is kept here as it was released: a step of the
 * schema that is changed afterwards fails here.
 */
#include "tests/unit/store_fixture.h"

#include "rules/rules.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#define DUE INT64_C(1767225600000)
#define OLD INT64_C(1700000000000) /* ids of the messages that were there */

static const char version_1[] =
    "CREATE TABLE message(id INTEGER PRIMARY KEY, received INTEGER NOT NULL,"
    " reverse_path TEXT NOT NULL, envid TEXT NOT NULL, ret INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, user TEXT NOT NULL, listener TEXT NOT NULL,"
    " client TEXT NOT NULL, header_from TEXT NOT NULL,"
    " message_id TEXT NOT NULL, size INTEGER NOT NULL,"
    " header_size INTEGER NOT NULL, nrcpt INTEGER NOT NULL,"
    " spool TEXT NOT NULL) STRICT;"
    "CREATE INDEX message_spool ON message(spool) WHERE spool <> '';"
    "CREATE TABLE body(message INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE recipient(message INTEGER NOT NULL, idx INTEGER NOT NULL,"
    " state INTEGER NOT NULL, shelf INTEGER NOT NULL, due INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " notify INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " unread INTEGER NOT NULL, delay_told INTEGER NOT NULL,"
    " address TEXT NOT NULL, orcpt TEXT NOT NULL, last TEXT NOT NULL,"
    " path TEXT NOT NULL, pool TEXT NOT NULL, source TEXT NOT NULL,"
    " carrier TEXT NOT NULL, grp TEXT NOT NULL, rule TEXT NOT NULL,"
    " ruleset TEXT NOT NULL, configuration_set TEXT NOT NULL,"
    " sender TEXT NOT NULL, PRIMARY KEY(message, idx)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX recipient_waiting ON recipient(shelf, due) WHERE state = 0;"
    "CREATE INDEX recipient_taken ON recipient(state) WHERE state <> 0;"
    "CREATE TABLE counter(path TEXT NOT NULL, carrier TEXT NOT NULL,"
    " grp TEXT NOT NULL, sender TEXT NOT NULL, source TEXT NOT NULL,"
    " rule TEXT NOT NULL, accepted INTEGER NOT NULL, sent INTEGER NOT NULL,"
    " delivered INTEGER NOT NULL, bounced INTEGER NOT NULL,"
    " filtered INTEGER NOT NULL, deferred INTEGER NOT NULL,"
    " expired INTEGER NOT NULL, complained INTEGER NOT NULL,"
    " suppressed INTEGER NOT NULL, removed INTEGER NOT NULL,"
    " unread INTEGER NOT NULL,"
    " PRIMARY KEY(path, carrier, grp, sender, source, rule))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
    " message INTEGER NOT NULL, idx INTEGER NOT NULL, type INTEGER NOT NULL,"
    " sender TEXT NOT NULL, recipient TEXT NOT NULL, path TEXT NOT NULL,"
    " carrier TEXT NOT NULL, grp TEXT NOT NULL, source TEXT NOT NULL,"
    " rule TEXT NOT NULL, code INTEGER NOT NULL, enhanced TEXT NOT NULL,"
    " stage TEXT NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL,"
    " peer TEXT NOT NULL, remote_id TEXT NOT NULL) STRICT;"
    "CREATE INDEX event_message ON event(message);"
    "PRAGMA application_id = 1332311905; PRAGMA user_version = 1;";

/* Three messages of two recipients: waiting, in memory, and being sent. */
static const char contents_1[] =
    "INSERT INTO message SELECT 1700000000000 + value, 1767225600000,"
    " 'news@example.jp', 'env' || value, 72, 1, 'alice', 'submission',"
    " '192.0.2.1', 'example.jp', '<1@example.jp>', 5, 3, 2, ''"
    " FROM json_each('[1,2,3]');"
    "INSERT INTO body SELECT id, CAST('xxxxx' AS BLOB) FROM message;"
    "INSERT INTO recipient SELECT m.id, value, m.id - 1700000000001, 7,"
    " 1767225600000, 1767226600000, 1, 6, 1, 0, 0,"
    " 'user' || value || '@docomo.ne.jp', '', '450 later', 'mta', 'keitai',"
    " 's1', 'docomo', 'docomo', 'keitai', 'v1', '', 'example.jp'"
    " FROM message m, json_each('[0,1]');"
    "INSERT INTO counter VALUES('mta', 'docomo', 'docomo', 'example.jp', 's1',"
    " 'keitai', 7, 1, 1, 0, 0, 3, 0, 0, 0, 0, 0);"
    "INSERT INTO event VALUES(41, 1767225600000, 1699999999999, 0, 2,"
    " 'example.jp', 'gone@docomo.ne.jp', 'mta', 'docomo', 'docomo', 's1',"
    " 'keitai', 250, '2.0.0', 'dot', '', 'Ok', 'mx', '');";

/* What made version 2 of it. */
static const char version_2[] =
    "ALTER TABLE message ADD COLUMN tags TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE traffic(seq INTEGER PRIMARY KEY, latest INTEGER NOT NULL,"
    " entries BLOB NOT NULL) STRICT;"
    "CREATE TABLE ruleset(number INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
    " version TEXT NOT NULL, who TEXT NOT NULL, files INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE rules_file(version TEXT NOT NULL, idx INTEGER NOT NULL,"
    " name TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY(version, idx)) STRICT;"
    "PRAGMA user_version = 2;"
    "INSERT INTO ruleset VALUES(1, 5, 'v1', 'start', 1, 1);"
    "INSERT INTO rules_file VALUES('v1', 0, 'a.rules', '#');";

/* -- databases ----------------------------------------------------------- */

static sqlite3 *
open_raw(void)
{
	char path[200];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/oiwake.db", the->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void
run_sql(const char *text)
{
	sqlite3 *db = open_raw();
	char *error = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
	sqlite3_close(db);
}

static int64_t
ask_sql(const char *text)
{
	sqlite3 *db = open_raw();
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(
	    sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

static void
remove_database(void)
{
	static const char *const name[] = { "oiwake.db", "oiwake.db-wal",
		"oiwake.db-shm" };
	char path[200];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", the->dir, name[i]);
		unlink(path);
	}
}

/* The store of the fixture is one of version 1 now, and closed. */
static void
make_version_1(void)
{
	store_close(&the->store);
	the->config.event_keep = INT64_MAX / 2; /* they are old */
	remove_database();
	run_sql("PRAGMA journal_mode = WAL");
	run_sql(version_1);
	run_sql(contents_1);
}

static void
make_version_2(void)
{
	make_version_1();
	run_sql(version_2);
}

/* -- what was there is there --------------------------------------------- */

static void
assert_old_recipient(const struct seen_recipient *s, size_t i)
{
	char envid[16];

	snprintf(envid, sizeof(envid), "env%zu", i / 2 + 1);
	assert_int_equal(s->message, OLD + 1 + (int64_t)i / 2);
	assert_int_equal(s->index, i % 2);
	assert_int_equal(s->state, RCPT_WAITING);
	assert_int_equal(s->unread, i / 2 == RCPT_SENDING);
	assert_int_equal(s->attempts, 1 + s->unread);
	assert_int_equal(s->notify, 6);
	assert_true(s->irregular);
	assert_string_equal(s->last, "450 later");
	assert_string_equal(s->from, "news@example.jp");
	assert_string_equal(s->user, "alice");
	assert_string_equal(s->envid, envid);
}

static void
assert_old_contents(void)
{
	struct view *v = look();

	assert_int_equal(v->nrecipients, 6);
	for (size_t i = 0; i < 6; i++)
		assert_old_recipient(&v->recipient[i], i);
	assert_int_equal(v->nevents, 3);
	assert_int_equal(v->event[0].seq, 41);
	assert_string_equal(v->event[0].recipient, "gone@docomo.ne.jp");
	assert_int_equal(count_of(v, "mta", COUNT_ACCEPTED), 7);
	assert_int_equal(count_of(v, "mta", COUNT_DEFERRED), 3);
	assert_int_equal(count_of(v, "mta", COUNT_UNREAD), 2);
	assert_equation(v);
	look_away(v);
}

static void
assert_goes_on(void)
{
	struct store_enqueue *r = new_message(1, DUE - 1, 10);
	struct store_lease l;
	struct recipient *rcpt;
	struct body *b;

	free(r->message->tags);
	r->message->tags = xstrdup("kind=news");
	assert_int_equal(ask_enqueue(r), STORE_OK);
	free_message(r);
	ask_lease(&l, 7, DUE, 10);
	assert_int_equal(l.n, 7);
	rcpt = TAILQ_FIRST(&l.recipients);
	assert_string_equal(rcpt->message->tags, "kind=news");
	rcpt = TAILQ_NEXT(rcpt, link);
	assert_string_equal(rcpt->message->tags, "");
	assert_string_equal(rcpt->message->listener, "submission");
	free_recipients(&l.recipients);
	assert_int_equal(ask_begin(OLD + 1, 0, &to_docomo, &b), STORE_OK);
	assert_int_equal(body_size(b), 5);
	body_unref(&b);
	settle_final(OLD + 1, 0);
	settle_final(OLD + 1, 1);
}

static void
assert_ruleset_kept(void)
{
	static const struct rules_file file = { "a.rules", "#", 1 };
	struct store_ruleset r = {
		.who = "start", .version = "v1", .n = 1, .file = &file
	};

	prepare_request(&r.req);
	store_ruleset(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
}

static void
version_1_is_brought_up_to_date(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	make_version_1();
	assert_int_equal(ask_sql("PRAGMA user_version"), 1);
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(the->recovery.queued, 6);
	assert_int_equal(the->recovery.unread, 2);
	assert_int_equal(the->recovery.returned, 2);
	assert_old_contents();
	assert_goes_on();
	assert_ruleset_kept();
	store_close(&the->store);
	assert_int_equal(ask_sql("PRAGMA user_version"), 3);
	assert_int_equal(ask_sql("SELECT count(*) FROM ruleset"), 1);
	assert_int_equal(ask_sql("SELECT count(*) FROM traffic"), 1);
}

static void
version_2_is_brought_up_to_date(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	make_version_2();
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(the->recovery.queued, 6);
	assert_old_contents();
	assert_goes_on();
	assert_ruleset_kept(); /* known already */
	store_close(&the->store);
	assert_int_equal(ask_sql("PRAGMA user_version"), 3);
	assert_int_equal(ask_sql("SELECT at FROM ruleset"), 5);
	assert_int_equal(ask_sql("SELECT count(*) FROM kept"), 0);
}

/* Column by column: the statements count on their order. */
static void
old_and_new_stores_are_the_same(void **state)
{
	static const char tables[] =
	    "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema"
	    " ORDER BY name)";
	char *sql[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		sqlite3_stmt *st;
		sqlite3 *db;

		if (i > 0)
			(i == 1 ? make_version_1 : make_version_2)();
		assert_int_equal(fixture_reopen(NULL), 0);
		db = open_raw();
		assert_int_equal(
		    sqlite3_prepare_v2(db, tables, -1, &st, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		sql[i] = xstrdup((const char *)sqlite3_column_text(st, 0));
		sqlite3_finalize(st);
		sqlite3_close(db);
	}
	assert_string_equal(sql[0], sql[1]);
	assert_string_equal(sql[0], sql[2]);
	for (int i = 0; i < 3; i++)
		free(sql[i]);
}

/* -- kill -9 at every write of the upgrade ------------------------------- */

static sqlite3_vfs shim_vfs;
static int writes_left; /* in the child */
static int fail_write;	/* SQLITE_FULL or 0 */
static struct {
	sqlite3_io_methods own;
	const sqlite3_io_methods *real;
} kind[8];

static const sqlite3_io_methods *
real_of(sqlite3_file *f)
{
	size_t i = 0;

	while (f->pMethods != &kind[i].own)
		i++;
	return kind[i].real;
}

static int
shim_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	if (fail_write != 0)
		return fail_write;
	if (writes_left > 0 && --writes_left == 0)
		kill(getpid(), SIGKILL);
	return real_of(f)->xWrite(f, data, n, at);
}

static int
shim_sync(sqlite3_file *f, int flags)
{
	if (writes_left > 0 && --writes_left == 0)
		kill(getpid(), SIGKILL);
	return real_of(f)->xSync(f, flags);
}

static int
shim_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	sqlite3_vfs *real = vfs->pAppData;
	int rc = real->xOpen(real, name, f, flags, out);
	size_t i = 0;

	if (rc != SQLITE_OK || f->pMethods == NULL)
		return rc;
	while (kind[i].real != NULL && kind[i].real != f->pMethods)
		i++;
	assert_true(i < 8);
	kind[i].real = f->pMethods;
	kind[i].own = *f->pMethods;
	kind[i].own.xWrite = shim_write;
	kind[i].own.xSync = shim_sync;
	f->pMethods = &kind[i].own;
	return rc;
}

static int
set_up_shim(void **state)
{
	writes_left = fail_write = 0;
	shim_vfs = *sqlite3_vfs_find(NULL);
	shim_vfs.pAppData = sqlite3_vfs_find(NULL);
	shim_vfs.zName = "shim";
	shim_vfs.pNext = NULL;
	shim_vfs.xOpen = shim_open;
	sqlite3_vfs_register(&shim_vfs, 1);
	return set_up(state);
}

static int
tear_down_shim(void **state)
{
	writes_left = fail_write = 0;
	tear_down(state);
	sqlite3_vfs_unregister(&shim_vfs);
	return 0;
}

/* Opens the store in a child that dies at its nth write or sync. False when
 * it had opened it before. */
static bool
dies_at(int n)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		writes_left = n;
		log_set_level(LOG_ERROR + 1);
		_exit(fixture_reopen(NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

/* All of one version or all of the other. */
static int64_t
whole_version(void)
{
	int64_t version = ask_sql("PRAGMA user_version");
	int64_t tables = ask_sql("SELECT count(*) FROM sqlite_schema WHERE"
				 " name IN ('traffic', 'ruleset',"
				 " 'rules_file', 'kept')");
	int64_t tags = ask_sql("SELECT count(*) FROM"
			       " pragma_table_info('message')"
			       " WHERE name = 'tags'");

	assert_true(version == 1 || version == 3);
	assert_int_equal(tables, version == 1 ? 0 : 4);
	assert_int_equal(tags, version == 1 ? 0 : 1);
	return version;
}

static void
killed_at_any_write_it_is_of_one_version(void **state)
{
	unsigned seen[4] = { 0 };
	bool died = true;

	(void)state;
	log_set_level(LOG_ERROR + 1);
	for (int n = 1; died; n++) {
		struct err e = ERR_INIT;

		make_version_1();
		died = dies_at(n);
		seen[whole_version()]++;
		/* The next process goes on from there. */
		if (fixture_reopen(&e) < 0)
			fail_msg("after write %d: %s", n, e.text);
		assert_int_equal(the->recovery.queued, 6);
		assert_old_contents();
	}
	/* Some before its commit, some after. */
	assert_true(seen[1] > 3 && seen[3] > 3);
}

/* -- no space for it ----------------------------------------------------- */

static void
without_space_it_stays_as_it_was(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	make_version_1();
	fail_write = SQLITE_FULL;
	assert_int_equal(fixture_reopen(&e), -1);
	assert_non_null(strstr(e.text, "database or disk is full"));
	assert_null(strchr(e.text, '\n'));
	fail_write = 0;
	assert_int_equal(whole_version(), 1);
	assert_int_equal(fixture_reopen(&e), 0);
	assert_old_contents();
}

static void
a_store_newer_than_this_program_is_left_alone(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	store_close(&the->store);
	run_sql("PRAGMA user_version = 4");
	assert_int_equal(fixture_reopen(&e), -1);
	assert_non_null(
	    strstr(e.text, "has schema 4, this program knows up to 3"));
	assert_int_equal(ask_sql("PRAGMA user_version"), 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SHIM(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up_shim, tear_down_shim)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(version_1_is_brought_up_to_date),
		T(version_2_is_brought_up_to_date),
		T(old_and_new_stores_are_the_same),
		T(a_store_newer_than_this_program_is_left_alone),
		SHIM(killed_at_any_write_it_is_of_one_version),
		SHIM(without_space_it_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
