/*
 * spf_text.h - an SPF record as its owner typed it: its faults, its look-ups, and the record to
 * publish instead.
 *
 * Whether a source passes is for mta/spf to say; this reads the text, so that a fault has a name and
 * a correction. TXT records come from outside: any byte may be in them. Pure, any thread.
 */
#ifndef MTA_PREFLIGHT_SPF_TEXT_H
#define MTA_PREFLIGHT_SPF_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"

enum spf_text_kind {
	SPF_TEXT_OTHER,   /* some other TXT record */
	SPF_TEXT_ATTEMPT, /* meant to be one: "v-spf1 ...", "v=spf1;...": receivers do not see it */
	SPF_TEXT_RECORD,
};
enum spf_text_kind spf_text_kind(const char *txt);

#define SPF_TERMS_MAX 128 /* more are a fault, and are not looked at */

struct spf_term {
	char *text;         /* as typed, and right; NULL: no term of SPF, to be left out */
	const char *target; /* of include and redirect: the domain, inside text; else NULL */
	bool lookup;        /* counts towards the limit of 10 (RFC 7208 4.6.4) */
	bool all, redirect;
};

struct spf_text {
	struct spf_term terms[SPF_TERMS_MAX];
	size_t nterms;
	struct str faults; /* sentences joined by "; "; "" when there are none */
	bool fatal;        /* receivers cannot use the record for one of them */
	bool plus_all;
};

/* Reads a record or an attempt at one. Release it in any case. */
void spf_text_read(struct spf_text *, const char *txt);
void spf_text_release(struct spf_text *);

struct spf_wanted {
	const char *const *addresses; /* to be added, before all others */
	size_t naddresses;
	const char *include;          /* to be added when it is not there; NULL */
	const char *const *without;   /* targets of includes to be left out */
	size_t nwithout;
	const char *all;              /* how a new record ends: "~all", "a -all" */
};

/*
 * Appends the text of the one record that should stand in place of these (SPF records and attempts
 * among them are merged, typing errors mended, +all made ~all).
 */
void spf_text_mend(struct str *out, const char *const *txts, size_t ntxts,
    const struct spf_wanted *);

#endif
