/*
 * tlsa.h - TLSA records (RFC 6698) as SMTP uses them (RFC 7672 3.1).
 *
 * Usable are DANE-TA(2) and DANE-EE(3) alone, of a certificate(0) or its public
 * key(1), whole(0), by SHA2-256(1) or by SHA2-512(2): PKIX-TA(0) and PKIX-EE(1)
 * say nothing to an SMTP client.
 */
#ifndef MTA_TLSA_H
#define MTA_TLSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tlsa_usage { TLSA_PKIX_TA, TLSA_PKIX_EE, TLSA_DANE_TA, TLSA_DANE_EE };
enum tlsa_selector { TLSA_CERTIFICATE, TLSA_PUBLIC_KEY };
enum tlsa_matching { TLSA_WHOLE, TLSA_SHA256, TLSA_SHA512 };

struct tlsa {
	uint8_t usage, selector, matching;
	const uint8_t *data; /* certificate association data */
	size_t len;	     /* at least 1 */
};

/* Points into rdata. 0, or -1 when it is too short to be one. */
int tlsa_read(const uint8_t *rdata, size_t len, struct tlsa *);
/* Whether a peer could match it at all: its parameters are known, its data has
 * the right form. */
bool tlsa_is_usable(const struct tlsa *);

/* The usable ones of an answer. Shared by reference, in one thread. */
struct tlsa_set {
	unsigned refs;
	size_t n; /* 0: there were records, none of use: TLS is a must, but
		     proves nothing */
	struct tlsa record[];
};
struct tlsa_set *tlsa_set_new(
    const uint8_t *const *rdata, const size_t *rdata_len, size_t n);
struct tlsa_set *tlsa_set_ref(struct tlsa_set *);
void tlsa_set_unref(struct tlsa_set **);

#endif
