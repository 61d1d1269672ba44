/*
 * sts_client.h - the MTA-STS policy that holds for a domain now (RFC 8461).
 *
 * Asks for the TXT record, fetches a policy that is new or a day old over HTTPS, and gives out the one
 * in the cache when either fails. One per I/O thread; the cache is shared. Those who ask for one
 * domain at a time share one look-up.
 */
#ifndef MTA_STS_CLIENT_H
#define MTA_STS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/sts_cache.h"

struct resolver;
struct sts_client;
struct sts_query;

struct sts_client_config {
	struct sts_cache *cache; /* outlives the client */
	/* May be NULL. A policy has been fetched and is in the cache. */
	void (*fetched)(void *arg, const char *domain, const struct sts_cached *);
	void *arg;
};
struct sts_client *sts_client_new(struct resolver *, const struct sts_client_config *);
void sts_client_free(struct sts_client **); /* all queries ended or freed before */

/* How the web server is called. */
struct sts_terms {
	bool allow_private, ipv4, ipv6; /* as in struct mx_policy */
	uint16_t port;                  /* 443 */
	const char *ca_file;            /* NULL: the system's */
};

enum sts_trouble {
	STS_NO_TROUBLE,
	STS_FETCH_ERROR,    /* no answer, or not one with a policy in it */
	STS_WEBPKI_INVALID, /* the server's certificate */
	STS_POLICY_INVALID, /* what it sent is no policy */
};

struct sts_answer {
	const struct sts_policy *policy; /* NULL: the domain has none; perhaps of mode STS_NONE */
	enum sts_trouble trouble;        /* of this look-up; the policy is an older one then, or NULL */
	struct err why;                  /* when there was trouble */
};

/* The callback comes from the event loop, once; the query frees itself after it. sts_query_free before
 * that cancels it. The answer is valid during the callback. */
struct sts_query *sts_query_new(struct sts_client *, const char *domain, const struct sts_terms *terms,
    void (*done)(void *arg, const struct sts_answer *), void *arg);
void sts_query_free(struct sts_query **);

#endif
