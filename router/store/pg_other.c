/*
 * pg_other.c - a connection for other statements than those of the engine: for
 * what is done while nobody runs on the database.
 */
#include "router/store/pg_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>

static struct pg *
pg_of(struct sql *q)
{
	return container_of(q, struct pg, sql);
}

struct stmt *
pg_prepare_other(struct sql *q, const char *text, struct err *e)
{
	struct pg_stmt *s = xcalloc(1, sizeof(*s));

	(void)e; /* it is prepared when it runs */
	s->copy = xstrdup(text);
	pg_stmt_init(pg_of(q), s, s->copy);
	s->once = true;
	return &s->stmt;
}

void
pg_finish_other(struct stmt *st)
{
	struct pg_stmt *s = container_of(st, struct pg_stmt, stmt);

	pg_stmt_release(s);
	free(s->copy);
	free(s);
}

int
pg_run_script(struct sql *q, const char *text, struct err *e)
{
	return pg_script(pg_of(q), text, e);
}

int
pg_begin_other(struct sql *q, struct err *e)
{
	(void)e; /* what fails shows at the commit */
	pg_begin(pg_of(q), 0);
	return 0;
}

int
pg_commit_other(struct sql *q, struct err *e)
{
	if (pg_commit(pg_of(q), e) == STORE_OK)
		return 0;
	pg_roll_back(pg_of(q));
	return -1;
}

void
pg_roll_back_other(struct sql *q)
{
	pg_roll_back(pg_of(q));
}

void
pg_disconnect(struct sql *q)
{
	struct pg *pg = pg_of(q);

	pg_free(&pg);
}

struct sql *
pg_sql_connect(const struct store_config *config, struct err *e)
{
	PGconn *conn = pg_connect(config, PG_WRITE, e);
	struct pg *pg;

	if (conn == NULL)
		return NULL;
	pg = pg_new(PG_WRITE);
	if (pg_attach(pg, conn, e) == 0)
		return pg_sql_of(pg);
	pg_free(&pg);
	return NULL;
}
