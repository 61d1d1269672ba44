/*
 * top_print.c - the screen of `oiwake top`.
 *
 * Each part is there only when it has something to say. What is most likely to
 * be long, the lanes, is last but for the replies, and both are cut.
 */
#include <string.h>

#include "mta/base/clock.h"
#include "router/cli/cli.h"
#include "router/cli/top_int.h"

#define LANES_MAX   20
#define REPLIES_MAX 8
#define GUARD_MAX   8

static void
print_number(
    const json_t *status, const char *name, const char *label, FILE *out)
{
	fprintf(out, "   %s %" JSON_INTEGER_FORMAT, label,
	    json_integer_value(json_object_get(status, name)));
}

/* Of several. */
static void
print_node(const json_t *status, FILE *out)
{
	const char *why = cli_text(status, "trouble");

	if (json_object_get(status, "node") == NULL)
		return;
	fputs("\nmemory, connections and lanes are those of node ", out);
	cli_print(out, cli_text(status, "node"));
	fputs("; all else is of all nodes", out);
	if (*why != '\0') {
		fputs("\nTROUBLE: ", out);
		cli_print(out, why);
	}
}

static void
print_totals(const json_t *status, FILE *out)
{
	char now[25];

	fprintf(out, "%.19sZ", clock_iso(clock_wall(), now));
	print_number(status, "queued", "queued", out);
	print_number(status, "in_memory", "in memory", out);
	print_number(status, "sending", "sending", out);
	print_number(status, "connections", "connections", out);
	if (json_is_true(json_object_get(status, "stopping")))
		fputs("   STOPPING", out);
	if (json_is_true(json_object_get(status, "store_failed")))
		fputs("   THE STORE HAS FAILED", out);
	if (json_object_get(status, "store_away") != NULL)
		fputs("   THE DATABASE IS AWAY", out);
	print_node(status, out);
	fputc('\n', out);
}

/* -- deliveries by the minute ---------------------------------------------- */

static void
print_minutes(const json_t *series, FILE *out)
{
	const json_t *periods = json_object_get(series, "periods");
	const json_t *rows = json_object_get(series, "rows");
	size_t n = json_array_size(periods), i, k;
	struct cli_table *t;
	json_t *row, *period;

	if (json_array_size(rows) == 0)
		return;
	t = cli_table_new(n + 1);
	cli_table_add(t, "delivered at");
	json_array_foreach(periods, k, period)
	{
		const char *at = json_string_value(period);
		char minute[6] = "";

		if (at != NULL && strlen(at) >= 16)
			memcpy(minute, at + 11, 5);
		cli_table_add(t, minute);
		cli_table_right(t, k + 1);
	}
	json_array_foreach(rows, i, row)
	{
		cli_table_add(t, cli_text(row, "path"));
		for (k = 0; k < n; k++) {
			char text[24];

			snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
			    json_integer_value(json_array_get(
				json_object_get(row, "delivered"), k)));
			cli_table_add(t, text);
		}
	}
	fputc('\n', out);
	cli_table_print(&t, out);
}

/* -- what is stopped ------------------------------------------------------- */

/* "04:32:07" of a time; "" of none. */
static const char *
clock_text(const json_t *row, const char *key, char buf[static 9])
{
	const char *at = cli_text(row, key);

	buf[0] = '\0';
	if (strlen(at) >= 19)
		snprintf(buf, 9, "%.8s", at + 11);
	return buf;
}

static void
print_stopped(const struct top *top, FILE *out)
{
	const json_t *pauses = json_object_get(top->pauses, "rows");
	const json_t *guard = json_object_get(top->guard, "rows");
	struct cli_table *t = cli_table_new(4);
	size_t i, shown = 0;
	json_t *row;

	json_array_foreach(pauses, i, row)
	{
		const char *until = cli_text(row, "until");

		cli_table_add(t, cli_text(row, "kind"));
		cli_table_add(t, cli_text(row, "name"));
		cli_table_add(t, *until != '\0' ? until : "until resumed");
		cli_table_add(t, cli_text(row, "why"));
		shown++;
	}
	json_array_foreach(guard, i, row)
	{
		const char *level = cli_text(row, "level");

		/* A pause of the guard's is among the pauses. */
		if (strcmp(level, "ok") == 0 || strcmp(level, "pause") == 0 ||
		    shown >= json_array_size(pauses) + GUARD_MAX)
			continue;
		cli_table_add(t, level);
		cli_table_add(t, cli_text(row, "name"));
		cli_table_add(t, cli_text(row, "until"));
		cli_table_add(t, cli_text(row, "evidence"));
		shown++;
	}
	if (shown > 0)
		fputs("\nstopped and watched\n", out);
	cli_table_print(&t, out);
}

/* -- lanes ----------------------------------------------------------------- */

static void
add_lane(struct cli_table *t, const json_t *lane)
{
	char text[32];

	cli_table_add(t, cli_text(lane, "path"));
	cli_table_add(t, cli_text(lane, "source"));
	cli_table_add(t, cli_text(lane, "group"));
	cli_table_add_number(t, lane, "waiting");
	cli_table_add_number(t, lane, "sending");
	snprintf(text, sizeof(text),
	    "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
	    json_integer_value(json_object_get(lane, "connections")),
	    json_integer_value(json_object_get(lane, "max_connections")));
	cli_table_add(t, text);
	snprintf(text, sizeof(text), "%.0f%%",
	    json_number_value(json_object_get(lane, "rate")) * 100);
	cli_table_add(t, text);
	cli_table_add(t, clock_text(lane, "blocked_until", text));
	cli_table_add(t, cli_text(lane, "state"));
}

static void
print_lanes(const json_t *status, FILE *out)
{
	static const char *const heads[] = { "path", "source", "group",
		"waiting", "sending", "sessions", "rate", "blocked", "state" };
	size_t nheads = sizeof(heads) / sizeof(heads[0]);
	json_t *lanes = top_lanes(status), *lane;
	size_t n = json_array_size(lanes), i;
	struct cli_table *t = cli_table_new(nheads);

	for (i = 0; i < nheads; i++)
		cli_table_add(t, heads[i]);
	for (i = 3; i < 7; i++)
		cli_table_right(t, i);
	json_array_foreach(lanes, i, lane)
	{
		if (i < LANES_MAX)
			add_lane(t, lane);
	}
	fputc('\n', out);
	cli_table_print(&t, out);
	if (n > LANES_MAX)
		fprintf(out, "and %zu lanes with less to do\n", n - LANES_MAX);
	json_decref(lanes);
}

static void
print_replies(const struct top *top, FILE *out)
{
	json_t *replies = top_replies(top), *reply;
	struct cli_table *t = cli_table_new(7);
	char at[9];
	size_t i;

	json_array_foreach(replies, i, reply)
	{
		if (i >= REPLIES_MAX)
			break;
		cli_table_add(t, cli_text(reply, "what"));
		cli_table_add(t, clock_text(reply, "at", at));
		cli_table_add(t, cli_text(reply, "path"));
		cli_table_add(t, cli_text(reply, "source"));
		cli_table_add(t, cli_text(reply, "group"));
		cli_table_add(t, cli_text(reply, "to"));
		cli_table_add(t, cli_text(reply, "text"));
	}
	if (json_array_size(replies) > 0)
		fputs("\nlast replies\n", out);
	cli_table_print(&t, out);
	json_decref(replies);
}

void
top_print(const struct top *top, FILE *out)
{
	print_totals(top->status, out);
	print_minutes(top->series, out);
	print_stopped(top, out);
	print_lanes(top->status, out);
	print_replies(top, out);
}
