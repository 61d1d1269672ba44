/*
 * header.c - reads the header of a message as it streams by.
 *
 * Below is a scanner of lines that finds field names and, for the few fields
 * that are kept, collects the unfolded value up to the bound in the table
 * below. When a kept field is over its reader takes what it wants from the
 * value.
 * server_data.c feeds it.
 */
#include "mta/smtp/header.h"

#include "mta/smtp/address.h"
#include "mta/smtp/utf8.h"

#include <string.h>
#include <strings.h>

#define NAME_MAX_KEPT 32 /* longer than any name in the table */
#define ID_MAX	      250
/* Amazon SES's limits; its names and values know fewer characters. */
#define TAG_MAX	 256 /* bytes of a name, and of a value */
#define TAGS_MAX 50

struct header_field {
	const char *name;
	size_t max; /* bytes kept of the value; what is longer is cut */
	/* Notes that the field is there; true when its value is wanted too. */
	bool (*begin)(struct header *);
	void (*read)(struct header *);
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 5322 3.6.8; bytes beyond ASCII are no part of a name (RFC 6532 3.2). */
static bool
is_name(char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

static bool
begin_received(struct header *h)
{
	h->received++;
	return false;
}

static bool
begin_date(struct header *h)
{
	h->has_date = true;
	return false;
}

static bool
begin_message_id(struct header *h)
{
	bool first = !h->has_message_id;

	h->has_message_id = true;
	return first;
}

static bool
begin_from(struct header *h)
{
	bool first = !h->has_from;

	h->has_from = true;
	return first;
}

static void
read_message_id(struct header *h)
{
	const char *start = strchr(h->line.data, '<'), *end;
	bool beyond = false;

	if (start == NULL || (end = strchr(start, '>')) == NULL)
		return;
	end++;
	if (end - start > ID_MAX ||
	    !utf8_check(start, (size_t)(end - start), &beyond))
		return;
	for (const char *p = start; p < end; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return;
	str_add(&h->message_id, start, (size_t)(end - start));
}

/* Behind a comment, comments inside it included (RFC 5322 3.2.2). */
static const char *
skip_comment(const char *p)
{
	unsigned depth = 0;

	for (; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return p;
}

static const char *
skip_quoted(const char *p)
{
	for (p++; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '"')
			return p + 1;
	}
	return p;
}

/*
 * Behind a run of two-byte characters of ISO-2022-JP, which old Japanese
 * mailers put into From unencoded: their bytes look like `<`, `@` and quotes.
 */
static const char *
skip_jis(const char *p)
{
	if (p[1] != '$')
		return p + 1;
	for (p++; *p != '\0'; p++)
		if (p[0] == '\033' && p[1] == '(' && p[2] != '\0')
			return p + 3;
	return p;
}

/* Behind the '@' of the first mailbox, or NULL. */
static const char *
find_domain(const char *p)
{
	const char *at = NULL;
	bool angle = false;

	while (*p != '\0' && *p != '>') {
		switch (*p) {
		case '"':
			p = skip_quoted(p);
			continue;
		case '(':
			p = skip_comment(p);
			continue;
		case '\033':
			p = skip_jis(p);
			continue;
		case '<':
			angle = true;
			at = NULL;
			break;
		case ':': /* end of a group's name or of a source route,
			   * unless inside an address literal */
			if (at == NULL || *at != '[')
				at = NULL;
			break;
		case ',':
		case ';':
			if (!angle && at != NULL)
				return at;
			break;
		case '@':
			at = p + 1;
			break;
		}
		p++;
	}
	return at;
}

static void
read_from(struct header *h)
{
	static const char end[] = " \t<>()\",;:@\\";
	const char *p = find_domain(h->line.data);
	bool beyond = false;
	size_t n;

	if (p == NULL)
		return;
	p += strspn(p, " \t");
	n = *p == '[' ? strspn(p, "[]0123456789abcdefABCDEFIPvip:.")
		      : strcspn(p, end);
	if (n > 0 && p[n - 1] == '.')
		n--;
	if (n > ADDRESS_DOMAIN_MAX || !utf8_check(p, n, &beyond))
		return;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			return;
	str_add(&h->from_domain, p, n);
	for (char *c = h->from_domain.data; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 'a' - 'A');
}

static bool
begin_tags(struct header *h)
{
	(void)h;
	return true;
}

static bool
is_tag_char(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != ',';
}

/* Bytes of the name or value at p. */
static size_t
tag_span(const char *p, const char *end, char stop)
{
	const char *start = p;

	while (p < end && is_tag_char(*p) && *p != stop)
		p++;
	return (size_t)(p - start);
}

/* A value may hold '=', as in Base64. */
static bool
is_tag(const char *p, const char *end)
{
	size_t name = tag_span(p, end, '='), value;

	if (name == 0 || name > TAG_MAX || p + name == end || p[name] != '=')
		return false;
	p += name + 1;
	value = tag_span(p, end, ',');
	return value > 0 && value <= TAG_MAX && p + value == end;
}

static unsigned
count_tags(const struct str *tags)
{
	unsigned n = tags->len > 0;

	for (size_t i = 0; i < tags->len; i++)
		n += tags->data[i] == ',';
	return n;
}

/* The bound leaves room for all pairs at their longest and some blanks. */
static void
read_tags(struct header *h)
{
	const char *p = h->line.data, *end = p + h->line.len, *next;
	bool cut = h->line.len == h->field->max;
	unsigned n = count_tags(&h->tags);

	for (; p < end && n < TAGS_MAX; p = next + 1) {
		const char *stop = memchr(p, ',', (size_t)(end - p));

		if (stop == NULL && cut)
			return; /* its end is not known */
		next = stop = stop != NULL ? stop : end;
		while (p < stop && is_blank(*p))
			p++;
		while (p < stop && is_blank(stop[-1]))
			stop--;
		if (!is_tag(p, stop))
			continue;
		if (n++ > 0)
			str_addc(&h->tags, ',');
		str_add(&h->tags, p, (size_t)(stop - p));
	}
}

static const struct header_field fields[] = {
	{ "Received", 0, begin_received, NULL },
	{ "Date", 0, begin_date, NULL },
	{ "Message-ID", 8192, begin_message_id, read_message_id },
	{ "From", 8192, begin_from, read_from },
	{ "X-SES-MESSAGE-TAGS", 32768, begin_tags, read_tags },
	{ "X-Oiwake-Tags", 32768, begin_tags, read_tags },
};

static void
end_field(struct header *h)
{
	if (h->field != NULL)
		h->field->read(h);
	h->field = NULL;
	str_clear(&h->line);
}

static void
begin_field(struct header *h)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcasecmp(h->line.data, fields[i].name) == 0 &&
		    fields[i].begin(h))
			h->field = &fields[i];
	str_clear(&h->line);
	h->state = HEADER_VALUE;
}

static void
keep(struct header *h, const char *data, size_t len, size_t max)
{
	if (len > max - h->line.len)
		len = max - h->line.len;
	str_add(&h->line, data, len);
}

static void
end_header(struct header *h, size_t size)
{
	end_field(h);
	h->size = size;
	h->ended = true;
}

/* Each of these takes at least one byte of [p, end) or moves on, and returns
 * what it has not taken. */

static const char *
scan_line(struct header *h, const char *p)
{
	if (*p == '\r') {
		h->state = HEADER_EMPTY;
		return p + 1;
	}
	if (*p == '\n') {
		end_header(h, h->line_start + 1);
		return p + 1;
	}
	if (is_blank(*p) && h->line_start > 0) {
		h->state = HEADER_VALUE;
		return p;
	}
	end_field(h);
	h->state = HEADER_NAME;
	if (!is_name(*p))
		end_header(h, h->line_start);
	return p;
}

static const char *
scan_name(struct header *h, const char *p, const char *end)
{
	const char *start = p;

	if (h->state == HEADER_NAME) {
		while (p < end && is_name(*p))
			p++;
		keep(h, start, (size_t)(p - start), NAME_MAX_KEPT);
	}
	if (p < end && is_blank(*p))
		h->state = HEADER_COLON;
	while (p < end && is_blank(*p))
		p++;
	if (p == end)
		return p;
	if (*p != ':') {
		end_header(h, h->line_start);
		return p;
	}
	begin_field(h);
	return p + 1;
}

static const char *
scan_value(struct header *h, const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	const char *stop = nl != NULL ? nl : end;

	if (h->field != NULL) {
		keep(h, p, (size_t)(stop - p), h->field->max);
		if (nl != NULL && h->line.len > 0 &&
		    h->line.len < h->field->max &&
		    h->line.data[h->line.len - 1] == '\r')
			h->line.data[--h->line.len] = '\0';
	}
	if (nl == NULL)
		return end;
	h->state = HEADER_LINE;
	return nl + 1;
}

static const char *
scan(struct header *h, const char *p, const char *end)
{
	switch (h->state) {
	case HEADER_LINE:
		return scan_line(h, p);
	case HEADER_EMPTY:
		end_header(h, h->line_start + (*p == '\n' ? 2 : 0));
		return p + 1;
	case HEADER_NAME:
	case HEADER_COLON:
		return scan_name(h, p, end);
	case HEADER_VALUE:
		return scan_value(h, p, end);
	}
	return end;
}

size_t
header_feed(struct header *h, const char *data, size_t len)
{
	const char *p = data, *end = data + len;
	size_t before = h->size;

	if (h->ended)
		return 0;
	while (p < end) {
		enum header_state was = h->state;
		const char *next = scan(h, p, end);

		if (h->ended)
			return h->size > before ? h->size - before : 0;
		h->size += (size_t)(next - p);
		if (was == HEADER_VALUE && h->state == HEADER_LINE)
			h->line_start = h->size;
		p = next;
	}
	return len;
}

void
header_finish(struct header *h)
{
	if (!h->ended)
		end_field(h);
}

void
header_init(struct header *h)
{
	memset(h, 0, sizeof(*h));
	str_init(&h->from_domain);
	str_init(&h->message_id);
	str_init(&h->tags);
	str_init(&h->line);
	h->state = HEADER_LINE;
}

void
header_clear(struct header *h)
{
	str_release(&h->from_domain);
	str_release(&h->message_id);
	str_release(&h->tags);
	str_release(&h->line);
	header_init(h);
}
