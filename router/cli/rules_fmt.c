/*
 * rules_fmt.c - `oiwake rules fmt`: a file of rules in canonical form.
 */
#include "router/cli/rules_int.h"

#include <stdlib.h>
#include <string.h>

#include "router/rules_files.h"

/* NULL: told. */
static char *
format(const char *name, const char *text, size_t len)
{
	struct rules_file file = { .name = name, .text = text, .len = len };
	struct rules_report report;
	char *formatted, *said;

	rules_report_init(&report);
	formatted = rules_format(&file, &report);
	if (formatted == NULL) {
		said = rules_report_string(&report);
		cli_print_lines(stderr, said);
		free(said);
	}
	rules_report_clear(&report);
	return formatted;
}

static int
check(const struct cli_args *args, const char *name, bool same)
{
	if (args->json)
		cli_print_json(
		    json_pack("{s:s, s:b}", "file", name, "canonical", same));
	else if (!same)
		cli_fail("not in canonical form: '%s'", name);
	return same ? CLI_GOOD : CLI_BAD;
}

static int
deliver(const struct cli_args *args, const char *name, const char *formatted,
    bool same)
{
	struct err e = ERR_INIT;

	if (args->value[RULES_CHECK] != NULL)
		return check(args, name, same);
	if (args->value[RULES_WRITE] == NULL)
		fputs(formatted, stdout);
	else if (!same && rules_file_replace(
			      name, formatted, strlen(formatted), &e) != 0)
		return cli_fail("%s", e.text);
	return CLI_GOOD;
}

static int
fmt_file(const struct cli_args *args, const char *name)
{
	const char *shown = strcmp(name, "-") == 0 ? "standard input" : name;
	struct err e = ERR_INIT;
	char *text, *formatted;
	size_t len = 0;
	int rc = CLI_BAD;

	if ((text = rules_file_read(name, &len, &e)) == NULL)
		return cli_fail("%s", e.text);
	if ((formatted = format(shown, text, len)) != NULL)
		rc = deliver(args, shown, formatted,
		    strlen(formatted) == len &&
			memcmp(formatted, text, len) == 0);
	free(formatted);
	free(text);
	return rc;
}

int
rules_fmt(const struct cli_command *cmd, const struct cli_args *args)
{
	bool write = args->value[RULES_WRITE] != NULL;
	int rc = CLI_GOOD;

	if (write && args->value[RULES_CHECK] != NULL)
		return cli_usage(cmd, "--write and --check exclude each other");
	for (int i = 0; i < args->argc; i++) {
		if (write && strcmp(args->argv[i], "-") == 0)
			return cli_usage(
			    cmd, "standard input cannot be written");
		if (fmt_file(args, args->argv[i]) != CLI_GOOD)
			rc = CLI_BAD;
	}
	return rc;
}
