/*
 * rules.c - `oiwake rules`: what was in force, what a change would do, and the
 * way back.
 */
#include "router/cli/rules_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/str.h"

static const struct cli_option options[] = {
	{ "limit", "N", "history: so many sets at most (100)" },
	{ "file", "NAME", "show: this file alone" },
	{ "since", "TIME", "diff: mail of the last 24h, 30min, 7d" },
	{ "against", "FILE",
	    "diff: lines 'recipient' or 'sender recipient' instead of mail" },
	{ "expect-none", NULL, "diff: status 1 when anything moves" },
	{ "write", NULL, "fmt: replace the file" },
	{ "check", NULL, "fmt: status 1 when it is not in canonical form" },
	{ NULL, NULL, NULL },
};

/* -- history
 * --------------------------------------------------------------------- */

static void
print_history(const json_t *rows)
{
	static const char *const heads[] = { "", "number", "time", "version",
		"files", "bytes", "who" };
	size_t n = sizeof(heads) / sizeof(heads[0]), i;
	struct cli_table *t = cli_table_new(n);
	const json_t *row;

	for (i = 0; i < n; i++)
		cli_table_add(t, heads[i]);
	cli_table_right(t, 1);
	cli_table_right(t, 4);
	cli_table_right(t, 5);
	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		cli_table_add(t,
		    json_is_true(json_object_get(row, "running")) ? "*" : "");
		cli_table_add_number(t, row, "number");
		cli_table_add(t, cli_text(row, "at"));
		cli_table_add(t, cli_text(row, "version"));
		cli_table_add_number(t, row, "files");
		cli_table_add_number(t, row, "bytes");
		cli_table_add(t, cli_text(row, "who"));
	}
	cli_table_print(&t, stdout);
}

static int
history(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *limit = args->value[RULES_LIMIT];
	struct str url = STR_INIT;
	json_t *reply, *rows, *row;
	int64_t n;

	if (limit != NULL && cli_number(limit, 1, 10000, &n) != 0)
		return cli_usage(cmd, "--limit is a number from 1 to 10000");
	str_adds(&url, "/v1/rules");
	if (limit != NULL)
		cli_query_add(&url, "limit", limit);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	if (!args->json && json_array_size(rows) == 0)
		puts("no rule set is kept");
	else if (!args->json)
		print_history(rows);
	else
		for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++)
			cli_print_json(json_incref(row));
	json_decref(reply);
	return CLI_GOOD;
}

/* -- show
 * ------------------------------------------------------------------------ */

/* Exactly, for whoever saves it; cleaned, for whoever looks at it. */
static void
print_text(const struct rules_file *file)
{
	if (isatty(STDOUT_FILENO))
		cli_print_lines(stdout, file->text);
	else
		fwrite(file->text, 1, file->len, stdout);
	if (file->len > 0 && file->text[file->len - 1] != '\n')
		putchar('\n');
}

static void
show_file(const struct cli_args *args, const struct rules_file *file, bool head)
{
	if (args->json) {
		cli_print_json(
		    json_pack("{s:s, s:s, s:s%}", "set", args->argv[0], "name",
			file->name, "text", file->text, file->len));
		return;
	}
	if (head) {
		fputs("# --- ", stdout);
		cli_print(stdout, file->name);
		putchar('\n');
	}
	print_text(file);
}

/* By its whole name, or as an include beside the main file would say it. */
static bool
is_named(
    const struct cli_set *set, const struct rules_file *file, const char *name)
{
	const char *main = set->set.file[0].name, *slash = strrchr(main, '/');
	size_t folder = slash ? (size_t)(slash - main) + 1 : 0;

	return strcmp(file->name, name) == 0 ||
	       (strncmp(file->name, main, folder) == 0 &&
		   strcmp(file->name + folder, name) == 0);
}

static int
show_set(const struct cli_args *args, const struct cli_set *set)
{
	const char *only = args->value[RULES_FILE];
	bool found = false;

	for (size_t i = 0; i < set->set.n; i++) {
		if (only != NULL && !is_named(set, &set->set.file[i], only))
			continue;
		show_file(args, &set->set.file[i], only == NULL && set->set.n > 1);
		found = true;
	}
	return found ? CLI_GOOD
		     : cli_fail(
			   "rule set %s has no file '%s'", args->argv[0], only);
}

static int
show(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *which = args->argv[0];
	struct str url = STR_INIT;
	struct cli_set set;
	json_t *reply;
	int64_t n;
	int rc;

	if (strcmp(which, "running") != 0 &&
	    cli_number(which, 1, INT64_MAX, &n) != 0)
		return cli_usage(
		    cmd, "show takes a number of the history, or 'running'");
	str_addf(&url, "/v1/rules/%s", which);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	if (reply == NULL || cli_set_init(&set, reply) != 0)
		return CLI_BAD;
	rc = show_set(args, &set);
	cli_set_clear(&set);
	return rc;
}

/* -- the verbs
 * ------------------------------------------------------------------- */

#define OPTION(o) (1u << RULES_##o)

static const struct verb {
	const char *name;
	int least, most;  /* words behind it */
	unsigned options; /* that it takes */
	const char *usage;
	int (*run)(const struct cli_command *, const struct cli_args *);
} verbs[] = {
	{ "history", 0, 0, OPTION(LIMIT), "[--limit N]", history },
	{ "show", 1, 1, OPTION(FILE), "N|running [--file NAME]", show },
	{ "rollback", 1, 1, 0, "N", rules_rollback },
	{ "diff", 1, 1, OPTION(SINCE) | OPTION(AGAINST) | OPTION(EXPECT_NONE),
	    "NEW [--since TIME | --against FILE] [--expect-none]", rules_diff },
	{ "fmt", 1, 1000, OPTION(WRITE) | OPTION(CHECK),
	    "FILE... [--write | --check]", rules_fmt },
};

static int
run_verb(const struct cli_command *cmd, const struct verb *verb,
    struct cli_args *args)
{
	args->argc--;
	args->argv++;
	for (unsigned o = 0; o <= RULES_CHECK; o++)
		if (args->value[o] != NULL && !(verb->options & (1u << o)))
			return cli_usage(cmd, "rules %s has no option --%s",
			    verb->name, options[o].name);
	if (args->argc < verb->least || args->argc > verb->most)
		return cli_usage(
		    cmd, "expected rules %s %s", verb->name, verb->usage);
	return verb->run(cmd, args);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (args.argc > 0 && strcmp(verbs[i].name, args.argv[0]) == 0)
			return run_verb(cmd, &verbs[i], &args);
	return cli_usage(cmd, "expected history, show, rollback, diff or fmt");
}

const struct cli_command cli_rules = { "rules",
	"history | show N | rollback N | diff NEW | fmt FILE... [OPTION...]",
	"see what was in force, what a change would do, go back", run,
	options };
