/*
 * rules_trial.h - one random rule set on trial: written to three files, loaded,
 * and described when it fails. For test_rules_walk.c.
 */
#ifndef TESTS_UNIT_RULES_TRIAL_H
#define TESTS_UNIT_RULES_TRIAL_H

#include "tests/unit/rules_write.h"

/* What happened, so that a test that tests nothing shows. */
static struct {
	unsigned sets, refused, unwitnessed, queries, before_last, irregular,
	    split, early, late, transactional;
} seen;

/* One set under test. */
struct trial {
	uint64_t seed;
	unsigned number;
	struct model model;
	char *text[3]; /* of the main file and what it includes */
	struct ruleset *rs;
};

static inline void
describe(FILE *out, const struct trial *t, const struct rules_query *q)
{
	fprintf(out, "seed %llu, set %u:\n%s--- a ---\n%s--- b ---\n%s",
	    (unsigned long long)t->seed, t->number, t->text[0], t->text[1],
	    t->text[2]);
	if (q != NULL)
		fprintf(out,
		    "--- from '%s'@'%s' to '%s'@'%s'%s user '%s' listener '%s' "
		    "header-from '%s' tags '%s' size %llu\n",
		    given(q->from_local), given(q->from_domain),
		    given(q->to_local), given(q->to_domain),
		    q->irregular ? " (irregular)" : "", given(q->user),
		    given(q->listener), given(q->header_from), given(q->tags),
		    (unsigned long long)q->size);
}

static inline void
same(const struct trial *t, const struct rules_query *q, const char *what,
    const char *got, const char *expected)
{
	if (got == expected ||
	    (got != NULL && expected != NULL && strcmp(got, expected) == 0))
		return;
	describe(stderr, t, q);
	fail_msg("%s is '%s', the naive walk says '%s'", what,
	    got != NULL ? got : "(null)",
	    expected != NULL ? expected : "(null)");
}

static inline void
holds(const struct trial *t, const struct rules_query *q, const char *what,
    bool truth)
{
	if (truth)
		return;
	describe(stderr, t, q);
	fail_msg("not so: %s", what);
}

static inline const char *
action_name(enum rules_action action)
{
	static const char *const names[] = { "via", "reject", "hold",
		"discard" };

	return names[action];
}

/* ---- loading ---- */

static inline void
write_set(struct trial *t)
{
	const struct model *m = &t->model;
	unsigned a = draw(m->nrule), b = a + draw(m->nrule - a);
	char *text[3] = { write_rules(m, 0, a), write_rules(m, a, b),
		write_rules(m, b, m->nrule) };
	size_t len = 0;
	FILE *out = open_memstream(&t->text[0], &len);

	write_members(out, m);
	fprintf(out, "include \"a.rules\" # the first\ninclude \"b.rules\"\n%s",
	    text[2]);
	fclose(out);
	free(text[2]);
	t->text[1] = text[0];
	t->text[2] = text[1];
}

/* With the rules in three files, NULL when the set is refused. */
static inline struct ruleset *
load_set(const struct trial *t, struct rules_report *report)
{
	const struct rules_options options = {
		.regular_only = t->model.regular_only,
		.nregular_only = t->model.nregular_only,
	};
	const struct rules_file files[] = {
		{ "main.rules", t->text[0], strlen(t->text[0]) },
		{ "a.rules", t->text[1], strlen(t->text[1]) },
		{ "b.rules", t->text[2], strlen(t->text[2]) },
	};

	return ruleset_parse(files, COUNT(files), &options, report);
}

/* A set may be refused for one reason only. */
static inline void
check_refusal(const struct trial *t, const struct rules_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		if (!report->problem[i].warning &&
		    (t->model.nregular_only == 0 ||
			strstr(report->problem[i].text, "irregular") == NULL)) {
			describe(stderr, t, NULL);
			rules_report_print(report, stderr);
			fail_msg("a good set was refused");
		}
	holds(t, NULL, "an error says why the set is refused",
	    report->errors > 0);
}

static inline bool
goes_to_ses(const struct model *m, const struct rules_query *q)
{
	return all_only_regular(m, &m->rule[oracle_walk(m, q)]);
}

static inline bool
is_carriers(const struct model *m, const char *domain)
{
	return oracle_member(m, domain) != NULL ||
	       strcmp(domain, "docomo.ne.jp") == 0 ||
	       strcmp(domain, "ezweb.ne.jp") == 0;
}

/* Whether the refusal was for a reason: some envelope really goes wrong. */
static inline bool
find_witness(const struct model *m)
{
	for (int i = 0; i < 3000; i++) {
		struct rules_query q = draw_query();

		if (q.irregular && is_carriers(m, given(q.to_domain)) &&
		    goes_to_ses(m, &q))
			return true;
	}
	return false;
}

static inline void
begin(struct trial *t)
{
	struct rules_report report;

	write_set(t);
	rules_report_init(&report);
	t->rs = load_set(t, &report);
	seen.sets++;
	if (t->rs == NULL) {
		check_refusal(t, &report);
		seen.refused++;
		seen.unwitnessed += !find_witness(&t->model);
		t->model.nregular_only = 0;
		rules_report_clear(&report);
		t->rs = load_set(t, &report);
		if (t->rs == NULL)
			check_refusal(t, &report);
	}
	rules_report_clear(&report);
}

static inline void
end(struct trial *t)
{
	ruleset_unref(t->rs);
	model_free(&t->model);
	for (size_t i = 0; i < COUNT(t->text); i++)
		free(t->text[i]);
}

#endif
