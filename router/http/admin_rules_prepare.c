/*
 * admin_rules_prepare.c - may these rules be put in force? Everything that can
 * be found wrong is found before anything is written.
 *
 * Two people who edit at once never overwrite each other unseen: what the
 * editor began from has to be what runs, and what runs has to be what is on
 * disk, where somebody may have edited by hand. Else the answer is 409 and the
 * difference.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/http/admin_rules_edit_int.h"
#include "router/rules_files.h"

/* Each step: true when the next may follow; else it has answered. */
struct step {
	struct admin_request *r;
	struct admin_apply *a;
	struct store_reader *reader;
	const struct ruleset *running;
	const struct rules_file *file; /* of the running set, n of them */
	size_t n;
};

/* `kind` is for programs: stale, disk or busy. */
static bool
conflict(struct step *s, const char *kind, const char *error)
{
	admin_rules_refuse(s->r, 409, "%s", error);
	admin_put(s->r->rows, "conflict", kind);
	admin_put(s->r->rows, "running", ruleset_version(s->running));
	return false;
}

/* -- the rules that the editor began from
 * ---------------------------------------- */

static bool
is_base_running(struct step *s)
{
	struct err e = ERR_INIT;
	struct admin_set base;
	bool kept;

	if (strcmp(s->a->base, ruleset_version(s->running)) == 0)
		return true;
	kept = admin_set_of_version(
		   &base, s->reader, s->a->base, s->running, &e) == 0;
	conflict(s, "stale",
	    kept ? "the rules have been changed since this edit began"
		 : "this edit began from rules that are not in the history");
	if (kept)
		admin_put_diff(
		    s->r->rows, "diff", base.file, base.n, s->file, s->n);
	admin_set_clear(&base);
	return false;
}

static bool
take_lock(struct step *s)
{
	struct err e = ERR_INIT;

	s->a->lock = rules_folder_lock(s->file[0].name, &e);
	if (s->a->lock >= 0)
		return true;
	if (e.code == EWOULDBLOCK)
		return conflict(s, "busy",
		    "another change of the rules is being made: try again");
	admin_rules_refuse(s->r, 409, "%s", e.text);
	return false;
}

/* -- what is on disk
 * ------------------------------------------------------------- */

/* The rules are checked against the settings that a reload will read. */
static bool
load_settings(struct step *s)
{
	struct str report = STR_INIT;

	s->a->settings =
	    config_load_part(s->r->config->file, CONFIG_SETTINGS, &report);
	if (s->a->settings == NULL)
		admin_rules_refuse(s->r, 409,
		    "the settings do not load just now: %.*s",
		    (int)strcspn(report.data, "\n"), report.data);
	else if (strcmp(s->a->settings->rules_file, s->file[0].name) != 0)
		conflict(s, "disk",
		    "the settings name another file of rules by now: reload "
		    "first");
	str_release(&report);
	return !admin_rules_answered(s->r);
}

/* The running files as they are on disk; what cannot be read is left out. */
static void
read_disk(struct step *s, struct admin_set *disk)
{
	struct err e = ERR_INIT;

	disk->file = xcalloc(s->n, sizeof(*disk->file));
	disk->own = xcalloc(s->n, sizeof(*disk->own));
	for (size_t i = 0; i < s->n; i++) {
		struct rules_file *f = &disk->file[disk->n];
		char *text = rules_file_read(s->file[i].name, &f->len, &e);

		if (text == NULL)
			continue;
		f->name = s->file[i].name;
		f->text = disk->own[disk->nown++] = text;
		disk->n++;
	}
}

static void
tell_disk(struct step *s, const struct ruleset *rules, const char *report)
{
	struct admin_set disk = { .n = 0 };
	const struct rules_file *file;
	size_t n;

	conflict(s, "disk",
	    "the files on disk are not the rules that run: somebody has "
	    "edited them and not reloaded");
	if (rules != NULL) {
		n = ruleset_files(rules, &file);
		admin_put_diff(s->r->rows, "diff", s->file, s->n, file, n);
		return;
	}
	read_disk(s, &disk);
	admin_put_diff(s->r->rows, "diff", s->file, s->n, disk.file, disk.n);
	admin_put(s->r->rows, "detail", report);
	admin_set_clear(&disk);
}

static bool
is_disk_running(struct step *s)
{
	struct str report = STR_INIT;
	struct ruleset *rules =
	    config_load_rules(s->a->settings, NULL, NULL, 0, &report);
	bool same = rules != NULL && strcmp(ruleset_version(rules),
					 ruleset_version(s->running)) == 0;

	if (!same)
		tell_disk(s, rules, report.data);
	ruleset_unref(rules);
	str_release(&report);
	return same;
}

/* -- the new rules
 * --------------------------------------------------------------- */

static bool
find_set(struct step *s)
{
	struct err e = ERR_INIT;

	if (admin_set_asked(
		&s->a->set, s->reader, s->r->body, s->running, &e) == 0)
		return true;
	admin_rules_refuse(s->r,
	    json_object_get(s->r->body, "number") ? 404 : 400, "%s", e.text);
	return false;
}

static bool
load_set(struct step *s)
{
	struct rules_report report;
	struct ruleset *new;

	rules_report_init(&report);
	new = admin_set_load(&s->a->set, s->a->settings, s->running, &report);
	if (new == NULL) {
		admin_rules_refuse(
		    s->r, 422, "the new rules do not load: nothing is changed");
		json_object_set_new(
		    s->r->rows, "report", admin_report_json(&report));
	} else {
		s->a->version = xstrdup(ruleset_version(new));
	}
	ruleset_unref(new);
	rules_report_clear(&report);
	return s->a->version != NULL;
}

static bool
is_set_whole(struct step *s)
{
	const char *kept = s->a->set.version;

	if (kept == NULL || strcmp(kept, s->a->version) == 0)
		return true;
	admin_rules_refuse(s->r, 409,
	    "the files of that rule set do not make it up any more: nothing "
	    "is changed");
	return false;
}

static bool
is_on_disk(const struct rules_file *file)
{
	struct err e = ERR_INIT;
	struct rules_file disk = { .name = file->name };
	char *text = rules_file_read(file->name, &disk.len, &e);
	bool same;

	disk.text = text;
	same = text != NULL && admin_same_text(file, &disk);
	free(text);
	return same;
}

/* Only files of the running set are written: one that an earlier set had beside
 * them has to be there as it was. */
static bool
is_set_in_place(struct step *s)
{
	for (size_t i = 0; i < s->a->set.n; i++) {
		const struct rules_file *f = &s->a->set.file[i];

		if (admin_file_of(s->file, s->n, f->name) != NULL ||
		    is_on_disk(f))
			continue;
		admin_rules_refuse(s->r, 409,
		    "'%s' differs, and is not of the running rules: such a set "
		    "is put back on the machine, with oiwake rules rollback",
		    f->name);
		return false;
	}
	return true;
}

static bool
is_new(struct step *s)
{
	json_t *reply;

	if (strcmp(s->a->version, ruleset_version(s->running)) != 0)
		return true;
	reply = json_object();
	admin_put(reply, "version", s->a->version);
	json_object_set_new(reply, "changed", json_false());
	admin_rules_answer(s->r, 200, reply);
	return false;
}

void
admin_apply_prepare(struct admin_request *r, struct store_reader *reader)
{
	static bool (*const steps[])(struct step *) = { is_base_running,
		take_lock, load_settings, is_disk_running, find_set, load_set,
		is_set_whole, is_set_in_place, is_new };
	struct step s = {
		.r = r,
		.a = r->apply,
		.reader = reader,
		.running = r->config->rules,
	};

	s.n = ruleset_files(s.running, &s.file);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!steps[i](&s))
			return;
}
