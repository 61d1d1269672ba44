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
#include "router/lane.h"
#include "router/pause.h"
#include "router/queue.h"
#include "router/settle.h"
#include "router/sources.h"
#include "router/store/store.h"

struct config_path;

struct core {
	struct event_base *base;
	struct inbox *inbox;
	struct store *store;
	struct queue *queue;
	struct lanes *lanes;
	struct settler *settler;
	struct pauses *pauses;
	struct sources *sources;
	struct gate *gate;
	struct tls_keep *tls;
	struct io **ios;
	unsigned nios, next_io;
	struct id_maker ids;          /* for DSNs; maker 0 */

	pthread_mutex_t config_lock;  /* intake threads read the pointer */
	struct config *config;

	struct event *tick;           /* 10 times a second */
	struct event *work;           /* activated by core_wake: one round of queue and lanes */
	unsigned intakes;             /* I/O threads that still have inbound sessions, while stopping */
	unsigned edits;               /* requests of core_edit.c and keep.c to the store under way */
	enum { LOOK_NONE, LOOK_UNDER_WAY, LOOK_AGAIN } look_at_held;
	bool held_from_fallback;      /* since then, one that preflight holds found its fallback closed */
	int64_t stop_by;              /* mono ms; 0: not stopping */
	void (*stopped)(void *arg);
	void *stopped_arg;
	bool store_failed;
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

/* core_edit.c: the rules of the configuration are in force because `who` did it: into the store's
 * history, and what is odd about them into the log. */
void core_record_rules(struct core *, const char *who);
/* The rules may have changed: what they held is due, to be decided on anew. */
void core_look_at_held(struct core *);

/* Something has changed: a round of work at the end of this turn of the loop. */
void core_wake(struct core *);
bool core_is_stopping(const struct core *);
/* The thread for the next outgoing session. */
struct io *core_next_io(struct core *);

#endif
