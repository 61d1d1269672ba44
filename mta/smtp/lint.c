/*
 * lint.c - what in a message's form a receiving system is known to refuse.
 *
 * Lines are counted over the whole message, fields over its header only, which
 * ends where header.c says so too. router/intake_form.c asks, per recipient.
 */
#include "mta/smtp/lint.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* RFC 5322 3.6: at most once. The first two have to be there. */
enum { FIELD_FROM, FIELD_MESSAGE_ID };
static const char *const single[] = {
	[FIELD_FROM] = "From",
	[FIELD_MESSAGE_ID] = "Message-ID",
	"Sender",
	"Reply-To",
	"To",
	"Cc",
	"Bcc",
	"In-Reply-To",
	"References",
	"Subject",
	"Date",
};
#define SINGLES ((int)(sizeof(single) / sizeof(single[0])))

void
lint_init(struct lint *l)
{
	memset(l, 0, sizeof(*l));
	l->state = LINT_LINE;
	l->line = 1;
	l->field = -1;
}

/* -- lines ---------------------------------------------------------------- */

static void
end_line(struct lint *l)
{
	if (l->line_length > l->longest_line) {
		l->longest_line = l->line_length;
		l->longest_at = l->line;
	}
	l->line++;
	l->line_length = 0;
	l->cr = false;
}

/* A piece of one line. A CR is counted once it is not the end. */
static void
count_bytes(struct lint *l, const char *data, size_t len)
{
	if (len == 0)
		return;
	l->line_length += l->cr + len;
	l->cr = data[len - 1] == '\r';
	l->line_length -= l->cr;
}

static void
count_lines(struct lint *l, const char *p, const char *end)
{
	const char *nl;

	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		count_bytes(l, p, (size_t)(nl - p));
		end_line(l);
		p = nl + 1;
	}
	count_bytes(l, p, (size_t)(end - p));
}

/* -- fields --------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 5322 3.6.8 */
static bool
is_name(char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

static void
end_field(struct lint *l)
{
	if (l->field == FIELD_FROM && !l->filled)
		l->empty_from = true;
	if (l->field == FIELD_MESSAGE_ID && !l->filled)
		l->empty_message_id = true;
	l->field = -1;
}

/* While in the header, header_size is where the line in hand began. */
static void
end_header(struct lint *l, uint64_t more)
{
	end_field(l);
	l->header_size += more;
	l->no_from = (l->seen & 1u << FIELD_FROM) == 0;
	l->no_message_id = (l->seen & 1u << FIELD_MESSAGE_ID) == 0;
	l->state = LINT_BODY;
}

static int
find_field(const struct lint *l)
{
	for (int i = 0; i < SINGLES; i++)
		if (strlen(single[i]) == l->name_len &&
		    strncasecmp(single[i], l->name, l->name_len) == 0)
			return i;
	return -1;
}

static void
begin_field(struct lint *l)
{
	l->state = LINT_VALUE;
	l->field = find_field(l);
	l->filled = false;
	if (l->field < 0)
		return;
	if ((l->seen & 1u << l->field) != 0 && l->twice == NULL)
		l->twice = single[l->field];
	l->seen |= 1u << l->field;
}

static void
read_name(struct lint *l, char c)
{
	if (l->state == LINT_NAME && is_name(c)) {
		if (l->name_len < sizeof(l->name))
			l->name[l->name_len++] = c;
	} else if (is_blank(c)) {
		l->state = LINT_COLON;
	} else if (c == ':') {
		begin_field(l);
	} else {
		end_header(l, 0);
	}
}

/* A continuation, the empty line, a new field, or what is none of them and so
 * the body's. */
static void
read_line(struct lint *l, char c)
{
	if (is_blank(c) && l->header_size > 0) {
		l->state = LINT_VALUE;
		return;
	}
	end_field(l);
	l->name_len = 0;
	if (c == '\r') {
		l->state = LINT_EMPTY;
	} else if (c == '\n') {
		end_header(l, 1);
	} else if (!is_name(c)) {
		end_header(l, 0);
	} else {
		l->state = LINT_NAME;
		read_name(l, c);
	}
}

/* Brackets with nothing between them are no mailbox and no id. */
static void
read_value(struct lint *l, char c, uint64_t next)
{
	if (c == '\n') {
		l->state = LINT_LINE;
		l->header_size = next;
	} else if (!is_blank(c) && c != '\r' && c != '<' && c != '>') {
		l->filled = true;
	}
}

static void
read_header(struct lint *l, const char *p, const char *end)
{
	for (uint64_t at = l->size; p < end; p++, at++) {
		switch (l->state) {
		case LINT_LINE:
			read_line(l, *p);
			break;
		case LINT_EMPTY:
			end_header(l, *p == '\n' ? 2 : 0);
			break;
		case LINT_NAME:
		case LINT_COLON:
			read_name(l, *p);
			break;
		case LINT_VALUE:
			read_value(l, *p, at + 1);
			break;
		case LINT_BODY:
			return;
		}
	}
}

/* -- the message ---------------------------------------------------------- */

void
lint_feed(struct lint *l, const char *data, size_t len)
{
	read_header(l, data, data + len);
	count_lines(l, data, data + len);
	l->size += len;
}

void
lint_number_lines(struct lint *l)
{
	l->line = 1;
}

void
lint_finish(struct lint *l)
{
	if (l->line_length + l->cr > 0) {
		l->line_length += l->cr;
		end_line(l);
	}
	if (l->state != LINT_BODY)
		end_header(l, l->size - l->header_size);
}

static int
judge_sizes(
    const struct lint *l, const struct lint_limits *limits, struct err *e)
{
	uint64_t size = l->size + limits->added;
	uint64_t header = l->header_size + limits->added;

	if (limits->size > 0 && size > limits->size) {
		err_set(e,
		    "a message of %" PRIu64 " bytes is larger than %" PRIu64,
		    size, limits->size);
		if (e != NULL)
			e->code = EMSGSIZE;
		return -1;
	}
	if (limits->header > 0 && header > limits->header)
		return err_set(e,
		    "a header of %" PRIu64 " bytes is larger than %" PRIu64,
		    header, limits->header);
	if (limits->line > 0 && l->longest_line > limits->line)
		return err_set(e,
		    "a line of %" PRIu64 " bytes (line %" PRIu64
		    ") is longer than %" PRIu64,
		    l->longest_line, l->longest_at, limits->line);
	return 0;
}

int
lint_judge(
    const struct lint *l, const struct lint_limits *limits, struct err *e)
{
	if (judge_sizes(l, limits, e) != 0)
		return -1;
	if (l->no_from)
		return err_set(e, "there is no From field");
	if (l->empty_from)
		return err_set(e, "the From field is empty");
	if (l->no_message_id)
		return err_set(e, "there is no Message-ID field");
	if (l->empty_message_id)
		return err_set(e, "the Message-ID field is empty");
	if (l->twice != NULL)
		return err_set(e, "there are two %s fields", l->twice);
	return 0;
}
