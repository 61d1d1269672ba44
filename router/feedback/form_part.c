/*
 * form_part.c - from the pieces that a form's reader found to the parts of the
 * report.
 *
 * The diagnosis is put in one line and given to report_diagnose from the SMTP
 * reply in it on; what its mail system wrote before the reply tells host and
 * stage. A part that a standard DSN gave already only gets what it lacks.
 */
#include "router/feedback/form_int.h"

#include "mta/base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Words before a reply that say more than whose reply it is. */
static const char *const weighty[] = { "expired", "retry time", "timed out",
	"too long", "given up", "giving up", "deferred", "exceeded", NULL };

static struct piece
whole(const struct str *s)
{
	return (struct piece){ s->data, s->len };
}

static void
diagnose(struct report_part *part, struct piece s)
{
	s = form_without_brackets(s);
	report_diagnose(part, s.at, s.len);
}

/* Code, status, words, stage and host of the diagnosis. The words before the
 * reply only tell stage and host, unless they have weight of their own. */
static void
tell(struct report_part *part, struct piece text)
{
	size_t at = form_reply_at(text);
	struct piece before = { text.at, at }, host = form_host(text);
	struct outcome *o = &part->outcome;
	enum smtp_stage stage = o->stage;

	if (part->host[0] == '\0' && host.len > 0)
		report_set(&part->host, host.at, host.len);
	if (stage == STAGE_NONE)
		stage = form_stage(text);
	if (at > 0 && at < text.len && !form_has_any(before, weighty)) {
		report_diagnose(part, before.at, before.len);
		if (stage == STAGE_NONE)
			stage = o->stage;
		text.at += at;
		text.len -= at;
	}
	diagnose(part, text);
	if (stage != STAGE_NONE)
		o->stage = stage;
}

/* The status that the system itself put to it: "5.1.1", "5.1.1 (bad ...)". */
static void
own_status(struct outcome *o, struct piece s)
{
	size_t n = s.len > 0 ? form_status_at(s.at, s.at + s.len) : 0;

	if (o->enhanced[0] == '\0' && n > 0 && n < sizeof o->enhanced) {
		memcpy(o->enhanced, s.at, n);
		o->enhanced[n] = '\0';
	}
}

static bool
has_code(struct piece s)
{
	return s.len > 0 && form_reply_at(s) < s.len;
}

/* What is to be said of a recipient, in one line. */
static void
words_of(struct str *out, const struct form_walk *w, const struct form_found *f)
{
	form_join(out, f->why);
	if (has_code(whole(out)))
		return;
	if (w->why.len > 0 && (f->why.len == 0 || has_code(w->why)))
		form_join(out, w->why);
	if (f->own.len > 0 && !has_code(whole(out)))
		form_join(out, f->own);
	if (w->self.len > 0 && w->self.at != f->own.at &&
	    (out->len == 0 || f->own.len > 0))
		form_join(out, w->self);
}

static void
fill(struct report_part *part, const struct form_walk *w,
    const struct form_found *f)
{
	struct str words = STR_INIT;
	struct piece host = f->host.len > 0 ? form_host_word(f->host) : f->host;

	words_of(&words, w, f);
	part->outcome.stage = f->stage != STAGE_NONE ? f->stage : w->stage;
	if (host.len > 0)
		report_set(&part->host, host.at, host.len);
	if (f->alias.len > 0)
		report_set(&part->alias, f->alias.at, f->alias.len);
	if (words.len > 0)
		tell(part, whole(&words));
	if (part->outcome.code == 0)
		part->outcome.code = f->code;
	own_status(&part->outcome, f->status);
	str_release(&words);
}

static void
add(struct report *r, const struct form_walk *w, const struct form_found *f)
{
	enum report_kind kind = f->kind != REPORT_NONE ? f->kind : w->kind;
	size_t before = r->n;
	struct str address = STR_INIT;
	struct report_part *part;

	str_add(&address, f->address.at, f->address.len);
	part = report_add(r, kind, address.data);
	str_release(&address);
	if (part == NULL)
		return;
	if (r->n > before || part->outcome.text[0] == '\0')
		fill(part, w, f);
}

/* "5.0.0", "" and "4.0.0" say nothing that a text could not say better. */
static bool
generic(const char *enhanced)
{
	return enhanced[0] == '\0' || strcmp(enhanced + 1, ".0.0") == 0;
}

static bool
has_words(const char *text)
{
	int letters = 0;

	for (; *text != '\0' && letters < 4; text++)
		letters += isalpha((unsigned char)*text) ||
			   (unsigned char)*text >= 0x80;
	return letters >= 4;
}

/* Where only the domain differs, the text has the address as its sender wrote
 * it, Final-Recipient what became of it on the way. */
static bool
is_rewritten(const struct report_part *part, const struct report_part *told)
{
	size_t local = strcspn(part->recipient, "@");

	return part->alias[0] == '\0' &&
	       strncmp(part->recipient, told->recipient, local) == 0 &&
	       told->recipient[local] == '@' &&
	       strcmp(part->recipient, told->recipient) != 0;
}

/* A part of a standard DSN gets from the text's part what it lacks. */
static void
merge(struct report_part *part, const struct report_part *told)
{
	struct outcome *o = &part->outcome;
	const struct outcome *t = &told->outcome;

	if (strchr(part->recipient, '@') == NULL)
		report_set(
		    &part->recipient, told->recipient, strlen(told->recipient));
	else if (is_rewritten(part, told)) {
		report_set(
		    &part->alias, part->recipient, strlen(part->recipient));
		report_set(
		    &part->recipient, told->recipient, strlen(told->recipient));
	}
	if (part->host[0] == '\0')
		report_set(&part->host, told->host, strlen(told->host));
	if (o->stage == STAGE_NONE)
		o->stage = t->stage;
	if (has_words(t->text) &&
	    (!has_words(o->text) || (o->code == 0 && t->code != 0)))
		memcpy(o->text, t->text, sizeof o->text);
	if (generic(o->enhanced) && !generic(t->enhanced) &&
	    (o->enhanced[0] == '\0' || o->enhanced[0] == t->enhanced[0]))
		memcpy(o->enhanced, t->enhanced, sizeof o->enhanced);
	if (o->code == 0)
		o->code = t->code;
}

static bool
is_about(const struct report_part *part, struct piece address)
{
	return (address.len > 0 && strlen(part->recipient) == address.len &&
		   strncasecmp(part->recipient, address.at, address.len) ==
		       0) ||
	       (address.len > 0 && strlen(part->alias) == address.len &&
		   strncasecmp(part->alias, address.at, address.len) == 0);
}

/* The part that the text's recipient is about: by its address, or because both
 * know only one. */
static struct report_part *
part_of(struct report *r, const struct form_walk *w, const struct form_found *f)
{
	for (size_t i = 0; i < r->n; i++)
		if (is_about(&r->part[i], f->address) ||
		    is_about(&r->part[i], f->alias))
			return &r->part[i];
	return r->n == 1 && w->n == 1 ? &r->part[0] : NULL;
}

static bool
complete(struct report *r, const struct form_walk *w)
{
	bool any = false;

	for (size_t i = 0; i < w->n; i++) {
		struct report_part *part = part_of(r, w, &w->found[i]);
		struct report told = { 0 };

		if (part == NULL)
			continue;
		add(&told, w, &w->found[i]);
		if (told.n == 1) {
			merge(part, &told.part[0]);
			any = true;
		}
		report_clear(&told);
	}
	return any;
}

bool
form_parts(struct report *r, const struct form_walk *w, const char *form)
{
	if (w->n == 0)
		return false;
	if (r->n > 0)
		return complete(r, w);
	for (size_t i = 0; i < w->n; i++)
		add(r, w, &w->found[i]);
	r->form = form;
	return r->n > 0;
}
