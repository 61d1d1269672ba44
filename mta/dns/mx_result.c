/*
 * mx_result.c - what a lookup hands on: addresses in order, or why there is
 * none.
 */
#include "mta/dns/mx_int.h"

#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"

/*
 * A domain that cannot be looked up now is a destination to wait for; one that
 * takes no mail is the fault of the address. A host of ours (a relay) that is
 * not found is neither: mail waits until the path is in order. The enhanced
 * status codes are of RFC 3463, 6531, 7505; their class says whether to retry.
 */
/* clang-format off */
static const struct failure_row {
	enum outcome_scope scope;
	const char *enhanced, *text;
} failures[] = {
	[FAIL_LITERAL] = { SCOPE_RECIPIENT, "5.1.2",
	    "not an address to send to" },
	[FAIL_NOT_ASCII] = { SCOPE_RECIPIENT, "5.6.7",
	    "domain is not in ASCII (A-label) form" },
	[FAIL_SYNTAX] = { SCOPE_RECIPIENT, "5.1.2",
	    "not a domain name" },
	[FAIL_NO_DOMAIN] = { SCOPE_RECIPIENT, "5.1.2",
	    "domain does not exist" },
	[FAIL_NULL_MX] = { SCOPE_RECIPIENT, "5.1.10",
	    "domain takes no mail (null MX)" },
	[FAIL_MX_QUESTION] = { SCOPE_LANE, "4.4.3",
	    "cannot look up MX of domain" },
	[FAIL_HOSTS_QUESTION] = { SCOPE_LANE, "4.4.3",
	    "cannot look up addresses of the mail hosts of domain" },
	[FAIL_TLSA_QUESTION] = { SCOPE_LANE, "4.4.3",
	    "cannot look up TLSA records of the mail hosts of domain" },
	[FAIL_OURSELVES] = { SCOPE_RECIPIENT, "5.4.6",
	    "domain names this host as its mail host: mail loops back to us" },
	[FAIL_FORBIDDEN] = { SCOPE_RECIPIENT, "5.4.4",
	    "domain has only addresses that mail must not be sent to" },
	[FAIL_ALIASES] = { SCOPE_RECIPIENT, "5.4.4",
	    "all mail hosts of domain are aliases" },
	[FAIL_NO_ADDRESS] = { SCOPE_RECIPIENT, "5.4.4",
	    "domain has neither MX nor usable address" },
	[FAIL_NO_HOST] = { SCOPE_RECIPIENT, "5.4.4",
	    "no mail host of domain has a usable address" },
	[FAIL_OURS_SYNTAX] = { SCOPE_PATH, "4.4.4",
	    "neither a host name nor an address" },
	[FAIL_OURS_QUESTION] = { SCOPE_PATH, "4.4.3",
	    "cannot look up addresses of host" },
	[FAIL_OURS_FORBIDDEN] = { SCOPE_PATH, "4.4.4",
	    "host has only addresses that mail must not be sent to" },
	[FAIL_OURS_NO_ADDRESS] = { SCOPE_PATH, "4.4.4",
	    "host has no usable address" },
};
/* clang-format on */

void
mx_set_failure(struct mx_lookup *l, enum mx_failure failure)
{
	const struct failure_row *f = &failures[failure];
	struct outcome *o = &l->result.why;
	bool asked = l->failed || l->unproved;

	outcome_set(o, f->scope, STAGE_DNS, f->enhanced[0] == '5',
	    "%s: '%s'%s%s", f->text, l->domain, asked ? ": " : "",
	    asked ? l->why : "");
	snprintf(o->enhanced, sizeof(o->enhanced), "%s", f->enhanced);
}

bool
mx_is_wanted(const struct mx_lookup *l, enum mx_family family)
{
	return family == MX_IPV4 ? l->policy.ipv4 : l->policy.ipv6;
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
	if (a->family == MX_IPV4) {
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
	struct smtp_client_target t = { .policy = NULL };

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

static enum mx_failure
why_no_target(const struct mx_lookup *l)
{
	if (l->failed)
		return l->ours ? FAIL_OURS_QUESTION : FAIL_HOSTS_QUESTION;
	if (l->unproved)
		return l->ours ? FAIL_OURS_QUESTION : FAIL_TLSA_QUESTION;
	if (l->ourselves)
		return FAIL_OURSELVES;
	if (l->forbidden)
		return l->ours ? FAIL_OURS_FORBIDDEN : FAIL_FORBIDDEN;
	if (l->ours)
		return FAIL_OURS_NO_ADDRESS;
	if (l->aliases)
		return FAIL_ALIASES;
	return l->result.mx_present ? FAIL_NO_HOST : FAIL_NO_ADDRESS;
}

static bool
is_our_address(const struct mx_lookup *l, const struct mx_address *a)
{
	struct sockaddr_storage ss;

	if (l->policy.is_us == NULL || l->ours)
		return false;
	make_sockaddr(&ss, a, l->policy.port);
	return l->policy.is_us(
	    l->policy.is_us_arg, NULL, (const struct sockaddr *)&ss);
}

static bool
is_us(const struct mx_lookup *l, const struct mx_host *h)
{
	if (l->policy.is_us == NULL || l->ours)
		return false;
	if (l->policy.is_us(l->policy.is_us_arg, h->name, NULL))
		return true;
	for (size_t i = 0; i < h->naddrs; i++)
		if (is_our_address(l, &h->addrs[i]))
			return true;
	return false;
}

/* RFC 5321 5.1: only those that are better than we are. */
static unsigned
worst_preference(struct mx_lookup *l)
{
	unsigned limit = UINT_MAX;

	for (size_t i = 0; i < l->nhosts; i++) {
		const struct mx_host *h = &l->hosts[i];

		if (h->preference < limit && is_us(l, h)) {
			limit = h->preference;
			l->ourselves = true;
		}
	}
	return limit;
}

static void
take_host(struct mx_lookup *l, struct mx_host *h, struct mx_result_host *r)
{
	r->name = h->name;
	r->tlsa = h->dane.set;
	r->tlsa_base = h->dane.base;
	r->tlsa_failed = h->dane.failed;
	l->failed |= h->failed;
	l->unproved |= h->dane.failed;
	if (h->dane.failed)
		return;
	shuffle(h->addrs, h->naddrs);
	for (size_t i = 0; i < h->naddrs; i++)
		add_target(l, h->name, &h->addrs[i]);
}

void
mx_take_hosts(struct mx_lookup *l)
{
	unsigned limit = worst_preference(l);
	struct mx_result_host *hosts = xcalloc(l->nhosts, sizeof(*hosts));

	l->failed = false;
	l->result.hosts = hosts;
	for (size_t i = 0; i < l->nhosts; i++)
		if (l->hosts[i].preference < limit)
			take_host(
			    l, &l->hosts[i], &hosts[l->result.nhosts++]);
	if (l->result.ntargets == 0)
		mx_set_failure(l, why_no_target(l));
}

void
mx_take_address(struct mx_lookup *l, const struct mx_address *a)
{
	bool ourselves = is_our_address(l, a);

	if (mx_is_wanted(l, a->family) && !ourselves)
		add_target(l, l->domain, a);
	if (l->result.ntargets > 0)
		return;
	if (ourselves)
		mx_set_failure(l, FAIL_OURSELVES);
	else if (l->forbidden)
		mx_set_failure(
		    l, l->ours ? FAIL_OURS_FORBIDDEN : FAIL_FORBIDDEN);
	else
		mx_set_failure(
		    l, l->ours ? FAIL_OURS_NO_ADDRESS : FAIL_LITERAL);
}
