/*
 * pg_schema.c - whoever starts first makes the tables, or brings them up to
 * date.
 *
 * Many nodes start at once: each takes the same advisory lock, looks, and does
 * what is left to be done, in one transaction. The tables are in the current
 * schema of the connection, `public` unless the database, the role or the URL
 * says otherwise; what they are is in pg_tables.c.
 */
#include "router/store/pg.h"

#include "mta/base/log.h"
#include "router/store/pg_tables.h"

#include <stdlib.h>
#include <string.h>

#define LOCK  "1332836192" /* of the schema, for pg_advisory_xact_lock */
#define BEGIN "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"

/* Of tables: one that is there without ours belongs to somebody else. */
#define OURS                                                                   \
	"'message', 'body', 'recipient', 'event', 'mail', 'sent', 'kept', "    \
	"'counter', 'suppression', 'ruleset', 'traffic', 'part_made'"

static int
last_version(void)
{
	int n = 0;

	while (pg_steps[n] != NULL)
		n++;
	return n;
}

/* The server's word, its first line. Returns -1. */
static int
refuse(PGconn *c, struct err *e)
{
	const char *why = PQerrorMessage(c);

	if (strncmp(why, "ERROR:  ", 8) == 0)
		why += 8;
	return err_set(e, "cannot open store '%s': %.*s", PQdb(c),
	    (int)strcspn(why, "\n"), why);
}

static int
script(PGconn *c, const char *sql, struct err *e)
{
	PGresult *r = PQexec(c, sql);
	ExecStatusType st = PQresultStatus(r);

	PQclear(r);
	return st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK ||
		       st == PGRES_EMPTY_QUERY
		   ? 0
		   : refuse(c, e);
}

/* The first column of the first row; 0 for NULL and for none. */
static int
ask_int(PGconn *c, const char *sql, long long *n, struct err *e)
{
	PGresult *r = PQexec(c, sql);
	int ret = 0;

	*n = 0;
	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		ret = refuse(c, e);
	else if (PQntuples(r) > 0)
		*n = atoll(PQgetvalue(r, 0, 0));
	PQclear(r);
	return ret;
}

/* -- versions ------------------------------------------------------------- */

static int
upgrade(PGconn *c, long long version, struct err *e)
{
	char set[80];

	for (long long v = version; pg_steps[v] != NULL; v++)
		for (const char *const *s = pg_steps[v]; *s != NULL; s++)
			if (script(c, *s, e) < 0)
				return -1;
	snprintf(set, sizeof(set), "UPDATE oiwake_schema SET version = %d",
	    last_version());
	return script(c, set, e);
}

static int
has_table(PGconn *c, const char *name, long long *has, struct err *e)
{
	char ask[160];

	snprintf(ask, sizeof(ask),
	    "SELECT count(*) FROM pg_class WHERE relname = '%s'"
	    " AND relnamespace = current_schema()::regnamespace",
	    name);
	return ask_int(c, ask, has, e);
}

/* *version 0: nothing is there yet. */
static int
get_version(PGconn *c, long long *version, struct err *e)
{
	long long n;

	*version = 0;
	if (has_table(c, "oiwake_schema", &n, e) < 0)
		return -1;
	if (n > 0)
		return ask_int(
		    c, "SELECT version FROM oiwake_schema", version, e);
	if (ask_int(c,
		"SELECT count(*) FROM pg_class WHERE relname IN (" OURS ")"
		" AND relnamespace = current_schema()::regnamespace",
		&n, e) < 0)
		return -1;
	if (n > 0)
		return err_set(
		    e, "store '%s' is a database of another program", PQdb(c));
	return script(c,
	    "CREATE TABLE oiwake_schema(version bigint NOT NULL,"
	    " base bigint NOT NULL);"
	    "INSERT INTO oiwake_schema VALUES(0, 0)",
	    e);
}

/* It has been copied, or is being filled: see copy.h. */
static int
check_marks(PGconn *c, struct err *e)
{
	long long copied, copying;

	if (has_table(c, COPY_MARK_FROM, &copied, e) < 0 ||
	    has_table(c, COPY_MARK_TO, &copying, e) < 0)
		return -1;
	if (copying)
		return err_set(
		    e, "a copy into store '%s' has not been finished", PQdb(c));
	if (copied)
		return err_set(e,
		    "store '%s' has been copied to another; to run on it after"
		    " all see 'oiwake store unmark'",
		    PQdb(c));
	return 0;
}

/* -- numbers of events ------------------------------------------------------
 */

/* A database that was restored from another server's may count its transactions
 * from lower numbers than its events and records of counts have: theirs are to
 * go on. */
static int
number_events(PGconn *c, struct err *e)
{
	long long behind;
	char sql[100];

	if (ask_int(c,
		"SELECT greatest(0, greatest((SELECT max(seq) FROM event),"
		"  (SELECT max(seq) FROM counted),"
		"  (SELECT counted FROM tally_state))"
		" - oiwake_seq() + (1 << 20)) >> 20",
		&behind, e) < 0)
		return -1;
	if (behind == 0)
		return 0;
	snprintf(sql, sizeof(sql),
	    "SELECT oiwake_number(base + %lld) FROM oiwake_schema", behind);
	return script(c, sql, e);
}

/* -- at the start -----------------------------------------------------------
 */

static int
check_version(PGconn *c, struct err *e)
{
	long long version;

	if (get_version(c, &version, e) < 0)
		return -1;
	if (version > last_version())
		return err_set(e,
		    "store '%s' has schema %lld, this program knows up to %d",
		    PQdb(c), version, last_version());
	if (check_marks(c, e) < 0)
		return -1;
	return version < last_version() ? upgrade(c, version, e) : 0;
}

/* Ends the transaction that the caller has begun. */
static int
check(PGconn *c, struct err *e)
{
	if (check_version(c, e) < 0 || number_events(c, e) < 0 ||
	    script(c, "SELECT oiwake_trim(parent, 0, 0) FROM part_kind", e) <
		0) {
		PQclear(PQexec(c, "ROLLBACK"));
		return -1;
	}
	return script(c, "COMMIT", e);
}

int
pg_schema_check(PGconn *c, struct err *e)
{
	return script(c, BEGIN "SELECT pg_advisory_xact_lock(" LOCK ")", e) < 0
		   ? -1
		   : check(c, e);
}

/* Tables are waited for no longer than ever: whoever waits for one keeps all
 * that come after him from it. */
int
pg_schema_open(PGconn *c, struct err *e)
{
	long long first;

	if (script(c, BEGIN "SET LOCAL statement_timeout = 0", e) < 0 ||
	    ask_int(c, "SELECT pg_try_advisory_xact_lock(" LOCK ")::int",
		&first, e) < 0)
		return -1;
	if (!first)
		log_text(LOG_INFO, "store-wait",
		    "another node is at the tables of store '%s'", PQdb(c));
	if (!first && script(c,
			  "SET LOCAL lock_timeout = '10min';"
			  "SELECT pg_advisory_xact_lock(" LOCK ");"
			  "SET LOCAL lock_timeout TO DEFAULT",
			  e) < 0)
		return -1;
	return check(c, e);
}
