/*
 * suppress_int.h - `oiwake suppress`: its verbs.
 *
 *	suppress.c         the command; list, show, add, remove
 *	suppress_export.c  the list as CSV, and as SES gives its own
 *	suppress_import.c  files in those forms, checked and then sent in pieces
 *	suppress_read.c    one entry after another out of such a file
 */
#ifndef ROUTER_CLI_SUPPRESS_INT_H
#define ROUTER_CLI_SUPPRESS_INT_H

#include "mta/base/err.h"
#include "router/cli/cli.h"

enum suppress_option {
	SUPPRESS_OPTION_SCOPE, /* these six are what an entry may be found by */
	SUPPRESS_OPTION_CAUSE,
	SUPPRESS_OPTION_PATH,
	SUPPRESS_OPTION_SOURCE,
	SUPPRESS_OPTION_SINCE,
	SUPPRESS_OPTION_UNTIL,
	SUPPRESS_OPTION_EXPIRED,
	SUPPRESS_OPTION_WHY,
	SUPPRESS_OPTION_EXPIRES,
	SUPPRESS_OPTION_DRY_RUN,
	SUPPRESS_OPTION_FORMAT,
	SUPPRESS_OPTION_SKIP_BAD,
	SUPPRESS_OPTION_LIMIT,
};

/* The selectors of the call as the API's filter; NULL: usage was told. */
json_t *suppress_filter_of(const struct cli_command *, const struct cli_args *);
/*
 * Goes through what the filter matches, page by page: `each` gets a page's rows. At most `limit` rows; *more: there
 * are others. Returns CLI_GOOD, or CLI_BAD when the daemon did not answer well.
 */
int suppress_each_page(const struct cli_args *, json_t *filter, int64_t limit,
    void (*each)(void *arg, json_t *rows), void *arg, bool *more);

int suppress_export(const struct cli_command *, const struct cli_args *);
int suppress_import(const struct cli_command *, const struct cli_args *);

/* -- reading --------------------------------------------------------------------------------------- */

#define SUPPRESS_LINE_MAX 8192 /* bytes of a line of CSV, of one entry of JSON */

struct suppress_reader;

/* Borrows the file. */
struct suppress_reader *suppress_reader_new(FILE *);
void suppress_reader_free(struct suppress_reader **);
/*
 * The next entry: 1 with *row as the API takes it (a new reference), 0 at the end, -1 with *e at one that is
 * bad; reading may go on. *line: where it begins.
 */
int suppress_reader_next(struct suppress_reader *, json_t **row, unsigned long *line, struct err *e);

#endif
