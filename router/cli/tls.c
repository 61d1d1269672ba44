/*
 * tls.c - `oiwake tls`: how TLS went with the hosts of other domains.
 */
#include "router/cli/cli.h"

static const char *const keys[] = { "day", "domain", "policy" };
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

/* A line for each result that has come. */
static void
add_row(struct cli_table *t, json_t *row)
{
	const char *name;
	json_t *value;

	json_object_foreach (row, name, value) {
		if (!json_is_integer(value) || json_integer_value(value) == 0)
			continue;
		for (size_t i = 0; i < NKEYS; i++)
			cli_table_add(t, cli_text(row, keys[i]));
		cli_table_add(t, name);
		cli_table_add_number(t, row, name);
	}
}

static void
print_table(const json_t *rows)
{
	struct cli_table *t = cli_table_new(NKEYS + 2);
	json_t *row;
	size_t i;

	for (i = 0; i < NKEYS; i++)
		cli_table_add(t, keys[i]);
	cli_table_add(t, "result");
	cli_table_add(t, "sessions");
	cli_table_right(t, NKEYS + 1);
	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		add_row(t, row);
	cli_table_print(&t, stdout);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	json_t *reply, *rows;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	reply = cli_ask(&args, "/v1/tls", NULL, NULL);
	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	if (!args.json)
		print_table(rows);
	else
		cli_print_json_rows(rows);
	json_decref(reply);
	return CLI_GOOD;
}

const struct cli_command cli_tls = { "tls", "",
	"how TLS went with the hosts of other domains", run, NULL };
