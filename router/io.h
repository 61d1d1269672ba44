/*
 * io.h - one I/O thread: its loop, its listeners, its sessions in and out, its resolver.
 *
 * There is one per processor. It owns sockets, TLS, signatures and DNS and shares none of them; it
 * is asked for things through its inbox. Whatever must be known to all (connections per client)
 * is in listener.h.
 */
#ifndef ROUTER_IO_H
#define ROUTER_IO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "mta/base/err.h"
#include "mta/base/inbox.h"
#include "router/message.h"

struct config;
struct core;
struct event_base;
struct https;
struct intake;
struct listener;
struct resolver;
struct store;
struct sts_client;
struct tls_results;
struct users;

LIST_HEAD(intake_list, intake);

struct io {
	unsigned number;
	struct event_base *base;
	struct inbox *inbox;
	struct core *core;
	struct store *store;
	struct users *users;        /* NULL when no listener wants AUTH */
	struct listener **listeners;/* shared by all threads */
	size_t nlisteners;
	pthread_t thread;
	bool running;
	struct io_stop *stop;       /* asked for and not answered yet */
	struct resolver *resolver;
	struct sts_client *sts;
	struct https *https;        /* calls of the api transport */
	struct tls_results *tls_results; /* all threads' */
	struct config *config;      /* what new sessions run under; this thread's reference */
	struct id_maker *ids;
	struct intake_list intakes; /* open inbound sessions */
};

/* What all I/O threads share. */
struct io_shared {
	struct core *core;
	struct store *store;
	struct users *users;
	struct config *config;
	struct listener **listeners; /* outlive the threads */
	size_t nlisteners;
};

/* Sets up the loop and the resolver; the thread does not run yet. NULL with *e set. */
struct io *io_new(unsigned number, const struct io_shared *, struct err *e);
/* Runs the thread; it accepts connections from now on. */
int io_start(struct io *, struct err *e);
/* Any thread: new sessions run under this configuration from now on. */
void io_set_config(struct io *, struct config *);
/* Any thread: take no more connections, let inbound sessions finish. `idle` is posted to the
 * core's inbox when none is left. */
struct io_stop {
	struct task task;
	struct io *io;
	void (*idle)(struct task *);
};
void io_stop_intake(struct io *, struct io_stop *);
/* Any thread: inbound sessions end as soon as they have no message in hand; new ones may come. */
void io_shut_intakes(struct io *);
/* Called by intake when one of its sessions has gone. */
void io_intake_gone(struct io *);
/* Ends the loop, joins the thread, frees. */
void io_free(struct io **);

#endif
