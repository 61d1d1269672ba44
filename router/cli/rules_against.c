/*
 * rules_against.c - a list of addresses: `recipient` or `sender recipient` a
 * line, "#" before a comment.
 */
#include "router/cli/rules_int.h"

#include <errno.h>
#include <string.h>

#include "mta/smtp/address.h"

#define LINE_MAX_ (2 * ADDRESS_TEXT_MAX + 256) /* two addresses and a comment  \
						*/
#define TOLD_MAX 20			       /* bad lines */
#define BLANKS	 " \t\r"

struct list {
	const char *name;
	FILE *file;
	unsigned long line, bad;
	char text[LINE_MAX_];
	void (*each)(
	    void *arg, const struct address *from, const struct address *to);
	void *arg;
};

static void bad_line(struct list *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
bad_line(struct list *l, const char *fmt, ...)
{
	struct err e = ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	if (l->bad++ < TOLD_MAX)
		cli_fail("%s:%lu: %s", l->name, l->line, e.text);
}

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

static bool
read_address(struct list *l, char *word, bool sender, struct address *a)
{
	struct err e = ERR_INIT;
	int rc;

	if (sender && strcmp(word, "<>") == 0)
		word[0] = '\0';
	rc = sender ? address_parse_reverse_path(a, word, strlen(word), &e)
		    : address_parse(a, word, strlen(word), &e);
	if (rc != 0)
		bad_line(l, "cannot read the %s '%.100s': %s",
		    sender ? "sender" : "recipient", word, e.text);
	return rc == 0;
}

static void
read_line(struct list *l, size_t len)
{
	struct address from = { .null = true }, to;
	char *at = l->text, *first, *second, *third;

	if (len >= sizeof(l->text)) {
		bad_line(l, "the line is too long");
		return;
	}
	if (memchr(l->text, '\0', len) != NULL) {
		bad_line(l, "the line holds a NUL");
		return;
	}
	first = next_word(&at);
	second = first ? next_word(&at) : NULL;
	third = second ? next_word(&at) : NULL;
	if (first == NULL)
		return;
	if (third != NULL)
		bad_line(l, "expected 'recipient' or 'sender recipient', got "
			    "more than two words");
	else if ((second == NULL || read_address(l, first, true, &from)) &&
		 read_address(l, second ? second : first, false, &to))
		l->each(l->arg, &from, &to);
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
