/*
 * fuzz_client.c - whole conversations of the SMTP client with a server that
 * says anything.
 *
 * The first byte chooses how the owner behaves. The rest is what the server
 * says, where 0xff waits for the client to have its say and 0xfe gives the
 * permit; at the end the server closes. Whatever comes, every transaction is
 * given back once, with a verdict for every recipient, and no message ends
 * before it may.
 */
#include <assert.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mta/base/str.h"
#include "mta/smtp/client.h"

#define RCPTS  3
#define TURN   0xff
#define PERMIT 0xfe

enum {
	EARLY_PERMIT = 1,
	SMALL = 2,
	UTF8 = 4,
	ABORT_IN_DONE = 8,
	LARGE = 16,
	AUTH = 32
};

struct owner {
	unsigned how;
	struct smtp_client *client;
	struct smtp_transaction tx;
	struct smtp_client_rcpt rcpt[RCPTS];
	unsigned sent, done, permitted;
	bool closed;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ssize_t
read_message(void *arg, uint64_t offset, void *buf, size_t len)
{
	static const char line[] = ".dots and dots\r\n";

	(void)arg;
	for (size_t i = 0; i < len; i++)
		((char *)buf)[i] = line[(offset + i) % (sizeof(line) - 1)];
	return (ssize_t)len;
}

static void
send_next(struct owner *o)
{
	static const char *const names[RCPTS] = { "a@example.com",
		"b@example.com", "c@example.com" };

	memset(&o->tx, 0, sizeof(o->tx));
	o->tx.from = "s@example.jp";
	o->tx.envid = "id";
	o->tx.smtputf8 = (o->how & UTF8) != 0;
	o->tx.nrcpt = (o->how & SMALL) != 0 ? 1 : RCPTS;
	o->tx.rcpt = o->rcpt;
	for (int i = 0; i < RCPTS; i++)
		o->rcpt[i].address = names[i];
	o->tx.content.length = o->tx.size =
	    (o->how & LARGE) != 0 ? 300000 : 100;
	o->tx.content.read = read_message;
	o->sent++;
	smtp_client_send(o->client, &o->tx);
	if ((o->how & EARLY_PERMIT) != 0) {
		o->permitted = o->sent;
		smtp_client_permit(o->client);
	}
}

static void
on_ready(void *arg)
{
	send_next(arg);
}

static void
on_done(void *arg, struct smtp_transaction *tx)
{
	struct owner *o = arg;

	assert(++o->done == o->sent);
	for (size_t i = 0; i < tx->nrcpt; i++) {
		const struct outcome *out = &tx->rcpt[i].outcome;

		assert(out->stage >= STAGE_MAIL && out->stage <= STAGE_DOT);
		assert(memchr(out->text, '\0', sizeof(out->text)) != NULL);
		assert(!str_has_control(out->text, strlen(out->text)));
		assert(outcome_class(out) != 3);
		if (outcome_class(out) == 2 || out->unread)
			assert(
			    out->stage == STAGE_DOT && o->permitted == o->sent);
	}
	if ((o->how & ABORT_IN_DONE) != 0)
		smtp_client_abort(o->client);
	else if (smtp_client_usable(o->client) && o->sent < 3)
		send_next(o);
	else
		smtp_client_quit(o->client);
}

static void
on_closed(void *arg, const struct outcome *why)
{
	struct owner *o = arg;

	assert(!o->closed && o->done == o->sent);
	assert(!str_has_control(why->text, strlen(why->text)));
	o->closed = true;
	o->client = NULL;
}

/* A listening socket without a name in any file system. */
static int
listen_somewhere(struct smtp_client_target *target)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&target->addr;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	un->sun_family = AF_UNIX;
	assert(bind(fd, (struct sockaddr *)un,
		   offsetof(struct sockaddr_un, sun_path)) == 0);
	assert(listen(fd, 8) == 0);
	target->addr_len = sizeof(target->addr);
	assert(getsockname(fd, (struct sockaddr *)un, &target->addr_len) == 0);
	return fd;
}

/* The client's say, thrown away. */
static void
turn(struct event_base *base, int fd)
{
	char sink[4096];

	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	while (fd != -1 && recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
say(const uint8_t *data, size_t len, int fd)
{
	if (fd != -1 && len > 0 &&
	    send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static void
serve(struct event_base *base, struct owner *o, int fd, const uint8_t *data,
    size_t size)
{
	size_t from = 0;

	for (size_t i = 0; i < size && o->client != NULL; i++) {
		if (data[i] != TURN && data[i] != PERMIT)
			continue;
		say(data + from, i - from, fd);
		from = i + 1;
		turn(base, fd);
		if (data[i] == PERMIT && o->client != NULL &&
		    o->done < o->sent) {
			o->permitted = o->sent;
			smtp_client_permit(o->client);
			turn(base, fd);
		}
	}
	say(data + from, size - from, fd);
	turn(base, fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct smtp_client_events events = {
		.ready = on_ready,
		.done = on_done,
		.closed = on_closed,
	};
	static struct smtp_client_target target;
	static struct event_base *base;
	static int listener = -1;
	struct smtp_client_config config = {
		.ehlo = "out.example.jp",
		.targets = &target,
		.ntargets = 1,
		.tls = TLS_NONE,
		.timeouts = smtp_client_default_timeouts,
	};
	struct owner owner = { .how = size > 0 ? data[0] : 0 };
	int fd;

	if (base == NULL) {
		signal(SIGPIPE, SIG_IGN);
		base = event_base_new();
		listener = listen_somewhere(&target);
	}
	if ((owner.how & AUTH) != 0)
		config.auth_user = config.auth_password = "secret";
	owner.client = smtp_client_new(base, &config, &events, &owner);
	turn(base, -1);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (size > 0)
		serve(base, &owner, fd, data + 1, size - 1);
	close(fd);
	turn(base, -1);
	if (owner.client != NULL)
		smtp_client_abort(owner.client);
	turn(base, -1);
	assert(owner.closed);
	return 0;
}
