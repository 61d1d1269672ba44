/*
 * fuzz_text_diff.c - two texts, a NUL between them: their difference, applied
 * to the first, has to be the second.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/text_diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	const char *p, *end;
};

/* With its line feed, where it has one. */
static struct text
take_line(struct text *t)
{
	const char *stop = memchr(t->p, '\n', (size_t)(t->end - t->p));
	struct text line = { t->p, stop != NULL ? stop + 1 : t->end };

	t->p = line.end;
	return line;
}

/* "@@ -A,N +B,M @@": what stands before line A stays. */
static void
keep_until(struct str *out, struct text *from, size_t *line, const char *head)
{
	char *end;
	size_t at = strtoul(head + 4, &end, 10);

	at += strncmp(end, ",0 ", 3) == 0 || strncmp(head + 4, "0,0", 3) == 0;
	for (; *line < at; ++*line) {
		struct text l = take_line(from);

		str_add(out, l.p, (size_t)(l.end - l.p));
	}
}

static void
apply_line(struct str *out, struct text *from, size_t *line, struct text l,
    bool unended)
{
	size_t len = (size_t)(l.end - l.p) - 1 - unended;
	struct text was;

	if (*l.p != '+') {
		was = take_line(from);
		++*line;
		if ((size_t)(was.end - was.p) != len ||
		    memcmp(was.p, l.p + 1, len) != 0)
			abort();
	}
	if (*l.p != '-')
		str_add(out, l.p + 1, len);
}

static void
apply(struct str *out, struct text from, struct text patch)
{
	static const char none[] = "\\ No newline";
	size_t line = 1;

	take_line(&patch);
	take_line(&patch);
	while (patch.p < patch.end) {
		struct text l = take_line(&patch);
		bool unended = strncmp(patch.p, none, sizeof(none) - 1) == 0;

		if (*l.p == '@')
			keep_until(out, &from, &line, l.p);
		else
			apply_line(out, &from, &line, l, unended);
		if (unended)
			take_line(&patch);
	}
	str_add(out, from.p, (size_t)(from.end - from.p));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
	struct str patch = STR_INIT, got = STR_INIT;
	const char *to;
	size_t len;

	if (nul == NULL)
		return 0;
	to = nul + 1;
	len = size - (size_t)(to - text);
	text_diff(&patch, "f", text, (size_t)(nul - text), to, len);
	if (memchr(to, '\0', len) == NULL) {
		apply(&got, (struct text){ text, nul },
		    (struct text){ patch.data, patch.data + patch.len });
		if (got.len != len || memcmp(got.data, to, len) != 0)
			abort();
	}
	str_release(&patch);
	str_release(&got);
	return 0;
}
