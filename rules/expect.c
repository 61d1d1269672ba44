/*
 * expect.c - the operator's tests: `expect [from A] [to] B rule NAME via PATH
 * carrier NAME`.
 *
 * They run when everything else is in order, through the same decision that
 * mail gets. One that fails refuses the rule set.
 */
#include "rules/parse_int.h"

#include <string.h>

struct expectation {
	struct token place;
	const char *from_local, *from_domain;
	const char *to_local, *to_domain;
	const char *rule, *path,
	    *carrier; /* NULL: not asked; carrier "none": no carrier's domain */
};

static int
read_sender(struct words *w, struct expectation *e)
{
	const struct token *t = word_peek(w);

	if (word_take(w, "<>"))
		return 0;
	if (t == NULL || word_reserved(t))
		return word_expected(w, "an address or '<>'", NULL, 0);
	return read_address(w, word_next(w), &e->from_local, &e->from_domain);
}

static int
read_envelope(struct words *w, struct expectation *e)
{
	if (word_take(w, "from") && read_sender(w, e) < 0)
		return -1;
	word_take(w, "to");
	if (word_peek(w) == NULL || word_reserved(word_peek(w)))
		return word_expected(w, "an address", NULL, 0);
	return read_address(w, word_next(w), &e->to_local, &e->to_domain);
}

/* One of `rule NAME`, `via PATH`, `carrier NAME`. */
static int
read_wish(struct words *w, struct expectation *e)
{
	static const char *const names[] = { "rule", "via", "carrier" };
	static const enum name_kind kinds[] = { NAME_RULE, NAME_PATH,
		NAME_CARRIER };
	const char **wish[] = { &e->rule, &e->path, &e->carrier };
	const struct token *t;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!word_take(w, names[i]))
			continue;
		if (*wish[i] != NULL) {
			problem_at(w->parse->report, &w->token[w->at - 1],
			    "'%s' is given twice", names[i]);
			return -1;
		}
		t = word_name(w, kinds[i]);
		if (t == NULL)
			return -1;
		*wish[i] = arena_strndup(&w->parse->rs->arena, t->text, t->len);
		return 0;
	}
	return word_expected(w, "'rule', 'via' or 'carrier'", names,
	    sizeof(names) / sizeof(*names));
}

int
parse_expect(struct words *w)
{
	struct expectation e = {
		.place = w->token[0],
		.from_local = "",
		.from_domain = "",
	};
	struct parse *p = w->parse;

	if (read_envelope(w, &e) < 0)
		return -1;
	do {
		if (read_wish(w, &e) < 0)
			return -1;
	} while (word_peek(w) != NULL);
	p->expectation = rules_grow(p->expectation, &p->expectation_room,
	    p->nexpectation + 1, sizeof(*p->expectation));
	p->expectation[p->nexpectation++] = e;
	return 0;
}

static const char *
carrier_name(const struct rules_decision *d)
{
	return d->carrier != NULL ? d->carrier : "none";
}

static bool
met(const struct expectation *e, const struct rules_decision *d)
{
	return (e->rule == NULL || strcmp(e->rule, d->rule->name) == 0) &&
	       (e->path == NULL || strcmp(e->path, d->path) == 0) &&
	       (e->carrier == NULL || strcmp(e->carrier, carrier_name(d)) == 0);
}

/* "rule 'keitai' via 'mta'", of what was asked for. */
static const char *
wishes(struct arena *a, const struct expectation *e)
{
	const char *s = "";

	if (e->rule != NULL)
		s = arena_printf(a, " rule '%s'", e->rule);
	if (e->path != NULL)
		s = arena_printf(a, "%s via '%s'", s, e->path);
	if (e->carrier != NULL)
		s = arena_printf(a, "%s carrier '%s'", s, e->carrier);
	return s + 1;
}

void
run_expectations(struct parse *p)
{
	struct arena *a = &p->rs->arena;

	for (size_t i = 0; i < p->nexpectation; i++) {
		const struct expectation *e = &p->expectation[i];
		struct rules_decision d;

		ruleset_decide(p->rs,
		    &(struct rules_query){
			.from_local = e->from_local,
			.from_domain = e->from_domain,
			.to_local = e->to_local,
			.to_domain = e->to_domain,
		    },
		    &d);
		if (met(e, &d))
			continue;
		problem_at(p->report, &e->place,
		    "expected %s, got rule '%s' (%s:%u) via '%s' carrier '%s'",
		    wishes(a, e), d.rule->name, d.rule->file, d.rule->line,
		    d.path, carrier_name(&d));
	}
}
