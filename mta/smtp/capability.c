/*
 * capability.c - what a server offers in its reply to EHLO (RFC 5321 4.1.1.1).
 */
#include "mta/smtp/capability.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static void take_size(struct capabilities *, const char *args, size_t len);
static void take_auth(struct capabilities *, const char *args, size_t len);

/* clang-format off */
static const struct keyword {
	const char *name;
	unsigned bit;
	void (*args)(struct capabilities *, const char *args, size_t len);
} keywords[] = {
	{ "PIPELINING", CAP_PIPELINING, NULL },
	{ "SIZE",       CAP_SIZE,       take_size },
	{ "8BITMIME",   CAP_8BITMIME,   NULL },
	{ "SMTPUTF8",   CAP_SMTPUTF8,   NULL },
	{ "DSN",        CAP_DSN,        NULL },
	{ "STARTTLS",   CAP_STARTTLS,   NULL },
	{ "AUTH",       0,              take_auth },
	{ "AUTH=",      0,              take_auth }, /* from before RFC 2554: "AUTH=LOGIN" */
}, mechanisms[] = {
	{ "PLAIN",      CAP_AUTH_PLAIN, NULL },
	{ "LOGIN",      CAP_AUTH_LOGIN, NULL },
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct keyword *
find(const struct keyword *table, size_t n, const char *word, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(table[i].name) == len &&
		    strncasecmp(table[i].name, word, len) == 0)
			return &table[i];
	return NULL;
}

/* The length of the word at p; an '=' ends it and belongs to it. */
static size_t
word_length(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] != ' ')
		if (p[n++] == '=')
			break;
	return n;
}

static void
take_size(struct capabilities *c, const char *p, size_t len)
{
	uint64_t size = 0;

	for (; len > 0 && *p >= '0' && *p <= '9'; p++, len--) {
		if (size > UINT64_MAX / 10 - 1)
			return;
		size = size * 10 + (uint64_t)(*p - '0');
	}
	c->size = size;
}

static void
take_auth(struct capabilities *c, const char *p, size_t len)
{
	const struct keyword *k;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = word_length(p, len);
		k = find(mechanisms, COUNT(mechanisms), p, n);
		if (k != NULL)
			c->have |= k->bit;
		if (n == 0)
			n = 1;
	}
}

static void
take_line(struct capabilities *c, const char *p, size_t len)
{
	size_t n = word_length(p, len);
	const struct keyword *k = find(keywords, COUNT(keywords), p, n);

	if (k == NULL)
		return;
	c->have |= k->bit;
	while (n < len && p[n] == ' ')
		n++;
	if (k->args != NULL)
		k->args(c, p + n, len - n);
}

void
capability_parse(struct capabilities *c, const char *text)
{
	const char *lf = strchr(text, '\n');
	size_t len;

	memset(c, 0, sizeof(*c));
	while (lf != NULL) {
		text = lf + 1;
		lf = strchr(text, '\n');
		len = lf != NULL ? (size_t)(lf - text) : strlen(text);
		take_line(c, text, len);
	}
}
