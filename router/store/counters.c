/*
 * counters.c - the deltas of one transaction, one row per key.
 *
 * A group of settlements touches few keys, so adding up here makes one write of
 * many. The key is its six strings, each with its NUL, as one byte string:
 * compared and hashed at once, and owned here, since the strings of a stored
 * route do not outlive the row they were read from.
 */
#include "router/store/store_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct delta {
	uint32_t hash;
	size_t len;
	int64_t n[COUNT_MAX];
	char key[];
};

static const char *const names[COUNT_MAX] = {
	[COUNT_ACCEPTED] = "accepted",
	[COUNT_SENT] = "sent",
	[COUNT_DELIVERED] = "delivered",
	[COUNT_BOUNCED] = "bounced",
	[COUNT_FILTERED] = "filtered",
	[COUNT_DEFERRED] = "deferred",
	[COUNT_EXPIRED] = "expired",
	[COUNT_COMPLAINED] = "complained",
	[COUNT_SUPPRESSED] = "suppressed",
	[COUNT_REMOVED] = "removed",
	[COUNT_UNREAD] = "unread",
};

const char *
counter_name(enum counter c)
{
	return names[c];
}

void
counters_clear(struct counters *c)
{
	for (size_t i = 0; i < c->nslots && c->n > 0; i++)
		if (c->slot[i] != NULL) {
			free(c->slot[i]);
			c->slot[i] = NULL;
			c->n--;
		}
}

void
counters_release(struct counters *c)
{
	counters_clear(c);
	free(c->slot);
	str_release(&c->key);
	*c = (struct counters){ .key = STR_INIT };
}

static uint32_t
hash_of(const char *p, size_t len) /* FNV-1a */
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h;
}

static struct delta **
slot_of(const struct counters *c, uint32_t hash, const char *key, size_t len)
{
	size_t i = hash & (c->nslots - 1);
	struct delta *d;

	for (; (d = c->slot[i]) != NULL; i = (i + 1) & (c->nslots - 1))
		if (d->hash == hash && d->len == len &&
		    memcmp(d->key, key, len) == 0)
			break;
	return &c->slot[i];
}

static void
grow(struct counters *c)
{
	struct counters bigger = *c;

	bigger.nslots = c->nslots == 0 ? 64 : c->nslots * 2;
	bigger.slot = xcalloc(bigger.nslots, sizeof(struct delta *));
	for (size_t i = 0; i < c->nslots; i++) {
		struct delta *d = c->slot[i];

		if (d != NULL)
			*slot_of(&bigger, d->hash, d->key, d->len) = d;
	}
	free(c->slot);
	*c = bigger;
}

static void
set_key(struct str *key, const struct route *r, const char *sender)
{
	const char *part[] = { r->path, r->carrier, r->group, sender, r->source,
		r->rule };

	str_clear(key);
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		str_add(key, part[i], strlen(part[i]) + 1);
}

void
counters_add(struct counters *c, const struct route *r, const char *sender,
    enum counter which, int64_t n)
{
	struct delta **d;
	uint32_t hash;

	if (c->n * 2 >= c->nslots)
		grow(c);
	set_key(&c->key, r, sender);
	hash = hash_of(c->key.data, c->key.len);
	d = slot_of(c, hash, c->key.data, c->key.len);
	if (*d == NULL) {
		*d = xcalloc(1, sizeof(**d) + c->key.len);
		(*d)->hash = hash;
		(*d)->len = c->key.len;
		memcpy((*d)->key, c->key.data, c->key.len);
		c->n++;
	}
	(*d)->n[which] += n;
}

static void
row_of(const struct delta *d, struct counter_row *row)
{
	const char **part[] = { &row->path, &row->carrier, &row->group,
		&row->sender, &row->source, &row->rule };
	const char *p = d->key;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		*part[i] = p;
		p += strlen(p) + 1;
	}
	memcpy(row->n, d->n, sizeof(row->n));
}

enum store_status
counters_each(const struct counters *c,
    enum store_status (*each)(void *arg, const struct counter_row *), void *arg)
{
	enum store_status st = STORE_OK;
	struct counter_row row;

	for (size_t i = 0; i < c->nslots && st == STORE_OK; i++)
		if (c->slot[i] != NULL) {
			row_of(c->slot[i], &row);
			st = each(arg, &row);
		}
	return st;
}
