/*
 * sql_letter.c - dead letters: what came and means nothing to us.
 *
 * They are never trimmed, and one that its source brings again and again, in
 * the same words and under the same id, is kept once.
 */
#include "router/store/sql_int.h"

static void
bind_body(struct stmt *st, int i, const struct dead_letter *l)
{
	bind_blob(st, i, l->len > 0 ? l->body : "", l->len);
}

static enum store_status
has_letter(struct sql *q, const struct dead_letter *l, bool *has, struct err *e)
{
	struct stmt *st = sql_stmt(q, SQL_HAS_LETTER);
	enum store_status status;

	bind_text(st, 1, l->source);
	bind_text(st, 2, l->id);
	bind_body(st, 3, l);
	*has = sql_next(q, st, "read dead letters", &status, e);
	sql_reset(st);
	return status;
}

enum store_status
sql_add_letter(struct sql_engine *eng, const struct dead_letter *l, int64_t at,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_LETTER);
	enum store_status status;
	bool has;

	status = has_letter(eng->q, l, &has, e);
	if (status != STORE_OK || has)
		return status;
	bind_int(st, 1, at);
	bind_text(st, 2, l->source);
	bind_text(st, 3, l->id);
	bind_text(st, 4, l->why);
	bind_body(st, 5, l);
	return sql_run(eng->q, st, "keep a dead letter", e);
}

enum store_status
sql_remove_letters(
    struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_letters *r = container_of(req, struct store_letters, req);
	struct sql *q = sql_of(base)->q;
	struct stmt *st =
	    sql_stmt(q, r->seq != 0 ? SQL_REMOVE_LETTER : SQL_REMOVE_LETTERS);
	enum store_status status;

	(void)txn;
	if (r->seq != 0)
		bind_int(st, 1, r->seq);
	status = sql_run(q, st, "remove dead letters", &req->err);
	r->removed = (uint64_t)sql_changes(q);
	return status;
}

/* As a text each body ends in a NUL. */
size_t
store_read_letters(struct store_reader *r, int64_t after, size_t limit,
    void (*each)(void *, const struct letter_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_LETTERS);
	size_t n = 0;

	bind_int(st, 1, after);
	bind_int(st, 2, (int64_t)limit);
	for (; sql_read_next(q, st); n++)
		each(arg, &(struct letter_row){ .seq = column_int(st, 0),
			      .at = column_int(st, 1),
			      .source = column_text(st, 2),
			      .id = column_text(st, 3),
			      .why = column_text(st, 4),
			      .body = column_text(st, 5),
			      .len = (size_t)column_bytes(st, 5) });
	return n;
}
