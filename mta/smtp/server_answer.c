/*
 * server_answer.c - what the owner of a session may tell it and ask it.
 *
 * Each answer ends the phase that waited for it and wakes the loop, which goes
 * on with what has been pipelined meanwhile.
 */
#include "mta/smtp/server_int.h"

#include <assert.h>

#include "mta/base/clock.h"

void
smtp_session_reply(struct smtp_session *s, const struct smtp_reply *r)
{
	if (s->phase == PHASE_CLOSED)
		return;
	assert(s->phase == PHASE_DOT);
	s->now = clock_mono();
	server_reply_add_custom(&s->out, r);
	session_reset_transaction(s);
	if (r->code == 421) {
		session_enter(s, PHASE_DROP);
	} else {
		session_enter(s, PHASE_READY);
		if (r->code / 100 == 2)
			s->errors = 0;
	}
	session_wake(s);
}

static void
deny(struct smtp_session *s)
{
	s->user[0] = '\0';
	server_reply_add(&s->out, R_AUTH_DENIED);
	if (++s->auth_failures >= s->config->max_auth_failures)
		session_drop(s, R_AUTH_FAILURES);
}

void
smtp_session_auth(struct smtp_session *s, enum smtp_auth_result result)
{
	if (s->phase == PHASE_CLOSED)
		return;
	assert(s->phase == PHASE_VERIFY);
	s->now = clock_mono();
	session_enter(s, PHASE_READY);
	switch (result) {
	case AUTH_OK:
		server_reply_add(&s->out, R_AUTH_OK);
		break;
	case AUTH_DENIED:
		deny(s);
		break;
	case AUTH_UNAVAILABLE:
		s->user[0] = '\0';
		server_reply_add(&s->out, R_AUTH_UNAVAILABLE);
		break;
	}
	session_wake(s);
}

void
smtp_session_shutdown(struct smtp_session *s)
{
	s->stopping = true;
	if (s->phase == PHASE_TLS && !s->running) {
		session_enter(s, PHASE_CLOSED);
		event_active(s->timer, EV_TIMEOUT, 0);
	}
	session_wake(s);
}

const char *
smtp_session_helo(const struct smtp_session *s)
{
	return s->helo;
}

const char *
smtp_session_peer(const struct smtp_session *s)
{
	return s->peer;
}

const char *
smtp_session_user(const struct smtp_session *s)
{
	return s->phase == PHASE_VERIFY ? "" : s->user;
}

const char *
smtp_session_tls(const struct smtp_session *s)
{
	return s->tls;
}

const struct header *
smtp_session_header(const struct smtp_session *s)
{
	return &s->message.header;
}

const char *
smtp_session_protocol(const struct smtp_session *s)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};

	if (!s->esmtp)
		return "SMTP";
	return names[s->smtputf8][s->ssl != NULL][s->user[0] != '\0'];
}
