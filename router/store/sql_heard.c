/*
 * sql_heard.c - records of what was counted (sql_counted.c), read: by whoever
 * adds them to what has been added up, and by each node that is to know what
 * the others count.
 *
 * A record's seq begins with the number of its transaction, and those end in
 * any order. Which can still come is known, though: none below that of the
 * oldest transaction that has not ended. Who goes by the seq of the last record
 * that he has seen goes no further than that. In SQLite nobody does: there is
 * one node, and it is told of its own commits as they happen.
 */
#include "router/store/sql_int.h"

#include "mta/base/log.h"

#define AT_ONCE 200 /* records heard of at once */

/* -- by readers --------------------------------------------------------------
 */

static struct sql_reader *
reader_of(struct store_reader *r)
{
	return container_of(r, struct sql_reader, reader);
}

static void
unpack(struct counters *to, struct stmt *st, int column)
{
	struct err e = ERR_INIT;

	if (counters_unpack(
		to, column_blob(st, column), column_bytes(st, column), &e) < 0)
		log_text(LOG_ERROR, "store-count", "%s", e.text);
}

void
sql_read_counted(struct store_reader *base, struct counters *to)
{
	struct sql_reader *r = reader_of(base);
	struct stmt *st = sql_stmt(r->q, SQL_READ_COUNTED);

	bind_int(st, 1, r->upto);
	while (sql_read_next(r->q, st))
		unpack(to, st, 0);
}

int64_t
sql_count_certain(struct store_reader *base)
{
	struct sql_reader *r = reader_of(base);
	struct stmt *st = sql_stmt(r->q, SQL_LAST_CERTAIN);

	if (st == NULL)
		return INT64_MAX;
	if (sql_read_next(r->q, st)) {
		r->upto = column_int(st, 0);
		sql_reset(st);
	}
	return r->upto;
}

void
sql_count_all(struct store_reader *r)
{
	reader_of(r)->upto = 0;
}

/* -- by other nodes ----------------------------------------------------------
 */

bool
sql_hears(struct engine *base)
{
	return sql_stmt(sql_of(base)->q, SQL_HEAR_COUNTED) != NULL;
}

/* This node needs those up to there no more. */
static enum store_status
set_heard(struct sql_engine *eng, int64_t upto, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_HEARD);

	bind_int(st, 1, eng->engine.epoch);
	bind_int(st, 2, upto);
	return sql_run(eng->q, st, "hear what is counted", e);
}

/* Of SQL_HEAR_COUNTED; without a record there is one row all the same. */
enum { H_SEQ, H_DATA, H_REMOVED, H_CERTAIN };

enum store_status
sql_hear_counted(struct engine *base, int64_t after, struct heard *h,
    void (*each)(void *, int64_t, const struct counters *), void *arg,
    struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	struct stmt *st = sql_stmt(eng->q, SQL_HEAR_COUNTED);
	enum store_status status;
	struct counters c;
	int64_t last = after;
	size_t n = 0;

	*h = (struct heard){ .upto = after };
	counters_init(&c);
	bind_int(st, 1, after);
	bind_int(st, 2, base->epoch);
	bind_int(st, 3, AT_ONCE);
	while (sql_next(eng->q, st, "hear what is counted", &status, e)) {
		h->upto = column_int(st, H_CERTAIN);
		h->missed = column_int(st, H_REMOVED) > after;
		if (column_int(st, H_SEQ) == 0)
			continue;
		counters_clear(&c);
		unpack(&c, st, H_DATA);
		last = column_int(st, H_SEQ);
		each(arg, last, &c);
		n++;
	}
	sql_reset(st);
	counters_release(&c);
	h->more = n == AT_ONCE;
	if (h->more || h->upto < last)
		h->upto = last;
	return status == STORE_OK && h->upto > after
		   ? set_heard(eng, h->upto, e)
		   : status;
}
