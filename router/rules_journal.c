/*
 * rules_journal.c - what a change of rules is about to do, written down first;
 * and its end after the process was killed.
 *
 *	{"ready":true,"files":[{"name":...,"new":...,"was":[dev,ino,size,mtime]}]}
 *
 * `was` tells whether the file is still the one that was to be replaced; null:
 * there was none.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/rules_change_int.h"

/* -- writing
 * --------------------------------------------------------------------- */

static json_t *
identity(const struct stat *st)
{
	return json_pack("[I, I, I, I]", (json_int_t)st->st_dev,
	    (json_int_t)st->st_ino, (json_int_t)st->st_size,
	    (json_int_t)st->st_mtim.tv_sec * 1000000000 +
		(json_int_t)st->st_mtim.tv_nsec);
}

/* Names are bytes, JSON is text: what is no UTF-8 cannot be written down. */
static json_t *
file_json(const struct changed *f)
{
	return json_pack("{s:s, s:s, s:o}", "name", f->place.real, "new",
	    f->beside, "was",
	    f->place.exists ? identity(&f->place.st) : json_null());
}

static char *
journal_text(const struct rules_change *c, bool ready)
{
	json_t *files = json_array(), *journal;
	char *text = NULL;
	bool good = true;

	for (size_t i = 0; i < c->n; i++)
		good &=
		    json_array_append_new(files, file_json(&c->file[i])) == 0;
	journal = json_pack("{s:b, s:o}", "ready", ready, "files", files);
	if (good)
		text = json_dumps(journal, JSON_COMPACT);
	json_decref(journal);
	return text;
}

/* Whole at any moment. Removing what was prepared can wait for another day: on
 * disk it has to be only once files are to be replaced. */
int
rules_journal_write(const struct rules_change *c, bool ready, struct err *e)
{
	static const struct stat ours = {
		.st_mode = 0600, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1
	};
	char *text, *beside;
	int rc;

	if (c->journal == NULL)
		return 0;
	text = journal_text(c, ready);
	if (text == NULL)
		return err_set(e, "cannot write a file whose name is no UTF-8");
	beside = rules_file_beside(c->journal, ".part");
	unlink(beside);
	rc = rules_file_create(beside, &ours, text, strlen(text), e);
	if (rc == 0 && (rename(beside, c->journal) != 0 ||
			   (ready && rules_folder_sync(c->journal) != 0)))
		rc = err_sys(e, "cannot write '%s'", c->journal);
	free(beside);
	free(text);
	return rc;
}

void
rules_journal_remove(const struct rules_change *c)
{
	if (c->journal != NULL)
		unlink(c->journal);
}

/* -- after a kill
 * ---------------------------------------------------------------- */

static bool
is_unchanged(const char *name, const json_t *was)
{
	struct rules_place place;
	struct err e = ERR_INIT;
	bool same = false;
	json_t *now;

	if (rules_place_find(&place, name, &e) == 0) {
		now = place.exists ? identity(&place.st) : json_null();
		same = json_equal(now, was);
		json_decref(now);
	}
	free(place.real);
	return same;
}

static void
end_file(const json_t *file, struct str *report)
{
	const char *name = json_string_value(json_object_get(file, "name"));
	const char *new = json_string_value(json_object_get(file, "new"));

	if (name == NULL || new == NULL || access(new, F_OK) != 0)
		return;
	if (!is_unchanged(name, json_object_get(file, "was"))) {
		unlink(new);
		str_addf(report,
		    "'%s' has been edited since, and stays as it is\n", name);
	} else if (rename(new, name) != 0 || rules_folder_sync(name) != 0)
		str_addf(
		    report, "cannot write '%s': %s\n", name, strerror(errno));
	else
		str_addf(report, "'%s' now has its new text\n", name);
}

static void
drop_file(const json_t *file)
{
	const char *new = json_string_value(json_object_get(file, "new"));

	if (new != NULL)
		unlink(new);
}

static void
end_change(const json_t *journal, struct str *report)
{
	const json_t *files = json_object_get(journal, "files");
	bool ready = json_is_true(json_object_get(journal, "ready"));
	const json_t *file;

	str_adds(report,
	    ready ? "a change of the rules was cut off, and is now ended\n"
		  : "a change of the rules was cut off before it began: they "
		    "are as they were\n");
	for (size_t i = 0; (file = json_array_get(files, i)) != NULL; i++)
		if (ready)
			end_file(file, report);
		else
			drop_file(file);
}

void
rules_change_recover(const char *journal, struct str *report)
{
	struct err e = ERR_INIT;
	size_t len = 0;
	char *text = rules_file_read(journal, &len, &e);
	json_t *found;

	if (text == NULL) {
		if (e.code != ENOENT)
			str_addf(report, "%s\n", e.text);
		return;
	}
	found = json_loadb(text, len, 0, NULL);
	if (found != NULL)
		end_change(found, report);
	else
		str_addf(report, "'%s' cannot be understood\n", journal);
	json_decref(found);
	free(text);
	unlink(journal);
}
