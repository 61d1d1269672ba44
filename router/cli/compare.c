/*
 * compare.c - `oiwake compare`: which path delivers better, where rules split.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"
#include "router/cli/stats_int.h"
#include "router/window.h"

enum { OPTION_RULE, OPTION_SENDER, OPTION_WINDOW };

static const struct cli_option options[] = {
	[OPTION_RULE] = { "rule", "NAME", "only what that rule split" },
	[OPTION_SENDER] = { "sender", "DOMAIN", "only of that sender" },
	[OPTION_WINDOW] = { "window", "WINDOW",
	    "7d unless given: 1h, 24h, 90d, last:N sent messages, all" },
	{ NULL, NULL, NULL },
};

/* Whether who looks at it reads Japanese, by the first of them that is set. */
static bool
in_japanese(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *language = getenv(names[i]);

		if (language != NULL && *language != '\0')
			return strncmp(language, "ja", 2) == 0;
	}
	return false;
}

/* -- a table --------------------------------------------------------------- */

static const char *const heads[] = { "carrier", "rule", "path", "volume",
	"delivered", "rate", "95 % sure", "unconfirmed", "p50", "p95" };
#define NHEADS (sizeof(heads) / sizeof(heads[0]))

static void
add_side(struct cli_table *t, const json_t *row, const json_t *side, bool first)
{
	const json_t *low = json_object_get(side, "low");
	const json_t *high = json_object_get(side, "high");
	char buf[32];

	cli_table_add(t, !first			     ? ""
			 : *cli_text(row, "carrier") ? cli_text(row, "carrier")
						     : "-");
	cli_table_add(t, first ? cli_text(row, "rule") : "");
	cli_table_add(t, cli_text(side, "path"));
	cli_table_add_number(t, side, "volume");
	cli_table_add_number(t, side, "delivered");
	cli_table_add(
	    t, stats_percent_text(json_object_get(side, "rate"), buf));
	if (json_is_number(low))
		snprintf(buf, sizeof(buf), "%.1f-%.1f",
		    json_number_value(low) * 100,
		    json_number_value(high) * 100);
	cli_table_add(t, json_is_number(low) ? buf : "-");
	cli_table_add_number(t, side, "unconfirmed");
	cli_table_add(t, stats_time_text(json_object_get(side, "p50"), buf));
	cli_table_add(t, stats_time_text(json_object_get(side, "p95"), buf));
}

static void
print_table(const json_t *rows)
{
	struct cli_table *t = cli_table_new(NHEADS);
	json_t *row, *side;
	size_t i, k;

	for (i = 0; i < NHEADS; i++)
		cli_table_add(t, heads[i]);
	for (i = 3; i < NHEADS; i++)
		cli_table_right(t, i);
	json_array_foreach(rows, i, row)
	{
		json_array_foreach(json_object_get(row, "sides"), k, side)
		{
			add_side(t, row, side, k == 0);
		}
	}
	cli_table_print(&t, stdout);
}

/* -- words ----------------------------------------------------------------- */

static void
print_line(const char *before, const json_t *words, const char *language)
{
	fputs(before, stdout);
	cli_print(stdout, cli_text(words, language));
}

static void
print_words(const json_t *row, const char *language)
{
	const json_t *p = json_object_get(row, "p_value");
	json_t *warning;
	size_t i;

	print_line("\n", row, language);
	if (json_is_number(p) && json_number_value(p) < 0.0001)
		fputs(" (p < 0.0001)", stdout);
	else if (json_is_number(p))
		printf(" (p = %.4f)", json_number_value(p));
	json_array_foreach(json_object_get(row, "warnings"), i, warning)
	{
		print_line("\n  ! ", warning, language);
	}
	putchar('\n');
}

static void
print_rows(const json_t *reply)
{
	const char *language = in_japanese() ? "text_ja" : "text";
	const char *since = cli_text(reply, "since");
	json_t *rows = json_object_get(reply, "rows"), *row;
	size_t i;

	if (json_array_size(rows) == 0) {
		puts("there is nothing to compare: no rule has sent to one "
		     "carrier by two paths");
		return;
	}
	print_table(rows);
	json_array_foreach(rows, i, row)
	{
		print_words(row, language);
	}
	if (*since != '\0')
		printf("\nsince %.16sZ\n", since);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	static const char *const passed[] = { "rule", "sender", "window" };
	struct str url = STR_INIT;
	struct err e = ERR_INIT;
	struct cli_args args;
	struct window w;
	json_t *reply;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 1)
		return cli_usage(cmd, "too many arguments");
	if (args.value[OPTION_WINDOW] != NULL &&
	    window_parse(args.value[OPTION_WINDOW], &w, &e) != 0)
		return cli_usage(cmd, "%s", e.text);
	str_adds(&url, "/v1/compare");
	if (args.argc == 1)
		cli_query_add(&url, "carrier", args.argv[0]);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		if (args.value[i] != NULL)
			cli_query_add(&url, passed[i], args.value[i]);
	reply = cli_ask(&args, url.data, NULL, NULL);
	str_release(&url);
	if (reply == NULL)
		return CLI_BAD;
	if (args.json)
		cli_print_json_rows(json_object_get(reply, "rows"));
	else
		print_rows(reply);
	json_decref(reply);
	return CLI_GOOD;
}

const struct cli_command cli_compare = { "compare",
	"[CARRIER] [--rule NAME] [--sender DOMAIN] [--window WINDOW]",
	"say which path delivers better, where rules split", run, options };
