/*
 * mx.c - from a recipient's domain to the addresses that take its mail.
 *
 * One MX question, then A and AAAA questions for all hosts at once, then for
 * TLSA records where there may be some; when the last is answered, the
 * addresses are put in order and handed on. A host of
 * ours skips the first. What a failure means for the mail is said in the
 * outcome; router/ acts on it.
 */
#include "mta/dns/mx_int.h"

#include <arpa/inet.h>
#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"
#include "mta/dns/resolver.h"
#include "mta/tlsa.h"

#define DEFAULT_TARGETS 10

static const struct family_type {
	int af;
	int type;
	size_t size;
} family_types[MX_FAMILIES] = {
	[MX_IPV4] = { AF_INET, DNS_A, 4 },
	[MX_IPV6] = { AF_INET6, DNS_AAAA, 16 },
};

static void
lookup_free(struct mx_lookup *l)
{
	resolver_query_free(&l->mx);
	for (size_t i = 0; i < l->nhosts; i++) {
		for (int f = 0; f < MX_FAMILIES; f++)
			resolver_query_free(&l->hosts[i].questions[f].query);
		resolver_query_free(&l->hosts[i].dane.query);
		tlsa_set_unref(&l->hosts[i].dane.set);
	}
	if (l->early != NULL)
		event_free(l->early);
	free(l->hosts);
	free((void *)(uintptr_t)l->result.hosts);
	free(l->result.targets);
	free(l);
}

/* Ends the lookup with what its result holds. */
static void
finish(struct mx_lookup *l)
{
	l->done(l->arg, &l->result);
	lookup_free(l);
}

static void
question_failed(struct mx_lookup *l, const struct dns_answer *a)
{
	l->failed = true;
	memcpy(l->why, a->why, sizeof(l->why));
}

static void
fail(struct mx_lookup *l, enum mx_failure failure)
{
	mx_set_failure(l, failure);
	finish(l);
}

void
mx_answered(struct mx_lookup *l)
{
	if (--l->unanswered > 0)
		return;
	mx_take_hosts(l);
	finish(l);
}

static void
keep_addresses(
    struct mx_host *h, enum mx_family family, const struct dns_answer *a)
{
	for (size_t i = 0; i < a->nrdata && i < MX_MAX_ADDRESSES; i++) {
		struct mx_address *addr = &h->addrs[h->naddrs];

		if (a->rdata_len[i] != family_types[family].size)
			continue;
		addr->family = family;
		memcpy(addr->bytes, a->rdata[i], a->rdata_len[i]);
		h->naddrs++;
	}
}

/* What DNSSEC says of the addresses: both families are of one zone. */
static void
keep_standing(struct mx_host *h, const struct dns_answer *a)
{
	if (a->status == DNS_OK && a->secure)
		h->secure = true;
	if (a->canonical != NULL && dns_name_is_host(a->canonical))
		snprintf(
		    h->canonical, sizeof(h->canonical), "%.255s", a->canonical);
}

static void
on_host(void *arg, const struct dns_answer *a)
{
	struct question *q = arg;
	struct mx_host *h = q->host;
	struct mx_lookup *l = h->lookup;

	resolver_query_free(&q->query);
	if (a->status == DNS_TEMPFAIL) {
		h->failed = true;
		question_failed(l, a);
	} else if (a->canonical != NULL && l->result.mx_present) {
		l->aliases = true;
	} else {
		keep_addresses(h, q->family, a);
		keep_standing(h, a);
	}
	if (--h->unanswered > 0 || !mx_dane_ask(h))
		mx_answered(l);
}

static void
ask_hosts(struct mx_lookup *l)
{
	for (size_t i = 0; i < l->nhosts; i++) {
		struct mx_host *h = &l->hosts[i];

		h->lookup = l;
		for (enum mx_family f = 0; f < MX_FAMILIES; f++) {
			struct question *q = &h->questions[f];

			if (!mx_is_wanted(l, f))
				continue;
			q->host = h;
			q->family = f;
			h->unanswered++;
			q->query = resolver_query_new(l->resolver, h->name,
			    family_types[f].type, on_host, q);
			l->unanswered++;
		}
	}
}

/* For a domain (RFC 5321 5.1), no MX at all is as one that names the domain. */
static void
ask_itself(struct mx_lookup *l)
{
	l->hosts = xcalloc(1, sizeof(*l->hosts));
	l->nhosts = 1;
	snprintf(l->hosts[0].name, sizeof(l->hosts[0].name), "%s", l->domain);
	ask_hosts(l);
}

struct mx_record {
	unsigned preference;
	uint32_t shuffle; /* RFC 5321 5.1: equal ones in random order */
	char host[DNS_NAME_TEXT_MAX];
};

static int
compare_records(const void *left, const void *right)
{
	const struct mx_record *a = left, *b = right;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return (a->shuffle > b->shuffle) - (a->shuffle < b->shuffle);
}

static bool
has_host(const struct mx_lookup *l, const char *name)
{
	for (size_t i = 0; i < l->nhosts; i++)
		if (strcmp(l->hosts[i].name, name) == 0)
			return true;
	return false;
}

/* The best hosts, each once. Names that could not be those of hosts are left
 * out, "." beside real ones among them. */
static void
take_hosts(struct mx_lookup *l, struct mx_record *records, size_t n)
{
	qsort(records, n, sizeof(*records), compare_records);
	l->hosts = xcalloc(MX_MAX_HOSTS, sizeof(*l->hosts));
	for (size_t i = 0; i < n && l->nhosts < MX_MAX_HOSTS; i++) {
		const char *host = records[i].host;

		if (!dns_name_is_host(host) || has_host(l, host))
			continue;
		l->hosts[l->nhosts].preference = records[i].preference;
		memcpy(l->hosts[l->nhosts++].name, host, strlen(host) + 1);
	}
}

static void
ask_mx_hosts(struct mx_lookup *l, const struct dns_answer *a)
{
	struct mx_record *records = xcalloc(a->nrdata, sizeof(*records));
	size_t n = 0;
	bool null_mx;

	for (size_t i = 0; i < a->nrdata; i++) {
		if (dns_mx_read(a->rdata[i], a->rdata_len[i],
			&records[n].preference, records[n].host) != 0)
			continue;
		records[n++].shuffle = arc4random();
	}
	null_mx = n == 1 && strcmp(records[0].host, ".") == 0;
	take_hosts(l, records, n);
	free(records);
	if (null_mx)
		fail(l, FAIL_NULL_MX);
	else if (l->nhosts == 0)
		fail(l, FAIL_NO_HOST);
	else
		ask_hosts(l);
}

static void
on_mx(void *arg, const struct dns_answer *a)
{
	struct mx_lookup *l = arg;

	resolver_query_free(&l->mx);
	l->result.secure = a->secure;
	switch (a->status) {
	case DNS_OK:
		l->result.mx_present = true;
		ask_mx_hosts(l, a);
		return;
	case DNS_NODATA:
		ask_itself(l);
		return;
	case DNS_NXDOMAIN:
		fail(l, FAIL_NO_DOMAIN);
		return;
	case DNS_TEMPFAIL:
		/* Never the implicit MX: there may be one that is hidden now.
		 */
		question_failed(l, a);
		fail(l, FAIL_MX_QUESTION);
		return;
	}
}

/* "192.0.2.1" or "2001:db8::1". */
static int
parse_address(const char *text, struct mx_address *a)
{
	for (a->family = 0; a->family < MX_FAMILIES; a->family++)
		if (inet_pton(family_types[a->family].af, text, a->bytes) == 1)
			return 0;
	return -1;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3). */
static int
parse_literal(const char *domain, struct mx_address *a)
{
	static const char tag[] = "[IPv6:";
	bool tagged = strncasecmp(domain, tag, sizeof(tag) - 1) == 0;
	const char *text = domain + (tagged ? sizeof(tag) - 1 : 1);
	size_t len = domain[0] == '[' ? strlen(text) : 0;
	char buf[NET_TEXT_MAX];

	if (len == 0 || len >= sizeof(buf) || text[len - 1] != ']')
		return -1;
	memcpy(buf, text, len - 1);
	buf[len - 1] = '\0';
	a->family = tagged ? MX_IPV6 : MX_IPV4;
	if (inet_pton(family_types[a->family].af, buf, a->bytes) != 1)
		return -1;
	return 0;
}

static bool
is_ascii(const char *text)
{
	while (*text != '\0')
		if ((unsigned char)*text++ >= 0x80)
			return false;
	return true;
}

static void
on_early(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

/* Each is true when the result is known without a question. */
static bool
settle_domain(struct mx_lookup *l)
{
	struct mx_address a;

	if (l->domain[0] == '[' && parse_literal(l->domain, &a) == 0)
		mx_take_address(l, &a);
	else if (l->domain[0] == '[')
		mx_set_failure(l, FAIL_LITERAL);
	else if (!is_ascii(l->domain))
		mx_set_failure(l, FAIL_NOT_ASCII);
	else if (!dns_name_is_host(l->domain))
		mx_set_failure(l, FAIL_SYNTAX);
	else
		return false;
	return true;
}

static bool
settle_host(struct mx_lookup *l)
{
	struct mx_address a;

	if (parse_address(l->domain, &a) == 0 ||
	    parse_literal(l->domain, &a) == 0)
		mx_take_address(l, &a);
	else if (!dns_name_is_host(l->domain))
		mx_set_failure(l, FAIL_OURS_SYNTAX);
	else
		return false;
	return true;
}

static void
finish_early(struct mx_lookup *l)
{
	l->early = event_new(resolver_base(l->resolver), -1, 0, on_early, l);
	if (l->early == NULL)
		abort();
	event_active(l->early, EV_TIMEOUT, 0);
}

static struct mx_lookup *
lookup_alloc(struct resolver *resolver, const char *domain,
    const struct mx_policy *policy,
    void (*done)(void *arg, const struct mx_result *), void *arg)
{
	size_t size = strlen(domain) + 1;
	struct mx_lookup *l = xcalloc(1, sizeof(*l) + size);

	assert(policy->ipv4 || policy->ipv6);
	l->resolver = resolver;
	l->policy = *policy;
	if (l->policy.max_targets == 0)
		l->policy.max_targets = DEFAULT_TARGETS;
	l->done = done;
	l->arg = arg;
	memcpy(l->domain, domain, size);
	return l;
}

struct mx_lookup *
mx_lookup_new(struct resolver *resolver, const char *domain,
    const struct mx_policy *policy,
    void (*done)(void *arg, const struct mx_result *), void *arg)
{
	struct mx_lookup *l = lookup_alloc(resolver, domain, policy, done, arg);

	if (settle_domain(l))
		finish_early(l);
	else
		l->mx = resolver_query_new(resolver, domain, DNS_MX, on_mx, l);
	return l;
}

struct mx_lookup *
mx_lookup_host(struct resolver *resolver, const char *host,
    const struct mx_policy *policy,
    void (*done)(void *arg, const struct mx_result *), void *arg)
{
	struct mx_lookup *l = lookup_alloc(resolver, host, policy, done, arg);

	l->ours = true;
	if (settle_host(l))
		finish_early(l);
	else
		ask_itself(l);
	return l;
}

void
mx_lookup_free(struct mx_lookup **lookup)
{
	if (*lookup == NULL)
		return;
	lookup_free(*lookup);
	*lookup = NULL;
}
