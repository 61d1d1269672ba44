/*
 * stats.c - `oiwake stats`: what became of the mail, by path, carrier, ...
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"
#include "router/stats.h"

static const char *const counts[] = { "accepted", "sent", "delivered",
	"bounced", "filtered", "deferred", "expired", "complained",
	"suppressed", "queued" };
static const char *const rates[] = { "delivery_rate", "low", "high" };
#define NCOUNTS (sizeof(counts) / sizeof(counts[0]))
#define NRATES	(sizeof(rates) / sizeof(rates[0]))

static const struct cli_option options[] = {
	{ "by", "NAMES", "path, carrier, sender, source, rule; joined by ','" },
	{ NULL, NULL, NULL },
};

static void
add_numbers(struct cli_table *t, const json_t *row)
{
	char buf[64];

	for (size_t i = 0; i < NCOUNTS; i++) {
		snprintf(buf, sizeof(buf), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(json_object_get(row, counts[i])));
		cli_table_add(t, buf);
	}
	for (size_t i = 0; i < NRATES; i++) {
		const json_t *rate = json_object_get(row, rates[i]);

		snprintf(
		    buf, sizeof(buf), "%.2f%%", json_number_value(rate) * 100);
		cli_table_add(t, json_is_number(rate) ? buf : "-");
	}
}

static void
add_heads(struct cli_table *t, unsigned by, size_t keys)
{
	for (int d = 0; d < STATS_DIMENSIONS; d++)
		if (by & (1u << d))
			cli_table_add(
			    t, stats_dimension_name((enum stats_dimension)d));
	for (size_t i = 0; i < NCOUNTS; i++)
		cli_table_add(t, counts[i]);
	for (size_t i = 0; i < NRATES; i++)
		cli_table_add(t, rates[i]);
	for (size_t i = 0; i < NCOUNTS + NRATES; i++)
		cli_table_right(t, keys + i);
}

static void
add_keys(struct cli_table *t, unsigned by, const json_t *row)
{
	for (int d = 0; d < STATS_DIMENSIONS; d++) {
		const char *key;

		if (!(by & (1u << d)))
			continue;
		key = cli_text(
		    row, stats_dimension_name((enum stats_dimension)d));
		cli_table_add(t, *key ? key : "-");
	}
}

static void
print_table(const json_t *reply, unsigned by)
{
	size_t keys = (size_t)__builtin_popcount(by), i;
	struct cli_table *t = cli_table_new(keys + NCOUNTS + NRATES);
	json_t *row;

	add_heads(t, by, keys);
	for (i = 0;
	     (row = json_array_get(json_object_get(reply, "rows"), i)) != NULL;
	     i++) {
		add_keys(t, by, row);
		add_numbers(t, row);
	}
	for (i = 0; i < keys; i++)
		cli_table_add(t, i == 0 ? "total" : "");
	add_numbers(t, json_object_get(reply, "total"));
	cli_table_print(&t, stdout);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct str url = STR_INIT;
	struct err e = ERR_INIT;
	struct cli_args args;
	unsigned by;
	const char *text;
	json_t *reply, *row;
	size_t i;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	text = args.value[0] ? args.value[0] : "path,carrier";
	if (stats_parse_by(text, &by, &e) != 0)
		return cli_usage(cmd, "%s", e.text);
	str_adds(&url, "/v1/stats");
	cli_query_add(&url, "by", text);
	reply = cli_ask(&args, url.data, NULL, NULL);
	str_release(&url);
	if (reply == NULL)
		return CLI_BAD;
	if (!args.json)
		print_table(reply, by);
	else
		for (i = 0; (row = json_array_get(
				 json_object_get(reply, "rows"), i)) != NULL;
		     i++)
			cli_print_json(json_incref(row));
	json_decref(reply);
	return CLI_GOOD;
}

const struct cli_command cli_stats = { "stats", "[--by NAMES]",
	"count what became of the mail, per path and carrier", run, options };
