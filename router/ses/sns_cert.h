/*
 * sns_cert.h - the certificates that SNS signs with: fetched, checked, kept by URL. Amazon thread only.
 */
#ifndef ROUTER_SES_SNS_CERT_H
#define ROUTER_SES_SNS_CERT_H

#include <openssl/x509.h>

#include "mta/base/err.h"

struct config_sns;
struct https;
struct sns_certs;

/* NULL with *e when the settings' authorities cannot be read. Borrows the https client, copies settings. */
struct sns_certs *sns_certs_new(struct https *, const struct config_sns *, struct err *e);
void sns_certs_free(struct sns_certs **); /* those who wait are not called */

/*
 * The certificate at a URL that sns_cert_url_is_good says yes to: from the cache at once, or fetched; those who
 * ask for one at a time share a fetch; a failed fetch is not tried again for a few seconds. At most a few are
 * kept. `done` gets NULL and why when it is not to be had or not good. When SNS serves it without the
 * certificate in between, that is fetched where Amazon's authority says it is.
 */
void sns_certs_get(struct sns_certs *, const char *url,
    void (*done)(void *arg, X509 *, const struct err *why), void *arg);

#endif
