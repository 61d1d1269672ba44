/*
 * format_help.h - what must hold of the canonical form of any rule file; for
 * its unit test and its fuzz target.
 */
#ifndef TESTS_UNIT_FORMAT_HELP_H
#define TESTS_UNIT_FORMAT_HELP_H

#include "rules/rules.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/lex_int.h"

/* The canonical form; NULL with a report that says why. `text` ends in NUL. */
static inline char *
canonical(const char *text, size_t len)
{
	struct rules_report r;
	char *out;

	rules_report_init(&r);
	out = rules_format(&(struct rules_file){ "test.rules", text, len }, &r);
	assert((out == NULL) == (r.errors > 0));
	rules_report_clear(&r);
	return out;
}

/* Every statement, word and comment in order, spelled out without regard to
 * where it stood. Of a text that has a canonical form. */
static inline char *
essence(const char *text, size_t len)
{
	struct source source = {
		.name = "test.rules", .text = text, .len = len
	};
	struct arena arena = { NULL };
	struct rules_report r;
	struct lex lex;
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);
	int rc;

	assert(f != NULL);
	rules_report_init(&r);
	lex_init(&lex, &source, &arena, &r);
	while ((rc = lex_line(&lex)) > 0) {
		for (size_t i = 0; i < lex.n; i++) {
			const struct token *t = &lex.token[i];

			fprintf(f, "%s%s[%.*s] as [%.*s]\n",
			    t->string ? "string " : "",
			    t->pattern ? "pattern " : "", (int)t->len, t->text,
			    (int)t->written, t->at);
		}
		if (lex.comment != NULL)
			fprintf(f, "%.*s\n", (int)lex.comment_len, lex.comment);
		if (lex.n > 0)
			fputs("end\n", f);
	}
	fclose(f);
	lex_clear(&lex);
	arena_clear(&arena);
	rules_report_clear(&r);
	assert(rc == 0);
	return out;
}

/* What any canonical text looks like. */
static inline void
assert_clean(const char *text)
{
	size_t len = strlen(text);

	assert(strchr(text, '\r') == NULL);
	assert(strstr(text, " \n") == NULL && strstr(text, "\t\n") == NULL);
	assert(strstr(text, "\n\n\n") == NULL);
	assert(text[0] != '\n' && text[0] != ' ');
	assert(len == 0 || text[len - 1] == '\n');
	assert(len < 2 || text[len - 2] != '\n');
}

static inline void
assert_same_text(const char *a, const char *b)
{
	if (strcmp(a, b) == 0)
		return;
	fprintf(stderr, "---\n%s---\n%s---\n", a, b);
	abort();
}

/* All of it, for a text that ends in NUL. */
static inline void
assert_canonical(const char *text, size_t len)
{
	char *once = canonical(text, len), *twice, *before, *after;

	if (once == NULL)
		return;
	assert_clean(once);
	twice = canonical(once, strlen(once));
	assert(twice != NULL);
	assert_same_text(once, twice);
	before = essence(text, len);
	after = essence(once, strlen(once));
	assert_same_text(before, after);
	free(before);
	free(after);
	free(twice);
	free(once);
}

#endif
