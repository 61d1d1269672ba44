/*
 * ses.c - what only Amazon SES's SMTP endpoint does.
 *
 * SES says 250 to any sender and recipient and judges the whole message after
 * its final dot (submit.c), so a refusal there hits every recipient.
 */
#include "tests/sandbox/ses.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/aws.h"
#include "tests/sandbox/base64.h"
#include "tests/sandbox/command.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/session.h"
#include "tests/sandbox/sign.h"
#include "tests/sandbox/submit.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct answer
	AUTH_OK      = { 235, NULL, "Authentication successful." },
	AUTH_BAD     = { 535, NULL, "Authentication Credentials Invalid" },
	AUTH_SYNTAX  = { 501, NULL, "Syntax error in parameters or arguments" },
	AUTH_AGAIN   = { 503, NULL, "Bad sequence of commands" },
	AUTH_CLEAR   = { 530, NULL, "Must issue a STARTTLS command first" },
	AUTH_METHOD  = { 504, NULL, "Unrecognized authentication type" },
	ASK_USER     = { 334, NULL, "VXNlcm5hbWU6" },
	ASK_PASSWORD = { 334, NULL, "UGFzc3dvcmQ6" };
/* clang-format on */

/* --- AUTH (RFC 4954; PLAIN is RFC 4616) --- */

/* During AUTH LOGIN s->user is only who the client says it is. */
static void
forget_user(struct session *s)
{
	free(s->user);
	s->user = NULL;
}

/* The one that was set, or the one that IAM would derive from the secret key.
 */
static bool
is_password(const struct ses *x, const char *password)
{
	struct str derived = STR_INIT;
	bool same;

	sign_smtp_password(x->secret, AWS_REGION, &derived);
	same = strcmp(password, x->password) == 0 ||
	       strcmp(password, derived.data) == 0;
	str_release(&derived);
	return same;
}

static void
finish_auth(struct session *s, const char *user, const char *password)
{
	const struct ses *x = s->sandbox->ses;

	s->phase = PHASE_COMMAND;
	if (command_mood(s, AT_AUTH)) {
		forget_user(s);
	} else if (user == NULL || strcmp(user, x->user) != 0 ||
		   !is_password(x, password)) {
		forget_user(s);
		session_answer(s, &AUTH_BAD, NULL);
	} else {
		if (s->user == NULL)
			s->user = xstrdup(user);
		session_answer(s, &AUTH_OK, NULL);
	}
}

/* "authorization identity NUL user NUL password" */
static void
auth_plain(struct session *s, const char *line)
{
	struct str text = STR_INIT;
	const char *user, *password;

	if (base64_decode(line, strlen(line), &text) &&
	    (user = memchr(text.data, '\0', text.len)) != NULL &&
	    (password = memchr(user + 1, '\0',
		 text.len - (size_t)(user + 1 - text.data))) != NULL)
		finish_auth(s, user + 1, password + 1);
	else
		finish_auth(s, NULL, NULL);
	str_release(&text);
}

static void
auth_user(struct session *s, const char *line)
{
	struct str text = STR_INIT;

	forget_user(s);
	s->user =
	    base64_decode(line, strlen(line), &text) ? str_detach(&text) : NULL;
	str_release(&text);
	s->phase = PHASE_AUTH_PASSWORD;
	session_answer(s, &ASK_PASSWORD, NULL);
}

static void
auth_password(struct session *s, const char *line)
{
	struct str text = STR_INIT;

	if (base64_decode(line, strlen(line), &text))
		finish_auth(s, s->user, text.data);
	else
		finish_auth(s, NULL, NULL);
	str_release(&text);
}

void
ses_auth_line(struct session *s, const char *line)
{
	if (strcmp(line, "*") == 0) {
		s->phase = PHASE_COMMAND;
		forget_user(s);
		session_answer(s, &AUTH_SYNTAX, NULL);
	} else if (s->phase == PHASE_AUTH_PLAIN) {
		auth_plain(s, line);
	} else if (s->phase == PHASE_AUTH_USER) {
		auth_user(s, line);
	} else {
		auth_password(s, line);
	}
}

/* RFC 4954 4: the space stays when there is nothing to say. */
static void
ask_first(struct session *s, bool plain)
{
	s->phase = plain ? PHASE_AUTH_PLAIN : PHASE_AUTH_USER;
	if (plain)
		session_send(s, "334 \r\n", 6);
	else
		session_answer(s, &ASK_USER, NULL);
}

void
ses_auth(struct session *s, const char *args)
{
	const char *initial = args + strcspn(args, " ");
	bool plain = strncasecmp(args, "PLAIN", 5) == 0;

	if (*initial == ' ')
		initial++;
	if (s->ssl == NULL)
		session_answer(s, &AUTH_CLEAR, NULL);
	else if (s->ehlo == NULL || s->mail.open || s->user != NULL)
		session_answer(s, &AUTH_AGAIN, NULL);
	else if (!plain && strncasecmp(args, "LOGIN", 5) != 0)
		session_answer(s, &AUTH_METHOD, NULL);
	else if (*initial != '\0' && plain)
		auth_plain(s, initial);
	else if (*initial != '\0')
		auth_user(s, initial);
	else
		ask_first(s, plain);
}

/* --- the verdict --- */

bool
ses_judge(struct session *s, struct answer *answer, struct str *text)
{
	struct submission *m = &s->mail.submission;
	const char *data = s->body.bytes.data;
	size_t len = s->body.bytes.len, i;
	struct str why = STR_INIT;
	enum ses_fault fault;

	submission_clear(m);
	m->operation = "SMTP";
	m->most = s->host->limits.size > 0 ? s->host->limits.size : SIZE_MAX;
	m->source = xstrdup(s->mail.from);
	for (i = 0; i < s->mail.n; i++)
		submission_to(m, s->mail.rcpts[i].to);
	submission_read(m, data, len);
	fault = submission_judge(s->sandbox, m, data, len, s->body.size, &why);
	if (fault == SES_OK)
		str_addf(text, "Ok %s", m->id.data);
	else
		str_addf(
		    text, "%s%s", ses_fault_rows[fault].smtp_text, why.data);
	*answer =
	    (struct answer){ ses_fault_rows[fault].smtp, NULL, text->data };
	str_release(&why);
	return fault == SES_OK;
}

void
ses_journal(struct session *s, struct str *o)
{
	json_str(o, "transport", "smtp");
	submission_journal(&s->mail.submission, o);
}

void
ses_tell(struct session *s)
{
	unsigned hold = submission_tell(s->sandbox, &s->mail.submission,
	    s->body.bytes.data, s->body.bytes.len);

	if (hold == 0)
		return;
	s->pace = PACE_SLOW;
	s->pace_ms = hold;
}
