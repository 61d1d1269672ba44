/*
 * review.c - what is odd about a good set: rules that can never match, names
 * that never come to their rule, names listed twice, carriers never used.
 *
 * What it says is sure; it does not find everything. A rule is shadowed when
 * one rule before it takes every recipient it names, from every sender it
 * names: that is looked up as decide.c would. What else a rule asks for only
 * narrows it. Of rules that hang, those that ask for the same in the same words
 * are found. review_reply.c looks at replies and warm-up plans.
 */
#include "rules/parse_int.h"

#include <stdlib.h>
#include <string.h>

#include "rules/hash_int.h"

/* Senders times recipients that are looked at, in all rules together. */
#define COMBINATIONS_MAX 1000000u

/* What an atom stands for. */
struct meaning {
	enum { MEANS_NOTHING, MEANS_DOMAIN, MEANS_BELOW, MEANS_ADDRESS } kind;
	uint32_t number; /* in the table of its kind */
};

struct review {
	struct parse *parse;
	const struct ruleset *rs;
	struct meaning *meaning; /* of each atom */
	struct table asked;	 /* what hanging rules ask for, in words */
	uint32_t *asked_by;
	size_t asked_room;
	size_t combinations; /* looked at so far */
	struct arena arena;
};

static void
learn(struct review *v)
{
	const struct ruleset *rs = v->rs;

	v->meaning = rules_alloc(rs->natom * sizeof(*v->meaning));
	for (uint32_t i = 0; i < rs->domains.n; i++) {
		v->meaning[rs->domain[i].self.atom] =
		    (struct meaning){ MEANS_DOMAIN, i };
		v->meaning[rs->domain[i].below.atom] =
		    (struct meaning){ MEANS_BELOW, i };
	}
	for (uint32_t i = 0; i < rs->addresses.n; i++)
		v->meaning[rs->address[i]] =
		    (struct meaning){ MEANS_ADDRESS, i };
	v->meaning[ATOM_NO] = (struct meaning){ MEANS_NOTHING, 0 };
}

/* ---- who covers an atom ---- */

/* Not the carriers: one below a suffix may be another's. */
static void
drop_carriers(const struct ruleset *rs, struct sighting *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->atom[i] != ATOM_ANY_CARRIER &&
		    (s->site == NULL ||
			s->atom[i] !=
			    rs->carrier[s->site->carrier_number].atom))
			s->atom[n++] = s->atom[i];
	s->n = n;
}

static void
cover_address(struct review *v, const char *text, struct sighting *s)
{
	char local[SUBJECT_TEXT_MAX];
	const char *at = strrchr(text, '@');

	memcpy(local, text, (size_t)(at - text));
	local[at - text] = '\0';
	domain_see(v->rs, local, at + 1, s);
}

/* No name has a '*': it stands for any sub-domain. */
static void
cover_below(struct review *v, const char *name, struct sighting *s)
{
	char below[2 + SUBJECT_TEXT_MAX] = "*.";

	memcpy(below + 2, name, strlen(name) + 1);
	domain_see(v->rs, NULL, below, s);
	drop_carriers(v->rs, s);
}

/* The atoms that everything has that has this one. */
static void
cover(struct review *v, uint32_t atom, struct sighting *s)
{
	const struct ruleset *rs = v->rs;
	struct meaning m = v->meaning[atom];

	switch (m.kind) {
	case MEANS_DOMAIN:
		domain_see(rs, NULL, rs->domains.name[m.number].text, s);
		return;
	case MEANS_BELOW:
		cover_below(v, rs->domains.name[m.number].text, s);
		return;
	case MEANS_ADDRESS:
		cover_address(v, rs->addresses.name[m.number].text, s);
		return;
	case MEANS_NOTHING:
		break;
	}
	/* Anybody, any carrier, one carrier, the null path. */
	s->n = 0;
	s->atom[s->n++] = ATOM_ANY;
	if (atom == ATOM_ANY)
		return;
	s->atom[s->n++] = atom;
	if (atom >= ATOM_FIRST)
		s->atom[s->n++] = ATOM_ANY_CARRIER;
}

/* The first plain rule that takes all mail with both atoms. */
static uint32_t
taker(struct review *v, const struct sighting *to, uint32_t from)
{
	const struct ruleset *rs = v->rs;
	struct sighting sender;
	uint32_t rule, least = NONE;

	cover(v, from, &sender);
	for (size_t i = 0; i < to->n; i++) {
		const struct atom *a = &rs->atom[to->atom[i]];

		if (a->rule < least)
			least = a->rule;
		for (size_t j = 0; a->paired && j < sender.n; j++) {
			rule =
			    pairs_get(&rs->plain, to->atom[i], sender.atom[j]);
			if (rule < least)
				least = rule;
		}
	}
	return least;
}

/* The rule before `rule` that takes all that this recipient atom brings to it,
 * or NONE; the last of them, and *several, when it takes several. */
static uint32_t
taker_of(struct review *v, uint32_t to, const struct condition *from,
    uint32_t rule, bool *several)
{
	struct sighting seen;
	uint32_t found, last = NONE;

	cover(v, to, &seen);
	if (from == NULL) {
		found = taker(v, &seen, ATOM_ANY);
		return found < rule ? found : NONE;
	}
	for (size_t i = 0; i < from->n; i++) {
		found = taker(v, &seen, from->member[i].atom);
		if (found >= rule)
			return NONE;
		*several |= last != NONE && found != last;
		if (last == NONE || found > last)
			last = found;
	}
	return last;
}

/* ---- rules that never match ---- */

static void
warn_shadowed(struct review *v, uint32_t rule, uint32_t by, bool several)
{
	const struct route *r = &v->rs->route[rule];
	const struct rule *other = v->rs->rule[by];
	struct token t = token_at(r->source, r->at, r->at, r->rule.line);

	warn_at(v->parse->report, &t,
	    "rule '%s' can never match: %srule '%s' (%s:%u)%s", r->rule.name,
	    several ? "rules before it take all of it, the last of them " : "",
	    other->name, other->file, other->line,
	    several ? "" : " takes all of it");
}

static void
warn_taken(struct review *v, uint32_t rule, const struct member *m, uint32_t by)
{
	const struct route *r = &v->rs->route[rule];
	const struct rule *other = v->rs->rule[by];
	struct token t;

	/* To find the place is work, and there may be a million. */
	if (rules_report_skip(v->parse->report, true))
		return;
	t = token_at(r->source, m->at, r->at, r->rule.line);
	warn_at(v->parse->report, &t,
	    "'%.*s' never comes to rule '%s': rule '%s' (%s:%u) takes it "
	    "already",
	    (int)t.len, t.text, r->rule.name, other->name, other->file,
	    other->line);
}

/* A condition that the look-up can stand for: it says yes to named ones only.
 */
static const struct condition *
named_only(const struct route *r, enum condition_kind kind)
{
	for (size_t i = 0; i < r->ncondition; i++) {
		const struct condition *c = &r->condition[i];

		if (c->kind == kind && !c->negated && c->npattern == 0)
			return c;
	}
	return NULL;
}

static void
look_at_members(struct review *v, uint32_t rule, const struct condition *to,
    const struct condition *from)
{
	uint32_t *by = rules_alloc(to->n * sizeof(*by)), last = NONE;
	bool several = false;
	size_t taken = 0;

	for (size_t i = 0; i < to->n; i++) {
		by[i] = taker_of(v, to->member[i].atom, from, rule, &several);
		if (by[i] == NONE)
			continue;
		taken++;
		several |= last != NONE && by[i] != last;
		if (last == NONE || by[i] > last)
			last = by[i];
	}
	if (taken == to->n)
		warn_shadowed(v, rule, last, several);
	else
		for (size_t i = 0; i < to->n; i++)
			if (by[i] != NONE)
				warn_taken(v, rule, &to->member[i], by[i]);
	free(by);
}

static void
look_for_shadow(struct review *v, uint32_t rule)
{
	const struct route *r = &v->rs->route[rule];
	const struct condition *to = named_only(r, CONDITION_TO);
	const struct condition *from = named_only(r, CONDITION_FROM);
	bool several = false;
	uint32_t by;

	if (to != NULL && from != NULL) {
		if (to->n * from->n > COMBINATIONS_MAX - v->combinations)
			return;
		v->combinations += to->n * from->n;
	}
	if (to != NULL) {
		look_at_members(v, rule, to, from);
		return;
	}
	by = taker_of(v, ATOM_ANY, from, rule, &several);
	if (by != NONE)
		warn_shadowed(v, rule, by, several);
}

/* ---- the same words ---- */

/* Up to the byte after a quoted word or a pattern, in which blanks count; other
 * bytes one by one. */
static size_t
end_of_piece(const char *text, size_t at, bool word_begins)
{
	char close = text[at];

	if (!word_begins || (close != '"' && close != '/'))
		return at + 1;
	for (at++; text[at] != close; at++)
		if (text[at] == '\\' && text[at + 1] != '\0')
			at++;
	return at + 1;
}

/* The words of a condition with single blanks between, and one at the end. */
static size_t
write_words(char *out, const char *text, size_t len)
{
	size_t n = 0, end;
	bool blank = true;

	for (size_t i = 0; i < len; i = end) {
		end = end_of_piece(text, i, blank);
		if (strchr(" \t\r\n", text[i]) == NULL) {
			memcpy(out + n, text + i, end - i);
			n += end - i;
			blank = false;
		} else if (!blank) {
			out[n++] = ' ';
			blank = true;
		}
	}
	out[n++] = ' ';
	return n;
}

static char *
words_of(struct review *v, const struct route *r)
{
	size_t len = 0, n = 0;
	char *out;

	for (size_t i = 0; i < r->ncondition; i++)
		len += r->condition[i].len + 1;
	out = arena_alloc(&v->arena, len + 1);
	for (size_t i = 0; i < r->ncondition; i++)
		n += write_words(out + n, r->source->text + r->condition[i].at,
		    r->condition[i].len);
	return out;
}

static void
look_for_same(struct review *v, uint32_t rule)
{
	const struct route *r = &v->rs->route[rule];
	const char *words;
	uint32_t number;

	if (r->ncondition == 0 || route_is_plain(r))
		return;
	words = words_of(v, r);
	number = table_put(&v->asked, &v->arena, words, strlen(words));
	v->asked_by = rules_grow(
	    v->asked_by, &v->asked_room, v->asked.n, sizeof(*v->asked_by));
	/* Numbers count from 1 here; 0 is new. */
	if (v->asked_by[number] == 0)
		v->asked_by[number] = rule + 1;
	else
		warn_shadowed(v, rule, v->asked_by[number] - 1, false);
}

/* ---- names ---- */

static void
look_for_twice(struct review *v, const struct route *r)
{
	for (size_t i = 0; i < r->ncondition; i++) {
		const struct condition *c = &r->condition[i];

		for (size_t j = 1; j < c->n; j++) {
			struct token t;

			if (c->member[j].atom != c->member[j - 1].atom ||
			    rules_report_skip(v->parse->report, true))
				continue;
			t = token_at(
			    r->source, c->member[j].at, r->at, r->rule.line);
			warn_at(v->parse->report, &t, "'%.*s' is listed twice",
			    (int)t.len, t.text);
		}
	}
}

/* Of each carrier, whether a rule, or a shape of its own or of a group of its
 * domains, names it. */
static bool *
find_used(const struct ruleset *rs)
{
	bool *used = rules_alloc(rs->carriers.n);

	for (uint32_t i = 0; i < rs->carriers.n; i++)
		used[i] = rs->any_carrier || rs->carrier[i].used;
	for (size_t i = 0; i < rs->nsite; i++)
		if (rs->group[rs->site[i].group_number].used)
			used[rs->site[i].carrier_number] = true;
	return used;
}

static void
look_for_unused(struct review *v)
{
	const struct ruleset *rs = v->rs;
	bool *used = find_used(rs);

	for (uint32_t i = 0; i < rs->carriers.n; i++) {
		const struct carrier *c = &rs->carrier[i];
		struct token t;

		if (!c->defined || used[i] ||
		    rules_report_skip(v->parse->report, true))
			continue;
		t = token_at(c->source, c->at, c->at, c->line);
		warn_at(v->parse->report, &t, "carrier '%s' is never used",
		    rs->carriers.name[i].text);
	}
	free(used);
}

void
review(struct parse *p)
{
	struct review v = { .parse = p, .rs = p->rs };

	learn(&v);
	for (uint32_t i = 0; i < p->rs->nroute; i++) {
		look_for_twice(&v, &p->rs->route[i]);
		look_for_shadow(&v, i);
		look_for_same(&v, i);
	}
	look_for_unused(&v);
	review_replies(p);
	table_clear(&v.asked);
	free(v.asked_by);
	free(v.meaning);
	arena_clear(&v.arena);
}
