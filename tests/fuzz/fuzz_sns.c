/*
 * fuzz_sns.c - what anybody may post to /sns: never believed without a
 * signature, and never an address that is not SNS's.
 */
#include <assert.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/ses/sns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a key that is in nobody's hands. */
static X509 *
a_certificate(void)
{
	static X509 *x;
	EVP_PKEY *key;

	if (x != NULL)
		return x;
	key = EVP_RSA_gen(2048);
	x = X509_new();
	X509_set_pubkey(x, key);
	EVP_PKEY_free(key);
	return x;
}

static void
check_texts(const struct sns_message *m)
{
	assert(m->message_id != NULL && m->topic_arn != NULL);
	assert(m->message != NULL && m->signature != NULL);
	assert(m->timestamp != NULL && m->signing_cert_url != NULL);
	assert(m->signature_version == 1 || m->signature_version == 2);
	assert((m->token != NULL) == (m->type != SNS_NOTIFICATION));
	assert((m->subscribe_url != NULL) == (m->type != SNS_NOTIFICATION));
	assert(!str_has_control(m->message_id, strlen(m->message_id)));
}

static void
check_addresses(const struct sns_message *m)
{
	static const char start[] = "https://sns.";
	struct str url = STR_INIT;
	char region[64], site[100];

	if (sns_cert_url_is_good(m->signing_cert_url, m->topic_arn)) {
		assert(
		    sns_arn_region(m->topic_arn, region, sizeof(region)) == 0);
		snprintf(
		    site, sizeof(site), "https://sns.%s.amazonaws.com", region);
		assert(strncmp(m->signing_cert_url, site, strlen(site)) == 0);
		assert(strpbrk(m->signing_cert_url, "@%?#\\ \r\n") == NULL);
	}
	if (sns_confirm_url(m, &url, NULL) == 0) {
		assert(strncmp(url.data, start, strlen(start)) == 0);
		assert(strpbrk(url.data, "@#\\ \r\n") == NULL);
	} else
		assert(url.len == 0);
	str_release(&url);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sns_message m;
	struct err e = ERR_INIT;

	sns_is_envelope((const char *)data, size);
	if (sns_read(&m, (const char *)data, size, &e) != 0) {
		assert(e.text[0] != '\0');
		assert(m.message == NULL && m.token == NULL);
		return 0;
	}
	check_texts(&m);
	check_addresses(&m);
	assert(sns_verify(&m, a_certificate(), NULL) == -1);
	sns_clear(&m);
	return 0;
}
