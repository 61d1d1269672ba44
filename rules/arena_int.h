/*
 * arena_int.h - memory that lives as long as its rule set, and arrays that grow.
 *
 * Ends the process with a message when memory cannot be had. One thread at a time.
 */
#ifndef RULES_ARENA_INT_H
#define RULES_ARENA_INT_H

#include <stddef.h>

struct arena {
	struct arena_block *block;
};

void *arena_alloc(struct arena *, size_t size); /* zeroed, aligned for anything */
char *arena_strndup(struct arena *, const char *, size_t len);
char *arena_printf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void arena_clear(struct arena *);

void *rules_alloc(size_t size); /* zeroed; free with free() */
void *rules_alloc_lines(size_t size); /* the same, beginning at a line of the cache */

/*
 * Returns array with room for at least n members of that size; *room is what it holds now. What is
 * new is zeroed. Doubles, so adding one at a time stays linear.
 */
void *rules_grow(void *array, size_t *room, size_t n, size_t size);

#endif
