/*
 * tls.c - OpenSSL contexts for both sides.
 *
 * The sessions in mta/smtp make their connections from these; what a failed
 * handshake means is decided there.
 */
#include "mta/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
tls_check_key_file(const char *path, struct err *e)
{
	struct stat st;
	/* Not to hang on a FIFO, which is refused below. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1)
		return err_sys(e, "cannot open '%s'", path);
	if (fstat(fd, &st) != 0) {
		int error = errno;

		close(fd);
		errno = error;
		return err_sys(e, "cannot stat '%s'", path);
	}
	close(fd);
	if (!S_ISREG(st.st_mode))
		return err_set(e, "not a regular file: '%s'", path);
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return err_set(e,
		    "others have access to private key '%s' (mode %03o, "
		    "expected 600 or 640)",
		    path, (unsigned)(st.st_mode & 0777));
	return 0;
}

char *
tls_last_error(char buf[static 160])
{
	unsigned long error = ERR_get_error();
	const char *reason = ERR_reason_error_string(error);

	if (error == 0)
		snprintf(buf, 160, "no reason given");
	else if (ERR_SYSTEM_ERROR(error))
		snprintf(buf, 160, "%s", strerror(ERR_GET_REASON(error)));
	else if (reason != NULL)
		snprintf(buf, 160, "%s", reason);
	else
		ERR_error_string_n(error, buf, 160);
	ERR_clear_error();
	return buf;
}

char *
tls_describe(const SSL *ssl, char buf[static 64])
{
	const SSL_CIPHER *cipher = ssl ? SSL_get_current_cipher(ssl) : NULL;

	if (cipher == NULL)
		buf[0] = '\0';
	else
		snprintf(buf, 64, "%s %s", SSL_get_version(ssl),
		    SSL_CIPHER_get_name(cipher));
	return buf;
}

/* OpenSSL would otherwise ask for the passphrase of a key on the terminal. */
static int
refuse_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* What both sides share. Buffers of idle connections are given back, and no
 * session is kept: memory must not grow with the peers once met. */
static SSL_CTX *
context_new(const SSL_METHOD *method, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	char reason[160];

	if (ctx == NULL) {
		err_set(e, "cannot set up TLS: %s", tls_last_error(reason));
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(ctx, refuse_passphrase);
	return ctx;
}

static int
load_certificate(
    SSL_CTX *ctx, const char *chain, const char *key, struct err *e)
{
	char reason[160];

	if (SSL_CTX_use_certificate_chain_file(ctx, chain) != 1)
		return err_set(e, "cannot load certificate '%s': %s", chain,
		    tls_last_error(reason));
	if (tls_check_key_file(key, e) != 0)
		return -1;
	/* Also tells when the key is not the certificate's. */
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return err_set(e, "cannot load private key '%s': %s", key,
		    tls_last_error(reason));
	return 0;
}

SSL_CTX *
tls_server_new(
    const char *certificate_chain_file, const char *key_file, struct err *e)
{
	SSL_CTX *ctx = context_new(TLS_server_method(), e);

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	if (load_certificate(ctx, certificate_chain_file, key_file, e) != 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

SSL_CTX *
tls_client_new(const char *ca_file, struct err *e)
{
	SSL_CTX *ctx = context_new(TLS_client_method(), e);
	char reason[160];
	int ok;

	if (ctx == NULL)
		return NULL;
	if (SSL_CTX_dane_enable(ctx) != 1) {
		err_set(e, "cannot set up DANE: %s", tls_last_error(reason));
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (ca_file == NULL)
		ok = SSL_CTX_set_default_verify_paths(ctx);
	else
		ok = SSL_CTX_load_verify_file(ctx, ca_file);
	if (ok == 1)
		return ctx;
	err_set(e, "cannot load certificate authorities from '%s': %s",
	    ca_file ? ca_file : "the system's store", tls_last_error(reason));
	SSL_CTX_free(ctx);
	return NULL;
}
