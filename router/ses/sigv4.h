/*
 * sigv4.h - AWS Signature Version 4: signs requests to AWS, verifies requests from its clients.
 *
 * The canonical path is the path on the wire, percent-encoded once more (as all services but S3 want
 * it); the query is decoded, encoded anew and sorted (facts/aws.md, section 6). Pure; the clock is the
 * caller's. Any thread.
 */
#ifndef ROUTER_SES_SIGV4_H
#define ROUTER_SES_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

#define SIGV4_HASH_TEXT 65 /* SHA-256 in lower-case hex, with NUL */
#define SIGV4_DATE_TEXT 17 /* 20261122T010203Z */

struct sigv4_header {
	const char *name, *value;
};

struct sigv4_request {
	const char *method;
	const char *path;             /* as on the wire, without the query; "" counts as "/" */
	const char *query;            /* as on the wire, without '?'; "" */
	const struct sigv4_header *headers;
	size_t nheaders;
	const char *payload_hash;     /* of the body, see sigv4_hash */
};

/* The lower-case hex SHA-256 of those bytes. */
void sigv4_hash(const void *data, size_t len, char out[static SIGV4_HASH_TEXT]);

struct sigv4_key {
	const char *access_key, *secret;
	const char *token;            /* session token; NULL */
};

/*
 * Signs method, path, query, payload and all headers of the request, which must have Host; besides
 * them X-Amz-Date and, with a token, X-Amz-Security-Token. The caller sends these two and
 * Authorization, whose value is appended to *authorization.
 */
void sigv4_sign(const struct sigv4_request *, const struct sigv4_key *, const char *region,
    const char *service, int64_t wall_ms, char date[static SIGV4_DATE_TEXT],
    struct str *authorization);

enum sigv4_verdict {
	SIGV4_GOOD,
	SIGV4_MISSING,     /* no Authorization, or another kind of it */
	SIGV4_MALFORMED,   /* it lacks a part, or signs no Host or date */
	SIGV4_UNKNOWN_KEY,
	SIGV4_WRONG_SCOPE, /* another region or service, or a date of another day */
	SIGV4_SKEWED,      /* the clocks differ by more than the window */
	SIGV4_BAD_PAYLOAD, /* X-Amz-Content-Sha256 is not the hash of the body */
	SIGV4_FORGED,      /* the signature is not that of this request */
};

struct sigv4_terms {
	/* The secret of an access key, and the token that must come with it (NULL: none); NULL: unknown. The
	 * answer is used before the next call. */
	const struct sigv4_key *(*find)(void *arg, const char *access_key);
	void *arg;
	const char *region, *service; /* NULL: any */
	int64_t now;                  /* wall ms */
	int64_t window;               /* ms of skew either way */
};

/* Compares in constant time. *e says for people what is wrong unless SIGV4_GOOD. The access key that was
 * named goes to *who (may be NULL), cut at its size. */
enum sigv4_verdict sigv4_verify(const struct sigv4_request *, const struct sigv4_terms *,
    char *who, size_t who_size, struct err *e);

#endif
