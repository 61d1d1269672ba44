/*
 * parse.c - files into a rule set: the statements, what they include, and the
 * checks at the end.
 *
 * A mistake costs its statement and nothing else, so one run finds them all.
 * Names of carriers and groups may be used before they are defined and are
 * checked when everything has been read.
 */
#include "rules/parse_int.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word;
	int (*parse)(struct words *);
} statements[] = {
	{ "carrier", parse_carrier },
	{ "expect", parse_expect },
	{ "hint", parse_hint },
	{ "include", parse_include },
	{ "reply", parse_reply },
	{ "route", parse_route },
	{ "shape", parse_shape },
	{ "warm-up", parse_warm_up },
};

#define STATEMENTS (sizeof(statements) / sizeof(*statements))

static void
parse_statement(struct words *w)
{
	const char *names[STATEMENTS];

	for (size_t i = 0; i < STATEMENTS; i++) {
		names[i] = statements[i].word;
		if (!word_take(w, names[i]))
			continue;
		if (statements[i].parse(w) == 0)
			words_end(w);
		return;
	}
	word_expected(w,
	    "'route', 'carrier', 'shape', 'reply', 'warm-up', 'expect', 'hint' "
	    "or 'include'",
	    names, STATEMENTS);
}

/* The last straw is told, and nothing is read on. */
static bool
is_too_much(struct parse *p, const struct lex *lex)
{
	if (p->nword + lex->n <= RULES_WORDS_MAX) {
		p->nword += lex->n;
		return false;
	}
	problem_at(p->report, &lex->token[0],
	    "more than %d words in the rule set", RULES_WORDS_MAX);
	p->errors_max = 0;
	return true;
}

void
parse_source(struct parse *p, struct source *s)
{
	struct lex lex;
	int rc;

	if (!lex_check_text(s, p->report))
		return;
	s->open = true;
	lex_init(&lex, s, &p->rs->arena, p->report);
	while (
	    p->report->errors < p->errors_max && (rc = lex_next(&lex)) != 0) {
		struct words w = { p, lex.token, lex.n, 0 };

		if (rc > 0 && !is_too_much(p, &lex))
			parse_statement(&w);
	}
	lex_clear(&lex);
	s->open = false;
}

/* ---- when all is read ---- */

static const char *const kinds[] = {
	[MENTION_CARRIER] = "carrier",
	[MENTION_GROUP] = "group",
	[MENTION_PLAN] = "warm-up plan",
};

static const struct table *
names_of(const struct ruleset *rs, enum mention_kind kind)
{
	switch (kind) {
	case MENTION_CARRIER:
		return &rs->carriers;
	case MENTION_GROUP:
		return &rs->groups;
	case MENTION_PLAN:
		break;
	}
	return &rs->plans;
}

static bool
is_defined(const struct ruleset *rs, enum mention_kind kind, size_t number)
{
	switch (kind) {
	case MENTION_CARRIER:
		return rs->carrier[number].defined;
	case MENTION_GROUP:
		return rs->group[number].defined;
	case MENTION_PLAN:
		break;
	}
	return rs->plan[number].defined;
}

/* Only what is defined is worth suggesting: the table holds the misspelt name
 * as well. */
static const char *
suggest_defined(const struct parse *p, const char *name, enum mention_kind kind)
{
	const struct table *t = names_of(p->rs, kind);
	const char **names = rules_alloc((t->n + 1) * sizeof(*names));
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (is_defined(p->rs, kind, i))
			names[n++] = t->name[i].text;
	near = rules_suggest(name, names, n);
	free(names);
	return near;
}

/* A group of the carrier with that name; NULL: there is no such carrier. */
static const char *
group_of_carrier(const struct ruleset *rs, const char *name)
{
	for (size_t i = 0; i < rs->nsite; i++)
		if (strcmp(rs->site[i].carrier, name) == 0)
			return rs->site[i].group;
	return NULL;
}

static void
check_mention(struct parse *p, const struct mention *m)
{
	const char *name, *near, *group = NULL;

	if (is_defined(p->rs, m->kind, m->number) ||
	    rules_report_skip(p->report, false))
		return;
	name = names_of(p->rs, m->kind)->name[m->number].text;
	near = suggest_defined(p, name, m->kind);
	if (m->kind == MENTION_GROUP)
		group = group_of_carrier(p->rs, name);
	if (group != NULL)
		problem_at(p->report, &m->token,
		    "'%s' is a carrier, expected a group such as '%s'", name,
		    group);
	else if (near != NULL)
		problem_at(p->report, &m->token,
		    "unknown %s '%s', did you mean '%s'?", kinds[m->kind], name,
		    near);
	else
		problem_at(p->report, &m->token, "unknown %s '%s'",
		    kinds[m->kind], name);
}

static void
check_rule_for_the_rest(struct parse *p)
{
	const struct ruleset *rs = p->rs;

	if (rs->atom[ATOM_ANY].rule == NONE)
		rules_report_add(p->report, rs->source[0]->name, 0, 0, NULL, 0,
		    "no rule for everything else; end with one such as "
		    "'route default to any via ses'");
}

/* Each check needs the one before: an expectation means nothing in a set that
 * is wrong anyway. */
static struct ruleset *
finish(struct parse *p, size_t before)
{
	struct ruleset *rs = p->rs;

	for (size_t i = 0; i < p->nmention; i++)
		check_mention(p, &p->mention[i]);
	if (p->options->check != NULL)
		p->options->check(p->options->check_arg, rs, p->report);
	if (p->report->errors == before) {
		compile(rs);
		check_rule_for_the_rest(p);
		check_irregular(p);
	}
	if (p->report->errors == before)
		run_expectations(p);
	if (p->report->errors == before)
		review(p);
	table_clear(&p->rule_names);
	free(p->mention);
	free(p->expectation);
	if (p->report->errors != before) {
		ruleset_unref(rs);
		return NULL;
	}
	source_seal(rs);
	return rs;
}

static void
begin(struct parse *p, const struct rules_options *o, struct rules_report *r)
{
	static const struct rules_options none = { .regular_only = NULL };
	struct ruleset *rs = rules_alloc(sizeof(*rs));

	atomic_init(&rs->refs, 1);
	for (uint32_t i = 0; i < ATOM_FIRST; i++)
		atom_new(rs);
	*p = (struct parse){
		.rs = rs,
		.report = r,
		.options = o != NULL ? o : &none,
		.errors_max = r->errors + RULES_ERRORS_MAX,
	};
	for (size_t i = 0; i < p->options->nregular_only; i++) {
		const char *name = p->options->regular_only[i];
		uint32_t number = path_put(rs, name, strlen(name));

		rs->path[number].regular_only = true;
	}
}

struct ruleset *
ruleset_load(
    const char *path, const struct rules_options *o, struct rules_report *r)
{
	size_t before = r->errors;
	struct source *s;
	struct parse p;

	begin(&p, o, r);
	s = source_open(&p, path, NULL);
	if (s != NULL)
		parse_source(&p, s);
	return finish(&p, before);
}

struct ruleset *
ruleset_parse(const struct rules_file *files, size_t n,
    const struct rules_options *o, struct rules_report *r)
{
	size_t before = r->errors;
	struct source *s;
	struct parse p;

	begin(&p, o, r);
	p.given = files;
	p.ngiven = n;
	s = source_open(&p, files[0].name, NULL);
	if (s != NULL)
		parse_source(&p, s);
	return finish(&p, before);
}
