/*
 * dmarc.h - a DMARC record as text: read, judged, corrected (RFC 7489 6.3).
 *
 * TXT records come from outside: any byte may be in them. Pure, any thread.
 */
#ifndef MTA_PREFLIGHT_DMARC_H
#define MTA_PREFLIGHT_DMARC_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"

enum dmarc_state {
	DMARC_OTHER,  /* a TXT record that does not mean to be one: receivers pass over it */
	DMARC_BROKEN, /* means to be one, and receivers do not see a policy in it */
	DMARC_GOOD,
};

#define DMARC_TAGS_MAX 32 /* more are passed over, with a fault */

struct dmarc {
	enum dmarc_state state;
	const char *policy, *subdomain_policy; /* "none", "quarantine", "reject"; valid when GOOD */
	bool adkim_strict, aspf_strict;
	bool reports;      /* rua is there and valid */
	char psd;          /* 'y', 'n', 'u': whether this is a public suffix (DMARCbis); 'u' is usual */
	struct str faults; /* sentences joined by "; "; "" when there are none. When GOOD, receivers
			      put defaults in place of what they do not understand */
	struct dmarc_tag {
		char *name, *value;
		bool good;
	} tags[DMARC_TAGS_MAX];
	size_t ntags;
};

/* Whether it means to be one. */
bool dmarc_is_meant(const char *txt);
/* Release it in any case. */
void dmarc_read(struct dmarc *, const char *txt);
void dmarc_release(struct dmarc *);

/* Appends the text to publish in its place; with NULL, a first one for that domain. */
void dmarc_mend(struct str *out, const struct dmarc *, const char *domain);

#endif
