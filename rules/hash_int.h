/*
 * hash_int.h - the two hashes of rules/.
 *
 * Table keys are hashed from their last byte to their first, so that one walk from the end of
 * a.b.example.jp passes through the hashes of jp, example.jp, b.example.jp and the whole name.
 * The 64-bit one is FNV-1a; its results are seen outside (version, splits) and never change.
 */
#ifndef RULES_HASH_INT_H
#define RULES_HASH_INT_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START   2166136261u
#define HASH64_START 0xcbf29ce484222325u

static inline unsigned char
ascii_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static inline uint32_t
hash_step(uint32_t h, unsigned char c)
{
	return (h ^ c) * 16777619u;
}

static inline uint32_t
hash_backwards(const char *s, size_t len)
{
	uint32_t h = HASH_START;

	while (len > 0)
		h = hash_step(h, (unsigned char)s[--len]);
	return h;
}

static inline uint64_t
hash64_step(uint64_t h, unsigned char c)
{
	return (h ^ c) * 0x100000001b3u;
}

static inline uint64_t
hash64(uint64_t h, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = hash64_step(h, (unsigned char)s[i]);
	return h;
}

/* Spreads every bit over all (the finalizer of MurmurHash3). */
static inline uint64_t
hash64_mix(uint64_t h)
{
	h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
	h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
	return h ^ (h >> 33);
}

#endif
