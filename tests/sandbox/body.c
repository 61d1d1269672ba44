/*
 * body.c - the bytes after 354, up to the final dot.
 */
#include "tests/sandbox/body.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HEAD_MAX      (256 * 1024)
#define WHOLE_MAX     (64 * 1024 * 1024)
#define LINE_MAX_WIRE 1000

void
body_start(struct body *b, bool whole)
{
	if (b->hash == NULL)
		b->hash = EVP_MD_CTX_new();
	assert(b->hash != NULL);
	EVP_DigestInit_ex(b->hash, EVP_sha256(), NULL);
	if (b->bytes.data == NULL)
		str_init(&b->bytes);
	str_clear(&b->bytes);
	b->state = LINE_START;
	b->whole = whole;
	b->size = 0;
	b->line = 0;
	b->longest = 0;
	b->bad = 0;
}

void
body_release(struct body *b)
{
	EVP_MD_CTX_free(b->hash);
	b->hash = NULL;
	if (b->bytes.data != NULL)
		str_release(&b->bytes);
}

static void
emit(struct body *b, const char *data, size_t len)
{
	size_t room = (b->whole ? WHOLE_MAX : HEAD_MAX) - b->bytes.len;

	if (len == 0)
		return;
	EVP_DigestUpdate(b->hash, data, len);
	b->size += len;
	str_add(&b->bytes, data, len < room ? len : room);
}

static void
end_line(struct body *b)
{
	if (b->line > b->longest)
		b->longest = b->line;
	if (b->line > LINE_MAX_WIRE)
		b->bad |= BAD_LONG_LINE;
	b->line = 0;
}

/* One byte that belongs to the message. */
static void
take(struct body *b, char c)
{
	b->line++;
	if (b->state == AFTER_CR && c != '\n')
		b->bad |= BAD_BARE_CR;
	if (c == '\n') {
		if (b->state != AFTER_CR)
			b->bad |= BAD_BARE_LF;
		end_line(b);
		b->state = b->state == AFTER_CR ? LINE_START : IN_LINE;
		return;
	}
	if (c == '\0')
		b->bad |= BAD_NUL;
	if ((unsigned char)c > 127)
		b->bad |= BAD_8BIT;
	b->state = c == '\r' ? AFTER_CR : IN_LINE;
}

/* The byte after a dot at the start of a line: RFC 5321 4.5.2 takes the dot
 * away. */
static void
take_after_dot(struct body *b, char c)
{
	b->state = IN_LINE;
	if (c != '.')
		b->bad |= BAD_DOT;
	take(b, c);
}

size_t
body_feed(struct body *b, const char *data, size_t len, bool *done)
{
	size_t from = 0, i; /* data[from..i) is the message's and not emitted */

	*done = false;
	for (i = 0; i < len && !*done; i++) {
		if (b->state == LINE_START && data[i] == '.') {
			emit(b, data + from, i - from);
			b->state = AFTER_DOT;
			from = i + 1;
		} else if (b->state == AFTER_DOT && data[i] == '\r') {
			b->state = AFTER_DOT_CR;
			from = i + 1;
		} else if (b->state == AFTER_DOT) {
			take_after_dot(b, data[i]);
		} else if (b->state == AFTER_DOT_CR && data[i] == '\n') {
			*done = true;
			from = i + 1;
		} else if (b->state == AFTER_DOT_CR) {
			emit(b, "\r", 1);
			take_after_dot(b, '\r');
			take(b, data[i]);
		} else {
			take(b, data[i]);
		}
	}
	emit(b, data + from, i - from);
	return i;
}

void
body_add(struct body *b, const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		take(b, data[i]);
	emit(b, data, len);
}

void
body_hash(struct body *b, char hex[static 65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len, i;

	EVP_DigestFinal_ex(b->hash, digest, &len);
	for (i = 0; i < 32; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
}

const char *
body_bad_name(unsigned index)
{
	static const char *const names[] = { "bare LF", "bare CR", "long line",
		"NUL", "dot not stuffed", "8-bit" };

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}
