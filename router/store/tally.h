/*
 * tally.h - what was counted under one key in one period.
 *
 * Counters, the reasons of what ended or was deferred, and how long deliveries took. A tally is what the
 * store keeps per key and minute, hour and day, as one packed value, and what readers add up. Times to
 * delivery lie in buckets of relative width 1/16, as HDR histograms do, so a quantile is known to about 6 %
 * however long it is. Not thread-safe; one thread at a time.
 */
#ifndef ROUTER_STORE_TALLY_H
#define ROUTER_STORE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

enum counter {
	COUNT_ACCEPTED,
	COUNT_SENT,        /* the next hop answered 250 */
	COUNT_DELIVERED,   /* mta path: as sent; ses path: by its Delivery event */
	COUNT_BOUNCED,
	COUNT_FILTERED,    /* refused by the recipient's filter, not a bad address */
	COUNT_DEFERRED,    /* attempts that will be made again */
	COUNT_EXPIRED,
	COUNT_COMPLAINED,
	COUNT_SUPPRESSED,
	COUNT_REMOVED,     /* by an operator */
	COUNT_UNREAD,      /* attempts that ended "final dot sent, reply unread" */
	COUNT_RETURNED,    /* sent, and then bounced, filtered, expired or suppressed after all */
	COUNT_ATTEMPTED,   /* attempts in which the next hop was told of this recipient */
	COUNT_HARD,        /* bounces for good whose cause lies with the address, as SES counts them */
	COUNT_UNKNOWN,     /* "no such user", whoever said so and when */
	COUNT_EXEMPT,      /* sent to SES and left out of its rates: its account's own list answered */
	COUNT_MAX
};
const char *counter_name(enum counter);

/* What is counted apart from each other. "" where there is none. */
struct tally_key {
	const char *path, *carrier, *group, *sender, *source, *rule, *configuration_set;
};
/* SES's simulator: its mail counts in no rate. */
#define TALLY_SIMULATOR "simulator.amazonses.com"

#define TALLY_REASONS_MAX 64  /* of one tally; what comes later is "other" */
#define TALLY_REASON_MAX  32  /* bytes of a name, NUL included; cut */
#define TALLY_BUCKETS     512 /* 0 ms to beyond 60 days */

struct tally_reason {
	enum counter counter;
	char name[TALLY_REASON_MAX];
	int64_t n;
};

struct tally {
	int64_t n[COUNT_MAX];
	struct tally_reason *reason;
	size_t nreason;
	struct tally_times {         /* deliveries by bucket; few tallies have many */
		int64_t *n;          /* of the buckets from `from` until before `to`; NULL: none */
		unsigned from, to;
	} times;
};
#define TALLY_INIT { 0 }

/* No overflow: it stays at the end of the range. */
int64_t tally_sum(int64_t, int64_t);

void tally_clear(struct tally *);                  /* to nothing counted; frees */
bool tally_is_empty(const struct tally *);
void tally_add_reason(struct tally *, enum counter, const char *reason, int64_t n);
void tally_add_time(struct tally *, int64_t ms, int64_t n);
void tally_merge(struct tally *to, const struct tally *from);

/* The time within which that share (0..1) of what was delivered was; false: nothing was. */
bool tally_quantile(const struct tally *, double share, int64_t *ms);
/* The bucket of a time, and the times it stands for: from *low until before *high. */
unsigned tally_bucket(int64_t ms);
void tally_bucket_range(unsigned bucket, int64_t *low, int64_t *high);

/* Appends the packed form; a few dozen bytes. The same on every machine. */
void tally_pack(const struct tally *, struct str *out);
/* Adds what is packed. -1 with *e, and *to is as before, when it is none: a store that was tampered with. */
int tally_unpack(struct tally *to, const void *data, size_t len, struct err *e);
/* The same, but for the reasons. */
int tally_unpack_counts(struct tally *to, const void *data, size_t len, struct err *e);

#endif
