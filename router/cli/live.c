/*
 * live.c - a command that shows the same again and again, until it is stopped.
 */
#include "router/cli/live.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "router/cli/cli.h"

#define SECONDS_MAX 86400

/* ECMA-48: to the first place; erase to the end of the line, of the screen. */
#define HOME	   "\033[H"
#define ERASE_LINE "\033[K"
#define ERASE_REST "\033[J"

static volatile sig_atomic_t stopped;

static void
on_signal(int number)
{
	(void)number;
	stopped = 1;
}

/* The second signal ends the program even while it waits for an answer. */
static void
catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal,
		.sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

/* False: stopped. No signal gets lost between looking and waiting. */
static bool
wait_for(int64_t seconds)
{
	struct timespec time = { .tv_sec = seconds };
	sigset_t block, before;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &before);
	if (!stopped)
		ppoll(NULL, 0, &time, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return !stopped;
}

/* -- a terminal ------------------------------------------------------------ */

/* At most that many characters; continuation bytes of UTF-8 are none. */
static size_t
cut(const char *line, size_t len, unsigned columns)
{
	size_t at = 0;

	for (; at < len; at++)
		if (((unsigned char)line[at] & 0xc0) != 0x80 && columns-- == 0)
			break;
	return at;
}

static void
draw(const char *text)
{
	struct winsize size = { 0 };
	unsigned rows = 24, columns = 80;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 &&
	    size.ws_col > 0) {
		rows = size.ws_row;
		columns = size.ws_col;
	}
	fputs(HOME, stdout);
	for (unsigned row = 1; row < rows && *text != '\0'; row++) {
		size_t len = strcspn(text, "\n");

		fwrite(text, 1, cut(text, len, columns), stdout);
		fputs(ERASE_LINE "\n", stdout);
		text += len + (text[len] == '\n');
	}
	fputs(ERASE_REST, stdout);
}

static int
show_on_terminal(int (*show)(void *, FILE *), void *arg)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int status;

	if (out == NULL)
		abort(); /* out of memory */
	status = show(arg, out);
	if (fclose(out) != 0)
		abort(); /* out of memory */
	if (status == CLI_GOOD)
		draw(text);
	free(text);
	return status;
}

int
cli_live(int64_t seconds, int (*show)(void *, FILE *), void *arg)
{
	bool terminal = isatty(STDOUT_FILENO), first = true;

	catch_signals();
	do {
		int status =
		    terminal ? show_on_terminal(show, arg) : show(arg, stdout);

		if (fflush(stdout) != 0)
			return CLI_BAD; /* nobody reads it any more */
		if (first && status != CLI_GOOD)
			return status;
		first = false;
	} while (wait_for(seconds));
	return CLI_GOOD;
}

int
cli_live_seconds(const char *text, int64_t *seconds)
{
	return cli_number(text, 1, SECONDS_MAX, seconds);
}
