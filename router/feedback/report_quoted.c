/*
 * report_quoted.c - the message that a report is about, as far as the report
 * quotes it: in a part of its own, or in the text behind a line that says so.
 */
#include <string.h>
#include <strings.h>

#include "router/feedback/form.h"
#include "router/feedback/report_int.h"

#define HEADER_SOON                                                            \
	14 /* lines behind such a line, in which the header must begin */
#define HEADER_ENOUGH 3

/* How lines begin, dashes and the like gone, behind which the original message
 * stands. */
static const char *const markers[] = {
	"a copy of the original message",
	"a copy of your message",
	"begin of the original message",
	"below is a copy of the original message",
	"below this line is a copy of",
	"body of message generated response",
	"forwarded message",
	"header of the original message",
	"included is a copy of the message header",
	"message header follows",
	"message headers follow",
	"message text follows",
	"original headers follow",
	"original mail",
	"original message",
	"returned mail",
	"returned message",
	"start of returned message",
	"text of your message",
	"the following is a copy of",
	"the header of the original",
	"the original message",
	"the text of the original",
	"this is a copy of",
	"undelivered message",
	"unsent message",
	"your mail",
	"your message follows",
	"your original",
	"元のメッセージ",
	"元のメール",
	"以下は元の",
	"以下は送信された",
	"送信されたメールの内容",
	"オリジナルメール",
	"オリジナルメッセージ",
	"原文",
};

/* Fields that a message has. */
static const char *const message_fields[] = { "return-path", "received", "from",
	"to", "subject", "date", "message-id", "mime-version", "content-type",
	"x-", "cc", "reply-to", "sender", "dkim-signature",
	"content-transfer-encoding" };

static const char *
line_next(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf != NULL ? lf + 1 : end;
}

static bool
is_message_field(const char *p, const char *stop)
{
	const char *colon = memchr(p, ':', (size_t)(stop - p));

	if (colon == NULL || colon - p > 40)
		return false;
	for (size_t i = 0;
	     i < sizeof(message_fields) / sizeof(message_fields[0]); i++) {
		const char *name = message_fields[i];
		size_t n;

		if ((*p | 0x20) != name[0])
			continue;
		n = strlen(name);
		if (strncasecmp(p, name, n) == 0 &&
		    (p + n == colon || name[n - 1] == '-' ||
			(p[n] == ' ' && p + n + 1 == colon)))
			return true;
	}
	return false;
}

/* How many of such fields stand from here on, one after the other. */
static unsigned
fields_here(const char *p, const char *end)
{
	unsigned n = 0;
	const char *next;

	for (; p < end && n < HEADER_ENOUGH; p = next) {
		next = line_next(p, end);
		if (*p == ' ' || *p == '\t')
			continue;
		if (!is_message_field(p, next))
			break;
		n++;
	}
	return n;
}

static bool
is_marker(const char *p, const char *stop)
{
	while (p < stop && strchr(" \t-|=*#<>_", *p) != NULL)
		p++;
	for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
		size_t n;

		if (p == stop || (*p | 0x20) != (markers[i][0] | 0x20))
			continue;
		n = strlen(markers[i]);
		if ((size_t)(stop - p) > n &&
		    strncasecmp(p, markers[i], n) == 0)
			return true;
	}
	return false;
}

/* Where a header begins soon behind here; NULL: none does. */
static const char *
header_soon(const char *p, const char *end)
{
	for (int i = 0; i < HEADER_SOON && p < end; i++) {
		if (fields_here(p, end) >= 2)
			return p;
		p = line_next(p, end);
	}
	return NULL;
}

static bool
is_header_start(const char *p, const char *next, const char *end)
{
	static const char *const starts[] = { "received:", "return-path:",
		"message-id:", "x-", "dkim-signature:" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if ((*p | 0x20) == starts[i][0] &&
		    (size_t)(next - p) > strlen(starts[i]) &&
		    strncasecmp(p, starts[i], strlen(starts[i])) == 0)
			return fields_here(p, end) >= HEADER_ENOUGH;
	return false;
}

size_t
quoted_begins(const char *text, size_t len)
{
	const char *end = text + len, *next, *header;

	for (const char *p = text; p < end; p = next) {
		next = line_next(p, end);
		header = NULL;
		if (is_marker(p, next))
			header = header_soon(next, end);
		else if (is_header_start(p, next, end))
			header = p;
		if (header != NULL)
			return (size_t)(header - text);
	}
	return len;
}

static void
set_address(char **field, struct span value)
{
	struct str address = STR_INIT;

	if (value.data != NULL && address_next(&address, &value))
		report_set(field, address.data, address.len);
	str_release(&address);
}

static void
set_text(char **field, struct span value)
{
	struct str text = STR_INIT;

	field_unfold(&text, value);
	if (text.len > 0)
		report_set(field, text.data, text.len);
	str_release(&text);
}

void
quoted_read(struct report *r, const struct mail *m)
{
	const struct span *quoted = m->quoted_field;

	set_text(&r->our_id, quoted[FIELD_OUR_ID]);
	set_text(&r->message_id, quoted[FIELD_MESSAGE_ID]);
	set_address(&r->addresser, quoted[FIELD_FROM]);
	if (*r->return_path == '\0')
		set_address(&r->return_path, quoted[FIELD_RETURN_PATH]);
	set_address(&r->to, m->field[FIELD_TO]);
	if (*r->to == '\0')
		set_address(&r->to, m->field[FIELD_ORIGINAL_TO]);
	if (*r->to == '\0')
		set_address(&r->to, m->field[FIELD_DELIVERED_TO]);
}
