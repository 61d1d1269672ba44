/*
 * err.c - why a call failed, as a sentence for a person.
 */
#include "mta/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
one_line(char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '\r' || *text == '\n')
			*text = ' ';
}

int
err_set(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap); /* may quote e->text itself */
	va_end(ap);
	one_line(text);
	memcpy(e->text, text, sizeof(text));
	e->code = 0;
	return -1;
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int code = errno;
	char text[sizeof(e->text)], why[128];
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(e, "%s: %s", text, strerror_r(code, why, sizeof(why)));
	e->code = code;
	return -1;
}
