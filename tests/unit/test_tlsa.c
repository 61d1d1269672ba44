/*
 * test_tlsa.c - which TLSA records are of use to SMTP.
 */
#include "mta/tlsa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#define DIGEST_MAX 64

static uint8_t *certificate, *public_key;
static size_t certificate_len, public_key_len;

static int
make_certificate(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	int len;

	(void)state;
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	len = i2d_X509(cert, &certificate);
	assert_true(len > 0);
	certificate_len = (size_t)len;
	len = i2d_PUBKEY(key, &public_key);
	assert_true(len > 0);
	public_key_len = (size_t)len;
	X509_free(cert);
	EVP_PKEY_free(key);
	return 0;
}

static int
free_certificate(void **state)
{
	(void)state;
	OPENSSL_free(certificate);
	OPENSSL_free(public_key);
	return 0;
}

static void
test_digests(void **state)
{
	static const struct {
		uint8_t usage, selector, matching;
		size_t len;
		bool usable;
	} rows[] = {
		{ 2, 0, 1, 32, true },
		{ 2, 1, 1, 32, true },
		{ 3, 0, 2, 64, true },
		{ 3, 1, 1, 32, true },
		{ 3, 1, 2, 64, true },
		/* PKIX is nothing to SMTP (RFC 7672 3.1.3). */
		{ 0, 0, 1, 32, false },
		{ 1, 1, 1, 32, false },
		{ 4, 1, 1, 32, false },
		{ 255, 1, 1, 32, false },
		{ 3, 2, 1, 32, false },
		{ 3, 255, 1, 32, false },
		{ 3, 1, 3, 32, false },
		{ 3, 1, 255, 32, false },
		{ 3, 1, 1, 31, false },
		{ 3, 1, 1, 33, false },
		{ 3, 1, 2, 32, false },
		{ 3, 1, 1, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t rdata[3 + DIGEST_MAX] = { rows[i].usage,
			rows[i].selector, rows[i].matching };
		struct tlsa t;

		assert_int_equal(tlsa_read(rdata, 3 + rows[i].len, &t), 0);
		assert_int_equal(tlsa_is_usable(&t), rows[i].usable);
	}
}

static void
test_whole(void **state)
{
	struct tlsa t = { TLSA_DANE_EE, TLSA_CERTIFICATE, TLSA_WHOLE,
		certificate, certificate_len };
	uint8_t *longer = calloc(1, certificate_len + 1);

	(void)state;
	assert_true(tlsa_is_usable(&t));
	t.usage = TLSA_DANE_TA;
	assert_true(tlsa_is_usable(&t));
	t.selector = TLSA_PUBLIC_KEY;
	assert_false(tlsa_is_usable(&t));
	t.data = public_key;
	t.len = public_key_len;
	assert_true(tlsa_is_usable(&t));
	t.len--;
	assert_false(tlsa_is_usable(&t));
	memcpy(longer, certificate, certificate_len);
	t = (struct tlsa){ TLSA_DANE_EE, TLSA_CERTIFICATE, TLSA_WHOLE, longer,
		certificate_len + 1 };
	assert_false(tlsa_is_usable(&t));
	free(longer);
}

static void
test_short(void **state)
{
	static const uint8_t rdata[] = { 3, 1, 1, 0 };
	struct tlsa t;

	(void)state;
	for (size_t len = 0; len < 4; len++)
		assert_int_equal(tlsa_read(rdata, len, &t), -1);
	assert_int_equal(tlsa_read(rdata, 4, &t), 0);
}

static void
test_set(void **state)
{
	uint8_t good[35] = { 3, 1, 1, 7 }, pkix[35] = { 1, 1, 1 },
		broken[2] = { 3, 1 }, other[67] = { 2, 0, 2, 9 };
	const uint8_t *rdata[] = { good, pkix, broken, other };
	const size_t len[] = { sizeof(good), sizeof(pkix), sizeof(broken),
		sizeof(other) };
	struct tlsa_set *set = tlsa_set_new(rdata, len, 4), *same;

	(void)state;
	memset(good, 0, sizeof(good));
	assert_int_equal(set->n, 2);
	assert_int_equal(set->record[0].usage, TLSA_DANE_EE);
	assert_int_equal(set->record[0].len, 32);
	assert_int_equal(set->record[0].data[0], 7);
	assert_int_equal(set->record[1].len, 64);
	assert_int_equal(set->record[1].data[0], 9);
	same = tlsa_set_ref(set);
	tlsa_set_unref(&set);
	assert_null(set);
	assert_int_equal(same->n, 2);
	tlsa_set_unref(&same);
	set = tlsa_set_new(rdata + 1, len + 1, 2);
	assert_int_equal(set->n, 0);
	tlsa_set_unref(&set);
	assert_null(tlsa_set_ref(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(
	    tests, make_certificate, free_certificate);
}
