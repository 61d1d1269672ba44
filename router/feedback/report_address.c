/*
 * report_address.c - addresses as reports write them: in fields and in running
 * text, bracketed, quoted, with a type before them, hidden.
 */
#include <string.h>
#include <strings.h>

#include "router/feedback/report_int.h"

#define LOCAL_LONG                                                             \
	128 /* more than RFC 5321 allows: what is longer is no address */
#define DOMAIN_LONG 255

static bool
is_local(char c)
{
	return ((unsigned char)c > ' ' && c != 0x7f &&
		strchr("<>()[]@,;:\"\\", c) == NULL);
}

static bool
is_domain(char c)
{
	return (c >= '0' && c <= '9') ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
	       c == '.' || c == '_' || (unsigned char)c >= 0x80;
}

/* Where the local part that ends at `at` begins. */
static const char *
local_start(const char *start, const char *at)
{
	const char *p = at;

	if (p > start && p[-1] == '"') {
		for (p--; p > start && at - p < LOCAL_LONG; p--)
			if (p[-1] == '"')
				return p - 1;
		return at;
	}
	while (p > start && is_local(p[-1]) && at - p < LOCAL_LONG)
		p--;
	/* Marks that running text puts before an address. */
	while (p < at && strchr("'`", *p) != NULL)
		p++;
	return p;
}

static const char *
domain_stop(const char *p, const char *end)
{
	const char *stop = p;

	if (p < end && *p == '[') {
		do
			stop++;
		while (stop < end && (is_domain(*stop) || *stop == ':') &&
		       stop - p < DOMAIN_LONG);
		return stop < end && *stop == ']' ? stop + 1 : p;
	}
	while (stop < end && is_domain(*stop) && stop - p < DOMAIN_LONG)
		stop++;
	while (stop > p && (stop[-1] == '.' || stop[-1] == '-'))
		stop--;
	return stop;
}

static void
add_lower(struct str *out, const char *p, const char *end)
{
	for (; p < end; p++)
		str_addc(out, *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p);
}

/* A quoted local part loses its quotes where they are only there for its dots.
 */
static void
address_write(
    struct str *out, const char *local, const char *at, const char *stop)
{
	bool bare = at - local > 2 && *local == '"';

	str_clear(out);
	for (const char *p = local + 1; bare && p < at - 1; p++)
		bare = is_local(*p);
	add_lower(out, bare ? local + 1 : local, bare ? at - 1 : at);
	add_lower(out, at, stop);
}

bool
address_next(struct str *address, struct span *rest)
{
	const char *start = rest->data, *end = start + rest->len, *p = start;
	const char *at, *local, *stop;

	while (p < end && (at = memchr(p, '@', (size_t)(end - p))) != NULL) {
		local = local_start(start, at);
		stop = domain_stop(at + 1, end);
		p = stop > at + 1 ? stop : at + 1;
		if (local == at || stop == at + 1)
			continue;
		address_write(address, local, at, stop);
		rest->data = p;
		rest->len = (size_t)(end - p);
		return true;
	}
	rest->data = end;
	rest->len = 0;
	return false;
}

static int
hex(char c)
{
	const char *digits = "0123456789abcdef", *at;

	at = c == '\0' ? NULL
		       : strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);
	return at == NULL ? -1 : (int)(at - digits);
}

static void
add_utf8(struct str *out, unsigned long c)
{
	if (c < 0x80) {
		str_addc(out, (char)c);
	} else if (c < 0x800) {
		str_addc(out, (char)(0xc0 | c >> 6));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		str_addc(out, (char)(0xe0 | c >> 12));
		str_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		str_addc(out, (char)(0xf0 | c >> 18));
		str_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		str_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* A "\x{20AC}" of RFC 6533 3, behind the backslash: its length; 0: it is none.
 */
static size_t
escape_read(const char *p, size_t len, unsigned long *c)
{
	size_t i = 2;

	*c = 0;
	if (len < 4 || p[0] != 'x' || p[1] != '{')
		return 0;
	for (; i < len && i < 8 && hex(p[i]) >= 0; i++)
		*c = *c << 4 | (unsigned long)hex(p[i]);
	if (i == 2 || i >= len || p[i] != '}' || *c < ' ' || *c > 0x10ffff ||
	    (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return i + 1;
}

/* Undoes what an address in a field may be packed in: the escapes of RFC 6533,
 * and of RFC 3461's xtext the three that have to be there, which nobody's
 * address has by itself before an "@" of its own. */
static void
unpack(struct str *out, struct span value, bool utf8)
{
	bool whole = memchr(value.data, '@', value.len) != NULL;
	unsigned long c;
	size_t n;

	str_clear(out);
	for (size_t i = 0; i < value.len; i++) {
		const char *p = value.data + i;
		size_t left = value.len - i;

		if (utf8 && *p == '\\' &&
		    (n = escape_read(p + 1, left - 1, &c)) > 0) {
			add_utf8(out, c);
			i += n;
		} else if (!whole && *p == '+' && left > 2 && hex(p[1]) >= 2 &&
			   hex(p[2]) >= 0) {
			str_addc(out, (char)(hex(p[1]) << 4 | hex(p[2])));
			i += 2;
		} else {
			str_addc(out, *p);
		}
	}
}

bool
address_of_field(struct str *address, struct span value)
{
	const char *type = memchr(value.data, ';', value.len);
	struct str plain = STR_INIT;
	struct span rest = value;
	bool found, utf8 = false;

	if (type != NULL) {
		utf8 =
		    value.len >= 5 && strncasecmp(value.data, "utf-8", 5) == 0;
		rest.data = type + 1;
		rest.len = (size_t)(value.data + value.len - rest.data);
	}
	unpack(&plain, rest, utf8);
	rest = (struct span){ plain.data, plain.len };
	found = address_next(address, &rest);
	/* A path or a pipe is no address, whatever is in it. */
	if (found && strchr("/|", plain.data[strspn(plain.data, " \t\"<")]))
		found = false;
	str_release(&plain);
	return found;
}

bool
address_is(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}
