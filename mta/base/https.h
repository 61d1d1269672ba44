/*
 * https.h - HTTP and HTTPS requests from an event loop: libcurl's multi interface on libevent.
 *
 * Connections are kept alive and shared by the requests of one client. Certificates are verified,
 * redirects never followed, proxies never used, and an answer longer than asked for is a failure. One
 * client per thread.
 */
#ifndef MTA_BASE_HTTPS_H
#define MTA_BASE_HTTPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mta/base/err.h"

struct event_base;
struct https;
struct https_call;

struct https *https_new(struct event_base *);
void https_free(struct https **); /* all calls ended or freed before */
struct event_base *https_base(const struct https *); /* for timers beside it */

struct https_request {
	const char *method;         /* "GET", "POST", "PUT", "DELETE" */
	const char *url;            /* http:// or https:// */
	const char *const *headers; /* "Name: value", n of them; no CR or LF */
	size_t nheaders;
	const char *body;           /* NULL: `read` gives it, or there is none */
	size_t body_len;            /* of both */
	/* The next bytes of the body into buf: how many, at least 1 until body_len are given; -1 when it
	 * cannot be read, which ends the call. Called from the event loop, once over the body. */
	ssize_t (*read)(void *arg, char *buf, size_t room);
	void *read_arg;
	const char *ca_file;        /* who may vouch for the server; NULL: the system's */
	const char *connect;        /* "ADDRESS:PORT" or "[ADDRESS]:PORT" to dial whatever the URL's host is;
	                               NULL: look the host up */
	const char *resolve;        /* addresses for the URL's host, with commas; NULL: look it up */
	int64_t connect_timeout, timeout; /* ms; of all of it */
	size_t max_answer;          /* bytes of its body */
	bool fresh;                 /* by a connection of its own, closed afterwards */
};

struct https_answer {
	int status;                 /* 200, 404 ...; 0: there is no answer that is whole */
	const char *body;           /* with a NUL behind its len bytes */
	size_t len;
	struct err why;             /* when status is 0 */
	bool untrusted;             /* then: because of the server's certificate */
	bool may_be_sent;           /* then: all of the request had been given to the network, so that the server
	                               may have acted on it */
	struct https_call *call;    /* for https_header */
};

/* Of an answer, case ignored, the last of several; NULL: it has none. */
const char *https_header(const struct https_answer *, const char *name);

/*
 * Borrows what the request points to until it has ended: but for the body and what `read` needs it is
 * copied. `done` comes from the event loop, once; the call frees itself after it. https_call_free before
 * that cancels it. A connection that turns out to be dead is never tried again with a request that had
 * begun: the caller decides (no blind second submission).
 */
struct https_call *https_call_new(struct https *, const struct https_request *,
    void (*done)(void *arg, const struct https_answer *), void *arg);
void https_call_free(struct https_call **);

#endif
