/*
 * report.c - everything wrong with a rule set, told to people.
 */
#include "rules/report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena_int.h"

#define ECHO_BEFORE                                                            \
	100 /* bytes of a long line shown before the place, and after it */
#define ECHO_AFTER 60
#define ECHO_WHOLE 160 /* a line up to this is shown whole */

void
rules_report_init(struct rules_report *r)
{
	*r = (struct rules_report){ .problem = NULL };
}

static void
problem_clear(struct rules_problem *p)
{
	free(p->file);
	free(p->text);
	free(p->echo);
	*p = (struct rules_problem){ .file = NULL };
}

void
rules_report_clear(struct rules_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		problem_clear(&r->problem[i]);
	free(r->problem);
	rules_report_init(r);
}

static bool
utf8_inside(const char *s, size_t len, size_t at)
{
	return at < len && ((unsigned char)s[at] & 0xc0) == 0x80;
}

static char *
copy(const char *s, size_t len)
{
	char *p = rules_alloc(len + 1);

	memcpy(p, s, len);
	return p;
}

/* Keeps of a long line what stands around the place; whole characters only. */
static void
set_echo(struct rules_problem *p, const char *line, size_t len)
{
	size_t at = p->col > 0 ? p->col - 1 : 0, from = 0, to = len;

	if (at > len)
		at = len;
	if (len > ECHO_WHOLE && at > ECHO_BEFORE)
		from = at - ECHO_BEFORE;
	if (len > ECHO_WHOLE && len - at > ECHO_AFTER)
		to = at + ECHO_AFTER;
	while (utf8_inside(line, len, from))
		from++;
	while (utf8_inside(line, len, to))
		to--;
	if (from > at)
		from = at;
	if (to < at)
		to = at;
	p->echo = copy(line + from, to - from);
	p->caret = (unsigned)(at - from);
}

/* Gives up the last warning kept. */
static bool
drop_warning(struct rules_report *r)
{
	size_t i = r->n;

	while (i > 0 && !r->problem[i - 1].warning)
		i--;
	if (i == 0)
		return false;
	problem_clear(&r->problem[i - 1]);
	memmove(&r->problem[i - 1], &r->problem[i],
	    (r->n - i) * sizeof(*r->problem));
	r->problem[--r->n] = (struct rules_problem){ .file = NULL };
	return true;
}

/* A warning never keeps an error out. */
bool
rules_report_skip(struct rules_report *r, bool warning)
{
	if (r->n < RULES_REPORT_MAX)
		return false;
	r->left_out++;
	if (!warning && drop_warning(r))
		return false;
	r->errors += !warning;
	return true;
}

/* The next problem to fill in, or NULL when no more are kept. */
static struct rules_problem *
next_problem(struct rules_report *r, bool warning)
{
	if (rules_report_skip(r, warning))
		return NULL;
	r->errors += !warning;
	if (r->problem == NULL)
		r->problem = rules_alloc(
		    RULES_REPORT_MAX * sizeof(struct rules_problem));
	r->problem[r->n].warning = warning;
	return &r->problem[r->n++];
}

__attribute__((format(printf, 7, 0))) static void
fill_in(struct rules_problem *p, const char *file, unsigned line, unsigned col,
    const char *line_text, size_t line_len, const char *fmt, va_list ap)
{
	p->file = copy(file, strlen(file));
	p->line = line;
	p->col = col;
	if (vasprintf(&p->text, fmt, ap) < 0)
		abort();
	if (line_text != NULL)
		set_echo(p, line_text, line_len);
}

void
rules_report_add(struct rules_report *r, const char *file, unsigned line,
    unsigned col, const char *line_text, size_t line_len, const char *fmt, ...)
{
	struct rules_problem *p = next_problem(r, false);
	va_list ap;

	if (p == NULL)
		return;
	va_start(ap, fmt);
	fill_in(p, file, line, col, line_text, line_len, fmt, ap);
	va_end(ap);
}

void
rules_report_warn(struct rules_report *r, const char *file, unsigned line,
    unsigned col, const char *line_text, size_t line_len, const char *fmt, ...)
{
	struct rules_problem *p = next_problem(r, true);
	va_list ap;

	if (p == NULL)
		return;
	va_start(ap, fmt);
	fill_in(p, file, line, col, line_text, line_len, fmt, ap);
	va_end(ap);
}

/* Columns a terminal gives to the character that starts here; 0 inside a
 * character. */
static int
width(const char *s)
{
	unsigned char c = (unsigned char)s[0];

	if ((c & 0xc0) == 0x80)
		return 0;
	/* From U+3000 on most are wide; what is below seldom stands in rules.
	 */
	return c >= 0xe3 ? 2 : 1;
}

static void
print_caret(const struct rules_problem *p, FILE *out)
{
	for (unsigned i = 0; i < p->caret; i++)
		if (p->echo[i] == '\t')
			fputc('\t', out);
		else
			fprintf(out, "%*s", width(p->echo + i), "");
	fputs("^\n", out);
}

static void
print_problem(const struct rules_problem *p, FILE *out)
{
	const char *kind = p->warning ? "warning: " : "";

	if (p->line == 0) {
		fprintf(out, "%s: %s%s\n", p->file, kind, p->text);
		return;
	}
	fprintf(
	    out, "%s:%u:%u: %s%s\n", p->file, p->line, p->col, kind, p->text);
	if (p->echo != NULL) {
		fprintf(out, "    %s\n    ", p->echo);
		print_caret(p, out);
	}
}

void
rules_report_print(const struct rules_report *r, FILE *out)
{
	for (size_t i = 0; i < r->n; i++)
		print_problem(&r->problem[i], out);
	if (r->left_out > 0)
		fprintf(out, "... and %zu more\n", r->left_out);
}

char *
rules_report_string(const struct rules_report *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		abort();
	rules_report_print(r, out);
	if (fclose(out) != 0)
		abort();
	return text;
}
