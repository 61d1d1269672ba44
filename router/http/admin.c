/*
 * admin.c - requests to the admin API, from their arrival to their end.
 *
 * They come through two doors: a Unix socket (admin_socket.c) and the console's
 * web listeners (console.c). What an address means is in admin_routes.c, how it
 * is answered in admin_answer.c. What must be read from the store is read in
 * the store's thread, and the answer is sent when it comes back.
 */
#include "router/http/admin.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/config.h"
#include "router/http/admin_int.h"
#include "router/http/admin_socket.h"

#define BODY_MAX    65536
#define QUERIES_MAX 16 /* in the store's reading thread at once */

struct admin {
	struct core *core;
	struct admin_socket *socket;
	LIST_HEAD(admin_requests, admin_request) requests;
	unsigned queries;
	struct admin_large *large;
};

/* Outlives the server: a closed connection lets go of its bytes later. */
struct admin_large {
	unsigned refs; /* the server's, and one per answer */
};

void
admin_large_unref(struct admin_large *large)
{
	if (large != NULL && --large->refs == 0)
		free(large);
}

void
admin_request_free(struct admin_request *r)
{
	if (r->http != NULL)
		evhttp_connection_set_closecb(
		    evhttp_request_get_connection(r->http), NULL, NULL);
	if (r->admin != NULL)
		LIST_REMOVE(r, link);
	evhttp_clear_headers(&r->args);
	json_decref(r->body);
	json_decref(r->rows);
	json_decref(r->events);
	admin_events_free(&r->asked);
	admin_apply_free(&r->apply);
	admin_counts_free(&r->counts);
	config_unref(&r->config);
	if (r->out != NULL)
		evbuffer_free(r->out);
	admin_large_unref(r->large);
	free(r->user);
	free(r->text);
	free(r);
}

/* -- the store's reading thread
 * ---------------------------------------------------- */

struct admin_request *
admin_of_query(struct store_query *query)
{
	return container_of(query, struct admin_request, query);
}

/* What is missing must not look like what is not there. */
static void
not_read(struct admin_request *r)
{
	struct core_totals t;

	core_totals(r->core, &t);
	if (t.store_away != 0)
		admin_error(r, 503, "the database is away: %s", t.store_why);
	else
		admin_error(r, 503, "the store cannot be read: see the log");
}

/* Back in the core thread; nobody may be waiting for it any more. */
static void
query_done(struct store_query *query)
{
	struct admin_request *r = admin_of_query(query);

	if (r->admin != NULL)
		r->admin->queries--;
	if (r->admin != NULL && r->http != NULL && query->incomplete &&
	    !r->partial)
		not_read(r);
	else if (r->admin != NULL && r->http != NULL)
		r->read(r);
	else
		admin_request_free(r);
}

void
admin_query(struct admin_request *r,
    void (*run)(struct store_query *, struct store_reader *),
    void (*read)(struct admin_request *))
{
	if (r->admin->queries >= QUERIES_MAX) {
		admin_error(r, 503, "too many queries at once");
		return;
	}
	r->admin->queries++;
	r->query.reply_to = core_inbox(r->core);
	r->query.run = run;
	r->query.done = query_done;
	r->read = read;
	store_query(core_store(r->core), &r->query);
}

void
admin_query_large(struct admin_request *r,
    void (*run)(struct store_query *, struct store_reader *),
    void (*read)(struct admin_request *))
{
	struct admin_large *large = r->admin->large;

	if (large->refs > ADMIN_LARGE_MAX) {
		admin_error(r, 503, "too many rule sets are asked for at once");
		return;
	}
	large->refs++;
	r->large = large;
	if ((r->out = evbuffer_new()) == NULL)
		abort(); /* out of memory */
	admin_query(r, run, read);
}

/* -- requests
 * ---------------------------------------------------------------------- */

static void
on_client_gone(struct evhttp_connection *connection, void *arg)
{
	struct admin_request *r = arg;

	(void)connection;
	r->http = NULL;
}

static struct admin_request *
new_request(struct admin *admin, struct evhttp_request *http,
    const struct admin_asker *asker)
{
	struct admin_request *r = xcalloc(1, sizeof(*r));

	r->admin = admin;
	r->core = admin->core;
	r->http = http;
	r->role = asker != NULL ? asker->role : ROLE_ADMIN;
	r->user = asker != NULL ? xstrdup(asker->user) : NULL;
	TAILQ_INIT(&r->args);
	LIST_INSERT_HEAD(&admin->requests, r, link);
	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(http), on_client_gone, r);
	return r;
}

/* Nothing is an empty object, what is no JSON null. */
static json_t *
read_body(struct evhttp_request *http)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(http);
	size_t len = evbuffer_get_length(in);
	json_t *body;

	if (len == 0)
		return json_object();
	body = json_loadb((const char *)evbuffer_pullup(in, -1), len,
	    JSON_REJECT_DUPLICATES, NULL);
	return body ? body : json_null();
}

static size_t
body_length(const struct admin_request *r)
{
	return evbuffer_get_length(evhttp_request_get_input_buffer(r->http));
}

/* The request may go to that route; else it has been answered. */
static bool
may_pass(struct admin_request *r, const struct admin_route *route, bool exists)
{
	if (route == NULL)
		admin_error(r, exists ? 405 : 404, "%s",
		    exists ? "method not allowed" : "no such address");
	else if (r->role < route->role)
		admin_error(r, 403, "your role is '%s': for this it takes '%s'",
		    user_role_name(r->role), user_role_name(route->role));
	else if (!(route->flags & ROUTE_LARGE) && body_length(r) > BODY_MAX)
		admin_error(
		    r, 413, "the body is larger than %d bytes", BODY_MAX);
	else
		return true;
	return false;
}

void
admin_ask(struct admin *admin, struct evhttp_request *http,
    const struct admin_asker *asker)
{
	struct admin_request *r = new_request(admin, http, asker);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	const struct admin_route *route;
	bool exists;

	route = admin_find_route(
	    path ? path : "", evhttp_request_get_command(http), &exists);
	if (!may_pass(r, route, exists))
		return;
	r->rest = path + strlen(route->path);
	if (route->method == EVHTTP_REQ_POST)
		r->body = read_body(http);
	if (query != NULL && evhttp_parse_query_str(query, &r->args) != 0)
		admin_error(r, 400, "cannot read the query string");
	else if (r->body != NULL && !json_is_object(r->body))
		admin_error(r, 400, "the body is no JSON object");
	else
		route->handle(r);
}

/* -- the API
 * ---------------------------------------------------------------------- */

struct admin *
admin_new(struct event_base *base, struct core *core, const char *socket_path,
    struct err *e)
{
	struct admin *admin = xcalloc(1, sizeof(*admin));

	admin->core = core;
	admin->large = xcalloc(1, sizeof(*admin->large));
	admin->large->refs = 1;
	LIST_INIT(&admin->requests);
	admin->socket = admin_socket_new(base, admin, socket_path, e);
	if (admin->socket == NULL)
		admin_free(&admin);
	return admin;
}

void
admin_free(struct admin **p)
{
	struct admin *admin = *p;
	struct admin_request *r;

	*p = NULL;
	if (admin == NULL)
		return;
	admin_socket_free(&admin->socket);
	while ((r = LIST_FIRST(&admin->requests)) != NULL) {
		LIST_REMOVE(r, link);
		r->admin = NULL;
		if (admin_events_waits(r->asked))
			admin_request_free(r);
	}
	admin_large_unref(admin->large);
	free(admin);
}
