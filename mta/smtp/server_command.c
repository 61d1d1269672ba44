/*
 * server_command.c - command lines of a server session, and what each verb
 * does.
 *
 * Everything true of a verb stands in its row. Lines end in CRLF and in nothing
 * else: one that ends in a bare LF, or holds CR or NUL, is answered 521 (as
 * Postfix does) and ends the session, because who wrote it and who relayed it
 * may disagree about where commands begin.
 */
#include "mta/smtp/server_int.h"

#include <openssl/crypto.h>
#include <string.h>

#define GREETED (IN(PHASE_READY) | IN(PHASE_MAIL) | IN(PHASE_RCPT))
#define ALWAYS	(IN(PHASE_HELO) | GREETED)

enum { NO_ARGUMENT = 1, WANTS_AUTH = 2 };

struct verb {
	const char *name;
	size_t len;
	unsigned phases;	     /* where it is legal */
	enum server_reply otherwise; /* elsewhere; before EHLO R_HELO_FIRST */
	unsigned flags;
	void (*run)(struct smtp_session *, const struct command_text *args);
};

static bool
greet(struct smtp_session *s, const struct command_text *args, bool esmtp)
{
	char name[COMMAND_HELO_MAX + 1];

	if (!command_helo(name, args)) {
		session_refuse(s, R_HELO_NAME);
		return false;
	}
	session_reset_transaction(s);
	strcpy(s->helo, name);
	s->esmtp = esmtp;
	session_enter(s, PHASE_READY);
	return true;
}

static void
run_helo(struct smtp_session *s, const struct command_text *args)
{
	if (greet(s, args, false))
		server_reply_helo(&s->out, s->config->hostname);
}

static void
run_ehlo(struct smtp_session *s, const struct command_text *args)
{
	struct server_offer offer = {
		.hostname = s->config->hostname,
		.peer = s->peer,
		.size = s->config->max_message,
		.starttls = s->config->tls != NULL && s->ssl == NULL,
		.auth = s->config->offer_auth && s->ssl != NULL,
	};

	if (greet(s, args, true))
		server_reply_ehlo(&s->out, &offer);
}

static void
run_mail(struct smtp_session *s, const struct command_text *args)
{
	struct smtp_mail mail;
	struct smtp_reply refusal;
	enum server_reply r = command_mail(&mail, args);

	if (r == R_NONE && mail.size > s->config->max_message)
		r = R_TOO_BIG;
	if (r != R_NONE) {
		session_refuse(s, r);
	} else if (!s->handler->mail(s->arg, &mail, &refusal)) {
		session_refuse_custom(s, &refusal);
	} else {
		s->transaction = true;
		s->smtputf8 = mail.smtputf8;
		session_enter(s, PHASE_MAIL);
		server_reply_add(&s->out, R_MAIL);
	}
}

static void
run_rcpt(struct smtp_session *s, const struct command_text *args)
{
	struct smtp_rcpt rcpt;
	struct smtp_reply refusal;
	enum server_reply r =
	    command_rcpt(&rcpt, args, s->smtputf8, s->config->hostname);

	if (r == R_NONE && s->nrcpt >= s->config->max_recipients)
		r = R_TOO_MANY_RCPT;
	if (r != R_NONE) {
		session_refuse(s, r);
	} else if (!s->handler->rcpt(s->arg, &rcpt, &refusal)) {
		session_refuse_custom(s, &refusal);
	} else {
		s->nrcpt++;
		session_enter(s, PHASE_RCPT);
		server_reply_add(&s->out, R_RCPT);
	}
}

static void
run_data(struct smtp_session *s, const struct command_text *args)
{
	struct smtp_reply refusal;

	(void)args;
	if (s->nrcpt == 0) {
		session_refuse(s, R_NO_RECIPIENT);
	} else if (!s->handler->data(s->arg, &refusal)) {
		session_refuse_custom(s, &refusal);
	} else {
		session_enter(s, PHASE_DATA);
		session_data_begin(s);
		server_reply_add(&s->out, R_DATA);
	}
}

static void
run_rset(struct smtp_session *s, const struct command_text *args)
{
	(void)args;
	session_reset_transaction(s);
	if (s->phase != PHASE_HELO)
		session_enter(s, PHASE_READY);
	server_reply_add(&s->out, R_RESET);
}

static void
run_noop(struct smtp_session *s, const struct command_text *args)
{
	(void)args;
	server_reply_add(&s->out, R_OK);
}

static void
run_vrfy(struct smtp_session *s, const struct command_text *args)
{
	(void)args;
	server_reply_add(&s->out, R_VRFY);
}

static void
run_help(struct smtp_session *s, const struct command_text *args)
{
	(void)args;
	server_reply_add(&s->out, R_HELP);
}

static void
run_quit(struct smtp_session *s, const struct command_text *args)
{
	(void)args;
	session_reset_transaction(s);
	session_enter(s, PHASE_QUIT);
	server_reply_add(&s->out, R_BYE);
}

/*
 * RFC 3207 4.2: nothing may be pipelined behind STARTTLS. What is there came
 * from someone who does not wait for the reply, or from someone in between.
 */
static void
run_starttls(struct smtp_session *s, const struct command_text *args)
{
	(void)args;
	if (s->config->tls == NULL) {
		session_refuse(s, R_TLS_NOT_OFFERED);
	} else if (s->ssl != NULL) {
		session_refuse(s, R_TLS_AGAIN);
	} else if (s->behind > 0) {
		session_drop(s, R_TLS_PIPELINED);
	} else if (session_tls_prepare(s) == -1) {
		session_refuse(s, R_TLS_FAILED);
	} else {
		session_enter(s, PHASE_STARTTLS);
		server_reply_add(&s->out, R_STARTTLS);
	}
}

/* clang-format off */
#define VERB(name) name, sizeof(name) - 1
static const struct verb verbs[] = {
	{ VERB("RCPT"), IN(PHASE_MAIL) | IN(PHASE_RCPT), R_MAIL_FIRST, 0, run_rcpt },
	{ VERB("MAIL"), IN(PHASE_READY), R_MAIL_NESTED, WANTS_AUTH, run_mail },
	{ VERB("DATA"), IN(PHASE_MAIL) | IN(PHASE_RCPT), R_MAIL_FIRST, NO_ARGUMENT, run_data },
	{ VERB("EHLO"), ALWAYS, R_NONE, 0, run_ehlo },
	{ VERB("QUIT"), ALWAYS, R_NONE, NO_ARGUMENT, run_quit },
	{ VERB("RSET"), ALWAYS, R_NONE, NO_ARGUMENT, run_rset },
	{ VERB("STARTTLS"), IN(PHASE_HELO) | IN(PHASE_READY), R_IN_TRANSACTION, NO_ARGUMENT,
	  run_starttls },
	{ VERB("AUTH"), IN(PHASE_READY), R_IN_TRANSACTION, 0, session_auth_begin },
	{ VERB("HELO"), ALWAYS, R_NONE, 0, run_helo },
	{ VERB("NOOP"), ALWAYS, R_NONE, 0, run_noop },
	{ VERB("VRFY"), ALWAYS, R_NONE, 0, run_vrfy },
	{ VERB("HELP"), ALWAYS, R_NONE, 0, run_help },
};
#undef VERB
/* clang-format on */

static const struct verb *
find_verb(const struct command_text *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (command_is(name, verbs[i].name, verbs[i].len))
			return &verbs[i];
	return NULL;
}

static enum server_reply
objection(
    const struct smtp_session *s, const struct verb *v, const struct command *c)
{
	if (v == NULL)
		return R_UNKNOWN;
	if ((v->phases & IN(s->phase)) == 0)
		return s->phase == PHASE_HELO ? R_HELO_FIRST : v->otherwise;
	if ((v->flags & NO_ARGUMENT) != 0 && c->args.len > 0)
		return R_NO_ARGUMENT;
	if ((v->flags & WANTS_AUTH) != 0 && s->config->require_auth &&
	    s->user[0] == '\0')
		return R_AUTH_FIRST;
	return R_NONE;
}

static void
run_command(struct smtp_session *s, const char *line, size_t len)
{
	const struct verb *v;
	struct command c;
	enum server_reply r;

	if (s->commands++ >= s->config->max_commands) {
		session_drop(s, R_TOO_MANY_COMMANDS);
		return;
	}
	command_split(&c, line, len);
	v = find_verb(&c.verb);
	r = objection(s, v, &c);
	if (r != R_NONE)
		session_refuse(s, r);
	else
		v->run(s, &c.args);
}

/* A complete line with its line end. */
static void
run_line(struct smtp_session *s, char *line, size_t len)
{
	bool secret = s->ssl != NULL && s->config->offer_auth;

	s->line_since = 0;
	s->idle_since = s->now;
	if (len < 2 || line[len - 2] != '\r' ||
	    memchr(line, '\r', len - 2) != NULL ||
	    memchr(line, '\0', len - 2) != NULL) {
		session_drop(s, R_LINE_ENDING);
		return;
	}
	if (session_input(s) == INPUT_RESPONSE)
		session_auth_line(s, line, len - 2);
	else
		run_command(s, line, len - 2);
	if (secret)
		OPENSSL_cleanse(line, len);
}

/* The rest of a line that was too long. */
static size_t
skip_line(struct smtp_session *s, const char *data, size_t len)
{
	const char *nl = memchr(data, '\n', len);
	bool cr;

	if (nl == NULL) {
		s->skip = data[len - 1] == '\r' ? SKIP_LINE_CR : SKIP_LINE;
		return len;
	}
	cr = nl > data ? nl[-1] == '\r' : s->skip == SKIP_LINE_CR;
	s->skip = SKIP_NOT;
	s->line_since = 0;
	s->idle_since = s->now;
	if (!cr)
		session_drop(s, R_LINE_ENDING);
	return (size_t)(nl - data) + 1;
}

static void
refuse_long_line(struct smtp_session *s)
{
	s->skip = SKIP_LINE;
	if (s->line_since == 0)
		s->line_since = s->now;
	if (session_input(s) == INPUT_RESPONSE)
		session_auth_too_long(s);
	else
		session_refuse(s, R_LINE_TOO_LONG);
}

/* One line, if it is complete. */
static size_t
take_line(struct smtp_session *s, char *data, size_t len)
{
	size_t max = session_input(s) == INPUT_RESPONSE
			 ? AUTH_LINE_MAX
			 : s->config->max_command;
	char *nl;

	if (s->skip != SKIP_NOT)
		return skip_line(s, data, len);
	nl = memchr(data, '\n', len < max ? len : max);
	if (nl != NULL) {
		size_t n = (size_t)(nl - data) + 1;

		s->behind -= n;
		run_line(s, data, n);
		return n;
	}
	if (len < max)
		return 0;
	refuse_long_line(s);
	/* Leaves a byte, so that skip_line sees the line's last CR. */
	return max - 1;
}

size_t
session_lines(struct smtp_session *s, char *data, size_t len)
{
	size_t total = evbuffer_get_length(bufferevent_get_input(s->bev));
	size_t used = 0;

	while (used < len && !s->stopping && !session_clogged(s)) {
		enum input input = session_input(s);
		size_t n;

		if (input != INPUT_COMMAND && input != INPUT_RESPONSE)
			break;
		s->behind = total - used;
		n = take_line(s, data + used, len - used);
		if (n == 0)
			break;
		used += n;
	}
	return used;
}
