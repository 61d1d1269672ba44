/*
 * resolver.c - DNS through libunbound on a libevent base.
 *
 * libunbound may answer from inside ub_resolve_event (from its cache), and its
 * callbacks run deep in its own stack. So an answer is only read and kept
 * there; the query's one event, which is also its time-out, then brings it to
 * the caller from the event loop.
 */
#include "mta/dns/resolver.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unistd.h>

/* unbound-event.h uses the type without naming it. */
struct event_base;
#include <unbound-event.h>

#include "mta/base/alloc.h"

#define DEFAULT_CACHE_BYTES (4u << 20)
#define DEFAULT_TIMEOUT	    30000
#define CLASS_IN	    1
#define RCODE_NXDOMAIN	    3
#define SEC_BOGUS	    1
#define SEC_SECURE	    2

struct resolver {
	struct event_base *base;
	struct ub_ctx *ctx;
	struct timeval timeout;
	size_t nqueries;
};

struct resolver_query {
	struct resolver *resolver;
	struct event *event; /* time-out, or an answer to deliver */
	int type;
	int async_id;
	bool pending;		     /* libunbound still holds our address */
	struct dns_message *message; /* NULL when there is none */
	struct dns_answer answer;
	void (*done)(void *, const struct dns_answer *);
	void *arg;
};

static const struct option {
	const char *name, *value;
} options[] = {
	/* Forwarders on this host are the rule: systemd-resolved, a test. */
	{ "do-not-query-localhost:", "no" },
	/* A queue that comes back after an outage asks for many names at once,
	 * and one that never answers must not hold up the others. */
	{ "outgoing-range:", "128" },
	{ "outgoing-num-tcp:", "4" },
	/* Recovery of a server must be noticed within seconds: by default one
	 * that timed out is shunned for 15 minutes. */
	{ "infra-host-ttl:", "5" },
	{ "infra-keep-probing:", "yes" },
	{ "infra-cache-max-rtt:", "4000" },
	/* What exists in private and reverse zones, the servers decide. */
	{ "unblock-lan-zones:", "yes" },
	/* A sender who waits for a new domain should not wait for hours. */
	{ "cache-max-negative-ttl:", "900" },
};

static int
set_option(
    struct ub_ctx *ctx, const char *name, const char *value, struct err *e)
{
	int error = ub_ctx_set_option(ctx, name, value);

	if (error != 0)
		return err_set(e, "cannot set resolver option '%s %s': %s",
		    name, value, ub_strerror(error));
	return 0;
}

static int
set_bytes(struct ub_ctx *ctx, const char *name, size_t bytes, struct err *e)
{
	char value[24];

	snprintf(value, sizeof(value), "%zu", bytes);
	return set_option(ctx, name, value, e);
}

static int
set_caches(struct ub_ctx *ctx, size_t bytes, struct err *e)
{
	if (bytes == 0)
		bytes = DEFAULT_CACHE_BYTES;
	/* unbound's manual: twice as much for record sets as for messages. */
	if (set_bytes(ctx, "msg-cache-size:", bytes / 4, e) != 0 ||
	    set_bytes(ctx, "rrset-cache-size:", bytes / 2, e) != 0 ||
	    set_bytes(ctx, "key-cache-size:", bytes / 8, e) != 0 ||
	    set_bytes(ctx, "neg-cache-size:", bytes / 8, e) != 0)
		return -1;
	return 0;
}

static int
set_servers(
    struct ub_ctx *ctx, const struct resolver_config *config, struct err *e)
{
	int error;

	for (size_t i = 0; i < config->nservers; i++) {
		error = ub_ctx_set_fwd(ctx, config->servers[i]);
		if (error != 0)
			return err_set(e, "not a DNS server's address: '%s'",
			    config->servers[i]);
	}
	if (config->nservers > 0)
		return 0;
	error = ub_ctx_resolvconf(ctx, NULL);
	if (error != 0)
		return err_set(e,
		    "cannot take DNS servers from '/etc/resolv.conf': %s",
		    ub_strerror(error));
	return 0;
}

static int
set_validation(struct ub_ctx *ctx, const char *trust_anchor_file, struct err *e)
{
	int error;

	if (trust_anchor_file == NULL)
		return set_option(ctx, "module-config:", "iterator", e);
	if (access(trust_anchor_file, R_OK) != 0)
		return err_sys(
		    e, "cannot read trust anchors '%s'", trust_anchor_file);
	error = ub_ctx_add_ta_file(ctx, trust_anchor_file);
	if (error != 0)
		return err_set(e, "cannot use trust anchors '%s': %s",
		    trust_anchor_file, ub_strerror(error));
	return set_option(ctx, "module-config:", "validator iterator", e);
}

static int
configure(
    struct ub_ctx *ctx, const struct resolver_config *config, struct err *e)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (set_option(ctx, options[i].name, options[i].value, e) != 0)
			return -1;
	if (set_caches(ctx, config->cache_bytes, e) != 0 ||
	    set_servers(ctx, config, e) != 0 ||
	    set_validation(ctx, config->trust_anchor_file, e) != 0)
		return -1;
	return 0;
}

/* libunbound answers these names itself unless told not to. Telling it also
 * makes it read its settings, so their errors come at the program's start. */
static int
remove_local_zones(struct ub_ctx *ctx, struct err *e)
{
	static const char *const zones[] = { "test.", "127.in-addr.arpa." };
	int error = 0;

	for (size_t i = 0; error == 0 && i < sizeof(zones) / sizeof(zones[0]);
	     i++)
		error = ub_ctx_zone_remove(ctx, zones[i]);
	if (error != 0)
		return err_set(
		    e, "cannot start the resolver: %s", ub_strerror(error));
	return 0;
}

static struct timeval
timeval_of(int64_t ms)
{
	return (
	    struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

struct resolver *
resolver_new(struct event_base *base, const struct resolver_config *config,
    struct err *e)
{
	struct ub_ctx *ctx = ub_ctx_create_event(base);
	struct resolver *r;

	if (ctx == NULL) {
		err_sys(e, "cannot create a resolver");
		return NULL;
	}
	if (configure(ctx, config, e) != 0 || remove_local_zones(ctx, e) != 0) {
		ub_ctx_delete(ctx);
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	r->base = base;
	r->ctx = ctx;
	r->timeout = timeval_of(
	    config->timeout != 0 ? config->timeout : DEFAULT_TIMEOUT);
	return r;
}

void
resolver_free(struct resolver **r)
{
	if (*r == NULL)
		return;
	assert((*r)->nqueries == 0);
	ub_ctx_delete((*r)->ctx);
	free(*r);
	*r = NULL;
}

struct event_base *
resolver_base(const struct resolver *r)
{
	return r->base;
}

static const char *
rcode_text(unsigned rcode)
{
	static const char *const texts[] = {
		[1] = "server says format error",
		[2] = "server failure",
		[4] = "server does not implement the query",
		[5] = "server refused the query",
	};

	if (rcode >= sizeof(texts) / sizeof(texts[0]) || texts[rcode] == NULL)
		return "unexpected answer from server";
	return texts[rcode];
}

static void
message_free(struct dns_message **m)
{
	if (*m == NULL)
		return;
	dns_message_clear(*m);
	free(*m);
	*m = NULL;
}

static void
tempfail(struct dns_answer *a, const char *why)
{
	a->status = DNS_TEMPFAIL;
	snprintf(a->why, sizeof(a->why), "%s", why);
	for (char *p = a->why; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

/* What the packet says, into q->answer. Its rcode is in its header: that of
 * libunbound's callback only tells that there is a packet. */
static void
read_packet(struct resolver_query *q, const uint8_t *packet, size_t len)
{
	struct dns_answer *a = &q->answer;
	struct dns_message *m = xmalloc(sizeof(*m));

	if (dns_message_read(m, packet, len, q->type) != 0) {
		free(m);
		tempfail(a, "malformed answer");
		return;
	}
	q->message = m;
	a->canonical = m->canonical[0] != '\0' ? m->canonical : NULL;
	a->rdata = m->rdata;
	a->rdata_len = m->rdata_len;
	a->nrdata = m->nrdata;
	if (m->rcode == RCODE_NXDOMAIN)
		a->status = DNS_NXDOMAIN;
	else if (m->rcode != 0)
		tempfail(a, rcode_text(m->rcode));
	else
		a->status = m->nrdata > 0 ? DNS_OK : DNS_NODATA;
}

static void
on_answer(void *arg, int rcode, void *packet, int len, int sec, char *why,
    int ratelimited)
{
	struct resolver_query *q = arg;

	(void)ratelimited;
	q->pending = false;
	if (sec == SEC_BOGUS)
		tempfail(&q->answer, why ? why : "DNSSEC validation failed");
	else if (rcode == RCODE_NXDOMAIN)
		q->answer.status = DNS_NXDOMAIN;
	else if (rcode != 0)
		tempfail(&q->answer, rcode_text((unsigned)rcode));
	else
		read_packet(q, packet, (size_t)len);
	q->answer.secure = sec == SEC_SECURE;
	event_active(q->event, EV_TIMEOUT, 0);
}

/* Also the time-out. The caller may free q from inside its callback. */
static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_query *q = arg;
	struct dns_message *m = q->message;
	struct dns_answer answer;

	(void)fd;
	(void)what;
	if (q->pending) {
		ub_cancel(q->resolver->ctx, q->async_id);
		q->pending = false;
		tempfail(&q->answer, "no answer in time");
	}
	answer = q->answer;
	q->message = NULL;
	q->done(q->arg, &answer);
	message_free(&m);
}

static void
start(struct resolver_query *q, const char *name)
{
	int error;

	if (!dns_name_is_valid(name)) {
		q->answer.status = DNS_NXDOMAIN;
		event_active(q->event, EV_TIMEOUT, 0);
		return;
	}
	event_add(q->event, &q->resolver->timeout);
	q->pending = true;
	error = ub_resolve_event(q->resolver->ctx, name, q->type, CLASS_IN, q,
	    on_answer, &q->async_id);
	if (error != 0) {
		q->pending = false;
		tempfail(&q->answer, ub_strerror(error));
		event_active(q->event, EV_TIMEOUT, 0);
	}
}

struct resolver_query *
resolver_query_new(struct resolver *r, const char *name, int type,
    void (*done)(void *arg, const struct dns_answer *), void *arg)
{
	struct resolver_query *q = xcalloc(1, sizeof(*q));

	q->resolver = r;
	q->type = type;
	q->done = done;
	q->arg = arg;
	q->event = event_new(r->base, -1, 0, on_event, q);
	if (q->event == NULL)
		abort();
	r->nqueries++;
	start(q, name);
	return q;
}

void
resolver_query_free(struct resolver_query **query)
{
	struct resolver_query *q = *query;

	if (q == NULL)
		return;
	if (q->pending)
		ub_cancel(q->resolver->ctx, q->async_id);
	event_free(q->event);
	message_free(&q->message);
	q->resolver->nqueries--;
	free(q);
	*query = NULL;
}
