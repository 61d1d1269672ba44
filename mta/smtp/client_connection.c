/*
 * client_connection.c - sockets and the bytes of replies for the SMTP
 * client.
 *
 * Tries the targets one after the other, each from the source's address, and
 * turns what libevent and OpenSSL report into replies for client.c's state
 * table and into outcomes.
 */
#include "mta/smtp/client_int.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"

/* More of the message is read when less than this waits to be sent. */
#define LOW_WATER    (64 * 1024)
#define MOST_AT_ONCE (256 * 1024) /* bytes offered to one write */

const struct smtp_client_target *
client_target(const struct smtp_client *c)
{
	return &c->targets[c->next_target - 1];
}

size_t
client_unsent(const struct smtp_client *c)
{
	return c->bev == NULL
		   ? 0
		   : evbuffer_get_length(bufferevent_get_output(c->bev));
}

void
client_watch_writing(struct smtp_client *c)
{
	if (client_unsent(c) > 0)
		bufferevent_enable(c->bev, EV_WRITE);
	else
		bufferevent_disable(c->bev, EV_WRITE);
}

bool
client_write(struct smtp_client *c)
{
	if (c->extra) {
		str_clear(&c->out);
		client_break(
		    c, SCOPE_SESSION, "peer said more than it was asked for");
		return false;
	}
	bufferevent_write(c->bev, c->out.data, c->out.len);
	str_clear(&c->out);
	client_push(c);
	return true;
}

/*
 * What the socket takes at once needs no turn of the loop and no change to what
 * epoll watches: writing is watched for only while something is left over. An
 * error shows again at the next write, where it is looked after. TLS writes by
 * its own rules.
 */
void
client_push(struct smtp_client *c)
{
	struct evbuffer *output;

	if (c->bev == NULL || bufferevent_openssl_get_ssl(c->bev) != NULL)
		return;
	output = bufferevent_get_output(c->bev);
	evbuffer_unfreeze(output, 1);
	evbuffer_write(output, bufferevent_getfd(c->bev));
	evbuffer_freeze(output, 1);
	client_watch_writing(c);
}

void
client_disconnect(struct smtp_client *c)
{
	SSL *ssl;

	if (c->fd != -1) {
		event_del(&c->connected);
		close(c->fd);
		c->fd = -1;
	}
	if (c->bev == NULL)
		return;
	ssl = bufferevent_openssl_get_ssl(c->bev);
	if (ssl != NULL && c->state == CLIENT_QUIT)
		SSL_shutdown(ssl);
	bufferevent_free(c->bev);
	c->bev = NULL;
	ERR_clear_error();
	reply_release(&c->reply);
	reply_init(&c->reply, SMTP_REPLY_MAX);
}

/* ------ connecting */

static void
name_target(struct smtp_client *c, const struct smtp_client_target *t)
{
	const struct sockaddr *sa = (const struct sockaddr *)&t->addr;
	char address[NET_TEXT_MAX];
	struct str s = STR_INIT;

	str_addf(&s, "%s[%s]:%u", t->host, net_address_text(sa, address),
	    net_port(sa));
	free(c->peer);
	c->peer = str_detach(&s);
}

static const char bind_source[] = "use the source address for";

/* 0 while it is connecting; else an errno, and *did says at what. */
static int
dial(
    struct smtp_client *c, const struct smtp_client_target *t, const char **did)
{
	int on = 1;

	*did = "make a socket for";
	c->fd = socket(
	    t->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return errno;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (c->bind_len > 0) {
		*did = bind_source;
		/* The port is chosen by connect, which knows the destination: a
		 * source can then have more connections than there are free
		 * ports. */
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
		    sizeof(on));
		if (bind(c->fd, (struct sockaddr *)&c->bind, c->bind_len) != 0)
			return errno;
	}
	*did = "connect to";
	if (connect(c->fd, (const struct sockaddr *)&t->addr, t->addr_len) !=
		0 &&
	    errno != EINPROGRESS)
		return errno;
	return 0;
}

/* au answers a connection it does not want with a reset: at SYN, or later. */
static bool
is_reset(int error)
{
	return error == ECONNRESET || error == ECONNREFUSED;
}

static void
target_failed(struct smtp_client *c, const char *did, int error)
{
	/* The source address is not on this machine: a fault of ours, whoever is called. */
	bool unbound = did == bind_source && error == EADDRNOTAVAIL;

	outcome_set(&c->why, unbound ? SCOPE_PATH : SCOPE_LANE, STAGE_CONNECT,
	    false, "cannot %s %s: %s", did, c->peer, strerror(error));
	c->why.reset = is_reset(error);
}

static void
on_connected(int fd, short what, void *arg)
{
	struct smtp_client *c = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		client_next_target(c, error);
		return;
	}
	c->reached = true;
	if (c->tls == TLS_IMPLICIT) {
		client_start_tls(c);
		return;
	}
	c->bev = bufferevent_socket_new(c->base, c->fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		client_next_target(c, ENOMEM);
		return;
	}
	c->fd = -1;
	client_use_connection(c);
	client_enter(c, CLIENT_GREETING);
}

void
client_connect(struct smtp_client *c)
{
	const char *did;
	int error;

	while (c->next_target < c->ntargets) {
		c->next_target++;
		c->secured = false;
		c->tls_text[0] = '\0';
		name_target(c, client_target(c));
		error = dial(c, client_target(c), &did);
		if (error == 0) {
			event_assign(&c->connected, c->base, c->fd, EV_WRITE,
			    on_connected, c);
			event_add(&c->connected, NULL);
			client_enter(c, CLIENT_CONNECT);
			return;
		}
		if (c->fd != -1)
			close(c->fd);
		c->fd = -1;
		target_failed(c, did, error);
	}
	client_end(c, &c->why);
}

void
client_next_target(struct smtp_client *c, int error)
{
	if (c->state == CLIENT_CONNECT) {
		target_failed(c, "connect to", error);
	} else {
		outcome_set(&c->why, SCOPE_LANE, STAGE_CONNECT, false,
		    "no greeting from %s: %s", c->peer,
		    error != 0 ? strerror(error) : "connection closed by peer");
		c->why.reset = is_reset(error);
	}
	client_disconnect(c);
	client_connect(c);
}

void
client_refused_by_greeting(struct smtp_client *c)
{
	reply_outcome(&c->reply, SCOPE_LANE, STAGE_CONNECT, &c->why);
	client_disconnect(c);
	client_connect(c);
}

void
client_pass_over(struct smtp_client *c, const struct outcome *why)
{
	c->why = *why;
	c->why.scope = SCOPE_LANE;
	client_disconnect(c);
	client_connect(c);
}

/* ------ bytes */

/* Takes what there is of one reply; false when nothing is left to take. */
static bool
take_reply(struct smtp_client *c, struct evbuffer *in)
{
	size_t len = evbuffer_get_contiguous_space(in), used;
	enum reply_progress progress;
	bool begun = reply_begun(&c->reply);

	if (len == 0)
		return false;
	progress = reply_feed(&c->reply,
	    (char *)evbuffer_pullup(in, (ev_ssize_t)len), len, &used);
	evbuffer_drain(in, used);
	switch (progress) {
	case REPLY_MORE:
		/* One time-out for the whole reply, however slowly its bytes
		 * come. */
		if (!begun)
			client_arm(c, c->timeouts.reply);
		break;
	case REPLY_BAD:
		client_break(c, SCOPE_SESSION, c->reply.bad);
		break;
	case REPLY_DONE:
		c->extra = evbuffer_get_length(in) > 0;
		client_on_reply(c);
	}
	return true;
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct smtp_client *c = arg;

	client_body_go_on(c);
	while (c->bev == bev && take_reply(c, bufferevent_get_input(bev)))
		continue;
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct smtp_client *c = arg;

	client_body_go_on(c);
	if (c->bev == bev && bufferevent_openssl_get_ssl(bev) == NULL)
		client_watch_writing(c);
}

/* A peer that turns a message down in the middle says why and closes; our next
 * write then fails before its words were read. */
static void
hear_out(struct smtp_client *c, struct bufferevent *bev)
{
	struct evbuffer *in = evbuffer_new();

	while (
	    c->bev == bev && evbuffer_read(in, bufferevent_getfd(bev), -1) > 0)
		while (c->bev == bev && take_reply(c, in))
			continue;
	evbuffer_free(in);
}

/* OpenSSL and libevent lose the errno of a TLS connection; the kernel still
 * knows. */
static bool
was_reset(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

/* What libevent's event means: a sentence, and an errno where there is one. */
static const char *
read_event(struct bufferevent *bev, short what, int *error)
{
	const char *problem = NULL;

	*error = 0;
	if (bufferevent_openssl_get_ssl(bev) != NULL)
		problem = client_tls_problem(bev);
	else if ((what & BEV_EVENT_ERROR) != 0)
		*error = EVUTIL_SOCKET_ERROR();
	if (problem != NULL)
		return problem;
	if (*error == 0 && was_reset(bufferevent_getfd(bev)))
		*error = ECONNRESET;
	return *error != 0 ? strerror(*error) : "connection closed by peer";
}

static void
connection_lost(struct smtp_client *c, const char *reason, int error)
{
	struct outcome why;

	if (c->state == CLIENT_HANDSHAKE) {
		client_handshake_lost(c, reason, is_reset(error));
	} else if (c->state == CLIENT_GREETING) {
		client_next_target(c, error);
	} else if (c->state == CLIENT_QUIT) {
		client_end(c, &(struct outcome){ .stage = STAGE_QUIT });
	} else {
		outcome_set(&why, SCOPE_SESSION, client_stage(c), false,
		    "%s while %s", reason, client_doing(c));
		why.reset = is_reset(error);
		client_fail(c, &why);
	}
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct smtp_client *c = arg;
	const char *reason;
	int error;

	if ((what & BEV_EVENT_CONNECTED) != 0) {
		client_handshake_done(c);
		return;
	}
	reason = read_event(bev, what, &error);
	client_body_go_on(c);
	if ((what & BEV_EVENT_WRITING) != 0 &&
	    bufferevent_openssl_get_ssl(bev) == NULL)
		hear_out(c, bev);
	if (c->bev == bev)
		connection_lost(c, reason, error);
}

void
client_use_connection(struct smtp_client *c)
{
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_WRITE, LOW_WATER, 0);
	bufferevent_set_max_single_write(c->bev, MOST_AT_ONCE);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (bufferevent_openssl_get_ssl(c->bev) == NULL)
		client_watch_writing(c);
}
