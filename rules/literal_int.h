/*
 * literal_int.h - the items of a pattern's text, between literal_item.c and literal.c.
 */
#ifndef RULES_LITERAL_INT_H
#define RULES_LITERAL_INT_H

#include "rules/sieve_int.h"

struct cursor {
	const unsigned char *p, *end;
	bool caseless;
};

/* One thing of the pattern and how often it stands there. */
struct item {
	struct byte_set set[4]; /* what its bytes may be */
	size_t n;               /* 0: unknown, nothing included */
	size_t min;             /* repeated at least so often ... */
	bool exact;             /* ... and no more */
};

/* Reads an item and what repeats it. False if the pattern cannot be followed from there on. */
bool literal_item(struct cursor *, struct item *);

#endif
