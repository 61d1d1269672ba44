/*
 * value.h - what stands behind `set THING KEY` in a control line.
 */
#ifndef TESTS_SANDBOX_VALUE_H
#define TESTS_SANDBOX_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/err.h"

int value_switch(const char *value, bool *to, struct err *);    /* "on", "off" */
int value_number(const char *value, unsigned *to, struct err *); /* up to 2^31 */
/* The place of a word in a list that ends with NULL. */
int value_word(const char *value, const char *const *words, unsigned *to, struct err *);

/* Settings of one thing as a table: a row sets a bool, a number or, with words, a choice. */
struct value_row {
	const char *key;
	bool *on;
	unsigned *number;
	const char *const *words;
};
int value_set(const struct value_row *rows, size_t n, const char *key, const char *value, struct err *);

/* Cuts the next word off a line of arguments; "" at its end. */
char *value_next(char **rest);

#endif
