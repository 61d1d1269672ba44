/*
 * core_int.h - the core's inside, for the files that are the core: core, queue, lane, settle.
 */
#ifndef ROUTER_CORE_INT_H
#define ROUTER_CORE_INT_H

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>

#include "router/core.h"
#include "router/lane.h"
#include "router/queue.h"
#include "router/settle.h"
#include "router/store/store.h"

struct core {
	struct event_base *base;
	struct inbox *inbox;
	struct store *store;
	struct queue *queue;
	struct lanes *lanes;
	struct settler *settler;
	struct io **ios;
	unsigned nios, next_io;
	struct id_maker ids;          /* for DSNs; maker 0 */

	pthread_mutex_t config_lock;  /* intake threads read the pointer */
	struct config *config;

	struct event *tick;           /* 10 times a second */
	struct event *work;           /* activated by core_wake: one round of queue and lanes */
	unsigned intakes;             /* I/O threads that still have inbound sessions, while stopping */
	unsigned edits;               /* operators' requests under way */
	int64_t stop_by;              /* mono ms; 0: not stopping */
	void (*stopped)(void *arg);
	void *stopped_arg;
	bool store_failed;
};

/* A recipient has come into memory (it is held): route it, give it to its lane. */
void core_take(struct core *, struct recipient *);
/* Something has changed: a round of work at the end of this turn of the loop. */
void core_wake(struct core *);
bool core_is_stopping(const struct core *);
/* The thread for the next outgoing session. */
struct io *core_next_io(struct core *);

#endif
