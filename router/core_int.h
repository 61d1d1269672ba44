/*
 * core_int.h - the core's inside, for the files that are the core: core, queue, lane, settle.
 */
#ifndef ROUTER_CORE_INT_H
#define ROUTER_CORE_INT_H

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>

#include "router/core.h"
#include "router/gate.h"
#include "router/guard.h"
#include "router/lane.h"
#include "router/mail_scope.h"
#include "router/node.h"
#include "router/pause.h"
#include "router/queue.h"
#include "router/ses/quota.h"
#include "router/settle.h"
#include "router/share.h"
#include "router/sources.h"
#include "router/store/store.h"

struct config_path;
struct edit;

struct core {
	struct event_base *base;
	struct inbox *inbox;
	struct store *store;
	struct queue *queue;
	struct lanes *lanes;
	struct settler *settler;
	struct pauses *pauses;
	struct sources *sources;
	struct shares *shares;        /* NULL: there are no other nodes */
	struct quotas *quotas;
	struct amazon *amazon;        /* NULL before core_start */
	struct hooks *hooks;          /* borrowed; NULL: none */
	struct gate *gate;
	struct guard *guard;          /* NULL: none, in tests of single parts */
	struct tls_keep *tls;
	struct core_node *node;       /* NULL: none, in tests of single parts */
	struct nodes *nodes;          /* NULL: none, in tests of single parts */
	struct rules_follow *follow;  /* likewise */
	struct io **ios;
	unsigned nios, next_io;
	struct id_maker makers[MESSAGE_ID_MAKERS]; /* any thread; those of the core itself, for DSNs, are [0]'s */

	pthread_mutex_t config_lock;  /* intake threads read the pointer */
	struct config *config;

	int64_t began;                /* mono ms: core_start */
	struct event *tick;           /* 10 times a second */
	struct event *work;           /* activated by core_wake: one round of queue and lanes */
	unsigned intakes;             /* I/O threads that still have inbound sessions, while stopping */
	struct core_calls *calls;     /* core_edit_nodes.c; NULL: none yet */
	LIST_HEAD(, edit) holds;      /* core_edit.c: being put to the store */
	unsigned edits;               /* requests of core_edit.c and keep.c to the store under way */
	LIST_HEAD(, keeping) keeping; /* keep.c: being put there */
	LIST_HEAD(, keeping) kept;    /* and there since the first of keep_readings was asked for */
	LIST_HEAD(, keeping) keep_later; /* once the database is back; the latest first */
	unsigned keep_readings;
	enum { LOOK_NONE, LOOK_UNDER_WAY, LOOK_AGAIN } look_at_held;
	bool held_from_fallback;      /* since then, one that preflight holds found its fallback closed */
	int64_t stop_by;              /* mono ms; 0: not stopping */
	void (*stopped)(void *arg);
	void *stopped_arg;
	bool store_failed;
	int64_t store_away;           /* wall ms since when; 0: it is there */
	struct err store_why;         /* it is away */
};

/* core_take.c: a recipient has come into memory: route it, give it to its lane. */
void core_take(struct core *, struct recipient *);
/* Its rule has a fallback path that is able to carry it, and open or to be tried. */
bool core_may_fall_back(const struct core *, const struct recipient *);
/* core_form.c: its carrier would refuse the form of its message, and so it is bounced or held, as its
 * shape says: true. Then it was taken over. */
bool core_settles_unfit(struct core *, struct recipient *, const struct config_path *);
/* A path was closed or opened: what waits for it or could wait there instead is taken again. */
void core_paths_changed(struct core *);
/* Preflight lets others go than before (gate.h): what is held for it is looked at again, and, when
 * some were `closed`, what waits for them in lanes is taken again. */
void core_gates_changed(struct core *, bool closed);

/* A pause or a drain has begun or ended, or a source has no more allowance: lanes look again whether
 * they may send, and who waits for a source that it should leave is taken again. */
void core_pauses_changed(struct core *);
/* A pause of mail has ended: what it held is due. */
void core_mail_resumed(struct core *, const struct mail_scope *);
/* What a recipient is in words of scopes, by that route. */
struct mail_scope core_mail_of(const struct recipient *, const struct route *);

/* core_edit.c: the rules of the configuration are in force because `who` did it: into the store's
 * history, and what is odd about them into the log. */
void core_record_rules(struct core *, const char *who);
/* As core_reload, of rules that the history has as the newest. */
int core_reload_stored(struct core *, const char *who, struct str *report);
/* The rules may have changed: what they held is due, to be decided on anew. */
void core_look_at_held(struct core *);
/* Up to so many (0: all) that are held and may be of that mail are due. `done` may be NULL. */
void core_let_go(struct core *, const struct mail_scope *, size_t limit,
    void (*done)(void *arg, int64_t changed), void *arg);

/* core_edit_nodes.c: `then` is called when other nodes have given back what they have of it in memory, or not for a
 * while; at once where there are none. */
void core_call_back(struct core *, const struct queue_filter *, void (*then)(void *arg), void *arg);
/* core_nodes.c: all that is kept of that. */
struct kept;
void core_called_back(struct core *, const struct kept *, size_t n);
void core_calls_free(struct core *);
/* core_edit.c */
bool core_is_wanted(const struct queue_filter *, const struct recipient *);

/* One that comes into memory while it is being held: true, and it was taken over. */
bool core_holds(struct core *, struct recipient *);

/* core_away.c: the database is away, or there again; an answer of the store may say so. Nothing is begun while it is
 * away: who would be leased or sent could not be marked as such. */
void core_store_answered(struct core *, const struct store_request *);
void core_store_went(struct core *, const char *why);
void core_store_came(struct core *);

/* Something has changed: a round of work at the end of this turn of the loop. */
void core_wake(struct core *);
bool core_is_stopping(const struct core *);
/* The thread for the next outgoing session. */
struct io *core_next_io(struct core *);

#endif
