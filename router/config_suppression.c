/*
 * config_suppression.c - the section suppression: what suppresses an address
 * beside what always does, and for how long.
 *
 * What may be a cause at all is suppress.c's to say.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/suppress.h"

#define DAY_MS	    (INT64_C(24) * 3600 * 1000)
#define LONGEST	    (3660 * DAY_MS)
#define STRIKES_MAX 1000
#define SOFT_FOR    (30 * DAY_MS)

/* None of them says when it gives an address to somebody else; that they do is
 * known, and half a year is what phone numbers rest. */
static const char *const carriers[] = { "docomo", "au", "softbank", "ymobile",
	"rakuten" };
#define CARRIER_FOR (180 * DAY_MS)

static int
read_time(const char *text, int64_t *out, struct err *e)
{
	double ms;

	if (config_value_ms(text, &ms, e) != 0)
		return -1;
	if (ms < 1000 || ms > (double)LONGEST)
		return err_set(
		    e, "'%s' is too %s", text, ms < 1000 ? "small" : "large");
	*out = (int64_t)ms;
	return 0;
}

/* -- how long, by carrier -------------------------------------------------- */

static struct config_suppress_expiry *
expiry_for(struct config_suppression *s, const char *carrier)
{
	for (size_t i = 0; i < s->ncarriers; i++)
		if (strcmp(s->carriers[i].carrier, carrier) == 0)
			return &s->carriers[i];
	s->carriers =
	    config_grow(s->carriers, &s->ncarriers, sizeof(*s->carriers));
	s->carriers[s->ncarriers - 1].carrier = xstrdup(carrier);
	return &s->carriers[s->ncarriers - 1];
}

/* "docomo=180d", "au=never" */
static int
read_carrier(struct config_suppression *s, const char *text, struct err *e)
{
	const char *equals = strchr(text, '=');
	int64_t expires = 0;
	char *name;
	bool good;

	if (equals == NULL)
		return err_set(e,
		    "expected a carrier and a time such as docomo=180d, not "
		    "'%s'",
		    text);
	if (strcmp(equals + 1, "never") != 0 &&
	    read_time(equals + 1, &expires, e) != 0)
		return -1;
	name = xstrndup(text, (size_t)(equals - text));
	good = config_value_name(name);
	if (good)
		expiry_for(s, name)->expires = expires;
	else
		err_set(e, "not the name of a carrier: '%s'", name);
	free(name);
	return good ? 0 : -1;
}

/* -- causes ---------------------------------------------------------------- */

/* The next word of the text, NULL at its end. The caller frees. */
static char *
next_word(const char **p)
{
	const char *begin = *p + strspn(*p, " \t");
	size_t n = strcspn(begin, " \t");

	*p = begin + n;
	return n > 0 ? xstrndup(begin, n) : NULL;
}

/* That word stands next, and is taken. */
static bool
takes_word(const char **p, const char *word)
{
	const char *end = *p;
	char *next = next_word(&end);
	bool same = next != NULL && strcmp(next, word) == 0;

	free(next);
	if (same)
		*p = end;
	return same;
}

static int
read_time_word(const char **p, const char *after, int64_t *out, struct err *e)
{
	char *word = next_word(p);
	int rc = -1;

	if (word == NULL)
		err_set(e, "expected a time after '%s'", after);
	else
		rc = read_time(word, out, e);
	free(word);
	return rc;
}

/* "5 in 30d" */
static int
read_strikes(const char **p, struct config_suppress_rule *rule, struct err *e)
{
	char *word = next_word(p);
	double n = 0;

	if (word == NULL || config_value_number(word, &n, NULL) != 0 || n < 1 ||
	    n > STRIKES_MAX || n != (double)(unsigned)n)
		err_set(e, "expected a number from 1 to %d after 'after'",
		    STRIKES_MAX);
	else if (!takes_word(p, "in"))
		err_set(e, "expected 'in' and a time after 'after %s'", word);
	else
		rule->strikes = (unsigned)n;
	free(word);
	return rule->strikes > 0 ? read_time_word(p, "in", &rule->within, e)
				 : -1;
}

static int
read_conditions(const char *p, struct config_suppress_rule *rule, struct err *e)
{
	rule->off = takes_word(&p, "off");
	if (!rule->off && takes_word(&p, "after") &&
	    read_strikes(&p, rule, e) != 0)
		return -1;
	if (!rule->off && takes_word(&p, "for") &&
	    read_time_word(&p, "for", &rule->expires, e) != 0)
		return -1;
	rule->path_only = !rule->off && takes_word(&p, "path-only");
	p += strspn(p, " \t");
	if (*p != '\0')
		return err_set(e,
		    "unexpected '%s'; a cause reads: REASON [after N in "
		    "TIME] [for TIME] [path-only], or REASON off",
		    p);
	return 0;
}

/* What its reason is decides whether it may be a cause, and of which kind. */
static int
check_reason(const struct config_suppression *s,
    struct config_suppress_rule *rule, struct err *e)
{
	const struct suppress_reason *r = suppress_reason_find(rule->reason);

	if (r == NULL)
		return err_set(e, "no such reason: '%s'", rule->reason);
	if (r->nature == SUPPRESS_NEVER)
		return err_set(
		    e, "'%s' never suppresses: %s", rule->reason, r->why_never);
	for (size_t i = 0; i < s->nrules; i++)
		if (strcmp(s->rules[i].reason, rule->reason) == 0)
			return err_set(e, "'%s' given twice", rule->reason);
	if (r->nature == SUPPRESS_HARD || rule->off)
		return 0;
	if (rule->strikes == 0)
		return err_set(e,
		    "'%s' passes: say after how many in which time, as in "
		    "'%s after 5 in 30d'",
		    rule->reason, rule->reason);
	if (rule->expires == 0)
		rule->expires = SOFT_FOR;
	return 0;
}

static int
read_cause(struct config_suppression *s, const char *text, struct err *e)
{
	struct config_suppress_rule rule = { .reason = NULL };
	const char *p = text;

	rule.reason = next_word(&p);
	if (rule.reason == NULL)
		return err_set(e, "expected a reason");
	if (read_conditions(p, &rule, e) != 0 ||
	    check_reason(s, &rule, e) != 0) {
		free(rule.reason);
		return -1;
	}
	s->rules = config_grow(s->rules, &s->nrules, sizeof(*s->rules));
	s->rules[s->nrules - 1] = rule;
	return 0;
}

/* -- the section ----------------------------------------------------------- */

static void
read_list(struct raw_config *raw, const struct raw_section *s, const char *key,
    int (*read)(struct config_suppression *, const char *, struct err *),
    struct config_suppression *out)
{
	const struct raw_entry *entry;

	for (size_t i = 0; (entry = raw_find_nth(s, key, i)) != NULL; i++) {
		struct err e = ERR_INIT;

		if (read(out, entry->value, &e) != 0)
			config_problem(raw, entry->at, "%s: %s", key, e.text);
	}
}

void
config_build_suppression(struct raw_config *raw, struct config *cfg)
{
	const struct raw_section *s = raw_section_first(raw, "suppression");
	struct config_suppression *out = &cfg->suppression;

	for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
		expiry_for(out, carriers[i])->expires = CARRIER_FOR;
	if (s == NULL)
		return;
	config_store(raw, s, cfg);
	read_list(raw, s, "carriers", read_carrier, out);
	read_list(raw, s, "causes", read_cause, out);
}

void
config_free_suppression(struct config_suppression *s)
{
	for (size_t i = 0; i < s->nrules; i++)
		free(s->rules[i].reason);
	for (size_t i = 0; i < s->ncarriers; i++)
		free(s->carriers[i].carrier);
	free(s->rules);
	free(s->carriers);
}
