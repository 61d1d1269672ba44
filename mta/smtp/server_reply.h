/*
 * server_reply.h - everything the server says, in one table.
 *
 * Call sites name a row; code, enhanced status (RFC 3463, RFC 5248) and text stand in
 * server_reply.c and nowhere else.
 */
#ifndef MTA_SMTP_SERVER_REPLY_H
#define MTA_SMTP_SERVER_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"
#include "mta/smtp/server.h"

enum server_reply {
	R_NONE, /* nothing is wrong: goes on */

	R_OK,
	R_RESET,
	R_BYE,
	R_VRFY,
	R_HELP,
	R_MAIL,
	R_RCPT,
	R_DATA,
	R_ACCEPTED,
	R_STARTTLS,

	R_AUTH_EMPTY,
	R_AUTH_USERNAME,
	R_AUTH_PASSWORD,
	R_AUTH_OK,
	R_AUTH_DENIED,
	R_AUTH_UNAVAILABLE,
	R_AUTH_CANCELLED,
	R_AUTH_SYNTAX,
	R_AUTH_TOO_LONG,
	R_AUTH_MECHANISM,
	R_AUTH_TLS_FIRST,
	R_AUTH_AGAIN,
	R_AUTH_NOT_OFFERED,
	R_AUTH_FIRST,
	R_AUTH_FAILURES,

	R_UNKNOWN,
	R_LINE_TOO_LONG,
	R_LINE_ENDING,
	R_NO_ARGUMENT,
	R_HELO_NAME,
	R_HELO_FIRST,
	R_MAIL_NESTED,
	R_MAIL_FIRST,
	R_IN_TRANSACTION,
	R_NO_RECIPIENT,
	R_MAIL_SYNTAX,
	R_RCPT_SYNTAX,
	R_MAIL_ADDRESS,
	R_RCPT_ADDRESS,
	R_NEEDS_SMTPUTF8,
	R_PARAM_UNKNOWN,
	R_PARAM_TWICE,
	R_PARAM_VALUE,
	R_TOO_MANY_RCPT,
	R_TLS_NOT_OFFERED,
	R_TLS_AGAIN,
	R_TLS_PIPELINED,
	R_TLS_FAILED,

	R_TOO_BIG,
	R_HEADER_TOO_BIG,
	R_TEXT_LINE_TOO_LONG,
	R_LOOP,
	R_BARE_LINE_ENDING,
	R_NUL,

	R_IDLE,
	R_TOO_SLOW,
	R_TOO_MANY_COMMANDS,
	R_TOO_MANY_ERRORS,
	R_SHUTDOWN,

	R_MAX
};

/* What the reply to EHLO depends on. */
struct server_offer {
	const char *hostname, *peer;
	size_t size;
	bool starttls, auth;
};

/* All of these add whole lines, CRLF ended, to what goes out. */
void server_reply_add(struct str *, enum server_reply);
void server_reply_add_custom(struct str *, const struct smtp_reply *);
void server_reply_greeting(struct str *, const char *hostname);
void server_reply_ehlo(struct str *, const struct server_offer *);
/* "250 hostname", to HELO. */
void server_reply_helo(struct str *, const char *hostname);

/* First digit of the row's code. */
int server_reply_class(enum server_reply);

#endif
