/*
 * sql_edit.c - what operators and restarts do to the queue, and the end of
 * old events.
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"

#include <stdlib.h>

#define SLICE 1000 /* recipients looked at in one transaction: a few ms */

/* -- recipients picked by one statement and changed by others ------------ */

struct pick {
	int64_t message;
	unsigned index;
};

struct picks {
	struct pick *pick;
	size_t n, room;
};

static void
add_pick(struct picks *p, int64_t message, int64_t index)
{
	if (p->n == p->room) {
		p->room = p->room == 0 ? 64 : p->room * 2;
		p->pick = xrealloc(p->pick, p->room * sizeof(*p->pick));
	}
	p->pick[p->n++] = (struct pick){ message, (unsigned)index };
}

static enum store_status
change_all(struct sql_engine *eng, const struct picks *p,
    enum store_status (*change)(
	struct sql_engine *, const struct pick *, void *),
    void *arg)
{
	enum store_status st = STORE_OK;

	for (size_t i = 0; i < p->n && st == STORE_OK; i++)
		st = change(eng, &p->pick[i], arg);
	return st;
}

/* Counts and records what befalls a recipient that nobody has in memory. */
static enum store_status
record(struct sql_engine *eng, const struct pick *p, enum counter counter,
    enum event_type type, int64_t now, struct txn *txn, struct err *e)
{
	const struct stored *s = &eng->stored;
	struct event_row ev = {
		.at = now,
		.message = p->message,
		.index = p->index,
		.type = type,
		.sender = s->sender,
		.recipient = s->address,
		.path = s->route.path,
		.carrier = s->route.carrier,
		.group = s->route.group,
		.source = s->route.source,
		.rule = s->route.rule,
		.ruleset = s->route.ruleset,
		.stage = type == EVENT_UNREAD ? stage_name(STAGE_DOT) : "",
	};

	counters_add(&txn->counters, &s->route, s->sender, now, counter, 1);
	return sql_add_event(eng, &ev, e);
}

/* -- operators ----------------------------------------------------------- */

struct editing {
	struct store_queue_edit *edit;
	struct txn *txn;
};

/* Its reply was unread: SES may tell of it yet. */
static enum store_status
remember(struct sql_engine *eng, const struct pick *p, const struct editing *ed,
    struct err *e)
{
	const struct stored *s = &eng->stored;
	const struct settlement removed = {
		.message = p->message,
		.index = p->index,
		.counters = 1u << COUNT_REMOVED,
		.at = ed->edit->now,
		.remember = ed->edit->remember,
		.reason = "",
		.remote_id = "",
	};
	bool told;

	if (!s->unread || ed->edit->remember == 0)
		return STORE_OK;
	/* Not told of before: it would not wait any more. */
	return sql_sent_settle(
	    eng, &removed, &s->route, s->sender, s->address, &told, ed->txn, e);
}

static enum store_status
delete_one(struct sql_engine *eng, const struct pick *p, void *arg)
{
	struct editing *ed = arg;
	struct err *e = &ed->edit->req.err;
	enum store_status st;
	bool found;

	st = sql_load(eng, p->message, p->index, &found, e);
	if (st != STORE_OK || !found || eng->stored.state != RCPT_WAITING)
		return st; /* another node has just taken it */
	st = record(
	    eng, p, COUNT_REMOVED, EVENT_REMOVED, ed->edit->now, ed->txn, e);
	if (st == STORE_OK)
		st = remember(eng, p, ed, e);
	if (st == STORE_OK)
		st = sql_remove(eng, p->message, p->index, ed->txn, e);
	ed->edit->next.changed++;
	return st;
}

static enum store_status
retry_one(struct sql_engine *eng, const struct pick *p, void *arg)
{
	struct editing *ed = arg;
	struct stmt *st = sql_stmt(eng->q, SQL_RETRY_NOW);

	bind_int(st, 1, p->message);
	bind_int(st, 2, p->index);
	bind_int(st, 3, ed->edit->now);
	bind_int(st, 4, ed->edit->release ? ~FLAGS_UNFIT : ~0);
	ed->edit->next.changed++;
	eng->engine.changes |= STORE_CHANGED_QUEUE;
	return sql_run(eng->q, st, "make a recipient due", &ed->edit->req.err);
}

static enum store_status
hold_one(struct sql_engine *eng, const struct pick *p, void *arg)
{
	struct editing *ed = arg;
	struct stmt *st = sql_stmt(eng->q, SQL_HOLD);

	bind_int(st, 1, p->message);
	bind_int(st, 2, p->index);
	bind_int(st, 3, ed->edit->never);
	bind_int(st, 4, ed->edit->now);
	bind_text(st, 5, ed->edit->hold);
	ed->edit->next.changed++;
	return sql_run(eng->q, st, "hold a recipient", &ed->edit->req.err);
}

static void
bind_slice(struct stmt *st, const struct store_queue_edit *r)
{
	const struct queue_filter *f = &r->filter;
	bool started = r->at.message > 0;

	sql_bind_filter(st, f);
	bind_int(st, 7, started ? r->at.message : f->message);
	bind_int(st, 8, started ? r->at.index : -1);
	bind_int(st, 9, f->message != 0 ? f->message : INT64_MAX);
	bind_int(st, 10, SLICE);
	bind_text(st, 11, r->hold);
	bind_int(st, 12, r->leave_held);
}

static bool
wants_more(const struct store_queue_edit *r)
{
	return r->filter.limit == 0 || r->next.changed < r->filter.limit;
}

/* Notes in r->next how far it came. */
static enum store_status
pick_slice(struct sql_engine *eng, struct store_queue_edit *r, struct picks *p)
{
	struct stmt *st = sql_stmt(eng->q, SQL_EDIT_SLICE);
	size_t seen = 0, limit = r->filter.limit;
	enum store_status status;

	bind_slice(st, r);
	while (sql_next(eng->q, st, "read the queue", &status, &r->req.err)) {
		r->next.message = column_int(st, 0);
		r->next.index = column_int(st, 1);
		seen++;
		if (column_int(st, 2) != 0)
			add_pick(p, r->next.message, r->next.index);
		if (limit != 0 && r->next.changed + p->n >= limit)
			break;
	}
	sql_reset(st);
	r->next.more = seen == SLICE;
	return status;
}

enum store_status
sql_edit(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_queue_edit *r =
	    container_of(req, struct store_queue_edit, req);
	struct sql_engine *eng = sql_of(base);
	struct editing ed = { r, txn };
	struct picks picks = { 0 };
	enum store_status st;

	r->next = r->at;
	st = pick_slice(eng, r, &picks);
	if (st == STORE_OK)
		st = change_all(eng, &picks,
		    r->delete	      ? delete_one
		    : r->hold != NULL ? hold_one
				      : retry_one,
		    &ed);
	r->next.more = r->next.more && wants_more(r);
	free(picks.pick);
	return st;
}

/* -- restarts ------------------------------------------------------------ */

struct recovering {
	int64_t now;
	struct store_recovery *recovery;
	struct txn *txn;
	struct err *e;
};

static void
log_unread(const struct sql_engine *eng, const struct pick *p)
{
	char id[RECIPIENT_ID_TEXT];
	struct logline l;

	if (!log_start(&l, LOG_WARN, "unread"))
		return;
	log_str(&l, "id", recipient_id_text(p->message, p->index, id));
	log_str(&l, "to", eng->stored.address);
	log_str(&l, "path", eng->stored.route.path);
	log_str(&l, "rule", eng->stored.route.rule);
	log_str(&l, "why",
	    "stopped after the final dot -- message may be sent more than "
	    "once");
	log_end(&l);
}

enum store_status
sql_take_back(struct sql_engine *eng, int64_t message, unsigned index,
    int64_t now, struct txn *txn, struct err *e)
{
	const struct pick p = { message, index };
	struct stmt *stmt = sql_stmt(eng->q, SQL_TAKE_BACK);
	enum store_status st;
	bool found;

	st = sql_load(eng, message, index, &found, e);
	if (st == STORE_OK && found)
		st = record(eng, &p, COUNT_UNREAD, EVENT_UNREAD, now, txn, e);
	if (st != STORE_OK || !found)
		return st;
	bind_int(stmt, 1, message);
	bind_int(stmt, 2, index);
	bind_int(stmt, 3, now);
	log_unread(eng, &p);
	return sql_run(eng->q, stmt, "take a recipient back", e);
}

static enum store_status
take_back(struct sql_engine *eng, const struct pick *p, void *arg)
{
	struct recovering *rec = arg;

	rec->recovery->unread++;
	return sql_take_back(
	    eng, p->message, p->index, rec->now, rec->txn, rec->e);
}

static enum store_status
pick_sending(struct sql_engine *eng, struct picks *p, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_FIND_SENDING);
	enum store_status status;

	while (sql_next(eng->q, st, "read the queue", &status, e))
		add_pick(p, column_int(st, 0), column_int(st, 1));
	sql_reset(st);
	return status;
}

enum store_status
sql_recover(struct engine *base, int64_t now, struct store_recovery *recovery,
    struct txn *txn, struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	struct recovering rec = { now, recovery, txn, e };
	struct picks picks = { 0 };
	enum store_status st;
	struct stmt *leased;

	recovery->queued = sql_queued(eng->q);
	if (eng->engine.epoch != 0)
		return STORE_OK; /* whoever held something is buried */
	st = pick_sending(eng, &picks, e);
	if (st == STORE_OK)
		st = change_all(eng, &picks, take_back, &rec);
	free(picks.pick);
	if (st != STORE_OK)
		return st;
	leased = sql_stmt(eng->q, SQL_TAKE_BACK_LEASED);
	bind_int(leased, 1, now);
	st = sql_run(eng->q, leased, "take recipients back", e);
	recovery->returned = (uint64_t)sql_changes(eng->q);
	return st;
}

int
sql_knows_spool(struct engine *base, const char *name, struct err *e)
{
	struct sql *q = sql_of(base)->q;
	struct stmt *st = sql_stmt(q, SQL_KNOWS_SPOOL);
	enum store_status status;
	bool found;

	bind_text(st, 1, name);
	found = sql_next(q, st, "look for a spool file", &status, e);
	sql_reset(st);
	return status != STORE_OK ? -1 : found;
}

enum store_status
sql_trim_parts(struct sql *q, struct stmt *st, const char *what,
    size_t *trimmed, struct err *e)
{
	enum store_status status;

	if (sql_next(q, st, what, &status, e))
		*trimmed = (size_t)column_int(st, 0);
	sql_reset(st);
	return status;
}

enum store_status
sql_trim_events(struct engine *base, int64_t before, size_t max,
    size_t *trimmed, struct err *e)
{
	struct sql *q = sql_of(base)->q;
	struct stmt *st = sql_stmt(q, SQL_TRIM_EVENTS);
	enum store_status status;

	bind_int(st, 1, before);
	bind_int(st, 2, (int64_t)max);
	if (q->far)
		return sql_trim_parts(q, st, "remove old events", trimmed, e);
	status = sql_run(q, st, "remove old events", e);
	*trimmed = (size_t)sql_changes(q);
	if (status == STORE_OK)
		status = sql_whom_trim(sql_of(base), e);
	if (status != STORE_OK)
		return status;
	st = sql_stmt(q, SQL_TRIM_EVENT_HOURS);
	bind_int(st, 1, before);
	return sql_run(q, st, "remove old events", e);
}
