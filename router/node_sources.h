/*
 * node_sources.h - which of the configured sources this machine has.
 *
 * Nodes share a settings file, but an address is one machine's: an Elastic IP is bound to an instance. With SQLite every
 * source is ours. With a database those that `node-sources` names are, else those whose address this machine can bind
 * now, so that an address that moves to another machine moves mail with it; a source without an address is everybody's.
 * One thread.
 */
#ifndef ROUTER_NODE_SOURCES_H
#define ROUTER_NODE_SOURCES_H

#include <stdbool.h>

struct config;
struct node_sources;

/* Has looked once. */
struct node_sources *node_sources_new(const struct config *);
void node_sources_free(struct node_sources **);
/* Looks again, with the configuration that is in force now: at each reload, and each minute. True: there are others
 * than before. */
bool node_sources_look(struct node_sources *, const struct config *);
/* False also of a source that no configuration names. */
bool node_sources_have(const struct node_sources *, const char *source);
/* "tokyo1,tokyo2", in the order of the file: what store_say tells. */
const char *node_sources_text(const struct node_sources *);

#endif
