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
 *	accepted + returned = sent + bounced + filtered + expired + suppressed + removed + queued
 * holds for every key, and `queued` needs no scan. `returned` are those that came back after they
 * had been sent: a later bounce moves a recipient from delivered to bounced and counts it there.
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
#include "router/store/tally.h"

struct rules_file;
struct store;
struct str;
struct store_reader;

struct store_config {
	const char *directory;     /* database, spool/ and ballast live here; must exist */
	const char *url;           /* postgresql://...: the database is there; NULL: SQLite, in the directory */
	const char *password_file; /* its first line is the password; NULL: as the url or libpq's environment says */
	const char *token_command; /* run by sh(1) before each connection: prints the password, as IAM tokens that
				      last minutes; NULL: none */
	const char *node;          /* what this node is called, no other of that database is; NULL: the host's name */
	int64_t lease;             /* ms: a node not heard of for so long has lost what it held */
	uint64_t reserve_bytes;    /* below this much free space enqueue answers STORE_FULL; a ballast
				      file of this size is given up to keep settling when full. At
				      least 16 MB, twice the write-ahead log; 0: neither */
	int64_t event_keep;        /* ms that events are kept */
	int64_t tally_keep;        /* ms that counts by day are kept */
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
/* From outside, while others may have it open: what is there goes to *says, for people, or -1 with why it would not do
 * just now. Changes nothing. */
int store_probe(const struct store_config *, struct str *says, struct err *e);
/* After all requests are answered. Commits, checkpoints, ends the threads. */
void store_close(struct store **);
/* Less than the reserve is free: new mail is refused. Any thread. */
bool store_is_low(struct store *);
const char *store_spool_directory(const struct store *);
/* What a database that is far away has been asked since the store was opened; with SQLite 0. Any thread. */
struct store_asked {
	uint64_t statements;
	uint64_t trips;            /* times that an answer was waited for */
};
struct store_asked store_asked(const struct store *);

enum store_status {
	STORE_OK,
	STORE_FULL,   /* no space: nothing of this request happened; try again later */
	STORE_REJECTED, /* it contradicts what is stored (an id taken already, a recipient that is
			   not there): nothing of it happened, and again would not help */
	STORE_FAILED, /* the store is broken (a failed fsync, corruption): accepts nothing more */
	STORE_AWAY,   /* the database is not there, or does not write now: nothing of this request happened;
			 try again later. Settlements are never answered so: they wait */
	STORE_FENCED, /* this node has been given up by the others (store_node): it holds nothing any more,
			 and nothing of this request happened, nor will of any other */
};

enum store_kind {
	STORE_ENQUEUE,
	STORE_BEGIN,
	STORE_SETTLE,
	STORE_LEASE,
	STORE_QUEUE_EDIT,
	STORE_RULESET,
	STORE_KEEP,
	STORE_FEEDBACK,
	STORE_LETTERS,
	STORE_SUPPRESS,
	STORE_UNSUPPRESS,
	STORE_SHARE,
	STORE_DRAIN,
	STORE_BURY, /* the store's own */
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

struct event_row;

/* -- counters ------------------------------------------------------------------------------- */

/* enum counter and its names: tally.h. */

/* The key: route's path, carrier, group, source, rule and configuration set, and the sender's domain. */
struct counter_row {
	const char *path, *carrier, *group, *sender, *source, *rule, *configuration_set;
	int64_t n[COUNT_MAX];
};

/*
 * Counts by time. Each is in a minute: `accepted` in that in which its message came (message_id_time), what
 * becomes of an attempt in that of its settlement, and what is told later of a recipient in that in which it was
 * sent. So a period compares what went out in it with what became of that, and never shows less than nothing.
 * Minutes are kept for two days, hours for ten, days (UTC) for store_config.tally_keep.
 */
enum tally_step { TALLY_SUM, TALLY_MINUTE, TALLY_HOUR, TALLY_DAY };

struct tally_filter {
	int64_t since, until;         /* wall ms; the periods that begin in [since, until), minutes as long as
					 they are kept, else hours, else days: since and until are rounded
					 down to them. until 0: no end */
	enum tally_step step;         /* SUM: as few rows as will do, of any length. Else rows of that length,
					 those of one key and period may be several and are to be added up */
	const char *path, *carrier, *sender, *rule; /* NULL: any */
	bool no_reasons;              /* they may be left out, which is faster */
};

struct tally_row {
	int64_t at, span;             /* wall ms */
	struct tally_key key;
	const struct tally *tally;
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
	struct recipient_list recipients;   /* out: recipient.suppressed, see below */
	bool leased;
	const char *mail;                   /* JSON: what events will say of the message (store_read_mail),
					       kept as long as events are; NULL: nothing */
};
void store_enqueue(struct store *, struct store_enqueue *);

/* -- begin ------------------------------------------------------------------------------------- */

/*
 * An attempt begins: marks the recipients RCPT_SENDING, so that after this answers STORE_OK their
 * final dot may go out; moves `accepted` to the route given when it differs from the stored one;
 * fetches the body when asked.
 *
 * One whose earlier attempt ended unread and of which feedback has since proved that it arrived (see
 * store_feedback) may not go again: the request is STORE_REJECTED then, nothing of it happens, and a
 * settlement that puts such a recipient back settles it as sent instead.
 */
struct store_begin {
	struct store_request req;
	int64_t message;
	size_t n;
	const unsigned *index;              /* n of them */
	const struct route *route;          /* new key of all n */
	bool want_body;
	struct body *body;                  /* out: a reference for the caller, or NULL */
	char **suppressed;                  /* n of them, NULL each, or no array at all: not looked. Out: those
					       that are on the suppression list by that route's path, with the
					       reason in words, which the caller frees; the request is
					       STORE_REJECTED then and nothing of it happens */
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
	EVENT_SUPPRESSED, EVENT_REMOVED, EVENT_UNREAD, EVENT_COMPLAINT, EVENT_REJECT, EVENT_OPEN,
	EVENT_CLICK, EVENT_RENDERING, EVENT_SUBSCRIPTION, EVENT_NOTE,
	EVENT_GUARD, /* of no recipient: the guard warns, slows, pauses or reopens (guard.h) */
	EVENT_DEFERRED, /* an attempt that will be made again; no application is told */
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
	const char *held;             /* RETURN: by an operator, as store_queue_edit.hold; NULL: as it was */
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
	int64_t remember;             /* FINAL: wall ms until which feedback may find it, see
					 store_feedback; 0: not at all */
	const struct suppress_cause *suppress; /* FINAL: what it does to the list; NULL: nothing */
	bool lifts;                   /* FINAL: it was delivered: soft entries and strikes of its address go */
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

/* -- feedback ---------------------------------------------------------------------------------- */

/*
 * What is told of a recipient after it left, or of one that has just left, in any order and as often
 * as it likes: each of sent, delivered, an end, a complaint changes counters and the recipient's story
 * once. A recipient is remembered from its settlement (settlement.remember) or from its first feedback.
 *
 *	SENT       proof that it was accepted by the next hop: one that waits in the queue because its reply
 *	           was unread is settled as sent, now if it waits in the store, else when it comes back.
 *	DELIVERED  `delivered` counts, unless it has ended otherwise already; proof as SENT
 *	END        `counter` (bounced, filtered, expired, suppressed) and `returned` count; `delivered` is
 *	           taken back when it had counted; proof as SENT
 *	COMPLAINT  `complained` counts; proof as SENT
 *	NOTE       only the event; proof as SENT
 *
 * What is counted is counted under the key that the recipient was sent under; what is told before its
 * settlement, under its stored one, and moves with it. Whatever is told of a recipient is proof that it
 * was sent: its settlement, if it is to be remembered, makes it sent whatever else it says, and no notice
 * goes out. One that had been settled otherwise before (as expired, say) counts as sent and returned.
 * With feedback.is_delivered, what is proved to be sent counts as delivered, too, and its event is
 * EVENT_DELIVERY instead of EVENT_SEND.
 */
enum feedback_kind { FEEDBACK_SENT, FEEDBACK_DELIVERED, FEEDBACK_ENDED, FEEDBACK_COMPLAINT, FEEDBACK_NOTE };

enum feedback_result {
	FEEDBACK_DONE,    /* recorded */
	FEEDBACK_KNOWN,   /* it had been recorded before: nothing changed */
	FEEDBACK_UNKNOWN, /* nobody knows that recipient */
};

#define FEEDBACK_ANY ((unsigned)-1)

struct feedback {
	STAILQ_ENTRY(feedback) link;
	int64_t message;              /* by our own id; 0: by remote_id */
	unsigned index;               /* FEEDBACK_ANY: by `address`, or the only one remembered of that message
					 (in the queue, when none has left it) */
	const char *remote_id;        /* SES's id of the message; "" */
	const char *address;          /* whom it is about; "" when it does not say */
	bool is_delivered;            /* it was sent on a path where what is sent counts as delivered (mta) */
	bool alone;                   /* it speaks of one recipient only, under whatever address: else
					 `address` must be ours, case ignored: that of the index, or of
					 another recipient of the message */
	enum feedback_kind kind;
	enum counter counter;         /* ENDED */
	unsigned also;                /* bits of COUNT_HARD, COUNT_UNKNOWN and COUNT_EXEMPT: counted with the end */
	enum event_type event;
	int64_t at;                   /* wall ms when it happened, as told; a NOTE of the same event and time
					 is KNOWN, while it is among the last eight of its recipient */
	const struct outcome *outcome;/* may be NULL */
	const char *reason, *peer;    /* "" */
	const struct suppress_cause *suppress; /* when it is recorded (FEEDBACK_DONE); NULL: nothing. Lifting
					 is the store's own: DELIVERED does */
	enum feedback_result result;  /* out */
};
STAILQ_HEAD(feedback_list, feedback);

/* What came and means nothing to us, kept for a human. Never removed by itself. The same source, id and
 * body again are kept once, and `buried` all the same. */
struct dead_letter {
	const char *source;           /* who brought it */
	const char *id;               /* as the source calls it; "" */
	const char *why;              /* a sentence */
	const char *body;
	size_t len;
};

struct store_feedback {
	struct store_request req;
	struct feedback_list list;    /* may be empty */
	int64_t now;                  /* wall ms */
	int64_t remember;             /* wall ms, for recipients that are remembered from now on */
	const struct dead_letter *letter; /* kept when `bury`, or `bury_unknown` and any is UNKNOWN; or NULL */
	bool bury, bury_unknown;      /* in the reserve none is kept: STORE_FULL, or UNKNOWN and not buried */
	unsigned unknown;             /* out */
	bool buried;                  /* out */
};
/* STORE_FULL when there is no space for it: nothing happened. Borrows everything. */
void store_feedback(struct store *, struct store_feedback *);

/* Removes dead letters: one, or all with seq 0. */
struct store_letters {
	struct store_request req;
	int64_t seq;
	uint64_t removed;             /* out */
};
void store_remove_letters(struct store *, struct store_letters *);

/* -- suppression ----------------------------------------------------------------------------------- */

/*
 * Addresses that must not be written to. Scope is a path's name, or "" for all. `state` is how the entry stands
 * to the list of the SES account behind that path.
 */
enum suppression_state {
	SUPPRESSION_SYNCED, /* there and here */
	SUPPRESSION_LOCAL,  /* here only: to be put there at the next sync */
	SUPPRESSION_GONE,   /* taken away here: to be taken away there at the next sync; forgotten
			       when there is none for 30 days */
};

struct suppression {
	const char *scope, *address;  /* address: its key, suppress_key() */
	const char *cause;            /* a reason, "complaint", "manual"; of SES's list "BOUNCE", "COMPLAINT" */
	const char *who;              /* "ses", "root", "oiwake" */
	enum suppression_state state;
	int64_t at;                   /* wall ms */

	/* What follows may be left "" and 0. */
	const char *source;           /* what told: "smtp", "dsn", "arf", "ses", "cli", "import" */
	const char *evidence;         /* the reply, or the event, in its own words; an operator's why. Its
					 first 500 bytes are kept */
	const char *path;             /* whose mail brought it */
	int64_t message;              /* which mail */
	unsigned index;
	int64_t expires;              /* wall ms: it means nothing from then on; 0: never */
	bool soft;                    /* a delivery that succeeds takes it away */
};

struct store_suppress {
	struct store_request req;
	size_t n;
	const struct suppression *list; /* put, instead of an earlier entry; */
	bool remove;                  /* or removed, by scope and address, whatever else they say */
	bool keep;                    /* put: an earlier entry stays as it is, unless it has expired or
					 is SUPPRESSION_GONE */
	uint64_t changed;             /* out: those that were not there in just these words */
};
/* All of them or none. Borrows everything. */
void store_suppress(struct store *, struct store_suppress *);

/*
 * What a settlement or feedback does to the list, in its own transaction. Strikes are kept by address and cause;
 * fewer than `strikes` within that time only count. An entry of the same scope that is hard, manual or a
 * complaint is not made weaker by a soft one; its expiry only grows.
 */
struct suppress_cause {
	const char *scope;            /* NULL: the path that the recipient was sent by */
	const char *cause, *source, *evidence;
	int64_t expires;              /* wall ms; 0: never */
	unsigned strikes;             /* 0 and 1: at once */
	int64_t within;               /* ms */
	bool soft;
};

/* Which entries: "" and 0 match any. */
struct suppression_filter {
	const char *scope;            /* NULL: any; "": for all paths */
	const char *address;          /* a key; or "@domain": all of that domain */
	const char *cause, *path, *source, *who;
	int64_t since, until;         /* wall ms: made at or after, before */
	bool expired;                 /* those that have expired as well */
};

/* Takes away what the filter matches, in slices, a transaction each, as store_queue_edit. `cause` of SES's list
 * (state SYNCED, LOCAL) become SUPPRESSION_GONE, so that the next sync takes them away there. */
struct unsuppress_progress;
struct store_unsuppress {
	struct store_request req;
	struct suppression_filter filter;
	size_t limit;                 /* 0: none */
	uint64_t changed;             /* out */
	struct unsuppress_progress *progress; /* the store's */
};
void store_unsuppress(struct store *, struct store_unsuppress *);

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

/* -- many nodes ------------------------------------------------------------------------------------------- */

/*
 * Several processes may have one database, each a node. A node has an epoch, a number that no other ever had, and says
 * every few seconds that it lives. What it has in memory it holds by that epoch. Of one that has not been heard of for
 * store_config.lease the others take back what it held, as store_open does after a crash, and from then on it is
 * fenced: nothing that it asks happens. With SQLite there is one node, and it is never fenced.
 */
struct node_row {
	int64_t epoch;
	unsigned slot;                /* the smallest number that no other node has that lives: id makers are its own */
	const char *name, *host;
	const char *version;          /* of the program */
	const char *ruleset;          /* in force there */
	const char *sources;          /* names, "a,b" */
	const char *trouble;          /* a sentence; "": it is well */
	int64_t started, heard;       /* wall ms of the database */
	int64_t lag;                  /* ms since then */
	uint64_t leases;              /* recipients that it holds */
	bool draining;
	bool lost;                    /* not heard of for a lease, or given up */
};
/* By name. Returns how many. */
size_t store_read_nodes(struct store_reader *, void (*each)(void *arg, const struct node_row *), void *arg);

/* What this node says of itself from its next sign of life on. Any thread; copies. */
struct node_says {
	const char *ruleset, *sources, *trouble;
	uint64_t leases;              /* recipients in memory */
	bool draining;                /* it goes, whatever operators say: it stops */
};
void store_say(struct store *, const struct node_says *);
int64_t store_epoch(const struct store *);  /* 1 with SQLite */
unsigned store_slot(const struct store *);  /* 0 with SQLite */
bool store_is_shared(const struct store *); /* there may be other nodes */
const char *store_node_name(const struct store *);

/* That node is to take no more, and to finish what it has, or need not any more. STORE_REJECTED: there is none of
 * that name. Not with SQLite. */
struct store_drain {
	struct store_request req;
	const char *name;
	bool undo;
};
void store_drain(struct store *, struct store_drain *);
/* This node is to; STORE_CHANGED_NODES tells when that may have changed. Any thread. */
bool store_is_draining(const struct store *);
/* The process is about to end without store_close: nothing is sent any more, and the others need not wait for a lease
 * until they take back what it holds. Nothing may be asked of the store after it. */
void store_abandon(struct store *);
/* What is in memory is this node's for some time yet: to be asked before each final dot. By a clock that goes on while
 * the process or the machine is stopped. Any thread. */
bool store_holds(const struct store *);
/* The same number for as long as that is so without a gap, another one after it; 0: it is not so now. What was reserved
 * for this node before a gap may be another's since. Any thread. */
unsigned store_term(const struct store *);
/* Of the nodes that live one does what is to be done once for all of them, and it is this one. With SQLite it is always.
 * When the one that does dies another follows within seconds, and for as long there may be none. Any thread. */
bool store_leads(const struct store *);

/* Another node may have changed something: `told` runs in the thread of that inbox, with bits of what. Some time after
 * each change, and now and then without any. Never with SQLite. Until store_unwatch_changes, as
 * store_unwatch_events. */
enum store_change {
	STORE_CHANGED_KEPT = 1,  /* small things (struct kept) */
	STORE_CHANGED_RULES = 2, /* a rule set is in force */
	STORE_CHANGED_QUEUE = 4, /* recipients wait that did not, or for another time */
	STORE_CHANGED_NODES = 8,
	STORE_FENCED_OUT = 16,   /* this node is fenced, for ever */
	STORE_CAME_BACK = 32,    /* the database was away (STORE_AWAY), and is there */
	STORE_WENT_AWAY = 64,
};
struct changes_watch {
	struct task task;             /* the store's */
	struct inbox *inbox;
	void (*told)(struct changes_watch *, unsigned changes);
	struct changes_watch *next;   /* the store's */
	_Atomic(unsigned) changes;    /* the store's */
};
void store_watch_changes(struct store *, struct changes_watch *);
void store_unwatch_changes(struct store *, struct changes_watch *);

/* Every shelf with waiting recipients and its earliest due time, while others put some there. */
void store_read_shelves(struct store_reader *, void (*each)(void *arg, unsigned shelf, int64_t due),
    void *arg);

/*
 * Shares of what all nodes together may do: a budget is so many of something in any window of `period` (0: at once, as
 * connections). A node may use what is reserved for it, and says each time what it is using. The sum of what is
 * reserved never exceeds the limit, but while that is made smaller; what a node that died had reserved stays so until
 * the end of its lease and a period. What is free goes to those who want it, evenly, and who gets nothing is next when
 * something becomes free (share_divide.h).
 *
 * A window may be kept in the database too: then what has left is told once (`spent`) and counts for a period from
 * then on, whatever becomes of the node.
 */
struct share {
	const char *name;             /* the budget's: "lane KEY rate", "ses PATH quota" */
	uint64_t limit;               /* as this node's configuration or account says; the smallest told counts */
	int64_t period;               /* ms */
	uint64_t spent;               /* has ended since the last answer, and counts by itself from now on */
	uint64_t held;                /* besides: counts in this node's window, or is on its way */
	uint64_t keep;                /* may be used until the answer comes: at least held, at most held and reserved */
	uint64_t want;                /* it would use so many, if it were alone; 0: none */
	bool rests;                   /* nothing of it is on its way, nor starts before the next answer */
	uint64_t reserved;            /* out: may be used from now on; fewer than are: nothing may start until enough of
					 them are over */
	uint64_t others;              /* out: wanted by other nodes */
	uint64_t used;                /* out: of the limit by all nodes, `spent` too */
	int64_t valid;                /* out: ms from when it was asked that the answer is good for */
	int64_t again;                /* out: ms until it is worth while to ask again */
};
struct store_share {
	struct store_request req;
	size_t n;
	struct share *shares;         /* names differ, and are in the order of their bytes */
};
/* With SQLite all of the limit is reserved, for ever. */
void store_share(struct store *, struct store_share *);

/* -- operators ---------------------------------------------------------------------------------------- */

struct queue_filter {          /* "" and 0 match anything; domain also matches sub-domains */
	int64_t message;
	int index;                 /* -1: any */
	const char *to, *domain, *sender, *path, *carrier;
	size_t limit;
	int64_t after_message;     /* listing: those after that recipient; 0: all */
	unsigned after_index;
};

/* How far an edit has come; the store's own. */
struct edit_progress {
	int64_t message, index;    /* the last one looked at */
	uint64_t changed;
	bool more;
};

/* Retry now (RCPT_WAITING recipients become due at once), delete (counted as removed, with an event) or hold: they
 * are due at a time that never comes until they are retried, and the time that they were held is added to their
 * expiry then. Those in memory are not touched here: the core handles them. Long queues are gone through
 * in slices, a transaction each, with other requests in between; when a later slice fails, `changed`
 * says how many had been changed by then. */
struct store_queue_edit {
	struct store_request req;
	struct queue_filter filter;
	bool delete;
	bool release;                 /* retry: they are FIT from now on */
	const char *hold;             /* to be held, and what recipient.held says; NULL: not */
	bool leave_held;              /* retry: not those that are held so */
	int64_t never;                /* hold: when they are due */
	int64_t now;
	int64_t remember;             /* delete: wall ms until which feedback may find those that may have
					 been sent, their reply being unread; 0: not at all */
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
	const struct event_row *event; /* goes into the log of events with it; seq is ignored. NULL: none */
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
	bool incomplete;              /* out, before `done`: the database was away, or broke; what was read is not
					 all that there is */
};
void store_query(struct store *, struct store_query *);

/*
 * Runs `told` in the thread of that inbox some time after each commit that wrote events, once for however many:
 * until it has run it is not posted again. Until store_unwatch, from the inbox's thread: `told` does not run after
 * that, but the struct is to be kept until its inbox is freed, for it may lie in there.
 */
struct store_watch {
	struct task task;             /* the store's */
	struct inbox *inbox;
	void (*told)(struct store_watch *);
	struct store_watch *next;     /* the store's */
	_Atomic(bool) posted;         /* the store's */
};
void store_watch_events(struct store *, struct store_watch *);
void store_unwatch_events(struct store *, struct store_watch *);

/*
 * Hands what the commits count, those of all nodes, to the thread of that inbox, some time after they are on disk: one call of `told`
 * for however many, with a row per key and minute. While the thread is busy they are added up, so what waits is
 * bounded by keys and minutes. Until store_unwatch_counters, as store_unwatch_events.
 */
struct counters_watch {
	struct task task;             /* the store's */
	struct inbox *inbox;
	void (*told)(struct counters_watch *);
	struct counters *pending;     /* the store's */
	int64_t after;                /* the store's: of what other nodes count, see watch.c */
	struct counters_watch *next;  /* the store's */
	bool posted;                  /* the store's */
};
void store_watch_counters(struct store *, struct counters_watch *);
void store_unwatch_counters(struct store *, struct counters_watch *);
/* In `told`: takes what has gathered; rows as of store_read_tallies, span a minute. */
void store_take_counters(struct store *, struct counters_watch *,
    void (*each)(void *arg, const struct tally_row *), void *arg);

/* Newest period first. Returns the number of rows. */
size_t store_read_tallies(struct store_reader *, const struct tally_filter *,
    void (*each)(void *arg, const struct tally_row *), void *arg);
/* All of a window added up by key: `into` is asked for each key that has any, now and then more than once, and says to
 * what it is added.
 * The filter's step is of no matter. Several times as fast. */
size_t store_sum_tallies(struct store_reader *, const struct tally_filter *,
    struct tally *(*into)(void *arg, const struct tally_key *), void *arg);
/* The same between store_open and the first request or query; blocks. */
size_t store_each_tally(struct store *, const struct tally_filter *,
    void (*each)(void *arg, const struct tally_row *), void *arg);

void store_read_counters(struct store_reader *,
    void (*each)(void *arg, const struct counter_row *), void *arg);
/* The same between store_open and the first request or query; blocks. */
void store_each_counter(struct store *, void (*each)(void *arg, const struct counter_row *),
    void *arg);

struct queue_row {
	const struct recipient *recipient; /* with its message, without body */
	enum recipient_state state;
};
/* Oldest message first. Returns the number of rows. */
size_t store_read_queue(struct store_reader *, const struct queue_filter *,
    void (*each)(void *arg, const struct queue_row *), void *arg);
uint64_t store_read_queue_size(struct store_reader *);
/* How many there are; limit and after are not looked at. */
uint64_t store_count_queue(struct store_reader *, const struct queue_filter *);

/* The queue backwards: newest message first, at most filter.limit of those before a recipient, and at most `rows`
 * looked at. message and after of the filter are not looked at. Returns how many. */
struct queue_search {
	struct queue_filter filter;
	int64_t before_message;       /* INT64_MAX: from the newest on. Out: where to go on */
	unsigned before_index;
	size_t rows;
	bool more;                    /* out: there may be more */
};
size_t store_search_queue(struct store_reader *, struct queue_search *,
    void (*each)(void *arg, const struct queue_row *), void *arg);

/* What is kept under a key of that kind, NULL: under all of them; not what has expired. Returns how
 * many. */
size_t store_read_kept(struct store_reader *, const char *kind, const char *key,
    void (*each)(void *arg, const struct kept *), void *arg);

struct event_row {
	int64_t seq, at, message;
	unsigned index;
	enum event_type type;
	const char *sender, *recipient, *path, *carrier, *group, *source, *rule;
	const char *ruleset;          /* "": not known, as of what is told later */
	int code;
	const char *enhanced, *stage, *reason, *text, *peer, *remote_id;
};
/* The newest seq, and the oldest; 0: there are none. So that who reads on from one misses none, PostgreSQL's events of
 * transactions that began after one that is not over are left out, here and by store_read_events. */
int64_t store_read_last_event(struct store_reader *);
int64_t store_read_first_event(struct store_reader *);
/* The seq before the first event at or after that wall time: where reading on begins. */
int64_t store_read_event_before(struct store_reader *, int64_t since);
/* Events of one message (0: all), after `after`, oldest first, at most limit. */
size_t store_read_events(struct store_reader *, int64_t message, int64_t after, size_t limit,
    void (*each)(void *arg, const struct event_row *), void *arg);

/* The log backwards, all that is there: events of that recipient and of that sender's domain, letters in any case. */
struct event_search {
	const char *recipient, *sender; /* NULL: any */
	int64_t since;                /* wall ms: as store_read_event_before; 0: all */
	int64_t before;               /* seq; INT64_MAX: from the newest on. Out: where to go on */
	size_t rows;                  /* that may be looked at. Out: what is left; `each` may take some away */
	bool more;                    /* out: there may be more */
};
/* Newest first, until `each` answers that it has enough, or rows are used up. */
void store_search_events(struct store_reader *, struct event_search *,
    bool (*each)(void *arg, const struct event_row *), void *arg);
/* Of one recipient, after that seq, newest first, at most limit. Returns how many. */
size_t store_read_recipient_events(struct store_reader *, int64_t message, unsigned index, int64_t after,
    size_t limit, void (*each)(void *arg, const struct event_row *), void *arg);
/* The recipients of a message that wait or of which the log tells, behind that index (-1), at most limit. */
size_t store_read_recipients(struct store_reader *, int64_t message, int after, size_t limit,
    void (*each)(void *arg, unsigned index), void *arg);

struct letter_row {
	int64_t seq, at;
	const char *source, *id, *why, *body; /* NUL behind the body */
	size_t len;
};
/* Oldest first, after `after`, at most limit. Returns how many. */
size_t store_read_letters(struct store_reader *, int64_t after, size_t limit,
    void (*each)(void *arg, const struct letter_row *), void *arg);

/* What is remembered of a recipient that was sent; index -1: of all of that message. Returns how many. */
struct sent_row {
	int64_t message, at;
	unsigned index;
	const char *address, *remote_id, *path, *carrier, *group, *sender, *source, *rule;
	bool sent, delivered, complained;
	const char *ended;            /* name of the counter it ended in; "" */
};
size_t store_read_sent(struct store_reader *, int64_t message, int index,
    void (*each)(void *arg, const struct sent_row *), void *arg);
uint64_t store_read_sent_size(struct store_reader *);

/*
 * Entries by scope and address, after (after_scope, after_address) ("" and ""), at most limit rows matched.
 * Returns how many. store_read_suppressed: what holds for that key on that path now, scope "" included.
 */
size_t store_read_suppressions(struct store_reader *, const struct suppression_filter *,
    const char *after_scope, const char *after_address, size_t limit,
    void (*each)(void *arg, const struct suppression *), void *arg);
size_t store_read_suppressed(struct store_reader *, const char *key, const char *path, int64_t now,
    void (*each)(void *arg, const struct suppression *), void *arg);

/* What was kept of a message for its events, as given at enqueue; false: nothing any more. `each` once. */
bool store_read_mail(struct store_reader *, int64_t message, void (*each)(void *arg, const char *json),
    void *arg);
/* The ids of the messages that are kept with that Message-ID (with < >), newest first. */
#define STORE_SAME_ID_MAX 10
size_t store_read_by_message_id(struct store_reader *, const char *message_id,
    int64_t ids[static STORE_SAME_ID_MAX]);

/* The recipient that has that id of SES's, as long as it is remembered; false: none. */
bool store_read_by_remote_id(struct store_reader *, const char *remote_id, int64_t *message,
    unsigned *index);

/* Of that scope, by address, after `after` (""), at most limit; states: bits 1u << enum suppression_state.
 * Returns how many. */
size_t store_read_suppression(struct store_reader *, const char *scope, const char *after,
    unsigned states, size_t limit, void (*each)(void *arg, const struct suppression *), void *arg);

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
/* The seq of the latest; 0: there is none. So many recipients before it is where the latest begin. */
int64_t store_read_traffic_end(struct store_reader *);

#endif
