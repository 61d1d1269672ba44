/*
 * node.h - this process as one of the nodes that share a store, from the core's side.
 *
 * It says every second how it is, empties itself when an operator drains it, and starts anew when the others have given
 * it up. A node that is alone in its store (SQLite) can be drained as well. Core thread only, but for what says so.
 */
#ifndef ROUTER_NODE_H
#define ROUTER_NODE_H

#include <stdbool.h>

#include "router/store/store.h"

struct core;
struct core_node;

struct core_node *core_node_new(struct core *);
void core_node_free(struct core_node **);
void core_node_start(struct core_node *);
/* The process stops: says so, and hears of nothing more. */
void core_node_stop(struct core_node *);

/* The start has failed, with the reason on standard error: of a process that was fenced another is tried a little later,
 * and this does not return. Otherwise it does. Only where nothing else runs any more. */
void node_try_again(void);

/* Takes no more mail, leases nothing, and gives back what waits. Any thread. */
bool core_is_draining(const struct core *);
const char *core_node_name(const struct core_node *);
/* How it is, as store_read_nodes has it; of a node that is alone in its store. */
struct node_row core_node_row(const struct core_node *);

/* Drains the node of that name, or ends that. `done` gets NULL, or why not; *known: there is one of that name. */
void core_node_drain(struct core_node *, const char *name, bool undo,
    void (*done)(void *arg, const char *why, bool known), void *arg);

#endif
