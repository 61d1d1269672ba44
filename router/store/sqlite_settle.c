/*
 * sqlite_settle.c - the end of an attempt: recipient, counters, event and
 * notice in one go.
 */
#include "router/store/sqlite_int.h"

#include <string.h>

static const char *const event_names[] = {
	[EVENT_NONE] = "",
	[EVENT_SEND] = "Send",
	[EVENT_DELIVERY] = "Delivery",
	[EVENT_BOUNCE] = "Bounce",
	[EVENT_DELAY] = "DeliveryDelay",
	[EVENT_EXPIRED] = "Expired",
	[EVENT_SUPPRESSED] = "Suppressed",
	[EVENT_REMOVED] = "Removed",
	[EVENT_UNREAD] = "Unread",
};

const char *
event_type_name(enum event_type type)
{
	return event_names[type];
}

/* -- events -------------------------------------------------------------- */

enum store_status
sqlite_add_event(
    struct sqlite_engine *eng, const struct event_row *ev, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_ADD_EVENT);
	const char *whom[] = { ev->sender, ev->recipient, ev->path, ev->carrier,
		ev->group, ev->source, ev->rule };
	const char *what[] = { ev->enhanced, ev->stage, ev->reason, ev->text,
		ev->peer, ev->remote_id };
	int i = 1;

	sqlite3_bind_int64(st, i++, ev->at);
	sqlite3_bind_int64(st, i++, ev->message);
	sqlite3_bind_int64(st, i++, ev->index);
	sqlite3_bind_int(st, i++, (int)ev->type);
	for (size_t k = 0; k < sizeof(whom) / sizeof(whom[0]); k++)
		bind_text(st, i++, whom[k]);
	sqlite3_bind_int(st, i++, ev->code);
	for (size_t k = 0; k < sizeof(what) / sizeof(what[0]); k++)
		bind_text(st, i++, what[k] != NULL ? what[k] : "");
	return sqlite_run(&eng->q, st, "record an event", e);
}

static enum store_status
add_event(struct sqlite_engine *eng, const struct settlement *s,
    enum event_type type, const struct route *route, const char *sender,
    struct err *e)
{
	const struct outcome *o = s->outcome;
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
		.reason = s->reason,
		.peer = s->peer,
		.remote_id = s->remote_id,
	};

	if (type == EVENT_NONE)
		return STORE_OK;
	if (o != NULL) {
		ev.code = o->code;
		ev.enhanced = o->enhanced;
		ev.stage = stage_name(o->stage);
		ev.text = o->text;
	}
	return sqlite_add_event(eng, &ev, e);
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
sqlite_reroute(struct sqlite_engine *eng, int64_t message, unsigned index,
    const struct route *route, const char *sender, struct txn *txn,
    struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_SET_ROUTE);

	if (same_route(&eng->stored, route, sender))
		return STORE_OK;
	sqlite_move_accepted(&eng->stored, route, sender, txn);
	sqlite3_bind_int64(st, 1, message);
	sqlite3_bind_int64(st, 2, index);
	sqlite_bind_route(st, 3, route);
	bind_text(st, 11, sender);
	return sqlite_run(&eng->q, st, "change a route", e);
}

static enum store_status
wait_again(struct sqlite_engine *eng, const struct settlement *s, enum sql how,
    struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, how);

	sqlite3_bind_int64(st, 1, s->message);
	sqlite3_bind_int64(st, 2, s->index);
	sqlite3_bind_int64(st, 3, s->due);
	sqlite3_bind_int64(st, 4, s->shelf);
	sqlite3_bind_int(st, 6, s->delay_told);
	bind_text(st, 7, s->last);
	sqlite3_bind_int64(st, 8, s->expires);
	sqlite3_bind_int(st, 9, s->requoted ? FLAG_REQUOTED : 0);
	if (how == SQL_RETRY)
		sqlite3_bind_int(st, 5, s->unread);
	return sqlite_run(&eng->q, st, "put a recipient back", e);
}

static enum store_status
change_recipient(struct sqlite_engine *eng, const struct settlement *s,
    const struct route *route, const char *sender, struct txn *txn,
    struct err *e)
{
	enum store_status st;

	if (s->as == SETTLE_FINAL) {
		sqlite_move_accepted(&eng->stored, route, sender, txn);
		return sqlite_remove(eng, s->message, s->index, txn, e);
	}
	st = wait_again(
	    eng, s, s->as == SETTLE_RETRY ? SQL_RETRY : SQL_RETURN, e);
	if (st == STORE_OK)
		st = sqlite_reroute(
		    eng, s->message, s->index, route, sender, txn, e);
	return st;
}

static void
count(const struct settlement *s, const struct route *route, const char *sender,
    struct txn *txn)
{
	for (unsigned c = 0; c < COUNT_MAX; c++)
		if (s->counters & 1u << c)
			counters_add(
			    &txn->counters, route, sender, (enum counter)c, 1);
}

static enum store_status
add_notice(struct sqlite_engine *eng, const struct settlement *s,
    struct txn *txn, struct err *e)
{
	enum store_status st;

	if (s->notice == NULL)
		return STORE_OK;
	st = sqlite_add_message(eng, s->notice, e);
	if (st == STORE_OK)
		st = sqlite_add_recipient(
		    eng, s->notice_to, RCPT_WAITING, txn, e);
	return st;
}

static enum store_status
settle_rest(struct sqlite_engine *eng, const struct settlement *s,
    const struct route *route, const char *sender, struct txn *txn,
    struct err *e)
{
	enum store_status st = add_event(eng, s, s->before, route, sender, e);

	if (st == STORE_OK)
		st = add_event(eng, s, s->event, route, sender, e);
	count(s, route, sender, txn);
	return st == STORE_OK ? add_notice(eng, s, txn, e) : st;
}

/* The stored route and sender stand in for those not given. */
static enum store_status
settle_loaded(struct sqlite_engine *eng, const struct settlement *s,
    struct txn *txn, struct err *e)
{
	const struct route *route =
	    s->route != NULL ? s->route : &eng->stored.route;
	const char *sender = s->sender != NULL ? s->sender : eng->stored.sender;
	enum store_status st = change_recipient(eng, s, route, sender, txn, e);

	return st == STORE_OK ? settle_rest(eng, s, route, sender, txn, e) : st;
}

/* Most are final and stored under the key they are counted under: no need to
 * look first. */
static enum store_status
settle_one(struct sqlite_engine *eng, const struct settlement *s,
    unsigned *skipped, struct txn *txn, struct err *e)
{
	enum store_status st;
	bool found = false;

	if (s->as == SETTLE_FINAL && s->route != NULL && s->sender != NULL &&
	    s->address != NULL) {
		st = sqlite_remove_same(eng, s, &found, txn, e);
		if (st == STORE_OK && found)
			return settle_rest(eng, s, s->route, s->sender, txn, e);
		if (st != STORE_OK)
			return st;
	}
	st = sqlite_load(eng, s->message, s->index, &found, e);
	if (st == STORE_OK && found)
		return settle_loaded(eng, s, txn, e);
	*skipped += st == STORE_OK;
	return st;
}

enum store_status
sqlite_settle(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_settle *r = container_of(req, struct store_settle, req);
	struct sqlite_engine *eng = sqlite_of(base);
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
