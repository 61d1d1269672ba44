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

/* -- counters.c: deltas of one transaction, one row per key ------------------------------------ */

struct delta;
struct counters {
	struct delta **slot; /* open addressing, nslots a power of two */
	size_t nslots, n;
	struct str key;      /* being looked up */
};
void counters_clear(struct counters *); /* forgets all deltas, keeps the table */
void counters_release(struct counters *);
void counters_add(struct counters *, const struct route *, const char *sender, enum counter,
    int64_t n);
/* Stops at and returns the first answer that is not STORE_OK. */
enum store_status counters_each(const struct counters *,
    enum store_status (*each)(void *arg, const struct counter_row *), void *arg);

/* -- engine: one database ------------------------------------------------------------------------ */

/* What a transaction leaves to be done besides rows. Cleared when it begins. */
struct txn {
	struct counters counters; /* added to the stored ones just before commit */
	struct str dropped;       /* names of spool files without a message now, each with NUL */
};

struct engine { /* first member of an engine's own struct; likewise the reader */
	const struct engine_ops *ops;
};
struct store_reader {
	const struct engine_ops *ops;
};

/*
 * Every failure says what follows from it: STORE_FULL (may pass: space, a lock held by someone),
 * STORE_REJECTED (this request, alone, cannot be done) or STORE_FAILED (nothing is certain any
 * more). After any of them the transaction is rolled back whole. A request may be carried out
 * again from the start after that.
 */
struct engine_ops {
	struct engine *(*open)(const struct store_config *, struct err *);
	void (*close)(struct engine **);

	enum store_status (*begin)(struct engine *, struct err *);
	enum store_status (*commit)(struct engine *, struct err *);
	void (*rollback)(struct engine *);
	/* Between transactions: checkpoints and the like, when worth it or, for lack of space,
	 * at once. */
	enum store_status (*tidy)(struct engine *, bool at_once, struct err *);

	/* Inside a transaction. Errors go to req.err. */
	enum store_status (*execute[STORE_KEEP + 1])(struct engine *, struct store_request *,
	    struct txn *);
	enum store_status (*add_counters)(struct engine *, const struct counter_row *,
	    struct err *);
	/* Oldest first, at most max, never the newest of all: it keeps the sequence. */
	enum store_status (*trim_events)(struct engine *, int64_t before, size_t max,
	    size_t *trimmed, struct err *);
	/* A slice of the traffic beyond what is to be kept, as enqueues do in passing; *more
	 * tells whether some is left. */
	enum store_status (*trim_traffic)(struct engine *, bool *more, struct err *);
	/* What was to be kept no longer than `now`, at most max. */
	enum store_status (*trim_kept)(struct engine *, int64_t now, size_t max, size_t *trimmed,
	    struct err *);
	/* Takes back what the last process had in memory; logs each unread one. */
	enum store_status (*recover)(struct engine *, int64_t now, struct store_recovery *,
	    struct txn *, struct err *);

	/* Outside one. 1: a message names this spool file, 0: none does, -1: error. */
	int (*knows_spool)(struct engine *, const char *name, struct err *);

	/* The reading side: a connection of its own, used by the opener and then by one other
	 * thread. */
	struct store_reader *(*reader_open)(const char *directory, struct err *);
	void (*reader_close)(struct store_reader **);
	void (*reader_begin)(struct store_reader *); /* from here to reader_end: one moment */
	void (*reader_end)(struct store_reader *);
	void (*each_shelf)(struct store_reader *, void (*each)(void *, unsigned, int64_t), void *);
	void (*read_counters)(struct store_reader *,
	    void (*each)(void *, const struct counter_row *), void *);
	size_t (*read_queue)(struct store_reader *, const struct queue_filter *,
	    void (*each)(void *, const struct queue_row *), void *);
	uint64_t (*read_queue_size)(struct store_reader *);
	size_t (*read_events)(struct store_reader *, int64_t message, int64_t after, size_t limit,
	    void (*each)(void *, const struct event_row *), void *);
	size_t (*read_rulesets)(struct store_reader *, int64_t number, size_t limit,
	    void (*each)(void *, const struct ruleset_row *), void *);
	size_t (*read_ruleset_files)(struct store_reader *, int64_t number,
	    void (*each)(void *, const struct rules_file *), void *);
	/* key NULL: all of the kind. Without what expires at `now` or before. */
	size_t (*read_kept)(struct store_reader *, const char *kind, const char *key, int64_t now,
	    void (*each)(void *, const struct kept *), void *);
	size_t (*read_traffic)(struct store_reader *, int64_t since, int64_t after, size_t limit,
	    void (*each)(void *, const struct traffic_row *), void *);
};
extern const struct engine_ops sqlite_engine;

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
	_Atomic bool failed;         /* latched: see STORE_FAILED */

	/* The committer's own. */
	struct txn txn;
	struct task_list stuck;      /* settlements that wait for space */
	int64_t retry_at;            /* mono ms, when stuck is not empty */
	int64_t trim_at;             /* mono ms */
};

/* Logs the first time; every request is answered STORE_FAILED from now on. */
void store_fail(struct store *, const char *doing, const struct err *);
/* Hands each request of the list back to its owner. */
void store_answer(struct task_list *);
bool store_has_spooled_body(struct store_request *);
/* Removes files no message names. Nobody may be creating any. -1 with *e. */
int spool_sweep(struct store *, uint64_t *removed, struct err *e);
void *spool_main(void *store);
void spool_remove(struct store *, const struct str *names); /* at leisure, by the spooler */
void *commit_main(void *store);
/* One transaction of the opener's: `what` and the counters it left. */
enum store_status commit_recovery(struct store *, struct store_recovery *, struct err *);

static inline struct store_request *
request_of(struct task *t)
{
	return container_of(t, struct store_request, task);
}

#endif
