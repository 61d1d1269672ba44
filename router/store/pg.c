/*
 * pg.c - a connection to PostgreSQL and its transactions.
 */
#include "router/store/pg_int.h"

#include "mta/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the connection -------------------------------------------------------- */

enum {
	BEGIN = SQL_MAX,
	BEGIN_TO_READ,
	NUMBER,
	MARK,
	NO_LIMIT,
	COMMIT,
	ROLL_BACK,
	STATEMENTS
};

/* What becomes of it others do not hear of (MARKS, pg_listen.c). Who leaves has
 * no row any more. */
static const char mark_sql[] =
    "INSERT INTO change_mark(node, kind, n)"
    " SELECT epoch, 'commit', $2::bigint FROM node"
    " WHERE epoch = $1::bigint ON CONFLICT (node, kind)"
    " DO UPDATE SET n = excluded.n";

/* One moment for all that is read. */
static const char *const own[] = {
	[BEGIN - SQL_MAX] = "BEGIN",
	[BEGIN_TO_READ - SQL_MAX] =
	    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	[NUMBER - SQL_MAX] = "SELECT pg_current_xact_id()::text::bigint",
	[MARK - SQL_MAX] = mark_sql,
	/* A commit that waits for a standby would go on without it. */
	[NO_LIMIT - SQL_MAX] = "SET LOCAL statement_timeout = 0",
	[COMMIT - SQL_MAX] = "COMMIT",
	[ROLL_BACK - SQL_MAX] = "ROLLBACK",
};

/* What nothing of a transaction changes in passing may be asked for by many. */
static bool
is_for_many(enum statement which)
{
	return which == SQL_FIND_SUPPRESSED || which == SQL_HAS_SUPPRESSION ||
	       which == SQL_HAS_STRIKE;
}

struct pg *
pg_new(enum pg_use use)
{
	struct pg *pg = xcalloc(1, sizeof(*pg));
	const char *text;

	pg->sql.ops = &pg_ops;
	pg->sql.far = true;
	pg->sql.parameter = '$';
	pg->use = use;
	pg->stmt = xcalloc(STATEMENTS, sizeof(*pg->stmt));
	STAILQ_INIT(&pg->waiting);
	str_init(&pg->key);
	for (int i = 0; i < STATEMENTS; i++) {
		text = i < SQL_MAX ? pg_sql[i] : own[i - SQL_MAX];
		if (text == NULL)
			continue;
		pg_stmt_init(pg, &pg->stmt[i], text);
		pg->stmt[i].once = !is_for_many((enum statement)i);
		if (i < SQL_MAX) {
			pg->stmt[i].which = (unsigned)i;
			pg->sql.stmt[i] = &pg->stmt[i].stmt;
		}
	}
	/* For whoever reads what goes over the wire. */
	snprintf(pg->stmt[COMMIT].name, sizeof(pg->stmt[COMMIT].name), "%s",
	    "commit");
	return pg;
}

void
pg_free(struct pg **pp)
{
	struct pg *pg = *pp;

	if (pg == NULL)
		return;
	pg_drop(pg);
	pg_forget_ahead(pg);
	for (int i = 0; i < STATEMENTS; i++)
		pg_stmt_release(&pg->stmt[i]);
	free(pg->ahead.slot);
	free(pg->touched.slot);
	str_release(&pg->key);
	free(pg->stmt);
	free(pg);
	*pp = NULL;
}

struct sql *
pg_sql_of(struct pg *pg)
{
	return &pg->sql;
}

static void
ignore_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

int
pg_attach(struct pg *pg, PGconn *conn, struct err *e)
{
	for (int i = 0; i < STATEMENTS; i++)
		pg->stmt[i].prepared = false;
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	pg->unsent = 0;
	pg->fault = (struct pg_fault){ .status = STORE_OK };
	if (PQsetnonblocking(conn, 1) == 0 && PQenterPipelineMode(conn) == 1) {
		pg->conn = conn;
		return 0;
	}
	err_set(e, "cannot use a connection to the database");
	PQfinish(conn);
	return -1;
}

bool
pg_is_attached(const struct pg *pg)
{
	return pg->conn != NULL;
}

PGconn *
pg_conn(struct pg *pg)
{
	return pg->conn;
}

const struct pg_counts *
pg_counts(const struct pg *pg)
{
	return &pg->counts;
}

void
pg_watch_request(struct pg *pg, struct store_request *const *running)
{
	pg->running = running;
}

const struct pg_fault *
pg_fault(const struct pg *pg)
{
	return &pg->fault;
}

enum store_status
pg_fail(struct pg *pg, enum store_status status, const struct err *why)
{
	pg->fault = (struct pg_fault){ .status = status, .err = *why };
	return status;
}

/* -- transactions ---------------------------------------------------------- */

void
pg_begin(struct pg *pg, int64_t epoch)
{
	static const char what[] = "begin a transaction";
	int which = pg->use == PG_READ ? BEGIN_TO_READ : BEGIN;
	struct pg_stmt *number =
	    &pg->stmt[epoch != 0 ? SQL_NODE_FENCE : NUMBER];

	pg_forget_ahead(pg);
	pg->fault = (struct pg_fault){ .status = STORE_OK };
	pg->transaction = 0;
	pg->epoch = epoch;
	pg->mark++;
	pg_send(pg, &pg->stmt[which], PG_RAN, what, false);
	pg->numbered = pg->sent;
	if (pg->use == PG_READ)
		return;
	bind_int(&number->stmt, 1, epoch);
	pg_send(pg, number, PG_NUMBER, what, false);
	sql_reset(&number->stmt);
	pg->numbered = pg->sent;
}

int64_t
pg_transaction(struct pg *pg)
{
	pg_wait(pg, pg->numbered);
	return pg->transaction;
}

int64_t
pg_mark(const struct pg *pg)
{
	return pg->epoch != 0 ? pg->mark : 0;
}

static void
send_mark(struct pg *pg)
{
	struct pg_stmt *mark = &pg->stmt[MARK];

	if (pg->use != PG_WRITE || pg->epoch == 0)
		return;
	bind_int(&mark->stmt, 1, pg->epoch);
	bind_int(&mark->stmt, 2, pg->mark);
	pg_send(pg, mark, PG_RAN, "commit", false);
	sql_reset(&mark->stmt);
}

enum store_status
pg_commit(struct pg *pg, struct err *e)
{
	/* Without its number nobody could ask what became of it. */
	pg_wait(pg, pg->numbered);
	if (pg->fault.status == STORE_OK) {
		send_mark(pg);
		if (pg->use == PG_WRITE)
			pg_send(
			    pg, &pg->stmt[NO_LIMIT], PG_RAN, "commit", false);
		pg_send(pg, &pg->stmt[COMMIT], PG_COMMITTED, "commit", false);
		pg_sync(pg);
		pg_wait(pg, pg->sent);
	}
	pg_forget_ahead(pg);
	if (pg->fault.in_doubt)
		pg_drop(pg);
	if (pg->fault.status != STORE_OK)
		*e = pg->fault.err;
	return pg->fault.status;
}

/* Behind the end of the pipeline that failed it is a transaction of its own;
 * when there is none to be rolled back the server only warns. */
void
pg_roll_back(struct pg *pg)
{
	struct pg_fault why = pg->fault;

	pg_forget_ahead(pg);
	for (int i = 0; i < STATEMENTS; i++)
		if (pg->stmt[i].answer != NULL)
			sql_reset(&pg->stmt[i].stmt);
	if (why.reconnect || pg_is_lost(pg)) {
		pg_drop(pg);
		pg->fault = why;
		return;
	}
	pg_sync(pg);
	pg_wait(pg, pg->sent);
	pg->fault = (struct pg_fault){ .status = STORE_OK };
	pg_send(pg, &pg->stmt[ROLL_BACK], PG_RAN, "roll back", false);
	pg_sync(pg);
	pg_wait(pg, pg->sent);
	if (pg->fault.status != STORE_OK)
		pg_drop(pg);
	pg->fault = why;
}

/* -- by itself ---------------------------------------------------------------
 */

/* Outside of a pipeline a statement waits for its own answer. NULL with *e. */
static PGresult *
execute(struct pg *pg, const char *sql, const char *const *parameter, int n,
    struct err *e)
{
	PGresult *r = NULL;
	ExecStatusType status;

	if (pg_is_lost(pg) || !PQexitPipelineMode(pg->conn)) {
		err_set(e, "no connection to the database");
		return NULL;
	}
	r = n < 0 ? PQexec(pg->conn, sql)
		  : PQexecParams(
			pg->conn, sql, n, NULL, parameter, NULL, NULL, 0);
	status = PQresultStatus(r);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
		err_set(e, "%.*s", (int)strcspn(PQerrorMessage(pg->conn), "\n"),
		    PQerrorMessage(pg->conn));
		PQclear(r);
		r = NULL;
	}
	if (!PQenterPipelineMode(pg->conn) ||
	    PQstatus(pg->conn) != CONNECTION_OK)
		pg_drop(pg);
	return r;
}

int
pg_ask(struct pg *pg, const char *sql, const int64_t *parameter, int n,
    struct str *answer, struct err *e)
{
	char number[4][PG_INT_TEXT];
	const char *value[4];
	PGresult *r;

	assert(n <= 4);
	for (int i = 0; i < n; i++) {
		snprintf(number[i], sizeof(number[i]), "%lld",
		    (long long)parameter[i]);
		value[i] = number[i];
	}
	r = execute(pg, sql, value, n, e);
	str_clear(answer);
	if (r != NULL && PQntuples(r) > 0)
		str_adds(answer, PQgetvalue(r, 0, 0));
	PQclear(r);
	return r != NULL ? 0 : -1;
}

int
pg_script(struct pg *pg, const char *sql, struct err *e)
{
	PGresult *r = execute(pg, sql, NULL, -1, e);

	PQclear(r);
	return r != NULL ? 0 : -1;
}
