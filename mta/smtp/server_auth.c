/*
 * server_auth.c - AUTH (RFC 4954): under TLS only, and never twice.
 *
 * auth.c knows the mechanisms; the handler knows the passwords. The secret
 * lives in s->auth from its line to the handler's callback and is wiped then.
 */
#include "mta/smtp/server_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

static enum server_reply
objection(const struct smtp_session *s)
{
	if (!s->config->offer_auth)
		return R_AUTH_NOT_OFFERED;
	if (s->ssl == NULL)
		return R_AUTH_TLS_FIRST;
	if (s->user[0] != '\0')
		return R_AUTH_AGAIN;
	return R_NONE;
}

void
session_auth_clear(struct smtp_session *s)
{
	if (s->auth == NULL)
		return;
	auth_clear(s->auth);
	free(s->auth);
	s->auth = NULL;
}

static void
give_up(struct smtp_session *s, enum server_reply r)
{
	session_auth_clear(s);
	session_enter(s, PHASE_READY);
	session_refuse(s, r);
}

static void
verify(struct smtp_session *s)
{
	struct auth *a = s->auth;

	s->auth = NULL; /* the handler may answer, and the client ask again */
	memcpy(s->user, a->user, sizeof(s->user));
	session_enter(s, PHASE_VERIFY);
	s->handler->auth(s->arg, a->user, a->password);
	auth_clear(a);
	free(a);
}

static void
prompt(struct smtp_session *s)
{
	switch (s->auth->step) {
	case AUTH_STEP_RESPONSE:
		server_reply_add(&s->out, R_AUTH_EMPTY);
		break;
	case AUTH_STEP_USERNAME:
		server_reply_add(&s->out, R_AUTH_USERNAME);
		break;
	case AUTH_STEP_PASSWORD:
		server_reply_add(&s->out, R_AUTH_PASSWORD);
		break;
	case AUTH_STEP_DONE:
		verify(s);
		break;
	}
}

static void
respond(struct smtp_session *s, const char *line, size_t len)
{
	if (auth_respond(s->auth, line, len) == -1)
		give_up(s, R_AUTH_SYNTAX);
	else
		prompt(s);
}

void
session_auth_begin(struct smtp_session *s, const struct command_text *args)
{
	enum server_reply r = objection(s);
	struct command c;

	if (r != R_NONE) {
		session_refuse(s, r);
		return;
	}
	command_split(&c, args->p, args->len); /* mechanism, response */
	s->auth = xcalloc(1, sizeof(*s->auth));
	session_enter(s, PHASE_AUTH);
	if (auth_begin(s->auth, c.verb.p, c.verb.len) == -1)
		give_up(s, R_AUTH_MECHANISM);
	else if (c.args.len > 0)
		respond(s, c.args.p, c.args.len);
	else
		prompt(s);
}

void
session_auth_line(struct smtp_session *s, const char *line, size_t len)
{
	if (len == 1 && *line == '*')
		give_up(s, R_AUTH_CANCELLED);
	else
		respond(s, line, len);
}

void
session_auth_too_long(struct smtp_session *s)
{
	give_up(s, R_AUTH_TOO_LONG);
}
