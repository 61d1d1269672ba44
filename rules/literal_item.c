/*
 * literal_item.c - reads a pattern one item at a time.
 *
 * Plain are characters, classes of ASCII characters, \d, and how often they are
 * repeated. Everything else is an item of unknown bytes (groups, dots,
 * assertions), or cannot be followed, because what comes after could mean
 * something else: alternatives at the top level, verbs such as (*ACCEPT),
 * options set inside, recursion, conditions, \Q. A wrong answer here loses
 * mail's way; a missing one costs 40 ns.
 *
 * Without case, UTF patterns take U+212A for k and U+017F for s: those two are
 * unknown, as is all that is not ASCII.
 */
#include "rules/literal_int.h"

#include <string.h>

#include "rules/hash_int.h"

static bool
ascii_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static void
set_add_digits(struct byte_set *s)
{
	for (int c = '0'; c <= '9'; c++)
		byte_set_add(s, (unsigned char)c);
}

/* Adds a character as it matches; false if it matches more than one byte. */
static bool
set_add(struct byte_set *s, unsigned char c, bool caseless)
{
	unsigned char lower = ascii_lower(c);

	if (c >= 0x80 || (caseless && (lower == 'k' || lower == 's')))
		return false;
	byte_set_add(s, c);
	if (caseless && lower >= 'a' && lower <= 'z') {
		byte_set_add(s, lower);
		byte_set_add(s, (unsigned char)(lower - 'a' + 'A'));
	}
	return true;
}

static bool
read_number(struct cursor *r, size_t *number)
{
	const unsigned char *from = r->p;

	for (*number = 0; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++)
		if (*number < 100000)
			*number = *number * 10 + (size_t)(*r->p - '0');
	return r->p > from;
}

/* {n}, {n,} or {n,m}; false for what is a quantifier in some versions of PCRE2
 * and text in others. */
static bool
read_braces(struct cursor *r, struct item *item)
{
	size_t max;

	r->p++;
	if (!read_number(r, &item->min))
		return false;
	max = item->min;
	if (r->p < r->end && *r->p == ',') {
		r->p++;
		if (!read_number(r, &max))
			max = SIZE_MAX;
	}
	item->exact = max == item->min;
	return r->p < r->end && *r->p++ == '}';
}

static bool
read_quantifier(struct cursor *r, struct item *item)
{
	item->min = 1;
	item->exact = true;
	if (r->p == r->end || strchr("?*+{", *r->p) == NULL || *r->p == '\0')
		return true;
	if (*r->p == '{') {
		if (!read_braces(r, item))
			return false;
	} else {
		item->min = *r->p++ == '+';
		item->exact = false;
	}
	if (item->min > LITERAL_MAX) {
		item->min = LITERAL_MAX;
		item->exact = false;
	}
	if (r->p < r->end && (*r->p == '+' || *r->p == '?'))
		r->p++;
	/* A quantifier on a quantifier. */
	return r->p == r->end || *r->p == '\0' || strchr("?*+{", *r->p) == NULL;
}

/* After the backslash in a class. Escapes that are no character make the set
 * unknown; \Q, \E and \c could hide the class's end. */
static bool
read_class_escape(
    struct cursor *r, struct byte_set *set, bool *known, int *character)
{
	unsigned char c;

	*character = -1;
	if (r->p == r->end || strchr("QEc", *r->p) != NULL)
		return false;
	c = *r->p++;
	if (c == 'd') {
		set_add_digits(set);
	} else if (ascii_alnum(c) || c >= 0x80) {
		*known = false;
	} else {
		*character = c;
	}
	return true;
}

/* [:alpha:] in a class, from the colon on. */
static bool
read_posix_class(struct cursor *r)
{
	r->p++;
	if (r->p < r->end && *r->p == '^')
		r->p++;
	while (r->p < r->end && *r->p >= 'a' && *r->p <= 'z')
		r->p++;
	if (r->end - r->p < 2 || r->p[0] != ':' || r->p[1] != ']')
		return false;
	r->p += 2;
	return true;
}

/* One member of a class, or the first of a range; its value if it is a
 * character. False if the class cannot be followed. */
static bool
read_class_member(
    struct cursor *r, struct byte_set *set, bool *known, int *character)
{
	unsigned char c = *r->p++;

	*character = -1;
	if (c == '\\')
		return read_class_escape(r, set, known, character);
	if (c == '[' && r->p < r->end && strchr(":.=", *r->p) != NULL &&
	    *r->p != '\0') {
		*known = false;
		return *r->p == ':' && read_posix_class(r);
	}
	*character = c;
	return true;
}

/* A range from first, the hyphen being next; the end may not be one of the
 * things that turn the hyphen into a character. */
static bool
read_class_range(struct cursor *r, struct byte_set *set, bool *known, int first)
{
	int last;

	r->p++;
	if (!read_class_member(r, set, known, &last))
		return false;
	if (first < 0 || last < first || last >= 0x80) {
		*known = false;
		return true;
	}
	for (int c = first; c <= last; c++)
		if (!set_add(set, (unsigned char)c, r->caseless))
			*known = false;
	return true;
}

/* From after '[' to after ']'. The set is unknown when it holds more than
 * single ASCII characters and ranges of them. */
static bool
read_class(struct cursor *r, struct item *item)
{
	const unsigned char *first;
	bool known = true;
	int character;

	if (r->p < r->end && *r->p == '^') {
		known = false;
		r->p++;
	}
	for (first = r->p; r->p < r->end;) {
		if (*r->p == ']' && r->p > first) {
			r->p++;
			item->n = known;
			return true;
		}
		if (!read_class_member(r, item->set, &known, &character))
			return false;
		if (r->end - r->p >= 2 && r->p[0] == '-' && r->p[1] != ']') {
			if (!read_class_range(r, item->set, &known, character))
				return false;
			/* What a hyphen after a range is, is not asked. */
			if (r->p < r->end && *r->p == '-')
				known = false;
		} else if (character >= 0 &&
			   !set_add(item->set, (unsigned char)character,
			       r->caseless)) {
			known = false;
		}
	}
	return false;
}

/* After '(': groups whose inside cannot touch what stands outside. */
static bool
read_group_kind(struct cursor *r)
{
	static const char *const kinds[] = { "?:", "?=", "?!", "?>", "?|",
		"?<=", "?<!" };
	size_t left = (size_t)(r->end - r->p), n;

	if (left == 0 || (*r->p != '?' && *r->p != '*'))
		return true;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		n = strlen(kinds[i]);
		if (left >= n && memcmp(r->p, kinds[i], n) == 0) {
			r->p += n;
			return true;
		}
	}
	return false;
}

/* From after '(' to after its ')'. */
static bool
skip_group(struct cursor *r)
{
	struct item inside = { .n = 0 };
	size_t depth = 1;

	if (!read_group_kind(r))
		return false;
	while (depth > 0) {
		if (r->p == r->end)
			return false;
		switch (*r->p++) {
		case '(':
			depth++;
			if (!read_group_kind(r))
				return false;
			break;
		case ')':
			depth--;
			break;
		case '[':
			if (!read_class(r, &inside))
				return false;
			break;
		case '\\':
			if (r->p == r->end || strchr("QEc", *r->p++) != NULL)
				return false;
			break;
		}
	}
	return true;
}

/* After the backslash at the top level. */
static bool
read_escape(struct cursor *r, struct item *item)
{
	unsigned char c;

	if (r->p == r->end)
		return false;
	c = *r->p++;
	if (c == 'd') {
		set_add_digits(&item->set[0]);
		item->n = 1;
		return true;
	}
	if (ascii_alnum(c))
		return strchr("DwWsShHvVRXbBAzZGKnrtfea", c) != NULL;
	item->n = set_add(&item->set[0], c, r->caseless);
	return c < 0x80;
}

/* A character that is not ASCII: the pattern is valid UTF-8. */
static void
read_multibyte(struct cursor *r, struct item *item)
{
	r->p--;
	do {
		byte_set_add(&item->set[item->n++], *r->p++);
	} while (item->n < 4 && r->p < r->end && (*r->p & 0xc0) == 0x80);
	if (r->caseless)
		item->n = 0;
}

static bool
read_thing(struct cursor *r, struct item *item)
{
	unsigned char c = *r->p++;

	switch (c) {
	case '\\':
		return read_escape(r, item);
	case '[':
		return read_class(r, item);
	case '(':
		return skip_group(r);
	case '.':
	case '^':
	case '$':
		return true;
	case '|':
	case ')':
	case '*':
	case '+':
	case '?':
	case '{':
		return false;
	}
	if (c >= 0x80)
		read_multibyte(r, item);
	else
		item->n = set_add(&item->set[0], c, r->caseless);
	return true;
}

bool
literal_item(struct cursor *r, struct item *item)
{
	*item = (struct item){ .n = 0 };
	return read_thing(r, item) && read_quantifier(r, item);
}
