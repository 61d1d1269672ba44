/*
 * dkim_record.h - the TXT record that publishes a DKIM key: written, read and judged.
 *
 * Records come from outside: every byte of them may be hostile. What is said of them is printable.
 */
#ifndef MTA_DKIM_RECORD_H
#define MTA_DKIM_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"

struct dkim_signer;

enum dkim_record_state {
	DKIM_RECORD_GOOD,
	DKIM_RECORD_MISSING,   /* no TXT record at that name */
	DKIM_RECORD_REVOKED,   /* p= is empty (RFC 6376 3.6.1) */
	DKIM_RECORD_OTHER_KEY, /* a good key, but not that of the signer */
	DKIM_RECORD_INVALID,   /* verifiers cannot use it for mail */
	DKIM_RECORD_SEVERAL,   /* more than one TXT record: each verifier picks one (6.1.2) */
	DKIM_RECORD_WEAK,      /* it works, but for how long: RSA of less than 2048 bits, or t=y */
};

#define DKIM_RECORD_WHAT 256

/*
 * Judges the TXT records found at the signer's name, each of them whole (dkim_record_text). `what`
 * gets a sentence for people, whatever the verdict. Any thread.
 */
enum dkim_record_state dkim_record_check(const struct dkim_signer *, const char *const *txt,
    size_t ntxt, char what[static DKIM_RECORD_WHAT]);
/* "good", "missing", "revoked", "other key", ... */
const char *dkim_record_state_name(enum dkim_record_state);
/* Verifiers accept signatures: good, or weak. */
bool dkim_record_works(enum dkim_record_state);

/* "selector._domainkey.domain", without a dot at the end. The caller frees. */
char *dkim_record_name(const struct dkim_signer *);
/*
 * Appends a zone-file line with its LF: `NAME. IN TXT "..." "..."`, text split into strings of at
 * most 255 bytes (RFC 1035 3.3). For any TXT record; quotes and backslashes are escaped.
 */
void dkim_record_zone_line(struct str *out, const char *name, const char *text);
/* Only its strings, a blank between them. */
void dkim_record_strings(struct str *out, const char *text);
/*
 * The strings of a TXT record's rdata, joined (RFC 6376 3.6.2.2), as C string: a NUL, which no
 * record of ours may hold, becomes '?'. NULL when it is malformed. The caller frees.
 */
char *dkim_record_text(const uint8_t *rdata, size_t len);

#endif
