/*
 * rules_take.h - the newest rule set of the store onto this node's disk: what rules_follow.c has done in the store's
 * reading thread.
 */
#ifndef ROUTER_RULES_TAKE_H
#define ROUTER_RULES_TAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "router/rules_restore.h"

struct config;
struct store_reader;

enum rules_taken {
	RULES_SAME,    /* the newest set is what runs */
	RULES_RECORD,  /* what runs is to be the newest */
	RULES_KEPT,    /* what runs stays, and `why` says why */
	RULES_LATER,   /* somebody else is at work on the files */
	RULES_WRITTEN, /* the newest is on disk: reload. `lock` is held */
};

struct rules_take {
	const struct config *running;
	int64_t epoch;               /* of this node */
	bool starting;               /* the running rules are those that were on disk when we began */

	enum rules_taken result;
	char *version, *who;         /* of the newest */
	char *why;                   /* a sentence */

	/* its own */
	int64_t number;
	struct rules_file *file;     /* of the set, texts its own */
	size_t n;
	struct config *settings;
	struct restore restore;
	struct rules_set running_set;
	int lock;
};

void rules_take_init(struct rules_take *, const struct config *running, int64_t epoch, bool starting);
/* In the store's reading thread: finds out, and writes. */
void rules_take_read(struct rules_take *, struct store_reader *);
/* After RULES_WRITTEN, when the reload was refused: the old files again. Blocks on the disk. */
void rules_take_undo(struct rules_take *);
/* Lets go of the lock. */
void rules_take_clear(struct rules_take *);

#endif
