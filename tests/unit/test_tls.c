/*
 * test_tls.c - contexts, made from files good and bad, and a handshake.
 */
#include "mta/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	char certificate[128], key[128], other_key[128], locked_key[128],
	    text[128];
};

static FILE *
create(const char *path, mode_t mode)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(chmod(path, mode), 0);
	return out;
}

static void
write_key(const char *path, EVP_PKEY *key, const EVP_CIPHER *cipher)
{
	FILE *out = create(path, 0600);

	assert_int_equal(PEM_write_PKCS8PrivateKey(out, key, cipher, "pass",
			     cipher ? 4 : 0, NULL, NULL),
	    1);
	fclose(out);
}

static void
write_certificate(const char *path, EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	FILE *out = create(path, 0644);

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"mx.example.jp", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_version(x, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_int_not_equal(X509_sign(x, key, EVP_sha256()), 0);
	assert_int_equal(PEM_write_X509(out, x), 1);
	fclose(out);
	X509_free(x);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	FILE *out;

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_tls.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->certificate, sizeof(f->certificate), "%s/cert", f->dir);
	snprintf(f->key, sizeof(f->key), "%s/key", f->dir);
	snprintf(f->other_key, sizeof(f->other_key), "%s/other", f->dir);
	snprintf(f->locked_key, sizeof(f->locked_key), "%s/locked", f->dir);
	snprintf(f->text, sizeof(f->text), "%s/text", f->dir);
	write_certificate(f->certificate, key);
	write_key(f->key, key, NULL);
	write_key(f->other_key, other, NULL);
	write_key(f->locked_key, key, EVP_aes_128_cbc());
	out = create(f->text, 0600);
	fputs("hello\n", out);
	fclose(out);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void
expect_server_refused(const char *certificate, const char *key, const char *why)
{
	struct err e = ERR_INIT;

	assert_null(tls_server_new(certificate, key, &e));
	if (strstr(e.text, why) == NULL)
		fail_msg("'%s' without '%s'", e.text, why);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
test_bad_files(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;

	expect_server_refused("/nonexistent", f->key,
	    "cannot load certificate '/nonexistent': No such file");
	expect_server_refused(f->text, f->key, "cannot load certificate");
	expect_server_refused(f->certificate, "/nonexistent",
	    "cannot open '/nonexistent': No such file");
	expect_server_refused(
	    f->certificate, f->text, "cannot load private key");
	expect_server_refused(
	    f->certificate, f->other_key, "key values mismatch");
	expect_server_refused(
	    f->certificate, f->locked_key, "cannot load private key");
	assert_null(tls_client_new("/nonexistent", &e));
	assert_memory_equal(e.text,
	    "cannot load certificate authorities from '/nonexistent'", 55);
	assert_null(tls_client_new(f->text, &e));
}

static void
test_key_file_modes(void **state)
{
	static const struct {
		mode_t mode;
		int result;
	} cases[] = { { 0400, 0 }, { 0600, 0 }, { 0640, 0 }, { 0440, 0 },
		{ 0660, -1 }, { 0620, -1 }, { 0644, -1 }, { 0604, -1 },
		{ 0602, -1 }, { 0601, -1 }, { 0777, -1 } };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(chmod(f->key, cases[i].mode), 0);
		assert_int_equal(
		    tls_check_key_file(f->key, &e), cases[i].result);
		assert_int_equal(*e.text == '\0', cases[i].result == 0);
	}
	assert_int_equal(chmod(f->key, 0600), 0);
	assert_int_equal(tls_check_key_file(f->dir, NULL), -1);
	assert_int_equal(tls_check_key_file("/nonexistent", NULL), -1);
}

/* Runs both sides over a pair of memory BIOs until both are done or one fails.
 */
static int
handshake(SSL_CTX *server_ctx, SSL_CTX *client_ctx, char described[static 160])
{
	SSL *server = SSL_new(server_ctx), *client = SSL_new(client_ctx);
	BIO *a, *b;
	int s = 0, c = 0;

	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 20 && (s != 1 || c != 1); i++) {
		c = SSL_do_handshake(client);
		s = SSL_do_handshake(server);
	}
	tls_describe(client, described);
	SSL_free(server);
	SSL_free(client);
	return s == 1 && c == 1 ? 0 : -1;
}

static void
test_handshake(void **state)
{
	struct fixture *f = *state;
	SSL_CTX *server = tls_server_new(f->certificate, f->key, NULL);
	SSL_CTX *client = tls_client_new(NULL, NULL);
	SSL_CTX *trusting = tls_client_new(f->certificate, NULL);
	char described[160];

	assert_non_null(server);
	assert_non_null(client);
	assert_non_null(trusting);
	assert_int_equal(handshake(server, client, described), 0);
	assert_string_equal(described, "TLSv1.3 TLS_AES_256_GCM_SHA384");
	SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
	assert_int_equal(handshake(server, client, described), -1);
	assert_string_not_equal(tls_last_error(described), "no reason given");
	SSL_CTX_set_verify(trusting, SSL_VERIFY_PEER, NULL);
	assert_int_equal(handshake(server, trusting, described), 0);
	SSL_CTX_set_max_proto_version(trusting, TLS1_2_VERSION);
	assert_int_equal(handshake(server, trusting, described), 0);
	assert_memory_equal(described, "TLSv1.2 ", 8);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	SSL_CTX_free(trusting);
}

/* Even a client that would talk TLS 1.1 gets none. */
static void
test_old_protocol_is_refused(void **state)
{
	struct fixture *f = *state;
	SSL_CTX *server = tls_server_new(f->certificate, f->key, NULL);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	char described[160], reason[160];

	SSL_CTX_set_security_level(client, 0);
	SSL_CTX_set_security_level(server, 0);
	SSL_CTX_set_min_proto_version(client, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(client, TLS1_1_VERSION);
	assert_int_equal(handshake(server, client, described), -1);
	tls_last_error(reason);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
}

static void
test_no_error(void **state)
{
	char reason[160], described[160];

	(void)state;
	ERR_clear_error();
	assert_string_equal(tls_last_error(reason), "no reason given");
	assert_string_equal(tls_describe(NULL, described), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_key_file_modes),
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_old_protocol_is_refused),
		cmocka_unit_test(test_no_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
