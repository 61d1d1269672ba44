/*
 * report_mime.c - a message taken apart into its leaves (RFC 2045, RFC 2046),
 * within bounds.
 *
 * The tree is walked here and not by GMime's parser, which takes three times
 * the time that a message may take here and knows no bounds on depth and parts;
 * encodings, charsets and encoded words are GMime's (report_text.c,
 * report_header.c). Each level passes over its bytes once, so the time is at
 * most the bytes times REPORT_DEPTH_MAX.
 */
#include <string.h>
#include <strings.h>

#include "router/feedback/report_int.h"

#define TEXT_MAX   (128 * 1024) /* of text and status, decoded */
#define QUOTED_MAX (64 * 1024)	/* of the message that is quoted */

struct leaf_name {
	const char *name;
	enum leaf_type type;
};

/* clang-format off */
static const struct leaf_name types[] = {
	{ "text/rfc822-header",              LEAF_HEADERS }, /* also text/rfc822-headers */
	{ "message/rfc822-header",           LEAF_HEADERS },
	{ "message/global-headers",          LEAF_HEADERS },
	{ "text/html",                       LEAF_HTML },
	{ "text/rfc822",                     LEAF_MESSAGE },
	{ "message/rfc822",                  LEAF_MESSAGE },
	{ "message/delivery-status",         LEAF_STATUS },
	{ "message/global-delivery-status",  LEAF_STATUS },
	{ "message/xdelivery-status",        LEAF_STATUS },
	{ "message/global-disposition-notification", LEAF_NOTIFICATION },
	{ "message/disposition-notification", LEAF_NOTIFICATION },
	{ "message/global",                  LEAF_MESSAGE },
	{ "message/feedback-report",         LEAF_FEEDBACK },
	{ "text/",                           LEAF_TEXT },
	{ "text",                            LEAF_TEXT },
};
/* clang-format on */

#define TYPES (sizeof(types) / sizeof(types[0]))

static struct span
trim(struct span s)
{
	while (s.len > 0 && strchr(" \t\r\n", s.data[0]) != NULL) {
		s.data++;
		s.len--;
	}
	return s;
}

static bool
starts(struct span s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.len >= len && strncasecmp(s.data, prefix, len) == 0;
}

static enum leaf_type
leaf_type_of(struct span value)
{
	value = trim(value);
	if (value.len == 0)
		return LEAF_TEXT;
	for (size_t i = 0; i < TYPES; i++)
		if (starts(value, types[i].name))
			return types[i].type;
	/* No type at all ("Content-Type: charset=..."). */
	return memchr(value.data, '/', value.len) == NULL ? LEAF_TEXT
							  : LEAF_OTHER;
}

static enum leaf_encoding
leaf_encoding_of(struct span value)
{
	value = trim(value);
	if (starts(value, "quoted-printable"))
		return ENCODING_QUOTED;
	if (starts(value, "base64"))
		return ENCODING_BASE64;
	if (starts(value, "x-uu"))
		return ENCODING_UU;
	return ENCODING_NONE;
}

static void
leaf_add(struct mail *m, struct span body, struct span field[FIELD_MAX])
{
	struct span type = field[FIELD_CONTENT_TYPE];

	m->leaf[m->n++] = (struct leaf){
		.type = starts(trim(type), "multipart/") ? LEAF_TEXT
							 : leaf_type_of(type),
		.encoding = leaf_encoding_of(field[FIELD_ENCODING]),
		.charset = field_parameter(type, "charset"),
		.body = body,
		.attachment =
		    starts(trim(field[FIELD_DISPOSITION]), "attachment"),
	};
}

/* Behind the delimiter's line when one of this boundary begins here; NULL: none
 * does. *last: it closes. */
static const char *
delimiter_end(const char *p, const char *end, struct span boundary, bool *last)
{
	if ((size_t)(end - p) < boundary.len + 2 || p[0] != '-' ||
	    p[1] != '-' || memcmp(p + 2, boundary.data, boundary.len) != 0)
		return NULL;
	p += boundary.len + 2;
	*last = end - p >= 2 && p[0] == '-' && p[1] == '-';
	p = *last ? p + 2 : p;
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	if (p < end && *p != '\n')
		return NULL;
	return p < end ? p + 1 : end;
}

/* The next delimiter line at or behind p, where a line begins; NULL: none.
 * *next is behind it. */
static const char *
delimiter(const char *p, const char *end, struct span boundary,
    const char **next, bool *last)
{
	while (p < end) {
		*next = delimiter_end(p, end, boundary, last);
		if (*next != NULL)
			return p;
		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			return NULL;
		p++;
	}
	return NULL;
}

static void entity(struct mail *, struct span, unsigned depth);

/* False: no delimiter of its is there. */
static bool
multipart(
    struct mail *m, struct span body, struct span boundary, unsigned depth)
{
	const char *p = body.data, *end = p + body.len, *from, *to, *next;
	bool last = false;

	from = delimiter(p, end, boundary, &next, &last);
	if (from == NULL)
		return false;
	while (!last && m->n < REPORT_PARTS_MAX && m->seen < REPORT_PARTS_MAX) {
		from = next;
		to = delimiter(from, end, boundary, &next, &last);
		entity(m,
		    (struct span){ from, (size_t)((to ? to : end) - from) },
		    depth + 1);
		if (to == NULL)
			break;
	}
	return true;
}

static void
entity(struct mail *m, struct span all, unsigned depth)
{
	struct span field[FIELD_MAX], boundary, body;
	size_t header = header_read(all, field);

	m->seen++;
	body = (struct span){ all.data + header, all.len - header };
	if (depth == 0) {
		m->header = (struct span){ all.data, header };
		memcpy(m->field, field, sizeof(m->field));
		m->is_report =
		    starts(trim(field[FIELD_CONTENT_TYPE]), "multipart/report");
	}
	boundary = field_parameter(field[FIELD_CONTENT_TYPE], "boundary");
	if (starts(trim(field[FIELD_CONTENT_TYPE]), "multipart/") &&
	    boundary.len > 0 && depth < REPORT_DEPTH_MAX &&
	    multipart(m, body, boundary, depth))
		return;
	if (m->n < REPORT_PARTS_MAX)
		leaf_add(m, body, field);
}

const struct leaf *
mail_leaf(const struct mail *m, enum leaf_type type)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->leaf[i].type == type)
			return &m->leaf[i];
	return NULL;
}

static void
leaf_text(struct str *out, const struct leaf *l, size_t max)
{
	struct span body = l->body;

	/* Encoded it is at most a third of that, or of QP's "=XX". */
	if (body.len > max * 3)
		body.len = max * 3;
	text_decode(out, body, l->encoding, l->charset);
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		str_addc(out, '\n');
}

static bool
is_quote(const struct leaf *l)
{
	return l->type == LEAF_MESSAGE || l->type == LEAF_HEADERS;
}

/* HTML only stands for a text that is not there. */
static void
gather_text(struct mail *m)
{
	struct str html = STR_INIT;

	for (size_t i = 0; i < m->n; i++) {
		const struct leaf *l = &m->leaf[i];

		if (is_quote(l) && m->text.len + html.len > 0)
			break;
		if (l->type == LEAF_TEXT && m->text.len < TEXT_MAX)
			leaf_text(&m->text, l, TEXT_MAX);
		else if (l->type == LEAF_HTML && html.len < TEXT_MAX)
			leaf_text(&html, l, TEXT_MAX);
	}
	if (strspn(m->text.data, " \t\n") == m->text.len)
		text_from_html(&m->text, html.data, html.len);
	str_release(&html);
}

static void
gather_quoted(struct mail *m)
{
	struct span quoted;
	size_t at;

	for (size_t i = 0; i < m->n && m->quoted.len == 0; i++)
		if (is_quote(&m->leaf[i]))
			leaf_text(&m->quoted, &m->leaf[i], QUOTED_MAX);
	at = quoted_begins(m->text.data, m->text.len);
	if (m->quoted.len == 0 && at < m->text.len)
		str_add(&m->quoted, m->text.data + at, m->text.len - at);
	if (at < m->text.len && at > 0) {
		m->text.len = at;
		m->text.data[at] = '\0';
	}
	quoted = (struct span){ m->quoted.data, m->quoted.len };
	at = strspn(m->quoted.data, "\n");
	quoted.data += at;
	quoted.len -= at;
	header_read(quoted, m->quoted_field);
}

void
mail_open(struct mail *m, struct span message)
{
	const struct leaf *status;
	char *nl;

	m->n = m->seen = 0;
	m->is_report = false;
	str_init(&m->from);
	str_init(&m->subject);
	str_init(&m->text);
	str_init(&m->quoted);
	str_init(&m->status);
	/* An mbox's line. */
	if (starts(message, "From ") &&
	    (nl = memchr(message.data, '\n', message.len)) != NULL) {
		message.len -= (size_t)(nl + 1 - message.data);
		message.data = nl + 1;
	}
	entity(m, message, 0);
	field_text(&m->from, m->field[FIELD_FROM]);
	field_text(&m->subject, m->field[FIELD_SUBJECT]);
	status = mail_leaf(m, LEAF_STATUS);
	if (status != NULL)
		leaf_text(&m->status, status, TEXT_MAX);
	gather_text(m);
	gather_quoted(m);
}

void
mail_close(struct mail *m)
{
	str_release(&m->from);
	str_release(&m->subject);
	str_release(&m->text);
	str_release(&m->quoted);
	str_release(&m->status);
}
