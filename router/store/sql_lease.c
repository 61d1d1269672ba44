/*
 * sql_lease.c - what is due comes into memory.
 */
#include "router/store/sql_int.h"

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
    struct sql_engine *eng, int64_t id, struct message **m, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_MESSAGE);
	enum store_status status;

	if (*m != NULL)
		return STORE_OK;
	bind_int(st, 1, id);
	if (sql_next(eng->q, st, "read a message", &status, e))
		*m = sql_row_message(st, 0);
	sql_reset(st);
	if (status == STORE_OK && *m == NULL) {
		err_set(e, "a recipient has lost its message");
		status = STORE_FAILED;
	}
	return status;
}

/* The statement takes them, and tells all of them, their messages, and whether
 * the list has something on them. */
static enum store_status
collect_far(struct sql_engine *eng, struct store_lease *l,
    struct shared *shared, bool *listed)
{
	struct stmt *st = sql_stmt(eng->q, SQL_LEASE);
	enum store_status status;
	struct message **m;
	struct recipient *r;

	bind_int(st, 1, l->shelf);
	bind_int(st, 2, l->now);
	bind_int(st, 3, (int64_t)l->max);
	bind_int(st, 4, eng->engine.epoch);
	while (sql_next(eng->q, st, "read what is due", &status, &l->req.err)) {
		m = shared_find(shared, column_int(st, R_MESSAGE));
		if (*m == NULL)
			*m = sql_row_message(st, R_COLUMNS);
		r = sql_row_recipient(st, *m);
		TAILQ_INSERT_TAIL(&l->recipients, r, link);
		listed[l->n++] = column_int(st, R_COLUMNS + M_COLUMNS) != 0;
	}
	sql_reset(st);
	return status;
}

static enum store_status
find_listed(struct sql_engine *eng, struct store_lease *l, const bool *listed)
{
	enum store_status st = STORE_OK;
	struct recipient *r;

	TAILQ_FOREACH(r, &l->recipients, link)
	if (*listed++ && st == STORE_OK)
		st = sql_find_suppressed(eng, r->address, r->route.path, l->now,
		    &r->suppressed, &l->req.err);
	return st;
}

static enum store_status
lease_far(struct sql_engine *eng, struct store_lease *l, struct shared *shared)
{
	bool *listed = xcalloc(l->max + 1, sizeof(*listed));
	enum store_status st = collect_far(eng, l, shared, listed);

	if (st == STORE_OK)
		st = find_listed(eng, l, listed);
	free(listed);
	return st;
}

static enum store_status
collect(struct sql_engine *eng, struct store_lease *l, struct shared *shared)
{
	struct stmt *st = sql_stmt(eng->q, SQL_LEASE);
	struct err *e = &l->req.err;
	enum store_status status;
	struct message **m;
	struct recipient *r;

	bind_int(st, 1, l->shelf);
	bind_int(st, 2, l->now);
	bind_int(st, 3, (int64_t)l->max);
	while (sql_next(eng->q, st, "read what is due", &status, e)) {
		int64_t id = column_int(st, R_MESSAGE);

		m = shared_find(shared, id);
		status = get_message(eng, id, m, e);
		if (status != STORE_OK)
			break;
		r = sql_row_recipient(st, *m);
		TAILQ_INSERT_TAIL(&l->recipients, r, link);
		l->n++;
	}
	sql_reset(st);
	return status;
}

static enum store_status
mark(struct sql_engine *eng, struct store_lease *l)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_LEASED);
	enum store_status status = STORE_OK;
	struct recipient *r;

	TAILQ_FOREACH(r, &l->recipients, link)
	{
		bind_int(st, 1, r->message->id);
		bind_int(st, 2, r->index);
		status = sql_run(eng->q, st, "lease a recipient", &l->req.err);
		if (status == STORE_OK)
			status = sql_find_suppressed(eng, r->address,
			    r->route.path, l->now, &r->suppressed, &l->req.err);
		if (status != STORE_OK)
			break;
	}
	return status;
}

static enum store_status
lease(struct sql_engine *eng, struct store_lease *l, struct shared *shared)
{
	enum store_status st;

	if (eng->q->far)
		return lease_far(eng, l, shared);
	st = collect(eng, l, shared);
	return st == STORE_OK ? mark(eng, l) : st;
}

static enum store_status
find_next_due(struct sql_engine *eng, struct store_lease *l)
{
	struct stmt *st = sql_stmt(eng->q, SQL_NEXT_DUE);
	enum store_status status;

	l->next_due = INT64_MAX;
	bind_int(st, 1, l->shelf);
	if (sql_next(eng->q, st, "read what is due", &status, &l->req.err))
		l->next_due = column_int(st, 0);
	sql_reset(st);
	return status;
}

enum store_status
sql_lease(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_lease *l = container_of(req, struct store_lease, req);
	struct sql_engine *eng = sql_of(base);
	struct shared shared;
	enum store_status st;

	(void)txn;
	shared_init(&shared, l->max);
	st = lease(eng, l, &shared);
	shared_release(&shared);
	return st == STORE_OK ? find_next_due(eng, l) : st;
}

/* One seek per shelf: their number counts, not that of recipients. */
void
sql_each_shelf(
    struct store_reader *r, void (*each)(void *, unsigned, int64_t), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_NEXT_SHELF);
	int64_t shelf = -1, due;

	for (;;) {
		bind_int(st, 1, shelf);
		if (!sql_read_next(q, st))
			break;
		shelf = column_int(st, 0);
		due = column_int(st, 1);
		sql_reset(st);
		each(arg, (unsigned)shelf, due);
	}
}

void
store_read_shelves(
    struct store_reader *r, void (*each)(void *, unsigned, int64_t), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_SHELVES);

	if (st == NULL) {
		sql_each_shelf(r, each, arg);
		return;
	}
	while (sql_read_next(q, st))
		each(arg, (unsigned)column_int(st, 0), column_int(st, 1));
}
