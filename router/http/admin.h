/*
 * admin.h - the admin API under /v1/ on a Unix socket, for the command line.
 *
 * JSON in and out. Runs in the core thread; what reads much is read by the store's reading thread.
 * One bad client never ends the daemon: sizes, times and connections are bounded.
 */
#ifndef ROUTER_HTTP_ADMIN_H
#define ROUTER_HTTP_ADMIN_H

#include "mta/base/err.h"

struct admin;
struct core;
struct event_base;

/* Binds the socket (mode 0660; a stale one of a dead daemon is replaced). NULL with *e set. */
struct admin *admin_new(struct event_base *, struct core *, const char *socket_path,
    struct err *e);
void admin_free(struct admin **);

#endif
