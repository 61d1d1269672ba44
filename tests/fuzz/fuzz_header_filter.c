/*
 * fuzz_header_filter.c - what stays of a header: nothing but whole lines of it,
 * in order, and nothing to drop any more.
 */
#include "router/header_filter.h"

#include "mta/base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const drop[] = { "x-ses-",
	"return-path:", "dkim-signature:" };

static bool
filter(const char *data, size_t len, struct str *out)
{
	char *copy = xmalloc(len + 1);
	struct body *b;
	bool dropped;

	memcpy(copy, data, len);
	b = body_take(copy, len);
	if (header_filter(b, len, drop, 3, out, &dropped, NULL) != 0)
		abort();
	body_unref(&b);
	return dropped;
}

/* Each line left is the next one in the header that is the same. */
static bool
is_made_of_lines(const char *left, size_t n, const char *p, size_t len)
{
	const char *end = left + n, *whole = p + len;

	while (left < end) {
		const char *nl = memchr(left, '\n', (size_t)(end - left));
		size_t line = (size_t)((nl == NULL ? end : nl + 1) - left);
		for (;;) {
			const char *to = memchr(p, '\n', (size_t)(whole - p));
			size_t at = (size_t)((to == NULL ? whole : to + 1) - p);
			bool same = at == line && memcmp(p, left, line) == 0;
			if (at == 0)
				return false;
			p += at;
			if (same)
				break;
		}
		left += line;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct str once = STR_INIT, twice = STR_INIT;

	if (filter(text, size, &once)) {
		if (once.len >= size ||
		    !is_made_of_lines(once.data, once.len, text, size))
			abort();
		/* A folded line left alone by what was before it is no field.
		 */
		if (filter(once.data, once.len, &twice))
			abort();
	} else if (once.len != 0) {
		abort();
	}
	str_release(&once);
	str_release(&twice);
	return 0;
}
