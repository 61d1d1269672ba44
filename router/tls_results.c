/*
 * tls_results.c - how TLS went, counted as TLSRPT reports it (RFC 8460 4.3).
 *
 * tls_policy.c counts from the I/O threads; tls_keep.c carries the rows over a
 * restart; the admin API shows them.
 */
#include "router/tls_results.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "mta/base/str.h"

#define DEFAULT_ROWS 10000
#define DAY_MS	     (24LL * 3600 * 1000)

struct row {
	TAILQ_ENTRY(row) link;
	struct tls_results_row data;
	bool changed;
	char *key;
};
TAILQ_HEAD(row_list, row);

struct tls_results {
	pthread_mutex_t lock;
	struct map *map;
	struct row_list rows; /* by day */
	size_t max_rows;
};

static const char *const type_names[TLS_POLICY_TYPES] = {
	[TLS_POLICY_NONE] = "no-policy-found",
	[TLS_POLICY_STS] = "sts",
	[TLS_POLICY_TLSA] = "tlsa",
};

static const char *const report_names[TLS_REPORTS] = {
	[TLS_SUCCESS] = "success",
	[TLS_NOT_OFFERED] = "starttls-not-supported",
	[TLS_HOST_MISMATCH] = "certificate-host-mismatch",
	[TLS_EXPIRED] = "certificate-expired",
	[TLS_NOT_TRUSTED] = "certificate-not-trusted",
	[TLS_FAILED] = "validation-failure",
	[TLS_REPORT_TLSA_INVALID] = "tlsa-invalid",
	[TLS_REPORT_DNSSEC_INVALID] = "dnssec-invalid",
	[TLS_REPORT_DANE_REQUIRED] = "dane-required",
	[TLS_REPORT_STS_FETCH_ERROR] = "sts-policy-fetch-error",
	[TLS_REPORT_STS_POLICY_INVALID] = "sts-policy-invalid",
	[TLS_REPORT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};

const char *
tls_policy_type_name(enum tls_policy_type type)
{
	return type_names[type];
}

const char *
tls_report_name(unsigned report)
{
	return report_names[report];
}

struct tls_results *
tls_results_new(size_t max_rows)
{
	struct tls_results *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	t->map = map_new();
	TAILQ_INIT(&t->rows);
	t->max_rows = max_rows > 0 ? max_rows : DEFAULT_ROWS;
	return t;
}

static void
forget(struct tls_results *t, struct row *r)
{
	map_remove(t->map, r->key);
	TAILQ_REMOVE(&t->rows, r, link);
	free((void *)(uintptr_t)r->data.domain);
	free(r->key);
	free(r);
}

void
tls_results_free(struct tls_results **results)
{
	struct tls_results *t = *results;
	struct row *r, *next;

	if (t == NULL)
		return;
	for (r = TAILQ_FIRST(&t->rows); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		forget(t, r);
	}
	map_free(&t->map);
	pthread_mutex_destroy(&t->lock);
	free(t);
	*results = NULL;
}

static void
insert_by_day(struct tls_results *t, struct row *r)
{
	struct row *before = TAILQ_LAST(&t->rows, row_list);

	while (before != NULL && before->data.day > r->data.day)
		before = TAILQ_PREV(before, row_list, link);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&t->rows, r, link);
	else
		TAILQ_INSERT_AFTER(&t->rows, before, r, link);
	map_put(t->map, r->key, r);
}

/* Room for one more, and nothing that is older than a week. */
static void
drop_old(struct tls_results *t, int64_t day)
{
	struct row *r, *next;

	for (r = TAILQ_FIRST(&t->rows); r != NULL; r = next) {
		if (r->data.day > day - TLS_RESULTS_DAYS &&
		    map_count(t->map) < t->max_rows)
			return;
		next = TAILQ_NEXT(r, link);
		forget(t, r);
	}
}

static struct row *
find_or_make(struct tls_results *t, int64_t day, const char *domain,
    enum tls_policy_type type)
{
	struct str key = STR_INIT;
	struct row *r;

	str_addf(&key, "%" PRId64 " %s %s", day, domain, type_names[type]);
	r = map_get(t->map, key.data);
	if (r != NULL) {
		str_release(&key);
		return r;
	}
	drop_old(t, day);
	r = xcalloc(1, sizeof(*r));
	r->key = str_detach(&key);
	r->data.day = day;
	r->data.domain = xstrdup(domain);
	r->data.type = type;
	insert_by_day(t, r);
	return r;
}

void
tls_results_count(struct tls_results *t, const char *domain,
    enum tls_policy_type type, unsigned report, int64_t now)
{
	struct row *r;

	pthread_mutex_lock(&t->lock);
	r = find_or_make(t, now / DAY_MS, domain, type);
	r->data.n[report]++;
	r->changed = true;
	pthread_mutex_unlock(&t->lock);
}

void
tls_results_add(struct tls_results *t, const struct tls_results_row *row)
{
	struct row *r;

	pthread_mutex_lock(&t->lock);
	r = find_or_make(t, row->day, row->domain, row->type);
	for (size_t i = 0; i < TLS_REPORTS; i++)
		r->data.n[i] += row->n[i];
	pthread_mutex_unlock(&t->lock);
}

void
tls_results_each(struct tls_results *t, bool changed,
    void (*each)(void *arg, const struct tls_results_row *), void *arg)
{
	struct row *r;

	pthread_mutex_lock(&t->lock);
	TAILQ_FOREACH (r, &t->rows, link) {
		if (changed && !r->changed)
			continue;
		if (changed)
			r->changed = false;
		each(arg, &r->data);
	}
	pthread_mutex_unlock(&t->lock);
}
