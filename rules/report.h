/*
 * report.h - everything wrong with a rule set, found in one run, told to people.
 *
 * Each problem has its place, its line and a caret:
 *
 *     conf/oiwake.rules:3:25: unknown carrier 'docmo', did you mean 'docomo'?
 *         route keitai to carrier docmo via mta
 *                                 ^
 *
 * A warning has "warning: " before its text.
 *
 * Texts hold no control characters: the rule reader refuses files that do. One thread at a time.
 */
#ifndef RULES_REPORT_H
#define RULES_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define RULES_REPORT_MAX 100   /* problems kept; the rest are only counted */
#define RULES_ERRORS_MAX 10000 /* after so many a rule set is not read on */

struct rules_problem {
	bool warning;       /* the set loads all the same */
	char *file;
	unsigned line, col; /* from 1, in bytes; line 0: the file as a whole, with no echo */
	char *text;         /* lower case, no full stop, problem first, subject quoted */
	char *echo;         /* the line, or the part of a long one around col; NULL if none */
	unsigned caret;     /* byte in echo, from 0 */
};

struct rules_report {
	struct rules_problem *problem; /* in the order found */
	size_t n;
	size_t left_out; /* found after the first RULES_REPORT_MAX */
	size_t errors;   /* of all, kept or left out; the rest are warnings */
};

void rules_report_init(struct rules_report *);
void rules_report_clear(struct rules_report *); /* frees what it holds; reusable */

/*
 * Adds a problem. `line_text` is the whole line (need not end in NUL), or NULL; it and `file` are copied.
 */
void rules_report_add(struct rules_report *, const char *file, unsigned line, unsigned col,
    const char *line_text, size_t line_len, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

/* The same for what is odd and not wrong. */
void rules_report_warn(struct rules_report *, const char *file, unsigned line, unsigned col,
    const char *line_text, size_t line_len, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

/*
 * True when no more of that kind are kept: the problem is counted, and need not be put into words.
 * False: it is to be added next.
 */
bool rules_report_skip(struct rules_report *, bool warning);

/* Prints every problem in the form above, and "... and 12 more" where some were left out. */
void rules_report_print(const struct rules_report *, FILE *);
char *rules_report_string(const struct rules_report *); /* the same; the caller frees it */

/*
 * The name nearest to `word`, or NULL when none is near enough to be what was meant (at most one
 * slip in three letters). Ignores case. Borrowed from names, of which it looks at the first 1000.
 */
const char *rules_suggest(const char *word, const char *const *names, size_t n);

#endif
