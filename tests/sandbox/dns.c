/*
 * dns.c - the authoritative name server of the fake internet (RFC 1035, EDNS of
 * RFC 6891).
 *
 * A query is answered from the zone alone and at once. Every answer names the
 * root as the zone it belongs to, with one SOA; nothing is signed.
 */
#include "tests/sandbox/dns.h"

#include "mta/base/alloc.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER	   12
#define UDP_PLAIN  512
#define UDP_MOST   4096
#define TYPE_OPT   41
#define CNAME_HOPS 8
#define TCP_IDLE_S 30
#define PORT_TRIES 50

enum rcode {
	RCODE_OK = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
};

struct dns {
	struct event_base *base;
	struct zone *zone;
	struct event *udp;
	struct evconnlistener *tcp;
	unsigned port;
	unsigned ttl;
	enum dns_mood mood;
	uint64_t queries;
	struct str out; /* the answer being built */
};

struct query {
	const unsigned char *packet;
	size_t question_end;
	char name[ZONE_NAME_MAX + 1]; /* lower case */
	uint16_t type;
	size_t room; /* bytes the answer may have */
	bool edns;
};

static unsigned
get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void
add16(struct str *s, unsigned v)
{
	str_addc(s, (char)(v >> 8));
	str_addc(s, (char)(v & 255));
}

static void
set16(struct str *s, size_t at, unsigned v)
{
	s->data[at] = (char)(v >> 8);
	s->data[at + 1] = (char)(v & 255);
}

/* Bytes that no name of ours has become '?', so that such a name is not found.
 */
static int
read_name(struct query *q, size_t len, size_t *at)
{
	size_t n = 0, label, i;

	while (*at < len && (label = q->packet[*at]) != 0) {
		if (label > 63 || *at + 1 + label >= len ||
		    n + label + 1 >= sizeof(q->name))
			return -1;
		if (n > 0)
			q->name[n++] = '.';
		for (i = 1; i <= label; i++) {
			int c = q->packet[*at + i];

			q->name[n++] = (char)(isalnum(c) || c == '-' || c == '_'
						  ? tolower(c)
						  : '?');
		}
		*at += 1 + label;
	}
	q->name[n] = '\0';
	return (*at)++ < len ? 0 : -1;
}

static enum rcode
parse(struct query *q, size_t len, bool udp)
{
	const unsigned char *p = q->packet;
	size_t at = HEADER;

	q->room = udp ? UDP_PLAIN : 65535;
	q->question_end = HEADER;
	if ((p[2] & 0x78) != 0)
		return RCODE_NOTIMP;
	if (get16(p + 4) != 1 || read_name(q, len, &at) < 0 || at + 4 > len)
		return RCODE_FORMERR;
	q->type = (uint16_t)get16(p + at);
	at += 4;
	q->question_end = at;
	if (get16(p + 6) == 0 && get16(p + 8) == 0 && get16(p + 10) >= 1 &&
	    at + 11 <= len && p[at] == 0 && get16(p + at + 1) == TYPE_OPT) {
		q->edns = true;
		if (udp && get16(p + at + 3) > UDP_PLAIN)
			q->room = get16(p + at + 3);
		if (udp && q->room > UDP_MOST)
			q->room = UDP_MOST;
	}
	return RCODE_OK;
}

static void
add_record(struct dns *d, const struct str *owner, const struct record *r)
{
	struct str *o = &d->out;

	str_add(o, owner->data, owner->len);
	add16(o, r->type);
	add16(o, 1);
	add16(o, d->ttl >> 16);
	add16(o, d->ttl & 65535);
	add16(o, r->rdlen);
	str_add(o, r->rdata, r->rdlen);
}

/* RFC 2308: what says how long "there is none" may be remembered; one second.
 */
static void
add_soa(struct dns *d)
{
	static const unsigned numbers[] = { 1, 3600, 600, 86400, 1 };
	struct str rdata = STR_INIT;
	size_t i;

	(void)zone_wire_name("ns.sandbox.example", &rdata);
	(void)zone_wire_name("hostmaster.sandbox.example", &rdata);
	for (i = 0; i < 5; i++) {
		add16(&rdata, numbers[i] >> 16);
		add16(&rdata, numbers[i] & 65535);
	}
	str_addc(&d->out, '\0');
	add16(&d->out, TYPE_SOA);
	add16(&d->out, 1);
	add16(&d->out, 0);
	add16(&d->out, 1);
	add16(&d->out, (unsigned)rdata.len);
	str_add(&d->out, rdata.data, rdata.len);
	str_release(&rdata);
}

static unsigned
add_matching(struct dns *d, const struct str *owner, const struct name *n,
    unsigned type, const struct record **cname)
{
	const struct record *r;
	unsigned added = 0;

	*cname = NULL;
	for (r = n->records; r != NULL; r = r->next) {
		if (r->type == type || type == TYPE_ANY) {
			add_record(d, owner, r);
			added++;
		} else if (r->type == TYPE_CNAME) {
			*cname = r;
		}
	}
	return added;
}

static void
name_of_rdata(const struct record *r, char text[static ZONE_NAME_MAX + 1])
{
	size_t at = 0, n = 0, label;

	while ((label = r->rdata[at++]) != 0) {
		if (n > 0)
			text[n++] = '.';
		memcpy(text + n, r->rdata + at, label);
		n += label;
		at += label;
	}
	text[n] = '\0';
}

/* Adds what the zone says, CNAMEs followed. */
static enum rcode
add_answers(struct dns *d, const struct query *q, unsigned *answers)
{
	struct str owner = STR_INIT;
	const struct record *cname = NULL;
	const struct name *n;
	char text[ZONE_NAME_MAX + 1];
	unsigned hops = 0, added;

	strcpy(text, q->name);
	add16(&owner, 0xc000 | HEADER);
	do {
		n = zone_find(d->zone, text);
		if (n == NULL || n->mood == NAME_SERVFAIL)
			break;
		added = add_matching(d, &owner, n, q->type, &cname);
		*answers += added;
		if (added > 0 || cname == NULL)
			break;
		add_record(d, &owner, cname);
		++*answers;
		name_of_rdata(cname, text);
		str_clear(&owner);
		str_add(&owner, cname->rdata, cname->rdlen);
	} while (++hops < CNAME_HOPS);
	str_release(&owner);
	if (n == NULL)
		return RCODE_NXDOMAIN;
	return n->mood == NAME_SERVFAIL ? RCODE_SERVFAIL : RCODE_OK;
}

static void
start_answer(struct dns *d, const struct query *q, enum rcode rc)
{
	const unsigned char *p = q->packet;

	str_clear(&d->out);
	str_add(&d->out, p, q->question_end);
	/* QR AA, opcode and RD as asked; RA */
	d->out.data[2] = (char)(0x84 | (p[2] & 0x79));
	d->out.data[3] = (char)(0x80 | rc);
	set16(&d->out, 4, q->question_end > HEADER);
	set16(&d->out, 6, 0);
	set16(&d->out, 8, 0);
	set16(&d->out, 10, 0);
}

static void
finish_answer(struct dns *d, const struct query *q)
{
	static const char opt[] = { 0, 0, TYPE_OPT, UDP_MOST >> 8,
		UDP_MOST & 255, 0, 0, 0, 0, 0, 0 };

	if (d->out.len + sizeof(opt) > q->room) {
		start_answer(d, q, d->out.data[3] & 15);
		d->out.data[2] |= 2; /* TC */
	}
	if (q->edns) {
		str_add(&d->out, opt, sizeof(opt));
		set16(&d->out, 10, 1);
	}
}

static bool
is_silent(const struct dns *d, const struct query *q)
{
	const struct name *n = zone_find(d->zone, q->name);

	return n != NULL && n->mood == NAME_TIMEOUT;
}

/* False: no answer is to be sent. */
static bool
answer(struct dns *d, const unsigned char *packet, size_t len, bool udp)
{
	struct query q = { .packet = packet };
	unsigned answers = 0;
	enum rcode rc;

	if (len < HEADER || (packet[2] & 0x80) != 0 || d->mood == DNS_DEAD)
		return false;
	d->queries++;
	rc = parse(&q, len, udp);
	if (rc == RCODE_OK && d->mood == DNS_SERVFAIL)
		rc = RCODE_SERVFAIL;
	if (rc == RCODE_OK && is_silent(d, &q))
		return false;
	start_answer(d, &q, rc);
	if (rc == RCODE_OK) {
		rc = add_answers(d, &q, &answers);
		d->out.data[3] = (char)(0x80 | rc);
		set16(&d->out, 6, answers);
		if (answers == 0 && rc != RCODE_SERVFAIL) {
			add_soa(d);
			set16(&d->out, 8, 1);
		}
	}
	finish_answer(d, &q);
	return true;
}

static void
on_udp(evutil_socket_t fd, short what, void *arg)
{
	struct dns *d = arg;
	unsigned char packet[UDP_MOST];
	struct sockaddr_storage from;
	socklen_t from_len;
	ssize_t n;

	(void)what;
	for (;;) {
		from_len = sizeof(from);
		n = recvfrom(fd, packet, sizeof(packet), 0,
		    (struct sockaddr *)&from, &from_len);
		if (n < 0)
			return;
		if (answer(d, packet, (size_t)n, true))
			(void)sendto(fd, d->out.data, d->out.len, 0,
			    (struct sockaddr *)&from, from_len);
	}
}

static void
on_tcp_read(struct bufferevent *bev, void *arg)
{
	struct dns *d = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	unsigned char size[2];
	size_t len;

	while (evbuffer_copyout(in, size, 2) == 2) {
		len = get16(size);
		if (evbuffer_get_length(in) < 2 + len)
			return;
		evbuffer_drain(in, 2);
		if (answer(d, evbuffer_pullup(in, (ssize_t)len), len, false)) {
			size[0] = (unsigned char)(d->out.len >> 8);
			size[1] = (unsigned char)(d->out.len & 255);
			bufferevent_write(bev, size, 2);
			bufferevent_write(bev, d->out.data, d->out.len);
		}
		evbuffer_drain(in, len);
	}
}

static void
on_tcp_event(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(bev);
}

static void
on_tcp_accept(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *peer, int peer_len, void *arg)
{
	struct dns *d = arg;
	struct timeval idle = { .tv_sec = TCP_IDLE_S };
	struct bufferevent *bev;

	(void)l;
	(void)peer;
	(void)peer_len;
	bev = bufferevent_socket_new(d->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(bev, on_tcp_read, NULL, on_tcp_event, d);
	bufferevent_set_timeouts(bev, &idle, &idle);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static int
bind_udp(struct sockaddr_in *sin)
{
	socklen_t len = sizeof(*sin);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && (bind(fd, (struct sockaddr *)sin, sizeof(*sin)) < 0 ||
			   getsockname(fd, (struct sockaddr *)sin, &len) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* UDP and TCP on the same port; with port 0 until one is free for both. */
static int
open_sockets(struct dns *d, struct sockaddr_in sin)
{
	int tries = sin.sin_port == 0 ? PORT_TRIES : 1;
	struct sockaddr_in got;
	int fd;

	while (tries-- > 0) {
		got = sin;
		fd = bind_udp(&got);
		if (fd < 0)
			continue;
		d->tcp = evconnlistener_new_bind(d->base, on_tcp_accept, d,
		    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE |
			LEV_OPT_CLOSE_ON_EXEC,
		    128, (struct sockaddr *)&got, sizeof(got));
		if (d->tcp != NULL) {
			d->port = ntohs(got.sin_port);
			return fd;
		}
		close(fd);
	}
	return -1;
}

struct dns *
dns_new(struct event_base *base, struct zone *zone, const char *address,
    unsigned port, unsigned ttl, struct err *e)
{
	struct dns *d = xcalloc(1, sizeof(*d));
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = -1;

	d->base = base;
	d->zone = zone;
	d->ttl = ttl;
	str_init(&d->out);
	sin.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1)
		err_set(e, "not an IPv4 address: '%s'", address);
	else if ((fd = open_sockets(d, sin)) < 0)
		err_sys(e, "cannot listen on %s port %u", address, port);
	if (fd < 0) {
		free(d);
		return NULL;
	}
	d->udp = event_new(base, fd, EV_READ | EV_PERSIST, on_udp, d);
	event_add(d->udp, NULL);
	return d;
}

unsigned
dns_port(const struct dns *d)
{
	return d->port;
}

uint64_t
dns_queries(const struct dns *d)
{
	return d->queries;
}

void
dns_set_mood(struct dns *d, enum dns_mood mood)
{
	d->mood = mood;
}
