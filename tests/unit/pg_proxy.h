/*
 * pg_proxy.h - stands between a store and PostgreSQL, and breaks connections
 * where a test wants them to break.
 *
 * It listens on a socket in the test's directory and hands bytes on, a thread
 * for each connection.
 */
#ifndef TESTS_UNIT_PG_PROXY_H
#define TESTS_UNIT_PG_PROXY_H

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum proxy_mode {
	PROXY_PASS,
	PROXY_REFUSE,	   /* cuts all there are, and takes none */
	PROXY_LOSE_COMMIT, /* the next commit does not reach the server */
	PROXY_LOSE_ANSWER, /* it does, but its answer does not come back */
	PROXY_HOLD,	   /* it does not, and the server does not hear why */
	PROXY_STOP,
};

#define PROXY_MAX 256 /* connections of a test */

struct proxy {
	char *server; /* path of its socket */
	char *path, *url;
	int fd;
	_Atomic(enum proxy_mode) mode;
	pthread_t thread, relay[PROXY_MAX];
	int nrelays;
};

struct proxy_relay {
	struct proxy *p;
	int client, server;
};

static inline int
proxy_connect(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline bool
proxy_write(int fd, const char *data, size_t len)
{
	for (ssize_t n; len > 0; data += n, len -= (size_t)n)
		if ((n = send(fd, data, len, MSG_NOSIGNAL)) <= 0)
			return false;
	return true;
}

/* What is to become of bytes with a commit in them. False: nothing more. */
static inline bool
proxy_commit(struct proxy_relay *r, const char *data, size_t len)
{
	enum proxy_mode mode = atomic_load(&r->p->mode);
	struct pollfd p = { .fd = r->server, .events = POLLIN };
	char answer[4096];

	if (memmem(data, len, "commit", 7) == NULL ||
	    (mode != PROXY_LOSE_COMMIT && mode != PROXY_LOSE_ANSWER &&
		mode != PROXY_HOLD))
		return proxy_write(r->server, data, len);
	atomic_store(&r->p->mode, PROXY_PASS);
	if (mode == PROXY_LOSE_ANSWER && proxy_write(r->server, data, len) &&
	    poll(&p, 1, 10000) == 1)
		(void)!read(r->server, answer, sizeof(answer));
	if (mode != PROXY_HOLD)
		return false;
	shutdown(r->client, SHUT_RDWR);
	while (atomic_load(&r->p->mode) != PROXY_STOP && poll(&p, 1, 20) == 0)
		;
	return false;
}

static inline void *
proxy_relay(void *arg)
{
	struct proxy_relay *r = arg;
	struct pollfd p[2] = { { .fd = r->client, .events = POLLIN },
		{ .fd = r->server, .events = POLLIN } };
	char *data = xmalloc(65536);
	enum proxy_mode mode;
	bool open = true;
	ssize_t n;

	while (open) {
		mode = atomic_load(&r->p->mode);
		if (mode == PROXY_REFUSE || mode == PROXY_STOP)
			break;
		if (poll(p, 2, 20) <= 0)
			continue;
		if (p[0].revents != 0) {
			n = read(r->client, data, 65536);
			open = n > 0 && proxy_commit(r, data, (size_t)n);
		}
		if (open && p[1].revents != 0) {
			n = read(r->server, data, 65536);
			open = n > 0 && proxy_write(r->client, data, (size_t)n);
		}
	}
	close(r->client);
	close(r->server);
	free(data);
	free(r);
	return NULL;
}

static inline void
proxy_take(struct proxy *p, int client)
{
	struct proxy_relay *r;
	int server = -1;

	if (atomic_load(&p->mode) != PROXY_REFUSE && p->nrelays < PROXY_MAX)
		server = proxy_connect(p->server);
	if (server < 0) {
		close(client);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	*r = (struct proxy_relay){ p, client, server };
	pthread_create(&p->relay[p->nrelays++], NULL, proxy_relay, r);
}

static inline void *
proxy_main(void *arg)
{
	struct proxy *p = arg;
	struct pollfd l = { .fd = p->fd, .events = POLLIN };

	while (atomic_load(&p->mode) != PROXY_STOP)
		if (poll(&l, 1, 20) == 1)
			proxy_take(p, accept(p->fd, NULL, NULL));
	return NULL;
}

static inline void
proxy_add_escaped(struct str *to, const char *s)
{
	for (; *s != '\0'; s++)
		str_addf(to, "%%%02X", (unsigned char)*s);
}

/* The same URL, but by way of the proxy. */
static inline void
proxy_make_url(struct proxy *p, const char *url, const char *directory)
{
	PQconninfoOption *all = PQconninfoParse(url, NULL);
	const char *host = "", *port = "5432";
	struct str to = STR_INIT, server = STR_INIT;

	str_addf(&to, "postgresql:///?host=");
	proxy_add_escaped(&to, directory);
	for (PQconninfoOption *o = all; o->keyword != NULL; o++) {
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "host") == 0) {
			host = o->val;
			continue;
		}
		if (strcmp(o->keyword, "port") == 0)
			port = o->val;
		str_addf(&to, "&%s=", o->keyword);
		proxy_add_escaped(&to, o->val);
	}
	str_addf(&server, "%s/.s.PGSQL.%s", host, port);
	p->server = str_detach(&server);
	str_addf(&server, "%s/.s.PGSQL.%s", directory, port);
	p->path = str_detach(&server);
	p->url = str_detach(&to);
	PQconninfoFree(all);
}

static inline struct proxy *
proxy_start(const char *url, const char *directory)
{
	struct proxy *p = xcalloc(1, sizeof(*p));
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	proxy_make_url(p, url, directory);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", p->path);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(p->fd, (const struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(p->fd, 100) != 0)
		abort();
	pthread_create(&p->thread, NULL, proxy_main, p);
	return p;
}

static inline void
proxy_stop(struct proxy *p)
{
	atomic_store(&p->mode, PROXY_STOP);
	pthread_join(p->thread, NULL);
	for (int i = 0; i < p->nrelays; i++)
		pthread_join(p->relay[i], NULL);
	close(p->fd);
	unlink(p->path);
	free(p->server);
	free(p->path);
	free(p->url);
	free(p);
}

#endif
