/*
 * sql_queue.c - messages and recipients come into the queue, are begun, and
 * leave it.
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/body.h"
#include "router/suppress.h"

#include <stdlib.h>
#include <string.h>

/* -- into the queue ------------------------------------------------------ */

static void
bind_message(struct stmt *st, const struct message *m)
{
	int i = 1;

	bind_int(st, i++, m->id);
	bind_int(st, i++, m->received);
	bind_text(st, i++, m->from);
	bind_text(st, i++, m->envid);
	bind_int(st, i++, m->ret);
	bind_int(st, i++,
	    (m->body_8bit ? FLAG_8BIT : 0) | (m->smtputf8 ? FLAG_SMTPUTF8 : 0) |
		(m->returns ? FLAG_RETURNS : 0));
	bind_text(st, i++, m->user);
	bind_text(st, i++, m->listener);
	bind_text(st, i++, m->client);
	bind_text(st, i++, m->header_from);
	bind_text(st, i++, m->message_id);
	bind_int(st, i++, (int64_t)m->size);
	bind_int(st, i++, (int64_t)m->header_size);
	bind_int(st, i++, m->nrcpt);
	bind_text(st, i++, m->tags);
	bind_text(st, i, body_name(m->body));
}

enum store_status
sql_add_message(struct sql_engine *eng, const struct message *m, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_MESSAGE);
	enum store_status status;

	bind_message(st, m);
	status = sql_run(eng->q, st, "store a message", e);
	if (status != STORE_OK || body_is_spooled(m->body))
		return status;
	st = sql_stmt(eng->q, SQL_ADD_BODY);
	bind_int(st, 1, m->id);
	bind_blob(st, 2, body_data(m->body), body_size(m->body));
	return sql_run(eng->q, st, "store a body", e);
}

static void
bind_recipient(
    struct stmt *st, const struct recipient *r, enum recipient_state state)
{
	int i = 1;

	bind_int(st, i++, r->message->id);
	bind_int(st, i++, r->index);
	bind_int(st, i++, (int)state);
	bind_int(st, i++, r->shelf);
	bind_int(st, i++, r->due);
	bind_int(st, i++, r->expires);
	bind_int(st, i++, r->attempts);
	bind_int(st, i++, r->notify);
	bind_int(st, i++,
	    ((int)r->unfit << FLAGS_UNFIT_AT) |
		(r->irregular ? FLAG_IRREGULAR : 0) |
		(r->utf8 ? FLAG_UTF8 : 0) | (r->requoted ? FLAG_REQUOTED : 0));
	bind_int(st, i++, r->unread);
	bind_int(st, i++, r->delay_told);
	bind_text(st, i++, r->address);
	bind_text(st, i++, r->orcpt);
	bind_text(st, i++, r->last);
	sql_bind_route(st, i, &r->route);
	bind_text(st, i + 8, r->message->from_domain);
	bind_int(st, i + 9, r->held_at);
	bind_text(st, i + 10, r->held);
}

/* Where there are many nodes: whose it is, and what its address is on the
 * suppression list, so that the statement that begins an attempt can look
 * there. The key is the caller's, until the statement has been run. */
static char *
bind_for_nodes(struct sql_engine *eng, struct stmt *st,
    const struct recipient *r, enum recipient_state state)
{
	char *key = eng->q->far ? suppress_key(r->address) : NULL;

	bind_int(st, 26, state == RCPT_WAITING ? 0 : eng->engine.epoch);
	bind_text(st, 27, key != NULL ? key : "");
	return key;
}

enum store_status
sql_add_recipient(struct sql_engine *eng, const struct recipient *r,
    enum recipient_state state, struct txn *txn, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_RECIPIENT);
	enum store_status status;
	char *key;

	if (state == RCPT_WAITING)
		eng->engine.changes |= STORE_CHANGED_QUEUE;
	bind_recipient(st, r, state);
	key = bind_for_nodes(eng, st, r, state);
	counters_add(&txn->counters, &r->route, r->message->from_domain,
	    message_id_time(r->message->id), COUNT_ACCEPTED, 1);
	status = sql_run(eng->q, st, "store a recipient", e);
	free(key);
	return status;
}

/* Of what is announced it is the database's own, told in advance. */
static int64_t
time_to_look(const struct sql_engine *eng)
{
	return eng->q->far ? 0 : clock_wall();
}

/* Where it stands when it comes in; its route may be another when it leaves. */
static enum store_status
enqueue_one(struct sql_engine *eng, struct recipient *r,
    const struct store_enqueue *q, int64_t now, struct txn *txn, struct err *e)
{
	enum store_status st = sql_add_recipient(
	    eng, r, q->leased ? RCPT_LEASED : RCPT_WAITING, txn, e);

	return st == STORE_OK ? sql_find_suppressed(eng, r->address,
				    r->route.path, now, &r->suppressed, e)
			      : st;
}

/* What the list has on those that come in. */
void
sql_announce_enqueue(struct engine *base, struct store_request *req)
{
	struct store_enqueue *r = container_of(req, struct store_enqueue, req);
	struct sql_engine *eng = sql_of(base);
	const struct recipient *rcpt;

	TAILQ_FOREACH(rcpt, &r->recipients, link)
	sql_announce_suppressed(
	    eng, rcpt->address, rcpt->route.path, time_to_look(eng));
}

enum store_status
sql_enqueue(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_enqueue *r = container_of(req, struct store_enqueue, req);
	struct sql_engine *eng = sql_of(base);
	enum store_status st = sql_add_message(eng, r->message, &req->err);
	int64_t now = time_to_look(eng);
	struct recipient *rcpt;

	TAILQ_FOREACH(rcpt, &r->recipients, link)
	{
		if (st != STORE_OK)
			break;
		st = enqueue_one(eng, rcpt, r, now, txn, &req->err);
	}
	if (st == STORE_OK)
		st = sql_add_mail(eng, r->message, r->mail, &req->err);
	if (st == STORE_OK)
		st =
		    sql_add_traffic(eng, r->message, &r->recipients, &req->err);
	return st;
}

/* -- what is stored ------------------------------------------------------ */

static void
copy_stored(struct sql_engine *eng, struct stmt *st)
{
	struct stored *s = &eng->stored;
	const char **const field[] = { &s->sender, &s->address, &s->route.path,
		&s->route.pool, &s->route.source, &s->route.carrier,
		&s->route.group, &s->route.rule, &s->route.ruleset,
		&s->route.configuration_set };
	int64_t holder = column_int(st, 2);

	s->state = (enum recipient_state)column_int(st, 0);
	s->unread = column_int(st, 1) != 0;
	s->elsewhere = holder != 0 && holder != eng->engine.epoch;
	sql_copy_columns(
	    &eng->text, st, 3, field, (int)(sizeof(field) / sizeof(field[0])));
}

void
sql_announce_stored(struct sql_engine *eng, int64_t message, unsigned index)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_STORED);

	bind_int(st, 1, message);
	bind_int(st, 2, index);
	sql_ahead(eng->q, st, "read a recipient");
}

enum store_status
sql_load(struct sql_engine *eng, int64_t message, unsigned index, bool *found,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_STORED);
	enum store_status status;

	bind_int(st, 1, message);
	bind_int(st, 2, index);
	*found = sql_next(eng->q, st, "read a recipient", &status, e);
	if (*found)
		copy_stored(eng, st);
	sql_reset(st);
	return status;
}

bool
sql_same_key(const struct route *a, const char *a_sender, const struct route *b,
    const char *b_sender)
{
	return strcmp(a->path, b->path) == 0 &&
	       strcmp(a->carrier, b->carrier) == 0 &&
	       strcmp(a->group, b->group) == 0 &&
	       strcmp(a->source, b->source) == 0 &&
	       strcmp(a->rule, b->rule) == 0 &&
	       strcmp(a->configuration_set, b->configuration_set) == 0 &&
	       strcmp(a_sender, b_sender) == 0;
}

void
sql_move_accepted(const struct stored *s, int64_t message,
    const struct route *r, const char *sender, struct txn *txn)
{
	int64_t at = message_id_time(message);

	if (sql_same_key(&s->route, s->sender, r, sender))
		return;
	counters_add(
	    &txn->counters, &s->route, s->sender, at, COUNT_ACCEPTED, -1);
	counters_add(&txn->counters, r, sender, at, COUNT_ACCEPTED, 1);
}

/* -- begun --------------------------------------------------------------- */

/* One whose reply was unread, and that feedback has proved to have arrived. */
static enum store_status
refuse_proved(struct sql_engine *eng, struct store_begin *b, unsigned index)
{
	char id[RECIPIENT_ID_TEXT];
	enum store_status status;
	bool found;

	status = sql_sent_load(eng, b->message, index, &found, &b->req.err);
	if (status != STORE_OK || !found)
		return status;
	err_set(&b->req.err, "recipient '%s' has been sent, as feedback tells",
	    recipient_id_text(b->message, index, id));
	return STORE_REJECTED;
}

static enum store_status
begin_changed(struct sql_engine *eng, struct store_begin *b, unsigned index,
    struct txn *txn)
{
	struct err *e = &b->req.err;
	struct stmt *st = sql_stmt(eng->q, SQL_SET_SENDING);
	enum store_status status;
	char id[RECIPIENT_ID_TEXT];
	bool found;

	status = sql_load(eng, b->message, index, &found, e);
	if (status != STORE_OK)
		return status;
	if (!found || eng->stored.elsewhere) {
		err_set(e, "no recipient '%s' in the store",
		    recipient_id_text(b->message, index, id));
		return STORE_REJECTED;
	}
	if (eng->stored.unread)
		status = refuse_proved(eng, b, index);
	if (status != STORE_OK)
		return status;
	bind_int(st, 1, b->message);
	bind_int(st, 2, index);
	bind_int(st, 3, eng->engine.epoch);
	status = sql_run(eng->q, st, "begin an attempt", e);
	if (status == STORE_OK)
		status = sql_reroute(eng, b->message, index, b->route,
		    eng->stored.sender, txn, e);
	return status;
}

/* Far away what has been changed comes as a row: it can be announced. */
static struct stmt *
bind_begin(struct sql_engine *eng, const struct store_begin *b, unsigned index)
{
	struct stmt *st = sql_stmt(eng->q, SQL_BEGIN_SAME);

	bind_int(st, 1, b->message);
	bind_int(st, 2, index);
	sql_bind_route(st, 3, b->route);
	if (eng->q->far) {
		bind_int(st, 11, eng->engine.epoch);
		bind_int(st, 12, b->suppressed != NULL);
	}
	return st;
}

static enum store_status
begin_same(
    struct sql_engine *eng, struct store_begin *b, unsigned index, bool *begun)
{
	struct stmt *st = bind_begin(eng, b, index);
	enum store_status status;

	if (eng->q->far) {
		*begun = sql_next(
		    eng->q, st, "begin an attempt", &status, &b->req.err);
		sql_reset(st);
		return status;
	}
	status = sql_run(eng->q, st, "begin an attempt", &b->req.err);
	*begun = status == STORE_OK && sql_changes(eng->q) == 1;
	return status;
}

static enum store_status
get_spooled(struct sql_engine *eng, struct store_begin *b)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_SPOOL);
	enum store_status status;
	const char *name;

	bind_int(st, 1, b->message);
	if (sql_next(eng->q, st, "read a message", &status, &b->req.err)) {
		name = column_text(st, 0);
		if (*name != '\0')
			b->body = body_spooled(eng->spool_directory, name,
			    (uint64_t)column_int(st, 1));
	}
	sql_reset(st);
	return status;
}

static enum store_status
get_body(struct sql_engine *eng, struct store_begin *b)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_BODY);
	enum store_status status;
	bool found;
	size_t len;

	bind_int(st, 1, b->message);
	found = sql_next(eng->q, st, "read a body", &status, &b->req.err);
	if (found) {
		len = (size_t)column_bytes(st, 0);
		b->body = body_take(xstrndup(column_blob(st, 0), len), len);
	}
	sql_reset(st);
	return found || status != STORE_OK || eng->spool_directory == NULL
		   ? status
		   : get_spooled(eng, b);
}

/* Which of them are on the list by that route, before anything is changed. */
static enum store_status
find_suppressed(struct sql_engine *eng, struct store_begin *b, bool *any)
{
	enum store_status st;
	bool found;

	*any = false;
	st = sql_any(
	    eng, &eng->suppressions, SQL_HAS_SUPPRESSION, &found, &b->req.err);
	if (b->suppressed == NULL || st != STORE_OK || !found)
		return st;
	for (size_t i = 0; i < b->n && st == STORE_OK; i++) {
		st =
		    sql_load(eng, b->message, b->index[i], &found, &b->req.err);
		if (st == STORE_OK && found)
			st = sql_find_suppressed(eng, eng->stored.address,
			    b->route->path, time_to_look(eng),
			    &b->suppressed[i], &b->req.err);
		*any = *any || b->suppressed[i] != NULL;
	}
	return st;
}

/* All of them are as they were: those behind it have begun as well, when they
 * were announced. */
static enum store_status
take_back(struct sql_engine *eng, struct store_begin *b)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_LEASED);
	enum store_status status = STORE_OK;

	for (size_t i = 0; i < b->n && status == STORE_OK; i++) {
		bind_int(st, 1, b->message);
		bind_int(st, 2, b->index[i]);
		bind_int(st, 3, eng->engine.epoch);
		status =
		    sql_run(eng->q, st, "take an attempt back", &b->req.err);
	}
	return status;
}

/* Far away a look at the list is left to the statement that begins them; one
 * that does not begin may be on it. */
static enum store_status
begin_all(struct sql_engine *eng, struct store_begin *b, struct txn *txn,
    bool *suppressed)
{
	enum store_status st = STORE_OK;
	bool begun;

	for (size_t i = 0; i < b->n && st == STORE_OK; i++) {
		st = begin_same(eng, b, b->index[i], &begun);
		if (st != STORE_OK || begun)
			continue;
		if (eng->q->far)
			st = find_suppressed(eng, b, suppressed);
		if (st == STORE_OK && *suppressed)
			return take_back(eng, b);
		if (st == STORE_OK)
			st = begin_changed(eng, b, b->index[i], txn);
	}
	return st;
}

void
sql_announce_begin(struct engine *base, struct store_request *req)
{
	struct store_begin *b = container_of(req, struct store_begin, req);
	struct sql_engine *eng = sql_of(base);
	struct stmt *body = sql_stmt(eng->q, SQL_GET_BODY);

	for (size_t i = 0; i < b->n; i++)
		sql_ahead(eng->q, bind_begin(eng, b, b->index[i]),
		    "begin an attempt");
	if (!b->want_body)
		return;
	bind_int(body, 1, b->message);
	sql_ahead(eng->q, body, "read a body");
}

enum store_status
sql_begin_attempt(
    struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_begin *b = container_of(req, struct store_begin, req);
	struct sql_engine *eng = sql_of(base);
	enum store_status st = STORE_OK;
	bool suppressed = false;

	if (!eng->q->far)
		st = find_suppressed(eng, b, &suppressed);
	if (st == STORE_OK && !suppressed)
		st = begin_all(eng, b, txn, &suppressed);
	if (st == STORE_OK && !suppressed && b->want_body)
		st = get_body(eng, b);
	return st;
}

/* -- out of the queue ---------------------------------------------------- */

/* Remembers the spool file of a message whose body is not in a row. */
static enum store_status
drop_spool(
    struct sql_engine *eng, int64_t message, struct txn *txn, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_SPOOL);
	enum store_status status;
	const char *name;

	bind_int(st, 1, message);
	if (sql_next(eng->q, st, "read a message", &status, e)) {
		name = column_text(st, 0);
		if (*name != '\0')
			str_add(&txn->dropped, name, strlen(name) + 1);
	}
	sql_reset(st);
	return status;
}

static enum store_status
has_recipient(struct sql_engine *eng, int64_t message, bool *has, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_HAS_RECIPIENT);
	enum store_status status;

	bind_int(st, 1, message);
	*has = sql_next(eng->q, st, "read a message", &status, e);
	sql_reset(st);
	return status;
}

/* A message whose last recipient has gone. Its body goes first: usually there
 * is one in a row, and that it could be removed answers whether it was the
 * last. */
static enum store_status
remove_message(
    struct sql_engine *eng, int64_t message, struct txn *txn, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_REMOVE_BODY);
	enum store_status status;
	bool more = false;

	bind_int(st, 1, message);
	status = sql_run(eng->q, st, "remove a body", e);
	if (status == STORE_OK && sql_changes(eng->q) == 0) {
		status = has_recipient(eng, message, &more, e);
		if (status == STORE_OK && !more)
			status = drop_spool(eng, message, txn, e);
	}
	if (status != STORE_OK || more)
		return status;
	st = sql_stmt(eng->q, SQL_REMOVE_MESSAGE);
	bind_int(st, 1, message);
	return sql_run(eng->q, st, "remove a message", e);
}

/* Where it is far the statement does all of it, and what follows. */
static enum store_status
remove_far(
    struct sql_engine *eng, struct stmt *st, bool *removed, struct err *e)
{
	enum store_status status;

	*removed = sql_next(eng->q, st, "remove a recipient", &status, e) &&
		   column_int(st, 0) != 0;
	if (*removed) {
		eng->added_sent = column_int(st, 1);
		eng->lifts_nothing = column_int(st, 2) == 0;
	}
	sql_reset(st);
	return status;
}

/* *key is to be freed when it has been sent. */
static struct stmt *
bind_remove(struct sql_engine *eng, const struct settlement *s, char **key)
{
	struct stmt *st = sql_stmt(eng->q, SQL_REMOVE_SAME);
	const struct route *r = s->route;
	const char *column[] = { r->path, r->source, r->carrier, r->group,
		r->rule, s->sender, r->configuration_set };

	bind_int(st, 1, s->message);
	bind_int(st, 2, s->index);
	for (size_t i = 0; i < sizeof(column) / sizeof(column[0]); i++)
		bind_text(st, 3 + (int)i, column[i]);
	*key = NULL;
	if (!eng->q->far)
		return st;
	bind_int(st, 10, eng->engine.epoch);
	sql_bind_settled(st, 11, s);
	if (s->lifts)
		*key = suppress_key(s->address);
	bind_text(st, 18, *key != NULL ? *key : "");
	return st;
}

void
sql_announce_remove(struct sql_engine *eng, const struct settlement *s)
{
	char *key;

	sql_ahead(eng->q, bind_remove(eng, s, &key), "remove a recipient");
	free(key);
}

enum store_status
sql_remove(struct sql_engine *eng, int64_t message, unsigned index,
    struct txn *txn, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_REMOVE_RECIPIENT);
	enum store_status status;

	bind_int(st, 1, message);
	bind_int(st, 2, index);
	bind_int(st, 3, eng->engine.epoch);
	status = sql_run(eng->q, st, "remove a recipient", e);
	return status == STORE_OK && !eng->q->far
		   ? remove_message(eng, message, txn, e)
		   : status;
}

enum store_status
sql_remove_same(struct sql_engine *eng, const struct settlement *s,
    bool *removed, struct txn *txn, struct err *e)
{
	enum store_status status;
	struct stmt *st;
	char *key;

	st = bind_remove(eng, s, &key);
	if (eng->q->far) {
		status = remove_far(eng, st, removed, e);
		free(key);
		return status;
	}
	status = sql_run(eng->q, st, "remove a recipient", e);
	*removed = status == STORE_OK && sql_changes(eng->q) == 1;
	return *removed ? remove_message(eng, s->message, txn, e) : status;
}
