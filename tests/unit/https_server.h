/*
 * https_server.h - a web server on loopback, on the test's own event base,
 * that does with each request what the next line of its script says, and keeps
 * what it was sent.
 */
#ifndef TESTS_UNIT_HTTPS_SERVER_H
#define TESTS_UNIT_HTTPS_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "mta/base/str.h"

enum https_server_act {
	HS_ANSWER,	 /* `text`, as it is on the wire */
	HS_ANSWER_CLOSE, /* and closes, unannounced */
	HS_CLOSE,	 /* the request is read, and no more */
	HS_RESET,	 /* likewise, by a RST */
	HS_RESET_EARLY,	 /* at the first bytes of it */
	HS_SILENT,
};

struct https_server_step {
	enum https_server_act act;
	const char *text;
	size_t len; /* of text; 0: up to its NUL */
};

#define HS_REQUESTS_MAX 64

struct https_server {
	struct event_base *base;
	struct evconnlistener *listener;
	SSL_CTX *ctx; /* NULL: plain */
	const struct https_server_step *script;
	size_t nscript, next;
	char url[64]; /* "http://127.0.0.1:PORT" */
	unsigned port;
	int connections;
	struct str requests[HS_REQUESTS_MAX];
	size_t nrequests; /* that were whole */
	LIST_HEAD(, https_server_peer) peers;
};

struct https_server_peer {
	LIST_ENTRY(https_server_peer) link;
	struct https_server *server;
	struct bufferevent *bev;
	bool closing; /* when what is to be written has been */
};

static inline void
hs_drop(struct https_server_peer *p, bool reset)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (reset)
		setsockopt(bufferevent_getfd(p->bev), SOL_SOCKET, SO_LINGER,
		    &linger, sizeof(linger));
	LIST_REMOVE(p, link);
	bufferevent_free(p->bev);
	free(p);
}

/* All connections, by RST. */
static inline void
hs_drop_all(struct https_server *s)
{
	while (!LIST_EMPTY(&s->peers))
		hs_drop(LIST_FIRST(&s->peers), true);
}

/* Bytes of the request in front; 0: not all of it is there. */
static inline size_t
hs_request_len(const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	const char *field;
	size_t head, body = 0;

	if (end == NULL)
		return 0;
	head = (size_t)(end - data) + 4;
	field = memmem(data, head, "\r\nContent-Length:", 17);
	if (field != NULL)
		body = strtoul(field + 17, NULL, 10);
	return len >= head + body ? head + body : 0;
}

static inline void
hs_act(struct https_server_peer *p, const struct https_server_step *step)
{
	size_t len = step->len;

	switch (step->act) {
	case HS_SILENT:
		return;
	case HS_CLOSE:
	case HS_RESET:
	case HS_RESET_EARLY:
		hs_drop(p, step->act != HS_CLOSE);
		return;
	case HS_ANSWER:
	case HS_ANSWER_CLOSE:
		p->closing = step->act == HS_ANSWER_CLOSE;
		bufferevent_write(
		    p->bev, step->text, len > 0 ? len : strlen(step->text));
		return;
	}
}

static inline void
hs_on_read(struct bufferevent *bev, void *arg)
{
	struct https_server_peer *p = arg;
	struct https_server *s = p->server;
	struct evbuffer *in = bufferevent_get_input(bev);
	const struct https_server_step *step = &s->script[s->next];
	size_t len = evbuffer_get_length(in);
	char *data = (char *)evbuffer_pullup(in, -1);

	if (len == 0 || s->next == s->nscript)
		return;
	if (step->act == HS_RESET_EARLY) {
		s->next++;
		hs_act(p, step);
		return;
	}
	len = hs_request_len(data, len);
	if (len == 0)
		return;
	assert(s->nrequests < HS_REQUESTS_MAX);
	str_add(&s->requests[s->nrequests++], data, len);
	evbuffer_drain(in, len);
	s->next++;
	hs_act(p, step);
}

static inline void
hs_on_write(struct bufferevent *bev, void *arg)
{
	struct https_server_peer *p = arg;

	(void)bev;
	if (p->closing)
		hs_drop(p, false);
}

static inline void
hs_on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		hs_drop(arg, false);
}

static inline void
hs_on_accept(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *from, int from_len, void *arg)
{
	struct https_server *s = arg;
	struct https_server_peer *p = calloc(1, sizeof(*p));

	(void)l;
	(void)from;
	(void)from_len;
	assert(p != NULL);
	p->server = s;
	p->bev =
	    s->ctx != NULL
		? bufferevent_openssl_socket_new(s->base, fd, SSL_new(s->ctx),
		      BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE)
		: bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	s->connections++;
	LIST_INSERT_HEAD(&s->peers, p, link);
	bufferevent_setcb(p->bev, hs_on_read, hs_on_write, hs_on_event, p);
	bufferevent_enable(p->bev, EV_READ | EV_WRITE);
}

static inline void
hs_start(struct https_server *s, struct event_base *base, SSL_CTX *ctx,
    const struct https_server_step *script, size_t nscript)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	*s = (struct https_server){
		.base = base, .ctx = ctx, .script = script, .nscript = nscript
	};
	for (size_t i = 0; i < HS_REQUESTS_MAX; i++)
		str_init(&s->requests[i]);
	LIST_INIT(&s->peers);
	s->listener = evconnlistener_new_bind(base, hs_on_accept, s,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
	    (struct sockaddr *)&sin, sizeof(sin));
	assert(s->listener != NULL);
	getsockname(
	    evconnlistener_get_fd(s->listener), (struct sockaddr *)&sin, &len);
	s->port = ntohs(sin.sin_port);
	snprintf(s->url, sizeof(s->url), "http%s://127.0.0.1:%u",
	    ctx != NULL ? "s" : "", s->port);
}

static inline void
hs_stop(struct https_server *s)
{
	while (!LIST_EMPTY(&s->peers))
		hs_drop(LIST_FIRST(&s->peers), false);
	evconnlistener_free(s->listener);
	for (size_t i = 0; i < HS_REQUESTS_MAX; i++)
		str_release(&s->requests[i]);
}

/* ------ certificates: a CA, and servers that it vouches for */

static inline X509 *
hs_certificate(EVP_PKEY *key, const char *name, const char *alt, X509 *issuer)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	X509_EXTENSION *extension;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer != NULL ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(
	    cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
	extension = X509V3_EXT_conf_nid(NULL, NULL,
	    issuer != NULL ? NID_subject_alt_name : NID_basic_constraints,
	    issuer != NULL ? alt : "critical,CA:TRUE");
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	X509_sign(cert, key, EVP_sha256());
	return cert;
}

struct hs_ca {
	EVP_PKEY *key;
	X509 *cert;
};

/* Its certificate is written to that file, unless it is NULL. */
static inline void
hs_ca_start(struct hs_ca *ca, const char *name, const char *file)
{
	FILE *f = file != NULL ? fopen(file, "w") : NULL;

	ca->key = EVP_EC_gen("P-256");
	ca->cert = hs_certificate(ca->key, name, NULL, NULL);
	if (f != NULL) {
		PEM_write_X509(f, ca->cert);
		fclose(f);
	}
}

static inline void
hs_ca_stop(struct hs_ca *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
}

/* alt: "IP:127.0.0.1,DNS:name" */
static inline SSL_CTX *
hs_context(const struct hs_ca *ca, const char *alt)
{
	X509 *cert = hs_certificate(ca->key, "server", alt, ca->cert);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_use_certificate(ctx, cert);
	SSL_CTX_use_PrivateKey(ctx, ca->key);
	X509_free(cert);
	return ctx;
}

#endif
