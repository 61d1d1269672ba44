/*
 * pg_connect.c - how a connection to PostgreSQL is made: where, as whom, and
 * within what limits.
 *
 * The URL is libpq's and says what it wants; what is added here gives way to it
 * (and TLS is as it says: sslmode=verify-full sslrootcert=... is what keeps
 * others from being taken for the database). Times are bounded on all sides: a
 * server that has gone without a word is noticed by the kernel, one that is
 * held up by a lock, or by us, ends the statement itself.
 */
#include "router/store/pg.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET_MAX   16384 /* bytes; an IAM token has some 1,500 */
#define COMMAND_TIME 10000 /* ms that a token_command may take */
#define BACK_OFF                                                               \
	100 /* ms at most before the second attempt, twice that before the     \
	       next, */
#define BACK_OFF_MAX 5000 /* up to this */

/* -- the password ---------------------------------------------------------- */

/* The first line, without white space at its ends. */
static void
first_line(struct str *s)
{
	size_t start = strspn(s->data, " \t"), n;

	n = strcspn(s->data, "\r\n");
	while (n > start && (s->data[n - 1] == ' ' || s->data[n - 1] == '\t'))
		n--;
	if (start > n)
		start = n;
	memmove(s->data, s->data + start, n - start);
	explicit_bzero(s->data + n - start, s->len - (n - start));
	s->len = n - start;
}

static void
forget(struct str *secret)
{
	explicit_bzero(secret->data, secret->len);
	str_release(secret);
}

static int
read_file(const char *file, struct str *secret, struct err *e)
{
	struct stat st;
	FILE *fp = private_file_open(file, &st, e);
	size_t n;

	if (fp == NULL)
		return -1;
	str_reserve(secret, SECRET_MAX);
	setvbuf(fp, NULL, _IONBF, 0);
	n = fread(secret->data, 1, SECRET_MAX, fp);
	secret->len = n;
	secret->data[n] = '\0';
	fclose(fp);
	return 0;
}

/* sh(1) with the pipe for its output, in a process group of its own, so that
 * what it starts can be ended with it. */
static int
start_command(const char *command, int out, pid_t *pid)
{
	char sh[] = "sh", c[] = "-c", *text = xstrdup(command);
	char *argv[] = { sh, c, text, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
					    POSIX_SPAWN_SETSIGDEF |
					    POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
	    &actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	error = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	free(text);
	return error;
}

/* Until the output ends. 0; -1: it takes too long, or says too much. */
static int
read_output(int fd, struct str *secret)
{
	int64_t until = clock_mono() + COMMAND_TIME, left;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	str_reserve(secret, SECRET_MAX);
	while ((left = until - clock_mono()) > 0) {
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(
		    fd, secret->data + secret->len, SECRET_MAX - secret->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 && secret->len < SECRET_MAX ? 0 : -1;
		secret->len += (size_t)n;
		secret->data[secret->len] = '\0';
	}
	return -1;
}

static int
end_command(pid_t pid, bool now)
{
	int status = -1;

	if (now)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* What it has left behind. */
	kill(-pid, SIGKILL);
	return status;
}

static int
run_command(const char *command, struct str *secret, struct err *e)
{
	int fds[2], error, ret;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "cannot run the token command");
	error = start_command(command, fds[1], &pid);
	close(fds[1]);
	if (error != 0) {
		close(fds[0]);
		errno = error;
		return err_sys(e, "cannot run the token command");
	}
	ret = read_output(fds[0], secret);
	close(fds[0]);
	error = end_command(pid, ret < 0);
	if (ret < 0)
		return err_set(e,
		    "the token command took longer than %d s, or "
		    "said too much",
		    COMMAND_TIME / 1000);
	if (error != 0)
		return err_set(e, "the token command failed");
	return 0;
}

/* Empty: there is none of our own. */
static int
get_password(const struct store_config *c, struct str *secret, struct err *e)
{
	int ret = 0;

	if (c->token_command != NULL)
		ret = run_command(c->token_command, secret, e);
	else if (c->password_file != NULL)
		ret = read_file(c->password_file, secret, e);
	else
		return 0;
	first_line(secret);
	if (ret == 0 && secret->len == 0)
		ret = err_set(e, "%s gives no password",
		    c->token_command != NULL ? "the token command"
					     : "the password file");
	return ret;
}

/* -- what is asked for -------------------------------------------------------
 */

#define OPTIONS_MAX 16

struct options {
	const char *keyword[OPTIONS_MAX], *value[OPTIONS_MAX];
	int n;
};

static void
add_option(struct options *o, const char *keyword, const char *value)
{
	assert(o->n < OPTIONS_MAX - 1);
	o->keyword[o->n] = keyword;
	o->value[o->n++] = value;
}

/* Settings of the session. A reader may think for a minute; a transaction that
 * is written waits for nobody for longer than a fraction of the lease. */
static void
add_settings(struct str *to, const struct store_config *c, enum pg_use use)
{
	long long lease = c->lease > 0 ? c->lease : 30000;

	str_addf(to,
	    "-c client_encoding=UTF8 -c DateStyle=ISO -c TimeZone=UTC"
	    " -c standard_conforming_strings=on -c bytea_output=hex"
	    " -c idle_in_transaction_session_timeout=%lld",
	    use == PG_READ ? 120000 : lease);
	if (use == PG_READ)
		str_adds(to, " -c statement_timeout=60000");
	else
		str_addf(to, " -c statement_timeout=%lld -c lock_timeout=%lld",
		    lease < 30000 ? lease : 30000, lease / 4);
	/* To plan each call would cost more than all else, and a plan that was
	 * made for an empty table must not read all of it when it is full. What
	 * people ask for has many conditions, few of which are given. */
	if (use == PG_WRITE)
		str_adds(to, " -c plan_cache_mode=force_generic_plan"
			     " -c enable_seqscan=off -c enable_bitmapscan=off"
			     " -c enable_hashjoin=off -c enable_mergejoin=off");
	else
		str_adds(to, " -c plan_cache_mode=force_custom_plan");
	str_adds(to, " -c jit=off");
}

/* The URL's own come last: of two that are the same the later counts. */
static void
add_own_settings(struct str *to, const char *url)
{
	PQconninfoOption *all = PQconninfoParse(url, NULL);

	for (const PQconninfoOption *o = all; o != NULL && o->keyword != NULL;
	     o++)
		if (strcmp(o->keyword, "options") == 0 && o->val != NULL)
			str_addf(to, " %s", o->val);
	PQconninfoFree(all);
}

static const char *const use_name[] = {
	[PG_WRITE] = "store",
	[PG_READ] = "reader",
	[PG_LISTEN] = "listener",
};

/* What comes first gives way to the URL, what comes behind it does not. */
static PGconn *
connect_as(const struct store_config *c, enum pg_use use, const char *password)
{
	struct options o = { .n = 0 };
	struct str settings = STR_INIT, name = STR_INIT;
	PGconn *conn;

	add_settings(&settings, c, use);
	add_own_settings(&settings, c->url);
	str_addf(&name, "oiwake %s %s", c->node != NULL ? c->node : "-",
	    use_name[use]);
	add_option(&o, "connect_timeout", "5");
	add_option(&o, "keepalives_idle", "10");
	add_option(&o, "keepalives_interval", "5");
	add_option(&o, "keepalives_count", "3");
	add_option(&o, "tcp_user_timeout", "20000");
	if (use == PG_WRITE)
		add_option(&o, "target_session_attrs", "read-write");
	add_option(&o, "dbname", c->url);
	add_option(&o, "application_name", name.data);
	add_option(&o, "options", settings.data);
	if (password[0] != '\0')
		add_option(&o, "password", password);
	add_option(&o, NULL, NULL);
	conn = PQconnectdbParams(o.keyword, o.value, 1);
	str_release(&settings);
	str_release(&name);
	return conn;
}

/* libpq's words, of several attempts a line each; it does not say passwords. */
static void
say_why(struct err *e, const PGconn *conn)
{
	const char *why = PQerrorMessage(conn);
	struct str line = STR_INIT;

	for (; *why != '\0'; why++)
		if (*why == '\n' && why[1] != '\0')
			str_adds(&line, "; ");
		else if ((unsigned char)*why >= ' ')
			str_addc(&line, *why);
	err_set(e, "cannot connect to the database: %s", line.data);
	str_release(&line);
}

PGconn *
pg_connect(const struct store_config *c, enum pg_use use, struct err *e)
{
	struct str password = STR_INIT;
	PGconn *conn = NULL;

	if (get_password(c, &password, e) == 0)
		conn = connect_as(c, use, password.data);
	forget(&password);
	if (conn == NULL || PQstatus(conn) == CONNECTION_OK)
		return conn;
	say_why(e, conn);
	PQfinish(conn);
	return NULL;
}

/* -- again -------------------------------------------------------------------
 */

int64_t
pg_back_off(unsigned n)
{
	int64_t most = BACK_OFF;
	uint32_t random = 0;

	while (n-- > 0 && most < BACK_OFF_MAX)
		most *= 2;
	if (most > BACK_OFF_MAX)
		most = BACK_OFF_MAX;
	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint32_t)clock_mono();
	return 1 + random % most;
}

struct store_config *
pg_config_new(const struct store_config *c)
{
	struct store_config *copy = xcalloc(1, sizeof(*copy));

	*copy = *c;
	copy->directory = xstrdup(c->directory);
	copy->url = xstrdup(c->url);
	copy->password_file = xstrdup(c->password_file);
	copy->token_command = xstrdup(c->token_command);
	copy->node = xstrdup(c->node);
	return copy;
}

static void
free_text(const char *s)
{
	free((void *)(uintptr_t)s);
}

void
pg_config_free(struct store_config **cp)
{
	struct store_config *c = *cp;

	if (c == NULL)
		return;
	free_text(c->directory);
	free_text(c->url);
	free_text(c->password_file);
	free_text(c->token_command);
	free_text(c->node);
	free(c);
	*cp = NULL;
}
