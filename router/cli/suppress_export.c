/*
 * suppress_export.c - `oiwake suppress export`: the list as CSV with all that
 * is known, as the CSV that SES imports, and as SES's own list in JSON.
 */
#include "router/cli/suppress_int.h"

#include <string.h>

#include "mta/base/str.h"
#include "router/suppress.h"

static const char *const columns[] = { "address", "scope", "cause", "source",
	"expires", "at", "who", "evidence" };

#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

/* RFC 4180 */
static void
print_field(const char *text)
{
	struct str quoted = STR_INIT;

	if (strpbrk(text, ",\"") == NULL && text[0] != ' ') {
		cli_print(stdout, text);
		return;
	}
	for (; *text != '\0'; text++) {
		if (*text == '"')
			str_addc(&quoted, '"');
		str_addc(&quoted, *text);
	}
	putchar('"');
	cli_print(stdout, quoted.data);
	putchar('"');
	str_release(&quoted);
}

/* SES has two reasons. */
static const char *
reason_of(const json_t *row)
{
	return strcasecmp(cli_text(row, "cause"), SUPPRESS_COMPLAINT) == 0
		   ? "COMPLAINT"
		   : "BOUNCE";
}

static void
begin_csv(void)
{
	for (size_t i = 0; i < NCOLUMNS; i++)
		printf("%s%s", i > 0 ? "," : "", columns[i]);
	putchar('\n');
}

static void
print_csv(const json_t *row, bool first)
{
	(void)first;
	for (size_t i = 0; i < NCOLUMNS; i++) {
		if (i > 0)
			putchar(',');
		print_field(cli_text(row, columns[i]));
	}
	putchar('\n');
}

static void
print_ses_csv(const json_t *row, bool first)
{
	(void)first;
	print_field(cli_text(row, "address"));
	printf(",%s\n", reason_of(row));
}

static void
begin_json(void)
{
	fputs("{\"SuppressedDestinationSummaries\":[", stdout);
}

static void
print_json(const json_t *row, bool first)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "EmailAddress",
	    cli_text(row, "address"), "Reason", reason_of(row),
	    "LastUpdateTime", cli_text(row, "at"));

	fputs(first ? "\n" : ",\n", stdout);
	json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
}

static void
end_json(void)
{
	puts("\n]}");
}

static const struct format {
	const char *name;
	void (*begin)(void);
	void (*print)(const json_t *row, bool first);
	void (*end)(void);
} formats[] = {
	{ "csv", begin_csv, print_csv, NULL },
	{ "ses-csv", NULL, print_ses_csv, NULL },
	{ "json", begin_json, print_json, end_json },
};

struct export
{
	const struct format *format;
	bool begun;
};

static void
print_rows(void *arg, json_t *rows)
{
	struct export *x = arg;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		/* What is to be taken away at SES is on the list no more. */
		if (strcmp(cli_text(row, "state"), "gone") == 0)
			continue;
		x->format->print(row, !x->begun);
		x->begun = true;
	}
}

static const struct format *
find_format(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (name == NULL || strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

int
suppress_export(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *name = args->value[SUPPRESS_OPTION_FORMAT];
	struct export x = {
		find_format(name == NULL && args->json ? "json" : name), false
	};
	json_t *filter;
	bool more;
	int rc;

	if (x.format == NULL)
		return cli_usage(
		    cmd, "--format is csv, ses-csv or json, not '%s'", name);
	filter = suppress_filter_of(cmd, args);
	if (filter == NULL)
		return CLI_USAGE;
	if (x.format->begin != NULL)
		x.format->begin();
	rc = suppress_each_page(args, filter, INT64_MAX, print_rows, &x, &more);
	/* A list cut short must not look like a whole one. */
	if (rc == CLI_GOOD && x.format->end != NULL)
		x.format->end();
	json_decref(filter);
	if (rc == CLI_GOOD && fflush(stdout) != 0)
		return cli_fail("cannot write the list");
	return rc;
}
