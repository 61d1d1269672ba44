/*
 * sts_client.c - the MTA-STS policy that holds for a domain now (RFC 8461).
 *
 * A look-up is one per domain and thread, with all who wait for it. Its steps:
 * the TXT record, the addresses of mta-sts.<domain>, the policy. Wherever it
 * ends, the answer is what the cache then has.
 */
#include "mta/sts_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/map.h"
#include "mta/base/str.h"
#include "mta/dns/mx.h"
#include "mta/dns/resolver.h"
#include "mta/sts_https.h"

/* A policy in use is fetched again each day, so that one who blocks the fetch
 * has to do so for all of its max_age to be rid of it (RFC 8461 10.2). */
#define FRESH_MS (24LL * 3600 * 1000)

struct sts_query {
	LIST_ENTRY(sts_query) link;
	void (*done)(void *, const struct sts_answer *);
	void *arg;
};
LIST_HEAD(sts_query_list, sts_query);

struct lookup {
	LIST_ENTRY(lookup) link;
	struct sts_client *client;
	struct sts_query_list queries;
	struct sts_terms terms;
	char *ca_file;
	struct resolver_query *record;
	struct mx_lookup *addresses;
	struct sts_get *get;
	char id[STS_ID_MAX + 1];
	enum sts_trouble trouble;
	struct err why;
	char *host; /* mta-sts.<domain> */
	const char *domain;
};
LIST_HEAD(lookup_list, lookup);

struct sts_client {
	struct resolver *resolver;
	struct sts_client_config config;
	struct sts_https *https;
	struct map *by_domain; /* those that may be joined */
	struct lookup_list lookups;
};

struct sts_client *
sts_client_new(
    struct resolver *resolver, const struct sts_client_config *config)
{
	struct sts_client *c = xcalloc(1, sizeof(*c));

	c->resolver = resolver;
	c->config = *config;
	c->https = sts_https_new(resolver_base(resolver));
	c->by_domain = map_new();
	LIST_INIT(&c->lookups);
	return c;
}

static void
lookup_free(struct lookup *l)
{
	assert(LIST_EMPTY(&l->queries));
	LIST_REMOVE(l, link);
	resolver_query_free(&l->record);
	mx_lookup_free(&l->addresses);
	sts_get_free(&l->get);
	free(l->ca_file);
	free(l->host);
	free(l);
}

void
sts_client_free(struct sts_client **client)
{
	struct sts_client *c = *client;
	struct lookup *l, *next;

	if (c == NULL)
		return;
	for (l = LIST_FIRST(&c->lookups); l != NULL; l = next) {
		next = LIST_NEXT(l, link);
		lookup_free(l);
	}
	map_free(&c->by_domain);
	sts_https_free(&c->https);
	free(c);
	*client = NULL;
}

/* Callbacks may ask anew for the same domain: that is a look-up of its own. */
static void
answer(struct lookup *l)
{
	struct sts_cached cached;
	bool found = sts_cache_get(
	    l->client->config.cache, l->domain, clock_wall(), &cached);
	struct sts_answer a = { .policy = found ? &cached.policy : NULL,
		.trouble = l->trouble,
		.why = l->why };
	struct sts_query *q;

	map_remove(l->client->by_domain, l->domain);
	while ((q = LIST_FIRST(&l->queries)) != NULL) {
		LIST_REMOVE(q, link);
		q->done(q->arg, &a);
		free(q);
	}
	lookup_free(l);
	if (found)
		sts_policy_clear(&cached.policy);
}

static void
fail(struct lookup *l, enum sts_trouble trouble, const char *why)
{
	l->trouble = trouble;
	err_set(&l->why, "%s", why);
	sts_cache_note_failure(
	    l->client->config.cache, l->domain, l->id, clock_wall());
	answer(l);
}

/* ------ the policy */

static void
take_policy(struct lookup *l, struct sts_cached *cached)
{
	const struct sts_client_config *config = &l->client->config;

	cached->fetched = clock_wall();
	memcpy(cached->id, l->id, sizeof(l->id));
	sts_cache_put(config->cache, l->domain, cached);
	/* One that holds for no time at all is not fetched for each mail. */
	if (cached->policy.max_age == 0)
		sts_cache_note_failure(
		    config->cache, l->domain, l->id, cached->fetched);
	if (config->fetched != NULL)
		config->fetched(config->arg, l->domain, cached);
	sts_policy_clear(&cached->policy);
}

static void
on_policy(void *arg, enum sts_got got, const char *body, size_t len,
    const struct err *why)
{
	struct lookup *l = arg;
	struct sts_cached cached;
	struct err e = ERR_INIT;

	l->get = NULL;
	if (got == STS_NOT_TRUSTED) {
		fail(l, STS_WEBPKI_INVALID, why->text);
	} else if (got != STS_GOT) {
		fail(l, STS_FETCH_ERROR, why->text);
	} else if (sts_policy_read(&cached.policy, body, len, &e) != 0) {
		fail(l, STS_POLICY_INVALID, e.text);
	} else {
		take_policy(l, &cached);
		answer(l);
	}
}

static void
on_addresses(void *arg, const struct mx_result *result)
{
	struct lookup *l = arg;
	struct sts_get_config config = {
		.host = l->host,
		.port = l->terms.port,
		.ca_file = l->ca_file,
		.targets = result->targets,
		.ntargets = result->ntargets,
	};

	l->addresses = NULL;
	if (result->ntargets == 0)
		fail(l, STS_FETCH_ERROR, result->why.text);
	else
		l->get = sts_get_new(l->client->https, &config, on_policy, l);
}

static void
fetch(struct lookup *l)
{
	struct mx_policy policy = {
		.allow_private = l->terms.allow_private,
		.ipv4 = l->terms.ipv4,
		.ipv6 = l->terms.ipv6,
		.port = l->terms.port,
	};

	l->addresses = mx_lookup_host(
	    l->client->resolver, l->host, &policy, on_addresses, l);
}

/* ------ the record */

static bool
is_fresh(const struct lookup *l)
{
	struct sts_cached cached;
	int64_t now = clock_wall();
	bool fresh;

	if (!sts_cache_get(l->client->config.cache, l->domain, now, &cached))
		return false;
	fresh = strcmp(cached.id, l->id) == 0 && cached.fetched <= now &&
		now < cached.fetched + FRESH_MS;
	sts_policy_clear(&cached.policy);
	return fresh;
}

static void
on_record(void *arg, const struct dns_answer *a)
{
	struct lookup *l = arg;

	resolver_query_free(&l->record);
	if (a->status != DNS_OK ||
	    sts_record_read(a->rdata, a->rdata_len, a->nrdata, l->id) != 0 ||
	    is_fresh(l) ||
	    !sts_cache_may_fetch(
		l->client->config.cache, l->domain, l->id, clock_wall()))
		answer(l);
	else
		fetch(l);
}

static struct lookup *
lookup_new(struct sts_client *client, const char *domain,
    const struct sts_terms *terms)
{
	static const char label[] = "mta-sts.";
	struct lookup *l = xcalloc(1, sizeof(*l));
	struct str name = STR_INIT;

	l->client = client;
	LIST_INIT(&l->queries);
	l->terms = *terms;
	l->ca_file = xstrdup(terms->ca_file);
	str_addf(&name, "%s%s", label, domain);
	l->host = str_detach(&name);
	l->domain = l->host + sizeof(label) - 1;
	map_put(client->by_domain, l->domain, l);
	LIST_INSERT_HEAD(&client->lookups, l, link);
	str_addf(&name, "_%s", l->host);
	l->record = resolver_query_new(
	    client->resolver, name.data, DNS_TXT, on_record, l);
	str_release(&name);
	return l;
}

/* ------ asking */

static char *
lower_case(const char *domain)
{
	char *copy = xstrdup(domain);

	for (char *p = copy; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return copy;
}

struct sts_query *
sts_query_new(struct sts_client *client, const char *domain,
    const struct sts_terms *terms,
    void (*done)(void *arg, const struct sts_answer *), void *arg)
{
	struct sts_query *q = xcalloc(1, sizeof(*q));
	char *key = lower_case(domain);
	struct lookup *l = map_get(client->by_domain, key);

	if (l == NULL)
		l = lookup_new(client, key, terms);
	free(key);
	q->done = done;
	q->arg = arg;
	LIST_INSERT_HEAD(&l->queries, q, link);
	return q;
}

/* The look-up itself goes on: others may ask again soon. */
void
sts_query_free(struct sts_query **query)
{
	if (*query == NULL)
		return;
	LIST_REMOVE(*query, link);
	free(*query);
	*query = NULL;
}
