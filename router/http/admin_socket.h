/*
 * admin_socket.h - the Unix socket of the admin API.
 */
#ifndef ROUTER_HTTP_ADMIN_SOCKET_H
#define ROUTER_HTTP_ADMIN_SOCKET_H

#include "mta/base/err.h"

struct admin;
struct admin_socket;
struct event_base;

/* Mode 0660; a stale one of a dead daemon is replaced. NULL with *e set. */
struct admin_socket *admin_socket_new(struct event_base *, struct admin *, const char *path,
    struct err *e);
void admin_socket_free(struct admin_socket **); /* only the one it made is removed */

#endif
