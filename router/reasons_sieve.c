/*
 * reasons_sieve.c - all plain parts of a table, found in one pass over a text.
 *
 * Each literal is hung up by three bytes of it, those that the fewest other
 * literals have. At each place of the text a filter of 64 Ki bits says whether
 * any literal hangs there, and only then is one compared. Memory is linear in
 * the literals, and the work at one place of the text is bounded by how many of
 * them hang by the same three bytes.
 */
#include "router/reasons_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

#define FILTER_BITS 16

struct hung {
	const char *text;
	uint16_t len, at; /* at: where in it the three bytes are */
	uint32_t next;	  /* + 1; 0: none */
};

struct sieve {
	uint64_t filter[(1u << FILTER_BITS) / 64];
	struct hung *hung; /* by the number of the literal */
	uint32_t *buckets; /* + 1; 0: empty */
	unsigned shift;
};

static uint32_t
hash_of(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;

	return (b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16) *
	       0x9e3779b1u;
}

/* How often three bytes occur in all literals, by their hash. */
static uint32_t *
count_all(const char *const *literals, size_t n)
{
	uint32_t *count = xcalloc(1u << FILTER_BITS, sizeof(*count));

	for (size_t i = 0; i < n; i++)
		for (const char *p = literals[i]; p[2] != '\0'; p++)
			count[hash_of(p) >> (32 - FILTER_BITS)]++;
	return count;
}

static uint16_t
rarest(const char *text, const uint32_t *count)
{
	uint32_t least = UINT32_MAX;
	uint16_t at = 0;

	for (uint16_t i = 0; text[i + 2] != '\0'; i++) {
		uint32_t n = count[hash_of(text + i) >> (32 - FILTER_BITS)];

		if (n < least) {
			least = n;
			at = i;
		}
	}
	return at;
}

static void
hang(struct sieve *s, uint32_t i, const char *text, const uint32_t *count)
{
	struct hung *h = &s->hung[i];
	uint32_t hash, bit;

	h->text = text;
	h->len = (uint16_t)strlen(text);
	h->at = rarest(text, count);
	hash = hash_of(text + h->at);
	bit = hash >> (32 - FILTER_BITS);
	s->filter[bit / 64] |= UINT64_C(1) << bit % 64;
	h->next = s->buckets[hash >> s->shift];
	s->buckets[hash >> s->shift] = i + 1;
}

struct sieve *
reasons_sieve_new(const char *const *literals, size_t n)
{
	struct sieve *s = xcalloc(1, sizeof(*s));
	uint32_t *count = count_all(literals, n);
	unsigned bits = 4;

	while ((size_t)1 << bits < 2 * n)
		bits++;
	s->shift = 32 - bits;
	s->hung = xcalloc(n + 1, sizeof(*s->hung));
	s->buckets = xcalloc((size_t)1 << bits, sizeof(*s->buckets));
	for (size_t i = 0; i < n; i++)
		hang(s, (uint32_t)i, literals[i], count);
	free(count);
	return s;
}

void
reasons_sieve_free(struct sieve **p)
{
	struct sieve *s = *p;

	*p = NULL;
	if (s == NULL)
		return;
	free(s->hung);
	free(s->buckets);
	free(s);
}

void
reasons_sieve_run(const struct sieve *s, const char *text, size_t len,
    reasons_sieve_found *found, void *arg)
{
	for (size_t i = 0; i + 2 < len; i++) {
		uint32_t hash = hash_of(text + i);
		uint32_t bit = hash >> (32 - FILTER_BITS);

		if ((s->filter[bit / 64] >> bit % 64 & 1) == 0)
			continue;
		for (uint32_t k = s->buckets[hash >> s->shift]; k != 0;
		     k = s->hung[k - 1].next) {
			const struct hung *h = &s->hung[k - 1];

			if (h->at <= i && len - (i - h->at) >= h->len &&
			    memcmp(text + i - h->at, h->text, h->len) == 0)
				found(arg, k - 1);
		}
	}
}
