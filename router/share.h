/*
 * share.h - the budgets that this node shares with others, and the questions that it asks the store about them.
 *
 * Whoever starts something that is limited over all nodes joins a budget by its name, asks for room before it starts,
 * and says when it starts and ends; what is reserved for this node, and for how long, is asked for here, of all budgets
 * together: about once a second, at once for a new one, and up to five times a second for one of which there may be
 * more. Where there is one node alone nobody joins anything: shares_join gives NULL, of which there is room always.
 *
 * Core thread only.
 */
#ifndef ROUTER_SHARE_H
#define ROUTER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct shared;
struct shares;

/* Who uses a budget. Both are called from the core's loop, and start nothing themselves. */
struct share_user {
	/* So many more would start now if they might (period 0: so many would be open). */
	uint64_t (*demand)(void *arg);
	/* There may be room now, or what is open is more than may be. */
	void (*changed)(void *arg);
	void *arg;
};

struct shares *shares_new(struct core *); /* NULL: the store has no other nodes */
void shares_free(struct shares **);
/* Once in a turn of the loop, after whoever has asked for room. */
void shares_run(struct shares *, int64_t now);
/* Gives back what need not be kept: nothing starts any more. To be called until it is true. */
bool shares_stop(struct shares *, int64_t now);

/* One user of a name at a time. NULL: there are no other nodes. What counts of an earlier user counts on. */
struct shared *shares_join(struct shares *, const char *name, const struct share_user *);
void shares_part(struct shared **);

/* All of these take NULL, and say then that there is room. limit 0: there is none. See budget.h. */
void shared_set(struct shared *, uint64_t limit, int64_t period, int64_t now);
uint64_t shared_room(struct shared *, int64_t now);
int64_t shared_open_at(struct shared *, int64_t now); /* INT64_MAX: `changed` tells */
void shared_start(struct shared *, uint64_t n);
void shared_end(struct shared *, uint64_t n, int64_t now);
/* What is reserved of it for this node, 0 without an answer that is still good; UINT64_MAX: there is no limit. */
uint64_t shared_reserved(const struct shared *, int64_t now);
/* It is asked for with the next question, whether anybody wants some of it or not. */
void shared_ask(struct shared *);
/* There was an answer. */
bool shared_is_known(const struct shared *);
/* Wanted by other nodes. */
uint64_t shared_others(const struct shared *);
/* It has had no room, whenever it was asked for, since so long (ms); 0: it had. */
int64_t shared_starved(const struct shared *, int64_t now);
/* What all nodes have used of it, as of the last answer; false: there is none. */
bool shared_used(const struct shared *, uint64_t *used);

struct shared_row {
	const char *name;
	uint64_t limit, reserved, held, others, used;
	int64_t period;
};
void shares_each(struct shares *, int64_t now, void (*each)(void *arg, const struct shared_row *), void *arg);

#endif
