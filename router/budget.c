/*
 * budget.c - what this node may use of a budget that all nodes share.
 *
 * What has ended counts by slots of time, BUDGET_SLOTS of them in a ring, a
 * little more than a period together: so it counts a little longer than it
 * must, and never less.
 */
#include "router/budget.h"

#include "mta/base/alloc.h"
#include "router/store/share_divide.h"
#include "router/store/store.h"

#include <stdlib.h>
#include <string.h>

#define IN_PERIOD 120 /* slots; the others are for rounding */
#define NEVER	  (INT64_MIN / 2)

/* ms between questions: at least, or when it was said that nothing is wanted;
 * at most, while something is to be given back; and when there was no answer.
 */
#define SOON	200
#define AT_ONCE 20
#define LATE	1000
#define RETRY	500

/* What is taken ahead is a part of the limit or as much as it allows in so many
 * ms, but no more than some and twice what was started since the last question.
 */
#define PART  100
#define AHEAD 2000
#define STOCK 50

static bool
is_spent(const struct budget *b)
{
	return b->period >= SHARE_SPENT_FROM;
}

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
budget_init(struct budget *b)
{
	memset(b, 0, sizeof(*b));
	b->asked = b->valid = NEVER;
	b->again = INT64_MAX;
}

void
budget_clear(struct budget *b)
{
	free(b->slot);
	budget_init(b);
}

/* -- what counts ----------------------------------------------------------- */

static int64_t
width(const struct budget *b)
{
	return (b->period + IN_PERIOD - 1) / IN_PERIOD;
}

/* When nothing of the slot counts any more; times are cut to whole ms. */
static int64_t
lapses(const struct budget *b, int64_t slot)
{
	return (slot + 1) * width(b) + b->period + 1;
}

static uint32_t *
slot_at(const struct budget *b, int64_t number)
{
	return &b->slot[number % BUDGET_SLOTS];
}

static void
lapse(struct budget *b, int64_t now)
{
	if (is_spent(b) || b->slot == NULL)
		return;
	while (
	    b->over > 0 && b->first <= b->last && lapses(b, b->first) <= now) {
		b->over -= *slot_at(b, b->first);
		*slot_at(b, b->first++) = 0;
	}
}

static void
count_over(struct budget *b, uint64_t n, int64_t now)
{
	int64_t number;

	if (b->period == 0 || n == 0)
		return;
	lapse(b, now);
	if (!is_spent(b)) {
		if (b->slot == NULL)
			b->slot = xcalloc(BUDGET_SLOTS, sizeof(*b->slot));
		number = now / width(b);
		if (b->over == 0)
			b->first = number;
		b->last = number;
		*slot_at(b, number) += (uint32_t)n;
	}
	b->over += n;
}

void
budget_set(struct budget *b, uint64_t limit, int64_t period, int64_t now)
{
	uint64_t over;

	b->limit = limit;
	if (period == b->period)
		return;
	lapse(b, now);
	over = b->over;
	free(b->slot);
	b->slot = NULL;
	b->over = 0;
	b->period = period;
	count_over(b, over, now);
}

uint64_t
budget_held(struct budget *b, int64_t now)
{
	lapse(b, now);
	return b->out + b->over;
}

uint64_t
budget_room(struct budget *b, int64_t now)
{
	uint64_t room;

	if (b->limit == 0)
		return UINT64_MAX;
	room = now < b->valid ? less(b->reserved, budget_held(b, now)) : 0;
	if (room == 0)
		b->is_short = true;
	return room;
}

int64_t
budget_open_at(struct budget *b, int64_t now)
{
	uint64_t held = budget_held(b, now);
	int64_t slot = b->first;

	if (b->limit == 0 || (now < b->valid && held < b->reserved))
		return now;
	if (is_spent(b) || b->slot == NULL || b->out >= b->reserved)
		return INT64_MAX;
	while (slot <= b->last) {
		held -= *slot_at(b, slot);
		if (held < b->reserved)
			return lapses(b, slot) < b->valid ? lapses(b, slot)
							  : INT64_MAX;
		slot++;
	}
	return INT64_MAX;
}

void
budget_start(struct budget *b, uint64_t n)
{
	b->out += n;
	b->started += n;
}

void
budget_end(struct budget *b, uint64_t n, int64_t now)
{
	n = least(n, b->out);
	b->out -= n;
	count_over(b, n, now);
}

/* -- questions ------------------------------------------------------------- */

/* When no more counts than is reserved: what is too much can be given back. */
static int64_t
drained_at(const struct budget *b)
{
	uint64_t held = b->out + b->over;
	int64_t at = b->asked, slot = b->first;

	if (is_spent(b) || b->out > b->reserved)
		return b->asked;
	for (; held > b->reserved && slot <= b->last; slot++) {
		held -= *slot_at(b, slot);
		at = lapses(b, slot);
	}
	return at;
}

int64_t
budget_due(const struct budget *b)
{
	int64_t wait = b->again, at;

	if (b->asking || b->limit == 0)
		return INT64_MAX;
	if (b->out + b->over > b->reserved && (at = drained_at(b)) > b->asked)
		return at < b->asked + LATE ? at : b->asked + LATE;
	/* It had all that it wanted: there may be more. */
	if (b->is_short && b->reserved >= b->want && b->reserved < b->limit &&
	    wait > SOON)
		wait = b->want > 0 ? SOON : AT_ONCE;
	return wait == INT64_MAX ? INT64_MAX : b->asked + wait;
}

/* It falls slower than what is used: a node that sends now and then has not to
 * ask each time. */
static uint64_t
window_want(const struct budget *b, uint64_t demand)
{
	uint64_t use = b->period > 0 ? b->out + b->over + demand : demand;
	uint64_t slow = b->want - (b->want + 3) / 4;

	return least(use > slow || b->period == 0 ? use : slow, b->limit);
}

/* What is taken ahead is lost for a period when the node dies. */
static uint64_t
spent_want(const struct budget *b, uint64_t demand)
{
	uint64_t part = b->limit / PART,
		 time = b->limit * AHEAD / (uint64_t)b->period;
	uint64_t most =
	    least(part > time ? part : time, STOCK + 2 * b->started);

	return b->out + least(demand, most > 0 ? most : 1);
}

void
budget_ask(struct budget *b, uint64_t demand, int64_t now, struct share *s)
{
	uint64_t held = budget_held(b, now);

	if (now >= b->valid)
		b->reserved = 0;
	b->spent = is_spent(b) ? b->over : 0;
	b->want = is_spent(b) ? spent_want(b, demand) : window_want(b, demand);
	if (b->want == 0)
		b->reserved = 0;
	*s = (struct share){ .limit = b->limit,
		.period = b->period,
		.spent = b->spent,
		.held = held - b->spent,
		.keep = (held > b->reserved ? held : b->reserved) - b->spent,
		.want = b->want,
		.rests = b->want == 0 && b->out == 0 };
	b->asking = true;
	b->asked = now;
	b->started = 0;
	b->is_short = false;
}

static int64_t
after(int64_t at, int64_t ms)
{
	return ms < INT64_MAX - at ? at + ms : INT64_MAX;
}

void
budget_answer(struct budget *b, const struct share *s)
{
	b->asking = false;
	b->over -= b->spent;
	b->spent = 0;
	b->reserved = s->reserved;
	b->others = s->others;
	b->used = s->used;
	b->valid = after(b->asked, s->valid);
	b->again = s->rests ? INT64_MAX : s->again;
}

void
budget_no_answer(struct budget *b)
{
	b->asking = false;
	b->spent = 0;
	b->again = RETRY;
}

bool
budget_was_asked(const struct budget *b)
{
	return b->asked != NEVER;
}

bool
budget_was_answered(const struct budget *b)
{
	return b->valid != NEVER;
}

bool
budget_is_idle(struct budget *b, int64_t now)
{
	return budget_held(b, now) == 0 && !b->asking && b->again == INT64_MAX;
}
