/*
 * user.c - `oiwake user`: who may submit mail.
 *
 * Works on the users file itself, which the daemon reads again by itself. A
 * password comes from standard input, without echo where that is a terminal;
 * never from the command line, which everybody on the machine can read.
 */
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "router/cli/cli.h"
#include "router/users.h"
#include "router/users_int.h"

#define PASSWORD_ROOM (USERS_PASSWORD_MAX + 3) /* one too many, LF, NUL */

static void
set_echo(bool on)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &t) != 0)
		return;
	if (on)
		t.c_lflag |= ECHO;
	else
		t.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &t);
}

static int
read_password(const char *prompt, char buf[static PASSWORD_ROOM])
{
	bool terminal = isatty(STDIN_FILENO);
	char *got;

	if (terminal) {
		fputs(prompt, stderr);
		set_echo(false);
	}
	got = fgets(buf, PASSWORD_ROOM, stdin);
	if (terminal) {
		set_echo(true);
		fputc('\n', stderr);
	}
	if (got == NULL)
		return cli_fail("no password was given");
	buf[strcspn(buf, "\r\n")] = '\0';
	return CLI_GOOD;
}

static int
read_new_password(char buf[static PASSWORD_ROOM])
{
	char again[PASSWORD_ROOM];
	int rc = read_password("password: ", buf);

	if (rc != CLI_GOOD || !isatty(STDIN_FILENO))
		return rc;
	rc = read_password("again: ", again);
	if (rc == CLI_GOOD && strcmp(buf, again) != 0)
		rc = cli_fail("the two passwords differ");
	explicit_bzero(again, sizeof(again));
	return rc;
}

/* -- the verbs
 * -------------------------------------------------------------------- */

static int
user_add(const char *file, const char *name)
{
	char password[PASSWORD_ROOM] = "";
	struct err e = ERR_INIT;
	int rc = read_new_password(password);

	if (rc == CLI_GOOD && users_file_set(file, name, password, &e) != 0)
		rc = cli_fail("%s", e.text);
	explicit_bzero(password, sizeof(password));
	return rc;
}

static int
user_remove(const char *file, const char *name)
{
	struct err e = ERR_INIT;

	if (users_file_remove(file, name, &e) != 0)
		return cli_fail("%s", e.text);
	return CLI_GOOD;
}

static int
user_check(const char *file, const char *name)
{
	char password[PASSWORD_ROOM] = "";
	struct err e = ERR_INIT;
	int match, rc = read_password("password: ", password);

	if (rc == CLI_GOOD) {
		match = users_file_verify(file, name, password, &e);
		if (match < 0)
			rc = cli_fail("%s", e.text);
		else if (match == 0)
			rc = cli_fail("wrong password or no such user");
		else
			puts("ok");
	}
	explicit_bzero(password, sizeof(password));
	return rc;
}

static void
print_name(void *arg, const char *name)
{
	const bool *json = arg;

	if (*json) {
		cli_print_json(json_pack("{s:s%}", "user", name, strlen(name)));
		return;
	}
	cli_print(stdout, name);
	putchar('\n');
}

static const struct verb {
	const char *name;
	int (*run)(const char *file, const char *user);
} verbs[] = {
	{ "add", user_add },
	{ "remove", user_remove },
	{ "check", user_check },
	{ "list", NULL },
};

static const struct verb *
find_verb(const struct cli_args *args)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (args->argc > 0 &&
		    strcmp(verbs[i].name, args->argv[0]) == 0 &&
		    args->argc == (verbs[i].run ? 2 : 1))
			return &verbs[i];
	return NULL;
}

static int
user_list(const char *file, bool json)
{
	struct err e = ERR_INIT;

	if (users_file_each(file, print_name, &json, &e) != 0)
		return cli_fail("%s", e.text);
	return CLI_GOOD;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	const struct verb *verb;
	struct cli_args args;
	struct config *cfg;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if ((verb = find_verb(&args)) == NULL)
		return cli_usage(cmd, "expected add NAME, remove NAME, check "
				      "NAME or list");
	if ((cfg = cli_config(&args, CONFIG_SETTINGS)) == NULL)
		return CLI_BAD;
	if (cfg->users_file == NULL)
		rc = cli_fail(
		    "no users file: %s does not set 'users'", args.config);
	else if (verb->run == NULL)
		rc = user_list(cfg->users_file, args.json);
	else
		rc = verb->run(cfg->users_file, args.argv[1]);
	config_unref(&cfg);
	return rc;
}

const struct cli_command cli_user = { "user", "add|remove|check NAME, or list",
	"manage who may submit mail", run, NULL };
