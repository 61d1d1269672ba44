/*
 * store.h - the one truth on disk: queue, counters, events.
 *
 * Requests are asynchronous. The caller fills in a request, keeps it alive and lets go of it until
 * `done` runs in the thread of `reply_to`. One store thread executes them in the order given and
 * commits in groups: whatever gathered while the last commit ran is the next transaction, and
 * `done` runs only after that commit is on disk. So a request that answers STORE_OK survives kill -9
 * and power loss. Reading for people (listings, statistics) goes by another connection and never
 * delays a commit.
 *
 * A settlement changes recipient, counters, event and our own new messages (DSN) together or not
 * at all. Counters are deltas under a key; `accepted` is counted at enqueue under the route planned
 * then and moves with the recipient when a later decision differs, so that at any commit
 *	accepted = sent + bounced + filtered + expired + suppressed + removed + queued
 * holds for every key, and `queued` needs no scan.
 */
#ifndef ROUTER_STORE_STORE_H
#define ROUTER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/inbox.h"
#include "mta/outcome.h"
#include "router/message.h"

struct rules_file;
struct store;

struct store_config {
	const char *directory;     /* database, spool/ and ballast live here; must exist */
	uint64_t reserve_bytes;    /* below this much free space enqueue answers STORE_FULL; a ballast
				      file of this size is given up to keep settling when full. At
				      least 16 MB, twice the write-ahead log; 0: neither */
	int64_t event_keep;        /* ms that events are kept */
	uint64_t traffic_keep;     /* recipients of the latest mail whose envelopes are kept, and
				      up to 1,000 more; 0: none */
};

struct store_recovery {
	uint64_t queued;    /* recipients found in the queue */
	uint64_t returned;  /* were in memory of the last process: due again */
	uint64_t unread;    /* were in "final dot sent, reply unread": due again, flagged, counted */
	uint64_t orphans;   /* spool files of messages never acknowledged: removed */
};

/*
 * Opens or creates, checks version and integrity, recovers, sweeps orphans, starts the threads.
 * Refuses with one sentence: schema newer than this program, corrupt, locked by another process.
 */
struct store *store_open(const struct store_config *, struct store_recovery *, struct err *e);
/* After all requests are answered. Commits, checkpoints, ends the threads. */
void store_close(struct store **);
const char *store_spool_directory(const struct store *);

enum store_status {
	STORE_OK,
	STORE_FULL,   /* no space: nothing of this request happened; try again later */
	STORE_REJECTED, /* it contradicts what is stored (an id taken already, a recipient that is
			   not there): nothing of it happened, and again would not help */
	STORE_FAILED, /* the store is broken (a failed fsync, corruption): accepts nothing more */
};

enum store_kind {
	STORE_ENQUEUE,
	STORE_BEGIN,
	STORE_SETTLE,
	STORE_LEASE,
	STORE_QUEUE_EDIT,
	STORE_RULESET,
	STORE_KEEP,
};

/* First member of every request. */
struct store_request {
	struct task task;               /* the store's: travels with it */
	enum store_kind kind;           /* set by store_*() */
	struct inbox *reply_to;
	void (*done)(struct store_request *);
	enum store_status status;       /* set before done */
	struct err err;                 /* when not STORE_OK */
};

/* -- counters ------------------------------------------------------------------------------- */

enum counter {
	COUNT_ACCEPTED,
	COUNT_SENT,        /* the next hop answered 250 */
	COUNT_DELIVERED,   /* mta path: as sent; ses path: by its Delivery event */
	COUNT_BOUNCED,
	COUNT_FILTERED,    /* refused by the recipient's filter, not a bad address */
	COUNT_DEFERRED,    /* attempts that will be made again */
	COUNT_EXPIRED,
	COUNT_COMPLAINED,
	COUNT_SUPPRESSED,
	COUNT_REMOVED,     /* by an operator */
	COUNT_UNREAD,      /* attempts that ended "final dot sent, reply unread" */
	COUNT_MAX
};
const char *counter_name(enum counter);

/* The key: route's path, carrier, group, source, rule, and the sender's domain. */
struct counter_row {
	const char *path, *carrier, *group, *sender, *source, *rule;
	int64_t n[COUNT_MAX];
};

/* -- enqueue ---------------------------------------------------------------------------------- */

/*
 * Stores message, body and recipients, counts `accepted` under each recipient's route.
 * A recipient with `leased` false is stored as RCPT_WAITING at its due time and shelf, else as
 * RCPT_LEASED. Syncs a spooled body first, outside the transaction. Borrows everything.
 */
struct store_enqueue {
	struct store_request req;
	struct message *message;            /* with its body */
	struct recipient_list recipients;
	bool leased;
};
void store_enqueue(struct store *, struct store_enqueue *);

/* -- begin ------------------------------------------------------------------------------------- */

/*
 * An attempt begins: marks the recipients RCPT_SENDING, so that after this answers STORE_OK their
 * final dot may go out; moves `accepted` to the route given when it differs from the stored one;
 * fetches the body when asked.
 */
struct store_begin {
	struct store_request req;
	int64_t message;
	size_t n;
	const unsigned *index;              /* n of them */
	const struct route *route;          /* new key of all n */
	bool want_body;
	struct body *body;                  /* out: a reference for the caller, or NULL */
};
void store_begin(struct store *, struct store_begin *);

/* -- settle -------------------------------------------------------------------------------------- */

enum settle_as {
	SETTLE_FINAL, /* the recipient leaves the queue; its message with its last one */
	SETTLE_RETRY, /* an attempt failed: waits again at due, attempts + 1 */
	SETTLE_RETURN,/* goes back as it was: waits at due, nothing attempted */
};

/* What the application and the log are told; type names are SES's (aws facts, section 4). */
enum event_type {
	EVENT_NONE, EVENT_SEND, EVENT_DELIVERY, EVENT_BOUNCE, EVENT_DELAY, EVENT_EXPIRED,
	EVENT_SUPPRESSED, EVENT_REMOVED, EVENT_UNREAD,
};
const char *event_type_name(enum event_type);

struct settlement {
	STAILQ_ENTRY(settlement) link;
	int64_t message;
	unsigned index;
	enum settle_as as;
	int64_t due;                  /* RETRY, RETURN */
	unsigned shelf;               /* RETRY, RETURN */
	int64_t expires;              /* RETRY, RETURN: 0 keeps the old */
	bool unread;                  /* RETRY: see recipient.unread */
	bool requoted;                /* RETRY, RETURN: once true it stays */
	bool delay_told;              /* RETRY, RETURN */
	const char *last;             /* RETRY, RETURN: text to keep; NULL keeps the old */
	const struct route *route;    /* the key counted under; moves `accepted` when it differs */
	const char *sender;           /* sender's domain, part of the key */
	const char *address;          /* for the event */
	unsigned counters;            /* bits 1u << enum counter: each counted once */
	enum event_type before;       /* another one, of the attempt that led to it */
	enum event_type event;
	int64_t at;                   /* wall ms */
	const struct outcome *outcome;/* for the event; may be NULL */
	const char *reason;           /* for the event; "" */
	const char *peer;             /* for the event; "" */
	const char *remote_id;        /* SES message id; "" */
	struct message *notice;       /* DSN to enqueue with it, with body; NULL: none. Borrowed */
	struct recipient *notice_to;  /* stored as RCPT_WAITING, due at once */
};
STAILQ_HEAD(settlement_list, settlement);

/* Unknown recipients (settled before, deleted by hand) are skipped and change no counter. */
struct store_settle {
	struct store_request req;
	struct settlement_list settlements;
	unsigned skipped;             /* out */
};
void store_settle(struct store *, struct store_settle *);

/* -- lease ------------------------------------------------------------------------------------------ */

#define STORE_SHELVES 65536u

/*
 * Takes up to `max` recipients of one shelf that are due, earliest first, out of RCPT_WAITING into
 * RCPT_LEASED. Recipients are new objects (so are their messages, shared within one answer, without
 * body), owned by the caller.
 */
struct store_lease {
	struct store_request req;
	unsigned shelf;
	int64_t now;                  /* wall ms */
	size_t max;
	struct recipient_list recipients; /* out */
	size_t n;                     /* out */
	int64_t next_due;             /* out: earliest still waiting on this shelf; INT64_MAX: none */
};
void store_lease(struct store *, struct store_lease *);

/* Every shelf with waiting recipients and its earliest due time. Only between store_open and the
 * first request or query; blocks. */
void store_each_shelf(struct store *, void (*each)(void *arg, unsigned shelf, int64_t due),
    void *arg);

/* -- operators ---------------------------------------------------------------------------------------- */

struct queue_filter {          /* "" and 0 match anything; domain also matches sub-domains */
	int64_t message;
	int index;                 /* -1: any */
	const char *to, *domain, *sender, *path, *carrier;
	size_t limit;
};

/* How far an edit has come; the store's own. */
struct edit_progress {
	int64_t message, index;    /* the last one looked at */
	uint64_t changed;
	bool more;
};

/* Retry now (RCPT_WAITING recipients become due at once) or delete (counted as removed, with an
 * event). Those in memory are not touched here: the core handles them. Long queues are gone through
 * in slices, a transaction each, with other requests in between; when a later slice fails, `changed`
 * says how many had been changed by then. */
struct store_queue_edit {
	struct store_request req;
	struct queue_filter filter;
	bool delete;
	bool release;                 /* retry: they are FIT from now on */
	int64_t now;
	uint64_t changed;             /* out */
	struct edit_progress at, next;/* the store's: as committed, and as in this transaction */
};
void store_queue_edit(struct store *, struct store_queue_edit *);

/* -- rules ---------------------------------------------------------------------------------------------- */

/*
 * This rule set is in force from now on. Kept for ever, its text once per version; nothing happens
 * when the newest one kept has the same version. STORE_FULL, as with new mail, when there is no
 * space for it. Borrows everything.
 */
struct store_ruleset {
	struct store_request req;
	int64_t at;                   /* wall ms */
	const char *who;              /* "root by reload", "start" */
	const char *version;
	size_t n;
	const struct rules_file *file; /* n of them, in the order of reading */
};
void store_ruleset(struct store *, struct store_ruleset *);

/* -- kept ------------------------------------------------------------------------------------------------ */

/*
 * Small things that must outlive a restart: what an operator has paused, how far a warm-up is, a
 * policy that was fetched. Each kind is one owner's, who says what key and value mean.
 */
struct kept {
	const char *kind, *key;
	const char *value;            /* NULL: forget it */
	int64_t expires;              /* wall ms; forgotten some time after; 0: never */
};

/* All of them or none; of two with the same key the later one counts. STORE_FULL, as with the
 * beginning of an attempt, when there is no space left at all. Borrows everything. */
struct store_keep {
	struct store_request req;
	size_t n;
	const struct kept *kept;
};
void store_keep(struct store *, struct store_keep *);

/* All of a kind that have not expired, in the order of keys (by bytes). Only between store_open and
 * the first request or query; blocks. */
void store_each_kept(struct store *, const char *kind,
    void (*each)(void *arg, const struct kept *), void *arg);

/*
 * Reading for people. `run` is called in the store's reading thread with a read-only view as of one
 * moment; it may call the store_read_* functions. Then `done` runs in the thread of reply_to.
 */
struct store_reader;
struct store_query {
	struct task task;             /* the store's */
	struct inbox *reply_to;
	void (*run)(struct store_query *, struct store_reader *);
	void (*done)(struct store_query *);
};
void store_query(struct store *, struct store_query *);

void store_read_counters(struct store_reader *,
    void (*each)(void *arg, const struct counter_row *), void *arg);

struct queue_row {
	const struct recipient *recipient; /* with its message, without body */
	enum recipient_state state;
};
/* Oldest message first. Returns the number of rows. */
size_t store_read_queue(struct store_reader *, const struct queue_filter *,
    void (*each)(void *arg, const struct queue_row *), void *arg);
uint64_t store_read_queue_size(struct store_reader *);

/* What is kept under a key of that kind, NULL: under all of them; not what has expired. Returns how
 * many. */
size_t store_read_kept(struct store_reader *, const char *kind, const char *key,
    void (*each)(void *arg, const struct kept *), void *arg);

struct event_row {
	int64_t seq, at, message;
	unsigned index;
	enum event_type type;
	const char *sender, *recipient, *path, *carrier, *group, *source, *rule;
	int code;
	const char *enhanced, *stage, *reason, *text, *peer, *remote_id;
};
/* Events of one message (0: all), after `after`, oldest first, at most limit. */
size_t store_read_events(struct store_reader *, int64_t message, int64_t after, size_t limit,
    void (*each)(void *arg, const struct event_row *), void *arg);

/* A rule set that was put in force; numbers count up from 1. */
struct ruleset_row {
	int64_t number, at;
	const char *version, *who;
	size_t files, bytes;
};
/* Newest first; number 0: all, at most limit. Returns how many. */
size_t store_read_rulesets(struct store_reader *, int64_t number, size_t limit,
    void (*each)(void *arg, const struct ruleset_row *), void *arg);
/* The files of one, in the order of reading. Returns how many; 0: there is no such set. */
size_t store_read_ruleset_files(struct store_reader *, int64_t number,
    void (*each)(void *arg, const struct rules_file *), void *arg);

/*
 * A recipient of recent mail as it was enqueued, to try rules on: one each of all mail taken in from
 * clients (not our own notices), the latest store_config.traffic_keep of them.
 */
struct traffic_row {
	int64_t seq, at;              /* seq: of its message, of its hundred in a larger one; grows */
	const char *from, *header_from, *user, *listener, *tags;
	uint64_t size;
	const char *address;          /* local@domain, local part unquoted */
	bool irregular;
};
/* Those since that wall time and after that seq, oldest first, of at most `limit` messages, each
 * hundred recipients of a larger one counting as one. Returns the number of messages. To read on,
 * give the last seq as `after`. */
size_t store_read_traffic(struct store_reader *, int64_t since, int64_t after, size_t limit,
    void (*each)(void *arg, const struct traffic_row *), void *arg);

#endif
