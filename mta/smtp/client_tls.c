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
#include <stdio.h>
#include <string.h>

#include "mta/tls.h"
#include "mta/tlsa.h"

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

/* ------ what is asked of the target in use */

static const struct smtp_client_policy *
policy(const struct smtp_client *c)
{
	return client_target(c)->policy;
}

enum smtp_tls
client_tls_wanted(const struct smtp_client *c)
{
	return policy(c) != NULL ? policy(c)->tls : c->tls;
}

bool
client_tls_is_must(const struct smtp_client *c)
{
	switch (client_tls_wanted(c)) {
	case TLS_NONE:
	case TLS_OPPORTUNISTIC:
		return false;
	case TLS_REQUIRED:
	case TLS_IMPLICIT:
	case TLS_ENCRYPTED:
	case TLS_DANE:
		return true;
	}
	return true;
}

/* Whether the peer has to prove who it is. */
static bool
is_proof_wanted(const struct smtp_client *c)
{
	return client_tls_is_must(c) && client_tls_wanted(c) != TLS_ENCRYPTED;
}

static bool
is_judged(const struct smtp_client *c)
{
	return policy(c) != NULL && policy(c)->judge;
}

void
client_tls_count(struct smtp_client *c, enum tls_result result)
{
	if (c->events->tls != NULL && client_tls_wanted(c) != TLS_NONE)
		c->events->tls(c->arg, c->next_target - 1, result);
}

static const char *
required_by(const struct smtp_client *c)
{
	return policy(c) != NULL ? policy(c)->cause : NULL;
}

void
client_not_offered(struct smtp_client *c)
{
	const char *cause = required_by(c);
	struct outcome why;

	outcome_set(&why, SCOPE_LANE, STAGE_TLS, false,
	    "TLS is required%s%s, but the peer does not offer STARTTLS",
	    cause ? " by " : "", cause ? cause : "");
	client_pass_over(c, &why);
}

/* ------ the handshake */

/* A certificate that authorities vouch for, with the target's name in it. */
static bool
expect_authority(const struct smtp_client *c, SSL *ssl, const char *name)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (name[0] == '\0')
		return false;
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(
			   SSL_get0_param(ssl), name) == 1;
	/* RFC 8461 4.1: a subject's common name is no name. */
	if (policy(c) != NULL)
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
					   X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(ssl, name) == 1;
}

/* A certificate that a TLSA record knows. For DANE-EE(3) that is all; for
 * DANE-TA(2) it must be in force and bear one of the names. */
static bool
expect_record(const struct smtp_client *c, SSL *ssl)
{
	const struct smtp_client_policy *p = policy(c);
	const struct tlsa *t;
	bool any = false;

	if (SSL_dane_enable(ssl, p->names[0]) != 1)
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 1;
	     i < sizeof(p->names) / sizeof(p->names[0]) && p->names[i]; i++)
		if (SSL_add1_host(ssl, p->names[i]) != 1)
			return false;
	for (t = p->tlsa->record; t < p->tlsa->record + p->tlsa->n; t++)
		if (SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching,
			t->data, t->len) == 1)
			any = true;
	ERR_clear_error();
	return any;
}

/* Whom the handshake is with, and whether that must be proved. False: it cannot
 * be. */
static bool
expect_name(const struct smtp_client *c, SSL *ssl, char *name)
{
	enum smtp_tls tls = client_tls_wanted(c);

	if (tls == TLS_DANE) {
		SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
		return expect_record(c, ssl);
	}
	if (name[0] != '\0' && !is_address(name))
		SSL_set_tlsext_host_name(ssl, name);
	if (is_judged(c)) {
		/* It is verified, and the handshake goes on whatever came of
		 * that. */
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
		return expect_authority(c, ssl, name);
	}
	if (!is_proof_wanted(c))
		return trust_anyone(ssl);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	return expect_authority(c, ssl, name);
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

/* X.509's words for it in those of RFC 8460 4.3. */
static const struct {
	long verified;
	enum tls_result result;
} verdicts[] = {
	{ X509_V_ERR_HOSTNAME_MISMATCH, TLS_HOST_MISMATCH },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, TLS_HOST_MISMATCH },
	{ X509_V_ERR_CERT_HAS_EXPIRED, TLS_EXPIRED },
	{ X509_V_ERR_CERT_NOT_YET_VALID, TLS_EXPIRED },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, TLS_NOT_TRUSTED },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_NOT_TRUSTED },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLS_NOT_TRUSTED },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_NOT_TRUSTED },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_NOT_TRUSTED },
	{ X509_V_ERR_CERT_UNTRUSTED, TLS_NOT_TRUSTED },
	{ X509_V_ERR_INVALID_CA, TLS_NOT_TRUSTED },
};

static enum tls_result
judge(long verified)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (verdicts[i].verified == verified)
			return verdicts[i].result;
	return verified == X509_V_OK ? TLS_SUCCESS : TLS_FAILED;
}

/* In opportunistic mode another connection without TLS may do. */
static void
tls_failed(
    struct smtp_client *c, enum tls_result result, const char *why, bool reset)
{
	const char *cause = required_by(c);
	struct outcome o;

	client_tls_count(c, result);
	outcome_set(&o, client_tls_is_must(c) ? SCOPE_LANE : SCOPE_SESSION,
	    STAGE_TLS, false, "TLS handshake with %s failed: %s%s%s", c->peer,
	    why, cause ? ", TLS is required by " : "", cause ? cause : "");
	o.reset = reset;
	if (client_tls_is_must(c))
		client_pass_over(c, &o);
	else
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
		tls_failed(c, TLS_FAILED,
		    "no name to verify the certificate against", false);
		return;
	}
	c->bev = bufferevent_openssl_socket_new(c->base, c->fd, ssl,
	    BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		SSL_free(ssl);
		tls_failed(c, TLS_FAILED, "cannot set up TLS", false);
		return;
	}
	c->fd = -1;
	bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
	client_use_connection(c);
}

/* Behind version and cipher: how the peer has proved to be who it should be. */
static void
add_label(struct smtp_client *c)
{
	size_t len = strlen(c->tls_text);

	if (is_proof_wanted(c))
		snprintf(c->tls_text + len, sizeof(c->tls_text) - len, " %s",
		    policy(c) != NULL ? policy(c)->label : "verified");
}

void
client_handshake_done(struct smtp_client *c)
{
	SSL *ssl = bufferevent_openssl_get_ssl(c->bev);

	c->secured = true;
	tls_describe(ssl, c->tls_text);
	add_label(c);
	client_tls_count(
	    c, is_judged(c) ? judge(SSL_get_verify_result(ssl)) : TLS_SUCCESS);
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

	if (verified == X509_V_OK || !is_proof_wanted(c))
		tls_failed(c, TLS_FAILED, why, reset);
	else
		tls_failed(c, judge(verified),
		    X509_verify_cert_error_string(verified), reset);
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
