/*
 * form_line.c - the known lines of mail systems, found by how a line begins;
 * and the small tools for pieces of a text.
 *
 * All rows of all tables are in one index by their first bytes, so that a line
 * costs the same however many systems are known.
 */
#include "router/feedback/form_int.h"

#include "mta/base/alloc.h"

#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define BUCKETS 1024

struct node {
	const struct form_line *row;
	struct node *next;
};

static const struct form_line *const tables[] = {
	form_unix_lines,
	form_office_lines,
	form_provider_lines,
};
static struct node *buckets[BUCKETS]; /* written once, in build */
static pthread_once_t built = PTHREAD_ONCE_INIT;

static unsigned char
lower(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 'A' && u <= 'Z' ? (unsigned char)(u + 32) : u;
}

static unsigned
bucket_of(const char *words)
{
	uint32_t h = 2166136261u;

	for (int i = 0; i < FORM_WORDS_MIN; i++)
		h = (h ^ lower(words[i])) * 16777619u;
	return (h ^ h >> 16) % BUCKETS;
}

static void
build(void)
{
	for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
		for (const struct form_line *l = tables[t]; l->words; l++) {
			struct node *n = xcalloc(1, sizeof *n);
			struct node **b;

			assert(strlen(l->words) >= FORM_WORDS_MIN);
			b = &buckets[bucket_of(l->words)];
			n->row = l;
			n->next = *b;
			*b = n;
		}
}

/* How many bytes of the line the words cover; 0 when it begins otherwise. */
static size_t
covers(const char *words, const char *line, size_t len)
{
	size_t i = 0;

	for (; *words != '\0'; words++) {
		if (*words == ' ') {
			if (i >= len || !isspace((unsigned char)line[i]))
				return 0;
			while (i < len && isspace((unsigned char)line[i]))
				i++;
		} else if (*words == '\'' && len - i >= 3 &&
			   memcmp(line + i, "\xe2\x80\x99", 3) == 0) {
			i += 3;
		} else if (i < len && lower(line[i]) == (uint8_t)*words) {
			i++;
		} else {
			return 0;
		}
	}
	return i;
}

const struct form_line *
form_line_find(const char *line, size_t len, const char **rest)
{
	const struct form_line *best = NULL;
	size_t most = 0, n;

	pthread_once(&built, build);
	*rest = line;
	if (len < FORM_WORDS_MIN)
		return NULL;
	for (struct node *i = buckets[bucket_of(line)]; i != NULL; i = i->next)
		if ((n = covers(i->row->words, line, len)) > most) {
			most = n;
			best = i->row;
		}
	*rest = line + most;
	return best;
}

static bool
is_local(unsigned char c)
{
	return isalnum(c) || c >= 0x80 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool
is_domain(unsigned char c)
{
	return isalnum(c) || c >= 0x80 || c == '-' || c == '.' || c == '_';
}

/* "..."@ : where the quoted local part before that @ begins. */
static const char *
quoted_local(const char *start, const char *at)
{
	const char *p = at - 1;

	if (at - start < 3 || *p != '"')
		return at;
	while (p > start && at - p < 200)
		if (*--p == '"')
			return p;
	return at;
}

/* Chinese and Japanese are written without spaces: of an address that no
 * bracket holds the words around it are cut off where the script changes. */
static const char *
script_start(const char *from, const char *at)
{
	const char *p = at;

	while (p > from && (unsigned char)p[-1] < 0x80)
		p--;
	return p < at ? p : from;
}

static const char *
script_stop(const char *at, const char *to)
{
	const char *p = to, *label;

	for (label = to; label > at + 1 && label[-1] != '.';)
		label--;
	for (p = label; p < to && (unsigned char)*p < 0x80;)
		p++;
	return p > label ? p : to;
}

/* Behind an address literal; where it begins when it does not end. */
static const char *
literal_stop(const char *p, const char *end)
{
	const char *to = p;

	while (to < end && to - p < 100 && *to > ' ' && *to != ']')
		to++;
	return to < end && *to == ']' ? to + 1 : p;
}

/* The address around that @, len 0 when what surrounds it is none. */
static struct piece
around(struct piece s, const char *at)
{
	const char *from = quoted_local(s.at, at), *to = at + 1;
	const char *end = s.at + s.len;

	if (from == at)
		while (from > s.at && at - from < 200 &&
		       is_local((unsigned char)from[-1]))
			from--;
	if (at < end && to < end && *to == '[')
		to = literal_stop(to, end);
	else
		while (
		    to < end && to - at < 260 && is_domain((unsigned char)*to))
			to++;
	if (from == s.at || (from[-1] != '<' && from[-1] != '"')) {
		if (*from != '"')
			from = script_start(from, at);
		to = script_stop(at, to);
	}
	while (to > at + 1 && (to[-1] == '.' || to[-1] == '-'))
		to--;
	while (from < at && strchr("'`/=|*", *from) != NULL &&
	       !(from[0] == '=' && from[1] == '?'))
		from++;
	if (from == at || to - at < 3)
		return (struct piece){ at, 0 };
	return (struct piece){ from, (size_t)(to - from) };
}

struct piece
form_address(struct piece s)
{
	const char *end = s.at + s.len, *at = s.at;

	/* Of a line of nothing but @ only the first few matter. */
	for (int tries = 0; tries < 8; tries++, at++) {
		struct piece a;

		at = memchr(at, '@', (size_t)(end - at));
		if (at == NULL)
			break;
		a = around(s, at);
		if (a.len > 0)
			return a;
	}
	return (struct piece){ s.at, 0 };
}

struct piece
form_address_first(struct piece s, struct piece *rest)
{
	const char *p = s.at, *end = s.at + s.len;
	const char *at = memchr(p, '@', s.len < 320 ? s.len : 320);
	struct piece a;

	*rest = s;
	if (at == NULL)
		return (struct piece){ s.at, 0 };
	while (p < at && strchr("<\"'([", *p) != NULL)
		p++;
	if (at - p > 7 && strncasecmp(p, "mailto:", 7) == 0)
		p += 7;
	else if (at - p > 5 && strncasecmp(p, "smtp:", 5) == 0)
		p += 5;
	a = around(s, at);
	if (a.len == 0 || (a.at != p && a.at != p - 1))
		return (struct piece){ s.at, 0 };
	p = a.at + a.len;
	while (p < end && strchr(">\"')]", *p) != NULL)
		p++;
	*rest = (struct piece){ p, (size_t)(end - p) };
	return a;
}

bool
form_same(struct piece a, struct piece b)
{
	return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

bool
form_has(struct piece s, const char *words)
{
	size_t n = strlen(words);
	const char *p = s.at, *end = s.at + s.len;
	int upper = toupper((unsigned char)words[0]);

	for (; (size_t)(end - p) >= n; p++)
		if ((*p == words[0] || *p == upper) &&
		    strncasecmp(p, words, n) == 0)
			return true;
	return false;
}

bool
form_has_any(struct piece s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (form_has(s, *words))
			return true;
	return false;
}

struct piece
form_behind(struct piece s, size_t n)
{
	return (struct piece){ s.at + n, s.len - n };
}

struct piece
form_trim(struct piece s)
{
	while (s.len > 0 && isspace((unsigned char)*s.at)) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && isspace((unsigned char)s.at[s.len - 1]))
		s.len--;
	return s;
}

struct piece
form_field(const char *header, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = header; *p != '\0';) {
		const char *end = strchrnul(p, '\n');

		if ((size_t)(end - p) > n && p[n] == ':' &&
		    strncasecmp(p, name, n) == 0)
			return form_trim((struct piece){
			    p + n + 1, (size_t)(end - p) - n - 1 });
		p = *end == '\0' ? end : end + 1;
	}
	return (struct piece){ header, 0 };
}
