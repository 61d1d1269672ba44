/*
 * server_tls.c - TLS of a server session: STARTTLS (RFC 3207) or from the first
 * byte (RFC 8314).
 *
 * With STARTTLS the socket moves from a plain bufferevent to a new one that
 * speaks TLS; what the plain one had buffered dies with it, so nothing sent in
 * plain text is ever read as if it had come under TLS.
 */
#include "mta/smtp/server_int.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/log.h"
#include "mta/tls.h"

static SSL *
new_ssl(const struct smtp_session *s)
{
	SSL *ssl = SSL_new(s->config->tls);

	if (ssl != NULL)
		SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
	ERR_clear_error();
	return ssl;
}

/* Takes fd and ssl, also when it fails. */
static int
begin(struct smtp_session *s, int fd, SSL *ssl)
{
	struct bufferevent *bev = bufferevent_openssl_socket_new(
	    s->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);

	if (bev == NULL) {
		SSL_free(ssl);
		close(fd);
		return -1;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	s->ssl = ssl;
	session_attach(s, bev);
	session_enter(s, PHASE_TLS);
	return 0;
}

int
session_tls_implicit(struct smtp_session *s, int fd)
{
	SSL *ssl = new_ssl(s);

	if (ssl == NULL) {
		close(fd);
		return -1;
	}
	return begin(s, fd, ssl);
}

/* Before the 220, so that a failure can still be told. */
int
session_tls_prepare(struct smtp_session *s)
{
	s->next_ssl = new_ssl(s);
	return s->next_ssl != NULL ? 0 : -1;
}

void
session_tls_begin(struct smtp_session *s)
{
	int fd = bufferevent_getfd(s->bev);
	SSL *ssl = s->next_ssl;

	s->next_ssl = NULL;
	bufferevent_setfd(s->bev, -1);
	bufferevent_free(s->bev);
	s->bev = NULL;
	if (begin(s, fd, ssl) == -1)
		session_enter(s, PHASE_CLOSED);
}

/* RFC 3207 4.2: whatever the client said before is forgotten. */
void
session_tls_done(struct smtp_session *s)
{
	tls_describe(s->ssl, s->tls);
	s->helo[0] = '\0';
	s->esmtp = false;
	session_enter(s, PHASE_HELO);
	if (s->config->implicit_tls)
		server_reply_greeting(&s->out, s->config->hostname);
}

void
session_tls_failed(struct smtp_session *s)
{
	unsigned long error = bufferevent_get_openssl_error(s->bev);
	const char *why = ERR_reason_error_string(error);
	struct logline l;

	ERR_clear_error();
	if (!log_start(&l, LOG_INFO, "tls-refused"))
		return;
	log_str(&l, "peer", s->peer);
	log_str(&l, "reason", why != NULL ? why : "connection closed");
	log_end(&l);
}
