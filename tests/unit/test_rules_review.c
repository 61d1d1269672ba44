/*
 * test_rules_review.c - what the review says is so, over random rule sets: a
 * rule that "can never match" never wins, a name that "never comes to" its rule
 * never brings mail there, and without either nothing is decided otherwise.
 *
 * All in one thread. RULES_SEED=N repeats a run whose seed was printed.
 */
#include "tests/unit/rules_trial.h"

#include <time.h>

static unsigned shadowed, taken;

static struct ruleset *
load_reviewed(const struct trial *t, struct rules_report *report)
{
	rules_report_init(report);
	return load_set(t, report);
}

/* Its number, when the problem says so of a rule of the set. */
static int
rule_said(const struct model *m, const char *text, const char *before,
    const char *after)
{
	const char *at = strstr(text, before);
	size_t len;

	if (at == NULL)
		return -1;
	at += strlen(before);
	for (unsigned i = 0; i < m->nrule; i++) {
		len = strlen(m->rule[i].name);
		if (strncmp(at, m->rule[i].name, len) == 0 &&
		    strncmp(at + len, after, strlen(after)) == 0)
			return (int)i;
	}
	return -1;
}

/* Its recipient is the named one itself: that says nothing of others. */
static bool
is_named(const char *text, const struct rules_query *q)
{
	char name[128], address[128];

	snprintf(
	    name, sizeof(name), "%.*s", (int)strcspn(text + 1, "'"), text + 1);
	snprintf(address, sizeof(address), "%s@%s", given(q->to_local),
	    given(q->to_domain));
	if (name[0] == '.')
		return lies_below(given(q->to_domain), name + 1);
	return strcasecmp(name, given(q->to_domain)) == 0 ||
	       strcasecmp(name, address) == 0;
}

/* Whether others of the rule's list bring the mail there. */
static bool
has_other_names(const struct model_rule *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->ncondition; i++)
		if (r->condition[i].kind == IF_TO && !r->condition[i].negated)
			n += r->condition[i].nwho;
	return n != 1;
}

static void
check_problem(const struct trial *t, const char *text)
{
	const struct model *m = &t->model;
	int never = rule_said(m, text, "rule '", "' can never match");
	int rest = rule_said(m, text, "never comes to rule '", "'");

	shadowed += never >= 0;
	taken += rest >= 0;
	if (never < 0 && rest < 0)
		return;
	for (int i = 0; i < 400; i++) {
		struct rules_query q = draw_query();
		int winner = (int)oracle_walk(m, &q);

		if (winner == never)
			fprintf(stderr, "%s\n", text);
		holds(t, &q, "a rule that can never match never wins",
		    winner != never);
		if (rest < 0 || winner != rest || !is_named(text, &q))
			continue;
		if (!has_other_names(&m->rule[rest]))
			fprintf(stderr, "%s\n", text);
		holds(t, &q, "what never comes to a rule does not",
		    has_other_names(&m->rule[rest]));
	}
}

static void
check_set(struct trial *t)
{
	struct rules_report report;
	struct ruleset *rs;

	write_set(t);
	rs = load_reviewed(t, &report);
	for (size_t i = 0; rs != NULL && i < report.n; i++)
		if (report.problem[i].warning)
			check_problem(t, report.problem[i].text);
	ruleset_unref(rs);
	rules_report_clear(&report);
}

static void
try_seed(uint64_t seed)
{
	for (unsigned i = 0; i < 1500; i++) {
		struct trial t = { .seed = seed, .number = i };

		draw_state = seed * 1000003 + i;
		t.model = draw_model(2 + draw(14), NULL, 0);
		check_set(&t);
		end(&t);
	}
	print_message(
	    "%u rules said to be shadowed, %u names taken\n", shadowed, taken);
}

static void
what_is_said_is_so(void **state)
{
	const char *given_seed = getenv("RULES_SEED");
	uint64_t seed = given_seed != NULL ? strtoull(given_seed, NULL, 10)
					   : (uint64_t)time(NULL);

	(void)state;
	try_seed(1);
	assert_true(shadowed > 200);
	assert_true(taken > 100);
	print_message("RULES_SEED=%llu\n", (unsigned long long)seed);
	try_seed(seed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
