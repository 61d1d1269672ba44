/*
 * sources_int.h - what sources.c and sources_warm.c share.
 */
#ifndef ROUTER_SOURCES_INT_H
#define ROUTER_SOURCES_INT_H

#include <sys/queue.h>

#include "mta/base/map.h"
#include "mta/base/str.h"
#include "router/core_int.h"
#include "router/sources.h"
#include "rules/rules.h"

struct turns;
struct warm;

struct sources {
	struct core *core;
	STAILQ_HEAD(, turns) turns;
	TAILQ_HEAD(warm_list, warm) warms;
	struct map *by_key;
	struct str key;          /* the one being looked up */
	struct event *used_up;   /* activated: tell the core at the end of this turn of the loop */
	struct event *renewed;   /* looks for those that have a new day while others wait elsewhere */
	int64_t swept;           /* mono ms: when what has expired was last forgotten */
};

/* sources_warm.c */
void warm_start(struct sources *);
void warm_stop(struct sources *);

#endif
