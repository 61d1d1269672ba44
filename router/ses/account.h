/*
 * account.h - what an SES account allows, as GetAccount tells it (API v2), and what follows.
 *
 * Pure, any thread.
 */
#ifndef ROUTER_SES_ACCOUNT_H
#define ROUTER_SES_ACCOUNT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mta/base/err.h"

enum ses_enforcement { SES_HEALTHY, SES_PROBATION, SES_SHUTDOWN, SES_ENFORCEMENT_OTHER };
const char *ses_enforcement_name(enum ses_enforcement); /* "HEALTHY" ... */

struct ses_account {
	int64_t at;               /* wall ms of the answer; 0: never asked with success */
	double max_24_hours;      /* recipients; below 0: no limit */
	double rate;              /* recipients per second; below 0: no limit */
	double sent_24_hours;
	enum ses_enforcement enforcement;
	char enforcement_text[32];/* as told */
	bool sending_enabled;
	bool production;          /* false: SES's sandbox, verified recipients only */
	bool suppress_bounces, suppress_complaints; /* the account's suppression list takes these */

	/* Of the last try, when it failed: AWS's or our own sentence; "" when it went well. */
	char trouble[256];
	int64_t trouble_at;
	bool refused;             /* because our credentials may not, or are none */
};

/* -1 with *e: it is not such an answer, *account untouched. Missing members are taken as SES's defaults. */
int ses_account_read(const json_t *, int64_t now, struct ses_account *, struct err *e);

/* Why the account sends nothing at all, a sentence for people; NULL: it does. */
const char *ses_account_closed(const struct ses_account *);

#endif
