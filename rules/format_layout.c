/*
 * format_layout.c - a block of like statements, in columns.
 *
 * A statement that fits stands on one line. One that does not is broken with
 * backslashes and goes on under its own words.
 */
#include "rules/format_int.h"

#define INDENT	    4  /* where a statement goes on that has no better place */
#define INDENT_MAX  60 /* further right there is no room to go on */
#define CONTINUES   2  /* columns of " \" */
#define COMMENT_GAP 2
#define COMMENT_MAX                                                            \
	72 /* a longer line does not move the comments of others               \
	    */

/* Where the cells begin. */
struct columns {
	unsigned at[FORMAT_CELLS];
};

/* Writes, or only counts: out is NULL then. Blanks are written when a word
 * comes after them. */
struct pen {
	FILE *out;
	unsigned pos;
	unsigned written; /* columns before the blanks up to pos */
};

static unsigned
larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static void
pen_put(struct pen *pen, const char *text, size_t len, unsigned width)
{
	if (pen->out != NULL) {
		for (; pen->written < pen->pos; pen->written++)
			fputc(' ', pen->out);
		fwrite(text, 1, len, pen->out);
	}
	pen->pos += width;
	pen->written = pen->pos;
}

static void
pen_to(struct pen *pen, unsigned column)
{
	pen->pos = larger(pen->pos, column);
}

static void
pen_break(struct pen *pen, unsigned column)
{
	if (pen->out != NULL)
		fputs(" \\\n", pen->out);
	pen->pos = column;
	pen->written = 0;
}

/* ---- columns ---- */

/* Not by its width: a word may have none. */
static bool
is_empty(const struct row *r, size_t k)
{
	return r->cell[k] == r->cell[k + 1];
}

/* The places of a row's cells on one line, never before their columns. Returns
 * where the line ends. */
static unsigned
place(const struct style *s, const struct row *r, const struct columns *c,
    struct columns *out)
{
	unsigned pos = 0, gap = 0;

	for (size_t k = 0; k < FORMAT_CELLS; k++) {
		out->at[k] = larger(pos + gap, c->at[k]);
		if (!is_empty(r, k)) {
			pos = out->at[k] + r->width[k];
			gap = s->gap[k];
		}
	}
	return pos;
}

/* Whether a cell has a say in where the next column begins. When the row is
 * broken before its last cell, nothing follows on the line. */
static bool
counts(const struct style *s, const struct row *r, size_t k)
{
	struct columns none = { { 0 } }, own;

	if (r->width[k] > s->cap[k])
		return false;
	return !s->own_line || k + 2 < FORMAT_CELLS ||
	       place(s, r, &none, &own) <= FORMAT_LINE;
}

static struct columns
align(const struct block *b)
{
	const struct style *s = b->style;
	struct columns c = { { 0 } };

	for (size_t k = 0; k + 1 < FORMAT_CELLS; k++) {
		unsigned widest = 0;

		for (size_t i = 0; i < b->nrow; i++)
			if (counts(s, &b->row[i], k))
				widest = larger(widest, b->row[i].width[k]);
		c.at[k + 1] = c.at[k] + (widest > 0 ? widest + s->gap[k] : 0);
	}
	return c;
}

/* ---- one row ---- */

/* Words from i on that should stay together: sets *end to the next one after
 * them. Returns their width. */
static unsigned
run(const struct word *w, size_t n, size_t i, size_t *end)
{
	unsigned width = w[i].width;

	while (++i < n && w[i].glued)
		width += w[i].gap + w[i].width;
	*end = i;
	return width;
}

static bool
fits(unsigned pos, unsigned width, bool last)
{
	return pos + width + (last ? 0 : CONTINUES) <= FORMAT_LINE;
}

/* Where a broken statement goes on. */
static unsigned
indent_of(const struct style *s, const struct row *r, const struct word *w,
    const struct columns *places)
{
	unsigned indent = places->at[s->indent];

	if (indent < INDENT || indent > INDENT_MAX)
		return INDENT;
	for (size_t i = 0, end; i < r->n; i = end) {
		unsigned width = run(w, r->n, i, &end);

		if (i > 0 && !fits(indent, width, end == r->n))
			return INDENT;
	}
	return indent;
}

/* Puts down the words of a cell. What stays together moves to the next line
 * together, unless it is longer than a line. */
static void
put_words(struct pen *pen, const struct row *r, const struct word *w, size_t k,
    unsigned indent)
{
	for (size_t i = r->cell[k], end; i < r->cell[k + 1]; i++) {
		unsigned width = w[i].width, pos = pen->pos + w[i].gap;

		end = i + 1;
		if (!w[i].glued)
			width = run(w, r->n, i, &end);
		if (!fits(pos, width, end == r->n) && pos > indent)
			pen_break(pen, indent);
		else
			pen_to(pen, pos);
		pen_put(pen, w[i].text, w[i].len, w[i].width);
	}
}

static void
put_in_line(struct pen *pen, const struct row *r, const struct word *w,
    const struct columns *places)
{
	for (size_t k = 0; k < FORMAT_CELLS; k++) {
		if (is_empty(r, k))
			continue;
		pen_to(pen, places->at[k]);
		for (size_t i = r->cell[k]; i < r->cell[k + 1]; i++) {
			pen_to(pen, pen->pos + w[i].gap);
			pen_put(pen, w[i].text, w[i].len, w[i].width);
		}
	}
}

/* Goes to where a cell of a broken row begins. */
static void
go_to_cell(struct pen *pen, const struct style *s, const struct row *r,
    size_t k, unsigned column, unsigned indent)
{
	if (s->own_line && k + 1 == FORMAT_CELLS && !is_empty(r, k - 1))
		pen_break(pen, indent);
	else
		pen_to(pen, larger(pen->pos + s->gap[k - 1], column));
}

static void
put_broken(struct pen *pen, const struct style *s, const struct row *r,
    const struct word *w, const struct columns *c, unsigned indent)
{
	for (size_t k = 0; k < FORMAT_CELLS; k++) {
		if (is_empty(r, k))
			continue;
		if (k > 0)
			go_to_cell(pen, s, r, k, c->at[k], indent);
		put_words(pen, r, w, k, indent);
	}
}

static void
put_row(struct pen *pen, const struct block *b, const struct row *r,
    const struct columns *c)
{
	const struct word *w = b->word + r->first;
	struct columns places;

	if (place(b->style, r, c, &places) <= FORMAT_LINE)
		put_in_line(pen, r, w, &places);
	else
		put_broken(
		    pen, b->style, r, w, c, indent_of(b->style, r, w, &places));
}

/* ---- the block ---- */

/* Where the comments at the ends of its lines stand. */
static unsigned
comment_column(const struct block *b, const struct columns *c)
{
	unsigned column = 0;

	for (size_t i = 0; i < b->nrow; i++) {
		struct pen pen = { .out = NULL };

		if (b->row[i].comment == NULL)
			continue;
		put_row(&pen, b, &b->row[i], c);
		if (pen.pos <= COMMENT_MAX)
			column = larger(column, pen.pos + COMMENT_GAP);
	}
	return column;
}

void
block_write(const struct block *b, FILE *out)
{
	struct columns c = align(b);
	unsigned column = comment_column(b, &c);

	for (size_t i = 0; i < b->nrow; i++) {
		const struct row *r = &b->row[i];
		struct pen pen = { .out = out };

		put_row(&pen, b, r, &c);
		if (r->comment != NULL) {
			pen_to(&pen, larger(pen.pos + COMMENT_GAP, column));
			pen_put(&pen, r->comment, r->comment_len, 0);
		}
		fputc('\n', out);
	}
}
