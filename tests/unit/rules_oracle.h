/*
 * rules_oracle.h - what a rule set means, worked out the slow way.
 *
 * A model is a rule set as plain data: no text, no tables, no numbers for
 * names. oracle_walk tries each rule in turn and each condition of it, exactly
 * as oiwake-rules(5) says, and shares nothing with rules/. rules_draw.h makes
 * models at random, rules_write.h writes them in the language, and
 * test_rules_walk.c compares.
 */
#ifndef TESTS_UNIT_RULES_ORACLE_H
#define TESTS_UNIT_RULES_ORACLE_H

#include "tests/unit/rules_help.h"

#include <strings.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum who_kind {
	WHO_ADDRESS,
	WHO_NULL_PATH,
	WHO_DOMAIN,
	WHO_SUFFIX,
	WHO_CARRIER,
	WHO_ANY_CARRIER,
	WHO_PATTERN,
	WHO_NAME,     /* of a user, a listener or a tag, exact */
	WHO_ANY_NAME, /* user * */
};

struct who {
	enum who_kind kind;
	bool bare; /* written without the word `domain` */
	char text[96];
	char flags[4];
	pcre2_code *code;
};

enum condition_kind {
	IF_ANY,
	IF_TO,
	IF_FROM,
	IF_HEADER_FROM,
	IF_USER,
	IF_LISTENER,
	IF_TAG,
	IF_SIZE,
	IF_IRREGULAR,
};

struct condition {
	enum condition_kind kind;
	bool negated, with_and;
	bool everybody; /* to any, from any */
	struct who who[4];
	unsigned nwho;
	bool more; /* size > bytes, else size < bytes */
	uint64_t bytes;
	char unit[3]; /* as written: the bytes are a multiple of it */
};

struct model_target {
	const char *path, *pool, *configuration_set;
	unsigned share; /* 1/100 % */
};

struct model_rule {
	char name[16];
	struct condition condition[5];
	unsigned ncondition;
	enum rules_action action;
	struct model_target target[3];
	unsigned ntarget;
	const char *fallback; /* as written; NULL: not */
	enum rules_local_part local_part;
	bool transactional;
	const char *text;
};

struct member {
	bool below; /* .domain */
	const char *domain, *carrier, *group;
};

struct model {
	struct model_rule *rule;
	unsigned nrule;
	struct member member[12];
	unsigned nmember;
	const char *const *regular_only;
	size_t nregular_only;
};

static inline void
model_free(struct model *m)
{
	for (unsigned i = 0; i < m->nrule; i++)
		for (unsigned j = 0; j < m->rule[i].ncondition; j++) {
			struct condition *c = &m->rule[i].condition[j];

			for (unsigned k = 0; k < c->nwho; k++)
				pcre2_code_free(c->who[k].code);
		}
	free(m->rule);
}

static inline bool
lies_below(const char *domain, const char *suffix)
{
	size_t n = strlen(domain), s = strlen(suffix);

	return n > s && domain[n - s - 1] == '.' &&
	       strcmp(domain + n - s, suffix) == 0;
}

/* Whose a domain is: the domain itself, then the longest suffix. */
static inline const struct member *
oracle_member(const struct model *m, const char *domain)
{
	const struct member *best = NULL;
	size_t best_weight = 0;

	for (unsigned i = 0; i < m->nmember; i++) {
		const struct member *one = &m->member[i];
		size_t weight = 0;

		if (!one->below && strcmp(one->domain, domain) == 0)
			weight = SIZE_MAX;
		if (one->below && lies_below(domain, one->domain))
			weight = strlen(one->domain);
		if (weight > best_weight) {
			best_weight = weight;
			best = one;
		}
	}
	return best;
}

/* Plain: no JIT, no sieve, no study of what the pattern must contain. */
static inline bool
pattern_holds(const struct who *w, const char *subject)
{
	static pcre2_match_data *data;
	int rc;

	if (data == NULL)
		data = pcre2_match_data_create(64, NULL);
	rc = pcre2_match(
	    w->code, (PCRE2_SPTR)subject, strlen(subject), 0, 0, data, NULL);
	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		fail_msg("pattern /%s/%s on '%s': PCRE2 error %d", w->text,
		    w->flags, subject, rc);
	return rc >= 0;
}

/* A mailbox, or with local NULL a domain alone. */
static inline bool
who_holds(const struct model *m, const struct who *w, const char *local,
    const char *domain)
{
	char address[256];
	const struct member *one = oracle_member(m, domain);

	snprintf(address, sizeof(address), "%s%s%s", local != NULL ? local : "",
	    local != NULL && (*local != '\0' || *domain != '\0') ? "@" : "",
	    domain);
	switch (w->kind) {
	case WHO_ADDRESS:
		return strcasecmp(w->text, address) == 0;
	case WHO_NULL_PATH:
		return address[0] == '\0';
	case WHO_DOMAIN:
		return strcmp(w->text, domain) == 0;
	case WHO_SUFFIX:
		return lies_below(domain, w->text);
	case WHO_CARRIER:
		return one != NULL && strcmp(one->carrier, w->text) == 0;
	case WHO_ANY_CARRIER:
		return one != NULL;
	case WHO_PATTERN:
		return pattern_holds(w, address);
	case WHO_NAME:
	case WHO_ANY_NAME:
		break;
	}
	return false;
}

static inline bool
mailbox_holds(const struct model *m, const struct condition *c,
    const char *local, const char *domain)
{
	for (unsigned i = 0; i < c->nwho; i++)
		if (who_holds(m, &c->who[i], local, domain))
			return true;
	return c->everybody;
}

static inline bool
name_holds(const struct condition *c, const char *name)
{
	for (unsigned i = 0; i < c->nwho; i++)
		if (c->who[i].kind == WHO_ANY_NAME
			? *name != '\0'
			: strcmp(c->who[i].text, name) == 0)
			return true;
	return false;
}

static inline bool
tag_holds(const struct condition *c, const char *tags)
{
	char copy[256], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", tags);
	for (char *t = strtok_r(copy, ",", &save); t != NULL;
	     t = strtok_r(NULL, ",", &save))
		if (name_holds(c, t))
			return true;
	return false;
}

static inline const char *
given(const char *s)
{
	return s != NULL ? s : "";
}

static inline bool
condition_holds(const struct model *m, const struct condition *c,
    const struct rules_query *q)
{
	switch (c->kind) {
	case IF_ANY:
		return true;
	case IF_TO:
		return mailbox_holds(
		    m, c, given(q->to_local), given(q->to_domain));
	case IF_FROM:
		return mailbox_holds(
		    m, c, given(q->from_local), given(q->from_domain));
	case IF_HEADER_FROM:
		return mailbox_holds(m, c, NULL, given(q->header_from));
	case IF_USER:
		return name_holds(c, given(q->user));
	case IF_LISTENER:
		return name_holds(c, given(q->listener));
	case IF_TAG:
		return tag_holds(c, given(q->tags));
	case IF_SIZE:
		return c->more ? q->size > c->bytes : q->size < c->bytes;
	case IF_IRREGULAR:
		return q->irregular;
	}
	return false;
}

static inline bool
rule_holds(const struct model *m, const struct model_rule *r,
    const struct rules_query *q)
{
	for (unsigned i = 0; i < r->ncondition; i++)
		if (condition_holds(m, &r->condition[i], q) ==
		    r->condition[i].negated)
			return false;
	return true;
}

/* The number of the first rule that holds. The last one always does. */
static inline unsigned
oracle_walk(const struct model *m, const struct rules_query *q)
{
	unsigned i = 0;

	while (!rule_holds(m, &m->rule[i], q))
		i++;
	assert_true(i < m->nrule);
	return i;
}

static inline bool
needs_content(const struct model_rule *r)
{
	for (unsigned i = 0; i < r->ncondition; i++) {
		enum condition_kind kind = r->condition[i].kind;

		if (kind == IF_HEADER_FROM || kind == IF_TAG || kind == IF_SIZE)
			return true;
	}
	return false;
}

static inline bool
only_regular(const struct model *m, const char *path)
{
	for (size_t i = 0; i < m->nregular_only; i++)
		if (strcmp(m->regular_only[i], path) == 0)
			return true;
	return false;
}

/* A target without a share takes nobody. */
static inline bool
can_take(const struct model *m, const struct model_target *t, bool irregular)
{
	return t->share > 0 && (!irregular || !only_regular(m, t->path));
}

static inline bool
all_only_regular(const struct model *m, const struct model_rule *r)
{
	for (unsigned i = 0; i < r->ntarget; i++)
		if (can_take(m, &r->target[i], true))
			return false;
	return r->ntarget > 0;
}

/*
 * Whether the split may give this target to that recipient. Who of several
 * takes whom is a matter of the hash, which test_rules.c pins.
 */
static inline bool
may_take(const struct model *m, const struct model_rule *r,
    const struct model_target *target, bool irregular)
{
	return can_take(m, target, irregular && !all_only_regular(m, r));
}

/* What the decision's fallback has to be: NULL where it is to be none. */
static inline const char *
oracle_fallback(
    const struct model *m, const struct model_rule *r, bool irregular)
{
	const char *f = r->fallback;

	if (f == NULL || strcmp(f, "none") == 0)
		return NULL;
	return irregular && only_regular(m, f) ? NULL : f;
}

#endif
