/*
 * rules_follow.h - rules that another node has put in force are put in force here.
 *
 * Where nodes have one store, its newest rule set (store_read_rulesets) is for all of them. A node that runs another
 * one writes the files of the newest over its own and reloads, so that what is on disk is what a restart would run;
 * unless they have been edited here and not been reloaded: then it keeps what it runs, and says so (nodes_trouble).
 * Whoever reloads on any node decides for all, and of two the later one. Core thread only.
 *
 * At a start what is on disk is a rule set of the past, which gives way to the newest; or one that nobody has put in
 * force yet, which does not: it is put in force for all when no other node is there, or all the others run it already.
 */
#ifndef ROUTER_RULES_FOLLOW_H
#define ROUTER_RULES_FOLLOW_H

#include <stdbool.h>

struct core;
struct rules_follow;

struct rules_follow *rules_follow_new(struct core *);
void rules_follow_free(struct rules_follow **);
/* The rules of core->config run. NULL (in tests of single parts): nothing is done, as below. */
void rules_follow_start(struct rules_follow *);
/* Another set may be in force. */
void rules_follow_look(struct rules_follow *);
/* Each second or so. */
void rules_follow_tick(struct rules_follow *);

/* A set of this node's is on its way into the history, as `who` wants it; and it has come there, or could not for now:
 * nothing is followed meanwhile, and it is tried again. */
void rules_follow_recording(struct rules_follow *);
void rules_follow_recorded(struct rules_follow *, const char *who, bool away);

#endif
