/*
 * report.c - a message that came back: in which order it is tried as what, and
 * what is left to fill in.
 *
 * What has fields of its own (ARF, a delivery status, a read receipt) is read
 * by them. Then what people answer by machine, and what mail systems write in
 * their own words (form.h). What is none of these is mail, and no feedback:
 * rather a bounce missed than somebody's letter taken for one.
 */
#include <assert.h>
#include <gmime/gmime.h>
#include <pthread.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/feedback/form.h"
#include "router/feedback/report_int.h"

#define FIELD_LONGEST 2048
#define TEXT_SHORT    4 /* no words: an exit status, or nothing */

static pthread_once_t gmime_once = PTHREAD_ONCE_INIT;

static void
prepare(void)
{
	g_mime_init();
	text_prepare();
}

static const char *const kinds[] = {
	[REPORT_NONE] = "none",
	[REPORT_REPLY] = "reply",
	[REPORT_DELIVERED] = "delivered",
	[REPORT_DELAYED] = "delayed",
	[REPORT_COMPLAINT] = "complaint",
	[REPORT_BOUNCE] = "bounce",
};

const char *
report_kind_name(enum report_kind kind)
{
	assert((size_t)kind < sizeof(kinds) / sizeof(kinds[0]));
	return kinds[kind];
}

void
report_set(char **field, const char *text, size_t len)
{
	char *copy, *to;

	if (len > FIELD_LONGEST) {
		len = FIELD_LONGEST;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	copy = to = xmalloc(len + 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= ' ' && text[i] != 0x7f)
			*to++ = text[i];
	*to = '\0';
	free(*field);
	*field = copy;
}

/* Clean, as report_part has it; what is no address is kept as it stands. */
static void
set_recipient(char **field, const char *address)
{
	struct span rest = { address, strlen(address) };
	struct str clean = STR_INIT;

	if (address_next(&clean, &rest))
		report_set(field, clean.data, clean.len);
	else
		report_set(field, address, strlen(address));
	str_release(&clean);
}

/* The part of that recipient, or one that waits for its name. */
static struct report_part *
part_find(struct report *r, enum report_kind kind, const char *recipient)
{
	struct report_part *nameless = NULL;

	for (size_t i = 0; i < r->n; i++) {
		struct report_part *p = &r->part[i];

		if (*recipient != '\0' &&
		    (address_is(p->recipient, recipient) ||
			address_is(p->alias, recipient)))
			return p;
		if (*p->recipient == '\0' && p->kind == kind)
			nameless = p;
	}
	return nameless;
}

static struct report_part *
part_new(struct report *r, enum report_kind kind)
{
	struct report_part *p;

	if (r->n == REPORT_RECIPIENTS_MAX)
		return NULL;
	if ((r->n & (r->n - 1)) == 0)
		r->part = xrealloc(
		    r->part, (r->n == 0 ? 1 : 2 * r->n) * sizeof(*r->part));
	p = &r->part[r->n++];
	memset(p, 0, sizeof(*p));
	p->kind = kind;
	p->recipient = xstrdup("");
	p->alias = xstrdup("");
	p->action = xstrdup("");
	p->host = xstrdup("");
	p->outcome.scope = SCOPE_RECIPIENT;
	return p;
}

struct report_part *
report_add(struct report *r, enum report_kind kind, const char *address)
{
	char *recipient = NULL;
	struct report_part *p;

	set_recipient(&recipient, address);
	p = part_find(r, kind, recipient);
	if (p == NULL)
		p = part_new(r, kind);
	if (p != NULL && *p->recipient == '\0') {
		free(p->recipient);
		p->recipient = recipient;
		return p;
	}
	free(recipient);
	return p;
}

static void
report_init(struct report *r)
{
	memset(r, 0, sizeof(*r));
	r->form = "";
	r->feedback_type = xstrdup("");
	r->to = xstrdup("");
	r->return_path = xstrdup("");
	r->our_id = xstrdup("");
	r->message_id = xstrdup("");
	r->addresser = xstrdup("");
}

static void
parts_free(struct report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->part[i].recipient);
		free(r->part[i].alias);
		free(r->part[i].action);
		free(r->part[i].host);
	}
	free(r->part);
	r->part = NULL;
	r->n = 0;
}

void
report_clear(struct report *r)
{
	parts_free(r);
	free(r->feedback_type);
	free(r->to);
	free(r->return_path);
	free(r->our_id);
	free(r->message_id);
	free(r->addresser);
	memset(r, 0, sizeof(*r));
	r->form = "";
}

static bool
read_by_form(struct report *r, const struct mail *m)
{
	struct str header = STR_INIT;
	struct form_input in = {
		.from = m->from.data,
		.subject = m->subject.data,
		.text = m->text.data,
		.quoted = m->quoted.data,
		.status = m->status.data,
	};
	bool known;

	header_unfold(&header, m->header);
	in.header = header.data;
	known = form_read(r, &in);
	str_release(&header);
	return known && r->n > 0;
}

/* Its fields leave out what went wrong. */
static bool
says_little(const struct report_part *p)
{
	const struct outcome *o = &p->outcome;

	if (p->kind != REPORT_BOUNCE && p->kind != REPORT_DELAYED)
		return false;
	return *p->recipient == '\0' || strlen(o->text) < TEXT_SHORT ||
	       (o->code == 0 && (o->enhanced[0] == '\0' ||
				    strcmp(o->enhanced + 1, ".0.0") == 0));
}

static void
complete_by_form(struct report *r, const struct mail *m)
{
	const char *form = r->form;

	for (size_t i = 0; i < r->n; i++)
		if (says_little(&r->part[i])) {
			read_by_form(r, m);
			r->form = form;
			return;
		}
}

static void read_mail(struct report *, struct span message, unsigned depth);

static bool
has_recipient(const struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (*r->part[i].recipient != '\0')
			return true;
	return false;
}

/* A report that a daemon has only wrapped up: the one inside counts. */
static bool
read_wrapped(struct report *r, const struct mail *m, unsigned depth)
{
	const struct leaf *leaf = mail_leaf(m, LEAF_MESSAGE);

	if (depth > 0 || leaf == NULL || leaf->encoding != ENCODING_NONE ||
	    !mail_is_of_daemon(m) ||
	    memmem(leaf->body.data, leaf->body.len, "delivery-status", 15) ==
		NULL)
		return false;
	parts_free(r);
	read_mail(r, leaf->body, depth + 1);
	return r->n > 0;
}

static bool
names_somebody(const struct mail *m)
{
	return memchr(m->text.data, '@', m->text.len) != NULL;
}

static void
read_as_something(struct report *r, struct mail *m, unsigned depth)
{
	bool bounces;

	if (report_arf(r, m))
		return;
	if (report_dsn(r, m)) {
		complete_by_form(r, m);
		return;
	}
	if (report_notification(r, m))
		return;
	bounces = mail_is_of_daemon(m);
	if (mail_is_reply(m, bounces) && report_reply(r, m))
		return;
	if (mail_is_of_list(m) && !mail_is_of_machine(m))
		return;
	if (!names_somebody(m) && read_wrapped(r, m, depth))
		return;
	if (read_by_form(r, m) && has_recipient(r))
		return;
	if (read_wrapped(r, m, depth) || r->n > 0)
		return;
	if (mail_is_reply(m, false))
		report_reply(r, m);
}

/* Where nothing else names the recipient: X-Failed-Recipients, or the only one
 * that the message is to. */
static void
name_recipients(struct report *r, const struct mail *m)
{
	struct span fields[] = { m->field[FIELD_FAILED],
		m->quoted_field[FIELD_TO] };
	struct str one = STR_INIT, other = STR_INIT;

	for (size_t i = 0; i < 2 && r->n == 1 && *r->part[0].recipient == '\0';
	     i++) {
		struct span rest = fields[i];

		if (rest.data != NULL && address_next(&one, &rest) &&
		    !address_next(&other, &rest))
			report_set(&r->part[0].recipient, one.data, one.len);
	}
	str_release(&one);
	str_release(&other);
}

static void
finish(struct report *r, const struct mail *m)
{
	bool filtered = m->field[FIELD_SPASIGN].data != NULL &&
			memmem(m->field[FIELD_SPASIGN].data,
			    m->field[FIELD_SPASIGN].len, "NG", 2) != NULL;

	name_recipients(r, m);
	for (size_t i = 0; i < r->n; i++) {
		struct report_part *p = &r->part[i];

		if (p->kind > r->kind)
			r->kind = p->kind;
		p->spasign |= filtered;
		p->outcome.permanent = p->kind == REPORT_BOUNCE;
	}
}

static void
read_mail(struct report *r, struct span message, unsigned depth)
{
	struct mail m;

	mail_open(&m, message);
	read_as_something(r, &m, depth);
	finish(r, &m);
	/* Of a wrapped one the inner message has told it. */
	if (*r->message_id == '\0')
		quoted_read(r, &m);
	if (r->at == 0 && r->n > 0)
		r->at = date_of_field(m.field[FIELD_DATE]);
	mail_close(&m);
}

void
report_read(struct report *r, const char *data, size_t len)
{
	pthread_once(&gmime_once, prepare);
	report_init(r);
	read_mail(r,
	    (struct span){
		data, len < REPORT_BYTES_MAX ? len : REPORT_BYTES_MAX },
	    0);
}
