/*
 * dkim_tags.h - lists such as "v=DKIM1; k=rsa; p=..." (RFC 6376 3.2), from outside.
 */
#ifndef MTA_DKIM_TAGS_H
#define MTA_DKIM_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#define DKIM_TAGS_MAX  8
#define DKIM_TAGS_WHAT 128

struct dkim_tags {
	const char *letters;        /* the tags that matter: names of one letter, of different ones */
	char *value[DKIM_TAGS_MAX]; /* in their order, without blanks around; NULL: not there */
	char first;                 /* letter of the list's first tag, NUL when it is none of them */
	size_t seen;                /* tags so far, unknown ones too */
};

/*
 * Reads the list in `text`, which it cuts up and whose pieces it borrows. 0, or -1 with what is
 * wrong, printable.
 */
int dkim_tags_read(struct dkim_tags *, const char *letters, char *text,
    char what[static DKIM_TAGS_WHAT]);
/* The value of a tag; NULL: not there. */
const char *dkim_tags_get(const struct dkim_tags *, char letter);
/* Whether a value that is a list "a:b:c" has this member, in any case of letters. */
bool dkim_tags_has(const char *list, const char *member);

/* So much of a text from outside as a person needs to recognise it, printable. */
struct dkim_shown {
	char text[33];
};
struct dkim_shown dkim_show(const char *text);

#endif
