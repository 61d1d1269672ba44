/*
 * console.c - requests to the console: who may ask what.
 *
 * In this order: the request must mean us (Host), come from our own page
 * (Origin), for /v1/ be somebody's who is signed in, for a change carry what
 * only our page knows and be JSON, which no form of another page can send. What
 * the user's role allows is the dispatcher's to say (admin.c).
 */
#include "router/http/console.h"

#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/net.h"
#include "router/config.h"
#include "router/http/admin.h"
#include "router/http/console_head.h"
#include "router/http/console_int.h"
#include "router/http/guesses.h"
#include "router/http/live.h"
#include "router/http/web.h"

#define CSRF_HEADER "X-Oiwake-CSRF"

/* -- who asks -------------------------------------------------------------- */

/* A session is of the user as they were: with another password or role, or
 * gone, they sign in again. */
static bool
is_current(struct console *c, const struct session *session)
{
	struct users_seen now;

	return users_look(c->users, session->user, &now) &&
	       memcmp(now.stamp, session->seen.stamp, sizeof(now.stamp)) == 0;
}

static const struct session *
check(struct console *c, const struct session *session)
{
	if (session == NULL || is_current(c, session))
		return session;
	sessions_end(c->sessions, session->key);
	return NULL;
}

const struct session *
console_who(struct console *c, struct evhttp_request *http)
{
	char token[SESSION_TOKEN];

	if (!console_cookie(console_header(http, "Cookie"), c->cookie, token,
		sizeof(token)))
		return NULL;
	return check(c, sessions_use(c->sessions, token, clock_mono()));
}

/* A stream does not keep a session alive. */
static bool
may_listen(void *arg, const char *key)
{
	struct console *c = arg;

	return check(c, sessions_find(c->sessions, key, clock_mono())) != NULL;
}

/* -- what must be right before anything is done ---------------------------- */

static bool
means_us(const struct console *c, struct evhttp_request *http)
{
	const char *host = console_header(http, "Host");
	const char *origin = console_header(http, "Origin");

	if (!console_host_fits(c->config, host))
		console_error(http, 421,
		    "this console does not go by that name: see 'names' in its "
		    "section web");
	else if (origin != NULL && !console_origin_fits(origin, host, c->tls))
		console_error(http, 403, "asked from another site's page");
	else
		return true;
	return false;
}

static bool
is_json(struct evhttp_request *http)
{
	static const char json[] = "application/json";
	const char *type = console_header(http, "Content-Type");

	return type != NULL && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
	       strchr(";", type[sizeof(json) - 1]) != NULL;
}

static bool
has_csrf(struct evhttp_request *http, const struct session *session)
{
	const char *given = console_header(http, CSRF_HEADER);

	return given != NULL && strlen(given) == SESSION_TOKEN - 1 &&
	       CRYPTO_memcmp(given, session->csrf, SESSION_TOKEN - 1) == 0;
}

/* -- /v1/ ------------------------------------------------------------------ */

static void
listen_live(struct console *c, struct evhttp_request *http,
    const struct session *session)
{
	if (!live_listen(c->live, http, session->key))
		console_error(http, 503, "too many pages listen already");
}

/* What the command line does not ask. */
static const struct {
	const char *path;
	enum evhttp_cmd_type method;
	void (*handle)(
	    struct console *, struct evhttp_request *, const struct session *);
} own[] = {
	{ "/v1/session", EVHTTP_REQ_GET, console_show_session },
	{ "/v1/session/end", EVHTTP_REQ_POST, console_sign_out },
	{ "/v1/live", EVHTTP_REQ_GET, listen_live },
};

static void
ask(struct console *c, struct evhttp_request *http, const char *path,
    const struct session *session)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(http);
	struct admin_asker asker = { session->user, session->seen.role };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i].method == method && strcmp(own[i].path, path) == 0) {
			own[i].handle(c, http, session);
			return;
		}
	admin_ask(c->admin, http, &asker);
}

static void
on_api(struct console *c, struct evhttp_request *http, const char *path)
{
	bool reading = evhttp_request_get_command(http) != EVHTTP_REQ_POST;
	bool signing_in = !reading && strcmp(path, "/v1/session") == 0;
	const struct session *session = NULL;

	if (!reading && !is_json(http))
		console_error(http, 415, "expected application/json");
	else if (signing_in)
		console_sign_in(c, http);
	else if ((session = console_who(c, http)) == NULL)
		console_error(http, 401, "not signed in");
	else if (!reading && !has_csrf(http, session))
		console_error(http, 403,
		    "without this page's own " CSRF_HEADER
		    ": load the page again");
	else
		ask(c, http, path, session);
}

static void
on_request(struct evhttp_request *http, void *arg)
{
	struct console *c = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;

	console_put_headers(c, http);
	if (!means_us(c, http))
		return;
	if (path != NULL && strncmp(path, "/v1/", 4) == 0)
		on_api(c, http, path);
	else
		console_send_file(http, path != NULL ? path : "");
}

/* -- the console ----------------------------------------------------------- */

struct console *
console_new(struct web *web, const struct config_web *config, struct core *core,
    struct admin *admin)
{
	struct console *c = xcalloc(1, sizeof(*c));

	c->web = web;
	c->config = config;
	c->core = core;
	c->admin = admin;
	c->tls = config->tls_ctx != NULL;
	c->hsts =
	    c->tls && !net_is_loopback((const struct sockaddr *)&config->addr);
	/* Cookies do not tell ports apart: another daemon's on this host would
	 * take the place of ours. */
	snprintf(c->cookie, sizeof(c->cookie), "%soiwake-%u",
	    c->tls ? "__Host-" : "", web_port(web));
	c->users = users_new(config->users_file);
	c->sessions = sessions_new(
	    config->session_idle, config->session_life, SESSIONS_MOST);
	c->guesses = guesses_new();
	c->live = live_new(core, may_listen, c);
	LIST_INIT(&c->sign_ins);
	web_handle_rest(web, on_request, c);
	return c;
}

void
console_free(struct console **p)
{
	struct console *c = *p;

	*p = NULL;
	if (c == NULL)
		return;
	users_free(&c->users); /* has posted all answers by then */
	console_drop_sign_ins(c);
	live_free(&c->live);
	guesses_free(&c->guesses);
	sessions_free(&c->sessions);
	free(c);
}
