/*
 * client_script.h - a scripted SMTP server and an owner of one client, for
 *test_client*.c.
 *
 * The server runs in the client's event loop and follows a script of lines:
 *
 *	S text      sends text and CRLF            R text    sends text as it
 *is, \r \n \0 undone C line      the client must send this      B         takes
 *a message up to CRLF . CRLF P           part of a message: a line      close
 *FIN, once all is sent reset       RST, once all is sent          silent says
 *nothing more flush       waits until all is sent        permit    calls
 *smtp_client_permit quit        calls smtp_client_quit         abort     calls
 *smtp_client_abort tls         becomes a TLS server       bytes     waits for
 *any bytes and drops them deaf        reads nothing more next        waits
 *for another connection
 */
#ifndef TESTS_UNIT_CLIENT_SCRIPT_H
#define TESTS_UNIT_CLIENT_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mta/base/str.h"
#include "mta/smtp/client.h"

#define RCPT_MAX 4

struct play {
	/* The test's wishes. */
	const char *script;
	SSL_CTX *server_ctx;
	bool implicit_tls;
	bool permit; /* right after send */
	bool keep;   /* no QUIT after done */
	struct smtp_client_config config;
	struct smtp_transaction tx;
	struct smtp_client_rcpt rcpt[RCPT_MAX];
	const char *message; /* NULL: no transaction is sent */
	size_t message_len;
	size_t read_max; /* most bytes that one content.read gives; 0: any */
	size_t short_by; /* bytes that content.read has less than it should */
	size_t again;	 /* further transactions, the same again */
	bool ask;	 /* before the final dot: */
	bool deny;	 /* and then it must not go out */

	/* What happened. */
	unsigned ready, done, closed, sent, asked;
	unsigned tls_results[TLS_RESULTS];
	bool usable_in_done;
	struct outcome why;
	char peer[400], tls[64], client_address[INET_ADDRSTRLEN];
	struct str received; /* messages as they were on the wire, final dot
				excluded */

	/* Inside. */
	struct event_base *base;
	struct smtp_client *client;
	struct smtp_client_target target;
	int listener;
	unsigned accepted;
	bool another; /* connection has come */
	struct event accept, guard;
	struct bufferevent *server;
	const char *at;
};

static void play_on(struct play *);

/* ------ the server */

static void
server_gone(struct play *p, bool reset)
{
	struct linger linger = { .l_onoff = reset, .l_linger = 0 };
	int fd = bufferevent_getfd(p->server);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	bufferevent_free(p->server);
	p->server = NULL;
}

static void
server_on_data(struct bufferevent *bev, void *arg)
{
	(void)bev;
	play_on(arg);
}

static void
server_on_event(struct bufferevent *bev, short what, void *arg)
{
	struct play *p = arg;

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0) {
		play_on(p);
		return;
	}
	server_gone(p, false);
}

static void
server_use(struct play *p)
{
	bufferevent_setcb(
	    p->server, server_on_data, server_on_data, server_on_event, p);
	bufferevent_enable(p->server, EV_READ | EV_WRITE);
}

static void
server_tls(struct play *p, int fd)
{
	p->server =
	    bufferevent_openssl_socket_new(p->base, fd, SSL_new(p->server_ctx),
		BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(p->server);
	server_use(p);
}

static void
server_starttls(struct play *p)
{
	int fd = bufferevent_getfd(p->server);

	bufferevent_setfd(p->server, -1);
	bufferevent_free(p->server);
	server_tls(p, fd);
}

static void
server_on_accept(int listener, short what, void *arg)
{
	struct play *p = arg;
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(listener, (struct sockaddr *)&peer, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	assert_true(fd >= 0);
	inet_ntop(AF_INET, &peer.sin_addr, p->client_address,
	    sizeof(p->client_address));
	p->another = p->accepted++ > 0;
	if (p->server != NULL)
		server_gone(p, false);
	if (p->implicit_tls) {
		server_tls(p, fd);
		return;
	}
	p->server = bufferevent_socket_new(p->base, fd, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(p->server);
	server_use(p);
	play_on(p);
}

/* ------ the script */

/* One line the client sent, or false when it has not come whole. */
static bool
take_client_line(struct play *p, struct str *line)
{
	struct evbuffer *in = bufferevent_get_input(p->server);
	size_t len;
	char *text = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF_STRICT);

	if (text == NULL)
		return false;
	str_add(line, text, len);
	free(text);
	return true;
}

static bool
step_expect(struct play *p, const char *want)
{
	struct str line = STR_INIT;
	bool came = take_client_line(p, &line);

	if (came)
		assert_string_equal(line.data, want);
	str_release(&line);
	return came;
}

static bool
step_message_line(struct play *p)
{
	struct str line = STR_INIT;
	bool came = take_client_line(p, &line);

	if (came)
		assert_string_not_equal(line.data, ".");
	str_release(&line);
	return came;
}

static bool
step_message(struct play *p)
{
	struct str line = STR_INIT;

	while (take_client_line(p, &line)) {
		if (strcmp(line.data, ".") == 0) {
			str_release(&line);
			return true;
		}
		str_add(&p->received, line.data, line.len);
		str_adds(&p->received, "\r\n");
		str_clear(&line);
	}
	str_release(&line);
	return false;
}

static bool
step_raw(struct play *p, const char *text)
{
	struct evbuffer *out = bufferevent_get_output(p->server);

	for (; *text != '\0'; text++) {
		char c = *text;

		if (c == '\\') {
			c = *++text;
			c = (char)(c == 'r'   ? '\r'
				   : c == 'n' ? '\n'
				   : c == '0' ? '\0'
					      : c);
		}
		evbuffer_add(out, &c, 1);
	}
	return true;
}

static bool
step_flush(struct play *p)
{
	return evbuffer_get_length(bufferevent_get_output(p->server)) == 0;
}

static bool
step_next(struct play *p)
{
	bool came = p->another;

	p->another = false;
	return came;
}

static bool
step_bytes(struct play *p)
{
	struct evbuffer *in = bufferevent_get_input(p->server);
	size_t len = evbuffer_get_length(in);

	evbuffer_drain(in, len);
	return len > 0;
}

static bool
step_word(struct play *p, const char *word)
{
	if (strcmp(word, "silent") == 0)
		return false;
	if (strcmp(word, "deaf") == 0) {
		bufferevent_disable(p->server, EV_READ);
		return true;
	}
	if (strcmp(word, "permit") == 0) {
		smtp_client_permit(p->client);
		return true;
	}
	if (strcmp(word, "quit") == 0) {
		smtp_client_quit(p->client);
		return true;
	}
	if (strcmp(word, "abort") == 0) {
		smtp_client_abort(p->client);
		return true;
	}
	if (strcmp(word, "bytes") == 0)
		return step_bytes(p);
	if (strcmp(word, "next") == 0)
		return step_next(p);
	if (!step_flush(p))
		return false;
	if (strcmp(word, "tls") == 0)
		server_starttls(p);
	else if (strcmp(word, "flush") != 0)
		server_gone(p, strcmp(word, "reset") == 0);
	return true;
}

static bool
step(struct play *p, const char *line)
{
	if (strcmp(line, "B") == 0)
		return step_message(p);
	if (strcmp(line, "P") == 0)
		return step_message_line(p);
	if (strncmp(line, "C ", 2) == 0)
		return step_expect(p, line + 2);
	if (strncmp(line, "R ", 2) == 0)
		return step_raw(p, line + 2);
	if (strncmp(line, "S ", 2) == 0)
		return evbuffer_add_printf(bufferevent_get_output(p->server),
			   "%s\r\n", line + 2) > 0;
	return step_word(p, line);
}

static void
play_on(struct play *p)
{
	struct str line = STR_INIT;
	bool went = true;

	while (went && p->server != NULL && *p->at != '\0') {
		const char *lf = strchr(p->at, '\n');

		str_clear(&line);
		str_add(&line, p->at, (size_t)(lf - p->at));
		went = step(p, line.data);
		if (went)
			p->at = lf + 1;
	}
	str_release(&line);
}

/* ------ the owner */

static ssize_t
owner_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct play *p = arg;

	assert_true(offset + len <= p->message_len);
	if (offset + len > p->message_len - p->short_by)
		len = p->message_len - p->short_by - offset;
	if (p->read_max > 0 && len > p->read_max)
		len = p->read_max;
	memcpy(buf, p->message + offset, len);
	return (ssize_t)len;
}

static void
owner_send(struct play *p)
{
	p->sent++;
	smtp_client_send(p->client, &p->tx);
	if (p->permit)
		smtp_client_permit(p->client);
}

static void
owner_ready(void *arg)
{
	struct play *p = arg;

	p->ready++;
	if (p->message != NULL)
		owner_send(p);
	else if (!p->keep)
		smtp_client_quit(p->client);
}

static void
owner_done(void *arg, struct smtp_transaction *tx)
{
	struct play *p = arg;

	assert_ptr_equal(tx, &p->tx);
	p->done++;
	p->usable_in_done = smtp_client_usable(p->client);
	if (p->usable_in_done && p->done <= p->again)
		owner_send(p);
	else if (!p->keep)
		smtp_client_quit(p->client);
}

static void
owner_closed(void *arg, const struct outcome *why)
{
	struct play *p = arg;

	p->closed++;
	p->why = *why;
	snprintf(p->peer, sizeof(p->peer), "%s", smtp_client_peer(p->client));
	snprintf(p->tls, sizeof(p->tls), "%s", smtp_client_tls(p->client));
	p->client = NULL;
	event_base_loopexit(p->base, NULL);
}

static void
on_guard(int fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopbreak(((struct play *)arg)->base);
}

static void
owner_tls(void *arg, size_t target, enum tls_result result)
{
	struct play *p = arg;

	assert_true(target < p->config.ntargets);
	p->tls_results[result]++;
}

static bool
owner_dot(void *arg)
{
	struct play *p = arg;

	p->asked++;
	return !p->deny;
}

/* ------ the frame */

static void
play_init(struct play *p, const char *script)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&p->target.addr;

	memset(p, 0, sizeof(*p));
	p->script = script;
	p->permit = true;
	p->message = "Subject: x\r\n\r\nhello\r\n";
	p->message_len = strlen(p->message);
	p->config.ehlo = "out.example.jp";
	p->config.timeouts = smtp_client_default_timeouts;
	p->config.targets = &p->target;
	p->config.ntargets = 1;
	p->tx.from = "a@example.jp";
	p->tx.nrcpt = 2;
	p->tx.rcpt = p->rcpt;
	p->rcpt[0].address = "b@example.com";
	p->rcpt[1].address = "c@example.com";
	p->rcpt[2].address = "d@example.com";
	p->rcpt[3].address = "e@example.com";
	str_init(&p->received);
	strcpy(p->target.host, "mx.example.com");
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->target.addr_len = sizeof(*sin);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(p->listener, (struct sockaddr *)sin, sizeof(*sin)), 0);
	assert_int_equal(listen(p->listener, 8), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)sin,
			     &p->target.addr_len),
	    0);
}

/* All waits at once: the tests of silence. */
static void
play_hurry(struct play *p, int64_t ms)
{
	p->config.timeouts =
	    (struct smtp_client_timeouts){ ms, ms, ms, ms, ms, ms, ms, ms };
}

static void
play_run(struct play *p)
{
	const struct smtp_client_events events = {
		.ready = owner_ready,
		.done = owner_done,
		.tls = owner_tls,
		.dot = p->ask ? owner_dot : NULL,
		.closed = owner_closed,
	};
	struct timeval patience = { .tv_sec = 20 };

	p->at = p->script;
	p->tx.size = p->message_len;
	p->tx.content.read = owner_read;
	p->tx.content.arg = p;
	p->tx.content.length = p->message_len - p->tx.content.offset;
	p->base = event_base_new();
	assert_non_null(p->base);
	event_assign(&p->accept, p->base, p->listener, EV_READ | EV_PERSIST,
	    server_on_accept, p);
	event_add(&p->accept, NULL);
	evtimer_assign(&p->guard, p->base, on_guard, p);
	event_add(&p->guard, &patience);
	p->client = smtp_client_new(p->base, &p->config, &events, p);
	assert_int_equal(p->ready + p->done + p->closed, 0);
	event_base_dispatch(p->base);
	if (p->closed != 1)
		fail_msg("no end; the script stands at: %.60s", p->at);
	assert_int_equal(p->done, p->sent);
	event_del(&p->accept);
	event_del(&p->guard);
	close(p->listener);
	if (p->server != NULL)
		bufferevent_free(p->server);
	/* What bufferevents put off. */
	event_base_loop(p->base, EVLOOP_NONBLOCK);
	event_base_free(p->base);
}

static void
play_clear(struct play *p)
{
	str_release(&p->received);
}

#endif
