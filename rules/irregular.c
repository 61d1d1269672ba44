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

/* What a rule does with a probe is looked at so often, and no more. */
#define LOOKS_MAX 50000000u

/* Irregular addresses that are alike to the rules: they have these atoms. */
struct probe {
	const uint32_t *atom;
	size_t n;
	const char *domain, *address; /* address NULL: any of the domain */
};

struct probes {
	const struct ruleset *rs;
	struct arena arena;
	struct table alike; /* atoms as text; numbers the probes */
	struct probe *probe;
	size_t room;
};

/*
 * The rules that matter, under an atom that each probe has that they may take:
 * begin[a] to begin[a + 1] are those of atom a, in their order.
 */
struct index {
	uint32_t *begin, *rule;
};

/* ---- what a rule does with a probe ---- */

enum certainty { IMPOSSIBLE, POSSIBLE, SURELY };

static bool
names_probe(const struct condition *c, const struct probe *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (condition_names(c, p->atom[i]))
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

/* ---- probes ---- */

/* Most domains of a carrier are alike to all rules: one stands for them. */
static void
add_probe(struct probes *ps, const char *local, const char *domain,
    const char *address)
{
	struct sighting seen;
	uint32_t number;
	size_t n = ps->alike.n;

	domain_see(ps->rs, local, domain, &seen);
	number = table_put(&ps->alike, &ps->arena, (const char *)seen.atom,
	    seen.n * sizeof(*seen.atom));
	if (number < n)
		return;
	ps->probe = rules_grow(ps->probe, &ps->room, n + 1, sizeof(*ps->probe));
	ps->probe[n] = (struct probe){
		/* The arena aligns for anything. */
		.atom = (const void *)ps->alike.name[number].text,
		.n = seen.n,
		.domain = domain,
		.address = address,
	};
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
add_addresses(struct probes *ps)
{
	const struct ruleset *rs = ps->rs;

	for (size_t i = 0; i < rs->addresses.n; i++) {
		const char *text = rs->addresses.name[i].text;
		const char *at = strrchr(text, '@');
		const char *local =
		    arena_strndup(&ps->arena, text, (size_t)(at - text));

		if (is_irregular(local) && is_a_carriers(rs, at + 1))
			add_probe(ps, local, at + 1, text);
	}
}

static void
add_domains(struct probes *ps)
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
			    ? arena_printf(&ps->arena, "*.%s", name)
			    : NULL;
		if (below != NULL && ruleset_carrier_of(rs, below) != NULL)
			add_probe(ps, NULL, below, NULL);
	}
}

/* ---- what is told ---- */

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
report(struct parse *p, uint32_t rule, const struct probe *probe)
{
	const struct route *r = &p->rs->route[rule];
	struct token place = token_at(r->source, r->at, r->at, r->rule.line);
	bool named = probe->address != NULL;

	problem_at(p->report, &place,
	    "rule '%s' could send irregular addresses such as %s%s by path "
	    "'%s', which takes none; add 'and not local-part irregular', or "
	    "have a rule for them before it",
	    r->rule.name, named ? "" : "a..b@",
	    named ? probe->address : example(p, probe->domain),
	    regular_only_path(r));
}

/* ---- the index ---- */

/* It could do wrong, or could take all of a probe. */
static bool
matters(const struct route *r)
{
	if (regular_only_path(r) != NULL)
		return true;
	for (size_t i = 0; i < r->ncondition; i++)
		if (r->condition[i].kind != CONDITION_TO &&
		    r->condition[i].kind != CONDITION_IRREGULAR)
			return false;
	return true;
}

/* The shortest list of which a probe needs an atom; NULL: there is none. */
static const struct condition *
shortest_list(const struct route *r)
{
	const struct condition *best = NULL;

	for (size_t i = 0; i < r->ncondition; i++) {
		const struct condition *c = &r->condition[i];

		if (c->kind == CONDITION_TO && !c->negated &&
		    c->npattern == 0 && (best == NULL || c->n < best->n))
			best = c;
	}
	return best;
}

/* Counts the rules of each atom in count[atom], or where `list` is given puts
 * them there, count[atom] being the next place. */
static void
enter_rules(const struct ruleset *rs, uint32_t *count, uint32_t *list)
{
	static const struct member anybody = { .atom = ATOM_ANY };

	for (uint32_t i = 0; i < rs->nroute; i++) {
		const struct condition *c = shortest_list(&rs->route[i]);
		const struct member *m = c != NULL ? c->member : &anybody;
		size_t n = c != NULL ? c->n : 1;

		if (!matters(&rs->route[i]))
			continue;
		for (size_t k = 0; k < n; k++) {
			if (k > 0 && m[k].atom == m[k - 1].atom)
				continue;
			if (list != NULL)
				list[count[m[k].atom]] = i;
			count[m[k].atom]++;
		}
	}
}

/* Once entered, the places have moved on to the next atom's: one row lower they
 * are right again. */
static void
make_index(const struct ruleset *rs, struct index *x)
{
	uint32_t *count = rules_alloc((rs->natom + 2) * sizeof(*count));
	uint32_t sum = 0, n;

	enter_rules(rs, count + 1, NULL);
	for (size_t i = 1; i <= rs->natom; i++) {
		n = count[i];
		count[i] = sum;
		sum += n;
	}
	x->rule = rules_alloc((sum + 1) * sizeof(*x->rule));
	enter_rules(rs, count + 1, x->rule);
	x->begin = count;
}

/* ---- the walk ---- */

struct walk {
	const struct ruleset *rs;
	struct index index;
	const struct probe **wrong; /* by rule: the first that comes to it */
	size_t looks;
};

/* The first rule that takes all of a probe. */
static uint32_t
end_of_probe(struct walk *w, const struct probe *p)
{
	const struct index *x = &w->index;
	uint32_t end = NONE;

	for (size_t i = 0; i < p->n; i++)
		for (uint32_t k = x->begin[p->atom[i]];
		     k < x->begin[p->atom[i] + 1] && x->rule[k] < end; k++) {
			w->looks++;
			if (route_on(&w->rs->route[x->rule[k]], p) == SURELY)
				end = x->rule[k];
		}
	return end;
}

static void
find_wrong(struct walk *w, const struct probe *p)
{
	const struct index *x = &w->index;
	uint32_t end = end_of_probe(w, p), rule;

	for (size_t i = 0; i < p->n; i++)
		for (uint32_t k = x->begin[p->atom[i]];
		     k < x->begin[p->atom[i] + 1] && x->rule[k] <= end; k++) {
			rule = x->rule[k];
			w->looks++;
			if (w->wrong[rule] == NULL &&
			    regular_only_path(&w->rs->route[rule]) != NULL &&
			    route_on(&w->rs->route[rule], p) != IMPOSSIBLE)
				w->wrong[rule] = p;
		}
}

static void
walk(struct parse *p, const struct probes *ps)
{
	struct walk w = { .rs = p->rs };

	make_index(p->rs, &w.index);
	w.wrong = rules_alloc((p->rs->nroute + 1) * sizeof(struct probe *));
	for (size_t i = 0; i < ps->alike.n && w.looks < LOOKS_MAX; i++)
		find_wrong(&w, &ps->probe[i]);
	for (uint32_t i = 0; i < p->rs->nroute; i++)
		if (w.wrong[i] != NULL)
			report(p, i, w.wrong[i]);
	if (w.looks >= LOOKS_MAX)
		rules_report_add(p->report, p->rs->source[0]->name, 0, 0, NULL,
		    0,
		    "too many rules for the carriers' %zu domains to tell "
		    "where irregular addresses go",
		    ps->alike.n);
	free(w.wrong);
	free(w.index.begin);
	free(w.index.rule);
}

void
check_irregular(struct parse *p)
{
	struct probes ps = { .rs = p->rs };

	if (p->options->nregular_only == 0)
		return;
	add_domains(&ps);
	add_addresses(&ps);
	walk(p, &ps);
	table_clear(&ps.alike);
	free(ps.probe);
	arena_clear(&ps.arena);
}
