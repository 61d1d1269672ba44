/*
 * reply.c - which `reply` line knows what a receiving system has said.
 *
 * The lines of a group are a chain from the last to the first, and so are those
 * of `any`: the first that matches on the way back is the one that holds. What
 * is cheap is asked first, the pattern last.
 */
#include "rules/ruleset_int.h"

#include <string.h>

static bool
is_class(unsigned code, unsigned class)
{
	return code / 100 == class;
}

static bool
code_matches(unsigned code, const struct rules_reply_query *q)
{
	switch (code) {
	case CODE_ANY:
		return q->code == 0 || is_class(q->code, 4) ||
		       is_class(q->code, 5);
	case CODE_NONE:
		return q->code == 0 && !q->reset;
	case CODE_RESET:
		return q->code == 0 && q->reset;
	case 4:
	case 5:
		return is_class(q->code, code);
	default:
		return q->code == code;
	}
}

/* A peer may be hostile, and so may be whoever wrote the patterns: after a few
 * that were given up no more are tried. */
static bool
text_matches(const struct ruleset *rs, const struct reply *r,
    const struct rules_reply_query *q, unsigned *limited)
{
	const char *text = q->text != NULL ? q->text : "";
	enum pattern_result result;

	if (r->pattern == NONE)
		return true;
	if (q->code == 0 || *limited >= RULES_LIMITED_MAX)
		return false;
	result = pattern_match(
	    rs->pattern[r->pattern], text, strnlen(text, SUBJECT_TEXT_MAX));
	*limited += result == PATTERN_LIMIT;
	return result == PATTERN_YES;
}

static const struct rules_reply *
last_match(const struct ruleset *rs, uint32_t last,
    const struct rules_reply_query *q, unsigned *limited)
{
	while (last > 0) {
		const struct reply *r = &rs->reply[last - 1];

		if ((r->stages & (unsigned)q->stage) != 0 &&
		    code_matches(r->code, q) && text_matches(rs, r, q, limited))
			return &r->reply;
		last = r->before;
	}
	return NULL;
}

const struct rules_reply *
ruleset_reply(const struct ruleset *rs, const struct rules_reply_query *q)
{
	const struct rules_reply *found = NULL;
	unsigned limited = 0;
	uint32_t group = TABLE_NONE;

	if (q->group != NULL)
		group = table_get(&rs->groups, q->group, strlen(q->group));
	if (group != TABLE_NONE)
		found = last_match(rs, rs->group[group].reply, q, &limited);
	return found != NULL ? found
			     : last_match(rs, rs->any_reply, q, &limited);
}
