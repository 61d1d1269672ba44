/*
 * net.c - socket addresses as people write them, and which of them must never
 * be dialled.
 *
 * Every question about ranges is asked of one form: the 16 bytes of an IPv6
 * address, with IPv4 as ::ffff:a.b.c.d. So one table and one comparison serve
 * both families.
 */
#include "mta/base/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAPPED_BITS 96 /* ::ffff:0:0/96 (RFC 4291 2.5.5.2) */

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* clang-format off */
#define V4(a, b, c, d, len) \
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }, \
	    MAPPED_BITS + (len) }

/* The IANA special-purpose registries (RFC 6890), and multicast. */
static const struct net_prefix special[] = {
	V4(0, 0, 0, 0, 8),                             /* this network */
	V4(10, 0, 0, 0, 8),                            /* private, RFC 1918 */
	V4(100, 64, 0, 0, 10),                         /* shared, RFC 6598 */
	V4(127, 0, 0, 0, 8),                           /* loopback */
	V4(169, 254, 0, 0, 16),                        /* link-local */
	V4(172, 16, 0, 0, 12),                         /* private */
	V4(192, 0, 0, 0, 24),                          /* IETF protocols */
	V4(192, 0, 2, 0, 24),                          /* documentation */
	V4(192, 88, 99, 0, 24),                        /* 6to4 relays */
	V4(192, 168, 0, 0, 16),                        /* private */
	V4(198, 18, 0, 0, 15),                         /* benchmarks */
	V4(198, 51, 100, 0, 24),                       /* documentation */
	V4(203, 0, 113, 0, 24),                        /* documentation */
	V4(224, 0, 0, 0, 4),                           /* multicast */
	V4(240, 0, 0, 0, 4),                           /* reserved, broadcast */
	{ { 0 }, 128 },                                /* unspecified */
	{ { [15] = 1 }, 128 },                         /* loopback */
	{ { 0x01 }, 64 },                              /* 100::/64 discard */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },            /* documentation */
	{ { 0xfc }, 7 },                               /* unique local */
	{ { 0xfe, 0x80 }, 10 },                        /* link-local */
	{ { 0xff }, 8 },                               /* multicast */
};

/* IPv6 forms that carry an IPv4 address, and where in them it stands. */
static const struct wrap {
	struct net_prefix prefix;
	size_t at;
} wraps[] = {
	{ { { 0x00, 0x64, 0xff, 0x9b }, 96 }, 12 },    /* NAT64, RFC 6052 */
	{ { { 0x20, 0x02 }, 16 }, 2 },                 /* 6to4, RFC 3056 */
};
/* clang-format on */

static void
map_ipv4(unsigned char out[static 16], const void *ipv4)
{
	memcpy(out, mapped, sizeof(mapped));
	memcpy(out + sizeof(mapped), ipv4, 4);
}

/* The address in the one form; false for a family that has none. */
static bool
canonical(const struct sockaddr *sa, unsigned char out[static 16])
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (sa->sa_family == AF_INET) {
		memcpy(&sin, sa, sizeof(sin));
		map_ipv4(out, &sin.sin_addr);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof(sin6));
		memcpy(out, &sin6.sin6_addr, 16);
		return true;
	}
	return false;
}

static bool
has(const struct net_prefix *prefix, const unsigned char addr[static 16])
{
	size_t bytes = prefix->bits / 8;
	unsigned rest = prefix->bits % 8;

	if (memcmp(prefix->addr, addr, bytes) != 0)
		return false;
	return rest == 0 ||
	       ((prefix->addr[bytes] ^ addr[bytes]) >> (8 - rest)) == 0;
}

static bool
is_special(const unsigned char addr[static 16])
{
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (has(&special[i], addr))
			return true;
	return false;
}

bool
net_is_special(const struct sockaddr *sa)
{
	unsigned char addr[16], inner[16];

	if (!canonical(sa, addr) || is_special(addr))
		return true;
	for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++) {
		if (!has(&wraps[i].prefix, addr))
			continue;
		map_ipv4(inner, addr + wraps[i].at);
		if (is_special(inner))
			return true;
	}
	return false;
}

bool
net_is_loopback(const struct sockaddr *sa)
{
	static const unsigned char one[16] = { [15] = 1 };
	static const struct net_prefix ipv4 = {
		{ [10] = 0xff, [11] = 0xff, [12] = 127 }, 96 + 8
	};
	unsigned char addr[16];

	return canonical(sa, addr) &&
	       (has(&ipv4, addr) || memcmp(addr, one, sizeof(one)) == 0);
}

bool
net_prefix_has(const struct net_prefix *prefix, const struct sockaddr *sa)
{
	unsigned char addr[16];

	return canonical(sa, addr) && has(prefix, addr);
}

static void
set_ipv4(struct sockaddr_storage *ss, socklen_t *len, struct in_addr addr,
    unsigned port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = addr };

	memset(ss, 0, sizeof(*ss));
	memcpy(ss, &sin, sizeof(sin));
	*len = sizeof(sin);
}

static void
set_ipv6(struct sockaddr_storage *ss, socklen_t *len, struct in6_addr addr,
    unsigned port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = addr };

	memset(ss, 0, sizeof(*ss));
	memcpy(ss, &sin6, sizeof(sin6));
	*len = sizeof(sin6);
}

int
net_parse_address(const char *text, unsigned port, struct sockaddr_storage *ss,
    socklen_t *len, struct err *e)
{
	struct in_addr ipv4;
	struct in6_addr ipv6;

	if (port > UINT16_MAX)
		return err_set(e, "port %u is not in 0-65535", port);
	if (inet_pton(AF_INET, text, &ipv4) == 1) {
		set_ipv4(ss, len, ipv4, port);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &ipv6) == 1) {
		set_ipv6(ss, len, ipv6, port);
		return 0;
	}
	return err_set(e, "not an IP address: '%s'", text);
}

/* Decimal digits only, at most max: no sign, no space, no empty text. */
static int
parse_number(const char *text, unsigned max, unsigned *value)
{
	unsigned n = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > max)
			return -1;
	}
	*value = n;
	return 0;
}

/* Takes the host part out of text, without its brackets; NULL when it is too
 * long for any address or the brackets do not match. An IPv6 address must be
 * in brackets, or its last group would be read as the port. */
static const char *
take_host(const char *text, size_t len, char buf[static NET_TEXT_MAX])
{
	bool bracketed = len > 0 && text[0] == '[';

	if (bracketed) {
		if (text[len - 1] != ']')
			return NULL;
		text++;
		len -= 2;
	}
	if (len >= NET_TEXT_MAX ||
	    bracketed != (memchr(text, ':', len) != NULL))
		return NULL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return buf;
}

int
net_parse_endpoint(const char *text, struct sockaddr_storage *ss,
    socklen_t *len, struct err *e)
{
	const char *colon = strrchr(text, ':'), *host;
	char buf[NET_TEXT_MAX];
	unsigned port;

	if (colon == NULL || parse_number(colon + 1, UINT16_MAX, &port) != 0)
		return err_set(e, "expected address:port, found '%s'", text);
	host = take_host(text, (size_t)(colon - text), buf);
	if (host == NULL)
		return err_set(e, "expected address:port, found '%s'", text);
	if (*host == '\0' || strcmp(host, "*") == 0) {
		set_ipv6(ss, len, in6addr_any, port);
		return 0;
	}
	return net_parse_address(host, port, ss, len, e);
}

char *
net_address_text(const struct sockaddr *sa, char buf[static NET_TEXT_MAX])
{
	unsigned char addr[16];

	if (!canonical(sa, addr))
		snprintf(buf, NET_TEXT_MAX, "local");
	else if (memcmp(addr, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, addr + sizeof(mapped), buf, NET_TEXT_MAX);
	else
		inet_ntop(AF_INET6, addr, buf, NET_TEXT_MAX);
	return buf;
}

char *
net_endpoint_text(const struct sockaddr *sa, char buf[static NET_TEXT_MAX])
{
	char host[NET_TEXT_MAX];
	bool inet = sa->sa_family == AF_INET || sa->sa_family == AF_INET6;

	net_address_text(sa, host);
	if (!inet)
		snprintf(buf, NET_TEXT_MAX, "%s", host);
	else if (strchr(host, ':') != NULL)
		snprintf(buf, NET_TEXT_MAX, "[%.45s]:%u", host, net_port(sa));
	else
		snprintf(buf, NET_TEXT_MAX, "%.45s:%u", host, net_port(sa));
	return buf;
}

unsigned
net_port(const struct sockaddr *sa)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (sa->sa_family == AF_INET) {
		memcpy(&sin, sa, sizeof(sin));
		return ntohs(sin.sin_port);
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof(sin6));
		return ntohs(sin6.sin6_port);
	}
	return 0;
}

static bool
host_bits_set(const struct net_prefix *prefix)
{
	for (unsigned i = prefix->bits; i < 128; i++)
		if (prefix->addr[i / 8] & (0x80 >> i % 8))
			return true;
	return false;
}

int
net_parse_prefix(const char *text, struct net_prefix *prefix, struct err *e)
{
	size_t n = strcspn(text, "/");
	struct net_prefix p;
	struct sockaddr_storage ss;
	socklen_t len;
	char host[NET_TEXT_MAX];
	unsigned max, bits;

	if (n >= sizeof(host))
		return err_set(e, "not a network: '%s'", text);
	memcpy(host, text, n);
	host[n] = '\0';
	if (net_parse_address(host, 0, &ss, &len, NULL) != 0)
		return err_set(e, "not a network: '%s'", text);
	max = ss.ss_family == AF_INET ? 32 : 128;
	bits = max;
	if (text[n] == '/' && parse_number(text + n + 1, max, &bits) != 0)
		return err_set(
		    e, "prefix length is not in 0-%u: '%s'", max, text);
	canonical((const struct sockaddr *)&ss, p.addr);
	p.bits = bits + 128 - max;
	if (host_bits_set(&p))
		return err_set(
		    e, "address has bits beyond its prefix length: '%s'", text);
	*prefix = p;
	return 0;
}
