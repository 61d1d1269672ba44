/*
 * rules_against.c - a list of addresses: `recipient` or `sender recipient` a
 * line, "#" before a comment.
 */
#include "router/cli/rules_int.h"

#include <errno.h>
#include <string.h>

#include "mta/smtp/address.h"

/* Two addresses and a comment. */
#define LINE_ROOM (2 * ADDRESS_TEXT_MAX + 256)
#define TOLD_MAX  20 /* bad lines */
#define BLANKS	  " \t\r"

struct list {
	const char *name;
	FILE *file;
	unsigned long line, bad;
	char text[LINE_ROOM];
	void (*each)(
	    void *arg, const struct address *from, const struct address *to);
	void *arg;
};

/* The next line without its end, cut at what there is room for; *len is of the
 * whole. False: there is no more. */
static bool
next_line(struct list *l, size_t *len)
{
	int c;

	*len = 0;
	while ((c = getc_unlocked(l->file)) != EOF && c != '\n')
		if ((*len)++ < sizeof(l->text) - 1)
			l->text[*len - 1] = (char)c;
	if (c == EOF && *len == 0)
		return false;
	l->text[*len < sizeof(l->text) ? *len : sizeof(l->text) - 1] = '\0';
	l->line++;
	return true;
}

/* The next word, ended by a NUL; NULL at the end or before a comment. */
static char *
next_word(char **at)
{
	char *word = *at + strspn(*at, BLANKS);
	size_t len = strcspn(word, BLANKS);

	if (*word == '\0' || *word == '#')
		return NULL;
	*at = word + len + (word[len] != '\0');
	word[len] = '\0';
	return word;
}

static int
read_address(char *word, bool sender, struct address *a, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	if (sender && strcmp(word, "<>") == 0)
		word[0] = '\0';
	rc = sender ? address_parse_reverse_path(a, word, strlen(word), &why)
		    : address_parse(a, word, strlen(word), &why);
	if (rc == 0)
		return 0;
	return err_set(e, "cannot read the %s '%.100s': %s",
	    sender ? "sender" : "recipient", word, why.text);
}

int
rules_against_line(char *text, size_t len, struct address *from,
    struct address *to, struct err *e)
{
	char *at = text, *first, *second, *third;

	*from = (struct address){ .null = true };
	if (memchr(text, '\0', len) != NULL)
		return err_set(e, "the line holds a NUL");
	first = next_word(&at);
	second = first ? next_word(&at) : NULL;
	third = second ? next_word(&at) : NULL;
	if (first == NULL)
		return 0;
	if (third != NULL)
		return err_set(e, "expected 'recipient' or 'sender recipient', "
				  "got more than two words");
	if (second != NULL && read_address(first, true, from, e) != 0)
		return -1;
	return read_address(second ? second : first, false, to, e) == 0 ? 1
									: -1;
}

static void
read_line(struct list *l, size_t len)
{
	struct err e = ERR_INIT;
	struct address from, to;
	int rc;

	if (len >= sizeof(l->text))
		rc = err_set(&e, "the line is too long");
	else
		rc = rules_against_line(l->text, len, &from, &to, &e);
	if (rc > 0)
		l->each(l->arg, &from, &to);
	else if (rc < 0 && l->bad++ < TOLD_MAX)
		cli_fail("%s:%lu: %s", l->name, l->line, e.text);
}

int
rules_against(const char *file,
    void (*each)(
	void *arg, const struct address *from, const struct address *to),
    void *arg)
{
	struct list l = { .name = file, .each = each, .arg = arg };
	size_t len;

	l.file = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	if (l.file == NULL) {
		cli_fail("cannot read '%s': %s", file, strerror(errno));
		return -1;
	}
	while (next_line(&l, &len))
		read_line(&l, len);
	if (ferror(l.file)) {
		cli_fail("cannot read '%s': %s", file, strerror(errno));
		l.bad++;
	}
	if (l.bad > TOLD_MAX)
		cli_fail("... and %lu more bad lines", l.bad - TOLD_MAX);
	if (l.file != stdin)
		fclose(l.file);
	return l.bad == 0 ? 0 : -1;
}
