/*
 * admin.h - the admin API under /v1/: on a Unix socket, for the command line, and behind the console.
 *
 * JSON in and out. Runs in the core thread; what reads much is read by the store's reading thread.
 * One bad client never ends the daemon: sizes, times and connections are bounded.
 */
#ifndef ROUTER_HTTP_ADMIN_H
#define ROUTER_HTTP_ADMIN_H

#include "mta/base/err.h"
#include "router/users.h"

struct admin;
struct core;
struct event_base;
struct evhttp_request;

/* Who asks through the console. */
struct admin_asker {
	const char *user;
	enum user_role role;
};

/* Binds the socket (mode 0660; a stale one of a dead daemon is replaced). NULL with *e set. */
struct admin *admin_new(struct event_base *, struct core *, const char *socket_path,
    struct err *e);
/* After the doors that ask it are gone. */
void admin_free(struct admin **);

/* Answers the request by its path, in the end; headers that it has already go out with the answer.
 * NULL: the kernel knows who asks, and everybody who gets that far is an administrator. */
void admin_ask(struct admin *, struct evhttp_request *, const struct admin_asker *);

#endif
