/*
 * admin.c - the admin API: its socket, its requests and their answers.
 *
 * evhttp speaks HTTP in the core's event base. What each address means is in
 * admin_pause.c, admin_queue.c, admin_reload.c, admin_rules.c,
 * admin_sources.c, admin_stats.c and admin_traffic.c; what must be read from the store is read in the store's
 * thread, and the answer is sent from here when it comes back.
 */
#include "router/http/admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/smtp/utf8.h"
#include "router/config.h"
#include "router/http/admin_int.h"

#define HEADER_MAX  16384
#define BODY_MAX    65536
#define TIMEOUT_S   30
#define QUERIES_MAX 16 /* in the store's reading thread at once */

struct admin {
	struct core *core;
	struct evhttp *http;
	char *socket_path;
	struct stat made; /* of our socket, not to remove another's */
	LIST_HEAD(admin_requests, admin_request) requests;
	unsigned queries;
	struct admin_large *large;
};

/* Outlives the server: a closed connection lets go of its bytes later. */
struct admin_large {
	unsigned refs; /* the server's, and one per answer */
};

static const struct admin_route routes[] = {
	{ "/v1/status", false, EVHTTP_REQ_GET, admin_status },
	{ "/v1/stats", false, EVHTTP_REQ_GET, admin_stats },
	{ "/v1/tls", false, EVHTTP_REQ_GET, admin_tls },
	{ "/v1/queue", false, EVHTTP_REQ_GET, admin_queue_list },
	{ "/v1/queue/retry", false, EVHTTP_REQ_POST, admin_queue_retry },
	{ "/v1/queue/delete", false, EVHTTP_REQ_POST, admin_queue_delete },
	{ "/v1/queue/", true, EVHTTP_REQ_GET, admin_queue_show },
	{ "/v1/reload", false, EVHTTP_REQ_POST, admin_reload },
	{ "/v1/rules", false, EVHTTP_REQ_GET, admin_rules_history },
	{ "/v1/rules/", true, EVHTTP_REQ_GET, admin_rules_show },
	{ "/v1/traffic", false, EVHTTP_REQ_GET, admin_traffic },
	{ "/v1/doctor", false, EVHTTP_REQ_GET, admin_doctor },
	{ "/v1/doctor/check", false, EVHTTP_REQ_POST, admin_doctor_check },
	{ "/v1/pause", false, EVHTTP_REQ_POST, admin_pause },
	{ "/v1/resume", false, EVHTTP_REQ_POST, admin_resume },
	{ "/v1/drain", false, EVHTTP_REQ_POST, admin_drain },
	{ "/v1/pauses", false, EVHTTP_REQ_GET, admin_pauses },
	{ "/v1/sources", false, EVHTTP_REQ_GET, admin_sources },
	{ "/v1/warm-up", false, EVHTTP_REQ_POST, admin_warm_up },
};

/* -- answers
 * -------------------------------------------------------------------- */

static const char *
status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Error";
}

static void
large_unref(struct admin_large *large)
{
	if (large != NULL && --large->refs == 0)
		free(large);
}

static void
request_free(struct admin_request *r)
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
	stats_free(&r->stats);
	config_unref(&r->config);
	if (r->out != NULL)
		evbuffer_free(r->out);
	large_unref(r->large);
	free(r->text);
	free(r);
}

void
admin_reply_text(struct admin_request *r, int status, const char *text)
{
	struct evhttp_request *http = r->http;
	struct evkeyvalq *headers;
	struct evbuffer *out;

	if (http != NULL) {
		headers = evhttp_request_get_output_headers(http);
		evhttp_add_header(headers, "Content-Type", "application/json");
		out = evhttp_request_get_output_buffer(http);
		evbuffer_add(out, text, strlen(text));
		evbuffer_add(out, "\n", 1);
	}
	request_free(r);
	if (http != NULL)
		evhttp_send_reply(http, status, status_text(status), NULL);
}

static void
on_large_sent(const void *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	large_unref(arg);
}

/* The last byte of a large answer says when all of it has been let go of. */
void
admin_reply_out(struct admin_request *r)
{
	static const char end[] = "\n";
	struct evhttp_request *http = r->http;
	struct evbuffer *out;

	if (http != NULL) {
		evhttp_add_header(evhttp_request_get_output_headers(http),
		    "Content-Type", "application/json");
		out = evhttp_request_get_output_buffer(http);
		evbuffer_add_buffer(out, r->out);
		if (evbuffer_add_reference(
			out, end, 1, on_large_sent, r->large) == 0)
			r->large = NULL;
	}
	request_free(r);
	if (http != NULL)
		evhttp_send_reply(http, 200, status_text(200), NULL);
}

void
admin_reply(struct admin_request *r, int status, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	json_decref(reply);
	admin_reply_text(r, status, text ? text : "{}");
	free(text);
}

void
admin_error(struct admin_request *r, int status, const char *fmt, ...)
{
	struct str text = STR_INIT;
	json_t *reply = json_object();
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	admin_put(reply, "error", text.data);
	str_release(&text);
	admin_reply(r, status, reply);
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629); 0: none. */
static size_t
utf8_length(const char *p)
{
	size_t most = strnlen(p, 4);
	bool beyond;

	for (size_t len = 1; len <= most; len++)
		if (utf8_check(p, len, &beyond))
			return len;
	return 0;
}

void
admin_put(json_t *object, const char *key, const char *text)
{
	const char *from = text ? text : "";
	json_t *value = json_string(from);
	struct str clean = STR_INIT;

	for (; value == NULL && *from != '\0';) {
		size_t len = utf8_length(from);

		str_add(&clean, len ? from : "?", len ? len : 1);
		from += len ? len : 1;
	}
	json_object_set_new(
	    object, key, value ? value : json_string(clean.data));
	str_release(&clean);
}

void
admin_put_time(json_t *object, const char *key, int64_t wall)
{
	char buf[25];

	json_object_set_new(object, key,
	    wall > 0 ? json_string(clock_iso(wall, buf)) : json_null());
}

/* -- the store's reading thread
 * ---------------------------------------------------- */

struct admin_request *
admin_of_query(struct store_query *query)
{
	return container_of(query, struct admin_request, query);
}

/* Back in the core thread; nobody may be waiting for it any more. */
static void
query_done(struct store_query *query)
{
	struct admin_request *r = admin_of_query(query);

	if (r->admin != NULL)
		r->admin->queries--;
	if (r->admin != NULL && r->http != NULL)
		r->read(r);
	else
		request_free(r);
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

static void
free_text(const void *text, size_t len, void *arg)
{
	(void)len;
	(void)arg;
	free((void *)(uintptr_t)text);
}

void
admin_out_json(struct admin_request *r, const char *before, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	if (text == NULL || evbuffer_add(r->out, before, strlen(before)) != 0 ||
	    evbuffer_add_reference(
		r->out, text, strlen(text), free_text, NULL) != 0)
		abort(); /* out of memory */
}

/* -- requests
 * ---------------------------------------------------------------------- */

const char *
admin_arg(struct admin_request *r, const char *name)
{
	return evhttp_find_header(&r->args, name);
}

int
admin_number(const char *text, int64_t least, int64_t most, int64_t *n)
{
	char *end = NULL;

	errno = 0;
	*n = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
	    *n < least || *n > most)
		return -1;
	return 0;
}

static void
on_client_gone(struct evhttp_connection *connection, void *arg)
{
	struct admin_request *r = arg;

	(void)connection;
	r->http = NULL;
}

static const struct admin_route *
find_route(const char *path, enum evhttp_cmd_type method, bool *exists)
{
	*exists = false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct admin_route *route = &routes[i];
		size_t len = strlen(route->path);
		bool match = route->prefix
				 ? strncmp(path, route->path, len) == 0 &&
				       path[len] != '\0'
				 : strcmp(path, route->path) == 0;

		if (match && route->method == method)
			return route;
		*exists |= match;
	}
	return NULL;
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

static void
on_request(struct evhttp_request *http, void *arg)
{
	struct admin *admin = arg;
	struct admin_request *r = xcalloc(1, sizeof(*r));
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	const struct admin_route *route;
	bool exists;

	r->admin = admin;
	r->core = admin->core;
	r->http = http;
	TAILQ_INIT(&r->args);
	LIST_INSERT_HEAD(&admin->requests, r, link);
	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(http), on_client_gone, r);
	route = find_route(
	    path ? path : "", evhttp_request_get_command(http), &exists);
	if (route == NULL) {
		admin_error(r, exists ? 405 : 404, "%s",
		    exists ? "method not allowed" : "no such address");
		return;
	}
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

/* -- status
 * ------------------------------------------------------------------------- */

static void
add_lane(void *arg, const struct lane_row *lane)
{
	json_t *lanes = arg, *row = json_object();

	admin_put(row, "path", lane->path);
	admin_put(row, "source", lane->source);
	admin_put(row, "group", lane->group);
	admin_put(row, "state", lane->state);
	json_object_set_new(row, "waiting", json_integer(lane->waiting));
	json_object_set_new(row, "sending", json_integer(lane->sending));
	json_object_set_new(
	    row, "connections", json_integer(lane->connections));
	json_object_set_new(
	    row, "max_connections", json_integer(lane->max_connections));
	json_object_set_new(row, "rate", json_real(lane->rate));
	admin_put_time(row, "blocked_until", lane->blocked_until);
	json_array_append_new(lanes, row);
}

json_t *
admin_lanes(struct core *core)
{
	json_t *lanes = json_array();

	core_each_lane(core, add_lane, lanes);
	return lanes;
}

static void
status_run(struct store_query *query, struct store_reader *reader)
{
	admin_of_query(query)->count = store_read_queue_size(reader);
}

static void
status_done(struct admin_request *r)
{
	struct core_totals totals;
	json_t *reply;

	core_totals(r->core, &totals);
	reply = json_object();
	json_object_set_new(
	    reply, "queued", json_integer((json_int_t)r->count));
	json_object_set_new(
	    reply, "in_memory", json_integer((json_int_t)totals.in_memory));
	json_object_set_new(
	    reply, "sending", json_integer((json_int_t)totals.sending));
	json_object_set_new(
	    reply, "connections", json_integer((json_int_t)totals.connections));
	json_object_set_new(reply, "pattern_limits",
	    json_integer((json_int_t)totals.pattern_limits));
	json_object_set_new(reply, "stopping", json_boolean(totals.stopping));
	json_object_set_new(
	    reply, "store_failed", json_boolean(totals.store_failed));
	json_object_set_new(reply, "lanes", admin_lanes(r->core));
	admin_reply(r, 200, reply);
}

void
admin_status(struct admin_request *r)
{
	admin_query(r, status_run, status_done);
}

/* -- the socket
 * --------------------------------------------------------------------- */

static int
socket_address(const char *path, struct sockaddr_un *sun, struct err *e)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun->sun_path))
		return err_set(e, "name of the admin socket is too long");
	memcpy(sun->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Removes the socket of a daemon that is no more; leaves all else alone. */
static int
remove_stale(const struct sockaddr_un *sun, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, "not a socket: '%s'", sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(e, "cannot make a socket");
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (rc == 0 || errno != ECONNREFUSED)
		rc =
		    err_set(e, "another daemon answers at '%s'", sun->sun_path);
	else if ((rc = unlink(sun->sun_path)) != 0)
		rc = err_sys(e, "cannot remove '%s'", sun->sun_path);
	close(fd);
	return rc;
}

/* Nobody can connect before listen(2), so the mode is right from the start. */
static int
listen_on(const char *path, struct err *e)
{
	struct sockaddr_un sun;
	int fd;

	if (socket_address(path, &sun, e) != 0 || remove_stale(&sun, e) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(e, "cannot make a socket");
	if (bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	    chmod(path, 0660) == 0 && listen(fd, 64) == 0)
		return fd;
	err_sys(e, "cannot listen at '%s'", path);
	close(fd);
	return -1;
}

static void
set_limits(struct evhttp *http)
{
	evhttp_set_max_headers_size(http, HEADER_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_timeout(http, TIMEOUT_S);
	/* All of them: what an address does not know is its own 405. */
	evhttp_set_allowed_methods(
	    http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
		      EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
		      EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
}

struct admin *
admin_new(struct event_base *base, struct core *core, const char *socket_path,
    struct err *e)
{
	struct admin *admin;
	int fd = listen_on(socket_path, e);

	if (fd == -1)
		return NULL;
	admin = xcalloc(1, sizeof(*admin));
	admin->core = core;
	admin->socket_path = xstrdup(socket_path);
	admin->large = xcalloc(1, sizeof(*admin->large));
	admin->large->refs = 1;
	LIST_INIT(&admin->requests);
	if (lstat(socket_path, &admin->made) != 0)
		memset(&admin->made, 0, sizeof(admin->made));
	admin->http = evhttp_new(base);
	if (admin->http == NULL || evhttp_accept_socket(admin->http, fd) != 0) {
		err_set(e, "cannot serve '%s'", socket_path);
		close(fd);
		admin_free(&admin);
		return NULL;
	}
	set_limits(admin->http);
	evhttp_set_gencb(admin->http, on_request, admin);
	return admin;
}

void
admin_free(struct admin **p)
{
	struct admin *admin = *p;
	struct admin_request *r;
	struct stat st;

	*p = NULL;
	if (admin == NULL)
		return;
	if (admin->http != NULL)
		evhttp_free(admin->http); /* closes: requests lose their http */
	while ((r = LIST_FIRST(&admin->requests)) != NULL) {
		LIST_REMOVE(r, link);
		r->admin = NULL;
	}
	if (lstat(admin->socket_path, &st) == 0 &&
	    st.st_ino == admin->made.st_ino && st.st_dev == admin->made.st_dev)
		unlink(admin->socket_path);
	large_unref(admin->large);
	free(admin->socket_path);
	free(admin);
}
