/*
 * aws.c - the web server of the sandbox's AWS: requests in, their signatures
 * checked, to the service that they are for.
 *
 * A request is a `pending` from its arrival to its answer, however long a
 * service takes; a client that goes away meanwhile changes nothing. Many wait
 * at once, so latency costs no throughput.
 */
#include "tests/sandbox/aws_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/imds.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/tls.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MOST   (64 * 1024 * 1024)
#define HEADER_MOST (64 * 1024)
#define IDLE_S	    120
#define METHODS                                                                \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |                   \
	    EVHTTP_REQ_DELETE | EVHTTP_REQ_HEAD)

/* clang-format off */
static const struct aws_service services[] = {
	{ "ses",  "ses", NULL,   "/v2/email/", NULL, NULL, NULL, ses_api_handle },
	{ "ses",  "ses", "POST", "/", NULL, "Version", "2010-12-01", ses_query_handle },
	{ "sqs",  "sqs", "POST", "/", "AmazonSQS.", NULL, NULL, sqs_handle },
	{ "sns",  "sns", "POST", "/", NULL, "Version", "2010-03-31", sns_handle },
	{ "sns",  NULL,  "GET",  "/SimpleNotificationService-", NULL, NULL, NULL, sns_handle },
	{ "sns",  NULL,  "GET",  "/", NULL, "Action", "ConfirmSubscription", sns_handle },
	{ "imds", NULL,  NULL,   "/latest/", NULL, NULL, NULL, imds_handle },
	{ "sqs", "sqs", "POST", "/", "AmazonSQS.", NULL, NULL, sqs_handle },
	{ "sns", NULL,  "GET",  "/SimpleNotificationService-", NULL, NULL, NULL, sns_handle },
	{ "sns", NULL,  NULL,   "/", NULL, "Action", "ConfirmSubscription", sns_handle },
	{ "sns", NULL,  NULL,   "/", NULL, "Action", "Unsubscribe", sns_handle },
	{ "sns", "sns", "POST", "/", NULL, "Action", "Subscribe", sns_handle },
	{ "imds", NULL, NULL,   "/latest/", NULL, NULL, NULL, imds_handle },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};

static const struct {
	enum evhttp_cmd_type type;
	const char *name;
} methods[] = {
	{ EVHTTP_REQ_GET, "GET" }, { EVHTTP_REQ_POST, "POST" }, { EVHTTP_REQ_PUT, "PUT" },
	{ EVHTTP_REQ_DELETE, "DELETE" }, { EVHTTP_REQ_HEAD, "HEAD" },
};

static const struct {
	const char *type, *code; /* of the JSON protocols, of Query */
} refusals[] = {
	[SIGN_GOOD]       = { NULL, NULL },
	[SIGN_MISSING]    = { "MissingAuthenticationTokenException", "MissingAuthenticationToken" },
	[SIGN_INCOMPLETE] = { "IncompleteSignatureException", "IncompleteSignature" },
	[SIGN_UNKNOWN]    = { "UnrecognizedClientException", "InvalidClientTokenId" },
	[SIGN_EXPIRED]    = { "ExpiredTokenException", "ExpiredToken" },
	[SIGN_SCOPE]      = { "InvalidSignatureException", "SignatureDoesNotMatch" },
	[SIGN_SKEW]       = { "InvalidSignatureException", "SignatureDoesNotMatch" },
	[SIGN_MISMATCH]   = { "InvalidSignatureException", "SignatureDoesNotMatch" },
};
/* clang-format on */

int64_t
aws_now(const struct sandbox *b)
{
	return clock_wall() + b->aws->skew;
}

const char *
aws_header(const struct aws_exchange *x, const char *name)
{
	return evhttp_find_header(
	    evhttp_request_get_input_headers(x->http), name);
}

const char *
aws_arg(const struct aws_exchange *x, const char *name)
{
	const struct evkeyval *kv;

	for (kv = x->args.tqh_first; kv != NULL; kv = kv->next.tqe_next)
		if (strcmp(kv->key, name) == 0)
			return kv->value;
	return NULL;
}

bool
aws_is_send(const struct aws_exchange *x)
{
	const char *action = aws_arg(x, "Action");

	return (strcmp(x->method, "POST") == 0 &&
		   strncmp(x->path, "/v2/email/outbound-", 19) == 0) ||
	       (action != NULL && strncmp(action, "Send", 4) == 0);
}

/* --- a request --- */

void
aws_done(struct pending *p)
{
	p->aws->counts.open--;
	LIST_REMOVE(p, link);
	if (p->timer != NULL)
		event_free(p->timer);
	if (p->late != NULL)
		evbuffer_free(p->late);
	evhttp_clear_headers(&p->x.args);
	str_release(&p->uri);
	free(p);
}

/* evhttp's own parser refuses "a" without "=" and is not asked for that. */
static void
add_args(struct evkeyvalq *args, const char *text)
{
	struct evkeyval *kv;
	struct str part = STR_INIT;
	char *value;
	size_t n;

	for (; *text != '\0'; text += n + (text[n] == '&')) {
		n = strcspn(text, "&");
		if (n == 0)
			continue;
		str_clear(&part);
		str_add(&part, text, n);
		value = strchr(part.data, '=');
		if (value != NULL)
			*value++ = '\0';
		kv = xcalloc(1, sizeof(*kv));
		kv->key = evhttp_uridecode(part.data, 1, NULL);
		kv->value = value != NULL ? evhttp_uridecode(value, 1, NULL)
					  : xstrdup("");
		TAILQ_INSERT_TAIL(args, kv, next);
	}
	str_release(&part);
}

/* Scheme and host of an absolute URI do not count. */
static void
split_uri(struct pending *p)
{
	const char *uri = evhttp_request_get_uri(p->x.http);
	const char *slash = strstr(uri, "://");
	char *query;

	if (slash != NULL && *uri != '/')
		slash = strchr(slash + 3, '/');
	else
		slash = uri;
	str_adds(&p->uri, slash != NULL ? slash : "/");
	query = strchr(p->uri.data, '?');
	if (query != NULL)
		*query++ = '\0';
	p->x.path = p->uri.data;
	p->x.query = query != NULL ? query : "";
}

static void
take_body(struct pending *p)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(p->x.http);
	const char *type = aws_header(&p->x, "Content-Type");

	p->x.len = evbuffer_get_length(in);
	evbuffer_add(in, "", 1);
	p->x.body = (const char *)evbuffer_pullup(in, -1);
	add_args(&p->x.args, p->x.query);
	if (type != NULL &&
	    strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0)
		add_args(&p->x.args, p->x.body);
}

static void
take_peer(struct pending *p)
{
	struct evhttp_connection *c = evhttp_request_get_connection(p->x.http);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(c);
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	char *address = NULL;
	ev_uint16_t port;
	int on = 1;

	(void)setsockopt(
	    bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	evhttp_connection_get_peer(c, &address, &port);
	if (address != NULL)
		snprintf(p->x.peer, sizeof(p->x.peer), "%s", address);
	p->x.tls = ssl != NULL ? SSL_get_version(ssl) : NULL;
}

static void
take_method(struct pending *p)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (methods[i].type == evhttp_request_get_command(p->x.http))
			strcpy(p->method, methods[i].name);
	p->x.method = p->method;
}

static void
make_request_id(char id[static 37])
{
	unsigned char r[16];
	size_t i, n = 0;

	RAND_bytes(r, sizeof(r));
	for (i = 0; i < sizeof(r); i++)
		n += (size_t)snprintf(id + n, 37 - n, "%s%02x",
		    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
}

static struct pending *
pending_new(struct aws *a, struct evhttp_request *http)
{
	struct pending *p = xcalloc(1, sizeof(*p));

	p->aws = a;
	p->x.sandbox = a->sandbox;
	p->x.http = http;
	TAILQ_INIT(&p->x.args);
	str_init(&p->uri);
	make_request_id(p->id);
	take_method(p);
	take_peer(p);
	split_uri(p);
	take_body(p);
	LIST_INSERT_HEAD(&a->pending, p, link);
	a->counts.requests++;
	if (++a->counts.open > a->counts.peak)
		a->counts.peak = a->counts.open;
	return p;
}

/* --- whose it is, and of whom --- */

static bool
is_for(const struct aws_service *s, const struct aws_exchange *x)
{
	const char *target = aws_header(x, "X-Amz-Target");
	const char *value = s->arg != NULL ? aws_arg(x, s->arg) : NULL;

	return (s->method == NULL || strcmp(s->method, x->method) == 0) &&
	       strncmp(x->path, s->path, strlen(s->path)) == 0 &&
	       (s->target != NULL
		       ? target != NULL &&
			     strncmp(target, s->target, strlen(s->target)) == 0
		       : target == NULL) &&
	       (s->arg == NULL ||
		   (value != NULL && strcmp(value, s->value) == 0));
}

static const struct aws_service *
find_service(const struct aws_exchange *x)
{
	const struct aws_service *s;

	for (s = services; s->name != NULL; s++)
		if (is_for(s, x))
			return s;
	return NULL;
}

static bool
find_key(void *arg, const char *id, struct sign_key *key)
{
	const struct sandbox *b = arg;
	const struct imds_key *role = imds_key(b, id);

	if (strcmp(id, b->ses->user) == 0)
		*key =
		    (struct sign_key){ b->ses->user, b->ses->secret, NULL, 0 };
	else if (role != NULL)
		*key = (struct sign_key){ role->access_key, role->secret,
			role->token, role->expires };
	else
		return false;
	return true;
}

static void
journal_refused(struct pending *p, const char *type, const char *text)
{
	struct str *o = journal_start(p->x.sandbox->journal, "refused");

	json_str(o, "host", p->service->name);
	json_str(o, "transport", "api");
	json_str(o, "stage", "auth");
	json_str(o, "peer", p->x.peer);
	json_str(o, "tls", p->x.tls);
	json_str(o, "path", p->x.path);
	json_int(o, "code", 403);
	json_str(o, "error", type);
	json_str(o, "text", text);
	journal_end(p->x.sandbox->journal);
	p->aws->counts.refused++;
}

static void
refuse(struct pending *p, enum sign_result result, const char *why)
{
	journal_refused(p, refusals[result].type, why);
	if (aws_arg(&p->x, "Action") != NULL)
		aws_reply_error_xml(&p->x, 403, refusals[result].code, why);
	else
		aws_reply_error(&p->x, 403, refusals[result].type, why);
}

static bool
is_signed(struct pending *p)
{
	const struct sign_request r = { p->x.method, p->x.path, p->x.query,
		evhttp_request_get_input_headers(p->x.http), p->x.body,
		p->x.len, AWS_REGION, p->service->scope,
		aws_now(p->x.sandbox) };
	struct sign_key key;
	struct str why = STR_INIT;
	enum sign_result result;

	if (p->service->scope == NULL)
		return true;
	result = sign_verify(&r, find_key, p->x.sandbox, &key, &why);
	if (result == SIGN_GOOD)
		snprintf(
		    p->x.access_key, sizeof(p->x.access_key), "%s", key.id);
	else
		refuse(p, result, why.data);
	str_release(&why);
	return result == SIGN_GOOD;
}

static void
handle(struct pending *p)
{
	const struct aws_mood *m;

	p->service = find_service(&p->x);
	m = p->mood = aws_mood_for(p);
	if (m != NULL && m->act != ACT_FAULT && !m->done)
		aws_act(p);
	else if (p->service == NULL)
		aws_reply_error(&p->x, 501, "NotImplementedException",
		    "The sandbox has no such service");
	else if (!is_signed(p))
		return;
	else if (m != NULL && m->act == ACT_FAULT &&
		 (m->fault == SES_BAD_AUTH || !aws_is_send(&p->x)))
		aws_reply_fault(&p->x, m->fault, NULL);
	else
		p->service->handle(&p->x);
}

static void
on_latency(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	handle(arg);
}

static void
on_request(struct evhttp_request *http, void *arg)
{
	struct aws *a = arg;
	struct timeval tv = { .tv_sec = a->latency / 1000,
		.tv_usec = (a->latency % 1000) * 1000 };
	struct pending *p = pending_new(a, http);

	p->timer = evtimer_new(a->sandbox->base, on_latency, p);
	if (a->latency > 0)
		evtimer_add(p->timer, &tv);
	else
		handle(p);
}

/* --- the server --- */

static struct bufferevent *
on_connection(struct event_base *base, void *arg)
{
	struct aws *a = arg;

	a->counts.connections++;
	return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

static struct bufferevent *
on_tls_connection(struct event_base *base, void *arg)
{
	struct aws *a = arg;
	struct bufferevent *bev;

	a->counts.connections++;
	bev = bufferevent_openssl_socket_new(base, -1, SSL_new(a->tls),
	    BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

static struct evhttp *
make_http(struct aws *a, bool tls)
{
	struct evhttp *http = evhttp_new(a->sandbox->base);

	evhttp_set_bevcb(http, tls ? on_tls_connection : on_connection, a);
	evhttp_set_gencb(http, on_request, a);
	evhttp_set_allowed_methods(http, METHODS);
	evhttp_set_max_body_size(http, BODY_MOST);
	evhttp_set_max_headers_size(http, HEADER_MOST);
	evhttp_set_timeout(http, IDLE_S);
	return http;
}

static int
listen_one(struct aws *a, size_t i, struct err *e)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);

	a->bound[i] = evhttp_bind_socket_with_handle(
	    a->http[i], a->address, (ev_uint16_t)a->ports[i]);
	if (a->bound[i] == NULL)
		return err_sys(
		    e, "cannot listen on %s port %u", a->address, a->ports[i]);
	(void)getsockname(evhttp_bound_socket_get_fd(a->bound[i]),
	    (struct sockaddr *)&sin, &len);
	a->ports[i] = ntohs(sin.sin_port);
	return 0;
}

int
aws_listen(struct aws *a, bool open, struct err *e)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		if (open && a->bound[i] == NULL) {
			if (listen_one(a, i, e) < 0)
				return -1;
		} else if (!open && a->bound[i] != NULL) {
			evhttp_del_accept_socket(a->http[i], a->bound[i]);
			a->bound[i] = NULL;
		}
	}
	return 0;
}

struct aws *
aws_new(
    struct sandbox *b, const char *address, unsigned ports[2], struct err *e)
{
	struct aws *a = xcalloc(1, sizeof(*a));

	b->aws = a;
	a->sandbox = b;
	a->address = address;
	a->ports = ports;
	LIST_INIT(&a->pending);
	a->tls = tls_server_context("email." AWS_REGION ".amazonaws.com",
	    "DNS:email." AWS_REGION ".amazonaws.com,"
	    "DNS:sqs." AWS_REGION ".amazonaws.com,"
	    "DNS:sns." AWS_REGION ".amazonaws.com,IP:" AWS_ADDRESS,
	    e);
	if (a->tls == NULL)
		return NULL;
	a->http[0] = make_http(a, true);
	a->http[1] = make_http(a, false);
	return aws_listen(a, true, e) == 0 ? a : NULL;
}

/* --- settings --- */

static void
set_latency(struct aws *a, int n)
{
	a->latency = (unsigned)n;
}

static void
set_skew(struct aws *a, int n)
{
	a->skew = (int64_t)n * 1000;
}

/* Of connections made from now on. */
static void
set_idle(struct aws *a, int n)
{
	evhttp_set_timeout(a->http[0], n);
	evhttp_set_timeout(a->http[1], n);
}

static const struct {
	const char *name;
	long least;
	void (*set)(struct aws *, int);
} numbers[] = {
	{ "latency", 0, set_latency },
	{ "skew", -INT_MAX, set_skew },
	{ "idle", 1, set_idle },
};

int
aws_set(struct sandbox *b, const char *key, const char *value, struct err *e)
{
	char *end;
	long n = strtol(value, &end, 10);
	size_t i;

	if (strcmp(key, "mood") == 0)
		return aws_set_mood(b->aws, value, e);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(numbers[i].name, key) != 0)
			continue;
		if (end == value || *end != '\0' || n < numbers[i].least ||
		    n > INT_MAX)
			return err_set(e, "expected a number, not '%s'", value);
		numbers[i].set(b->aws, (int)n);
		return 0;
	}
	return err_set(e, "unknown setting '%s'", key);
}

void
aws_show(const struct sandbox *b, struct str *o)
{
	const struct aws *a = b->aws;

	json_open(o, NULL, '{');
	json_str(o, "host", "aws");
	json_str(o, "address", a->address);
	json_str(o, "mood", a->mood != NULL ? a->mood->name : "normal");
	json_int(o, "latency", a->latency);
	json_int(o, "skew", a->skew / 1000);
	json_int(o, "connections", (int64_t)a->counts.connections);
	json_int(o, "requests", (int64_t)a->counts.requests);
	json_int(o, "refused", (int64_t)a->counts.refused);
	json_int(o, "open", a->counts.open);
	json_int(o, "peak", a->counts.peak);
	ses_show(b->ses, o);
	json_close(o, '}');
}
