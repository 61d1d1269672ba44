/*
 * stats_print.c - counters as a table, and as CSV.
 */
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"
#include "router/cli/stats_int.h"
#include "router/stats.h"

/* When a column is shown: of all time, of a window, and with --wide. */
enum { ALL = 1 << 0, WINDOW = 1 << 1, WIDE = 1 << 2 };

enum format { COUNT, PERCENT, INTERVAL, TIME };

static const struct column {
	const char *head;
	enum format format;
	unsigned shown;
	const char *of;	 /* the object that holds it; NULL: the row */
	const char *key; /* NULL: the head */
} columns[] = {
	{ "accepted", COUNT, ALL | WINDOW | WIDE, NULL, NULL },
	{ "attempted", COUNT, WIDE, NULL, NULL },
	{ "sent", COUNT, ALL | WINDOW | WIDE, NULL, NULL },
	{ "delivered", COUNT, ALL | WINDOW | WIDE, NULL, NULL },
	{ "unconfirmed", COUNT, WIDE, NULL, NULL },
	{ "bounced", COUNT, ALL | WINDOW | WIDE, NULL, NULL },
	{ "filtered", COUNT, ALL | WINDOW | WIDE, NULL, NULL },
	{ "deferred", COUNT, ALL | WINDOW | WIDE, NULL, NULL },
	{ "expired", COUNT, WIDE, NULL, NULL },
	{ "suppressed", COUNT, WIDE, NULL, NULL },
	{ "removed", COUNT, WIDE, NULL, NULL },
	{ "returned", COUNT, WIDE, NULL, NULL },
	{ "complained", COUNT, WIDE, NULL, NULL },
	{ "hard", COUNT, WIDE, NULL, NULL },
	{ "unknown", COUNT, WIDE, NULL, "unknown_users" },
	{ "exempt", COUNT, WIDE, NULL, NULL },
	{ "unread", COUNT, WIDE, NULL, NULL },
	{ "queued", COUNT, ALL | WIDE, NULL, NULL },
	{ "rate", PERCENT, ALL | WINDOW | WIDE, NULL, "delivery_rate" },
	{ "95 % sure", INTERVAL, ALL | WINDOW | WIDE, NULL, NULL },
	{ "bounce", PERCENT, WIDE, "bounce", "rate" },
	{ "95 % sure", INTERVAL, WIDE, "bounce", NULL },
	{ "complaint", PERCENT, WIDE, "complaint", "rate" },
	{ "95 % sure", INTERVAL, WIDE, "complaint", NULL },
	{ "unknown%", PERCENT, WIDE, "unknown", "rate" },
	{ "95 % sure", INTERVAL, WIDE, "unknown", NULL },
	{ "p50", TIME, WIDE, NULL, NULL },
	{ "p95", TIME, WINDOW | WIDE, NULL, NULL },
	{ "p99", TIME, WIDE, NULL, NULL },
};
#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

const char *
stats_percent_text(const json_t *share, char buf[static 32])
{
	if (!json_is_number(share))
		return strcpy(buf, "-");
	snprintf(buf, 32, "%.1f%%", json_number_value(share) * 100);
	return buf;
}

/* To three digits: they are known to about 6 %. */
const char *
stats_time_text(const json_t *ms, char buf[static 32])
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "min", 60000 },
		{ "s", 1000 } };
	double n = json_number_value(ms);

	if (!json_is_number(ms))
		return strcpy(buf, "-");
	snprintf(buf, 32, "%.0fms", n);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (n >= units[i].ms) {
			double of = n / units[i].ms;

			snprintf(buf, 32, of < 100 ? "%.1f%s" : "%.0f%s", of,
			    units[i].name);
			break;
		}
	return buf;
}

/* "97.1-98.9": of the percentages before it. */
static const char *
interval_text(const json_t *of, char buf[static 32])
{
	const json_t *low = json_object_get(of, "low");
	const json_t *high = json_object_get(of, "high");

	if (!json_is_number(low) || !json_is_number(high))
		return strcpy(buf, "-");
	snprintf(buf, 32, "%.1f-%.1f", json_number_value(low) * 100,
	    json_number_value(high) * 100);
	return buf;
}

static void
add_cell(struct cli_table *t, const json_t *row, const struct column *c)
{
	const json_t *of = c->of != NULL ? json_object_get(row, c->of) : row;
	const char *key = c->key != NULL ? c->key : c->head;
	const json_t *value = json_object_get(of, key);
	char buf[32];

	switch (c->format) {
	case COUNT:
		if (json_is_integer(value))
			cli_table_add_number(t, of, key);
		else
			cli_table_add(t, "-");
		break;
	case PERCENT:
		cli_table_add(t, stats_percent_text(value, buf));
		break;
	case INTERVAL:
		cli_table_add(t, interval_text(of, buf));
		break;
	case TIME:
		cli_table_add(t, stats_time_text(value, buf));
		break;
	}
}

static void
add_row(struct cli_table *t, const json_t *row, unsigned shown)
{
	for (size_t i = 0; i < NCOLUMNS; i++)
		if (columns[i].shown & shown)
			add_cell(t, row, &columns[i]);
}

static void
add_keys(struct cli_table *t, unsigned by, const json_t *row)
{
	for (int d = 0; d < STATS_DIMENSIONS; d++) {
		const char *name =
		    stats_dimension_name((enum stats_dimension)d);

		if (!(by & (1u << d)))
			continue;
		if (row == NULL)
			cli_table_add(t, name);
		else
			cli_table_add(t, *cli_text(row, name) != '\0'
					     ? cli_text(row, name)
					     : "-");
	}
}

static void
add_heads(struct cli_table *t, size_t at, unsigned shown)
{
	for (size_t i = 0; i < NCOLUMNS; i++)
		if (columns[i].shown & shown) {
			cli_table_add(t, columns[i].head);
			cli_table_right(t, at++);
		}
}

void
stats_print_table(const json_t *reply, unsigned by, bool wide, FILE *out)
{
	const char *since = cli_text(reply, "since");
	bool all = strcmp(cli_text(reply, "window"), "all") == 0;
	unsigned shown = wide ? WIDE : all ? ALL : WINDOW;
	size_t keys = (size_t)__builtin_popcount(by), n = 0, i;
	struct cli_table *t;
	json_t *row;

	for (i = 0; i < NCOLUMNS; i++)
		n += (columns[i].shown & shown) != 0;
	t = cli_table_new(keys + n);
	add_keys(t, by, NULL);
	add_heads(t, keys, shown);
	json_array_foreach(json_object_get(reply, "rows"), i, row)
	{
		add_keys(t, by, row);
		add_row(t, row, shown);
	}
	for (i = 0; i < keys; i++)
		cli_table_add(t, i == 0 ? "total" : "");
	add_row(t, json_object_get(reply, "total"), shown);
	cli_table_print(&t, out);
	if (*since != '\0')
		fprintf(out, "since %.16sZ\n", since);
}

/* -- CSV ------------------------------------------------------------------- */

/* With the comma that follows; blanks and what would end it are for quotes. */
static void
add_field(struct str *line, const char *text)
{
	bool plain = strpbrk(text, ",\"\r\n ") == NULL;

	str_adds(line, plain ? "" : "\"");
	for (; *text != '\0'; text++) {
		str_adds(line, *text == '"' ? "\"" : "");
		str_addc(line, *text);
	}
	str_adds(line, plain ? "," : "\",");
}

static void
add_value(struct str *line, const json_t *value)
{
	char buf[32] = "";

	if (json_is_integer(value))
		snprintf(buf, sizeof(buf), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
	else if (json_is_number(value))
		snprintf(buf, sizeof(buf), "%.9g", json_number_value(value));
	add_field(line, buf);
}

static void
end_line(struct str *line, FILE *out)
{
	line->data[--line->len] = '\0'; /* the last comma */
	cli_print(out, line->data);
	fputs("\r\n", out);
	str_clear(line);
}

/* Of a row its values, of NULL their names. */
static void
add_named(struct str *line, const json_t *row, const char *name)
{
	if (row != NULL)
		add_value(line, json_object_get(row, name));
	else
		add_field(line, name);
}

static void
add_csv_rates(struct str *line, const json_t *row)
{
	static const char *const parts[] = { "rate", "low", "high" };

	for (int k = RATE_BOUNCE; k < RATE_KINDS; k++)
		for (size_t i = 0; i < 3; i++) {
			const char *kind = rate_name((enum rate_kind)k);
			char name[32];

			snprintf(name, sizeof(name), "%s_%s", kind, parts[i]);
			if (row == NULL)
				add_field(line, name);
			else
				add_value(line,
				    json_object_get(
					json_object_get(row, kind), parts[i]));
		}
}

static void
print_csv_line(const json_t *row, unsigned by, FILE *out)
{
	static const char *const rest[] = { "unconfirmed", "queued",
		"delivery_rate", "low", "high" };
	struct str line = STR_INIT;

	for (int d = 0; d < STATS_DIMENSIONS; d++) {
		const char *name =
		    stats_dimension_name((enum stats_dimension)d);

		if (by & (1u << d))
			add_field(&line, row ? cli_text(row, name) : name);
	}
	for (int c = 0; c < COUNT_MAX; c++)
		add_named(&line, row, stats_counter_name((enum counter)c));
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		add_named(&line, row, rest[i]);
	add_csv_rates(&line, row);
	for (int i = 0; i < STATS_SHARES; i++)
		add_named(&line, row, stats_share_name((enum stats_share)i));
	end_line(&line, out);
	str_release(&line);
}

void
stats_print_csv(const json_t *reply, unsigned by, FILE *out)
{
	json_t *row;
	size_t i;

	print_csv_line(NULL, by, out);
	json_array_foreach(json_object_get(reply, "rows"), i, row)
	{
		print_csv_line(row, by, out);
	}
}
