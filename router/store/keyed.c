/*
 * keyed.c - things found by a byte string.
 *
 * A key is several strings, each with its NUL, as one: compared and hashed at
 * once. Open addressing; nothing is taken out but all together.
 */
#include "router/store/store_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Fibonacci hashing, eight bytes at a time: of this process only. */
uint32_t
keyed_hash(const char *p, size_t len)
{
	uint64_t h = len, word;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = len < sizeof(word) ? len : sizeof(word);
		word = 0;
		memcpy(&word, p, n);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

static struct keyed **
slot_of(const struct keyed_table *t, uint32_t hash, const char *key, size_t len)
{
	size_t i = hash & (t->nslots - 1);
	struct keyed *k;

	for (; (k = t->slot[i]) != NULL; i = (i + 1) & (t->nslots - 1))
		if (k->hash == hash && k->len == len &&
		    memcmp(k->key, key, len) == 0)
			break;
	return &t->slot[i];
}

struct keyed *
keyed_find(const struct keyed_table *t, const struct str *key)
{
	if (t->n == 0)
		return NULL;
	return *slot_of(t, keyed_hash(key->data, key->len), key->data, key->len);
}

static void
grow(struct keyed_table *t)
{
	struct keyed_table bigger = *t;

	bigger.nslots = t->nslots == 0 ? 64 : t->nslots * 2;
	bigger.slot = xcalloc(bigger.nslots, sizeof(struct keyed *));
	for (size_t i = 0; i < t->nslots; i++) {
		struct keyed *k = t->slot[i];

		if (k != NULL)
			*slot_of(&bigger, k->hash, k->key, k->len) = k;
	}
	free(t->slot);
	*t = bigger;
}

void *
keyed_add(struct keyed_table *t, size_t size, const struct str *key)
{
	struct keyed *k = xcalloc(1, size + key->len);

	if (t->n * 2 >= t->nslots)
		grow(t);
	k->key = (char *)k + size;
	k->len = key->len;
	k->hash = keyed_hash(key->data, key->len);
	memcpy(k->key, key->data, key->len);
	*slot_of(t, k->hash, k->key, k->len) = k;
	t->n++;
	return k;
}

void
keyed_clear(struct keyed_table *t, void (*release)(struct keyed *))
{
	for (size_t i = 0; i < t->nslots && t->n > 0; i++) {
		if (t->slot[i] == NULL)
			continue;
		if (release != NULL)
			release(t->slot[i]);
		free(t->slot[i]);
		t->slot[i] = NULL;
		t->n--;
	}
}

/* -- what is counted apart -------------------------------------------------- */

#define PARTS 7

void
tally_key_add(struct str *to, const struct tally_key *k)
{
	const char *part[PARTS] = { k->path, k->carrier, k->group, k->sender,
		k->source, k->rule, k->configuration_set };

	for (size_t i = 0; i < PARTS; i++)
		str_add(to, part[i], strlen(part[i]) + 1);
}

void
tally_key_read(struct tally_key *k, const char *p)
{
	const char **part[PARTS] = { &k->path, &k->carrier, &k->group,
		&k->sender, &k->source, &k->rule, &k->configuration_set };

	for (size_t i = 0; i < PARTS; i++) {
		*part[i] = p;
		p += strlen(p) + 1;
	}
}

bool
tally_key_is_whole(const char *p, size_t len)
{
	size_t parts = 0;

	for (size_t i = 0; i < len; i++)
		parts += p[i] == '\0';
	return parts == PARTS && p[len - 1] == '\0';
}

bool
tally_key_fold(struct tally_key *k, size_t nkeys)
{
	static const char any[] = "*";

	if (nkeys < TALLY_KEYS_OF_GROUPS)
		return false;
	if (k->group != any && k->carrier[0] == '\0' &&
	    strcmp(k->group, TALLY_SIMULATOR) != 0) {
		k->group = any;
		return true;
	}
	if (nkeys < TALLY_KEYS_OF_SENDERS)
		return false;
	if (k->sender != any) {
		k->sender = any;
		return true;
	}
	if (nkeys < TALLY_KEYS_MAX || k->rule == any)
		return false;
	k->rule = k->configuration_set = any;
	return true;
}
