/*
 * command.c - the SMTP verbs of the sandbox.
 *
 * Strict on purpose: what RFC 5321 forbids a client, or what was not announced
 * to it, is refused and noted in the journal. envelope.c has MAIL and RCPT,
 * data.c takes over after DATA.
 */
#include "tests/sandbox/command.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/data.h"
#include "tests/sandbox/envelope.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/ses.h"
#include "tests/sandbox/session.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
static const struct answer
	OK          = { 250, "2.0.0", "Ok" },
	BYE         = { 221, "2.0.0", "Bye" },
	TLS_GO      = { 220, "2.0.0", "Ready to start TLS" },
	UNKNOWN     = { 502, "5.5.2", "Error: command not recognized" },
	SYNTAX      = { 501, "5.5.4", "Syntax error in parameters" };
/* clang-format on */

bool
command_mood(struct session *s, enum stage stage)
{
	const struct mood *m = s->host->mood;

	if (m == NULL || m->stage != stage)
		return false;
	session_act(s, m->action, &m->answer, NULL);
	return true;
}

void
command_greet(struct session *s)
{
	const struct answer hello = { 220, NULL, s->host->system->greeting };
	unsigned most = s->host->limits.connections;

	if (command_mood(s, AT_CONNECT))
		return;
	if (most > 0 && s->host->open > most)
		session_answer(s, &s->host->system->busy, NULL);
	else
		session_answer(s, &hello, NULL);
}

/* --- EHLO and the like --- */

static void
add_keyword(struct session *s, const struct feature_row *f, struct str *lines)
{
	if (f->keyword == NULL || (s->host->features & f->bit) == 0 ||
	    (f->bit == FEATURE_STARTTLS && s->ssl != NULL))
		return;
	str_addf(lines, "250-%s", f->keyword);
	if (f->bit == FEATURE_SIZE)
		str_addf(lines, " %zu", s->host->limits.size);
	str_adds(lines, "\r\n");
}

static void
set_name(struct session *s, const char *args)
{
	mail_clear(s);
	free(s->ehlo);
	s->ehlo = xstrdup(args);
}

static void
do_ehlo(struct session *s, const char *args)
{
	bool ses = s->host->system->ses;
	struct str lines = STR_INIT;
	const struct feature_row *f;

	if (*args == '\0') {
		session_answer(s, &SYNTAX, NULL);
		return;
	}
	set_name(s, args);
	str_addf(&lines, "250-%s\r\n",
	    ses ? "email-smtp.amazonaws.com" : s->host->system->host);
	for (f = features; f->name != NULL; f++)
		add_keyword(s, f, &lines);
	str_adds(&lines,
	    ses ? "250-AUTH PLAIN LOGIN\r\n250 Ok\r\n" : "250 HELP\r\n");
	session_send(s, lines.data, lines.len);
	str_release(&lines);
}

static void
do_helo(struct session *s, const char *args)
{
	set_name(s, args);
	session_say(s, 250, NULL, s->host->system->host);
}

static void
do_starttls(struct session *s, const char *args)
{
	if (*args != '\0')
		session_answer(s, &SYNTAX, NULL);
	else if (s->ssl != NULL || (s->host->features & FEATURE_STARTTLS) == 0)
		session_answer(s, &UNKNOWN, NULL);
	else {
		session_answer(s, &TLS_GO, NULL);
		session_start_tls(s);
	}
}

static void
do_auth(struct session *s, const char *args)
{
	if (s->host->system->ses)
		ses_auth(s, args);
	else
		session_answer(s, &UNKNOWN, NULL);
}

static void
do_rset(struct session *s, const char *args)
{
	(void)args;
	mail_clear(s);
	session_answer(s, &OK, NULL);
}

static void
do_noop(struct session *s, const char *args)
{
	(void)args;
	session_answer(s, &OK, NULL);
}

static void
do_quit(struct session *s, const char *args)
{
	(void)args;
	session_answer(s, &BYE, NULL);
	session_close(s, "quit");
}

static void
do_data(struct session *s, const char *args)
{
	if (*args != '\0')
		session_answer(s, &SYNTAX, NULL);
	else
		data_command(s);
}

/* --- dispatch --- */

/* clang-format off */
static const struct verb {
	const char *name;
	bool last; /* nothing may be pipelined behind it (RFC 2920 3.1, RFC 3207 4) */
	void (*run)(struct session *, const char *args);
} verbs[] = {
	{ "MAIL",     false, envelope_mail },
	{ "RCPT",     false, envelope_rcpt },
	{ "DATA",     true,  do_data },
	{ "EHLO",     true,  do_ehlo },
	{ "HELO",     false, do_helo },
	{ "RSET",     false, do_rset },
	{ "NOOP",     true,  do_noop },
	{ "QUIT",     true,  do_quit },
	{ "STARTTLS", true,  do_starttls },
	{ "AUTH",     true,  do_auth },
};
/* clang-format on */

static bool
has_more(const struct session *s)
{
	return evbuffer_get_length(bufferevent_get_input(s->bev)) > 0;
}

void
command_line(struct session *s, const char *line)
{
	size_t n = strcspn(line, " "), i;
	const char *args = line[n] == ' ' ? line + n + 1 : line + n;

	if (s->phase != PHASE_COMMAND) {
		ses_auth_line(s, line);
		return;
	}
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strlen(verbs[i].name) != n ||
		    strncasecmp(verbs[i].name, line, n) != 0)
			continue;
		if (verbs[i].last && has_more(s))
			session_bad(s, "pipelined after the last of a group");
		verbs[i].run(s, args);
		return;
	}
	session_bad(s, "unknown command");
	session_answer(s, &UNKNOWN, NULL);
}
