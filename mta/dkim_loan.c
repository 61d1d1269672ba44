/*
 * dkim_loan.c - a parsed private key, lent to libopendkim.
 *
 * The function below stands in front of OpenSSL's own of that name, for all of
 * the program. Without a loan it does just what OpenSSL's does.
 */
#include "mta/dkim_loan.h"

#include <assert.h>
#include <openssl/pem.h>
#include <stddef.h>

static _Thread_local EVP_PKEY *lent;

void
dkim_loan_begin(EVP_PKEY *key)
{
	assert(lent == NULL && key != NULL);
	lent = key;
}

void
dkim_loan_end(void)
{
	lent = NULL;
}

EVP_PKEY *
PEM_read_bio_PrivateKey(
    BIO *in, EVP_PKEY **key, pem_password_cb *passphrase, void *arg)
{
	if (lent == NULL || key != NULL)
		return PEM_read_bio_PrivateKey_ex(
		    in, key, passphrase, arg, NULL, NULL);
	EVP_PKEY_up_ref(lent);
	return lent;
}
