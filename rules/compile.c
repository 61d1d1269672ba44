/*
 * compile.c - from routes to the tables that decide.c reads.
 *
 * ruleset_int.h explains plain rules and those that hang. Routes are taken in
 * their order. Of plain rules only the first of each pair of atoms is kept: a
 * later one with the same pair can never win there.
 */
#include "rules/ruleset_int.h"

#include <stdlib.h>

/* ---- conditions ---- */

static int
by_atom(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->atom != y->atom)
		return x->atom < y->atom ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

const struct condition *
route_condition(const struct route *r, enum condition_kind kind)
{
	for (size_t i = 0; i < r->ncondition; i++)
		if (r->condition[i].kind == kind)
			return &r->condition[i];
	return NULL;
}

bool
route_is_plain(const struct route *r)
{
	bool seen[SUBJECTS] = { false };

	for (size_t i = 0; i < r->ncondition; i++) {
		const struct condition *c = &r->condition[i];

		if (c->kind > CONDITION_FROM || c->negated || c->npattern > 0 ||
		    seen[c->kind])
			return false;
		seen[c->kind] = true;
	}
	return true;
}

static void
look_at_conditions(struct ruleset *rs, uint32_t rule)
{
	const struct route *r = &rs->route[rule];
	bool on_content = false;

	for (size_t i = 0; i < r->ncondition; i++) {
		const struct condition *c = &r->condition[i];

		if (c->n > 1)
			qsort(c->member, c->n, sizeof(*c->member), by_atom);
		on_content |= is_on_content(c);
	}
	if (!on_content)
		return;
	rs->on_content = rules_grow(rs->on_content, &rs->on_content_room,
	    rs->non_content + 1, sizeof(*rs->on_content));
	rs->on_content[rs->non_content++] = rule;
}

/* ---- plain rules ---- */

static void
add_recipient(struct ruleset *rs, uint32_t to, const struct condition *from,
    uint32_t rule)
{
	struct atom *atom = &rs->atom[to];

	if (from == NULL) {
		if (atom->rule == NONE)
			atom->rule = rule;
		return;
	}
	for (size_t i = 0; i < from->n; i++)
		pairs_put(&rs->plain, to, from->member[i].atom, rule);
	atom->paired = true;
}

static void
add_plain(struct ruleset *rs, uint32_t rule)
{
	const struct route *r = &rs->route[rule];
	const struct condition *to = route_condition(r, CONDITION_TO);
	const struct condition *from = route_condition(r, CONDITION_FROM);

	if (to == NULL)
		add_recipient(rs, ATOM_ANY, from, rule);
	else
		for (size_t i = 0; i < to->n; i++)
			add_recipient(rs, to->member[i].atom, from, rule);
}

/* ---- rules that hang ---- */

/* One rule under one atom of one subject. */
struct hook {
	uint32_t atom, subject, rule;
};

struct hooks {
	struct hook *hook;
	size_t n, room;
};

static void
add_hook(struct hooks *h, uint32_t atom, uint32_t subject, uint32_t rule)
{
	h->hook = rules_grow(h->hook, &h->room, h->n + 1, sizeof(*h->hook));
	h->hook[h->n++] = (struct hook){ atom, subject, rule };
}

/* How much a condition lets through: the less, the better to hang from. */
static unsigned
breadth(const struct condition *c)
{
	static const unsigned breadths[SUBJECTS] = {
		[SUBJECT_TO] = 1,
		[SUBJECT_FROM] = 1,
		[SUBJECT_HEADER_FROM] = 1,
		[SUBJECT_USER] = 2,
		[SUBJECT_TAG] = 2,
		[SUBJECT_LISTENER] = 3,
	};

	if (c->kind >= CONDITION_SIZE_ABOVE || c->negated)
		return 100;
	if (c->npattern > 0)
		return 10;
	for (size_t i = 0; i < c->n; i++)
		if (c->member[i].atom < ATOM_FIRST)
			return 5;
	return breadths[c->kind];
}

static const struct condition *
narrowest(const struct route *r)
{
	const struct condition *best = &r->condition[0];

	for (size_t i = 1; i < r->ncondition; i++)
		if (breadth(&r->condition[i]) < breadth(best))
			best = &r->condition[i];
	return breadth(best) < 100 ? best : NULL;
}

static void
hang_from_patterns(
    struct hung_patterns *h, const struct condition *c, uint32_t rule)
{
	for (uint32_t i = 0; i < c->npattern; i++) {
		h->pattern = rules_grow(h->pattern, &h->pattern_room, h->n + 1,
		    sizeof(*h->pattern));
		h->rule = rules_grow(
		    h->rule, &h->rule_room, h->n + 1, sizeof(*h->rule));
		h->pattern[h->n] = c->pattern + i;
		h->rule[h->n++] = rule;
	}
}

/* What hangs from nothing is looked at every time, under `any`. */
static void
hang(struct ruleset *rs, struct hooks *hooks, uint32_t rule)
{
	const struct condition *c = narrowest(&rs->route[rule]);

	if (c == NULL) {
		add_hook(hooks, ATOM_ANY, SUBJECT_TO, rule);
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		if (i == 0 || c->member[i].atom != c->member[i - 1].atom)
			add_hook(hooks, c->member[i].atom, c->kind, rule);
	if (c->npattern > 0)
		hang_from_patterns(&rs->hung_patterns[c->kind], c, rule);
}

static int
by_place(const void *a, const void *b)
{
	const struct hook *x = a, *y = b;

	if (x->subject != y->subject)
		return x->subject < y->subject ? -1 : 1;
	if (x->atom != y->atom)
		return x->atom < y->atom ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static bool
same_place(const struct hook *a, const struct hook *b)
{
	return a->subject == b->subject && a->atom == b->atom;
}

static void
make_lists(struct ruleset *rs, struct hooks *h)
{
	if (h->n > 0)
		qsort(h->hook, h->n, sizeof(*h->hook), by_place);
	rs->hung_rule = rules_alloc((h->n * 2 + 1) * sizeof(*rs->hung_rule));
	for (size_t i = 0; i < h->n; i++) {
		const struct hook *hook = &h->hook[i];

		if (i == 0 || !same_place(hook, hook - 1)) {
			pairs_put(&rs->hung, hook->atom, hook->subject,
			    (uint32_t)rs->nhung);
			rs->atom[hook->atom].hung |=
			    (uint8_t)(1u << hook->subject);
			rs->hangs[hook->subject] = true;
		}
		rs->hung_rule[rs->nhung++] = hook->rule;
		if (i + 1 == h->n || !same_place(hook, hook + 1))
			rs->hung_rule[rs->nhung++] = NONE;
	}
	free(h->hook);
}

static void
make_sieve(struct ruleset *rs, struct hung_patterns *h)
{
	const struct pattern **list;

	if (h->n == 0)
		return;
	list = rules_alloc(h->n * sizeof(struct pattern *));
	for (size_t i = 0; i < h->n; i++)
		list[i] = rs->pattern[h->pattern[i]];
	h->sieve = sieve_new(list, h->n);
	free(list);
}

void
compile(struct ruleset *rs)
{
	struct hooks hooks = { .hook = NULL };

	domain_index(rs);
	rs->rule = rules_alloc((rs->nroute + 1) * sizeof(struct rule *));
	rs->way = rules_alloc_lines((rs->nroute + 1) * sizeof(*rs->way));
	for (uint32_t i = 0; i < rs->nroute; i++) {
		rs->rule[i] = &rs->route[i].rule;
		rs->way[i] = rs->route[i].way;
		look_at_conditions(rs, i);
		if (route_is_plain(&rs->route[i]))
			add_plain(rs, i);
		else
			hang(rs, &hooks, i);
	}
	make_lists(rs, &hooks);
	for (int s = 0; s < PATTERN_SUBJECTS; s++)
		make_sieve(rs, &rs->hung_patterns[s]);
}
