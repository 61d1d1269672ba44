/*
 * sqlite_int.h - what the files of the SQLite engine share.
 *
 * Every statement is prepared once and kept. All SQL is text in sqlite_sql.c and sqlite_schema.c;
 * values are only ever bound, never made part of it.
 */
#ifndef ROUTER_STORE_SQLITE_INT_H
#define ROUTER_STORE_SQLITE_INT_H

#include <sqlite3.h>

#include "router/store/store_int.h"

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_ADD_MESSAGE,
	SQL_ADD_BODY,
	SQL_ADD_RECIPIENT,
	SQL_ADD_COUNTER,
	SQL_ADD_EVENT,
	SQL_ADD_TRAFFIC,
	SQL_ADD_RULESET,
	SQL_ADD_RULES_FILE,
	SQL_KEEP,
	SQL_FORGET,
	SQL_GET_STORED,
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
	SQL_TRIM_EVENTS,
	SQL_TRIM_TRAFFIC,
	SQL_TRIM_KEPT,
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
	SQL_MAX
};
extern const char *const sqlite_sql[SQL_MAX];

/* Columns of SQL_LEASE and, after one that tells the message, of SQL_READ_QUEUE. */
enum recipient_column {
	R_MESSAGE, R_INDEX, R_STATE, R_SHELF, R_DUE, R_EXPIRES, R_ATTEMPTS, R_NOTIFY, R_FLAGS,
	R_UNREAD, R_DELAY_TOLD, R_ADDRESS, R_ORCPT, R_LAST, R_PATH, R_POOL, R_SOURCE, R_CARRIER,
	R_GROUP, R_RULE, R_RULESET, R_CONFIGURATION_SET, R_SENDER, R_COLUMNS
};
/* Of a recipient, */
enum { FLAG_IRREGULAR = 1, FLAG_UTF8 = 2, FLAG_REQUOTED = 4 };
enum { FLAG_8BIT = 1, FLAG_SMTPUTF8 = 2, FLAG_RETURNS = 4 }; /* and of a message */

/* Two more bits of a recipient are its enum unfit. */
enum { FLAGS_UNFIT = 3 << 3, FLAGS_UNFIT_AT = 3 };

/* Both sides of the engine: a connection and its statements. */
struct sqlite {
	sqlite3 *db;
	sqlite3_stmt *stmt[SQL_MAX]; /* NULL: not of this side, or not used yet */
};

/* What is stored about a recipient's counting. Valid until the next sqlite_load. */
struct stored {
	enum recipient_state state;
	const char *sender, *address;
	struct route route;
};

/* Where the table of traffic begins and ends. All 0 when nothing is in it. */
struct traffic_ends {
	int64_t seq;     /* of the newest entry, in a row or packed for one */
	int64_t latest;  /* time of all so far */
	int64_t trimmed; /* no row up to this seq is there any more */
};

struct sqlite_engine {
	struct engine engine;
	struct sqlite q;
	uint64_t traffic_keep;
	struct traffic_ends traffic, committed; /* as in this transaction, and before it */
	struct str packed;           /* the next row of traffic */
	int64_t npacked;             /* recipients in it */
	struct stored stored;
	struct str text;             /* strings of `stored` */
	char *spool_directory;
	int wal_frames;              /* written since the last full checkpoint */
};

struct sqlite_reader {
	struct store_reader reader;
	struct sqlite q;
};

static inline struct sqlite_engine *
sqlite_of(struct engine *e)
{
	return container_of(e, struct sqlite_engine, engine);
}

/* -- sqlite.c ---------------------------------------------------------------------------------- */

/* The statement, ready to be bound. Never NULL: the schema was checked at open. */
sqlite3_stmt *sqlite_stmt(struct sqlite *, enum sql);
/* Steps to the end and resets. `what` for the error: "cannot <what>: ...". */
enum store_status sqlite_run(struct sqlite *, sqlite3_stmt *, const char *what, struct err *);
/* One step: SQLITE_ROW or SQLITE_DONE, anything else is an error and *st says what follows. */
int sqlite_next(struct sqlite *, sqlite3_stmt *, const char *what, enum store_status *status,
    struct err *);
/* What follows from the connection's last error. */
enum store_status sqlite_error(struct sqlite *, const char *what, struct err *);

/* While opening: an error says "store 'file': ...". sqlite_ask gives the first column of the first
 * row, "" when there is none. 0, or -1 with *e. */
int sqlite_script(struct sqlite *, const char *file, const char *sql, struct err *e);
int sqlite_ask(struct sqlite *, const char *file, const char *sql, struct str *answer,
    struct err *e);

static inline void
bind_text(sqlite3_stmt *st, int i, const char *s)
{
	sqlite3_bind_text(st, i, s, -1, SQLITE_STATIC);
}

static inline const char *
column_text(sqlite3_stmt *st, int i)
{
	const unsigned char *s = sqlite3_column_text(st, i);

	return s != NULL ? (const char *)s : "";
}

/* Binds the eight strings of a route from parameter i on, in the order of struct route's columns. */
void sqlite_bind_route(sqlite3_stmt *, int i, const struct route *);

/* -- sqlite_schema.c ---------------------------------------------------------------------------- */

/* Creates the tables in an empty file, brings an older store up to date; refuses what is not ours
 * or newer. 0, or -1 with *e. */
int sqlite_schema_check(struct sqlite *, const char *file, struct err *e);

/* -- sqlite_row.c: rows to objects ---------------------------------------------------------------- */

/* The row's message, its columns from `first` on. A reference for the caller. */
struct message *sqlite_row_message(sqlite3_stmt *, int first);
/* The row's recipient, its columns from 0 on. */
struct recipient *sqlite_row_recipient(sqlite3_stmt *, struct message *);

/* -- sqlite_queue.c, sqlite_settle.c, sqlite_lease.c, sqlite_edit.c -------------------------------- */

enum store_status sqlite_enqueue(struct engine *, struct store_request *, struct txn *);
enum store_status sqlite_begin_attempt(struct engine *, struct store_request *, struct txn *);
enum store_status sqlite_settle(struct engine *, struct store_request *, struct txn *);
enum store_status sqlite_lease(struct engine *, struct store_request *, struct txn *);
enum store_status sqlite_edit(struct engine *, struct store_request *, struct txn *);
enum store_status sqlite_recover(struct engine *, int64_t now, struct store_recovery *,
    struct txn *, struct err *);
enum store_status sqlite_trim_events(struct engine *, int64_t before, size_t max, size_t *trimmed,
    struct err *);
int sqlite_knows_spool(struct engine *, const char *name, struct err *);
void sqlite_each_shelf(struct store_reader *, void (*each)(void *, unsigned, int64_t), void *);

/* A message with its body and one recipient after the other, counted as accepted. */
enum store_status sqlite_add_message(struct sqlite_engine *, const struct message *, struct err *);
enum store_status sqlite_add_recipient(struct sqlite_engine *, const struct recipient *,
    enum recipient_state, struct txn *, struct err *);
/* Fills eng->stored. *found false: there is no such recipient. */
enum store_status sqlite_load(struct sqlite_engine *, int64_t message, unsigned index, bool *found,
    struct err *);
/* Stores the new route of the recipient loaded last, if it differs, and moves `accepted`. */
enum store_status sqlite_reroute(struct sqlite_engine *, int64_t message, unsigned index,
    const struct route *, const char *sender, struct txn *, struct err *);
/* Takes `accepted` from the stored key to the new one, if they differ. */
void sqlite_move_accepted(const struct stored *, const struct route *, const char *sender,
    struct txn *);
/* Removes a recipient, and with the last one its message. */
enum store_status sqlite_remove(struct sqlite_engine *, int64_t message, unsigned index,
    struct txn *, struct err *);
/* As sqlite_remove when the recipient is stored under just this key; else *removed is false and
 * nothing has happened. */
enum store_status sqlite_remove_same(struct sqlite_engine *, const struct settlement *,
    bool *removed, struct txn *, struct err *);
/* Adds an event; `seq` is chosen here. */
enum store_status sqlite_add_event(struct sqlite_engine *, const struct event_row *, struct err *);

/* -- sqlite_traffic.c, sqlite_ruleset.c, sqlite_kept.c ---------------------------------------------- */

/* Finds the ends of what is kept. */
enum store_status sqlite_traffic_load(struct sqlite_engine *, struct err *);
/* Keeps the envelopes of a message from a client, if any are to be kept, and lets go of the oldest
 * once in a while. */
enum store_status sqlite_add_traffic(struct sqlite_engine *, const struct message *,
    const struct recipient_list *, struct err *);
/* Before a commit, and instead of one. */
enum store_status sqlite_traffic_flush(struct sqlite_engine *, struct err *);
void sqlite_traffic_forget(struct sqlite_engine *);
enum store_status sqlite_trim_traffic(struct engine *, bool *more, struct err *);
size_t sqlite_read_traffic(struct store_reader *, int64_t since, int64_t after, size_t limit,
    void (*)(void *, const struct traffic_row *), void *);

enum store_status sqlite_put_ruleset(struct engine *, struct store_request *, struct txn *);
size_t sqlite_read_rulesets(struct store_reader *, int64_t number, size_t limit,
    void (*)(void *, const struct ruleset_row *), void *);
size_t sqlite_read_ruleset_files(struct store_reader *, int64_t number,
    void (*)(void *, const struct rules_file *), void *);

enum store_status sqlite_keep(struct engine *, struct store_request *, struct txn *);
enum store_status sqlite_trim_kept(struct engine *, int64_t now, size_t max, size_t *trimmed,
    struct err *);
size_t sqlite_read_kept(struct store_reader *, const char *kind, const char *key, int64_t now,
    void (*)(void *, const struct kept *), void *);

/* -- sqlite_read.c ------------------------------------------------------------------------------------ */

void sqlite_read_counters(struct store_reader *, void (*)(void *, const struct counter_row *),
    void *);
size_t sqlite_read_queue(struct store_reader *, const struct queue_filter *,
    void (*)(void *, const struct queue_row *), void *);
uint64_t sqlite_read_queue_size(struct store_reader *);
size_t sqlite_read_events(struct store_reader *, int64_t message, int64_t after, size_t limit,
    void (*)(void *, const struct event_row *), void *);
struct sqlite *sqlite_of_reader(struct store_reader *);
/* True while there is a row. What cannot be read is logged, and the answer is what came before. */
bool sqlite_read_next(struct sqlite *, sqlite3_stmt *);
/* Binds parameters 1 to 6 of the condition that SQL_READ_QUEUE and SQL_EDIT_SLICE share. */
void sqlite_bind_filter(sqlite3_stmt *, const struct queue_filter *);
/* What is queued by the counters: no scan. */
uint64_t sqlite_queued(struct sqlite *);

#endif
