/*
 * sql_mail.c - what is kept of a message for its events, after it has gone.
 *
 * Rows come in the order of their ids, which is that of time, and the oldest
 * are removed first. Of the Message-ID only a hash is kept: who asks by it has
 * no proof anyway, and compares addresses.
 */
#include "router/store/sql_int.h"

#include "mta/base/map.h"

/* 0: there is none. */
static int64_t
hash_of(const char *message_id)
{
	uint64_t h = hash_text(HASH_START, message_id);

	return message_id[0] == '\0' ? 0 : (int64_t)(h != 0 ? h : 1);
}

enum store_status
sql_add_mail(struct sql_engine *eng, const struct message *m, const char *json,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_MAIL);

	if (json == NULL)
		return STORE_OK;
	bind_int(st, 1, m->id);
	bind_int(st, 2, m->received);
	bind_int(st, 3, hash_of(m->message_id));
	bind_text(st, 4, json);
	return sql_run(eng->q, st, "keep what events say", e);
}

enum store_status
sql_trim_mail(struct engine *base, int64_t before, size_t max, size_t *trimmed,
    struct err *e)
{
	struct sql *q = sql_of(base)->q;
	struct stmt *st = sql_stmt(q, SQL_TRIM_MAIL);
	enum store_status status;

	bind_int(st, 1, before);
	bind_int(st, 2, (int64_t)max);
	if (q->far)
		return sql_trim_parts(
		    q, st, "remove what events say", trimmed, e);
	status = sql_run(q, st, "remove what events say", e);
	*trimmed = (size_t)sql_changes(q);
	return status;
}

/* -- reading ------------------------------------------------------------- */

bool
store_read_mail(struct store_reader *r, int64_t message,
    void (*each)(void *, const char *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_MAIL);

	bind_int(st, 1, message);
	if (!sql_read_next(q, st))
		return false;
	each(arg, column_text(st, 0));
	sql_reset(st);
	return true;
}

size_t
store_read_by_message_id(struct store_reader *r, const char *message_id,
    int64_t ids[static STORE_SAME_ID_MAX])
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_BY_MESSAGE_ID);
	size_t n = 0;

	bind_int(st, 1, hash_of(message_id));
	bind_int(st, 2, STORE_SAME_ID_MAX);
	for (; sql_read_next(q, st); n++)
		ids[n] = column_int(st, 0);
	return n;
}
