/*
 * core_nodes.h - the core when there are other nodes that have the same store (store.h, "many nodes").
 *
 * What they change there is noticed and taken over: recipients that wait, what is kept (pauses, the guard's states,
 * words on warm-ups), the rules (rules_follow.h). Who they are and what sources they have is known here, so that what
 * this node has no source for goes to one that has. With SQLite nobody else is there, and every source is ours.
 */
#ifndef ROUTER_CORE_NODES_H
#define ROUTER_CORE_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct core;
struct nodes;
struct route;

struct nodes *nodes_new(struct core *);
/* Before the store's first request. */
void nodes_start(struct nodes *);
void nodes_stop(struct nodes *);
void nodes_free(struct nodes **);
/* core->config has changed. */
void nodes_configure(struct nodes *);

/* NULL (in tests of single parts) is a node that has all sources, and is alone. */

/* Any thread: this node has a source that the route may leave from, as the configuration stands. */
bool nodes_can_send(struct nodes *, const struct config *, const struct route *);
/* In the core thread, as all below: this node has that source; ("": everybody has) */
bool nodes_have_here(const struct nodes *, const char *source);
/* or another one that lives. */
bool nodes_have_elsewhere(const struct nodes *, const char *source);
/* How many live, this one included; and which one of them this is, from 0. */
unsigned nodes_count(const struct nodes *);
unsigned nodes_rank(const struct nodes *);
/* What is to be done once for all of them is done here. */
bool nodes_leads(const struct nodes *);

/* "a,b": this node's; "". */
const char *nodes_sources(const struct nodes *);

/* What is not in order here, as `oiwake nodes` says it; "". Of several the one that was said last. */
enum node_trouble { NODE_TROUBLE_RULES, NODE_TROUBLE_SOURCES, NODE_TROUBLES };
void nodes_trouble(struct nodes *, enum node_trouble, const char *text);
/* NULL: nothing is. Valid until the next change. */
const char *nodes_why(const struct nodes *);

/* By name; valid during the call. */
struct other_node {
	const char *name, *ruleset, *sources;
	bool draining, here;
};
void nodes_each(const struct nodes *, void (*each)(void *arg, const struct other_node *), void *arg);

#endif
