/*
 * compile.c - from routes to the tables that decide.c reads.
 *
 * Routes are taken in their order and only the first of each pair of atoms is
 * kept, since with nothing but sender and recipient to look at, a later rule
 * with the same pair can never win there.
 */
#include "rules/ruleset_int.h"

#include <stdlib.h>

#include "rules/hash_int.h"

static size_t
first_slot(const struct ruleset *rs, uint32_t to, uint32_t from)
{
	return hash64_mix((uint64_t)to << 32 | from) & (rs->pairs - 1);
}

static struct pair *
find_pair(const struct ruleset *rs, uint32_t to, uint32_t from)
{
	size_t i = first_slot(rs, to, from);

	for (;; i = (i + 1) & (rs->pairs - 1)) {
		struct pair *p = &rs->pair[i];

		if (p->to == ATOM_NO || (p->to == to && p->from == from))
			return p;
	}
}

uint32_t
pair_rule(const struct ruleset *rs, uint32_t to, uint32_t from)
{
	const struct pair *p = find_pair(rs, to, from);

	return p->to == ATOM_NO ? NONE : p->rule;
}

/* At most half of the slots are in use, so that a look-up always ends. */
static void
make_room(struct ruleset *rs)
{
	struct pair *old = rs->pair;
	size_t n = rs->pairs;

	if (rs->npair * 2 < n)
		return;
	rs->pairs = n > 0 ? n * 2 : 64;
	rs->pair = rules_alloc(rs->pairs * sizeof(*rs->pair));
	for (size_t i = 0; i < n; i++)
		if (old[i].to != ATOM_NO)
			*find_pair(rs, old[i].to, old[i].from) = old[i];
	free(old);
}

static void
add_pair(struct ruleset *rs, uint32_t to, uint32_t from, uint32_t rule)
{
	struct pair *p;

	make_room(rs);
	p = find_pair(rs, to, from);
	if (p->to != ATOM_NO)
		return;
	*p = (struct pair){ to, from, rule };
	rs->npair++;
	rs->atom[to].paired = true;
}

static void
add_recipient(
    struct ruleset *rs, uint32_t to, const struct route *r, uint32_t rule)
{
	struct atom *atom = &rs->atom[to];

	if (r->from.n == 0) {
		if (atom->rule == NONE)
			atom->rule = rule;
		return;
	}
	for (size_t i = 0; i < r->from.n; i++)
		add_pair(rs, to, r->from.atom[i], rule);
}

void
compile(struct ruleset *rs)
{
	rs->rule = rules_alloc((rs->nroute + 1) * sizeof(struct rule *));
	for (uint32_t i = 0; i < rs->nroute; i++) {
		const struct route *r = &rs->route[i];

		rs->rule[i] = &r->rule;
		if (r->to.n == 0)
			add_recipient(rs, ATOM_ANY, r, i);
		for (size_t j = 0; j < r->to.n; j++)
			add_recipient(rs, r->to.atom[j], r, i);
	}
}
