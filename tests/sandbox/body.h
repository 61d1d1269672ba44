/*
 * body.h - the bytes after 354, up to the final dot: unstuffed, measured, hashed, inspected.
 *
 * Only CRLF "." CRLF ends the data. Everything else a client should not send is taken as it is
 * and remembered as bad, because an oracle must see what really came.
 */
#ifndef TESTS_SANDBOX_BODY_H
#define TESTS_SANDBOX_BODY_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"

enum body_state { LINE_START, IN_LINE, AFTER_CR, AFTER_DOT, AFTER_DOT_CR };

/* clang-format off */
enum body_bad {
	BAD_BARE_LF   = 1 << 0,
	BAD_BARE_CR   = 1 << 1,
	BAD_LONG_LINE = 1 << 2, /* over 1000 bytes with its CRLF: RFC 5321 4.5.3.1.6 */
	BAD_NUL       = 1 << 3,
	BAD_DOT       = 1 << 4, /* a line of more than a dot began with one that was not doubled */
	BAD_8BIT      = 1 << 5, /* bytes over 127; bad only when 8BITMIME was not declared */
};
/* clang-format on */

struct body {
	enum body_state state;
	EVP_MD_CTX *hash;
	struct str bytes; /* the beginning, or all of it when `whole` */
	bool whole;
	uint64_t size;
	size_t line;    /* bytes of this line so far */
	size_t longest; /* with CRLF */
	unsigned bad;
};

void body_start(struct body *, bool whole); /* also to use it again */
void body_release(struct body *);

/* Takes bytes up to the end of the data; returns how many. *done: the final dot was among them. */
size_t body_feed(struct body *, const char *data, size_t len, bool *done);
/* Takes bytes that are the message's as they are, as an API gives them: no dots, no end. */
void body_add(struct body *, const char *data, size_t len);
/* Lower-case hex of SHA-256 of the message; once, after the last byte. */
void body_hash(struct body *, char hex[static 65]);

/* Text for one bit, in the order of the bits; NULL after the last. */
const char *body_bad_name(unsigned index);

#endif
