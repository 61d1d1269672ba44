/*
 * parse_route.c - `route NAME [from WHO] [to WHO] via PATH ...`
 *
 * WHO is one or more of: an address, a domain, `.suffix`, `domain D...`,
 * `carrier C...`, or `any` alone; several are alternatives, while from and to
 * must both hold. What the language will have but this version has not is
 * refused by name.
 */
#include "rules/parse_int.h"

#include <string.h>

/* A rule's senders times its recipients: each pair costs 12 bytes in a table
 * (compile.c). */
#define PAIRS_MAX 1000000u

static int clause_from(struct words *, struct route *);
static int clause_to(struct words *, struct route *);

/* clang-format off */
static const struct {
	const char *word;
	int (*parse)(struct words *, struct route *);
	const char *later; /* what to call it when it is refused */
} clauses[] = {
	{ "from",        clause_from, NULL },
	{ "to",          clause_to,   NULL },
	{ "and",         NULL,        "'and' between conditions is" },
	{ "header-from", NULL,        "'header-from' conditions are" },
	{ "listener",    NULL,        "'listener' conditions are" },
	{ "local-part",  NULL,        "'local-part' conditions are" },
	{ "not",         NULL,        "'not' is" },
	{ "size",        NULL,        "'size' conditions are" },
	{ "tag",         NULL,        "'tag' conditions are" },
	{ "user",        NULL,        "'user' conditions are" },
	{ "fallback",    NULL,        "'fallback' is" },
	{ "hold",        NULL,        "'hold' rules are" },
	{ "discard",     NULL,        "'discard' rules (other than 'via discard') are" },
	{ "quote",       NULL,        "'quote' in a route (rather than a shape) is" },
	{ "raw",         NULL,        "'raw' in a route (rather than a shape) is" },
	{ "reject",      NULL,        "'reject' rules are" },
};
/* clang-format on */

#define CLAUSES (sizeof(clauses) / sizeof(*clauses))

static int
refuse_later(struct words *w)
{
	const struct token *t = word_peek(w);

	for (size_t i = 0; i < CLAUSES; i++) {
		if (clauses[i].later == NULL || !word_is(t, clauses[i].word))
			continue;
		problem_at(w->parse->report, t, "%s not supported yet",
		    clauses[i].later);
		return -1;
	}
	return 0;
}

static void
add_atom(struct parse *p, struct atoms *set, uint32_t *atom)
{
	if (*atom == ATOM_NO)
		*atom = atom_new(p->rs);
	set->atom =
	    rules_grow(set->atom, &set->room, set->n + 1, sizeof(*set->atom));
	set->atom[set->n++] = *atom;
}

static void
add_fixed(struct parse *p, struct atoms *set, uint32_t atom)
{
	add_atom(p, set, &atom);
}

static int
add_domain(struct words *w, struct atoms *set, const struct token *t)
{
	struct ruleset *rs = w->parse->rs;
	bool below = t->text[0] == '.';
	const char *name;
	struct domain *d;
	uint32_t number;

	if (read_domain(w, t, t->text + below, t->len - below, &name) < 0)
		return -1;
	number = domain_put(rs, name, strlen(name));
	d = &rs->domain[number];
	add_atom(w->parse, set, below ? &d->below.atom : &d->self.atom);
	return 0;
}

static int
add_address(struct words *w, struct atoms *set, const struct token *t)
{
	struct ruleset *rs = w->parse->rs;
	const char *local, *domain, *address;
	uint32_t number;

	if (read_address(w, t, &local, &domain) < 0)
		return -1;
	address = arena_printf(&rs->arena, "%s@%s",
	    copy_lower(&rs->arena, local, strlen(local)), domain);
	number = address_put(rs, address, strlen(address));
	add_atom(w->parse, set, &rs->address[number]);
	return 0;
}

static int
add_carriers(struct words *w, struct atoms *set)
{
	const struct token *t;
	uint32_t number;

	do {
		if (word_take(w, "*")) {
			add_fixed(w->parse, set, ATOM_ANY_CARRIER);
			continue;
		}
		t = word_peek(w);
		if (t != NULL && memchr(t->text, '.', t->len) != NULL) {
			problem_at(w->parse->report, t,
			    "expected the name of a carrier, got '%s'; write "
			    "'domain' before domains",
			    word_show(w, t));
			return -1;
		}
		t = word_name(w, NAME_CARRIER);
		if (t == NULL)
			return -1;
		number = mention_carrier(w->parse, t);
		add_atom(w->parse, set, &w->parse->rs->carrier[number].atom);
	} while (word_peek(w) != NULL && !word_reserved(word_peek(w)));
	return 0;
}

static int
add_domains(struct words *w, struct atoms *set)
{
	const struct token *t;

	do {
		t = word_peek(w);
		if (t == NULL || word_reserved(t))
			return word_expected(w, "a domain", NULL, 0);
		if (add_domain(w, set, word_next(w)) < 0)
			return -1;
	} while (word_peek(w) != NULL && !word_reserved(word_peek(w)));
	return 0;
}

static bool
names_carrier(const struct words *w, const struct token *t)
{
	const struct ruleset *rs = w->parse->rs;
	uint32_t number;

	if (t == NULL || t->string)
		return false;
	number = table_get(&rs->carriers, t->text, t->len);
	return number != TABLE_NONE && rs->carrier[number].defined;
}

/* A word that says by itself what it is. */
static int
add_bare(struct words *w, struct atoms *set, bool sender)
{
	static const char *const names[] = { "any", "carrier", "domain" };
	const struct token *t = word_peek(w);

	if (sender && word_is(t, "<>")) {
		word_next(w);
		add_fixed(w->parse, set, ATOM_NULL_PATH);
		return 0;
	}
	if (t != NULL && !t->string && t->text[0] == '/') {
		problem_at(
		    w->parse->report, t, "patterns are not supported yet");
		return -1;
	}
	if (t != NULL && memchr(t->text, '@', t->len) != NULL)
		return add_address(w, set, word_next(w));
	if (t != NULL && memchr(t->text, '.', t->len) != NULL)
		return add_domain(w, set, word_next(w));
	if (t != NULL && refuse_later(w) < 0)
		return -1;
	if (names_carrier(w, t)) {
		problem_at(w->parse->report, t,
		    "'%s' is a carrier; write 'carrier %s'", word_show(w, t),
		    word_show(w, t));
		return -1;
	}
	return word_expected(w, "'any', 'carrier', 'domain' or an address",
	    names, sizeof(names) / sizeof(*names));
}

static bool
ends_clause(const struct words *w)
{
	const struct token *t = word_peek(w);

	return t == NULL || (word_reserved(t) && !word_is(t, "carrier") &&
				!word_is(t, "domain") && !word_is(t, "any"));
}

static int
add_who(struct words *w, struct atoms *set, bool sender)
{
	if (word_take(w, "carrier"))
		return add_carriers(w, set);
	if (word_take(w, "domain"))
		return add_domains(w, set);
	return add_bare(w, set, sender);
}

static int
read_who(struct words *w, struct atoms *set, bool sender)
{
	if (word_take(w, "any"))
		return 0;
	do {
		if (word_is(word_peek(w), "any")) {
			problem_at(w->parse->report, word_peek(w),
			    "'any' stands alone, not beside other conditions");
			return -1;
		}
		if (add_who(w, set, sender) < 0)
			return -1;
	} while (!ends_clause(w));
	return 0;
}

static int
clause_from(struct words *w, struct route *r)
{
	return read_who(w, &r->from, true);
}

static int
clause_to(struct words *w, struct route *r)
{
	return read_who(w, &r->to, false);
}

/* ---- via ---- */

/* `pool NAME` and the like. The path is known by then. */
static int
read_option(struct words *w, enum name_kind name_kind, enum rules_use_kind kind,
    const char *path, const char **out)
{
	const struct token *t, *option = &w->token[w->at - 1];

	if (*out != NULL) {
		problem_at(w->parse->report, option, "'%s' is given twice",
		    word_show(w, option));
		return -1;
	}
	t = word_name(w, name_kind);
	if (t == NULL)
		return -1;
	*out = arena_strndup(&w->parse->rs->arena, t->text, t->len);
	add_use(w->parse, kind, t, *out, path);
	return 0;
}

static bool
is_percent(const struct token *t)
{
	return t != NULL && !t->string && t->text[t->len - 1] == '%';
}

static int
read_target(struct words *w, struct target *target, bool *shared)
{
	const struct token *t = word_name(w, NAME_PATH);
	struct ruleset *rs = w->parse->rs;
	uint32_t number;

	if (t == NULL)
		return -1;
	number = path_put(rs, t->text, t->len);
	target->path = rs->paths.name[number].text;
	add_use(w->parse, RULES_USE_PATH, t, target->path, target->path);
	*shared = is_percent(word_peek(w));
	target->share = 10000;
	if (*shared && read_percent(w, word_next(w), &target->share) < 0)
		return -1;
	for (;;) {
		int rc;

		if (word_take(w, "pool"))
			rc = read_option(w, NAME_POOL, RULES_USE_POOL,
			    target->path, &target->pool);
		else if (word_take(w, "configuration-set"))
			rc = read_option(w, NAME_CONFIGURATION_SET,
			    RULES_USE_CONFIGURATION_SET, target->path,
			    &target->configuration_set);
		else
			return refuse_later(w);
		if (rc < 0)
			return -1;
	}
}

static int
add_target(struct words *w, struct route *r, unsigned *sum)
{
	static const char *const names[] = { "pool", "configuration-set" };
	struct target target = { .path = NULL };
	bool shared;

	if (read_target(w, &target, &shared) < 0)
		return -1;
	r->target = rules_grow(
	    r->target, &r->target_room, r->ntarget + 1, sizeof(*r->target));
	r->target[r->ntarget++] = target;
	*sum += target.share;
	if (word_peek(w) == NULL || shared)
		return 0;
	if (word_is(word_peek(w), "to") || word_is(word_peek(w), "from")) {
		problem_at(w->parse->report, word_peek(w),
		    "conditions come before 'via'");
		return -1;
	}
	return word_expected(w,
	    "'pool', 'configuration-set', a share such as '95%' or the end "
	    "of the line",
	    names, sizeof(names) / sizeof(*names));
}

static int
read_via(struct words *w, struct route *r)
{
	const struct token *via = &w->token[w->at - 1];
	unsigned sum = 0;

	do {
		if (add_target(w, r, &sum) < 0)
			return -1;
	} while (word_peek(w) != NULL);
	if (sum == 10000)
		return 0;
	problem_at(w->parse->report, via,
	    "the shares add up to %u.%02u%%, expected 100%%", sum / 100,
	    sum % 100);
	return -1;
}

/* ---- the statement ---- */

static int
read_clause(struct words *w, struct route *r, bool *seen)
{
	static const char *const names[] = { "from", "to", "via" };

	for (size_t i = 0; i < CLAUSES; i++) {
		if (clauses[i].parse == NULL ||
		    !word_is(word_peek(w), clauses[i].word))
			continue;
		if (seen[i]) {
			problem_at(w->parse->report, word_peek(w),
			    "'%s' is given twice", clauses[i].word);
			return -1;
		}
		seen[i] = true;
		word_next(w);
		return clauses[i].parse(w, r);
	}
	if (refuse_later(w) < 0)
		return -1;
	return word_expected(
	    w, "'from', 'to' or 'via'", names, sizeof(names) / sizeof(*names));
}

static int
read_route(struct words *w, struct route *r)
{
	bool seen[CLAUSES] = { false };
	const struct token *first = word_peek(w);

	while (!word_take(w, "via"))
		if (read_clause(w, r, seen) < 0)
			return -1;
	if (word_is(first, "via")) {
		problem_at(w->parse->report, first,
		    "no condition before 'via'; 'to any' takes everything");
		return -1;
	}
	if ((uint64_t)r->to.n * r->from.n > PAIRS_MAX) {
		problem_at(w->parse->report, first,
		    "%zu senders times %zu recipients are more than %u pairs; "
		    "make it two rules",
		    r->from.n, r->to.n, PAIRS_MAX);
		return -1;
	}
	return read_via(w, r);
}

/* The rule is in the set even when it is wrong: its name is taken, and
 * ruleset_free finds its arrays. */
static struct route *
new_route(struct words *w, const struct token *name)
{
	struct ruleset *rs = w->parse->rs;
	uint32_t number;

	rs->route = rules_grow(
	    rs->route, &rs->route_room, rs->nroute + 1, sizeof(*rs->route));
	number =
	    table_put(&w->parse->rule_names, &rs->arena, name->text, name->len);
	if (number < rs->nroute) {
		problem_at(w->parse->report, name,
		    "rule '%s' is defined already, at %s:%u",
		    word_show(w, name), rs->route[number].rule.file,
		    rs->route[number].rule.line);
		return NULL;
	}
	rs->route[rs->nroute].rule = (struct rule){
		.name = w->parse->rule_names.name[number].text,
		.file = name->source->name,
		.line = name->line,
	};
	return &rs->route[rs->nroute++];
}

int
parse_route(struct words *w)
{
	const struct token *name = word_name(w, NAME_RULE);
	struct route *r;

	if (name == NULL)
		return -1;
	r = new_route(w, name);
	return r != NULL ? read_route(w, r) : -1;
}
