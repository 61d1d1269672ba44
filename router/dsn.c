/*
 * dsn.c - what we tell a sender about a recipient.
 */
#include "router/dsn.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "mta/smtp/address.h"
#include "mta/smtp/server.h"
#include "mta/smtp/utf8.h"
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

static bool
has_high_byte(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] >= 0x80)
			return true;
	return false;
}

/*
 * What comes from a peer or an envelope never holds a control byte here; beyond
 * ASCII it is UTF-8 where that is allowed, and '?' elsewhere (RFC 3464 2.1.1).
 */
static void
add_clean(struct str *s, const char *text, bool utf8)
{
	bool beyond = false,
	     keep = utf8 && utf8_check(text, strlen(text), &beyond);

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < ' ' || c == 0x7f)
			str_addc(s, ' ');
		else
			str_addc(s, c >= 0x80 && !keep ? '?' : (char)c);
	}
}

/* local@domain with quotes where the syntax of mail wants them. */
static void
add_address(
    struct str *s, const char *plain, enum address_quoting quoting, bool utf8)
{
	char buf[ADDRESS_TEXT_MAX];
	const char *at = strrchr(plain, '@');
	struct address a = { .null = false };

	if (at == NULL || (size_t)(at - plain) >= sizeof(a.local) ||
	    strlen(at + 1) >= sizeof(a.domain)) {
		add_clean(s, plain, utf8);
		return;
	}
	memcpy(a.local, plain, (size_t)(at - plain));
	strcpy(a.domain, at + 1);
	add_clean(s, address_format(&a, quoting, buf), utf8);
}

static void
add_field(struct str *s, const char *name, const char *type, const char *value,
    bool utf8)
{
	str_adds(s, name);
	str_adds(s, ": ");
	if (type != NULL) {
		str_adds(s, type);
		str_adds(s, "; ");
	}
	add_clean(s, value, utf8);
	str_adds(s, "\r\n");
}

/* Each thing that may be long has a line of its own (RFC 5322 2.1.1). */
static void
add_text_part(struct str *s, const struct recipient *r,
    const struct dsn_report *report, const char *boundary)
{
	str_addf(s,
	    "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "This is the mail system at %s.\r\n\r\n%s\r\n\r\n<",
	    boundary, report->hostname, kinds[report->kind].text);
	add_address(s, r->address, QUOTE_RAW, true);
	str_adds(s, ">:\r\n");
	if (report->remote[0] != '\0') {
		str_adds(s, "    ");
		add_clean(s, report->remote, true);
		str_adds(s, " said:\r\n");
	}
	str_adds(s, "    ");
	if (report->outcome->code != 0)
		str_addf(s, "%d ", report->outcome->code);
	add_clean(s, report->outcome->text, true);
	str_adds(s, "\r\n\r\n");
}

static void
add_diagnostic(struct str *s, const struct outcome *o, bool utf8)
{
	struct str code = STR_INIT;

	if (o->code != 0) {
		str_addf(&code, "%d %s%s%s", o->code, o->enhanced,
		    o->enhanced[0] != '\0' ? " " : "", o->text);
		add_field(s, "Diagnostic-Code", "smtp", code.data, utf8);
		str_release(&code);
	} else if (o->text[0] != '\0') {
		add_field(s, "Diagnostic-Code", "x-oiwake", o->text, utf8);
	}
}

static void
add_final_recipient(struct str *s, const char *address, bool utf8)
{
	str_addf(s, "Final-Recipient: %s; ",
	    utf8 && has_high_byte(address, strlen(address)) ? "utf-8"
							    : "rfc822");
	add_address(s, address, QUOTE_RAW, utf8);
	str_adds(s, "\r\n");
}

/* RFC 3464, section 2; RFC 6533, section 3 where the message was for SMTPUTF8.
 */
static void
add_status_part(struct str *s, const struct recipient *r,
    const struct dsn_report *report, const char *boundary)
{
	const struct message *m = r->message;
	bool utf8 = m->smtputf8;
	char date[48];

	str_addf(s, "--%s\r\nContent-Type: message/%s\r\n\r\n", boundary,
	    utf8 ? "global-delivery-status\r\n"
		   "Content-Transfer-Encoding: 8bit"
		 : "delivery-status");
	add_field(s, "Reporting-MTA", "dns", report->hostname, utf8);
	if (m->envid[0] != '\0')
		add_field(s, "Original-Envelope-Id", NULL, m->envid, utf8);
	add_field(
	    s, "Arrival-Date", NULL, clock_rfc5322(m->received, date), false);
	str_adds(s, "\r\n");
	if (r->orcpt[0] != '\0') /* kept as "type;address" */
		add_field(s, "Original-Recipient", NULL, r->orcpt, utf8);
	add_final_recipient(s, r->address, utf8);
	add_field(s, "Action", NULL, kinds[report->kind].action, false);
	add_field(s, "Status", NULL, report->status, false);
	if (report->remote[0] != '\0')
		add_field(s, "Remote-MTA", "dns", report->remote, utf8);
	add_diagnostic(s, report->outcome, utf8);
	add_field(s, "Last-Attempt-Date", NULL, clock_rfc5322(report->at, date),
	    false);
	if (report->kind == DSN_DELAYED)
		add_field(s, "Will-Retry-Until", NULL,
		    clock_rfc5322(report->retry_until, date), false);
	str_adds(s, "\r\n");
}

/* The part of the original that goes back, or nothing. */
static void
read_original(
    const struct message *m, struct body *body, bool full, struct str *out)
{
	uint64_t n = full ? m->size : m->header_size;
	ssize_t got;

	if (body == NULL)
		return;
	if (n > RETURN_MAX)
		n = RETURN_MAX;
	str_reserve(out, n);
	got = body_read(body, 0, out->data, n);
	out->len = got > 0 ? (size_t)got : 0;
	out->data[out->len] = '\0';
}

static void
add_original(struct str *s, const struct message *m, const struct str *original,
    bool full, const char *boundary)
{
	const char *type = full ? "message/rfc822" : "text/rfc822-headers";
	const char *global = full ? "message/global" : "message/global-headers";

	str_addf(s, "--%s\r\nContent-Type: %s\r\n%s\r\n", boundary,
	    m->smtputf8 ? global : type,
	    has_high_byte(original->data, original->len)
		? "Content-Transfer-Encoding: 8bit\r\n"
		: "");
	str_add(s, original->data, original->len);
	if (memcmp(s->data + s->len - 2, "\r\n", 2) != 0)
		str_adds(s, "\r\n");
	str_adds(s, "\r\n");
}

static void
add_header(struct str *s, const struct recipient *r,
    const struct dsn_report *report, const char *id, const char *boundary)
{
	bool utf8 = r->message->smtputf8;
	char date[48];

	str_addf(s, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <",
	    report->hostname);
	add_address(s, r->message->from, QUOTE_IRREGULAR, utf8);
	str_addf(s,
	    ">\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n",
	    kinds[report->kind].subject, clock_rfc5322(report->at, date), id,
	    report->hostname);
	if (r->message->message_id[0] != '\0')
		add_field(s, "In-Reply-To", NULL, r->message->message_id, utf8);
	str_addf(s,
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n\r\nThis is a MIME-encapsulated "
	    "message.\r\n\r\n",
	    boundary);
}

/* Whoever knows our ids could write one into a message: not found there,
 * counted on until it is not. */
static void
choose_boundary(const char *id, const struct str *original, struct str *out)
{
	for (unsigned n = 0;; n++) {
		str_clear(out);
		str_addf(out, "=_dsn_%s_%u", id, n);
		if (memmem(original->data, original->len, out->data,
			out->len) == NULL)
			return;
	}
}

struct message *
dsn_new(int64_t id, const struct recipient *r, struct body *body,
    const struct dsn_report *report)
{
	bool full = r->message->ret == 'F' && report->kind == DSN_FAILED &&
		    r->message->size <= RETURN_MAX;
	struct str s = STR_INIT, original = STR_INIT, boundary = STR_INIT;
	struct message *m = message_new(id);
	char text[MESSAGE_ID_TEXT];
	const char *end;

	message_id_text(id, text);
	read_original(r->message, body, full, &original);
	choose_boundary(text, &original, &boundary);
	add_header(&s, r, report, text, boundary.data);
	end = strstr(s.data, "\r\n\r\n");
	m->header_size = (uint64_t)(end - s.data) + 4;
	add_text_part(&s, r, report, boundary.data);
	add_status_part(&s, r, report, boundary.data);
	if (body != NULL)
		add_original(&s, r->message, &original, full, boundary.data);
	str_addf(&s, "--%s--\r\n", boundary.data);
	str_release(&boundary);
	str_release(&original);
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
