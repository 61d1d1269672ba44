/*
 * store.c - `oiwake store`: moves all that a store holds into another, while
 * nobody runs on either.
 */
#include "router/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/clock.h"
#include "router/store/copy.h"

enum { OPTION_PASSWORD_FILE, OPTION_TOKEN_COMMAND };

#define PROGRESS 1000 /* ms between lines */

/* A store in a database has a directory as well, which has to be there. */
static char scratch[] = "/tmp/oiwake-store-XXXXXX";

static void
remove_scratch(void)
{
	static const char *const file[] = { "lock", "spool", "." };
	char path[sizeof(scratch) + 8];

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", scratch, file[i]);
		remove(file[i][0] == '.' ? scratch : path);
	}
}

/* Nothing is too old to be copied. */
#define FOR_EVER (INT64_C(20) * 365 * 86400 * 1000) /* ms */

static struct store_config
config_of(const struct cli_args *a, const char *where)
{
	bool url = strncmp(where, "postgresql://", 13) == 0 ||
		   strncmp(where, "postgres://", 11) == 0;

	return (struct store_config){
		.directory = url ? scratch : where,
		.url = url ? where : NULL,
		.password_file = a->value[OPTION_PASSWORD_FILE],
		.token_command = a->value[OPTION_TOKEN_COMMAND],
		.node = "copy",
		.lease = 30000,
		.event_keep = FOR_EVER,
		.tally_keep = FOR_EVER,
		.traffic_keep = UINT64_MAX / 4,
	};
}

struct report {
	bool json;
	json_t *tables;
	int64_t told; /* mono ms */
};

static void
report_one(void *arg, const struct copied_table *t)
{
	struct report *r = arg;

	if (t->verified && r->json)
		json_array_append_new(r->tables,
		    json_pack("{s:s, s:I, s:s}", "table", t->name, "rows",
			(json_int_t)t->rows, "sha256", t->checksum));
	else if (t->verified)
		printf("%-12s %10llu rows  %.16s  the same in both\n", t->name,
		    (unsigned long long)t->rows, t->checksum);
	else if (!r->json && clock_mono() - r->told >= PROGRESS) {
		r->told = clock_mono();
		fprintf(stderr, "%-12s %10llu rows\n", t->name,
		    (unsigned long long)t->rows);
	}
}

static int
copy(const struct cli_args *a)
{
	struct store_config from = config_of(a, a->argv[1]);
	struct store_config to = config_of(a, a->argv[2]);
	struct report r = { .json = a->json, .tables = json_array() };
	struct err e = ERR_INIT;
	int ret = store_copy(&from, &to, report_one, &r, &e);

	if (ret == 0 && r.json)
		cli_print_json_rows(r.tables);
	json_decref(r.tables);
	return ret == 0 ? CLI_GOOD : cli_fail("%s", e.text);
}

static int
unmark(const struct cli_args *a)
{
	struct store_config config = config_of(a, a->argv[1]);
	struct err e = ERR_INIT;

	return store_unmark(&config, &e) == 0 ? CLI_GOOD
					      : cli_fail("%s", e.text);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args a;
	int rc = cli_parse(cmd, &a, argc, argv);

	if (rc >= 0)
		return rc;
	if (mkdtemp(scratch) == NULL)
		return cli_fail(
		    "cannot create '%s': %s", scratch, strerror(errno));
	atexit(remove_scratch);
	if (a.argc == 3 && strcmp(a.argv[0], "copy") == 0) {
		if (strcmp(a.argv[1], a.argv[2]) == 0)
			return cli_usage(cmd, "FROM and TO are the same");
		return copy(&a);
	}
	if (a.argc == 2 && strcmp(a.argv[0], "unmark") == 0)
		return unmark(&a);
	return cli_usage(cmd, "copy FROM TO, or unmark STORE");
}

const struct cli_command cli_store = { "store", "copy FROM TO, or unmark STORE",
	"move queue, suppression, counters and events to another store", run,
	(const struct cli_option[]){
	    [OPTION_PASSWORD_FILE] = { "password-file", "FILE",
		"whose first line is the database's password" },
	    [OPTION_TOKEN_COMMAND] = { "token-command", "COMMAND",
		"that prints the password, for tokens that last minutes" },
	    { 0 } } };
