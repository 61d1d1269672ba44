/*
 * live.h - GET /v1/live: how the daemon is, every two seconds, as server-sent events (HTML, 9.2).
 *
 * All streams are told the same, made once; while there is none, nothing is. Who does not read is dropped. Core
 * thread only.
 */
#ifndef ROUTER_HTTP_LIVE_H
#define ROUTER_HTTP_LIVE_H

#include <event2/http.h>
#include <stdbool.h>

#define LIVE_STREAMS_MOST 64

struct core;
struct live;

/* may: whether that key may go on listening; asked before each event. */
struct live *live_new(struct core *, bool (*may)(void *arg, const char *key), void *arg);
void live_free(struct live **); /* its listeners are gone */

/* Answers with a stream, which ends with its client, or when `may` says so. False: there are too many, and nothing
 * has been answered. */
bool live_listen(struct live *, struct evhttp_request *, const char *key);

#endif
