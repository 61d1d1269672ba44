/*
 * compare.c - which of two paths delivers better: gathering what is compared.
 */
#include "router/compare_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "router/stats.h"
#include "router/store/store.h"
#include "router/window.h"

struct compare {
	bool (*is_in_split)(void *arg, const char *rule, const char *path);
	void *arg;
	int64_t period;
	struct map *map; /* struct split by rule and carrier */
	struct split **splits;
	size_t nsplits;
	struct str text;	  /* of the split that is looked for */
	struct compare_row *rows; /* what compare_rows gave out */
	size_t nrows;
};

/* -- mixes ----------------------------------------------------------------- */

static void
mix_add(struct mix *mix, const char *name, int64_t n)
{
	struct part *part;

	if (mix->map == NULL)
		mix->map = map_new();
	part = map_get(mix->map, name);
	if (part == NULL) {
		part = xcalloc(1, sizeof(*part));
		part->name = xstrdup(name);
		map_put(mix->map, part->name, part);
		if (mix->n == mix->room) {
			mix->room = mix->room != 0 ? 2 * mix->room : 16;
			mix->parts = xrealloc(
			    mix->parts, mix->room * sizeof(struct part *));
		}
		mix->parts[mix->n++] = part;
	}
	part->n += n;
	mix->total += n;
}

int64_t
mix_of(const struct mix *mix, const char *name)
{
	const struct part *part =
	    mix->map != NULL ? map_get(mix->map, name) : NULL;

	return part != NULL ? part->n : 0;
}

static void
mix_free(struct mix *mix)
{
	map_free(&mix->map);
	for (size_t i = 0; i < mix->n; i++) {
		free(mix->parts[i]->name);
		free(mix->parts[i]);
	}
	free(mix->parts);
}

/* -- splits and their sides ------------------------------------------------ */

static struct split *
find_split(struct compare *c, const struct tally_key *key)
{
	struct split *s;

	stats_key_text(key, 1u << STATS_RULE | 1u << STATS_CARRIER, &c->text);
	s = map_get(c->map, c->text.data);
	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->text = xstrdup(c->text.data);
	s->rule = xstrdup(key->rule);
	s->carrier = xstrdup(key->carrier);
	map_put(c->map, s->text, s);
	c->splits =
	    xrealloc(c->splits, (c->nsplits + 1) * sizeof(struct split *));
	c->splits[c->nsplits++] = s;
	return s;
}

/* Paths are few. */
static struct side *
find_side(struct split *s, const char *path, bool ses)
{
	struct side *side;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->sides[i]->path, path) == 0)
			return s->sides[i];
	side = xcalloc(1, sizeof(*side));
	side->path = xstrdup(path);
	side->ses = ses;
	s->sides = xrealloc(s->sides, (s->n + 1) * sizeof(struct side *));
	s->sides[s->n++] = side;
	return side;
}

struct compare *
compare_new(bool (*is_in_split)(void *, const char *, const char *), void *arg,
    int64_t period)
{
	struct compare *c = xcalloc(1, sizeof(*c));

	c->is_in_split = is_in_split;
	c->arg = arg;
	c->period = period;
	c->map = map_new();
	str_init(&c->text);
	return c;
}

static void
split_free(struct split *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t m = 0; m < MIXES; m++)
			mix_free(&s->sides[i]->mix[m]);
		tally_clear(&s->sides[i]->tally);
		free(s->sides[i]->path);
		free(s->sides[i]);
	}
	free(s->sides);
	free(s->rule);
	free(s->carrier);
	free(s->text);
	free(s);
}

static void
words_release(struct compare_words *words)
{
	str_release(&words->en);
	str_release(&words->ja);
}

static void
rows_free(struct compare *c)
{
	for (size_t i = 0; i < c->nrows; i++) {
		words_release(&c->rows[i].text);
		for (size_t w = 0; w < COMPARE_WARNINGS; w++)
			words_release(&c->rows[i].warning[w]);
	}
	free(c->rows);
	c->rows = NULL;
	c->nrows = 0;
}

void
compare_free(struct compare **p)
{
	struct compare *c = *p;

	*p = NULL;
	if (c == NULL)
		return;
	rows_free(c);
	map_free(&c->map);
	for (size_t i = 0; i < c->nsplits; i++)
		split_free(c->splits[i]);
	free(c->splits);
	str_release(&c->text);
	free(c);
}

void
compare_add(struct compare *c, const struct tally_row *row, bool ses)
{
	const int64_t *n = row->tally->n;
	int64_t ended = n[COUNT_DELIVERED] + n[COUNT_BOUNCED] +
			n[COUNT_FILTERED] + n[COUNT_EXPIRED];
	struct side *side;
	char period[24];

	if (strcmp(row->key.group, TALLY_SIMULATOR) == 0)
		return;
	side = find_side(find_split(c, &row->key), row->key.path, ses);
	tally_merge(&side->tally, row->tally);
	if (ended <= 0)
		return;
	mix_add(&side->mix[MIX_SENDERS], row->key.sender, ended);
	snprintf(period, sizeof(period), "%lld",
	    (long long)(row->at - row->at % c->period));
	mix_add(&side->mix[MIX_PERIODS], period, ended);
}

/* -- rows ------------------------------------------------------------------ */

static void
warn(const struct compare *c, struct compare_row *row, const struct side *a,
    const struct side *b)
{
	const char *most;
	double share[2];

	if (c->is_in_split != NULL)
		for (int i = 0; i < 2; i++)
			if (!c->is_in_split(
				c->arg, row->rule, row->side[i].path)) {
				compare_warn_split(row, row->side[i].path);
				break;
			}
	most = mix_differs(&a->mix[MIX_SENDERS], &b->mix[MIX_SENDERS], share);
	if (most != NULL)
		compare_warn_senders(row, most, share);
	most = mix_differs(&a->mix[MIX_PERIODS], &b->mix[MIX_PERIODS], share);
	if (most != NULL)
		compare_warn_periods(row, strtoll(most, NULL, 10),
		    c->period >= WINDOW_DAY, share);
	if (row->known &&
	    fabs(compare_pending(&row->side[0]) -
		 compare_pending(&row->side[1])) > COMPARE_PENDING_APART)
		compare_warn_pending(row);
}

/* Whether anything has become of mail there. */
static bool
has_volume(const struct side *side)
{
	const int64_t *n = side->tally.n;

	return n[COUNT_SENT] > 0 || n[COUNT_BOUNCED] > 0 ||
	       n[COUNT_FILTERED] > 0 || n[COUNT_EXPIRED] > 0;
}

static void
add_row(struct compare *c, const struct split *split, const struct side *a,
    const struct side *b)
{
	struct compare_row *row;

	if (strcmp(a->path, b->path) > 0) {
		add_row(c, split, b, a);
		return;
	}
	c->rows = xrealloc(c->rows, (c->nrows + 1) * sizeof(*c->rows));
	row = &c->rows[c->nrows++];
	*row = (struct compare_row){ .rule = split->rule,
		.carrier = split->carrier };
	str_init(&row->text.en);
	str_init(&row->text.ja);
	for (size_t i = 0; i < COMPARE_WARNINGS; i++) {
		str_init(&row->warning[i].en);
		str_init(&row->warning[i].ja);
	}
	compare_judge(row, a, b);
	compare_say(row);
	warn(c, row, a, b);
}

static int
by_names(const void *a, const void *b)
{
	const struct compare_row *x = a, *y = b;
	int order = strcmp(x->carrier, y->carrier);

	if (order == 0)
		order = strcmp(x->rule, y->rule);
	for (int i = 0; i < 2 && order == 0; i++)
		order = strcmp(x->side[i].path, y->side[i].path);
	return order;
}

size_t
compare_rows(struct compare *c, const struct compare_row **rows)
{
	rows_free(c);
	for (size_t i = 0; i < c->nsplits; i++) {
		const struct split *s = c->splits[i];

		for (size_t a = 0; a < s->n; a++)
			for (size_t b = a + 1; b < s->n; b++)
				if (has_volume(s->sides[a]) &&
				    has_volume(s->sides[b]))
					add_row(c, s, s->sides[a], s->sides[b]);
	}
	if (c->nrows > 0)
		qsort(c->rows, c->nrows, sizeof(*c->rows), by_names);
	*rows = c->rows;
	return c->nrows;
}
