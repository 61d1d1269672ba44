/*
 * rates.h - the rates that the world judges senders by, from counters.
 *
 * Amazon SES: hard bounces and complaints over what was sent, without its simulator's mail (the caller leaves
 * those keys out) and without what the account's own suppression list answered. Carriers: unknown users over
 * attempted recipients. Delivered: over what ended by delivery or failure. Each with its 95 % interval
 * (proportion.h), so that one bounce of three does not shout. Pure, any thread.
 */
#ifndef ROUTER_RATES_H
#define ROUTER_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "router/store/tally.h"

enum rate_kind { RATE_DELIVERED, RATE_BOUNCE, RATE_COMPLAINT, RATE_UNKNOWN };
#define RATE_KINDS 4
const char *rate_name(enum rate_kind); /* "delivered", "bounce", "complaint", "unknown" */

struct rate {
	int64_t hits, volume;
	bool known;            /* there is a volume; the three below are 0 otherwise */
	double rate, low, high; /* 0..1 */
};
/*
 *	            ses paths                       mta paths
 *	DELIVERED   delivered / (delivered + bounced + filtered + expired)
 *	BOUNCE      hard / (sent - exempt)          hard / (delivered + bounced + filtered + expired)
 *	COMPLAINT   complained / (sent - exempt)    complained / delivered
 *	UNKNOWN     unknown / attempted
 *
 * `ses`: the counters are of ses paths: while no Delivery event has come, DELIVERED is not known.
 */
void rate_of(enum rate_kind, const int64_t n[static COUNT_MAX], bool ses, struct rate *);
/* Of hits and volumes added up by the caller. Later news can put more hits than volume into a period: the rate
 * is 1 then. */
void rate_of_hits(int64_t hits, int64_t volume, struct rate *);

/* Where SES puts an account under review, and where it stops it (facts: aws.md); 0: the world has no number. */
struct rate_limits {
	double review, stop;
};
struct rate_limits rate_limits_of(enum rate_kind, bool ses);
/* How many more hits, at that volume, until the rate is `limit`; 0: it is there. */
int64_t rate_left(const struct rate *, double limit);

#endif
