/*
 * rules_change.c - prepares new texts beside their files, puts them in place,
 * and takes them back.
 */
#include "router/rules_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "router/rules_change_int.h"

#define BESIDE ".oiwake-new"

struct rules_change *
rules_change_new(const char *journal)
{
	struct rules_change *c = xcalloc(1, sizeof(*c));

	c->journal = journal != NULL ? xstrdup(journal) : NULL;
	return c;
}

static void
clear_file(struct changed *f)
{
	free(f->place.real);
	free(f->beside);
	free(f->old);
}

void
rules_change_free(struct rules_change **p)
{
	struct rules_change *c = *p;

	*p = NULL;
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++) {
		if (!c->file[i].made)
			unlink(c->file[i].beside);
		clear_file(&c->file[i]);
	}
	rules_journal_remove(c);
	free(c->file);
	free(c->journal);
	free(c);
}

/* -- before
 * ---------------------------------------------------------------------- */

/* By two names, of which one is a link. */
static bool
is_there(const struct rules_change *c, const char *real)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->file[i].place.real, real) == 0)
			return true;
	return false;
}

static int
look(const struct rules_change *c, struct changed *f, const char *name,
    struct err *e)
{
	if (rules_place_find(&f->place, name, e) != 0)
		return -1;
	if (is_there(c, f->place.real))
		return err_set(e,
		    "cannot write '%s': another name of a file that is "
		    "written already",
		    name);
	if (!f->place.exists)
		return 0;
	f->old = rules_file_read(f->place.real, &f->old_len, e);
	return f->old != NULL ? 0 : -1;
}

/* What a killed process has left under that name is ours to remove: whoever
 * changes the rules holds the lock. */
static int
prepare(const struct changed *f, const char *text, size_t len, struct err *e)
{
	if (unlink(f->beside) != 0 && errno != ENOENT)
		return err_sys(e, "cannot write '%s'", f->beside);
	return rules_file_create(
	    f->beside, f->place.exists ? &f->place.st : NULL, text, len, e);
}

int
rules_change_add(struct rules_change *c, const char *name, const char *text,
    size_t len, struct err *e)
{
	struct changed f = { .made = false };

	if (look(c, &f, name, e) != 0) {
		clear_file(&f);
		return -1;
	}
	f.beside = rules_file_beside(f.place.real, BESIDE);
	c->file = xrealloc(c->file, (c->n + 1) * sizeof(*c->file));
	c->file[c->n++] = f;
	if (rules_journal_write(c, false, e) != 0)
		return -1;
	return prepare(&f, text, len, e);
}

/* -- in place
 * -------------------------------------------------------------------- */

static int
sync_folders(const struct rules_change *c, struct err *e)
{
	for (size_t i = 0; i < c->n; i++)
		if (rules_folder_sync(c->file[i].place.real) != 0)
			return err_sys(e, "cannot write the folder of '%s'",
			    c->file[i].place.real);
	return 0;
}

static int
put_in_place(struct rules_change *c, struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		struct changed *f = &c->file[i];

		if (rename(f->beside, f->place.real) != 0)
			return err_sys(e, "cannot write '%s'", f->place.real);
		f->made = true;
	}
	return sync_folders(c, e);
}

/* One after the other: for when several at once did not go. */
static int
put_back(struct rules_change *c, struct err *e)
{
	struct err why = ERR_INIT;
	int rc = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct changed *f = &c->file[i];

		if (f->made && f->old == NULL)
			f->made = unlink(f->place.real) != 0 && errno != ENOENT;
		else if (f->made)
			f->made = rules_file_replace(f->place.real, f->old,
				      f->old_len, &why) != 0;
		if (f->made)
			rc = err_set(e, "cannot put back '%s'", f->place.real);
	}
	return rc;
}

int
rules_change_make(struct rules_change *c, struct err *e)
{
	int rc;

	if (c->n == 0)
		return 0;
	if (sync_folders(c, e) != 0 || rules_journal_write(c, true, e) != 0)
		return -1;
	rc = put_in_place(c, e);
	if (rc != 0)
		put_back(c, e);
	rules_journal_remove(c);
	return rc;
}

/* Those that were files go back as a change of their own. */
static int
change_back(struct rules_change *c)
{
	struct rules_change *back = rules_change_new(c->journal);
	struct err e = ERR_INIT;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		const struct changed *f = &c->file[i];

		if (f->made && f->old != NULL)
			rc = rules_change_add(
			    back, f->place.real, f->old, f->old_len, &e);
	}
	if (rc == 0)
		rc = rules_change_make(back, &e);
	rules_change_free(&back);
	return rc;
}

int
rules_change_undo(struct rules_change *c, struct err *e)
{
	bool back = change_back(c) == 0;

	for (size_t i = 0; back && i < c->n; i++)
		if (c->file[i].old != NULL)
			c->file[i].made = false;
	return put_back(c, e);
}
