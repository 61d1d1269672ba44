/*
 * server_data.c - the message: line ends, dots and limits.
 *
 * A line ends in CRLF, the message in CRLF.CRLF (RFC 5321 4.1.1.4), and nothing
 * else counts as either. Where a bare CR or LF or a NUL is found, peers may
 * disagree about where the message ends: it is read to its strict end, refused,
 * and the session ends, so that nothing behind it is taken for a command.
 *
 * Good lines are passed on in runs as long as the input holds them; a byte is
 * held back only in `state`, where its meaning depends on the next one.
 */
#include "mta/smtp/server_int.h"

#include <string.h>

void
session_data_begin(struct smtp_session *s)
{
	struct message *m = &s->message;

	m->state = TEXT_BEGIN;
	m->since = s->now;
	m->received = m->size = m->line = 0;
	m->refused = m->broken = false;
	m->refusal = R_NONE;
}

static void
refuse(struct smtp_session *s, enum server_reply r)
{
	if (s->message.refused)
		return;
	s->message.refused = true;
	s->message.refusal = r;
	session_abort(s);
}

/* Weighs more than any refusal before it. */
static void
distrust(struct smtp_session *s, enum server_reply r)
{
	refuse(s, r);
	if (!s->message.broken)
		s->message.refusal = r;
	s->message.broken = true;
}

static void
scan_header(struct smtp_session *s, const char *data, size_t len)
{
	struct header *h = &s->message.header;

	if (h->ended)
		return;
	header_feed(h, data, len);
	if (h->size > s->config->max_header)
		refuse(s, R_HEADER_TOO_BIG);
	else if (h->received > s->config->max_received)
		refuse(s, R_LOOP);
}

static void
pass(struct smtp_session *s, const char *data, size_t len)
{
	struct message *m = &s->message;

	if (len == 0)
		return;
	if (memchr(data, '\0', len) != NULL)
		distrust(s, R_NUL);
	if (m->refused)
		return;
	if (len > s->config->max_message - m->size) {
		refuse(s, R_TOO_BIG);
		return;
	}
	m->size += len;
	scan_header(s, data, len);
	if (!m->refused &&
	    !s->handler->data_bytes(s->arg, data, len, &m->custom))
		refuse(s, R_NONE);
}

static void
end_line(struct smtp_session *s, size_t len)
{
	struct message *m = &s->message;
	size_t max = s->config->max_text_line;

	if (max > 0 && m->line + len > max)
		refuse(s, R_TEXT_LINE_TOO_LONG);
	m->line = 0;
	m->state = TEXT_BEGIN;
}

/* Whole lines in one run, up to a dot that begins a line or to the end. */
static const char *
take_lines(struct smtp_session *s, const char *data, const char *end)
{
	struct message *m = &s->message;
	const char *p = data;

	while (p < end) {
		const char *nl, *cr, *stop;

		if (m->state == TEXT_BEGIN && *p == '.') {
			pass(s, data, (size_t)(p - data));
			m->state = TEXT_DOT;
			return p + 1;
		}
		nl = memchr(p, '\n', (size_t)(end - p));
		stop = nl != NULL ? nl : end;
		cr = memchr(p, '\r', (size_t)(stop - p));
		if (cr != NULL && nl == cr + 1) {
			end_line(s, (size_t)(nl + 1 - p));
			p = nl + 1;
			continue;
		}
		m->state = TEXT_LINE;
		if (cr != NULL) {
			pass(s, data, (size_t)(cr - data));
			m->line += (size_t)(cr - p);
			m->state = TEXT_CR;
			return cr + 1;
		}
		if (nl != NULL) {
			distrust(s, R_BARE_LINE_ENDING);
			return nl + 1;
		}
		m->line += (size_t)(end - p);
		p = end;
	}
	pass(s, data, (size_t)(end - data));
	return end;
}

static const char *
after_cr(struct smtp_session *s, const char *p)
{
	if (*p == '\n') {
		pass(s, "\r\n", 2);
		end_line(s, 2);
		return p + 1;
	}
	distrust(s, R_BARE_LINE_ENDING);
	if (*p == '\r')
		return p + 1;
	s->message.state = TEXT_LINE;
	return p;
}

/* The dot that begins a line is dropped (RFC 5321 4.5.2). */
static const char *
after_dot(struct smtp_session *s, const char *p)
{
	if (*p == '\r') {
		s->message.state = TEXT_DOT_CR;
		return p + 1;
	}
	s->message.state = TEXT_LINE;
	return p;
}

static const char *
after_dot_cr(struct smtp_session *s, const char *p)
{
	if (*p == '\n') {
		s->message.state = TEXT_END;
		return p + 1;
	}
	s->message.state = TEXT_CR;
	return p;
}

static const char *
take(struct smtp_session *s, const char *p, const char *end)
{
	switch (s->message.state) {
	case TEXT_BEGIN:
	case TEXT_LINE:
		return take_lines(s, p, end);
	case TEXT_CR:
		return after_cr(s, p);
	case TEXT_DOT:
		return after_dot(s, p);
	case TEXT_DOT_CR:
		return after_dot_cr(s, p);
	case TEXT_END:
		break;
	}
	return end;
}

static void
end_refused(struct smtp_session *s)
{
	struct message *m = &s->message;

	if (m->refusal == R_NONE)
		server_reply_add_custom(&s->out, &m->custom);
	else
		server_reply_add(&s->out, m->refusal);
	session_reset_transaction(s);
	session_enter(s, m->broken ? PHASE_DROP : PHASE_READY);
}

static void
end_of_data(struct smtp_session *s)
{
	header_finish(&s->message.header);
	if (s->message.refused) {
		end_refused(s);
		return;
	}
	s->transaction = false;
	session_enter(s, PHASE_DOT);
	s->handler->data_end(s->arg);
}

size_t
session_data(struct smtp_session *s, const char *data, size_t len)
{
	const char *p = data, *end = data + len;

	while (p < end && s->message.state != TEXT_END)
		p = take(s, p, end);
	s->message.received += (size_t)(p - data);
	s->idle_since = s->now;
	if (s->message.state == TEXT_END)
		end_of_data(s);
	return (size_t)(p - data);
}
