/*
 * check.c - `oiwake check`: is everything in order that the daemon will read,
 * or would a rule file be?
 */
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"
#include "router/store/store.h"
#include "rules/rules.h"

static int
report_mistakes(const struct cli_args *args, const struct str *report)
{
	if (args->json)
		cli_print_json(
		    json_pack("{s:b, s:s}", "ok", 0, "report", report->data));
	else
		cli_print_lines(stderr, report->data);
	return CLI_BAD;
}

/* store NULL: it was not looked at. */
static void
report_good(const struct cli_args *args, const struct ruleset *set,
    const char *warnings, const char *store)
{
	const struct rule *const *rules;
	size_t n = ruleset_rules(set, &rules);

	if (!args->json)
		cli_print_lines(stderr, warnings);
	if (args->json)
		cli_print_json(json_pack("{s:b, s:I, s:s, s:s, s:s?}", "ok", 1,
		    "rules", (json_int_t)n, "version", ruleset_version(set),
		    "warnings", warnings, "store", store));
	else
		printf("ok: %zu rule%s, version %s\n", n, n == 1 ? "" : "s",
		    ruleset_version(set));
	if (!args->json && store != NULL) {
		fputs("store: ", stdout);
		cli_print(stdout, store);
		putchar('\n');
	}
}

/* *says "postgresql://oiwake@db/oiwake (PostgreSQL 15.4, schema 1)", or why it
 * would not do, a line. */
static int
look_at_store(const struct config *cfg, struct str *says)
{
	const struct store_config store = {
		.directory = cfg->state_directory,
		.url = cfg->store.url.value,
		.password_file = cfg->store.password_file,
		.token_command = cfg->store.token_command,
		.node = cfg->store.node,
		.lease = cfg->store.lease,
	};
	struct str found = STR_INIT;
	struct err e = ERR_INIT;
	int rc = store_probe(&store, &found, &e);

	if (rc != 0)
		str_addf(says, "store: %s: %s\n", cfg->store.shown, e.text);
	else if (cfg->store.shown != NULL)
		str_addf(says, "%s (%s)", cfg->store.shown, found.data);
	else
		str_adds(says, found.data);
	str_release(&found);
	return rc;
}

/* All that the daemon reads, keys and certificates included. */
static int
check_all(const struct cli_args *args)
{
	struct str report = STR_INIT, store = STR_INIT;
	struct config *cfg = config_load(args->config, &report);
	int rc = CLI_GOOD;

	if (cfg == NULL)
		rc = report_mistakes(args, &report);
	else if (look_at_store(cfg, &store) != 0)
		rc = report_mistakes(args, &store);
	else
		report_good(args, cfg->rules,
		    cfg->warnings ? cfg->warnings : "", store.data);
	config_unref(&cfg);
	str_release(&report);
	str_release(&store);
	return rc;
}

/* Rules that are not in place yet, or where the keys are not: the settings are
 * read for the names of paths and the like. */
static int
check_rules(const struct cli_args *args, const char *file)
{
	struct config *cfg = cli_config(args, CONFIG_SETTINGS);
	struct str report = STR_INIT;
	struct ruleset *set;
	int rc = CLI_GOOD;

	if (cfg == NULL)
		return CLI_BAD;
	set = config_load_rules(cfg, file, NULL, 0, &report);
	if (set == NULL)
		rc = report_mistakes(args, &report);
	else
		report_good(args, set, report.data, NULL);
	ruleset_unref(set);
	config_unref(&cfg);
	str_release(&report);
	return rc;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 1)
		return cli_usage(cmd, "too many arguments");
	return args.argc == 1 ? check_rules(&args, args.argv[0])
			      : check_all(&args);
}

const struct cli_command cli_check = { "check", "[RULES]",
	"check the settings and rules, and say all that is wrong", run, NULL };
