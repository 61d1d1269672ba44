/*
 * parse_who.c - WHO: those whom `from`, `to` and `header-from` ask for.
 *
 * One or more of: an address, a domain, `.suffix`, `domain D...`, `carrier
 * C...`, a pattern, or `any` alone; several are alternatives.
 */
#include "rules/parse_int.h"

#include <string.h>

void
add_member(
    struct words *w, struct condition *c, const struct token *t, uint32_t *atom)
{
	if (*atom == ATOM_NO)
		*atom = atom_new(w->parse->rs);
	c->member =
	    rules_grow(c->member, &c->room, c->n + 1, sizeof(*c->member));
	c->member[c->n++] = (struct member){
		.atom = *atom,
		.at = (uint32_t)(t->at - t->source->text),
	};
}

void
add_fixed(
    struct words *w, struct condition *c, const struct token *t, uint32_t atom)
{
	add_member(w, c, t, &atom);
}

static int
add_domain(struct words *w, struct condition *c, const struct token *t)
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
	add_member(w, c, t, below ? &d->below.atom : &d->self.atom);
	return 0;
}

static int
add_address(struct words *w, struct condition *c, const struct token *t)
{
	struct ruleset *rs = w->parse->rs;
	const char *local, *domain, *address;
	uint32_t number;

	if (c->kind == CONDITION_HEADER_FROM) {
		problem_at(w->parse->report, t,
		    "'%s' is an address, and 'header-from' looks at the domain",
		    word_show(w, t));
		return -1;
	}
	if (read_address(w, t, &local, &domain) < 0)
		return -1;
	address = arena_printf(&rs->arena, "%s@%s",
	    copy_lower(&rs->arena, local, strlen(local)), domain);
	number = address_put(rs, address, strlen(address));
	add_member(w, c, t, &rs->address[number]);
	return 0;
}

static int
refuse_pattern(struct words *w, const char *list)
{
	const struct token *t = word_peek(w);

	problem_at(w->parse->report, t,
	    "'%s' is a pattern; write it before '%s'", word_show(w, t), list);
	return -1;
}

static int
add_carriers(struct words *w, struct condition *c)
{
	struct ruleset *rs = w->parse->rs;
	const struct token *t;
	uint32_t number;

	do {
		t = word_peek(w);
		if (word_take(w, "*")) {
			add_fixed(w, c, t, ATOM_ANY_CARRIER);
			rs->any_carrier = true;
			continue;
		}
		if (t != NULL && t->pattern)
			return refuse_pattern(w, "carrier");
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
		add_member(w, c, t, &rs->carrier[number].atom);
	} while (word_peek(w) != NULL && !word_reserved(word_peek(w)));
	return 0;
}

static int
add_domains(struct words *w, struct condition *c)
{
	const struct token *t;

	do {
		t = word_peek(w);
		if (t == NULL || word_reserved(t))
			return word_expected(w, "a domain", NULL, 0);
		if (t->pattern)
			return refuse_pattern(w, "domain");
		if (add_domain(w, c, word_next(w)) < 0)
			return -1;
	} while (word_peek(w) != NULL && !word_reserved(word_peek(w)));
	return 0;
}

static int
add_pattern(struct words *w, struct condition *c, const struct token *t)
{
	uint32_t number;

	if (t->body == 0) {
		problem_at(w->parse->report, t,
		    "the pattern is empty; 'any' takes everybody");
		return -1;
	}
	if (read_pattern(w, t, false, &number) < 0)
		return -1;
	if (c->npattern++ == 0)
		c->pattern = number;
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

/* A word that is none of WHO: say what would have been. */
static int
refuse_who(struct words *w, const struct condition *c)
{
	static const char *const names[] = { "any", "carrier", "domain", "via",
		"and", "reject", "hold", "discard" };
	const struct token *t = word_peek(w);

	if (word_is(t, "not")) {
		problem_at(w->parse->report, t,
		    "'not' comes before the whole condition: 'not to ...'");
		return -1;
	}
	if (names_carrier(w, t)) {
		problem_at(w->parse->report, t,
		    "'%s' is a carrier; write 'carrier %s'", word_show(w, t),
		    word_show(w, t));
		return -1;
	}
	return word_expected(w,
	    c->kind == CONDITION_HEADER_FROM
		? "'any', 'carrier', 'domain' or a domain"
		: "'any', 'carrier', 'domain' or an address",
	    names, sizeof(names) / sizeof(*names));
}

/* A word that says by itself what it is. */
static int
add_bare(struct words *w, struct condition *c)
{
	const struct token *t = word_peek(w);

	if (c->kind == CONDITION_FROM && word_is(t, "<>")) {
		add_fixed(w, c, word_next(w), ATOM_NULL_PATH);
		return 0;
	}
	if (t != NULL && t->pattern)
		return add_pattern(w, c, word_next(w));
	if (t != NULL && memchr(t->text, '@', t->len) != NULL)
		return add_address(w, c, word_next(w));
	if (t != NULL && memchr(t->text, '.', t->len) != NULL)
		return add_domain(w, c, word_next(w));
	return refuse_who(w, c);
}

static int
add_who(struct words *w, struct condition *c)
{
	if (word_take(w, "carrier"))
		return add_carriers(w, c);
	if (word_take(w, "domain"))
		return add_domains(w, c);
	return add_bare(w, c);
}

static bool
ends_who(const struct words *w)
{
	const struct token *t = word_peek(w);

	return t == NULL || (word_reserved(t) && !word_is(t, "carrier") &&
				!word_is(t, "domain") && !word_is(t, "any"));
}

int
parse_who(struct words *w, struct condition *c)
{
	if (word_is(word_peek(w), "any") && c->negated) {
		problem_at(w->parse->report, word_peek(w),
		    "'not ... any' would be nobody");
		return -1;
	}
	if (word_take(w, "any"))
		return 0;
	do {
		if (word_is(word_peek(w), "any")) {
			problem_at(w->parse->report, word_peek(w),
			    "'any' stands alone, not beside other conditions");
			return -1;
		}
		if (add_who(w, c) < 0)
			return -1;
	} while (!ends_who(w));
	return 0;
}
