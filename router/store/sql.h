/*
 * sql.h - a connection to a database as the files of the engine see it: statements that are prepared once, bound, run
 * and read. sqlite.c and pg.c implement it; the files sql_*.c know neither.
 *
 * Values are only ever bound, never made part of a statement. Parameters count from 1, columns from 0.
 *
 * In SQLite a statement runs where it stands. PostgreSQL is far away: there sql_run only sends the statement and goes
 * on. That it failed shows at the next answer that somebody waits for, at the latest at the commit; the transaction
 * has failed then as a whole, as it would have anyway. Who needs an answer waits for it: sql_next, sql_changes,
 * sql_last_id. What a transaction is going to ask is better announced, all of it together: sql_ahead sends a statement
 * as it is bound, and the first sql_next of the same statement bound to the same values takes the answer. Nothing that
 * runs in between may change that answer. With SQLite announcing does nothing.
 *
 * One thread. What is bound is borrowed until the statement has been run.
 */
#ifndef ROUTER_STORE_SQL_H
#define ROUTER_STORE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mta/base/err.h"
#include "router/store/store.h"

/* All there are. Some are of one engine only. */
enum statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_ADD_MESSAGE,
	SQL_ADD_BODY,
	SQL_ADD_RECIPIENT,
	SQL_ADD_COUNTER,
	SQL_ADD_COUNTED,
	SQL_ADD_EVENT,
	SQL_ADD_TRAFFIC,
	SQL_ADD_RULESET,
	SQL_ADD_RULES_FILE,
	SQL_ADD_SENT,
	SQL_ADD_SENT_KEY,
	SQL_ADD_LETTER,
	SQL_KEEP,
	SQL_FORGET,
	SQL_PUT_SUPPRESSION,
	SQL_SET_SUPPRESSION_EXPIRES,
	SQL_SET_SUPPRESSION_STATE,
	SQL_FREE_SUPPRESSION,
	SQL_REMOVE_SUPPRESSION,
	SQL_DROP_SUPPRESSION,
	SQL_LIFT_SYNCED_SUPPRESSION,
	SQL_LIFT_SUPPRESSION,
	SQL_GET_SUPPRESSION,
	SQL_FIND_SUPPRESSED,
	SQL_HAS_SUPPRESSION,
	SQL_SUPPRESSIONS_AT_MOST,
	SQL_SUPPRESSIONS_AFTER,
	SQL_UNSUPPRESS_SLICE,
	SQL_UNSUPPRESS_ADDRESS,
	SQL_TRIM_SYNCED_SUPPRESSION,
	SQL_TRIM_SUPPRESSION,
	SQL_ADD_STRIKE,
	SQL_COUNT_STRIKES,
	SQL_REMOVE_STRIKES,
	SQL_LIFT_STRIKES,
	SQL_HAS_STRIKE,
	SQL_TRIM_STRIKES,
	SQL_ADD_MAIL,
	SQL_TRIM_MAIL,
	SQL_ADD_EVENT_HOUR,
	SQL_TRIM_EVENT_HOURS,
	SQL_ADD_WHOM,
	SQL_LAST_WHOM,
	SQL_WHOM_AFTER,
	SQL_TRIM_WHOM,
	SQL_REMOVE_LETTER,
	SQL_REMOVE_LETTERS,
	SQL_HAS_LETTER,
	SQL_GET_STORED,
	SQL_GET_SENT,
	SQL_GET_SENT_KEY,
	SQL_FIND_SENT,
	SQL_FIND_SENT_REMOTE,
	SQL_FIND_SENT_ONLY,
	SQL_FIND_RECIPIENT,
	SQL_FIND_RECIPIENT_ONLY,
	SQL_SET_SENT,
	SQL_SET_SENT_STATE,
	SQL_GET_MESSAGE,
	SQL_GET_BODY,
	SQL_GET_SPOOL,
	SQL_BEGIN_SAME,
	SQL_REMOVE_SAME,
	SQL_SET_SENDING,
	SQL_SET_ROUTE,
	SQL_RETRY,
	SQL_RETURN,
	SQL_REMOVE_RECIPIENT,
	SQL_HAS_RECIPIENT,
	SQL_REMOVE_MESSAGE,
	SQL_REMOVE_BODY,
	SQL_LEASE,
	SQL_SET_LEASED,
	SQL_NEXT_DUE,
	SQL_NEXT_SHELF,
	SQL_EDIT_SLICE,
	SQL_RETRY_NOW,
	SQL_HOLD,
	SQL_TRIM_EVENTS,
	SQL_TRIM_TRAFFIC,
	SQL_TRIM_KEPT,
	SQL_TRIM_SENT,
	SQL_COUNT_LOCK,
	SQL_NEXT_COUNTED,
	SQL_SET_COUNTED,
	SQL_TRIM_COUNTED,
	SQL_COUNTED_BYTES,
	SQL_READ_COUNTED,
	SQL_LAST_CERTAIN,
	SQL_HEAR_COUNTED,
	SQL_SET_HEARD,
	SQL_TALLY_STATE,
	SQL_GET_TALLY,
	SQL_PUT_TALLY,
	SQL_NEXT_MINUTE,
	SQL_SET_FOLDED,
	SQL_TRIM_TALLIES,
	SQL_TRIM_TALLY_KEYS,
	SQL_TALLY_KEYS,
	SQL_ADD_TALLY_KEY,
	SQL_SET_TALLY_DAY,
	SQL_TRAFFIC_ENDS,
	SQL_TRAFFIC_NEXT,
	SQL_NEWEST_RULESET,
	SQL_HAS_RULES_TEXT,
	SQL_FIND_SENDING,
	SQL_TAKE_BACK,
	SQL_TAKE_BACK_LEASED,
	SQL_KNOWS_SPOOL,
	SQL_READ_COUNTERS,
	SQL_READ_QUEUE,
	SQL_READ_QUEUE_SIZE,
	SQL_READ_EVENTS,
	SQL_READ_MESSAGE_EVENTS,
	SQL_READ_TRAFFIC,
	SQL_READ_RULESETS,
	SQL_READ_RULES_FILES,
	SQL_READ_KEPT,
	SQL_READ_KEPT_KIND,
	SQL_READ_LETTERS,
	SQL_READ_SENT,
	SQL_READ_SENT_SIZE,
	SQL_READ_SUPPRESSION,
	SQL_READ_SUPPRESSION_ALL,
	SQL_READ_SUPPRESSIONS,
	SQL_READ_SUPPRESSIONS_ALL,
	SQL_READ_SUPPRESSIONS_KEY,
	SQL_READ_TALLIES,
	SQL_READ_MAIL,
	SQL_READ_BY_MESSAGE_ID,
	SQL_READ_BY_REMOTE_ID,
	SQL_COUNT_QUEUE,
	SQL_QUEUE_FLOOR,
	SQL_SEARCH_QUEUE,
	SQL_READ_WHOM,
	SQL_SEARCH_EVENTS,
	SQL_SEARCH_ALL_EVENTS,
	SQL_READ_RECIPIENT_EVENTS,
	SQL_READ_RECIPIENTS,
	SQL_READ_LAST_EVENT,
	SQL_READ_FIRST_EVENT,
	SQL_READ_EVENT_BEFORE,
	/* Where there are many nodes. */
	SQL_NODE_FENCE,     /* first of a transaction: its number, if node $1 has not been given up, which nobody can
			       do before it ends */
	SQL_NODE_DEAD,      /* the name of node $1 that is given up, if nobody else takes it apart now */
	SQL_NODE_LEAVING,   /* likewise of one that goes by itself */
	SQL_NODE_SENDING,   /* $2 of the recipients that are being sent by node $1 */
	SQL_NODE_RETURN,    /* $2 of those that it only has in memory wait, and are due at $3 at the latest */
	SQL_NODE_REMOVE,
	SQL_NODE_CHANGED,   /* node $1 has changed what is called $2: marks it, and tells who listens */
	SQL_READ_SHELVES,   /* SQL_NEXT_SHELF for all there are, in one statement; NULL: one by one */
	SQL_NODE_DRAIN,     /* node of name $1: $2 */
	SQL_READ_NODES,
	SQL_SHARE_LOCK,
	SQL_SHARE_READ,
	SQL_SHARE_PUT,
	SQL_SHARE_SPEND,
	SQL_SHARE_FORGET,
	SQL_SHARE_TRIM,
	SQL_MAX
};

struct sql;
struct stmt;

struct sql_ops {
	void (*bind_int)(struct stmt *, int i, int64_t);
	void (*bind_chars)(struct stmt *, int i, const char *, size_t len); /* NULL: the SQL NULL */
	void (*bind_blob)(struct stmt *, int i, const void *, size_t len);
	bool (*next)(struct sql *, struct stmt *, const char *what, enum store_status *, struct err *);
	enum store_status (*run)(struct sql *, struct stmt *, const char *what, struct err *);
	uint64_t (*changes)(struct sql *);
	int64_t (*last_id)(struct sql *);
	void (*ahead)(struct sql *, struct stmt *, const char *what);
	int64_t (*column_int)(struct stmt *, int i);
	const char *(*column_text)(struct stmt *, int i);
	const void *(*column_blob)(struct stmt *, int i);
	size_t (*column_bytes)(struct stmt *, int i);
	void (*reset)(struct stmt *);
	/* For connections of sqlite_connect and pg_sql_connect: other statements than those of enum statement, each to
	 * be finished, a script of several outside a transaction, and transactions. `text` is borrowed for as long. */
	struct stmt *(*prepare)(struct sql *, const char *text, struct err *);
	void (*finish)(struct stmt *);
	int (*script)(struct sql *, const char *text, struct err *);
	int (*begin)(struct sql *, struct err *);
	int (*commit)(struct sql *, struct err *); /* rolled back when it fails */
	void (*roll_back)(struct sql *);
	void (*disconnect)(struct sql *);
};

/* A connection; first member of its own struct, as the next one. */
struct sql {
	const struct sql_ops *ops;
	struct stmt *stmt[SQL_MAX]; /* NULL: not of this engine */
	bool far;                   /* an answer costs a round trip */
	bool unread;                /* reading: what was asked for could not be read, or not all */
	char parameter;             /* what stands before a parameter's number: '?' or '$' */
};
struct stmt {
	const struct sql_ops *ops;
};

/*
 * A connection to a store for other statements than those of the engine, all of a script's or one that is prepared:
 * for what is done while nobody runs on it. It holds the store until it is closed. NULL with *e.
 */
struct sql *sqlite_connect(const struct store_config *, struct err *);
struct sql *pg_sql_connect(const struct store_config *, struct err *);

/* Tables by which a store says that nobody is to run on it: it has been copied to another, or it is being filled. */
#define COPY_MARK_FROM "copied"
#define COPY_MARK_TO   "copying"

/* The statement, ready to be bound. */
static inline struct stmt *
sql_stmt(struct sql *q, enum statement which)
{
	return q->stmt[which];
}

static inline void
bind_int(struct stmt *st, int i, int64_t value)
{
	st->ops->bind_int(st, i, value);
}

static inline void
bind_chars(struct stmt *st, int i, const char *s, size_t len)
{
	st->ops->bind_chars(st, i, s, len);
}

static inline void
bind_text(struct stmt *st, int i, const char *s)
{
	bind_chars(st, i, s, s != NULL ? strlen(s) : 0);
}

static inline void
bind_blob(struct stmt *st, int i, const void *data, size_t len)
{
	st->ops->bind_blob(st, i, data, len);
}

/* Runs it, when it does not run yet, and goes on to its next row: true. False: there is none; it is reset, or an error:
 * *st says what follows from it, *e "cannot <what>: ...". */
static inline bool
sql_next(struct sql *q, struct stmt *s, const char *what, enum store_status *st, struct err *e)
{
	return q->ops->next(q, s, what, st, e);
}

/* Runs it to its end, and resets it. */
static inline enum store_status
sql_run(struct sql *q, struct stmt *st, const char *what, struct err *e)
{
	return q->ops->run(q, st, what, e);
}

/* Of the statement that was run last: how many rows it has changed, and the key that an insertion was given. 0 when it
 * has failed. */
static inline uint64_t
sql_changes(struct sql *q)
{
	return q->ops->changes(q);
}

static inline int64_t
sql_last_id(struct sql *q)
{
	return q->ops->last_id(q);
}

/* Announces it, as it is bound, and resets it. */
static inline void
sql_ahead(struct sql *q, struct stmt *st, const char *what)
{
	q->ops->ahead(q, st, what);
}

/* Of the row: NULL is 0, "" and empty. Valid until the next step or sql_reset. Texts and blobs have a NUL behind
 * them. */
static inline int64_t
column_int(struct stmt *st, int i)
{
	return st->ops->column_int(st, i);
}

static inline const char *
column_text(struct stmt *st, int i)
{
	return st->ops->column_text(st, i);
}

static inline const void *
column_blob(struct stmt *st, int i)
{
	return st->ops->column_blob(st, i);
}

static inline size_t
column_bytes(struct stmt *st, int i)
{
	return st->ops->column_bytes(st, i);
}

/* Before it is bound again, when not all rows were read. */
static inline void
sql_reset(struct stmt *st)
{
	st->ops->reset(st);
}

#endif
