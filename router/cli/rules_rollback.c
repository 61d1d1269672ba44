/*
 * rules_rollback.c - `oiwake rules rollback N`: the files of set N are written
 * back, and the daemon reads them.
 *
 * Everything that can be found wrong is found before anything is written. What
 * goes wrong later, the reload above all, puts the files back as they were.
 */
#include "router/cli/rules_int.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/rules_files.h"

struct rollback {
	const struct cli_args *args;
	const char *number;
	struct config *config;
	struct cli_set set, running;
	struct restore restore;
	char *report; /* of the daemon, when it has reloaded */
};

/* -- before
 * ---------------------------------------------------------------------- */

static int
fetch(const struct cli_args *args, const char *which, struct cli_set *set)
{
	struct str url = STR_INIT;
	json_t *reply;

	str_addf(&url, "/v1/rules/%s", which);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	return reply != NULL ? cli_set_init(set, reply) : -1;
}

/* Held until the process ends. -1: told. */
static int
lock_folder(const char *rules_file)
{
	struct err e = ERR_INIT;
	int fd = rules_folder_lock(rules_file, &e);

	if (fd < 0 && e.code == EWOULDBLOCK)
		cli_fail("another rollback is at work on '%s'", rules_file);
	else if (fd < 0)
		cli_fail("%s", e.text);
	return fd;
}

/* With the settings as they are now, and under the names that the files will
 * have. */
static int
check_set(const struct rollback *rb)
{
	struct str report = STR_INIT;
	struct ruleset *rules = config_load_rules(
	    rb->config, NULL, rb->restore.set, rb->restore.n, &report);
	int rc = 0;

	if (rules == NULL) {
		cli_print_lines(stderr, report.data);
		cli_fail("rule set %s does not load with the present settings: "
			 "nothing is changed",
		    rb->number);
		rc = -1;
	} else if (strcmp(ruleset_version(rules), rb->set.set.version) != 0) {
		cli_fail("the files of rule set %s do not make it up any more: "
			 "nothing is changed",
		    rb->number);
		rc = -1;
	}
	ruleset_unref(rules);
	str_release(&report);
	return rc;
}

static int
check_foreign(const struct rollback *rb)
{
	char *foreign = restore_foreign(&rb->restore);

	if (foreign == NULL)
		return 0;
	cli_fail("'%s' is not of rule set %s, but its include would read it: "
		 "move it away first; nothing is changed",
	    foreign, rb->number);
	free(foreign);
	return -1;
}

static bool
has_file(const struct ruleset *rules, const char *name)
{
	const struct rules_file *files;
	size_t n = rules ? ruleset_files(rules, &files) : 0;

	for (size_t i = 0; i < n; i++)
		if (strcmp(files[i].name, name) == 0)
			return true;
	return false;
}

/*
 * Names come from the daemon, and whoever goes back may write anywhere: outside
 * of the rules' own folder only what the rules on disk name themselves.
 */
static int
check_places(const struct rollback *rb)
{
	const char *rules_file = rb->config->rules_file;
	struct ruleset *rules = NULL;
	struct str report = STR_INIT;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < rb->restore.n; i++) {
		const struct restored *f = &rb->restore.file[i];

		if (!restore_differs(f) ||
		    restore_is_inside(f->name, rules_file))
			continue;
		if (rules == NULL)
			rules = config_load_rules(
			    rb->config, NULL, NULL, 0, &report);
		if (has_file(rules, f->name))
			continue;
		cli_fail("'%s' of rule set %s differs, and lies where the "
			 "present rules include nothing: nothing is changed",
		    f->name, rb->number);
		rc = -1;
	}
	ruleset_unref(rules);
	str_release(&report);
	return rc;
}

static int
prepare(struct rollback *rb)
{
	struct err e = ERR_INIT;

	if (fetch(rb->args, rb->number, &rb->set) != 0 ||
	    fetch(rb->args, "running", &rb->running) != 0)
		return -1;
	if (restore_init(&rb->restore, &rb->set.set, &rb->running.set,
		rb->config->rules_file, &e) != 0) {
		cli_fail("%s: nothing is changed", e.text);
		return -1;
	}
	if (check_set(rb) != 0 || check_foreign(rb) != 0)
		return -1;
	return check_places(rb);
}

/* -- after
 * ----------------------------------------------------------------------- */

static void
tell_foreign(const struct rollback *rb, const struct ruleset *rules)
{
	const struct rules_file *files;
	size_t n = ruleset_files(rules, &files);

	for (size_t i = 0; i < n; i++)
		if (!restore_has(&rb->restore, files[i].name))
			cli_fail("'%s' is not of rule set %s, but its include "
				 "reads it",
			    files[i].name, rb->number);
}

/* What the daemon will read is set N, whatever wildcards find by now. */
static int
check_disk(const struct rollback *rb)
{
	struct str report = STR_INIT;
	struct ruleset *rules =
	    config_load_rules(rb->config, NULL, NULL, 0, &report);
	int rc = -1;

	if (rules == NULL)
		cli_print_lines(stderr, report.data);
	else if (strcmp(ruleset_version(rules), rb->set.set.version) != 0)
		tell_foreign(rb, rules);
	else
		rc = 0;
	if (rc != 0)
		cli_fail("what was written is not rule set %s", rb->number);
	ruleset_unref(rules);
	str_release(&report);
	return rc;
}

static bool
is_in_force(const struct rollback *rb)
{
	json_t *reply = cli_ask(rb->args, "/v1/rules?limit=1", NULL, NULL);
	bool same =
	    strcmp(cli_text(reply, "running"), rb->set.set.version) == 0;

	json_decref(reply);
	return same;
}

/* The daemon's answer may be lost, or may come from one that reads other
 * files: what runs then is what counts. */
static int
reload(struct rollback *rb)
{
	struct str why = STR_INIT;
	char *refused = NULL;
	json_t *reply;

	str_addf(&why, "rollback to %s", rb->number);
	reply = cli_ask(rb->args, "/v1/reload",
	    json_pack("{s:s}", "why", why.data), &refused);
	str_release(&why);
	rb->report = xstrdup(cli_text(reply, "report"));
	json_decref(reply);
	if (refused != NULL) {
		cli_print_lines(stderr, refused);
		cli_fail("the daemon refused to reload");
		free(refused);
		return -1;
	}
	if (is_in_force(rb))
		return 0;
	cli_fail("the daemon does not run rule set %s", rb->number);
	return -1;
}

/* From the first write to the reload, or until all is put back. */
static void
hold_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTSTP);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int
apply(struct rollback *rb)
{
	struct err e = ERR_INIT;
	int rc = 0;

	hold_signals(true);
	if (restore_write(&rb->restore, NULL, &e) != 0) {
		cli_fail("%s", e.text);
		rc = -1;
	}
	if (rc == 0)
		rc = check_disk(rb) != 0 || reload(rb) != 0 ? -1 : 0;
	if (rc != 0) {
		if (restore_undo(&rb->restore, &e) != 0)
			cli_fail("%s", e.text);
		cli_fail("not rolled back: the files are as they were, and "
			 "the running rules stay");
	}
	hold_signals(false);
	return rc;
}

/* -- what was done
 * --------------------------------------------------------------- */

static void
print_file(const char *what, const char *name, const char *then)
{
	fputs(what, stdout);
	cli_print(stdout, name);
	fputs(then, stdout);
}

static void
print_text(const struct rollback *rb)
{
	for (size_t i = 0; i < rb->restore.n; i++) {
		const struct restored *f = &rb->restore.file[i];

		if (f->kept != NULL) {
			print_file("kept an edit that was never in force: ",
			    f->kept, "\n");
		}
		if (f->written)
			print_file(
			    f->old ? "restored " : "created ", f->name, "\n");
	}
	cli_print_lines(stdout, rb->report);
	printf("rule set %s is in force, version %s\n", rb->number,
	    rb->set.set.version);
}

static void
print_json(const struct rollback *rb)
{
	json_t *written = json_array(), *kept = json_array();

	for (size_t i = 0; i < rb->restore.n; i++) {
		const struct restored *f = &rb->restore.file[i];

		if (f->written)
			json_array_append_new(written, json_string(f->name));
		if (f->kept != NULL)
			json_array_append_new(kept, json_string(f->kept));
	}
	cli_print_json(json_pack("{s:b, s:s, s:s, s:o, s:o, s:s}", "ok", 1,
	    "number", rb->number, "version", rb->set.set.version, "written",
	    written, "kept", kept, "report", rb->report));
}

int
rules_rollback(const struct cli_command *cmd, const struct cli_args *args)
{
	struct rollback rb = { .args = args, .number = args->argv[0] };
	int lock = -1, rc = CLI_BAD;
	int64_t n;

	if (cli_number(rb.number, 1, INT64_MAX, &n) != 0)
		return cli_usage(cmd, "rollback takes a number of the history");
	if ((rb.config = cli_config(args, CONFIG_SETTINGS)) == NULL)
		return CLI_BAD;
	if ((lock = lock_folder(rb.config->rules_file)) >= 0 &&
	    prepare(&rb) == 0 && apply(&rb) == 0) {
		rc = CLI_GOOD;
		if (args->json)
			print_json(&rb);
		else
			print_text(&rb);
	}
	if (lock >= 0)
		close(lock);
	free(rb.report);
	restore_clear(&rb.restore);
	cli_set_clear(&rb.set);
	cli_set_clear(&rb.running);
	config_unref(&rb.config);
	return rc;
}
