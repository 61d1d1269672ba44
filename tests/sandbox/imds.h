/*
 * imds.h - the sandbox's EC2 instance metadata (version 2): a role and its keys.
 */
#ifndef TESTS_SANDBOX_IMDS_H
#define TESTS_SANDBOX_IMDS_H

#include <stdint.h>

#include "mta/base/err.h"

#define IMDS_ROLE "oiwake-role"

struct imds;
struct sandbox;

struct imds *imds_new(struct sandbox *);

/* Keys that the role was given. */
struct imds_key {
	char access_key[32]; /* "ASIASANDBOX..." */
	char secret[48];
	char token[512];
	int64_t expires; /* wall ms; past: ExpiredToken */
};
/* NULL: it has given out no such key. */
const struct imds_key *imds_key(const struct sandbox *, const char *access_key);

/* `set imds KEY VALUE`, as main.c lists. 0 or -1. */
int imds_set(struct sandbox *, const char *key, const char *value, struct err *);

#endif
