/*
 * post.h - the sandbox as a client: posts to HTTP and HTTPS addresses, whoever they say they are.
 */
#ifndef TESTS_SANDBOX_POST_H
#define TESTS_SANDBOX_POST_H

#include <stddef.h>

struct event_base;
struct poster;

struct poster *poster_new(struct event_base *);

struct post_request {
	const char *url;
	const char *const *headers; /* "Name: value", ends with NULL */
	const char *body;           /* borrowed until `done` */
	size_t len;
	unsigned timeout;           /* ms, of all of it */
};
/* `done` is called once, from the event loop. Status 0: there is no answer, and `text` says why; else `text`
 * is the beginning of its body. */
void poster_send(struct poster *, const struct post_request *,
    void (*done)(void *arg, int status, const char *text), void *arg);

#endif
