/*
 * sql_node.c - where there are many nodes: what one held that has died goes
 * back to the queue, and what this one changes the others are told of.
 *
 * pg_node.c says who has died. A slice of what it held is a transaction that
 * locks its row, so that of several nodes one takes it apart; when nothing is
 * left the row goes with the last slice.
 */
#include "router/store/sql_int.h"

#include "mta/base/clock.h"

#define SENDING_SLICE 200  /* an event and a counter each */
#define LEASED_SLICE  2000 /* one statement for all */

struct burying {
	struct sql_engine *eng;
	int64_t epoch, now;
	struct bury_progress *progress;
	struct txn *txn;
	struct err *e;
};

struct picked {
	int64_t message;
	unsigned index;
};

/* -- what a node held ---------------------------------------------------- */

static enum store_status
pick_sending(
    const struct burying *b, struct picked pick[SENDING_SLICE], size_t *n)
{
	struct sql *q = b->eng->q;
	struct stmt *st = sql_stmt(q, SQL_NODE_SENDING);
	enum store_status status;

	*n = 0;
	bind_int(st, 1, b->epoch);
	bind_int(st, 2, SENDING_SLICE);
	while (*n < SENDING_SLICE &&
	       sql_next(q, st, "read what a node was sending", &status, b->e))
		pick[(*n)++] = (struct picked){ column_int(st, 0),
			(unsigned)column_int(st, 1) };
	sql_reset(st);
	return *n == SENDING_SLICE ? STORE_OK : status;
}

/* Their final dot may have gone out. */
static enum store_status
take_back_sending(const struct burying *b, bool *more)
{
	struct picked pick[SENDING_SLICE];
	enum store_status st;
	size_t n;

	st = pick_sending(b, pick, &n);
	for (size_t i = 0; i < n && st == STORE_OK; i++)
		st = sql_take_back(b->eng, pick[i].message, pick[i].index,
		    b->now, b->txn, b->e);
	b->progress->unread += n;
	*more = n == SENDING_SLICE;
	return st;
}

/* They were in its memory, and nothing had been tried. */
static enum store_status
take_back_leased(const struct burying *b, bool *more)
{
	struct sql *q = b->eng->q;
	struct stmt *st = sql_stmt(q, SQL_NODE_RETURN);
	enum store_status status;
	uint64_t n;

	bind_int(st, 1, b->epoch);
	bind_int(st, 2, LEASED_SLICE);
	bind_int(st, 3, b->now);
	status = sql_run(q, st, "take recipients back", b->e);
	n = status == STORE_OK ? sql_changes(q) : 0;
	b->progress->returned += n;
	*more = n == LEASED_SLICE;
	return status;
}

static enum store_status
remove_node(const struct burying *b)
{
	struct stmt *st = sql_stmt(b->eng->q, SQL_NODE_REMOVE);

	bind_int(st, 1, b->epoch);
	b->eng->engine.changes |= STORE_CHANGED_NODES;
	return sql_run(b->eng->q, st, "remove a node", b->e);
}

/* False: it is gone, or somebody else is at it. */
static bool
lock_node(const struct burying *b, enum statement which, enum store_status *st)
{
	struct stmt *stmt = sql_stmt(b->eng->q, which);
	bool found;

	bind_int(stmt, 1, b->epoch);
	found = sql_next(b->eng->q, stmt, "lock a node's row", st, b->e);
	sql_reset(stmt);
	return found;
}

static enum store_status
bury_slice(const struct burying *b, enum statement lock)
{
	enum store_status st = STORE_OK;

	b->progress->more = false;
	if (!lock_node(b, lock, &st))
		return st;
	b->eng->engine.changes |= STORE_CHANGED_QUEUE;
	st = take_back_sending(b, &b->progress->more);
	if (st == STORE_OK && !b->progress->more)
		st = take_back_leased(b, &b->progress->more);
	if (st == STORE_OK && !b->progress->more)
		st = remove_node(b);
	return st;
}

enum store_status
sql_bury(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_bury *r = container_of(req, struct store_bury, req);
	const struct burying b = { sql_of(base), r->epoch, clock_wall(),
		&r->next, txn, &req->err };

	r->next = r->at;
	return bury_slice(&b, SQL_NODE_DEAD);
}

enum store_status
sql_leave(struct engine *base, struct bury_progress *progress, struct txn *txn,
    struct err *e)
{
	const struct burying b = { sql_of(base), base->epoch, clock_wall(),
		progress, txn, e };

	return bury_slice(&b, SQL_NODE_LEAVING);
}

/* -- what others are told ------------------------------------------------ */

enum store_status
sql_drain(struct engine *base, struct store_request *req, struct txn *txn)
{
	const struct store_drain *r =
	    container_of(req, struct store_drain, req);
	struct sql *q = sql_of(base)->q;
	struct stmt *st;
	enum store_status status;

	(void)txn;
	if (base->epoch == 0) {
		err_set(&req->err, "this store has one node");
		return STORE_REJECTED;
	}
	st = sql_stmt(q, SQL_NODE_DRAIN);
	bind_text(st, 1, r->name);
	bind_int(st, 2, !r->undo);
	status = sql_run(q, st, "drain a node", &req->err);
	if (status == STORE_OK && sql_changes(q) == 0) {
		err_set(&req->err, "there is no node '%s'", r->name);
		return STORE_REJECTED;
	}
	base->changes |= STORE_CHANGED_NODES;
	return status;
}

/* Of the queue others hear by the node's thread, at its own pace: whoever
 * notifies waits at its commit for everybody else who does. */
enum store_status
sql_tell_changes(struct engine *base, struct err *e)
{
	static const struct {
		enum store_change change;
		const char *name;
	} told[] = {
		{ STORE_CHANGED_KEPT, "kept" },
		{ STORE_CHANGED_RULES, "rules" },
		{ STORE_CHANGED_NODES, "node" },
	};
	struct sql *q = sql_of(base)->q;
	enum store_status status = STORE_OK;

	if (base->epoch == 0)
		return STORE_OK;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct stmt *st = sql_stmt(q, SQL_NODE_CHANGED);

		if (!(base->changes & told[i].change))
			continue;
		bind_int(st, 1, base->epoch);
		bind_text(st, 2, told[i].name);
		status = sql_run(q, st, "tell other nodes", e);
		if (status != STORE_OK)
			break;
	}
	return status;
}
