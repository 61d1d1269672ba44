/*
 * reply.c - reads a server's replies as they arrive (RFC 5321 4.2, RFC 2034,
 * RFC 3463).
 */
#include "mta/smtp/reply.h"

#include <string.h>

/* A reply that grew beyond this does not keep its memory: most are a line. */
#define KEEP_ROOM 4096

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static void
empty(struct str *s)
{
	if (s->room > KEEP_ROOM)
		str_release(s);
	str_clear(s);
}

static void
restart(struct reply *r)
{
	empty(&r->text);
	empty(&r->line);
	r->code = 0;
	r->size = 0;
	r->done = false;
}

void
reply_init(struct reply *r, size_t max)
{
	memset(r, 0, sizeof(*r));
	str_init(&r->text);
	str_init(&r->line);
	r->max = max;
}

void
reply_release(struct reply *r)
{
	str_release(&r->text);
	str_release(&r->line);
}

bool
reply_begun(const struct reply *r)
{
	return r->size > 0 && !r->done;
}

static enum reply_progress
bad(struct reply *r, const char *why)
{
	r->bad = why;
	return REPLY_BAD;
}

/* The code of a line, or -1. "2501" and "250ok" are none. */
static int
parse_code(const char *p, size_t len)
{
	if (len < 3 || !is_digit(p[0]) || !is_digit(p[1]) || !is_digit(p[2]))
		return -1;
	if (p[0] < '2' || p[0] > '5')
		return -1;
	if (len > 3 && (is_digit(p[3]) || (p[3] | 0x20) >= 'a'))
		return -1;
	return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

static void
add_clean(struct str *s, const char *p, size_t len)
{
	size_t from = s->len;

	str_add(s, p, len);
	for (; from < s->len; from++)
		if (is_control(s->data[from]))
			s->data[from] = ' ';
}

/* A whole line with its LF. */
static enum reply_progress
take_line(struct reply *r, const char *p, size_t len)
{
	bool more;
	int code;

	len--;
	if (len > 0 && p[len - 1] == '\r')
		len--;
	code = parse_code(p, len);
	if (code < 0)
		return bad(r, "reply without a valid code");
	if (r->code != 0 && code != r->code)
		return bad(r, "reply with different codes in its lines");
	if (r->code != 0)
		str_addc(&r->text, '\n');
	r->code = code;
	more = len > 3 && p[3] == '-';
	if (len > 4)
		add_clean(&r->text, p + 4, len - 4);
	r->done = !more;
	return more ? REPLY_MORE : REPLY_DONE;
}

enum reply_progress
reply_feed(struct reply *r, const char *data, size_t len, size_t *used)
{
	enum reply_progress progress = REPLY_MORE;

	if (r->done)
		restart(r);
	for (*used = 0; progress == REPLY_MORE && *used < len;) {
		const char *p = data + *used;
		const char *lf = memchr(p, '\n', len - *used);
		size_t n = lf != NULL ? (size_t)(lf + 1 - p) : len - *used;

		if (n > r->max - r->size)
			return bad(r, "reply longer than any reply should be");
		r->size += n;
		*used += n;
		if (lf == NULL) {
			str_add(&r->line, p, n);
		} else if (r->line.len > 0) {
			str_add(&r->line, p, n);
			progress = take_line(r, r->line.data, r->line.len);
			str_clear(&r->line);
		} else {
			progress = take_line(r, p, n);
		}
	}
	return progress;
}

/* How many of the bytes are a number of RFC 3463, followed by `after` or the
 * end; 0 for none. */
static size_t
status_number(const char *p, size_t len, char after)
{
	size_t n = 0;

	while (n < len && n < 3 && is_digit(p[n]))
		n++;
	return n > 0 && (n == len || p[n] == after) ? n : 0;
}

/* The length of the enhanced status that the line begins with, or 0. Of another
 * class than the code it is none: it would contradict it. */
static size_t
status_length(const char *p, size_t len, int code)
{
	size_t subject, detail;

	if (len < 5 || p[0] != '0' + code / 100 || p[0] == '3' || p[1] != '.')
		return 0;
	subject = status_number(p + 2, len - 2, '.');
	if (subject == 0 || 3 + subject >= len)
		return 0;
	detail = status_number(p + 3 + subject, len - 3 - subject, ' ');
	return detail > 0 ? 3 + subject + detail : 0;
}

/* Adds a line to the outcome's text, its status taken off and as much of it as
 * there is room. */
static void
add_line(struct outcome *o, const char *p, size_t len)
{
	size_t have = strlen(o->text), status, room;

	while (len > 0 && *p == ' ')
		p++, len--;
	status = status_length(p, len, o->code);
	if (status > 0 && o->enhanced[0] == '\0')
		memcpy(o->enhanced, p, status);
	if (status > 0 && strncmp(o->enhanced, p, status) == 0 &&
	    o->enhanced[status] == '\0')
		p += status, len -= status;
	while (len > 0 && *p == ' ')
		p++, len--;
	while (len > 0 && p[len - 1] == ' ')
		len--;
	if (len == 0 || have + 2 >= sizeof(o->text))
		return;
	if (have > 0)
		o->text[have++] = ' ';
	room = sizeof(o->text) - 1 - have;
	if (len > room)
		/* Not in the middle of a UTF-8 character. */
		for (len = room; len > 0 && (p[len] & 0xc0) == 0x80;)
			len--;
	memcpy(o->text + have, p, len);
}

void
reply_outcome(const struct reply *r, enum outcome_scope scope,
    enum smtp_stage stage, struct outcome *o)
{
	const char *p = r->text.data, *end = p + r->text.len, *lf;

	memset(o, 0, sizeof(*o));
	o->scope = scope;
	o->stage = stage;
	o->code = r->code;
	o->permanent = r->code >= 500;
	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			lf = end;
		add_line(o, p, (size_t)(lf - p));
	}
}
