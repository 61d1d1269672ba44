/*
 * ses_letters.c - `oiwake ses letters`: feedback that nobody here could make
 * sense of.
 */
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/ses_int.h"

static void
print_letters(const json_t *rows)
{
	static const char *const columns[] = { "seq", "at", "source", "id",
		"why" };
	size_t n = sizeof(columns) / sizeof(columns[0]);
	struct cli_table *t = cli_table_new(n);
	json_t *row;

	for (size_t k = 0; k < n; k++)
		cli_table_add(t, columns[k]);
	cli_table_right(t, 0);
	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		cli_table_add_number(t, row, columns[0]);
		for (size_t k = 1; k < n; k++)
			cli_table_add(t, cli_text(row, columns[k]));
	}
	cli_table_print(&t, stdout);
}

static int
list(const struct cli_args *args)
{
	static const struct {
		enum ses_option option;
		const char *name;
	} given[] = { { SES_OPTION_AFTER, "after" },
		{ SES_OPTION_LIMIT, "limit" } };
	struct str url = STR_INIT;
	json_t *reply, *rows;

	str_adds(&url, "/v1/ses/letters");
	for (size_t i = 0; i < 2; i++)
		if (args->value[given[i].option] != NULL)
			cli_query_add(
			    &url, given[i].name, args->value[given[i].option]);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	if (args->json)
		cli_print_json_rows(rows);
	else if (json_array_size(rows) == 0)
		puts("there are no dead letters");
	else
		print_letters(rows);
	json_decref(reply);
	return CLI_GOOD;
}

static int
remove_letters(const struct cli_command *cmd, const struct cli_args *args)
{
	bool all = args->value[SES_OPTION_ALL] != NULL;
	int64_t seq = 0;
	json_t *reply, *removed;

	if (args->argc != (all ? 2 : 3) ||
	    (!all && cli_number(args->argv[2], 1, INT64_MAX, &seq) != 0))
		return cli_usage(
		    cmd, "letters remove takes the number of one, or --all");
	reply = cli_ask(args, "/v1/ses/letters/remove",
	    json_pack("{s:I}", "seq", (json_int_t)seq), NULL);
	if (reply == NULL)
		return CLI_BAD;
	removed = json_object_get(reply, "removed");
	if (args->json)
		cli_print_json(json_incref(reply));
	else
		printf("removed %" JSON_INTEGER_FORMAT "\n",
		    json_integer_value(removed));
	if (seq != 0 && json_integer_value(removed) == 0) {
		json_decref(reply);
		return cli_fail("there is no letter %s", args->argv[2]);
	}
	json_decref(reply);
	return CLI_GOOD;
}

int
ses_letters(const struct cli_command *cmd, const struct cli_args *args)
{
	if (args->argc == 1 && args->value[SES_OPTION_ALL] == NULL)
		return list(args);
	if (args->argc >= 2 && strcmp(args->argv[1], "remove") == 0)
		return remove_letters(cmd, args);
	return cli_usage(cmd, "expected letters, or letters remove N");
}
