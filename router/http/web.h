/*
 * web.h - a web listener of ours (section `web` of the settings): evhttp, TLS unless it is loopback, limits.
 *
 * Handlers are registered by path before it serves. Runs in the event base it was made with, one thread. A
 * client has half a minute for each request; connections over the limit are closed at once.
 */
#ifndef ROUTER_HTTP_WEB_H
#define ROUTER_HTTP_WEB_H

#include <event2/http.h>
#include <stddef.h>

#include "mta/base/err.h"

struct config_web;
struct event_base;
struct web;

/* Binds and listens; nothing is accepted before the loop runs. NULL with *e. Borrows the settings. */
struct web *web_new(struct event_base *, const struct config_web *, struct err *e);
/* What has been answered is sent as far as the sockets take it; requests that have not been lose their
 * clients. */
void web_free(struct web **);
unsigned web_port(const struct web *); /* that it listens on */

/*
 * Requests to exactly that path with that method, whatever the query. The body is in evhttp's input buffer,
 * at most the listener's max-body; the handler answers in the end with web_reply or evhttp_send_reply,
 * perhaps much later, unless evhttp_connection_set_closecb has told that the client is gone: at the end of
 * the listener, for evhttp does not look while a request is in hand. Others get 404 or 405.
 */
void web_handle(struct web *, const char *path, enum evhttp_cmd_type,
    void (*handle)(struct evhttp_request *, void *arg), void *arg);
/* Requests to all paths that nobody has named, whatever their method. */
void web_handle_rest(struct web *, void (*handle)(struct evhttp_request *, void *arg), void *arg);
/* A short text and its status line; text may be NULL. */
void web_reply(struct evhttp_request *, int status, const char *text);

#endif
