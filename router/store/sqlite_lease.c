/*
 * sqlite_lease.c - what is due comes into memory.
 */
#include "router/store/sqlite_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>

/* The messages of one answer, so that their recipients share them. */
struct shared {
	struct message **slot; /* open addressing, a reference each */
	size_t nslots;	       /* power of two */
};

static void
shared_init(struct shared *s, size_t max)
{
	for (s->nslots = 64; s->nslots < max * 2;)
		s->nslots *= 2;
	s->slot = xcalloc(s->nslots, sizeof(struct message *));
}

static void
shared_release(struct shared *s)
{
	for (size_t i = 0; i < s->nslots; i++)
		message_unref(&s->slot[i]);
	free(s->slot);
}

static struct message **
shared_find(const struct shared *s, int64_t id)
{
	/* Fibonacci hashing: ids differ in their lowest and middle bits. */
	uint64_t h = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h >> 32) & (s->nslots - 1);

	while (s->slot[i] != NULL && s->slot[i]->id != id)
		i = (i + 1) & (s->nslots - 1);
	return &s->slot[i];
}

/* *m is NULL still when there is no such message. */
static enum store_status
get_message(
    struct sqlite_engine *eng, int64_t id, struct message **m, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_GET_MESSAGE);
	enum store_status status;

	if (*m != NULL)
		return STORE_OK;
	sqlite3_bind_int64(st, 1, id);
	if (sqlite_next(&eng->q, st, "read a message", &status, e) ==
	    SQLITE_ROW)
		*m = sqlite_row_message(st, 0);
	sqlite3_reset(st);
	if (status == STORE_OK && *m == NULL) {
		err_set(e, "a recipient has lost its message");
		status = STORE_FAILED;
	}
	return status;
}

static enum store_status
collect(struct sqlite_engine *eng, struct store_lease *l, struct shared *shared)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_LEASE);
	struct err *e = &l->req.err;
	enum store_status status;
	struct message **m;
	struct recipient *r;

	sqlite3_bind_int64(st, 1, l->shelf);
	sqlite3_bind_int64(st, 2, l->now);
	sqlite3_bind_int64(st, 3, (int64_t)l->max);
	while (sqlite_next(&eng->q, st, "read what is due", &status, e) ==
	       SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(st, R_MESSAGE);

		m = shared_find(shared, id);
		status = get_message(eng, id, m, e);
		if (status != STORE_OK)
			break;
		r = sqlite_row_recipient(st, *m);
		TAILQ_INSERT_TAIL(&l->recipients, r, link);
		l->n++;
	}
	sqlite3_reset(st);
	return status;
}

static enum store_status
mark(struct sqlite_engine *eng, struct store_lease *l)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_SET_LEASED);
	enum store_status status = STORE_OK;
	const struct recipient *r;

	TAILQ_FOREACH(r, &l->recipients, link)
	{
		sqlite3_bind_int64(st, 1, r->message->id);
		sqlite3_bind_int64(st, 2, r->index);
		status =
		    sqlite_run(&eng->q, st, "lease a recipient", &l->req.err);
		if (status != STORE_OK)
			break;
	}
	return status;
}

static enum store_status
find_next_due(struct sqlite_engine *eng, struct store_lease *l)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_NEXT_DUE);
	enum store_status status;

	l->next_due = INT64_MAX;
	sqlite3_bind_int64(st, 1, l->shelf);
	if (sqlite_next(&eng->q, st, "read what is due", &status,
		&l->req.err) == SQLITE_ROW)
		l->next_due = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return status;
}

enum store_status
sqlite_lease(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_lease *l = container_of(req, struct store_lease, req);
	struct sqlite_engine *eng = sqlite_of(base);
	struct shared shared;
	enum store_status st;

	(void)txn;
	shared_init(&shared, l->max);
	st = collect(eng, l, &shared);
	shared_release(&shared);
	if (st == STORE_OK)
		st = mark(eng, l);
	return st == STORE_OK ? find_next_due(eng, l) : st;
}

/* One seek per shelf: their number counts, not that of recipients. */
void
sqlite_each_shelf(
    struct store_reader *r, void (*each)(void *, unsigned, int64_t), void *arg)
{
	struct sqlite *q = sqlite_of_reader(r);
	sqlite3_stmt *st = sqlite_stmt(q, SQL_NEXT_SHELF);
	int64_t shelf = -1, due;

	for (;;) {
		sqlite3_bind_int64(st, 1, shelf);
		if (!sqlite_read_next(q, st))
			break;
		shelf = sqlite3_column_int64(st, 0);
		due = sqlite3_column_int64(st, 1);
		sqlite3_reset(st);
		each(arg, (unsigned)shelf, due);
	}
}
