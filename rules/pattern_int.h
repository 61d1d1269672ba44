/*
 * pattern_int.h - a PCRE2 pattern that never stalls anybody, and the sieve before many of them.
 *
 * Patterns see an address as local@domain (local part unquoted, domain in lower case), or a domain
 * alone; case counts unless the flag i is given.
 */
#ifndef RULES_PATTERN_INT_H
#define RULES_PATTERN_INT_H

#include <stddef.h>
#include <stdint.h>

struct pattern;

/* What is wrong with a pattern: a sentence's end, and the byte in text that it is about. */
struct pattern_fault {
	char text[160];
	size_t offset;
	size_t memory; /* bytes it came to before it was refused as too large; else untouched */
};

/*
 * Compiles what stands between the slashes, as UTF, with the flags i (without case), x (blanks and
 * comments ignored) and s (a dot takes line ends too). JIT where the system allows it. NULL with
 * *fault: bad syntax (PCRE2's own words), an unknown flag, too long or too large.
 */
struct pattern *pattern_new(const char *text, size_t len, const char *flags, size_t nflags,
    struct pattern_fault *);
/*
 * The same without UTF and always without case (of ASCII letters): for text that may hold any bytes.
 * Makes no demands that the sieve could use.
 */
struct pattern *pattern_new_bytes(const char *text, size_t len, const char *flags, size_t nflags,
    struct pattern_fault *);
void pattern_free(struct pattern *); /* NULL is allowed */
size_t pattern_memory(const struct pattern *); /* bytes, JIT code included */

enum pattern_result { PATTERN_NO, PATTERN_YES, PATTERN_LIMIT };

/*
 * Bounded by match, depth and heap limits: PATTERN_LIMIT when one was hit. Any thread; the match
 * data that PCRE2 needs is kept per thread. The subject may hold any bytes.
 */
enum pattern_result pattern_match(const struct pattern *, const char *subject, size_t len);

/*
 * A text that every match of the pattern contains, found by reading the pattern; "" when none is
 * sure. *fold: it may stand there in upper or lower case (ASCII). Borrowed from the pattern.
 */
const char *pattern_literal(const struct pattern *, size_t *len, int *fold);

/*
 * The sieve: which of n patterns are worth a try on a subject. One pass over the subject finds every
 * literal in it (Aho-Corasick), so that patterns that cannot match cost nothing.
 */
struct sieve;
struct sieve *sieve_new(const struct pattern *const *, size_t n); /* borrows nothing afterwards */
void sieve_free(struct sieve *);
#define SIEVE_WORDS(n) (((n) + 63) / 64)
/* Sets bit i of bits (SIEVE_WORDS(n) words, written whole) for each pattern that may match. */
void sieve_pass(const struct sieve *, const char *subject, size_t len, uint64_t *bits);
size_t sieve_memory(const struct sieve *);

#endif
