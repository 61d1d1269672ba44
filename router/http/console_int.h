/*
 * console_int.h - the console inside: one listener's, its sign-ins, its answers.
 */
#ifndef ROUTER_HTTP_CONSOLE_INT_H
#define ROUTER_HTTP_CONSOLE_INT_H

#include <event2/http.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "router/http/console.h"
#include "router/http/session.h"

#define CONSOLE_COOKIE_NAME 32

struct guesses;
struct live;
struct sign_in;

struct console {
	struct web *web;
	const struct config_web *config;
	struct core *core;
	struct admin *admin;
	struct users *users;
	struct sessions *sessions;
	struct guesses *guesses;
	struct live *live;
	LIST_HEAD(, sign_in) sign_ins;        /* that are not answered yet */
	char cookie[CONSOLE_COOKIE_NAME];     /* its name */
	bool tls, hsts;
};

/* console_answer.c. What goes out with every answer; before anything else is looked at. */
void console_put_headers(const struct console *, struct evhttp_request *);
void console_reply(struct evhttp_request *, int status, json_t *reply); /* taken over */
void console_error(struct evhttp_request *, int status, const char *text);
/* One of the files, or 304, 404, 405. */
void console_send_file(struct evhttp_request *, const char *path);
const char *console_header(struct evhttp_request *, const char *name); /* NULL: it has none */

/* console.c. Whose session it is; NULL: nobody's any more. Valid until the next change. */
const struct session *console_who(struct console *, struct evhttp_request *);

/* console_sign.c: /v1/session. */
void console_sign_in(struct console *, struct evhttp_request *);
void console_show_session(
    struct console *, struct evhttp_request *, const struct session *);
void console_sign_out(
    struct console *, struct evhttp_request *, const struct session *);
void console_drop_sign_ins(struct console *);

#endif
