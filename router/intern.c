/*
 * intern.c - one string for equal text, for the life of the process.
 *
 * Routes are compared and copied by the thousand; with interned names that is a
 * pointer each and no question of who frees it. The table only grows, which is
 * why only names that configuration bounds may come in here.
 */
#include "router/message.h"

#include "mta/base/alloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct name {
	struct name *next;
	uint32_t hash;
	char text[];
};

/* All guarded by lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct name **table;
static size_t nslots, nnames;

static uint32_t
hash_of(const char *s) /* FNV-1a */
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static void
grow(void)
{
	size_t n = nslots == 0 ? 256 : nslots * 2;
	struct name **slots = xcalloc(n, sizeof(struct name *)), *p;

	for (size_t i = 0; i < nslots; i++)
		while ((p = table[i]) != NULL) {
			table[i] = p->next;
			p->next = slots[p->hash & (n - 1)];
			slots[p->hash & (n - 1)] = p;
		}
	free(table);
	table = slots;
	nslots = n;
}

static struct name *
find_or_add(const char *text)
{
	uint32_t h = hash_of(text);
	size_t len = strlen(text);
	struct name *p;

	if (nnames >= nslots)
		grow();
	for (p = table[h & (nslots - 1)]; p != NULL; p = p->next)
		if (p->hash == h && strcmp(p->text, text) == 0)
			return p;
	p = xmalloc(sizeof(*p) + len + 1);
	p->hash = h;
	memcpy(p->text, text, len + 1);
	p->next = table[h & (nslots - 1)];
	table[h & (nslots - 1)] = p;
	nnames++;
	return p;
}

const char *
intern(const char *text)
{
	struct name *p;

	if (*text == '\0')
		return "";
	pthread_mutex_lock(&lock);
	p = find_or_add(text);
	pthread_mutex_unlock(&lock);
	return p->text;
}
