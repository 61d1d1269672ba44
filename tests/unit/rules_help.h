/*
 * rules_help.h - what the tests of rules/ share.
 */
#ifndef TESTS_UNIT_RULES_HELP_H
#define TESTS_UNIT_RULES_HELP_H

#include "rules/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline struct ruleset *
parse(const char *text)
{
	struct rules_report r;
	struct ruleset *rs;

	rules_report_init(&r);
	rs = ruleset_parse(
	    &(struct rules_file){ "test.rules", text, strlen(text) }, 1, NULL,
	    &r);
	if (rs == NULL)
		rules_report_print(&r, stderr);
	assert_non_null(rs);
	assert_int_equal(r.errors, 0);
	rules_report_clear(&r);
	return rs;
}

static inline struct ruleset *
load(const char *path)
{
	struct rules_report r;
	struct ruleset *rs;

	rules_report_init(&r);
	rs = ruleset_load(path, NULL, &r);
	rules_report_print(&r, stderr);
	assert_non_null(rs);
	rules_report_clear(&r);
	return rs;
}

static inline struct rules_decision
decide(const struct ruleset *rs, const char *from, const char *to)
{
	char a[512], b[512], *fd, *td;
	struct rules_decision d;

	snprintf(a, sizeof(a), "%s", from);
	snprintf(b, sizeof(b), "%s", to);
	if ((fd = strrchr(a, '@')) != NULL)
		*fd++ = '\0';
	td = strrchr(b, '@');
	assert_non_null(td);
	*td++ = '\0';
	ruleset_decide(rs,
	    &(struct rules_query){
		.from_local = fd != NULL ? a : "",
		.from_domain = fd != NULL ? fd : "",
		.to_local = b,
		.to_domain = td,
	    },
	    &d);
	return d;
}

#endif
