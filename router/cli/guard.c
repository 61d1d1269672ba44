/*
 * guard.c - `oiwake guard`: whose mail is watched, slowed or stopped, and what
 * is left of what Amazon bears.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"

static const struct cli_option options[] = {
	{ "all", NULL, "those that are well, too" },
	{ NULL, NULL, NULL },
};
enum { OPTION_ALL };

static void
add_percent(struct str *out, const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);
	double percent = json_number_value(value) * 100;

	if (json_is_number(value))
		str_addf(out, "%.*f %%", percent >= 1 ? 1 : 2, percent);
	else
		str_adds(out, "-");
}

static void
add_cell(struct cli_table *t, struct str *text)
{
	cli_table_add(t, text->data);
	str_clear(text);
}

/* "9.8 % of 1024 in 24h" */
static void
add_rate(struct cli_table *t, const json_t *row)
{
	const char *window = cli_text(row, "window");
	struct str text = STR_INIT;

	add_percent(&text, row, "rate");
	str_addf(&text, " of %lld",
	    (long long)json_integer_value(json_object_get(row, "volume")));
	if (*window != '\0')
		str_addf(&text, " in %s", window);
	add_cell(t, &text);
	str_release(&text);
}

static void
add_limits(
    struct cli_table *t, const json_t *row, const char *const *keys, size_t n)
{
	struct str text = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		str_adds(&text, i > 0 ? " / " : "");
		add_percent(&text, row, keys[i]);
	}
	add_cell(t, &text);
	str_release(&text);
}

/* The evidence says most; of one that is well, how far it is from trouble. */
static const char *
word_of(const json_t *row)
{
	const char *level = cli_text(row, "level");

	return strcmp(level, "ok") == 0 ? cli_text(row, "left_text")
					: cli_text(row, "evidence");
}

static void
print_levels(const json_t *rows)
{
	static const char *const columns[] = { "mail", "level", "kind", "rate",
		"warn / slow / pause", "until", "why" };
	static const char *const limits[] = { "warn", "slow", "pause" };
	size_t n = sizeof(columns) / sizeof(columns[0]), i;
	struct cli_table *t = cli_table_new(n);
	json_t *row;

	for (i = 0; i < n; i++)
		cli_table_add(t, columns[i]);
	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		cli_table_add(t, cli_text(row, "name"));
		cli_table_add(t, cli_text(row, "level"));
		cli_table_add(t, cli_text(row, "kind"));
		add_rate(t, row);
		add_limits(t, row, limits, 3);
		cli_table_add(t, cli_text(row, "until"));
		cli_table_add(t, word_of(row));
	}
	cli_table_print(&t, stdout);
}

static void
print_budget(const json_t *rows)
{
	static const char *const columns[] = { "path", "kind", "rate",
		"review / stop", "left" };
	static const char *const limits[] = { "review", "stop" };
	size_t n = sizeof(columns) / sizeof(columns[0]), i;
	struct cli_table *t = cli_table_new(n);
	json_t *row;

	for (i = 0; i < n; i++)
		cli_table_add(t, columns[i]);
	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		cli_table_add(t, cli_text(row, "path"));
		cli_table_add(t, cli_text(row, "kind"));
		add_rate(t, row);
		add_limits(t, row, limits, 2);
		cli_table_add(t, cli_text(row, "text"));
	}
	cli_table_print(&t, stdout);
}

static void
print(const json_t *reply)
{
	const json_t *rows = json_object_get(reply, "rows");
	const json_t *budget = json_object_get(reply, "budget");

	if (!json_is_true(json_object_get(reply, "enforce")))
		puts("the settings say that the guard only warns");
	if (json_array_size(rows) == 0)
		puts("all is well");
	else
		print_levels(rows);
	if (json_array_size(budget) == 0)
		return;
	putchar('\n');
	print_budget(budget);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	json_t *reply;

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	reply = cli_ask(&args,
	    args.value[OPTION_ALL] != NULL ? "/v1/guard" : "/v1/guard?all=0",
	    NULL, NULL);
	if (reply == NULL)
		return CLI_BAD;
	if (args.json) {
		cli_print_json_rows(json_object_get(reply, "rows"));
		cli_print_json_rows(json_object_get(reply, "budget"));
	} else {
		print(reply);
	}
	json_decref(reply);
	return CLI_GOOD;
}

const struct cli_command cli_guard = { "guard", "[--all]",
	"whose mail is watched, slowed or stopped, and why", run, options };
