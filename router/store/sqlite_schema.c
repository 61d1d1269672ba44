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

/* The step at [n] makes version n + 1 of version n; 0 is an empty file. */
static const char *const step[] = {
	queue_counters_events,
	tags_traffic_rulesets,
	kept,
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
	return version < VERSION ? upgrade(q, file, version, e) : 0;
}
