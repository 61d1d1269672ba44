/*
 * form.c - whether a message is a bounce without a standard, and of which form.
 *
 * Two things must come together: signs in the header that a machine wrote it
 * (weighed below) and lines in the text that only mail systems write. A person
 * who quotes a bounce has the lines but not the signs; a newsletter has
 * neither. A mistake that way costs an innocent address, so doubt means false.
 */
#include "router/feedback/form_int.h"

#include "mta/base/str.h"

#include <string.h>
#include <strings.h>

/* What each sign weighs, and what is needed with lines of a known form, with
 * lines of no form, and with no known line at all. */
enum {
	WEIGHT_SENDER = 3,
	WEIGHT_NO_PATH = 3,
	WEIGHT_FAILED = 4,
	WEIGHT_MACHINE = 1,
	WEIGHT_SUBJECT = 2,
	NEED_MARKED = 3,
	NEED_LISTED = 4,
	NEED_ANY = 5,
};

static const char *const daemons[] = { "mailer-daemon", "mailerdaemon",
	"postmaster", "mail deliver", "mdaemon", "mail-daemon", "maildaemon",
	"mailer_daemon", "post_master", "mail.deliver", "system administrator",
	"mail administrator", "delivery subsystem", "mail system",
	"maildelivery", "mail-delivery", "mmsc ndr", "delivery-status", "<>",
	NULL };

static const char *const machines[] = { "no-reply", "noreply", "no_reply",
	"donotreply", "do-not-reply", "admin", "daemon", "system", "bounce",
	"fml", NULL };

bool
form_is_daemon(struct piece from)
{
	return form_has_any(from, daemons);
}

/* The subject answers or passes on what somebody wrote. */
static bool
is_reply(const char *subject)
{
	static const char *const before[] = { "re:", "re[", "re\xef\xbc\x9a",
		"aw:", "antw:", "sv:", "vs:", "fw:", "fwd:", "wg:", "tr:",
		"rv:", "odp:", "回复", "答复", "转发", NULL };

	while (*subject == ' ')
		subject++;
	for (size_t i = 0; before[i] != NULL; i++)
		if (strncasecmp(subject, before[i], strlen(before[i])) == 0)
			return true;
	return false;
}

static bool
is_absence(const char *subject)
{
	static const char *const words[] = { "out of office",
		"out of the office", "automatic reply", "auto reply",
		"autoreply", "auto-reply", "auto response", "autoresponse",
		"vacation", "on holiday", "abwesenheit", "absence", "ausencia",
		"不在", "自動返信", "自动回复", NULL };

	return form_has_any((struct piece){ subject, strlen(subject) }, words);
}

static bool
has_no_path(const char *header)
{
	struct piece path = form_field(header, "Return-Path");

	return (path.len == 2 && memcmp(path.at, "<>", 2) == 0) ||
	       form_has(path, "<mailer-daemon");
}

static int
weigh(const struct form_input *in)
{
	struct piece from = { in->from, strlen(in->from) };
	int weight = 0;

	if (from.len == 0 || form_is_daemon(from))
		weight += WEIGHT_SENDER;
	else if (form_has_any(from, machines))
		weight += WEIGHT_MACHINE;
	if (has_no_path(in->header))
		weight += WEIGHT_NO_PATH;
	if (form_field(in->header, "X-Failed-Recipients").len > 0)
		weight += WEIGHT_FAILED;
	if (form_field(in->header, "X-SPASIGN").len > 0)
		weight += WEIGHT_MACHINE;
	if (!is_reply(in->subject) && form_subject_fails(in->subject))
		weight += WEIGHT_SUBJECT;
	/* A daemon's own report on a message "Re: ..." keeps its weight. */
	if (is_reply(in->subject) && weight < WEIGHT_SENDER)
		return 0;
	return is_absence(in->subject) ? 0 : weight;
}

/* X-Failed-Recipients names who the report is about: Exim, Gmail. */
static void
add_failed(struct form_walk *w, const char *header)
{
	struct piece rest = form_field(header, "X-Failed-Recipients");

	for (int i = 0; i < REPORT_RECIPIENTS_MAX; i++) {
		struct piece a = form_address(rest);

		if (a.len == 0)
			return;
		form_walk_add(w, a);
		rest.len -= (size_t)(a.at + a.len - rest.at);
		rest.at = a.at + a.len;
	}
}

/* To of the message that came back, when it went to one address only. */
static void
add_quoted(struct form_walk *w, const struct form_input *in)
{
	const char *quoted = in->quoted[0] != '\0' ? in->quoted
			     : w->quoted.len > 0   ? w->quoted.at
						   : "";
	struct piece to = form_field(quoted, "X-Original-To"), a;

	/* A bounce that came back again is not about who got it. */
	if (form_is_daemon(form_field(quoted, "From")))
		return;
	if (to.len == 0)
		to = form_field(quoted, "To");
	a = form_address(to);
	if (a.len > 0 && memchr(a.at + a.len, '@',
			     to.len - (size_t)(a.at + a.len - to.at)) == NULL)
		form_walk_add(w, a);
}

/* Where the lines named a form but no recipient, other places do. */
static void
add_recipients(struct form_walk *w, const struct form_input *in)
{
	if (w->n == 0)
		add_failed(w, in->header);
	if (w->n == 0 && w->stray.len > 0)
		form_walk_add(w, w->stray);
	if (w->n == 0 && w->why.len > 0) {
		struct piece a = form_address(w->why);

		if (a.len > 0)
			form_walk_add(w, a);
	}
	if (w->n == 0 && w->marked)
		add_quoted(w, in);
}

/* Nothing in the text was a diagnosis: the text is. */
static void
whole_text(struct form_walk *w, const struct form_input *in)
{
	const char *end = strstr(in->text, "\n-----");

	for (size_t i = 0; i < w->n; i++)
		if (w->found[i].why.len > 0 || w->found[i].own.len > 0)
			return;
	if (w->why.len > 0 || w->self.len > 0)
		return;
	w->why = (struct piece){ in->text,
		end == NULL ? strlen(in->text) : (size_t)(end - in->text) };
	if (w->why.len > FORM_LINE_MAX)
		w->why.len = FORM_LINE_MAX;
}

/* A dialogue that no line gave to anybody is about the only recipient. */
static void
take_reply(struct form_walk *w)
{
	struct form_found *only = &w->found[0];

	if (w->n != 1 || w->reply.len == 0 || only->why.len > 0)
		return;
	only->why = w->reply;
	if (only->stage == STAGE_NONE)
		only->stage = form_stage_of_command(w->command);
}

static bool
read_as(struct report *r, struct form_walk *w, const struct form_input *in)
{
	const char *form = w->form != NULL ? w->form : "text";

	if (w->n == 0)
		return false;
	if (w->kind == REPORT_BOUNCE && form_subject_delays(in->subject))
		w->kind = REPORT_DELAYED;
	take_reply(w);
	whole_text(w, in);
	return form_parts(r, w, form);
}

/* What a person passed on is only read when it is beyond doubt. */
static bool
read_forwarded(struct report *r, const struct form_input *in)
{
	struct str text = STR_INIT;
	struct form_input inner = *in;
	struct form_walk w = { 0 };
	bool known = false;

	if (form_forwarded(&text, in)) {
		inner.text = text.data;
		form_walk(&w, text.data);
		known = w.marked && read_as(r, &w, &inner);
	}
	str_release(&text);
	return known;
}

/* A list that anybody might write counts in a machine's letter that speaks of
 * failure. */
static bool
is_listed(const struct form_walk *w, const struct form_input *in, int weight)
{
	bool failed = form_field(in->header, "X-Failed-Recipients").len > 0;

	if (weight < NEED_LISTED || (w->n == 0 && !failed))
		return false;
	return failed || form_subject_fails(in->subject) ||
	       form_text_fails(in->text);
}

bool
form_read(struct report *r, const struct form_input *in)
{
	int weight = weigh(in);
	struct form_walk w = { 0 };

	if (r->n > 0 && weight < NEED_MARKED)
		weight = NEED_MARKED;
	if (weight < NEED_MARKED)
		return r->n == 0 &&
		       (form_amazon(r, in) || read_forwarded(r, in));
	form_walk(&w, in->text);
	if (w.marked || is_listed(&w, in, weight)) {
		add_recipients(&w, in);
		if (w.n > 0)
			return read_as(r, &w, in);
	}
	return weight >= NEED_ANY && form_subject_fails(in->subject) &&
	       form_any(&w, in) && read_as(r, &w, in);
}
