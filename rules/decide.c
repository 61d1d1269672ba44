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

static uint32_t
least_pair(const struct ruleset *rs, uint32_t to, const struct sighting *from)
{
	uint32_t rule, least = NONE;

	for (size_t i = 0; i < from->n; i++) {
		rule = pair_rule(rs, to, from->atom[i]);
		if (rule < least)
			least = rule;
	}
	return least;
}

/* The first rule that holds. The sender is looked at only when a rule asks for
 * it. */
static uint32_t
first_rule(const struct ruleset *rs, const struct rules_query *q,
    const struct sighting *to)
{
	struct sighting from;
	uint32_t rule, least = NONE;

	from.n = 0;
	for (size_t i = 0; i < to->n; i++) {
		const struct atom *atom = &rs->atom[to->atom[i]];

		if (atom->rule < least)
			least = atom->rule;
		if (!atom->paired)
			continue;
		if (from.n == 0)
			domain_see(rs, q->from_local, q->from_domain, &from);
		rule = least_pair(rs, to->atom[i], &from);
		if (rule < least)
			least = rule;
	}
	return least;
}

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

static const struct target *
pick(const struct route *r, const struct rules_query *q)
{
	const struct target *t = r->target;
	unsigned rest;

	if (r->ntarget == 1)
		return t;
	for (rest = throw_of(&r->rule, q); rest >= t->share; t++)
		rest -= t->share;
	return t;
}

void
ruleset_decide(const struct ruleset *rs, const struct rules_query *q,
    struct rules_decision *d)
{
	struct sighting to;
	const struct target *t;
	uint32_t rule;

	domain_see(rs, q->to_local, q->to_domain, &to);
	rule = first_rule(rs, q, &to);
	assert(rule < rs->nroute);
	t = pick(&rs->route[rule], q);
	*d = (struct rules_decision){
		.rule = rs->rule[rule],
		.action = RULES_VIA,
		.path = t->path,
		.pool = t->pool,
		.configuration_set = t->configuration_set,
		.share = t->share,
		.carrier = to.site != NULL ? to.site->carrier : NULL,
		.group = to.site != NULL ? to.site->group : NULL,
		.hint = to.hint != NULL ? to.hint->text : NULL,
	};
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
