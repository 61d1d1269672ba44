/*
 * suppress.c - `oiwake suppress`: who is not written to, and an operator's hand
 * on it.
 */
#include "router/cli/suppress_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/config_int.h"

#define PAGE_MOST 5000

static const struct cli_option options[] = {
	[SUPPRESS_OPTION_SCOPE] = { "scope", "SCOPE",
	    "entries for all paths (all), or for one" },
	[SUPPRESS_OPTION_CAUSE] = { "cause", "CAUSE",
	    "userunknown, complaint, manual ..." },
	[SUPPRESS_OPTION_PATH] = { "path", "PATH",
	    "entries that mail by this path brought" },
	[SUPPRESS_OPTION_SOURCE] = { "source", "SOURCE",
	    "told by smtp, dsn, arf, ses, cli or import" },
	[SUPPRESS_OPTION_SINCE] = { "since", "TIME",
	    "made at that time or later: 2026-11-03, 3d" },
	[SUPPRESS_OPTION_UNTIL] = { "until", "TIME", "made before that time" },
	[SUPPRESS_OPTION_EXPIRED] = { "expired", NULL,
	    "list, export: those as well that are over" },
	[SUPPRESS_OPTION_WHY] = { "why", "TEXT",
	    "is kept with an entry, and logged" },
	[SUPPRESS_OPTION_EXPIRES] = { "expires", "TIME",
	    "add: good for so long (never)" },
	[SUPPRESS_OPTION_DRY_RUN] = { "dry-run", NULL,
	    "remove, import: only say what would be done" },
	[SUPPRESS_OPTION_FORMAT] = { "format", "FORMAT",
	    "export: csv, ses-csv or json (csv)" },
	[SUPPRESS_OPTION_SKIP_BAD] = { "skip-bad", NULL,
	    "import: the good lines, though others are bad" },
	[SUPPRESS_OPTION_LIMIT] = { "limit", "N",
	    "list at most so many (100)" },
	{ NULL, NULL, NULL },
};

#define BIT(option) (1u << (option))
#define SELECTORS                                                              \
	(BIT(SUPPRESS_OPTION_SCOPE) | BIT(SUPPRESS_OPTION_CAUSE) |             \
	    BIT(SUPPRESS_OPTION_PATH) | BIT(SUPPRESS_OPTION_SOURCE) |          \
	    BIT(SUPPRESS_OPTION_SINCE) | BIT(SUPPRESS_OPTION_UNTIL))

/* -- selectors ------------------------------------------------------------- */

/* "3d" is so long ago; "2026-11-03" begins at midnight UTC. */
static int
read_time(const char *text, int64_t *out)
{
	struct str whole = STR_INIT;
	double ms;
	int rc = 0;

	if (config_value_ms(text, &ms, NULL) == 0) {
		*out = clock_wall() - (int64_t)ms;
		return 0;
	}
	str_addf(&whole, "%s%s", text,
	    strlen(text) == strlen("2026-11-03") ? "T00:00:00Z" : "");
	rc = clock_iso_read(whole.data, out);
	str_release(&whole);
	return rc;
}

static bool
is_time(int option)
{
	return option == SUPPRESS_OPTION_SINCE ||
	       option == SUPPRESS_OPTION_UNTIL;
}

json_t *
suppress_filter_of(const struct cli_command *cmd, const struct cli_args *args)
{
	json_t *filter = json_object();
	char iso[25];
	int64_t at = 0;

	for (int i = 0; i <= SUPPRESS_OPTION_UNTIL; i++) {
		const char *value = args->value[i];

		if (value == NULL)
			continue;
		if (value[0] == '\0') {
			cli_usage(cmd, "--%s is empty", options[i].name);
			json_decref(filter);
			return NULL;
		}
		if (is_time(i) && read_time(value, &at) != 0) {
			cli_usage(cmd,
			    "--%s is a time such as 2026-11-03 or 3d, not '%s'",
			    options[i].name, value);
			json_decref(filter);
			return NULL;
		}
		json_object_set_new(filter, options[i].name,
		    json_string(is_time(i) ? clock_iso(at, iso) : value));
	}
	return filter;
}

/* The next page behind `after`; NULL when there is none to be had. */
static json_t *
ask_page(const struct cli_args *args, json_t *filter, const char *after,
    int64_t limit)
{
	struct str url = STR_INIT;
	const char *name;
	json_t *value, *reply;

	str_addf(&url, "/v1/suppression?limit=%lld",
	    (long long)(limit < PAGE_MOST ? limit : PAGE_MOST));
	json_object_foreach(filter, name, value)
	{
		cli_query_add(&url, name, json_string_value(value));
	}
	if (args->value[SUPPRESS_OPTION_EXPIRED] != NULL)
		cli_query_add(&url, "expired", "yes");
	if (after != NULL)
		cli_query_add(&url, "after", after);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	return reply;
}

int
suppress_each_page(const struct cli_args *args, json_t *filter, int64_t limit,
    void (*each)(void *, json_t *), void *arg, bool *more)
{
	char *after = NULL;

	do {
		json_t *reply = ask_page(args, filter, after, limit), *rows;

		free(after);
		if (reply == NULL)
			return CLI_BAD;
		rows = json_object_get(reply, "rows");
		limit -= (int64_t)json_array_size(rows);
		each(arg, rows);
		after = *cli_text(reply, "next") != '\0'
			    ? xstrdup(cli_text(reply, "next"))
			    : NULL;
		json_decref(reply);
	} while (after != NULL && limit > 0);
	*more = after != NULL;
	free(after);
	return CLI_GOOD;
}

/* -- list and show --------------------------------------------------------- */

static const char *const columns[] = { "address", "scope", "cause", "source",
	"at", "expires", "path", "who", "evidence" };

#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

static void
add_rows(void *arg, json_t *rows)
{
	struct cli_table *t = arg;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < NCOLUMNS; k++)
			cli_table_add(t, cli_text(row, columns[k]));
	}
}

static struct cli_table *
table_new(void)
{
	struct cli_table *t = cli_table_new(NCOLUMNS);

	for (size_t k = 0; k < NCOLUMNS; k++)
		cli_table_add(t, columns[k]);
	return t;
}

static void
print_json_rows(void *arg, json_t *rows)
{
	(void)arg;
	cli_print_json_rows(rows);
}

static int
list(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *text = args->value[SUPPRESS_OPTION_LIMIT];
	struct cli_table *t = NULL;
	int64_t limit = 100;
	bool more = false;
	json_t *filter;
	int rc;

	if (text != NULL && cli_number(text, 1, INT32_MAX, &limit) != 0)
		return cli_usage(
		    cmd, "--limit is a number from 1, not '%s'", text);
	filter = suppress_filter_of(cmd, args);
	if (filter == NULL)
		return CLI_USAGE;
	if (!args->json)
		t = table_new();
	rc = suppress_each_page(args, filter, limit,
	    args->json ? print_json_rows : add_rows, t, &more);
	if (t != NULL)
		cli_table_print(&t, stdout);
	if (more && !args->json)
		fputs("there are more: --limit\n", stderr);
	json_decref(filter);
	return rc;
}

static void
print_entry(json_t *row)
{
	const char *key;
	json_t *value;

	json_object_foreach(row, key, value)
	{
		if (!json_is_string(value))
			continue;
		printf("%-10s ", key);
		cli_print(stdout, json_string_value(value));
		putchar('\n');
	}
}

static int
show(const struct cli_command *cmd, const struct cli_args *args)
{
	struct str url = STR_INIT;
	json_t *reply, *rows, *row;
	size_t i;
	int rc;

	(void)cmd;
	str_adds(&url, "/v1/suppression/show");
	cli_query_add(&url, "address", args->argv[1]);
	reply = cli_ask(args, url.data, NULL, NULL);
	str_release(&url);
	if (reply == NULL)
		return CLI_BAD;
	rows = json_object_get(reply, "rows");
	rc = json_array_size(rows) > 0 ? CLI_GOOD : CLI_BAD;
	if (args->json) {
		cli_print_json_rows(rows);
	} else {
		json_array_foreach(rows, i, row)
		{
			if (i > 0)
				putchar('\n');
			print_entry(row);
		}
		if (rc != CLI_GOOD)
			puts("not suppressed");
	}
	json_decref(reply);
	return rc;
}

/* -- add and remove -------------------------------------------------------- */

static json_t *
addresses_of(const struct cli_args *args)
{
	json_t *all = json_array();

	for (int i = 1; i < args->argc; i++)
		json_array_append_new(all, json_string(args->argv[i]));
	return all;
}

static void
put_option(
    json_t *body, const struct cli_args *args, enum suppress_option option)
{
	if (args->value[option] != NULL)
		json_object_set_new(body, options[option].name,
		    json_string(args->value[option]));
}

/* Asks, and tells the number that the answer gives under that name. */
static int
ask_change(const struct cli_args *args, const char *verb, json_t *body,
    const char *name, const char *words)
{
	struct str url = STR_INIT;
	json_t *reply;

	str_addf(&url, "/v1/suppression/%s", verb);
	reply = cli_ask(args, url.data, body, NULL);
	str_release(&url);
	if (reply == NULL)
		return CLI_BAD;
	if (args->json)
		cli_print_json(json_incref(reply));
	else
		printf("%lld %s\n",
		    (long long)json_integer_value(json_object_get(reply, name)),
		    words);
	json_decref(reply);
	return CLI_GOOD;
}

/* Seconds. */
static int
put_expires(
    const struct cli_command *cmd, const struct cli_args *args, json_t *body)
{
	const char *text = args->value[SUPPRESS_OPTION_EXPIRES];
	struct err e = ERR_INIT;
	double ms;

	if (text == NULL || strcmp(text, "never") == 0)
		return 0;
	if (config_value_ms(text, &ms, &e) != 0 || ms < 1000)
		return cli_usage(cmd, "--expires: %s",
		    e.text[0] != '\0' ? e.text : "less than a second");
	json_object_set_new(
	    body, "expires", json_integer((json_int_t)(ms / 1000)));
	return 0;
}

static int
add(const struct cli_command *cmd, const struct cli_args *args)
{
	json_t *body = json_object();
	int rc = put_expires(cmd, args, body);

	if (rc != 0) {
		json_decref(body);
		return rc;
	}
	json_object_set_new(body, "addresses", addresses_of(args));
	put_option(body, args, SUPPRESS_OPTION_SCOPE);
	put_option(body, args, SUPPRESS_OPTION_CAUSE);
	put_option(body, args, SUPPRESS_OPTION_WHY);
	return ask_change(args, "add", body, "added", "added");
}

static int
remove_addresses(const struct cli_command *cmd, const struct cli_args *args)
{
	json_t *body;

	for (int i = SUPPRESS_OPTION_CAUSE; i <= SUPPRESS_OPTION_UNTIL; i++)
		if (args->value[i] != NULL)
			return cli_usage(cmd,
			    "remove takes addresses, or what they have in "
			    "common");
	if (args->value[SUPPRESS_OPTION_DRY_RUN] != NULL)
		return cli_usage(cmd, "--dry-run is for what entries have in "
				      "common; of an address: show");
	body = json_object();
	json_object_set_new(body, "addresses", addresses_of(args));
	put_option(body, args, SUPPRESS_OPTION_SCOPE);
	put_option(body, args, SUPPRESS_OPTION_WHY);
	return ask_change(args, "remove", body, "removed", "removed");
}

static int
remove_entries(const struct cli_command *cmd, const struct cli_args *args)
{
	bool dry = args->value[SUPPRESS_OPTION_DRY_RUN] != NULL;
	json_t *filter, *body;

	if (args->argc > 1)
		return remove_addresses(cmd, args);
	filter = suppress_filter_of(cmd, args);
	if (filter == NULL)
		return CLI_USAGE;
	if (json_object_size(filter) == 0) {
		json_decref(filter);
		return cli_usage(
		    cmd, "remove which? Addresses, --cause, --since ...");
	}
	body = json_object();
	json_object_set_new(body, "filter", filter);
	put_option(body, args, SUPPRESS_OPTION_WHY);
	if (dry)
		json_object_set_new(body, "dry_run", json_true());
	return ask_change(args, "remove", body,
	    dry ? "would_remove" : "removed",
	    dry ? "would be removed" : "removed");
}

/* -- the command ----------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*run)(const struct cli_command *, const struct cli_args *);
	int least, most; /* words, itself included */
	unsigned options;
} verbs[] = {
	{ "list", list, 1, 1,
	    SELECTORS | BIT(SUPPRESS_OPTION_EXPIRED) |
		BIT(SUPPRESS_OPTION_LIMIT) },
	{ "show", show, 2, 2, 0 },
	{ "add", add, 2, INT32_MAX,
	    BIT(SUPPRESS_OPTION_SCOPE) | BIT(SUPPRESS_OPTION_CAUSE) |
		BIT(SUPPRESS_OPTION_WHY) | BIT(SUPPRESS_OPTION_EXPIRES) },
	{ "remove", remove_entries, 1, INT32_MAX,
	    SELECTORS | BIT(SUPPRESS_OPTION_WHY) |
		BIT(SUPPRESS_OPTION_DRY_RUN) },
	{ "import", suppress_import, 2, 2,
	    BIT(SUPPRESS_OPTION_WHY) | BIT(SUPPRESS_OPTION_DRY_RUN) |
		BIT(SUPPRESS_OPTION_SKIP_BAD) },
	{ "export", suppress_export, 1, 1,
	    SELECTORS | BIT(SUPPRESS_OPTION_EXPIRED) |
		BIT(SUPPRESS_OPTION_FORMAT) },
};

static int
run_verb(const struct cli_command *cmd, const struct verb *verb,
    const struct cli_args *args)
{
	for (unsigned i = 0; options[i].name != NULL; i++)
		if (args->value[i] != NULL && !(verb->options & BIT(i)))
			return cli_usage(cmd, "%s knows no --%s", verb->name,
			    options[i].name);
	return verb->run(cmd, args);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	const char *name;

	if (rc >= 0)
		return rc;
	name = args.argc > 0 ? args.argv[0] : "";
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(name, verbs[i].name) == 0 &&
		    args.argc >= verbs[i].least && args.argc <= verbs[i].most)
			return run_verb(cmd, &verbs[i], &args);
	return cli_usage(cmd, "expected list, show ADDRESS, add ADDRESS ..., "
			      "remove, import FILE or export");
}

const struct cli_command cli_suppress = { "suppress",
	"list | show ADDRESS | add ADDRESS ... | remove [ADDRESS ...] | import "
	"FILE|- | export",
	"addresses that are not written to, and why", run, options };
