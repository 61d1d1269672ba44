/*
 * str.c - a byte string that grows.
 */
#include "mta/base/str.h"

#include "mta/base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char str_empty[1] = "";

void
str_init(struct str *s)
{
	*s = (struct str)STR_INIT;
}

void
str_release(struct str *s)
{
	if (s->room > 0)
		free(s->data);
	str_init(s);
}

void
str_clear(struct str *s)
{
	s->len = 0;
	if (s->room > 0)
		s->data[0] = '\0';
}

void
str_reserve(struct str *s, size_t more)
{
	size_t need = s->len + more + 1, room = s->room;

	assert(need > more);
	if (need <= room)
		return;
	if (room < 64)
		room = 64;
	while (room < need)
		room *= 2;
	s->data = xrealloc(s->room > 0 ? s->data : NULL, room);
	s->room = room;
	s->data[s->len] = '\0';
}

void
str_add(struct str *s, const void *data, size_t len)
{
	if (len == 0)
		return;
	str_reserve(s, len);
	memcpy(s->data + s->len, data, len);
	s->len += len;
	s->data[s->len] = '\0';
}

void
str_addc(struct str *s, char c)
{
	str_add(s, &c, 1);
}

void
str_adds(struct str *s, const char *t)
{
	str_add(s, t, strlen(t));
}

void
str_vaddf(struct str *s, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	str_reserve(s, 127);
	n = vsnprintf(s->data + s->len, s->room - s->len, fmt, ap);
	assert(n >= 0);
	if ((size_t)n >= s->room - s->len) {
		str_reserve(s, (size_t)n);
		n = vsnprintf(s->data + s->len, s->room - s->len, fmt, again);
	}
	va_end(again);
	s->len += (size_t)n;
}

void
str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(s, fmt, ap);
	va_end(ap);
}

char *
str_detach(struct str *s)
{
	char *p = s->room > 0 ? s->data : xstrdup("");

	str_init(s);
	return p;
}

bool
str_has_control(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] == '\r' || data[i] == '\n' || data[i] == '\0')
			return true;
	return false;
}
