/*
 * dns_server.h - a small DNS server on loopback, on the test's own event base.
 *
 * It answers, as a recursive server would, from a table of rows; a name without
 * a row does not exist. It counts questions, so tests can tell who was asked.
 */
#ifndef TESTS_UNIT_DNS_SERVER_H
#define TESTS_UNIT_DNS_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mta/base/str.h"

/*
 * data: "192.0.2.1", "10 mx.example", "name" or text by type, or what goes
 * wrong: "!servfail", "!refused", "!silent", "!garbage", "!truncated" (over
 * UDP; TCP then gives the `repeat` records).
 */
struct dns_row {
	const char *name;
	int type;
	const char *data;
	int repeat; /* that many records, A ones counting up; 0 is 1 */
};

struct dns_server {
	struct event_base *base;
	const struct dns_row *rows;
	struct event *udp;
	struct evconnlistener *tcp;
	unsigned port;
	bool dead; /* swallows everything */
	int questions, tcp_questions;
	char address[32]; /* as resolver_config.servers wants it */
};

static inline void
dns_put16(struct str *s, unsigned v)
{
	str_addc(s, (char)(v >> 8));
	str_addc(s, (char)v);
}

static inline void
dns_put_name(struct str *s, const char *text)
{
	while (*text != '\0' && strcmp(text, ".") != 0) {
		size_t n = strcspn(text, ".");

		str_addc(s, (char)n);
		str_add(s, text, n);
		text += n;
		text += *text == '.';
	}
	str_addc(s, 0);
}

static inline void
dns_put_rdata(struct str *s, const struct dns_row *row, int i)
{
	unsigned char addr[16];
	const char *rest = row->data;
	char name[300];

	switch (row->type) {
	case 1:
		assert(inet_pton(AF_INET, row->data, addr) == 1);
		addr[2] = (unsigned char)(addr[2] + i / 256);
		addr[3] = (unsigned char)(addr[3] + i % 256);
		str_add(s, addr, 4);
		return;
	case 28:
		assert(inet_pton(AF_INET6, row->data, addr) == 1);
		addr[15] = (unsigned char)(addr[15] + i);
		str_add(s, addr, 16);
		return;
	case 15:
		dns_put16(s, (unsigned)atoi(row->data));
		rest += strcspn(rest, " ") + 1;
		if (row->repeat > 1) {
			snprintf(name, sizeof(name), "m%d.%s", i, rest);
			rest = name;
		}
		dns_put_name(s, rest);
		return;
	case 5:
	case 12:
		dns_put_name(s, row->data);
		return;
	default:
		str_addc(s, (char)strlen(row->data));
		str_adds(s, row->data);
	}
}

static inline int
dns_put_records(struct str *s, const struct dns_row *row)
{
	int n = row->repeat > 1 ? row->repeat : 1;
	struct str rdata = STR_INIT;

	for (int i = 0; i < n; i++) {
		str_clear(&rdata);
		dns_put_rdata(&rdata, row, i);
		dns_put_name(s, row->name);
		dns_put16(s, (unsigned)row->type);
		dns_put16(s, 1);
		dns_put16(s, 0);
		dns_put16(s, 0); /* TTL 0 */
		dns_put16(s, (unsigned)rdata.len);
		str_add(s, rdata.data, rdata.len);
	}
	str_release(&rdata);
	return n;
}

struct dns_reply {
	struct str records;
	int n, rcode;
	bool silent, garbage, truncated;
	const char *alias;
};

static inline void
dns_match(const struct dns_row *row, int type, bool tcp, struct dns_reply *r)
{
	if (strcmp(row->data, "!servfail") == 0)
		r->rcode = 2;
	else if (strcmp(row->data, "!refused") == 0)
		r->rcode = 5;
	else if (strcmp(row->data, "!silent") == 0)
		r->silent = true;
	else if (strcmp(row->data, "!garbage") == 0)
		r->garbage = true;
	else if (strcmp(row->data, "!truncated") == 0 && !tcp)
		r->truncated = true;
	else if (strcmp(row->data, "!truncated") != 0)
		r->n += dns_put_records(&r->records, row);
	if (row->type == 5 && type != 5)
		r->alias = row->data;
}

static inline void
dns_lookup(struct dns_server *d, const char *name, int type, bool tcp,
    struct dns_reply *r)
{
	bool exists = false;

	r->alias = NULL;
	for (const struct dns_row *row = d->rows; row->name != NULL; row++) {
		if (strcasecmp(row->name, name) != 0)
			continue;
		exists = true;
		if ((row->type == type || row->type == 5) && !r->truncated)
			dns_match(row, type, tcp, r);
	}
	if (!exists && r->rcode == 0)
		r->rcode = 3;
	if (r->alias != NULL && r->n < 40)
		dns_lookup(d, r->alias, type, tcp, r);
}

static inline bool
dns_respond(struct dns_server *d, const uint8_t *q, size_t len, bool tcp,
    struct str *out)
{
	struct dns_reply r = { .records = STR_INIT };
	char name[300] = "";
	size_t at = 12;
	int type;

	d->questions++;
	d->tcp_questions += tcp;
	while (at < len && q[at] != 0) {
		snprintf(name + strlen(name), sizeof(name) - strlen(name),
		    "%s%.*s", name[0] ? "." : "", q[at],
		    (const char *)q + at + 1);
		at += 1u + q[at];
	}
	type = q[at + 1] << 8 | q[at + 2];
	dns_lookup(d, name, type, tcp, &r);
	if (r.silent || d->dead) {
		str_release(&r.records);
		return false;
	}
	str_add(out, q, 2);
	dns_put16(
	    out, 0x8180u | (r.truncated ? 0x200u : 0) | (unsigned)r.rcode);
	dns_put16(out, 1);
	dns_put16(out, (unsigned)r.n);
	dns_put16(out, 0);
	dns_put16(out, 0);
	str_add(out, q + 12, at + 5 - 12);
	str_add(out, r.records.data, r.records.len);
	if (r.garbage)
		memset(out->data + 4, 0xc7, out->len - 4);
	str_release(&r.records);
	return true;
}

static inline void
dns_on_udp(evutil_socket_t fd, short what, void *arg)
{
	struct dns_server *d = arg;
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	uint8_t q[2048];
	struct str out = STR_INIT;
	ssize_t n =
	    recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&peer, &peer_len);

	(void)what;
	if (n > 12 && dns_respond(d, q, (size_t)n, false, &out))
		sendto(fd, out.data, out.len, 0, (struct sockaddr *)&peer,
		    peer_len);
	str_release(&out);
}

/* One question per connection, read and answered at once: loopback. */
static inline void
dns_on_tcp(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *peer, int peer_len, void *arg)
{
	struct dns_server *d = arg;
	uint8_t q[2048];
	struct str out = STR_INIT, framed = STR_INIT;
	ssize_t n;

	(void)listener;
	(void)peer;
	(void)peer_len;
	n = recv(fd, q, sizeof(q), 0);
	if (n > 14 && dns_respond(d, q + 2, (size_t)n - 2, true, &out)) {
		dns_put16(&framed, (unsigned)out.len);
		str_add(&framed, out.data, out.len);
		if (send(fd, framed.data, framed.len, MSG_NOSIGNAL) < 0)
			perror("send");
	}
	str_release(&out);
	str_release(&framed);
	close(fd);
}

/* UDP on a port that is free; -1 when TCP has no such port free as well. */
static inline int
dns_bind_both(struct dns_server *d)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert(bind(udp, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	assert(getsockname(udp, (struct sockaddr *)&sin, &len) == 0);
	/* Accepted sockets block: the question follows at once. */
	d->tcp = evconnlistener_new_bind(d->base, dns_on_tcp, d,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE |
		LEV_OPT_LEAVE_SOCKETS_BLOCKING,
	    16, (struct sockaddr *)&sin, sizeof(sin));
	if (d->tcp == NULL) {
		close(udp);
		return -1;
	}
	d->port = ntohs(sin.sin_port);
	return udp;
}

static inline void
dns_server_start(
    struct dns_server *d, struct event_base *base, const struct dns_row *rows)
{
	int udp = -1;

	memset(d, 0, sizeof(*d));
	d->base = base;
	d->rows = rows;
	for (int tries = 0; udp < 0 && tries < 100; tries++)
		udp = dns_bind_both(d);
	assert(udp >= 0);
	snprintf(d->address, sizeof(d->address), "127.0.0.1@%u", d->port);
	d->udp = event_new(base, udp, EV_READ | EV_PERSIST, dns_on_udp, d);
	event_add(d->udp, NULL);
}

static inline void
dns_server_stop(struct dns_server *d)
{
	close(event_get_fd(d->udp));
	event_free(d->udp);
	evconnlistener_free(d->tcp);
}

#endif
