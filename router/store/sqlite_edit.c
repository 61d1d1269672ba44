/*
 * sqlite_edit.c - what operators and restarts do to the queue, and the end of
 * old events.
 */
#include "router/store/sqlite_int.h"

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
change_all(struct sqlite_engine *eng, const struct picks *p,
    enum store_status (*change)(
	struct sqlite_engine *, const struct pick *, void *),
    void *arg)
{
	enum store_status st = STORE_OK;

	for (size_t i = 0; i < p->n && st == STORE_OK; i++)
		st = change(eng, &p->pick[i], arg);
	return st;
}

/* Counts and records what befalls a recipient that nobody has in memory. */
static enum store_status
record(struct sqlite_engine *eng, const struct pick *p, enum counter counter,
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
		.stage = type == EVENT_UNREAD ? stage_name(STAGE_DOT) : "",
	};

	counters_add(&txn->counters, &s->route, s->sender, counter, 1);
	return sqlite_add_event(eng, &ev, e);
}

/* -- operators ----------------------------------------------------------- */

struct editing {
	struct store_queue_edit *edit;
	struct txn *txn;
};

static enum store_status
delete_one(struct sqlite_engine *eng, const struct pick *p, void *arg)
{
	struct editing *ed = arg;
	struct err *e = &ed->edit->req.err;
	enum store_status st;
	bool found;

	st = sqlite_load(eng, p->message, p->index, &found, e);
	if (st == STORE_OK)
		st = record(eng, p, COUNT_REMOVED, EVENT_REMOVED, ed->edit->now,
		    ed->txn, e);
	if (st == STORE_OK)
		st = sqlite_remove(eng, p->message, p->index, ed->txn, e);
	ed->edit->next.changed++;
	return st;
}

static enum store_status
retry_one(struct sqlite_engine *eng, const struct pick *p, void *arg)
{
	struct editing *ed = arg;
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_RETRY_NOW);

	sqlite3_bind_int64(st, 1, p->message);
	sqlite3_bind_int64(st, 2, p->index);
	sqlite3_bind_int64(st, 3, ed->edit->now);
	sqlite3_bind_int(st, 4, ed->edit->release ? ~FLAGS_UNFIT : ~0);
	ed->edit->next.changed++;
	return sqlite_run(
	    &eng->q, st, "make a recipient due", &ed->edit->req.err);
}

static void
bind_slice(sqlite3_stmt *st, const struct store_queue_edit *r)
{
	const struct queue_filter *f = &r->filter;
	bool started = r->at.message > 0;

	sqlite_bind_filter(st, f);
	sqlite3_bind_int64(st, 7, started ? r->at.message : f->message);
	sqlite3_bind_int64(st, 8, started ? r->at.index : -1);
	sqlite3_bind_int64(st, 9, f->message != 0 ? f->message : INT64_MAX);
	sqlite3_bind_int64(st, 10, SLICE);
}

static bool
wants_more(const struct store_queue_edit *r)
{
	return r->filter.limit == 0 || r->next.changed < r->filter.limit;
}

/* Notes in r->next how far it came. */
static enum store_status
pick_slice(
    struct sqlite_engine *eng, struct store_queue_edit *r, struct picks *p)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_EDIT_SLICE);
	size_t seen = 0, limit = r->filter.limit;
	enum store_status status;

	bind_slice(st, r);
	while (sqlite_next(&eng->q, st, "read the queue", &status,
		   &r->req.err) == SQLITE_ROW) {
		r->next.message = sqlite3_column_int64(st, 0);
		r->next.index = sqlite3_column_int64(st, 1);
		seen++;
		if (sqlite3_column_int(st, 2) != 0)
			add_pick(p, r->next.message, r->next.index);
		if (limit != 0 && r->next.changed + p->n >= limit)
			break;
	}
	sqlite3_reset(st);
	r->next.more = seen == SLICE;
	return status;
}

enum store_status
sqlite_edit(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_queue_edit *r =
	    container_of(req, struct store_queue_edit, req);
	struct sqlite_engine *eng = sqlite_of(base);
	struct editing ed = { r, txn };
	struct picks picks = { 0 };
	enum store_status st;

	r->next = r->at;
	st = pick_slice(eng, r, &picks);
	if (st == STORE_OK)
		st = change_all(
		    eng, &picks, r->delete ? delete_one : retry_one, &ed);
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
log_unread(const struct sqlite_engine *eng, const struct pick *p)
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

static enum store_status
take_back(struct sqlite_engine *eng, const struct pick *p, void *arg)
{
	struct recovering *rec = arg;
	sqlite3_stmt *stmt = sqlite_stmt(&eng->q, SQL_TAKE_BACK);
	enum store_status st;
	bool found;

	st = sqlite_load(eng, p->message, p->index, &found, rec->e);
	if (st == STORE_OK)
		st = record(eng, p, COUNT_UNREAD, EVENT_UNREAD, rec->now,
		    rec->txn, rec->e);
	if (st != STORE_OK)
		return st;
	sqlite3_bind_int64(stmt, 1, p->message);
	sqlite3_bind_int64(stmt, 2, p->index);
	sqlite3_bind_int64(stmt, 3, rec->now);
	log_unread(eng, p);
	rec->recovery->unread++;
	return sqlite_run(&eng->q, stmt, "take a recipient back", rec->e);
}

static enum store_status
pick_sending(struct sqlite_engine *eng, struct picks *p, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_FIND_SENDING);
	enum store_status status;

	while (sqlite_next(&eng->q, st, "read the queue", &status, e) ==
	       SQLITE_ROW)
		add_pick(p, sqlite3_column_int64(st, 0),
		    sqlite3_column_int64(st, 1));
	sqlite3_reset(st);
	return status;
}

enum store_status
sqlite_recover(struct engine *base, int64_t now,
    struct store_recovery *recovery, struct txn *txn, struct err *e)
{
	struct sqlite_engine *eng = sqlite_of(base);
	struct recovering rec = { now, recovery, txn, e };
	sqlite3_stmt *leased = sqlite_stmt(&eng->q, SQL_TAKE_BACK_LEASED);
	struct picks picks = { 0 };
	enum store_status st;

	recovery->queued = sqlite_queued(&eng->q);
	st = pick_sending(eng, &picks, e);
	if (st == STORE_OK)
		st = change_all(eng, &picks, take_back, &rec);
	free(picks.pick);
	if (st != STORE_OK)
		return st;
	sqlite3_bind_int64(leased, 1, now);
	st = sqlite_run(&eng->q, leased, "take recipients back", e);
	recovery->returned = (uint64_t)sqlite3_changes(eng->q.db);
	return st;
}

int
sqlite_knows_spool(struct engine *base, const char *name, struct err *e)
{
	struct sqlite *q = &sqlite_of(base)->q;
	sqlite3_stmt *st = sqlite_stmt(q, SQL_KNOWS_SPOOL);
	enum store_status status;
	bool found;

	bind_text(st, 1, name);
	found = sqlite_next(q, st, "look for a spool file", &status, e) ==
		SQLITE_ROW;
	sqlite3_reset(st);
	return status != STORE_OK ? -1 : found;
}

enum store_status
sqlite_trim_events(struct engine *base, int64_t before, size_t max,
    size_t *trimmed, struct err *e)
{
	struct sqlite *q = &sqlite_of(base)->q;
	sqlite3_stmt *st = sqlite_stmt(q, SQL_TRIM_EVENTS);
	enum store_status status;

	sqlite3_bind_int64(st, 1, before);
	sqlite3_bind_int64(st, 2, (int64_t)max);
	status = sqlite_run(q, st, "remove old events", e);
	*trimmed = (size_t)sqlite3_changes(q->db);
	return status;
}
