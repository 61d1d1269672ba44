/*
 * dot.c - dot-stuffing: how a message travels inside DATA (RFC 5321 4.5.2).
 */
#include "mta/smtp/dot.h"

#include <string.h>

void
dot_init(struct dot *d)
{
	d->begin = true;
	d->cr = false;
}

/*
 * One line of src, or what there is of it: [p, end) with its LF if it has one.
 * A CR is good only right before an LF, or as the last byte of a piece, where
 * the next piece decides.
 */
static int
check_line(struct dot *d, const char *p, const char *end, bool ended)
{
	const char *cr = memchr(p, '\r', (size_t)(end - p));

	if (d->cr && *p != '\n')
		return -1;
	if (!ended) {
		d->cr = cr != NULL;
		return cr == NULL || cr + 1 == end ? 0 : -1;
	}
	if (d->cr ? end - p != 1 : cr == NULL || cr + 2 != end)
		return -1;
	d->cr = false;
	return 0;
}

int
dot_stuff(struct dot *d, char *dst, const char *src, size_t len, size_t *out)
{
	const char *end = src + len, *lf, *next;
	char *to = dst;
	bool stuff;

	for (const char *p = src; p < end; p = next) {
		lf = memchr(p, '\n', (size_t)(end - p));
		next = lf != NULL ? lf + 1 : end;
		if (check_line(d, p, next, lf != NULL) != 0)
			return -1;
		/* Moved first: the dot may fall on the byte it precedes. */
		stuff = d->begin && *p == '.';
		memmove(to + stuff, p, (size_t)(next - p));
		if (stuff)
			*to = '.';
		to += stuff + (next - p);
		d->begin = lf != NULL;
	}
	*out = (size_t)(to - dst);
	return 0;
}

int
dot_close(struct dot *d, const char **text)
{
	if (d->cr)
		return -1;
	*text = d->begin ? "" : "\r\n";
	d->begin = true;
	return 0;
}
