/*
 * user.c - `oiwake user`: who may submit mail, and who may do what in the
 * console.
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

enum { OPTION_ROLE, OPTION_CONSOLE };

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
user_add(const char *file, const char *name, enum user_role role)
{
	char password[PASSWORD_ROOM] = "";
	struct err e = ERR_INIT;
	int rc = read_new_password(password);

	if (rc == CLI_GOOD &&
	    users_file_set(file, name, password, role, &e) != 0)
		rc = cli_fail("%s", e.text);
	explicit_bzero(password, sizeof(password));
	return rc;
}

static int
user_remove(const char *file, const char *name, enum user_role role)
{
	struct err e = ERR_INIT;

	(void)role;
	if (users_file_remove(file, name, &e) != 0)
		return cli_fail("%s", e.text);
	return CLI_GOOD;
}

static int
user_check(const char *file, const char *name, enum user_role role)
{
	char password[PASSWORD_ROOM] = "";
	struct err e = ERR_INIT;
	int match, rc = read_password("password: ", password);

	(void)role;
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
print_name(void *arg, const char *name, enum user_role role)
{
	const bool *json = arg;

	if (*json) {
		cli_print_json(json_pack("{s:s%,s:s}", "user", name,
		    strlen(name), "role", user_role_name(role)));
		return;
	}
	cli_print(stdout, name);
	if (role != ROLE_NONE)
		printf("  %s", user_role_name(role));
	putchar('\n');
}

static const struct verb {
	const char *name;
	int (*run)(const char *file, const char *user, enum user_role);
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

/* The console's own file, where it has one. */
static const char *
console_users(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->nwebs; i++)
		if (cfg->webs[i].console)
			return cfg->webs[i].users_file;
	return NULL;
}

static int
run_on(const struct verb *verb, const struct cli_args *args, const char *file,
    enum user_role role)
{
	if (file == NULL && args->value[OPTION_CONSOLE] != NULL)
		return cli_fail(
		    "no users file: %s has no console", args->config);
	if (file == NULL)
		return cli_fail(
		    "no users file: %s does not set 'users'", args->config);
	if (verb->run == NULL)
		return user_list(file, args->json);
	return verb->run(file, args->argv[1], role);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	enum user_role role = ROLE_NONE;
	const struct verb *verb;
	struct cli_args args;
	struct config *cfg;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if ((verb = find_verb(&args)) == NULL)
		return cli_usage(cmd, "expected add NAME, remove NAME, check "
				      "NAME or list");
	if (args.value[OPTION_ROLE] != NULL) {
		role = user_role_of(args.value[OPTION_ROLE]);
		if (verb->run != user_add || role == ROLE_NONE)
			return cli_usage(cmd, "--role goes with add, and is "
					      "view, operate or admin");
	}
	if ((cfg = cli_config(&args, CONFIG_SETTINGS)) == NULL)
		return CLI_BAD;
	rc = run_on(verb, &args,
	    args.value[OPTION_CONSOLE] != NULL ? console_users(cfg)
					       : cfg->users_file,
	    role);
	config_unref(&cfg);
	return rc;
}

static const struct cli_option options[] = {
	[OPTION_ROLE] = { "role", "ROLE",
	    "may use the console: view, operate or admin" },
	[OPTION_CONSOLE] = { "console", NULL,
	    "the console's users, where it has a file of its own" },
	{ NULL, NULL, NULL },
};

const struct cli_command cli_user = { "user", "add|remove|check NAME, or list",
	"manage who may submit mail or use the console", run, options };
