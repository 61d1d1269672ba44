/*
 * sns_trust.c - whether a certificate is one that SNS signs with.
 */
#include "router/ses/sns.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define SIGNER "sns.amazonaws.com"
#define LEVEL  2 /* of security: keys of RSA from 2048 bits, no SHA-1 */

static int
set_conditions(X509_STORE_CTX *ctx, int64_t now)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

	X509_VERIFY_PARAM_set_time(param, (time_t)(now / 1000));
	X509_VERIFY_PARAM_set_auth_level(param, LEVEL);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, SIGNER, strlen(SIGNER)) ==
			   1 &&
		       X509_STORE_CTX_set_purpose(
			   ctx, X509_PURPOSE_SSL_SERVER) == 1
		   ? 0
		   : -1;
}

int
sns_certificate_check(X509 *certificate, STACK_OF(X509) * chain,
    X509_STORE *authorities, int64_t now, struct err *e)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int rc = 0, code;

	if (ctx == NULL ||
	    X509_STORE_CTX_init(ctx, authorities, certificate, chain) != 1 ||
	    set_conditions(ctx, now) != 0)
		abort(); /* out of memory */
	if (X509_verify_cert(ctx) != 1) {
		code = X509_STORE_CTX_get_error(ctx);
		rc = err_set(e, "the certificate is not good: %s",
		    X509_verify_cert_error_string(code));
		if (e != NULL)
			e->code = code;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}
