/*
 * stats.c - counters added up by the dimensions somebody asks for, with rates.
 */
#include "router/stats.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "router/store/store.h"

enum { OWN, SES, KINDS };

/* Apart by the kind of the path, which rates depend on, and whether it is the
 * simulator's, which is in none. */
struct group {
	char *text; /* its key in the map */
	char *key[STATS_DIMENSIONS];
	struct tally tally[KINDS], simulated[KINDS];
	struct tally all; /* once rows are made of it */
};

struct stats {
	unsigned by;
	struct map *map; /* struct group by stats_key_text */
	struct group **groups;
	size_t n, room;
	struct str text;	/* of the key that is looked for */
	struct stats_row *rows; /* what stats_rows gave out */
};

static const char *const names[STATS_DIMENSIONS] = {
	[STATS_PATH] = "path",
	[STATS_CARRIER] = "carrier",
	[STATS_GROUP] = "group",
	[STATS_SENDER] = "sender",
	[STATS_SOURCE] = "source",
	[STATS_RULE] = "rule",
	[STATS_CONFIGURATION_SET] = "configuration-set",
};

static const struct {
	const char *name;
	double share;
} shares[STATS_SHARES] = {
	[STATS_P50] = { "p50", 0.50 },
	[STATS_P95] = { "p95", 0.95 },
	[STATS_P99] = { "p99", 0.99 },
};

const char *
stats_dimension_name(enum stats_dimension d)
{
	return names[d];
}

const char *
stats_share_name(enum stats_share s)
{
	return shares[s].name;
}

const char *
stats_counter_name(enum counter c)
{
	return c == COUNT_UNKNOWN ? "unknown_users" : counter_name(c);
}

static size_t
find_name(const char *text, size_t len)
{
	size_t d = 0;

	while (d < STATS_DIMENSIONS &&
	       (strlen(names[d]) != len || memcmp(names[d], text, len) != 0))
		d++;
	return d;
}

int
stats_parse_by(const char *text, unsigned *by, struct err *e)
{
	unsigned bits = 0;

	do {
		size_t len = strcspn(text, ","), d = find_name(text, len);

		if (d == STATS_DIMENSIONS)
			return err_set(e,
			    "unknown dimension '%.*s', expected path, carrier, "
			    "group, sender, source, rule or configuration-set",
			    (int)(len < 40 ? len : 40), text);
		bits |= 1u << d;
		text += len;
	} while (*text++ == ',');
	*by = bits;
	return 0;
}

/* -- groups ---------------------------------------------------------------- */

static const char *
part_of(const struct tally_key *key, size_t d)
{
	const char *const all[STATS_DIMENSIONS] = {
		[STATS_PATH] = key->path,
		[STATS_CARRIER] = key->carrier,
		[STATS_GROUP] = key->group,
		[STATS_SENDER] = key->sender,
		[STATS_SOURCE] = key->source,
		[STATS_RULE] = key->rule,
		[STATS_CONFIGURATION_SET] = key->configuration_set,
	};

	return all[d] != NULL ? all[d] : "";
}

/* No name holds a line end. */
void
stats_key_text(const struct tally_key *key, unsigned by, struct str *out)
{
	str_clear(out);
	for (size_t d = 0; d < STATS_DIMENSIONS; d++)
		if (by & (1u << d)) {
			str_adds(out, part_of(key, d));
			str_addc(out, '\n');
		}
}

static struct group *
new_group(struct stats *s, const struct tally_key *key)
{
	struct group *g = xcalloc(1, sizeof(*g));

	g->text = xstrdup(s->text.data);
	for (size_t d = 0; d < STATS_DIMENSIONS; d++)
		if (s->by & (1u << d))
			g->key[d] = xstrdup(part_of(key, d));
	if (s->n == s->room) {
		s->room = s->room != 0 ? 2 * s->room : 64;
		s->groups =
		    xrealloc(s->groups, s->room * sizeof(struct group *));
	}
	s->groups[s->n++] = g;
	map_put(s->map, g->text, g);
	return g;
}

static struct group *
find_group(struct stats *s, const struct tally_key *key)
{
	struct group *g;

	stats_key_text(key, s->by, &s->text);
	g = map_get(s->map, s->text.data);
	return g != NULL ? g : new_group(s, key);
}

struct stats *
stats_new(unsigned by)
{
	struct stats *s = xcalloc(1, sizeof(*s));

	s->by = by;
	s->map = map_new();
	str_init(&s->text);
	return s;
}

static void
group_clear(struct group *g)
{
	for (size_t d = 0; d < STATS_DIMENSIONS; d++)
		free(g->key[d]);
	for (size_t k = 0; k < KINDS; k++) {
		tally_clear(&g->tally[k]);
		tally_clear(&g->simulated[k]);
	}
	tally_clear(&g->all);
	free(g->text);
}

void
stats_free(struct stats **p)
{
	struct stats *s = *p;

	*p = NULL;
	if (s == NULL)
		return;
	map_free(&s->map);
	for (size_t i = 0; i < s->n; i++) {
		group_clear(s->groups[i]);
		free(s->groups[i]);
	}
	free(s->groups);
	free(s->rows);
	str_release(&s->text);
	free(s);
}

struct tally *
stats_into(struct stats *s, const struct tally_key *key, bool ses)
{
	struct group *g = find_group(s, key);
	bool simulated =
	    strcmp(part_of(key, STATS_GROUP), TALLY_SIMULATOR) == 0;

	return &(simulated ? g->simulated : g->tally)[ses ? SES : OWN];
}

void
stats_add_tally(struct stats *s, const struct tally_key *key,
    const struct tally *from, bool ses)
{
	tally_merge(stats_into(s, key, ses), from);
}

void
stats_add(struct stats *s, const struct counter_row *from, bool ses)
{
	const struct tally_key key = { .path = from->path,
		.carrier = from->carrier,
		.group = from->group,
		.sender = from->sender,
		.source = from->source,
		.rule = from->rule,
		.configuration_set = from->configuration_set };
	struct tally t = TALLY_INIT;

	memcpy(t.n, from->n, sizeof(t.n));
	stats_add_tally(s, &key, &t, ses);
}

/* -- rows ------------------------------------------------------------------ */

/* Each path is judged as its kind is; then they are one. */
static void
add_rates(struct stats_row *row, const struct tally t[static KINDS])
{
	for (int k = 0; k < RATE_KINDS; k++) {
		struct rate own, ses;

		rate_of((enum rate_kind)k, t[OWN].n, false, &own);
		rate_of((enum rate_kind)k, t[SES].n, true, &ses);
		/* What has no volume has no say, whatever was told of it. */
		rate_of_hits((own.volume > 0 ? own.hits : 0) +
				 (ses.volume > 0 ? ses.hits : 0),
		    own.volume + ses.volume, &row->rate[k]);
	}
}

static int64_t
unconfirmed(const int64_t n[static COUNT_MAX])
{
	return n[COUNT_SENT] - n[COUNT_DELIVERED] - n[COUNT_RETURNED];
}

static void
finish(struct stats_row *row, struct group *g)
{
	const int64_t *n = g->all.n;
	int64_t open =
	    unconfirmed(g->tally[SES].n) + unconfirmed(g->simulated[SES].n);

	tally_clear(&g->all);
	for (size_t k = 0; k < KINDS; k++) {
		tally_merge(&g->all, &g->tally[k]);
		tally_merge(&g->all, &g->simulated[k]);
	}
	memcpy(row->n, n, sizeof(row->n));
	row->queued = n[COUNT_ACCEPTED] + n[COUNT_RETURNED] - n[COUNT_SENT] -
		      n[COUNT_BOUNCED] - n[COUNT_FILTERED] - n[COUNT_EXPIRED] -
		      n[COUNT_SUPPRESSED] - n[COUNT_REMOVED];
	row->unconfirmed = open > 0 ? open : 0;
	row->tally = &g->all;
	add_rates(row, g->tally);
	for (size_t i = 0; i < STATS_SHARES; i++)
		if (!tally_quantile(&g->all, shares[i].share, &row->within[i]))
			row->within[i] = -1;
}

static int
by_keys(const void *a, const void *b)
{
	const struct stats_row *x = a, *y = b;

	for (size_t d = 0; d < STATS_DIMENSIONS; d++) {
		int order = x->key[d] ? strcmp(x->key[d], y->key[d]) : 0;

		if (order != 0)
			return order;
	}
	return 0;
}

size_t
stats_rows(struct stats *s, const struct stats_row **rows)
{
	free(s->rows);
	s->rows = xcalloc(s->n + 1, sizeof(*s->rows));
	for (size_t i = 0; i < s->n; i++) {
		for (size_t d = 0; d < STATS_DIMENSIONS; d++)
			s->rows[i].key[d] = s->groups[i]->key[d];
		finish(&s->rows[i], s->groups[i]);
	}
	qsort(s->rows, s->n, sizeof(*s->rows), by_keys);
	*rows = s->rows;
	return s->n;
}

void
stats_total(struct stats *s, struct stats_row *total)
{
	struct group all = { .text = NULL };

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < KINDS; k++) {
			tally_merge(&all.tally[k], &s->groups[i]->tally[k]);
			tally_merge(
			    &all.simulated[k], &s->groups[i]->simulated[k]);
		}
	*total = (struct stats_row){ .queued = 0 };
	finish(total, &all);
	total->tally = NULL;
	group_clear(&all);
}
