/*
 * main.c - finds the subcommand and runs it.
 *
 * Options before the command mean the same as behind it: they are moved there,
 * so a command sees all of them and nothing is kept in globals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/spf/spf.h"
#include "router/cli/cli.h"

/* The index of the command's name: past the options that stand before it. */
static int
find_name(int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-') {
		bool value = strcmp(argv[i], "-c") == 0 ||
			     strcmp(argv[i], "--config") == 0;

		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		i += value ? 2 : 1;
	}
	return i;
}

static const struct cli_command *
find_command(const char *name)
{
	for (size_t i = 0; cli_commands[i] != NULL; i++)
		if (strcmp(cli_commands[i]->name, name) == 0)
			return cli_commands[i];
	return NULL;
}

static int
run(const struct cli_command *cmd, int argc, char **argv, int name)
{
	char **moved = xcalloc((size_t)argc + 1, sizeof(*moved));
	int n = 0, rc;

	moved[n++] = argv[name];
	for (int i = 1; i < name; i++)
		moved[n++] = argv[i];
	for (int i = name + 1; i < argc; i++)
		moved[n++] = argv[i];
	rc = cmd->run(cmd, n, moved);
	free(moved);
	return rc;
}

int
main(int argc, char **argv)
{
	int name, rc;
	const struct cli_command *cmd = NULL;

	spf_child_main(argc, argv); /* as such a child it does not return */
	name = find_name(argc, argv);
	if (name < argc)
		cmd = find_command(argv[name]);
	else if (argc == 2 && strcmp(argv[1], "--version") == 0)
		cmd = &cli_version;
	else if (argc > 1 &&
		 (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		cmd = &cli_help;
	if (cmd == NULL) {
		fputs("oiwake: ", stderr);
		cli_print(stderr, name < argc
				      ? "unknown command; see oiwake help"
				      : "no command; see oiwake help");
		fputc('\n', stderr);
		return CLI_USAGE;
	}
	if (name < argc)
		rc = run(cmd, argc, argv, name);
	else
		rc = cmd->run(cmd, 1, argv);
	/* Output that could not be written is bad news, a full disk say. */
	if (fflush(stdout) != 0 || ferror(stdout))
		rc = rc == CLI_GOOD ? CLI_BAD : rc;
	return rc;
}
