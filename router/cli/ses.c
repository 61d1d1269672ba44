/*
 * ses.c - `oiwake ses`: what has to do with Amazon SES.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "router/cli/ses_int.h"
#include "router/ses/smtp_password.h"

static const struct cli_option options[] = {
	[SES_OPTION_PATH] = { "path", "PATH",
	    "of this path; else of the only one" },
	[SES_OPTION_FROM] = { "from", "ADDRESS", "send-test: the sender" },
	[SES_OPTION_WAIT] = { "wait", "SECONDS",
	    "send-test: for what comes back (120)" },
	[SES_OPTION_REASON] = { "reason", "REASON", "BOUNCE or COMPLAINT" },
	[SES_OPTION_DRY_RUN] = { "dry-run", NULL,
	    "prune-carriers, sync: only say what would be done" },
	[SES_OPTION_LIMIT] = { "limit", "N", "list at most so many (100)" },
	[SES_OPTION_AFTER] = { "after", "N", "letters: those after this one" },
	[SES_OPTION_ALL] = { "all", NULL, "letters remove: all there are" },
	[SES_OPTION_CHECK] = { "check", NULL,
	    "status: ask AWS now, not only what it said last" },
	{ NULL, NULL, NULL },
};

static const struct verb {
	const char *name;
	int (*run)(const struct cli_command *, const struct cli_args *);
	unsigned options; /* bits of enum ses_option that it knows */
} verbs[] = {
	{ "status", ses_status,
	    SES_BIT(SES_OPTION_PATH) | SES_BIT(SES_OPTION_CHECK) },
	{ "send-test", ses_test,
	    SES_BIT(SES_OPTION_FROM) | SES_BIT(SES_OPTION_WAIT) },
	{ "suppression", ses_suppression,
	    SES_BIT(SES_OPTION_PATH) | SES_BIT(SES_OPTION_REASON) |
		SES_BIT(SES_OPTION_DRY_RUN) | SES_BIT(SES_OPTION_LIMIT) },
	{ "letters", ses_letters,
	    SES_BIT(SES_OPTION_AFTER) | SES_BIT(SES_OPTION_LIMIT) |
		SES_BIT(SES_OPTION_ALL) },
	{ "smtp-password", ses_password, 0 },
};

/* -- the SMTP password ----------------------------------------------------- */

#define SECRET_MOST 256

/* From standard input: what stands on a command line others can read. */
int
ses_password(const struct cli_command *cmd, const struct cli_args *args)
{
	char secret[SECRET_MOST], password[SES_SMTP_PASSWORD_TEXT];

	if (args->argc != 2)
		return cli_usage(cmd, "smtp-password takes a region, and the "
				      "secret key on standard input");
	if (isatty(STDIN_FILENO))
		fputs("secret key: ", stderr);
	if (fgets(secret, sizeof(secret), stdin) == NULL)
		return cli_fail("no secret key on standard input");
	secret[strcspn(secret, "\r\n")] = '\0';
	if (*secret == '\0')
		return cli_fail("no secret key on standard input");
	ses_smtp_password(secret, args->argv[1], password);
	explicit_bzero(secret, sizeof(secret));
	if (args->json)
		cli_print_json(json_pack("{s:s, s:s}", "region", args->argv[1],
		    "password", password));
	else
		puts(password);
	explicit_bzero(password, sizeof(password));
	return CLI_GOOD;
}

/* -- the command ----------------------------------------------------------- */

int
ses_refuse_options(const struct cli_command *cmd, const struct cli_args *args,
    const char *verb, unsigned known)
{
	for (unsigned i = 0; options[i].name != NULL; i++)
		if (args->value[i] != NULL && !(known & SES_BIT(i)))
			return cli_usage(
			    cmd, "%s knows no --%s", verb, options[i].name);
	return -1;
}

static int
run_verb(const struct cli_command *cmd, const struct verb *verb,
    const struct cli_args *args)
{
	int rc = ses_refuse_options(cmd, args, verb->name, verb->options);

	return rc >= 0 ? rc : verb->run(cmd, args);
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
		if (strcmp(name, verbs[i].name) == 0)
			return run_verb(cmd, &verbs[i], &args);
	return cli_usage(cmd, "expected status, send-test, suppression, "
			      "letters or smtp-password");
}

const struct cli_command cli_ses = { "ses",
	"status | send-test --from ADDRESS | suppression VERB ... | letters "
	"[remove N] | smtp-password REGION",
	"Amazon SES: its account, feedback and suppression list", run,
	options };
