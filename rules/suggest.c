/*
 * suggest.c - the name that was probably meant.
 *
 * Optimal string alignment distance: a letter missing, extra, wrong, or two
 * neighbours swapped each count one.
 */
#include "rules/report.h"

#include <string.h>

#include "rules/hash_int.h"

#define WORD_MAX  64
#define NAMES_MAX 1000 /* looked at */

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned
distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned row[3][WORD_MAX + 1];
	unsigned *old = row[0], *last = row[1], *now = row[2], *spare;

	for (unsigned j = 0; j <= nb; j++)
		last[j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned char ca = ascii_lower((unsigned char)a[i - 1]);

		now[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			unsigned char cb = ascii_lower((unsigned char)b[j - 1]);

			now[j] = min3(last[j] + 1, now[j - 1] + 1,
			    last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && old[j - 2] + 1 < now[j] &&
			    ca == ascii_lower((unsigned char)b[j - 2]) &&
			    cb == ascii_lower((unsigned char)a[i - 2]))
				now[j] = old[j - 2] + 1;
		}
		spare = old;
		old = last;
		last = now;
		now = spare;
	}
	return last[nb];
}

const char *
rules_suggest(const char *word, const char *const *names, size_t n)
{
	size_t len = strlen(word), nlen;
	const char *best = NULL;
	unsigned d, least;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	least = (len < 6 ? 1 : (unsigned)len / 3) + 1;
	for (size_t i = 0; i < n && i < NAMES_MAX; i++) {
		nlen = strlen(names[i]);
		if (nlen > WORD_MAX || nlen + least <= len ||
		    len + least <= nlen)
			continue;
		d = distance(word, len, names[i], nlen);
		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}
