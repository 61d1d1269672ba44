/*
 * probe.c - does a mail server answer?
 *
 * mta/smtp/client is not used: what matters here is whether a refusal came
 * before or after the connection stood.
 */
#include "mta/preflight/probe.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"

#define LINE_MOST 512 /* RFC 5321 4.5.3.1.5 */

struct probe {
	struct event_base *base;
	struct event *event;
	struct timeval limit;
	int fd;			  /* -1: none */
	enum probe_result result; /* for the case that it never begins */
	size_t len;
	char text[LINE_MOST + 1];
	void (*done)(void *, enum probe_result, const char *);
	void *arg;
};

void
probe_free(struct probe **probe)
{
	struct probe *p = *probe;

	if (p == NULL)
		return;
	if (p->event != NULL)
		event_free(p->event);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
	*probe = NULL;
}

static void
finish(struct probe *p, enum probe_result result)
{
	for (char *c = p->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	p->done(p->arg, result, p->text);
	probe_free(&p);
}

static void
fail(struct probe *p, enum probe_result result, const char *why)
{
	snprintf(p->text, sizeof(p->text), "%s", why);
	finish(p, result);
}

static void
wait_for(struct probe *p, short what, event_callback_fn call)
{
	if (p->event != NULL)
		event_free(p->event);
	p->event = event_new(p->base, p->fd, what, call, p);
	if (p->event == NULL)
		abort();
	event_add(p->event, &p->limit);
}

/* The first line is whole. Politeness: whether the QUIT arrives does not
 * matter, and a greeting of several lines is not waited for. */
static void
take_greeting(struct probe *p)
{
	bool good = strncmp(p->text, "220", 3) == 0;

	p->text[strcspn(p->text, "\r\n")] = '\0';
	if (good && p->text[3] != '-')
		(void)!send(p->fd, "QUIT\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
	finish(p, good ? PROBE_GREETED : PROBE_REFUSED);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;
	ssize_t n;

	if (what & EV_TIMEOUT) {
		fail(p, PROBE_MUTE, "connected, and no greeting in time");
		return;
	}
	n = recv(fd, p->text + p->len, LINE_MOST - p->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		wait_for(p, EV_READ, on_readable);
		return;
	}
	if (n <= 0) {
		fail(p, PROBE_RESET,
		    n == 0 ? "connection closed without a greeting"
			   : strerror(errno));
		return;
	}
	p->len += (size_t)n;
	p->text[p->len] = '\0';
	if (p->len == LINE_MOST || memchr(p->text, '\n', p->len) != NULL)
		take_greeting(p);
	else
		wait_for(p, EV_READ, on_readable);
}

/* A reset in answer to the SYN is one thing (ECONNREFUSED); a reset that came
 * as soon as the connection stood (ECONNRESET) is another. */
static enum probe_result
without_connection(int error)
{
	if (error == ECONNRESET)
		return PROBE_RESET;
	return error == ECONNREFUSED ? PROBE_CLOSED : PROBE_SILENT;
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	if (what & EV_TIMEOUT)
		error = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0)
		fail(p, without_connection(error), strerror(error));
	else
		wait_for(p, EV_READ, on_readable);
}

static void
on_early(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	(void)fd;
	(void)what;
	finish(p, p->result);
}

/* 0, or -1 with errno, and the result it means. */
static int
dial(struct probe *p, const struct sockaddr *from, socklen_t from_len,
    const struct smtp_client_target *t)
{
	p->result = PROBE_SILENT;
	p->fd = socket(
	    t->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -1;
	p->result = PROBE_UNBOUND;
	if (from != NULL && bind(p->fd, from, from_len) != 0)
		return -1;
	if (connect(p->fd, (const struct sockaddr *)&t->addr, t->addr_len) ==
		0 ||
	    errno == EINPROGRESS)
		return 0;
	p->result = without_connection(errno);
	return -1;
}

struct probe *
probe_new(struct event_base *base, const struct sockaddr *from,
    socklen_t from_len, const struct smtp_client_target *t, int64_t timeout,
    void (*done)(void *arg, enum probe_result, const char *text), void *arg)
{
	struct probe *p = xcalloc(1, sizeof(*p));

	p->base = base;
	p->limit = (struct timeval){ .tv_sec = timeout / 1000,
		.tv_usec = timeout % 1000 * 1000 };
	p->done = done;
	p->arg = arg;
	if (dial(p, from, from_len, t) == 0) {
		wait_for(p, EV_WRITE, on_connected);
		return p;
	}
	snprintf(p->text, sizeof(p->text), "%s", strerror(errno));
	wait_for(p, 0, on_early);
	event_active(p->event, EV_TIMEOUT, 0);
	return p;
}
