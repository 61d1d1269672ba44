/*
 * net.h - socket addresses as people write them, and which of them must never be dialled.
 */
#ifndef MTA_BASE_NET_H
#define MTA_BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "mta/base/err.h"

#define NET_TEXT_MAX 64 /* "[2001:db8::1]:65535" and NUL */

/* "192.0.2.1:25", "[2001:db8::1]:25", ":25" and "*:25" (any IPv6 and IPv4: [::]). Port 0 is let
 * through: the kernel then chooses. 0 or -1. */
int net_parse_endpoint(const char *text, struct sockaddr_storage *, socklen_t *len, struct err *e);
/* An address alone, "192.0.2.1" or "2001:db8::1", with the given port. 0 or -1. */
int net_parse_address(const char *text, unsigned port, struct sockaddr_storage *, socklen_t *len,
    struct err *e);
/* The address without port; returns buf. IPv4-mapped IPv6 is shown as IPv4; AF_UNIX as "local". */
char *net_address_text(const struct sockaddr *, char buf[static NET_TEXT_MAX]);
char *net_endpoint_text(const struct sockaddr *, char buf[static NET_TEXT_MAX]); /* with port */
unsigned net_port(const struct sockaddr *);

/* Not globally reachable: loopback, private, link-local, shared, multicast, documentation,
 * unspecified, and IPv6 forms that wrap such an IPv4 address (mapped, NAT64, 6to4). */
bool net_is_special(const struct sockaddr *);

bool net_is_loopback(const struct sockaddr *); /* 127.0.0.0/8, ::1 */

struct net_prefix {
	unsigned char addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;          /* of 128 */
};
/* "10.0.0.0/8", "192.0.2.1", "2001:db8::/32". Host bits that are set are an error. */
int net_parse_prefix(const char *text, struct net_prefix *, struct err *e);
bool net_prefix_has(const struct net_prefix *, const struct sockaddr *);

#endif
