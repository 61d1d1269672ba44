/*
 * return_path.h - bounce addresses that only we can have made.
 *
 * b=TOKEN@DOMAIN stands in for the sender on the mta path, so that a bounce that comes later finds
 * its recipient, and nobody can make us believe in a bounce of mail we never sent. The token holds
 * message, recipient and the day it expires, and a MAC (HMAC-SHA-256, cut to 80 bits) over them and the
 * domain. Letters and digits that survive systems which change case. One of no recipient stands in the
 * message itself, X-Oiwake-ID, for those who report it without the address it came from. Pure, any thread.
 */
#ifndef MTA_RETURN_PATH_H
#define MTA_RETURN_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"

struct return_path_key;

#define RETURN_PATH_LOCAL_MAX 64 /* RFC 5321 4.5.3.1.1, NUL not counted */

/* The secret: at least 16 bytes. NULL with *e set. */
struct return_path_key *return_path_key_new(const char *secret, size_t len, struct err *e);
void return_path_key_free(struct return_path_key **);

#define RETURN_PATH_MESSAGE 0xffffffu

struct return_path {
	int64_t message;
	unsigned index;  /* of the recipient; RETURN_PATH_MESSAGE: of none, X-Oiwake-ID */
	int64_t expires; /* wall ms; made and read to the day: the end of that day in UTC */
};

/* The local part for it; returns buf. */
char *return_path_make(const struct return_path_key *, const char *domain,
    const struct return_path *, char buf[static RETURN_PATH_LOCAL_MAX + 1]);

enum return_path_verdict {
	RETURN_PATH_GOOD,
	RETURN_PATH_EXPIRED, /* ours, but too old */
	RETURN_PATH_FORGED,  /* looks like one and was not made with this key */
	RETURN_PATH_OTHER,   /* does not look like one at all */
};

/* Whatever case it comes in. *out is set when GOOD or EXPIRED. */
enum return_path_verdict return_path_read(const struct return_path_key *, const char *domain,
    const char *local, int64_t now, struct return_path *out);
/* The same of a whole address as a header field or a report shows it: TOKEN@DOMAIN, blanks and < > around
 * it or not. OTHER when it is of another domain. */
enum return_path_verdict return_path_read_text(const struct return_path_key *, const char *domain,
    const char *text, int64_t now, struct return_path *out);

#endif
