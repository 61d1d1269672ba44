/*
 * tls.h - the certificates of the fake internet, made at start.
 *
 * MX hosts share one self-signed certificate, as many real ones do; the SES endpoint has one
 * for its public name, signed by a CA that is written to a file so that a client can verify.
 */
#ifndef TESTS_SANDBOX_TLS_H
#define TESTS_SANDBOX_TLS_H

#include <openssl/ssl.h>

#include "mta/base/err.h"

/* A server context with a fresh self-signed certificate for the MX hosts. NULL on failure. */
SSL_CTX *tls_mx_context(struct err *);
/* A server context for `host`, its CA written to `ca_path` unless that is NULL. */
SSL_CTX *tls_ses_context(const char *host, const char *ca_path, struct err *);
/* A server context likewise for `host` and the alternatives ("DNS:a,IP:b"), signed by the CA made before. */
SSL_CTX *tls_server_context(const char *host, const char *alternatives, struct err *);
/* A certificate for the key: name and alternatives ("DNS:a,IP:b"), signed by the same CA, which must have been made
 * by then. The caller's; NULL on failure. */
X509 *tls_issue(EVP_PKEY *, const char *name, const char *alternatives, struct err *);

#endif
