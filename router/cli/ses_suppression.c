/*
 * ses_suppression.c - `oiwake ses suppression`: the account's list of addresses
 * that SES does not send to.
 *
 * The daemon asks SES, one request a second, and keeps on with what it began
 * when nobody waits for the answer any more.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/cli/ses_int.h"

#define PAGE_MOST 1000

/* What all of them may be told. */
static json_t *
body_of(const struct cli_args *args)
{
	static const struct {
		enum ses_option option;
		const char *key;
	} given[] = { { SES_OPTION_PATH, "path" },
		{ SES_OPTION_REASON, "reason" } };
	json_t *body = json_object();

	for (size_t i = 0; i < 2; i++)
		if (args->value[given[i].option] != NULL)
			json_object_set_new(body, given[i].key,
			    json_string(args->value[given[i].option]));
	if (args->value[SES_OPTION_DRY_RUN] != NULL)
		json_object_set_new(body, "dry_run", json_true());
	return body;
}

/* -- list ------------------------------------------------------------------ */

static void
print_rows(struct cli_table *t, const json_t *rows)
{
	json_t *row;

	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		cli_table_add(t, cli_text(row, "address"));
		cli_table_add(t, cli_text(row, "reason"));
		cli_table_add(t, cli_text(row, "at"));
	}
}

/* The next page behind `after`; NULL when there is none to be had. */
static json_t *
ask_page(const struct cli_args *args, const char *after, int64_t limit)
{
	json_t *body = body_of(args);

	if (after != NULL)
		json_object_set_new(body, "after", json_string(after));
	json_object_set_new(
	    body, "limit", json_integer(limit < PAGE_MOST ? limit : PAGE_MOST));
	return cli_ask(args, "/v1/ses/suppression/list", body, NULL);
}

static int
list_pages(const struct cli_args *args, int64_t limit, struct cli_table *t)
{
	char *after = NULL;
	json_t *reply, *rows;

	do {
		reply = ask_page(args, after, limit);
		free(after);
		if (reply == NULL)
			return CLI_BAD;
		rows = json_object_get(reply, "rows");
		limit -= (int64_t)json_array_size(rows);
		if (t != NULL)
			print_rows(t, rows);
		else
			cli_print_json_rows(rows);
		after = *cli_text(reply, "next") != '\0'
			    ? xstrdup(cli_text(reply, "next"))
			    : NULL;
		json_decref(reply);
	} while (after != NULL && limit > 0);
	if (after != NULL && t != NULL)
		fputs("there are more: --limit\n", stderr);
	free(after);
	return CLI_GOOD;
}

static int
list(const struct cli_command *cmd, const struct cli_args *args,
    const char *verb)
{
	const char *text = args->value[SES_OPTION_LIMIT];
	struct cli_table *t = NULL;
	int64_t limit = 100;
	int rc;

	(void)verb;
	if (text != NULL && cli_number(text, 1, INT32_MAX, &limit) != 0)
		return cli_usage(
		    cmd, "--limit is a number from 1, not '%s'", text);
	if (!args->json) {
		t = cli_table_new(3);
		cli_table_add(t, "address");
		cli_table_add(t, "reason");
		cli_table_add(t, "since");
	}
	rc = list_pages(args, limit, t);
	if (t != NULL)
		cli_table_print(&t, stdout);
	return rc;
}

/* -- the others ------------------------------------------------------------ */

/* Members of the answer, a line each. */
static void
print_answer(const json_t *reply)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)reply, key, value)
	{
		char *text;

		if (json_is_null(value))
			continue;
		printf("%-12s ", key);
		if (json_is_string(value)) {
			cli_print(stdout, json_string_value(value));
		} else {
			text =
			    json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
			cli_print(stdout, text != NULL ? text : "");
			free(text);
		}
		putchar('\n');
	}
}

static int
ask_verb(const struct cli_command *cmd, const struct cli_args *args,
    const char *verb)
{
	struct str path = STR_INIT;
	json_t *body = body_of(args), *reply;

	(void)cmd;
	if (args->argc == 3)
		json_object_set_new(
		    body, "address", json_string(args->argv[2]));
	str_addf(&path, "/v1/ses/suppression/%s", verb);
	reply = cli_ask(args, path.data, body, NULL);
	str_release(&path);
	if (reply == NULL)
		return CLI_BAD;
	if (args->json)
		cli_print_json(json_incref(reply));
	else
		print_answer(reply);
	json_decref(reply);
	return CLI_GOOD;
}

static const struct verb {
	const char *name;
	int (*run)(const struct cli_command *, const struct cli_args *,
	    const char *verb);
	int argc;
	unsigned options;
} verbs[] = {
	{ "list", list, 2,
	    SES_BIT(SES_OPTION_PATH) | SES_BIT(SES_OPTION_REASON) |
		SES_BIT(SES_OPTION_LIMIT) },
	{ "show", ask_verb, 3, SES_BIT(SES_OPTION_PATH) },
	{ "add", ask_verb, 3,
	    SES_BIT(SES_OPTION_PATH) | SES_BIT(SES_OPTION_REASON) },
	{ "remove", ask_verb, 3, SES_BIT(SES_OPTION_PATH) },
	{ "sync", ask_verb, 2,
	    SES_BIT(SES_OPTION_PATH) | SES_BIT(SES_OPTION_DRY_RUN) },
	{ "prune-carriers", ask_verb, 2,
	    SES_BIT(SES_OPTION_PATH) | SES_BIT(SES_OPTION_DRY_RUN) },
};

static int
run_verb(const struct cli_command *cmd, const struct verb *verb,
    const struct cli_args *args)
{
	int rc = ses_refuse_options(cmd, args, verb->name, verb->options);

	return rc >= 0 ? rc : verb->run(cmd, args, verb->name);
}

int
ses_suppression(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *name = args->argc > 1 ? args->argv[1] : "";

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(name, verbs[i].name) == 0 &&
		    args->argc == verbs[i].argc)
			return run_verb(cmd, &verbs[i], args);
	return cli_usage(cmd, "expected suppression list, show ADDRESS, add "
			      "ADDRESS, remove ADDRESS, sync or "
			      "prune-carriers");
}
