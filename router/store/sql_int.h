/*
 * sql_int.h - what the files of the engine share: what requests do to rows, whatever database has them.
 *
 * They know statements (sql.h) and no connection. sqlite*.c and pg*.c open one, make its tables and say what each
 * statement is in that database.
 */
#ifndef ROUTER_STORE_SQL_INT_H
#define ROUTER_STORE_SQL_INT_H

#include <assert.h>
#include <string.h>

#include "router/store/sql.h"
#include "router/store/store_int.h"

/* Columns of SQL_LEASE and, after one that tells the message, of SQL_READ_QUEUE. */
enum recipient_column {
	R_MESSAGE, R_INDEX, R_STATE, R_SHELF, R_DUE, R_EXPIRES, R_ATTEMPTS, R_NOTIFY, R_FLAGS,
	R_UNREAD, R_DELAY_TOLD, R_ADDRESS, R_ORCPT, R_LAST, R_PATH, R_POOL, R_SOURCE, R_CARRIER,
	R_GROUP, R_RULE, R_RULESET, R_CONFIGURATION_SET, R_SENDER, R_HELD_AT, R_HELD,
	R_COLUMNS
};
enum { M_COLUMNS = 15, E_COLUMNS = 20 }; /* of a message, and of an event */
/* Of a recipient, */
enum { FLAG_IRREGULAR = 1, FLAG_UTF8 = 2, FLAG_REQUOTED = 4 };
enum { FLAG_8BIT = 1, FLAG_SMTPUTF8 = 2, FLAG_RETURNS = 4 }; /* and of a message */

/* Two more bits of a recipient are its enum unfit. */
enum { FLAGS_UNFIT = 3 << 3, FLAGS_UNFIT_AT = 3 };

/* What is stored about a recipient's counting. Valid until the next sql_load. */
struct stored {
	enum recipient_state state;
	bool unread;
	bool elsewhere; /* another node has it in memory */
	const char *sender, *address;
	struct route route;
};

/* What a recipient has had counted since it was sent, stored as these bits; four from SENT_ENDED_AT
 * on are the enum counter that it ended in, 0: none. */
enum sent_state {
	SENT_EARLY = 1, /* its settlement is still to come: the queue's row counts as well */
	SENT_SENT = 2,
	SENT_DELIVERED = 4, /* told so; counted unless it has ended */
	SENT_COMPLAINED = 8,
	SENT_ENDED_AT = 4,
	SENT_IS_DELIVERED = 256, /* once sent it counts as delivered, unless it has ended */
	SENT_HARD = 512, /* and how it ended */
	SENT_UNKNOWN = 1024,
	SENT_EXEMPT = 2048,
};
static_assert(COUNT_MAX <= 16, "an end is four bits of a state");

static inline unsigned
sent_end(unsigned state)
{
	return state >> SENT_ENDED_AT & 15;
}

/*
 * The last notes about a recipient, to know them again: type of the event and time of each. An
 * older one that comes once more is taken for new.
 */
#define SENT_NOTE_SIZE 7u
#define SENT_NOTES_MAX (8 * SENT_NOTE_SIZE)

/* A remembered recipient. Its strings are the engine's until the next sql_sent_load or _find. */
struct sent {
	int64_t message, at, remember, key;
	unsigned index, state;
	const char *address, *remote_id, *sender;
	const char *reason; /* of its end; "" */
	struct route route; /* as far as it is counted under */
	unsigned char note[SENT_NOTES_MAX];
	size_t nnote; /* bytes */
};

/* Where the table of traffic begins and ends. All 0 when nothing is in it. */
struct traffic_ends {
	int64_t seq;     /* of the newest entry, in a row or packed for one */
	int64_t latest;  /* time of all so far */
	int64_t trimmed; /* no row up to this seq is there any more */
};

/* Whether there are any rows: most stores have none, and need not look. */
enum any { ANY_UNKNOWN, ANY_NONE, ANY_SOME };

/* Of addresses, see sql_filter.c. */
struct filter {
	uint64_t *word;
	size_t nwords;    /* a power of two */
	uint64_t n;       /* added */
	struct str after; /* the last one seen while it is filled */
	bool whole;       /* all are in it */
};

/* Of tallies, as in the column. */
enum tally_level { LEVEL_MINUTE, LEVEL_HOUR, LEVEL_DAY, LEVELS };
#define TALLY_MINUTES_KEEP (INT64_C(2) * 86400 * 1000) /* ms */
#define TALLY_HOURS_KEEP   (INT64_C(10) * 86400 * 1000)
extern const int64_t sql_tally_span[LEVELS]; /* ms */

/* All minutes up to that of that key are in their hours and days. */
struct tally_mark {
	int64_t at, key;
};

/* How far transactions' records are added up, by whom and when, see sql_counted.c. */
struct counted_mark {
	int64_t upto;         /* seq */
	int64_t folder;       /* its epoch: what others held in memory of keys and marks is not so any more */
	int64_t at;           /* wall ms */
	size_t bytes;         /* of records that wait, as far as this process knows */
};

/* Of whom the events since the last row of event_whom are, see sql_whom.c: with as many as there are in a row,
 * one lookup in 500 looks in vain, and two rows fill a page. */
#define WHOM_EVENTS 1000
#define WHOM_BYTES  2000

struct whom {
	enum { WHOM_UNKNOWN, WHOM_BEHIND, WHOM_READY } state;
	unsigned n;           /* events in it */
	int64_t first, last;  /* seq */
	unsigned char bits[WHOM_BYTES];
};

struct sql_engine {
	struct engine engine;
	struct sql *q;
	uint64_t traffic_keep;
	struct traffic_ends traffic, committed; /* as in this transaction, and before it */
	struct str packed;           /* the next row of traffic */
	int64_t npacked;             /* recipients in it */
	struct stored stored;
	struct str text;             /* strings of `stored` */
	struct sent sent;
	struct str sent_text;
	char *spool_directory;
	enum any suppressions, strikes;
	struct filter filter;        /* of addresses on the suppression list */
	struct whom whom;
	int64_t event_hour;          /* that SQL_ADD_EVENT_HOUR has seen; -1: none */
	int64_t nevents;             /* in this transaction, where that numbers them */
	struct tally_mark folded, committed_fold; /* as in this transaction, and before it */
	struct counted_mark counted, committed_counted; /* likewise */
	struct str record;           /* of counts, to be written */
	int64_t count_up_at;         /* mono ms: then at the latest, however few there are */
	struct keyed_table keys;     /* of tallies, all that are stored when keys_known */
	bool keys_known;
	struct str packed_tally, tally_key; /* to be written, to be looked up */
	int64_t tally_keep;
	/* Of the recipient that was removed last, where the statement that removed it told: the answer of
	 * SQL_ADD_SENT, 0: it was not asked; and that neither an entry nor a strike is there to be lifted. */
	int64_t added_sent;
	bool lifts_nothing;
	int64_t lease;               /* ms, of a node */
	int64_t shares_trimmed;      /* wall ms of the database */
};

struct sql_reader {
	struct store_reader reader;
	struct sql *q;
	int64_t upto; /* records of counts that are read; 0: all there are */
};

/* -- sql_engine.c: what is held in memory of what is stored ------------------------------------------- */

/* Its connection has been opened. The spool's directory is NULL where bodies of any size are in rows. */
void sql_engine_init(struct sql_engine *, const struct engine_ops *, const struct store_config *,
    const char *spool_directory);
enum store_status sql_engine_load(struct sql_engine *, struct err *);
void sql_engine_release(struct sql_engine *);
enum store_status sql_engine_flush(struct sql_engine *, struct err *); /* before a commit, */
void sql_engine_committed(struct sql_engine *);                        /* after it, */
void sql_engine_forget(struct sql_engine *);                           /* or instead: it was rolled back */

/* A request, inside a transaction. Errors go to req.err. */
enum store_status sql_execute(struct engine *, struct store_request *, struct txn *);

static inline struct sql_engine *
sql_of(struct engine *e)
{
	return container_of(e, struct sql_engine, engine);
}

/* -- sql_row.c: rows from and to objects ------------------------------------------------------------- */

/* Binds the eight strings of a route from parameter i on, in the order of struct route's columns. */
void sql_bind_route(struct stmt *, int i, const struct route *);

/* Copies n text columns from `first` on to *text, and points each of *field[] there: the row is
 * changed next, and they are needed after. */
void sql_copy_columns(struct str *text, struct stmt *, int first, const char **const field[],
    int n);

/* The row's message, its columns from `first` on. A reference for the caller. */
struct message *sql_row_message(struct stmt *, int first);
/* The row's recipient, its columns from 0 on. */
struct recipient *sql_row_recipient(struct stmt *, struct message *);

/* -- sql_queue.c, sql_settle.c, sql_lease.c, sql_edit.c -------------------------------- */

enum store_status sql_enqueue(struct engine *, struct store_request *, struct txn *);
enum store_status sql_begin_attempt(struct engine *, struct store_request *, struct txn *);
enum store_status sql_settle(struct engine *, struct store_request *, struct txn *);
enum store_status sql_lease(struct engine *, struct store_request *, struct txn *);
enum store_status sql_edit(struct engine *, struct store_request *, struct txn *);
enum store_status sql_recover(struct engine *, int64_t now, struct store_recovery *,
    struct txn *, struct err *);
enum store_status sql_trim_events(struct engine *, int64_t before, size_t max, size_t *trimmed,
    struct err *);
/* Of a table that is in parts by time: the statement drops those that are old, and answers how many rows it has
 * removed besides. */
enum store_status sql_trim_parts(struct sql *, struct stmt *, const char *what, size_t *trimmed, struct err *);
int sql_knows_spool(struct engine *, const char *name, struct err *);
void sql_each_shelf(struct store_reader *, void (*each)(void *, unsigned, int64_t), void *);

/* A message with its body and one recipient after the other, counted as accepted. */
enum store_status sql_add_message(struct sql_engine *, const struct message *, struct err *);
enum store_status sql_add_recipient(struct sql_engine *, const struct recipient *,
    enum recipient_state, struct txn *, struct err *);
/* Fills eng->stored. *found false: there is no such recipient. */
enum store_status sql_load(struct sql_engine *, int64_t message, unsigned index, bool *found,
    struct err *);
/* Stores the new route of the recipient loaded last, if it differs, and moves `accepted`. */
enum store_status sql_reroute(struct sql_engine *, int64_t message, unsigned index,
    const struct route *, const char *sender, struct txn *, struct err *);
/* Takes `accepted` of that message from the stored key to the new one, if they differ. */
void sql_move_accepted(const struct stored *, int64_t message, const struct route *,
    const char *sender, struct txn *);
/* Whether both are counted under the same key. */
bool sql_same_key(const struct route *, const char *sender, const struct route *,
    const char *other_sender);
/* Removes a recipient, and with the last one its message. */
enum store_status sql_remove(struct sql_engine *, int64_t message, unsigned index,
    struct txn *, struct err *);
/* As sql_remove when the recipient is stored under just this key; else *removed is false and
 * nothing has happened. */
enum store_status sql_remove_same(struct sql_engine *, const struct settlement *,
    bool *removed, struct txn *, struct err *);
/* `outcome` may be NULL: what it says goes into the event. */
void sql_event_outcome(struct event_row *, const struct outcome *);
/* Adds an event; `seq` is chosen here. */
enum store_status sql_add_event(struct sql_engine *, const struct event_row *, struct err *);

/* -- sql_ahead.c -------------------------------------------------------------------------------- */

/*
 * Where the database is far: asks for what requests are going to need, before any of them is carried out. A part of what
 * they do is done by that, so that whoever comes first in the row of requests need not be first.
 */
void sql_announce(struct engine *, struct store_request *);
void sql_announce_enqueue(struct engine *, struct store_request *);
void sql_announce_begin(struct engine *, struct store_request *);
void sql_announce_settle(struct engine *, struct store_request *);
void sql_announce_feedback(struct engine *, struct store_request *);
void sql_announce_stored(struct sql_engine *, int64_t message, unsigned index);
void sql_announce_remove(struct sql_engine *, const struct settlement *); /* sql_remove_same */
void sql_announce_sent(struct sql_engine *, const struct feedback *);     /* sql_sent_find */
void sql_announce_suppressed(struct sql_engine *, const char *address, const char *path, int64_t now);

/* -- sql_sent.c, sql_feedback.c, sql_letter.c, sql_suppress.c --------------------------- */

/* Fills eng->sent. *found false: there is no such row. */
enum store_status sql_sent_load(struct sql_engine *, int64_t message, unsigned index,
    bool *found, struct err *);
/* The row that this is about. */
enum store_status sql_sent_find(struct sql_engine *, const struct feedback *, bool *found,
    struct err *);
/* The row of its message, if there is one and no more. */
enum store_status sql_sent_find_only(struct sql_engine *, const struct feedback *,
    bool *found, struct err *);
/* Whether it may be about a recipient of that address. */
bool sql_sent_is_about(const struct feedback *, const char *address);
/* By which its having been sent is told; EVENT_NONE: that it was delivered has been told. */
enum event_type sql_sent_event(unsigned state);
/* Told so, or sent where that is the same. */
bool sql_sent_is_delivered(unsigned state);
/* Adds it, its key chosen here; *added false: there is a row of that recipient. */
enum store_status sql_sent_add(struct sql_engine *, struct sent *, bool *added, struct err *);
/* Makes a row `is` of `was` (state 0: added just now), and counts the difference. `now`: of what
 * has just been told. */
enum store_status sql_sent_change(struct sql_engine *, const struct sent *was,
    struct sent *is, int64_t now, struct txn *, struct err *);
/* Counts each of a settlement's bits once, in the minute of its `at`; of ends and deferrals the
 * reason, of delivery the time since its message came. */
void sql_count(struct txn *, const struct settlement *, const struct route *,
    const char *sender);
/*
 * Remembers a recipient that leaves the queue by this settlement. *told: feedback was here first;
 * then it has left as sent, whatever the settlement says, eng->sent is as it was before, and of
 * what settlements count under sql_sent_counters nothing is left to count.
 */
enum store_status sql_sent_settle(struct sql_engine *, const struct settlement *,
    const struct route *, const char *sender, const char *address, bool *told, struct txn *,
    struct err *);
/* What it remembers, but for the key, from parameter i on. */
void sql_bind_settled(struct stmt *, int i, const struct settlement *);
extern const unsigned sql_sent_counters; /* bits 1u << enum counter */
/* How it ended, of such bits, as bits of its state. */
unsigned sql_sent_manner(unsigned counters);
enum store_status sql_trim_sent(struct engine *, int64_t now, size_t max, size_t *trimmed,
    struct err *);

enum store_status sql_feedback(struct engine *, struct store_request *, struct txn *);

enum store_status sql_add_letter(struct sql_engine *, const struct dead_letter *, int64_t at,
    struct err *);
enum store_status sql_remove_letters(struct engine *, struct store_request *, struct txn *);

enum store_status sql_suppress(struct engine *, struct store_request *, struct txn *);
enum store_status sql_unsuppress(struct engine *, struct store_request *, struct txn *);
enum store_status sql_trim_suppressed(struct engine *, int64_t now, size_t max,
    size_t *trimmed, struct err *);
/* Columns of SUPPRESSION_COLUMNS. Valid until the next step. */
/* How long a SUPPRESSION_GONE waits for a sync: no path may be there any more, or none that has one. */
#define GONE_KEEP (INT64_C(30) * 24 * 3600 * 1000)

struct suppression sql_row_suppression(struct stmt *);
enum store_status sql_put_suppression(struct sql_engine *, const struct suppression *,
    struct err *);

/* -- sql_filter.c ---------------------------------------------------------------------------------- */

void sql_filter_add(struct filter *, const char *key);
/* True: it is not on the list in any scope. False: look. */
bool sql_filter_rules_out(const struct filter *, const char *key);
void sql_filter_release(struct filter *);
enum store_status sql_warm(struct engine *, bool *more, struct err *);

/* -- sql_suppressed.c, sql_cause.c, sql_strike.c, sql_mail.c ------------------------------ */

/* Whether that table has a row, by what is known or by SQL_HAS_*. */
enum store_status sql_any(struct sql_engine *, enum any *, enum statement has, bool *yes,
    struct err *);
/* Why this address must not be written to by that path, in words to be freed; *why is NULL when it may. */
enum store_status sql_find_suppressed(struct sql_engine *, const char *address,
    const char *path, int64_t now, char **why, struct err *);
/* Binds parameters 1 to 10 of SUPPRESSION_FILTER. */
void sql_bind_suppression_filter(struct stmt *, const struct suppression_filter *,
    int64_t now);

/* What happened to a recipient, for the list. */
struct suppressing {
	const char *address, *path;
	int64_t message, at;
	unsigned index;
};
enum store_status sql_suppress_cause(struct sql_engine *, const struct suppress_cause *,
    const struct suppressing *, struct err *);
/* It was delivered: what is soft and is not of later goes. */
enum store_status sql_lift(struct sql_engine *, const struct suppressing *, struct err *);

/* *out: whether that was the last one needed; then all of that cause are forgotten. */
enum store_status sql_strike(struct sql_engine *, const char *key,
    const struct suppress_cause *, const struct suppressing *, bool *out, struct err *);
enum store_status sql_lift_strikes(struct sql_engine *, const char *key, int64_t at,
    struct err *);
enum store_status sql_trim_strikes(struct sql_engine *, int64_t now, size_t max,
    size_t *trimmed, struct err *);

enum store_status sql_add_mail(struct sql_engine *, const struct message *,
    const char *json, struct err *);
enum store_status sql_trim_mail(struct engine *, int64_t before, size_t max, size_t *trimmed,
    struct err *);

/* -- sql_counted.c ----------------------------------------------------------------------------------- */

enum store_status sql_count_load(struct sql_engine *, struct err *);
enum store_status sql_add_counters(struct engine *, const struct counters *, int64_t now,
    struct err *);
/*
 * Adds up what was written down, when it has become much or this is the `turn` for it; in turn also minutes to hours
 * and days, and what is not kept any more goes: at most max rows each. *more: there is more to do. With other nodes
 * nothing happens while one of them is at it.
 */
enum store_status sql_keep_counts(struct engine *, int64_t now, bool turn, size_t max, bool *more,
    struct err *);
/* All of it at once: the store is closed. */
enum store_status sql_count_up(struct engine *, int64_t now, bool *more, struct err *);
/* What waits to be added up: the reader's snapshot. */
void sql_read_counted(struct store_reader *, struct counters *to);
/* From here to sql_count_all only those records are read of which it is certain that none with a smaller seq comes
 * any more; returns the seq of the last. INT64_MAX with SQLite. */
int64_t sql_count_certain(struct store_reader *);
void sql_count_all(struct store_reader *);

/* What nodes with other numbers counted after that seq, oldest first. Never with SQLite. */
struct heard {
	int64_t upto;         /* out: all until there has been told */
	bool more, missed;    /* out: there is more now; some were gone already */
};
bool sql_hears(struct engine *);
enum store_status sql_hear_counted(struct engine *, int64_t after, struct heard *,
    void (*each)(void *arg, int64_t seq, const struct counters *), void *arg, struct err *);

/* -- sql_tally.c, sql_tally_key.c, sql_tally_read.c ------------------------------------------ */

enum store_status sql_tally_load(struct sql_engine *, struct err *);
enum store_status sql_add_tally(struct engine *, const struct tally_row *, int64_t now,
    struct err *);
enum store_status sql_fold_tallies(struct engine *, int64_t now, size_t max, size_t *folded,
    struct err *);
enum store_status sql_trim_tallies(struct engine *, int64_t now, size_t max, size_t *trimmed,
    struct err *);
/* Announces what sql_add_tally is going to read. Each once: `asked` is empty at first. */
enum store_status sql_announce_tally(struct sql_engine *, const struct tally_row *, int64_t now,
    struct keyed_table *asked, struct err *);
/* Of SQL_TALLY_STATE. */
struct tally_mark sql_row_mark(struct stmt *);
size_t sql_sum_tallies(struct store_reader *, const struct tally_filter *, int64_t now,
    struct tally *(*into)(void *arg, const struct tally_key *), void *arg);
size_t sql_read_tallies(struct store_reader *, const struct tally_filter *, int64_t now,
    void (*)(void *, const struct tally_row *), void *);

/* When the period of that level begins that is at that time. */
int64_t sql_tally_begin(enum tally_level, int64_t at);

/* The strings of a row, from that column on. */
void sql_row_tally_key(struct stmt *, int first, struct tally_key *);
/* The id that this is counted under in that day, made when there is none. */
enum store_status sql_tally_key(struct sql_engine *, const struct tally_key *, int64_t day,
    int64_t *id, struct err *);
/* It is not known any more what is stored. */
void sql_tally_keys_forget(struct sql_engine *);

/* -- sql_whom.c, sql_search.c ----------------------------------------------------------------- */

enum whom_kind { WHOM_RECIPIENT, WHOM_SENDER };
struct whom_key {
	uint64_t first, step;
};
struct whom_key sql_whom_key(enum whom_kind, const char *text);
/* Of the bits of a row: false, it is not among its events. */
bool sql_whom_may_hold(const void *bits, size_t len, const struct whom_key *);
/* An event has been added. */
enum store_status sql_whom_add(struct sql_engine *, int64_t seq, const char *recipient,
    const char *sender, struct err *);
/* The transaction is rolled back. */
void sql_whom_forget(struct sql_engine *);
/* At the beginning of a transaction: filters that are missing, a slice of them. */
enum store_status sql_whom_warm(struct sql_engine *, bool *more, struct err *);
/* After events were. */
enum store_status sql_whom_trim(struct sql_engine *, struct err *);


/* -- sql_traffic.c, sql_ruleset.c, sql_kept.c ---------------------------------------------- */

/* Finds the ends of what is kept. */
enum store_status sql_traffic_load(struct sql_engine *, struct err *);
/* Keeps the envelopes of a message from a client, if any are to be kept, and lets go of the oldest
 * once in a while. */
enum store_status sql_add_traffic(struct sql_engine *, const struct message *,
    const struct recipient_list *, struct err *);
/* Before a commit, and instead of one. */
enum store_status sql_traffic_flush(struct sql_engine *, struct err *);
void sql_traffic_forget(struct sql_engine *);
enum store_status sql_trim_traffic(struct engine *, bool *more, struct err *);

enum store_status sql_put_ruleset(struct engine *, struct store_request *, struct txn *);

enum store_status sql_keep(struct engine *, struct store_request *, struct txn *);
enum store_status sql_trim_kept(struct engine *, int64_t now, size_t max, size_t *trimmed,
    struct err *);
size_t sql_read_kept(struct store_reader *, const char *kind, const char *key, int64_t now,
    void (*)(void *, const struct kept *), void *);

/* -- sql_edit.c, for sql_node.c: whoever was sending it is gone, and nobody has read the reply. */
enum store_status sql_take_back(struct sql_engine *, int64_t message, unsigned index, int64_t now, struct txn *,
    struct err *);

/* -- sql_node.c: where there are many nodes -------------------------------------------------------- */

/* A slice of what a node held that has died. */
enum store_status sql_bury(struct engine *, struct store_request *, struct txn *);
/* The same of a node that goes by itself, and is the engine's own. */
enum store_status sql_leave(struct engine *, struct bury_progress *, struct txn *, struct err *);
enum store_status sql_drain(struct engine *, struct store_request *, struct txn *);
/* Just before a commit: engine.changes, as far as others are told of them in the transaction. */
enum store_status sql_tell_changes(struct engine *, struct err *);

/* -- sql_share.c ------------------------------------------------------------------------------------ */

enum store_status sql_share(struct engine *, struct store_request *, struct txn *);

/* -- sql_read.c ------------------------------------------------------------------------------------ */

/* The row of EVENT_COLUMNS. Valid until the next step. */
void sql_read_event(struct stmt *, struct event_row *);
struct sql *sql_of_reader(struct store_reader *);
/* True while there is a row. What cannot be read is logged, and the answer is what came before. */
bool sql_read_next(struct sql *, struct stmt *);
/* Binds parameters 1 to 6 of the condition that SQL_READ_QUEUE and SQL_EDIT_SLICE share. */
void sql_bind_filter(struct stmt *, const struct queue_filter *);
/* What is queued by the counters: no scan. */
uint64_t sql_queued(struct sql *);

#endif
