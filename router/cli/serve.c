/*
 * serve.c - `oiwake serve`: the daemon itself, in the foreground.
 */
#include "router/serve.h"

#include "router/cli/cli.h"

int
cmd_serve(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	return serve(args.config);
}
