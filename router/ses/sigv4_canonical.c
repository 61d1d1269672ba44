/*
 * sigv4_canonical.c - the canonical form of a request that a signature of
 * version 4 is made over.
 *
 *	method LF path LF query LF headers LF names of the headers LF payload
 *
 * Every part is encoded so that two requests have the same form only when
 * they mean the same (facts/aws.md, section 6).
 */
#include "router/ses/sigv4_canonical.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"

/* -- percent encoding -------------------------------------------------- */

static bool
is_alphanumeric(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9');
}

/* All but RFC 3986's unreserved characters, and those in `plain`. */
static void
encode(struct str *out, const char *text, size_t len, const char *plain)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_alphanumeric(c) ||
		    (c != '\0' && (strchr("-._~", c) || strchr(plain, c))))
			str_addc(out, (char)c);
		else
			str_addf(out, "%%%02X", c);
	}
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A '%' without two hexadecimal digits behind it stands for itself. */
static void
decode(struct str *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool whole = text[i] == '%' && i + 2 < len;
		int high = whole ? hex_value(text[i + 1]) : -1;
		int low = whole ? hex_value(text[i + 2]) : -1;

		if (high >= 0 && low >= 0) {
			str_addc(out, (char)(high * 16 + low));
			i += 2;
		} else
			str_addc(out, text[i]);
	}
}

/* -- query ------------------------------------------------------------- */

/* A parameter encoded anew. */
struct parameter {
	char *name, *value;
};

static char *
encode_anew(const char *text, size_t len)
{
	struct str plain = STR_INIT, out = STR_INIT;

	decode(&plain, text, len);
	encode(&out, plain.data, plain.len, "");
	str_release(&plain);
	return str_detach(&out);
}

/* One without '=' is the same as one with an empty value. */
static struct parameter
read_parameter(const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	size_t name = equals != NULL ? (size_t)(equals - text) : len;
	size_t value = equals != NULL ? name + 1 : len;

	return (struct parameter){ encode_anew(text, name),
		encode_anew(text + value, len - value) };
}

static int
compare_parameters(const void *a, const void *b)
{
	const struct parameter *p = a, *q = b;
	int order = strcmp(p->name, q->name);

	return order != 0 ? order : strcmp(p->value, q->value);
}

static size_t
count(const char *text, char c)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == c;
	return n;
}

static void
add_query(struct str *out, const char *query)
{
	size_t n = count(query, '&') + 1;
	struct parameter *list = xcalloc(n, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(query, "&");

		list[i] = read_parameter(query, len);
		query += len + (query[len] != '\0');
	}
	qsort(list, n, sizeof(*list), compare_parameters);
	for (size_t i = 0; i < n; i++) {
		str_addf(out, "%s%s=%s", i > 0 ? "&" : "", list[i].name,
		    list[i].value);
		free(list[i].name);
		free(list[i].value);
	}
	free(list);
}

/* -- headers ----------------------------------------------------------- */

/* By name, then as they came. */
static int
compare_headers(const void *a, const void *b)
{
	const struct sigv4_header *const *p = a, *const *q = b;
	int order = strcasecmp((*p)->name, (*q)->name);

	return order != 0 ? order : (*p > *q) - (*p < *q);
}

static void
add_lower(struct str *out, const char *name)
{
	for (; *name != '\0'; name++)
		str_addc(out, *name >= 'A' && *name <= 'Z'
				  ? (char)(*name + 'a' - 'A')
				  : *name);
}

/* Blanks at its ends are not part of it, and several are as one. */
static void
add_value(struct str *out, const char *value)
{
	const char *start = value += strspn(value, " \t");

	while (*value != '\0') {
		size_t len = strcspn(value, " \t");

		if (value > start && len > 0)
			str_addc(out, ' ');
		str_add(out, value, len);
		value += len;
		value += strspn(value, " \t");
	}
}

/* Several of one name are one, with commas between. */
static void
add_headers(struct str *out, const struct sigv4_header **headers, size_t n,
    struct str *names)
{
	for (size_t i = 0; i < n; i++) {
		bool again = i > 0 && strcasecmp(headers[i - 1]->name,
					  headers[i]->name) == 0;

		if (!again) {
			if (i > 0) {
				str_addc(out, '\n');
				str_addc(names, ';');
			}
			add_lower(out, headers[i]->name);
			add_lower(names, headers[i]->name);
		}
		str_addc(out, again ? ',' : ':');
		add_value(out, headers[i]->value);
	}
	if (n > 0)
		str_addc(out, '\n');
}

void
sigv4_canonical(const struct sigv4_request *r,
    const struct sigv4_header **headers, size_t n, struct str *out,
    struct str *names)
{
	const char *path = r->path[0] != '\0' ? r->path : "/";

	qsort(headers, n, sizeof(struct sigv4_header *), compare_headers);
	str_addf(out, "%s\n", r->method);
	encode(out, path, strlen(path), "/");
	str_addc(out, '\n');
	if (r->query[0] != '\0')
		add_query(out, r->query);
	str_addc(out, '\n');
	add_headers(out, headers, n, names);
	str_addf(out, "\n%s\n%s", names->data, r->payload_hash);
}
