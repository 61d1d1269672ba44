/*
 * return_text.c - what comes back by mail: its kinds, as a table, and their
 * texts.
 *
 * A form is a function that writes the mail behind the common part of its
 * header. returns.c says when and to whom.
 */
#include "tests/sandbox/return_text.h"

#include "mta/base/clock.h"
#include "tests/sandbox/carriers.h"
#include "tests/sandbox/message.h"

#include <iconv.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
#define AU_SENDER "Postmaster@ezweb.ne.jp"

/* "This mail could not be delivered:" and, for each, why. */
#define AU_HEAD "下記の宛先にメールをお届けできませんでした。"
#define AU_FULL "宛先のメールボックスの容量が一時的に超過しています。"
#define AU_OFF  "宛先のお客様のメールはご利用になれません。"
#define AU_HELD "宛先のお客様のメールは一時的に制限されています。"
#define AU_NONE "宛先のメールアドレスが見つかりません。宛先をお確かめください。"
#define AU_LATE "宛先のメールサーバから応答がありません。しばらくしてからお送りください。"

#define QUOTA    "The user(s) account is temporarily over quota.\n\n    {addr}\n"
#define DISABLED "The user(s) account is disabled.\n\n    {addr}\n"
#define LIMITED  "The user(s) account is temporarily limited.\n\n    {addr}\n"
#define UNKNOWN  "Each of the following recipients was rejected by a remote mail server.\n\n" \
	"    Recipient: {addr}\n    >>> RCPT TO:{addr}\n    <<< 550 {addr}: User unknown\n"
#define EXPIRED  "Your message was not delivered within 0 days and 1 hours.\n" \
	"Remote host is not responding.\n\n" \
	"The following recipients did not receive this message:\n\n    {addr}\n"

static const struct return_kind kinds[] = {
	{ "laterfull",     "ezweb", RETURN_AU, AU_FULL, QUOTA, NULL, NULL },
	{ "laterdisabled", "ezweb", RETURN_AU, AU_OFF,  DISABLED, NULL, NULL },
	{ "laterlimited",  "ezweb", RETURN_AU, AU_HELD, LIMITED, NULL, NULL },
	{ "laterunknown",  "ezweb", RETURN_AU, AU_NONE, UNKNOWN, NULL, NULL },
	{ "laterexpired",  "ezweb", RETURN_AU, AU_LATE, EXPIRED, NULL, NULL },
	{ "laterfiltered", "ezweb", RETURN_AU_FILTER, NULL, NULL, NULL, NULL },

	{ "laterfull",     NULL, RETURN_DSN, NULL,
	    "smtp; 552 5.2.2 {addr}: mailbox full", "failed", "5.2.2" },
	{ "laterunknown",  NULL, RETURN_DSN, NULL,
	    "smtp; 550 5.1.1 {addr}: Recipient address rejected: User unknown", "failed", "5.1.1" },
	{ "laterexpired",  NULL, RETURN_DSN, NULL,
	    "X-Postfix; connect to inner.example.com[192.0.2.7]:25: Connection timed out",
	    "failed", "4.4.1" },
	{ "laterfiltered", NULL, RETURN_DSN, NULL,
	    "smtp; 550 5.7.1 Message content rejected", "failed", "5.7.1" },
	{ "laterblocked",  NULL, RETURN_DSN, NULL,
	    "smtp; 550 5.7.1 {ip} is blocked because of its bad reputation", "failed", "5.7.1" },
	{ "laterdelayed",  NULL, RETURN_DSN, NULL,
	    "X-Postfix; connect to inner.example.com[192.0.2.7]:25: Connection timed out",
	    "delayed", "4.4.1" },
	{ "complaint",     NULL, RETURN_ARF, NULL, NULL, NULL, NULL },
	{ "redacted",      NULL, RETURN_REDACTED, NULL, NULL, NULL, NULL },
	{ "vacation",      NULL, RETURN_VACATION, NULL, NULL, NULL, NULL },
	{ NULL, NULL, 0, NULL, NULL, NULL, NULL },
};
/* clang-format on */

/* Both of KDDI's systems answer alike. */
static bool
is_for(const struct return_kind *k, const struct system *system)
{
	return k->system == NULL || strcmp(k->system, system->name) == 0 ||
	       (strcmp(k->system, "ezweb") == 0 &&
		   strcmp(system->name, "au") == 0);
}

const struct return_kind *
return_kind_of(const struct system *system, const char *to)
{
	char word[SCENARIO_WORD];
	const struct return_kind *k;
	bool digits;

	(void)scenario_word(to, word, &digits);
	for (k = kinds; k->word != NULL; k++)
		if (strcmp(k->word, word) == 0 && is_for(k, system))
			return k;
	return NULL;
}

bool
return_is_complaint(const struct return_kind *k)
{
	return k->form == RETURN_ARF || k->form == RETURN_REDACTED;
}

/* --- pieces --- */

/* Lines with LF become lines with CRLF; {addr} and {ip} are filled in. */
static void
add_lines(struct str *o, const char *text, const struct returned *r)
{
	for (; *text != '\0'; text++) {
		if (strncmp(text, "{addr}", 6) == 0) {
			str_addf(o, "<%s>", r->to);
			text += 5;
		} else if (strncmp(text, "{ip}", 4) == 0) {
			str_adds(o, r->peer);
			text += 3;
		} else if (*text == '\n') {
			str_adds(o, "\r\n");
		} else {
			str_addc(o, *text);
		}
	}
}

static void
add_japanese(struct str *o, const char *utf8)
{
	iconv_t cd = iconv_open("ISO-2022-JP", "UTF-8");
	char out[1000], *to = out, *from = (char *)(uintptr_t)utf8;
	size_t left = strlen(utf8), room = sizeof(out);

	if (cd == (iconv_t)-1)
		return;
	(void)iconv(cd, &from, &left, &to, &room);
	(void)iconv(cd, NULL, NULL, &to, &room); /* back to ASCII */
	(void)iconv_close(cd);
	str_add(o, out, sizeof(out) - room);
	str_adds(o, "\r\n");
}

static void
add_date(struct str *o, const char *field)
{
	char date[48];

	str_addf(o, "%s: %s\r\n", field, clock_rfc5322(clock_wall(), date));
}

/* The header that all have. */
static void
begin(struct str *o, const struct returned *r, const char *sender,
    const char *back, const char *subject)
{
	str_addf(o, "From: %s\r\nTo: <%s>\r\nSubject: %s\r\n", sender, back,
	    subject);
	add_date(o, "Date");
	str_addf(o,
	    "Message-ID: <back.%" PRIu64 ".%u.%" PRId64
	    "@%s>\r\nMIME-Version: 1.0\r\n",
	    r->number, r->copy, clock_wall(), r->system->host);
}

static void
boundary(const struct returned *r, char b[static 48])
{
	(void)snprintf(b, 48, "back-%" PRIu64 "/%u=", r->number, r->copy);
}

static void
add_part(struct str *o, const char *b, const char *type)
{
	str_addf(o, "\r\n--%s\r\nContent-Type: %s\r\n\r\n", b, type);
}

/* --- the forms --- */

static void
au(struct str *o, const struct return_kind *k, const struct returned *r,
    const char *back)
{
	char b[48];

	boundary(r, b);
	begin(o, r, AU_SENDER, back, "Mail System Error - Returned Mail");
	str_addf(o,
	    "Reply-To: Mail Administrator <" AU_SENDER ">\r\n"
	    "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n"
	    "This message is in MIME format.\r\n",
	    b);
	str_addf(o,
	    "\r\n--%s\r\nContent-Type: text/plain; charset=\"ISO-2022-JP\"\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n",
	    b);
	add_japanese(o, AU_HEAD);
	str_adds(o, "\r\n");
	add_japanese(o, k->japanese);
	str_adds(o, "\r\n");
	add_lines(o, k->text, r);
	str_addf(o, "\r\n--%s--\r\n", b);
}

static void
au_filter(struct str *o, const struct return_kind *k, const struct returned *r,
    const char *back)
{
	(void)k;
	begin(
	    o, r, "<" AU_SENDER ">", back, "Mail System Error - Returned Mail");
	str_addf(o,
	    "X-SPASIGN: NG\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n"
	    "\r\n<%s>\r\n\r\n",
	    r->to);
	add_japanese(o, AU_HEAD);
	str_adds(o, "\r\nEach of the following recipients was rejected by a "
		    "remote mail server.\r\n-------\r\n");
	str_add(o, r->data, message_header_size(r->data, r->len));
}

static void
dsn(struct str *o, const struct return_kind *k, const struct returned *r,
    const char *back)
{
	bool failed = strcmp(k->action, "failed") == 0;
	char b[48], sender[300];

	boundary(r, b);
	(void)snprintf(sender, sizeof(sender),
	    "MAILER-DAEMON@%s (Mail Delivery System)", r->system->host);
	begin(o, r, sender, back,
	    failed ? "Undelivered Mail Returned to Sender"
		   : "Delayed Mail (still being retried)");
	str_addf(o,
	    "Auto-Submitted: auto-replied\r\nContent-Type: multipart/report; "
	    "report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n\r\n"
	    "This is a MIME-encapsulated message.\r\n",
	    b);
	add_part(o, b, "text/plain; charset=us-ascii");
	str_addf(o, "This is the mail system at host %s.\r\n\r\n<%s>: ",
	    r->system->host, r->to);
	add_lines(o, k->text, r);
	str_adds(o, "\r\n");
	add_part(o, b, "message/delivery-status");
	str_addf(o,
	    "Reporting-MTA: dns; %s\r\nX-Postfix-Queue-ID: 4Sb%" PRIX64
	    "\r\nX-Postfix-Sender: rfc822; %s\r\n",
	    r->system->host, r->number, r->from);
	add_date(o, "Arrival-Date");
	str_addf(o,
	    "\r\nFinal-Recipient: rfc822; %s\r\nOriginal-Recipient: "
	    "rfc822;%s\r\nAction: %s\r\nStatus: %s\r\nDiagnostic-Code: ",
	    r->to, r->to, k->action, k->status);
	add_lines(o, k->text, r);
	str_adds(o, "\r\n");
	add_part(o, b, failed ? "message/rfc822" : "text/rfc822-headers");
	str_add(
	    o, r->data, failed ? r->len : message_header_size(r->data, r->len));
	str_addf(o, "\r\n--%s--\r\n", b);
}

/* The recipient's local part gives way to what tells nobody who it was. */
static void
add_redacted(struct str *o, const struct returned *r)
{
	const char *p = r->data, *end = r->data + r->len;
	size_t n = strlen(r->to), local = strcspn(r->to, "@");

	while (p < end) {
		if ((size_t)(end - p) >= n && strncasecmp(p, r->to, n) == 0) {
			str_adds(o, "redacted");
			p += local;
		}
		str_addc(o, *p++);
	}
}

static void
arf(struct str *o, const struct return_kind *k, const struct returned *r,
    const char *back)
{
	bool redacted = k->form == RETURN_REDACTED;
	char b[48], sender[300];

	boundary(r, b);
	(void)snprintf(
	    sender, sizeof(sender), "<feedback@%s>", r->system->host);
	begin(o, r, sender, back, "FW: a report of abuse");
	str_addf(o,
	    "Content-Type: multipart/report; report-type=feedback-report;\r\n"
	    "\tboundary=\"%s\"\r\n",
	    b);
	add_part(o, b, "text/plain; charset=us-ascii");
	str_addf(o,
	    "This is an email abuse report for a message received from %s.\r\n",
	    r->peer);
	add_part(o, b, "message/feedback-report");
	str_addf(o,
	    "Feedback-Type: abuse\r\nUser-Agent: Sandbox-FBL/1.0\r\n"
	    "Version: 1\r\nSource-IP: %s\r\n",
	    r->peer);
	add_date(o, "Arrival-Date");
	if (!redacted)
		str_addf(o,
		    "Original-Mail-From: <%s>\r\nOriginal-Rcpt-To: <%s>\r\n",
		    r->from, r->to);
	add_part(o, b, "message/rfc822");
	if (redacted)
		add_redacted(o, r);
	else
		str_add(o, r->data, r->len);
	str_addf(o, "\r\n--%s--\r\n", b);
}

static void
vacation(struct str *o, const struct return_kind *k, const struct returned *r,
    const char *back)
{
	struct str id = STR_INIT, subject = STR_INIT;

	(void)k;
	(void)message_field(r->data, r->len, "Message-ID", 0, &id);
	(void)message_field(r->data, r->len, "Subject", 0, &subject);
	str_adds(&subject, " (I am away)");
	begin(o, r, r->to, back, subject.data);
	str_addf(o,
	    "Auto-Submitted: auto-replied\r\nIn-Reply-To: %s\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "I am on holiday until Monday and will read your mail then.\r\n",
	    id.data);
	str_release(&id);
	str_release(&subject);
}

void
return_text(const struct return_kind *k, const struct returned *r,
    const char *back, struct str *o)
{
	static void (*const forms[])(struct str *, const struct return_kind *,
	    const struct returned *, const char *) = {
		[RETURN_AU] = au,
		[RETURN_AU_FILTER] = au_filter,
		[RETURN_DSN] = dsn,
		[RETURN_ARF] = arf,
		[RETURN_REDACTED] = arf,
		[RETURN_VACATION] = vacation,
	};

	forms[k->form](o, k, r, back);
}
