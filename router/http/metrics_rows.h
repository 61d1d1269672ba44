/*
 * metrics_rows.h - the label sets of a group of metrics, so many at most.
 *
 * Once a label set has a row of its own it keeps it as long as the process lives, so that no series changes its
 * meaning. When all rows are given away, others share one. No two rows have the same labels. One thread.
 */
#ifndef ROUTER_HTTP_METRICS_ROWS_H
#define ROUTER_HTTP_METRICS_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct map;

/* First member of each row; what follows is zero when a row is new. */
struct metrics_row {
	TAILQ_ENTRY(metrics_row) link;
	char *labels;
};
TAILQ_HEAD(metrics_row_list, metrics_row);

struct metrics_rows {
	struct metrics_row_list list; /* in the order of their first appearance */
	struct map *by_labels;
	size_t n, size;
	uint64_t folded;              /* times that something went to a shared row */
};

/* Rows of that many bytes. */
void metrics_rows_init(struct metrics_rows *, size_t size);
void metrics_rows_clear(struct metrics_rows *, void (*clear)(struct metrics_row *)); /* NULL: nothing in them */
/* That of the labels, a new one while there are fewer than `max`; else that of `shared`, which always has one:
 * there may be but few of those. */
void *metrics_rows_get(struct metrics_rows *, size_t max, const char *labels, const char *shared);

#endif
