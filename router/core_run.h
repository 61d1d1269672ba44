/*
 * core_run.h - the core's life, for the program that runs it (cli/serve.c).
 */
#ifndef ROUTER_CORE_RUN_H
#define ROUTER_CORE_RUN_H

#include "router/core.h"

struct amazon;
struct hooks;

/* Makes the loop; nothing moves yet. */
struct core *core_new(struct store *, struct config *);
struct event_base *core_base(struct core *);
/* The I/O threads and the Amazon thread are set up: takes up what the store has. Borrows them all. */
void core_start(struct core *, struct io **, unsigned nios, struct amazon *);
/* Who tells the application; borrowed, NULL again before it ends. */
void core_set_hooks(struct core *, struct hooks *);
/* No more mail in, what is in hand is finished, the rest goes back to the store; `stopped` is called
 * when that is done or the time for it is over. */
void core_stop(struct core *, void (*stopped)(void *arg), void *arg);
/* After `stopped`, and with the I/O threads and the store ended. */
void core_free(struct core **);

#endif
