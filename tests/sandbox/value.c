/*
 * value.c - what stands behind `set THING KEY` in a control line.
 */
#include "tests/sandbox/value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int
value_switch(const char *value, bool *to, struct err *e)
{
	bool on = strcmp(value, "on") == 0;

	if (!on && strcmp(value, "off") != 0)
		return err_set(e, "expected 'on' or 'off', not '%s'", value);
	*to = on;
	return 0;
}

int
value_number(const char *value, unsigned *to, struct err *e)
{
	unsigned long n;
	char *end;

	n = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end != '\0' || n > 1u << 31)
		return err_set(e, "expected a number, not '%s'", value);
	*to = (unsigned)n;
	return 0;
}

int
value_word(
    const char *value, const char *const *words, unsigned *to, struct err *e)
{
	unsigned i;

	for (i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], value) == 0) {
			*to = i;
			return 0;
		}
	}
	return err_set(e, "'%s' is none of the choices", value);
}

int
value_set(const struct value_row *rows, size_t n, const char *key,
    const char *value, struct err *e)
{
	size_t i;

	for (i = 0; i < n && strcmp(rows[i].key, key) != 0; i++)
		continue;
	if (i == n)
		return err_set(e, "unknown setting '%s'", key);
	if (rows[i].on != NULL)
		return value_switch(value, rows[i].on, e);
	if (rows[i].words != NULL)
		return value_word(value, rows[i].words, rows[i].number, e);
	return value_number(value, rows[i].number, e);
}

char *
value_next(char **rest)
{
	char *word = *rest + strspn(*rest, " ");
	size_t n = strcspn(word, " ");

	*rest = word + n;
	if (**rest != '\0')
		*(*rest)++ = '\0';
	*rest += strspn(*rest, " ");
	return word;
}
