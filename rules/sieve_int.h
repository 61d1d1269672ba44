/*
 * sieve_int.h - what a pattern cannot match without, and the two halves of the sieve that look for it.
 *
 * literal.c reads a pattern's text and finds what every subject that matches must hold; sieve.c seeks
 * those texts in a subject (Aho-Corasick), sieve_run.c the runs of sets of bytes (shift-and).
 */
#ifndef RULES_SIEVE_INT_H
#define RULES_SIEVE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/pattern_int.h"

#define LITERAL_MAX 16 /* bytes of a text, positions of a run */

struct byte_set {
	uint64_t bits[4];
};

static inline void
byte_set_add(struct byte_set *s, unsigned char c)
{
	s->bits[c / 64] |= UINT64_C(1) << (c % 64);
}

static inline bool
byte_set_has(const struct byte_set *s, unsigned char c)
{
	return s->bits[c / 64] >> (c % 64) & 1;
}

/*
 * A text that stands in every subject of a pattern; of one without case it is in lower case, and the
 * subject's ASCII case does not count. Worth: how seldom it is seen in an address that is not meant,
 * in bits more or less; 0 for what every address holds.
 */
struct text {
	char text[LITERAL_MAX + 1];
	uint8_t len;
	unsigned worth;
};

#define LITERAL_TEXTS 3

/*
 * All of the texts are in each subject, and so are bytes one after the other of which the first is
 * in run[0], the second in run[1] and so on.
 */
struct literal {
	struct text text[LITERAL_TEXTS]; /* the longest first; len 0: no more are sure */
	uint8_t nrun;                    /* 0: no run is sure, or none is worth a look */
	unsigned run_worth;
	struct byte_set run[LITERAL_MAX];
};

/* Reads a pattern that PCRE2 takes (UTF, no flag x). */
void literal_read(struct literal *, const char *text, size_t len, bool caseless);

/* What a pattern demands of its subjects. */
struct demands {
	struct literal literal;
	bool starts;           /* a match begins at a byte of start ... */
	bool anchored;         /* ... which is the first of the subject, if all of that is ASCII */
	struct byte_set start;
};

const struct demands *pattern_demands(const struct pattern *);

/*
 * By which text each of n patterns is best sought; NULL where it has none or the run tells more.
 * Texts that many patterns share, as the domain often is, are the last choice.
 */
void sieve_pick(const struct pattern *const *, size_t n, const struct text **);

/* The runs of patterns that have no better text. */
struct sieve_runs;
struct sieve_runs *sieve_runs_new(void);
void sieve_runs_free(struct sieve_runs *);
void sieve_runs_add(struct sieve_runs *, const struct literal *, uint32_t pattern);
/* Sets the bit of each pattern whose run is in the subject. */
void sieve_runs_pass(const struct sieve_runs *, const char *subject, size_t len, uint64_t *bits);
size_t sieve_runs_memory(const struct sieve_runs *);

#endif
