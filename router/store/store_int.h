/*
 * store_int.h - what the store's own files share.
 *
 * store.c owns the threads' queues, commit.c decides what a transaction is and what follows from
 * its failure, an engine (sqlite*.c) carries it out. Nothing above the engine knows SQL, and the
 * engine knows no thread, no grouping and no policy.
 */
#ifndef ROUTER_STORE_STORE_INT_H
#define ROUTER_STORE_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "mta/base/str.h"
#include "router/store/store.h"

/* -- keyed.c: things found by a byte string ------------------------------------------------------ */

struct keyed { /* first member */
	uint32_t hash;
	size_t len;
	char *key;            /* behind the struct it is in */
};
struct keyed_table {
	struct keyed **slot;  /* open addressing, nslots a power of two; to be freed when it is cleared */
	size_t nslots, n;
};
uint32_t keyed_hash(const char *, size_t len);
struct keyed *keyed_find(const struct keyed_table *, const struct str *key);
/* A zeroed struct of that size, whose first member is a struct keyed; there is none with that key. */
void *keyed_add(struct keyed_table *, size_t size, const struct str *key);
/* `release` may be NULL. */
void keyed_clear(struct keyed_table *, void (*release)(struct keyed *));

/* The strings of a key, each with its NUL; and from such. */
void tally_key_add(struct str *to, const struct tally_key *);
void tally_key_read(struct tally_key *, const char *);
bool tally_key_is_whole(const char *, size_t len); /* such strings, and nothing else */
/* So many keys are kept apart by time: from then on the domains of no carrier's are one, then all
 * senders, then all rules. Takes the next step that holds for a new key; false: there is none. */
#define TALLY_KEYS_OF_GROUPS  2000u
#define TALLY_KEYS_OF_SENDERS 20000u
#define TALLY_KEYS_MAX        24000u
bool tally_key_fold(struct tally_key *, size_t nkeys);

/* -- counters.c: what is counted, by key and minute --------------------------------------------------- */

struct counters {
	struct keyed_table table;
	struct str key;       /* being looked up */
	struct keyed *last;   /* looked up */
	int64_t since;        /* wall ms: what was before is in no minute */
};
void counters_init(struct counters *);
void counters_clear(struct counters *); /* forgets all deltas, keeps the table */
void counters_release(struct counters *);
/* What is counted in the minute of `at` (wall ms), to be added to; until the next call. */
struct tally *counters_tally(struct counters *, const struct route *, const char *sender, int64_t at);
void counters_add(struct counters *, const struct route *, const char *sender, int64_t at,
    enum counter, int64_t n);
/* Keys as there may be of one more (tally_key_fold). */
void counters_merge(struct counters *to, const struct counters *from);
/* A record of it, appended; false: there is nothing in it. And what such records say, added. -1 with *e when it is
 * damaged: what stands before that place has been added. */
bool counters_pack(const struct counters *, struct str *out);
int counters_unpack(struct counters *to, const void *record, size_t len, struct err *e);
/* By how many more recipients are queued then. */
int64_t counters_queued(const struct counters *);
/* Adds to a row what there is of its key, of all time; counters_each then leaves it out. */
void counters_take(struct counters *, struct counter_row *);
/* Both stop at and return the first answer that is not STORE_OK: of all time, by key; by minute. */
enum store_status counters_each(const struct counters *,
    enum store_status (*each)(void *arg, const struct counter_row *), void *arg);
enum store_status counters_each_minute(const struct counters *,
    enum store_status (*each)(void *arg, const struct tally_row *), void *arg);

/* -- engine: one database ------------------------------------------------------------------------ */

/* What a transaction leaves to be done besides rows. Cleared when it begins. */
struct node;
struct txn {
	struct counters counters; /* written down just before commit */
	struct str dropped;       /* names of spool files without a message now, each with NUL */
};

struct engine { /* first member of an engine's own struct; likewise the reader */
	const struct engine_ops *ops;
	bool told; /* this transaction adds events */
	int64_t counted_since; /* wall ms: nothing before is counted by time */
	int64_t teller;        /* this node's epoch: its watches are told of what this transaction counts when it is
				  committed; 0: they hear of it as of what others count, see watch.c */
	bool low;  /* there is little space: what can be done without is not written */
	unsigned changes; /* bits of enum store_change that this transaction makes and other nodes are to hear of */
	int64_t epoch; /* of this node, without which no transaction may be; 0: it is the only one that there can be */
	struct store_request *running; /* that is carried out now; NULL: what is nobody's */

	/* More of the last failure, after the rollback. */
	struct store_request *culprit; /* whose it is, where that shows late; NULL: nobody's */
	bool again;    /* STORE_AWAY: the same may succeed at once */
	bool in_doubt; /* STORE_AWAY of a commit: it may have happened. It is not rolled back then, and nothing
			  else begun, before `resolve` has an answer */
};
struct store_reader {
	const struct engine_ops *ops;
};

/*
 * Every failure says what follows from it: STORE_FULL (may pass: space, a lock held by someone),
 * STORE_REJECTED (this request, alone, cannot be done), STORE_FAILED (nothing is certain any
 * more), STORE_AWAY (the database cannot be reached, or refuses for a time) or STORE_FENCED. After
 * any of them the transaction is rolled back whole. A request may be carried out again from the
 * start after that.
 */
struct engine_ops {
	struct engine *(*open)(const struct store_config *, struct err *);
	void (*close)(struct engine **);

	enum store_status (*begin)(struct engine *, struct err *);
	enum store_status (*commit)(struct engine *, struct err *);
	void (*rollback)(struct engine *);
	/* Just before the commit: what the transaction counts. */
	enum store_status (*add_counters)(struct engine *, const struct counters *, int64_t now,
	    struct err *);
	/* Between transactions: checkpoints and the like, when worth it or, for lack of space,
	 * at once. */
	enum store_status (*tidy)(struct engine *, bool at_once, struct err *);

	/* The reading side: a connection of its own, used by the opener and then by one other
	 * thread. */
	struct store_reader *(*reader_open)(const struct store_config *, struct err *);
	void (*reader_close)(struct store_reader **);
	void (*reader_begin)(struct store_reader *); /* from here to reader_end: one moment */
	void (*reader_end)(struct store_reader *);

	/* NULL of a database that is never away. After STORE_AWAY: STORE_OK when it is there again;
	 * waits for that for at most so many ms. */
	enum store_status (*come_back)(struct engine *, int64_t ms, struct err *);
	/* What became of the commit that is in doubt: STORE_OK, it happened; STORE_REJECTED, it did
	 * not, and is to be rolled back; STORE_AWAY, ask again later. */
	enum store_status (*resolve)(struct engine *, struct err *);
	/* NULL: no answer costs a trip. Adds what a side has asked since it was opened; any thread. */
	void (*asked)(struct engine *, struct store_reader *, struct store_asked *);
};
extern const struct engine_ops sqlite_engine, pg_engine;

/* -- queue of one thread -------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;     /* on the monotonic clock */
	struct task_list tasks;  /* guarded by lock, like the next one */
	bool closing;            /* no more will come: end when tasks is empty */
	bool started;
};
void worker_init(struct worker *);
int worker_start(struct worker *, void *(*run)(void *), void *arg, struct err *);
void worker_post(struct worker *, struct task *);
void worker_close(struct worker *); /* ends and joins */
/* Moves at most max tasks to the end of *list; waits for the first until mono ms `until`
 * (INT64_MAX: for ever). False when closing and there were none left. */
bool worker_take(struct worker *, struct task_list *list, size_t max, int64_t until);

/* -- spool.c: files of large bodies, and the ballast ------------------------------------------------ */

struct space {
	pthread_mutex_t lock;
	char *directory, *ballast;  /* path of the ballast file */
	uint64_t reserve;
	bool has_ballast;           /* guarded by lock, like the next two */
	bool low;                   /* fewer than reserve bytes were free at `checked` */
	int64_t checked;            /* mono ms */
};
void space_init(struct space *, const char *directory, uint64_t reserve);
void space_release(struct space *);
bool space_is_low(struct space *); /* asks the file system, but not more than ten times a second */
/* Whether that many bytes more would leave the reserve alone. */
bool space_has_room(struct space *, uint64_t bytes);
bool space_give_up_ballast(struct space *); /* false: it was gone already */
void space_restore_ballast(struct space *); /* if there is room for it by now */

/* -- pg_node.c, pg_listen.c: this node among others --------------------------------------------------------- */

/*
 * Joins those that have the same database, once its schema is right and the engine is open: from then on the engine
 * has its epoch, and a thread says every while that this node lives, and hears of what others do. One of the same
 * name that has died is buried first, in transactions of the engine's; for one that may have, it waits as long as
 * that may be. -1 with *e: it lives.
 */
int node_join(struct store *, const struct store_config *, struct store_recovery *, struct err *e);
/* The committer has ended. What is left is given back, and the row of this node goes. */
void node_leave(struct store *);
/* A transaction has been committed that made these changes, bits of enum store_change. Any thread. */
void node_changed(struct node *, unsigned changes);

/* What a node that has died held, in slices as store_queue_edit. `done` runs in the committer's thread: there is no
 * inbox. */
struct store_bury {
	struct store_request req;
	int64_t epoch;
	struct bury_progress {
		uint64_t returned, unread;
		bool more;
	} at, next;
};

/* -- the store ------------------------------------------------------------------------------------------ */

struct store {
	const struct engine_ops *ops;
	struct engine *engine;       /* opener's, then the committer's */
	struct store_reader *reader; /* opener's, then the reader's */
	char *directory, *spool_directory;
	int lock_fd;
	int64_t event_keep;
	struct space space;
	struct worker committer, spooler, reading;
	pthread_mutex_t watching;
	struct store_watch *watches; /* guarded by it, as the next one and what it points to */
	struct counters_watch *counting;
	int64_t loaded;              /* the opener's: see watch.c */
	struct changes_watch *changing;
	unsigned changed;            /* all that was told ever */
	_Atomic bool failed;         /* latched: see STORE_FAILED */
	_Atomic bool fenced;         /* latched: see STORE_FENCED */
	struct node *node;           /* this one among others; NULL with SQLite */

	/* The committer's own. */
	struct txn txn;
	struct task_list stuck;      /* settlements that wait for space, or for the database */
	struct task_list doubt;      /* the group whose commit may have happened */
	bool away;                   /* the database is, as the next two say */
	int64_t away_since;          /* mono ms */
	struct err away_why;
	int64_t retry_at;            /* mono ms, when stuck is not empty, or the database away */
	int64_t trim_at;             /* mono ms */
	int64_t hear_at;             /* mono ms: of what other nodes count */
};

/* The lock of a store's directory, the kernel's: a descriptor that holds it; -1 with *e. */
int store_lock(const char *directory, struct err *e);
/* Logs the first time; every request is answered STORE_FAILED from now on. */
void store_fail(struct store *, const char *doing, const struct err *);
/* Likewise STORE_FENCED. */
void store_fence(struct store *, const struct err *);
/* Hands each request of the list back to its owner. */
void store_answer(struct task_list *);
/* Answers those of that list that are of the given kinds (bits); the others stay in it. */
void store_refuse(struct task_list *, unsigned kinds, enum store_status, const struct err *why);
bool store_has_spooled_body(struct store_request *);
/* Removes files no message names. Nobody may be creating any. -1 with *e. */
int spool_sweep(struct store *, uint64_t *removed, struct err *e);
void *spool_main(void *store);
void spool_remove(struct store *, const struct str *names); /* at leisure, by the spooler */
void *commit_main(void *store);
#define STORE_GROUP_MAX 512 /* requests in one transaction */
/* Carries out and answers what can be committed, and keeps or refuses the rest: *list is empty then. */
void commit_group(struct store *, struct task_list *);
/* What became of the group that was in doubt. What did not happen may be done again. */
void commit_happened(struct store *, struct task_list *);
void commit_did_not_happen(struct store *, struct task_list *);

/* -- away.c: while the database is away ----------------------------------------------------------------- */

/* The nth try of that group (from 0) was STORE_AWAY. True: it is to be tried again. Else it has been taken care of, and
 * *list is empty. */
bool away_try_again(struct store *, struct task_list *, unsigned tries, struct err *why);
/* A transaction has been committed. */
void away_is_over(struct store *);
/* Instead of commit_group, of what comes while it is away, and from time to time (retry_at). */
void away_run(struct store *, struct task_list *);
/* Nothing comes any more. */
void away_close(struct store *);

void store_tell_watches(struct store *);
/* Before the commit, and after it: what the transaction has counted. */
enum store_status store_count(struct store *, struct err *e);
void store_tell_counters(struct store *);
/* In a transaction: what other nodes have counted, once in a while. */
enum store_status store_hear_counters(struct store *, struct err *e);
/* The opener reads, as of one moment. */
void store_begin_reading(struct store *);
void store_end_reading(struct store *);
/* Nothing is loaded any more (store_each_counter, store_each_tally). Also by the reader, before its first query. */
void store_end_loading(struct store *);
/* Bits of enum store_change, to all that watch. Any thread. */
void store_tell_changes(struct store *, unsigned);
/* One transaction of the opener's: a slice of what a node held that has died, or of what this one holds. */
enum store_status commit_bury(struct store *, struct store_bury *, struct err *);
enum store_status commit_leave(struct store *, struct bury_progress *, struct err *);
/* One transaction of the opener's: `what` and the counters it left. */
enum store_status commit_recovery(struct store *, struct store_recovery *, struct err *);

/* How far a store_unsuppress has come: as committed, and as in this transaction. */
struct unsuppress_progress {
	struct unsuppress_at {
		int64_t id;       /* of the last row looked at */
		uint64_t changed;
		bool more;
	} at, next;
};

static inline struct store_request *
request_of(struct task *t)
{
	return container_of(t, struct store_request, task);
}

#endif
