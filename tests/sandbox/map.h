/*
 * map.h - from a string to a pointer.
 *
 * Keys are copied; values belong to the caller. Used for DNS names and for what is remembered
 * about single addresses, so it grows with the number of entries.
 */
#ifndef TESTS_SANDBOX_MAP_H
#define TESTS_SANDBOX_MAP_H

struct map;

struct map *map_new(void);
void map_clear(struct map *); /* forgets every key */

void *map_get(const struct map *, const char *key); /* NULL when absent */
/* The place of the value, made (holding NULL) when absent; good until the next call of map_at. */
void **map_at(struct map *, const char *key);

#endif
