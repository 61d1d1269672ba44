/*
 * core.h - the core thread: the one owner of queue, lanes, routing and settlement.
 *
 * It takes no lock. I/O threads and the store hand it tasks through its inbox; it answers the same
 * way. Everything here is called in the core thread unless it says otherwise.
 */
#ifndef ROUTER_CORE_H
#define ROUTER_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/base/inbox.h"
#include "mta/base/str.h"
#include "router/message.h"
#include "router/store/store.h"

struct core;
struct config;
struct event_base;
struct gate;
struct guard;
struct io;

/*
 * A message that the store has just taken on, recipients and all, handed over by the thread that
 * received it. Any thread posts it with core_accepted. With `leased` the recipients come into
 * memory, else only their shelves and due times are noted.
 */
struct core_accepted {
	struct task task;
	struct core *core;
	struct message *message;            /* a reference handed over */
	struct recipient_list recipients;   /* handed over */
	bool leased;
};
void core_accepted(struct core *, struct core_accepted *);

/* The configuration that new work runs under. A reference for the caller; any thread. */
struct config *core_config(struct core *);

/* Loads the settings file again. 0: in force from now on, queued mail included. -1: the running
 * one stays, *report says why. What needs a restart (listeners, threads, state directory) is named
 * in *report and keeps its old value. The store's history of rule sets says that `who` did it:
 * "root by reload", "SIGHUP". When 0: `kept` (NULL: nobody) is called once that history has it, or has
 * refused it, which the log tells. */
int core_reload(struct core *, const char *who, void (*kept)(void *arg), void *arg,
    struct str *report);

/* An operator's retry-now or delete, in memory and in the store; `done` gets the number of
 * recipients changed, or -1 and a sentence when the store refused. */
void core_queue_edit(struct core *, const struct queue_filter *, bool delete,
    void (*done)(void *arg, int64_t changed, const char *why), void *arg);

/* An operator holds them, as `held` says in the admin API's words: they wait until he retries them, and do not
 * expire meanwhile. Not those that a session has in hand. */
void core_queue_hold(struct core *, const struct queue_filter *, const char *held,
    void (*done)(void *arg, int64_t changed, const char *why), void *arg);

struct queue;
struct queue *core_queue(struct core *); /* any thread, for queue_has_room */
struct store *core_store(struct core *);
struct inbox *core_inbox(struct core *);

struct nodes;
struct nodes *core_nodes(struct core *);
/* Any thread: for ids that no other thread and no other node makes, however many threads share it. */
struct id_maker *core_ids(struct core *, unsigned thread);

struct pauses *core_pauses(struct core *);
struct sources *core_sources(struct core *);
struct tls_keep *core_tls(struct core *); /* any thread */
struct core_node *core_this_node(struct core *);
struct amazon *core_amazon(struct core *); /* any thread */
struct quotas *core_quotas(struct core *);
struct gate *core_gate(struct core *);
struct guard *core_guard(struct core *);
struct hooks *core_hooks(struct core *); /* NULL: none */

/* Live state for `oiwake queue` and the admin API: one call per lane, then per path. */
struct lane_row {
	const char *path, *source, *group, *state; /* state is a sentence: "open", "waiting: ..." */
	const char *carrier;                       /* "": none */
	unsigned waiting, sending, connections;
	unsigned max_connections;                  /* that the peer bears, at most the shape's */
	double rate;                               /* share of the shape's rate that it bears: 0..1 */
	int64_t blocked_until;                     /* wall ms; 0 when open */
};
/* Why a path lets nothing out; NULL: it is open. */
const char *core_path_closed(struct core *, const char *path);
void core_each_lane(struct core *, void (*each)(void *arg, const struct lane_row *), void *arg);

struct core_totals {
	uint64_t in_memory, sending, connections;
	uint64_t pattern_limits; /* patterns of rules given up at a limit, since the start */
	unsigned intakes; /* while stopping: threads that still have inbound sessions */
	bool stopping, store_failed;
	int64_t store_away;       /* wall ms since when the database is away; 0: it is there */
	const char *store_why;    /* and why */
};
void core_totals(struct core *, struct core_totals *);

#endif
