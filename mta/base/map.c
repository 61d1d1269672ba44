/*
 * map.c - from a text to a thing: open addressing, linear probing, back-shift on removal.
 */
#include "mta/base/map.h"

#include "mta/base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t hash;
	const char *key; /* NULL: free */
	void *value;
};

struct map {
	struct slot *slots;
	size_t size; /* a power of two, never more than 3/4 in use */
	size_t used;
};

uint64_t
hash_text(uint64_t h, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';
	     p++)
		h = (h ^ *p) * 0x100000001b3u;
	/* A border, so that "a","bc" and "ab","c" differ. */
	return (h ^ 0xff) * 0x100000001b3u;
}

struct map *
map_new(void)
{
	struct map *m = xcalloc(1, sizeof(*m));

	m->size = 16;
	m->slots = xcalloc(m->size, sizeof(*m->slots));
	return m;
}

void
map_free(struct map **mp)
{
	if (*mp == NULL)
		return;
	free((*mp)->slots);
	free(*mp);
	*mp = NULL;
}

size_t
map_count(const struct map *m)
{
	return m->used;
}

/* Where the key is, or the free slot where it would go. */
static size_t
seek(const struct map *m, uint64_t hash, const char *key)
{
	size_t i = hash & (m->size - 1);

	while (m->slots[i].key != NULL &&
	    (m->slots[i].hash != hash || strcmp(m->slots[i].key, key) != 0))
		i = (i + 1) & (m->size - 1);
	return i;
}

void *
map_get(const struct map *m, const char *key)
{
	size_t i = seek(m, hash_text(HASH_START, key), key);

	return m->slots[i].key == NULL ? NULL : m->slots[i].value;
}

static void
grow(struct map *m)
{
	struct slot *old = m->slots;
	size_t n = m->size;

	m->size *= 2;
	m->slots = xcalloc(m->size, sizeof(*m->slots));
	for (size_t i = 0; i < n; i++)
		if (old[i].key != NULL)
			m->slots[seek(m, old[i].hash, old[i].key)] = old[i];
	free(old);
}

void
map_put(struct map *m, const char *key, void *value)
{
	uint64_t hash = hash_text(HASH_START, key);
	size_t i;

	if ((m->used + 1) * 4 > m->size * 3)
		grow(m);
	i = seek(m, hash, key);
	assert(m->slots[i].key == NULL);
	m->slots[i] = (struct slot){ hash, key, value };
	m->used++;
}

void *
map_remove(struct map *m, const char *key)
{
	size_t mask = m->size - 1, hole, i;
	void *value;

	hole = seek(m, hash_text(HASH_START, key), key);
	if (m->slots[hole].key == NULL)
		return NULL;
	value = m->slots[hole].value;
	for (i = (hole + 1) & mask; m->slots[i].key != NULL;
	     i = (i + 1) & mask) {
		/* An entry may fill the hole when its home does not lie between hole and it. */
		size_t home = m->slots[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole].key = NULL;
	m->used--;
	return value;
}
