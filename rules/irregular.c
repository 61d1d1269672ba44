/*
 * irregular.c - can an irregular address of a carrier come to a path that takes
 * none?
 *
 * Amazon SES refuses a whole message for one such address and charges it to the
 * account, so a set that could send it one does not load. What a rule asks of
 * sender, user or content, and patterns, may or may not hold: they are taken to
 * let such mail through, and to leave some of it to later rules.
 */
#include "rules/parse_int.h"

#include <stdlib.h>
#include <string.h>

/* docomo and au gave them out, whether or not the set knows these carriers. */
static const char *const known[] = { "docomo.ne.jp", "ezweb.ne.jp" };

#define KNOWN (sizeof(known) / sizeof(*known))

/* Irregular addresses that are alike to the rules. */
struct probe {
	struct sighting seen;
	const char *domain, *address; /* address NULL: any of the domain */
	uint32_t end;		      /* no rule behind this one sees them */
};

struct probes {
	const struct ruleset *rs;
	struct probe *probe;
	size_t n, room;
};

/* ---- what a rule does with a probe ---- */

enum certainty { IMPOSSIBLE, POSSIBLE, SURELY };

static bool
names_probe(const struct condition *c, const struct probe *p)
{
	for (size_t i = 0; i < p->seen.n; i++)
		if (condition_names(c, p->seen.atom[i]))
			return true;
	return false;
}

static enum certainty
condition_on(const struct condition *c, const struct probe *p)
{
	if (c->kind == CONDITION_IRREGULAR)
		return c->negated ? IMPOSSIBLE : SURELY;
	if (c->kind != CONDITION_TO)
		return POSSIBLE;
	if (names_probe(c, p))
		return c->negated ? IMPOSSIBLE : SURELY;
	if (c->npattern > 0)
		return POSSIBLE;
	return c->negated ? SURELY : IMPOSSIBLE;
}

static enum certainty
route_on(const struct route *r, const struct probe *p)
{
	enum certainty c, least = SURELY;

	for (size_t i = 0; i < r->ncondition; i++) {
		c = condition_on(&r->condition[i], p);
		if (c < least)
			least = c;
	}
	return least;
}

/* The first rule that takes all of a probe. Plain ones are in the table. */
static uint32_t
end_of_probe(const struct ruleset *rs, const struct probe *p)
{
	uint32_t end = NONE;

	for (size_t i = 0; i < p->seen.n; i++)
		if (rs->atom[p->seen.atom[i]].rule < end)
			end = rs->atom[p->seen.atom[i]].rule;
	for (uint32_t i = 0; i < rs->nroute && i < end; i++)
		if (!route_is_plain(&rs->route[i]) &&
		    route_on(&rs->route[i], p) == SURELY)
			return i;
	return end;
}

/* ---- probes ---- */

static bool
same_atoms(const struct sighting *a, const struct sighting *b)
{
	return a->n == b->n &&
	       memcmp(a->atom, b->atom, a->n * sizeof(*a->atom)) == 0;
}

/* Most domains of a carrier are alike to all rules: one stands for them. */
static void
add_probe(struct probes *ps, const char *local, const char *domain,
    const char *address)
{
	struct probe p = { .domain = domain, .address = address };

	domain_see(ps->rs, local, domain, &p.seen);
	for (size_t i = 0; i < ps->n; i++)
		if (same_atoms(&ps->probe[i].seen, &p.seen))
			return;
	p.end = end_of_probe(ps->rs, &p);
	ps->probe =
	    rules_grow(ps->probe, &ps->room, ps->n + 1, sizeof(*ps->probe));
	ps->probe[ps->n++] = p;
}

static bool
is_a_carriers(const struct ruleset *rs, const char *domain)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (strcmp(domain, known[i]) == 0)
			return true;
	return ruleset_carrier_of(rs, domain) != NULL;
}

/* An irregular address that rules name is a case of its own. */
static void
add_addresses(struct probes *ps, struct arena *a)
{
	const struct ruleset *rs = ps->rs;

	for (size_t i = 0; i < rs->addresses.n; i++) {
		const char *text = rs->addresses.name[i].text;
		const char *at = strrchr(text, '@');
		const char *local = arena_strndup(a, text, (size_t)(at - text));

		if (is_irregular(local) && is_a_carriers(rs, at + 1))
			add_probe(ps, local, at + 1, text);
	}
}

static void
add_domains(struct probes *ps, struct arena *a)
{
	const struct ruleset *rs = ps->rs;

	for (size_t i = 0; i < KNOWN; i++)
		add_probe(ps, NULL, known[i], NULL);
	for (size_t i = 0; i < rs->domains.n; i++) {
		const char *name = rs->domains.name[i].text, *below;

		if (ruleset_carrier_of(rs, name) != NULL)
			add_probe(ps, NULL, name, NULL);
		/* No rule can name this one, so it stands for the rest. */
		below = rs->domain[i].below.atom != ATOM_NO ||
				rs->domain[i].below.site > 0
			    ? arena_printf(a, "*.%s", name)
			    : NULL;
		if (below != NULL && ruleset_carrier_of(rs, below) != NULL)
			add_probe(ps, NULL, below, NULL);
	}
}

/* ---- rules ---- */

static const char *
regular_only_path(const struct route *r)
{
	const char *path = NULL;

	if (r->way.action != RULES_VIA)
		return NULL;
	for (size_t i = 0; i < r->way.ntarget; i++) {
		const struct target *t = &r->way.target[i];

		if (t->share == 0)
			continue;
		if (!t->regular_only)
			return NULL;
		path = t->path;
	}
	return path;
}

/* A domain for people to read. */
static const char *
example(struct parse *p, const char *domain)
{
	return domain[0] == '*'
		   ? arena_printf(&p->rs->arena, "any%s", domain + 1)
		   : domain;
}

static void
check_rule(struct parse *p, const struct probes *ps, uint32_t rule)
{
	const struct route *r = &p->rs->route[rule];
	const char *path = regular_only_path(r);
	struct token place;

	if (path == NULL)
		return;
	for (size_t i = 0; i < ps->n; i++) {
		const struct probe *probe = &ps->probe[i];
		bool named = probe->address != NULL;

		if (rule > probe->end || route_on(r, probe) == IMPOSSIBLE)
			continue;
		place = token_at(r->source, r->at, r->at, r->rule.line);
		problem_at(p->report, &place,
		    "rule '%s' could send irregular addresses such as %s%s by "
		    "path '%s', which takes none; add 'and not local-part "
		    "irregular', or have a rule for them before it",
		    r->rule.name, named ? "" : "a..b@",
		    named ? probe->address : example(p, probe->domain), path);
		return;
	}
}

void
check_irregular(struct parse *p)
{
	struct probes ps = { .rs = p->rs };

	if (p->options->nregular_only == 0)
		return;
	add_domains(&ps, &p->rs->arena);
	add_addresses(&ps, &p->rs->arena);
	for (uint32_t i = 0; i < p->rs->nroute; i++)
		check_rule(p, &ps, i);
	free(ps.probe);
}
