/*
 * lex.c - the text of a rule file as statements, and a statement as words.
 *
 * source.c hands over text that lex_check_text has passed, so nothing here
 * meets NUL, other controls or broken UTF-8. parse.c reads the statements.
 */
#include "rules/lex_int.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rules.h"

/* Words: a statement of a million is no reason to keep room for so many while
 * other files are read. */
#define ROOM_KEPT 10000u

void
lex_init(struct lex *l, const struct source *source, struct arena *arena,
    struct rules_report *report)
{
	*l = (struct lex){
		.source = source,
		.arena = arena,
		.report = report,
		.p = source->text,
		.line_start = source->text,
		.line = 1,
	};
	if (source->len >= 3 && memcmp(l->p, "\xef\xbb\xbf", 3) == 0)
		l->p += 3;
}

void
lex_clear(struct lex *l)
{
	free(l->token);
	l->token = NULL;
	l->n = l->room = 0;
}

void
problem_at(struct rules_report *r, const struct token *t, const char *fmt, ...)
{
	const char *line = t->at - (t->col - 1);
	va_list ap;
	char *text;

	if (rules_report_skip(r, false))
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	rules_report_add(r, t->source->name, t->line, t->col, line,
	    strcspn(line, "\r\n"), "%s", text);
	free(text);
}

void
warn_at(struct rules_report *r, const struct token *t, const char *fmt, ...)
{
	const char *line = t->at - (t->col - 1);
	va_list ap;
	char *text;

	if (rules_report_skip(r, true))
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	rules_report_warn(r, t->source->name, t->line, t->col, line,
	    strcspn(line, "\r\n"), "%s", text);
	free(text);
}

struct token
token_at(const struct source *s, size_t at, size_t before, unsigned line)
{
	const char *text = s->text, *start;

	for (size_t i = before; i < at; i++)
		line += text[i] == '\n';
	start = memrchr(text, '\n', at);
	start = start != NULL ? start + 1 : text;
	return (struct token){
		.source = s,
		.text = text + at,
		.len = strcspn(text + at, " \t\r\n"),
		.at = text + at,
		.line = line,
		.col = (unsigned)(text + at - start) + 1,
	};
}

static struct token
token_here(const struct lex *l)
{
	return (struct token){
		.source = l->source,
		.text = l->p,
		.at = l->p,
		.line = l->line,
		.col = (unsigned)(l->p - l->line_start) + 1,
	};
}

static bool
line_ends(const char *p)
{
	return *p == '\0' || *p == '\n' || (*p == '\r' && p[1] == '\n');
}

static bool
word_ends(const char *p)
{
	return *p == ' ' || *p == '\t' || line_ends(p);
}

static void
pass_line_end(struct lex *l)
{
	if (*l->p == '\r')
		l->p++;
	if (*l->p == '\n') {
		l->p++;
		l->line++;
		l->line_start = l->p;
	}
}

static void
skip_line(struct lex *l)
{
	l->p += strcspn(l->p, "\n");
	pass_line_end(l);
}

/* What follows a mistake would only make more: the rest of the statement goes
 * unread. */
static void
skip_statement(struct lex *l)
{
	const char *end;
	bool more;

	do {
		end = l->p + strcspn(l->p, "\n");
		while (end > l->p && strchr(" \t\r", end[-1]) != NULL)
			end--;
		more = end > l->p && end[-1] == '\\';
		skip_line(l);
	} while (more);
}

/* Unescapes what is between the quotes to the arena. l->p stands on the opening
 * one. */
static int
lex_string(struct lex *l, struct token *t)
{
	const char *end = l->p + 1;
	char *out;

	for (; *end != '"'; end++) {
		if (*end == '\\' && (end[1] == '"' || end[1] == '\\'))
			end++;
		if (line_ends(end)) {
			problem_at(l->report, t, "no closing quote");
			return -1;
		}
	}
	out = arena_alloc(l->arena, (size_t)(end - l->p));
	t->text = out;
	for (const char *p = l->p + 1; p < end; p++) {
		if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
			p++;
		*out++ = *p;
	}
	t->len = (size_t)(out - t->text);
	t->string = true;
	l->p = end + 1;
	return 0;
}

/* "a b"@example.jp is one word: the quoted local part takes the rest. */
static void
join_rest(struct lex *l, struct token *t)
{
	const char *rest = l->p;

	while (!word_ends(l->p))
		l->p++;
	t->text =
	    arena_printf(l->arena, "%s%.*s", t->text, (int)(l->p - rest), rest);
	t->len += (size_t)(l->p - rest);
	t->string = false;
}

static int
lex_word(struct lex *l, struct token *t)
{
	static const char wide_blank[] = "\xe3\x80\x80"; /* U+3000 */

	while (!word_ends(l->p)) {
		if (strncmp(l->p, wide_blank, 3) == 0) {
			*t = token_here(l);
			problem_at(l->report, t,
			    "full-width space (U+3000) between words, expected "
			    "an ordinary one");
			return -1;
		}
		l->p++;
	}
	t->len = (size_t)(l->p - t->text);
	return 0;
}

/* Its text is left as it is: PCRE2 knows what \/ means, and places in it stay
 * places in the line. */
static int
lex_pattern(struct lex *l, struct token *t)
{
	for (l->p++; *l->p != '/'; l->p++) {
		if (*l->p == '\\' && !line_ends(l->p + 1))
			l->p++;
		if (line_ends(l->p)) {
			problem_at(
			    l->report, t, "no closing '/' of the pattern");
			return -1;
		}
	}
	t->pattern = true;
	t->body = (size_t)(l->p - t->text) - 1;
	while (!word_ends(l->p))
		l->p++;
	t->len = (size_t)(l->p - t->text);
	return 0;
}

static int
add_token(struct lex *l)
{
	struct token t = token_here(l);
	int rc;

	if (l->n == RULES_WORDS_MAX) {
		problem_at(l->report, &t, "more than %d words in a statement",
		    RULES_WORDS_MAX);
		return -1;
	}
	if (*l->p == '"')
		rc = lex_string(l, &t);
	else if (*l->p == '/')
		rc = lex_pattern(l, &t);
	else
		rc = lex_word(l, &t);
	if (rc < 0)
		return -1;
	if (t.string && *l->p == '@')
		join_rest(l, &t);
	if (t.string && !word_ends(l->p)) {
		t = token_here(l);
		problem_at(l->report, &t, "expected a blank after the quote");
		return -1;
	}
	t.written = (size_t)(l->p - t.at);
	l->token = rules_grow(l->token, &l->room, l->n + 1, sizeof(*l->token));
	l->token[l->n++] = t;
	return 0;
}

/* A backslash that ends its line, blanks allowed after it. */
static bool
continues(struct lex *l)
{
	const char *p = l->p + 1;

	if (*l->p != '\\')
		return false;
	p += strspn(p, " \t");
	if (!line_ends(p) || *p == '\0')
		return false;
	l->p = p;
	pass_line_end(l);
	return true;
}

/* l->p stands on the # or on the line end. */
static void
lex_comment(struct lex *l)
{
	if (*l->p != '#')
		return;
	l->comment = l->p;
	l->comment_len = strcspn(l->p, "\n");
	while (strchr(" \t\r", l->comment[l->comment_len - 1]) != NULL)
		l->comment_len--;
}

/* Words up to the end of the statement. */
static int
lex_words(struct lex *l)
{
	for (;;) {
		l->p += strspn(l->p, " \t");
		if (continues(l))
			continue;
		if (line_ends(l->p) || *l->p == '#')
			return 0;
		if (add_token(l) < 0)
			return -1;
	}
}

int
lex_line(struct lex *l)
{
	if (l->room > ROOM_KEPT)
		lex_clear(l);
	l->n = 0;
	l->comment = NULL;
	l->comment_len = 0;
	if (*l->p == '\0')
		return 0;
	if (lex_words(l) < 0) {
		skip_statement(l);
		return -1;
	}
	lex_comment(l);
	skip_line(l);
	return 1;
}

int
lex_next(struct lex *l)
{
	int rc;

	do
		rc = lex_line(l);
	while (rc > 0 && l->n == 0);
	return rc;
}

/* Bytes of the UTF-8 character at p (RFC 3629), 0 when there is none. */
static size_t
utf8_len(const unsigned char *p, size_t len)
{
	static const struct {
		unsigned char mask, lead, second_low;
	} forms[] = {
		{ 0x80, 0x00, 0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0xa0 },
		{ 0xf8, 0xf0, 0x90 },
	};
	size_t n = 0;

	while (n < 4 && (p[0] & forms[n].mask) != forms[n].lead)
		n++;
	if (n == 4 || n + 1 > len || p[0] == 0xc0 || p[0] == 0xc1 ||
	    p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i <= n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what lies past U+10FFFF. */
	if ((p[0] == 0xe0 || p[0] == 0xf0) && p[1] < forms[n].second_low)
		return 0;
	if ((p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n + 1;
}

/* DEL, C0 but tab and line ends, and C1, which terminals obey too. */
static bool
is_control(const unsigned char *p)
{
	if (p[0] == 0xc2)
		return p[1] < 0xa0;
	return (p[0] < 0x20 && p[0] != '\t' && p[0] != '\n' &&
		   !(p[0] == '\r' && p[1] == '\n')) ||
	       p[0] == 0x7f;
}

bool
lex_check_text(const struct source *s, struct rules_report *r)
{
	const unsigned char *p = (const unsigned char *)s->text;
	const unsigned char *end = p + s->len, *start = p;
	unsigned line = 1;
	size_t n = 0;

	for (; p < end; p += n) {
		n = utf8_len(p, (size_t)(end - p));
		if (n == 0 || is_control(p))
			break;
		if (*p == '\n') {
			line++;
			start = p + 1;
		}
	}
	if (p == end)
		return true;
	rules_report_add(r, s->name, line, (unsigned)(p - start) + 1, NULL, 0,
	    n == 0 ? "byte 0x%02x is not UTF-8" : "control character 0x%02x",
	    n == 2 ? p[1] : p[0]);
	return false;
}
