/*
 * fuzz_reasons.c - a table of reasons of any bytes, asked about any diagnosis,
 * and the diagnosis asked of the table that ships.
 *
 * A NUL ends the table; what follows is a reply's code, its status and its
 * text, one a line. A table that is refused says why; an answer is a word of
 * the vocabulary, names a line when there is one, and is the same when asked
 * again.
 */
#include "router/reasons.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Up to the next line feed, as a string. */
static char *
take(const char **p, const char *end)
{
	const char *lf = memchr(*p, '\n', (size_t)(end - *p));
	char *line = xstrndup(*p, (size_t)((lf ? lf : end) - *p));

	*p = lf ? lf + 1 : end;
	return line;
}

static void
ask(const struct reasons *t, const struct reasons_query *q)
{
	struct reasons_answer a, again;

	reasons_find(t, q, &a);
	reasons_find(t, q, &again);
	assert(reason_is_known(a.reason));
	assert((a.line == 0) == (a.file[0] == '\0'));
	assert((a.line == 0) == (a.source[0] == '\0'));
	assert(a.line == again.line && strcmp(a.reason, again.reason) == 0);
}

static void
ask_all(const struct reasons *t, const char *p, const char *end)
{
	char *code = take(&p, end), *status = take(&p, end);
	char *text = xstrndup(p, (size_t)(end - p));
	struct reasons_query q = { .group = "docomo",
		.host = "mx1.gmail-smtp-in.l.google.com",
		.domain = "example.ezweb.ne.jp",
		.code = abs(atoi(code) % 600),
		.enhanced = status,
		.text = text,
		.reporter = "qmail" };

	for (int stage = 0; stage < STAGE_MAX; stage++) {
		q.stage = (enum smtp_stage)stage;
		ask(t, &q);
	}
	free(code);
	free(status);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *end = text + size;
	const char *nul = memchr(text, '\0', size);
	struct str report = STR_INIT;
	struct reasons *builtin = reasons_builtin();
	struct reasons *t;

	if (nul == NULL)
		nul = end;
	t = reasons_read("fuzz", text, (size_t)(nul - text), &report);
	assert((t == NULL) == (report.len > 0));
	nul += nul < end;
	if (t != NULL)
		ask_all(t, nul, end);
	ask_all(builtin, nul, end);
	reasons_unref(&t);
	reasons_unref(&builtin);
	str_release(&report);
	return 0;
}
