/*
 * dkim_memory.h - the memory of one signature, taken back whole.
 *
 * libopendkim 2.11.0 forgets the key of every Ed25519 signature, more than 1 KB each time (its
 * issue 321). All it allocates for a signature therefore goes through here, so that what it leaves
 * behind is seen and freed. A library that leaves nothing behind is not meddled with.
 */
#ifndef MTA_DKIM_MEMORY_H
#define MTA_DKIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <dkim.h>
#include <openssl/evp.h>

struct dkim_block;

struct dkim_memory {
	LIST_HEAD(, dkim_block) blocks; /* not yet freed */
	struct dkim_block *holder;      /* first block while a key is loaded: holds it */
	bool loading;
	void *key;                      /* EVP_PKEY that the holder held */
};

void dkim_memory_init(struct dkim_memory *);
/* After dkim_free: frees what the library has left. */
void dkim_memory_clear(struct dkim_memory *);

/* For dkim_init; the closure is the struct dkim_memory given to dkim_sign, or NULL. */
void *dkim_memory_alloc(void *closure, size_t size);
void dkim_memory_free(void *closure, void *p);

/* dkim_privkey_load of a key that is parsed already, keeping in mind where it is. */
DKIM_STAT dkim_memory_load_key(struct dkim_memory *, DKIM *, EVP_PKEY *);

#endif
