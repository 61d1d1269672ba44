/*
 * capability.h - what a server offers in its reply to EHLO (RFC 5321 4.1.1.1).
 */
#ifndef MTA_SMTP_CAPABILITY_H
#define MTA_SMTP_CAPABILITY_H

#include <stdint.h>

enum capability {
	CAP_PIPELINING = 1 << 0, /* RFC 2920 */
	CAP_SIZE = 1 << 1,	 /* RFC 1870 */
	CAP_8BITMIME = 1 << 2,	 /* RFC 6152 */
	CAP_SMTPUTF8 = 1 << 3,	 /* RFC 6531 */
	CAP_DSN = 1 << 4,	 /* RFC 3461 */
	CAP_STARTTLS = 1 << 5,	 /* RFC 3207 */
	CAP_AUTH_PLAIN = 1 << 6, /* RFC 4616 */
	CAP_AUTH_LOGIN = 1 << 7,
};

struct capabilities {
	unsigned have; /* bits of enum capability */
	uint64_t size; /* of SIZE: the largest message; 0: none told */
};

/* text: the lines of the reply without codes, joined by LF. The first greets
 * and is skipped; keywords that mean nothing to us are passed over. */
void capability_parse(struct capabilities *, const char *text);

#endif
