/*
 * form_recipient.c - which lines of a bounce name a recipient, and its other
 * name.
 *
 * "a@b", "<a@b>: text", "a@b... text", "a@b [text]", "'a@b' on Mon, 1 Jan",
 * "Name<mailto:a@b>": what mail systems make of a list. An address that a
 * diagnosis begins a line with is none of them, it stands deeper or is the last
 * recipient's own.
 */
#include "router/feedback/form_int.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "router/feedback/report_int.h"

/* As a report's recipients are read (report_int.h), which has the last word. */
static bool
is_address(struct piece s)
{
	struct span rest = { s.at, s.len };
	struct str clean = STR_INIT;
	bool is = address_next(&clean, &rest);

	str_release(&clean);
	return is;
}

struct form_found *
form_walk_add(struct form_walk *w, struct piece address)
{
	for (size_t i = 0; i < w->n; i++)
		if (form_same(w->found[i].address, address))
			return &w->found[i];
	if (w->n == REPORT_RECIPIENTS_MAX || !is_address(address))
		return NULL;
	w->found[w->n] = (struct form_found){ .address = address };
	return &w->found[w->n++];
}

static const char *const no_recipients[] = { "mailto:postmaster", NULL };

/* Words that may stand between a recipient and its diagnosis. */
static const char *const separators[] = { ":", "...", "(", "[", ";", ",", "- ",
	"<mailto:", "on ", "<", "=>" };

static bool
separates(struct piece rest)
{
	for (size_t i = 0; i < sizeof separators / sizeof *separators; i++)
		if (rest.len >= strlen(separators[i]) &&
		    strncasecmp(
			rest.at, separators[i], strlen(separators[i])) == 0)
			return true;
	return false;
}

/* "Taro Yamada<mailto:taro@example.jp>": what Outlook makes of a recipient. */
static struct piece
linked(struct piece s)
{
	const char *p = memmem(s.at, s.len, "<mailto:", 8);
	struct piece rest;

	if (p == NULL || s.len - (size_t)(p - s.at) > 330)
		return (struct piece){ s.at, 0 };
	return form_address_first(
	    (struct piece){ p, s.len - (size_t)(p - s.at) }, &rest);
}

/* The recipient that the line begins with, len 0 when it does not. */
struct piece
form_recipient(struct piece s, struct piece *rest)
{
	struct piece a;

	while (s.len > 0 && (*s.at == '>' || *s.at == ' '))
		s = form_behind(s, 1);
	a = form_address_first(s, rest);
	*rest = form_trim(*rest);
	if (a.len == 0) {
		a = linked(s);
		*rest = (struct piece){ s.at + s.len, 0 };
		return a;
	}
	if (rest->len > 0 && !separates(*rest) && *s.at != '<' &&
	    (rest->at == a.at + a.len))
		a.len = 0;
	return a;
}

static struct piece
without_marks(struct piece s)
{
	while (s.len > 0 && strchr(":.,;([->< \t", *s.at) != NULL)
		s = form_behind(s, 1);
	return s;
}

/* What follows a recipient on its line is its diagnosis, less brackets and what
 * is none: the time ("on Thu, 29 Apr"), the other name. */
struct piece
form_remainder(struct piece rest, struct form_found *f)
{
	struct piece a, behind;

	if (rest.len > 2 && strncasecmp(rest.at, "on ", 3) == 0)
		return (struct piece){ rest.at, 0 };
	if (rest.len > 8 && strncasecmp(rest.at, "<mailto:", 8) == 0)
		return (struct piece){ rest.at, 0 };
	/* Which error it is the transcript tells. */
	if (rest.len > 15 && strncasecmp(rest.at, "(unrecoverable", 14) == 0)
		return (struct piece){ rest.at, 0 };
	if (rest.len > 15 && strncasecmp(rest.at, "(expanded from", 14) == 0) {
		const char *end = memchr(rest.at, ')', rest.len);

		a = form_address(rest);
		if (end == NULL)
			end = rest.at + rest.len - 1;
		if (a.at < end)
			f->alias = a;
		rest = form_behind(rest, (size_t)(end + 1 - rest.at));
	}
	rest = without_marks(rest);
	/* "<a@b> <a@b>", "a@b (a@b... text)": the name again. */
	a = form_address_first(rest, &behind);
	if (a.len > 0 && form_same(a, f->address))
		rest = without_marks(behind);
	return form_trim(rest);
}

bool
form_is_bare(struct piece rest)
{
	while (rest.len > 0 && strchr(" :;,.>\r", *rest.at) != NULL)
		rest = form_behind(rest, 1);
	return rest.len == 0;
}

/* ", c@d, e@f": all of one line. False: something else follows. */
static bool
take_more(struct form_walk *w, struct piece rest)
{
	bool any = false;

	while (rest.len > 0 && (*rest.at == ',' || *rest.at == ';')) {
		struct piece next = form_trim(form_behind(rest, 1)), a;

		a = form_address_first(next, &rest);
		if (a.len == 0)
			break;
		w->open = form_walk_add(w, a);
		rest = form_trim(rest);
		any = true;
	}
	return any;
}

/* The line as a recipient of the list; false when it is no recipient, or only
 * goes on with what is said of the last one. */
bool
form_take_recipient(struct form_walk *w, const struct text_line *l)
{
	struct piece rest, a = form_recipient(l->text, &rest);
	struct form_found *f;

	if (a.len == 0 || form_has_any(a, no_recipients))
		return false;
	if (w->open != NULL && !w->blank &&
	    (form_same(a, w->open->address) || l->indent > w->indent))
		return false;
	f = form_walk_add(w, a);
	if (f == NULL)
		return true;
	if (w->n == 1)
		w->indent = l->indent;
	w->open = f;
	if (!take_more(w, rest))
		f->why = form_remainder(rest, f);
	return true;
}

/* Exim's "(generated from a@b)", Sendmail's "(expanded from: <a@b>)". */
bool
form_take_alias(struct form_found *f, struct piece s)
{
	static const char *const words[] = { "generated from", "expanded from",
		"generated by", "forwarded to", NULL };

	if (s.len > 300 || !form_has_any(s, words))
		return false;
	f->alias = form_address(s);
	return f->alias.len > 0;
}

/* What was delivered to no address but to a program or a file names on its next
 * line whose it was: "generated by a@b", "(expanded from: <a@b>)". */
bool
form_take_origin(struct form_walk *w, struct piece s)
{
	static const char *const words[] = { "generated by ", "expanded from",
		NULL };
	struct piece a = form_address(s);

	if (s.len > 300 || a.len == 0 || !form_has_any(s, words))
		return false;
	w->open = form_walk_add(w, a);
	return true;
}
