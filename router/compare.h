/*
 * compare.h - which of two paths delivers better to the same carrier under the same rule.
 *
 * A rule that splits sends each recipient by chance, but always by the same path, so what became of the two
 * parts can be compared. Rows of tallies are added; each pair of paths of a rule and carrier becomes a row
 * with the rates, their difference with its interval, a verdict in plain words, and warnings where the two
 * sides are not alike. Not thread-safe; one thread at a time.
 */
#ifndef ROUTER_COMPARE_H
#define ROUTER_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"
#include "router/rates.h"

struct tally_row;

/* Where the two sides count as unlike. Senders and days: the share of mail that would have to change its sender,
 * or its day, for both sides to have the same mix (total variation distance); and more than chance explains. */
#define COMPARE_MIX_APART     0.10
/* Shares of mail that is neither delivered nor failed yet. */
#define COMPARE_PENDING_APART 0.01
/* A difference that is surely smaller is none. */
#define COMPARE_SAME          0.01
/* With more messages than that still needed nobody should wait for them. */
#define COMPARE_NEEDED_MAX    10000000

struct compare_side {
	const char *path;
	struct rate rate;     /* RATE_DELIVERED */
	int64_t unconfirmed;  /* SES took them, and nothing was told since */
	int64_t waiting;      /* in the queue, as far as the window tells */
	int64_t p50, p95;     /* ms from acceptance to delivery; -1: not known */
};

enum compare_verdict {
	COMPARE_OPEN,   /* not enough is known */
	COMPARE_BETTER, /* the first side delivers more, */
	COMPARE_WORSE,  /* or less; sure at 95 %, by the interval and by the p-value */
	COMPARE_EQUAL,  /* no difference of COMPARE_SAME */
};
const char *compare_verdict_name(enum compare_verdict); /* "open", "better", "worse", "same" */

struct compare_words {
	struct str en, ja;
};
enum { COMPARE_WARNINGS = 4 };

struct compare_row {
	const char *carrier, *rule; /* carrier "": of no carrier */
	struct compare_side side[2];
	bool known;           /* both rates are; else the next four say nothing */
	double difference;    /* of the first side's rate less the second's */
	double low, high;     /* its 95 % interval */
	double p_value;
	int64_t needed;       /* messages by both paths until it is likely settled; -1: it is, or never */
	enum compare_verdict verdict;
	struct compare_words text, warning[COMPARE_WARNINGS];
	size_t nwarnings;
};

struct compare;
/* `is_in_split`: whether the rules send by that path because of that rule's split; NULL: not looked. Differences of
 * time are looked for between periods of that many ms: hours or days. */
struct compare *compare_new(bool (*is_in_split)(void *arg, const char *rule, const char *path), void *arg,
    int64_t period);
void compare_free(struct compare **);
/* `ses`: its path is of kind ses. Mail to SES's simulator is left out. Copies what it keeps. */
void compare_add(struct compare *, const struct tally_row *, bool ses);
/* By carrier, rule and paths, whose names are in order in each row; valid until the next is added. */
size_t compare_rows(struct compare *, const struct compare_row **);

#endif
