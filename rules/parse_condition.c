/*
 * parse_condition.c - what a route asks for: `from WHO`, `not to WHO`, `size >
 * 1MB` ...
 *
 * parse_who.c reads WHO, parse_route.c the rest of the statement.
 */
#include "rules/parse_int.h"

#include <string.h>

/* Names up to the next word of the language. A quoted one is always a name. */
static bool
names_go_on(const struct words *w)
{
	const struct token *t = word_peek(w);

	return t != NULL && !word_reserved(t);
}

static int
read_users(struct words *w, struct condition *c)
{
	struct ruleset *rs = w->parse->rs;

	do {
		const struct token *t = word_peek(w);

		if (!names_go_on(w) || t->pattern || t->len == 0)
			return word_expected(
			    w, "the name of a user or '*'", NULL, 0);
		if (!t->string && t->text[t->len - 1] == ',') {
			problem_at(w->parse->report, t,
			    "'%s' ends in a comma; names are separated by "
			    "blanks, and quoted where they have such letters",
			    word_show(w, t));
			return -1;
		}
		word_next(w);
		if (word_is(t, "*"))
			add_fixed(w, c, t, ATOM_ANY_USER);
		else
			add_member(w, c, t,
			    name_put(rs, SUBJECT_USER, t->text, t->len));
	} while (names_go_on(w));
	return 0;
}

static int
read_listeners(struct words *w, struct condition *c)
{
	struct ruleset *rs = w->parse->rs;

	do {
		const struct token *t = word_name(w, NAME_LISTENER);
		const char *name;

		if (t == NULL)
			return -1;
		name = arena_strndup(&rs->arena, t->text, t->len);
		add_use(w->parse, RULES_USE_LISTENER, t, name, name);
		add_member(
		    w, c, t, name_put(rs, SUBJECT_LISTENER, t->text, t->len));
	} while (names_go_on(w));
	return 0;
}

static int
read_tags(struct words *w, struct condition *c)
{
	do {
		const struct token *t = word_peek(w);

		if (!names_go_on(w) || !is_tag(t))
			return word_expected(
			    w, "a tag such as 'campaign=spring'", NULL, 0);
		word_next(w);
		add_member(w, c, t,
		    name_put(w->parse->rs, SUBJECT_TAG, t->text, t->len));
	} while (names_go_on(w));
	return 0;
}

static int
check_size(struct words *w, const struct condition *c, const struct token *t)
{
	const struct token *unit = word_peek(w);

	if (c->kind == CONDITION_SIZE_BELOW && c->size == 0) {
		problem_at(
		    w->parse->report, t, "no message has less than 0 bytes");
		return -1;
	}
	if (!word_is(unit, "B") && !word_is(unit, "KB") &&
	    !word_is(unit, "MB") && !word_is(unit, "GB"))
		return 0;
	problem_at(w->parse->report, unit,
	    "write the unit at the number: '%s%s'", word_show(w, t),
	    word_show(w, unit));
	return -1;
}

static int
read_size(struct words *w, struct condition *c)
{
	const struct token *t;

	if (word_take(w, ">"))
		c->kind = CONDITION_SIZE_ABOVE;
	else if (word_take(w, "<"))
		c->kind = CONDITION_SIZE_BELOW;
	else
		return word_expected(w, "'>' or '<'", NULL, 0);
	t = word_peek(w);
	if (t == NULL || word_reserved(t))
		return word_expected(w, "a size such as '1MB'", NULL, 0);
	if (read_bytes(w, word_next(w), &c->size) < 0)
		return -1;
	return check_size(w, c, t);
}

static int
read_local_part(struct words *w, struct condition *c)
{
	static const char *const names[] = { "irregular" };

	(void)c;
	if (!word_take(w, "irregular"))
		return word_expected(w, "'irregular'", names, 1);
	return 0;
}

/* clang-format off */
static const struct kind {
	const char *word;
	enum condition_kind kind;
	int (*parse)(struct words *, struct condition *);
} kinds[] = {
	{ "from",        CONDITION_FROM,        parse_who },
	{ "to",          CONDITION_TO,          parse_who },
	{ "header-from", CONDITION_HEADER_FROM, parse_who },
	{ "user",        CONDITION_USER,        read_users },
	{ "listener",    CONDITION_LISTENER,    read_listeners },
	{ "tag",         CONDITION_TAG,         read_tags },
	{ "size",        CONDITION_SIZE_ABOVE,  read_size },
	{ "local-part",  CONDITION_IRREGULAR,   read_local_part },
};
/* clang-format on */

#define KINDS (sizeof(kinds) / sizeof(*kinds))

static const struct kind *
kind_of(const struct token *t)
{
	for (size_t i = 0; i < KINDS; i++)
		if (word_is(t, kinds[i].word))
			return &kinds[i];
	return NULL;
}

static struct condition *
new_condition(struct words *w, struct route *r, const struct kind *kind,
    const struct token *first)
{
	struct condition *c;

	r->condition = rules_grow(r->condition, &r->condition_room,
	    r->ncondition + 1, sizeof(*r->condition));
	c = &r->condition[r->ncondition++];
	*c = (struct condition){
		.kind = kind->kind,
		.negated = word_is(first, "not"),
		.at = (uint32_t)(first->at - first->source->text),
	};
	(void)w;
	return c;
}

/* One that asks for `any` is not in the list: the words tell. */
static bool
asks_already(const struct words *w, const char *word)
{
	for (size_t i = 0; i + 1 < w->at; i++)
		if (word_is(&w->token[i + 1], word) &&
		    !word_is(&w->token[i], "not"))
			return true;
	return false;
}

/* Words that people write where a condition should begin. */
static const struct {
	const char *word, *problem;
} slips[] = {
	{ "domain", "'domain' needs 'to', 'from' or 'header-from' before it" },
	{ "carrier",
	    "'carrier' needs 'to', 'from' or 'header-from' before it" },
	{ "irregular", "'irregular' needs 'local-part' before it" },
	{ "or", "there is no 'or'; alternatives stand in one list, or in rules "
		"of their own" },
};

/* `after`: the word that asked for one, "and" or "not"; NULL: none did, and the
 * conditions may be over. */
static int
no_condition(struct words *w, const char *after)
{
	static const char *const names[] = { "any", "from", "header-from",
		"listener", "local-part", "not", "size", "tag", "to", "user",
		"via", "reject", "hold", "discard" };
	const size_t actions = 4; /* the last of the names */
	const struct token *t = word_peek(w);
	size_t n = sizeof(names) / sizeof(*names);

	for (size_t i = 0; i < sizeof(slips) / sizeof(*slips); i++)
		if (word_is(t, slips[i].word)) {
			problem_at(w->parse->report, t, "%s", slips[i].problem);
			return -1;
		}
	if (after == NULL)
		return word_expected(
		    w, "a condition such as 'to', or 'via'", names, n);
	if (word_is(t, after) && word_is(t, "not")) {
		problem_at(w->parse->report, t, "'not' is given twice");
		return -1;
	}
	if (t == NULL)
		return word_expected(w, "a condition", NULL, 0);
	return word_expected(w,
	    arena_printf(&w->parse->rs->arena, "a condition after '%s'", after),
	    names, n - actions);
}

/* `any` asks for nothing. */
static int
read_any(struct words *w, const struct token *first)
{
	if (!word_is(first, "not"))
		return 0;
	problem_at(w->parse->report, first, "'not any' would be nobody");
	return -1;
}

int
parse_condition(struct words *w, struct route *r, bool joined)
{
	const struct token *first = word_peek(w), *last;
	bool negated = word_take(w, "not");
	const struct kind *kind = kind_of(word_peek(w));
	struct condition *c;

	if (word_take(w, "any"))
		return read_any(w, first);
	if (kind == NULL)
		return no_condition(w, negated ? "not" : joined ? "and" : NULL);
	if (!joined && !negated && kind->kind <= CONDITION_HEADER_FROM &&
	    asks_already(w, kind->word)) {
		problem_at(w->parse->report, first,
		    "'%s' is given twice; write 'and %s' if both must hold",
		    kind->word, kind->word);
		return -1;
	}
	word_next(w);
	c = new_condition(w, r, kind, first);
	if (kind->parse(w, c) < 0)
		return -1;
	last = &w->token[w->at - 1];
	c->len = (uint32_t)(last->at - first->at) + word_span(last);
	/* `to any` asks for nothing either. */
	if (kind->parse == parse_who && c->n + c->npattern == 0)
		r->ncondition--;
	return 0;
}
