/*
 * mail_scope.c - which mail something is about.
 */
#include "router/mail_scope.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define VALUE_MAX 255 /* bytes: a domain's */

static const struct word {
	const char *name;
	size_t field;
	bool domain; /* in lower case, and the same in any */
} words[] = {
	{ "path", offsetof(struct mail_scope, path), false },
	{ "carrier", offsetof(struct mail_scope, carrier), false },
	{ "sender", offsetof(struct mail_scope, sender), true },
	{ "user", offsetof(struct mail_scope, user), false },
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static const char *
value_of(const struct mail_scope *scope, size_t word)
{
	const char *const *field =
	    (const void *)((const char *)scope + words[word].field);

	return *field;
}

static void
set_value(struct mail_scope *scope, size_t word, const char *value)
{
	const char **field = (void *)((char *)scope + words[word].field);

	*field = value;
}

/* -- reading ------------------------------------------------------------- */

static size_t
find_word(const char *name, size_t len)
{
	size_t i = 0;

	while (i < WORDS && (strlen(words[i].name) != len ||
				memcmp(words[i].name, name, len) != 0))
		i++;
	return i;
}

/* Where each value begins in the text, and whether it was given at all. */
struct reading {
	size_t at[WORDS];
	bool given[WORDS];
};

static int
take_value(struct reading *rd, size_t word, const char *value, size_t len,
    struct str *text, struct err *e)
{
	const char *name = words[word].name;

	if (rd->given[word])
		return err_set(e, "'%s' given twice", name);
	if (len == 0 || len > VALUE_MAX)
		return err_set(e, "%s value of '%s'",
		    len == 0 ? "no" : "too long a", name);
	if (str_has_control(value, len))
		return err_set(
		    e, "control character in the value of '%s'", name);
	rd->given[word] = true;
	rd->at[word] = text->len;
	str_add(text, value, len);
	str_addc(text, '\0');
	for (char *p = text->data + rd->at[word]; words[word].domain && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return 0;
}

static int
take_word(struct reading *rd, const char *word, size_t len, struct str *text,
    struct err *e)
{
	const char *equals = memchr(word, '=', len);
	size_t name = equals != NULL ? (size_t)(equals - word) : len;
	size_t i = find_word(word, name);

	if (i == WORDS || equals == NULL)
		return err_set(e,
		    "expected path=, carrier=, sender= or user=, not '%.*s'",
		    (int)(len < VALUE_MAX ? len : VALUE_MAX), word);
	return take_value(rd, i, equals + 1, len - name - 1, text, e);
}

/* Blanks part words; all that the C locale calls one would let line ends pass.
 */
int
mail_scope_read(
    const char *from, struct mail_scope *scope, struct str *text, struct err *e)
{
	struct reading rd = { .given = { false } };
	struct str values = STR_INIT;
	size_t len, n = 0;
	int rc = 0;

	for (; rc == 0 && *(from += strspn(from, " ")) != '\0'; from += len) {
		len = strcspn(from, " ");
		rc = take_word(&rd, from, len, &values, e);
		n++;
	}
	if (rc == 0 && n == 0)
		rc = err_set(e, "expected path=, carrier=, sender= or user=");
	if (rc != 0) {
		str_release(&values);
		return -1;
	}
	str_release(text);
	*text = values;
	for (size_t i = 0; i < WORDS; i++)
		set_value(scope, i, rd.given[i] ? text->data + rd.at[i] : "");
	return 0;
}

/* -- the rest ------------------------------------------------------------ */

void
mail_scope_add(struct str *out, const struct mail_scope *scope)
{
	const char *between = "";

	for (size_t i = 0; i < WORDS; i++) {
		if (value_of(scope, i)[0] == '\0')
			continue;
		str_addf(
		    out, "%s%s=%s", between, words[i].name, value_of(scope, i));
		between = " ";
	}
}

bool
mail_scope_holds(const struct mail_scope *scope, const struct mail_scope *mail)
{
	for (size_t i = 0; i < WORDS; i++) {
		const char *wanted = value_of(scope, i);
		const char *value = value_of(mail, i);

		if (wanted[0] == '\0')
			continue;
		if (words[i].domain ? strcasecmp(wanted, value) != 0
				    : strcmp(wanted, value) != 0)
			return false;
	}
	return true;
}
