/*
 * server_reply.c - everything the server says, in one table.
 *
 * Rows are kept as they go over the wire: most replies are one copy.
 */
#include "mta/smtp/server_reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *wire;
	size_t len;
};

/* clang-format off */
#define ROW(text) { text "\r\n", sizeof(text "\r\n") - 1 }
static const struct row rows[R_MAX] = {
	[R_OK]                 = ROW("250 2.0.0 ok"),
	[R_RESET]              = ROW("250 2.0.0 ok, nothing in hand"),
	[R_BYE]                = ROW("221 2.0.0 bye"),
	[R_VRFY]               = ROW("252 2.0.0 cannot verify, send it and see"),
	[R_HELP]               = ROW("214 2.0.0 see RFC 5321"),
	[R_MAIL]               = ROW("250 2.1.0 sender ok"),
	[R_RCPT]               = ROW("250 2.1.5 recipient ok"),
	[R_DATA]               = ROW("354 end with <CRLF>.<CRLF>"),
	[R_ACCEPTED]           = ROW("250 2.0.0 message accepted"),
	[R_STARTTLS]           = ROW("220 2.0.0 ready for TLS"),

	[R_AUTH_EMPTY]         = ROW("334 "),
	[R_AUTH_USERNAME]      = ROW("334 VXNlcm5hbWU6"), /* "Username:" */
	[R_AUTH_PASSWORD]      = ROW("334 UGFzc3dvcmQ6"), /* "Password:" */
	[R_AUTH_OK]            = ROW("235 2.7.0 authenticated"),
	[R_AUTH_DENIED]        = ROW("535 5.7.8 user name or password is wrong"),
	[R_AUTH_UNAVAILABLE]   = ROW("454 4.7.0 cannot check passwords now"),
	[R_AUTH_CANCELLED]     = ROW("501 5.7.0 authentication cancelled"),
	[R_AUTH_SYNTAX]        = ROW("501 5.5.2 cannot decode the response"),
	[R_AUTH_TOO_LONG]      = ROW("500 5.5.6 authentication line is too long"),
	[R_AUTH_MECHANISM]     = ROW("504 5.5.4 mechanism is not offered"),
	[R_AUTH_TLS_FIRST]     = ROW("538 5.7.11 STARTTLS first"),
	[R_AUTH_AGAIN]         = ROW("503 5.5.1 already authenticated"),
	[R_AUTH_NOT_OFFERED]   = ROW("502 5.5.1 AUTH is not offered"),
	[R_AUTH_FIRST]         = ROW("530 5.7.0 authentication required"),
	[R_AUTH_FAILURES]      = ROW("421 4.7.0 too many failed authentications"),

	[R_UNKNOWN]            = ROW("500 5.5.2 unknown command"),
	[R_LINE_TOO_LONG]      = ROW("500 5.5.2 command line is too long"),
	[R_LINE_ENDING]        = ROW("521 5.5.2 a command ends in CRLF and holds no CR, LF or NUL"),
	[R_NO_ARGUMENT]        = ROW("501 5.5.4 takes no argument"),
	[R_HELO_NAME]          = ROW("501 5.5.4 host name expected"),
	[R_HELO_FIRST]         = ROW("503 5.5.1 EHLO first"),
	[R_MAIL_NESTED]        = ROW("503 5.5.1 MAIL was already given"),
	[R_MAIL_FIRST]         = ROW("503 5.5.1 MAIL first"),
	[R_IN_TRANSACTION]     = ROW("503 5.5.1 not during a mail transaction"),
	[R_NO_RECIPIENT]       = ROW("554 5.5.1 no valid recipient"),
	[R_MAIL_SYNTAX]        = ROW("501 5.5.4 MAIL FROM:<address> expected"),
	[R_RCPT_SYNTAX]        = ROW("501 5.5.4 RCPT TO:<address> expected"),
	[R_MAIL_ADDRESS]       = ROW("501 5.1.7 sender address is malformed"),
	[R_RCPT_ADDRESS]       = ROW("501 5.1.3 recipient address is malformed"),
	[R_NEEDS_SMTPUTF8]     = ROW("553 5.6.7 address needs the SMTPUTF8 parameter"),
	[R_PARAM_UNKNOWN]      = ROW("555 5.5.4 unknown parameter"),
	[R_PARAM_TWICE]        = ROW("501 5.5.4 parameter was given twice"),
	[R_PARAM_VALUE]        = ROW("501 5.5.4 bad value of a parameter"),
	[R_TOO_MANY_RCPT]      = ROW("452 4.5.3 too many recipients"),
	[R_TLS_NOT_OFFERED]    = ROW("502 5.5.1 STARTTLS is not offered"),
	[R_TLS_AGAIN]          = ROW("503 5.5.1 TLS is already in use"),
	[R_TLS_PIPELINED]      = ROW("554 5.5.1 nothing may follow STARTTLS before its reply"),
	[R_TLS_FAILED]         = ROW("454 4.7.0 TLS is not available now"),

	[R_TOO_BIG]            = ROW("552 5.3.4 message is too big"),
	[R_HEADER_TOO_BIG]     = ROW("552 5.3.4 message header is too big"),
	[R_TEXT_LINE_TOO_LONG] = ROW("554 5.6.0 a line of the message is too long"),
	[R_LOOP]               = ROW("554 5.4.6 too many Received fields: mail loop"),
	[R_BARE_LINE_ENDING]   = ROW("550 5.6.0 message holds a bare CR or LF"),
	[R_NUL]                = ROW("554 5.6.0 message holds a NUL"),

	[R_IDLE]               = ROW("421 4.4.2 waited too long"),
	[R_TOO_SLOW]           = ROW("421 4.4.2 data comes too slowly"),
	[R_TOO_MANY_COMMANDS]  = ROW("421 4.7.0 too many commands"),
	[R_TOO_MANY_ERRORS]    = ROW("421 4.7.0 too many errors"),
	[R_SHUTDOWN]           = ROW("421 4.3.2 service is stopping"),
};
#undef ROW
/* clang-format on */

void
smtp_reply_set(
    struct smtp_reply *r, int code, const char *enhanced, const char *fmt, ...)
{
	va_list ap;

	r->code = code;
	r->no_error = false;
	snprintf(r->enhanced, sizeof(r->enhanced), "%s", enhanced);
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	for (char *p = r->text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

void
server_reply_add(struct str *out, enum server_reply id)
{
	assert(rows[id].len > 0);
	str_add(out, rows[id].wire, rows[id].len);
}

void
server_reply_add_custom(struct str *out, const struct smtp_reply *r)
{
	assert(r->code >= 200 && r->code <= 599);
	assert(!str_has_control(r->text, strlen(r->text)));
	assert(!str_has_control(r->enhanced, strlen(r->enhanced)));
	str_addf(out, "%d %s%s%s\r\n", r->code, r->enhanced,
	    r->enhanced[0] != '\0' ? " " : "", r->text);
}

void
server_reply_greeting(struct str *out, const char *hostname)
{
	str_addf(out, "220 %s ESMTP\r\n", hostname);
}

void
server_reply_helo(struct str *out, const char *hostname)
{
	str_addf(out, "250 %s\r\n", hostname);
}

void
server_reply_ehlo(struct str *out, const struct server_offer *offer)
{
	str_addf(out, "250-%s greets %s\r\n", offer->hostname, offer->peer);
	str_adds(out, "250-PIPELINING\r\n"
		      "250-8BITMIME\r\n"
		      "250-SMTPUTF8\r\n"
		      "250-DSN\r\n");
	str_addf(out, "250-SIZE %zu\r\n", offer->size);
	if (offer->starttls)
		str_adds(out, "250-STARTTLS\r\n");
	if (offer->auth)
		str_adds(out, "250-AUTH PLAIN LOGIN\r\n");
	str_adds(out, "250 ENHANCEDSTATUSCODES\r\n");
}

int
server_reply_class(enum server_reply id)
{
	assert(rows[id].len > 0);
	return rows[id].wire[0] - '0';
}
