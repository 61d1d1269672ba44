/*
 * header_filter.c - a message's header without the fields that must not leave
 * by a path.
 */
#include "router/header_filter.h"

#include "mta/base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *
header_field_end(const char *p, const char *end)
{
	do {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		p = nl == NULL ? end : nl + 1;
	} while (p < end && (*p == ' ' || *p == '\t'));
	return p;
}

/* A ':' in a name stands for the end of the field's, blanks before it included
 * (RFC 5322 4.5). */
static bool
has_name(const char *p, const char *end, const char *name)
{
	size_t n = strcspn(name, ":");

	if ((size_t)(end - p) < n || strncasecmp(p, name, n) != 0)
		return false;
	if (name[n] == '\0')
		return true;
	for (p += n; p < end && (*p == ' ' || *p == '\t'); p++)
		;
	return p < end && *p == ':';
}

static bool
is_dropped(const char *p, const char *end, const char *const *drop, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool stays = drop[i][0] == '!';

		if (has_name(p, end, drop[i] + stays))
			return !stays;
	}
	return false;
}

static const char *
find_dropped(const char *p, const char *end, const char *const *drop, size_t n)
{
	while (p < end && !is_dropped(p, end, drop, n))
		p = header_field_end(p, end);
	return p;
}

static void
filter(const char *p, const char *end, const char *const *drop, size_t n,
    struct str *out)
{
	while (p < end) {
		const char *bad = find_dropped(p, end, drop, n);
		str_add(out, p, (size_t)(bad - p));
		p = bad < end ? header_field_end(bad, end) : end;
	}
}

const char *
header_borrow(
    struct body *body, size_t header_size, char **copy, struct err *e)
{
	const char *header = body_data(body);

	*copy = NULL;
	if (header != NULL)
		return header;
	*copy = xmalloc(header_size + 1);
	if (body_read(body, 0, *copy, header_size) == (ssize_t)header_size)
		return *copy;
	err_sys(e, "cannot read the message's header");
	free(*copy);
	*copy = NULL;
	return NULL;
}

int
header_filter(struct body *body, size_t header_size, const char *const *drop,
    size_t ndrop, struct str *out, bool *dropped, struct err *e)
{
	const char *header, *end;
	char *copy;

	*dropped = false;
	header = header_borrow(body, header_size, &copy, e);
	if (header == NULL)
		return -1;
	end = header + header_size;
	*dropped = find_dropped(header, end, drop, ndrop) < end;
	if (*dropped)
		filter(header, end, drop, ndrop, out);
	free(copy);
	return 0;
}
