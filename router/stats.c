/*
 * stats.c - counters added up by the dimensions somebody asks for, with rates.
 */
#include "router/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

/* Two-sided 95 % of the normal distribution. */
#define Z95 1.959963984540054

/* What counts for the rate, of the paths of one kind. */
struct part {
	int64_t sent, delivered, failed;
};

struct group {
	struct stats_row row;
	struct part own, ses;
};

struct stats {
	unsigned by;
	struct group **buckets; /* open addressing; a power of two */
	size_t nbuckets, n;
	struct stats_row *rows; /* what stats_rows gave out */
};

static const char *const names[STATS_DIMENSIONS] = {
	[STATS_PATH] = "path",
	[STATS_CARRIER] = "carrier",
	[STATS_SENDER] = "sender",
	[STATS_SOURCE] = "source",
	[STATS_RULE] = "rule",
};

const char *
stats_dimension_name(enum stats_dimension d)
{
	return names[d];
}

int
stats_parse_by(const char *text, unsigned *by, struct err *e)
{
	unsigned bits = 0;

	do {
		size_t len = strcspn(text, ","), d;

		for (d = 0; d < STATS_DIMENSIONS; d++)
			if (strlen(names[d]) == len &&
			    memcmp(names[d], text, len) == 0)
				break;
		if (d == STATS_DIMENSIONS)
			return err_set(e,
			    "unknown dimension '%.*s', expected path, carrier, "
			    "sender, source or rule",
			    (int)(len < 40 ? len : 40), text);
		bits |= 1u << d;
		text += len;
	} while (*text++ == ',');
	*by = bits;
	return 0;
}

/* -- groups
 * -------------------------------------------------------------------- */

static void
row_keys(const struct counter_row *from, unsigned by,
    const char *key[static STATS_DIMENSIONS])
{
	const char *all[STATS_DIMENSIONS] = {
		[STATS_PATH] = from->path,
		[STATS_CARRIER] = from->carrier,
		[STATS_SENDER] = from->sender,
		[STATS_SOURCE] = from->source,
		[STATS_RULE] = from->rule,
	};

	for (size_t d = 0; d < STATS_DIMENSIONS; d++)
		key[d] = by & (1u << d) ? all[d] ? all[d] : "" : NULL;
}

static int
compare_keys(const char *const *a, const char *const *b)
{
	for (size_t d = 0; d < STATS_DIMENSIONS; d++) {
		int order = a[d] && b[d] ? strcmp(a[d], b[d]) : 0;

		if (order != 0)
			return order;
	}
	return 0;
}

/* FNV-1a. The keys of names that strangers choose (sender domains) are bounded
 * by authentication, and lookups by the size of the table. */
static size_t
hash_keys(const char *const *key)
{
	uint64_t h = 14695981039346656037u;

	for (size_t d = 0; d < STATS_DIMENSIONS; d++) {
		const char *p = key[d] ? key[d] : "";

		do
			h = (h ^ (unsigned char)*p) * 1099511628211u;
		while (*p++ != '\0');
	}
	return (size_t)(h ^ (h >> 32));
}

static struct group **
slot(struct stats *s, const char *const *key)
{
	size_t i = hash_keys(key) & (s->nbuckets - 1);

	while (s->buckets[i] != NULL &&
	       compare_keys(s->buckets[i]->row.key, key) != 0)
		i = (i + 1) & (s->nbuckets - 1);
	return &s->buckets[i];
}

static void
grow(struct stats *s)
{
	struct group **old = s->buckets;
	size_t n = s->nbuckets;

	s->nbuckets = n * 2;
	s->buckets = xcalloc(s->nbuckets, sizeof(struct group *));
	for (size_t i = 0; i < n; i++)
		if (old[i] != NULL)
			*slot(s, old[i]->row.key) = old[i];
	free(old);
}

static struct group *
find_group(struct stats *s, const char *const *key)
{
	struct group **at = slot(s, key), *g;

	if (*at != NULL)
		return *at;
	if ((s->n + 1) * 2 > s->nbuckets) {
		grow(s);
		at = slot(s, key);
	}
	g = *at = xcalloc(1, sizeof(*g));
	for (size_t d = 0; d < STATS_DIMENSIONS; d++)
		g->row.key[d] = xstrdup(key[d]);
	s->n++;
	return g;
}

struct stats *
stats_new(unsigned by)
{
	struct stats *s = xcalloc(1, sizeof(*s));

	s->by = by;
	s->nbuckets = 64;
	s->buckets = xcalloc(s->nbuckets, sizeof(struct group *));
	return s;
}

static void
group_free(struct group *g)
{
	if (g == NULL)
		return;
	for (size_t d = 0; d < STATS_DIMENSIONS; d++)
		free((void *)(uintptr_t)g->row.key[d]);
	free(g);
}

void
stats_free(struct stats **p)
{
	struct stats *s = *p;

	*p = NULL;
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->nbuckets; i++)
		group_free(s->buckets[i]);
	free(s->buckets);
	free(s->rows);
	free(s);
}

void
stats_add(struct stats *s, const struct counter_row *from, bool ses)
{
	const char *key[STATS_DIMENSIONS];
	struct group *g;
	struct part *part;

	row_keys(from, s->by, key);
	g = find_group(s, key);
	for (size_t i = 0; i < COUNT_MAX; i++)
		g->row.n[i] += from->n[i];
	part = ses ? &g->ses : &g->own;
	part->sent += from->n[COUNT_SENT];
	part->delivered += from->n[COUNT_DELIVERED];
	part->failed += from->n[COUNT_BOUNCED] + from->n[COUNT_FILTERED] +
			from->n[COUNT_EXPIRED];
}

/* -- rates
 * ----------------------------------------------------------------------- */

void
stats_wilson(int64_t good, int64_t all, double *low, double *high)
{
	double n = (double)all, p = (double)good / n;
	double z2 = Z95 * Z95;
	double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
	double half =
	    Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));

	*low = middle - half < 0 ? 0 : middle - half;
	*high = middle + half > 1 ? 1 : middle + half;
}

static void
finish(struct stats_row *row, const struct part *own, const struct part *ses)
{
	const int64_t *n = row->n;
	int64_t good = own->delivered, all = own->delivered + own->failed;

	if (ses->sent == 0 || ses->delivered > 0) {
		good += ses->delivered;
		all += ses->delivered + ses->failed;
	}
	row->queued = n[COUNT_ACCEPTED] - n[COUNT_SENT] - n[COUNT_BOUNCED] -
		      n[COUNT_FILTERED] - n[COUNT_EXPIRED] -
		      n[COUNT_SUPPRESSED] - n[COUNT_REMOVED];
	row->known = all > 0;
	if (!row->known)
		return;
	row->delivery_rate = (double)good / (double)all;
	stats_wilson(good, all, &row->low, &row->high);
}

static int
by_keys(const void *a, const void *b)
{
	const struct stats_row *x = a, *y = b;

	return compare_keys(x->key, y->key);
}

size_t
stats_rows(struct stats *s, const struct stats_row **rows)
{
	size_t n = 0;

	free(s->rows);
	s->rows = xcalloc(s->n + 1, sizeof(*s->rows));
	for (size_t i = 0; i < s->nbuckets; i++) {
		struct group *g = s->buckets[i];

		if (g == NULL)
			continue;
		s->rows[n] = g->row;
		finish(&s->rows[n++], &g->own, &g->ses);
	}
	qsort(s->rows, n, sizeof(*s->rows), by_keys);
	*rows = s->rows;
	return n;
}

static void
part_add(struct part *to, const struct part *from)
{
	to->sent += from->sent;
	to->delivered += from->delivered;
	to->failed += from->failed;
}

void
stats_total(struct stats *s, struct stats_row *total)
{
	struct part own = { 0 }, ses = { 0 };

	*total = (struct stats_row){ 0 };
	for (size_t i = 0; i < s->nbuckets; i++) {
		const struct group *g = s->buckets[i];

		if (g == NULL)
			continue;
		for (size_t c = 0; c < COUNT_MAX; c++)
			total->n[c] += g->row.n[c];
		part_add(&own, &g->own);
		part_add(&ses, &g->ses);
	}
	finish(total, &own, &ses);
}
