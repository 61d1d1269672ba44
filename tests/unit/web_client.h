/*
 * web_client.h - a client of a web listener in the same thread: it reads while
 * the loop is turned, in clear or with TLS.
 */
#ifndef TESTS_UNIT_WEB_CLIENT_H
#define TESTS_UNIT_WEB_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mta/base/str.h"

struct client {
	struct event_base *base;
	int fd;
	SSL *ssl;
	struct str got;
	bool ended; /* the server has closed */
};

static inline double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Turns the loop; fails the test when that goes on for too long. */
static inline void
turn(struct event_base *base, double since)
{
	if (seconds() - since > 20)
		fail_msg("nothing happens");
	event_base_loop(base, EVLOOP_NONBLOCK);
	usleep(200); /* not to spin: readiness is looked for, not time */
}

static inline struct client *
client_open(struct event_base *base, unsigned port, SSL_CTX *ctx)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct client *c = calloc(1, sizeof(*c));

	c->base = base;
	str_init(&c->got);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof(to)), 0);
	evutil_make_socket_nonblocking(c->fd);
	if (ctx != NULL) {
		c->ssl = SSL_new(ctx);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_connect_state(c->ssl);
	}
	return c;
}

static inline void
client_close(struct client *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	str_release(&c->got);
	free(c);
}

static inline bool
client_handshake(struct client *c)
{
	double since = seconds();
	int rc;

	while (ERR_clear_error(), (rc = SSL_do_handshake(c->ssl)) != 1) {
		int why = SSL_get_error(c->ssl, rc);

		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			return false;
		turn(c->base, since);
	}
	return true;
}

/* False: the server has closed. */
static inline bool
client_send(struct client *c, const char *data, size_t len)
{
	double since = seconds();

	while (len > 0) {
		ssize_t n;

		ERR_clear_error(); /* of the server, which is us too */
		n = c->ssl != NULL ? SSL_write(c->ssl, data, (int)len)
				   : send(c->fd, data, len, MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (c->ssl != NULL
			? SSL_get_error(c->ssl, (int)n) > SSL_ERROR_WANT_WRITE
			: errno != EAGAIN)
			return false;
		turn(c->base, since);
	}
	return true;
}

/* What has come so far. */
static inline void
client_look(struct client *c)
{
	char buf[4096];
	ssize_t n;

	while (!c->ended) {
		ERR_clear_error();
		n = c->ssl != NULL ? SSL_read(c->ssl, buf, sizeof(buf))
				   : recv(c->fd, buf, sizeof(buf), 0);
		if (n > 0) {
			str_add(&c->got, buf, (size_t)n);
			continue;
		}
		if (c->ssl != NULL) {
			int why = SSL_get_error(c->ssl, (int)n);

			c->ended = why != SSL_ERROR_WANT_READ &&
				   why != SSL_ERROR_WANT_WRITE;
		} else
			c->ended = n == 0 || errno != EAGAIN;
		ERR_clear_error();
		return;
	}
}

/* One whole answer has come. */
static inline bool
client_has_answer(const struct client *c)
{
	const char *end = strstr(c->got.data, "\r\n\r\n");
	const char *length = strcasestr(c->got.data, "\r\nContent-Length:");

	if (end == NULL)
		return false;
	if (length == NULL || length > end)
		return true;
	return c->got.len >=
	       (size_t)(end + 4 - c->got.data) + strtoul(length + 17, NULL, 10);
}

/* The status of the next answer, whose text stays in `got`; 0: the server
 * closed before. */
static inline int
client_answer(struct client *c)
{
	double since = seconds();

	str_clear(&c->got);
	for (;;) {
		client_look(c);
		if (client_has_answer(c))
			return atoi(c->got.data + strlen("HTTP/1.1 "));
		if (c->ended)
			return 0;
		turn(c->base, since);
	}
}

static inline void
client_until_closed(struct client *c)
{
	double since = seconds();

	while (client_look(c), !c->ended)
		turn(c->base, since);
}

static inline void
client_request(struct client *c, const char *method, const char *path,
    const char *headers, const char *body, size_t len)
{
	struct str s = STR_INIT;

	str_addf(&s, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, path,
	    headers);
	if (body != NULL)
		str_addf(&s, "Content-Length: %zu\r\n", len);
	str_adds(&s, "\r\n");
	if (body != NULL)
		str_add(&s, body, len);
	client_send(c, s.data, s.len);
	str_release(&s);
}

#endif
