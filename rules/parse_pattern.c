/*
 * parse_pattern.c - a word that is a pattern, compiled into the rule set.
 *
 * A set takes so many patterns and so much memory for them, whoever asks.
 */
#include "rules/parse_int.h"

static int
refuse(struct words *w, const struct token *t, const struct pattern_fault *f)
{
	struct token place = *t;

	/* To be refused took as long. */
	w->parse->rs->pattern_memory += f->memory;
	place.at += 1 + f->offset;
	place.col += 1 + (unsigned)f->offset;
	problem_at(w->parse->report, &place, "bad pattern: %s", f->text);
	return -1;
}

static int
add(struct words *w, const struct token *t, struct pattern *p, uint32_t *number)
{
	struct ruleset *rs = w->parse->rs;

	rs->pattern = rules_grow(rs->pattern, &rs->pattern_room,
	    rs->npattern + 1, sizeof(struct pattern *));
	*number = (uint32_t)rs->npattern;
	rs->pattern[rs->npattern++] = p;
	rs->pattern_memory += pattern_memory(p);
	if (rs->pattern_memory <= PATTERNS_MEMORY_MAX)
		return 0;
	problem_at(w->parse->report, t,
	    "the patterns of the rule set take more than %u MB together",
	    PATTERNS_MEMORY_MAX >> 20);
	return -1;
}

int
read_pattern(
    struct words *w, const struct token *t, bool bytes, uint32_t *number)
{
	struct ruleset *rs = w->parse->rs;
	struct pattern_fault fault = { .memory = 0 };
	const char *flags = t->text + t->body + 2;
	size_t nflags = (size_t)(t->text + t->len - flags);
	struct pattern *p;

	if (rs->npattern == RULES_PATTERNS_MAX) {
		problem_at(w->parse->report, t,
		    "more than %u patterns in a rule set", RULES_PATTERNS_MAX);
		return -1;
	}
	if (rs->pattern_memory > PATTERNS_MEMORY_MAX)
		return -1; /* reported by the one that was too much */
	p = bytes
		? pattern_new_bytes(t->text + 1, t->body, flags, nflags, &fault)
		: pattern_new(t->text + 1, t->body, flags, nflags, &fault);
	return p != NULL ? add(w, t, p, number) : refuse(w, t, &fault);
}
