/*
 * fuzz_tlsa.c - TLSA records from outside, as far as into OpenSSL.
 *
 * Every record that is found usable must be one that OpenSSL takes: the other
 * way round a connection would be held to records that nothing can match.
 */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "mta/tlsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
give_to_openssl(const struct tlsa_set *set)
{
	static SSL_CTX *ctx;
	SSL *ssl;

	if (ctx == NULL) {
		ctx = SSL_CTX_new(TLS_client_method());
		assert(ctx != NULL && SSL_CTX_dane_enable(ctx) == 1);
	}
	ssl = SSL_new(ctx);
	assert(ssl != NULL && SSL_dane_enable(ssl, "mx.example.com") == 1);
	for (size_t i = 0; i < set->n; i++) {
		const struct tlsa *t = &set->record[i];

		assert(SSL_dane_tlsa_add(ssl, t->usage, t->selector,
			   t->matching, t->data, t->len) == 1);
	}
	SSL_free(ssl);
	ERR_clear_error();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *rdata[] = { data, data + size / 2 };
	const size_t len[] = { size, size - size / 2 };
	struct tlsa_set *set = tlsa_set_new(rdata, len, 2);

	assert(set->n <= 2);
	if (set->n > 0)
		give_to_openssl(set);
	tlsa_set_unref(&set);
	return 0;
}
