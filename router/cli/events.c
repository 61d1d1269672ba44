/*
 * events.c - `oiwake events`: what became of mail, as the application is told
 * of it, and who is told.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/cli/cli.h"
#include "router/config_int.h"

#define WAIT "20" /* s that a request waits for what comes */

enum {
	OPTION_FOLLOW,
	OPTION_SINCE,
	OPTION_AFTER,
	OPTION_TYPE,
	OPTION_PATH,
	OPTION_SENDER,
	OPTION_LIMIT,
};

static const struct cli_option options[] = {
	[OPTION_FOLLOW] = { "follow", NULL, "go on with what happens" },
	[OPTION_SINCE] = { "since", "TIME",
	    "from that time on: 2h, 7d, 2026-11-22T10:35:07Z" },
	[OPTION_AFTER] = { "after", "SEQ", "those after that number" },
	[OPTION_TYPE] = { "type", "NAMES",
	    "Send, Delivery, Bounce, Complaint ...; joined by ','" },
	[OPTION_PATH] = { "path", "NAMES", "of mail that went by these" },
	[OPTION_SENDER] = { "sender", "DOMAINS", "of these senders" },
	[OPTION_LIMIT] = { "limit", "N", "at most so many (without --follow)" },
	{ NULL, NULL, NULL },
};

/* "2h" is so long ago. */
static int
read_since(const char *text, char out[static 25], struct err *e)
{
	int64_t at;
	double ms;

	if (clock_iso_read(text, &at) != 0) {
		if (config_value_ms(text, &ms, e) != 0)
			return -1;
		at = clock_wall() - (int64_t)ms;
	}
	clock_iso(at > 0 ? at : 0, out);
	return 0;
}

/* -- a line ---------------------------------------------------------------- */

/* The first of a tag's values. */
static const char *
tag(const json_t *mail, const char *name)
{
	const json_t *values =
	    json_object_get(json_object_get(mail, "tags"), name);
	const char *text = json_string_value(json_array_get(values, 0));

	return text != NULL ? text : "";
}

/* The member that the type names, whatever it is called. */
static json_t *
detail_of(json_t *event)
{
	const char *name;
	json_t *value;

	json_object_foreach(event, name, value)
	{
		if (json_is_object(value) && strcmp(name, "mail") != 0)
			return value;
	}
	return NULL;
}

static const char *
first_text(const json_t *detail, const char *list, const char *name)
{
	const json_t *item = json_array_get(json_object_get(detail, list), 0);

	return cli_text(item, name);
}

static void
add_word(struct str *line, const char *name, const char *text)
{
	if (*text != '\0')
		str_addf(line, "  %s%s", name, text);
}

static void
print_line(json_t *event)
{
	const json_t *mail = json_object_get(event, "mail");
	const json_t *detail = detail_of(event);
	const char *to = json_string_value(
	    json_array_get(json_object_get(mail, "destination"), 0));
	const char *at = cli_text(detail, "timestamp");
	struct str line = STR_INIT;

	str_addf(&line, "%-24s  %-13s  %s",
	    *at != '\0' ? at : cli_text(mail, "timestamp"),
	    cli_text(event, "eventType"), to != NULL ? to : "");
	add_word(&line, "id=", tag(mail, "oiwake:id"));
	add_word(&line, "path=", tag(mail, "oiwake:path"));
	add_word(&line, "reason=", tag(mail, "oiwake:reason"));
	add_word(&line, "", cli_text(detail, "bounceType"));
	add_word(&line, "", cli_text(detail, "delayType"));
	add_word(&line, "", cli_text(detail, "smtpResponse"));
	add_word(&line, "",
	    first_text(detail, "bouncedRecipients", "diagnosticCode"));
	add_word(&line, "",
	    first_text(detail, "delayedRecipients", "diagnosticCode"));
	add_word(&line, "", cli_text(detail, "evidence"));
	cli_print(stdout, line.data);
	putchar('\n');
	str_release(&line);
}

static void
print_rows(const json_t *rows, bool json)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_t *event = json_object_get(row, "event");

		if (json)
			cli_print_json(json_incref(event));
		else
			print_line(event);
	}
	fflush(stdout);
}

/* -- the log --------------------------------------------------------------- */

struct question {
	const struct cli_args *args;
	char since[25]; /* "" */
	int64_t after;	/* -1: no answer yet */
	int64_t left;	/* events; of those that are to be shown */
};

static json_t *
ask(const struct question *q)
{
	static const struct {
		int option;
		const char *name;
	} passed[] = { { OPTION_TYPE, "type" }, { OPTION_PATH, "path" },
		{ OPTION_SENDER, "sender" } };
	bool follow = q->args->value[OPTION_FOLLOW] != NULL;
	struct str url = STR_INIT;
	json_t *reply;
	char n[32];

	str_adds(&url, "/v1/events");
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		if (q->args->value[passed[i].option] != NULL)
			cli_query_add(&url, passed[i].name,
			    q->args->value[passed[i].option]);
	snprintf(n, sizeof(n), "%lld", (long long)q->after);
	if (q->after >= 0)
		cli_query_add(&url, "after", n);
	else if (q->since[0] != '\0')
		cli_query_add(&url, "since", q->since);
	snprintf(
	    n, sizeof(n), "%lld", (long long)(q->left < 1000 ? q->left : 1000));
	cli_query_add(&url, "limit", n);
	if (follow && q->after >= 0)
		cli_query_add(&url, "wait", WAIT);
	reply = cli_ask(q->args, url.data, NULL, NULL);
	str_release(&url);
	return reply;
}

static int
show_log(struct question *q)
{
	bool follow = q->args->value[OPTION_FOLLOW] != NULL, more = true;

	while (q->left > 0 && more) {
		json_t *reply = ask(q), *rows;

		if (reply == NULL)
			return CLI_BAD;
		rows = json_object_get(reply, "rows");
		print_rows(rows, q->args->json);
		if (!follow)
			q->left -= (int64_t)json_array_size(rows);
		q->after = json_integer_value(json_object_get(reply, "next"));
		more = follow || json_is_true(json_object_get(reply, "more"));
		json_decref(reply);
		more &= !ferror(stdout);
	}
	return CLI_GOOD;
}

static int
cmd_log(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *since = args->value[OPTION_SINCE];
	const char *after = args->value[OPTION_AFTER];
	const char *limit = args->value[OPTION_LIMIT];
	bool whole = since != NULL || after != NULL;
	struct question q = { .args = args, .after = -1 };
	struct err e = ERR_INIT;

	q.left = whole ? INT64_MAX : 100;
	if (since != NULL && after != NULL)
		return cli_usage(cmd, "--since and --after exclude each other");
	if (since != NULL && read_since(since, q.since, &e) != 0)
		return cli_usage(cmd, "--since: %s", e.text);
	if (after != NULL && cli_number(after, 0, INT64_MAX, &q.after) != 0)
		return cli_usage(cmd, "--after is the number of an event");
	if (limit != NULL && cli_number(limit, 1, INT64_MAX, &q.left) != 0)
		return cli_usage(cmd, "--limit is a number from 1 on");
	return show_log(&q);
}

/* -- hooks ----------------------------------------------------------------- */

static void
print_hooks(const json_t *rows)
{
	static const char *const columns[] = { "name", "type", "where",
		"behind", "told", "failed", "failing_since", "why" };
	size_t n = sizeof(columns) / sizeof(columns[0]), i;
	struct cli_table *t = cli_table_new(n);
	json_t *row;

	for (size_t k = 0; k < n; k++)
		cli_table_add(t, columns[k]);
	for (size_t k = 3; k < 6; k++)
		cli_table_right(t, k);
	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < n; k++)
			if (k >= 3 && k < 6)
				cli_table_add_number(t, row, columns[k]);
			else
				cli_table_add(t, cli_text(row, columns[k]));
	}
	cli_table_print(&t, stdout);
}

static int
cmd_hooks(const struct cli_args *args)
{
	json_t *reply = cli_ask(args, "/v1/hooks", NULL, NULL), *rows;

	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	if (args->json)
		cli_print_json_rows(rows);
	else if (json_array_size(rows) == 0)
		puts("there are no hooks");
	else
		print_hooks(rows);
	json_decref(reply);
	return CLI_GOOD;
}

static int
cmd_replay(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *since = args->value[OPTION_SINCE];
	struct err e = ERR_INIT;
	char at[25];
	json_t *reply;

	if (args->argc != 2 || since == NULL)
		return cli_usage(cmd, "replay takes a hook and --since TIME");
	if (read_since(since, at, &e) != 0)
		return cli_usage(cmd, "--since: %s", e.text);
	reply = cli_ask(args, "/v1/hooks/replay",
	    json_pack("{s:s, s:s}", "hook", args->argv[1], "since", at), NULL);
	if (reply == NULL)
		return CLI_BAD;
	json_decref(reply);
	if (!args->json)
		printf("told again from %s on\n", at);
	return CLI_GOOD;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc == 0)
		return cmd_log(cmd, &args);
	if (strcmp(args.argv[0], "replay") == 0)
		return cmd_replay(cmd, &args);
	if (strcmp(args.argv[0], "hooks") == 0 && args.argc == 1)
		return cmd_hooks(&args);
	return cli_usage(cmd, "expected hooks, replay HOOK, or options alone");
}

const struct cli_command cli_events = { "events",
	"[--follow] [--since TIME] [--type NAMES] | hooks | replay HOOK "
	"--since TIME",
	"show what the application is told of its mail, and who is told", run,
	options };
