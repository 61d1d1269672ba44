/*
 * sources.c - `oiwake sources`: the addresses that mail leaves from, and how
 * far their warm-up is.
 */
#include <stdlib.h>
#include <string.h>

#include "router/cli/cli.h"

static const struct cli_option options[] = {
	{ "group", "GROUP", "to this receiving system or domain only" },
	{ NULL, NULL, NULL },
};
enum { OPTION_GROUP };

/* -- list ---------------------------------------------------------------- */

static void
print_sources(const json_t *rows)
{
	static const char *const columns[] = { "source", "hostname", "address",
		"public", "state", "until", "weight", "waiting", "sending" };
	enum { TEXTS = 6 };
	size_t n = sizeof(columns) / sizeof(columns[0]), i, k;
	struct cli_table *t = cli_table_new(n);
	json_t *row;

	for (k = 0; k < n; k++) {
		cli_table_add(t, columns[k]);
		if (k >= TEXTS)
			cli_table_right(t, k);
	}
	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		for (k = 0; k < n; k++)
			if (k < TEXTS)
				cli_table_add(t, cli_text(row, columns[k]));
			else
				cli_table_add_number(t, row, columns[k]);
	cli_table_print(&t, stdout);
}

static void
add_warm(struct cli_table *t, const json_t *source, const json_t *warm)
{
	bool done = json_is_true(json_object_get(warm, "warm"));
	const char *group = cli_text(warm, "group");

	cli_table_add(t, cli_text(source, "source"));
	cli_table_add(t, *group != '\0' ? group : "(all)");
	cli_table_add(t, cli_text(warm, "plan"));
	cli_table_add(t, done ? "warm" : cli_text(warm, "again"));
	if (done)
		for (size_t i = 0; i < 3; i++)
			cli_table_add(t, "");
	else {
		cli_table_add_number(t, warm, "day");
		cli_table_add_number(t, warm, "allowed");
		cli_table_add_number(t, warm, "sent");
	}
}

static size_t
count_warm_ups(const json_t *rows)
{
	size_t i, n = 0;
	json_t *row;

	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		n += json_array_size(json_object_get(row, "warm_up"));
	return n;
}

static void
print_warm_ups(const json_t *rows)
{
	static const char *const heads[] = { "source", "group", "plan",
		"next day", "day", "allowed", "sent" };
	size_t n = sizeof(heads) / sizeof(heads[0]), i, k;
	struct cli_table *t = cli_table_new(n);
	json_t *row, *warm, *groups;

	for (k = 0; k < n; k++) {
		cli_table_add(t, heads[k]);
		if (k >= 4)
			cli_table_right(t, k);
	}
	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		groups = json_object_get(row, "warm_up");
		for (k = 0; (warm = json_array_get(groups, k)) != NULL; k++)
			add_warm(t, row, warm);
	}
	putchar('\n');
	cli_table_print(&t, stdout);
}

static int
list(const struct cli_args *args)
{
	json_t *reply = cli_ask(args, "/v1/sources", NULL, NULL), *rows;

	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	if (args->json) {
		cli_print_json_rows(rows);
	} else if (json_array_size(rows) == 0) {
		puts("there are no sources");
	} else {
		print_sources(rows);
		if (count_warm_ups(rows) > 0)
			print_warm_ups(rows);
	}
	json_decref(reply);
	return CLI_GOOD;
}

/* -- warm and new -------------------------------------------------------- */

static int
say(const struct cli_args *args, bool warm)
{
	json_t *body =
	    json_pack("{s:s, s:b}", "source", args->argv[1], "warm", warm);
	json_t *reply;

	if (args->value[OPTION_GROUP] != NULL)
		json_object_set_new(
		    body, "group", json_string(args->value[OPTION_GROUP]));
	reply = cli_ask(args, "/v1/warm-up", body, NULL);
	if (reply == NULL)
		return CLI_BAD;
	if (args->json)
		cli_print_json(json_incref(reply));
	json_decref(reply);
	return CLI_GOOD;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc == 0 && args.value[OPTION_GROUP] == NULL)
		return list(&args);
	if (args.argc == 2 && strcmp(args.argv[0], "warm") == 0)
		return say(&args, true);
	if (args.argc == 2 && strcmp(args.argv[0], "new") == 0)
		return say(&args, false);
	return cli_usage(cmd, "expected nothing, or warm or new and the name "
			      "of a source");
}

const struct cli_command cli_sources = { "sources",
	"[warm|new SOURCE [--group GROUP]]",
	"list what mail leaves from, say what is warmed up", run, options };
