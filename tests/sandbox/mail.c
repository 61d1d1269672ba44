/*
 * mail.c - the transaction of a session, and what the journal says of it.
 */
#include "tests/sandbox/mail.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/message.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/ses.h"
#include "tests/sandbox/session.h"

#include <stdlib.h>
#include <string.h>

void
mail_clear(struct session *s)
{
	struct mail *m = &s->mail;
	size_t i;

	for (i = 0; i < m->n; i++) {
		free(m->rcpts[i].to);
		free(m->rcpts[i].params);
		free(m->rcpts[i].text);
	}
	submission_clear(&m->submission);
	free(m->rcpts);
	free(m->from);
	free(m->params);
	*m = (struct mail){ .open = false };
	s->pace = PACE_NORMAL;
}

struct rcpt *
mail_add(struct session *s, char *to, const char *params)
{
	struct mail *m = &s->mail;
	struct rcpt *r;

	if (m->n == m->room) {
		m->room = m->room > 0 ? 2 * m->room : 4;
		m->rcpts = xrealloc(m->rcpts, m->room * sizeof(*m->rcpts));
	}
	r = &m->rcpts[m->n++];
	*r = (struct rcpt){ .to = to, .what = "refused" };
	if (*params != '\0')
		r->params = xstrdup(params);
	return r;
}

void
mail_journal_refused(
    struct session *s, enum stage stage, const char *to, int code)
{
	struct str *o = session_journal(s, "refused");

	json_str(o, "stage", stage_name(stage));
	json_str(o, "from", s->mail.from);
	json_str(o, "to", to);
	json_int(o, "code", code);
	json_str(o, "text", s->reply.data);
	session_journal_end(s);
	if (to != NULL)
		s->host->counts.refused++;
}

static void
add_rcpts(const struct session *s, struct str *o)
{
	const struct rcpt *r;
	size_t i;

	json_open(o, "rcpt", '[');
	for (i = 0; i < s->mail.n; i++) {
		r = &s->mail.rcpts[i];
		json_open(o, NULL, '{');
		json_str(o, "to", r->to);
		json_str(o, "params", r->params);
		json_bool(o, "accepted", r->accepted);
		json_str(o, "what", r->what);
		json_int(o, "code", r->code);
		json_str(o, "text", r->text);
		json_close(o, '}');
	}
	json_close(o, ']');
}

static void
add_signatures(struct str *o, const char *data, size_t len)
{
	struct str value = STR_INIT, domain = STR_INIT;
	size_t i;

	json_open(o, "dkim", '[');
	for (i = 0; message_field(data, len, "DKIM-Signature", i, &value);
	     i++) {
		str_clear(&domain);
		(void)message_tag(value.data, "d", &domain);
		json_mem(o, NULL, domain.data, domain.len);
	}
	json_close(o, ']');
	str_release(&value);
	str_release(&domain);
}

void
mail_journal_fields(struct str *o, const char *data, size_t len)
{
	static const struct {
		const char *key, *field;
	} rows[] = {
		{ "message_id", "Message-ID" },
		{ "x_test_id", "X-Test-Id" },
		{ "header_from", "From" },
		{ "subject", "Subject" },
	};
	struct str value = STR_INIT;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (message_field(data, len, rows[i].field, 0, &value))
			json_mem(o, rows[i].key, value.data, value.len);
		else
			json_str(o, rows[i].key, NULL);
	}
	add_signatures(o, data, len);
	str_release(&value);
}

static void
note_bad(struct session *s)
{
	unsigned bad = s->body.bad, i;
	const char *name;

	if (s->mail.eight_bit)
		bad &= ~(unsigned)BAD_8BIT;
	for (i = 0; (name = body_bad_name(i)) != NULL; i++)
		if ((bad & 1u << i) != 0)
			session_bad(s, name);
}

void
mail_journal(struct session *s, const struct verdict *v, bool complete)
{
	struct str *o = session_journal(s, "message");
	char hash[65];

	json_str(o, "user", s->user);
	json_str(o, "from", s->mail.from);
	json_str(o, "params", s->mail.params);
	add_rcpts(s, o);
	json_bool(o, "accepted", v->accepted);
	json_str(o, "what", v->what);
	json_int(o, "code", v->code);
	json_str(o, "text", v->code != 0 ? s->reply.data : NULL);
	json_int(o, "size", (int64_t)s->body.size);
	json_int(o, "longest_line", (int64_t)s->body.longest);
	if (complete) {
		body_hash(&s->body, hash);
		json_str(o, "sha256", hash);
	}
	mail_journal_fields(o, s->body.bytes.data, s->body.bytes.len);
	if (s->host->system->ses)
		ses_journal(s, o);
	note_bad(s);
	if (v->accepted && journal_keeps(s->sandbox->journal))
		journal_keep(
		    s->sandbox->journal, s->body.bytes.data, s->body.bytes.len);
	session_journal_end(s);
}

/* The session's messages that were accepted are not delivered after all. */
void
mail_withdraw(struct session *s)
{
	struct str *o;
	size_t i;

	for (i = 0; i < s->n_accepted; i++) {
		o = session_journal(s, "withdrawn");
		json_int(o, "message", (int64_t)s->accepted[i]);
		session_journal_end(s);
	}
	s->host->counts.withdrawn += s->rcpts_done;
	s->n_accepted = 0;
	s->rcpts_done = 0;
}

void
mail_remember(struct session *s)
{
	s->accepted =
	    xrealloc(s->accepted, (s->n_accepted + 1) * sizeof(*s->accepted));
	s->accepted[s->n_accepted++] = journal_next(s->sandbox->journal);
}
