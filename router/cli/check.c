/*
 * check.c - `oiwake check`: is everything in order that the daemon will read?
 */
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/cli.h"
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

static void
report_good(const struct cli_args *args, const struct config *cfg)
{
	const struct rule *const *rules;
	size_t n = ruleset_rules(cfg->rules, &rules);

	if (!args->json && cfg->warnings != NULL)
		cli_print_lines(stderr, cfg->warnings);
	if (args->json)
		cli_print_json(
		    json_pack("{s:b, s:I, s:s, s:s}", "ok", 1, "rules",
			(json_int_t)n, "version", ruleset_version(cfg->rules),
			"warnings", cfg->warnings ? cfg->warnings : ""));
	else
		printf("ok: %zu rule%s, version %s\n", n, n == 1 ? "" : "s",
		    ruleset_version(cfg->rules));
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct str report = STR_INIT;
	struct cli_args args;
	struct config *cfg;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	cfg = config_load(args.config, &report);
	rc = CLI_GOOD;
	if (cfg == NULL)
		rc = report_mistakes(&args, &report);
	else
		report_good(&args, cfg);
	config_unref(&cfg);
	str_release(&report);
	return rc;
}

const struct cli_command cli_check = { "check", "",
	"check the settings and rules, and say all that is wrong", run, NULL };
