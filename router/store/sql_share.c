/*
 * sql_share.c - shares of what all nodes together may do, in rows.
 *
 * Of each budget the rows are read and written under its lock, which is taken
 * in the order of names. How much there is for whom is in share_divide.c. All
 * locks and reads of a request are announced together, so that it costs one
 * answer of a database that is far; what is written goes out with the commit.
 *
 * A row of a node stands until the end of its lease and a period, and SLACK:
 * the lease is put off by beats, the row by questions, and these may come a
 * little later. What the node may still start without another answer ends
 * before, at nine tenths of a lease after it has asked.
 */
#include "router/store/share_divide.h"
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>

#define SLACK	   3000	  /* ms */
#define TRIM_EVERY 600000 /* ms between looks for what has lapsed long ago */
#define TRIM_MOST  1000

/* Columns of SQL_SHARE_READ. */
enum {
	S_EPOCH,
	S_RESERVED,
	S_HELD,
	S_WANT,
	S_LIMIT,
	S_UNTIL,
	S_ASKED,
	S_SINCE,
	S_NOW
};

struct share_rows {
	struct share_row *row;
	size_t n, room;
	int64_t now;
	bool lapsed; /* some of them */
};

/* Nobody else is there. */
static void
grant_all(struct share *s)
{
	s->reserved = s->limit > s->keep ? s->limit : s->keep;
	s->others = 0;
	s->used = s->held + s->spent;
	s->valid = s->again = INT64_MAX;
}

static enum store_status
announce(struct sql *q, const char *name, struct err *e)
{
	struct stmt *lock = sql_stmt(q, SQL_SHARE_LOCK);
	struct stmt *read = sql_stmt(q, SQL_SHARE_READ);
	enum store_status st;

	bind_text(lock, 1, name);
	st = sql_run(q, lock, "lock a budget", e);
	bind_text(read, 1, name);
	sql_ahead(q, read, "read a budget");
	return st;
}

/* The last row is no share: it only tells the time. */
static void
add_row(struct share_rows *rows, struct stmt *st)
{
	struct share_row *r;

	rows->now = column_int(st, S_NOW);
	if (column_int(st, S_EPOCH) == 0)
		return;
	if (rows->n == rows->room) {
		rows->room = rows->room * 2 + 16;
		rows->row =
		    xrealloc(rows->row, rows->room * sizeof(*rows->row));
	}
	r = &rows->row[rows->n++];
	*r = (struct share_row){ .epoch = column_int(st, S_EPOCH),
		.reserved = (uint64_t)column_int(st, S_RESERVED),
		.held = (uint64_t)column_int(st, S_HELD),
		.want = (uint64_t)column_int(st, S_WANT),
		.limit = (uint64_t)column_int(st, S_LIMIT),
		.until = column_int(st, S_UNTIL),
		.asked = column_int(st, S_ASKED),
		.since = column_int(st, S_SINCE) };
	rows->lapsed = rows->lapsed || r->until <= rows->now;
}

static enum store_status
read_rows(
    struct sql *q, const char *name, struct share_rows *rows, struct err *e)
{
	struct stmt *st = sql_stmt(q, SQL_SHARE_READ);
	enum store_status status = STORE_OK;

	rows->n = 0;
	rows->lapsed = false;
	bind_text(st, 1, name);
	while (sql_next(q, st, "read a budget", &status, e))
		add_row(rows, st);
	return status;
}

/* -- writing --------------------------------------------------------------- */

static enum store_status
put_spent(struct sql *q, const struct share *s, int64_t now, struct err *e)
{
	struct stmt *st = sql_stmt(q, SQL_SHARE_SPEND);
	int64_t until = share_lapses(now, s->period);

	if (s->spent == 0)
		return STORE_OK;
	bind_text(st, 1, s->name);
	bind_int(st, 2, -until);
	bind_int(st, 3, (int64_t)s->spent);
	bind_int(st, 4, until);
	return sql_run(q, st, "count what was spent of a budget", e);
}

static enum store_status
put_mine(
    struct sql *q, const char *name, const struct share_row *r, struct err *e)
{
	struct stmt *st = sql_stmt(q, SQL_SHARE_PUT);
	const int64_t value[] = { r->epoch, (int64_t)r->reserved,
		(int64_t)r->held, (int64_t)r->want, (int64_t)r->limit, r->until,
		r->asked, r->since };

	bind_text(st, 1, name);
	for (int i = 0; i < (int)(sizeof(value) / sizeof(value[0])); i++)
		bind_int(st, i + 2, value[i]);
	return sql_run(q, st, "reserve a share", e);
}

/* What has lapsed, and the node's own row. */
static enum store_status
forget(
    struct sql *q, const char *name, int64_t now, int64_t epoch, struct err *e)
{
	struct stmt *st = sql_stmt(q, SQL_SHARE_FORGET);

	bind_text(st, 1, name);
	bind_int(st, 2, now);
	bind_int(st, 3, epoch);
	return sql_run(q, st, "forget a share", e);
}

static enum store_status
take_share(struct sql_engine *eng, struct share *s, struct share_rows *rows,
    struct err *e)
{
	enum store_status st = read_rows(eng->q, s->name, rows, e);
	int64_t lasts = s->period + (s->rests ? 0 : eng->lease + SLACK);
	struct share_row mine;
	bool gone;

	if (st != STORE_OK)
		return st;
	share_divide(
	    s, rows->row, rows->n, eng->engine.epoch, rows->now, &mine);
	mine.until = rows->now + lasts;
	s->valid = eng->lease - eng->lease / 10;
	if (s->again > s->valid / 3)
		s->again = s->valid / 3;
	gone = mine.want == 0 && mine.reserved == 0;
	if (rows->lapsed || gone)
		st = forget(eng->q, s->name, rows->now, mine.epoch, e);
	if (st == STORE_OK && !gone)
		st = put_mine(eng->q, s->name, &mine, e);
	return st == STORE_OK ? put_spent(eng->q, s, rows->now, e) : st;
}

/* Of budgets that nobody asks for any more. */
static enum store_status
trim(struct sql_engine *eng, int64_t now, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SHARE_TRIM);

	if (now < eng->shares_trimmed + TRIM_EVERY)
		return STORE_OK;
	eng->shares_trimmed = now;
	bind_int(st, 1, now - TRIM_EVERY);
	bind_int(st, 2, TRIM_MOST);
	return sql_run(eng->q, st, "forget shares that have lapsed", e);
}

enum store_status
sql_share(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_share *r = container_of(req, struct store_share, req);
	struct share_rows rows = { .now = 0 };
	struct sql_engine *eng = sql_of(base);
	enum store_status st = STORE_OK;

	(void)txn;
	if (base->epoch == 0) {
		for (size_t i = 0; i < r->n; i++)
			grant_all(&r->shares[i]);
		return STORE_OK;
	}
	for (size_t i = 0; i < r->n && st == STORE_OK; i++)
		st = announce(eng->q, r->shares[i].name, &req->err);
	for (size_t i = 0; i < r->n && st == STORE_OK; i++)
		st = take_share(eng, &r->shares[i], &rows, &req->err);
	if (st == STORE_OK)
		st = trim(eng, rows.now, &req->err);
	free(rows.row);
	return st;
}
