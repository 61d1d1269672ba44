/*
 * message.c - the header of a received message, looked at from outside.
 *
 * Deliberately plain: it reads what a well-formed header says and leaves the
 * rest to the hash.
 */
#include "tests/sandbox/message.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static size_t
line_length(const char *p, size_t left) /* with its line end */
{
	const char *lf = memchr(p, '\n', left);

	return lf != NULL ? (size_t)(lf - p) + 1 : left;
}

static bool
is_empty(const char *line, size_t len)
{
	return len == 0 || *line == '\n' || (len == 2 && *line == '\r');
}

/* The length of the field that starts here, folded lines included; 0 at the end
 * of the header. */
static size_t
field_length(const char *p, size_t left)
{
	size_t n = line_length(p, left);

	if (is_empty(p, n))
		return 0;
	while (n < left && (p[n] == ' ' || p[n] == '\t'))
		n += line_length(p + n, left - n);
	return n;
}

size_t
message_header_size(const char *data, size_t len)
{
	size_t at = 0, n;

	while (at < len && (n = field_length(data + at, len - at)) > 0)
		at += n;
	return at;
}

static bool
is_field(const char *p, size_t len, const char *field)
{
	size_t n = strlen(field);

	return len > n && p[n] == ':' && strncasecmp(p, field, n) == 0;
}

size_t
message_count(const char *data, size_t len, const char *field)
{
	size_t at = 0, n, count = 0;

	for (; at < len && (n = field_length(data + at, len - at)) > 0; at += n)
		count += is_field(data + at, n, field);
	return count;
}

static void
unfold(const char *p, size_t len, struct str *out)
{
	str_clear(out);
	while (len > 0 && isspace((unsigned char)*p)) {
		p++;
		len--;
	}
	for (; len > 0; p++, len--)
		if (*p != '\r' && *p != '\n')
			str_addc(out, *p);
	while (out->len > 0 && isspace((unsigned char)out->data[out->len - 1]))
		out->data[--out->len] = '\0';
}

bool
message_field(const char *data, size_t len, const char *field, size_t nth,
    struct str *out)
{
	size_t at = 0, n, skip = strlen(field) + 1;

	for (; at < len && (n = field_length(data + at, len - at)) > 0;
	     at += n) {
		if (is_field(data + at, n, field) && nth-- == 0) {
			unfold(data + at + skip, n - skip, out);
			return true;
		}
	}
	return false;
}

bool
message_tag(const char *list, const char *tag, struct str *out)
{
	size_t n, name = strlen(tag);

	for (; *list != '\0'; list += n + (list[n] == ';')) {
		const char *p = list + strspn(list, " \t");

		n = strcspn(list, ";");
		if (strncmp(p, tag, name) != 0)
			continue;
		p += name + strspn(p + name, " \t");
		if (*p++ != '=')
			continue;
		unfold(p, (size_t)(list + n - p), out);
		return true;
	}
	return false;
}

void
message_address(const char *value, struct str *out)
{
	const char *open = strrchr(value, '<');
	const char *p = open != NULL ? open + 1 : value;

	unfold(p, open != NULL ? strcspn(p, ">") : strlen(p), out);
}
