/*
 * drain.c - `oiwake drain`: a node is emptied before it goes, or a source is.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"
#include "router/cli/pause.h"

static const struct cli_option options[] = {
	PAUSE_OPTIONS,
	{ "wait", NULL, "of a node: return when it holds nothing any more" },
	{ "undo", NULL, "of a node: it stays after all" },
	{ NULL, NULL, NULL },
};
enum { OPTION_FOR, OPTION_WHY, OPTION_WAIT, OPTION_UNDO };

#define SETTLED 2000 /* ms that a node may take to begin with it */

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* *reply holds it. NULL with *reply: it has left; without: told. */
static const json_t *
find_node(const struct cli_args *args, const char *name, json_t **reply)
{
	json_t *rows, *row;

	*reply = cli_ask(args, "/v1/nodes", NULL, NULL);
	rows = json_object_get(*reply, "rows");
	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		if (strcmp(cli_text(row, "node"), name) == 0)
			return row;
	return NULL;
}

/* What was heard before it was told to go says nothing. */
static bool
is_empty(const json_t *row, int64_t since)
{
	json_int_t lag = json_integer_value(json_object_get(row, "lag"));
	json_int_t leases = json_integer_value(json_object_get(row, "leases"));

	return leases == 0 && now_ms() - lag >= since + SETTLED;
}

/* -1: ask again. */
static int
look(const struct cli_args *args, const char *name, int64_t since)
{
	json_t *reply;
	const json_t *row = find_node(args, name, &reply);
	const char *health = row != NULL ? cli_text(row, "health") : "";
	int rc = -1;

	if (reply == NULL)
		rc = CLI_BAD;
	else if (row == NULL)
		rc = CLI_GOOD;
	else if (strcmp(health, "lost") == 0)
		rc = cli_fail("node '%s' is lost: the others take back what it "
			      "held",
		    name);
	else if (strcmp(health, "draining") != 0)
		rc = cli_fail("node '%s' is to stay after all", name);
	else if (is_empty(row, since))
		rc = CLI_GOOD;
	json_decref(reply);
	return rc;
}

static int
wait_until_empty(const struct cli_args *args, const char *name)
{
	int64_t since = now_ms();
	int rc;

	while ((rc = look(args, name, since)) < 0)
		sleep(1);
	return rc;
}

static int
change(const struct cli_args *args, const char *name, bool undo)
{
	struct str path = STR_INIT;
	json_t *body = json_object(), *reply;

	if (undo)
		json_object_set_new(body, "undo", json_true());
	str_adds(&path, "/v1/nodes/");
	cli_path_add(&path, name);
	str_adds(&path, "/drain");
	reply = cli_ask(args, path.data, body, NULL);
	str_release(&path);
	if (reply != NULL && args->json)
		cli_print_json(json_incref(reply));
	json_decref(reply);
	return reply != NULL ? CLI_GOOD : CLI_BAD;
}

static int
drain_node(const struct cli_args *args, const char *name)
{
	bool undo = args->value[OPTION_UNDO] != NULL;
	int rc = change(args, name, undo);

	return rc == CLI_GOOD && args->value[OPTION_WAIT] != NULL
		   ? wait_until_empty(args, name)
		   : rc;
}

/* The daemon that answers. */
static int
drain_this(const struct cli_args *args)
{
	json_t *reply = cli_ask(args, "/v1/nodes", NULL, NULL);
	int rc =
	    reply == NULL ? CLI_BAD : drain_node(args, cli_text(reply, "this"));

	json_decref(reply);
	return rc;
}

static bool
is_given(const struct cli_args *args, int first, int second)
{
	return args->value[first] != NULL || args->value[second] != NULL;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	bool node, source;

	if (rc >= 0)
		return rc;
	node = args.argc == 0 ||
	       (args.argc == 2 && strcmp(args.argv[0], "node") == 0);
	source = args.argc == 1 ||
		 (args.argc == 2 && strcmp(args.argv[0], "source") == 0);
	if (!node && !source)
		return cli_usage(cmd,
		    "expected node or source and a name, the name of a source, "
		    "or nothing for this node");
	if (node && is_given(&args, OPTION_FOR, OPTION_WHY))
		return cli_usage(cmd, "--for and --why are of a source");
	if (source && is_given(&args, OPTION_WAIT, OPTION_UNDO))
		return cli_usage(cmd,
		    "--wait and --undo are of a node; of a source see resume");
	if (args.value[OPTION_WAIT] != NULL && args.value[OPTION_UNDO] != NULL)
		return cli_usage(cmd, "either --wait or --undo");
	if (source)
		return pause_drain_source(cmd, &args, args.argv[args.argc - 1]);
	return args.argc == 0 ? drain_this(&args)
			      : drain_node(&args, args.argv[1]);
}

const struct cli_command cli_drain = { "drain",
	"[node NODE] [--wait | --undo] | [source] SOURCE [--for TIME] "
	"[--why TEXT]",
	"empty this node or another before it goes; or let what would leave "
	"from a source leave from another",
	run, options };
