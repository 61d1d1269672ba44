/*
 * reload.c - `oiwake reload`: the daemon reads settings and rules again.
 */
#include <stdlib.h>

#include "router/cli/cli.h"

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	char *refused = NULL;
	json_t *reply;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc > 0)
		return cli_usage(cmd, "too many arguments");
	reply = cli_ask(&args, "/v1/reload", json_object(), &refused);
	if (args.json && (reply != NULL || refused != NULL))
		cli_print_json(json_pack("{s:b, s:s}", "ok", reply != NULL,
		    "report", refused ? refused : cli_text(reply, "report")));
	else if (reply != NULL)
		cli_print_lines(stdout, cli_text(reply, "report"));
	else if (refused != NULL) {
		cli_print_lines(stderr, refused);
		cli_fail("not reloaded: the running settings stay");
	}
	rc = reply ? CLI_GOOD : CLI_BAD;
	json_decref(reply);
	free(refused);
	return rc;
}

const struct cli_command cli_reload = { "reload", "",
	"let the daemon read settings and rules again", run, NULL };
