/*
 * tls_results.h - how TLS went, counted as TLSRPT reports it (RFC 8460 4.3): by UTC day, policy domain
 * and kind of policy.
 *
 * For all threads. Bounded: when there are too many rows, and after a week, the oldest go.
 */
#ifndef ROUTER_TLS_RESULTS_H
#define ROUTER_TLS_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/smtp/client.h"

enum tls_policy_type { TLS_POLICY_NONE, TLS_POLICY_STS, TLS_POLICY_TLSA, TLS_POLICY_TYPES };
const char *tls_policy_type_name(enum tls_policy_type); /* "no-policy-found", "sts", "tlsa" */

/* What the SMTP client says of a connection (enum tls_result), and what prevented one before that. */
enum tls_report {
	TLS_REPORT_TLSA_INVALID = TLS_RESULTS, /* records, but none of use */
	TLS_REPORT_DNSSEC_INVALID,             /* records that cannot be looked up securely */
	TLS_REPORT_DANE_REQUIRED,              /* no records where some are demanded */
	TLS_REPORT_STS_FETCH_ERROR,
	TLS_REPORT_STS_POLICY_INVALID,
	TLS_REPORT_STS_WEBPKI_INVALID,
	TLS_REPORTS
};
const char *tls_report_name(unsigned report); /* as RFC 8460 spells it; "success" */

struct tls_results_row {
	int64_t day;                           /* days since 1970 */
	const char *domain;
	enum tls_policy_type type;
	uint64_t n[TLS_REPORTS];
};

struct tls_results;
struct tls_results *tls_results_new(size_t max_rows); /* 0: 10,000 */
void tls_results_free(struct tls_results **);

/* `report`: enum tls_result or enum tls_report; `now` is wall ms. */
void tls_results_count(struct tls_results *, const char *domain, enum tls_policy_type,
    unsigned report, int64_t now);
/* Adds what was counted before a restart. */
void tls_results_add(struct tls_results *, const struct tls_results_row *);
/* Oldest first; `changed`: only those that have changed since they were last asked for so. `each` must
 * not come back to the results. */
void tls_results_each(struct tls_results *, bool changed,
    void (*each)(void *arg, const struct tls_results_row *), void *arg);

#define TLS_RESULTS_DAYS 7

#endif
