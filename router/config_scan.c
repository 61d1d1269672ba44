/*
 * config_scan.c - looks at the text of a settings file before libconfuse does.
 *
 * libconfuse counts the line of a comment twice, ends at the first key it does
 * not know, and does not say where a section began. So comments are blanked
 * here, sections are noted with their lines, and a statement that cannot be
 * used is cut out, for config_read.c to go on behind it. No byte moves: lines
 * stay what they are in the file.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/smtp/utf8.h"

/* The end of a quoted string, at its closing quote; NULL when its line ends
 * first. */
static char *
string_end(char *p)
{
	char quote = *p;

	for (p++; *p != '\0' && *p != '\n'; p++) {
		if (*p == quote)
			return p;
		if (*p == '\\' && p[1] != '\0' && p[1] != '\n')
			p++;
	}
	return NULL;
}

/* Blanks a comment to its end of line, or to the closing of one that spans
 * lines; NULL when that is missing. */
static char *
blank_comment(char *p, int *line)
{
	if (p[0] != '/' || p[1] != '*') {
		while (*p != '\0' && *p != '\n')
			*p++ = ' ';
		return p;
	}
	p[0] = p[1] = ' ';
	for (p += 2; *p != '\0'; p++) {
		if (p[0] == '*' && p[1] == '/') {
			p[0] = p[1] = ' ';
			return p + 2;
		}
		if (*p == '\n')
			(*line)++;
		else
			*p = ' ';
	}
	return NULL;
}

static bool
is_comment(const char *p)
{
	return p[0] == '#' || (p[0] == '/' && (p[1] == '/' || p[1] == '*'));
}

/* Line by line, to be able to say where. */
static int
check_bytes(const char *text, size_t len, int *line, struct err *e)
{
	for (size_t i = 0, begin = 0; i <= len; i++) {
		unsigned char c = i < len ? (unsigned char)text[i] : '\n';
		bool beyond;

		if ((c < ' ' && strchr("\t\r\n", c) == NULL) || c == '\0' ||
		    c == 0x7f)
			return err_set(e, "control character in the file");
		if (c != '\n')
			continue;
		if (!utf8_check(text + begin, i - begin, &beyond))
			return err_set(e, "text that is not UTF-8");
		begin = i + 1;
		(*line)++;
	}
	return 0;
}

int
config_scan_clean(char *text, size_t len, int *line, struct err *e)
{
	*line = 1;
	if (check_bytes(text, len, line, e) != 0)
		return -1;
	*line = 1;
	for (char *p = text; *p != '\0';) {
		if (is_comment(p)) {
			int begin = *line;

			if ((p = blank_comment(p, line)) != NULL)
				continue;
			*line = begin;
			return err_set(e, "comment does not end");
		}
		if (*p == '\n')
			(*line)++;
		if (*p == '"' || *p == '\'') {
			char *end = string_end(p);

			if (end == NULL)
				return err_set(
				    e, "string does not end on its line");
			p = end;
		}
		p++;
	}
	return 0;
}

/* -- words, in a text that is clean ---------------------------------------- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_word(char c)
{
	return c != '\0' && !is_space(c) && strchr("={}(),+\"'", c) == NULL;
}

struct token {
	char *at, *end; /* with its quotes */
	int line;
};

/* The next token: a word, a string or one sign; false at the end. */
static bool
next_token(struct token *t)
{
	char *p = t->end;

	for (; is_space(*p); p++)
		if (*p == '\n')
			t->line++;
	t->at = p;
	if (*p == '\0')
		return false;
	if (*p == '"' || *p == '\'') {
		char *end = string_end(p);

		t->end = end ? end + 1 : p + strlen(p);
		return true;
	}
	do
		p++;
	while (is_word(t->at[0]) && is_word(*p));
	t->end = p;
	return true;
}

static bool
token_is(const struct token *t, char sign)
{
	return t->at != NULL && *t->at == sign;
}

static char *
token_text(const struct token *t)
{
	const char *at = t->at;
	size_t len = (size_t)(t->end - t->at);

	if (*at == '"' || *at == '\'') {
		at++;
		len -= len > 1 ? 2 : 1;
	}
	return xstrndup(at, len);
}

static const struct config_kind *
token_kind(const struct token *t)
{
	char *text;
	const struct config_kind *kind;

	if (t->at == NULL)
		return NULL;
	text = token_text(t);
	kind = *text == '\0' ? NULL : config_kind_find(text);
	free(text);
	return kind;
}

/* From behind '{' or '(' to behind what closes it. */
static void
skip_block(struct token *t, char open, char close)
{
	int depth = 1;

	while (depth > 0 && next_token(t)) {
		if (token_is(t, open))
			depth++;
		else if (token_is(t, close))
			depth--;
	}
}

struct config_mark *
config_scan_sections(const char *text, size_t *n)
{
	char *copy = xstrdup(text);
	struct token t = { .end = copy, .line = 1 };
	struct token last = { 0 }, before = { 0 };
	struct config_mark *marks = NULL;

	*n = 0;
	while (next_token(&t)) {
		if (token_is(&t, '{')) {
			const struct config_kind *kind = token_kind(&before);
			bool titled = kind != NULL && kind->titled;
			struct config_mark *m;

			if (!titled)
				kind = token_kind(&last);
			if (kind != NULL && !token_is(&last, '=')) {
				m = marks = config_grow(marks, n, sizeof(*m));
				m += *n - 1;
				m->kind = kind;
				m->line = titled ? before.line : last.line;
				m->title =
				    titled ? token_text(&last) : xstrdup("");
			}
			skip_block(&t, '{', '}');
		}
		before = last;
		last = t;
	}
	free(copy);
	return marks;
}

/* From the first word of a statement to its last token. */
static void
skip_statement(struct token *t)
{
	struct token ahead = *t;

	if (!next_token(&ahead))
		return;
	if (token_is(&ahead, '+') || token_is(&ahead, '=')) {
		bool plus = token_is(&ahead, '+');

		if (plus && (!next_token(&ahead) || !token_is(&ahead, '=')))
			return;
		if (!next_token(&ahead))
			return;
		if (token_is(&ahead, '{'))
			skip_block(&ahead, '{', '}');
		else if (token_is(&ahead, '}'))
			return;
	} else if (token_is(&ahead, '(')) {
		skip_block(&ahead, '(', ')');
	} else if (token_is(&ahead, '{')) {
		skip_block(&ahead, '{', '}');
	} else {
		if (!next_token(&ahead) || !token_is(&ahead, '{'))
			return;
		skip_block(&ahead, '{', '}');
	}
	*t = ahead;
}

bool
config_scan_cut(char *text, int line, const char *name)
{
	struct token t = { .end = text, .line = 1 };
	size_t len = strlen(name);
	char *begin;

	do {
		if (!next_token(&t) || t.line > line)
			return false;
	} while (t.line < line || (size_t)(t.end - t.at) != len ||
		 memcmp(t.at, name, len) != 0);
	begin = t.at;
	skip_statement(&t);
	for (char *p = begin; p < t.end; p++)
		if (*p != '\n')
			*p = ' ';
	return true;
}
