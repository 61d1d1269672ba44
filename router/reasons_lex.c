/*
 * reasons_lex.c - the words of a table of reasons.
 *
 * A statement is a line and those after it that begin with a blank. Lines that
 * hold only a remark stand anywhere; a remark at the end of a statement's line
 * is its source.
 */
#include "router/reasons_int.h"

#include <string.h>

void
lexer_init(struct lexer *l, const char *text, size_t len)
{
	*l = (struct lexer){ .at = text,
		.end = text + len,
		.line = 1,
		.token = STR_INIT,
		.source = STR_INIT };
}

void
lexer_release(struct lexer *l)
{
	str_release(&l->token);
	str_release(&l->source);
}

static void
skip_blanks(struct lexer *l)
{
	while (l->at < l->end &&
	       (*l->at == ' ' || *l->at == '\t' || *l->at == '\r'))
		l->at++;
}

static void
skip_line(struct lexer *l)
{
	const char *lf = memchr(l->at, '\n', (size_t)(l->end - l->at));

	l->at = lf != NULL ? lf + 1 : l->end;
	l->line += lf != NULL;
}

/* The remark at l->at, without its sign and the blanks around it. */
static void
take_remark(struct lexer *l)
{
	const char *lf = memchr(l->at, '\n', (size_t)(l->end - l->at));
	const char *end = lf != NULL ? lf : l->end;

	l->at++;
	skip_blanks(l);
	while (end > l->at && (unsigned char)end[-1] <= ' ')
		end--;
	if (end > l->at) {
		str_clear(&l->source);
		for (; l->at < end; l->at++)
			str_addc(&l->source,
			    (unsigned char)*l->at < ' ' ? ' ' : *l->at);
	}
}

/* At the start of a line: whether it goes on with the statement. */
static bool
goes_on(struct lexer *l)
{
	while (l->at < l->end && (*l->at == ' ' || *l->at == '\t')) {
		skip_blanks(l);
		if (l->at == l->end || *l->at == '\n')
			return false;
		if (*l->at != '#')
			return true;
		skip_line(l);
	}
	return false;
}

bool
lexer_statement(struct lexer *l)
{
	/* Where a mistake left the last one. */
	while (l->kind == TOKEN_BAD && l->at < l->end) {
		skip_line(l);
		if (!goes_on(l))
			break;
	}
	str_clear(&l->source);
	l->kind = TOKEN_END;
	while (l->at < l->end) {
		skip_blanks(l);
		if (l->at < l->end && *l->at != '#' && *l->at != '\n')
			return true;
		if (l->at < l->end)
			skip_line(l);
	}
	return false;
}

static enum token_kind
bad(struct lexer *l, const char *why)
{
	l->why = why;
	return l->kind = TOKEN_BAD;
}

/* A string, or a pattern: up to the sign that began it. */
static enum token_kind
take_quoted(struct lexer *l, enum token_kind kind)
{
	char quote = *l->at++;

	while (l->at < l->end && *l->at != quote) {
		if (*l->at == '\n' || *l->at == '\0')
			break;
		if (*l->at == '\\' && l->at + 1 < l->end && l->at[1] != '\n') {
			if (kind == TOKEN_PATTERN)
				str_addc(&l->token, '\\');
			l->at++;
		}
		str_addc(&l->token, *l->at++);
	}
	if (l->at == l->end || *l->at != quote)
		return bad(l, kind == TOKEN_PATTERN
				  ? "the pattern has no end: '/' missing"
				  : "the text has no end: '\"' missing");
	l->at++;
	return l->kind = kind;
}

static enum token_kind
take_word(struct lexer *l)
{
	while (l->at < l->end && (unsigned char)*l->at > ' ' && *l->at != '"' &&
	       *l->at != '#')
		str_addc(&l->token, *l->at++);
	if (l->at < l->end && (unsigned char)*l->at < ' ' &&
	    strchr("\t\r\n", *l->at) == NULL)
		return bad(l, "control character");
	if (l->token.len == 0)
		return bad(l, "control character");
	return l->kind =
		   strcmp(l->token.data, "->") == 0 ? TOKEN_ARROW : TOKEN_WORD;
}

enum token_kind
lexer_next(struct lexer *l)
{
	str_clear(&l->token);
	if (l->kind == TOKEN_BAD)
		return l->kind;
	for (;;) {
		skip_blanks(l);
		if (l->at < l->end && *l->at == '#')
			take_remark(l);
		skip_blanks(l);
		if (l->at < l->end && *l->at != '\n')
			break;
		if (l->at < l->end)
			skip_line(l);
		if (!goes_on(l))
			return l->kind = TOKEN_END;
	}
	l->token_line = l->line;
	if (*l->at == '"')
		return take_quoted(l, TOKEN_STRING);
	if (*l->at == '/')
		return take_quoted(l, TOKEN_PATTERN);
	return take_word(l);
}

bool
lexer_is(const struct lexer *l, const char *word)
{
	return l->kind == TOKEN_WORD && strcmp(l->token.data, word) == 0;
}
