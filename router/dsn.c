/*
 * dsn.c - what we tell a sender about a recipient.
 */
#include "router/dsn.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "mta/smtp/server.h"
#include "router/body.h"

#include <stdlib.h>
#include <string.h>

#define RETURN_MAX (64 * 1024) /* bytes of the original that go back */

/* clang-format off */
static const struct {
	const char *action, *subject, *text;
	unsigned notify;
	bool unasked; /* sent without NOTIFY */
} kinds[] = {
	[DSN_FAILED]  = { "failed", "Undelivered mail: failure",
		"Your message could not be delivered to the following recipient.",
		NOTIFY_FAILURE, true },
	[DSN_DELAYED] = { "delayed", "Delayed mail (still being retried)",
		"Your message has not been delivered yet. Delivery is still being tried;\r\n"
		"you need not send it again.", NOTIFY_DELAY, true },
	[DSN_RELAYED] = { "relayed", "Mail relayed",
		"Your message has been handed to a mail system that does not report\r\n"
		"successful delivery.", NOTIFY_SUCCESS, false },
};
/* clang-format on */

bool
dsn_is_wanted(enum dsn_kind kind, const struct recipient *r)
{
	if (r->message->from[0] == '\0')
		return false;
	if (r->notify == 0)
		return kinds[kind].unasked;
	return (r->notify & kinds[kind].notify) != 0;
}

/* A DSN is a header too: whatever comes from a peer or an envelope is made printable ASCII. */
static void
add_clean(struct str *s, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		str_addc(s, c < ' ' || c == 0x7f ? ' ' : (char)c);
	}
}

static void
add_field(struct str *s, const char *name, const char *type, const char *value)
{
	str_adds(s, name);
	str_adds(s, ": ");
	if (type != NULL) {
		str_adds(s, type);
		str_adds(s, "; ");
	}
	add_clean(s, value);
	str_adds(s, "\r\n");
}

static void
add_text_part(struct str *s, const struct recipient *r,
    const struct dsn_report *report, const char *boundary)
{
	str_addf(s,
	    "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "This is the mail system at %s.\r\n\r\n%s\r\n\r\n<",
	    boundary, report->hostname, kinds[report->kind].text);
	add_clean(s, r->address);
	str_adds(s, ">: ");
	if (report->remote[0] != '\0') {
		add_clean(s, report->remote);
		str_adds(s, " said: ");
	}
	if (report->outcome->code != 0)
		str_addf(s, "%d ", report->outcome->code);
	add_clean(s, report->outcome->text);
	str_adds(s, "\r\n\r\n");
}

/* RFC 3464, section 2. */
static void
add_status_part(struct str *s, const struct recipient *r,
    const struct dsn_report *report, const char *boundary)
{
	const struct outcome *o = report->outcome;
	const struct message *m = r->message;
	struct str code = STR_INIT;
	char date[48];

	str_addf(s, "--%s\r\nContent-Type: message/%sdelivery-status\r\n\r\n",
	    boundary, m->smtputf8 ? "global-" : "");
	add_field(s, "Reporting-MTA", "dns", report->hostname);
	if (m->envid[0] != '\0')
		add_field(s, "Original-Envelope-Id", NULL, m->envid);
	add_field(s, "Arrival-Date", NULL, clock_rfc5322(m->received, date));
	str_adds(s, "\r\n");
	if (r->orcpt[0] != '\0') {
		/* kept as "type;address" */
		add_field(s, "Original-Recipient", NULL, r->orcpt);
	}
	add_field(
	    s, "Final-Recipient", m->smtputf8 ? "utf-8" : "rfc822", r->address);
	add_field(s, "Action", NULL, kinds[report->kind].action);
	add_field(s, "Status", NULL, report->status);
	if (report->remote[0] != '\0')
		add_field(s, "Remote-MTA", "dns", report->remote);
	if (o->code != 0) {
		str_addf(&code, "%d %s%s%s", o->code, o->enhanced,
		    o->enhanced[0] != '\0' ? " " : "", o->text);
		add_field(s, "Diagnostic-Code", "smtp", code.data);
		str_release(&code);
	} else if (o->text[0] != '\0') {
		add_field(s, "Diagnostic-Code", "x-oiwake", o->text);
	}
	add_field(s, "Last-Attempt-Date", NULL, clock_rfc5322(report->at, date));
	if (report->kind == DSN_DELAYED)
		add_field(s, "Will-Retry-Until", NULL,
		    clock_rfc5322(report->retry_until, date));
	str_adds(s, "\r\n");
}

static void
add_original(struct str *s, const struct message *m, struct body *body,
    enum dsn_kind kind, const char *boundary)
{
	bool full = m->ret == 'F' && kind == DSN_FAILED && m->size <= RETURN_MAX;
	uint64_t n = full ? m->size : m->header_size;
	char *bytes;
	ssize_t got;

	if (body == NULL)
		return;
	if (n > RETURN_MAX)
		n = RETURN_MAX;
	bytes = xmalloc(n + 1);
	got = body_read(body, 0, bytes, n);
	str_addf(s, "--%s\r\nContent-Type: %s\r\n%s\r\n", boundary,
	    full ? "message/rfc822" : "text/rfc822-headers",
	    m->body_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	if (got > 0)
		str_add(s, bytes, (size_t)got);
	if (s->len < 2 || memcmp(s->data + s->len - 2, "\r\n", 2) != 0)
		str_adds(s, "\r\n");
	str_adds(s, "\r\n");
	free(bytes);
}

static void
add_header(struct str *s, const struct recipient *r,
    const struct dsn_report *report, const char *id, const char *boundary)
{
	char date[48];

	str_addf(s, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <",
	    report->hostname);
	add_clean(s, r->message->from);
	str_addf(s,
	    ">\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n",
	    kinds[report->kind].subject, clock_rfc5322(report->at, date), id,
	    report->hostname);
	if (r->message->message_id[0] != '\0')
		add_field(s, "In-Reply-To", NULL, r->message->message_id);
	str_addf(s,
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n\r\nThis is a MIME-encapsulated "
	    "message.\r\n\r\n",
	    boundary);
}

struct message *
dsn_new(int64_t id, const struct recipient *r, struct body *body,
    const struct dsn_report *report)
{
	char text[MESSAGE_ID_TEXT], boundary[MESSAGE_ID_TEXT + 8];
	struct message *m = message_new(id);
	struct str s = STR_INIT;
	const char *end;

	message_id_text(id, text);
	snprintf(boundary, sizeof(boundary), "=_dsn_%s", text);
	add_header(&s, r, report, text, boundary);
	end = strstr(s.data, "\r\n\r\n");
	m->header_size = (uint64_t)(end - s.data) + 4;
	add_text_part(&s, r, report, boundary);
	add_status_part(&s, r, report, boundary);
	add_original(&s, r->message, body, report->kind, boundary);
	str_addf(&s, "--%s--\r\n", boundary);
	m->received = report->at;
	m->body_8bit = true;
	m->smtputf8 = r->message->smtputf8;
	free(m->listener);
	m->listener = xstrdup("dsn");
	free(m->header_from);
	m->header_from = xstrdup(report->hostname);
	m->size = s.len;
	m->nrcpt = 1;
	m->body = body_take(str_detach(&s), (size_t)m->size);
	return m;
}
