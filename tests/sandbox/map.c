/*
 * map.c - from a string to a pointer: a chained hash table that doubles when
 * full.
 */
#include "tests/sandbox/map.h"

#include "mta/base/alloc.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *next;
	void *value;
	uint32_t hash;
	char key[];
};

struct map {
	struct entry **chains;
	size_t n_chains; /* a power of two */
	size_t n;
};

static uint32_t
hash_of(const char *key) /* FNV-1a */
{
	uint32_t h = 2166136261u;

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h;
}

struct map *
map_new(void)
{
	struct map *m = xcalloc(1, sizeof(*m));

	m->n_chains = 256;
	m->chains = xcalloc(m->n_chains, sizeof(*m->chains));
	return m;
}

void
map_clear(struct map *m)
{
	struct entry *e;
	size_t i;

	for (i = 0; i < m->n_chains; i++) {
		while ((e = m->chains[i]) != NULL) {
			m->chains[i] = e->next;
			free(e);
		}
	}
	m->n = 0;
}

static struct entry *
find(const struct map *m, const char *key, uint32_t hash)
{
	struct entry *e = m->chains[hash & (m->n_chains - 1)];

	while (e != NULL && (e->hash != hash || strcmp(e->key, key) != 0))
		e = e->next;
	return e;
}

void *
map_get(const struct map *m, const char *key)
{
	struct entry *e = find(m, key, hash_of(key));

	return e != NULL ? e->value : NULL;
}

static void
link_entry(struct map *m, struct entry *e)
{
	struct entry **chain = &m->chains[e->hash & (m->n_chains - 1)];

	e->next = *chain;
	*chain = e;
}

static void
grow(struct map *m)
{
	struct entry **old = m->chains, *e, *next;
	size_t n_old = m->n_chains, i;

	m->n_chains *= 2;
	m->chains = xcalloc(m->n_chains, sizeof(*m->chains));
	for (i = 0; i < n_old; i++) {
		for (e = old[i]; e != NULL; e = next) {
			next = e->next;
			link_entry(m, e);
		}
	}
	free(old);
}

void **
map_at(struct map *m, const char *key)
{
	uint32_t hash = hash_of(key);
	struct entry *e = find(m, key, hash);
	size_t len;

	if (e != NULL)
		return &e->value;
	if (m->n >= m->n_chains)
		grow(m);
	len = strlen(key) + 1;
	e = xmalloc(sizeof(*e) + len);
	e->value = NULL;
	e->hash = hash;
	memcpy(e->key, key, len);
	link_entry(m, e);
	m->n++;
	return &e->value;
}
