/*
 * ses_int.h - `oiwake ses`: its verbs, a file each where they are more than a few lines.
 */
#ifndef ROUTER_CLI_SES_INT_H
#define ROUTER_CLI_SES_INT_H

#include "router/cli/cli.h"

enum ses_option {
	SES_OPTION_PATH,
	SES_OPTION_FROM,
	SES_OPTION_WAIT,
	SES_OPTION_REASON,
	SES_OPTION_DRY_RUN,
	SES_OPTION_LIMIT,
	SES_OPTION_AFTER,
	SES_OPTION_ALL,
	SES_OPTION_CHECK,
};

#define SES_BIT(option) (1u << (option))

/* Refuses an option that is not among those: SES_BIT of each that the verb knows. -1: all are. */
int ses_refuse_options(
    const struct cli_command *, const struct cli_args *, const char *verb, unsigned known);

/* args->argv[0] is the verb. */
int ses_status(const struct cli_command *, const struct cli_args *);
int ses_test(const struct cli_command *, const struct cli_args *);
int ses_letters(const struct cli_command *, const struct cli_args *);
int ses_suppression(const struct cli_command *, const struct cli_args *);
int ses_password(const struct cli_command *, const struct cli_args *);

#endif
