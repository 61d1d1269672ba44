/*
 * metrics_rows.c - the label sets of a group of metrics, so many at most.
 */
#include "router/http/metrics_rows.h"

#include <stdlib.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"

void
metrics_rows_init(struct metrics_rows *rs, size_t size)
{
	*rs = (struct metrics_rows){ .size = size };
	TAILQ_INIT(&rs->list);
	rs->by_labels = map_new();
}

void
metrics_rows_clear(struct metrics_rows *rs, void (*clear)(struct metrics_row *))
{
	struct metrics_row *r;

	while ((r = TAILQ_FIRST(&rs->list)) != NULL) {
		TAILQ_REMOVE(&rs->list, r, link);
		if (clear != NULL)
			clear(r);
		free(r->labels);
		free(r);
	}
	map_free(&rs->by_labels);
}

static struct metrics_row *
add_row(struct metrics_rows *rs, const char *labels)
{
	struct metrics_row *r = xcalloc(1, rs->size);

	r->labels = xstrdup(labels);
	map_put(rs->by_labels, r->labels, r);
	TAILQ_INSERT_TAIL(&rs->list, r, link);
	return r;
}

void *
metrics_rows_get(
    struct metrics_rows *rs, size_t max, const char *labels, const char *shared)
{
	struct metrics_row *r = map_get(rs->by_labels, labels);

	if (r != NULL)
		return r;
	if (rs->n < max) {
		rs->n++;
		return add_row(rs, labels);
	}
	rs->folded++;
	r = map_get(rs->by_labels, shared);
	return r != NULL ? r : add_row(rs, shared);
}
