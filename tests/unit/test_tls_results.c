/*
 * test_tls_results.c - how TLS went, by day, domain and policy; bounded.
 */
#include "router/tls_results.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DAY (24LL * 3600 * 1000)

struct seen {
	char text[4096];
	unsigned rows;
};

/* "20000 a.example sts success=2;" */
static void
see(void *arg, const struct tls_results_row *row)
{
	struct seen *s = arg;
	size_t at = strlen(s->text);

	s->rows++;
	at += (size_t)snprintf(s->text + at, sizeof(s->text) - at, "%d %s %s",
	    (int)row->day, row->domain, tls_policy_type_name(row->type));
	for (unsigned i = 0; i < TLS_REPORTS; i++)
		if (row->n[i] > 0)
			at +=
			    (size_t)snprintf(s->text + at, sizeof(s->text) - at,
				" %s=%d", tls_report_name(i), (int)row->n[i]);
	snprintf(s->text + at, sizeof(s->text) - at, ";");
}

static void
expect(struct tls_results *t, bool changed, const char *text)
{
	struct seen s = { "", 0 };

	tls_results_each(t, changed, see, &s);
	assert_string_equal(s.text, text);
}

static void
test_counts(void **state)
{
	struct tls_results *t = tls_results_new(0);
	struct tls_results_row row = { 5, "b.example", TLS_POLICY_TLSA, { 0 } };

	(void)state;
	expect(t, false, "");
	tls_results_count(t, "a.example", TLS_POLICY_STS, TLS_SUCCESS, 5 * DAY);
	tls_results_count(
	    t, "a.example", TLS_POLICY_STS, TLS_SUCCESS, 6 * DAY - 1);
	tls_results_count(t, "a.example", TLS_POLICY_STS,
	    TLS_REPORT_STS_WEBPKI_INVALID, 5 * DAY);
	tls_results_count(
	    t, "a.example", TLS_POLICY_NONE, TLS_NOT_OFFERED, 6 * DAY);
	expect(t, true,
	    "5 a.example sts success=2 sts-webpki-invalid=1;"
	    "6 a.example no-policy-found starttls-not-supported=1;");
	expect(t, true, "");
	row.n[TLS_EXPIRED] = 7;
	tls_results_add(t, &row);
	expect(t, true, "");
	tls_results_count(
	    t, "b.example", TLS_POLICY_TLSA, TLS_EXPIRED, 5 * DAY);
	expect(t, true, "5 b.example tlsa certificate-expired=8;");
	expect(t, false,
	    "5 a.example sts success=2 sts-webpki-invalid=1;"
	    "5 b.example tlsa certificate-expired=8;"
	    "6 a.example no-policy-found starttls-not-supported=1;");
	tls_results_free(&t);
	assert_null(t);
}

static void
test_bounds(void **state)
{
	struct tls_results *t = tls_results_new(3);
	char domain[16];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(domain, sizeof(domain), "d%d", i);
		tls_results_count(
		    t, domain, TLS_POLICY_NONE, TLS_SUCCESS, i * DAY);
	}
	expect(t, false,
	    "2 d2 no-policy-found success=1;3 d3 no-policy-found success=1;"
	    "4 d4 no-policy-found success=1;");
	/* After a week. */
	tls_results_count(t, "new", TLS_POLICY_NONE, TLS_SUCCESS,
	    (3 + TLS_RESULTS_DAYS) * DAY);
	expect(t, false,
	    "4 d4 no-policy-found success=1;10 new no-policy-found success=1;");
	tls_results_free(&t);
}

static void
test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TLS_REPORTS; i++) {
		assert_non_null(tls_report_name(i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(
			    tls_report_name(i), tls_report_name(j));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
