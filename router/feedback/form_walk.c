/*
 * form_walk.c - reads a bounce's text line by line.
 *
 * What known lines mean is in the tables (form_line_find); what lies between
 * them is a recipient or a piece of a diagnosis, by where it stands. Nothing is
 * copied: what is found are pieces of the text.
 */
#include "router/feedback/form_int.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* How long the ornament is that the piece begins with; 0: none. */
static size_t
ornament_at(struct piece s)
{
	static const char *const marks[] = { "\xe2\x96", "\xe2\x97", /* blocks */
		"\xe2\x98\x85", "\xe2\x98\x86", "※", "・", "【", "［" };

	if (s.len > 0 && strchr(" \t-=*#_|\r", *s.at) != NULL && *s.at != '\0')
		return 1;
	for (size_t i = 0; s.len >= 3 && i < sizeof marks / sizeof *marks; i++)
		if (memcmp(s.at, marks[i], strlen(marks[i])) == 0)
			return 3;
	return 0;
}

struct piece
form_without_ornament(struct piece line)
{
	size_t n;

	while ((n = ornament_at(line)) > 0)
		line = form_behind(line, n);
	return form_trim(line);
}

static struct text_line
line_of(const char *p, size_t len)
{
	struct text_line l = { .raw = { p, len } };

	l.text = form_without_ornament(l.raw);
	while (l.indent < len && isspace((unsigned char)p[l.indent]))
		l.indent++;
	return l;
}

static struct piece
cut(struct piece s, size_t most)
{
	if (s.len > most)
		s.len = most;
	return s;
}

/* The piece grows to the end of that line, or begins with it. */
static void
extend(struct piece *s, struct piece with)
{
	if (s->len == 0)
		*s = with;
	else
		s->len = (size_t)(with.at + with.len - s->at);
	*s = cut(*s, FORM_LINE_MAX);
}

static bool
says_code(struct piece s)
{
	for (size_t i = 0; i + 3 <= s.len; i++)
		if ((s.at[i] == '4' || s.at[i] == '5') && s.at[i + 1] >= '0' &&
		    s.at[i + 1] <= '5' && isdigit((unsigned char)s.at[i + 2]) &&
		    (i == 0 || !isalnum((unsigned char)s.at[i - 1])) &&
		    (i + 3 == s.len || !isalnum((unsigned char)s.at[i + 3])))
			return true;
	return false;
}

/* A line that no table knows, in a list. */
static void
list_line(struct form_walk *w, const struct text_line *l)
{
	static const char *const paths[] = { "pipe to ", "save to ", NULL };

	if (form_take_recipient(w, l))
		return;
	if (w->open == NULL) {
		form_take_origin(w, l->text);
		return;
	}
	if (form_has_any(cut(l->text, 8), paths)) {
		w->open = NULL;
		return;
	}
	if (!form_take_alias(w->open, l->text))
		extend(&w->open->why, l->text);
}

/* Before any list. "<a@b>:" begins one, as qmail and Postfix write it; an
 * address alone may be the recipient. */
static void
seek_line(struct form_walk *w, const struct text_line *l)
{
	struct piece rest, a;

	if (l->text.len > 300)
		return;
	a = form_recipient(l->text, &rest);
	if (a.len == 0)
		return;
	if (l->indent == 0 && *l->raw.at == '<' && rest.len > 0 &&
	    *rest.at == ':') {
		w->state = FORM_LIST;
		list_line(w, l);
	} else if (w->stray.len == 0 && form_is_bare(rest))
		w->stray = a;
}

static void
why_line(struct form_walk *w, const struct text_line *l)
{
	struct piece rest, a = form_recipient(l->text, &rest);

	if (a.len > 0 && form_is_bare(rest) && w->why.len > 0)
		form_walk_add(w, a);
	else if (!form_take_origin(w, l->text))
		extend(&w->why, l->text);
}

/* An empty line: what is said ends, what is not yet said may still come. */
static void
blank_line(struct form_walk *w)
{
	w->replied = false;
	if (w->open != NULL && w->open->why.len > 0)
		w->open = NULL;
	if (w->state == FORM_WHY && w->why.len > 0)
		w->state = FORM_LIST;
	w->blank = true;
}

/* Where the diagnosis of a line goes: to the recipient it is about. */
static struct piece *
diagnosis(struct form_walk *w)
{
	if (w->open != NULL)
		return &w->open->why;
	if (w->n > 0 && w->found[w->n - 1].why.len == 0)
		return &w->found[w->n - 1].why;
	return &w->why;
}

/* "smtp; 550 ...", "'rfc822; a@b": the type before the value. */
static struct piece
value_of(struct piece s)
{
	const char *semicolon = memchr(s.at, ';', s.len < 16 ? s.len : 16);

	if (semicolon != NULL)
		s = form_behind(s, (size_t)(semicolon + 1 - s.at));
	return form_trim(s);
}

static void
apply_one(struct form_walk *w, unsigned is, const struct text_line *l,
    struct piece rest)
{
	struct piece a = form_address(rest);
	struct form_found *f = a.len > 0 ? form_walk_add(w, a) : NULL;

	w->state = FORM_LIST;
	w->indent = l->indent;
	w->open = f;
	if (f == NULL)
		return;
	if (is & LINE_SELF)
		f->own = l->text;
	rest = form_behind(rest, (size_t)(a.at + a.len - rest.at));
	if (!(is & LINE_SELF) && says_code(cut(rest, FORM_LINE_MAX)))
		f->why = form_remainder(rest, f);
}

static void
apply_action(struct form_found *f, struct piece value)
{
	static const struct {
		const char *word;
		enum report_kind kind;
	} actions[] = {
		{ "failed", REPORT_BOUNCE },
		{ "delayed", REPORT_DELAYED },
		{ "deliver", REPORT_DELIVERED },
		{ "relayed", REPORT_DELIVERED },
		{ "expanded", REPORT_DELIVERED },
	};

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (form_has(cut(value, 12), actions[i].word))
			f->kind = actions[i].kind;
}

/* The fields of a delivery-status part that stand in the text, in any order. */
static void
apply_field(struct form_walk *w, unsigned is, struct piece rest)
{
	struct form_found *f = w->open != NULL ? w->open
			       : w->n > 0      ? &w->found[w->n - 1]
					       : NULL;

	if (f == NULL)
		return;
	if (is & LINE_STATUS)
		f->status = rest;
	if (is & LINE_ACTION)
		apply_action(f, rest);
	if (is & LINE_ALIAS && form_address(rest).len > 0 &&
	    !form_same(form_address(rest), f->address))
		f->alias = form_address(rest);
}

static void
apply_said(struct form_walk *w, struct piece rest)
{
	struct piece *d;
	struct form_found *last = w->n > 0 ? &w->found[w->n - 1] : NULL;

	rest = value_of(rest);
	if (rest.len > 0 && rest.at[-1] != '(' &&
	    rest.at[rest.len - 1] == ')' &&
	    memchr(rest.at, '(', rest.len) == NULL)
		rest.len--;
	d = diagnosis(w);
	if (w->open == NULL && last != NULL && d == &w->why && w->n == 1)
		d = &last->why;
	if (d->len == 0 || (says_code(rest) && !says_code(*d)))
		*d = rest;
	if (d != &w->why)
		w->open = last;
	else
		w->state = FORM_WHY;
}

/* A sentence that is the diagnosis, of who was named last or of all. */
static void
apply_self(struct form_walk *w, const struct text_line *l)
{
	if (w->self.len == 0)
		w->self = l->text;
	if (w->open != NULL && w->open->own.len == 0)
		w->open->own = l->text;
	w->open = NULL;
}

static void
apply_state(struct form_walk *w, unsigned is)
{
	if (is & (LINE_STOP | LINE_LIST | LINE_WHY | LINE_TALK))
		w->open = NULL;
	if (is & LINE_LIST)
		w->state = FORM_LIST;
	else if (is & LINE_WHY) {
		w->state = FORM_WHY;
		w->why.len = 0;
	} else if (is & LINE_TALK)
		w->state = FORM_TALK;
	else if (is & LINE_STOP)
		w->state = FORM_LIST;
}

static void
apply(struct form_walk *w, const struct form_line *row,
    const struct text_line *l, struct piece rest)
{
	unsigned is = row->is;

	if (row->form != NULL &&
	    (w->form == NULL || (is & LINE_MARK && !w->marked)))
		w->form = row->form;
	if (is & LINE_MARK)
		w->marked = true;
	if (is & LINE_DELAY)
		w->kind = REPORT_DELAYED;
	if (is & LINE_GOOD)
		w->kind = REPORT_DELIVERED;
	apply_state(w, is);
	if (is & LINE_ONE)
		apply_one(w, is, l, rest);
	else if (is & LINE_SELF)
		apply_self(w, l);
	if (is & LINE_SAID)
		apply_said(w, rest);
	if (is & (LINE_STATUS | LINE_ACTION | LINE_ALIAS))
		apply_field(w, is, rest);
	if (is & LINE_HOST && w->n > 0)
		w->found[w->n - 1].host = value_of(rest);
	if (is & LINE_COMMAND) {
		w->stage = form_stage_of_command(rest);
		w->state = rest.len > 0 ? w->state : FORM_COMMAND;
	}
}

/* ">>> DATA", "<<< 550 ...", beside ">>> a@b" of a list. */
static bool
is_dialogue(struct piece s)
{
	struct piece rest;

	return s.len > 4 &&
	       (memcmp(s.at, ">>> ", 4) == 0 || memcmp(s.at, "<<< ", 4) == 0) &&
	       (*s.at == '<' || form_recipient(s, &rest).len == 0);
}

static void
plain_line(struct form_walk *w, const struct text_line *l)
{
	switch (w->state) {
	case FORM_SEEK:
		seek_line(w, l);
		break;
	case FORM_LIST:
		list_line(w, l);
		break;
	case FORM_WHY:
		why_line(w, l);
		break;
	case FORM_COMMAND:
		w->stage = form_stage_of_command(l->text);
		w->state = FORM_LIST;
		break;
	case FORM_TALK:
		form_talk(w, l->text);
		break;
	}
}

/* False: the message that came back begins. */
static bool
step(struct form_walk *w, const struct text_line *l)
{
	const struct form_line *row;
	struct piece rest;
	const char *p;

	if (l->text.len == 0) {
		blank_line(w);
		return true;
	}
	row = form_line_find(l->text.at, l->text.len, &p);
	if (row != NULL && row->is & LINE_END)
		return false;
	if (is_dialogue(l->text))
		form_talk(w, l->text);
	else if (row != NULL && !(row->is & LINE_SKIP)) {
		rest =
		    (struct piece){ p, (size_t)(l->text.at + l->text.len - p) };
		apply(w, row, l, form_trim(rest));
	} else if (row == NULL)
		plain_line(w, l);
	w->blank = false;
	return true;
}

void
form_walk(struct form_walk *w, const char *text)
{
	const char *p = text;

	w->kind = REPORT_BOUNCE;
	for (int i = 0; i < FORM_LINES_MAX && *p != '\0'; i++) {
		const char *end = strchrnul(p, '\n');
		size_t len = (size_t)(end - p);
		struct text_line l;

		l = line_of(p, len < FORM_LINE_MAX ? len : FORM_LINE_MAX);
		p = *end == '\0' ? end : end + 1;
		if (!step(w, &l)) {
			w->quoted = (struct piece){ p, strlen(p) };
			return;
		}
		if (w->n == REPORT_RECIPIENTS_MAX)
			return;
	}
}
