/*
 * dkim_memory.c - the memory of one signature, taken back whole.
 */
#include "mta/dkim_memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/dkim_loan.h"

struct dkim_block {
	LIST_ENTRY(dkim_block) link;
	size_t size;
	bool listed;
	max_align_t data[];
};

/* What libopendkim 2.11.0 keeps a loaded key in; only `key` matters to us. */
struct key_holder {
	unsigned char pad;
	int size;
	size_t in_len, out_len;
	EVP_PKEY *key;
	void *rsa, *source, *in, *out;
};

static struct dkim_block *
block_of(void *p)
{
	return (struct dkim_block *)(void *)((char *)p -
					     offsetof(struct dkim_block, data));
}

void
dkim_memory_init(struct dkim_memory *m)
{
	memset(m, 0, sizeof(*m));
	LIST_INIT(&m->blocks);
}

void *
dkim_memory_alloc(void *closure, size_t size)
{
	struct dkim_memory *m = closure;
	struct dkim_block *b = xcalloc(1, sizeof(*b) + size);

	b->size = size;
	if (m != NULL) {
		LIST_INSERT_HEAD(&m->blocks, b, link);
		b->listed = true;
		if (m->loading && m->holder == NULL)
			m->holder = b;
	}
	return b->data;
}

void
dkim_memory_free(void *closure, void *p)
{
	struct dkim_block *b;

	(void)closure;
	if (p == NULL)
		return;
	b = block_of(p);
	if (b->listed)
		LIST_REMOVE(b, link);
	free(b);
}

DKIM_STAT
dkim_memory_load_key(struct dkim_memory *m, DKIM *dkim, EVP_PKEY *key)
{
	struct key_holder holder;
	DKIM_STAT status;

	m->loading = true;
	dkim_loan_begin(key);
	status = dkim_privkey_load(dkim);
	dkim_loan_end();
	m->loading = false;
	if (status != DKIM_STAT_OK || m->holder == NULL ||
	    m->holder->size != sizeof(holder))
		return status;
	memcpy(&holder, m->holder->data, sizeof(holder));
	m->key = holder.key;
	return status;
}

/* The branch of dkim_free that frees the key is the one that frees the room
 * for the signature: that a block is left tells that the key is, too. */
void
dkim_memory_clear(struct dkim_memory *m)
{
	struct dkim_block *b;

	if (LIST_EMPTY(&m->blocks))
		return;
	EVP_PKEY_free(m->key);
	while ((b = LIST_FIRST(&m->blocks)) != NULL) {
		LIST_REMOVE(b, link);
		free(b);
	}
}
