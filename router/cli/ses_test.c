/*
 * ses_test.c - `oiwake ses send-test`: mail to SES's mailbox simulator, and
 * whether all comes back that should.
 *
 * The daemon sends one message to five addresses like any other mail; this
 * follows it in the queue and the events until each has its end.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mta/base/str.h"
#include "router/cli/ses_int.h"

#define WAIT_DEFAULT 120 /* seconds */

struct test {
	const struct cli_args *args;
	json_t *sent; /* the daemon's answer: id, rows */
	json_t *seen; /* what it says of that id now; NULL */
	const char *id;
};

/* An event of that recipient, by its number. */
static const json_t *
find_event(const struct test *t, size_t index, const char *type)
{
	const json_t *events = json_object_get(t->seen, "events");
	struct str id = STR_INIT;
	const json_t *found = NULL, *event;

	str_addf(&id, "%s.%zu", t->id, index);
	for (size_t i = 0;
	     found == NULL && (event = json_array_get(events, i)) != NULL; i++)
		if (strcmp(cli_text(event, "id"), id.data) == 0 &&
		    strcmp(cli_text(event, "event"), type) == 0)
			found = event;
	str_release(&id);
	return found;
}

static bool
has_all(const struct test *t, size_t index)
{
	const json_t *row =
	    json_array_get(json_object_get(t->sent, "rows"), index);
	const json_t *expected = json_object_get(row, "events");
	const json_t *name;

	for (size_t i = 0; (name = json_array_get(expected, i)) != NULL; i++)
		if (find_event(t, index, json_string_value(name)) == NULL)
			return false;
	return find_event(t, index, "Send") != NULL;
}

static size_t
count_rows(const struct test *t)
{
	return json_array_size(json_object_get(t->sent, "rows"));
}

static bool
is_complete(const struct test *t)
{
	for (size_t i = 0; i < count_rows(t); i++)
		if (!has_all(t, i))
			return false;
	return true;
}

/* What has come, and of the missing ones where the recipient is now. */
static void
describe(const struct test *t, size_t index, struct str *out)
{
	static const char *const types[] = { "Send", "Delivery", "Bounce",
		"Note", "Complaint", "Reject", "DeliveryDelay", "Unread",
		"Expired" };
	const json_t *rows = json_object_get(t->seen, "rows"), *row;
	struct str id = STR_INIT;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (find_event(t, index, types[i]) != NULL)
			str_addf(
			    out, "%s%s", out->len > 0 ? ", " : "", types[i]);
	str_addf(&id, "%s.%zu", t->id, index);
	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		if (strcmp(cli_text(row, "id"), id.data) == 0)
			str_addf(out, "%sin the queue: %s",
			    out->len > 0 ? "; " : "",
			    *cli_text(row, "last") != '\0'
				? cli_text(row, "last")
				: cli_text(row, "state"));
	str_release(&id);
}

static void
add_expected(const json_t *row, struct str *out)
{
	const json_t *events = json_object_get(row, "events"), *name;

	str_adds(out, "Send");
	for (size_t i = 0; (name = json_array_get(events, i)) != NULL; i++)
		str_addf(out, ", %s", json_string_value(name));
}

static void
report_row(const struct test *t, size_t index, struct cli_table *table)
{
	const json_t *row =
	    json_array_get(json_object_get(t->sent, "rows"), index);
	struct str expected = STR_INIT, came = STR_INIT;
	bool good = has_all(t, index);

	add_expected(row, &expected);
	describe(t, index, &came);
	if (table == NULL) {
		cli_print_json(json_pack("{s:s, s:b, s:s, s:s}", "address",
		    cli_text(row, "local"), "good", good, "expected",
		    expected.data, "came", came.data));
	} else {
		cli_table_add(table, cli_text(row, "local"));
		cli_table_add(table, good ? "good" : "BAD");
		cli_table_add(table, expected.data);
		cli_table_add(table, came.len > 0 ? came.data : "nothing");
	}
	str_release(&expected);
	str_release(&came);
}

static int
report(const struct test *t)
{
	static const char *const heads[] = { "address", "", "expected",
		"came" };
	struct cli_table *table = t->args->json ? NULL : cli_table_new(4);

	for (size_t i = 0; table != NULL && i < 4; i++)
		cli_table_add(table, heads[i]);
	for (size_t i = 0; i < count_rows(t); i++)
		report_row(t, i, table);
	if (table != NULL)
		cli_table_print(&table, stdout);
	return is_complete(t) ? CLI_GOOD : CLI_BAD;
}

/* -- following it ---------------------------------------------------------- */

static int
look(struct test *t)
{
	struct str path = STR_INIT;

	str_addf(&path, "/v1/queue/%s", t->id);
	json_decref(t->seen);
	t->seen = cli_ask(t->args, path.data, NULL, NULL);
	str_release(&path);
	return t->seen != NULL ? 0 : -1;
}

static int
follow(struct test *t, int64_t wait)
{
	static const struct timespec half = { .tv_nsec = 500000000 };
	time_t until = time(NULL) + wait;

	for (;;) {
		if (look(t) != 0)
			return CLI_BAD;
		if (is_complete(t) || time(NULL) >= until)
			return report(t);
		nanosleep(&half, NULL);
	}
}

int
ses_test(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *wait = args->value[SES_OPTION_WAIT];
	const char *from = args->value[SES_OPTION_FROM];
	struct test t = { .args = args };
	int64_t seconds = WAIT_DEFAULT;
	int rc;

	if (args->argc != 1 || from == NULL)
		return cli_usage(cmd, "send-test takes --from ADDRESS");
	if (wait != NULL && cli_number(wait, 0, 86400, &seconds) != 0)
		return cli_usage(
		    cmd, "--wait is a number of seconds, not '%s'", wait);
	t.sent = cli_ask(
	    args, "/v1/ses/send-test", json_pack("{s:s}", "from", from), NULL);
	if (t.sent == NULL)
		return CLI_BAD;
	t.id = cli_text(t.sent, "id");
	rc = follow(&t, seconds);
	json_decref(t.seen);
	json_decref(t.sent);
	return rc;
}
