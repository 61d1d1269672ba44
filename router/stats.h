/*
 * stats.h - counters added up by the dimensions somebody asks for, with rates.
 *
 * From the counters of all time, or from the tallies of a window: the second know how long deliveries took
 * and why mail failed. Rates are those of rates.h, each path judged as its kind is, and SES's simulator's
 * mail left out; counters hold all mail. Not thread-safe; one thread at a time.
 */
#ifndef ROUTER_STATS_H
#define ROUTER_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "router/rates.h"
#include "router/store/tally.h"

struct counter_row;

enum stats_dimension {
	STATS_PATH,
	STATS_CARRIER,
	STATS_GROUP,
	STATS_SENDER,
	STATS_SOURCE,
	STATS_RULE,
	STATS_CONFIGURATION_SET,
	STATS_DIMENSIONS
};
const char *stats_dimension_name(enum stats_dimension); /* "path", ..., "configuration-set" */

/* "path,carrier" to bits 1 << dimension; -1 with *e for an unknown or empty name. */
int stats_parse_by(const char *text, unsigned *by, struct err *e);

/* The share of deliveries that were within a time. */
enum stats_share { STATS_P50, STATS_P95, STATS_P99, STATS_SHARES };
const char *stats_share_name(enum stats_share); /* "p50" */

/* What a counter is called in a row that has rates by their names, too: "unknown" is one, so that counter is
 * "unknown_users". */
const char *stats_counter_name(enum counter);

struct stats_row {
	const char *key[STATS_DIMENSIONS]; /* NULL where not asked for */
	int64_t n[COUNT_MAX];
	int64_t queued;       /* of all time only: else of no meaning */
	int64_t unconfirmed;  /* SES took them, and nothing was told since */
	struct rate rate[RATE_KINDS];
	int64_t within[STATS_SHARES]; /* ms; -1: not known */
	const struct tally *tally; /* with the reasons; NULL in a total */
};

struct stats;
struct stats *stats_new(unsigned by);
void stats_free(struct stats **);

/* Adds a row of either kind. `ses`: its path is of kind ses. Copies what it keeps. */
void stats_add(struct stats *, const struct counter_row *, bool ses);
void stats_add_tally(struct stats *, const struct tally_key *, const struct tally *, bool ses);
/* Where what has that key is to be added by the caller; valid as long as the struct stats. */
struct tally *stats_into(struct stats *, const struct tally_key *, bool ses);
/* The rows, ordered by their keys; valid until the next is added. */
size_t stats_rows(struct stats *, const struct stats_row **);
/* All rows together; no keys. */
void stats_total(struct stats *, struct stats_row *);

/* What is the same for keys that agree in those dimensions, and for no others. Overwrites *out. */
void stats_key_text(const struct tally_key *, unsigned by, struct str *out);

#endif
