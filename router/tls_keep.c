/*
 * tls_keep.c - what is known of other people's TLS, kept over restarts.
 *
 * An MTA-STS policy protects from the second delivery on only while it is
 * remembered (RFC 8461 10.2), so each is put into the store when it has been
 * fetched: kind "mta-sts", by domain. Results are counters, kind "tlsrpt", by
 * day, domain and policy type, put there each minute.
 */
#include "router/tls_keep.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "mta/sts_cache.h"
#include "router/core_run.h"
#include "router/keep.h"
#include "router/tls_results.h"

#define KIND_POLICY  "mta-sts"
#define KIND_RESULTS "tlsrpt"
#define DAY_MS	     (24LL * 3600 * 1000)

struct tls_keep {
	struct core *core;
	struct sts_cache *policies;
	struct tls_results *results;
	struct event *minute;
};

/* ------ policies */

static void
load_policy(void *arg, const struct kept *kept)
{
	struct tls_keep *k = arg;
	struct sts_cached cached;

	if (sts_cached_read(&cached, kept->value) != 0)
		return;
	sts_cache_put(k->policies, kept->key, &cached);
	sts_policy_clear(&cached.policy);
}

struct fetched {
	struct task task;
	struct core *core;
	char *domain, *value;
	int64_t expires;
};

static void
on_fetched(struct task *t)
{
	struct fetched *f = container_of(t, struct fetched, task);

	keep_put(f->core, KIND_POLICY, f->domain, f->value, f->expires, NULL,
	    NULL);
	free(f->domain);
	free(f->value);
	free(f);
}

void
tls_keep_policy(
    struct tls_keep *k, const char *domain, const struct sts_cached *cached)
{
	struct fetched *f = xcalloc(1, sizeof(*f));

	f->core = k->core;
	f->domain = xstrdup(domain);
	f->value = sts_cached_write(cached);
	f->expires = sts_cached_expires(cached);
	f->task.run = on_fetched;
	inbox_post(core_inbox(k->core), &f->task);
}

/* ------ results: "day domain type", and the counters in their order */

static int
read_key(const char *key, struct tls_results_row *row, char domain[256])
{
	char type[32], day[16];

	if (sscanf(key, "%15s %255s %31s", day, domain, type) != 3)
		return -1;
	row->day = strtoll(day, NULL, 10);
	row->domain = domain;
	for (int i = 0; i < TLS_POLICY_TYPES; i++)
		if (strcmp(type, tls_policy_type_name(
				     (enum tls_policy_type)i)) == 0) {
			row->type = (enum tls_policy_type)i;
			return 0;
		}
	return -1;
}

static void
load_results(void *arg, const struct kept *kept)
{
	struct tls_keep *k = arg;
	struct tls_results_row row = { 0 };
	const char *at = kept->value;
	char domain[256], *end;

	if (read_key(kept->key, &row, domain) != 0)
		return;
	for (size_t i = 0; i < TLS_REPORTS; i++) {
		row.n[i] = strtoull(at, &end, 10);
		at = end;
	}
	tls_results_add(k->results, &row);
}

static void
keep_results(void *arg, const struct tls_results_row *row)
{
	struct tls_keep *k = arg;
	struct str key = STR_INIT, value = STR_INIT;

	str_addf(&key, "%" PRId64 " %s %s", row->day, row->domain,
	    tls_policy_type_name(row->type));
	for (size_t i = 0; i < TLS_REPORTS; i++)
		str_addf(&value, "%s%" PRIu64, i > 0 ? " " : "", row->n[i]);
	keep_put(k->core, KIND_RESULTS, key.data, value.data,
	    (row->day + TLS_RESULTS_DAYS) * DAY_MS, NULL, NULL);
	str_release(&key);
	str_release(&value);
}

void
tls_keep_flush(struct tls_keep *k)
{
	tls_results_each(k->results, true, keep_results, k);
}

static void
on_minute(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tls_keep_flush(arg);
}

/* ------ */

struct tls_keep *
tls_keep_new(struct core *core)
{
	struct tls_keep *k = xcalloc(1, sizeof(*k));
	struct timeval minute = { .tv_sec = 60 };

	k->core = core;
	k->policies = sts_cache_new(0);
	k->results = tls_results_new(0);
	store_each_kept(core_store(core), KIND_POLICY, load_policy, k);
	store_each_kept(core_store(core), KIND_RESULTS, load_results, k);
	k->minute = event_new(core_base(core), -1, EV_PERSIST, on_minute, k);
	if (k->minute == NULL)
		abort(); /* out of memory */
	event_add(k->minute, &minute);
	return k;
}

void
tls_keep_free(struct tls_keep **keep)
{
	struct tls_keep *k = *keep;

	if (k == NULL)
		return;
	event_free(k->minute);
	sts_cache_free(&k->policies);
	tls_results_free(&k->results);
	free(k);
	*keep = NULL;
}

struct sts_cache *
tls_keep_policies(struct tls_keep *k)
{
	return k->policies;
}

struct tls_results *
tls_keep_results(struct tls_keep *k)
{
	return k->results;
}
