/*
 * test_rules_walk.c - the rule engine against a naive first-match walk, over
 * random rule sets in the whole language.
 *
 * rules_oracle.h says what the answer has to be, and knows nothing of rules/.
 * All in one thread. RULES_SEED=N repeats a run whose seed was printed.
 */
#include "tests/unit/rules_trial.h"

#include <time.h>

static const char *const regular_only[] = { "ses", "ses2" };

/* ---- what is asked ---- */

static struct rules_decision
ask(const struct trial *t, const struct rules_query *q)
{
	struct rules_decision d;

	ruleset_decide(t->rs, q, &d);
	holds(t, q, "no pattern is given up", d.limited == 0);
	return d;
}

static bool
is_target(const struct trial *t, const struct model_rule *r,
    const struct model_target *target, const struct rules_query *q,
    const struct rules_decision *d)
{
	const char *set = target->configuration_set;

	return strcmp(target->path, d->path) == 0 &&
	       strcmp(given(target->pool), given(d->pool)) == 0 &&
	       strcmp(given(set), given(d->configuration_set)) == 0 &&
	       (q->irregular || target->share == d->share) &&
	       may_take(&t->model, r, target, q->irregular);
}

static void
check_targets(const struct trial *t, const struct model_rule *r,
    const struct rules_query *q, const struct rules_decision *d)
{
	bool found = false;

	for (unsigned i = 0; i < r->ntarget; i++)
		found |= is_target(t, r, &r->target[i], q, d);
	if (!found) {
		describe(stderr, t, q);
		fail_msg("rule %s may not send by path '%s' pool '%s' "
			 "configuration set '%s' share %u",
		    r->name, d->path, given(d->pool),
		    given(d->configuration_set), d->share);
	}
	seen.split += r->ntarget > 1;
	holds(t, q, "transactional is the rule's",
	    d->transactional == r->transactional);
	if (d->action == RULES_DISCARD)
		return;
	same(t, q, "fallback", d->fallback,
	    oracle_fallback(&t->model, r, q->irregular));
	holds(t, q, "local_part is the rule's", d->local_part == r->local_part);
}

static void
check_pathless(const struct trial *t, const struct rules_query *q,
    const struct rules_decision *d)
{
	static const char *const named[] = {
		[RULES_REJECT] = RULES_PATH_REJECT,
		[RULES_HOLD] = RULES_PATH_HOLD,
		[RULES_DISCARD] = RULES_PATH_DISCARD,
	};

	same(t, q, "path", d->path, named[d->action]);
	same(t, q, "pool", d->pool, NULL);
	same(t, q, "configuration set", d->configuration_set, NULL);
	same(t, q, "fallback", d->fallback, NULL);
	holds(t, q, "share is whole", d->share == 10000);
	holds(t, q, "it is not transactional", !d->transactional);
}

static void
check_decision(const struct trial *t, const struct rules_query *q,
    const struct rules_decision *d)
{
	const struct model *m = &t->model;
	const struct model_rule *r = &m->rule[oracle_walk(m, q)];
	const struct member *one = oracle_member(m, given(q->to_domain));
	enum rules_action action = r->action;

	same(t, q, "rule", d->rule->name, r->name);
	if (action == RULES_VIA && strcmp(d->path, RULES_PATH_DISCARD) == 0)
		action = RULES_DISCARD;
	same(t, q, "action", action_name(d->action), action_name(action));
	same(t, q, "text", d->text, r->text);
	same(t, q, "carrier", d->carrier, one != NULL ? one->carrier : NULL);
	same(t, q, "group", d->group, one != NULL ? one->group : NULL);
	if (r->action == RULES_VIA)
		check_targets(t, r, q, d);
	else
		check_pathless(t, q, d);
	seen.before_last += r != &m->rule[m->nrule - 1];
	seen.irregular += q->irregular;
	seen.transactional += d->transactional;
}

static void
check_same(const struct trial *t, const struct rules_query *q,
    const struct rules_decision *d, const struct rules_decision *again)
{
	same(t, q, "rule, again,", again->rule->name, d->rule->name);
	same(t, q, "action, again,", action_name(again->action),
	    action_name(d->action));
	same(t, q, "path, again,", again->path, d->path);
	same(t, q, "pool, again,", again->pool, d->pool);
	same(t, q, "configuration set, again,", again->configuration_set,
	    d->configuration_set);
	same(t, q, "fallback, again,", again->fallback, d->fallback);
	same(t, q, "text, again,", again->text, d->text);
	holds(t, q, "share, again, is the same", again->share == d->share);
	holds(t, q, "local_part, again, is the same",
	    again->local_part == d->local_part);
	holds(t, q, "transactional, again, is the same",
	    again->transactional == d->transactional);
}

/* Whoever sends and however the address is written: one person, one path. */
static void
check_stable(const struct trial *t, const struct rules_query *q,
    const struct rules_decision *d)
{
	struct rules_decision again = ask(t, q);
	struct rules_query other = draw_query();
	char local[64] = "";

	check_same(t, q, d, &again);
	for (size_t i = 0; q->to_local[i] != '\0'; i++)
		local[i] = (char)(q->to_local[i] >= 'a' && q->to_local[i] <= 'z'
				      ? q->to_local[i] - 'a' + 'A'
				      : q->to_local[i]);
	other.to_local = local;
	other.to_domain = q->to_domain;
	other.irregular = q->irregular;
	again = ask(t, &other);
	check_decision(t, &other, &again);
	if (again.rule == d->rule)
		same(t, &other, "path of the same person", again.path, d->path);
}

static bool
decided_by_envelope(const struct trial *t, const struct rules_query *q)
{
	const struct model *m = &t->model;
	unsigned last = oracle_walk(m, q);

	for (unsigned i = 0; i <= last; i++)
		if (needs_content(&m->rule[i]))
			return false;
	return true;
}

static void
check_early(const struct trial *t, const struct rules_query *q)
{
	struct rules_query varied = *q;
	struct rules_decision early, late;

	if (!ruleset_decide_early(t->rs, q, &early)) {
		seen.late++;
		holds(t, q, "what needs no content is decided early",
		    !decided_by_envelope(t, q));
		return;
	}
	seen.early++;
	for (int i = 0; i < 8; i++) {
		late = ask(t, &varied);
		check_same(t, &varied, &early, &late);
		same(t, &varied, "early carrier", early.carrier, late.carrier);
		same(t, &varied, "early group", early.group, late.group);
		draw_content(&varied);
	}
}

/* The promise for which a set may be refused. */
static void
check_irregular(const struct trial *t, const struct rules_query *q,
    const struct rules_decision *d)
{
	if (!q->irregular || !is_carriers(&t->model, given(q->to_domain)))
		return;
	holds(t, q, "a carrier's irregular address never gets such a path",
	    d->action != RULES_VIA || !only_regular(&t->model, d->path));
}

struct misses {
	const struct trial *t;
	const struct rules_query *q;
	unsigned next, winner;
};

static void
each_miss(void *arg, const struct rule *rule, const char *why)
{
	struct misses *s = arg;
	const struct model *m = &s->t->model;
	unsigned i = s->next;

	while (i < s->winner && strcmp(m->rule[i].name, rule->name) != 0)
		i++;
	holds(s->t, s->q, "near misses stand before the winner, in order",
	    i < s->winner);
	holds(s->t, s->q, "a near miss has a reason", *why != '\0');
	s->next = i + 1;
}

static void
check_query(const struct trial *t)
{
	struct rules_query q = draw_query();
	struct rules_decision d = ask(t, &q);
	struct misses s = { t, &q, 0, oracle_walk(&t->model, &q) };

	seen.queries++;
	check_decision(t, &q, &d);
	check_irregular(t, &q, &d);
	check_early(t, &q);
	if (chance(20))
		check_stable(t, &q, &d);
	if (chance(5))
		ruleset_near_misses(t->rs, &q, each_miss, &s);
}

/* What a set is made of makes it again. */
static void
check_files(const struct trial *t)
{
	const struct rules_options options = {
		.regular_only = t->model.regular_only,
		.nregular_only = t->model.nregular_only,
	};
	const struct rules_file *files;
	size_t n = ruleset_files(t->rs, &files);
	struct rules_report report;
	struct ruleset *again;

	rules_report_init(&report);
	again = ruleset_parse(files, n, &options, &report);
	holds(t, NULL, "the files of a set make a set", again != NULL);
	same(
	    t, NULL, "version", ruleset_version(again), ruleset_version(t->rs));
	ruleset_unref(again);
	rules_report_clear(&report);
}

/* ---- the tests ---- */

static void
try_sets(uint64_t seed, unsigned nset, unsigned max_rules, unsigned nquery)
{
	memset(&seen, 0, sizeof(seen));
	for (unsigned i = 0; i < nset; i++) {
		struct trial t = { .seed = seed, .number = i };

		draw_state = seed * 1000003 + i;
		t.model = draw_model(draw(max_rules + 1), regular_only,
		    chance(60) ? COUNT(regular_only) : 0);
		begin(&t);
		for (unsigned j = 0; j < nquery; j++)
			check_query(&t);
		if (i % 8 == 0)
			check_files(&t);
		end(&t);
	}
	print_message("%u sets, %u refused for irregular addresses (%u with "
		      "no example found), %u queries: %u not by the last "
		      "rule, %u irregular, %u split, %u early, %u not\n",
	    seen.sets, seen.refused, seen.unwitnessed, seen.queries,
	    seen.before_last, seen.irregular, seen.split, seen.early,
	    seen.late);
}

/* A test whose mail all goes one way would prove nothing. */
static void
check_seen(void)
{
	assert_true(seen.refused < seen.sets / 2);
	assert_true(seen.before_last > seen.queries / 2);
	assert_true(seen.irregular > seen.queries / 10);
	assert_true(seen.split > seen.queries / 20);
	assert_true(seen.early > seen.queries / 10);
	assert_true(seen.transactional > seen.queries / 20);
	assert_true(seen.late > seen.queries / 10);
}

static void
test_fixed_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		try_sets(seed, 700, 12, 60);
		check_seen();
	}
}

static void
test_random_seed(void **state)
{
	const char *given_seed = getenv("RULES_SEED");
	uint64_t seed = given_seed != NULL ? strtoull(given_seed, NULL, 10)
					   : (uint64_t)time(NULL);

	(void)state;
	print_message("RULES_SEED=%llu\n", (unsigned long long)seed);
	try_sets(seed, 700, 12, 60);
}

static void
test_large_sets(void **state)
{
	(void)state;
	try_sets(4, 6, 400, 500);
}

/* What is read out of a pattern to sieve by must never lose a match. */
static void
test_many_patterns(void **state)
{
	(void)state;
	pattern_percent = 80;
	try_sets(5, 60, 120, 150);
	pattern_percent = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed_seeds),
		cmocka_unit_test(test_random_seed),
		cmocka_unit_test(test_large_sets),
		cmocka_unit_test(test_many_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
