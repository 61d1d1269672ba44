/*
 * test_store_schema.c - an older store becomes one of today, whatever happens
 * meanwhile.
 *
 * The text of the old tables is kept here as it was released: a step of the
 * schema that is changed afterwards fails here. SQLite alone: PostgreSQL has
 * steps of its own.
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

/* And version 3 of that. */
static const char version_3[] =
    "CREATE TABLE kept(kind TEXT NOT NULL, key TEXT NOT NULL,"
    " value TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY(kind, key))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX kept_expires ON kept(expires) WHERE expires <> 0;"
    "PRAGMA user_version = 3;"
    "INSERT INTO kept VALUES('kind', 'key', 'value', 0);";

/* And version 4 of that. */
static const char version_4[] =
    "ALTER TABLE counter ADD COLUMN returned INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE sent_key(id INTEGER PRIMARY KEY, path TEXT NOT NULL,"
    " carrier TEXT NOT NULL, grp TEXT NOT NULL, sender TEXT NOT NULL,"
    " source TEXT NOT NULL, rule TEXT NOT NULL,"
    " UNIQUE(path, carrier, grp, sender, source, rule)) STRICT;"
    "CREATE TABLE sent(message INTEGER NOT NULL, idx INTEGER NOT NULL,"
    " at INTEGER NOT NULL, remember INTEGER NOT NULL, key INTEGER NOT NULL,"
    " state INTEGER NOT NULL, address TEXT NOT NULL, remote_id TEXT NOT NULL,"
    " notes BLOB NOT NULL, PRIMARY KEY(message, idx)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX sent_remote ON sent(substr(remote_id, 1, 25))"
    " WHERE remote_id <> '';"
    "CREATE INDEX sent_remember ON sent(remember);"
    "CREATE TABLE dead_letter(seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at INTEGER NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,"
    " why TEXT NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE INDEX dead_letter_id ON dead_letter(source, id) WHERE id <> '';"
    "CREATE TABLE suppression(scope TEXT NOT NULL, address TEXT NOT NULL,"
    " cause TEXT NOT NULL, who TEXT NOT NULL, state INTEGER NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY(scope, address))"
    " STRICT, WITHOUT ROWID;"
    "PRAGMA user_version = 4;"
    "INSERT INTO suppression VALUES('ses', 'user9@docomo.ne.jp', 'BOUNCE',"
    " 'ses', 0, 5), ('', 'user8@docomo.ne.jp', 'manual', 'root', 1, 6);"
    "INSERT INTO event SELECT 42 + value, 1767229200000 - value * 3600000,"
    " e.message, e.idx, e.type, e.sender, e.recipient, e.path, e.carrier,"
    " e.grp, e.source, e.rule, e.code, e.enhanced, e.stage, e.reason, e.text,"
    " e.peer, e.remote_id FROM event e, json_each('[0,1,2]') WHERE seq = 41;";

/* And version 5 of that. */
static const char version_5[] =
    "ALTER TABLE suppression RENAME TO suppression_4;"
    "CREATE TABLE suppression(id INTEGER PRIMARY KEY, scope TEXT NOT NULL,"
    " address TEXT NOT NULL, cause TEXT NOT NULL, who TEXT NOT NULL,"
    " state INTEGER NOT NULL, at INTEGER NOT NULL, source TEXT NOT NULL,"
    " evidence TEXT NOT NULL, path TEXT NOT NULL, message INTEGER NOT NULL,"
    " idx INTEGER NOT NULL, expires INTEGER NOT NULL, soft INTEGER NOT NULL,"
    " UNIQUE(address, scope)) STRICT;"
    "INSERT INTO suppression SELECT NULL, scope, address, cause, who, state,"
    " at, '', '', '', 0, 0, 0, 0 FROM suppression_4;"
    "DROP TABLE suppression_4;"
    "CREATE INDEX suppression_scope ON suppression(scope, address)"
    " WHERE scope <> '';"
    "CREATE INDEX suppression_expires ON suppression(expires)"
    " WHERE expires <> 0;"
    "CREATE TABLE strike(address TEXT NOT NULL, cause TEXT NOT NULL,"
    " message INTEGER NOT NULL, idx INTEGER NOT NULL, at INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, PRIMARY KEY(address, cause, message, idx))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX strike_expires ON strike(expires);"
    "CREATE TABLE mail(message INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
    " message_id INTEGER NOT NULL, json TEXT NOT NULL) STRICT;"
    "CREATE INDEX mail_message_id ON mail(message_id) WHERE message_id <> 0;"
    "CREATE TABLE event_hour(hour INTEGER PRIMARY KEY, seq INTEGER NOT NULL)"
    " STRICT;"
    "INSERT INTO event_hour SELECT at / 3600000, min(seq) FROM event"
    " GROUP BY 1;"
    "PRAGMA user_version = 5;";

/* And version 6 of that. */
static const char version_6[] =
    "ALTER TABLE counter RENAME TO counter_5;"
    "CREATE TABLE counter(path TEXT NOT NULL, carrier TEXT NOT NULL,"
    " grp TEXT NOT NULL, sender TEXT NOT NULL, source TEXT NOT NULL,"
    " rule TEXT NOT NULL, configuration_set TEXT NOT NULL,"
    " accepted INTEGER NOT NULL, sent INTEGER NOT NULL,"
    " delivered INTEGER NOT NULL, bounced INTEGER NOT NULL,"
    " filtered INTEGER NOT NULL, deferred INTEGER NOT NULL,"
    " expired INTEGER NOT NULL, complained INTEGER NOT NULL,"
    " suppressed INTEGER NOT NULL, removed INTEGER NOT NULL,"
    " unread INTEGER NOT NULL, returned INTEGER NOT NULL,"
    " attempted INTEGER NOT NULL, hard INTEGER NOT NULL,"
    " unknown INTEGER NOT NULL, exempt INTEGER NOT NULL,"
    " PRIMARY KEY(path, carrier, grp, sender, source, rule,"
    "  configuration_set)) STRICT, WITHOUT ROWID;"
    "INSERT INTO counter SELECT path, carrier, grp, sender, source, rule, '',"
    " accepted, sent, delivered, bounced, filtered, deferred, expired,"
    " complained, suppressed, removed, unread, returned, 0, 0, 0, 0"
    " FROM counter_5;"
    "DROP TABLE counter_5;"
    "UPDATE counter SET accepted = accepted - q.n FROM"
    " (SELECT path, carrier, grp, sender, source, rule, count(*) AS n"
    "  FROM recipient WHERE configuration_set <> ''"
    "  GROUP BY 1, 2, 3, 4, 5, 6) q WHERE counter.path = q.path"
    " AND counter.carrier = q.carrier AND counter.grp = q.grp"
    " AND counter.sender = q.sender AND counter.source = q.source"
    " AND counter.rule = q.rule;"
    "INSERT INTO counter SELECT path, carrier, grp, sender, source, rule,"
    " configuration_set, count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0"
    " FROM recipient WHERE configuration_set <> ''"
    " GROUP BY 1, 2, 3, 4, 5, 6, 7;"
    "ALTER TABLE sent ADD COLUMN reason TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE sent_key RENAME TO sent_key_5;"
    "CREATE TABLE sent_key(id INTEGER PRIMARY KEY, path TEXT NOT NULL,"
    " carrier TEXT NOT NULL, grp TEXT NOT NULL, sender TEXT NOT NULL,"
    " source TEXT NOT NULL, rule TEXT NOT NULL,"
    " configuration_set TEXT NOT NULL, UNIQUE(path, carrier, grp, sender,"
    "  source, rule, configuration_set)) STRICT;"
    "INSERT INTO sent_key SELECT id, path, carrier, grp, sender, source, rule,"
    " '' FROM sent_key_5;"
    "DROP TABLE sent_key_5;"
    "CREATE TABLE tally_key(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " day INTEGER NOT NULL, path TEXT NOT NULL, carrier TEXT NOT NULL,"
    " grp TEXT NOT NULL, sender TEXT NOT NULL, source TEXT NOT NULL,"
    " rule TEXT NOT NULL, configuration_set TEXT NOT NULL) STRICT;"
    "CREATE INDEX tally_key_day ON tally_key(day);"
    "CREATE TABLE tally(level INTEGER NOT NULL, at INTEGER NOT NULL,"
    " key INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(level, at, key))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE tally_state(folded INTEGER NOT NULL,"
    " folded_key INTEGER NOT NULL, since INTEGER NOT NULL) STRICT;"
    "INSERT INTO tally_state SELECT 0, 0,"
    " iif(EXISTS(SELECT 1 FROM counter), unixepoch() * 1000, 0);"
    "ALTER TABLE event ADD COLUMN ruleset TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE recipient ADD COLUMN held_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN held TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE event_whom(seq INTEGER PRIMARY KEY, first INTEGER NOT NULL,"
    " bits BLOB NOT NULL) STRICT;"
    "PRAGMA user_version = 6;";

/* Of that key more has been counted than is in the queue still, of all time and
 * in two minutes, one of them in its hour and day: packed tallies, sent 3 and 4
 * times. */
static const char contents_6[] =
    "UPDATE counter SET accepted = accepted + 7, sent = sent + 7"
    " WHERE path = 'ses' AND configuration_set = 'set1';"
    "INSERT INTO tally_key VALUES(5, 86400000, 'ses', '', 'example.com',"
    " 'example.jp', '', 'default', 'set1');"
    "INSERT INTO tally VALUES(0, 86400000, 5, x'0102060000'),"
    " (1, 86400000, 5, x'0102060000'), (2, 86400000, 5, x'0102060000'),"
    " (0, 86460000, 5, x'0102080000');"
    "UPDATE tally_state SET folded = 86400000, folded_key = 5;";

/*
 * With configuration sets, which were no part of a key: four recipients wait,
 * of two sets and of none, and of one of them has been told early; three have
 * been sent.
 */
static const char contents_5[] =
    "INSERT INTO message SELECT 1700000000000 + value, 1767225600000,"
    " 'news@example.jp', '', 0, 1, 'alice', 'submission',"
    " '192.0.2.1', 'example.jp', '<1@example.jp>', 5, 3, 4, '', ''"
    " FROM json_each('[9]');"
    "INSERT INTO body VALUES(1700000000009, CAST('xxxxx' AS BLOB));"
    "INSERT INTO recipient SELECT 1700000000009, key, 0, 7,"
    " 1767225600000, 1767226600000, 0, 0, 0, 0, 0,"
    " 'user' || key || '@example.com', '', '', 'ses', '', '',"
    " '', 'example.com', 'default', 'v1', value, 'example.jp'"
    " FROM json_each('[\"set1\", \"set1\", \"set2\", \"\"]');"
    "INSERT INTO counter VALUES('ses', '', 'example.com', 'example.jp', '',"
    " 'default', 7, 3, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1);"
    "INSERT INTO sent_key VALUES(3, 'ses', '', 'example.com', 'example.jp', '',"
    " 'default');"
    "INSERT INTO sent VALUES(1700000000008, 0, 1767225600000,"
    " 9000000000000, 3, 2, 'a@example.com', 'ses0', x''),"
    "(1700000000008, 1, 1767225600000, 9000000000000, 3, 6, 'b@example.com',"
    " 'ses1', x''),"
    "(1700000000008, 2, 1767225600000, 9000000000000, 3, 50, 'c@example.com',"
    " 'ses2', x''),"
    "(1700000000009, 1, 1767225600000, 9000000000000, 3, 9, 'user1@example.com',"
    " '', x'');";

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

static void
make_version_3(void)
{
	make_version_2();
	run_sql(version_3);
}

static void
make_version_4(void)
{
	make_version_3();
	run_sql(version_4);
}

static void
make_version_5(void)
{
	make_version_4();
	run_sql(version_5);
}

static void
make_version_6(void)
{
	make_version_5();
	run_sql(contents_5);
	run_sql(version_6);
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
	assert_int_equal(ask_sql("PRAGMA user_version"), 7);
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
	assert_int_equal(ask_sql("PRAGMA user_version"), 7);
	assert_int_equal(ask_sql("SELECT at FROM ruleset"), 5);
	assert_int_equal(ask_sql("SELECT count(*) FROM kept"), 0);
}

static void
version_3_is_brought_up_to_date(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	make_version_3();
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(the->recovery.queued, 6);
	assert_old_contents();
	assert_goes_on();
	store_close(&the->store);
	assert_int_equal(ask_sql("PRAGMA user_version"), 7);
	assert_int_equal(ask_sql("SELECT count(*) FROM kept"), 1);
	assert_int_equal(ask_sql("SELECT max(returned) FROM counter"), 0);
	assert_int_equal(ask_sql("SELECT count(*) FROM sent"), 0);
}

struct list {
	struct store_query query;
	struct str text;
	int64_t last, first, before;
};

static void
see_suppression(void *arg, const struct suppression *s)
{
	struct list *l = arg;

	str_addf(&l->text, "%s/%s:%s,%s,%d,%lld,%s%s%s,%lld,%d ", s->scope,
	    s->address, s->cause, s->who, (int)s->state, (long long)s->at,
	    s->source, s->evidence, s->path, (long long)s->expires, s->soft);
}

static void
run_list(struct store_query *q, struct store_reader *r)
{
	static const struct suppression_filter all = { .address = "" };
	struct list *l = container_of(q, struct list, query);

	store_read_suppressions(r, &all, "", "", 10, see_suppression, l);
	l->last = store_read_last_event(r);
	l->first = store_read_first_event(r);
	l->before = store_read_event_before(r, DUE);
}

/* What was suppressed is, and events can be read on from a time. */
static void
version_4_is_brought_up_to_date(void **state)
{
	struct list l = { .text = STR_INIT };
	struct err e = ERR_INIT;

	(void)state;
	make_version_4();
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(the->recovery.queued, 6);
	l.query.reply_to = the->inbox;
	l.query.run = run_list;
	l.query.done = on_query_answer;
	store_query(the->store, &l.query);
	await(1);
	assert_string_equal(l.text.data,
	    "/user8@docomo.ne.jp:manual,root,1,6,,0,0 "
	    "ses/user9@docomo.ne.jp:BOUNCE,ses,0,5,,0,0 ");
	str_release(&l.text);
	assert_int_equal(l.first, 41);
	assert_int_equal(l.last, 46);
	assert_int_equal(l.before, 40);
	store_close(&the->store);
	assert_int_equal(ask_sql("PRAGMA user_version"), 7);
	assert_int_equal(ask_sql("SELECT count(*) FROM event_hour"), 4);
	assert_int_equal(
	    ask_sql("SELECT count(*) FROM sqlite_schema"
		    " WHERE name = 'suppression_4'"), 0);
}

/* -- counters of version 5 ------------------------------------------------- */

struct least {
	struct store_query query;
	int64_t n[COUNT_MAX];
};

static void
see_tally(void *arg, const struct tally_row *row)
{
	struct least *l = arg;

	for (int c = 0; c < COUNT_MAX; c++) {
		assert_true(row->tally->n[c] >= 0);
		l->n[c] += row->tally->n[c];
	}
}

static void
run_least(struct store_query *q, struct store_reader *r)
{
	struct least *l = container_of(q, struct least, query);

	store_read_tallies(r, &(struct tally_filter){ .since = 0 }, see_tally, l);
}

static struct least
read_tallies(void)
{
	struct least l = { .n = { 0 } };

	l.query.reply_to = the->inbox;
	l.query.run = run_least;
	l.query.done = on_query_answer;
	store_query(the->store, &l.query);
	await(1);
	return l;
}

static int64_t
count_of_set(const struct view *v, const char *set, enum counter c)
{
	int64_t n = 0;

	for (size_t i = 0; i < v->ncounters; i++)
		if (strcmp(v->counter[i].path, "ses") == 0 &&
		    strcmp(v->counter[i].configuration_set, set) == 0)
			n += v->counter[i].n[c];
	return n;
}

static void
assert_counters_5(void)
{
	struct view *v = look();

	assert_equation(v);
	assert_int_equal(v->nrecipients, 10);
	assert_int_equal(count_of_set(v, "set1", COUNT_ACCEPTED), 2);
	assert_int_equal(count_of_set(v, "set2", COUNT_ACCEPTED), 1);
	assert_int_equal(count_of_set(v, "", COUNT_ACCEPTED), 4);
	assert_int_equal(count_of_set(v, "", COUNT_SENT), 3);
	assert_int_equal(count_of_set(v, "", COUNT_COMPLAINED), 1);
	look_away(v);
}

static enum feedback_result
tell_end(int64_t message, unsigned index)
{
	struct feedback f = { .message = message,
		.index = index,
		.remote_id = "",
		.address = "",
		.alone = true,
		.kind = FEEDBACK_ENDED,
		.counter = COUNT_BOUNCED,
		.also = 1u << COUNT_HARD,
		.event = EVENT_BOUNCE,
		.reason = "userunknown",
		.peer = "" };
	struct store_feedback r = { .now = clock_wall(),
		.remember = INT64_MAX / 2 };

	STAILQ_INIT(&r.list);
	STAILQ_INSERT_TAIL(&r.list, &f, link);
	prepare_request(&r.req);
	store_feedback(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	return f.result;
}

/* What was sent before is told of still, and shows in no tally; what is now,
 * in both. */
static void
version_5_is_brought_up_to_date(void **state)
{
	struct err e = ERR_INIT;
	struct settlement s;
	struct least l;
	struct view *v;

	(void)state;
	make_version_5();
	run_sql(contents_5);
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(the->recovery.queued, 10);
	assert_counters_5();
	assert_int_equal(read_tallies().n[COUNT_ACCEPTED], 0);
	assert_int_equal(tell_end(OLD + 8, 1), FEEDBACK_DONE);
	assert_int_equal(tell_end(OLD + 8, 2), FEEDBACK_KNOWN);
	for (unsigned i = 0; i < 3; i++) {
		s = settlement(OLD + 9, i, SETTLE_FINAL,
		    1u << COUNT_SENT | 1u << COUNT_ATTEMPTED);
		s.route = &to_ses;
		s.remember = INT64_MAX / 2;
		assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	}
	assert_int_equal(tell_end(OLD + 9, 0), FEEDBACK_DONE);
	v = look();
	assert_equation(v);
	assert_int_equal(count_of_set(v, "", COUNT_BOUNCED), 2);
	assert_int_equal(count_of_set(v, "", COUNT_DELIVERED), 0);
	assert_int_equal(count_of_set(v, "", COUNT_HARD), 1);
	assert_int_equal(count_of_set(v, "set1", COUNT_SENT), 3);
	assert_int_equal(count_of_set(v, "set1", COUNT_COMPLAINED), 1);
	assert_int_equal(count_of_set(v, "set1", COUNT_HARD), 1);
	look_away(v);
	l = read_tallies();
	assert_int_equal(l.n[COUNT_SENT], 2); /* one was told of before */
	assert_int_equal(l.n[COUNT_ATTEMPTED], 3);
	assert_int_equal(l.n[COUNT_HARD], 1);
	assert_int_equal(l.n[COUNT_RETURNED], 1);
}

/* What had been counted stays, and what is counted now is added to it. */
static void
version_6_is_brought_up_to_date(void **state)
{
	struct err e = ERR_INIT;
	struct settlement s;
	struct view *v;

	(void)state;
	the->config.tally_keep = INT64_MAX / 2;
	make_version_6();
	run_sql(contents_6);
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(ask_sql("PRAGMA user_version"), 7);
	assert_int_equal(the->recovery.queued, 10);
	assert_int_equal(read_tallies().n[COUNT_SENT], 7);
	s = settlement(OLD + 9, 0, SETTLE_FINAL, 1u << COUNT_SENT);
	s.route = &to_ses;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	for (int i = 0; i < 2; i++) {
		v = look();
		assert_equation(v);
		assert_int_equal(v->queue_size, 9);
		assert_int_equal(count_of_set(v, "set1", COUNT_SENT), 8);
		assert_int_equal(read_tallies().n[COUNT_SENT], 8);
		look_away(v);
		assert_int_equal(fixture_reopen(&e), 0);
	}
	assert_int_equal(ask_sql("SELECT count(*) FROM counted"), 0);
}

/* Column by column: the statements count on their order. */
static void
old_and_new_stores_are_the_same(void **state)
{
	static const char tables[] =
	    "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema"
	    " ORDER BY name)";
	static void (*const make[])(void) = { NULL, make_version_1,
		make_version_2, make_version_3, make_version_4, make_version_5,
		make_version_6 };
	enum { VERSIONS = sizeof(make) / sizeof(make[0]) };
	char *sql[VERSIONS];

	(void)state;
	for (int i = 0; i < VERSIONS; i++) {
		sqlite3_stmt *st;
		sqlite3 *db;

		if (i > 0)
			make[i]();
		assert_int_equal(fixture_reopen(NULL), 0);
		db = open_raw();
		assert_int_equal(
		    sqlite3_prepare_v2(db, tables, -1, &st, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		sql[i] = xstrdup((const char *)sqlite3_column_text(st, 0));
		sqlite3_finalize(st);
		sqlite3_close(db);
	}
	for (int i = 1; i < VERSIONS; i++)
		assert_string_equal(sql[0], sql[i]);
	for (int i = 0; i < VERSIONS; i++)
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

/* The writer of the store may be at its last writes: what they look at is not touched here. */
static int
tear_down_shim(void **state)
{
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
				 " 'rules_file', 'kept', 'sent_key',"
				 " 'sent', 'dead_letter', 'suppression',"
				 " 'strike', 'mail', 'event_hour',"
				 " 'tally', 'tally_key', 'tally_state',"
				 " 'counted')");
	int64_t tags = ask_sql("SELECT count(*) FROM"
			       " pragma_table_info('message')"
			       " WHERE name = 'tags'");

	assert_true(version == 1 || version == 7);
	assert_int_equal(tables, version == 1 ? 0 : 15);
	assert_int_equal(tags, version == 1 ? 0 : 1);
	return version;
}

static void
killed_at_any_write_it_is_of_one_version(void **state)
{
	unsigned seen[8] = { 0 };
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
	assert_true(seen[1] > 3 && seen[7] > 3);
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
	run_sql("PRAGMA user_version = 8");
	assert_int_equal(fixture_reopen(&e), -1);
	assert_non_null(
	    strstr(e.text, "has schema 8, this program knows up to 7"));
	assert_int_equal(ask_sql("PRAGMA user_version"), 8);
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
		T(version_3_is_brought_up_to_date),
		T(version_4_is_brought_up_to_date),
		T(version_5_is_brought_up_to_date),
		T(version_6_is_brought_up_to_date),
		T(old_and_new_stores_are_the_same),
		T(a_store_newer_than_this_program_is_left_alone),
		SHIM(killed_at_any_write_it_is_of_one_version),
		SHIM(without_space_it_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
