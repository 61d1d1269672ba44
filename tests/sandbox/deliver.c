/*
 * deliver.c - the sandbox as an SMTP client: one message, one recipient, one
 * connection.
 *
 * A step sends a line when the reply before it was as expected. Nothing is
 * pipelined and nothing tried again: who called decides that.
 */
#include "tests/sandbox/deliver.h"

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE     30 /* seconds for each reply */
#define LINE_MAX_LEN 2000

/* What is sent after each good reply: the text, and one of ours behind it. */
static const struct step {
	int want; /* first digit of the reply before it */
	enum { LINE, LINE_HELO, LINE_TO, MESSAGE } what;
	const char *text;
} steps[] = {
	{ 2, LINE_HELO, "EHLO " },
	{ 2, LINE, "MAIL FROM:<>" },
	{ 2, LINE_TO, "RCPT TO:" },
	{ 2, LINE, "DATA" },
	{ 3, MESSAGE, NULL },
};
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

struct client {
	struct bufferevent *bev;
	char *helo, *to;
	const char *data;
	size_t len;
	size_t step;
	void (*done)(void *arg, int code, const char *text);
	void *arg;
};

static void
finish(struct client *c, int code, const char *text)
{
	static const char quit[] = "QUIT\r\n";
	char *copy = xstrdup(text); /* it may lie in the connection's buffer */

	if (code != 0)
		(void)send(bufferevent_getfd(c->bev), quit, sizeof(quit) - 1,
		    MSG_NOSIGNAL);
	bufferevent_free(c->bev);
	c->done(c->arg, code, copy);
	free(copy);
	free(c->helo);
	free(c->to);
	free(c);
}

/* Doubles dots at line starts (RFC 5321 4.5.2) and ends the message. */
static void
send_message(struct client *c)
{
	const char *p = c->data, *end = c->data + c->len, *lf;
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t n;

	for (; p < end; p += n) {
		lf = memchr(p, '\n', (size_t)(end - p));
		n = (lf != NULL ? (size_t)(lf - p) + 1 : (size_t)(end - p));
		if (*p == '.')
			evbuffer_add(out, ".", 1);
		evbuffer_add(out, p, n);
	}
	evbuffer_add(out, ".\r\n", 3);
}

static void
take_step(struct client *c)
{
	const struct step *s = &steps[c->step++];
	struct evbuffer *out = bufferevent_get_output(c->bev);

	if (s->what == MESSAGE) {
		send_message(c);
		return;
	}
	evbuffer_add_printf(out, "%s", s->text);
	if (s->what == LINE_HELO)
		evbuffer_add_printf(out, "%s", c->helo);
	else if (s->what == LINE_TO)
		evbuffer_add_printf(out, "<%s>", c->to);
	evbuffer_add_printf(out, "\r\n");
}

static void
on_reply(struct client *c, const char *line)
{
	int code = atoi(line);

	if (c->step < N_STEPS && *line == '0' + steps[c->step].want)
		take_step(c);
	else if (c->step < N_STEPS && code < 400)
		finish(c, 0, "an odd reply");
	else
		finish(c, code, strlen(line) > 4 ? line + 4 : "");
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	char *line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);

	while (line != NULL && strlen(line) > 3 && line[3] == '-') {
		free(line);
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
	}
	if (line != NULL)
		on_reply(c, line);
	else if (evbuffer_get_length(in) > LINE_MAX_LEN)
		finish(c, 0, "a reply without end");
	free(line);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	finish(arg, 0,
	    (what & BEV_EVENT_TIMEOUT) != 0 ? "no reply in time"
	    : (what & BEV_EVENT_ERROR) != 0
		? evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR())
		: "closed without a reply");
}

/* A socket that comes from the carrier's own address. */
static int
open_socket(const char *source)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)inet_pton(AF_INET, source, &from.sin_addr);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Failures that are known at once are told from the loop all the same. */
void
deliver(struct event_base *base, const struct delivery *d,
    void (*done)(void *arg, int code, const char *text), void *arg)
{
	const struct timeval patience = { .tv_sec = PATIENCE };
	struct client *c = xcalloc(1, sizeof(*c));

	c->helo = xstrdup(d->helo);
	c->to = xstrdup(d->to);
	c->data = d->data;
	c->len = d->len;
	c->done = done;
	c->arg = arg;
	c->bev = bufferevent_socket_new(base, open_socket(d->source),
	    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_set_timeouts(c->bev, &patience, &patience);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(c->bev,
		(const struct sockaddr *)&d->server, sizeof(d->server)) < 0)
		bufferevent_trigger_event(
		    c->bev, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
}
