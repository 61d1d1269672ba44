/*
 * review_reply.c - what is odd about replies and warm-up plans: lines that a
 * later one leaves nothing to, plans that no shape names.
 *
 * Only within one file: to say it again after an `include` is how an operator
 * changes what was included, and an included file may define more plans than
 * are wanted.
 */
#include "rules/parse_int.h"

#include <string.h>

/* 4 or 5; 0: another, or no code. */
static unsigned
class_of(unsigned code)
{
	unsigned class = code >= 100 ? code / 100 : code;

	return class == 4 || class == 5 ? class : 0;
}

static bool
code_covers(unsigned late, unsigned early)
{
	if (late == early)
		return true;
	if (late == CODE_ANY)
		return early < 100 || class_of(early) != 0;
	return late < 100 && class_of(late) != 0 &&
	       class_of(late) == class_of(early);
}

static bool
text_covers(const struct reply *late, const struct reply *early)
{
	return late->pattern == NONE ||
	       (early->pattern != NONE && late->text_len == early->text_len &&
		   memcmp(late->text, early->text, late->text_len) == 0);
}

static bool
covers(const struct reply *late, const struct reply *early)
{
	return late->source == early->source &&
	       (early->stages & ~late->stages) == 0 &&
	       code_covers(late->code, early->code) && text_covers(late, early);
}

static const struct reply *
find_cover(const struct ruleset *rs, uint32_t number)
{
	const struct reply *early = &rs->reply[number];
	uint32_t last = early->group != NONE ? rs->group[early->group].reply
					     : rs->any_reply;

	for (; last > number + 1; last = rs->reply[last - 1].before)
		if (covers(&rs->reply[last - 1], early))
			return &rs->reply[last - 1];
	return NULL;
}

static void
look_for_hidden(struct parse *p)
{
	const struct ruleset *rs = p->rs;

	for (uint32_t i = 0; i < rs->nreply; i++) {
		const struct reply *r = &rs->reply[i];
		const struct reply *late = find_cover(rs, i);
		struct token t;

		if (late == NULL || rules_report_skip(p->report, true))
			continue;
		t = token_at(r->source, r->at, r->at, r->reply.line);
		warn_at(p->report, &t,
		    "this reply can never match: the later one at %s:%u takes "
		    "all of it",
		    late->reply.file, late->reply.line);
	}
}

static void
look_for_unused_plans(struct parse *p)
{
	const struct ruleset *rs = p->rs;

	for (uint32_t i = 0; i < rs->plans.n; i++) {
		const struct plan *plan = &rs->plan[i];
		struct token t;

		if (plan->used || plan->source->depth > 0 ||
		    rules_report_skip(p->report, true))
			continue;
		t = token_at(plan->source, plan->at, plan->at, plan->plan.line);
		warn_at(p->report, &t, "warm-up plan '%s' is never used",
		    plan->plan.name);
	}
}

void
review_replies(struct parse *p)
{
	look_for_hidden(p);
	look_for_unused_plans(p);
}
