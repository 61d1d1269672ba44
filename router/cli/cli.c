/*
 * cli.c - what all subcommands share: the list of them, options, usage, help.
 */
#include "router/cli/cli.h"
#include "router/version.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"

static const struct cli_command serve = { "serve", "",
	"run the router in the foreground", cmd_serve, NULL };

const struct cli_command *const cli_commands[] = {
	&serve,
	&cli_check,
	&cli_explain,
	&cli_classify,
	&cli_stats,
	&cli_compare,
	&cli_top,
	&cli_queue,
	&cli_messages,
	&cli_sources,
	&cli_pause,
	&cli_drain,
	&cli_resume,
	&cli_pauses,
	&cli_nodes,
	&cli_guard,
	&cli_rules,
	&cli_user,
	&cli_dkim,
	&cli_dns,
	&cli_doctor,
	&cli_tls,
	&cli_suppress,
	&cli_store,
	&cli_ses,
	&cli_events,
	&cli_reload,
	&cli_version,
	&cli_help,
	NULL,
};

static const struct cli_option common[] = {
	{ "config", "FILE", "settings file (also -c; else $OIWAKE_CONF)" },
	{ "json", NULL, "one JSON object per line" },
	{ "help", NULL, "this help" },
	{ NULL, NULL, NULL },
};
enum { COMMON_CONFIG, COMMON_JSON, COMMON_HELP, COMMON_MAX };

static void
print_options(FILE *out, const struct cli_option *options)
{
	for (; options != NULL && options->name != NULL; options++) {
		int width = fprintf(out, "  --%s%s%s", options->name,
		    options->value ? " " : "",
		    options->value ? options->value : "");

		fprintf(out, "%*s%s\n", width < 24 ? 24 - width : 1, "",
		    options->help);
	}
}

static void
print_usage(FILE *out, const struct cli_command *cmd)
{
	fprintf(out, "usage: oiwake %s [-c FILE] [--json]%s%s\n", cmd->name,
	    *cmd->arguments ? " " : "", cmd->arguments);
}

int
cli_usage(const struct cli_command *cmd, const char *fmt, ...)
{
	struct str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	fprintf(stderr, "oiwake %s: ", cmd->name);
	cli_print(stderr, text.data);
	fputc('\n', stderr);
	print_usage(stderr, cmd);
	str_release(&text);
	return CLI_USAGE;
}

int
cli_fail(const char *fmt, ...)
{
	struct str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	fputs("oiwake: ", stderr);
	cli_print(stderr, text.data);
	fputc('\n', stderr);
	str_release(&text);
	return CLI_BAD;
}

static int
show_help(const struct cli_command *cmd)
{
	print_usage(stdout, cmd);
	printf("\n%s\n\n", cmd->summary);
	print_options(stdout, common);
	print_options(stdout, cmd->options);
	return CLI_GOOD;
}

/* The common options first, then the command's, as getopt_long wants them. */
static size_t
long_options(struct option *longs, const struct cli_command *cmd)
{
	const struct cli_option *const lists[] = { common, cmd->options };
	size_t n = 0;

	for (size_t l = 0; l < 2; l++)
		for (const struct cli_option *o = lists[l];
		     o != NULL && o->name != NULL; o++)
			longs[n++] = (struct option){ .name = o->name,
				.has_arg = o->value ? required_argument
						    : no_argument };
	longs[n] = (struct option){ 0 };
	return n;
}

/* Notes a long option; returns its value. */
static const char *
take(struct cli_args *args, int index, const char *value)
{
	args->given[args->ngiven].option = index - COMMON_MAX;
	args->given[args->ngiven].value = value ? value : "";
	return args->given[args->ngiven++].value;
}

const char *
cli_given(const struct cli_args *args, int option, size_t *at)
{
	while (*at < args->ngiven)
		if (args->given[(*at)++].option == option)
			return args->given[*at - 1].value;
	return NULL;
}

int
cli_number(const char *text, int64_t least, int64_t most, int64_t *n)
{
	char *end = NULL;

	errno = 0;
	*n = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
	    *n < least || *n > most)
		return -1;
	return 0;
}

int
cli_parse(
    const struct cli_command *cmd, struct cli_args *args, int argc, char **argv)
{
	struct option longs[COMMON_MAX + CLI_OPTIONS_MAX + 1];
	const char *value[COMMON_MAX + CLI_OPTIONS_MAX] = { NULL };
	int c, index = 0;

	*args = (struct cli_args){ 0 };
	long_options(longs, cmd);
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:h", longs, &index)) != -1) {
		if (c == 'c')
			value[COMMON_CONFIG] = optarg;
		else if (c == 'h')
			value[COMMON_HELP] = "";
		else if (c == 0 && args->ngiven < CLI_GIVEN_MAX)
			value[index] = take(args, index, optarg);
		else if (c == 0)
			return cli_usage(cmd, "too many options");
		else
			return cli_usage(cmd, "%s: %s",
			    c == ':' ? "value missing" : "unknown option",
			    argv[optind - 1]);
	}
	if (value[COMMON_HELP] != NULL)
		return show_help(cmd);
	args->config =
	    value[COMMON_CONFIG] ? value[COMMON_CONFIG] : getenv("OIWAKE_CONF");
	if (args->config == NULL || *args->config == '\0')
		args->config = CLI_CONFIG_DEFAULT;
	args->json = value[COMMON_JSON] != NULL;
	memcpy(args->value, value + COMMON_MAX, sizeof(args->value));
	args->argc = argc - optind;
	args->argv = argv + optind;
	return -1;
}

struct config *
cli_config(const struct cli_args *args, enum config_part part)
{
	struct str report = STR_INIT;
	struct config *cfg = config_load_part(args->config, part, &report);

	if (cfg == NULL)
		cli_print_lines(stderr, report.data);
	str_release(&report);
	return cfg;
}

/* -- help and version
 * ---------------------------------------------------------- */

static int
cmd_help(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	for (size_t i = 0; args.argc == 1 && cli_commands[i] != NULL; i++)
		if (strcmp(cli_commands[i]->name, args.argv[0]) == 0)
			return show_help(cli_commands[i]);
	if (args.argc > 0)
		return cli_usage(cmd, "unknown command '%s'", args.argv[0]);
	puts("usage: oiwake [-c FILE] [--json] COMMAND ...\n");
	for (size_t i = 0; cli_commands[i] != NULL; i++)
		printf("  %-10s %s\n", cli_commands[i]->name,
		    cli_commands[i]->summary);
	puts("\nSee oiwake(8), oiwake.conf(5) and oiwake-rules(5).");
	return CLI_GOOD;
}

static int
cmd_version(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	if (args.json)
		cli_print_json(json_pack("{s:s}", "version", OIWAKE_VERSION));
	else
		puts("oiwake " OIWAKE_VERSION);
	return CLI_GOOD;
}

const struct cli_command cli_help = { "help", "[COMMAND]",
	"show what there is, or how one command goes", cmd_help, NULL };
const struct cli_command cli_version = { "version", "",
	"show the version of this program", cmd_version, NULL };
