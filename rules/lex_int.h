/*
 * lex_int.h - the text of a rule file as statements, and a statement as words.
 *
 * A statement is a line, or several joined by a backslash at the end of all but the last. Words are
 * separated by blanks; "..." holds blanks, with \" and \\ inside; a word that begins with a slash is
 * a pattern, /.../flags, and ends after the next slash that has no backslash before it; # begins a
 * comment.
 */
#ifndef RULES_LEX_INT_H
#define RULES_LEX_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/arena_int.h"
#include "rules/report.h"

/* One file as read. Lives as long as the rule set. */
struct source {
	const char *name;
	const char *text; /* ends in NUL, which is not counted */
	size_t len;
	unsigned depth;   /* 0: the file that was asked for; 1: included by it */
	bool open;        /* still being read: including it again is a cycle */
	unsigned long long dev, ino; /* 0: given in memory */
};

struct token {
	const char *text; /* len bytes; ends in NUL only when string is set */
	size_t len;
	const struct source *source;
	const char *at;   /* where it begins in source->text */
	size_t written;   /* bytes from there, quotes and escapes included */
	unsigned line, col;
	bool string;      /* was written in quotes, and nothing followed the closing one */
	bool pattern;     /* /.../flags; text has the slashes */
	size_t body;      /* of a pattern: bytes between the slashes */
};

struct lex {
	const struct source *source;
	struct arena *arena;
	struct rules_report *report;
	const char *p, *line_start;
	unsigned line;
	struct token *token; /* the words of the statement; n of them */
	size_t n, room;
	const char *comment; /* after them, from the # on, without blanks at its end; NULL: none */
	size_t comment_len;
};

void lex_init(struct lex *, const struct source *, struct arena *, struct rules_report *);
/*
 * Reads the next statement that has a word. Returns 1; 0 at the end of the text; -1 when it was
 * malformed, which is in the report: ask on for the next one.
 */
int lex_next(struct lex *);
/* The same, but also stops at lines without a word: n is 0, with a comment or blank. */
int lex_line(struct lex *);
void lex_clear(struct lex *);

/* True when text is UTF-8 without controls but tab and line ends; else the report says where it is not. */
bool lex_check_text(const struct source *, struct rules_report *);

/* Adds a problem at a token, echoing its line. */
void problem_at(struct rules_report *, const struct token *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void warn_at(struct rules_report *, const struct token *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The word that begins at byte `at` of the text, for a message; it ends at the next blank. Byte
 * `before`, not behind it, is in that line. */
struct token token_at(const struct source *, size_t at, size_t before, unsigned line);

#endif
