/*
 * mx_dane.c - TLSA records of a mail host (RFC 7672 2.2).
 *
 * They are asked for only where DNSSEC vouches for every step that leads to
 * them: the MX records (mx.c), the addresses, the records themselves. A host
 * that is an alias may have them under the name at the end of the chain or
 * under its own (RFC 7672 2.2.2); where only the chain's beginning is signed,
 * under its own alone.
 */
#include "mta/dns/mx_int.h"

#include <stdio.h>
#include <string.h>

#include "mta/dns/resolver.h"
#include "mta/tlsa.h"

static void ask_tlsa(struct mx_host *, const char *base);

static void
close_question(struct mx_host *h, const struct dns_answer *a)
{
	resolver_query_free(&h->dane.query);
	if (a->status == DNS_TEMPFAIL) {
		h->dane.failed = true;
		memcpy(h->lookup->why, a->why, sizeof(a->why));
	}
}

static void
on_tlsa(void *arg, const struct dns_answer *a)
{
	struct mx_host *h = arg;

	close_question(h, a);
	if (a->status == DNS_OK && a->secure) {
		h->dane.set = tlsa_set_new(a->rdata, a->rdata_len, a->nrdata);
	} else if (!h->dane.failed && h->dane.fallback) {
		h->dane.fallback = false;
		ask_tlsa(h, h->name);
		return;
	}
	mx_answered(h->lookup);
}

static void
ask_tlsa(struct mx_host *h, const char *base)
{
	char name[sizeof(h->dane.base) + sizeof("_65535._tcp.")];

	snprintf(h->dane.base, sizeof(h->dane.base), "%s", base);
	snprintf(name, sizeof(name), "_%u._tcp.%s", h->lookup->policy.port,
	    h->dane.base);
	h->dane.query =
	    resolver_query_new(h->lookup->resolver, name, DNS_TLSA, on_tlsa, h);
}

/* The alias itself, without what it leads to. */
static void
on_alias(void *arg, const struct dns_answer *a)
{
	struct mx_host *h = arg;

	close_question(h, a);
	if (a->status == DNS_OK && a->secure)
		ask_tlsa(h, h->name);
	else
		mx_answered(h->lookup);
}

bool
mx_dane_ask(struct mx_host *h)
{
	const struct mx_lookup *l = h->lookup;
	bool alias = h->canonical[0] != '\0';

	if (!l->policy.dane || h->naddrs == 0)
		return false;
	if (l->result.mx_present && !l->result.secure)
		return false;
	if (h->secure) {
		h->dane.fallback = alias;
		ask_tlsa(h, alias ? h->canonical : h->name);
		return true;
	}
	if (!alias)
		return false;
	h->dane.query =
	    resolver_query_new(l->resolver, h->name, DNS_CNAME, on_alias, h);
	return true;
}
