/*
 * dkim_tags.c - lists such as "v=DKIM1; k=rsa; p=..." (RFC 6376 3.2).
 */
#include "mta/dkim_tags.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANKS	" \t\r\n"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct dkim_shown
dkim_show(const char *text)
{
	struct dkim_shown s;
	size_t n;

	for (n = 0; n < sizeof(s.text) - 1 && text[n] != '\0'; n++)
		s.text[n] =
		    (char)(text[n] < ' ' || text[n] > '~' ? '?' : text[n]);
	s.text[n] = '\0';
	return s;
}

/* Cuts blanks off both ends. */
static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	len = strlen(text);
	while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return text;
}

static bool
is_name(const char *name)
{
	return *name != '\0' && strchr(LETTERS, *name) != NULL &&
	       name[strspn(name, LETTERS "0123456789_")] == '\0';
}

static int
keep(struct dkim_tags *t, const char *name, char *value,
    char what[static DKIM_TAGS_WHAT])
{
	const char *known =
	    name[1] == '\0' ? strchr(t->letters, name[0]) : NULL;
	char **place;

	t->seen++;
	if (known == NULL)
		return 0;
	place = &t->value[known - t->letters];
	if (*place != NULL) {
		snprintf(what, DKIM_TAGS_WHAT, "%s= is there twice", name);
		return -1;
	}
	*place = trim(value);
	if (t->seen == 1)
		t->first = name[0];
	return 0;
}

static int
read_tag(struct dkim_tags *t, char *tag, char what[static DKIM_TAGS_WHAT])
{
	char *value = strchr(tag, '=');
	const char *name;

	if (value == NULL) {
		snprintf(what, DKIM_TAGS_WHAT, "'%s' is no tag: '=' is missing",
		    dkim_show(tag).text);
		return -1;
	}
	*value++ = '\0';
	name = trim(tag);
	if (!is_name(name)) {
		snprintf(what, DKIM_TAGS_WHAT, "'%s' is no name of a tag",
		    dkim_show(name).text);
		return -1;
	}
	return keep(t, name, value, what);
}

int
dkim_tags_read(struct dkim_tags *t, const char *letters, char *text,
    char what[static DKIM_TAGS_WHAT])
{
	char *tag, *rest = text;

	assert(strlen(letters) <= DKIM_TAGS_MAX);
	*t = (struct dkim_tags){ .letters = letters };
	while ((tag = strsep(&rest, ";")) != NULL) {
		tag = trim(tag);
		if (*tag == '\0' && rest == NULL && t->seen > 0)
			break; /* behind a ';' at the end */
		if (read_tag(t, tag, what) != 0)
			return -1;
	}
	return 0;
}

const char *
dkim_tags_get(const struct dkim_tags *t, char letter)
{
	const char *known = strchr(t->letters, letter);

	assert(letter != '\0' && known != NULL);
	return t->value[known - t->letters];
}

bool
dkim_tags_has(const char *list, const char *member)
{
	size_t len = strlen(member);

	for (;;) {
		size_t n, all = strcspn(list, ":");

		n = strspn(list, BLANKS);
		if (n < all && all - n >= len &&
		    strncasecmp(list + n, member, len) == 0 &&
		    n + len + strspn(list + n + len, BLANKS) >= all)
			return true;
		if (list[all] == '\0')
			return false;
		list += all + 1;
	}
}
