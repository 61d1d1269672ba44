/*
 * probe.c - a look at a store from outside, for `oiwake check`: is it there,
 * and would this program be content with it?
 */
#include "router/store/store.h"

#include "mta/base/str.h"
#include "router/store/pg.h"
#include "router/store/pg_tables.h"

#include <stdlib.h>
#include <string.h>

/* One number of the first row; -1: there is none. */
static long long
ask(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);
	long long n = -1;

	if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0 &&
	    !PQgetisnull(r, 0, 0))
		n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return n;
}

static long long
own_version(void)
{
	long long n = 0;

	while (pg_steps[n] != NULL)
		n++;
	return n;
}

static void
say_connection(PGconn *c, struct str *says)
{
	const char *version = PQparameterStatus(c, "server_version");

	str_addf(says, "PostgreSQL %.*s",
	    (int)strcspn(version ? version : "", " "), version ? version : "");
	if (PQsslInUse(c))
		str_addf(says, ", %s", PQsslAttribute(c, "protocol"));
}

static int
say_schema(PGconn *c, struct str *says, struct err *e)
{
	long long version = -1;

	if (ask(c, "SELECT 1 WHERE to_regclass('oiwake_schema') IS NOT NULL") >
	    0)
		version = ask(c, "SELECT version FROM oiwake_schema");
	if (version > own_version())
		return err_set(e,
		    "store '%s' has schema %lld, this program knows up to %lld",
		    PQdb(c), version, own_version());
	if (version > 0)
		str_addf(says, ", schema %lld", version);
	else
		str_adds(says, ", empty");
	if (ask(c, "SELECT current_setting('transaction_read_only')::bool"
		   "::int") == 1)
		return err_set(e, "store '%s' is read-only just now", PQdb(c));
	return 0;
}

/* Of nodes that live; what each runs, when they do not run the same. */
static void
say_mixed(PGconn *c, const char *sql, const char *what, struct str *says)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0)
		str_addf(says, "; nodes run different %s: %s", what,
		    PQgetvalue(r, 0, 0));
	PQclear(r);
}

#define MIXED(column)                                                          \
	"SELECT string_agg(name || ' ' || " column ", ', ' ORDER BY name)"     \
	" FROM node WHERE buried = 0 AND " column " <> ''"                     \
	" HAVING count(DISTINCT " column ") > 1"

static void
say_nodes(PGconn *c, struct str *says)
{
	if (ask(c, "SELECT 1 WHERE to_regclass('node') IS NOT NULL") <= 0)
		return;
	say_mixed(c, MIXED("ruleset"), "rules", says);
	say_mixed(c, MIXED("version"), "versions of the program", says);
}

int
store_probe(const struct store_config *config, struct str *says, struct err *e)
{
	PGconn *c;
	int rc;

	if (config->url == NULL) {
		str_addf(says, "SQLite in %s", config->directory);
		return 0;
	}
	if ((c = pg_connect(config, PG_READ, e)) == NULL)
		return -1;
	say_connection(c, says);
	rc = say_schema(c, says, e);
	if (rc == 0)
		say_nodes(c, says);
	PQfinish(c);
	return rc;
}
