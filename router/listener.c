/*
 * listener.c - where mail comes in: a bound port, shared by all I/O threads.
 */
#include "router/listener.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/map.h"
#include "router/client_rate.h"
#include "router/intake.h"
#include "router/io.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct client {
	char address[NET_TEXT_MAX];
	unsigned connections;
};

struct listener {
	const struct config_listener *made_with;
	unsigned threads;
	int *fds; /* one per thread; -1 once handed to libevent */
	struct evconnlistener **accepting;
	struct acceptor *acceptors;
	pthread_mutex_t lock;
	struct listener_counts counts; /* guarded by lock */
	struct map *clients;  /* address -> struct client, guarded by lock */
	struct client_rate *rates;
};

struct acceptor {
	struct listener *listener;
	struct io *io;
};

#define BACKLOG 1024

static int
bind_one(const struct config_listener *c, bool shared)
{
	int one = 1, zero = 0, fd;

	fd = socket(c->addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (c->addr.ss_family == AF_INET6)
		setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (const struct sockaddr *)&c->addr, c->addr_len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

struct listener *
listener_new(const struct config_listener *c, unsigned threads, struct err *e)
{
	struct listener *l;
	/* Sharing a port would let a second daemon in unnoticed: first without. */
	int probe = bind_one(c, false);

	if (probe < 0) {
		err_sys(e, "cannot listen on '%s' (listener '%s')",
		    c->address_text, c->name);
		return NULL;
	}
	close(probe);
	l = xcalloc(1, sizeof(*l));
	l->made_with = c;
	l->threads = threads;
	l->fds = xcalloc(threads, sizeof(*l->fds));
	l->accepting = xcalloc(threads, sizeof(struct evconnlistener *));
	l->acceptors = xcalloc(threads, sizeof(*l->acceptors));
	l->clients = map_new();
	l->rates = client_rate_new();
	pthread_mutex_init(&l->lock, NULL);
	for (unsigned i = 0; i < threads; i++)
		l->fds[i] = -1;
	for (unsigned i = 0; i < threads; i++)
		if ((l->fds[i] = bind_one(c, true)) < 0) {
			err_sys(e, "cannot listen on '%s' (listener '%s')",
			    c->address_text, c->name);
			listener_free(&l);
			return NULL;
		}
	return l;
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (l == NULL)
		return;
	for (unsigned i = 0; i < l->threads; i++)
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	assert(map_count(l->clients) == 0);
	map_free(&l->clients);
	client_rate_free(&l->rates);
	pthread_mutex_destroy(&l->lock);
	free(l->acceptors);
	free(l->accepting);
	free(l->fds);
	free(l);
	*lp = NULL;
}

static void
on_accept(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *peer,
    int peer_len, void *arg)
{
	struct acceptor *a = arg;

	(void)ev;
	intake_open(a->io, a->listener, fd, peer, (socklen_t)peer_len);
}

static void
on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct acceptor *a = arg;
	struct evconnlistener *ev = a->listener->accepting[a->io->number];

	(void)fd;
	(void)what;
	if (ev != NULL)
		evconnlistener_enable(ev);
}

/* Out of descriptors, say: the client that waits would wake us at once again. */
static void
on_accept_error(struct evconnlistener *ev, void *arg)
{
	static const struct timeval pause = { .tv_usec = 200000 };
	struct acceptor *a = arg;

	evconnlistener_disable(ev);
	event_base_once(
	    a->io->base, -1, EV_TIMEOUT, on_accept_again, a, &pause);
	log_text(LOG_WARN, "accept", "cannot accept on listener '%s': %s",
	    a->listener->made_with->name, strerror(errno));
}

void
listener_start(struct listener *l, struct io *io)
{
	unsigned i = io->number;

	l->acceptors[i] = (struct acceptor){ l, io };
	l->accepting[i] = evconnlistener_new(io->base, on_accept,
	    &l->acceptors[i], LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
	    l->fds[i]);
	assert(l->accepting[i] != NULL);
	l->fds[i] = -1;
	evconnlistener_set_error_cb(l->accepting[i], on_accept_error);
}

void
listener_stop(struct listener *l, struct io *io)
{
	if (l->accepting[io->number] != NULL)
		evconnlistener_free(l->accepting[io->number]);
	l->accepting[io->number] = NULL;
}

bool
listener_enter(struct listener *l, const struct config_listener *limits,
    const struct sockaddr *client)
{
	char address[NET_TEXT_MAX];
	struct client *c;
	bool ok;

	net_address_text(client, address);
	pthread_mutex_lock(&l->lock);
	c = map_get(l->clients, address);
	ok = l->counts.connections < limits->max_connections &&
	    (c == NULL || c->connections < limits->max_connections_per_client);
	if (ok && c == NULL) {
		c = xcalloc(1, sizeof(*c));
		memcpy(c->address, address, sizeof(c->address));
		map_put(l->clients, c->address, c);
	}
	if (ok) {
		c->connections++;
		l->counts.connections++;
		l->counts.entered++;
	} else {
		l->counts.turned_away++;
	}
	pthread_mutex_unlock(&l->lock);
	return ok;
}

void
listener_leave(struct listener *l, const struct sockaddr *client)
{
	char address[NET_TEXT_MAX];
	struct client *c;

	net_address_text(client, address);
	pthread_mutex_lock(&l->lock);
	c = map_get(l->clients, address);
	assert(c != NULL && c->connections > 0 && l->counts.connections > 0);
	l->counts.connections--;
	if (--c->connections == 0) {
		map_remove(l->clients, address);
		free(c);
	}
	pthread_mutex_unlock(&l->lock);
}

bool
listener_takes(struct listener *l, const struct sockaddr *client, double rate)
{
	return client_rate_take(l->rates, client, rate, clock_mono());
}

void
listener_answered(struct listener *l, enum listener_answer answer)
{
	pthread_mutex_lock(&l->lock);
	l->counts.messages[answer]++;
	pthread_mutex_unlock(&l->lock);
}

void
listener_counts(struct listener *l, struct listener_counts *counts)
{
	pthread_mutex_lock(&l->lock);
	*counts = l->counts;
	pthread_mutex_unlock(&l->lock);
}

const char *
listener_name(const struct listener *l)
{
	return l->made_with->name;
}

const struct config_listener *
listener_settings(const struct listener *l, const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (strcmp(config->listeners[i].name, l->made_with->name) == 0)
			return &config->listeners[i];
	return l->made_with;
}
