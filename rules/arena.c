/*
 * arena.c - memory that lives as long as its rule set, and arrays that grow.
 */
#include "rules/arena_int.h"

#include <assert.h>
#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 65536u
#define LINE	   64u /* of the processor's cache, as good as everywhere */

struct arena_block {
	struct arena_block *next;
	size_t used, room;
	alignas(max_align_t) unsigned char data[];
};

static void *
got(void *p, size_t size)
{
	if (p == NULL) {
		fprintf(
		    stderr, "oiwake: out of memory, %zu bytes asked\n", size);
		abort();
	}
	return p;
}

void *
rules_alloc_lines(size_t size)
{
	size_t whole = (size / LINE + 1) * LINE;
	void *p = got(aligned_alloc(LINE, whole), whole);

	memset(p, 0, whole);
	return p;
}

void *
rules_alloc(size_t size)
{
	return got(calloc(1, size > 0 ? size : 1), size);
}

void *
rules_grow(void *array, size_t *room, size_t n, size_t size)
{
	size_t want = *room > 0 ? *room : 1;

	if (n <= *room)
		return array;
	while (want < n)
		want *= 2;
	assert(want <= SIZE_MAX / size);
	array = got(realloc(array, want * size), want * size);
	memset((char *)array + *room * size, 0, (want - *room) * size);
	*room = want;
	return array;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *b = a->block;
	size_t need = (size + align - 1) / align * align, room;

	assert(need >= size);
	if (b == NULL || b->room - b->used < need) {
		room = need > BLOCK_SIZE ? need : BLOCK_SIZE;
		b = rules_alloc(sizeof(*b) + room);
		b->room = room;
		b->next = a->block;
		a->block = b;
	}
	b->used += need;
	return b->data + b->used - need;
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	memcpy(p, s, len);
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	char *text, *kept;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		got(NULL, 0);
	kept = arena_strndup(a, text, (size_t)n);
	free(text);
	return kept;
}

void
arena_clear(struct arena *a)
{
	struct arena_block *b;

	while ((b = a->block) != NULL) {
		a->block = b->next;
		free(b);
	}
}
