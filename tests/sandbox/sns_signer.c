/*
 * sns_signer.c - the keys that the sandbox's SNS signs with, and their
 * certificates.
 *
 * They are made when they are first needed: an RSA key takes long, and most
 * tests have nobody subscribed.
 */
#include "mta/base/str.h"
#include "tests/sandbox/sns_int.h"
#include "tests/sandbox/tls.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define KEY_BITS 2048
#define NAME	 "sns.amazonaws.com"

void
sns_random_hex(char *to, size_t digits)
{
	unsigned char r;
	size_t i;

	for (i = 0; i < digits; i++) {
		RAND_bytes(&r, 1);
		to[i] = "0123456789abcdef"[r & 15];
	}
	to[digits] = '\0';
}

void
sns_signer_init(struct signer *s, bool genuine)
{
	struct str path = STR_INIT, url = STR_INIT;
	char hex[33];

	sns_random_hex(hex, 32);
	str_addf(&path, "/SimpleNotificationService-%s.pem", hex);
	str_addf(&url, SNS_HOST "%s", path.data);
	str_init(&s->pem);
	s->genuine = genuine;
	s->path = str_detach(&path);
	s->url = str_detach(&url);
}

/* The impostor's certificate has everything right but who vouches for it. */
static X509 *
self_made(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *n = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 24 * 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
	    n, "CN", MBSTRING_ASC, (const unsigned char *)NAME, -1, -1, 0);
	X509_set_issuer_name(x, n);
	X509_sign(x, key, EVP_sha256());
	return x;
}

static void
make(struct signer *s)
{
	BIO *out = BIO_new(BIO_s_mem());
	X509 *x;
	char *data;
	long len;
	int ok;

	s->key = EVP_RSA_gen(KEY_BITS);
	assert(s->key != NULL);
	x = s->genuine ? tls_issue(s->key, NAME, "DNS:" NAME, NULL)
		       : self_made(s->key);
	assert(x != NULL);
	ok = PEM_write_bio_X509(out, x);
	assert(ok == 1);
	len = BIO_get_mem_data(out, &data);
	str_add(&s->pem, data, (size_t)len);
	BIO_free(out);
	X509_free(x);
}

EVP_PKEY *
sns_signer_key(struct signer *s)
{
	if (s->key == NULL)
		make(s);
	return s->key;
}

const struct str *
sns_signer_pem(struct signer *s)
{
	(void)sns_signer_key(s);
	return &s->pem;
}
