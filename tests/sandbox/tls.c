/*
 * tls.c - the certificates of the fake internet, made at start.
 */
#include "tests/sandbox/tls.h"

#include "mta/base/str.h"
#include "tests/sandbox/carriers.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define VALID_S (30 * 24 * 3600)

/* The one CA, for as long as the process lives. */
static X509 *authority;
static EVP_PKEY *authority_key;

static int
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	int ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;

	X509_EXTENSION_free(ext);
	return ok ? 0 : -1;
}

static void
set_subject(X509 *x, const char *name)
{
	X509_NAME *n = X509_get_subject_name(x);
	const unsigned char *text = (const unsigned char *)name;

	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, text, -1, -1, 0);
}

/* A certificate for `key`, signed by the issuer, or by itself when that is
 * NULL. */
static X509 *
make_certificate(EVP_PKEY *key, const char *name, const char *alternative,
    X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509 *x = X509_new();
	const char *constraint =
	    alternative == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE";

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), VALID_S);
	X509_set_pubkey(x, key);
	set_subject(x, name);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	if (add_extension(x, NID_basic_constraints, constraint) == 0 &&
	    (alternative == NULL ||
		add_extension(x, NID_subject_alt_name, alternative) == 0) &&
	    X509_sign(x, issuer ? issuer_key : key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}

static SSL_CTX *
make_context(X509 *x, EVP_PKEY *key, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx != NULL && SSL_CTX_use_certificate(ctx, x) == 1 &&
	    SSL_CTX_use_PrivateKey(ctx, key) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	err_set(e, "cannot make a TLS context");
	return NULL;
}

SSL_CTX *
tls_mx_context(struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct str names = STR_INIT;
	const struct system *s;
	SSL_CTX *ctx = NULL;
	X509 *x;

	for (s = systems; s->name != NULL; s++)
		str_addf(&names, "%sDNS:%s", names.len > 0 ? "," : "", s->host);
	x = make_certificate(key, "mx.sandbox.example", names.data, NULL, NULL);
	if (x != NULL)
		ctx = make_context(x, key, e);
	else
		err_set(e, "cannot make the MX certificate");
	str_release(&names);
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

static int
write_pem(const char *path, X509 *x, struct err *e)
{
	FILE *f = fopen(path, "w");
	int ok;

	if (f == NULL)
		return err_sys(e, "cannot write '%s'", path);
	ok = PEM_write_X509(f, x);
	if (fclose(f) != 0 || !ok)
		return err_sys(e, "cannot write '%s'", path);
	return 0;
}

X509 *
tls_issue(
    EVP_PKEY *key, const char *name, const char *alternatives, struct err *e)
{
	X509 *x =
	    make_certificate(key, name, alternatives, authority, authority_key);

	if (x == NULL)
		err_set(e, "cannot make the certificate for '%s'", name);
	return x;
}

static int
make_authority(struct err *e)
{
	authority_key = EVP_EC_gen("P-256");
	authority =
	    make_certificate(authority_key, "Sandbox CA", NULL, NULL, NULL);
	return authority != NULL ? 0 : err_set(e, "cannot make the CA");
}

SSL_CTX *
tls_server_context(const char *host, const char *alternatives, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = tls_issue(key, host, alternatives, e);
	SSL_CTX *ctx = NULL;

	if (x != NULL)
		ctx = make_context(x, key, e);
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

SSL_CTX *
tls_ses_context(const char *host, const char *ca_path, struct err *e)
{
	SSL_CTX *ctx = NULL;
	struct str names = STR_INIT;

	str_addf(&names, "DNS:%s", host);
	if (make_authority(e) == 0 &&
	    (ca_path == NULL || write_pem(ca_path, authority, e) == 0))
		ctx = tls_server_context(host, names.data, e);
	str_release(&names);
	return ctx;
}
