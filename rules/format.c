/*
 * format.c - the canonical form of a rule file.
 *
 * Reads lines by lex.c and gathers them into blocks, which format_layout.c
 * writes; comments that have a line of their own and blank lines stand between.
 */
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "rules/format_int.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

struct format {
	FILE *out;
	struct block block;
	bool started; /* something has been written */
	bool blank;   /* an empty line comes before what is written next */
};

/* Whatever is written next begins with that text. */
static void
begin(struct format *f, const char *text)
{
	if (f->blank && f->started)
		fputc('\n', f->out);
	/* A mark that begins a word would be passed over at the beginning of
	 * the file, where only an earlier one or a blank line kept it. */
	if (!f->started && strncmp(text, byte_order_mark, 3) == 0)
		fputs(byte_order_mark, f->out);
	f->started = true;
	f->blank = false;
}

static void
end_block(struct format *f)
{
	struct block *b = &f->block;

	if (b->nrow == 0)
		return;
	begin(f, b->word[0].text);
	block_write(b, f->out);
	b->nrow = b->nword = 0;
}

static void
add_statement(struct format *f, const struct lex *lex)
{
	const struct style *style = style_of(&lex->token[0]);

	if (style != f->block.style)
		end_block(f);
	f->block.style = style;
	block_add(&f->block, lex);
}

static void
add_comment(struct format *f, const struct lex *lex)
{
	begin(f, lex->comment);
	fwrite(lex->comment, 1, lex->comment_len, f->out);
	fputc('\n', f->out);
}

/* A backslash at the end of the text is a word, and would be none before a line
 * end. */
static bool
ends_in_backslash(const struct lex *lex)
{
	const struct token *t;

	if (lex->n == 0 || lex->comment != NULL)
		return false;
	t = &lex->token[lex->n - 1];
	return t->written == 1 && *t->at == '\\';
}

static void
add_line(struct format *f, const struct lex *lex)
{
	if (lex->n > 0) {
		add_statement(f, lex);
		return;
	}
	end_block(f);
	if (lex->comment != NULL)
		add_comment(f, lex);
	else
		f->blank = true;
}

static bool
format_text(struct format *f, struct lex *lex)
{
	bool good = true;
	int rc;

	while ((rc = lex_line(lex)) != 0) {
		if (rc > 0 && ends_in_backslash(lex)) {
			problem_at(lex->report, &lex->token[lex->n - 1],
			    "no line after the backslash");
			rc = -1;
		}
		if (rc < 0)
			good = false;
		else
			add_line(f, lex);
	}
	end_block(f);
	return good;
}

static bool
format_source(
    const struct source *source, struct rules_report *report, FILE *out)
{
	struct format f = { .out = out };
	struct arena arena = { NULL };
	struct lex lex;
	bool good;

	lex_init(&lex, source, &arena, report);
	good = format_text(&f, &lex);
	lex_clear(&lex);
	arena_clear(&arena);
	free(f.block.word);
	free(f.block.row);
	return good;
}

/* As ruleset_parse wants it. */
static bool
good_text(const struct source *s, struct rules_report *report)
{
	if (s->len <= RULES_FILE_MAX)
		return lex_check_text(s, report);
	rules_report_add(report, s->name, 0, 0, NULL, 0,
	    "cannot read the file: larger than 16 MB");
	return false;
}

char *
rules_format(const struct rules_file *file, struct rules_report *report)
{
	struct source source = { file->name, file->text, file->len, 0, false, 0,
		0 };
	char *text = NULL;
	size_t len = 0;
	FILE *out;
	bool good;

	if (!good_text(&source, report))
		return NULL;
	out = open_memstream(&text, &len);
	if (out == NULL)
		abort();
	good = format_source(&source, report, out);
	if (fclose(out) != 0)
		abort();
	if (!good) {
		free(text);
		text = NULL;
	}
	return text;
}
