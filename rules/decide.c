/*
 * decide.c - (rule set, envelope) -> decision.
 *
 * Reads what compile.c made; ruleset_int.h explains atoms. Called for every
 * recipient, from any thread: no allocation, no lock, nothing written but *d.
 */
#include "rules/ruleset_int.h"

#include <assert.h>
#include <string.h>

#include "rules/hash_int.h"

#define WHOLE 10000u /* 100 %, in 1/100 % */

/* ---- which rule ---- */

static uint32_t
least_pair(const struct ruleset *rs, uint32_t to, const struct sighting *from)
{
	uint32_t rule, least = NONE;

	for (size_t i = 0; i < from->n; i++) {
		rule = pairs_get(&rs->plain, to, from->atom[i]);
		if (rule < least)
			least = rule;
	}
	return least;
}

/* The sender is looked at only when a rule asks for it. */
static uint32_t
first_plain(struct view *v)
{
	const struct sighting *to = view_see(v, SUBJECT_TO);
	uint32_t rule, least = NONE;

	for (size_t i = 0; i < to->n; i++) {
		const struct atom *atom = &v->rs->atom[to->atom[i]];

		if (atom->rule < least)
			least = atom->rule;
		if (!atom->paired)
			continue;
		rule =
		    least_pair(v->rs, to->atom[i], view_see(v, SUBJECT_FROM));
		if (rule < least)
			least = rule;
	}
	return least;
}

/* The first before `least` that hangs from that atom and holds, else least. */
static uint32_t
first_under(struct view *v, enum subject subject, uint32_t atom, uint32_t least)
{
	const struct ruleset *rs = v->rs;
	uint32_t at = pairs_get(&rs->hung, atom, subject);

	/* The NONE that ends a list is not below any least. */
	for (; rs->hung_rule[at] < least; at++)
		if (route_holds(v, rs->hung_rule[at], NONE))
			return rs->hung_rule[at];
	return least;
}

static uint32_t
first_from_atoms(struct view *v, enum subject subject, uint32_t least)
{
	const struct sighting *s = view_see(v, subject);

	for (size_t i = 0; i < s->n; i++)
		if (v->rs->atom[s->atom[i]].hung >> subject & 1)
			least = first_under(v, subject, s->atom[i], least);
	return least;
}

static uint32_t
first_from_patterns(struct view *v, enum subject subject, uint32_t least)
{
	const struct hung_patterns *h = &v->rs->hung_patterns[subject];
	uint64_t bits[SIEVE_WORDS(RULES_PATTERNS_MAX)];
	size_t len, i;
	const char *text = view_text(v, subject, &len);
	uint32_t rule, failed = NONE;

	if (len > SUBJECT_TEXT_MAX) {
		view_give_up(v, h->rule[0]);
		return least;
	}
	sieve_pass(h->sieve, text, len, bits);
	for (size_t w = 0; w < SIEVE_WORDS(h->n); w++)
		for (uint64_t b = bits[w]; b != 0; b &= b - 1) {
			i = w * 64 + (size_t)__builtin_ctzll(b);
			rule = h->rule[i];
			if (rule >= least)
				return least;
			/* What kept it from holding is no matter of which. */
			if (rule == failed ||
			    !view_match(v, subject, h->pattern[i], rule))
				continue;
			if (route_holds(v, rule, h->pattern[i]))
				return rule;
			failed = rule;
		}
	return least;
}

/* Tables first, then patterns, and of those only what could still win. */
uint32_t
first_rule(struct view *v)
{
	const struct ruleset *rs = v->rs;
	uint32_t least = first_plain(v);

	for (int s = 0; s < SUBJECTS; s++)
		if (rs->hangs[s])
			least = first_from_atoms(v, (enum subject)s, least);
	for (int s = 0; s < PATTERN_SUBJECTS; s++)
		if (rs->hung_patterns[s].n > 0 &&
		    rs->hung_patterns[s].rule[0] < least)
			least = first_from_patterns(v, (enum subject)s, least);
	return least;
}

/* ---- which of its ways ---- */

/* A number below WHOLE that is always the same for this recipient and this
 * rule. */
static unsigned
throw_of(const struct rule *rule, const struct rules_query *q)
{
	uint64_t h = HASH64_START;

	/* The NUL that ends the name keeps name and recipient apart. */
	h = hash64(h, rule->name, strlen(rule->name) + 1);
	for (const char *p = q->to_local; *p != '\0'; p++)
		h = hash64_step(h, ascii_lower((unsigned char)*p));
	h = hash64_step(h, '@');
	h = hash64(h, q->to_domain, strlen(q->to_domain));
	return (unsigned)(hash64_mix(h) % WHOLE);
}

/*
 * An irregular recipient is shared out among the targets that take it. Where
 * none with a share does, it is treated as any other and the caller will refuse
 * it: the check at load has made sure that it is no carrier's.
 */
static const struct target *
pick(
    const struct way *way, const struct rule *rule, const struct rules_query *q)
{
	const struct target *t, *end = way->target + way->ntarget;
	bool regular = !q->irregular;
	unsigned whole = 0, rest;

	if (way->ntarget == 1)
		return way->target;
	for (t = way->target; t < end; t++)
		whole += regular || !t->regular_only ? t->share : 0;
	if (whole == 0) {
		regular = true;
		whole = WHOLE;
	}
	rest = throw_of(rule, q) * whole / WHOLE;
	for (t = way->target;; t++) {
		if (!regular && t->regular_only)
			continue;
		if (rest < t->share)
			return t;
		rest -= t->share;
	}
}

static const char *
fallback_of(const struct way *way, const struct rules_query *q)
{
	return q->irregular && way->fallback_regular_only ? NULL
							  : way->fallback;
}

/* ---- the decision ---- */

static void
decide_by(struct view *v, uint32_t rule, struct rules_decision *d)
{
	static const char *const paths[] = {
		[RULES_REJECT] = RULES_PATH_REJECT,
		[RULES_HOLD] = RULES_PATH_HOLD,
		[RULES_DISCARD] = RULES_PATH_DISCARD,
	};
	const struct sighting *to = view_see(v, SUBJECT_TO);
	const struct ruleset *rs = v->rs;
	const struct way *way = &rs->way[rule];

	*d = (struct rules_decision){
		.rule = &rs->route[rule].rule,
		.action = way->action,
		.path = paths[way->action],
		.share = WHOLE,
		.local_part = way->local_part,
		.transactional = way->transactional,
		.carrier = to->site != NULL ? to->site->carrier : NULL,
		.group = to->site != NULL ? to->site->group : NULL,
		.hint = to->hint != NULL ? to->hint->text : NULL,
		.limited = v->limited,
	};
	if (v->limited > 0)
		d->limited_rule = rs->rule[v->limited_rule];
	if (way->action == RULES_REJECT)
		d->text = way->text;
	if (way->action == RULES_VIA) {
		const struct target *t = pick(way, d->rule, v->query);

		d->path = t->path;
		d->pool = t->pool;
		d->configuration_set = t->configuration_set;
		d->share = t->share;
		d->fallback = fallback_of(way, v->query);
	}
	if (strcmp(d->path, RULES_PATH_DISCARD) == 0)
		d->action = RULES_DISCARD;
}

void
ruleset_decide(const struct ruleset *rs, const struct rules_query *q,
    struct rules_decision *d)
{
	struct view v;
	uint32_t rule;

	view_init(&v, rs, q);
	rule = first_rule(&v);
	assert(rule < rs->nroute);
	decide_by(&v, rule, d);
}

/* Whether what asks for content keeps a rule from holding is not known yet. */
static bool
could_hold(struct view *v, uint32_t rule)
{
	const struct route *r = &v->rs->route[rule];

	for (size_t i = 0; i < r->ncondition; i++)
		if (!is_on_content(&r->condition[i]) &&
		    !condition_holds(v, &r->condition[i], rule, NONE))
			return false;
	return true;
}

/* A set of very many rules on content is not gone through at every RCPT. */
#define LOOK_AT_MOST 1000

bool
ruleset_decide_early(const struct ruleset *rs, const struct rules_query *q,
    struct rules_decision *d)
{
	struct rules_query early = *q;
	struct view v;
	uint32_t rule;

	early.header_from = early.tags = NULL;
	early.size = 0;
	view_init(&v, rs, &early);
	rule = first_rule(&v);
	assert(rule < rs->nroute);
	decide_by(&v, rule, d);
	for (size_t i = 0; i < rs->non_content; i++) {
		if (rs->on_content[i] > rule)
			break;
		if (i == LOOK_AT_MOST || could_hold(&v, rs->on_content[i]))
			return false;
	}
	/* With the content, others may be the patterns that use the limits up.
	 */
	return v.limited == 0 || rs->non_content == 0;
}

const char *
ruleset_carrier_of(const struct ruleset *rs, const char *domain)
{
	struct sighting s;

	domain_see(rs, NULL, domain, &s);
	return s.site != NULL ? s.site->carrier : NULL;
}

const char *
ruleset_group_of(const struct ruleset *rs, const char *domain)
{
	struct sighting s;

	domain_see(rs, NULL, domain, &s);
	return s.site != NULL ? s.site->group : NULL;
}

const char *
ruleset_hint_of(const struct ruleset *rs, const char *domain)
{
	struct sighting s;

	domain_see(rs, NULL, domain, &s);
	return s.hint != NULL ? s.hint->text : NULL;
}
