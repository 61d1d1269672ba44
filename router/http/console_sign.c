/*
 * console_sign.c - /v1/session: signing in to the console, and out of it.
 *
 * An attempt waits first, when others have failed (guesses.h), then for the
 * thread that checks passwords. It lives until both are over, even when its
 * client or the console have gone by then.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/net.h"
#include "mta/base/str.h"
#include "router/core.h"
#include "router/http/console_head.h"
#include "router/http/console_int.h"
#include "router/http/guesses.h"

#define BODY_MAX 4096

/* Attempts that wait at once: in all, from one address, and on one user from
 * there. */
#define WAITING_MOST 32
#define OF_ADDRESS   12
#define OF_BOTH	     2

struct sign_in {
	LIST_ENTRY(sign_in) link;
	struct console *console;     /* NULL: it has ended */
	struct evhttp_request *http; /* NULL: its client has */
	struct event *timer;
	struct users_check check;
	char address[NET_TEXT_MAX];
	const char *language; /* constant */
};

/* -- answers --------------------------------------------------------------- */

static json_t *
session_json(const struct session *session, const char *language)
{
	json_t *o = json_object();

	json_object_set_new(o, "user", json_string(session->user));
	json_object_set_new(
	    o, "role", json_string(user_role_name(session->seen.role)));
	json_object_set_new(o, "csrf", json_string(session->csrf));
	json_object_set_new(o, "language", json_string(language));
	return o;
}

/* A value of "" takes it away. */
static void
put_cookie(
    const struct console *c, struct evhttp_request *http, const char *token)
{
	struct str text = STR_INIT;

	str_addf(&text, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s",
	    c->cookie, token, c->tls ? "; Secure" : "",
	    *token == '\0' ? "; Max-Age=0" : "");
	evhttp_add_header(
	    evhttp_request_get_output_headers(http), "Set-Cookie", text.data);
	str_release(&text);
}

void
console_show_session(struct console *c, struct evhttp_request *http,
    const struct session *session)
{
	const char *accepted = console_header(http, "Accept-Language");

	(void)c;
	console_reply(
	    http, 200, session_json(session, console_language(accepted)));
}

void
console_sign_out(struct console *c, struct evhttp_request *http,
    const struct session *session)
{
	struct logline l;

	if (log_start(&l, LOG_INFO, "console")) {
		log_str(&l, "user", session->user);
		log_str(&l, "result", "signed out");
		log_end(&l);
	}
	sessions_end(c->sessions, session->key);
	put_cookie(c, http, "");
	console_reply(http, 200, json_object());
}

/* -- an attempt ------------------------------------------------------------ */

static void
sign_in_free(struct sign_in *s)
{
	if (s->http != NULL)
		evhttp_connection_set_closecb(
		    evhttp_request_get_connection(s->http), NULL, NULL);
	if (s->console != NULL)
		LIST_REMOVE(s, link);
	if (s->timer != NULL)
		event_free(s->timer);
	explicit_bzero(s->check.password, sizeof(s->check.password));
	free(s);
}

static void
on_client_gone(struct evhttp_connection *connection, void *arg)
{
	struct sign_in *s = arg;

	(void)connection;
	s->http = NULL;
}

static void
log_attempt(const struct sign_in *s, const char *result)
{
	struct logline l;

	if (!log_start(&l, LOG_INFO, "console"))
		return;
	log_str(&l, "user", s->check.name);
	log_str(&l, "client", s->address);
	log_str(&l, "result", result);
	log_end(&l);
}

/* What an attempt ends with, besides a session. */
enum { NO_ROLE = USERS_UNAVAILABLE + 1 };
static const struct {
	int status;
	const char *result, *text;
} endings[] = {
	[USERS_OK] = { 200, "signed in", NULL },
	[USERS_DENIED] = { 401, "denied", "wrong name or password" },
	[USERS_UNAVAILABLE] = { 503, "unavailable",
	    "nobody can sign in at this moment: the daemon's log says why" },
	[NO_ROLE] = { 403, "no role",
	    "this user has no role in the console (oiwake user add --role)" },
};

static void
begin_session(struct sign_in *s)
{
	struct console *c = s->console;
	const struct session *old = console_who(c, s->http), *session;
	struct evhttp_request *http = s->http;
	const char *language = s->language;
	char token[SESSION_TOKEN];

	if (old != NULL)
		sessions_end(c->sessions, old->key);
	session = sessions_add(
	    c->sessions, s->check.name, &s->check.seen, clock_mono(), token);
	put_cookie(c, http, token);
	explicit_bzero(token, sizeof(token));
	sign_in_free(s);
	console_reply(http, 200, session_json(session, language));
}

static void
on_checked(struct users_check *check)
{
	struct sign_in *s = container_of(check, struct sign_in, check);
	struct evhttp_request *http = s->http;
	int result = (int)check->result;

	if (s->console == NULL) {
		sign_in_free(s);
		return;
	}
	if (result == USERS_DENIED)
		guesses_failed(
		    s->console->guesses, check->name, s->address, clock_mono());
	if (result == USERS_OK && check->seen.role == ROLE_NONE)
		result = NO_ROLE;
	log_attempt(s, endings[result].result);
	if (http != NULL && result == USERS_OK) {
		begin_session(s);
		return;
	}
	sign_in_free(s);
	if (http != NULL)
		console_error(
		    http, endings[result].status, endings[result].text);
}

static void
on_waited(evutil_socket_t fd, short what, void *arg)
{
	struct sign_in *s = arg;

	(void)fd;
	(void)what;
	users_check(s->console->users, &s->check);
}

/* Those of the checker's come back by themselves. */
void
console_drop_sign_ins(struct console *c)
{
	struct sign_in *s, *next;

	for (s = LIST_FIRST(&c->sign_ins); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (event_pending(s->timer, EV_TIMEOUT, NULL)) {
			sign_in_free(s);
			continue;
		}
		LIST_REMOVE(s, link);
		s->console = NULL;
	}
}

/* -- POST /v1/session ------------------------------------------------------ */

/* Of IPv6 the network: whoever has one has all its addresses. */
static void
find_address(struct evhttp_request *http, char address[static NET_TEXT_MAX])
{
	struct sockaddr_storage addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr;
	struct err e = ERR_INIT;
	char *text = NULL;
	ev_uint16_t port;
	socklen_t len;

	evhttp_connection_get_peer(
	    evhttp_request_get_connection(http), &text, &port);
	if (text == NULL || net_parse_address(text, 0, &addr, &len, &e) != 0)
		return; /* it is gone */
	if (addr.ss_family == AF_INET6 &&
	    !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		memset(in6->sin6_addr.s6_addr + 8, 0, 8);
	net_address_text((const struct sockaddr *)&addr, address);
}

static bool
is_crowded(const struct console *c, const struct sign_in *one)
{
	unsigned all = 0, of_address = 0, of_both = 0;
	const struct sign_in *s;

	LIST_FOREACH(s, &c->sign_ins, link)
	{
		bool near = strcmp(s->address, one->address) == 0;

		all++;
		of_address += near;
		of_both += near && strcmp(s->check.name, one->check.name) == 0;
	}
	return all >= WAITING_MOST || of_address >= OF_ADDRESS ||
	       of_both >= OF_BOTH;
}

/* {"user", "password"}; what is longer than any can be is nobody's. */
static bool
read_body(struct evhttp_request *http, struct users_check *check)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(http);
	size_t len = evbuffer_get_length(in), n = 0, m = 0;
	const char *user = NULL, *password = NULL;
	json_t *body;
	bool good;

	if (len == 0 || len > BODY_MAX)
		return false;
	body = json_loadb((const char *)evbuffer_pullup(in, -1), len,
	    JSON_REJECT_DUPLICATES, NULL);
	good = body != NULL && json_object_size(body) == 2 &&
	       json_unpack(body, "{s:s%,s:s%}", "user", &user, &n, "password",
		   &password, &m) == 0 &&
	       n < sizeof(check->name) && m < sizeof(check->password);
	if (good) {
		memcpy(check->name, user, n + 1);
		memcpy(check->password, password, m + 1);
	}
	json_decref(body);
	return good;
}

static void
wait_then_check(struct console *c, struct sign_in *s)
{
	int64_t ms =
	    guesses_wait(c->guesses, s->check.name, s->address, clock_mono());
	struct timeval wait = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };
	struct evhttp_connection *connection =
	    evhttp_request_get_connection(s->http);

	s->console = c;
	LIST_INSERT_HEAD(&c->sign_ins, s, link);
	s->check.reply_to = core_inbox(c->core);
	s->check.done = on_checked;
	s->timer = event_new(
	    evhttp_connection_get_base(connection), -1, 0, on_waited, s);
	if (s->timer == NULL)
		abort(); /* out of memory */
	evhttp_connection_set_closecb(connection, on_client_gone, s);
	event_add(s->timer, &wait);
}

void
console_sign_in(struct console *c, struct evhttp_request *http)
{
	struct sign_in *s = xcalloc(1, sizeof(*s));

	find_address(http, s->address);
	s->language = console_language(console_header(http, "Accept-Language"));
	if (!read_body(http, &s->check)) {
		sign_in_free(s);
		console_error(
		    http, 400, "expected {\"user\": ..., \"password\": ...}");
	} else if (is_crowded(c, s)) {
		sign_in_free(s);
		console_error(http, 429,
		    "too many attempts at once: try again in a few seconds");
	} else {
		s->http = http;
		wait_then_check(c, s);
	}
}
