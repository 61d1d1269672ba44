/*
 * console.h - the console: pages for people, and the admin API for those pages, on web listeners.
 *
 * The pages are files that are compiled in; all they know they ask for under /v1/, which is the admin API as the
 * command line has it (admin.h), for who has signed in and within their role. Runs in the core thread; passwords are
 * checked in a thread of its own.
 */
#ifndef ROUTER_HTTP_CONSOLE_H
#define ROUTER_HTTP_CONSOLE_H

struct admin;
struct config_web;
struct console;
struct core;
struct web;

/* On one listener, whose settings say console = yes. Borrows all; what the listener is asked for and nobody else
 * answers, the console does. */
struct console *console_new(struct web *, const struct config_web *, struct core *, struct admin *);
/* After its listener is gone, so that no request is left. */
void console_free(struct console **);

#endif
