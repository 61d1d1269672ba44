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

/* Its settings in that configuration, or those it was made with when it has none of the name. */
const struct config_listener *listener_settings(const struct listener *, const struct config *);

#endif
