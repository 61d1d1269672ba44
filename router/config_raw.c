/*
 * config_raw.c - looking into raw sections, and the list of what is wrong.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

void
config_problem(
    struct raw_config *raw, struct config_place at, const char *fmt, ...)
{
	struct str text = STR_INIT;
	va_list ap;

	if (raw->nproblems >= CONFIG_PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	/* Escapes in a string can make any byte of a value that is quoted. */
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			text.data[i] = '?';
	raw->problems =
	    config_grow(raw->problems, &raw->nproblems, sizeof(*raw->problems));
	raw->problems[raw->nproblems - 1] = (struct config_problem){
		.at = at, .seq = raw->nproblems, .text = str_detach(&text)
	};
}

static size_t
file_order(const struct raw_config *raw, const char *file)
{
	for (size_t i = 0; i < raw->nfiles; i++)
		if (raw->files[i] == file)
			return i;
	return raw->nfiles;
}

static int
by_place(const void *a, const void *b, void *arg)
{
	const struct config_problem *x = a, *y = b;
	const struct raw_config *raw = arg;
	size_t fx = file_order(raw, x->at.file),
	       fy = file_order(raw, y->at.file);

	if (fx != fy)
		return fx < fy ? -1 : 1;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

void
config_raw_report(struct raw_config *raw, struct str *report)
{
	if (raw->nproblems > 0)
		qsort_r(raw->problems, raw->nproblems, sizeof(*raw->problems),
		    by_place, raw);
	for (size_t i = 0; i < raw->nproblems; i++) {
		const struct config_problem *p = &raw->problems[i];

		str_adds(report, p->at.file);
		if (p->at.line > 0)
			str_addf(report, ":%d", p->at.line);
		str_addf(report, ": %s\n", p->text);
	}
	if (raw->nproblems == CONFIG_PROBLEMS_MAX)
		str_adds(report, "more mistakes are not shown\n");
	if (raw->rules_report != NULL)
		str_adds(report, raw->rules_report);
}

const struct raw_entry *
raw_find_nth(const struct raw_section *s, const char *key, size_t index)
{
	for (size_t i = 0; i < s->nentries; i++)
		if (strcmp(s->entries[i].key->name, key) == 0 && index-- == 0)
			return &s->entries[i];
	return NULL;
}

const struct raw_entry *
raw_find(const struct raw_section *s, const char *key)
{
	return raw_find_nth(s, key, 0);
}

const struct raw_section *
raw_section_first(const struct raw_config *raw, const char *kind)
{
	for (size_t i = 0; i < raw->nsections; i++)
		if (strcmp(raw->sections[i].kind->name, kind) == 0)
			return &raw->sections[i];
	return NULL;
}

char *
config_path_relative(const char *from_file, const char *name)
{
	const char *slash = strrchr(from_file, '/');
	struct str path = STR_INIT;

	if (name[0] != '/' && slash != NULL)
		str_add(&path, from_file, (size_t)(slash - from_file) + 1);
	str_adds(&path, name);
	return str_detach(&path);
}
