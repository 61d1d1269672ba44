/*
 * form_talk.c - the SMTP dialogue that Sendmail and others quote.
 *
 *	... while talking to mx.example.jp.:
 *	>>> RCPT To:<taro@example.jp>
 *	<<< 550 5.1.1 <taro@example.jp>... User unknown
 *	550 5.1.1 <taro@example.jp>... User unknown
 *
 * The last line is the mailer's own: it says whom what stands before it is
 * about. Of old versions it is all that names a recipient.
 */
#include "router/feedback/form_int.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
static const struct {
	const char *verb;
	enum smtp_stage stage;
} verbs[] = {
	{ "ehlo", STAGE_EHLO },     { "helo", STAGE_EHLO },
	{ "starttls", STAGE_TLS },  { "auth", STAGE_AUTH },
	{ "mail", STAGE_MAIL },     { "rcpt", STAGE_RCPT },
	{ "data", STAGE_DATA },     { "bdat", STAGE_BODY },
	{ ".", STAGE_DOT },         { "quit", STAGE_QUIT },
};
/* clang-format on */

enum smtp_stage
form_stage_of_command(struct piece s)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (s.len >= strlen(verbs[i].verb) &&
		    strncasecmp(s.at, verbs[i].verb, strlen(verbs[i].verb)) ==
			0)
			return verbs[i].stage;
	return STAGE_NONE;
}

static struct piece
from(struct piece s, size_t n)
{
	return form_trim(form_behind(s, n));
}

/* The reply code that a line begins with, 0 when it begins otherwise. */
static int
code_of(struct piece s)
{
	if (s.len < 3 || s.at[0] < '2' || s.at[0] > '5' ||
	    !isdigit((unsigned char)s.at[1]) ||
	    !isdigit((unsigned char)s.at[2]) ||
	    (s.len > 3 && s.at[3] != ' ' && s.at[3] != '-'))
		return 0;
	return (s.at[0] - '0') * 100 + (s.at[1] - '0') * 10 + s.at[2] - '0';
}

static bool
is_status(struct piece s)
{
	return s.len >= 5 && (s.at[0] == '4' || s.at[0] == '5') &&
	       s.at[1] == '.' && isdigit((unsigned char)s.at[2]) &&
	       memchr(s.at + 3, '.', s.len < 7 ? s.len - 3 : 4) != NULL;
}

/* A list's recipient gets the reply at once; of a transcript it is kept for the
 * line that says whose it is. */
static void
reply(struct form_walk *w, struct piece s)
{
	int code = code_of(s);
	struct piece *to = w->state == FORM_TALK || w->n == 0
			       ? &w->reply
			       : &w->found[w->n - 1].why;

	if (code >= 200 && code < 400)
		return;
	if (w->replied && to->len > 0)
		to->len = (size_t)(s.at + s.len - to->at);
	else if (to == &w->reply || code_of(*to) == 0)
		*to = s;
	if (to->len > FORM_LINE_MAX)
		to->len = FORM_LINE_MAX;
	if (to != &w->reply && w->found[w->n - 1].stage == STAGE_NONE)
		w->found[w->n - 1].stage = form_stage_of_command(w->command);
}

/* What came before a line of the mailer's own is about its recipient. */
static void
bind(struct form_walk *w, struct form_found *f, int code, struct piece status,
    struct piece own)
{
	if (f->own.len == 0) {
		f->own = own;
		f->code = code;
		if (f->status.len == 0 && is_status(status))
			f->status = status;
	}
	if (code_of(f->why) == 0 && w->reply.len > 0)
		f->why = w->reply;
	else if (f->why.len == 0)
		f->why = w->program;
	if (w->reply.len > 0 && f->stage == STAGE_NONE)
		f->stage = form_stage_of_command(w->command);
	if (f->host.len == 0)
		f->host = w->host;
	w->reply.len = w->program.len = 0;
}

/* "550 5.1.1 <a@b>... User unknown", "a@b... Deferred: ...",
 * "554 5.0.0 Service unavailable". False: it is no such line. */
static bool
own_line(struct form_walk *w, struct piece s)
{
	int code = code_of(s);
	struct piece rest = code != 0 ? from(s, 3) : s, status = rest, a;
	const char *dots = memmem(s.at, s.len, "... ", 4);

	if (code != 0 && is_status(rest)) {
		const char *p = memchr(rest.at, ' ', rest.len);

		rest = p == NULL ? (struct piece){ rest.at, 0 }
				 : from(rest, (size_t)(p - rest.at));
	}
	if (code == 0 && dots == NULL)
		return false;
	a = form_address_first(rest, &rest);
	if (a.len == 0 && code == 0)
		return false;
	if (a.len > 0) {
		struct form_found *f = form_walk_add(w, a);

		while (rest.len > 0 && (*rest.at == '.' || *rest.at == ' '))
			rest = from(rest, 1);
		if (f != NULL)
			bind(w, f, code, status, rest.len > 0 ? rest : s);
	} else if (w->n == 1 && dots == NULL) {
		bind(w, &w->found[0], code, status, rest);
	}
	return true;
}

static bool
begins(struct piece s, const char *words)
{
	size_t n = strlen(words);

	return s.len >= n && strncasecmp(s.at, words, n) == 0;
}

static bool
talking_to(struct form_walk *w, struct piece s)
{
	static const char words[] = "while talking to ";

	while (s.len > 0 && (*s.at == '.' || *s.at == ' '))
		s = from(s, 1);
	if (!begins(s, words))
		return false;
	s = from(s, sizeof words - 1);
	while (s.len > 0 && (s.at[s.len - 1] == ':' || s.at[s.len - 1] == '.'))
		s.len--;
	w->host = s;
	w->reply.len = w->command.len = w->program.len = 0;
	return true;
}

/* MDaemon's lines begin with the time: "Mon 2026-11-02 10:00:00: --> RCPT ...".
 */
static struct piece
without_time(struct piece s)
{
	static const char *const arrows[] = { ": --> ", ": <-- " };
	size_t near = s.len < 40 ? s.len : 40;

	for (size_t i = 0; i < 2; i++) {
		const char *p = memmem(s.at, near, arrows[i], 6);

		if (p != NULL)
			return from(s, (size_t)(p - s.at) + 2);
	}
	return s;
}

void
form_talk(struct form_walk *w, struct piece s)
{
	bool replied = false;

	s = without_time(s);
	if (begins(s, ">>> ") || begins(s, "--> ")) {
		w->command = from(s, 4);
		w->reply.len = 0;
	} else if (begins(s, "<<< ") || begins(s, "<-- ")) {
		reply(w, from(s, 4));
		replied = true;
	} else if (!talking_to(w, s) && !own_line(w, s)) {
		/* What a delivery program printed. */
		if (w->program.len == 0)
			w->program = s;
		else
			w->program.len = (size_t)(s.at + s.len - w->program.at);
		if (w->program.len > FORM_LINE_MAX)
			w->program.len = FORM_LINE_MAX;
	}
	w->replied = replied;
}
