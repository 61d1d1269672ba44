/*
 * pause.c - `oiwake pause`, `resume`, `pauses`: an operator stops what leaves,
 * and lets it go on.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/pause.h"

#define SECONDS_MAX (INT64_C(366) * 86400)

static const struct cli_option options[] = {
	PAUSE_OPTIONS,
	{ NULL, NULL, NULL },
};
enum { OPTION_FOR, OPTION_WHY };

/* -- list ---------------------------------------------------------------- */

static void
print_rows(const json_t *rows)
{
	static const char *const columns[] = { "kind", "name", "until", "who",
		"at", "why" };
	size_t n = sizeof(columns) / sizeof(columns[0]), i, k;
	struct cli_table *t = cli_table_new(n);
	json_t *row;

	for (k = 0; k < n; k++)
		cli_table_add(t, columns[k]);
	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		for (k = 0; k < n; k++) {
			const char *text = cli_text(row, columns[k]);
			bool ever = strcmp(columns[k], "until") == 0 && !*text;

			cli_table_add(t, ever ? "resumed" : text);
		}
	cli_table_print(&t, stdout);
}

static int
list(const struct cli_args *args)
{
	json_t *reply = cli_ask(args, "/v1/pauses", NULL, NULL), *rows;

	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	if (!args->json && json_array_size(rows) == 0)
		puts("nothing is paused");
	else if (!args->json)
		print_rows(rows);
	else
		cli_print_json_rows(rows);
	json_decref(reply);
	return CLI_GOOD;
}

/* -- change -------------------------------------------------------------- */

static int
parse_time(const char *text, int64_t *seconds)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = { { "s", 1 }, { "min", 60 }, { "h", 3600 },
		{ "d", 86400 } };
	size_t digits = strspn(text, "0123456789");
	char number[20];

	if (digits == 0 || digits >= sizeof(number))
		return -1;
	memcpy(number, text, digits);
	number[digits] = '\0';
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		if (cli_number(number, 1, SECONDS_MAX / units[i].seconds,
			seconds) != 0)
			return -1;
		*seconds *= units[i].seconds;
		return 0;
	}
	return -1;
}

/* The daemon answers when it is kept. */
static int
change(const struct cli_args *args, const char *path, json_t *body)
{
	json_t *reply = cli_ask(args, path, body, NULL);

	if (reply == NULL)
		return CLI_BAD;
	if (args->json)
		cli_print_json(json_incref(reply));
	json_decref(reply);
	return CLI_GOOD;
}

static int
stop(const struct cli_command *cmd, const struct cli_args *args,
    const char *path, const char *kind, const char *name)
{
	json_t *body = json_object();
	int64_t seconds;

	json_object_set_new(body, kind, json_string(name));
	if (args->value[OPTION_WHY] != NULL)
		json_object_set_new(
		    body, "why", json_string(args->value[OPTION_WHY]));
	if (args->value[OPTION_FOR] != NULL) {
		if (parse_time(args->value[OPTION_FOR], &seconds) != 0) {
			json_decref(body);
			return cli_usage(cmd,
			    "--for takes a time of up to 366 days, as 30min, "
			    "2h or 7d");
		}
		json_object_set_new(body, "seconds", json_integer(seconds));
	}
	return change(args, path, body);
}

#define EXPECTED                                                               \
	"expected path, source or group, and a name, or mail and which: "      \
	"path=, carrier=, sender=, user="

/* A kind and one name; of mail there may be several words, one name together.
 * NULL: it is none. The caller frees. */
static char *
name_of(const struct cli_args *args)
{
	struct str name = STR_INIT;
	bool mail = args->argc > 0 && strcmp(args->argv[0], "mail") == 0;

	if (!mail && (args->argc != 2 || (strcmp(args->argv[0], "path") != 0 &&
					     strcmp(args->argv[0], "source") != 0 &&
					     strcmp(args->argv[0], "group") != 0)))
		return NULL;
	if (args->argc < 2)
		return NULL;
	for (int i = 1; i < args->argc; i++)
		str_addf(&name, "%s%s", i > 1 ? " " : "", args->argv[i]);
	return str_detach(&name);
}

/* -- commands ------------------------------------------------------------ */

static int
run_pause(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	char *name;

	if (rc >= 0)
		return rc;
	if (args.argc == 0 && args.value[OPTION_FOR] == NULL &&
	    args.value[OPTION_WHY] == NULL)
		return list(&args);
	name = name_of(&args);
	rc = name == NULL
		 ? cli_usage(cmd, EXPECTED)
		 : stop(cmd, &args, "/v1/pause", args.argv[0], name);
	free(name);
	return rc;
}

int
pause_drain_source(const struct cli_command *cmd, const struct cli_args *args,
    const char *name)
{
	return stop(cmd, args, "/v1/drain", "source", name);
}

static int
run_resume(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	json_t *body;
	char *name;

	if (rc >= 0)
		return rc;
	name = name_of(&args);
	if (name == NULL)
		return cli_usage(cmd, EXPECTED);
	body = json_object();
	json_object_set_new(body, args.argv[0], json_string(name));
	free(name);
	return change(&args, "/v1/resume", body);
}

static int
run_pauses(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	return list(&args);
}

const struct cli_command cli_pause = { "pause",
	"[path|source|group NAME | mail WORD... [--for TIME] [--why TEXT]]",
	"hold what goes by a path, from a source or to a group, or just some "
	"mail",
	run_pause, options };
const struct cli_command cli_resume = { "resume",
	"path|source|group NAME | mail WORD...",
	"end a pause or a drain", run_resume, NULL };
const struct cli_command cli_pauses = { "pauses", "",
	"list what is paused and drained", run_pauses, NULL };
