/*
 * dkim_key.h - private keys for DKIM: made, written, read, and their public halves.
 */
#ifndef MTA_DKIM_KEY_H
#define MTA_DKIM_KEY_H

#include <openssl/evp.h>

#include "mta/base/err.h"

#define DKIM_RSA_BITS_MIN  1024 /* RFC 8301 3.2: below, verifiers refuse */
#define DKIM_RSA_BITS_GOOD 2048 /* the same: what signers should use */
#define DKIM_RSA_BITS_MAX  4096 /* the same: what every verifier must be able to use */

/* "rsa" (of so many bits) or "ed25519". NULL with *e set. */
EVP_PKEY *dkim_key_new(const char *algorithm, unsigned bits, struct err *e);
/*
 * Writes it as PEM into a new file that only the owner can read, synced. Never over anything that
 * is there, nor through a symbolic link. 0, or -1 with *e set and no file left behind.
 */
int dkim_key_write(const EVP_PKEY *, const char *path, struct err *e);
/* Refuses a file that others than the owner (and group, read only) can read, and what is neither
 * RSA of enough bits nor Ed25519. NULL with *e set. */
EVP_PKEY *dkim_key_read(const char *path, struct err *e);

/* "rsa" or "ed25519", as in k= and in a=; NULL for any other. */
const char *dkim_key_algorithm(const EVP_PKEY *);
/* As PEM, not encrypted. NULL: it cannot be written so. The caller cleanses and frees. */
char *dkim_key_pem(const EVP_PKEY *);
/* "v=DKIM1; k=rsa; p=..." (RFC 6376 3.6.1, RFC 8463 4.2). The caller frees. */
char *dkim_key_record(const EVP_PKEY *);

#endif
