/*
 * fuzz_header.c - a header gives the same in one piece and byte by byte, and
 * stays bounded.
 */
#include "mta/smtp/header.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct str *s)
{
	if (s->len > 255)
		abort();
	for (size_t i = 0; i < s->len; i++)
		if ((unsigned char)s->data[i] <= ' ' || s->data[i] == 0x7f)
			abort();
}

/* Whole pairs with single commas between, of which a name has no '='. */
static void
check_tags(const struct str *tags)
{
	const char *p = tags->data, *end = p + tags->len;
	unsigned n = 0;

	while (p < end) {
		size_t len = strcspn(p, ","), name = strcspn(p, "=");

		if (len > 513 || name == 0 || name > 256 || name + 1 >= len ||
		    len - name - 1 > 256 || ++n > 50)
			abort();
		for (size_t i = 0; i < len; i++)
			if ((unsigned char)p[i] <= ' ' ||
			    (unsigned char)p[i] >= 0x7f || p[i] == '"' ||
			    p[i] == '\'')
				abort();
		p += len;
		if (p < end && ++p == end)
			abort();
	}
	if (p != end)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct header whole, bytes;

	header_init(&whole);
	header_init(&bytes);
	if (header_feed(&whole, text, size) > size || whole.size > size)
		abort();
	for (size_t i = 0; i < size; i++)
		header_feed(&bytes, text + i, 1);
	header_finish(&whole);
	header_finish(&bytes);
	check(&whole.from_domain);
	check(&whole.message_id);
	check_tags(&whole.tags);
	if (whole.ended != bytes.ended || whole.size != bytes.size ||
	    whole.received != bytes.received ||
	    whole.has_from != bytes.has_from ||
	    strcmp(whole.from_domain.data, bytes.from_domain.data) != 0 ||
	    strcmp(whole.message_id.data, bytes.message_id.data) != 0 ||
	    strcmp(whole.tags.data, bytes.tags.data) != 0)
		abort();
	header_clear(&whole);
	header_clear(&bytes);
	return 0;
}
