/*
 * mx.h - from a recipient's domain to the addresses that take its mail (RFC 5321 5.1).
 *
 * MX by preference (equal ones shuffled), several addresses per host, implicit MX, null MX
 * (RFC 7505), address literals. An MX that is a CNAME is skipped (RFC 5321 5.1, RFC 2181 10.3).
 * Addresses that must never be dialled (address_policy) are left out, and so is a host that is
 * ourselves with all that are no better.
 *
 * For DANE (RFC 7672 2.2) the result says which hosts have TLSA records that DNSSEC vouches for, all
 * the way from the domain. A host whose TLSA records cannot be had, though it could have some, is left
 * out as well: whoever can spoil that answer must not win a connection in clear by it.
 */
#ifndef MTA_DNS_MX_H
#define MTA_DNS_MX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/outcome.h"
#include "mta/smtp/client.h"

struct resolver;
struct mx_lookup;
struct sockaddr;
struct tlsa_set;

struct mx_policy {
	bool allow_private; /* loopback, link-local, RFC 1918 / 6598 / 4193, multicast, 0/8 ... */
	bool ipv4, ipv6;    /* families to use */
	uint16_t port;      /* 25 */
	size_t max_targets; /* addresses handed on, best first; 0 = 10 */
	bool dane;          /* TLSA records are looked for */
	/* Whether that host name, or that address, is our own; one of the two is NULL. NULL: nobody
	 * is. `arg` must outlive the lookup. */
	bool (*is_us)(const void *arg, const char *host, const struct sockaddr *);
	const void *is_us_arg;
};

struct mx_result_host {
	const char *name;      /* as in its targets */
	struct tlsa_set *tlsa; /* its records, perhaps none of use; NULL: it has none. Borrowed */
	const char *tlsa_base; /* the name they stand under: what its certificate is for */
	bool tlsa_failed;      /* they could not be looked up: it has no targets */
};

struct mx_result {
	struct smtp_client_target *targets; /* best first; NULL when ntargets is 0 */
	size_t ntargets;
	const struct mx_result_host *hosts; /* best first; none for an address */
	size_t nhosts;
	struct outcome why; /* when ntargets is 0: STAGE_DNS; permanent for null MX (5.1.10), a name
			       that does not exist (5.1.2), only forbidden addresses (5.4.4 ...), ourselves
			       (5.4.6); else temporary */
	bool mx_present;    /* false: implicit MX */
	bool secure;        /* DNSSEC vouches for the MX records, or for there being none */
};

/* The callback comes from the event loop, once, and the lookup frees itself after it, the result
 * with it. mx_lookup_free before that cancels it; not to be called from inside the callback. */
struct mx_lookup *mx_lookup_new(struct resolver *, const char *domain, const struct mx_policy *,
    void (*done)(void *arg, const struct mx_result *), void *arg);
/* As mx_lookup_new for a host of ours (a relay, an endpoint), a name or an address: no MX is asked
 * for, aliases are followed, and failure is never permanent: it is the path's, not the mail's. */
struct mx_lookup *mx_lookup_host(struct resolver *, const char *host, const struct mx_policy *,
    void (*done)(void *arg, const struct mx_result *), void *arg);
void mx_lookup_free(struct mx_lookup **);

#endif
