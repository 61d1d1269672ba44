/*
 * sigv4_claim.h - the Authorization of a request signed with version 4, in its parts.
 *
 * Pure.
 */
#ifndef ROUTER_SES_SIGV4_CLAIM_H
#define ROUTER_SES_SIGV4_CLAIM_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/err.h"

#define SIGV4_DAY_LEN   8 /* 20261122 */
#define SIGV4_SCOPE_END "aws4_request"

/* A piece of a longer text. */
struct sigv4_part {
	const char *text;
	size_t len;
};
bool sigv4_part_is(const struct sigv4_part *, const char *text);

/* The day, region and service that a signature is good for. */
struct sigv4_scope {
	const char *day; /* its first 8 characters */
	const char *region, *service;
	size_t region_len, service_len;
};

struct sigv4_claim {
	struct sigv4_part access_key;
	struct sigv4_part headers;   /* "host;x-amz-date" */
	struct sigv4_part signature; /* 64 characters */
	struct sigv4_scope scope;
};

/*
 * Reads "Credential=KEY/DAY/REGION/SERVICE/aws4_request, SignedHeaders=A;B, Signature=HEX", in any
 * order; the claim points into the text. 0, or -1 with *e.
 */
int sigv4_claim_read(const char *text, struct sigv4_claim *, struct err *e);

#endif
