/*
 * reasons.c - the table of reasons: made, shared and asked.
 *
 * A question first finds the plain parts that its text has (reasons_sieve.c);
 * lines with none of theirs in it are not looked at. Of the others the first
 * whose conditions all hold is the answer.
 */
#include "router/reasons_int.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/err.h"

#define WORDS(n) (((n) + 63) / 64)

/* -- made ----------------------------------------------------------------- */

static void
free_table(struct reasons *t)
{
	for (size_t i = 0; i < t->nlines; i++) {
		for (size_t k = 0; k < t->lines[i].nforms; k++)
			free(t->lines[i].forms[k]);
		free(t->lines[i].source);
	}
	for (size_t i = 0; i < t->npatterns; i++)
		pcre2_code_free(t->patterns[i]);
	for (size_t i = 0; i < t->nliterals; i++)
		free(t->literals[i]);
	reasons_systems_clear(&t->systems);
	reasons_sieve_free(&t->sieve);
	free(t->lines);
	free(t->alternatives);
	free(t->patterns);
	free(t->literals);
	free(t->literal_first);
	free(t->always);
	free(t->file);
	free(t);
}

static void
finish(struct reasons *t)
{
	reasons_systems_sort(&t->systems);
	t->sieve =
	    reasons_sieve_new((const char *const *)t->literals, t->nliterals);
	t->always = xcalloc(WORDS(t->nlines) + 1, sizeof(*t->always));
	for (size_t i = 0; i < t->nlines; i++)
		if (t->lines[i].n == 0)
			t->always[i / 64] |= UINT64_C(1) << i % 64;
}

struct reasons *
reasons_read(const char *file, const char *text, size_t len, struct str *report)
{
	struct reasons *t = xcalloc(1, sizeof(*t));

	atomic_init(&t->refs, 1);
	t->file = xstrdup(file);
	if (reasons_read_statements(t, text, len, report) != 0) {
		free_table(t);
		return NULL;
	}
	finish(t);
	return t;
}

static char *
slurp(const char *file, size_t *len, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t n = 1;

	if (fd == -1) {
		err_sys(e, "cannot open '%s'", file);
		return NULL;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > REASONS_FILE_MAX)
		err_set(e, "no regular file of at most 1 MiB: '%s'", file);
	else
		text = xmalloc(REASONS_FILE_MAX);
	for (*len = 0;
	     text != NULL && n > 0 && *len<REASONS_FILE_MAX; *len += n> 0
		 ? (size_t)n
		 : 0)
		n = read(fd, text + *len, REASONS_FILE_MAX - *len);
	if (n < 0) {
		err_sys(e, "cannot read '%s'", file);
		free(text);
		text = NULL;
	}
	close(fd);
	return text;
}

struct reasons *
reasons_load(const char *file, struct str *report)
{
	struct err e = ERR_INIT;
	struct reasons *t;
	size_t len;
	char *text = slurp(file, &len, &e);

	if (text == NULL) {
		str_addf(report, "%s\n", e.text);
		return NULL;
	}
	t = reasons_read(file, text, len, report);
	free(text);
	return t;
}

/* -- shared --------------------------------------------------------------- */

extern const char reasons_table_text[]; /* NUL at its end */

static struct reasons *builtin;

static void
read_builtin(void)
{
	struct str report = STR_INIT;

	builtin = reasons_read("reasons.table", reasons_table_text,
	    strlen(reasons_table_text), &report);
	if (builtin == NULL) {
		fputs(report.data, stderr);
		abort(); /* the tests have read it */
	}
	str_release(&report);
}

struct reasons *
reasons_builtin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_builtin);
	return reasons_ref(builtin);
}

struct reasons *
reasons_ref(struct reasons *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
reasons_unref(struct reasons **p)
{
	struct reasons *t = *p;

	*p = NULL;
	if (t != NULL &&
	    atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
		free_table(t);
}

/* -- asked ---------------------------------------------------------------- */

struct asking {
	const struct reasons *table;
	const struct reasons_query *query;
	struct system_set systems;
	pcre2_match_data *matching; /* NULL: no pattern has run yet */
	bool has_status;
	short status[3];
	size_t len;
	char text[REASONS_TEXT_MAX + 1];
	uint64_t literals[WORDS(REASONS_LITERALS_MAX)];
	uint64_t lines[WORDS(REASONS_LINES_MAX)]; /* that may match */
};

static void
found(void *arg, uint32_t literal)
{
	const struct reasons *t = ((struct asking *)arg)->table;
	struct asking *a = arg;
	uint64_t bit = UINT64_C(1) << literal % 64;

	if ((a->literals[literal / 64] & bit) != 0)
		return;
	a->literals[literal / 64] |= bit;
	for (uint32_t k = t->literal_first[literal]; k != 0;
	     k = t->alternatives[k - 1].next) {
		unsigned line = t->alternatives[k - 1].line;

		a->lines[line / 64] |= UINT64_C(1) << line % 64;
	}
}

static bool
fits_systems(const struct asking *a, const struct table_line *line)
{
	for (size_t i = 0; i < line->nsystems; i++)
		if (system_set_has(&a->systems, line->systems[i]))
			return true;
	return line->nsystems == 0;
}

static bool
fits_code(const struct asking *a, const struct table_line *line)
{
	for (size_t i = 0; i < line->ncodes; i++)
		if (a->query->code >= line->codes[i].least &&
		    a->query->code <= line->codes[i].most)
			return true;
	return line->ncodes == 0;
}

static bool
fits_status(const struct asking *a, const struct table_line *line)
{
	for (size_t i = 0; a->has_status && i < line->nstatuses; i++)
		if (reasons_status_fits(&line->statuses[i], a->status))
			return true;
	return line->nstatuses == 0;
}

static bool
fits_form(const struct asking *a, const struct table_line *line)
{
	for (size_t i = 0; i < line->nforms; i++)
		if (strcmp(line->forms[i], a->query->reporter) == 0)
			return true;
	return line->nforms == 0;
}

static bool
fits_text(struct asking *a, const struct table_line *line)
{
	for (uint32_t i = line->first; i < line->first + line->n; i++) {
		const struct alternative *one = &a->table->alternatives[i];

		if ((a->literals[one->literal / 64] >> one->literal % 64 & 1) &&
		    (one->pattern == NULL ||
			reasons_pattern_matches(
			    one->pattern, a->text, a->len, &a->matching)))
			return true;
	}
	return line->n == 0 && (!line->any_text || a->len > 0);
}

static bool
fits(struct asking *a, const struct table_line *line)
{
	return (line->stages == 0 ||
		   (line->stages >> a->query->stage & 1) != 0) &&
	       fits_systems(a, line) && fits_code(a, line) &&
	       fits_status(a, line) && fits_form(a, line) && fits_text(a, line);
}

static const struct table_line *
first_that_fits(struct asking *a)
{
	const struct reasons *t = a->table;

	for (size_t w = 0; w < WORDS(t->nlines); w++)
		for (uint64_t left = a->lines[w] | t->always[w]; left != 0;
		     left &= left - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(left);

			if (fits(a, &t->lines[i]))
				return &t->lines[i];
		}
	return NULL;
}

void
reasons_find(const struct reasons *t, const struct reasons_query *q,
    struct reasons_answer *answer)
{
	const struct table_line *line;
	struct asking a;

	a.table = t;
	a.query = q;
	a.matching = NULL;
	memset(a.literals, 0, WORDS(t->nliterals) * sizeof(a.literals[0]));
	memset(a.lines, 0, WORDS(t->nlines) * sizeof(a.lines[0]));
	a.has_status = reasons_status_parts(q->enhanced, a.status);
	a.len = reasons_fold(a.text, sizeof(a.text), q->text, strlen(q->text));
	reasons_blank_addresses(a.text, a.len);
	reasons_systems_of(&t->systems, q, &a.systems);
	reasons_sieve_run(t->sieve, a.text, a.len, found, &a);
	*answer = (struct reasons_answer){ .reason = "undefined",
		.scope = SCOPE_RECIPIENT,
		.file = "",
		.source = "" };
	line = first_that_fits(&a);
	pcre2_match_data_free(a.matching);
	if (line == NULL)
		return;
	answer->reason = line->reason->name;
	answer->hard = line->hard;
	answer->scope = line->scope;
	answer->file = t->file;
	answer->line = line->number;
	answer->source = line->source;
}
