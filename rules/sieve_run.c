/*
 * sieve_run.c - which runs of sets of bytes are in a subject: [0-9][0-9]@[a-c].
 *
 * Shift-and: each position of each run is a bit, set while the bytes just read
 * fit the run up to there. A word holds several runs whole. Shifting moves the
 * last bit of a run to the first of the next, which is set anyhow: a run may
 * begin at every byte. Words come in blocks that are worked at side by side.
 */
#include "rules/sieve_int.h"

#include <stdlib.h>

#include "rules/arena_int.h"

enum { LANES = 4 };

struct block {
	uint64_t fits[256][LANES]; /* positions that take the byte */
	uint64_t first[LANES], last[LANES];
	uint32_t owner[LANES][64]; /* the pattern, at the last bit of its run */
	unsigned used[LANES];
};

struct sieve_runs {
	struct block *block;
	size_t n, room;
};

struct sieve_runs *
sieve_runs_new(void)
{
	return rules_alloc(sizeof(struct sieve_runs));
}

void
sieve_runs_free(struct sieve_runs *r)
{
	free(r->block);
	free(r);
}

size_t
sieve_runs_memory(const struct sieve_runs *r)
{
	return sizeof(*r) + r->room * sizeof(*r->block);
}

/* A lane of the last block with room for n bits. */
static unsigned
find_lane(struct sieve_runs *r, unsigned n)
{
	struct block *b;

	if (r->n > 0) {
		b = &r->block[r->n - 1];
		for (unsigned lane = 0; lane < LANES; lane++)
			if (b->used[lane] + n <= 64)
				return lane;
	}
	r->block = rules_grow(r->block, &r->room, r->n + 1, sizeof(*r->block));
	r->n++;
	return 0;
}

void
sieve_runs_add(struct sieve_runs *r, const struct literal *l, uint32_t pattern)
{
	unsigned lane = find_lane(r, l->nrun), at, end;
	struct block *b = &r->block[r->n - 1];

	at = b->used[lane];
	end = at + l->nrun;
	for (unsigned k = 0; k < l->nrun; k++)
		for (unsigned c = 0; c < 256; c++)
			if (byte_set_has(&l->run[k], (unsigned char)c))
				b->fits[c][lane] |= UINT64_C(1) << (at + k);
	b->first[lane] |= UINT64_C(1) << at;
	b->last[lane] |= UINT64_C(1) << (end - 1);
	b->owner[lane][end - 1] = pattern;
	b->used[lane] = end;
}

static void
pass_block(
    const struct block *b, const char *subject, size_t len, uint64_t *seen)
{
	uint64_t now[LANES] = { 0 };
	const uint64_t *fits;

	for (size_t i = 0; i < len; i++) {
		fits = b->fits[(unsigned char)subject[i]];
		for (unsigned k = 0; k < LANES; k++) {
			now[k] = (now[k] << 1 | b->first[k]) & fits[k];
			seen[k] |= now[k];
		}
	}
}

void
sieve_runs_pass(
    const struct sieve_runs *r, const char *subject, size_t len, uint64_t *bits)
{
	const struct block *b;
	uint64_t found;
	uint32_t p;

	for (size_t i = 0; i < r->n; i++) {
		uint64_t seen[LANES] = { 0 };

		b = &r->block[i];
		pass_block(b, subject, len, seen);
		for (unsigned k = 0; k < LANES; k++)
			for (found = seen[k] & b->last[k]; found != 0;
			     found &= found - 1) {
				p = b->owner[k][__builtin_ctzll(found)];
				bits[p / 64] |= UINT64_C(1) << (p % 64);
			}
	}
}
