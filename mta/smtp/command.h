/*
 * command.h - reads command lines: verb, and what MAIL and RCPT carry.
 *
 * Lines come here without their CRLF and without CR, LF or NUL inside. Nothing decoded from them
 * holds a control byte. No state: what is legal when is server_command.c's affair.
 */
#ifndef MTA_SMTP_COMMAND_H
#define MTA_SMTP_COMMAND_H

#include "mta/smtp/server.h"
#include "mta/smtp/server_reply.h"

#define COMMAND_HELO_MAX 255 /* RFC 5321 4.5.3.1.2 */

/* A run of bytes inside the line. */
struct command_text {
	const char *p;
	size_t len;
};

struct command {
	struct command_text verb;
	struct command_text args; /* without the blanks around it; may be empty */
};

void command_split(struct command *, const char *line, size_t len);
/* Case does not matter; name is upper case, its length known. */
bool command_is(const struct command_text *, const char *name, size_t len);

/* The argument of HELO or EHLO. Letters, digits and `.-_:[]` only, because it will stand in a
 * Received field. False when there is none or it is something else. */
bool command_helo(char name[static COMMAND_HELO_MAX + 1], const struct command_text *args);

/* R_NONE with *mail filled in, or the reply that refuses it. */
enum server_reply command_mail(struct smtp_mail *mail, const struct command_text *args);
/* Likewise. `smtputf8`: MAIL said so. A bare `postmaster` gets hostname as its domain. */
enum server_reply command_rcpt(struct smtp_rcpt *rcpt, const struct command_text *args,
    bool smtputf8, const char *hostname);

#endif
