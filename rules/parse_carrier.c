/*
 * parse_carrier.c - `carrier NAME [group NAME] DOMAIN...` and `hint DOMAIN...
 * "TEXT"`.
 */
#include "rules/parse_int.h"

#include <string.h>

/* The place of a domain or of `.suffix`, as the word says it. NULL: not one,
 * and reported. */
static struct place *
read_place(struct words *w, const struct token *t)
{
	bool below = t->text[0] == '.';
	const char *name;
	uint32_t number;

	if (read_domain(w, t, t->text + below, t->len - below, &name) < 0)
		return NULL;
	number = domain_put(w->parse->rs, name, strlen(name));
	return below ? &w->parse->rs->domain[number].below
		     : &w->parse->rs->domain[number].self;
}

static bool
same_site(const struct site *a, const struct site *b)
{
	return a->carrier_number == b->carrier_number &&
	       a->group_number == b->group_number;
}

static int
join_site(struct words *w, uint32_t site_number)
{
	const struct token *t = word_next(w);
	struct ruleset *rs = w->parse->rs;
	struct place *place = read_place(w, t);
	const struct site *old;

	if (place == NULL)
		return -1;
	old = place->site > 0 ? &rs->site[place->site - 1] : NULL;
	if (old != NULL && same_site(old, &rs->site[site_number - 1])) {
		warn_at(w->parse->report, t,
		    "'%s' is listed twice, first at %s:%u", word_show(w, t),
		    old->origin.file, old->origin.line);
		return 0;
	}
	if (old != NULL) {
		problem_at(w->parse->report, t,
		    "'%s' belongs to carrier '%s' already, at %s:%u",
		    word_show(w, t), old->carrier, old->origin.file,
		    old->origin.line);
		return -1;
	}
	place->site = site_number;
	return 0;
}

/* A group is named by its carrier unless the statement says so. */
static int
read_group(struct words *w, const struct token *carrier, uint32_t *group)
{
	const struct token *t = carrier;

	if (word_take(w, "group")) {
		t = word_name(w, NAME_GROUP);
		if (t == NULL)
			return -1;
	}
	*group = group_put(w->parse->rs, t->text, t->len);
	return 0;
}

int
parse_carrier(struct words *w)
{
	const struct token *t = word_name(w, NAME_CARRIER);
	struct ruleset *rs = w->parse->rs;
	uint32_t carrier, group;

	if (t == NULL || read_group(w, t, &group) < 0)
		return -1;
	if (word_peek(w) == NULL)
		return word_expected(w, "a domain or '.suffix'", NULL, 0);
	carrier = carrier_put(rs, t->text, t->len);
	if (!rs->carrier[carrier].defined) {
		rs->carrier[carrier].source = t->source;
		rs->carrier[carrier].at =
		    (uint32_t)(t->at - t->source->text);
		rs->carrier[carrier].line = t->line;
	}
	rs->carrier[carrier].defined = true;
	rs->group[group].defined = true;
	rs->site = rules_grow(
	    rs->site, &rs->site_room, rs->nsite + 1, sizeof(*rs->site));
	rs->site[rs->nsite++] = (struct site){
		.carrier = rs->carriers.name[carrier].text,
		.group = rs->groups.name[group].text,
		.carrier_number = carrier,
		.group_number = group,
		.origin = { t->source->name, t->line },
	};
	while (word_peek(w) != NULL)
		if (join_site(w, (uint32_t)rs->nsite) < 0)
			return -1;
	return 0;
}

static int
set_hint(struct words *w, const struct token *t, uint32_t hint_number)
{
	struct place *place = read_place(w, t);
	const struct hint *old;

	if (place == NULL)
		return -1;
	if (place->hint > 0) {
		old = &w->parse->rs->hint[place->hint - 1];
		problem_at(w->parse->report, t,
		    "'%s' has a hint already, at %s:%u", word_show(w, t),
		    old->origin.file, old->origin.line);
		return -1;
	}
	place->hint = hint_number;
	return 0;
}

int
parse_hint(struct words *w)
{
	struct ruleset *rs = w->parse->rs;
	const struct token *text = &w->token[w->n - 1];

	if (word_peek(w) == NULL || word_peek(w)->string)
		return word_expected(w, "a domain or '.suffix'", NULL, 0);
	if (!text->string || text->len == 0) {
		w->at = text->string ? w->n - 1 : w->n;
		return word_expected(w, "a text in quotes", NULL, 0);
	}
	rs->hint = rules_grow(
	    rs->hint, &rs->hint_room, rs->nhint + 1, sizeof(*rs->hint));
	rs->hint[rs->nhint++] = (struct hint){
		.text = arena_strndup(&rs->arena, text->text, text->len),
		.origin = { text->source->name, text->line },
	};
	while (w->at < w->n - 1)
		if (set_hint(w, word_next(w), (uint32_t)rs->nhint) < 0)
			return -1;
	word_next(w);
	return 0;
}
