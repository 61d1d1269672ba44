/*
 * condition.c - whether a condition of a rule holds for a query.
 *
 * decide.c asks for the few rules that may win, trace.c for all that might
 * have.
 */
#include "rules/ruleset_int.h"

#include <string.h>

#define FEW 8 /* members that are gone through one by one */

void
view_init(struct view *v, const struct ruleset *rs, const struct rules_query *q)
{
	/* Not the whole: most of it is never looked at. */
	v->rs = rs;
	v->query = q;
	memset(v->has_seen, 0, sizeof(v->has_seen));
	memset(v->has_text, 0, sizeof(v->has_text));
	v->limited = 0;
	v->limited_rule = NONE;
}

const struct sighting *
view_see(struct view *v, enum subject subject)
{
	if (!v->has_seen[subject]) {
		subject_see(v->rs, subject, v->query, &v->seen[subject]);
		v->has_seen[subject] = true;
	}
	return &v->seen[subject];
}

/* ---- patterns ---- */

/* Past the end nothing is written, and the length tells. */
static size_t
append(char *to, size_t at, const char *s)
{
	size_t len = strnlen(s, SUBJECT_TEXT_MAX + 1);

	if (at <= SUBJECT_TEXT_MAX && len <= SUBJECT_TEXT_MAX - at)
		memcpy(to + at, s, len);
	return at + len;
}

static size_t
write_address(char *to, const char *local, const char *domain)
{
	size_t len = append(to, 0, local);

	if (len == 0 && domain[0] == '\0')
		return 0;
	return append(to, append(to, len, "@"), domain);
}

static const char *
text_or_empty(const char *s)
{
	return s != NULL ? s : "";
}

static size_t
write_text(struct view *v, enum subject subject)
{
	const struct rules_query *q = v->query;
	char *to = v->space[subject];

	switch (subject) {
	case SUBJECT_TO:
		return write_address(to, text_or_empty(q->to_local),
		    text_or_empty(q->to_domain));
	case SUBJECT_FROM:
		return write_address(to, text_or_empty(q->from_local),
		    text_or_empty(q->from_domain));
	default:
		return append(to, 0, text_or_empty(q->header_from));
	}
}

const char *
view_text(struct view *v, enum subject subject, size_t *len)
{
	if (!v->has_text[subject]) {
		v->len[subject] = write_text(v, subject);
		v->text[subject] = v->space[subject];
		v->has_text[subject] = true;
	}
	*len = v->len[subject];
	return v->text[subject];
}

void
view_give_up(struct view *v, uint32_t rule)
{
	if (v->limited++ == 0)
		v->limited_rule = rule;
}

bool
view_match(
    struct view *v, enum subject subject, uint32_t pattern, uint32_t rule)
{
	enum pattern_result result = PATTERN_LIMIT;
	size_t len;
	const char *text = view_text(v, subject, &len);

	if (v->limited < RULES_LIMITED_MAX && len <= SUBJECT_TEXT_MAX)
		result = pattern_match(v->rs->pattern[pattern], text, len);
	if (result != PATTERN_LIMIT)
		return result == PATTERN_YES;
	view_give_up(v, rule);
	return false;
}

/* ---- conditions ---- */

bool
is_on_content(const struct condition *c)
{
	return c->kind == CONDITION_HEADER_FROM || c->kind == CONDITION_TAG ||
	       c->kind == CONDITION_SIZE_ABOVE ||
	       c->kind == CONDITION_SIZE_BELOW;
}

bool
condition_names(const struct condition *c, uint32_t atom)
{
	size_t low = 0, high = c->n;

	while (high - low > FEW) {
		size_t middle = low + (high - low) / 2;

		if (c->member[middle].atom <= atom)
			low = middle;
		else
			high = middle;
	}
	for (; low < high; low++)
		if (c->member[low].atom == atom)
			return true;
	return false;
}

static bool
names_one(
    struct view *v, const struct condition *c, uint32_t rule, uint32_t known)
{
	enum subject subject = (enum subject)c->kind;
	const struct sighting *s = view_see(v, subject);

	for (size_t i = 0; i < s->n; i++)
		if (condition_names(c, s->atom[i]))
			return true;
	if (known - c->pattern < c->npattern)
		return true;
	for (uint32_t i = 0; i < c->npattern; i++)
		if (view_match(v, subject, c->pattern + i, rule))
			return true;
	return false;
}

bool
condition_holds(
    struct view *v, const struct condition *c, uint32_t rule, uint32_t known)
{
	bool found;

	switch (c->kind) {
	case CONDITION_SIZE_ABOVE:
		found = v->query->size > c->size;
		break;
	case CONDITION_SIZE_BELOW:
		found = v->query->size < c->size;
		break;
	case CONDITION_IRREGULAR:
		found = v->query->irregular;
		break;
	default:
		found = names_one(v, c, rule, known);
	}
	return found != c->negated;
}

bool
route_holds(struct view *v, uint32_t rule, uint32_t known)
{
	const struct route *r = &v->rs->route[rule];

	for (size_t i = 0; i < r->ncondition; i++)
		if (!condition_holds(v, &r->condition[i], rule, known))
			return false;
	return true;
}
