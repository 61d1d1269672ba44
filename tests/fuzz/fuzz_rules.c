/*
 * fuzz_rules.c - rule files of any bytes: parsed or refused with a report, and
 * then asked.
 *
 * A set that loads must decide about any recipient; one that does not must say
 * why.
 */
#include "rules/rules.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
ask(const struct ruleset *rs, const char *local, const char *domain)
{
	struct rules_query q = { local, domain, local, domain, false };
	struct rules_decision d;
	struct rules_shape s;

	ruleset_decide(rs, &q, &d);
	assert(d.rule != NULL && d.path != NULL);
	q.from_local = q.from_domain = "";
	ruleset_decide(rs, &q, &d);
	assert(d.rule != NULL && d.share > 0);
	ruleset_shape(rs, d.carrier, d.group, domain, d.path, &s);
	for (int key = 0; key < SHAPE_KEYS; key++)
		free(rules_shape_value(&s, (enum rules_shape_key)key));
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
ask_for_tail(const struct ruleset *rs, const uint8_t *data, size_t size)
{
	size_t n = size < 300 ? size : 300;
	char *domain = calloc(1, n + 1);

	assert(domain != NULL);
	memcpy(domain, data + size - n, n);
	ask(rs, "Taro", domain);
	free(domain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rules_report r;
	struct ruleset *rs;
	char *text;

	rules_report_init(&r);
	rs = ruleset_parse(
	    &(struct rules_file){ "fuzz.rules", (const char *)data, size }, 1,
	    NULL, &r);
	assert((rs == NULL) == (r.errors > 0));
	if (rs != NULL) {
		ask(rs, "taro", "docomo.ne.jp");
		ask(rs, "a..b", "sub.example.jp");
		ask(rs, "", "");
		ask_for_tail(rs, data, size);
		report_uses(rs, &r);
	}
	text = rules_report_string(&r);
	free(text);
	rules_report_clear(&r);
	ruleset_unref(rs);
	return 0;
}
