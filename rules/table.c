/*
 * table.c - names to small numbers: open addressing, linear probing.
 */
#include "rules/table_int.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rules/hash_int.h"

static size_t
first_slot(const struct table *t, uint32_t hash)
{
	/* FNV's low bits are its weakest. */
	return (hash ^ (hash >> 15)) & (t->slots - 1);
}

static void
place(struct table *t, uint32_t number)
{
	size_t i = first_slot(t, t->name[number].hash);

	while (t->slot[i] != 0)
		i = (i + 1) & (t->slots - 1);
	t->slot[i] = number + 1;
}

static void
rehash(struct table *t)
{
	free(t->slot);
	t->slots = t->slots > 0 ? t->slots * 2 : 64;
	t->slot = rules_alloc(t->slots * sizeof(*t->slot));
	for (uint32_t i = 0; i < t->n; i++)
		place(t, i);
}

uint32_t
table_probe(const struct table *t, uint32_t hash, size_t *at)
{
	uint32_t number;

	if (t->slots == 0)
		return TABLE_NONE;
	for (;; ++*at) {
		number = t->slot[(first_slot(t, hash) + *at) & (t->slots - 1)];
		if (number == 0)
			return TABLE_NONE;
		if (t->name[number - 1].hash == hash) {
			++*at;
			return number - 1;
		}
	}
}

uint32_t
table_get_hashed(
    const struct table *t, const char *text, size_t len, uint32_t hash)
{
	uint32_t number;
	size_t at = 0;

	while ((number = table_probe(t, hash, &at)) != TABLE_NONE)
		if (t->name[number].len == len &&
		    memcmp(t->name[number].text, text, len) == 0)
			break;
	return number;
}

uint32_t
table_get(const struct table *t, const char *text, size_t len)
{
	return table_get_hashed(t, text, len, hash_backwards(text, len));
}

uint32_t
table_put(struct table *t, struct arena *a, const char *text, size_t len)
{
	uint32_t hash = hash_backwards(text, len);
	uint32_t number = table_get_hashed(t, text, len, hash);

	if (number != TABLE_NONE)
		return number;
	t->name = rules_grow(t->name, &t->room, t->n + 1, sizeof(*t->name));
	number = (uint32_t)t->n++;
	t->name[number] = (struct table_name){ arena_strndup(a, text, len),
		(uint32_t)len, hash };
	if (t->n * 2 > t->slots)
		rehash(t);
	else
		place(t, number);
	return number;
}

void
table_clear(struct table *t)
{
	free(t->name);
	free(t->slot);
	*t = (struct table){ .name = NULL };
}
