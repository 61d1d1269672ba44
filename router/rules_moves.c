/*
 * rules_moves.c - asks two rule sets about the same recipients and counts those
 * that would go another way: one row for each pair of ways, carrier and domain.
 *
 * Memory is bounded however much mail there was: when there are many rows, new
 * ones no longer tell domains apart, and past ROWS_MAX recipients are only
 * counted.
 */
#include "router/rules_moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "mta/base/str.h"
#include "mta/smtp/address.h"
#include "router/config.h"
#include "router/store/store.h"

#define ROWS_MAX	40000u
#define DOMAIN_ROWS_MAX 20000u

struct moves {
	const struct config *config;
	const struct ruleset *from, *to;
	struct moves_total total;
	struct map *by_key;
	struct move **row;
	size_t n;
	struct str key;
};

struct moves *
moves_new(const struct config *config, const struct ruleset *from,
    const struct ruleset *to)
{
	struct moves *m = xcalloc(1, sizeof(*m));

	m->config = config;
	m->from = from;
	m->to = to;
	m->by_key = map_new();
	str_init(&m->key);
	return m;
}

void
moves_free(struct moves **p)
{
	struct moves *m = *p;

	*p = NULL;
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++) {
		for (size_t s = 0; s < MOVE_SAMPLES; s++)
			free(m->row[i]->sample[s]);
		free(m->row[i]->domain);
		free(m->row[i]->key);
		free(m->row[i]);
	}
	free(m->row);
	map_free(&m->by_key);
	str_release(&m->key);
	free(m);
}

/* -- one recipient
 * --------------------------------------------------------------- */

static bool
same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* What a rule leaves open is what its path has: no move from one to the other.
 */
static void
decide(const struct moves *m, const struct ruleset *rules,
    const struct rules_query *query, struct rules_decision *d)
{
	const struct config_path *path;

	ruleset_decide(rules, query, d);
	path = config_path_find(m->config, d->path);
	if (path == NULL)
		return;
	if (d->pool == NULL && path->pool != NULL)
		d->pool = path->pool->name;
	if (d->configuration_set == NULL)
		d->configuration_set = path->configuration_set;
}

static bool
moves(const struct rules_decision *a, const struct rules_decision *b)
{
	return strcmp(a->rule->name, b->rule->name) != 0 ||
	       a->action != b->action || !same(a->path, b->path) ||
	       !same(a->pool, b->pool) ||
	       !same(a->configuration_set, b->configuration_set) ||
	       !same(a->fallback, b->fallback) ||
	       a->local_part != b->local_part;
}

static void
add_key(struct str *key, const struct rules_decision *d)
{
	str_addf(key, "%s\n%d\n%s\n%s\n%s\n%s\n%d\n", d->rule->name,
	    (int)d->action, d->path, d->pool ? d->pool : "",
	    d->configuration_set ? d->configuration_set : "",
	    d->fallback ? d->fallback : "", (int)d->local_part);
}

static void
make_key(struct str *key, const struct move *move, const char *domain)
{
	str_clear(key);
	add_key(key, &move->from);
	add_key(key, &move->to);
	str_addf(key, "%s\n%s", move->carrier ? move->carrier : "", domain);
}

static struct move *
add_row(struct moves *m, const struct move *like, const char *domain)
{
	struct move *row = xmalloc(sizeof(*row));

	*row = *like;
	row->domain = xstrdup(domain);
	row->key = xstrdup(m->key.data);
	if ((m->n & (m->n - 1)) == 0)
		m->row = xrealloc(
		    m->row, (m->n ? 2 * m->n : 1) * sizeof(struct move *));
	m->row[m->n++] = row;
	map_put(m->by_key, row->key, row);
	return row;
}

/* NULL: there is no room for one more. */
static struct move *
find_row(struct moves *m, const struct move *like, const char *domain)
{
	struct move *row;

	make_key(&m->key, like, domain);
	row = map_get(m->by_key, m->key.data);
	if (row != NULL)
		return row;
	if (m->n < DOMAIN_ROWS_MAX)
		return add_row(m, like, domain);
	make_key(&m->key, like, "");
	row = map_get(m->by_key, m->key.data);
	if (row == NULL && m->n < ROWS_MAX)
		row = add_row(m, like, "");
	return row;
}

static void
add_sample(struct move *row, const char *address)
{
	for (size_t i = 0; i < MOVE_SAMPLES; i++) {
		if (row->sample[i] == NULL) {
			row->sample[i] = xstrdup(address);
			return;
		}
		if (strcmp(row->sample[i], address) == 0)
			return;
	}
}

void
moves_add(struct moves *m, const struct rules_query *query, const char *address)
{
	struct move move = { .count = 0 };
	struct move *row;

	decide(m, m->from, query, &move.from);
	decide(m, m->to, query, &move.to);
	m->total.recipients++;
	if (move.to.limited > 0) {
		m->total.limited++;
		if (m->total.limited_rule == NULL)
			m->total.limited_rule = move.to.limited_rule;
	}
	if (!moves(&move.from, &move.to))
		return;
	m->total.moved++;
	m->total.other_path += !same(move.from.path, move.to.path);
	move.carrier =
	    move.to.carrier != NULL ? move.to.carrier : move.from.carrier;
	row = find_row(m, &move, query->to_domain);
	if (row == NULL) {
		m->total.beyond++;
		return;
	}
	row->count++;
	add_sample(row, address);
}

/* -- recent mail
 * ------------------------------------------------------------------ */

/* As message_set_from does: at the last '@'. Longer than an address can be:
 * cut. */
static void
split_sender(struct address *from, const char *text)
{
	const char *at = strrchr(text, '@');

	*from = (struct address){ .null = at == NULL };
	if (at == NULL)
		return;
	snprintf(
	    from->local, sizeof(from->local), "%.*s", (int)(at - text), text);
	snprintf(from->domain, sizeof(from->domain), "%s", at + 1);
}

void
moves_add_mail(struct moves *m, const struct traffic_row *row)
{
	const char *at = strrchr(row->address, '@');
	size_t len = at ? (size_t)(at - row->address) : 0;
	char local[ADDRESS_LOCAL_MAX + 1];
	struct address from;
	struct rules_query query = {
		.from_local = from.local,
		.from_domain = from.domain,
		.to_local = local,
		.to_domain = at ? at + 1 : "",
		.irregular = row->irregular,
		.user = row->user,
		.listener = row->listener,
		.header_from = row->header_from,
		.tags = row->tags,
		.size = row->size,
	};

	if (at == NULL || len > ADDRESS_LOCAL_MAX)
		return;
	memcpy(local, row->address, len);
	local[len] = '\0';
	split_sender(&from, row->from);
	moves_add(m, &query, row->address);
}

/* -- all of them
 * ----------------------------------------------------------------- */

static int
most_first(const void *a, const void *b)
{
	const struct move *x = *(struct move *const *)a;
	const struct move *y = *(struct move *const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->key, y->key);
}

size_t
moves_rows(struct moves *m, struct move *const **rows)
{
	if (m->n > 0)
		qsort(m->row, m->n, sizeof(struct move *), most_first);
	*rows = m->row;
	return m->n;
}

const struct moves_total *
moves_total(const struct moves *m)
{
	return &m->total;
}

static void
describe(struct str *out, const char *what, const char *value,
    const char *other, const char *none)
{
	if (!same(value, other))
		str_addf(out, " %s%s", what, value ? value : none);
}

void
moves_describe(struct str *out, const struct rules_decision *d,
    const struct rules_decision *other)
{
	static const char *const local_parts[] = {
		[RULES_LOCAL_PART_SHAPE] = "quoted as the shape says",
		[RULES_LOCAL_PART_QUOTE] = "quote",
		[RULES_LOCAL_PART_RAW] = "raw",
	};

	str_addf(out, "%s/%s", d->rule->name, d->path);
	/* Another path has other pools: they say nothing more. */
	if (same(d->path, other->path)) {
		describe(out, "pool ", d->pool, other->pool, "none");
		describe(out, "configuration-set ", d->configuration_set,
		    other->configuration_set, "none");
	}
	describe(out, "fallback ", d->fallback, other->fallback, "none");
	if (d->local_part != other->local_part)
		str_addf(out, " %s", local_parts[d->local_part]);
}

/* -- for programs
 * ---------------------------------------------------------------- */

json_t *
moves_decision_json(const struct rules_decision *d)
{
	static const char *const actions[] = {
		[RULES_VIA] = "via",
		[RULES_REJECT] = "reject",
		[RULES_HOLD] = "hold",
		[RULES_DISCARD] = "discard",
	};
	static const char *const local_parts[] = {
		[RULES_LOCAL_PART_SHAPE] = "shape",
		[RULES_LOCAL_PART_QUOTE] = "quote",
		[RULES_LOCAL_PART_RAW] = "raw",
	};

	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s?, s:s?, s:s?, s:s}",
	    "rule", d->rule->name, "file", d->rule->file, "line",
	    (int)d->rule->line, "action", actions[d->action], "path", d->path,
	    "pool", d->pool, "configuration_set", d->configuration_set,
	    "fallback", d->fallback, "local_part", local_parts[d->local_part]);
}

json_t *
moves_samples_json(const struct move *move)
{
	json_t *samples = json_array();

	for (size_t i = 0; i < MOVE_SAMPLES && move->sample[i] != NULL; i++)
		json_array_append_new(samples, json_string(move->sample[i]));
	return samples;
}
