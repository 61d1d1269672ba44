/*
 * deliver.h - the sandbox as an SMTP client: one message from <> to one recipient, by a connection of its own.
 */
#ifndef TESTS_SANDBOX_DELIVER_H
#define TESTS_SANDBOX_DELIVER_H

#include <netinet/in.h>
#include <stddef.h>

struct event_base;

struct delivery {
	struct sockaddr_in server;
	const char *source; /* address to come from */
	const char *helo;
	const char *to;     /* these three: copied */
	const char *data;   /* as stored, dots not doubled; borrowed until `done` */
	size_t len;
};

/* `done` is called once, from the event loop: with the reply that ended it, 250 and the like when the message was
 * taken; with code 0 when there was none, and `text` says why. */
void deliver(struct event_base *, const struct delivery *, void (*done)(void *arg, int code, const char *text),
    void *arg);

#endif
