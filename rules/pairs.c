/*
 * pairs.c - two small numbers to one: open addressing, linear probing.
 */
#include "rules/ruleset_int.h"

#include <stdlib.h>

#include "rules/hash_int.h"

static struct pair *
find(const struct pairs *p, uint32_t first, uint32_t second)
{
	size_t i = hash64_mix((uint64_t)first << 32 | second) & (p->slots - 1);

	for (;; i = (i + 1) & (p->slots - 1)) {
		struct pair *slot = &p->slot[i];

		if (slot->first == ATOM_NO ||
		    (slot->first == first && slot->second == second))
			return slot;
	}
}

uint32_t
pairs_get(const struct pairs *p, uint32_t first, uint32_t second)
{
	const struct pair *slot;

	if (p->slots == 0)
		return NONE;
	slot = find(p, first, second);
	return slot->first == ATOM_NO ? NONE : slot->value;
}

/* At most half of the slots are in use, so that a look-up always ends. */
static void
make_room(struct pairs *p)
{
	struct pair *old = p->slot;
	size_t n = p->slots;

	if (p->n * 2 < n)
		return;
	p->slots = n > 0 ? n * 2 : 64;
	p->slot = rules_alloc(p->slots * sizeof(*p->slot));
	for (size_t i = 0; i < n; i++)
		if (old[i].first != ATOM_NO)
			*find(p, old[i].first, old[i].second) = old[i];
	free(old);
}

void
pairs_put(struct pairs *p, uint32_t first, uint32_t second, uint32_t value)
{
	struct pair *slot;

	make_room(p);
	slot = find(p, first, second);
	if (slot->first != ATOM_NO)
		return;
	*slot = (struct pair){ first, second, value };
	p->n++;
}

void
pairs_clear(struct pairs *p)
{
	free(p->slot);
	*p = (struct pairs){ .slot = NULL };
}
