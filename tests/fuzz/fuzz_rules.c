/*
 * fuzz_rules.c - rule files of any bytes: parsed or refused with a report, and
 * then asked.
 *
 * A NUL in the data ends a file: what follows is `b.rules`, which the first may
 * include. A set that loads must decide about any mail, must not decide
 * otherwise later what it has decided early, and must be the same set again
 * when its own files are loaded; one that does not load must say why. A shape's
 * warm-up plan is there, grows and ends, and a reply never means what its line
 * could not say.
 */
#include "rules/rules.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const regular_only[] = { "ses" };
static const struct rules_options options = {
	.regular_only = regular_only,
	.nregular_only = 1,
};

static void
count_miss(void *arg, const struct rule *rule, const char *why)
{
	(void)arg;
	assert(rule->name != NULL && why[0] != '\0');
}

static void
check(const struct ruleset *rs, const struct rules_query *q)
{
	struct rules_decision early, d;
	bool decided = ruleset_decide_early(rs, q, &early);

	ruleset_decide(rs, q, &d);
	assert(d.rule != NULL && d.path != NULL);
	assert((d.action == RULES_REJECT) == (d.text != NULL));
	if (decided)
		assert(early.rule == d.rule && early.path == d.path);
	if (q->irregular && d.carrier != NULL && d.share > 0)
		assert(d.action != RULES_VIA || strcmp(d.path, "ses") != 0);
	ruleset_near_misses(rs, q, count_miss, NULL);
}

static void
check_plan(const struct rules_warm_up *p)
{
	unsigned before = 0, now;

	assert(p != NULL && p->cap >= p->first && p->grow > 100);
	for (unsigned day = 1; day < 30; day++) {
		now = rules_warm_up_allowance(p, day);
		assert(now <= p->cap);
		assert(now > before || (now == 0 && before == p->cap) ||
		       (now == 0 && before == 0 && day > 1));
		before = now;
	}
}

static void
check_reply(const struct rules_reply *r)
{
	if (r == NULL)
		return;
	assert(r->reason != NULL && r->file != NULL && r->line > 0);
	if (r->action >= RULES_REPLY_SPLIT)
		assert(r->pause == 0);
	if (r->action != RULES_REPLY_RETRY)
		assert(r->at_expiry == NULL);
}

/* Any bytes for a reply's text. */
static void
ask_replies(const struct ruleset *rs, const char *group, const char *text)
{
	static const unsigned codes[] = { 0, 250, 421, 550 };
	struct rules_reply_query q = { .group = group, .text = text };

	for (unsigned bit = 0; bit < 9; bit++)
		for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
			q.stage = 1u << bit;
			q.code = codes[i];
			q.reset = q.code == 0 && bit % 2 == 0;
			check_reply(ruleset_reply(rs, &q));
		}
}

static void
ask(const struct ruleset *rs, const char *local, const char *domain)
{
	struct rules_query q = {
		.from_local = local,
		.from_domain = domain,
		.to_local = local,
		.to_domain = domain,
		.irregular = strstr(local, "..") != NULL,
		.user = local,
		.listener = domain,
		.header_from = domain,
		.tags = "a=b,campaign=spring",
		.size = strlen(domain) * 1000000,
	};
	struct rules_shape s;

	check(rs, &q);
	q.from_local = q.from_domain = q.user = q.tags = NULL;
	check(rs, &q);
	ruleset_shape(rs, ruleset_carrier_of(rs, domain),
	    ruleset_group_of(rs, domain), domain, "mta", &s);
	for (int key = 0; key < SHAPE_KEYS; key++)
		free(rules_shape_value(&s, (enum rules_shape_key)key));
	if (s.warm_up != NULL)
		check_plan(ruleset_warm_up(rs, s.warm_up));
	ask_replies(rs, ruleset_group_of(rs, domain), domain);
	ask_replies(rs, domain, local);
}

static void
report_uses(const struct ruleset *rs, struct rules_report *r)
{
	static const char *const known[] = { "mta", "ses" };
	const struct rules_use *use;
	size_t n = ruleset_uses(rs, &use);

	for (size_t i = 0; i < n; i++)
		ruleset_report_unknown(rs, &use[i], known, 2, r);
}

/* The end of the text, as a domain that has something to do with it. */
static void
ask_for_tail(const struct ruleset *rs, const char *data, size_t size)
{
	size_t n = size < 300 ? size : 300;
	char *domain = calloc(1, n + 1);

	assert(domain != NULL);
	memcpy(domain, data + size - n, n);
	ask(rs, "Taro", domain);
	free(domain);
}

static void
load_again(const struct ruleset *rs)
{
	const struct rules_file *file;
	size_t n = ruleset_files(rs, &file);
	struct rules_report r;
	struct ruleset *again;

	rules_report_init(&r);
	again = ruleset_parse(file, n, &options, &r);
	assert(again != NULL);
	assert(strcmp(ruleset_version(again), ruleset_version(rs)) == 0);
	ruleset_unref(again);
	rules_report_clear(&r);
}

static void
try_set(const struct ruleset *rs, const char *text, size_t size,
    struct rules_report *r)
{
	ask(rs, "taro", "docomo.ne.jp");
	ask(rs, "a..b", "docomo.ne.jp");
	ask(rs, "a..b", "sub.example.jp");
	ask(rs, "", "");
	ask_for_tail(rs, text, size);
	load_again(rs);
	report_uses(rs, r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t first = size > 0 ? strnlen(text, size) : 0;
	struct rules_file file[] = {
		{ "a.rules", text, first },
		{ "b.rules", text + first + 1, size - first - 1 },
	};
	struct rules_report r;
	struct ruleset *rs;

	rules_report_init(&r);
	rs = ruleset_parse(file, first < size ? 2 : 1, &options, &r);
	assert((rs == NULL) == (r.errors > 0));
	if (rs != NULL)
		try_set(rs, text, size, &r);
	free(rules_report_string(&r));
	rules_report_clear(&r);
	ruleset_unref(rs);
	return 0;
}
