/*
 * sql_kept.c - small things under a kind and a key, until they expire.
 */
#include "router/store/sql_int.h"

/* -- keeping ------------------------------------------------------------- */

static enum store_status
keep_one(struct sql *q, const struct kept *k, struct err *e)
{
	bool forget = k->value == NULL;
	struct stmt *st = sql_stmt(q, forget ? SQL_FORGET : SQL_KEEP);

	bind_text(st, 1, k->kind);
	bind_text(st, 2, k->key);
	if (!forget) {
		bind_text(st, 3, k->value);
		bind_int(st, 4, k->expires);
	}
	return sql_run(q, st, forget ? "forget a value" : "keep a value", e);
}

enum store_status
sql_keep(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_keep *r = container_of(req, struct store_keep, req);
	struct sql_engine *eng = sql_of(base);
	enum store_status status = STORE_OK;

	(void)txn;
	base->changes |= STORE_CHANGED_KEPT;
	for (size_t i = 0; i < r->n && status == STORE_OK; i++)
		status = keep_one(eng->q, &r->kept[i], &req->err);
	if (status == STORE_OK && r->event != NULL)
		status = sql_add_event(eng, r->event, &req->err);
	return status;
}

enum store_status
sql_trim_kept(struct engine *base, int64_t now, size_t max, size_t *trimmed,
    struct err *e)
{
	struct sql *q = sql_of(base)->q;
	struct stmt *st = sql_stmt(q, SQL_TRIM_KEPT);
	enum store_status status;

	bind_int(st, 1, now);
	bind_int(st, 2, (int64_t)max);
	status = sql_run(q, st, "remove what has expired", e);
	*trimmed = (size_t)sql_changes(q);
	return status;
}

/* -- reading ------------------------------------------------------------- */

size_t
sql_read_kept(struct store_reader *r, const char *kind, const char *key,
    int64_t now, void (*each)(void *, const struct kept *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st =
	    sql_stmt(q, key != NULL ? SQL_READ_KEPT : SQL_READ_KEPT_KIND);
	size_t n = 0;

	bind_text(st, 1, kind);
	bind_int(st, 2, now);
	if (key != NULL)
		bind_text(st, 3, key);
	for (; sql_read_next(q, st); n++)
		each(arg, &(struct kept){ .kind = kind,
			      .key = column_text(st, 0),
			      .value = column_text(st, 1),
			      .expires = column_int(st, 2) });
	return n;
}
