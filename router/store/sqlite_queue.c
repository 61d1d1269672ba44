/*
 * sqlite_queue.c - messages and recipients come into the queue, are begun, and
 * leave it.
 */
#include "router/store/sqlite_int.h"

#include "mta/base/alloc.h"
#include "router/body.h"

#include <string.h>

/* -- into the queue ------------------------------------------------------ */

static void
bind_message(sqlite3_stmt *st, const struct message *m)
{
	int i = 1;

	sqlite3_bind_int64(st, i++, m->id);
	sqlite3_bind_int64(st, i++, m->received);
	bind_text(st, i++, m->from);
	bind_text(st, i++, m->envid);
	sqlite3_bind_int(st, i++, m->ret);
	sqlite3_bind_int(st, i++,
	    (m->body_8bit ? FLAG_8BIT : 0) | (m->smtputf8 ? FLAG_SMTPUTF8 : 0) |
		(m->returns ? FLAG_RETURNS : 0));
	bind_text(st, i++, m->user);
	bind_text(st, i++, m->listener);
	bind_text(st, i++, m->client);
	bind_text(st, i++, m->header_from);
	bind_text(st, i++, m->message_id);
	sqlite3_bind_int64(st, i++, (int64_t)m->size);
	sqlite3_bind_int64(st, i++, (int64_t)m->header_size);
	sqlite3_bind_int64(st, i++, m->nrcpt);
	bind_text(st, i++, body_name(m->body));
	bind_text(st, i, m->tags);
}

enum store_status
sqlite_add_message(
    struct sqlite_engine *eng, const struct message *m, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_ADD_MESSAGE);
	enum store_status status;

	bind_message(st, m);
	status = sqlite_run(&eng->q, st, "store a message", e);
	if (status != STORE_OK || body_is_spooled(m->body))
		return status;
	st = sqlite_stmt(&eng->q, SQL_ADD_BODY);
	sqlite3_bind_int64(st, 1, m->id);
	sqlite3_bind_blob64(
	    st, 2, body_data(m->body), body_size(m->body), SQLITE_STATIC);
	return sqlite_run(&eng->q, st, "store a body", e);
}

static void
bind_recipient(
    sqlite3_stmt *st, const struct recipient *r, enum recipient_state state)
{
	int i = 1;

	sqlite3_bind_int64(st, i++, r->message->id);
	sqlite3_bind_int64(st, i++, r->index);
	sqlite3_bind_int(st, i++, (int)state);
	sqlite3_bind_int64(st, i++, r->shelf);
	sqlite3_bind_int64(st, i++, r->due);
	sqlite3_bind_int64(st, i++, r->expires);
	sqlite3_bind_int64(st, i++, r->attempts);
	sqlite3_bind_int64(st, i++, r->notify);
	sqlite3_bind_int(st, i++,
	    ((int)r->unfit << FLAGS_UNFIT_AT) |
		(r->irregular ? FLAG_IRREGULAR : 0) | (r->utf8 ? FLAG_UTF8 : 0) |
		(r->requoted ? FLAG_REQUOTED : 0));
	sqlite3_bind_int(st, i++, r->unread);
	sqlite3_bind_int(st, i++, r->delay_told);
	bind_text(st, i++, r->address);
	bind_text(st, i++, r->orcpt);
	bind_text(st, i++, r->last);
	sqlite_bind_route(st, i, &r->route);
	bind_text(st, i + 8, r->message->from_domain);
}

enum store_status
sqlite_add_recipient(struct sqlite_engine *eng, const struct recipient *r,
    enum recipient_state state, struct txn *txn, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_ADD_RECIPIENT);

	bind_recipient(st, r, state);
	counters_add(&txn->counters, &r->route, r->message->from_domain,
	    COUNT_ACCEPTED, 1);
	return sqlite_run(&eng->q, st, "store a recipient", e);
}

enum store_status
sqlite_enqueue(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_enqueue *r = container_of(req, struct store_enqueue, req);
	struct sqlite_engine *eng = sqlite_of(base);
	enum store_status st = sqlite_add_message(eng, r->message, &req->err);
	const struct recipient *rcpt;

	TAILQ_FOREACH(rcpt, &r->recipients, link)
	{
		if (st != STORE_OK)
			break;
		st = sqlite_add_recipient(eng, rcpt,
		    r->leased ? RCPT_LEASED : RCPT_WAITING, txn, &req->err);
	}
	if (st == STORE_OK)
		st = sqlite_add_traffic(
		    eng, r->message, &r->recipients, &req->err);
	return st;
}

/* -- what is stored ------------------------------------------------------ */

/* Copies the row's strings: it is changed next, and they are needed after. */
static void
copy_stored(struct sqlite_engine *eng, sqlite3_stmt *st)
{
	struct stored *s = &eng->stored;
	const char **field[] = { &s->sender, &s->address, &s->route.path,
		&s->route.pool, &s->route.source, &s->route.carrier,
		&s->route.group, &s->route.rule, &s->route.ruleset,
		&s->route.configuration_set };
	const int n = (int)(sizeof(field) / sizeof(field[0]));
	size_t need = 0;

	s->state = (enum recipient_state)sqlite3_column_int(st, 0);
	for (int i = 0; i < n; i++)
		need += (size_t)sqlite3_column_bytes(st, i + 1) + 1;
	str_clear(&eng->text);
	str_reserve(&eng->text, need);
	for (int i = 0; i < n; i++) {
		*field[i] = eng->text.data + eng->text.len;
		str_add(&eng->text, column_text(st, i + 1),
		    (size_t)sqlite3_column_bytes(st, i + 1) + 1);
	}
}

enum store_status
sqlite_load(struct sqlite_engine *eng, int64_t message, unsigned index,
    bool *found, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_GET_STORED);
	enum store_status status;

	sqlite3_bind_int64(st, 1, message);
	sqlite3_bind_int64(st, 2, index);
	*found = sqlite_next(&eng->q, st, "read a recipient", &status, e) ==
		 SQLITE_ROW;
	if (*found)
		copy_stored(eng, st);
	sqlite3_reset(st);
	return status;
}

static bool
same_key(const struct stored *s, const struct route *r, const char *sender)
{
	return strcmp(s->route.path, r->path) == 0 &&
	       strcmp(s->route.carrier, r->carrier) == 0 &&
	       strcmp(s->route.group, r->group) == 0 &&
	       strcmp(s->route.source, r->source) == 0 &&
	       strcmp(s->route.rule, r->rule) == 0 &&
	       strcmp(s->sender, sender) == 0;
}

void
sqlite_move_accepted(const struct stored *s, const struct route *r,
    const char *sender, struct txn *txn)
{
	if (same_key(s, r, sender))
		return;
	counters_add(&txn->counters, &s->route, s->sender, COUNT_ACCEPTED, -1);
	counters_add(&txn->counters, r, sender, COUNT_ACCEPTED, 1);
}

/* -- begun --------------------------------------------------------------- */

static enum store_status
begin_changed(struct sqlite_engine *eng, struct store_begin *b, unsigned index,
    struct txn *txn)
{
	struct err *e = &b->req.err;
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_SET_SENDING);
	enum store_status status;
	char id[RECIPIENT_ID_TEXT];
	bool found;

	status = sqlite_load(eng, b->message, index, &found, e);
	if (status != STORE_OK)
		return status;
	if (!found) {
		err_set(e, "no recipient '%s' in the store",
		    recipient_id_text(b->message, index, id));
		return STORE_REJECTED;
	}
	sqlite3_bind_int64(st, 1, b->message);
	sqlite3_bind_int64(st, 2, index);
	status = sqlite_run(&eng->q, st, "begin an attempt", e);
	if (status == STORE_OK)
		status = sqlite_reroute(eng, b->message, index, b->route,
		    eng->stored.sender, txn, e);
	return status;
}

static enum store_status
begin_one(struct sqlite_engine *eng, struct store_begin *b, unsigned index,
    struct txn *txn)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_BEGIN_SAME);
	enum store_status status;

	sqlite3_bind_int64(st, 1, b->message);
	sqlite3_bind_int64(st, 2, index);
	sqlite_bind_route(st, 3, b->route);
	status = sqlite_run(&eng->q, st, "begin an attempt", &b->req.err);
	if (status != STORE_OK || sqlite3_changes(eng->q.db) == 1)
		return status;
	return begin_changed(eng, b, index, txn);
}

static enum store_status
get_spooled(struct sqlite_engine *eng, struct store_begin *b)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_GET_SPOOL);
	enum store_status status;
	const char *name;

	sqlite3_bind_int64(st, 1, b->message);
	if (sqlite_next(&eng->q, st, "read a message", &status, &b->req.err) ==
	    SQLITE_ROW) {
		name = column_text(st, 0);
		if (*name != '\0')
			b->body = body_spooled(eng->spool_directory, name,
			    (uint64_t)sqlite3_column_int64(st, 1));
	}
	sqlite3_reset(st);
	return status;
}

static enum store_status
get_body(struct sqlite_engine *eng, struct store_begin *b)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_GET_BODY);
	enum store_status status;
	bool found;
	size_t len;

	sqlite3_bind_int64(st, 1, b->message);
	found = sqlite_next(&eng->q, st, "read a body", &status, &b->req.err) ==
		SQLITE_ROW;
	if (found) {
		len = (size_t)sqlite3_column_bytes(st, 0);
		b->body =
		    body_take(xstrndup(sqlite3_column_blob(st, 0), len), len);
	}
	sqlite3_reset(st);
	return found || status != STORE_OK ? status : get_spooled(eng, b);
}

enum store_status
sqlite_begin_attempt(
    struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_begin *b = container_of(req, struct store_begin, req);
	struct sqlite_engine *eng = sqlite_of(base);
	enum store_status st = STORE_OK;

	for (size_t i = 0; i < b->n && st == STORE_OK; i++)
		st = begin_one(eng, b, b->index[i], txn);
	if (st == STORE_OK && b->want_body)
		st = get_body(eng, b);
	return st;
}

/* -- out of the queue ---------------------------------------------------- */

/* Remembers the spool file of a message whose body is not in a row. */
static enum store_status
drop_spool(
    struct sqlite_engine *eng, int64_t message, struct txn *txn, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_GET_SPOOL);
	enum store_status status;
	const char *name;

	sqlite3_bind_int64(st, 1, message);
	if (sqlite_next(&eng->q, st, "read a message", &status, e) ==
	    SQLITE_ROW) {
		name = column_text(st, 0);
		if (*name != '\0')
			str_add(&txn->dropped, name, strlen(name) + 1);
	}
	sqlite3_reset(st);
	return status;
}

static enum store_status
has_recipient(
    struct sqlite_engine *eng, int64_t message, bool *has, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_HAS_RECIPIENT);
	enum store_status status;

	sqlite3_bind_int64(st, 1, message);
	*has = sqlite_next(&eng->q, st, "read a message", &status, e) ==
	       SQLITE_ROW;
	sqlite3_reset(st);
	return status;
}

/* A message whose last recipient has gone. Its body goes first: usually there
 * is one in a row, and that it could be removed answers whether it was the
 * last. */
static enum store_status
remove_message(
    struct sqlite_engine *eng, int64_t message, struct txn *txn, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_REMOVE_BODY);
	enum store_status status;
	bool more = false;

	sqlite3_bind_int64(st, 1, message);
	status = sqlite_run(&eng->q, st, "remove a body", e);
	if (status == STORE_OK && sqlite3_changes(eng->q.db) == 0) {
		status = has_recipient(eng, message, &more, e);
		if (status == STORE_OK && !more)
			status = drop_spool(eng, message, txn, e);
	}
	if (status != STORE_OK || more)
		return status;
	st = sqlite_stmt(&eng->q, SQL_REMOVE_MESSAGE);
	sqlite3_bind_int64(st, 1, message);
	return sqlite_run(&eng->q, st, "remove a message", e);
}

enum store_status
sqlite_remove(struct sqlite_engine *eng, int64_t message, unsigned index,
    struct txn *txn, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_REMOVE_RECIPIENT);
	enum store_status status;

	sqlite3_bind_int64(st, 1, message);
	sqlite3_bind_int64(st, 2, index);
	status = sqlite_run(&eng->q, st, "remove a recipient", e);
	return status == STORE_OK ? remove_message(eng, message, txn, e)
				  : status;
}

enum store_status
sqlite_remove_same(struct sqlite_engine *eng, const struct settlement *s,
    bool *removed, struct txn *txn, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_REMOVE_SAME);
	const struct route *r = s->route;
	const char *key[] = { r->path, r->source, r->carrier, r->group, r->rule,
		s->sender };
	enum store_status status;

	sqlite3_bind_int64(st, 1, s->message);
	sqlite3_bind_int64(st, 2, s->index);
	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		bind_text(st, 3 + (int)i, key[i]);
	status = sqlite_run(&eng->q, st, "remove a recipient", e);
	*removed = status == STORE_OK && sqlite3_changes(eng->q.db) == 1;
	return *removed ? remove_message(eng, s->message, txn, e) : status;
}
