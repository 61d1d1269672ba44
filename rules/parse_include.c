/*
 * parse_include.c - `include "FILE"`: one file, or all that a pattern of the
 * shell names, in the order of their names.
 */
#include "rules/parse_int.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <string.h>

/* Letters that mean something in a pattern are only letters in the name of the
 * including file's folder. */
static const char *
escaped(struct arena *a, const char *folder, size_t len)
{
	char *out = arena_alloc(a, len * 2 + 1), *p = out;

	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", folder[i]) != NULL)
			*p++ = '\\';
		*p++ = folder[i];
	}
	return out;
}

/* A name as the including file means it: relative to where that file is. */
static const char *
beside(struct words *w, const struct token *t, bool pattern)
{
	const char *file = t->source->name, *slash = strrchr(file, '/');
	struct arena *a = &w->parse->rs->arena;
	const char *folder;

	if (t->text[0] == '/' || slash == NULL)
		return arena_strndup(a, t->text, t->len);
	folder = pattern ? escaped(a, file, (size_t)(slash - file))
			 : arena_strndup(a, file, (size_t)(slash - file));
	return arena_printf(a, "%s/%.*s", folder, (int)t->len, t->text);
}

static void
include_one(struct parse *p, const char *name, const struct token *where)
{
	struct source *s = source_open(p, name, where);

	if (s != NULL)
		parse_source(p, s);
}

/* glob(3) asks whether to give up. */
static int
cannot_read(const char *folder, int error)
{
	(void)folder;
	return error != ENOENT && error != ENOTDIR;
}

/* Nothing found is no mistake: a folder of rules may be empty, or not there. */
static void
include_from_disk(
    struct parse *p, const char *pattern, const struct token *where)
{
	glob_t found;
	int rc = glob(pattern, 0, cannot_read, &found);

	if (rc == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			include_one(p, found.gl_pathv[i], where);
	else if (rc != GLOB_NOMATCH)
		problem_at(p->report, where, "cannot read '%s': %s", pattern,
		    rc == GLOB_NOSPACE ? "out of memory"
				       : "a folder cannot be read");
	if (rc == 0)
		globfree(&found);
}

/* The given files stand in the order in which the disk once had them. */
static void
include_from_memory(
    struct parse *p, const char *pattern, const struct token *where)
{
	for (size_t i = 0; i < p->ngiven; i++)
		if (fnmatch(pattern, p->given[i].name,
			FNM_PATHNAME | FNM_PERIOD) == 0)
			include_one(p, p->given[i].name, where);
}

int
parse_include(struct words *w)
{
	struct parse *p = w->parse;
	const struct token *t = word_peek(w);
	const char *name;
	bool pattern;

	if (t == NULL || !t->string || t->len == 0)
		return word_expected(
		    w, "the name of a file in quotes", NULL, 0);
	word_next(w);
	if (words_end(w) < 0)
		return -1;
	if (p->ninclude++ == RULES_INCLUDED_MAX) {
		problem_at(p->report, t, "more than %d 'include' in a rule set",
		    RULES_INCLUDED_MAX);
		p->errors_max = 0;
		return -1;
	}
	pattern = strpbrk(t->text, "*?[") != NULL;
	name = beside(w, t, pattern);
	if (!pattern)
		include_one(p, name, t);
	else if (p->given != NULL)
		include_from_memory(p, name, t);
	else
		include_from_disk(p, name, t);
	return 0;
}
