/*
 * queue.c - `oiwake queue`: what waits, why, and an operator's hand on it.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"

static const struct cli_option options[] = {
	{ "to", "ADDRESS", "recipients of this address" },
	{ "domain", "DOMAIN", "recipients in this domain and those below" },
	{ "sender", "DOMAIN", "mail sent from this domain" },
	{ "path", "PATH", "what goes by this path" },
	{ "carrier", "CARRIER", "what goes to this carrier" },
	{ "limit", "N", "list at most so many (100)" },
	{ "all", NULL, "retry, delete or hold all there is" },
	{ "why", "TEXT", "hold: for those who find it held" },
	{ "dry-run", NULL, "retry, delete, hold: say how many, only" },
	{ NULL, NULL, NULL },
};
enum { SELECTORS = 5, OPTION_LIMIT = 5, OPTION_ALL, OPTION_WHY, OPTION_DRY };

/* -- list
 * ------------------------------------------------------------------------- */

static void
print_rows(const json_t *rows)
{
	static const char *const heads[] = { "id", "state", "due", "tries",
		"path", "group", "from", "to", "last" };
	size_t n = sizeof(heads) / sizeof(heads[0]), i;
	struct cli_table *t = cli_table_new(n);
	json_t *row;

	for (i = 0; i < n; i++)
		cli_table_add(t, heads[i]);
	cli_table_right(t, 3);
	for (i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		cli_table_add(t, cli_text(row, "id"));
		cli_table_add(t, cli_text(row, "state"));
		cli_table_add(t, cli_text(row, "due"));
		cli_table_add_number(t, row, "attempts");
		cli_table_add(t, cli_text(row, "path"));
		cli_table_add(t, cli_text(row, "group"));
		cli_table_add(
		    t, *cli_text(row, "from") ? cli_text(row, "from") : "<>");
		cli_table_add(t, cli_text(row, "to"));
		cli_table_add(t, cli_text(row, "last"));
	}
	cli_table_print(&t, stdout);
}

static int
queue_list(const struct cli_command *cmd, const struct cli_args *args)
{
	struct str url = STR_INIT;
	json_t *reply, *rows;
	size_t i;

	if (args->argc > 1 || args->value[OPTION_ALL] != NULL ||
	    args->value[OPTION_WHY] != NULL || args->value[OPTION_DRY] != NULL)
		return cli_usage(cmd, "queue list takes selectors and --limit");
	str_adds(&url, "/v1/queue");
	for (i = 0; i <= OPTION_LIMIT; i++)
		if (args->value[i] != NULL)
			cli_query_add(&url, options[i].name, args->value[i]);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	if (!args->json && json_array_size(rows) == 0)
		puts("nothing waits");
	else if (!args->json)
		print_rows(rows);
	else
		cli_print_json_rows(rows);
	json_decref(reply);
	return CLI_GOOD;
}

/* -- show
 * ------------------------------------------------------------------------- */

static void
line(const char *name, const char *text)
{
	printf("  %-12s", name);
	cli_print(stdout, text);
	putchar('\n');
}

static void
show_held(const json_t *row)
{
	const json_t *held = json_object_get(row, "held");
	struct str text = STR_INIT;

	if (!json_is_object(held))
		return;
	str_addf(&text, "by %s since %s: %s", cli_text(held, "who"),
	    cli_text(held, "since"), cli_text(held, "why"));
	line("held", text.data);
	str_release(&text);
}

static void
show_row(const json_t *row)
{
	static const char *const plain[] = { "from", "user", "listener",
		"client", "message_id", "received", "expires", "state", "due",
		"carrier", "group", "last" };
	struct str text = STR_INIT;
	const json_t *lane = json_object_get(row, "lane");

	cli_print(stdout, cli_text(row, "id"));
	fputs("  ", stdout);
	cli_print(stdout, cli_text(row, "to"));
	putchar('\n');
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (*cli_text(row, plain[i]) != '\0')
			line(plain[i], cli_text(row, plain[i]));
	show_held(row);
	str_addf(&text, "%s, rule %s of rule set %s", cli_text(row, "path"),
	    cli_text(row, "rule"), cli_text(row, "ruleset"));
	line("path", text.data);
	str_clear(&text);
	str_addf(&text, "%" JSON_INTEGER_FORMAT "%s",
	    json_integer_value(json_object_get(row, "attempts")),
	    json_is_true(json_object_get(row, "unread"))
		? ", once final dot sent, reply unread"
		: "");
	line("attempts", text.data);
	line("lane",
	    json_is_object(lane) ? cli_text(lane, "state") : "not in use now");
	str_release(&text);
}

static bool
is_id(const char *text)
{
	size_t len = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ.");

	return len > 0 && text[len] == '\0';
}

static int
queue_show(const struct cli_command *cmd, const struct cli_args *args)
{
	struct str url = STR_INIT;
	json_t *reply, *row;
	size_t i;

	if (args->argc != 2 || !is_id(args->argv[1]))
		return cli_usage(cmd, "queue show takes one id");
	str_addf(&url, "/v1/queue/%s", args->argv[1]);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	if (reply == NULL)
		return CLI_BAD;
	if (args->json) {
		cli_print_json(reply);
		return CLI_GOOD;
	}
	for (i = 0;
	     (row = json_array_get(json_object_get(reply, "rows"), i)) != NULL;
	     i++)
		show_row(row);
	for (i = 0; (row = json_array_get(
			 json_object_get(reply, "events"), i)) != NULL;
	     i++)
		cli_print_event("  event    ", row, true);
	json_decref(reply);
	return CLI_GOOD;
}

/* -- lanes
 * ------------------------------------------------------------------------ */

static void
print_lanes(const json_t *lanes)
{
	static const char *const heads[] = { "path", "source", "group",
		"waiting", "sending", "open", "state" };
	size_t n = sizeof(heads) / sizeof(heads[0]), i;
	struct cli_table *t = cli_table_new(n);
	json_t *row;

	for (i = 0; i < n; i++)
		cli_table_add(t, heads[i]);
	for (i = 3; i < 6; i++)
		cli_table_right(t, i);
	for (i = 0; (row = json_array_get(lanes, i)) != NULL; i++) {
		cli_table_add(t, cli_text(row, "path"));
		cli_table_add(t, cli_text(row, "source"));
		cli_table_add(t, cli_text(row, "group"));
		cli_table_add_number(t, row, "waiting");
		cli_table_add_number(t, row, "sending");
		cli_table_add_number(t, row, "connections");
		cli_table_add(t, cli_text(row, "state"));
	}
	cli_table_print(&t, stdout);
}

static bool
has_options(const struct cli_args *args)
{
	for (size_t k = 0; options[k].name != NULL; k++)
		if (args->value[k] != NULL)
			return true;
	return false;
}

static int
queue_lanes(const struct cli_command *cmd, const struct cli_args *args)
{
	json_t *reply, *lanes;

	if (args->argc > 1 || has_options(args))
		return cli_usage(cmd, "queue lanes takes nothing else");
	if ((reply = cli_ask(args, "/v1/status", NULL, NULL)) == NULL)
		return CLI_BAD;
	lanes = json_object_get(reply, "lanes");
	if (!args->json && json_object_get(reply, "node") != NULL) {
		fputs("lanes of node ", stdout);
		cli_print(stdout, cli_text(reply, "node"));
		fputs("; each node has its own\n", stdout);
	}
	if (!args->json)
		print_lanes(lanes);
	if (args->json)
		cli_print_json_rows(lanes);
	json_decref(reply);
	return CLI_GOOD;
}

/* -- retry, delete and hold
 * ---------------------------------------------------------------- */

static int
queue_edit(const struct cli_command *cmd, const struct cli_args *args,
    const char *path, const char *done)
{
	json_t *body = json_object(), *reply;
	bool all = args->value[OPTION_ALL] != NULL;
	bool dry = args->value[OPTION_DRY] != NULL;
	bool hold = strcmp(args->argv[0], "hold") == 0;
	json_int_t changed;

	for (size_t i = 0; i < SELECTORS; i++)
		if (args->value[i] != NULL)
			json_object_set_new(
			    body, options[i].name, json_string(args->value[i]));
	if (args->argc == 2)
		json_object_set_new(body, "id", json_string(args->argv[1]));
	if (args->argc > 2 || args->value[OPTION_LIMIT] != NULL ||
	    all == (json_object_size(body) > 0) ||
	    (hold && !dry) != (args->value[OPTION_WHY] != NULL)) {
		json_decref(body);
		return cli_usage(cmd,
		    "queue %s takes an id or selectors, or "
		    "--all alone%s",
		    args->argv[0], hold ? ", and --why" : "");
	}
	if (all)
		json_object_set_new(body, "all", json_true());
	if (args->value[OPTION_WHY] != NULL)
		json_object_set_new(
		    body, "why", json_string(args->value[OPTION_WHY]));
	if (dry)
		json_object_set_new(body, "dry_run", json_true());
	if ((reply = cli_ask(args, path, body, NULL)) == NULL)
		return CLI_BAD;
	changed = json_integer_value(
	    json_object_get(reply, dry ? "would_change" : "changed"));
	if (args->json) {
		cli_print_json(reply);
		return changed > 0 ? CLI_GOOD : CLI_BAD;
	}
	json_decref(reply);
	printf("%" JSON_INTEGER_FORMAT " recipient%s %s%s\n", changed,
	    changed == 1 ? "" : "s", dry ? "would be " : "", done);
	return changed > 0 ? CLI_GOOD : CLI_BAD;
}

static int
queue_retry(const struct cli_command *cmd, const struct cli_args *args)
{
	return queue_edit(cmd, args, "/v1/queue/retry", "due now");
}

static int
queue_delete(const struct cli_command *cmd, const struct cli_args *args)
{
	return queue_edit(cmd, args, "/v1/queue/delete", "deleted");
}

static int
queue_hold(const struct cli_command *cmd, const struct cli_args *args)
{
	return queue_edit(cmd, args, "/v1/queue/hold", "held");
}

static const struct verb {
	const char *name;
	int (*run)(const struct cli_command *, const struct cli_args *);
} verbs[] = {
	{ "list", queue_list },
	{ "lanes", queue_lanes },
	{ "show", queue_show },
	{ "retry", queue_retry },
	{ "delete", queue_delete },
	{ "hold", queue_hold },
};

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (args.argc > 0 && strcmp(verbs[i].name, args.argv[0]) == 0)
			return verbs[i].run(cmd, &args);
	return cli_usage(cmd, "expected list, lanes, show, retry, delete or hold");
}

const struct cli_command cli_queue = { "queue",
	"list|lanes|show ID|retry|delete|hold [ID] [--to A] [--domain D] ...",
	"list what waits and where, show why, try it now, hold or delete it",
	run,
	options };
