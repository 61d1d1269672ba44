/*
 * rules_restore.c - the files of an earlier rule set: where they belong, which
 * of them differ from what is there, writing those, and putting all back.
 */
#include "router/rules_restore.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/rules_change.h"
#include "router/rules_files.h"

#define KEPT	 ".before-rollback"
#define KEPT_MAX 100 /* copies of one file */

/* -- names
 * ----------------------------------------------------------------------- */

static size_t
folder_len(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? (size_t)(slash - name) + 1 : 0;
}

char *
restore_name(
    const char *stored, const char *stored_main, const char *rules_file)
{
	size_t folder = folder_len(stored_main);
	struct str name = STR_INIT;

	if (strcmp(stored, stored_main) == 0)
		return xstrdup(rules_file);
	if (strncmp(stored, stored_main, folder) != 0 || stored[folder] == '/')
		return xstrdup(stored); /* included from somewhere else */
	str_addf(&name, "%.*s%s", (int)folder_len(rules_file), rules_file,
	    stored + folder);
	return str_detach(&name);
}

bool
restore_is_inside(const char *name, const char *rules_file)
{
	size_t folder = folder_len(rules_file);

	if (strncmp(name, rules_file, folder) != 0 || name[folder] == '/')
		return false;
	for (name += folder; *name != '\0'; name += strspn(name, "/")) {
		size_t len = strcspn(name, "/");

		if (len == 2 && memcmp(name, "..", 2) == 0)
			return false;
		name += len;
	}
	return true;
}

bool
restore_has(const struct restore *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->file[i].name, name) == 0)
			return true;
	return false;
}

bool
restore_differs(const struct restored *f)
{
	return f->old == NULL || f->old_len != f->want->len ||
	       memcmp(f->old, f->want->text, f->old_len) != 0;
}

/* -- what is there
 * --------------------------------------------------------------- */

/* What is on disk under that name is what the daemon has read there. */
static bool
is_applied(const struct restored *f, const struct rules_set *running,
    const char *rules_file)
{
	bool same = false;

	for (size_t i = 0; !same && i < running->n; i++) {
		const struct rules_file *g = &running->file[i];
		char *name =
		    restore_name(g->name, running->file[0].name, rules_file);

		same = strcmp(name, f->name) == 0 && g->len == f->old_len &&
		       memcmp(g->text, f->old, g->len) == 0;
		free(name);
	}
	return same;
}

static int
read_old(struct restored *f, const struct rules_set *running,
    const char *rules_file, struct err *e)
{
	struct err why = ERR_INIT;

	f->old = rules_file_read(f->name, &f->old_len, &why);
	if (f->old != NULL)
		f->applied = is_applied(f, running, rules_file);
	else if (why.code != ENOENT)
		return err_set(e, "%s", why.text);
	return 0;
}

int
restore_init(struct restore *r, const struct rules_set *set,
    const struct rules_set *running, const char *rules_file, struct err *e)
{
	*r = (struct restore){ .n = set->n };
	r->file = xcalloc(set->n, sizeof(*r->file));
	r->set = xcalloc(set->n, sizeof(*r->set));
	for (size_t i = 0; i < set->n; i++) {
		struct restored *f = &r->file[i];

		f->want = &set->file[i];
		f->name =
		    restore_name(f->want->name, set->file[0].name, rules_file);
		r->set[i] = *f->want;
		r->set[i].name = f->name;
		if (read_old(f, running, rules_file, e) != 0)
			return -1;
	}
	return 0;
}

void
restore_clear(struct restore *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->file[i].name);
		free(r->file[i].old);
		free(r->file[i].kept);
	}
	rules_change_free(&r->change);
	free(r->file);
	free(r->set);
	*r = (struct restore){ .n = 0 };
}

/* -- wildcards
 * ------------------------------------------------------------------- */

/* The pattern of an `include` line that has a wildcard; NULL: it is none. Only
 * to refuse early: what is loaded after the writing is what counts. */
static char *
wildcard_of(const char *line, size_t len, const char *file)
{
	static const char word[] = "include";
	const char *end = line + len, *open, *close;
	struct str pattern = STR_INIT;

	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	if ((size_t)(end - line) < sizeof(word) ||
	    strncmp(line, word, sizeof(word) - 1) != 0 ||
	    (open = memchr(line, '"', (size_t)(end - line))) == NULL ||
	    (close = memchr(open + 1, '"', (size_t)(end - open) - 1)) == NULL)
		return NULL;
	if (open[1] != '/')
		str_add(&pattern, file, folder_len(file));
	str_add(&pattern, open + 1, (size_t)(close - open) - 1);
	if (strpbrk(pattern.data, "*?[") != NULL)
		return str_detach(&pattern);
	str_release(&pattern);
	return NULL;
}

static char *
foreign_to(const struct restore *r, const char *pattern)
{
	char *found = NULL;
	glob_t names;

	if (glob(pattern, 0, NULL, &names) != 0)
		return NULL;
	for (size_t i = 0; found == NULL && i < names.gl_pathc; i++)
		if (!restore_has(r, names.gl_pathv[i]))
			found = xstrdup(names.gl_pathv[i]);
	globfree(&names);
	return found;
}

static char *
foreign_to_file(const struct restore *r, const struct rules_file *file)
{
	const char *line = file->text, *end = line + file->len;
	char *found = NULL;

	while (found == NULL && line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((stop ? stop : end) - line);
		char *pattern = wildcard_of(line, len, file->name);

		if (pattern != NULL)
			found = foreign_to(r, pattern);
		free(pattern);
		line += len + 1;
	}
	return found;
}

char *
restore_foreign(const struct restore *r)
{
	char *found = NULL;

	for (size_t i = 0; found == NULL && i < r->n; i++)
		found = foreign_to_file(r, &r->set[i]);
	return found;
}

/* -- writing
 * --------------------------------------------------------------------- */

/* An earlier copy stays: this one gets a number. */
static int
keep(struct restored *f, struct err *e)
{
	struct err why = ERR_INIT;

	for (int i = 1; i <= KEPT_MAX; i++) {
		struct str name = STR_INIT;

		str_addf(&name, "%s" KEPT, f->name);
		if (i > 1)
			str_addf(&name, "-%d", i);
		if (rules_file_keep(
			name.data, f->name, f->old, f->old_len, &why) == 0) {
			f->kept = str_detach(&name);
			return 0;
		}
		str_release(&name);
		if (why.code != EEXIST)
			break;
	}
	return err_set(e, "%s", why.text);
}

static int
keep_edits(struct restore *r, struct err *e)
{
	for (size_t i = 0; i < r->n; i++) {
		struct restored *f = &r->file[i];

		if (restore_differs(f) && f->old != NULL && !f->applied &&
		    keep(f, e) != 0)
			return -1;
	}
	return 0;
}

int
restore_write(struct restore *r, const char *journal, struct err *e)
{
	if (keep_edits(r, e) != 0)
		return -1;
	r->change = rules_change_new(journal);
	for (size_t i = 0; i < r->n; i++) {
		struct restored *f = &r->file[i];

		if (restore_differs(f) &&
		    rules_change_add(r->change, f->name, f->want->text,
			f->want->len, e) != 0)
			return -1;
	}
	if (rules_change_make(r->change, e) != 0)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		r->file[i].written = restore_differs(&r->file[i]);
	return 0;
}

int
restore_undo(struct restore *r, struct err *e)
{
	int rc = r->change != NULL ? rules_change_undo(r->change, e) : 0;

	for (size_t i = 0; i < r->n; i++) {
		struct restored *f = &r->file[i];

		f->written &= rc != 0;
		if (rc == 0 && f->kept != NULL)
			unlink(f->kept);
	}
	return rc;
}
