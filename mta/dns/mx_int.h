/*
 * mx_int.h - a lookup in progress, shared by mx.c (asks), mx_dane.c (asks for
 * TLSA records) and mx_result.c (answers the caller).
 */
#ifndef MTA_DNS_MX_INT_H
#define MTA_DNS_MX_INT_H

#include "mta/dns/mx.h"

struct event;
struct mx_lookup;
struct resolver_query;

#define MX_MAX_HOSTS 16     /* the best ones; more are not asked for */
#define MX_MAX_ADDRESSES 16 /* kept per host and family */

enum mx_family { MX_IPV4, MX_IPV6, MX_FAMILIES };

struct mx_address {
	enum mx_family family;
	uint8_t bytes[16];
};

struct mx_host {
	struct mx_lookup *lookup;
	char name[256];
	struct question {
		struct mx_host *host;
		enum mx_family family;
		struct resolver_query *query;
	} questions[MX_FAMILIES];
	unsigned preference;
	struct mx_address addrs[MX_FAMILIES * MX_MAX_ADDRESSES];
	size_t naddrs;
	unsigned unanswered;
	bool secure;		/* DNSSEC vouches for its addresses */
	bool failed;		/* they could not be asked for, all or some */
	char canonical[256];	/* it is an alias of this; "" */
	struct mx_dane {
		struct resolver_query *query;
		char base[256]; /* asked under this name */
		bool fallback;	/* there is nothing: then under its own */
		struct tlsa_set *set;
		bool failed;
	} dane;
};

struct mx_lookup {
	struct resolver *resolver;
	struct mx_policy policy;
	struct resolver_query *mx;
	struct event *early; /* brings what is known without a question */
	bool ours;           /* a host that the configuration names: no MX */
	struct mx_host *hosts;
	size_t nhosts;
	size_t unanswered;
	/* What was found instead of addresses, for the case that none is left. */
	bool failed, forbidden, aliases, unproved, ourselves;
	char why[128]; /* of the last question that failed */
	struct mx_result result;
	void (*done)(void *, const struct mx_result *);
	void *arg;
	char domain[]; /* as given */
};

enum mx_failure {
	FAIL_LITERAL,
	FAIL_NOT_ASCII,
	FAIL_SYNTAX,
	FAIL_NO_DOMAIN,
	FAIL_NULL_MX,
	FAIL_MX_QUESTION,
	FAIL_HOSTS_QUESTION,
	FAIL_TLSA_QUESTION,
	FAIL_OURSELVES,
	FAIL_FORBIDDEN,
	FAIL_ALIASES,
	FAIL_NO_ADDRESS,
	FAIL_NO_HOST,
	FAIL_OURS_SYNTAX,
	FAIL_OURS_QUESTION,
	FAIL_OURS_FORBIDDEN,
	FAIL_OURS_NO_ADDRESS,
};

/* Ends the search: the result has no target, and says why. */
void mx_set_failure(struct mx_lookup *, enum mx_failure);
/* One address of ours or of a literal: the target, or a failure. */
void mx_take_address(struct mx_lookup *, const struct mx_address *);
/* All hosts are answered: their addresses in order, or a failure. */
void mx_take_hosts(struct mx_lookup *);

/* Asks for the host's TLSA records, when it may have some; true: mx_answered
 * follows. */
bool mx_dane_ask(struct mx_host *);
/* One question less. */
void mx_answered(struct mx_lookup *);

bool mx_is_wanted(const struct mx_lookup *, enum mx_family);

#endif
