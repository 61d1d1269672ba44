/*
 * series.h - counters of the same keys period by period, for a chart.
 *
 * The keys are given first, so memory is bounded by keys and periods however many others there are. Not
 * thread-safe; one thread at a time.
 */
#ifndef ROUTER_SERIES_H
#define ROUTER_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "router/stats.h"

struct tally_row;
struct series;

/* `periods` of them, each `step` ms, from `first` on. */
struct series *series_new(unsigned by, int64_t first, int64_t step, size_t periods);
void series_free(struct series **);
/* The next row's key, that of a row of stats by the same dimensions. No key twice. */
void series_want(struct series *, const struct stats_row *);
/* Those of other keys and times are left out. */
void series_add(struct series *, const struct tally_row *);
/* Of the row'th wanted key: series_new's periods of them, oldest first. */
const int64_t *series_of(const struct series *, size_t row, enum counter);

#endif
