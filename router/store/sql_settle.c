/*
 * sql_settle.c - the end of an attempt: recipient, counters, event and
 * notice in one go.
 */
#include "router/store/sql_int.h"

#include <string.h>

/* -- events -------------------------------------------------------------- */

#define HOUR (3600 * 1000) /* ms, as in the table event_hour */

/* The first event of an hour is where reading from that hour begins. */
static enum store_status
note_hour(struct sql_engine *eng, int64_t at, int64_t seq, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_EVENT_HOUR);

	if (at / HOUR == eng->event_hour)
		return STORE_OK;
	eng->event_hour = at / HOUR;
	bind_int(st, 1, eng->event_hour);
	bind_int(st, 2, seq);
	return sql_run(eng->q, st, "record an event", e);
}

/* Its number: chosen by SQLite, or by the transaction, of which this is the
 * nth. */
static void
bind_seq(struct sql_engine *eng, struct stmt *st, int i)
{
	if (eng->q->far)
		bind_int(st, i, eng->nevents++);
	else
		bind_text(st, i, NULL);
}

enum store_status
sql_add_event(struct sql_engine *eng, const struct event_row *ev, struct err *e)
{
	enum store_status status;
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_EVENT);
	const char *whom[] = { ev->sender, ev->recipient, ev->path, ev->carrier,
		ev->group, ev->source, ev->rule };
	const char *what[] = { ev->enhanced, ev->stage, ev->reason, ev->text,
		ev->peer, ev->remote_id, ev->ruleset };
	int64_t seq;
	int i = 1;

	bind_seq(eng, st, i++);
	bind_int(st, i++, ev->at);
	bind_int(st, i++, ev->message);
	bind_int(st, i++, ev->index);
	bind_int(st, i++, (int)ev->type);
	for (size_t k = 0; k < sizeof(whom) / sizeof(whom[0]); k++)
		bind_text(st, i++, whom[k]);
	bind_int(st, i++, ev->code);
	for (size_t k = 0; k < sizeof(what) / sizeof(what[0]); k++)
		bind_text(st, i++, what[k] != NULL ? what[k] : "");
	eng->engine.told = true;
	status = sql_run(eng->q, st, "record an event", e);
	if (status != STORE_OK || eng->q->far)
		return status;
	seq = sql_last_id(eng->q);
	status = note_hour(eng, ev->at, seq, e);
	return status == STORE_OK
		   ? sql_whom_add(eng, seq, ev->recipient, ev->sender, e)
		   : status;
}

void
sql_event_outcome(struct event_row *ev, const struct outcome *o)
{
	if (o == NULL)
		return;
	ev->code = o->code;
	ev->enhanced = o->enhanced;
	ev->stage = stage_name(o->stage);
	ev->text = o->text;
}

static enum store_status
add_event(struct sql_engine *eng, const struct settlement *s,
    enum event_type type, const struct route *route, const char *sender,
    struct err *e)
{
	struct event_row ev = {
		.at = s->at,
		.message = s->message,
		.index = s->index,
		.type = type,
		.sender = sender,
		.recipient =
		    s->address != NULL ? s->address : eng->stored.address,
		.path = route->path,
		.carrier = route->carrier,
		.group = route->group,
		.source = route->source,
		.rule = route->rule,
		.ruleset = route->ruleset,
		.reason = s->reason,
		.peer = s->peer,
		.remote_id = s->remote_id,
	};

	if (type == EVENT_NONE || (type == EVENT_DEFERRED && eng->engine.low))
		return STORE_OK;
	sql_event_outcome(&ev, s->outcome);
	return sql_add_event(eng, &ev, e);
}

/* -- the recipient ------------------------------------------------------- */

static bool
same_route(const struct stored *s, const struct route *r, const char *sender)
{
	const struct route *t = &s->route;

	return strcmp(t->path, r->path) == 0 && strcmp(t->pool, r->pool) == 0 &&
	       strcmp(t->source, r->source) == 0 &&
	       strcmp(t->carrier, r->carrier) == 0 &&
	       strcmp(t->group, r->group) == 0 &&
	       strcmp(t->rule, r->rule) == 0 &&
	       strcmp(t->ruleset, r->ruleset) == 0 &&
	       strcmp(t->configuration_set, r->configuration_set) == 0 &&
	       strcmp(s->sender, sender) == 0;
}

enum store_status
sql_reroute(struct sql_engine *eng, int64_t message, unsigned index,
    const struct route *route, const char *sender, struct txn *txn,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_ROUTE);

	if (same_route(&eng->stored, route, sender))
		return STORE_OK;
	sql_move_accepted(&eng->stored, message, route, sender, txn);
	bind_int(st, 1, message);
	bind_int(st, 2, index);
	sql_bind_route(st, 3, route);
	bind_text(st, 11, sender);
	return sql_run(eng->q, st, "change a route", e);
}

static enum store_status
wait_again(struct sql_engine *eng, const struct settlement *s,
    enum statement how, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, how);

	eng->engine.changes |= STORE_CHANGED_QUEUE;
	bind_int(st, 1, s->message);
	bind_int(st, 2, s->index);
	bind_int(st, 3, s->due);
	bind_int(st, 4, s->shelf);
	bind_int(st, 5, s->delay_told);
	bind_text(st, 6, s->last);
	bind_int(st, 7, s->expires);
	bind_int(st, 8, s->requoted ? FLAG_REQUOTED : 0);
	bind_int(st, 9, eng->engine.epoch);
	if (how == SQL_RETRY)
		bind_int(st, 10, s->unread);
	if (how == SQL_RETURN) {
		bind_text(st, 10, s->held);
		bind_int(st, 11, s->at);
	}
	return sql_run(eng->q, st, "put a recipient back", e);
}

static enum store_status
add_notice(struct sql_engine *eng, const struct settlement *s, struct txn *txn,
    struct err *e)
{
	enum store_status st;

	if (s->notice == NULL)
		return STORE_OK;
	st = sql_add_message(eng, s->notice, e);
	if (st == STORE_OK)
		st = sql_add_recipient(eng, s->notice_to, RCPT_WAITING, txn, e);
	return st;
}

/* What its end does to the suppression list. */
static enum store_status
suppress_or_lift(struct sql_engine *eng, const struct settlement *s,
    const struct route *route, struct err *e)
{
	const struct suppressing what = {
		.address =
		    s->address != NULL ? s->address : eng->stored.address,
		.path = route->path,
		.message = s->message,
		.index = s->index,
		.at = s->at,
	};

	if (s->as != SETTLE_FINAL)
		return STORE_OK;
	if (s->suppress != NULL)
		return sql_suppress_cause(eng, s->suppress, &what, e);
	return s->lifts && !eng->lifts_nothing ? sql_lift(eng, &what, e)
					       : STORE_OK;
}

static enum store_status
settle_rest(struct sql_engine *eng, const struct settlement *s,
    const struct route *route, const char *sender, struct txn *txn,
    struct err *e)
{
	enum store_status st = add_event(eng, s, s->before, route, sender, e);

	if (st == STORE_OK)
		st = add_event(eng, s, s->event, route, sender, e);
	if (st == STORE_OK)
		st = suppress_or_lift(eng, s, route, e);
	sql_count(txn, s, route, sender);
	return st == STORE_OK ? add_notice(eng, s, txn, e) : st;
}

/* -- what feedback knows better -------------------------------------------- */

/* A settlement by which somebody thought otherwise, as that of one that was
 * sent. No notice of a failure goes out. */
static struct settlement
as_sent(const struct settlement *s, const struct sent *sent)
{
	struct settlement t = *s;

	t.as = SETTLE_FINAL;
	t.counters &= 1u << COUNT_UNREAD | 1u << COUNT_ATTEMPTED;
	t.before = EVENT_NONE;
	t.event = sql_sent_event(sent->state);
	t.outcome = NULL;
	t.reason = "";
	t.notice = NULL;
	t.suppress = NULL;
	if (t.remote_id[0] == '\0')
		t.remote_id = sent->remote_id;
	return t;
}

/* What the row counts has been counted with it. */
static enum store_status
settle_told(struct sql_engine *eng, const struct settlement *s,
    const struct route *route, const char *sender, struct txn *txn,
    struct err *e)
{
	struct settlement t = *s;
	enum store_status st = STORE_OK;

	if ((s->counters & 1u << COUNT_SENT) == 0) {
		if (s->counters & 1u << COUNT_UNREAD)
			st = add_event(eng, s, EVENT_UNREAD, route, sender, e);
		t = as_sent(s, &eng->sent);
	}
	t.counters &= ~sql_sent_counters;
	if (t.event == EVENT_DELIVERY && eng->sent.state & SENT_DELIVERED)
		t.event = EVENT_NONE; /* told already */
	return st == STORE_OK ? settle_rest(eng, &t, route, sender, txn, e)
			      : st;
}

/* It has left the queue. `proved`: only because feedback was here first. */
static enum store_status
settle_gone(struct sql_engine *eng, const struct settlement *s, bool proved,
    const struct route *route, const char *sender, struct txn *txn,
    struct err *e)
{
	enum store_status st = STORE_OK;
	bool told = false;

	if (s->remember != 0 || proved)
		st = sql_sent_settle(eng, s, route, sender,
		    s->address != NULL ? s->address : eng->stored.address,
		    &told, txn, e);
	if (st != STORE_OK)
		return st;
	return (told ? settle_told : settle_rest)(
	    eng, s, route, sender, txn, e);
}

/* Whether one that is to wait again has been sent, as feedback tells. */
static enum store_status
find_proof(struct sql_engine *eng, const struct settlement *s, bool *proved,
    struct err *e)
{
	*proved = false;
	if (s->as == SETTLE_FINAL || (!s->unread && !eng->stored.unread))
		return STORE_OK;
	return sql_sent_load(eng, s->message, s->index, proved, e);
}

/* -- one settlement ------------------------------------------------------- */

static enum store_status
settle_again(struct sql_engine *eng, const struct settlement *s,
    const struct route *route, const char *sender, struct txn *txn,
    struct err *e)
{
	enum store_status st = wait_again(
	    eng, s, s->as == SETTLE_RETRY ? SQL_RETRY : SQL_RETURN, e);

	if (st == STORE_OK)
		st = sql_reroute(
		    eng, s->message, s->index, route, sender, txn, e);
	return st == STORE_OK ? settle_rest(eng, s, route, sender, txn, e) : st;
}

/* The stored route and sender stand in for those not given. */
static enum store_status
settle_loaded(struct sql_engine *eng, const struct settlement *s,
    struct txn *txn, struct err *e)
{
	const struct route *route =
	    s->route != NULL ? s->route : &eng->stored.route;
	const char *sender = s->sender != NULL ? s->sender : eng->stored.sender;
	enum store_status st;
	bool proved;

	st = find_proof(eng, s, &proved, e);
	if (st != STORE_OK)
		return st;
	if (s->as != SETTLE_FINAL && !proved)
		return settle_again(eng, s, route, sender, txn, e);
	sql_move_accepted(&eng->stored, s->message, route, sender, txn);
	st = sql_remove(eng, s->message, s->index, txn, e);
	return st == STORE_OK
		   ? settle_gone(eng, s, proved, route, sender, txn, e)
		   : st;
}

/* Most are final and stored under the key they are counted under: no need to
 * look first. */
static bool
is_usual(const struct settlement *s)
{
	return s->as == SETTLE_FINAL && s->route != NULL && s->sender != NULL &&
	       s->address != NULL;
}

void
sql_announce_settle(struct engine *base, struct store_request *req)
{
	struct store_settle *r = container_of(req, struct store_settle, req);
	struct sql_engine *eng = sql_of(base);
	const struct settlement *s;

	STAILQ_FOREACH(s, &r->settlements, link)
	if (is_usual(s))
		sql_announce_remove(eng, s);
	else
		sql_announce_stored(eng, s->message, s->index);
}

static enum store_status
settle_one(struct sql_engine *eng, const struct settlement *s,
    unsigned *skipped, struct txn *txn, struct err *e)
{
	enum store_status st;
	bool found = false;

	eng->added_sent = 0;
	eng->lifts_nothing = false;
	if (is_usual(s)) {
		st = sql_remove_same(eng, s, &found, txn, e);
		if (st == STORE_OK && found)
			return settle_gone(
			    eng, s, false, s->route, s->sender, txn, e);
		if (st != STORE_OK)
			return st;
	}
	st = sql_load(eng, s->message, s->index, &found, e);
	if (st == STORE_OK && found && !eng->stored.elsewhere)
		return settle_loaded(eng, s, txn, e);
	*skipped += st == STORE_OK;
	return st;
}

enum store_status
sql_settle(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_settle *r = container_of(req, struct store_settle, req);
	struct sql_engine *eng = sql_of(base);
	enum store_status st = STORE_OK;
	const struct settlement *s;

	r->skipped = 0;
	STAILQ_FOREACH(s, &r->settlements, link)
	{
		st = settle_one(eng, s, &r->skipped, txn, &req->err);
		if (st != STORE_OK)
			break;
	}
	return st;
}
