/*
 * str.h - a byte string that grows.
 *
 * Invariants: s->data is never NULL after str_init and s->data[s->len] is always NUL, so it can be
 * read as a C string when it holds no NUL of its own. Not shared between threads without a lock.
 */
#ifndef MTA_BASE_STR_H
#define MTA_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
	char *data;
	size_t len;  /* bytes in use, the closing NUL not counted */
	size_t room; /* bytes allocated; 0 while data points to the shared empty string */
};

#define STR_INIT { .data = str_empty, .len = 0, .room = 0 }
extern char str_empty[];

void str_init(struct str *);
void str_release(struct str *);   /* frees the contents and leaves it as after str_init */
void str_clear(struct str *);     /* empties it, keeps the memory for reuse */
void str_reserve(struct str *, size_t more);
void str_add(struct str *, const void *data, size_t len);
void str_addc(struct str *, char);
void str_adds(struct str *, const char *);
void str_addf(struct str *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void str_vaddf(struct str *, const char *fmt, va_list)
    __attribute__((format(printf, 2, 0)));
char *str_detach(struct str *); /* the caller now owns the C string; s is as after str_init */

/* True when the bytes hold CR, LF or NUL: such text never goes to a wire, a log or a header. */
bool str_has_control(const char *data, size_t len);

#endif
