/*
 * preflight_int.h - one run of checks: what its files share.
 *
 * A check is a job: it asks its questions, and when the last is answered it tells its findings and
 * ends. The run is over when no job is left.
 */
#ifndef MTA_PREFLIGHT_PREFLIGHT_INT_H
#define MTA_PREFLIGHT_PREFLIGHT_INT_H

#include <sys/queue.h>

#include "mta/base/str.h"
#include "mta/dns/resolver.h"
#include "mta/preflight/preflight.h"

struct event;

struct job {
	LIST_ENTRY(job) link;
	struct preflight *preflight;
	void (*free)(struct job *); /* cancels what is under way, too */
};

struct preflight {
	struct resolver *resolver;
	struct preflight_request request;
	const char *envelope; /* domain of the reverse-path; NULL without a domain */
	struct event *start;
	LIST_HEAD(job_list, job) jobs;
	bool started;
	void (*each)(void *, const struct finding *);
	void (*done)(void *);
	void *arg;
};

#define job_of(j, type) ((type *)(void *)((char *)(j) - offsetof(type, job)))

void job_start(struct preflight *, struct job *, void (*free)(struct job *));
/* The last thing a check does: frees it, and perhaps the whole run. */
void job_end(struct job *);

/* -- questions to the DNS ---------------------------------------------------------------------- */

/* Zeroed at first. Cleared by its answer; `done` may end the job that holds it. */
struct question {
	struct resolver_query *query;
	struct event *timer;
	char name[512];
	void (*done)(void *arg, const struct dns_answer *);
	void *arg;
};

void question_ask(struct question *, struct preflight *, const char *name, int type,
    void (*done)(void *arg, const struct dns_answer *), void *arg);
void question_clear(struct question *);

#define TEXTS_MAX 32 /* TXT records of one name that are looked at */

/* TXT records, kept beyond their answer. */
struct texts {
	char *text[TEXTS_MAX];
	size_t n;
};
void texts_take(struct texts *, const struct dns_answer *);
void texts_clear(struct texts *);

/* -- findings ---------------------------------------------------------------------------------- */

/* why and mend may be NULL. */
void preflight_tell(struct preflight *, enum finding_level, const char *check, const char *subject,
    unsigned carriers, const char *mend, const char *what, ...)
    __attribute__((format(printf, 7, 8)));
/* "cannot be checked now: the DNS does not answer for ..." */
void preflight_tell_unknown(struct preflight *, const char *check, const char *subject,
    const char *name, const char *why);
/* What follows from a check that fails; "" when nothing is known. */
const char *why_of(const char *check);
/* The bits for a recipient's domain. */
unsigned why_domain_carriers(const char *domain);

/* -- addresses and names ------------------------------------------------------------------------- */

/* Its public address is configured, and one that the world can see. */
bool source_is_known(struct preflight *, const struct preflight_source *);
/* "tokyo1 (203.0.113.5)" */
void source_subject(struct str *, const struct preflight_source *);
bool address_is_ipv6(const char *address);
/* The public address of one of the sources. */
bool answer_is_ours(const struct preflight_request *, const struct dns_answer *);
/* "5.113.0.203.in-addr.arpa" or "...ip6.arpa" (RFC 1035 3.5, RFC 3596 2.5). -1: not an address. */
int address_reverse(const char *address, struct str *);
/* The type of the record that leads to it: DNS_A or DNS_AAAA. */
int address_type(const char *address);
bool address_among(const char *address, const struct dns_answer *);
/* Equal but for case and a dot at the end. */
bool name_is(const char *, const char *);
/* `name` is `above` or lies below it. */
bool name_is_below(const char *name, const char *above);
/* The registrable domain by the usual shape of names: two labels, three where a country has domains
 * such as co.jp. A guess: there is no list of all of them here. */
const char *name_organization(const char *name);

/* -- what to publish ----------------------------------------------------------------------------- */

/* `NAME. IN TYPE DATA` and LF; TXT is dkim_record_zone_line. */
void record_line(struct str *, const char *name, const char *type, const char *data);
void record_address(struct str *, const char *name, const char *address);
/* The MX record that makes a domain ours, and the address of its host; nothing without a host. */
void record_our_mx(struct str *, const struct preflight_request *, const char *domain);
/* The reverse record, and how it is set on EC2. */
void record_reverse(struct str *, const struct preflight_source *);
/* What to write into AWS's form for opening port 25. */
void record_port_form(struct str *, const struct preflight_request *);

/* -- the checks ------------------------------------------------------------------------------------ */

void source_check(struct preflight *, const struct preflight_source *);     /* source.c */
void port_check(struct preflight *, const struct preflight_source *);       /* port.c */
void dns_check(struct preflight *, const char *check, const char *domain);  /* domain.c */
void bounce_check(struct preflight *);                                       /* bounce.c */
void dkim_check(struct preflight *);                                         /* dkim.c */
void policy_check(struct preflight *);                                       /* policy.c */

/* In whose name, and from where, SPF is asked. */
struct spf_identity {
	const char *check;  /* of its result */
	const char *domain;
	bool helo;          /* the null reverse-path: the EHLO name counts */
	bool by_ses;        /* SES sends for it too */
	unsigned carriers;
	const char *all;    /* how a new record ends */
	const struct preflight_source *sources;
	size_t nsources;
};
void spf_identity_check(struct preflight *, const struct spf_identity *);   /* spf_identity.c */

#endif
