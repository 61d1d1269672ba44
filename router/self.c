/*
 * self.c - whether a mail host is ourselves.
 *
 * A source's address is ours on any port: a host that greets from there is on
 * this machine or behind its Elastic IP. A listener's is ours on its own port:
 * on loopback, and on a machine with several servers, the others are not us.
 */
#include "router/self.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "mta/base/net.h"
#include "router/config.h"

static bool
is_our_name(const struct config *c, const char *host)
{
	if (strcasecmp(host, c->hostname) == 0)
		return true;
	for (size_t i = 0; i < c->nsources; i++)
		if (strcasecmp(host, c->sources[i].hostname) == 0)
			return true;
	return false;
}

static bool
is_wildcard(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *sin = (const void *)ss;
	const struct sockaddr_in6 *sin6 = (const void *)ss;

	if (ss->ss_family == AF_INET)
		return sin->sin_addr.s_addr == INADDR_ANY;
	return ss->ss_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr);
}

static bool
same_address(const struct sockaddr_storage *ss, const char *text)
{
	char other[NET_TEXT_MAX];

	return !is_wildcard(ss) &&
	       strcmp(net_address_text((const struct sockaddr *)ss, other),
		   text) == 0;
}

static bool
is_source(const struct config_source *s, const char *text)
{
	if (s->bind_len > 0 && same_address(&s->bind, text))
		return true;
	return s->public_address != NULL &&
	       strcmp(s->public_address, text) == 0;
}

bool
self_is_us(const void *config, const char *host, const struct sockaddr *address)
{
	const struct config *c = config;
	char text[NET_TEXT_MAX];

	if (host != NULL)
		return is_our_name(c, host);
	net_address_text(address, text);
	for (size_t i = 0; i < c->nsources; i++)
		if (is_source(&c->sources[i], text))
			return true;
	for (size_t i = 0; i < c->nlisteners; i++) {
		const struct sockaddr_storage *ss = &c->listeners[i].addr;

		if (same_address(ss, text) &&
		    net_port((const struct sockaddr *)ss) == net_port(address))
			return true;
	}
	return false;
}
