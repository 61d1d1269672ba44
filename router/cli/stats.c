/*
 * stats.c - `oiwake stats`: what became of the mail, by path, carrier, ...
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"
#include "router/cli/live.h"
#include "router/cli/stats_int.h"
#include "router/stats.h"
#include "router/window.h"

#define BY_DEFAULT    "path,carrier"
#define WATCH_DEFAULT 2 /* s */

enum {
	OPTION_BY,
	OPTION_WINDOW,
	OPTION_PATH,
	OPTION_CARRIER,
	OPTION_SENDER,
	OPTION_RULE,
	OPTION_WIDE,
	OPTION_CSV,
	OPTION_WATCH,
};

static const struct cli_option options[] = {
	[OPTION_BY] = { "by", "NAMES",
	    "path, carrier, group, sender, source, rule, configuration-set; "
	    "joined by ','" },
	[OPTION_WINDOW] = { "window", "WINDOW",
	    "1h, 24h, 7d, 90d, last:N sent messages, or all" },
	[OPTION_PATH] = { "path", "NAME", "only what goes by that path" },
	[OPTION_CARRIER] = { "carrier", "NAME", "only to that carrier" },
	[OPTION_SENDER] = { "sender", "DOMAIN", "only of that sender" },
	[OPTION_RULE] = { "rule", "NAME", "only by that rule" },
	[OPTION_WIDE] = { "wide", NULL, "all columns" },
	[OPTION_CSV] = { "csv", NULL, "comma-separated, all columns" },
	[OPTION_WATCH] = { "watch", NULL,
	    "again and again, every 2 seconds or as many as are given" },
	{ NULL, NULL, NULL },
};

struct question {
	const struct cli_args *args;
	unsigned by;
	int64_t seconds;
	bool shown; /* before */
	struct str url;
};

static void
make_url(struct question *q)
{
	static const struct {
		int option;
		const char *name;
	} passed[] = { { OPTION_BY, "by" }, { OPTION_WINDOW, "window" },
		{ OPTION_PATH, "path" }, { OPTION_CARRIER, "carrier" },
		{ OPTION_SENDER, "sender" }, { OPTION_RULE, "rule" } };

	str_adds(&q->url, "/v1/stats");
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		if (q->args->value[passed[i].option] != NULL)
			cli_query_add(&q->url, passed[i].name,
			    q->args->value[passed[i].option]);
}

static int
show(void *arg, FILE *out)
{
	struct question *q = arg;
	const char *const *value = q->args->value;
	json_t *reply = cli_ask(q->args, q->url.data, NULL, NULL);

	if (reply == NULL)
		return CLI_BAD;
	if (q->args->json) {
		cli_print_json_rows(json_object_get(reply, "rows"));
	} else if (value[OPTION_CSV] != NULL) {
		stats_print_csv(reply, q->by, out);
	} else {
		if (q->shown)
			fputc('\n', out);
		stats_print_table(
		    reply, q->by, value[OPTION_WIDE] != NULL, out);
	}
	q->shown = value[OPTION_WATCH] != NULL;
	json_decref(reply);
	return CLI_GOOD;
}

/* -1: it can be asked. */
static int
check(const struct cli_command *cmd, struct question *q)
{
	const struct cli_args *args = q->args;
	const char *by = args->value[OPTION_BY];
	const char *window = args->value[OPTION_WINDOW];
	bool watch = args->value[OPTION_WATCH] != NULL;
	struct err e = ERR_INIT;
	struct window w;

	if (args->argc > (watch ? 1 : 0))
		return cli_usage(cmd, "too many arguments");
	if (args->argc > 0 && cli_live_seconds(args->argv[0], &q->seconds) != 0)
		return cli_usage(cmd, "--watch takes seconds, from 1 to 86400");
	if (args->value[OPTION_CSV] != NULL && (args->json || watch))
		return cli_usage(
		    cmd, "--csv goes with neither --json nor --watch");
	if (stats_parse_by(by != NULL ? by : BY_DEFAULT, &q->by, &e) != 0 ||
	    (window != NULL && window_parse(window, &w, &e) != 0))
		return cli_usage(cmd, "%s", e.text);
	return -1;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	struct question q = {
		.args = &args, .seconds = WATCH_DEFAULT, .url = STR_INIT
	};
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc < 0)
		rc = check(cmd, &q);
	if (rc >= 0)
		return rc;
	make_url(&q);
	rc = args.value[OPTION_WATCH] != NULL ? cli_live(q.seconds, show, &q)
					      : show(&q, stdout);
	str_release(&q.url);
	return rc;
}

const struct cli_command cli_stats = { "stats",
	"[--by NAMES] [--window WINDOW] [--path NAME] [--carrier NAME] "
	"[--sender DOMAIN] [--rule NAME] [--wide | --csv] "
	"[--watch [SECONDS]]",
	"count what became of the mail, per path and carrier", run, options };
