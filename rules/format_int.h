/*
 * format_int.h - the canonical form of a rule file: words in cells, cells in columns.
 *
 * format.c reads a file and cuts it into blocks: statements that begin with the same word, without
 * a blank line or a comment of its own between them. format_style.c says what the cells of each
 * kind of statement are, format_layout.c writes a block, format_width.c measures.
 *
 * Nothing here depends on how the lines stood before: words, comments and blank lines go in, and
 * because the same come out, the canonical form of the result is itself.
 */
#ifndef RULES_FORMAT_INT_H
#define RULES_FORMAT_INT_H

#include <stdio.h>

#include "rules/lex_int.h"

#define FORMAT_CELLS 3   /* at most, in one statement */
#define FORMAT_LINE  100 /* columns, where it can be done */

struct word {
	const char *text;  /* as written: quotes, escapes and all */
	unsigned len;
	unsigned width;    /* columns */
	unsigned char gap; /* blanks before it, on the line of the word before and in the same cell */
	bool glued;        /* belongs to the word before: not a good place to break */
};

/* A statement. */
struct row {
	size_t first, n; /* in the block's words */
	size_t cell[FORMAT_CELLS + 1]; /* where each begins, from 0 to n; those that are missing are empty */
	unsigned width[FORMAT_CELLS];
	const char *comment; /* at its end; NULL: none */
	size_t comment_len;
};

/* A word that begins a value in a list such as `connections 2  quote`. */
struct format_key {
	const char *name;
	bool value; /* takes the next word */
};

/* How statements of one kind look. */
struct style {
	const char *keyword;
	/* The first word of each cell after the first; the rest are n already. */
	void (*split)(const struct style *, const struct token *, size_t n, size_t *cell);
	unsigned gap[FORMAT_CELLS]; /* blanks after each cell */
	unsigned cap[FORMAT_CELLS]; /* what is wider does not move the columns of the others */
	size_t indent;  /* the cell under which a broken statement goes on; 0: none, four blanks */
	bool own_line;  /* the last cell begins a line when the statement is broken */
	const struct format_key *key; /* of the words in the second cell, nkey of them; NULL: no pairs */
	size_t nkey;
};

struct block {
	const struct style *style;
	struct word *word;
	size_t nword, word_room;
	struct row *row;
	size_t nrow, row_room;
};

/* ---- format_style.c ---- */

const struct style *style_of(const struct token *keyword);
/* Adds the statement. Its text is borrowed until the block is written. */
void block_add(struct block *, const struct lex *);

/* ---- format_layout.c ---- */

void block_write(const struct block *, FILE *);

/* ---- format_width.c ---- */

/* Columns that a terminal gives to UTF-8 text: wide East Asian characters have two. */
unsigned text_width(const char *, size_t len);

#endif
