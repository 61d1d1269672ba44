/*
 * dns_records.c - the DNS records that mail of a domain needs: those of our
 * own sources, of its signatures and its bounces (facts: RFC 7208, 6376,
 * 7489). Those of Amazon SES are in dns_ses.c.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"
#include "mta/dkim.h"
#include "mta/dkim_record.h"
#include "router/cli/dns_int.h"

/* -- our own sources
 * --------------------------------------------------------------- */

/* A path that goes to the carriers itself: addresses of ours are seen. */
static bool
sends_itself(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->npaths; i++)
		if (cfg->paths[i].kind == PATH_MTA &&
		    cfg->paths[i].relay_host == NULL)
			return true;
	return false;
}

/* The address the world sees, in buf; NULL when it is not known. */
static const char *
public_address(const struct config_source *s, char buf[static NET_TEXT_MAX])
{
	const struct sockaddr *bind = (const struct sockaddr *)&s->bind;

	if (s->public_address != NULL)
		return s->public_address;
	if (s->bind_len == 0 || net_is_special(bind))
		return NULL;
	return net_address_text(bind, buf);
}

static bool
is_ipv6(const char *address)
{
	return strchr(address, ':') != NULL;
}

/* The name under which an address is asked for in reverse (RFC 1035 3.5,
 * RFC 3596 2.5). */
static void
reverse_name(struct str *name, const char *address)
{
	unsigned char b[16];

	if (is_ipv6(address) && inet_pton(AF_INET6, address, b) == 1) {
		for (int i = 15; i >= 0; i--)
			str_addf(name, "%x.%x.", b[i] & 15, b[i] >> 4);
		str_adds(name, "ip6.arpa");
	} else if (inet_pton(AF_INET, address, b) == 1) {
		str_addf(
		    name, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
	}
}

/* AWS sets the reverse DNS of Elastic IPs itself, once the name leads there. */
static void
add_reverse(struct dns_plan *p, const char *hostname, const char *address)
{
	struct str name = STR_INIT, how = STR_INIT;

	reverse_name(&name, address);
	if (is_ipv6(address))
		str_adds(&how, "reverse DNS, after the AAAA record: asked of "
			       "whoever delegates the address");
	else
		str_addf(&how,
		    "reverse DNS, after the A record: aws ec2 "
		    "modify-address-attribute --allocation-id $(aws ec2 "
		    "describe-addresses --public-ips %s --query "
		    "'Addresses[0].AllocationId' --output text) "
		    "--domain-name %s",
		    address, hostname);
	dns_plan_add(p, DNS_ITEM_REQUEST, name.data, "PTR", hostname, how.data);
	str_release(&name);
	str_release(&how);
}

static void
add_source(struct dns_plan *p, const struct config_source *s)
{
	char buf[NET_TEXT_MAX];
	const char *address = public_address(s, buf);

	if (address == NULL) {
		dns_plan_say(p, DNS_ITEM_MISSING,
		    "source '%s' has no public address in '%s': public = "
		    "\"its Elastic IP\"",
		    s->name, p->config->file);
		return;
	}
	dns_plan_add(p, DNS_ITEM_RECORD, s->hostname,
	    is_ipv6(address) ? "AAAA" : "A", address,
	    "the EHLO name leads to the address it is said from");
	add_reverse(p, s->hostname, address);
}

/* Appends the addresses of all sources; false when one of them is not known:
 * a record without it would disown our own mail. */
static bool
spf_addresses(const struct config *cfg, struct str *spf)
{
	char buf[NET_TEXT_MAX];

	for (size_t i = 0; i < cfg->nsources; i++) {
		const char *address = public_address(&cfg->sources[i], buf);

		if (address == NULL)
			return false;
		str_addf(
		    spf, " ip%c:%s", is_ipv6(address) ? '6' : '4', address);
	}
	return true;
}

/* What another host sends for us, its operator knows the addresses of. */
static const struct config_path *
relayed(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->npaths; i++)
		if (cfg->paths[i].kind == PATH_MTA &&
		    cfg->paths[i].relay_host != NULL)
			return &cfg->paths[i];
	return NULL;
}

/* SPF of all that we send ourselves, and `rest`. */
static void
add_spf(
    struct dns_plan *p, const char *name, const char *rest, const char *text)
{
	const struct config_path *relay = relayed(p->config);
	struct str spf = STR_INIT;

	str_adds(&spf, "v=spf1");
	if (relay != NULL) {
		dns_plan_say(p, DNS_ITEM_MISSING,
		    "no SPF record for '%s': path '%s' sends through '%s', "
		    "whose addresses are not known",
		    name, relay->name, relay->relay_host);
	} else if (sends_itself(p->config) && !spf_addresses(p->config, &spf)) {
		dns_plan_say(p, DNS_ITEM_MISSING,
		    "no SPF record for '%s' before the addresses of all "
		    "sources are known",
		    name);
	} else {
		str_adds(&spf, rest);
		dns_plan_add_spf(p, name, spf.data, text);
	}
	str_release(&spf);
}

static void
add_sources(struct dns_plan *p)
{
	const struct config *cfg = p->config;

	for (size_t i = 0; i < cfg->nsources; i++)
		add_source(p, &cfg->sources[i]);
	for (size_t i = 0; i < cfg->nsources; i++)
		dns_plan_add_spf(p, cfg->sources[i].hostname, "v=spf1 a -all",
		    "SPF of the EHLO name, which au checks when the "
		    "reverse-path is empty");
}

/* -- signatures, bounces, DMARC
 * ------------------------------------------------------- */

static void
add_key(struct dns_plan *p, const struct config_dkim *d)
{
	struct err e = ERR_INIT;
	struct dkim_signer *s =
	    dkim_signer_new(d->domain, d->selector, d->key_file, &e);
	char *name, *record;

	if (s == NULL) {
		dns_plan_say(
		    p, DNS_ITEM_MISSING, "dkim '%s': %s", d->domain, e.text);
		return;
	}
	name = dkim_record_name(s);
	record = dkim_signer_record(s);
	dns_plan_add(p, DNS_ITEM_RECORD, name, "TXT", record,
	    d->active ? "DKIM, a key that signs"
		      : "DKIM, a key in standby, published before it signs");
	free(name);
	free(record);
	dkim_signer_free(&s);
}

/* The keys of the domain, else of its nearest parent that has any, as the mta
 * path chooses them. */
static void
add_keys(struct dns_plan *p)
{
	const struct config *cfg = p->config;
	bool any = false;

	for (const char *name = p->domain; name != NULL && !any;
	     name = strchr(name, '.') ? strchr(name, '.') + 1 : NULL)
		for (size_t i = 0; i < cfg->ndkim; i++)
			if (strcasecmp(cfg->dkim[i].domain, name) == 0) {
				add_key(p, &cfg->dkim[i]);
				any = true;
			}
	if (!any)
		dns_plan_say(p, DNS_ITEM_MISSING,
		    "no key signs mail of '%s': 'oiwake dkim keygen %s s1' "
		    "makes one and prints the section for '%s'",
		    p->domain, p->domain, cfg->file);
}

static const struct config_listener *
inbound_listener(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->nlisteners; i++)
		if (cfg->listeners[i].kind == LISTENER_INBOUND)
			return &cfg->listeners[i];
	return NULL;
}

/* The source on whose address the listener stands; else it is this host. */
static const char *
bounce_host(const struct config *cfg, const struct config_listener *l)
{
	char at[NET_TEXT_MAX], source[NET_TEXT_MAX];

	for (size_t i = 0; l != NULL && i < cfg->nsources; i++)
		if (cfg->sources[i].bind_len > 0 &&
		    strcmp(net_address_text(
			       (const struct sockaddr *)&l->addr, at),
			net_address_text(
			    (const struct sockaddr *)&cfg->sources[i].bind,
			    source)) == 0)
			return cfg->sources[i].hostname;
	return cfg->hostname;
}

static bool
has_address(const struct dns_plan *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].name != NULL &&
		    strcasecmp(p->items[i].name, name) == 0 &&
		    (strcmp(p->items[i].type, "A") == 0 ||
			strcmp(p->items[i].type, "AAAA") == 0))
			return true;
	return false;
}

/* The address of the host that takes bounces is known when a source has its
 * name. */
static void
add_bounces(struct dns_plan *p)
{
	const struct config *cfg = p->config;
	const struct config_listener *listener = inbound_listener(cfg);
	const char *domain = cfg->return_path.domain;
	const char *host = bounce_host(cfg, listener);
	struct str mx = STR_INIT;

	str_addf(&mx, "10 %s", host);
	dns_plan_add(p, DNS_ITEM_RECORD, domain, "MX", mx.data,
	    "bounces come back to this host");
	if (!has_address(p, host))
		dns_plan_say(p, DNS_ITEM_NOTE,
		    "'%s', the host of that MX, needs an address record of "
		    "its own; the settings do not tell its public address",
		    host);
	add_spf(p, domain, " -all", "SPF of the reverse-path, which au checks");
	if (listener == NULL)
		dns_plan_say(p, DNS_ITEM_MISSING,
		    "no listener of type inbound in '%s' takes the bounces",
		    cfg->file);
	str_release(&mx);
}

static bool
signs(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->npaths; i++)
		if (cfg->paths[i].kind == PATH_MTA && cfg->paths[i].sign)
			return true;
	return false;
}

static void
add_dmarc(struct dns_plan *p)
{
	struct str name = STR_INIT, value = STR_INIT;

	str_addf(&name, "_dmarc.%s", p->domain);
	str_addf(&value,
	    "v=DMARC1; p=none; rua=mailto:dmarc@%s; adkim=r; aspf=r",
	    p->domain);
	dns_plan_add(p, DNS_ITEM_RECORD, name.data, "TXT", value.data,
	    "DMARC, which docomo asks for; p=quarantine or reject when the "
	    "reports are clean");
	dns_plan_say(p, DNS_ITEM_NOTE,
	    "the reports go to dmarc@%s, which must be a mailbox; and '%s' "
	    "itself needs an MX or A record: carriers refuse senders without",
	    p->domain, p->domain);
	str_release(&name);
	str_release(&value);
}

struct dns_plan *
dns_plan_new(const struct config *cfg, const char *domain)
{
	struct dns_plan *p = xcalloc(1, sizeof(*p));

	p->config = cfg;
	p->domain = domain;
	p->complete = true;
	/* First: where an EHLO name or the bounce domain is the domain itself,
	 * this record serves for all. */
	add_spf(p, domain,
	    dns_plan_by_ses(p) ? " include:amazonses.com ~all" : " ~all",
	    "SPF of the domain in From, which docomo and SoftBank check, for "
	    "all paths");
	if (sends_itself(cfg))
		add_sources(p);
	if (cfg->return_path.domain != NULL)
		add_bounces(p);
	if (signs(cfg))
		add_keys(p);
	if (dns_plan_by_ses(p))
		dns_plan_add_ses(p);
	add_dmarc(p);
	return p;
}
