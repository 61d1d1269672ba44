/*
 * preflight.h - is everything in order that carriers look at before they take our mail?
 *
 * Checks sources (PTR -> name -> address, EHLO name, port 25, SPF of the EHLO name) and sending
 * domains (SPF for the header-From and the envelope domain from each source, DKIM keys, DMARC, A or MX
 * of the header-From domain, MX of the bounce domain). Knows no settings file: it is given what to
 * look at. Every finding says what is wrong, to which carriers it matters and why, and the record
 * that mends it. One event base, one thread.
 */
#ifndef MTA_PREFLIGHT_PREFLIGHT_H
#define MTA_PREFLIGHT_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/smtp/client.h"

struct preflight;
struct resolver;
struct dkim_signer;

enum finding_level {
	FINDING_GOOD,
	FINDING_NOTE,    /* could be better; nobody refuses for it */
	FINDING_UNKNOWN, /* could not be checked now: DNS did not answer */
	FINDING_BAD,     /* a carrier refuses or drops mail for it */
};

/* Carriers to which a finding matters, as bits; PREFLIGHT_ALL: to every receiver. */
enum {
	PREFLIGHT_DOCOMO = 1 << 0,
	PREFLIGHT_AU = 1 << 1,
	PREFLIGHT_SOFTBANK = 1 << 2, /* and Y!mobile */
	PREFLIGHT_ALL = (1 << 3) - 1,
};
/* The bits for a carrier's name as rules know it ("docomo", "ymobile", ...); others: PREFLIGHT_ALL. */
unsigned preflight_carrier(const char *carrier);

/* Carriers' domains whose port 25 is worth trying: one for each of their receiving systems. */
const char *const *preflight_port_hosts(size_t *n);

struct finding {
	enum finding_level level;
	const char *check;   /* "ptr", "ehlo-address", "port-25", "spf-header-from", "dkim", ... */
	const char *subject; /* what was looked at: "tokyo1 (203.0.113.5)", "example.jp" */
	const char *what;    /* a sentence */
	const char *why;     /* to whom it matters and what happens otherwise; "" when GOOD */
	const char *mend;    /* the record to publish or the step to take, lines; "" when there is none */
	unsigned carriers;   /* bits */
};

struct preflight_source {
	const char *name;        /* as configured */
	const char *hostname;    /* EHLO name */
	const char *address;     /* public address, canonical text; NULL: not known, which is a finding */
	const struct sockaddr *bind; /* for the port check; NULL: any */
	socklen_t bind_len;
};

struct preflight_key {
	const char *domain, *selector;
	const struct dkim_signer *signer;
	bool standby;            /* signs nothing yet: a record that is missing is no more than a note */
};

/* Everything borrowed until `done`. */
struct preflight_request {
	const struct preflight_source *sources; /* checked for themselves, and for SPF of the domain */
	size_t nsources;
	bool check_sources;      /* false: they only serve the domain's SPF */
	const char *domain;      /* header-From domain to check; NULL: sources alone */
	const char *envelope;    /* domain of the reverse-path, when it is another; NULL: `bounce` if there
				    is one, else the same */
	const char *bounce;      /* our bounce domain (mta/return_path.h); NULL: none */
	const char *const *our_hosts; /* names its MX may have to be us, besides the sources' own */
	size_t nour_hosts;
	bool by_ses;             /* the domain's mail also goes by SES: its include is wanted in SPF */
	const struct preflight_key *keys; /* of the domain */
	size_t nkeys;
	const char *const *port_hosts;    /* carriers' domains to try port 25 of; none: not tried */
	size_t nport_hosts;
	uint16_t port;           /* 25 */
	bool allow_private;      /* for sandboxes: dial addresses that are not of the Internet */
	int64_t timeout;         /* ms for each question; 0: 10 s */
};

/*
 * Runs all checks side by side. Neither callback comes from inside preflight_new, and preflight_free
 * is not to be called from inside one. The strings of findings are printable ASCII; `mend` alone has
 * several lines, and those of them that are records have the form of a zone file: "NAME. IN TYPE DATA".
 *
 * Names of checks: public-address, ptr, ptr-several, ehlo-name, ehlo-address, spf-ehlo, port-25,
 * port-25-blocked of a source; from-dns, envelope-dns, spf-header-from, spf-envelope, dkim, dmarc,
 * dmarc-alignment, dmarc-ses, bounce-mx of a domain; spf-records, spf-syntax, spf-lookups, spf-plus-all,
 * spf-ses of a domain or an EHLO name.
 *
 * `each` is called for every finding (its strings live for the call), good ones included, then
 * `done` once. The preflight frees itself after `done`; preflight_free before that cancels.
 */
struct preflight *preflight_new(struct resolver *, const struct preflight_request *,
    void (*each)(void *arg, const struct finding *), void (*done)(void *arg), void *arg);
void preflight_free(struct preflight **);

#endif
