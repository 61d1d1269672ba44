/*
 * format_style.c - the cells of a statement, and where it may be broken.
 *
 * Knows the order of words in each statement and nothing of what they mean: a
 * statement that would not load is formatted all the same.
 */
#include "rules/format_int.h"

#include <string.h>

#include "rules/parse_int.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool
among(const struct token *t, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (word_is(t, names[i]))
			return true;
	return false;
}

static const struct format_key *
find_key(const struct style *s, const struct token *t)
{
	for (size_t i = 0; i < s->nkey; i++)
		if (word_is(t, s->key[i].name))
			return &s->key[i];
	return NULL;
}

/* ---- cells ---- */

static void
split_plain(
    const struct style *s, const struct token *t, size_t n, size_t *cell)
{
	(void)s;
	(void)t;
	(void)n;
	(void)cell;
}

/* route NAME | conditions | action */
static void
split_route(
    const struct style *s, const struct token *t, size_t n, size_t *cell)
{
	static const char *const actions[] = {
		"via",
		"reject",
		"hold",
		"discard",
	};
	size_t i = 2;

	(void)s;
	while (i < n && !among(&t[i], actions, COUNT(actions)))
		i++;
	cell[1] = 2;
	cell[2] = i;
}

/* carrier NAME | group NAME | domains */
static void
split_carrier(
    const struct style *s, const struct token *t, size_t n, size_t *cell)
{
	(void)s;
	cell[1] = 2;
	cell[2] = n > 2 && word_is(&t[2], "group") ? 4 : 2;
}

/* reply GROUP | what is said | what it means. A group may be called as an
 * action is. */
static void
split_reply(
    const struct style *s, const struct token *t, size_t n, size_t *cell)
{
	static const char *const actions[] = {
		"bounce",
		"filtered",
		"requote",
		"resend",
		"retry",
		"split",
	};
	size_t i = 2;

	(void)s;
	while (i < n && !among(&t[i], actions, COUNT(actions)))
		i++;
	cell[1] = 2;
	cell[2] = i;
}

/* warm-up NAME | numbers */
static void
split_warm_up(
    const struct style *s, const struct token *t, size_t n, size_t *cell)
{
	(void)s;
	(void)t;
	(void)n;
	cell[1] = 2;
}

/* hint | domains | "text" */
static void
split_hint(const struct style *s, const struct token *t, size_t n, size_t *cell)
{
	size_t i = 1;

	(void)s;
	while (i < n && !t[i].string)
		i++;
	cell[1] = 1;
	cell[2] = i;
}

/* shape SCOPE | keys. Names are as long as the scope wants them, so that one
 * called `rate` is no key; only a list of domains ends at the first key. */
static void
split_shape(
    const struct style *s, const struct token *t, size_t n, size_t *cell)
{
	static const char *const named[] = { "path", "carrier", "group" };
	size_t i = 2;

	if (n > 1 && among(&t[1], named, COUNT(named)))
		i = 3;
	else if (n > 1 && !word_is(&t[1], "default"))
		while (i < n && find_key(s, &t[i]) == NULL)
			i++;
	cell[1] = i;
}

/* expect ENVELOPE | wishes */
static void
split_expect(
    const struct style *s, const struct token *t, size_t n, size_t *cell)
{
	static const char *const inputs[] = {
		"from",
		"header-from",
		"listener",
		"size",
		"tag",
		"to",
		"user",
	};
	size_t i = 1;

	while (i < n && find_key(s, &t[i]) == NULL)
		i += among(&t[i], inputs, COUNT(inputs)) ? 2 : 1;
	cell[1] = i;
}

static const struct format_key shape_keys[] = {
	{ "connections", true },
	{ "expiry", true },
	{ "max-header", true },
	{ "max-line", true },
	{ "max-size", true },
	{ "messages", true },
	{ "quote", false },
	{ "rate", true },
	{ "raw", false },
	{ "recipients", true },
	{ "require-tls", true },
	{ "retry", true },
	{ "unfit", true },
	{ "unknown-users", true },
	{ "warm-up", true },
};

static const struct format_key warm_up_keys[] = {
	{ "cap", true },
	{ "first", true },
	{ "grow", true },
	{ "overflow", false },
	{ "wait", false },
};

static const struct format_key expect_keys[] = {
	{ "carrier", true },
	{ "discard", false },
	{ "hold", false },
	{ "pool", true },
	{ "reject", false },
	{ "rule", true },
	{ "via", true },
};

static const struct style styles[] = {
	{
	    .keyword = "route",
	    .split = split_route,
	    .gap = { 2, 3 },
	    .cap = { 40, 48 },
	    .indent = 1,
	    .own_line = true,
	},
	{
	    .keyword = "carrier",
	    .split = split_carrier,
	    .gap = { 1, 2 },
	    .cap = { 40, 40 },
	    .indent = 2,
	},
	{
	    .keyword = "hint",
	    .split = split_hint,
	    .gap = { 1, 2 },
	    .cap = { 40, 32 },
	    .indent = 1,
	    .own_line = true,
	},
	{
	    .keyword = "shape",
	    .split = split_shape,
	    .gap = { 2 },
	    .cap = { 40 },
	    .indent = 1,
	    .key = shape_keys,
	    .nkey = COUNT(shape_keys),
	},
	{
	    .keyword = "reply",
	    .split = split_reply,
	    .gap = { 2, 3 },
	    .cap = { 40, 56 },
	    .indent = 1,
	    .own_line = true,
	},
	{
	    .keyword = "warm-up",
	    .split = split_warm_up,
	    .gap = { 2 },
	    .cap = { 40 },
	    .indent = 1,
	    .key = warm_up_keys,
	    .nkey = COUNT(warm_up_keys),
	},
	{
	    .keyword = "expect",
	    .split = split_expect,
	    .gap = { 2 },
	    .cap = { 40 },
	    .indent = 1,
	    .key = expect_keys,
	    .nkey = COUNT(expect_keys),
	},
	{ .keyword = "include", .split = split_plain },
};

static const struct style plain = { .split = split_plain };

const struct style *
style_of(const struct token *keyword)
{
	for (size_t i = 0; i < COUNT(styles); i++)
		if (word_is(keyword, styles[i].keyword))
			return &styles[i];
	return &plain;
}

/* ---- words ---- */

/* Words that say nothing without the next one. */
static bool
binds(const struct token *t)
{
	static const char *const words[] = {
		"<",
		">",
		"and",
		"at-expiry",
		"bounce",
		"carrier",
		"configuration-set",
		"domain",
		"expect",
		"fallback",
		"filtered",
		"from",
		"group",
		"header-from",
		"hint",
		"include",
		"lane",
		"listener",
		"local-part",
		"not",
		"path",
		"pause",
		"pool",
		"reject",
		"reply",
		"requote",
		"resend",
		"retry",
		"route",
		"shape",
		"size",
		"source",
		"split",
		"tag",
		"to",
		"user",
		"via",
		"warm-up",
	};

	return among(t, words, COUNT(words));
}

/* A share belongs to the path before it. */
static bool
is_share(const struct token *t)
{
	return !t->string && !t->pattern && t->text[t->len - 1] == '%';
}

static void
add_words(struct block *b, const struct token *t, size_t n)
{
	b->word =
	    rules_grow(b->word, &b->word_room, b->nword + n, sizeof(*b->word));
	for (size_t i = 0; i < n; i++)
		b->word[b->nword++] = (struct word){
			.text = t[i].at,
			.len = (unsigned)t[i].written,
			.width = text_width(t[i].at, t[i].written),
			.gap = 1,
			.glued = i > 0 && (binds(&t[i - 1]) || is_share(&t[i])),
		};
}

/* Of the second cell's words: a key and its value stay together, two blanks
 * between pairs. What is no key is taken for one that this version does not
 * know. */
static void
pair_words(const struct style *s, struct word *w, const struct token *t,
    size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct format_key *key = find_key(s, &t[i]);

		w[i].gap = 2;
		w[i].glued = false;
		if (i + 1 < to &&
		    (key != NULL ? key->value : !find_key(s, &t[i + 1])))
			w[++i].glued = true;
	}
}

/* Where each cell begins, the last one's end included. */
static void
set_cells(struct row *r, const struct style *s, const struct token *t)
{
	for (size_t k = 1; k <= FORMAT_CELLS; k++)
		r->cell[k] = r->n;
	s->split(s, t, r->n, r->cell);
	for (size_t k = 1; k < FORMAT_CELLS; k++)
		if (r->cell[k] > r->n)
			r->cell[k] = r->n;
}

static void
measure_cells(struct row *r, struct word *w)
{
	for (size_t k = 0; k < FORMAT_CELLS; k++) {
		if (r->cell[k] == r->cell[k + 1])
			continue;
		w[r->cell[k]].gap = 0;
		w[r->cell[k]].glued = false;
		for (size_t i = r->cell[k]; i < r->cell[k + 1]; i++)
			r->width[k] += w[i].gap + w[i].width;
	}
}

void
block_add(struct block *b, const struct lex *lex)
{
	const struct style *s = b->style;
	struct word *w;
	struct row *r;

	b->row = rules_grow(b->row, &b->row_room, b->nrow + 1, sizeof(*b->row));
	r = &b->row[b->nrow++];
	*r = (struct row){
		.first = b->nword,
		.n = lex->n,
		.comment = lex->comment,
		.comment_len = lex->comment_len,
	};
	add_words(b, lex->token, lex->n);
	w = b->word + r->first;
	set_cells(r, s, lex->token);
	if (s->key != NULL)
		pair_words(s, w, lex->token, r->cell[1], r->n);
	measure_cells(r, w);
}
