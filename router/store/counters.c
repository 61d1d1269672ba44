/*
 * counters.c - what was counted, by one transaction or by many: a tally per key
 * and minute, and how that is written down (sql_counted.c).
 *
 * A group of settlements touches few keys, so adding up here makes one record
 * of many. Keys are owned here, since the strings of a stored route do not
 * outlive the row they were read from.
 */
#include "router/store/store_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE INT64_C(60000)
#define NEVER  (-1) /* the minute of what is in none */

struct minute {
	struct minute *next;
	int64_t at;
	struct tally tally;
};

struct delta {
	struct keyed keyed;
	struct minute *minutes; /* the latest used one first */
	struct minute first;	/* most have no other */
	bool taken;		/* by counters_take */
};

static void
release(struct keyed *k)
{
	struct delta *d = container_of(k, struct delta, keyed);
	struct minute *m;

	while ((m = d->minutes) != NULL) {
		d->minutes = m->next;
		tally_clear(&m->tally);
		if (m != &d->first)
			free(m);
	}
}

void
counters_init(struct counters *c)
{
	*c = (struct counters){ .key = STR_INIT };
}

void
counters_clear(struct counters *c)
{
	keyed_clear(&c->table, release);
	c->last = NULL;
}

void
counters_release(struct counters *c)
{
	counters_clear(c);
	free(c->table.slot);
	str_release(&c->key);
	counters_init(c);
}

static struct tally *
tally_in(struct delta *d, int64_t at)
{
	struct minute **p = &d->minutes, *m;

	while (*p != NULL && (*p)->at != at)
		p = &(*p)->next;
	m = *p;
	if (m != NULL)
		*p = m->next;
	else
		m = d->minutes == NULL ? &d->first : xcalloc(1, sizeof(*m));
	m->at = at;
	m->next = d->minutes;
	d->minutes = m;
	return &m->tally;
}

/* Of the key in c->key. The same one is asked for several times in a row. */
static struct delta *
delta_of(struct counters *c)
{
	struct keyed *k = c->last;

	if (k == NULL || k->len != c->key.len ||
	    memcmp(k->key, c->key.data, k->len) != 0)
		k = keyed_find(&c->table, &c->key);
	if (k == NULL)
		k = keyed_add(&c->table, sizeof(struct delta), &c->key);
	c->last = k;
	return container_of(k, struct delta, keyed);
}

static struct tally *
tally_of(struct counters *c, const struct tally_key *key, int64_t at)
{
	str_clear(&c->key);
	tally_key_add(&c->key, key);
	return tally_in(delta_of(c), at);
}

struct tally *
counters_tally(
    struct counters *c, const struct route *r, const char *sender, int64_t at)
{
	const struct tally_key key = { .path = r->path,
		.carrier = r->carrier,
		.group = r->group,
		.sender = sender,
		.source = r->source,
		.rule = r->rule,
		.configuration_set = r->configuration_set };

	return tally_of(
	    c, &key, at < c->since || at < 0 ? NEVER : at - at % MINUTE);
}

void
counters_add(struct counters *c, const struct route *r, const char *sender,
    int64_t at, enum counter which, int64_t n)
{
	counters_tally(c, r, sender, at)->n[which] += n;
}

static bool
is_known(struct counters *c, const struct tally_key *key)
{
	str_clear(&c->key);
	tally_key_add(&c->key, key);
	return keyed_find(&c->table, &c->key) != NULL;
}

/* Of those minutes that are counted by. */
static void
merge_delta(struct counters *to, const struct delta *d)
{
	struct tally_key key;

	tally_key_read(&key, d->keyed.key);
	while (!is_known(to, &key) && tally_key_fold(&key, to->table.n))
		;
	for (const struct minute *m = d->minutes; m != NULL; m = m->next)
		if (m->at != NEVER)
			tally_merge(tally_of(to, &key, m->at), &m->tally);
}

void
counters_merge(struct counters *to, const struct counters *from)
{
	struct keyed *k;

	for (size_t i = 0; i < from->table.nslots; i++)
		if ((k = from->table.slot[i]) != NULL)
			merge_delta(to, container_of(k, struct delta, keyed));
}

/* -- written down ------------------------------------------------------------
 *
 *	record = %x01 *key
 *	key    = length, that many bytes (tally_key_add), minutes *minute
 *	minute = which one since 1970, counted from 1; 0: none; length, a tally
 *
 * Numbers are little-endian in groups of seven bits.
 */

#define FORMAT 1

static void
put(struct str *out, uint64_t n)
{
	for (; n > 127; n >>= 7)
		str_addc(out, (char)(n | 128));
	str_addc(out, (char)n);
}

static void
pack_minute(const struct minute *m, struct str *tally, struct str *out)
{
	str_clear(tally);
	tally_pack(&m->tally, tally);
	put(out, m->at == NEVER ? 0 : (uint64_t)(m->at / MINUTE) + 1);
	put(out, tally->len);
	str_add(out, tally->data, tally->len);
}

static void
pack_delta(const struct delta *d, struct str *tally, struct str *out)
{
	uint64_t n = 0;

	for (const struct minute *m = d->minutes; m != NULL; m = m->next)
		n += !tally_is_empty(&m->tally);
	if (n == 0)
		return;
	put(out, d->keyed.len);
	str_add(out, d->keyed.key, d->keyed.len);
	put(out, n);
	for (const struct minute *m = d->minutes; m != NULL; m = m->next)
		if (!tally_is_empty(&m->tally))
			pack_minute(m, tally, out);
}

bool
counters_pack(const struct counters *c, struct str *out)
{
	struct str tally = STR_INIT;
	size_t empty;

	put(out, FORMAT);
	empty = out->len;
	for (size_t i = 0; i < c->table.nslots; i++)
		if (c->table.slot[i] != NULL)
			pack_delta(
			    container_of(c->table.slot[i], struct delta, keyed),
			    &tally, out);
	str_release(&tally);
	return out->len > empty;
}

struct packed {
	const unsigned char *p, *end;
};

/* At most `most`. False: there is no such number. */
static bool
get(struct packed *in, uint64_t most, uint64_t *n)
{
	*n = 0;
	for (unsigned shift = 0; in->p < in->end && shift < 63; shift += 7) {
		*n |= (uint64_t)(*in->p & 127) << shift;
		if (*in->p++ < 128)
			return *n <= most;
	}
	return false;
}

static bool
get_length(struct packed *in, size_t *len)
{
	uint64_t n;

	if (!get(in, UINT32_MAX, &n) || n > (size_t)(in->end - in->p))
		return false;
	*len = (size_t)n;
	return true;
}

static bool
unpack_minute(struct packed *in, struct delta *d)
{
	uint64_t minute;
	struct tally *t;
	size_t len;

	if (!get(in, INT64_MAX / MINUTE, &minute) || !get_length(in, &len))
		return false;
	t = tally_in(d, minute == 0 ? NEVER : (int64_t)(minute - 1) * MINUTE);
	in->p += len;
	return tally_unpack(t, in->p - len, len, NULL) == 0;
}

static bool
unpack_delta(struct packed *in, struct counters *to)
{
	struct delta *d;
	uint64_t n;
	size_t len;

	if (!get_length(in, &len) ||
	    !tally_key_is_whole((const char *)in->p, len))
		return false;
	str_clear(&to->key);
	str_add(&to->key, in->p, len);
	in->p += len;
	d = delta_of(to);
	if (!get(in, UINT32_MAX, &n))
		return false;
	while (n > 0 && unpack_minute(in, d))
		n--;
	return n == 0;
}

int
counters_unpack(
    struct counters *to, const void *data, size_t len, struct err *e)
{
	struct packed in = { .p = data, .end = (const unsigned char *)data };
	uint64_t format;
	bool good;

	in.end += len;
	good = get(&in, FORMAT, &format) && format == FORMAT;
	while (good && in.p < in.end)
		good = unpack_delta(&in, to);
	return good ? 0
		    : err_set(
			  e, "a record of counts of %zu bytes is damaged", len);
}

/* -- what there is ----------------------------------------------------------
 */

static void
row_of(const struct delta *d, struct counter_row *row)
{
	struct tally_key k;

	tally_key_read(&k, d->keyed.key);
	*row = (struct counter_row){ .path = k.path,
		.carrier = k.carrier,
		.group = k.group,
		.sender = k.sender,
		.source = k.source,
		.rule = k.rule,
		.configuration_set = k.configuration_set };
	for (const struct minute *m = d->minutes; m != NULL; m = m->next)
		for (size_t c = 0; c < COUNT_MAX; c++)
			row->n[c] = tally_sum(row->n[c], m->tally.n[c]);
}

/* The equation of store.h. Unsigned, for a record may hold any numbers. */
static uint64_t
queued_of(const int64_t n[static COUNT_MAX])
{
	static const enum counter left[] = { COUNT_SENT, COUNT_BOUNCED,
		COUNT_FILTERED, COUNT_EXPIRED, COUNT_SUPPRESSED,
		COUNT_REMOVED };
	uint64_t sum =
	    (uint64_t)n[COUNT_ACCEPTED] + (uint64_t)n[COUNT_RETURNED];

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		sum -= (uint64_t)n[left[i]];
	return sum;
}

static uint64_t
queued_in(const struct delta *d)
{
	uint64_t n = 0;

	for (const struct minute *m = d->minutes; m != NULL; m = m->next)
		n += queued_of(m->tally.n);
	return n;
}

int64_t
counters_queued(const struct counters *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->table.nslots; i++)
		if (c->table.slot[i] != NULL)
			n += queued_in(container_of(
			    c->table.slot[i], struct delta, keyed));
	return (int64_t)n;
}

void
counters_take(struct counters *c, struct counter_row *row)
{
	const struct tally_key key = { row->path, row->carrier, row->group,
		row->sender, row->source, row->rule, row->configuration_set };
	struct delta *d;

	if (!is_known(c, &key))
		return;
	d = delta_of(c);
	d->taken = true;
	for (const struct minute *m = d->minutes; m != NULL; m = m->next)
		for (size_t i = 0; i < COUNT_MAX; i++)
			row->n[i] = tally_sum(row->n[i], m->tally.n[i]);
}

enum store_status
counters_each(const struct counters *c,
    enum store_status (*each)(void *, const struct counter_row *), void *arg)
{
	enum store_status st = STORE_OK;
	struct counter_row row;

	for (size_t i = 0; i < c->table.nslots && st == STORE_OK; i++) {
		const struct delta *d =
		    c->table.slot[i] == NULL
			? NULL
			: container_of(c->table.slot[i], struct delta, keyed);

		if (d == NULL || d->taken)
			continue;
		row_of(d, &row);
		st = each(arg, &row);
	}
	return st;
}

static enum store_status
each_minute(const struct delta *d,
    enum store_status (*each)(void *, const struct tally_row *), void *arg)
{
	enum store_status st = STORE_OK;
	struct tally_row row = { .span = MINUTE };

	tally_key_read(&row.key, d->keyed.key);
	for (const struct minute *m = d->minutes; m != NULL && st == STORE_OK;
	     m = m->next) {
		row.at = m->at;
		row.tally = &m->tally;
		if (m->at != NEVER && !tally_is_empty(&m->tally))
			st = each(arg, &row);
	}
	return st;
}

enum store_status
counters_each_minute(const struct counters *c,
    enum store_status (*each)(void *, const struct tally_row *), void *arg)
{
	enum store_status st = STORE_OK;

	for (size_t i = 0; i < c->table.nslots && st == STORE_OK; i++)
		if (c->table.slot[i] != NULL)
			st = each_minute(
			    container_of(c->table.slot[i], struct delta, keyed),
			    each, arg);
	return st;
}
