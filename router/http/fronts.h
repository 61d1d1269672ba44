/*
 * fronts.h - the web listeners of the core thread: the console, and what monitoring asks.
 *
 * Those that SNS posts to are in the Amazon thread (router/ses/).
 */
#ifndef ROUTER_HTTP_FRONTS_H
#define ROUTER_HTTP_FRONTS_H

#include "mta/base/err.h"

struct admin;
struct config;
struct core;
struct fronts;
struct metrics;

/* Binds and serves all of them, in the core's event base. NULL with *e set. Borrows all but the settings. */
struct fronts *fronts_new(struct core *, struct admin *, struct metrics *, struct config *, struct err *e);
/* Waits for nobody: open streams are closed. Before the admin API and the core are freed. */
void fronts_free(struct fronts **);

#endif
