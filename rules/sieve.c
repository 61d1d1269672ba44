/*
 * sieve.c - which of many patterns are worth a try on a subject.
 *
 * Three questions, cheapest first in what they leave over: is the pattern's
 * text in the subject (one automaton for all, after Aho and Corasick), is its
 * run (sieve_run.c), and can a match begin at a byte that the subject has. All
 * answers err towards a try: the automaton folds case for everybody.
 */
#include "rules/sieve_int.h"

#include <assert.h>
#include <stdlib.h>

#include "rules/arena_int.h"
#include "rules/hash_int.h"

/* Cells of the automaton per pattern: beyond it texts are cut shorter. */
#define CELLS_PER_PATTERN 400u

#define HIT UINT32_C(0x80000000)
enum { OUT, LINK, CLASSES }; /* cells of a row */

/*
 * A state is the offset of its row in cell, the root's being 0. A row holds the
 * first pattern (plus 1) whose text ends there, the next state up the suffixes
 * that has one, and the state after each class of bytes: with HIT set where
 * that state or one up its suffixes has a pattern.
 */
struct sieve {
	size_t n, words;
	unsigned char class[256];
	uint32_t width, cells;
	uint32_t *cell;
	uint32_t *next; /* by pattern: the next (plus 1) with the same text */
	struct sieve_runs *runs;
	uint64_t *always;
	uint64_t *begin;  /* by byte: those that may begin with it */
	uint64_t *loose;  /* those that need not begin with the first byte */
	uint64_t *anyhow; /* those of which no beginning is known */
};

static void
bit_set(uint64_t *bits, size_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static size_t
text_length(const struct text *t, size_t most)
{
	return t->len < most ? t->len : most;
}

/* A class is its cell of a row. Texts are folded: with 26 letters fewer,
 * classes fit a byte. */
static void
make_classes(struct sieve *s, const struct text *const *text)
{
	unsigned char *class;

	s->width = CLASSES + 1;
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; text[i] != NULL && k < text[i]->len; k++) {
			class = &s->class[ascii_lower(
			    (unsigned char)text[i]->text[k])];
			if (*class == 0)
				*class = (unsigned char)s->width++;
		}
	for (unsigned c = 0; c < 256; c++)
		if (s->class[c] == 0)
			s->class[c] = CLASSES;
	for (unsigned c = 'A'; c <= 'Z'; c++)
		s->class[c] = s->class[ascii_lower((unsigned char)c)];
}

static size_t
states_needed(const struct text *const *text, size_t n, size_t most)
{
	size_t states = 1;

	for (size_t i = 0; i < n; i++)
		if (text[i] != NULL)
			states += text_length(text[i], most);
	return states;
}

static size_t
longest_text(const struct sieve *s, const struct text *const *text)
{
	size_t most = LITERAL_MAX;

	while (most > 1 && (states_needed(text, s->n, most) - 1) * s->width >
			       s->n * CELLS_PER_PATTERN)
		most--;
	return most;
}

static void
add_text(struct sieve *s, const struct text *t, size_t most, uint32_t pattern)
{
	uint32_t state = 0, *cell;

	for (size_t k = 0; k < text_length(t, most); k++) {
		cell =
		    &s->cell[state +
			     s->class[ascii_lower((unsigned char)t->text[k])]];
		if (*cell == 0) {
			*cell = s->cells;
			s->cells += s->width;
		}
		state = *cell;
	}
	s->next[pattern] = s->cell[state + OUT];
	s->cell[state + OUT] = pattern + 1;
}

/*
 * Missing cells of a row are those of the row of its longest suffix, which is
 * complete already: rows are taken in the order of their distance to the root.
 */
static void
complete_row(struct sieve *s, uint32_t state, uint32_t *suffix, uint32_t *queue,
    size_t *tail)
{
	uint32_t *row = s->cell + state;
	const uint32_t *up = s->cell + suffix[state / s->width];
	uint32_t beside;

	for (uint32_t c = CLASSES; c < s->width; c++) {
		beside = state == 0 ? 0 : up[c];
		if (row[c] == 0) {
			row[c] = beside;
			continue;
		}
		suffix[row[c] / s->width] = beside;
		queue[(*tail)++] = row[c];
	}
	row[LINK] = up[OUT] != 0 ? (uint32_t)(up - s->cell) : up[LINK];
}

static void
mark_hits(struct sieve *s)
{
	uint32_t *to;

	for (uint32_t state = 0; state < s->cells; state += s->width)
		for (uint32_t c = CLASSES; c < s->width; c++) {
			to = &s->cell[state + c];
			if (s->cell[*to + OUT] != 0 || s->cell[*to + LINK] != 0)
				*to |= HIT;
		}
}

static void
complete(struct sieve *s)
{
	size_t states = s->cells / s->width, head = 0, tail = 1;
	uint32_t *suffix = rules_alloc(states * sizeof(*suffix));
	uint32_t *queue = rules_alloc(states * sizeof(*queue));

	for (; head < tail; head++)
		complete_row(s, queue[head], suffix, queue, &tail);
	mark_hits(s);
	free(suffix);
	free(queue);
}

static void
make_automaton(struct sieve *s, const struct text *const *text)
{
	size_t most, states;

	make_classes(s, text);
	most = longest_text(s, text);
	states = states_needed(text, s->n, most);
	assert(states * s->width < HIT);
	s->cell = rules_alloc(states * s->width * sizeof(*s->cell));
	s->cells = s->width;
	for (size_t i = 0; i < s->n; i++)
		if (text[i] != NULL)
			add_text(s, text[i], most, (uint32_t)i);
	complete(s);
}

/* What has no text is sought by its run, or always tried. */
static void
make_runs(struct sieve *s, const struct pattern *const *pattern,
    const struct text *const *text)
{
	const struct literal *l;

	s->runs = sieve_runs_new();
	for (size_t i = 0; i < s->n; i++) {
		l = &pattern_demands(pattern[i])->literal;
		if (text[i] != NULL)
			continue;
		if (l->nrun > 0)
			sieve_runs_add(s->runs, l, (uint32_t)i);
		else
			bit_set(s->always, i);
	}
}

static void
make_beginnings(struct sieve *s, const struct pattern *const *pattern)
{
	const struct demands *d;

	for (size_t i = 0; i < s->n; i++) {
		d = pattern_demands(pattern[i]);
		if (!d->starts)
			bit_set(s->anyhow, i);
		if (!d->starts || !d->anchored)
			bit_set(s->loose, i);
		for (unsigned c = 0; d->starts && c < 256; c++)
			if (byte_set_has(&d->start, (unsigned char)c))
				bit_set(s->begin + c * s->words, i);
	}
}

struct sieve *
sieve_new(const struct pattern *const *pattern, size_t n)
{
	struct sieve *s = rules_alloc(sizeof(*s));
	const struct text **text = rules_alloc(n * sizeof(void *));

	s->n = n;
	s->words = SIEVE_WORDS(n);
	s->next = rules_alloc(n * sizeof(*s->next));
	s->always = rules_alloc(s->words * sizeof(uint64_t));
	s->anyhow = rules_alloc(s->words * sizeof(uint64_t));
	s->loose = rules_alloc(s->words * sizeof(uint64_t));
	s->begin = rules_alloc(256 * s->words * sizeof(uint64_t));
	sieve_pick(pattern, n, text);
	make_automaton(s, text);
	make_runs(s, pattern, text);
	make_beginnings(s, pattern);
	free(text);
	return s;
}

void
sieve_free(struct sieve *s)
{
	if (s == NULL)
		return;
	sieve_runs_free(s->runs);
	free(s->cell);
	free(s->next);
	free(s->always);
	free(s->anyhow);
	free(s->loose);
	free(s->begin);
	free(s);
}

size_t
sieve_memory(const struct sieve *s)
{
	return sizeof(*s) + s->cells * sizeof(*s->cell) +
	       s->n * sizeof(*s->next) +
	       (256 + 3) * s->words * sizeof(uint64_t) +
	       sieve_runs_memory(s->runs);
}

static void
set_found(const struct sieve *s, uint32_t state, uint64_t *bits)
{
	const uint32_t *row;

	do {
		row = s->cell + state;
		for (uint32_t i = row[OUT]; i != 0; i = s->next[i - 1])
			bit_set(bits, i - 1);
		state = row[LINK];
	} while (state != 0);
}

static void
find_texts(
    const struct sieve *s, const char *subject, size_t len, uint64_t *bits)
{
	uint32_t state = 0;

	for (size_t i = 0; i < len; i++) {
		state = s->cell[state + s->class[(unsigned char)subject[i]]];
		if (state & HIT) {
			state &= ~HIT;
			set_found(s, state, bits);
		}
	}
}

/* A fragment that follows invalid bytes may be a beginning too: only in ASCII
 * is the first byte the only one. */
static bool
all_ascii(const char *subject, size_t len)
{
	unsigned char seen = 0;

	for (size_t i = 0; i < len; i++)
		seen |= (unsigned char)subject[i];
	return seen < 0x80;
}

static const uint64_t *
beginning_with(const struct sieve *s, char c)
{
	return s->begin + (unsigned char)c * s->words;
}

static void
drop_by_beginning(
    const struct sieve *s, const char *subject, size_t len, uint64_t *bits)
{
	bool one_beginning = len > 0 && all_ascii(subject, len);
	uint64_t any;

	for (size_t w = 0; w < s->words; w++) {
		any = s->anyhow[w];
		for (size_t i = 0; i < len && (bits[w] & ~any) != 0; i++)
			any |= beginning_with(s, subject[i])[w];
		bits[w] &= any;
		if (one_beginning)
			bits[w] &=
			    beginning_with(s, subject[0])[w] | s->loose[w];
	}
}

void
sieve_pass(
    const struct sieve *s, const char *subject, size_t len, uint64_t *bits)
{
	for (size_t w = 0; w < s->words; w++)
		bits[w] = s->always[w];
	find_texts(s, subject, len, bits);
	sieve_runs_pass(s->runs, subject, len, bits);
	drop_by_beginning(s, subject, len, bits);
}
