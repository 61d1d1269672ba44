/*
 * tlsa.c - TLSA records (RFC 6698) as SMTP uses them (RFC 7672 3.1).
 *
 * mta/dns/mx_dane.c makes sets of them, mta/smtp/client_tls.c gives them to
 * OpenSSL. What OpenSSL would refuse to take is found unusable here, because it
 * decides between an authenticated connection and one that is only encrypted.
 */
#include "mta/tlsa.h"

#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

#define HEAD 3 /* usage, selector, matching type */

/* Bytes of data by matching type; 0: what DER says. */
static const size_t data_len[] = {
	[TLSA_WHOLE] = 0,
	[TLSA_SHA256] = 32,
	[TLSA_SHA512] = 64,
};

int
tlsa_read(const uint8_t *rdata, size_t len, struct tlsa *t)
{
	if (len <= HEAD)
		return -1;
	t->usage = rdata[0];
	t->selector = rdata[1];
	t->matching = rdata[2];
	t->data = rdata + HEAD;
	t->len = len - HEAD;
	return 0;
}

/* A certificate or public key, and nothing behind it. */
static bool
is_der(const struct tlsa *t)
{
	const unsigned char *at = t->data;
	X509 *certificate = NULL;
	EVP_PKEY *key = NULL;
	bool good;

	if (t->len > LONG_MAX)
		return false;
	if (t->selector == TLSA_CERTIFICATE) {
		certificate = d2i_X509(NULL, &at, (long)t->len);
		good = certificate != NULL && X509_get0_pubkey(certificate);
		X509_free(certificate);
	} else {
		key = d2i_PUBKEY(NULL, &at, (long)t->len);
		good = key != NULL;
		EVP_PKEY_free(key);
	}
	ERR_clear_error();
	return good && at == t->data + t->len;
}

bool
tlsa_is_usable(const struct tlsa *t)
{
	if (t->usage != TLSA_DANE_TA && t->usage != TLSA_DANE_EE)
		return false;
	if (t->selector > TLSA_PUBLIC_KEY ||
	    t->matching >= sizeof(data_len) / sizeof(data_len[0]))
		return false;
	if (t->matching == TLSA_WHOLE)
		return is_der(t);
	return t->len == data_len[t->matching];
}

static size_t
total(const size_t *len, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += len[i];
	return sum;
}

/* Records and their data are one piece of memory. */
struct tlsa_set *
tlsa_set_new(const uint8_t *const *rdata, const size_t *rdata_len, size_t n)
{
	struct tlsa_set *set = xcalloc(
	    1, sizeof(*set) + n * sizeof(set->record[0]) + total(rdata_len, n));
	uint8_t *data = (uint8_t *)(set->record + n);
	struct tlsa t;

	set->refs = 1;
	for (size_t i = 0; i < n; i++) {
		if (tlsa_read(rdata[i], rdata_len[i], &t) != 0 ||
		    !tlsa_is_usable(&t))
			continue;
		memcpy(data, t.data, t.len);
		t.data = data;
		data += t.len;
		set->record[set->n++] = t;
	}
	return set;
}

struct tlsa_set *
tlsa_set_ref(struct tlsa_set *set)
{
	if (set != NULL)
		set->refs++;
	return set;
}

void
tlsa_set_unref(struct tlsa_set **set)
{
	if (*set == NULL)
		return;
	assert((*set)->refs > 0);
	if (--(*set)->refs == 0)
		free(*set);
	*set = NULL;
}
