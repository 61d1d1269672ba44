/*
 * client_tls.c - the handshake of the SMTP client, and whom it trusts.
 *
 * A connection is TLS from its first byte or becomes so after STARTTLS;
 * client_connection.c moves its bytes in both cases.
 */
#include "mta/smtp/client_int.h"

#include <arpa/inet.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "mta/tls.h"

/* The name without a trailing dot, as it stands in certificates. Empty when
 * there is none. */
static void
certificate_name(const struct smtp_client *c, struct str *name)
{
	str_adds(name, client_target(c)->host);
	if (name->len > 0 && name->data[name->len - 1] == '.')
		name->data[--name->len] = '\0';
}

static bool
is_address(const char *name)
{
	struct in6_addr buf;

	return inet_pton(AF_INET, name, &buf) == 1 ||
	       inet_pton(AF_INET6, name, &buf) == 1;
}

/* Nobody vouches for the peer and nobody is asked: OpenSSL would look for the
 * chain's issuers in the system's folder of certificates at each handshake. */
static bool
trust_anyone(SSL *ssl)
{
	X509_STORE *none = X509_STORE_new();

	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	return none != NULL && SSL_set0_verify_cert_store(ssl, none) == 1;
}

/* Whom the handshake is with, and whether that must be proved. False: it cannot
 * be. */
static bool
expect_name(const struct smtp_client *c, SSL *ssl, char *name)
{
	bool address = is_address(name);

	if (name[0] != '\0' && !address)
		SSL_set_tlsext_host_name(ssl, name);
	if (c->tls == TLS_OPPORTUNISTIC)
		return trust_anyone(ssl);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (name[0] == '\0')
		return false;
	if (address)
		return X509_VERIFY_PARAM_set1_ip_asc(
			   SSL_get0_param(ssl), name) == 1;
	return SSL_set1_host(ssl, name) == 1;
}

static SSL *
new_ssl(const struct smtp_client *c)
{
	struct str name = STR_INIT;
	SSL *ssl = SSL_new(c->tls_ctx);

	if (ssl == NULL)
		return NULL;
	/* evbuffers move what a partial write left. */
	SSL_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Replies tell where they end, so a missing close_notify hides nothing.
	 */
	SSL_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
	certificate_name(c, &name);
	if (!expect_name(c, ssl, name.data)) {
		SSL_free(ssl);
		ssl = NULL;
	}
	str_release(&name);
	return ssl;
}

/* In opportunistic mode another connection without TLS may do. */
static void
tls_failed(struct smtp_client *c, const char *why, bool reset)
{
	struct outcome o;

	outcome_set(&o,
	    c->tls == TLS_OPPORTUNISTIC ? SCOPE_SESSION : SCOPE_LANE, STAGE_TLS,
	    false, "TLS handshake with %s failed: %s", c->peer, why);
	o.reset = reset;
	client_end(c, &o);
}

/* The plain connection's socket, which stays open when its bufferevent goes. */
static void
take_socket(struct smtp_client *c)
{
	if (c->bev == NULL)
		return;
	c->fd = bufferevent_getfd(c->bev);
	bufferevent_setfd(c->bev, -1);
	bufferevent_free(c->bev);
	c->bev = NULL;
}

void
client_start_tls(struct smtp_client *c)
{
	SSL *ssl;

	take_socket(c);
	client_enter(c, CLIENT_HANDSHAKE);
	ssl = new_ssl(c);
	if (ssl == NULL) {
		tls_failed(
		    c, "no name to verify the certificate against", false);
		return;
	}
	c->bev = bufferevent_openssl_socket_new(c->base, c->fd, ssl,
	    BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		SSL_free(ssl);
		tls_failed(c, "cannot set up TLS", false);
		return;
	}
	c->fd = -1;
	bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
	client_use_connection(c);
}

void
client_handshake_done(struct smtp_client *c)
{
	c->secured = true;
	tls_describe(bufferevent_openssl_get_ssl(c->bev), c->tls_text);
	if (c->tls == TLS_IMPLICIT)
		client_enter(c, CLIENT_GREETING);
	else
		client_hello(c);
}

void
client_handshake_lost(struct smtp_client *c, const char *why, bool reset)
{
	long verified =
	    SSL_get_verify_result(bufferevent_openssl_get_ssl(c->bev));

	if (verified != X509_V_OK && c->tls != TLS_OPPORTUNISTIC)
		why = X509_verify_cert_error_string(verified);
	tls_failed(c, why, reset);
}

/* What went wrong in TLS, unless it is a mere end of the connection. */
const char *
client_tls_problem(struct bufferevent *bev)
{
	unsigned long problem = bufferevent_get_openssl_error(bev);
	const char *reason;

	/* libevent also puts plain SSL_ERROR_SYSCALL there. */
	if (ERR_GET_LIB(problem) == 0 || ERR_SYSTEM_ERROR(problem))
		return NULL;
	reason = ERR_reason_error_string(problem);
	return reason != NULL ? reason : "TLS failed";
}
