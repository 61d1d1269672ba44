/*
 * fuzz_server.c - a client of any kind talks to a server session.
 *
 * The first byte says how long the pieces are that the rest comes in. Whatever
 * comes: what the handler is given is clean, calls come in their order, and
 * each session ends once.
 */
#include "mta/smtp/server.h"

#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum stage { IDLE, MAIL, DATA };

struct peer {
	struct smtp_session *session;
	enum stage stage;
	bool closed;
	char last; /* byte of the message */
};

static void
require(bool good)
{
	if (!good)
		abort();
}

static bool
on_mail(void *arg, const struct smtp_mail *m, struct smtp_reply *r)
{
	struct peer *p = arg;

	(void)m;
	require(p->stage == IDLE);
	if (strcmp(m->from.local, "no") == 0) {
		smtp_reply_set(r, 550, "5.7.1", "%s", m->envid);
		return false;
	}
	p->stage = MAIL;
	return true;
}

static bool
on_rcpt(void *arg, const struct smtp_rcpt *t, struct smtp_reply *r)
{
	struct peer *p = arg;

	require(p->stage == MAIL);
	require(t->to.domain[0] != '\0' && !t->to.null);
	smtp_reply_set(r, 550, "5.1.1", "%s", t->to.local);
	return strcmp(t->to.local, "no") != 0;
}

static bool
on_data(void *arg, struct smtp_reply *r)
{
	struct peer *p = arg;

	(void)r;
	require(p->stage == MAIL);
	p->stage = DATA;
	p->last = '\n';
	return true;
}

static bool
on_bytes(void *arg, const char *data, size_t len, struct smtp_reply *r)
{
	struct peer *p = arg;

	require(p->stage == DATA && len > 0);
	for (size_t i = 0; i < len; i++) {
		require(data[i] != '\0');
		require((p->last == '\r') == (data[i] == '\n'));
		p->last = data[i];
	}
	smtp_reply_set(r, 452, "4.3.1", "no room");
	return memchr(data, '!', len) == NULL;
}

static void
on_data_end(void *arg)
{
	struct peer *p = arg;
	struct smtp_reply r;

	require(p->stage == DATA && p->last == '\n');
	require(smtp_session_header(p->session) != NULL);
	p->stage = IDLE;
	smtp_reply_set(&r, 250, "2.0.0", "%s", smtp_session_helo(p->session));
	smtp_session_reply(p->session, &r);
}

static void
on_abort(void *arg)
{
	struct peer *p = arg;

	require(p->stage == MAIL || p->stage == DATA);
	p->stage = IDLE;
}

static void
on_auth(void *arg, const char *user, const char *password)
{
	(void)arg, (void)user, (void)password;
	abort(); /* never without TLS */
}

static void
on_closed(void *arg)
{
	struct peer *p = arg;

	require(!p->closed);
	p->closed = true;
}

static const struct smtp_server_handler handler = {
	.mail = on_mail,
	.rcpt = on_rcpt,
	.data = on_data,
	.data_bytes = on_bytes,
	.data_end = on_data_end,
	.abort = on_abort,
	.auth = on_auth,
	.closed = on_closed,
};

static const struct smtp_server_config config = {
	.hostname = "mx.example",
	.offer_auth = true,
	.max_message = 4096,
	.max_header = 1024,
	.max_command = 512,
	.max_text_line = 998,
	.max_recipients = 3,
	.max_received = 2,
	.max_commands = 50,
	.max_errors = 20,
	.max_auth_failures = 2,
	.idle_timeout = 60000,
	.command_timeout = 60000,
};

static void
drain(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void
talk(struct event_base *base, int fd, const uint8_t *data, size_t size,
    size_t piece)
{
	while (size > 0) {
		size_t n = size < piece ? size : piece;

		if (send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		    (ssize_t)n)
			return;
		data += n;
		size -= n;
		event_base_loop(base, EVLOOP_NONBLOCK);
		drain(fd);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct sockaddr_un from = { .sun_family = AF_UNIX };
	struct peer p = { .stage = IDLE };
	int fds[2];

	if (size == 0)
		return 0;
	if (base == NULL)
		base = event_base_new();
	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1)
		return 0;
	p.session = smtp_session_new(base, fds[0], (struct sockaddr *)&from,
	    sizeof(from), &config, &handler, &p);
	require(p.session != NULL);
	talk(base, fds[1], data + 1, size - 1, (size_t)data[0] + 1);
	close(fds[1]);
	while (!p.closed)
		event_base_loop(base, EVLOOP_ONCE);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return 0;
}
