/*
 * stats.h - counters added up by the dimensions somebody asks for, with rates.
 *
 * delivery_rate = delivered / (delivered + bounced + filtered + expired), with a 95 % Wilson score
 * interval (E. B. Wilson, 1927): honest for small numbers and for rates near 1. On an ses path
 * `sent` only means that SES took it; while no Delivery event has come, nothing is known, and
 * those recipients are left out of the rate. Not thread-safe; one thread at a time.
 */
#ifndef ROUTER_STATS_H
#define ROUTER_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/store/store.h"

enum stats_dimension {
	STATS_PATH,
	STATS_CARRIER,
	STATS_SENDER,
	STATS_SOURCE,
	STATS_RULE,
	STATS_DIMENSIONS
};
const char *stats_dimension_name(enum stats_dimension);

/* "path,carrier" to bits 1 << dimension; -1 with *e for an unknown or empty name. */
int stats_parse_by(const char *text, unsigned *by, struct err *e);

struct stats_row {
	const char *key[STATS_DIMENSIONS]; /* NULL where not asked for */
	int64_t n[COUNT_MAX];
	int64_t queued;
	bool known; /* the three below are */
	double delivery_rate, low, high; /* 0..1 */
};

struct stats;
struct stats *stats_new(unsigned by);
void stats_free(struct stats **);

/* Adds one counter row. `ses`: its path is of kind ses. Copies what it keeps. */
void stats_add(struct stats *, const struct counter_row *, bool ses);
/* The rows, ordered by their keys; valid until the next stats_add. */
size_t stats_rows(struct stats *, const struct stats_row **);
/* All rows together; no keys. */
void stats_total(struct stats *, struct stats_row *);

/* The interval for good of all; all > 0. */
void stats_wilson(int64_t good, int64_t all, double *low, double *high);

#endif
