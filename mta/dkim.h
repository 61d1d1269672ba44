/*
 * dkim.h - DKIM signatures by libopendkim (RFC 6376).
 */
#ifndef MTA_DKIM_H
#define MTA_DKIM_H

#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "mta/smtp/client.h"

struct dkim_signer; /* one domain, selector and private key; immutable; any thread */

/*
 * Reads a PEM private key (RSA of 1024 bits or more, or Ed25519). Refuses a file that others than
 * the owner (and group, read only) can read. NULL with *e set: missing, unreadable, too open, not
 * a key.
 */
struct dkim_signer *dkim_signer_new(const char *domain, const char *selector,
    const char *key_file, struct err *e);
void dkim_signer_free(struct dkim_signer **);
const char *dkim_signer_domain(const struct dkim_signer *);
const char *dkim_signer_selector(const struct dkim_signer *);
/* The TXT record that publishes its key: "v=DKIM1; k=rsa; p=...". The caller frees. */
char *dkim_signer_record(const struct dkim_signer *);
/* "rsa" or "ed25519", and the size of the key. */
const char *dkim_signer_algorithm(const struct dkim_signer *, unsigned *bits);

/*
 * Appends "DKIM-Signature: ...\r\n" for the message to *out. relaxed/relaxed; what readers believe
 * (From, To, Subject, ...) is over-signed; X-SES-* and what changes on the way is not signed. Streams
 * the message: memory does not grow with it. Blocks for the time of one private-key operation and one
 * pass over the message. Returns 0, or -1 with *e set and *out as it was. (Not dkim_sign: that is
 * libopendkim's own name.)
 */
int dkim_signer_sign(const struct dkim_signer *, const struct smtp_content *, struct str *out,
    struct err *e);

#endif
