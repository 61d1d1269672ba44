/*
 * event_mail.c - what is kept of a message for its events, made at its intake.
 *
 * It is written as text at once, not by way of a tree: every message comes
 * through here. The bytes are a client's, so each is looked at.
 */
#include "router/events/event_json.h"

#include "mta/base/clock.h"
#include "mta/smtp/header.h"
#include "mta/smtp/utf8.h"
#include "router/message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define NAME_MOST   200
#define VALUE_MOST  2000 /* bytes of a field that are worth keeping */

/* Of EVENT_MAIL_MAX, as JSON; the fields get what is left. */
#define ROOM_TAGS   2200
#define ROOM_COMMON 2800
#define ROOM_END    64

/* -- text ------------------------------------------------------------------ */

/* Length of the well-formed UTF-8 sequence at p; 0: none. */
static size_t
sequence_length(const char *p, size_t len)
{
	size_t most = len < 4 ? len : 4;
	bool beyond;

	for (size_t n = 2; n <= most; n++)
		if (utf8_check(p, n, &beyond))
			return n;
	return 0;
}

static void
add_ascii(struct str *out, char c)
{
	if (c == '"' || c == '\\')
		str_addc(out, '\\');
	if ((unsigned char)c < ' ' || c == 0x7f)
		str_addf(out, "\\u%04x", (unsigned)c);
	else
		str_addc(out, c);
}

void
event_text_add(struct str *out, const char *text, size_t len)
{
	str_addc(out, '"');
	for (size_t i = 0, n; i < len; i += n) {
		bool ascii = (unsigned char)text[i] < 0x80;

		n = ascii ? 1 : sequence_length(text + i, len - i);
		if (ascii)
			add_ascii(out, text[i]);
		else if (n > 0)
			str_add(out, text + i, n);
		else
			str_adds(out, REPLACEMENT);
		n = n > 0 ? n : 1;
	}
	str_addc(out, '"');
}

static void
add_member(struct str *out, const char *name, const char *text)
{
	str_addf(
	    out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
	event_text_add(out, text, strlen(text));
}

/* What was written since `mark` is too much: as if it had not been. */
static bool
keep_within(struct str *out, size_t mark, size_t room)
{
	if (out->len <= room)
		return true;
	out->len = mark;
	out->data[mark] = '\0';
	return false;
}

/* -- tags ------------------------------------------------------------------ */

static void
add_tag(struct str *out, const char *name, size_t name_len, const char *value,
    size_t len)
{
	size_t mark = out->len;

	if (len == 0)
		return;
	if (out->data[out->len - 1] != '{')
		str_addc(out, ',');
	event_text_add(out, name, name_len);
	str_adds(out, ":[");
	event_text_add(out, value, len);
	str_addc(out, ']');
	keep_within(out, mark, ROOM_TAGS);
}

static void
add_own_tag(struct str *out, const char *name, const char *value)
{
	add_tag(out, name, strlen(name), value, strlen(value));
}

/* Of an earlier pair of that name too: SES shows one list per name. */
static bool
is_repeated(const char *tags, const char *p, size_t name_len)
{
	for (; tags < p; tags += strcspn(tags, ",") + 1)
		if (strncmp(tags, p, name_len + 1) == 0)
			return true;
	return false;
}

/* "name=value,name=value": the first of a name counts. */
static void
add_tags(struct str *out, const struct message *m, const struct header *h)
{
	const char *p = h->tags.data;
	struct str tags = STR_INIT;

	str_addc(&tags, '{');
	add_own_tag(&tags, "ses:source-ip", m->client);
	add_own_tag(&tags, "ses:from-domain", h->from_domain.data);
	add_own_tag(&tags, "ses:caller-identity", m->user);
	while (*p != '\0') {
		size_t len = strcspn(p, ","), name = strcspn(p, "=");

		if (name < len && !is_repeated(h->tags.data, p, name))
			add_tag(&tags, p, name, p + name + 1, len - name - 1);
		p += len + (p[len] != '\0');
	}
	str_addf(out, ",\"tags\":%s}", tags.data);
	str_release(&tags);
}

/* -- fields ---------------------------------------------------------------- */

struct field {
	const char *name, *value; /* the value as it stands there, folded */
	size_t name_len, len;
};

static size_t
line_length(const char *p, size_t len)
{
	const char *end = memchr(p, '\n', len);

	return end != NULL ? (size_t)(end - p) + 1 : len;
}

/* The field at *p and what continues it; false: no more. */
static bool
next_field(const char **p, size_t *len, struct field *f)
{
	size_t n = line_length(*p, *len);
	const char *colon;

	while (n < *len && ((*p)[n] == ' ' || (*p)[n] == '\t'))
		n += line_length(*p + n, *len - n);
	colon = memchr(*p, ':', n);
	if (n == 0 || colon == NULL)
		return false;
	f->name = *p;
	f->name_len = (size_t)(colon - *p);
	f->value = colon + 1;
	f->len = (size_t)(*p + n - f->value);
	while (f->len > 0 && strchr("\r\n \t", f->value[f->len - 1]) != NULL)
		f->len--;
	while (f->len > 0 && strchr(" \t\r\n", *f->value) != NULL)
		f->value++, f->len--;
	while (f->name_len > 0 && strchr(" \t", f->name[f->name_len - 1]))
		f->name_len--;
	*p += n;
	*len -= n;
	return true;
}

/* RFC 5322 2.2.3: the line ends go, the blanks after them stay. */
static void
unfold(const struct field *f, struct str *out)
{
	str_clear(out);
	for (size_t i = 0; i < f->len; i++)
		if (f->value[i] != '\r' && f->value[i] != '\n')
			str_addc(out, f->value[i]);
}

static bool
is_field(const struct field *f, const char *name)
{
	return strlen(name) == f->name_len &&
	       strncasecmp(f->name, name, f->name_len) == 0;
}

/* Signatures and traces: long, and nothing that an application knows its mail
 * by. */
static bool
is_trace(const struct field *f)
{
	static const char *const names[] = { "Received", "DKIM-Signature",
		"DomainKey-Signature", "ARC-Seal", "ARC-Message-Signature",
		"ARC-Authentication-Results", "Authentication-Results" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_field(f, names[i]))
			return true;
	return false;
}

static bool
add_header(struct str *out, const struct field *f, const char *value,
    size_t len, size_t room)
{
	size_t mark = out->len;

	if (f->name_len > NAME_MOST || len > VALUE_MOST)
		return false;
	str_addf(out, "%s{\"name\":", out->len > 0 ? "," : "");
	event_text_add(out, f->name, f->name_len);
	str_adds(out, ",\"value\":");
	event_text_add(out, value, len);
	str_addc(out, '}');
	return keep_within(out, mark, room);
}

/* -- the fields that SES shows a second time ------------------------------- */

static const struct common {
	const char *field, *member;
	bool list; /* of addresses */
} commons[] = {
	{ "Return-Path", "returnPath", false },
	{ "From", "from", true },
	{ "Date", "date", false },
	{ "To", "to", true },
	{ "Cc", "cc", true },
	{ "Bcc", "bcc", true },
	{ "Reply-To", "replyTo", true },
	{ "Subject", "subject", false },
};

/* Bytes up to the comma that ends an address, outside of quotes, comments and
 * angle brackets. */
static size_t
address_length(const char *p, size_t len)
{
	bool quoted = false, angle = false;
	unsigned depth = 0;
	size_t i = 0;

	for (; i < len; i++) {
		if (p[i] == '\\' && (quoted || depth > 0))
			i++;
		else if (p[i] == '"' && depth == 0)
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (p[i] == '(')
			depth++;
		else if (p[i] == ')' && depth > 0)
			depth--;
		else if (depth == 0 && (p[i] == '<' || p[i] == '>'))
			angle = p[i] == '<';
		else if (p[i] == ',' && depth == 0 && !angle)
			break;
	}
	return i < len ? i : len;
}

static void
add_addresses(struct str *out, const char *p, size_t len)
{
	str_addc(out, '[');
	for (size_t n; len > 0; p += n, len -= n) {
		size_t end;

		n = end = address_length(p, len);
		n += n < len; /* its comma */
		while (end > 0 && strchr(" \t", p[end - 1]) != NULL)
			end--;
		while (end > 0 && strchr(" \t", *p) != NULL)
			p++, end--, n--, len--;
		if (end == 0)
			continue;
		if (out->data[out->len - 1] != '[')
			str_addc(out, ',');
		event_text_add(out, p, end);
	}
	str_addc(out, ']');
}

/* False: there is no room for it. */
static bool
add_common(struct str *out, const struct field *f, const char *value,
    size_t len, unsigned *seen)
{
	size_t mark = out->len, i = 0, n = sizeof(commons) / sizeof(commons[0]);

	while (i < n && !is_field(f, commons[i].field))
		i++;
	if (i == n || (*seen & 1u << i))
		return true;
	if (len > VALUE_MOST)
		return false;
	*seen |= 1u << i;
	str_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", commons[i].member);
	if (commons[i].list)
		add_addresses(out, value, len);
	else
		event_text_add(out, value, len);
	return keep_within(out, mark, ROOM_COMMON);
}

struct fields {
	struct str headers, common;
	bool truncated;
};

static void
read_fields(struct fields *r, const char *p, size_t len, size_t room)
{
	struct str value = STR_INIT;
	struct field f;
	unsigned seen = 0;

	str_addc(&r->common, '{');
	while (next_field(&p, &len, &f)) {
		if (is_trace(&f))
			continue;
		unfold(&f, &value);
		if (!add_common(&r->common, &f, value.data, value.len, &seen))
			r->truncated = true;
		if (!add_header(&r->headers, &f, value.data, value.len, room))
			r->truncated = true;
	}
	str_addc(&r->common, '}');
	str_release(&value);
}

char *
event_mail_json(const struct message *m, const struct header *h,
    const char *fields, size_t len)
{
	struct fields r = { .headers = STR_INIT, .common = STR_INIT };
	struct str out = STR_INIT, tags = STR_INIT;
	char at[25];

	str_addc(&out, '{');
	add_member(&out, "timestamp", clock_iso(m->received, at));
	add_member(&out, "source", m->from);
	add_tags(&tags, m, h);
	read_fields(&r, fields, len,
	    EVENT_MAIL_MAX > out.len + tags.len + ROOM_COMMON + ROOM_END
		? EVENT_MAIL_MAX - out.len - tags.len - ROOM_COMMON - ROOM_END
		: 0);
	str_addf(&out,
	    ",\"headersTruncated\":%s,\"headers\":[%s],\"commonHeaders\":%s",
	    r.truncated ? "true" : "false", r.headers.data, r.common.data);
	str_addf(&out, "%s}", tags.data);
	str_release(&r.headers);
	str_release(&r.common);
	str_release(&tags);
	return str_detach(&out);
}
