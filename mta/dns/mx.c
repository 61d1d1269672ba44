/*
 * mx.c - from a recipient's domain to the addresses that take its mail.
 *
 * One MX question, then A and AAAA questions for all hosts at once; when the
 * last is answered, the addresses are put in order and handed on. What a
 * failure means for the mail is said in the outcome; router/ acts on it.
 */
#include "mta/dns/mx.h"

#include <arpa/inet.h>
#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"
#include "mta/dns/resolver.h"

#define DEFAULT_TARGETS 10
#define MAX_HOSTS	16 /* the best ones; more are not asked for */
#define MAX_ADDRESSES	16 /* kept per host and family */

enum family { IPV4, IPV6, FAMILIES };

static const struct family_type {
	int af;
	int type;
	size_t size;
} family_types[FAMILIES] = {
	[IPV4] = { AF_INET, DNS_A, 4 },
	[IPV6] = { AF_INET6, DNS_AAAA, 16 },
};

struct mx_address {
	enum family family;
	uint8_t bytes[16];
};

struct mx_host {
	struct mx_lookup *lookup;
	char name[256];
	struct question {
		struct mx_host *host;
		enum family family;
		struct resolver_query *query;
	} questions[FAMILIES];
	struct mx_address addrs[FAMILIES * MAX_ADDRESSES];
	size_t naddrs;
};

struct mx_lookup {
	struct resolver *resolver;
	struct mx_policy policy;
	struct resolver_query *mx;
	struct event *early; /* brings what is known without a question */
	struct mx_host *hosts;
	size_t nhosts;
	size_t unanswered;
	/* What was found instead of addresses, for the case that none is left.
	 */
	bool failed, forbidden, aliases;
	char why[128]; /* of the last question that failed */
	struct mx_result result;
	void (*done)(void *, const struct mx_result *);
	void *arg;
	char domain[]; /* as given */
};

enum failure {
	FAIL_LITERAL,
	FAIL_NOT_ASCII,
	FAIL_SYNTAX,
	FAIL_NO_DOMAIN,
	FAIL_NULL_MX,
	FAIL_MX_QUESTION,
	FAIL_HOST_QUESTION,
	FAIL_FORBIDDEN,
	FAIL_ALIASES,
	FAIL_NO_ADDRESS,
	FAIL_NO_HOST,
};

/* The enhanced status codes are of RFC 3463, 6531, 7505. */
static const struct failure_text {
	const char *enhanced, *text;
} failures[] = {
	[FAIL_LITERAL] = { "5.1.2", "not an address to send to" },
	[FAIL_NOT_ASCII] = { "5.6.7", "domain is not in ASCII (A-label) form" },
	[FAIL_SYNTAX] = { "5.1.2", "not a domain name" },
	[FAIL_NO_DOMAIN] = { "5.1.2", "domain does not exist" },
	[FAIL_NULL_MX] = { "5.1.10", "domain takes no mail (null MX)" },
	[FAIL_MX_QUESTION] = { "4.4.3", "cannot look up MX of domain" },
	[FAIL_HOST_QUESTION] = { "4.4.3",
	    "cannot look up addresses of the mail hosts of domain" },
	[FAIL_FORBIDDEN] = { "5.4.4",
	    "domain has only addresses that mail must not be sent to" },
	[FAIL_ALIASES] = { "5.4.4", "all mail hosts of domain are aliases" },
	[FAIL_NO_ADDRESS] = { "5.4.4",
	    "domain has neither MX nor usable address" },
	[FAIL_NO_HOST] = { "5.4.4",
	    "no mail host of domain has a usable address" },
};

static void
lookup_free(struct mx_lookup *l)
{
	resolver_query_free(&l->mx);
	for (size_t i = 0; i < l->nhosts; i++)
		for (int f = 0; f < FAMILIES; f++)
			resolver_query_free(&l->hosts[i].questions[f].query);
	if (l->early != NULL)
		event_free(l->early);
	free(l->hosts);
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
set_failure(struct mx_lookup *l, enum failure failure)
{
	const struct failure_text *f = &failures[failure];
	bool permanent = f->enhanced[0] == '5';
	/* A domain that cannot be looked up now is a destination to wait for;
	 * one that takes no mail is the fault of the address. */
	enum outcome_scope scope = permanent ? SCOPE_RECIPIENT : SCOPE_LANE;

	outcome_set(&l->result.why, scope, STAGE_DNS, permanent, "%s: '%s'%s%s",
	    f->text, l->domain, permanent ? "" : ": ", permanent ? "" : l->why);
	snprintf(l->result.why.enhanced, sizeof(l->result.why.enhanced), "%s",
	    f->enhanced);
}

static void
fail(struct mx_lookup *l, enum failure failure)
{
	set_failure(l, failure);
	finish(l);
}

static socklen_t
make_sockaddr(
    struct sockaddr_storage *ss, const struct mx_address *a, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };

	memset(ss, 0, sizeof(*ss));
	if (a->family == IPV4) {
		memcpy(&sin.sin_addr, a->bytes, sizeof(sin.sin_addr));
		memcpy(ss, &sin, sizeof(sin));
		return sizeof(sin);
	}
	memcpy(&sin6.sin6_addr, a->bytes, sizeof(sin6.sin6_addr));
	memcpy(ss, &sin6, sizeof(sin6));
	return sizeof(sin6);
}

static bool
is_listed(const struct mx_result *r, const struct smtp_client_target *t)
{
	for (size_t i = 0; i < r->ntargets; i++)
		if (memcmp(&r->targets[i].addr, &t->addr, sizeof(t->addr)) == 0)
			return true;
	return false;
}

/* Several hosts often share an address: it is listed once. */
static void
add_target(struct mx_lookup *l, const char *host, const struct mx_address *a)
{
	struct mx_result *r = &l->result;
	struct smtp_client_target t;

	if (r->ntargets == l->policy.max_targets)
		return;
	t.addr_len = make_sockaddr(&t.addr, a, l->policy.port);
	if (!l->policy.allow_private &&
	    net_is_special((const struct sockaddr *)&t.addr)) {
		l->forbidden = true;
		return;
	}
	if (is_listed(r, &t))
		return;
	snprintf(t.host, sizeof(t.host), "%s", host);
	if (r->targets == NULL)
		r->targets = xcalloc(l->policy.max_targets, sizeof(t));
	r->targets[r->ntargets++] = t;
}

/* Equal addresses share the load, and a family that does not get through
 * must not be first each time. */
static void
shuffle(struct mx_address *a, size_t n)
{
	for (; n > 1; n--) {
		size_t i = arc4random_uniform((uint32_t)n);
		struct mx_address last = a[n - 1];

		a[n - 1] = a[i];
		a[i] = last;
	}
}

static enum failure
why_no_target(const struct mx_lookup *l)
{
	if (l->failed)
		return FAIL_HOST_QUESTION;
	if (l->forbidden)
		return FAIL_FORBIDDEN;
	if (l->aliases)
		return FAIL_ALIASES;
	return l->result.mx_present ? FAIL_NO_HOST : FAIL_NO_ADDRESS;
}

static void
all_answered(struct mx_lookup *l)
{
	for (size_t i = 0; i < l->nhosts; i++) {
		struct mx_host *h = &l->hosts[i];

		shuffle(h->addrs, h->naddrs);
		for (size_t j = 0; j < h->naddrs; j++)
			add_target(l, h->name, &h->addrs[j]);
	}
	if (l->result.ntargets == 0)
		set_failure(l, why_no_target(l));
	finish(l);
}

static void
keep_addresses(
    struct mx_host *h, enum family family, const struct dns_answer *a)
{
	for (size_t i = 0; i < a->nrdata && i < MAX_ADDRESSES; i++) {
		struct mx_address *addr = &h->addrs[h->naddrs];

		if (a->rdata_len[i] != family_types[family].size)
			continue;
		addr->family = family;
		memcpy(addr->bytes, a->rdata[i], a->rdata_len[i]);
		h->naddrs++;
	}
}

static void
on_host(void *arg, const struct dns_answer *a)
{
	struct question *q = arg;
	struct mx_lookup *l = q->host->lookup;

	resolver_query_free(&q->query);
	if (a->status == DNS_TEMPFAIL) {
		l->failed = true;
		memcpy(l->why, a->why, sizeof(l->why));
	} else if (a->canonical != NULL && l->result.mx_present) {
		l->aliases = true;
	} else {
		keep_addresses(q->host, q->family, a);
	}
	if (--l->unanswered == 0)
		all_answered(l);
}

static void
ask_hosts(struct mx_lookup *l)
{
	const bool wanted[FAMILIES] = { l->policy.ipv4, l->policy.ipv6 };

	for (size_t i = 0; i < l->nhosts; i++) {
		struct mx_host *h = &l->hosts[i];

		h->lookup = l;
		for (enum family f = 0; f < FAMILIES; f++) {
			struct question *q = &h->questions[f];

			if (!wanted[f])
				continue;
			q->host = h;
			q->family = f;
			q->query = resolver_query_new(l->resolver, h->name,
			    family_types[f].type, on_host, q);
			l->unanswered++;
		}
	}
}

/* RFC 5321 5.1: no MX at all is as one of preference 0 that names the domain.
 */
static void
ask_implicit(struct mx_lookup *l)
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
	l->hosts = xcalloc(MAX_HOSTS, sizeof(*l->hosts));
	for (size_t i = 0; i < n && l->nhosts < MAX_HOSTS; i++) {
		const char *host = records[i].host;

		if (!dns_name_is_host(host) || has_host(l, host))
			continue;
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
	switch (a->status) {
	case DNS_OK:
		l->result.mx_present = true;
		ask_mx_hosts(l, a);
		return;
	case DNS_NODATA:
		ask_implicit(l);
		return;
	case DNS_NXDOMAIN:
		fail(l, FAIL_NO_DOMAIN);
		return;
	case DNS_TEMPFAIL:
		/* Never the implicit MX: there may be one that is hidden now.
		 */
		memcpy(l->why, a->why, sizeof(l->why));
		fail(l, FAIL_MX_QUESTION);
		return;
	}
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3). */
static int
parse_literal(const char *domain, struct mx_address *a)
{
	static const char tag[] = "[IPv6:";
	bool tagged = strncasecmp(domain, tag, sizeof(tag) - 1) == 0;
	const char *text = domain + (tagged ? sizeof(tag) - 1 : 1);
	size_t len = strlen(text);
	char buf[NET_TEXT_MAX];

	if (len == 0 || len >= sizeof(buf) || text[len - 1] != ']')
		return -1;
	memcpy(buf, text, len - 1);
	buf[len - 1] = '\0';
	a->family = tagged ? IPV6 : IPV4;
	if (inet_pton(family_types[a->family].af, buf, a->bytes) != 1)
		return -1;
	return 0;
}

static void
take_literal(struct mx_lookup *l)
{
	struct mx_address a;

	if (parse_literal(l->domain, &a) == 0 &&
	    (a.family == IPV4 ? l->policy.ipv4 : l->policy.ipv6))
		add_target(l, l->domain, &a);
	if (l->result.ntargets == 0)
		set_failure(l, l->forbidden ? FAIL_FORBIDDEN : FAIL_LITERAL);
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

/* True when the result is known without a question. */
static bool
settle_early(struct mx_lookup *l)
{
	if (l->domain[0] == '[')
		take_literal(l);
	else if (!is_ascii(l->domain))
		set_failure(l, FAIL_NOT_ASCII);
	else if (!dns_name_is_host(l->domain))
		set_failure(l, FAIL_SYNTAX);
	else
		return false;
	return true;
}

static void
start(struct mx_lookup *l)
{
	if (!settle_early(l)) {
		l->mx = resolver_query_new(
		    l->resolver, l->domain, DNS_MX, on_mx, l);
		return;
	}
	l->early = event_new(resolver_base(l->resolver), -1, 0, on_early, l);
	if (l->early == NULL)
		abort();
	event_active(l->early, EV_TIMEOUT, 0);
}

struct mx_lookup *
mx_lookup_new(struct resolver *resolver, const char *domain,
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
	start(l);
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
