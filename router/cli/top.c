/*
 * top.c - `oiwake top`: what the daemon is doing now.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/clock.h"
#include "router/cli/cli.h"
#include "router/cli/live.h"
#include "router/cli/top_int.h"

#define SECONDS_DEFAULT 2
/* To find replies in: recipients, oldest first; and of the newest events. */
#define QUEUE  "200"
#define EVENTS "300"

enum { OPTION_ONCE };

static const struct cli_option options[] = {
	[OPTION_ONCE] = { "once", NULL, "one screen, and no more" },
	{ NULL, NULL, NULL },
};

/* In the order of asking: the first says whether there is a daemon. */
static const struct {
	const char *url;
	size_t offset;
} asked[] = {
	{ "/v1/status", offsetof(struct top, status) },
	{ "/v1/series?step=minute&window=9min&by=path",
	    offsetof(struct top, series) },
	{ "/v1/pauses", offsetof(struct top, pauses) },
	{ "/v1/guard", offsetof(struct top, guard) },
	{ "/v1/queue?limit=" QUEUE, offsetof(struct top, queue) },
	{ "/v1/events?type=Bounce&limit=" EVENTS,
	    offsetof(struct top, events) },
};
#define NASKED (sizeof(asked) / sizeof(asked[0]))

static json_t **
answer_of(struct top *top, size_t i)
{
	return (json_t **)(void *)((char *)top + asked[i].offset);
}

static int
ask_all(const struct cli_args *args, struct top *top)
{
	for (size_t i = 0; i < NASKED; i++) {
		json_t *answer = cli_ask(args, asked[i].url, NULL, NULL);

		if (answer == NULL)
			return CLI_BAD;
		*answer_of(top, i) = answer;
	}
	return CLI_GOOD;
}

static void
forget(struct top *top)
{
	for (size_t i = 0; i < NASKED; i++)
		json_decref(*answer_of(top, i));
}

/* -- what of it is shown --------------------------------------------------- */

static json_int_t
busy(const json_t *lane)
{
	return json_integer_value(json_object_get(lane, "waiting")) +
	       json_integer_value(json_object_get(lane, "sending"));
}

/* Then by name, so that a screen does not jump. */
static int
by_busy(const void *a, const void *b)
{
	static const char *const names[] = { "path", "source", "group" };
	const json_t *const *x = a, *const *y = b;
	json_int_t n = busy(*x), m = busy(*y);
	int order = (n < m) - (n > m);

	for (size_t i = 0; order == 0 && i < 3; i++)
		order = strcmp(cli_text(*x, names[i]), cli_text(*y, names[i]));
	return order;
}

json_t *
top_lanes(const json_t *status)
{
	const json_t *lanes = json_object_get(status, "lanes");
	size_t n = json_array_size(lanes);
	json_t **sorted = calloc(n + 1, sizeof(json_t *));
	json_t *out = json_array();

	if (sorted == NULL)
		abort(); /* out of memory */
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(lanes, i);
	qsort(sorted, n, sizeof(json_t *), by_busy);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, sorted[i]);
	free(sorted);
	return out;
}

static const char *
tag(const json_t *mail, const char *name)
{
	const json_t *values =
	    json_object_get(json_object_get(mail, "tags"), name);
	const char *text = json_string_value(json_array_get(values, 0));

	return text != NULL ? text : "";
}

static json_t *
reply_of_event(const json_t *event)
{
	const json_t *mail = json_object_get(event, "mail");
	const json_t *bounce = json_object_get(event, "bounce");
	const json_t *recipient =
	    json_array_get(json_object_get(bounce, "bouncedRecipients"), 0);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "what",
	    "bounced", "at", cli_text(bounce, "timestamp"), "path",
	    tag(mail, "oiwake:path"), "source", tag(mail, "oiwake:source"),
	    "group", tag(mail, "oiwake:group"), "to",
	    cli_text(recipient, "emailAddress"), "text",
	    cli_text(recipient, "diagnosticCode"));
}

static json_t *
reply_of_waiting(const json_t *row)
{
	bool tried = json_integer_value(json_object_get(row, "attempts")) > 0;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "what", "again",
	    "at", cli_text(row, "due"), "path", cli_text(row, "path"), "source",
	    cli_text(row, "source"), "group", cli_text(row, "group"), "to",
	    cli_text(row, "to"), "text", tried ? cli_text(row, "last") : "");
}

static bool
has_lane(const json_t *replies, const json_t *reply)
{
	static const char *const names[] = { "path", "source", "group" };
	json_t *other;
	size_t i;

	json_array_foreach(replies, i, other)
	{
		size_t same = 0;

		while (same < 3 && strcmp(cli_text(other, names[same]),
				       cli_text(reply, names[same])) == 0)
			same++;
		if (same == 3)
			return true;
	}
	return false;
}

/* Takes it over. */
static void
add_reply(json_t *replies, json_t *reply)
{
	if (reply != NULL && *cli_text(reply, "text") != '\0' &&
	    !has_lane(replies, reply))
		json_array_append(replies, reply);
	json_decref(reply);
}

json_t *
top_replies(const struct top *top)
{
	const json_t *waiting = json_object_get(top->queue, "rows");
	const json_t *events = json_object_get(top->events, "rows");
	json_t *replies = json_array();

	for (size_t i = 0; i < json_array_size(waiting); i++)
		add_reply(
		    replies, reply_of_waiting(json_array_get(waiting, i)));
	for (size_t i = json_array_size(events); i-- > 0;)
		add_reply(replies, reply_of_event(json_object_get(
				       json_array_get(events, i), "event")));
	return replies;
}

/* One object, whose members are those of the API. */
static void
print_json(const struct top *top)
{
	json_t *o = json_copy(top->status);
	char now[25];

	json_object_set_new(o, "at", json_string(clock_iso(clock_wall(), now)));
	json_object_set_new(o, "lanes", top_lanes(top->status));
	json_object_set(o, "minutes", json_object_get(top->series, "periods"));
	json_object_set(o, "paths", json_object_get(top->series, "rows"));
	json_object_set(o, "pauses", json_object_get(top->pauses, "rows"));
	json_object_set(o, "guard", json_object_get(top->guard, "rows"));
	json_object_set_new(o, "replies", top_replies(top));
	cli_print_json(o);
}

static int
show(void *arg, FILE *out)
{
	const struct cli_args *args = arg;
	struct top top = { .status = NULL };
	int status = ask_all(args, &top);

	if (status == CLI_GOOD && args->json)
		print_json(&top);
	else if (status == CLI_GOOD)
		top_print(&top, out);
	forget(&top);
	return status;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	int64_t seconds = SECONDS_DEFAULT;
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 1 || (args.argc > 0 && args.value[OPTION_ONCE] != NULL))
		return cli_usage(cmd, "too many arguments");
	if (args.argc > 0 && cli_live_seconds(args.argv[0], &seconds) != 0)
		return cli_usage(cmd, "expected seconds, from 1 to 86400");
	return args.value[OPTION_ONCE] != NULL ? show(&args, stdout)
					       : cli_live(seconds, show, &args);
}

const struct cli_command cli_top = { "top", "[--once | SECONDS]",
	"show live what the daemon is doing: lanes, queues, replies", run,
	options };
