/*
 * pace.h - a rate that is kept in every sliding window, as the peer would measure it.
 *
 * A recipient reaches the peer at some moment between its start here and the end of its transaction.
 * So the k-th may start only when the (k - count)-th has ended a whole period ago: then no window of
 * that length holds more than `count` arrivals, however long each is on its way. A slow peer gets
 * somewhat less than its rate, never more. Besides, starts are spaced evenly, so that no period begins
 * with a burst.
 *
 * Ends are remembered in at most PACE_SLOTS slots of equally many recipients, so a lane with a
 * rate of 5/s and one of 100,000/d cost the same. Time is the caller's: ms of any clock that does not
 * jump. No lock, one thread.
 */
#ifndef ROUTER_PACE_H
#define ROUTER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/base/str.h"

#define PACE_SLOTS 128

struct pace_slot {
	unsigned started; /* recipients; the slot is full at pace.size */
	unsigned out;     /* of them, not ended yet */
	int64_t ended;    /* when the last of them did */
};

struct pace {
	unsigned count;   /* recipients per period; 0: no limit */
	int64_t period;   /* ms */
	bool bursts;      /* the caller's: starts need no spacing */
	bool by_start;    /* the peer counts what it is asked, and bears a little more: ends do not matter */
	unsigned size;    /* recipients per slot */
	unsigned nslots;
	struct pace_slot *slots; /* NULL until something is started or restored */
	uint64_t next;    /* number of the next recipient to start */
	double spaced;    /* none starts before */
	bool opened;      /* a slot, since pace_opened was asked */
};

/* Takes a rate on, or a new one: what was started counts on. True: it is another than before, and
 * deliveries under way must be told again
 * with pace_resume. */
bool pace_set(struct pace *, unsigned count, int64_t period, bool by_start);
void pace_clear(struct pace *);

/* How many may start now; 0: none. UINT_MAX: there is no limit. */
unsigned pace_room(const struct pace *, int64_t now);
/* When the next may start: now or before, a time, or INT64_MAX while that depends on an end. */
int64_t pace_open_at(const struct pace *, int64_t now);

/* n (at most pace_room) start now; the rate is lowered to `scale` (0 < scale <= 1) of what is set.
 * Returns their number, for pace_end. */
uint64_t pace_start(struct pace *, unsigned n, int64_t now, double scale);
void pace_end(struct pace *, uint64_t number, unsigned n, int64_t now);
void pace_resume(struct pace *, uint64_t number, unsigned n);

/* How many count in the window that ends now; whole slots, so a few may be over already. */
unsigned pace_held(const struct pace *, int64_t now);

/* Nothing of it matters any more. */
bool pace_is_idle(const struct pace *, int64_t now);

/* As if a whole period's worth had just ended: nobody knows what was sent before. */
void pace_fill(struct pace *, int64_t now);

/* For keeping it over a restart: whether a slot has been opened since the last call, */
bool pace_opened(struct pace *);
/* its text, in times of a clock that is `offset` ahead of the caller's, */
void pace_write(const struct pace *, int64_t offset, struct str *);
/* and from that text again; what was being filled or on its way then has ended now. Text that is none: as pace_fill.
 * Text of another rate counts likewise. */
void pace_read(struct pace *, const char *text, int64_t now, int64_t offset);

#endif
