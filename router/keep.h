/*
 * keep.h - small things of the core's that must outlive a restart, put into the store one at a time.
 *
 * Core thread only. Requests of one caller are carried out in the order given, and before anything
 * that is asked of the store later: what was put before a delivery left the core is on disk, or has
 * been refused, before that delivery's final dot.
 */
#ifndef ROUTER_KEEP_H
#define ROUTER_KEEP_H

#include <stdint.h>

struct core;

/* Copies all. value NULL: forget it. `done` (NULL: nobody) is called when the store has answered,
 * with NULL or the reason why it is not kept. */
void keep_put(struct core *, const char *kind, const char *key, const char *value, int64_t expires,
    void (*done)(void *arg, const char *why), void *arg);

#endif
