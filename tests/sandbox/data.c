/*
 * data.c - from 354 to the reply after the final dot.
 *
 * What a host does with a message is decided in one place, decide(), in a fixed
 * order: what is wrong with the bytes, what the recipients' local parts ask
 * for, the host's mood, Amazon. The journal's line is on disk before the reply
 * leaves.
 */
#include "tests/sandbox/data.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/mail.h"
#include "tests/sandbox/message.h"
#include "tests/sandbox/returns.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/ses.h"
#include "tests/sandbox/session.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MOST                                                            \
	(12 * 1024) /* "headers over 12 Kbyte make trouble": SoftBank */

/* clang-format off */
static const struct answer
	GO_ON      = { 354, NULL, "End data with <CR><LF>.<CR><LF>" },
	SEQUENCE   = { 503, "5.5.1", "Bad sequence of commands" },
	TOO_BIG    = { 552, "5.3.4", "Message size exceeds fixed limit" },
	SES_BIG    = { 552, NULL, "Message is too long." },
	NO_HEADERS = { 554, NULL, "Transaction failed" };
/* clang-format on */

struct decision {
	enum action action; /* DO_NOTE: accept */
	const struct answer *answer;
	const char *to; /* for {addr} */
};

static struct rcpt *
rcpt_for(struct session *s, enum stage stage)
{
	struct rcpt *r;
	size_t i;

	for (i = 0; i < s->mail.n; i++) {
		r = &s->mail.rcpts[i];
		if (r->accepted && r->scenario != NULL &&
		    r->scenario->stage == stage &&
		    r->scenario->action != DO_NOTE)
			return r;
	}
	return NULL;
}

static void
refuse_all(struct session *s, int code, const char *text)
{
	struct rcpt *r;
	size_t i;

	for (i = 0; i < s->mail.n; i++) {
		r = &s->mail.rcpts[i];
		if (!r->accepted)
			continue;
		r->accepted = false;
		r->what = code != 0 ? "refused" : "lost";
		if (code != 0) {
			free(r->text);
			r->text = xstrdup(text);
			r->code = code;
		}
	}
}

/* A message that ends otherwise than by the reply to its final dot. */
static void
lose(struct session *s, const char *what)
{
	const struct verdict v = { false, 0, what };

	s->phase = PHASE_COMMAND;
	refuse_all(s, 0, NULL);
	mail_journal(s, &v, false);
	s->host->counts.rejected++;
}

void
data_aborted(struct session *s, const char *how)
{
	lose(s, how);
}

void
data_command(struct session *s)
{
	struct rcpt *r = rcpt_for(s, AT_DATA);

	if (!s->mail.open || s->mail.n == 0) {
		session_answer(s, &SEQUENCE, NULL);
		return;
	}
	if (s->mail.accepted == 0) {
		session_answer(s, &s->host->system->no_rcpt, NULL);
		return;
	}
	body_start(&s->body, journal_keeps(s->sandbox->journal));
	if (r != NULL) {
		host_happened(s->host, r->scenario, r->to);
		lose(s, "closed-after-354");
		session_act(
		    s, r->scenario->action, &r->scenario->answer, r->to);
		return;
	}
	s->phase = PHASE_DATA;
	session_answer(s, &GO_ON, NULL);
}

/* --- the decision --- */

static bool
is_empty(const struct session *s, const char *field)
{
	struct str value = STR_INIT;
	bool empty = !message_field(s->body.bytes.data, s->body.bytes.len,
			 field, 0, &value) ||
		     value.len == 0;

	str_release(&value);
	return empty;
}

static const struct answer *
content_fault(struct session *s)
{
	const struct host *h = s->host;

	if (message_header_size(s->body.bytes.data, s->body.bytes.len) >
	    HEADER_MOST)
		session_bad(s, "header over 12 KB");
	if (h->limits.size > 0 && s->body.size > h->limits.size)
		return h->system->ses ? &SES_BIG : &TOO_BIG;
	if (h->limits.line > 0 && s->body.longest > h->limits.line)
		return &h->system->long_line;
	if (h->system->needs_headers &&
	    (is_empty(s, "From") || is_empty(s, "Message-ID")))
		return &NO_HEADERS;
	return NULL;
}

/* What the recipients' local parts or the host's mood ask for. */
static struct decision
asked_for(struct session *s)
{
	const struct mood *m = s->host->mood;
	struct rcpt *r = rcpt_for(s, AT_DOT);

	if (r != NULL) {
		host_happened(s->host, r->scenario, r->to);
		return (struct decision){ r->scenario->action,
			&r->scenario->answer, r->to };
	}
	if (m != NULL && m->stage == AT_DOT)
		return (struct decision){ m->action, &m->answer, NULL };
	return (struct decision){ DO_NOTE, NULL, NULL };
}

static bool
is_silent(enum action action)
{
	return action == DO_CLOSE || action == DO_RESET || action == DO_SILENCE;
}

/* What is taken without a reply is judged by Amazon all the same: it gets an
 * id, and events will tell of it. */
static struct decision
decide(struct session *s, struct answer *verdict, struct str *text)
{
	const struct host *h = s->host;
	const struct answer *fault = content_fault(s);
	struct decision asked;

	if (fault != NULL)
		return (struct decision){ DO_REPLY, fault, NULL };
	asked = asked_for(s);
	if (asked.answer != NULL && !is_silent(asked.action))
		return asked;
	*verdict = (struct answer){ 250, "2.0.0", h->system->accepted };
	if (h->system->ses && !ses_judge(s, verdict, text))
		return (struct decision){ DO_REPLY, verdict, NULL };
	if (asked.answer != NULL)
		return asked;
	return (struct decision){ DO_NOTE, verdict, NULL };
}

static struct verdict
verdict_of(const struct decision *d)
{
	if (is_silent(d->action))
		return (struct verdict){ true, 0, d->answer->text };
	if (d->action == DO_NOTE)
		return (struct verdict){ true, d->answer->code, "delivered" };
	return (struct verdict){ false, d->answer->code, "refused" };
}

static void
count(struct session *s, const struct verdict *v)
{
	struct rcpt *r;
	size_t i;

	s->messages++;
	if (!v->accepted) {
		refuse_all(s, v->code, s->reply.data);
		s->host->counts.rejected++;
		return;
	}
	for (i = 0; i < s->mail.n; i++) {
		r = &s->mail.rcpts[i];
		if (r->accepted && r->scenario != NULL &&
		    r->scenario->action == DO_NOTE)
			r->what = r->scenario->answer.text;
	}
	s->host->counts.messages++;
	s->host->counts.recipients += s->mail.accepted;
	s->rcpts_done += (unsigned)s->mail.accepted;
	mail_remember(s);
}

static void
finish(struct session *s)
{
	struct str text = STR_INIT;
	struct answer answer;
	struct decision d = decide(s, &answer, &text);
	struct verdict v = verdict_of(&d);

	s->phase = PHASE_COMMAND;
	session_expand(s, d.answer, d.to);
	count(s, &v);
	mail_journal(s, &v, true);
	if (v.accepted && s->host->system->ses)
		ses_tell(s);
	else if (v.accepted)
		returns_mail(s);
	if (d.action == DO_NOTE)
		session_answer(s, d.answer, d.to);
	else
		session_act(s, d.action, d.answer, d.to);
	mail_clear(s);
	str_release(&text);
}

bool
data_read(struct session *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	struct rcpt *r = rcpt_for(s, AT_BODY);
	bool done = false;
	size_t n;

	if (r != NULL && evbuffer_get_length(in) > 0) {
		host_happened(s->host, r->scenario, r->to);
		lose(s, r->scenario->answer.text);
		session_act(
		    s, r->scenario->action, &r->scenario->answer, r->to);
		return false;
	}
	while (!done && (n = evbuffer_get_contiguous_space(in)) > 0) {
		n = body_feed(&s->body,
		    (const char *)evbuffer_pullup(in, (ssize_t)n), n, &done);
		evbuffer_drain(in, n);
	}
	if (done)
		finish(s);
	return done;
}
