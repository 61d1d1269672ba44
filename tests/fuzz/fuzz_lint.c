/*
 * fuzz_lint.c - a message gives the same in one piece and byte by byte, its
 * header is what header.c takes for it, and its longest line what a naive count
 * says.
 */
#include "mta/smtp/lint.h"

#include <stdlib.h>
#include <string.h>

#include "mta/smtp/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_header(const struct lint *l, const char *text, size_t size)
{
	struct header h;

	header_init(&h);
	header_feed(&h, text, size);
	header_finish(&h);
	if (l->header_size != h.size || l->no_from != !h.has_from ||
	    l->no_message_id != !h.has_message_id)
		abort();
	header_clear(&h);
}

static void
check_longest(const struct lint *l, const char *text, size_t size)
{
	uint64_t longest = 0, at = 0, line = 1, start = 0;

	for (size_t i = 0; i <= size; i++) {
		uint64_t len = i - start;

		if (i < size && text[i] != '\n')
			continue;
		if (i < size && len > 0 && text[i - 1] == '\r')
			len--;
		if (len > longest) {
			longest = len;
			at = line;
		}
		line++;
		start = i + 1;
	}
	if (l->longest_line != longest || l->longest_at != at)
		abort();
}

static void
check_judge(const struct lint *l)
{
	const struct lint_limits limits = { 100, 50, 20, 10 };
	struct err e = ERR_INIT;

	if ((lint_judge(l, &limits, &e) != 0) != (e.text[0] != '\0'))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct lint whole, bytes;

	lint_init(&whole);
	lint_init(&bytes);
	lint_feed(&whole, text, size);
	for (size_t i = 0; i < size; i++)
		lint_feed(&bytes, text + i, 1);
	lint_finish(&whole);
	lint_finish(&bytes);
	if (whole.size != size || bytes.size != size ||
	    whole.header_size != bytes.header_size ||
	    whole.longest_line != bytes.longest_line ||
	    whole.longest_at != bytes.longest_at ||
	    whole.no_from != bytes.no_from ||
	    whole.empty_from != bytes.empty_from ||
	    whole.no_message_id != bytes.no_message_id ||
	    whole.empty_message_id != bytes.empty_message_id ||
	    whole.twice != bytes.twice)
		abort();
	check_header(&whole, text, size);
	check_longest(&whole, text, size);
	check_judge(&whole);
	return 0;
}
