/*
 * report_dsn.c - delivery status notifications: RFC 3464, RFC 6533, and those
 * that only almost are.
 *
 * The fields stand in a part of their own, or (from old or broken systems, and
 * after a relay that took the MIME header away) in the text. Several
 * recipients, each with what is said about it; the human text fills what its
 * fields leave out: the SMTP stage, a diagnosis.
 */
#include <string.h>
#include <strings.h>

#include "router/feedback/form.h"
#include "router/feedback/report_int.h"

/* What is gathered of one recipient until the next begins. */
struct group {
	struct str final, original, actual;
	bool has_final, has_original, has_actual;
	struct span action, status, diagnosis, remote;
	bool any;
};

struct action_kind {
	const char *action; /* how it begins */
	enum report_kind kind;
};

static const struct action_kind actions[] = {
	{ "fail", REPORT_BOUNCE },
	{ "delayed", REPORT_DELAYED },
	{ "deliver", REPORT_DELIVERED },
	{ "relayed", REPORT_DELIVERED },
	{ "expanded", REPORT_DELIVERED },
};

static bool
begins(struct span s, const char *with)
{
	return s.len >= strlen(with) &&
	       strncasecmp(s.data, with, strlen(with)) == 0;
}

/* Without an action the status says it, and without both it is a bounce: nobody
 * reports nothing. */
static enum report_kind
kind_of(const struct group *g)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (begins(g->action, actions[i].action))
			return actions[i].kind;
	if (begins(g->status, "2."))
		return REPORT_DELIVERED;
	return REPORT_BOUNCE;
}

/* "smtp; 550 ...", "X-Postfix; ...": behind the type, which is one word. */
static struct span
behind_type(struct span s)
{
	const char *semi = memchr(s.data, ';', s.len < 40 ? s.len : 40);
	size_t n;

	if (semi == NULL)
		return s;
	n = (size_t)(semi - s.data);
	if (memchr(s.data, ' ', n) != NULL && s.data[n - 1] != ' ')
		return s;
	s.data += n + 1;
	s.len -= n + 1;
	while (s.len > 0 && strchr(" \t\r\n", s.data[0]) != NULL) {
		s.data++;
		s.len--;
	}
	return s;
}

static void
keep_status(struct report_part *part, struct span status)
{
	size_t n = 0;

	while (
	    n < status.len && (strchr("0123456789.", status.data[n]) != NULL))
		n++;
	while (n > 0 && status.data[n - 1] == '.')
		n--;
	if (n < 5 || n >= sizeof(part->outcome.enhanced) ||
	    (status.data[0] != '2' && status.data[0] != '4' &&
		status.data[0] != '5') ||
	    status.data[1] != '.')
		return;
	memcpy(part->outcome.enhanced, status.data, n);
	part->outcome.enhanced[n] = '\0';
}

/* "dns; mx.example.jp (192.0.2.1)" */
static void
keep_host(struct report_part *part, struct span remote)
{
	size_t n = 0;

	remote = behind_type(remote);
	while (n < remote.len && strchr(" \t\r\n([;", remote.data[n]) == NULL)
		n++;
	if (n > 0)
		report_set(&part->host, remote.data, n);
}

static void
keep_alias(struct report_part *part, const struct str *other)
{
	if (other->len > 0 && *part->alias == '\0' &&
	    !address_is(part->recipient, other->data))
		report_set(&part->alias, other->data, other->len);
}

static const char *
recipient_of(const struct group *g)
{
	return g->has_final	 ? g->final.data
	       : g->has_original ? g->original.data
	       : g->has_actual	 ? g->actual.data
				 : "";
}

static void
group_end(struct report *r, struct group *g)
{
	struct report_part *part;
	struct span said;

	if (g->any) {
		part = report_add(r, kind_of(g), recipient_of(g));
		if (part != NULL) {
			said = behind_type(g->diagnosis);
			report_set(
			    &part->action, g->action.data, g->action.len);
			keep_status(part, g->status);
			keep_host(part, g->remote);
			report_diagnose(part, said.data, said.len);
			if (g->has_original)
				keep_alias(part, &g->original);
			if (g->has_actual)
				keep_alias(part, &g->actual);
		}
	}
	g->has_final = g->has_original = g->has_actual = g->any = false;
	g->action = g->status = g->diagnosis = g->remote =
	    (struct span){ "", 0 };
}

static void
first_word(struct span *field, struct span value)
{
	size_t n = 0;

	while (n < value.len && strchr(" \t\r\n;(", value.data[n]) == NULL)
		n++;
	*field = (struct span){ value.data, n };
}

/* A group ends where an address field comes again, or behind an empty line when
 * it has one already. */
static bool
is_next_recipient(const struct group *g, const struct group_field *f)
{
	bool address = span_is(f->name, "final-recipient") ||
		       span_is(f->name, "original-recipient");

	if (!g->any)
		return false;
	if (span_is(f->name, "final-recipient") && g->has_final)
		return true;
	if (span_is(f->name, "original-recipient") && g->has_original)
		return true;
	if (span_is(f->name, "action") && g->action.len > 0)
		return true;
	return f->first && (address || span_is(f->name, "action")) &&
	       (g->has_final || g->has_original) && g->action.len > 0;
}

static void
group_take(struct group *g, const struct group_field *f)
{
	struct str *address = NULL;
	bool *has = NULL;

	if (span_is(f->name, "final-recipient")) {
		address = &g->final;
		has = &g->has_final;
	} else if (span_is(f->name, "original-recipient")) {
		address = &g->original;
		has = &g->has_original;
	} else if (span_is(f->name, "x-actual-recipient")) {
		address = &g->actual;
		has = &g->has_actual;
	} else if (span_is(f->name, "action")) {
		first_word(&g->action, f->value);
	} else if (span_is(f->name, "status")) {
		g->status = f->value;
	} else if (span_is(f->name, "diagnostic-code")) {
		if (g->diagnosis.len == 0)
			g->diagnosis = f->value;
	} else if (span_is(f->name, "remote-mta")) {
		g->remote = f->value;
	} else {
		return;
	}
	g->any = true;
	if (address != NULL)
		*has = address_of_field(address, f->value);
}

static void
per_message(struct report *r, const struct group_field *f)
{
	struct str sender = STR_INIT;
	struct span value = f->value;

	if (span_is(f->name, "arrival-date"))
		r->at = date_of_field(value);
	else if (span_is(f->name, "x-postfix-sender") &&
		 address_of_field(&sender, value))
		report_set(&r->return_path, sender.data, sender.len);
	str_release(&sender);
}

static void
fields_read(struct report *r, struct span status)
{
	struct group g = { .final = STR_INIT,
		.original = STR_INIT,
		.actual = STR_INIT,
		.action = { "", 0 },
		.status = { "", 0 },
		.diagnosis = { "", 0 },
		.remote = { "", 0 } };
	struct group_field f;

	while (group_next(&f, &status)) {
		if (is_next_recipient(&g, &f))
			group_end(r, &g);
		group_take(&g, &f);
		per_message(r, &f);
	}
	group_end(r, &g);
	str_release(&g.final);
	str_release(&g.original);
	str_release(&g.actual);
}

/* Where the fields begin in a text that has them in it. */
static struct span
fields_in_text(const struct mail *m)
{
	static const char *const starts[] = { "\nReporting-MTA:",
		"\nFinal-Recipient:", "\nOriginal-Recipient:",
		"\nOriginal-Envelope-Id:" };
	const char *first = NULL, *hit;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		hit = strcasestr(m->text.data, starts[i]);
		if (hit != NULL && (first == NULL || hit < first))
			first = hit;
	}
	if (first == NULL)
		return (struct span){ "", 0 };
	first++;
	return (
	    struct span){ first, (size_t)(m->text.data + m->text.len - first) };
}

/* The human text as far as it is about this recipient: from its address to the
 * next one's. */
static struct span
text_about(const struct report *r, const struct report_part *part,
    const struct mail *m)
{
	const char *start = m->text.data, *end = start + m->text.len, *hit;

	if (r->n == 1)
		return (struct span){ start, m->text.len };
	start = *part->recipient != '\0' ? strcasestr(start, part->recipient)
					 : NULL;
	if (start == NULL)
		return (struct span){ "", 0 };
	for (size_t i = 0; i < r->n; i++) {
		hit = &r->part[i] == part || *r->part[i].recipient == '\0'
			  ? NULL
			  : strcasestr(start, r->part[i].recipient);
		if (hit != NULL && hit < end)
			end = hit;
	}
	return (struct span){ start, (size_t)(end - start) };
}

/* Diagnostic-Code leaves the stage to the human text: "(in reply to RCPT TO
 * command)", ">>> DATA". */
static void
stages_from_text(struct report *r, const struct mail *m)
{
	for (size_t i = 0; i < r->n && i < 20; i++) {
		struct report_part *part = &r->part[i];
		struct span about;

		if (part->outcome.stage != STAGE_NONE)
			continue;
		about = text_about(r, part, m);
		if (about.len > 4096)
			about.len = 4096;
		part->outcome.stage = stage_of_text(about.data, about.len);
	}
}

bool
report_dsn(struct report *r, struct mail *m)
{
	struct span status = { m->status.data, m->status.len };

	if (status.len == 0 && mail_is_of_machine(m))
		status = fields_in_text(m);
	if (status.len == 0)
		return false;
	fields_read(r, status);
	if (r->n == 0)
		return false;
	r->form = "rfc3464";
	stages_from_text(r, m);
	return true;
}

/* A read receipt (RFC 8098): it says that the mail arrived, whatever was done
 * with it then. */
bool
report_notification(struct report *r, struct mail *m)
{
	const struct leaf *leaf = mail_leaf(m, LEAF_NOTIFICATION);
	struct str text = STR_INIT, address = STR_INIT;
	struct report_part *part;
	struct group_field f;
	struct span rest;

	if (leaf == NULL)
		return false;
	text_decode(&text, leaf->body, leaf->encoding, leaf->charset);
	rest = (struct span){ text.data, text.len };
	while (group_next(&f, &rest))
		if (span_is(f.name, "final-recipient") &&
		    address_of_field(&address, f.value))
			break;
	part = report_add(r, REPORT_DELIVERED, address.data);
	if (part != NULL)
		report_set(&part->action, "displayed", 9);
	r->form = "rfc8098";
	str_release(&address);
	str_release(&text);
	return part != NULL;
}
