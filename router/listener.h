/*
 * listener.h - where mail comes in: a bound port, shared by all I/O threads.
 *
 * Each thread accepts on a socket of its own (SO_REUSEPORT); what they share is how many
 * connections there are, in all and per client.
 */
#ifndef ROUTER_LISTENER_H
#define ROUTER_LISTENER_H

#include <stdbool.h>

#include "mta/base/err.h"
#include "router/config.h"

struct listener;
struct io;

/* Checks that the port is free and binds one socket per thread. NULL with *e set: in use, no
 * permission. The settings must outlive it; sessions take their limits from the running ones. */
struct listener *listener_new(const struct config_listener *, unsigned threads, struct err *e);
void listener_free(struct listener **);

/* In the I/O thread: start and stop accepting. */
void listener_start(struct listener *, struct io *);
void listener_stop(struct listener *, struct io *);

/* Counts a connection; false: too many in all or from this client. Any thread. */
bool listener_enter(struct listener *, const struct config_listener *limits,
    const struct sockaddr *client);
void listener_leave(struct listener *, const struct sockaddr *client);

/* One more message of that client, so many a second being allowed (0: any): false when it is too many. Any
 * thread. */
bool listener_takes(struct listener *, const struct sockaddr *client, double rate);

/* What came of a message at the end of its data. */
enum listener_answer {
	LISTENER_TOOK,
	LISTENER_REFUSED, /* by the rules, for its form, its recipients or its size */
	LISTENER_FULL,    /* no space */
	LISTENER_FAILED,  /* the store is out of order */
};
#define LISTENER_ANSWERS 4
void listener_answered(struct listener *, enum listener_answer); /* any thread */

struct listener_counts {
	unsigned connections;          /* open */
	uint64_t entered, turned_away; /* connections, since the start */
	uint64_t messages[LISTENER_ANSWERS];
};
void listener_counts(struct listener *, struct listener_counts *); /* any thread */
const char *listener_name(const struct listener *);

/* Its settings in that configuration, or those it was made with when it has none of the name. */
const struct config_listener *listener_settings(const struct listener *, const struct config *);

#endif
