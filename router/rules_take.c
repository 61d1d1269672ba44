/*
 * rules_take.c - the newest rule set of the store onto this node's disk.
 *
 * Each step finds a reason why not, or the next one follows. Nothing is written
 * before all that can be found wrong has been looked for, and what is written
 * is put back when it does not make up the set after all.
 */
#include "router/rules_take.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/rules_change.h"
#include "router/rules_files.h"
#include "router/rules_recover.h"
#include "router/store/store.h"

#define HISTORY 1000 /* sets that are looked through for one that ran before */

void
rules_take_init(struct rules_take *t, const struct config *running,
    int64_t epoch, bool starting)
{
	*t = (struct rules_take){ .running = running,
		.epoch = epoch,
		.starting = starting,
		.lock = -1 };
	t->running_set.version = ruleset_version(running->rules);
}

void
rules_take_clear(struct rules_take *t)
{
	restore_clear(&t->restore);
	if (t->lock >= 0)
		close(t->lock);
	for (size_t i = 0; i < t->n; i++) {
		free((void *)(uintptr_t)t->file[i].name);
		free((void *)(uintptr_t)t->file[i].text);
	}
	free(t->file);
	config_unref(&t->settings);
	free(t->version);
	free(t->who);
	free(t->why);
	t->lock = -1;
}

static bool __attribute__((format(printf, 2, 3)))
stay(struct rules_take *t, const char *fmt, ...)
{
	struct str why = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&why, fmt, ap);
	va_end(ap);
	free(t->why);
	t->why = str_detach(&why);
	t->result = RULES_KEPT;
	return false;
}

/* -- what is in force ------------------------------------------------------ */

static void
take_newest(void *arg, const struct ruleset_row *row)
{
	struct rules_take *t = arg;

	t->number = row->number;
	t->version = xstrdup(row->version);
	t->who = xstrdup(row->who);
}

struct looking {
	const char *version;
	bool found;
};

static void
look_for(void *arg, const struct ruleset_row *row)
{
	struct looking *l = arg;

	l->found |= strcmp(row->version, l->version) == 0;
}

static bool
was_in_force(struct store_reader *reader, const char *version)
{
	struct looking l = { .version = version };

	store_read_rulesets(reader, 0, HISTORY, look_for, &l);
	return l.found;
}

struct company {
	const struct rules_take *take;
	unsigned others, same;
};

static void
count_node(void *arg, const struct node_row *row)
{
	struct company *c = arg;

	if (row->epoch == c->take->epoch || row->lost)
		return;
	c->others++;
	c->same += strcmp(row->ruleset, c->take->running_set.version) == 0;
}

/* What runs here has never been in force: it is for all only when all agree. */
static bool
is_agreed(struct rules_take *t, struct store_reader *reader)
{
	struct company c = { .take = t };

	store_read_nodes(reader, count_node, &c);
	if (c.others > c.same || (c.others == 0 && !t->starting))
		return false;
	t->result = RULES_RECORD;
	return true;
}

static bool
is_other(struct rules_take *t, struct store_reader *reader)
{
	const char *runs = t->running_set.version;

	t->result = RULES_SAME;
	store_read_rulesets(reader, 0, 1, take_newest, t);
	if (t->version == NULL)
		t->result = RULES_RECORD;
	if (t->version == NULL || strcmp(t->version, runs) == 0)
		return false;
	if (was_in_force(reader, runs))
		return true;
	if (is_agreed(t, reader))
		return false;
	return stay(t,
	    "rules %s, which this node found on its disk, are not those in "
	    "force, which are %s: reload here to have all nodes run them, or "
	    "oiwake rules rollback %lld to run what the others do",
	    runs, t->version, (long long)t->number);
}

/* -- what is on disk ------------------------------------------------------- */

static bool
load_settings(struct rules_take *t)
{
	struct str report = STR_INIT;

	t->settings =
	    config_load_part(t->running->file, CONFIG_SETTINGS, &report);
	if (t->settings == NULL)
		stay(t, "rules %s are in force, but the settings here do not "
			"load: %.*s",
		    t->version, (int)strcspn(report.data, "\n"), report.data);
	str_release(&report);
	return t->settings != NULL;
}

static bool
take_lock(struct rules_take *t)
{
	struct err e = ERR_INIT;

	t->lock = rules_folder_lock(t->settings->rules_file, &e);
	if (t->lock >= 0)
		return true;
	if (e.code != EWOULDBLOCK)
		return stay(
		    t, "rules %s are in force: %s", t->version, e.text);
	t->result = RULES_LATER;
	return false;
}

static bool
is_on_disk(const struct rules_take *t, const char *version)
{
	struct str report = STR_INIT;
	struct ruleset *rules =
	    config_load_rules(t->settings, NULL, NULL, 0, &report);
	bool same =
	    rules != NULL && strcmp(ruleset_version(rules), version) == 0;

	ruleset_unref(rules);
	str_release(&report);
	return same;
}

/* Somebody's edit, who has not reloaded yet. */
static bool
is_unedited(struct rules_take *t)
{
	if (is_on_disk(t, t->running_set.version))
		return true;
	return stay(t,
	    "rules %s are in force, but the files here have been edited and "
	    "not reloaded: this node runs rules %s",
	    t->version, t->running_set.version);
}

/* -- the new set ----------------------------------------------------------- */

static void
take_file(void *arg, const struct rules_file *file)
{
	struct rules_take *t = arg;

	t->file = xrealloc(t->file, (t->n + 1) * sizeof(*t->file));
	t->file[t->n++] = (struct rules_file){ .name = xstrdup(file->name),
		.text = xstrndup(file->text, file->len),
		.len = file->len };
}

static bool
read_set(struct rules_take *t, struct store_reader *reader)
{
	struct rules_set set = { .version = t->version };
	const struct rules_file *running;
	struct err e = ERR_INIT;

	store_read_ruleset_files(reader, t->number, take_file, t);
	if (t->n == 0)
		return stay(t, "rules %s are in force, but their files cannot "
			       "be read",
		    t->version);
	set.file = t->file;
	set.n = t->n;
	t->running_set.n = ruleset_files(t->running->rules, &running);
	t->running_set.file = (struct rules_file *)(uintptr_t)running;
	if (restore_init(&t->restore, &set, &t->running_set,
		t->settings->rules_file, &e) != 0)
		return stay(
		    t, "rules %s are in force: %s", t->version, e.text);
	return true;
}

static bool
loads_here(struct rules_take *t)
{
	struct str report = STR_INIT;
	struct ruleset *rules = config_load_rules(t->settings, NULL,
	    t->restore.set, t->restore.n, &report);
	bool good =
	    rules != NULL && strcmp(ruleset_version(rules), t->version) == 0;

	if (!good)
		stay(t, "rules %s are in force, but do not load with the "
			"settings of this node%s%.*s",
		    t->version, rules == NULL ? ": " : "",
		    (int)strcspn(report.data, "\n"), report.data);
	ruleset_unref(rules);
	str_release(&report);
	return good;
}

static bool
runs_already(const struct rules_take *t, const char *name)
{
	for (size_t i = 0; i < t->running_set.n; i++)
		if (strcmp(t->running_set.file[i].name, name) == 0)
			return true;
	return false;
}

/* Names come from another machine: outside of the rules' own folder only what
 * the rules here name themselves is written. */
static bool
is_in_place(struct rules_take *t)
{
	char *foreign = restore_foreign(&t->restore);

	if (foreign != NULL) {
		stay(t, "rules %s are in force, but their include would read "
			"'%s' here, which is not of them",
		    t->version, foreign);
		free(foreign);
		return false;
	}
	for (size_t i = 0; i < t->restore.n; i++) {
		const struct restored *f = &t->restore.file[i];

		if (restore_differs(f) &&
		    !restore_is_inside(f->name, t->settings->rules_file) &&
		    !runs_already(t, f->name))
			return stay(t, "rules %s are in force, but their '%s' "
				       "differs here",
			    t->version, f->name);
	}
	return true;
}

void
rules_take_undo(struct rules_take *t)
{
	struct err e = ERR_INIT;

	if (restore_undo(&t->restore, &e) != 0)
		log_text(LOG_ERROR, "rules", "%s", e.text);
}

static void
write_set(struct rules_take *t)
{
	struct err e = ERR_INIT;
	char *journal = rules_change_journal(t->settings->state_directory);

	t->result = RULES_WRITTEN;
	if (restore_write(&t->restore, journal, &e) != 0)
		stay(t, "rules %s are in force: %s", t->version, e.text);
	else if (!is_on_disk(t, t->version))
		stay(t, "rules %s are in force, but with what else is on disk "
			"here these are others",
		    t->version);
	if (t->result != RULES_WRITTEN)
		rules_take_undo(t);
	free(journal);
}

void
rules_take_read(struct rules_take *t, struct store_reader *reader)
{
	if (!is_other(t, reader) || !load_settings(t) || !take_lock(t))
		return;
	if (is_on_disk(t, t->version)) {
		t->result = RULES_WRITTEN;
		return;
	}
	if (is_unedited(t) && read_set(t, reader) && loads_here(t) &&
	    is_in_place(t))
		write_set(t);
}
