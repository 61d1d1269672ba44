/*
 * report_arf.c - complaints: RFC 5965, and the few providers' that come without
 * its fields.
 *
 * Many reporters hide who complained: the recipient is then what stands there,
 * and whoever asks finds it by our own marks in the message that is quoted.
 */
#include <string.h>
#include <strings.h>

#include "router/feedback/form.h"
#include "router/feedback/report_int.h"

/* Subjects of reports that are only the message itself, attached. */
static const char *const subjects[] = { "complaint about message from",
	"email feedback report for ip", "client tos notification" };

static void
keep_word(char **field, struct span value)
{
	size_t n = 0;

	while (n < value.len && strchr(" \t\r\n;(", value.data[n]) == NULL)
		n++;
	report_set(field, value.data, n);
	for (char *p = *field; *p != '\0'; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
}

/* As it stands there when it is hidden beyond recognition. */
static void
add_recipient(struct report *r, struct span value)
{
	struct str address = STR_INIT;

	if (!address_of_field(&address, value)) {
		field_unfold(&address, value);
		if (address.len > 320)
			str_clear(&address);
	}
	report_add(r, REPORT_COMPLAINT, address.data);
	str_release(&address);
}

static void
take(struct report *r, const struct group_field *f)
{
	struct str address = STR_INIT;

	if (span_is(f->name, "feedback-type")) {
		keep_word(&r->feedback_type, f->value);
	} else if (span_is(f->name, "original-rcpt-to") ||
		   span_is(f->name, "removal-recipient")) {
		add_recipient(r, f->value);
	} else if (span_is(f->name, "original-mail-from")) {
		if (address_of_field(&address, f->value))
			report_set(&r->return_path, address.data, address.len);
	} else if (span_is(f->name, "arrival-date") ||
		   span_is(f->name, "received-date")) {
		r->at = date_of_field(f->value);
	}
	str_release(&address);
}

/* Of the quoted message: as the provider names it, else its To. */
static void
recipient_of_quoted(struct report *r, const struct mail *m)
{
	struct span value = m->quoted_field[FIELD_JMRP];

	if (value.data == NULL)
		value = m->quoted_field[FIELD_TO];
	if (value.data == NULL)
		value = (struct span){ "", 0 };
	add_recipient(r, value);
}

/* The first paragraph of the words for people. */
static void
keep_text(struct report *r, const struct mail *m)
{
	const char *text = m->text.data + strspn(m->text.data, " \t\n");
	const char *end = strstr(text, "\n\n");
	size_t len = end != NULL ? (size_t)(end - text) : strlen(text);

	for (size_t i = 0; i < r->n; i++)
		words_keep(&r->part[i].outcome, text, len);
}

static void
fields_read(struct report *r, const struct leaf *leaf)
{
	struct str text = STR_INIT;
	struct group_field f;
	struct span rest;

	text_decode(&text, leaf->body, leaf->encoding, leaf->charset);
	rest = (struct span){ text.data, text.len };
	while (group_next(&f, &rest))
		take(r, &f);
	str_release(&text);
}

static bool
is_bare_complaint(const struct mail *m)
{
	if (m->quoted.len == 0)
		return false;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (strncasecmp(
			m->subject.data, subjects[i], strlen(subjects[i])) == 0)
			return true;
	return m->quoted_field[FIELD_JMRP].data != NULL &&
	       strncasecmp(m->from.data, "staff@", 6) == 0;
}

/* A mail client that asks for the reader to be left in peace. */
static bool
unsubscribes(struct report *r, const struct mail *m)
{
	struct span from = m->field[FIELD_FROM];
	struct str address = STR_INIT;

	if (m->field[FIELD_UNSUBSCRIBE].data == NULL || from.data == NULL)
		return false;
	if (address_next(&address, &from)) {
		report_add(r, REPORT_COMPLAINT, address.data);
		report_set(&r->feedback_type, "opt-out", 7);
		r->form = "opt-out";
	}
	str_release(&address);
	return r->n > 0;
}

bool
report_arf(struct report *r, struct mail *m)
{
	const struct leaf *leaf = mail_leaf(m, LEAF_FEEDBACK);

	if (leaf == NULL && !is_bare_complaint(m))
		return unsubscribes(r, m);
	if (leaf != NULL)
		fields_read(r, leaf);
	if (r->n == 0)
		recipient_of_quoted(r, m);
	if (*r->feedback_type == '\0')
		report_set(&r->feedback_type, "abuse", 5);
	keep_text(r, m);
	r->form = leaf != NULL ? "arf" : "jmrp";
	return true;
}
