/*
 * web.c - a web listener of ours: evhttp on one address, with TLS and limits.
 *
 * evhttp says nothing of a connection before its first request is complete,
 * and nothing of its end to those who did not ask for it. So that clients
 * which connect and say nothing, or say it slowly, cannot use up what there
 * is, each connection is remembered here by its socket: as long as that
 * descriptor is that socket (its inode), it and its bufferevent live.
 */
#include "router/http/web.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/net.h"
#include "router/config.h"
#include "router/http/status.h"

#define BACKLOG	   128
#define HEADER_MAX 16384
/* From the connection, or the last answer, until the next request is complete;
 * and how long one read or write may take. */
#define PATIENCE_S 30

/* Bytes of requests that are not answered yet, of all clients: each may send a
 * large one, but not all of them at once. */
#define UNANSWERED_MOST (64u << 20)

struct connection {
	LIST_ENTRY(connection) link;
	struct web *web;
	struct bufferevent *bev;
	int fd; /* -1: not known yet */
	ino_t socket;
	int64_t since; /* that we wait for its request; 0: one is in hand */
	size_t unanswered;
	struct evbuffer_cb_entry *watch; /* of what it sends */
};

struct handler {
	SLIST_ENTRY(handler) link;
	char *path;
	enum evhttp_cmd_type method;
	void (*handle)(struct evhttp_request *, void *);
	void *arg;
};

struct web {
	const struct config_web *config;
	struct event_base *base;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's */
	struct event *tick, *adopt;
	SLIST_HEAD(, handler) handlers;
	void (*rest)(struct evhttp_request *, void *); /* NULL: nobody */
	void *rest_arg;
	LIST_HEAD(, connection) connections;
	unsigned count; /* of connections */
	size_t unanswered;
};

/* ------ answers */

void
web_reply(struct evhttp_request *http, int status, const char *text)
{
	struct evbuffer *out = evhttp_request_get_output_buffer(http);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(
	    evhttp_request_get_connection(http));

	evhttp_add_header(evhttp_request_get_output_headers(http),
	    "Content-Type", "text/plain; charset=utf-8");
	if (text != NULL)
		evbuffer_add_printf(out, "%s\n", text);
	evhttp_send_reply(http, status, http_status_text(status), NULL);
	/* Head and body in one piece: each would be a TLS record and a packet
	 * of its own. They are written when the loop turns. */
	evbuffer_pullup(bufferevent_get_output(bev), -1);
}

/* ------ connections */

static void
answered(struct connection *c)
{
	c->web->unanswered -= c->unanswered;
	c->unanswered = 0;
}

/* Its bufferevent may be no more. */
static void
forget(struct web *web, struct connection *c)
{
	answered(c);
	LIST_REMOVE(c, link);
	web->count--;
	free(c);
}

/* The same while its bufferevent lives. */
static void
let_go(struct web *web, struct connection *c)
{
	evbuffer_remove_cb_entry(bufferevent_get_input(c->bev), c->watch);
	forget(web, c);
}

/* It has sent something; evhttp sees the end of the stream later on. */
static void
on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *arg)
{
	struct connection *c = arg;

	(void)in;
	c->unanswered += info->n_added;
	c->web->unanswered += info->n_added;
	if (info->n_added > 0 && c->web->unanswered > UNANSWERED_MOST)
		shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
}

static bool
is_open(const struct connection *c)
{
	struct stat st;

	return fstat(c->fd, &st) == 0 && st.st_ino == c->socket;
}

static struct connection *
find(struct web *web, const struct bufferevent *bev)
{
	struct connection *c;

	LIST_FOREACH(c, &web->connections, link)
	if (c->bev == bev)
		return c;
	return NULL;
}

static void
forget_closed(struct web *web)
{
	struct connection *c, *next;

	for (c = LIST_FIRST(&web->connections); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->fd != -1 && !is_open(c))
			forget(web, c);
	}
}

/* evhttp sees the end of the stream and lets go of it. */
static void
hang_up(struct web *web, struct connection *c)
{
	shutdown(c->fd, SHUT_RDWR);
	let_go(web, c);
}

/* The new connections have been given their sockets. */
static void
on_adopt(evutil_socket_t fd, short what, void *arg)
{
	struct web *web = arg;
	struct connection *c, *next;
	struct stat st;

	(void)fd;
	(void)what;
	if (web->count > web->config->max_connections)
		forget_closed(web);
	for (c = LIST_FIRST(&web->connections); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->fd != -1)
			continue;
		c->fd = bufferevent_getfd(c->bev);
		if (fstat(c->fd, &st) != 0) {
			let_go(web, c);
			continue;
		}
		c->socket = st.st_ino;
		if (web->count > web->config->max_connections)
			hang_up(web, c);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct web *web = arg;
	struct connection *c, *next;
	int64_t now = clock_mono();

	(void)fd;
	(void)what;
	forget_closed(web);
	for (c = LIST_FIRST(&web->connections); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->since != 0 && now - c->since > PATIENCE_S * 1000)
			hang_up(web, c);
	}
	evconnlistener_enable(web->listener);
}

/* Out of descriptors, say: the client that waits would wake us at once again,
 * so it waits until the next tick. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	evconnlistener_disable(listener);
	log_text(LOG_WARN, "accept", "cannot accept on a web listener: %s",
	    strerror(errno));
}

static struct bufferevent *
new_bufferevent(struct web *web)
{
	struct bufferevent *bev;
	SSL *ssl;

	if (web->config->tls_ctx == NULL)
		return bufferevent_socket_new(
		    web->base, -1, BEV_OPT_CLOSE_ON_FREE);
	ssl = SSL_new(web->config->tls_ctx);
	if (ssl == NULL)
		return NULL;
	SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
	bev = bufferevent_openssl_socket_new(web->base, -1, ssl,
	    BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev != NULL)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

/* evhttp has accepted a connection, and gives its socket to what we make. */
static struct bufferevent *
on_connection(struct event_base *base, void *arg)
{
	struct web *web = arg;
	struct bufferevent *bev = new_bufferevent(web);
	struct connection *c;

	(void)base;
	if (bev == NULL)
		abort(); /* out of memory; evhttp would go on without TLS */
	if ((c = find(web, bev)) != NULL)
		forget(web, c); /* of one that was at this address before */
	c = xcalloc(1, sizeof(*c));
	c->web = web;
	c->bev = bev;
	c->watch = evbuffer_add_cb(bufferevent_get_input(bev), on_input, c);
	if (c->watch == NULL)
		abort(); /* out of memory */
	c->fd = -1;
	c->since = clock_mono();
	LIST_INSERT_HEAD(&web->connections, c, link);
	web->count++;
	event_active(web->adopt, EV_TIMEOUT, 1);
	return bev;
}

/* ------ requests */

static void
on_answered(struct evhttp_request *http, void *arg)
{
	struct connection *c = arg;

	(void)http;
	c->since = clock_mono();
	answered(c);
}

static void
note_in_hand(struct web *web, struct evhttp_request *http)
{
	struct connection *c =
	    find(web, evhttp_connection_get_bufferevent(
			  evhttp_request_get_connection(http)));

	if (c == NULL)
		return; /* it has been hung up on */
	c->since = 0;
	evhttp_request_set_on_complete_cb(http, on_answered, c);
}

static void
on_request(struct evhttp_request *http, void *arg)
{
	struct web *web = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	bool known = false;
	struct handler *h;

	note_in_hand(web, http);
	SLIST_FOREACH(h, &web->handlers, link)
	{
		if (path == NULL || strcmp(path, h->path) != 0)
			continue;
		known = true;
		if (evhttp_request_get_command(http) == h->method) {
			h->handle(http, h->arg);
			return;
		}
	}
	if (!known && web->rest != NULL)
		web->rest(http, web->rest_arg);
	else
		web_reply(http, known ? 405 : 404, NULL);
}

void
web_handle_rest(
    struct web *web, void (*handle)(struct evhttp_request *, void *), void *arg)
{
	web->rest = handle;
	web->rest_arg = arg;
}

void
web_handle(struct web *web, const char *path, enum evhttp_cmd_type method,
    void (*handle)(struct evhttp_request *, void *), void *arg)
{
	struct handler *h = xcalloc(1, sizeof(*h));

	h->path = xstrdup(path);
	h->method = method;
	h->handle = handle;
	h->arg = arg;
	SLIST_INSERT_HEAD(&web->handlers, h, link);
}

/* ------ the listener */

static int
bind_to(const struct config_web *config)
{
	int one = 1, zero = 0;
	int fd = socket(config->addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Its connections inherit it: evhttp writes an answer's head and body
	 * apart, and the body would wait for the client's delayed ACK. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (config->addr.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (const struct sockaddr *)&config->addr,
		config->addr_len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
set_limits(struct web *web)
{
	struct evhttp *http = web->http;

	evhttp_set_max_headers_size(http, HEADER_MAX);
	evhttp_set_max_body_size(http, (ev_ssize_t)web->config->max_body);
	evhttp_set_timeout(http, PATIENCE_S);
	/* All of them: what an address does not know is its own 405. */
	evhttp_set_allowed_methods(
	    http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
		      EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
		      EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
}

static void
listen_on(struct web *web, int fd)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct evhttp_bound_socket *bound;

	web->http = evhttp_new(web->base);
	web->tick = event_new(web->base, -1, EV_PERSIST, on_tick, web);
	web->adopt = event_new(web->base, -1, 0, on_adopt, web);
	if (web->http == NULL || web->tick == NULL || web->adopt == NULL)
		abort(); /* out of memory */
	evhttp_set_bevcb(web->http, on_connection, web);
	evhttp_set_gencb(web->http, on_request, web);
	set_limits(web);
	bound = evhttp_accept_socket_with_handle(web->http, fd);
	if (bound == NULL)
		abort(); /* out of memory */
	web->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(web->listener, on_accept_error);
	event_add(web->tick, &second);
}

struct web *
web_new(struct event_base *base, const struct config_web *config, struct err *e)
{
	int fd = bind_to(config);
	struct web *web;

	if (fd == -1) {
		err_sys(e, "cannot listen on '%s' (web '%s')",
		    config->address_text, config->name);
		return NULL;
	}
	web = xcalloc(1, sizeof(*web));
	web->base = base;
	web->config = config;
	SLIST_INIT(&web->handlers);
	LIST_INIT(&web->connections);
	listen_on(web, fd);
	return web;
}

unsigned
web_port(const struct web *web)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	if (getsockname(evconnlistener_get_fd(web->listener),
		(struct sockaddr *)&addr, &len) != 0)
		return 0;
	return net_port((const struct sockaddr *)&addr);
}

/* An answer that was given and not sent yet goes out as far as the socket takes
 * it: nothing will turn the loop for it any more. */
static void
send_rest(const struct connection *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	SSL *ssl = bufferevent_openssl_get_ssl(c->bev);
	size_t len = evbuffer_get_length(out);
	unsigned char *data = len > 0 ? evbuffer_pullup(out, -1) : NULL;

	if (ssl != NULL && !SSL_is_init_finished(ssl))
		return;
	if (data != NULL && ssl != NULL)
		SSL_write(ssl, data, (int)len);
	else if (data != NULL)
		(void)!send(c->fd, data, len, MSG_NOSIGNAL);
	if (ssl != NULL)
		SSL_shutdown(ssl);
	ERR_clear_error();
}

void
web_free(struct web **p)
{
	struct web *web = *p;
	struct connection *c, *next;
	struct handler *h;

	*p = NULL;
	if (web == NULL)
		return;
	for (c = LIST_FIRST(&web->connections); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->fd == -1 || !is_open(c)) {
			forget(web, c);
			continue;
		}
		send_rest(c);
		let_go(web, c);
	}
	evhttp_free(web->http);
	event_free(web->adopt);
	event_free(web->tick);
	while ((h = SLIST_FIRST(&web->handlers)) != NULL) {
		SLIST_REMOVE_HEAD(&web->handlers, link);
		free(h->path);
		free(h);
	}
	free(web);
}
