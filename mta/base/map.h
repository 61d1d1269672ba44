/*
 * map.h - from a text to a thing.
 *
 * Keys are borrowed: they must live, unchanged, as long as their entry (usually inside the value).
 * One thread.
 */
#ifndef MTA_BASE_MAP_H
#define MTA_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
void map_free(struct map **); /* the values are the caller's */
size_t map_count(const struct map *);
void *map_get(const struct map *, const char *key); /* NULL when there is none */
void map_put(struct map *, const char *key, void *value); /* no entry of that key before */
void *map_remove(struct map *, const char *key); /* the value that was there, or NULL */

/* FNV-1a, 64 bits; start with HASH_START, feed the last result back in for several pieces. */
#define HASH_START 0xcbf29ce484222325u
uint64_t hash_text(uint64_t start, const char *text);

#endif
