/*
 * trace.c - for people: the rules that nearly matched, and why they did not.
 *
 * A rule nearly matched when a single one of its conditions kept it from
 * matching, and either another says what the mail is (not only what it is not)
 * or a small slip explains it.
 */
#include "rules/ruleset_int.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOW_MAX 80 /* bytes of a condition's words */

/* ---- what a query has ---- */

static void
say_address(FILE *out, const char *local, const char *domain)
{
	if (domain == NULL || domain[0] == '\0')
		fputs("<>", out);
	else
		fprintf(out, "%s@%s", local != NULL ? local : "", domain);
}

static void
say_text(FILE *out, const char *what, const char *text, const char *none)
{
	if (text == NULL || text[0] == '\0')
		fputs(none, out);
	else
		fprintf(out, "%s %s", what, text);
}

static void
say_value(FILE *out, const struct condition *c, const struct rules_query *q)
{
	switch (c->kind) {
	case CONDITION_TO:
		fputs("the recipient is ", out);
		say_address(out, q->to_local, q->to_domain);
		break;
	case CONDITION_FROM:
		fputs("the sender is ", out);
		say_address(out, q->from_local, q->from_domain);
		break;
	case CONDITION_HEADER_FROM:
		say_text(out, "the header From has", q->header_from,
		    "the header From is not known");
		break;
	case CONDITION_USER:
		say_text(out, "the user is", q->user, "there is no user");
		break;
	case CONDITION_LISTENER:
		say_text(out, "the listener is", q->listener,
		    "the listener is not known");
		break;
	case CONDITION_TAG:
		say_text(out, "the tags are", q->tags, "there are no tags");
		break;
	case CONDITION_SIZE_ABOVE:
	case CONDITION_SIZE_BELOW:
		fprintf(
		    out, "the size is %llu bytes", (unsigned long long)q->size);
		break;
	case CONDITION_IRREGULAR:
		fprintf(out, "the local part is %s",
		    q->irregular ? "irregular" : "regular");
		break;
	}
}

/* The words of the condition, continued lines joined, cut where they are long.
 */
static void
say_words(FILE *out, const struct route *r, const struct condition *c)
{
	const char *text = r->source->text + c->at;
	bool blank = false;
	size_t shown = 0;

	for (size_t i = 0; i < c->len; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (strchr(" \t\r\n", byte) != NULL ||
		    (byte == '\\' && strchr(" \t\r\n", text[i + 1]) != NULL)) {
			blank = true;
			continue;
		}
		if (shown >= SHOW_MAX && (byte & 0xc0) != 0x80) {
			fputs(" ...", out);
			return;
		}
		if (blank)
			fputc(' ', out);
		fputc(byte, out);
		shown += 1 + blank;
		blank = false;
	}
}

/* ---- slips ---- */

/* The domain of the query is below one that the condition names by itself. */
static bool
is_below_a_member(
    const struct view *v, const struct condition *c, const char *domain)
{
	const struct ruleset *rs = v->rs;
	const char *dot = domain;
	uint32_t i;

	while ((dot = strchr(dot, '.')) != NULL) {
		dot++;
		i = table_get(&rs->domains, dot, strlen(dot));
		if (i != TABLE_NONE && rs->domain[i].self.atom != ATOM_NO &&
		    condition_names(c, rs->domain[i].self.atom))
			return true;
	}
	return false;
}

static bool
is_the_top_of_a_suffix(
    const struct view *v, const struct condition *c, const char *domain)
{
	const struct ruleset *rs = v->rs;
	uint32_t i = table_get(&rs->domains, domain, strlen(domain));

	return i != TABLE_NONE && rs->domain[i].below.atom != ATOM_NO &&
	       condition_names(c, rs->domain[i].below.atom);
}

static const char *
slip(const struct view *v, const struct condition *c)
{
	const struct rules_query *q = v->query;
	const char *domain = c->kind == CONDITION_TO		? q->to_domain
			     : c->kind == CONDITION_FROM	? q->from_domain
			     : c->kind == CONDITION_HEADER_FROM ? q->header_from
								: NULL;

	if (domain == NULL || c->negated)
		return NULL;
	if (is_below_a_member(v, c, domain))
		return "a domain does not stand for its sub-domains; they are "
		       "written with a dot before it";
	if (is_the_top_of_a_suffix(v, c, domain))
		return "a name with a dot before it stands for sub-domains, "
		       "not for the domain itself";
	return NULL;
}

/* ---- rules ---- */

static char *
explain(struct view *v, const struct route *r, const struct condition *c,
    const char *slipped, bool limited)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		abort();
	fputc('\'', out);
	say_words(out, r, c);
	fputs("' does not hold: ", out);
	say_value(out, c, v->query);
	if (limited)
		fputs("; the pattern was given up at a limit", out);
	if (slipped != NULL)
		fprintf(out, "; %s", slipped);
	if (fclose(out) != 0)
		abort();
	return text;
}

/* Returns why the rule nearly matched, NULL when it did not nearly, or did. */
static char *
near_miss(struct view *v, uint32_t rule)
{
	const struct route *r = &v->rs->route[rule];
	const struct condition *failed = NULL;
	const char *slipped;
	bool held = false;

	/* Each rule by itself: the budget is the decision's. */
	v->limited = 0;
	for (size_t i = 0; i < r->ncondition; i++) {
		const struct condition *c = &r->condition[i];

		assert(c != NULL);
		if (condition_holds(v, c, rule, NONE)) {
			held |= !c->negated;
			continue;
		}
		if (failed != NULL)
			return NULL;
		failed = c;
	}
	if (failed == NULL)
		return NULL;
	slipped = slip(v, failed);
	if (!held && slipped == NULL && v->limited == 0)
		return NULL;
	return explain(v, r, failed, slipped, v->limited > 0);
}

void
ruleset_near_misses(const struct ruleset *rs, const struct rules_query *q,
    void (*each)(void *, const struct rule *, const char *), void *arg)
{
	struct view v;
	uint32_t winner;

	view_init(&v, rs, q);
	winner = first_rule(&v);
	for (uint32_t i = 0; i < winner; i++) {
		char *why = near_miss(&v, i);

		if (why != NULL)
			each(arg, rs->rule[i], why);
		free(why);
	}
}
