/*
 * resolver.h - DNS through libunbound on a libevent base.
 *
 * One resolver per I/O thread. Requests are handles: freeing the handle cancels the request and
 * its callback will not come.
 */
#ifndef MTA_DNS_RESOLVER_H
#define MTA_DNS_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/dns/message.h"

struct event_base;
struct resolver;
struct resolver_query;

struct resolver_config {
	/* Forwarders "192.0.2.1" or "127.0.0.1@5353" (unbound's notation); none: those of
	 * /etc/resolv.conf. */
	const char *const *servers;
	size_t nservers;
	const char *trust_anchor_file; /* NULL: no DNSSEC validation */
	size_t cache_bytes;            /* per resolver; 0 = 4 MiB */
	int64_t timeout;               /* ms until a query ends in DNS_TEMPFAIL; 0 = 30 s */
};

/* NULL with *e set when an option is not accepted. Any thread, before the base's loop runs. */
struct resolver *resolver_new(struct event_base *, const struct resolver_config *, struct err *e);
void resolver_free(struct resolver **); /* all queries freed before */
struct event_base *resolver_base(const struct resolver *);

enum dns_status {
	DNS_OK,        /* records present */
	DNS_NODATA,    /* the name exists, not with this type */
	DNS_NXDOMAIN,
	DNS_TEMPFAIL,  /* SERVFAIL, time-out, no server reachable, bogus */
};

struct dns_answer {
	enum dns_status status;
	bool secure;               /* validated by DNSSEC */
	const char *canonical;     /* the name at the end of a CNAME chain; NULL when none */
	const uint8_t *const *rdata; /* nrdata records, raw rdata */
	const size_t *rdata_len;
	size_t nrdata;             /* at most DNS_MAX_RECORDS; more in the answer are left out */
	char why[128];             /* for DNS_TEMPFAIL; printable */
};

/* type: enum dns_type. A name that breaks the syntax of names does not exist: DNS_NXDOMAIN. The
 * callback comes from the event loop and never from inside resolver_query_new; the answer is valid
 * during it. The handle is freed by the caller, also after the callback (or inside it). */
struct resolver_query *resolver_query_new(struct resolver *, const char *name, int type,
    void (*done)(void *arg, const struct dns_answer *), void *arg);
void resolver_query_free(struct resolver_query **);

#endif
