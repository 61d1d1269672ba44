/*
 * sqlite_schema.c - the tables, and how an older store becomes one of today.
 *
 * A new store is made by taking every step there ever was, an old one by the
 * steps it has not seen, so both are the same to the column. All of them and
 * the number of the version are one transaction: whatever happens, a store is
 * of one version or of another. A step that has been released never changes;
 * the next version is one more row.
 */
#include "router/store/sqlite_int.h"

#include <stdlib.h>

/*
 * The body is apart from the message so that reading an envelope never drags
 * 128 KiB along, and a recipient carries all it is counted under, so that
 * settling it reads one row. Of the two indexes one holds what waits, the other
 * the few that are in a process's memory: a row is in one of them.
 */
static const char queue_counters_events[] =
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
    "CREATE INDEX event_message ON event(message);";

/*
 * traffic.seq counts recipients: that of a row is the number of its last one,
 * so what is too old is found by subtraction. `latest` is the latest time of
 * all rows so far: it never falls, so that a time can be searched for by halves
 * and the clock may jump as it likes.
 */
static const char tags_traffic_rulesets[] =
    "ALTER TABLE message ADD COLUMN tags TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE traffic(seq INTEGER PRIMARY KEY, latest INTEGER NOT NULL,"
    " entries BLOB NOT NULL) STRICT;"
    "CREATE TABLE ruleset(number INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
    " version TEXT NOT NULL, who TEXT NOT NULL, files INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE rules_file(version TEXT NOT NULL, idx INTEGER NOT NULL,"
    " name TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY(version, idx)) STRICT;";

static const char kept[] =
    "CREATE TABLE kept(kind TEXT NOT NULL, key TEXT NOT NULL,"
    " value TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY(kind, key))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX kept_expires ON kept(expires) WHERE expires <> 0;";

/*
 * A recipient that was sent has a row until `remember`. What it is counted
 * under is a row of sent_key, of which there are few; `state` is that of
 * sqlite_sent.c. SES's ids begin with the time, so their first characters are
 * enough to find one, and new ones come to lie together.
 */
static const char feedback[] =
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
    " STRICT, WITHOUT ROWID;";

/*
 * An address is looked for before every attempt, so both scopes that hold for
 * it lie side by side in the narrow index, and the row itself is read when it
 * is on the list. `mail` is in the order of time, as its ids are; message_id is
 * the hash of that field. event_hour tells where to begin reading: the first
 * event that is of that hour, for they are told in any order.
 */
static const char suppression_mail[] =
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
    " GROUP BY 1;";

/*
 * The key of what is counted has got the configuration set. What was counted
 * before stays under none, but for `accepted` of those in the queue, which they
 * take along: what is queued is known by key. `tally` is by level (minute,
 * hour, day), time and key, its data that of tally.h; `day` of a key is the
 * last one that it was counted in. There is one row of tally_state: all minutes
 * up to (folded, folded_key) are in their hours and days, and what was before
 * `since` is in no tally: an older store had none, and then knows nothing of
 * it.
 *
 * What is told of whom: see sql_whom.c. And who holds a recipient, since
 * when.
 */
static const char tallies_story[] =
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
    " bits BLOB NOT NULL) STRICT;";

/*
 * What transactions have counted, not added up yet: sql_counted.c. All up to
 * tally_state.counted is in `counter` and `tally`. `folder` and `node` are for
 * stores that several nodes have.
 */
static const char counted[] =
    "CREATE TABLE counted(seq INTEGER PRIMARY KEY, node INTEGER NOT NULL,"
    " at INTEGER NOT NULL, queued INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
    "ALTER TABLE tally_state ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE tally_state ADD COLUMN folder INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE tally_state ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0;";

/* The step at [n] makes version n + 1 of version n; 0 is an empty file. */
static const char *const step[] = {
	queue_counters_events,
	tags_traffic_rulesets,
	kept,
	feedback,
	suppression_mail,
	tallies_story,
	counted,
};
#define VERSION ((int)(sizeof(step) / sizeof(step[0])))

#define STORE_ID 0x4f697761 /* PRAGMA application_id: "Oiwa" */

static int
upgrade(struct sqlite *q, const char *file, int version, struct err *e)
{
	struct str sql = STR_INIT;
	int ret;

	str_adds(&sql, "BEGIN IMMEDIATE;");
	for (int i = version; i < VERSION; i++)
		str_adds(&sql, step[i]);
	str_addf(&sql,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
	    STORE_ID, VERSION);
	ret = sqlite_script(q, file, sql.data, e);
	str_release(&sql);
	return ret;
}

static int
ask_int(
    struct sqlite *q, const char *file, const char *sql, int *n, struct err *e)
{
	struct str answer = STR_INIT;
	int ret = sqlite_ask(q, file, sql, &answer, e);

	*n = atoi(answer.data);
	str_release(&answer);
	return ret;
}

/* It has been copied, or is being filled: see copy.h. */
static int
check_marks(struct sqlite *q, const char *file, struct err *e)
{
	int copied, copying;

	if (ask_int(q, file,
		"SELECT count(*) FROM sqlite_schema"
		" WHERE name = '" COPY_MARK_FROM "'",
		&copied, e) < 0 ||
	    ask_int(q, file,
		"SELECT count(*) FROM sqlite_schema"
		" WHERE name = '" COPY_MARK_TO "'",
		&copying, e) < 0)
		return -1;
	if (copying)
		return err_set(
		    e, "a copy into store '%s' has not been finished", file);
	if (copied)
		return err_set(e,
		    "store '%s' has been copied to another; to "
		    "run on it after all see 'oiwake store unmark'",
		    file);
	return 0;
}

int
sqlite_schema_check(struct sqlite *q, const char *file, struct err *e)
{
	int id, version, tables;

	if (ask_int(q, file, "PRAGMA application_id", &id, e) < 0 ||
	    ask_int(q, file, "PRAGMA user_version", &version, e) < 0 ||
	    ask_int(q, file, "SELECT count(*) FROM sqlite_schema", &tables, e) <
		0)
		return -1;
	if (id == 0 && version == 0 && tables == 0)
		return upgrade(q, file, 0, e);
	if (id != STORE_ID)
		return err_set(
		    e, "store '%s' is a database of another program", file);
	if (version > VERSION)
		return err_set(e,
		    "store '%s' has schema %d, this program knows up to %d",
		    file, version, VERSION);
	if (check_marks(q, file, e) < 0)
		return -1;
	return version < VERSION ? upgrade(q, file, version, e) : 0;
}
