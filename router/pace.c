/*
 * pace.c - a rate that is kept in every sliding window.
 *
 * Recipients are numbered; number k stands in slot k / size, and the slots are
 * a ring of `nslots`, which together hold `count` or a little less. A number
 * may enter a slot of the ring when all that stood there a round ago has ended,
 * a period ago.
 */
#include "router/pace.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

#define CATCH_UP 20.0	       /* ms of a late timer that are made good */
#define NOBODY	 (UINT64_MAX / 2) /* the number of what starts without a limit */

static struct pace_slot *
slot_of(const struct pace *p, uint64_t number)
{
	return &p->slots[number / p->size % p->nslots];
}

static void
need_slots(struct pace *p)
{
	if (p->slots == NULL)
		p->slots = xcalloc(p->nslots, sizeof(*p->slots));
}

void
pace_clear(struct pace *p)
{
	free(p->slots);
	memset(p, 0, sizeof(*p));
}

/* What stood in the old slots, oldest first, in new ones. */
static void
move_slots(struct pace *p, const struct pace *old)
{
	uint64_t held = (uint64_t)old->size * old->nslots;
	uint64_t first = old->next > held ? old->next - held : 0;

	if (old->slots == NULL)
		return;
	need_slots(p);
	for (uint64_t k = first; k < old->next; k++) {
		const struct pace_slot *from = slot_of(old, k);
		struct pace_slot *to = slot_of(p, k);

		if (k % p->size == 0)
			to->started = 0;
		if (from->started == 0)
			continue; /* of before the last, higher count */
		to->started++;
		/* An end that is still to come is told by pace_resume. */
		if (from->ended > to->ended)
			to->ended = from->ended;
	}
}

bool
pace_set(struct pace *p, unsigned count, int64_t period, bool by_start)
{
	struct pace old = *p;

	if (count == old.count && period == old.period &&
	    by_start == old.by_start)
		return false;
	p->count = count;
	p->period = period;
	p->by_start = by_start;
	p->slots = NULL;
	if (count > 0) {
		p->size = (count + PACE_SLOTS - 1) / PACE_SLOTS;
		p->nslots = count / p->size;
		move_slots(p, &old);
	}
	free(old.slots);
	return true;
}

/* When the number may enter its slot, or INT64_MAX while somebody there has not
 * ended. A slot that is being filled is open. */
static int64_t
slot_open_at(const struct pace *p, uint64_t number)
{
	const struct pace_slot *s;

	if (p->slots == NULL || number % p->size != 0)
		return INT64_MIN;
	s = slot_of(p, number);
	if (s->out > 0)
		return INT64_MAX;
	/* Both times are cut to whole ms. */
	return s->started > 0 ? s->ended + p->period + 1 : INT64_MIN;
}

unsigned
pace_room(const struct pace *p, int64_t now)
{
	uint64_t k = p->next, end = p->next + (uint64_t)p->size * p->nslots;

	if (p->count == 0)
		return UINT_MAX;
	if (p->spaced > (double)now)
		return 0;
	while (k < end && slot_open_at(p, k) <= now)
		k += p->size - k % p->size;
	return (unsigned)((k < end ? k : end) - p->next);
}

int64_t
pace_open_at(const struct pace *p, int64_t now)
{
	int64_t at = now, slot;

	if (p->count == 0)
		return now;
	if (p->spaced > (double)at)
		at = (int64_t)(p->spaced + 0.999);
	slot = slot_open_at(p, p->next);
	return slot > at ? slot : at;
}

static void
enter(struct pace *p, uint64_t number)
{
	struct pace_slot *s = slot_of(p, number);

	if (number % p->size == 0) {
		*s = (struct pace_slot){ .started = 0 };
		p->opened = true;
	}
	s->started++;
}

uint64_t
pace_start(struct pace *p, unsigned n, int64_t now, double scale)
{
	uint64_t number = p->next;
	double from = (double)now - CATCH_UP;

	if (p->count == 0)
		return NOBODY;
	need_slots(p);
	for (unsigned i = 0; i < n; i++) {
		enter(p, number + i);
		slot_of(p, number + i)->out++;
	}
	p->next += n;
	if (p->spaced > from)
		from = p->spaced;
	if (!p->bursts)
		p->spaced = from + n * (double)p->period / (p->count * scale);
	if (p->by_start)
		pace_end(p, number, n, now);
	return number;
}

/* One whose slot has been given to others since, or that began without a limit,
 * is of no account. */
static bool
stands(const struct pace *p, uint64_t number)
{
	return number < p->next &&
	       p->next - number <= (uint64_t)p->size * p->nslots;
}

void
pace_end(struct pace *p, uint64_t number, unsigned n, int64_t now)
{
	if (p->count == 0 || p->slots == NULL)
		return;
	for (unsigned i = 0; i < n; i++) {
		struct pace_slot *s = slot_of(p, number + i);

		if (!stands(p, number + i) || s->out == 0)
			continue;
		s->out--;
		if (now > s->ended)
			s->ended = now;
	}
}

void
pace_resume(struct pace *p, uint64_t number, unsigned n)
{
	if (p->count == 0 || p->slots == NULL || p->by_start)
		return;
	for (unsigned i = 0; i < n; i++)
		if (stands(p, number + i))
			slot_of(p, number + i)->out++;
}

void
pace_fill(struct pace *p, int64_t now)
{
	if (p->count == 0)
		return;
	need_slots(p);
	p->next = 0;
	for (unsigned i = 0; i < p->nslots; i++)
		p->slots[i] =
		    (struct pace_slot){ .started = p->size, .ended = now };
}

unsigned
pace_held(const struct pace *p, int64_t now)
{
	unsigned held = 0;

	for (unsigned i = 0; p->slots != NULL && i < p->nslots; i++)
		if (p->slots[i].out > 0 ||
		    p->slots[i].ended + p->period >= now)
			held += p->slots[i].started;
	return held;
}

bool
pace_is_idle(const struct pace *p, int64_t now)
{
	if (p->count == 0 || p->slots == NULL)
		return true;
	for (unsigned i = 0; i < p->nslots; i++)
		if (p->slots[i].started > 0 &&
		    (p->slots[i].out > 0 ||
			p->slots[i].ended + p->period >= now))
			return false;
	return p->spaced <= (double)now;
}

bool
pace_opened(struct pace *p)
{
	bool opened = p->opened;

	p->opened = false;
	return opened;
}

/* "SIZE SPACED ENDED ENDED ...", oldest first; 0: it has not ended. */
void
pace_write(const struct pace *p, int64_t offset, struct str *out)
{
	uint64_t last = p->next / p->size + (p->next % p->size != 0);
	uint64_t first = last > p->nslots ? last - p->nslots : 0;

	str_addf(out, "%u %lld", p->size, (long long)p->spaced + offset);
	for (uint64_t i = first; i < last; i++) {
		const struct pace_slot *s = &p->slots[i % p->nslots];

		str_addf(out, " %lld",
		    (long long)(s->out > 0 ? 0 : s->ended + offset));
	}
}

static void
add_ended(struct pace *p, unsigned n, int64_t ended)
{
	for (unsigned i = 0; i < n; i++, p->next++) {
		struct pace_slot *s = slot_of(p, p->next);

		enter(p, p->next);
		if (ended > s->ended || s->started == 1)
			s->ended = ended;
	}
}

void
pace_read(struct pace *p, const char *text, int64_t now, int64_t offset)
{
	char *end;
	unsigned long size = strtoul(text, &end, 10);
	double interval;

	if (p->count == 0)
		return;
	interval = (double)p->period / p->count * (double)size;
	if (end == text || size == 0 || size > INT_MAX) {
		pace_fill(p, now);
		return;
	}
	need_slots(p);
	p->spaced = (double)strtoll(end, &end, 10) - (double)offset;
	if (p->spaced > (double)now + interval)
		p->spaced =
		    (double)now + interval; /* by a clock that was ahead */
	while (*end == ' ') {
		int64_t ended = strtoll(end + 1, &end, 10);
		bool known = ended > 0 && *end != '\0';

		/* Not known, or by a clock that was ahead. */
		if (!known || ended > now + offset)
			ended = now + offset;
		add_ended(p, size < p->count ? (unsigned)size : p->count,
		    ended - offset);
	}
	/* The slot in hand is left as it is: full, though it may not be. */
	while (p->next % p->size != 0)
		add_ended(p, 1, now);
	p->opened = false;
}
