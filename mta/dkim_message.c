/*
 * dkim_message.c - feeds a message to libopendkim, in pieces of any size.
 */
#include "mta/dkim_message.h"

#include <string.h>
#include <strings.h>

/* clang-format off */
#define NAME(s) (const unsigned char *)(s)

/* RFC 6376 5.4.1, and what mailbox providers ask for. Everything else may
 * change on the way, is of no use to a forger, or is removed: X-SES-* above
 * all. A field is signed as often as it occurs. */
const unsigned char *dkim_message_fields[] = {
	NAME("from"), NAME("sender"), NAME("reply-to"), NAME("to"), NAME("cc"),
	NAME("subject"), NAME("date"), NAME("message-id"), NAME("in-reply-to"),
	NAME("references"), NAME("mime-version"), NAME("content-type"),
	NAME("content-transfer-encoding"), NAME("content-disposition"),
	NAME("content-id"), NAME("content-description"), NAME("list-id"),
	NAME("list-help"), NAME("list-unsubscribe"),
	NAME("list-unsubscribe-post"), NAME("list-subscribe"),
	NAME("list-post"), NAME("list-owner"), NAME("list-archive"),
	NAME("feedback-id"), NAME("auto-submitted"), NULL,
};

/* What people and programs believe: one more of it, put in front on the way,
 * would be shown in place of ours (RFC 6376 8.15). */
const unsigned char *dkim_message_oversigned[] = {
	NAME("from"), NAME("sender"), NAME("reply-to"), NAME("to"), NAME("cc"),
	NAME("subject"), NAME("date"), NAME("message-id"), NAME("mime-version"),
	NAME("content-type"), NAME("content-transfer-encoding"), NULL,
};
/* clang-format on */

void
dkim_message_init(struct dkim_message *m, DKIM *dkim)
{
	memset(m, 0, sizeof(*m));
	m->dkim = dkim;
	str_init(&m->line);
	str_init(&m->field);
}

void
dkim_message_clear(struct dkim_message *m)
{
	str_release(&m->line);
	str_release(&m->field);
}

int
dkim_message_check(DKIM *dkim, DKIM_STAT status, struct err *e)
{
	const char *reason;

	if (status == DKIM_STAT_OK)
		return 0;
	reason = dkim != NULL ? dkim_geterror(dkim) : NULL;
	if (reason == NULL)
		reason = dkim_getresultstr(status);
	return err_set(e, "cannot sign message: %s", reason);
}

static bool
is_signed(const char *name, size_t len)
{
	for (const unsigned char **f = dkim_message_fields; *f != NULL; f++) {
		const char *field = (const char *)*f;

		if (strlen(field) == len && strncasecmp(field, name, len) == 0)
			return true;
	}
	return false;
}

/* Hands on the field that has ended, without its last CRLF. */
static int
end_field(struct dkim_message *m, struct err *e)
{
	struct str *f = &m->field;
	DKIM_STAT status;

	if (f->len == 0)
		return 0;
	if (memchr(f->data, '\0', f->len) != NULL)
		return err_set(e, "cannot sign message: NUL in its header");
	status = dkim_header(m->dkim, (unsigned char *)f->data, f->len - 2);
	str_clear(f);
	return dkim_message_check(m->dkim, status, e);
}

static int
begin_field(struct dkim_message *m, struct err *e)
{
	const char *line = m->line.data;
	const char *colon = memchr(line, ':', m->line.len);
	size_t len;

	if (end_field(m, e) != 0)
		return -1;
	if (colon == NULL)
		return err_set(
		    e, "cannot sign message: a line of its header is no field");
	len = (size_t)(colon - line);
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	m->any = true;
	if (is_signed(line, len))
		str_add(&m->field, line, m->line.len);
	return 0;
}

static int
continue_field(struct dkim_message *m, struct err *e)
{
	if (!m->any)
		return err_set(e, "cannot sign message: its header begins with "
				  "a folded line");
	if (m->field.len > 0)
		str_add(&m->field, m->line.data, m->line.len);
	return 0;
}

static int
end_header(struct dkim_message *m, struct err *e)
{
	m->body = true;
	if (end_field(m, e) != 0)
		return -1;
	return dkim_message_check(m->dkim, dkim_eoh(m->dkim), e);
}

static int
take_line(struct dkim_message *m, struct err *e)
{
	int r;

	if (m->line.len < 2 || m->line.data[m->line.len - 2] != '\r')
		return err_set(e, "cannot sign message: bare LF in its header");
	if (m->line.len == 2)
		r = end_header(m, e);
	else if (m->line.data[0] == ' ' || m->line.data[0] == '\t')
		r = continue_field(m, e);
	else
		r = begin_field(m, e);
	str_clear(&m->line);
	return r;
}

static int
add_body(struct dkim_message *m, const char *data, size_t len, struct err *e)
{
	/* It only reads; its type is not const. */
	unsigned char *bytes = (unsigned char *)(uintptr_t)data;

	if (len == 0)
		return 0;
	return dkim_message_check(m->dkim, dkim_body(m->dkim, bytes, len), e);
}

static void
remember_end(struct dkim_message *m, const char *data, size_t len)
{
	for (size_t i = len < 2 ? 0 : len - 2; i < len; i++) {
		m->last[0] = m->last[1];
		m->last[1] = data[i];
	}
}

int
dkim_message_add(
    struct dkim_message *m, const char *data, size_t len, struct err *e)
{
	remember_end(m, data, len);
	while (!m->body && len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) + 1 : len;

		str_add(&m->line, data, n);
		data += n;
		len -= n;
		if (end != NULL && take_line(m, e) != 0)
			return -1;
	}
	return add_body(m, data, len, e);
}

/* libopendkim refuses a body without a last line end as well, but only with
 * the key in hand, which it then loses. */
int
dkim_message_end(struct dkim_message *m, struct err *e)
{
	if (memcmp(m->last, "\r\n", 2) != 0)
		return err_set(
		    e, "cannot sign message: it does not end in CRLF");
	return m->body ? 0 : end_header(m, e);
}
