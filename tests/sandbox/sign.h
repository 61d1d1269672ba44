/*
 * sign.h - AWS Signature Version 4, as the server checks it.
 *
 * Written from AWS's description alone, with nothing of Oiwake's own signer in it: that one is under
 * test. Services other than S3 encode the path of the wire once more.
 */
#ifndef TESTS_SANDBOX_SIGN_H
#define TESTS_SANDBOX_SIGN_H

#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"

struct sign_key {
	const char *id, *secret;
	const char *token; /* NULL: a user's own key, which has none */
	int64_t expires;   /* ms since 1970; 0: never */
};

struct sign_request {
	const char *method, *path, *query; /* as on the wire */
	struct evkeyvalq *headers;
	const char *body;
	size_t len;
	const char *region, *service; /* what the scope must name */
	int64_t now;                  /* ms since 1970, of the server's clock */
};

enum sign_result {
	SIGN_GOOD,
	SIGN_MISSING,    /* no Authorization */
	SIGN_INCOMPLETE, /* or no date */
	SIGN_UNKNOWN,    /* no such key, or another token than its own */
	SIGN_EXPIRED,    /* the token has */
	SIGN_SCOPE,      /* another day, region or service */
	SIGN_SKEW,       /* the date is over 5 minutes from ours */
	SIGN_MISMATCH,
};

/* Fills in the key of that name; false: there is none. */
typedef bool sign_find(void *arg, const char *id, struct sign_key *);

/* *key: the one that was found; its id is NULL when none was. `why`: AWS's sentence, unless good. */
enum sign_result sign_verify(const struct sign_request *r, sign_find *find, void *arg,
    struct sign_key *key, struct str *why);

/* The SMTP password that belongs to a secret key in a region. */
void sign_smtp_password(const char *secret, const char *region, struct str *out);

#endif
