/*
 * alloc.c - memory that is there or the process is not.
 */
#include "mta/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
got(void *p, size_t size)
{
	if (p == NULL && size != 0) {
		fprintf(stderr, "oiwake: out of memory, %zu bytes asked\n", size);
		abort();
	}
	return p;
}

void *
xmalloc(size_t size)
{
	return got(malloc(size), size);
}

void *
xcalloc(size_t n, size_t size)
{
	return got(calloc(n, size), size);
}

void *
xrealloc(void *p, size_t size)
{
	return got(realloc(p, size), size);
}

char *
xstrdup(const char *s)
{
	return s == NULL ? NULL : xstrndup(s, strlen(s));
}

char *
xstrndup(const char *s, size_t len)
{
	char *p = xmalloc(len + 1);

	if (len > 0)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}
