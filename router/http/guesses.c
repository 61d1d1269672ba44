/*
 * guesses.c - failed sign-ins, counted in cells that run dry.
 */
#include "router/http/guesses.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#define CELLS	   4096	 /* of each kind */
#define FORGET_MS  20000 /* a failure is forgotten after that */
#define MOST	   20	 /* failures that a cell remembers */
#define FIRST_WAIT 500	 /* ms; each failure more doubles it */
#define SECRET	   16

/* Failures for nothing: a mistyped password, or a few people behind one
 * address. */
static const struct {
	int64_t wait_most;
	int free;
} kinds[] = {
	{ GUESSES_WAIT_MOST, 3 }, /* of a user */
	{ 1000, 10 },		  /* from an address */
};
#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

struct cell {
	int failures;
	int64_t at; /* up to where they have been forgotten */
};

struct guesses {
	char secret[SECRET + 1]; /* so that nobody can aim at a cell */
	struct cell cells[KINDS][CELLS];
};

struct guesses *
guesses_new(void)
{
	struct guesses *g = xcalloc(1, sizeof(*g));

	if (RAND_bytes((unsigned char *)g->secret, SECRET) != 1)
		abort(); /* there is no safe way on */
	return g;
}

void
guesses_free(struct guesses **p)
{
	free(*p);
	*p = NULL;
}

static size_t
cell_of(const struct guesses *g, const char *key)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct str text = STR_INIT;

	str_add(&text, g->secret, SECRET);
	str_adds(&text, key);
	if (EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL) !=
	    1)
		abort(); /* out of memory */
	str_release(&text);
	return (digest[0] | (size_t)digest[1] << 8) % CELLS;
}

/* What is left of the failures by now. */
static int
remaining(const struct cell *cell, int64_t now)
{
	int64_t forgotten = (now - cell->at) / FORGET_MS;

	return forgotten < cell->failures ? cell->failures - (int)forgotten : 0;
}

static int64_t
wait_for(const struct cell *cell, int kind, int64_t now)
{
	int over = remaining(cell, now) - kinds[kind].free;
	int64_t wait = 0;

	if (over > 0)
		wait = (int64_t)FIRST_WAIT << (over < 8 ? over - 1 : 7);
	return wait < kinds[kind].wait_most ? wait : kinds[kind].wait_most;
}

int64_t
guesses_wait(
    const struct guesses *g, const char *user, const char *address, int64_t now)
{
	const char *keys[KINDS] = { user, address };
	int64_t longest = 0;

	for (int i = 0; i < KINDS; i++) {
		int64_t wait =
		    wait_for(&g->cells[i][cell_of(g, keys[i])], i, now);

		longest = wait > longest ? wait : longest;
	}
	return longest;
}

void
guesses_failed(
    struct guesses *g, const char *user, const char *address, int64_t now)
{
	const char *keys[KINDS] = { user, address };

	for (int i = 0; i < KINDS; i++) {
		struct cell *cell = &g->cells[i][cell_of(g, keys[i])];
		int left = remaining(cell, now);

		/* The part of a period that has gone by counts on. */
		cell->at = left > 0 ? now - (now - cell->at) % FORGET_MS : now;
		cell->failures = left < MOST ? left + 1 : MOST;
	}
}
