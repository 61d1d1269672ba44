/*
 * json.c - JSON text, written member by member into a str.
 */
#include "tests/sandbox/json.h"

#include <inttypes.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at p (RFC 3629 4), 0 when it is none. */
static size_t
utf8_length(const unsigned char *p, size_t left)
{
	size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2, i;

	if (*p < 0xc2 || *p > 0xf4 || n > left)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void
add_quoted(struct str *s, const char *value, size_t len)
{
	const unsigned char *p = (const unsigned char *)value;
	size_t n;

	str_addc(s, '"');
	for (; len > 0; p += n, len -= n) {
		n = 1;
		if (*p == '"' || *p == '\\') {
			str_addc(s, '\\');
			str_addc(s, (char)*p);
		} else if (*p >= 0x20 && *p < 0x7f) {
			str_addc(s, (char)*p);
		} else if (*p >= 0x80 && (n = utf8_length(p, len)) > 0) {
			str_add(s, p, n);
		} else {
			n = 1;
			str_addf(s, "\\u%04x", *p);
		}
	}
	str_addc(s, '"');
}

static void
start(struct str *s, const char *key)
{
	if (s->len > 0 && strchr("{[", s->data[s->len - 1]) == NULL)
		str_addc(s, ',');
	if (key != NULL) {
		add_quoted(s, key, strlen(key));
		str_addc(s, ':');
	}
}

void
json_open(struct str *s, const char *key, char bracket)
{
	start(s, key);
	str_addc(s, bracket);
}

void
json_close(struct str *s, char bracket)
{
	str_addc(s, bracket);
}

void
json_mem(struct str *s, const char *key, const char *value, size_t len)
{
	start(s, key);
	add_quoted(s, value, len);
}

void
json_str(struct str *s, const char *key, const char *value)
{
	if (value != NULL) {
		json_mem(s, key, value, strlen(value));
		return;
	}
	start(s, key);
	str_adds(s, "null");
}

void
json_int(struct str *s, const char *key, int64_t value)
{
	start(s, key);
	str_addf(s, "%" PRId64, value);
}

void
json_number(struct str *s, const char *key, double value)
{
	start(s, key);
	str_addf(s, value == (double)(int64_t)value ? "%.1f" : "%.3f", value);
}

void
json_bool(struct str *s, const char *key, bool value)
{
	start(s, key);
	str_adds(s, value ? "true" : "false");
}
