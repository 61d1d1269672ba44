/*
 * messages.c - `oiwake messages`: what happened to mail to somebody, from
 * somebody, or of an id.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/cli/cli.h"

static const struct cli_option options[] = {
	{ "from", "ADDRESS", "mail from this address or domain" },
	{ "id", "ID", "our id, a Message-ID, or SES's" },
	{ "since", "TIME", "what was told since then" },
	{ "limit", "N", "show at most so many recipients (20)" },
	{ NULL, NULL, NULL },
};
enum { OPTION_FROM, OPTION_ID, OPTION_SINCE, OPTION_LIMIT };

#define LIMIT_MOST 100000
#define PAGE	   100

/* -- one recipient ------------------------------------------------------------ */

static void
line(const char *name, const char *text)
{
	if (*text == '\0')
		return;
	printf("  %-12s", name);
	cli_print(stdout, text);
	putchar('\n');
}

static void
show_route(const json_t *row)
{
	struct str text = STR_INIT;

	str_addf(&text, "%s, rule %s", cli_text(row, "path"),
	    *cli_text(row, "rule") ? cli_text(row, "rule") : "unknown");
	if (*cli_text(row, "ruleset") != '\0')
		str_addf(&text, " of rule set %s", cli_text(row, "ruleset"));
	if (*cli_text(row, "source") != '\0')
		str_addf(&text, ", source %s", cli_text(row, "source"));
	line("path", text.data);
	str_release(&text);
}

static void
show_wait(const json_t *row)
{
	const json_t *held = json_object_get(row, "held");
	const json_t *lane = json_object_get(row, "lane");
	struct str text = STR_INIT;

	if (json_is_object(held)) {
		str_addf(&text, "by %s since %s: %s", cli_text(held, "who"),
		    cli_text(held, "since"), cli_text(held, "why"));
		line("held", text.data);
		str_release(&text);
		return;
	}
	line("due", cli_text(row, "due"));
	line("expires", cli_text(row, "expires"));
	line("last", cli_text(row, "last"));
	line("lane", json_is_object(lane) ? cli_text(lane, "state") : "");
	str_release(&text);
}

static void
show_suppression(const json_t *entry)
{
	struct str text = STR_INIT;

	str_addf(&text, "%s for %s since %s", cli_text(entry, "cause"),
	    strcmp(cli_text(entry, "scope"), "all") == 0
		? "all paths"
		: cli_text(entry, "scope"),
	    cli_text(entry, "at"));
	if (*cli_text(entry, "expires") != '\0')
		str_addf(&text, " until %s", cli_text(entry, "expires"));
	if (*cli_text(entry, "evidence") != '\0')
		str_addf(&text, ": %s", cli_text(entry, "evidence"));
	line("suppressed", text.data);
	str_release(&text);
}

static void
show_suppressions(const json_t *of)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(of, "suppression"), i, entry)
	{
		show_suppression(entry);
	}
}

static void
show_head(const json_t *row)
{
	cli_print(stdout, cli_text(row, "id"));
	printf(".%" JSON_INTEGER_FORMAT "  ",
	    json_integer_value(json_object_get(row, "index")));
	cli_print(stdout, cli_text(row, "to"));
	printf("  %s%s\n", cli_text(row, "state"),
	    json_is_true(json_object_get(row, "complained"))
		? ", complained of"
		: "");
}

static void
show_row(const json_t *row)
{
	json_t *event;
	size_t i;

	show_head(row);
	line("from", *cli_text(row, "from") ? cli_text(row, "from") : "<>");
	line("message_id", cli_text(row, "message_id"));
	line("received", cli_text(row, "received"));
	show_route(row);
	if (json_is_true(json_object_get(row, "queued")))
		show_wait(row);
	show_suppressions(row);
	if (json_is_true(json_object_get(row, "more_events")))
		line("events", "only the latest are shown");
	json_array_foreach(json_object_get(row, "events"), i, event)
	{
		cli_print_event(" ", event, false);
	}
}

/* -- page by page --------------------------------------------------------------- */

struct asking {
	const struct cli_args *args;
	const char *to;
	char *after; /* NULL: from the beginning */
	int64_t left;
	bool any;
};

static json_t *
ask_page(const struct asking *a)
{
	const struct cli_args *args = a->args;
	struct str url = STR_INIT;
	char limit[24];
	json_t *reply;

	str_adds(&url, "/v1/messages");
	if (a->to != NULL)
		cli_query_add(&url, "to", a->to);
	for (size_t i = OPTION_FROM; i <= OPTION_SINCE; i++)
		if (args->value[i] != NULL)
			cli_query_add(&url, options[i].name, args->value[i]);
	snprintf(limit, sizeof(limit), "%lld",
	    (long long)(a->left < PAGE ? a->left : PAGE));
	cli_query_add(&url, "limit", limit);
	if (a->after != NULL)
		cli_query_add(&url, "after", a->after);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	return reply;
}

static void
show_page(struct asking *a, const json_t *reply)
{
	const json_t *rows = json_object_get(reply, "rows");
	json_t *row;
	size_t i;

	if (a->args->json)
		cli_print_json_rows(rows);
	else
		json_array_foreach(rows, i, row)
		{
			show_row(row);
		}
	a->any |= json_array_size(rows) > 0;
	a->left -= (int64_t)json_array_size(rows);
}

/* Of an address that nothing was sent to. */
static void
show_nothing(const struct asking *a, const json_t *reply)
{
	if (a->args->json || a->any)
		return;
	puts("nothing is known of it");
	show_suppressions(reply);
}

static int
show_pages(struct asking *a)
{
	json_t *reply;

	do {
		if ((reply = ask_page(a)) == NULL)
			return CLI_BAD;
		show_page(a, reply);
		free(a->after);
		a->after = *cli_text(reply, "next") != '\0'
			       ? xstrdup(cli_text(reply, "next"))
			       : NULL;
		if (a->after == NULL)
			show_nothing(a, reply);
		json_decref(reply);
	} while (a->after != NULL && a->left > 0);
	if (a->after != NULL && !a->args->json)
		puts("there are more: --limit N");
	return a->any ? CLI_GOOD : CLI_BAD;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	struct asking a = { .args = &args, .left = 20 };

	if (rc >= 0)
		return rc;
	if (args.argc > 1 ||
	    (args.value[OPTION_ID] != NULL) ==
		(args.argc == 1 || args.value[OPTION_FROM] != NULL))
		return cli_usage(
		    cmd, "say whose: an address, --from, or --id alone");
	if (args.value[OPTION_LIMIT] != NULL &&
	    cli_number(args.value[OPTION_LIMIT], 1, LIMIT_MOST, &a.left) != 0)
		return cli_usage(
		    cmd, "--limit is a number from 1 to %d", LIMIT_MOST);
	a.to = args.argc == 1 ? args.argv[0] : NULL;
	rc = show_pages(&a);
	free(a.after);
	return rc;
}

const struct cli_command cli_messages = { "messages",
	"[ADDRESS] [--from A|--id ID] [--since T] [--limit N]",
	"what happened to mail: every attempt, reply and event", run, options };
