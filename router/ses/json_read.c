/*
 * json_read.c - JSON into jansson's values, for the feedback's sake.
 *
 * One pass over the text: a string without an escape goes from where it stands
 * into its value, runs of plain characters are copied whole. What is left out
 * passes the same way, with nobody to take it.
 */
#include "router/ses/json_read.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"

struct reader {
	const char *start, *at, *end;
	size_t flags;
	const char *const *without;
	unsigned depth, left_out; /* how deep in a member that is left out */
	const char *wrong;	  /* the first thing, NULL: nothing */
	struct str text;	  /* of a string with escapes */
};

/* A string's characters, where they are; until the next string is read. */
struct span {
	const char *data;
	size_t len;
};

static json_t *read_value(struct reader *);

static bool
fail(struct reader *r, const char *what)
{
	if (r->wrong == NULL)
		r->wrong = what;
	return false;
}

static void
skip_space(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' ||
				     *r->at == '\r' || *r->at == '\t'))
		r->at++;
}

/* Whether that character is next, behind white space; it is taken. */
static bool
take(struct reader *r, char c)
{
	skip_space(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* -- strings ------------------------------------------------------------------
 */

/* By the first byte: how many, and of what range the second is (RFC 3629). */
static const struct utf8 {
	unsigned char first, last, low, high;
	size_t length;
} utf8[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

/* 0: it is no character. */
static size_t
utf8_length(const unsigned char *at, const unsigned char *end)
{
	const struct utf8 *u = utf8;

	while (u < utf8 + sizeof(utf8) / sizeof(utf8[0]) && *at > u->last)
		u++;
	if (u == utf8 + sizeof(utf8) / sizeof(utf8[0]) || *at < u->first ||
	    (size_t)(end - at) < u->length || at[1] < u->low || at[1] > u->high)
		return 0;
	for (size_t i = 2; i < u->length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return u->length;
}

/* Up to the next quote or backslash. */
static bool
pass_plain(struct reader *r)
{
	const unsigned char *at = (const unsigned char *)r->at;
	const unsigned char *end = (const unsigned char *)r->end;
	size_t n = 1;

	while (at < end && *at != '"' && *at != '\\' && *at >= ' ' && n > 0) {
		n = *at < 0x80 ? 1 : utf8_length(at, end);
		at += n;
	}
	r->at = (const char *)at;
	if (n == 0)
		return fail(r, "not UTF-8");
	if (at == end)
		return fail(r, "a string without an end");
	return *at >= ' ' || fail(r, "a control character in a string");
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
take_hex4(struct reader *r, uint32_t *value)
{
	int digit;

	*value = 0;
	for (int i = 0; i < 4; i++, r->at++) {
		digit = r->at < r->end ? hex_value(*r->at) : -1;
		if (digit < 0)
			return fail(r, "a wrong \\u");
		*value = *value << 4 | (uint32_t)digit;
	}
	return true;
}

static void
add_utf8(struct str *s, uint32_t c)
{
	static const struct {
		uint32_t below;
		unsigned char first;
		int bytes;
	} rows[] = { { 0x80, 0, 1 }, { 0x800, 0xc0, 2 }, { 0x10000, 0xe0, 3 },
		{ 0x110000, 0xf0, 4 } };
	int i = 0, shift;

	while (c >= rows[i].below)
		i++;
	shift = 6 * (rows[i].bytes - 1);
	str_addc(s, (char)(rows[i].first | c >> shift));
	while ((shift -= 6) >= 0)
		str_addc(s, (char)(0x80 | (c >> shift & 0x3f)));
}

/* Behind "\u"; a surrogate has its other half behind it. */
static bool
take_unicode(struct reader *r, bool is_name)
{
	uint32_t c, low;

	if (!take_hex4(r, &c))
		return false;
	if (c == 0 && (is_name || !(r->flags & JSON_ALLOW_NUL)))
		return fail(r, "a NUL in a string");
	if (c >= 0xdc00 && c <= 0xdfff)
		return fail(r, "half a surrogate pair");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
			return fail(r, "half a surrogate pair");
		r->at += 2;
		if (!take_hex4(r, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(r, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
	}
	add_utf8(&r->text, c);
	return true;
}

/* At a backslash. */
static bool
take_escape(struct reader *r, bool is_name)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char c;

	r->at++;
	if (r->at == r->end)
		return fail(r, "a string without an end");
	c = *r->at++;
	if (c == 'u')
		return take_unicode(r, is_name);
	found = c != '\0' ? strchr(names, c) : NULL;
	if (found == NULL)
		return fail(r, "a wrong escape");
	str_addc(&r->text, means[found - names]);
	return true;
}

/* Behind the opening quote. */
static bool
read_string(struct reader *r, bool is_name, struct span *out)
{
	const char *from = r->at;

	if (!pass_plain(r))
		return false;
	if (*r->at == '"') {
		*out = (struct span){ from, (size_t)(r->at++ - from) };
		return true;
	}
	str_clear(&r->text);
	for (;;) {
		str_add(&r->text, from, (size_t)(r->at - from));
		if (*r->at == '"')
			break;
		if (!take_escape(r, is_name))
			return false;
		from = r->at;
		if (!pass_plain(r))
			return false;
	}
	r->at++;
	*out = (struct span){ r->text.data, r->text.len };
	return true;
}

static json_t *
string_value(struct reader *r)
{
	struct span s;

	if (!read_string(r, false, &s))
		return NULL;
	return r->left_out > 0 ? json_null()
			       : json_stringn_nocheck(s.data, s.len);
}

/* -- numbers and words --------------------------------------------------------
 */

static size_t
digits_at(const struct reader *r, const char *at)
{
	const char *from = at;

	while (at < r->end && *at >= '0' && *at <= '9')
		at++;
	return (size_t)(at - from);
}

/* Passes a number; *whole: it has neither fraction nor exponent. */
static bool
pass_number(struct reader *r, bool *whole)
{
	const char *at = r->at;
	size_t n;

	at += *at == '-';
	n = digits_at(r, at);
	if (n == 0 || (n > 1 && *at == '0'))
		return fail(r, "no value");
	at += n;
	*whole = true;
	if (at < r->end && *at == '.') {
		*whole = false;
		n = digits_at(r, at + 1);
		if (n == 0)
			return fail(r, "a wrong number");
		at += n + 1;
	}
	if (at < r->end && (*at == 'e' || *at == 'E')) {
		*whole = false;
		at++;
		at += at < r->end && (*at == '+' || *at == '-');
		n = digits_at(r, at);
		if (n == 0)
			return fail(r, "a wrong number");
		at += n;
	}
	r->at = at;
	return true;
}

static json_t *
number_value(struct reader *r)
{
	const char *from = r->at;
	json_t *value = NULL;
	double real;
	long long n;
	bool whole;

	if (!pass_number(r, &whole))
		return NULL;
	str_clear(&r->text);
	str_add(&r->text, from, (size_t)(r->at - from));
	errno = 0;
	if (whole) {
		n = strtoll(r->text.data, NULL, 10);
		value = errno == 0 ? json_integer(n) : NULL;
	} else {
		real = strtod(r->text.data, NULL);
		value = json_real(real); /* NULL: not finite */
	}
	if (value == NULL)
		fail(r, "a number too large");
	return value;
}

static json_t *
word_value(struct reader *r)
{
	static const struct {
		const char *word;
		size_t len;
		json_t *(*value)(void);
	} words[] = { { "true", 4, json_true }, { "false", 5, json_false },
		{ "null", 4, json_null } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((size_t)(r->end - r->at) >= words[i].len &&
		    memcmp(r->at, words[i].word, words[i].len) == 0) {
			r->at += words[i].len;
			return words[i].value();
		}
	fail(r, "no value");
	return NULL;
}

/* -- arrays and objects -------------------------------------------------------
 */

/* Behind a value: true when another one follows. *end: it was the last. */
static bool
goes_on(struct reader *r, char close, bool *end)
{
	if (take(r, ','))
		return true;
	*end = take(r, close);
	return *end ? false : fail(r, "neither a comma nor an end");
}

static json_t *
array_value(struct reader *r)
{
	json_t *array = r->left_out > 0 ? json_null() : json_array(), *value;
	bool end = take(r, ']');

	if (end)
		return array;
	do {
		value = read_value(r);
		if (value == NULL)
			break;
		if (r->left_out > 0)
			json_decref(value);
		else
			json_array_append_new(array, value);
	} while (goes_on(r, ']', &end));
	if (!end) {
		json_decref(array);
		return NULL;
	}
	return array;
}

static bool
is_left_out(const struct reader *r, const char *name, size_t len)
{
	for (const char *const *w = r->without; w != NULL && *w != NULL; w++)
		if (strlen(*w) == len && memcmp(*w, name, len) == 0)
			return true;
	return false;
}

static bool
pass_member(struct reader *r)
{
	json_t *value;

	r->left_out++;
	value = read_value(r);
	r->left_out--;
	json_decref(value);
	return value != NULL;
}

/* `name` may be where the value's strings will be. */
static bool
read_member(struct reader *r, json_t *object, struct span name)
{
	char *kept = NULL;
	json_t *value;

	if ((r->flags & JSON_REJECT_DUPLICATES) &&
	    json_object_getn(object, name.data, name.len) != NULL)
		return fail(r, "a member twice");
	if (name.data == r->text.data)
		name.data = kept = strndup(name.data, name.len);
	value = read_value(r);
	if (value != NULL)
		json_object_setn_new_nocheck(
		    object, name.data, name.len, value);
	free(kept);
	return value != NULL;
}

static json_t *
object_value(struct reader *r)
{
	json_t *object = r->left_out > 0 ? json_null() : json_object();
	bool end = take(r, '}');
	struct span name;

	if (end)
		return object;
	do {
		if (!take(r, '"')) {
			fail(r, "no name of a member");
			break;
		}
		if (!read_string(r, true, &name))
			break;
		if (!take(r, ':')) {
			fail(r, "no colon behind a name");
			break;
		}
		if (r->left_out > 0 || is_left_out(r, name.data, name.len)
			? !pass_member(r)
			: !read_member(r, object, name))
			break;
	} while (goes_on(r, '}', &end));
	if (!end) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* -- the whole ----------------------------------------------------------------
 */

static json_t *
nested(struct reader *r, json_t *(*value)(struct reader *))
{
	json_t *found = NULL;

	r->at++;
	if (++r->depth <= JSON_READ_DEPTH)
		found = value(r);
	else
		fail(r, "too deep");
	r->depth--;
	return found;
}

static json_t *
read_value(struct reader *r)
{
	skip_space(r);
	if (r->at == r->end) {
		fail(r, "it ends too early");
		return NULL;
	}
	switch (*r->at) {
	case '"':
		r->at++;
		return string_value(r);
	case '{':
		return nested(r, object_value);
	case '[':
		return nested(r, array_value);
	case 't':
	case 'f':
	case 'n':
		return word_value(r);
	}
	return number_value(r);
}

json_t *
json_read(const char *text, size_t len, size_t flags,
    const char *const *without, struct err *e)
{
	struct reader r = { .start = text,
		.at = text,
		.end = text + len,
		.flags = flags,
		.without = without };
	json_t *value = NULL;

	str_init(&r.text);
	skip_space(&r);
	if (r.at < r.end && (*r.at == '{' || *r.at == '['))
		value = read_value(&r);
	else
		fail(&r, "neither an object nor an array");
	skip_space(&r);
	if (r.wrong == NULL && r.at < r.end)
		fail(&r, "more behind its end");
	str_release(&r.text);
	if (r.wrong == NULL)
		return value;
	json_decref(value);
	err_set(
	    e, "no JSON: %s at byte %zu", r.wrong, (size_t)(r.at - r.start));
	return NULL;
}
