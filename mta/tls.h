/*
 * tls.h - OpenSSL contexts for both sides.
 */
#ifndef MTA_TLS_H
#define MTA_TLS_H

#include <openssl/ssl.h>

#include "mta/base/err.h"

/* TLS 1.2 and later. The key file must not be readable by others. NULL with *e set. */
SSL_CTX *tls_server_new(const char *certificate_chain_file, const char *key_file, struct err *e);
/* ca_file NULL: the system's. Fit for DANE. verify is set per connection by the client. NULL with *e
 * set. */
SSL_CTX *tls_client_new(const char *ca_file, struct err *e);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384" (64 bytes with NUL) or ""; returns buf. */
char *tls_describe(const SSL *, char buf[static 64]);
/* The oldest error in OpenSSL's queue as text (empties the queue); returns buf. */
char *tls_last_error(char buf[static 160]);
/* 0, or -1 when the file is missing, unreadable or readable by others than owner and group. */
int tls_check_key_file(const char *path, struct err *e);

#endif
