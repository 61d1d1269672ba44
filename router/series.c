/*
 * series.c - counters of the same keys period by period.
 */
#include "router/series.h"

#include <assert.h>
#include <stdlib.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "router/store/store.h"

struct row {
	char *text; /* its key in the map */
	int64_t *n; /* periods of the first counter, then of the next */
};

struct series {
	unsigned by;
	int64_t first, step;
	size_t periods;
	struct map *map; /* struct row by stats_key_text */
	struct row **rows;
	size_t nrows;
	struct str text;
};

struct series *
series_new(unsigned by, int64_t first, int64_t step, size_t periods)
{
	struct series *s = xcalloc(1, sizeof(*s));

	s->by = by;
	s->first = first;
	s->step = step;
	s->periods = periods;
	s->map = map_new();
	str_init(&s->text);
	return s;
}

void
series_free(struct series **p)
{
	struct series *s = *p;

	*p = NULL;
	if (s == NULL)
		return;
	map_free(&s->map);
	for (size_t i = 0; i < s->nrows; i++) {
		free(s->rows[i]->text);
		free(s->rows[i]->n);
		free(s->rows[i]);
	}
	free(s->rows);
	str_release(&s->text);
	free(s);
}

void
series_want(struct series *s, const struct stats_row *of)
{
	const struct tally_key key = {
		.path = of->key[STATS_PATH],
		.carrier = of->key[STATS_CARRIER],
		.group = of->key[STATS_GROUP],
		.sender = of->key[STATS_SENDER],
		.source = of->key[STATS_SOURCE],
		.rule = of->key[STATS_RULE],
		.configuration_set = of->key[STATS_CONFIGURATION_SET],
	};
	struct row *row = xcalloc(1, sizeof(*row));

	stats_key_text(&key, s->by, &s->text);
	row->text = xstrdup(s->text.data);
	row->n = xcalloc(COUNT_MAX * s->periods, sizeof(*row->n));
	s->rows = xrealloc(s->rows, (s->nrows + 1) * sizeof(struct row *));
	s->rows[s->nrows++] = row;
	map_put(s->map, row->text, row);
}

void
series_add(struct series *s, const struct tally_row *from)
{
	int64_t period = (from->at - s->first) / s->step;
	struct row *row;

	if (from->at < s->first || period >= (int64_t)s->periods)
		return;
	stats_key_text(&from->key, s->by, &s->text);
	row = map_get(s->map, s->text.data);
	if (row == NULL)
		return;
	for (size_t c = 0; c < COUNT_MAX; c++)
		row->n[c * s->periods + (size_t)period] += from->tally->n[c];
}

const int64_t *
series_of(const struct series *s, size_t row, enum counter c)
{
	assert(row < s->nrows);
	return &s->rows[row]->n[(size_t)c * s->periods];
}
