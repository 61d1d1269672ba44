/*
 * sql_filter.c - what is surely not on the suppression list, without
 * looking.
 *
 * A Bloom filter of the addresses on it: a few bits each, all in one cache line
 * (blocked, after Putze, Sanders and Singler, "Cache-, Hash- and
 * Space-Efficient Bloom Filters"). With ten million addresses a look into the
 * database costs some 10 us even when its pages are in memory; this costs a
 * tenth of one, and nearly all mail goes to who is not on the list.
 *
 * It is filled a slice at a time, at the beginning of transactions, when what
 * is seen is what is committed; until it has seen all it is not asked. What is
 * put goes in at once. Nothing is ever taken out: an address that is in it and
 * not on the list only costs a look. Where other nodes put entries as well
 * there is none.
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"
#include "mta/base/map.h"

#include <stdlib.h>

#define BLOCK	    8	 /* words: a cache line */
#define BITS	    6	 /* per address */
#define PER_ADDRESS 13	 /* bits of the filter, at least */
#define SLICE	    5000 /* addresses */
#define BYTES_MIN   (64u << 10)
#define BYTES_MAX                                                              \
	(16u << 20) /* ten million; beyond that it errs more often             \
		     */

/* Nine bits of the hash choose each bit of a block, the others the block. FNV's
 * upper bits are weak: mixed as MurmurHash3 does at its end. */
static uint64_t
hash_of(const char *key)
{
	uint64_t h = hash_text(HASH_START, key);

	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static uint64_t *
block_of(const struct filter *f, uint64_t hash)
{
	return f->word + (hash & (f->nwords / BLOCK - 1)) * BLOCK;
}

/* The next bit; *bits is used up by it. */
static unsigned
take_bit(uint64_t *bits)
{
	unsigned bit = (unsigned)(*bits % (BLOCK * 64));

	*bits = (*bits >> 9) | (*bits << 55);
	return bit;
}

static uint64_t
bits_of(uint64_t hash)
{
	return hash * UINT64_C(0x9e3779b97f4a7c15);
}

void
sql_filter_add(struct filter *f, const char *key)
{
	uint64_t hash = hash_of(key), bits = bits_of(hash) >> 7;
	uint64_t *block;

	if (f->word == NULL)
		return;
	f->n++;
	block = block_of(f, hash);
	for (int i = 0; i < BITS; i++) {
		unsigned bit = take_bit(&bits);

		block[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

bool
sql_filter_rules_out(const struct filter *f, const char *key)
{
	uint64_t hash = hash_of(key), bits = bits_of(hash) >> 7;
	const uint64_t *block;

	if (!f->whole)
		return false;
	block = block_of(f, hash);
	for (int i = 0; i < BITS; i++) {
		unsigned bit = take_bit(&bits);

		if ((block[bit / 64] >> bit % 64 & 1) == 0)
			return true;
	}
	return false;
}

void
sql_filter_release(struct filter *f)
{
	free(f->word);
	str_release(&f->after);
	*f = (struct filter){ .after = STR_INIT };
}

/* -- filled -------------------------------------------------------------- */

/* For that many, and for as many again that may come. */
static size_t
size_for(uint64_t n)
{
	size_t bytes = BYTES_MIN;

	while (bytes < BYTES_MAX && bytes * 8 / PER_ADDRESS < 2 * n)
		bytes *= 2;
	return bytes;
}

static enum store_status
start(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SUPPRESSIONS_AT_MOST);
	struct filter *f = &eng->filter;
	enum store_status status;
	uint64_t n = 0;

	if (sql_next(eng->q, st, "read suppressions", &status, e))
		n = (uint64_t)column_int(st, 0);
	sql_reset(st);
	if (status != STORE_OK)
		return status;
	sql_filter_release(f);
	f->nwords = size_for(n) / sizeof(*f->word);
	f->word = xcalloc(f->nwords, sizeof(*f->word));
	return STORE_OK;
}

/* More have come than it is made for, and it can grow. */
static bool
is_too_small(const struct filter *f)
{
	size_t bytes = f->nwords * sizeof(*f->word);

	return f->n > bytes * 8 / PER_ADDRESS && bytes < BYTES_MAX;
}

static enum store_status
fill(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SUPPRESSIONS_AFTER);
	struct filter *f = &eng->filter;
	enum store_status status;
	size_t n = 0;

	bind_text(st, 1, f->after.data);
	bind_int(st, 2, SLICE);
	while (sql_next(eng->q, st, "read suppressions", &status, e)) {
		sql_filter_add(f, column_text(st, 0));
		if (++n < SLICE)
			continue;
		str_clear(&f->after);
		str_adds(&f->after, column_text(st, 0));
		break;
	}
	sql_reset(st);
	f->whole = status == STORE_OK && n < SLICE;
	return status;
}

static enum store_status
warm(struct sql_engine *eng, struct err *e)
{
	enum store_status status = STORE_OK;

	if (eng->filter.word == NULL || is_too_small(&eng->filter))
		status = start(eng, e);
	return status == STORE_OK && !eng->filter.whole ? fill(eng, e) : status;
}

enum store_status
sql_warm(struct engine *base, bool *more, struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	enum store_status status;
	bool behind = false;

	*more = false;
	if (eng->q->far)
		return STORE_OK;
	status = warm(eng, e);
	if (status == STORE_OK)
		status = sql_whom_warm(eng, &behind, e);
	*more = status == STORE_OK && (!eng->filter.whole || behind);
	return status;
}
