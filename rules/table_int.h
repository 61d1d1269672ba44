/*
 * table_int.h - names to small numbers: the n-th name put in gets the number n.
 *
 * What belongs to a name stands in an array of the owner, under that number. Reading is safe from
 * any number of threads while nobody writes.
 */
#ifndef RULES_TABLE_INT_H
#define RULES_TABLE_INT_H

#include <stddef.h>
#include <stdint.h>

#include "rules/arena_int.h"

#define TABLE_NONE UINT32_MAX

struct table_name {
	const char *text;
	uint32_t len, hash;
};

struct table {
	struct table_name *name;
	uint32_t *slot; /* number + 1, 0 when free; at most half are taken */
	size_t n, room, slots;
};

/* The number of that name, put in (copied to the arena) when it is new. */
uint32_t table_put(struct table *, struct arena *, const char *text, size_t len);
/* The number, or TABLE_NONE. */
uint32_t table_get(const struct table *, const char *text, size_t len);
uint32_t table_get_hashed(const struct table *, const char *text, size_t len, uint32_t hash);
/*
 * Every number whose name has that hash, one a call, from *at = 0 on; TABLE_NONE at the end. For keys
 * that the caller holds in parts and compares itself.
 */
uint32_t table_probe(const struct table *, uint32_t hash, size_t *at);
void table_clear(struct table *);

#endif
