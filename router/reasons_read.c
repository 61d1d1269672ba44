/*
 * reasons_read.c - the statements of a table of reasons (reasons.table(5)).
 *
 *	system NAME [host NAME...] [domain NAME...]  # source
 *	texts NAME "words" | /pattern/ ...  # source
 *	SYSTEM|any [stage S] [code C] [status D.S.N] [form F] [text | "words" |
 * /pattern/ | NAME ...]
 *	    -> REASON [hard|soft] [scope S]  # source
 *
 * A mistake ends the reading of its statement and never that of the table.
 */
#include "router/reasons_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/err.h"
#include "mta/base/map.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct item {
	uint32_t literal;
	const pcre2_code *pattern;
};

/* `texts`: what several lines use. */
struct text_list {
	char *name;
	struct item *items;
	size_t n;
};

struct reading {
	struct reasons *table;
	struct lexer lexer;
	struct str *report;
	unsigned mistakes;
	unsigned start;	   /* line of the statement */
	struct map *known; /* literal -> its number + 1 */
	struct text_list *lists;
	size_t nlists;
};

static int mistake(struct reading *, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
mistake(struct reading *r, unsigned line, const char *fmt, ...)
{
	va_list ap;

	r->lexer.kind = TOKEN_BAD;
	if (r->mistakes++ >= REASONS_MISTAKES_MAX)
		return -1;
	str_addf(r->report, "%s:%u: ", r->table->file, line);
	va_start(ap, fmt);
	str_vaddf(r->report, fmt, ap);
	va_end(ap);
	str_addc(r->report, '\n');
	return -1;
}

static enum token_kind
next(struct reading *r)
{
	enum token_kind kind = lexer_next(&r->lexer);

	if (kind == TOKEN_BAD)
		mistake(r, r->lexer.token_line, "%s", r->lexer.why);
	return kind;
}

static int
unexpected(struct reading *r, const char *expected)
{
	struct lexer *l = &r->lexer;

	if (l->kind == TOKEN_BAD)
		return -1; /* told */
	if (l->kind == TOKEN_END)
		return mistake(r, r->start, "expected %s", expected);
	return mistake(r, l->token_line, "expected %s, not '%s'", expected,
	    l->kind == TOKEN_ARROW ? "->" : l->token.data);
}

/* -- system --------------------------------------------------------------- */

static bool
is_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.");

	return n > 0 && name[n] == '\0' && name[0] != '.' && name[n - 1] != '.';
}

static int
read_system(struct reading *r)
{
	struct systems *s = &r->table->systems;
	struct lexer *l = &r->lexer;
	void (*add)(struct systems *, unsigned, const char *) = NULL;
	unsigned system;

	if (next(r) != TOKEN_WORD || !is_name(l->token.data))
		return unexpected(r, "a system's name in lower case");
	if (lexer_is(l, "any") || lexer_is(l, "system"))
		return mistake(r, l->token_line, "no system can be called '%s'",
		    l->token.data);
	if (reasons_system_find(s, l->token.data, l->token.len) >= 0)
		return mistake(r, l->token_line, "system '%s' stands twice",
		    l->token.data);
	if (s->n == REASONS_SYSTEMS_MAX)
		return mistake(
		    r, r->start, "more than %u systems", REASONS_SYSTEMS_MAX);
	system = reasons_system_add(s, l->token.data);
	while (next(r) == TOKEN_WORD) {
		if (lexer_is(l, "host"))
			add = reasons_system_host;
		else if (lexer_is(l, "domain"))
			add = reasons_system_domain;
		else if (add == NULL)
			return unexpected(r, "'host' or 'domain'");
		else if (!is_name(l->token.data))
			return unexpected(r, "a name in lower case");
		else
			add(s, system, l->token.data);
	}
	return l->kind == TOKEN_END ? 0 : unexpected(r, "a name");
}

/* -- the conditions of a line --------------------------------------------- */

/* The next piece of a list with commas; NULL after the last. */
static const char *
piece(const char *list, const char **at, size_t *n)
{
	const char *p = *at == NULL ? list : *at;

	if (*at != NULL && *p++ == '\0')
		return NULL;
	*n = strcspn(p, ",");
	*at = p + *n;
	return p;
}

static int
read_systems(struct reading *r, struct table_line *line)
{
	struct lexer *l = &r->lexer;
	const char *at = NULL, *name;
	size_t n;

	if (l->kind != TOKEN_WORD)
		return unexpected(r, "a system, or 'any'");
	if (lexer_is(l, "any"))
		return 0;
	while ((name = piece(l->token.data, &at, &n)) != NULL) {
		int system = reasons_system_find(&r->table->systems, name, n);

		if (system < 0)
			return mistake(r, l->token_line,
			    "unknown system '%.*s'", (int)n, name);
		if (line->nsystems == REASONS_LIST_MAX)
			return mistake(r, l->token_line, "too many systems");
		line->systems[line->nsystems++] = (unsigned short)system;
	}
	return 0;
}

static int
read_stage(struct reading *r, struct table_line *line)
{
	if (!reasons_read_stages(r->lexer.token.data, &line->stages))
		return unexpected(r, "stages such as 'rcpt' or 'data,dot'");
	return 0;
}

static int
read_code(struct reading *r, struct table_line *line)
{
	const char *at = NULL, *p;
	size_t n;

	while ((p = piece(r->lexer.token.data, &at, &n)) != NULL)
		if (line->ncodes == REASONS_LIST_MAX ||
		    !reasons_read_code(p, n, &line->codes[line->ncodes++]))
			return unexpected(r, "codes such as 550, 55x or 5xx");
	return 0;
}

static int
read_status(struct reading *r, struct table_line *line)
{
	const char *at = NULL, *p;
	size_t n;

	while ((p = piece(r->lexer.token.data, &at, &n)) != NULL)
		if (line->nstatuses == REASONS_LIST_MAX ||
		    !reasons_read_status(
			p, n, &line->statuses[line->nstatuses++]))
			return unexpected(r, "statuses such as 5.1.1 or x.2.2");
	return 0;
}

static int
read_form(struct reading *r, struct table_line *line)
{
	const char *at = NULL, *p;
	size_t n;

	while ((p = piece(r->lexer.token.data, &at, &n)) != NULL) {
		if (n == 0 || line->nforms == REASONS_LIST_MAX)
			return unexpected(r, "forms such as 'qmail'");
		line->forms[line->nforms++] = xstrndup(p, n);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*read)(struct reading *, struct table_line *);
} conditions[] = {
	{ "stage", read_stage },
	{ "code", read_code },
	{ "status", read_status },
	{ "form", read_form },
};

/* -- words and patterns --------------------------------------------------- */

/* It would wait for ever: texts are without theirs. */
static bool
has_address(const char *literal)
{
	char blank[REASONS_WORDS_MAX + 1];
	size_t n = strlen(literal);

	memcpy(blank, literal, n + 1);
	reasons_blank_addresses(blank, n);
	return strcmp(blank, literal) != 0;
}

/* The number of a literal; a new one the first time. */
static int
literal_of(struct reading *r, const char *literal, uint32_t *number)
{
	struct reasons *t = r->table;
	void *known = map_get(r->known, literal);

	if (has_address(literal))
		return mistake(r, r->lexer.token_line,
		    "no address is found in a text: '%s'", literal);
	if (known != NULL) {
		*number = (uint32_t)(uintptr_t)known - 1;
		return 0;
	}
	if (t->nliterals == REASONS_LITERALS_MAX)
		return mistake(
		    r, r->start, "more than %u texts", REASONS_LITERALS_MAX);
	t->literals =
	    xrealloc(t->literals, (t->nliterals + 1) * sizeof(*t->literals));
	t->literal_first = xrealloc(
	    t->literal_first, (t->nliterals + 1) * sizeof(*t->literal_first));
	*number = (uint32_t)t->nliterals;
	t->literal_first[t->nliterals] = 0;
	t->literals[t->nliterals++] = xstrdup(literal);
	map_put(
	    r->known, t->literals[*number], (void *)((uintptr_t)*number + 1));
	return 0;
}

static void
add_alternative(
    struct reading *r, struct table_line *line, const struct item *item)
{
	struct reasons *t = r->table;
	struct alternative a = { .line = (unsigned)t->nlines,
		.literal = item->literal,
		.pattern = item->pattern,
		.next = t->literal_first[item->literal] };

	t->alternatives = xrealloc(
	    t->alternatives, (t->nalternatives + 1) * sizeof(*t->alternatives));
	t->alternatives[t->nalternatives++] = a;
	t->literal_first[a.literal] = (uint32_t)t->nalternatives;
	line->n++;
}

static int
read_words(struct reading *r, struct item *item)
{
	char words[REASONS_WORDS_MAX + 2];
	struct lexer *l = &r->lexer;
	size_t n;

	n = reasons_fold(words, sizeof(words), l->token.data, l->token.len);
	if (n < REASONS_WORDS_MIN || n > REASONS_WORDS_MAX)
		return mistake(r, l->token_line,
		    "a text has from %u to %u characters", REASONS_WORDS_MIN,
		    REASONS_WORDS_MAX);
	item->pattern = NULL;
	return literal_of(r, words, &item->literal);
}

static int
read_pattern(struct reading *r, struct item *item)
{
	char literal[REASONS_WORDS_MAX + 1];
	struct reasons *t = r->table;
	struct lexer *l = &r->lexer;
	struct err e = ERR_INIT;
	pcre2_code *code =
	    reasons_pattern_new(l->token.data, l->token.len, literal, &e);

	if (code == NULL)
		return mistake(r, l->token_line, "%s", e.text);
	t->patterns =
	    xrealloc(t->patterns, (t->npatterns + 1) * sizeof(pcre2_code *));
	t->patterns[t->npatterns++] = code;
	item->pattern = code;
	return literal_of(r, literal, &item->literal);
}

static int
read_item(struct reading *r, struct item *item)
{
	return r->lexer.kind == TOKEN_STRING ? read_words(r, item)
					     : read_pattern(r, item);
}

/* -- lists of texts ------------------------------------------------------- */

static struct text_list *
find_list(struct reading *r, const char *name)
{
	for (size_t i = 0; i < r->nlists; i++)
		if (strcmp(r->lists[i].name, name) == 0)
			return &r->lists[i];
	return NULL;
}

static int
use_list(struct reading *r, struct table_line *line)
{
	struct text_list *list = find_list(r, r->lexer.token.data);

	if (list == NULL)
		return unexpected(r, "a condition, a text or '->'");
	for (size_t i = 0; i < list->n; i++)
		add_alternative(r, line, &list->items[i]);
	return 0;
}

static struct text_list *
add_list(struct reading *r, const char *name)
{
	struct text_list *list;

	r->lists = xrealloc(r->lists, (r->nlists + 1) * sizeof(*r->lists));
	list = &r->lists[r->nlists++];
	*list = (struct text_list){ .name = xstrdup(name) };
	return list;
}

static bool
is_condition(const char *name)
{
	for (size_t i = 0; i < N(conditions); i++)
		if (strcmp(conditions[i].name, name) == 0)
			return true;
	return strcmp(name, "text") == 0;
}

static int
read_list(struct reading *r)
{
	struct lexer *l = &r->lexer;
	struct text_list *list;
	struct item item;

	if (next(r) != TOKEN_WORD || !is_name(l->token.data) ||
	    is_condition(l->token.data))
		return unexpected(r, "a list's name in lower case");
	if (find_list(r, l->token.data) != NULL)
		return mistake(
		    r, l->token_line, "list '%s' stands twice", l->token.data);
	list = add_list(r, l->token.data);
	while (next(r) == TOKEN_STRING || l->kind == TOKEN_PATTERN) {
		if (read_item(r, &item) != 0)
			return -1;
		list->items =
		    xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
		list->items[list->n++] = item;
	}
	return l->kind == TOKEN_END && list->n > 0
		   ? 0
		   : unexpected(r, "\"words\" or a /pattern/");
}

static void
free_lists(struct reading *r)
{
	for (size_t i = 0; i < r->nlists; i++) {
		free(r->lists[i].name);
		free(r->lists[i].items);
	}
	free(r->lists);
}

/* -- a line's conditions -------------------------------------------------- */

static bool
is_given(const struct table_line *line, size_t condition)
{
	const bool given[] = { line->stages != 0, line->ncodes > 0,
		line->nstatuses > 0, line->nforms > 0 };

	return given[condition];
}

static int
read_condition(struct reading *r, struct table_line *line)
{
	struct lexer *l = &r->lexer;

	if (lexer_is(l, "text")) {
		line->any_text = true;
		return 0;
	}
	for (size_t i = 0; i < N(conditions); i++) {
		if (!lexer_is(l, conditions[i].name))
			continue;
		if (is_given(line, i))
			return mistake(r, l->token_line, "'%s' stands twice",
			    conditions[i].name);
		if (next(r) != TOKEN_WORD)
			return unexpected(r, "its value");
		return conditions[i].read(r, line);
	}
	return use_list(r, line);
}

static int
read_text(struct reading *r, struct table_line *line)
{
	struct item item;

	if (read_item(r, &item) != 0)
		return -1;
	add_alternative(r, line, &item);
	return 0;
}

static int
read_conditions(struct reading *r, struct table_line *line)
{
	int rc = read_systems(r, line);

	line->first = (uint32_t)r->table->nalternatives;
	while (rc == 0 && next(r) != TOKEN_ARROW) {
		if (r->lexer.kind == TOKEN_STRING ||
		    r->lexer.kind == TOKEN_PATTERN)
			rc = read_text(r, line);
		else if (r->lexer.kind == TOKEN_WORD)
			rc = read_condition(r, line);
		else
			rc = unexpected(r, "'->' and a reason");
	}
	return rc;
}

/* -- what follows from a line --------------------------------------------- */

static int
read_reason(struct reading *r, struct table_line *line)
{
	struct lexer *l = &r->lexer;
	const struct reason_word *near;

	if (next(r) != TOKEN_WORD)
		return unexpected(r, "a reason");
	line->reason = reason_word_find(l->token.data);
	if (line->reason == NULL) {
		near = reason_word_nearest(l->token.data);
		return mistake(r, l->token_line, "unknown reason '%s'%s%s%s",
		    l->token.data, near ? ", did you mean '" : "",
		    near ? near->name : "", near ? "'?" : "");
	}
	line->hard = line->reason->hard;
	line->scope = line->reason->scope;
	return 0;
}

static int
read_end(struct reading *r, struct table_line *line)
{
	struct lexer *l = &r->lexer;

	if (read_reason(r, line) != 0)
		return -1;
	while (next(r) != TOKEN_END) {
		if (lexer_is(l, "hard") || lexer_is(l, "soft"))
			line->hard = lexer_is(l, "hard");
		else if (!lexer_is(l, "scope"))
			return unexpected(r, "'hard', 'soft' or 'scope'");
		else if (next(r) != TOKEN_WORD ||
			 !reasons_read_scope(l->token.data, &line->scope))
			return unexpected(
			    r, "recipient, message, lane or path");
	}
	return 0;
}

static void
clear_line(struct table_line *line)
{
	for (size_t i = 0; i < line->nforms; i++)
		free(line->forms[i]);
	free(line->source);
}

/* What a line that is no line has left behind matches nothing any more: the
 * table is thrown away. */
static int
read_line(struct reading *r)
{
	struct reasons *t = r->table;
	struct table_line line = { .number = r->start };

	if (t->nlines == REASONS_LINES_MAX)
		return mistake(
		    r, r->start, "more than %u lines", REASONS_LINES_MAX);
	if (read_conditions(r, &line) != 0 || read_end(r, &line) != 0) {
		clear_line(&line);
		return -1;
	}
	line.source = xstrdup(r->lexer.source.data);
	t->lines = xrealloc(t->lines, (t->nlines + 1) * sizeof(*t->lines));
	t->lines[t->nlines++] = line;
	return 0;
}

static void
read_statement(struct reading *r)
{
	struct lexer *l = &r->lexer;
	int rc;

	next(r);
	r->start = l->token_line;
	if (l->kind == TOKEN_BAD)
		return;
	rc = lexer_is(l, "system")  ? read_system(r)
	     : lexer_is(l, "texts") ? read_list(r)
				    : read_line(r);
	if (rc == 0 && l->source.len == 0)
		mistake(r, r->start,
		    "no source: say after # where it is known from");
}

unsigned
reasons_read_statements(
    struct reasons *t, const char *text, size_t len, struct str *report)
{
	struct reading r = { .table = t, .report = report };

	r.known = map_new();
	lexer_init(&r.lexer, text, len);
	while (lexer_statement(&r.lexer))
		read_statement(&r);
	lexer_release(&r.lexer);
	free_lists(&r);
	map_free(&r.known);
	return r.mistakes;
}
