/*
 * sqlite_kept.c - small things under a kind and a key, until they expire.
 */
#include "router/store/sqlite_int.h"

/* -- keeping ------------------------------------------------------------- */

static enum store_status
keep_one(struct sqlite *q, const struct kept *k, struct err *e)
{
	bool forget = k->value == NULL;
	sqlite3_stmt *st = sqlite_stmt(q, forget ? SQL_FORGET : SQL_KEEP);

	bind_text(st, 1, k->kind);
	bind_text(st, 2, k->key);
	if (!forget) {
		bind_text(st, 3, k->value);
		sqlite3_bind_int64(st, 4, k->expires);
	}
	return sqlite_run(q, st, forget ? "forget a value" : "keep a value", e);
}

enum store_status
sqlite_keep(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_keep *r = container_of(req, struct store_keep, req);
	struct sqlite *q = &sqlite_of(base)->q;
	enum store_status status = STORE_OK;

	(void)txn;
	for (size_t i = 0; i < r->n && status == STORE_OK; i++)
		status = keep_one(q, &r->kept[i], &req->err);
	return status;
}

enum store_status
sqlite_trim_kept(struct engine *base, int64_t now, size_t max, size_t *trimmed,
    struct err *e)
{
	struct sqlite *q = &sqlite_of(base)->q;
	sqlite3_stmt *st = sqlite_stmt(q, SQL_TRIM_KEPT);
	enum store_status status;

	sqlite3_bind_int64(st, 1, now);
	sqlite3_bind_int64(st, 2, (int64_t)max);
	status = sqlite_run(q, st, "remove what has expired", e);
	*trimmed = (size_t)sqlite3_changes(q->db);
	return status;
}

/* -- reading ------------------------------------------------------------- */

size_t
sqlite_read_kept(struct store_reader *r, const char *kind, const char *key,
    int64_t now, void (*each)(void *, const struct kept *), void *arg)
{
	struct sqlite *q = sqlite_of_reader(r);
	sqlite3_stmt *st =
	    sqlite_stmt(q, key != NULL ? SQL_READ_KEPT : SQL_READ_KEPT_KIND);
	size_t n = 0;

	bind_text(st, 1, kind);
	sqlite3_bind_int64(st, 2, now);
	if (key != NULL)
		bind_text(st, 3, key);
	for (; sqlite_read_next(q, st); n++)
		each(arg, &(struct kept){ .kind = kind,
			      .key = column_text(st, 0),
			      .value = column_text(st, 1),
			      .expires = sqlite3_column_int64(st, 2) });
	return n;
}
