/*
 * budget.h - what this node may use of a budget that all nodes share.
 *
 * So many of something in any window of a period (0: at once): of them some are reserved for this node, by the answer
 * to its last question (store_share), and never does more count in its own window. Who starts counts until a period
 * after its end, for nobody knows when the peer counts it in between. A window of SHARE_SPENT_FROM or longer is kept in
 * the store: there this node has what it may start, and tells once what has ended.
 *
 * The answer is good for as long as the node's lease. Without a newer one nothing starts after that: others get what
 * was reserved a period later, and by then nothing of it counts.
 *
 * Times are the caller's: ms of a clock that does not jump. No lock, one thread, no store: share.c asks.
 */
#ifndef ROUTER_BUDGET_H
#define ROUTER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct share;

#define BUDGET_SLOTS 128

struct budget {
	uint64_t limit;       /* of all nodes; 0: there is none */
	int64_t period;
	uint64_t reserved;    /* of that this node may use */
	uint64_t others, used;/* as of the last answer: wanted by others; used by all */
	int64_t valid;        /* it may until then */
	int64_t asked, again; /* last, and ms until the next time; again INT64_MAX: when it is wanted */
	bool asking;          /* an answer is to come */
	bool is_short;        /* somebody could not start since the last question */
	uint64_t out;         /* on their way */
	uint64_t over;        /* ended, and count still, or are to be told */
	uint64_t want, spent, started; /* as asked; as told; since the last question */
	uint32_t *slot;       /* by time of their end; NULL: nobody yet */
	int64_t first, last;  /* numbers of the oldest slot and of the newest */
};

void budget_init(struct budget *);
void budget_clear(struct budget *);
/* Both may change; what counts still does, of another period as if it had ended just now. */
void budget_set(struct budget *, uint64_t limit, int64_t period, int64_t now);

/* How many may start now; UINT64_MAX: there is no limit. 0 is noted: it is asked for more sooner. */
uint64_t budget_room(struct budget *, int64_t now);
/* When there may be room again without a question: now or later; INT64_MAX: when something ends or an answer comes. */
int64_t budget_open_at(struct budget *, int64_t now);
void budget_start(struct budget *, uint64_t n);
void budget_end(struct budget *, uint64_t n, int64_t now);
/* How many count now. */
uint64_t budget_held(struct budget *, int64_t now);

/* When to ask: INT64_MAX: not while nobody wants it, or while an answer is to come. */
int64_t budget_due(const struct budget *);
/* Fills the question, but for the name. `demand`: so many more would start now if they might; with period 0: so many
 * would be open. Until the answer what is reserved may be used still. */
void budget_ask(struct budget *, uint64_t demand, int64_t now, struct share *);
void budget_answer(struct budget *, const struct share *);
/* Nothing of it has happened. */
void budget_no_answer(struct budget *);
bool budget_was_asked(const struct budget *);
bool budget_was_answered(const struct budget *);
/* Nothing of it is left to be told or counted. */
bool budget_is_idle(struct budget *, int64_t now);

#endif
