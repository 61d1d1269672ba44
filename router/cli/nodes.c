/*
 * nodes.c - `oiwake nodes`: the machines that share a queue, and whether each
 * is well.
 */
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"

static const char *const columns[] = { "node", "host", "version", "ruleset",
	"started", "health", "lag", "leases", "sources" };
#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

/* "0.8 s", since it was last heard of. */
static void
add_lag(struct cli_table *t, const json_t *row)
{
	long long ms = json_integer_value(json_object_get(row, "lag"));
	struct str text = STR_INIT;

	str_addf(&text, "%lld.%lld s", ms / 1000, ms % 1000 / 100);
	cli_table_add(t, text.data);
	str_release(&text);
}

static void
add_sources(struct cli_table *t, const json_t *row)
{
	const json_t *names = json_object_get(row, "sources");
	struct str text = STR_INIT;

	for (size_t i = 0; i < json_array_size(names); i++)
		str_addf(&text, "%s%s", i > 0 ? "," : "",
		    json_string_value(json_array_get(names, i)));
	cli_table_add(t, text.data);
	str_release(&text);
}

static void
add_row(struct cli_table *t, const json_t *row)
{
	for (size_t k = 0; k < NCOLUMNS; k++)
		if (strcmp(columns[k], "lag") == 0)
			add_lag(t, row);
		else if (strcmp(columns[k], "leases") == 0)
			cli_table_add_number(t, row, columns[k]);
		else if (strcmp(columns[k], "sources") == 0)
			add_sources(t, row);
		else
			cli_table_add(t, cli_text(row, columns[k]));
}

static void
print_trouble(const json_t *rows)
{
	json_t *row;

	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		if (*cli_text(row, "trouble") == '\0')
			continue;
		cli_print(stdout, cli_text(row, "node"));
		fputs(": ", stdout);
		cli_print(stdout, cli_text(row, "trouble"));
		putchar('\n');
	}
}

/* For a moment after each reload that is as it should be. */
static void
print_mixed(const json_t *rows, const char *column, const char *what)
{
	const char *first = cli_text(json_array_get(rows, 0), column);
	json_t *row;

	for (size_t i = 1; (row = json_array_get(rows, i)) != NULL; i++) {
		if (strcmp(cli_text(row, column), first) == 0)
			continue;
		printf("nodes run different %s\n", what);
		return;
	}
}

static void
print_rows(const json_t *rows)
{
	struct cli_table *t = cli_table_new(NCOLUMNS);
	json_t *row;

	for (size_t k = 0; k < NCOLUMNS; k++) {
		cli_table_add(t, columns[k]);
		if (strcmp(columns[k], "lag") == 0 ||
		    strcmp(columns[k], "leases") == 0)
			cli_table_right(t, k);
	}
	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		add_row(t, row);
	cli_table_print(&t, stdout);
	print_trouble(rows);
	print_mixed(rows, "ruleset", "rules");
	print_mixed(rows, "version", "versions of the program");
}

/* One that goes because somebody wants it to is no bad news. */
static bool
all_are_well(const json_t *rows)
{
	json_t *row;

	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		const char *health = cli_text(row, "health");

		if (strcmp(health, "lost") == 0 ||
		    strcmp(health, "trouble") == 0)
			return false;
	}
	return true;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	json_t *reply, *rows;

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	reply = cli_ask(&args, "/v1/nodes", NULL, NULL);
	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	if (args.json)
		cli_print_json_rows(rows);
	else
		print_rows(rows);
	rc = all_are_well(rows) ? CLI_GOOD : CLI_BAD;
	json_decref(reply);
	return rc;
}

const struct cli_command cli_nodes = { "nodes", "",
	"list the machines that share the queue, and whether they are well",
	run, NULL };
