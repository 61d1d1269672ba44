/*
 * metrics_text.h - Prometheus' text format 0.0.4, written a family at a time.
 *
 * A family is a metric's name with all its samples; each may stand in a text once, its samples together. Pure, any
 * thread.
 */
#ifndef ROUTER_HTTP_METRICS_TEXT_H
#define ROUTER_HTTP_METRICS_TEXT_H

#include <stdint.h>

#include "mta/base/str.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
	const char *name; /* [a-z_]+, with its unit; counters end in _total */
	enum metric_type type;
	const char *help; /* one line */
};

/* Appends `NAME="VALUE"` to the labels of a sample. What is no UTF-8 or a control becomes '?', a value is cut at
 * METRICS_LABEL_MAX bytes; the two are never what a reader takes for an end. */
#define METRICS_LABEL_MAX 255
void metrics_label(struct str *labels, const char *name, const char *value);

/* The beginning of a family: what it is. */
void metrics_family(struct str *, const struct metric *);
/* A sample of it; labels as metrics_label made them, "" for none. */
void metrics_sample(struct str *, const struct metric *, const char *labels, int64_t value);
void metrics_sample_real(struct str *, const struct metric *, const char *labels, double value);
/*
 * The samples of a histogram: how many were at most le[i] (ascending), each bucket without those below it, the
 * last of the n + 1 beyond all; and their sum.
 */
void metrics_histogram(struct str *, const struct metric *, const char *labels, const double *le, size_t n,
    const uint64_t *counts, double sum);

#endif
