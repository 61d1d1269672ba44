/*
 * rules_int.h - what the verbs of `oiwake rules` share.
 *
 *	rules.c           the verbs and their options; history, show
 *	rules_diff.c      diff: two sets asked about the same mail; its output
 *	rules_against.c   a list of addresses instead of recorded mail
 *	rules_rollback.c  rollback: files as they were in a set, and a reload
 *	rules_fmt.c       fmt
 *	rules_set.c       a set as the daemon hands it out
 *
 * What the daemon's console does as well is in router/: rules_files.h (reading and replacing one
 * file), rules_restore.h (the files of an earlier set), rules_moves.h (what would go another way).
 */
#ifndef ROUTER_CLI_RULES_INT_H
#define ROUTER_CLI_RULES_INT_H

#include "mta/base/err.h"
#include "router/cli/cli.h"
#include "router/rules_restore.h"
#include "rules/rules.h"

enum rules_option {
	RULES_LIMIT,
	RULES_FILE,
	RULES_SINCE,
	RULES_AGAINST,
	RULES_EXPECT_NONE,
	RULES_WRITE,
	RULES_CHECK,
};

/* The verbs; argv begins behind the verb's name. */
int rules_diff(const struct cli_command *, const struct cli_args *);
int rules_rollback(const struct cli_command *, const struct cli_args *);
int rules_fmt(const struct cli_command *, const struct cli_args *);

/* -- sets ----------------------------------------------------------------------------------------- */

struct cli_set {
	json_t *reply;        /* all text is in it */
	struct rules_set set;
};

/* From the daemon's answer to /v1/rules/..., taken over; -1: told that it cannot be understood. */
int cli_set_init(struct cli_set *, json_t *reply);
void cli_set_clear(struct cli_set *);

/* -- a list of addresses -------------------------------------------------------------------------- */

struct address;
/* A line without its end, NUL behind it; changed. 1: an address, or two. 0: nothing, a comment. -1: *e. */
int rules_against_line(char *text, size_t len, struct address *from, struct address *to, struct err *);
/* One call per line, from as its null path when the line names none. -1: every bad line was told. */
int rules_against(const char *file,
    void (*each)(void *arg, const struct address *from, const struct address *to), void *arg);

#endif
