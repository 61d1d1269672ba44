/*
 * alloc.h - memory that is there or the process is not.
 *
 * Every function ends the process with a message when memory cannot be had, so no caller checks.
 * Free with free(). Any thread.
 */
#ifndef MTA_BASE_ALLOC_H
#define MTA_BASE_ALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size); /* zeroed; overflow of n * size is fatal */
void *xrealloc(void *, size_t size);
char *xstrdup(const char *);             /* NULL gives NULL */
char *xstrndup(const char *, size_t len); /* copies len bytes and a NUL */

#endif
