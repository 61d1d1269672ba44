/*
 * test_web.c - a web listener and its clients: good, slow, silent, too many.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <signal.h>

#include "mta/base/clock.h"
#include "router/config.h"
#include "router/http/web.h"
#include "tests/unit/sns_help.h"
#include "tests/unit/web_client.h"

/* ------ a played clock */

static int64_t played = 1000000;

int64_t
clock_mono(void)
{
	return played;
}

int64_t
clock_wall(void)
{
	return 1795500000000 + played;
}

/* ------ the server */

struct server {
	struct event_base *base;
	struct config_web config;
	struct web *web;
	struct evhttp_request *held; /* a request that waits */
	unsigned gone;
	struct str body;
};

static SSL_CTX *server_ctx, *client_ctx;

static void
on_hello(struct evhttp_request *http, void *arg)
{
	struct server *s = arg;
	struct evbuffer *in = evhttp_request_get_input_buffer(http);
	size_t len = evbuffer_get_length(in);

	str_clear(&s->body);
	if (len > 0)
		str_add(&s->body, evbuffer_pullup(in, -1), len);
	web_reply(http, 200, "hello");
}

static void
on_gone(struct evhttp_connection *connection, void *arg)
{
	struct server *s = arg;

	(void)connection;
	s->held = NULL;
	s->gone++;
}

static void
on_wait(struct evhttp_request *http, void *arg)
{
	struct server *s = arg;

	s->held = http;
	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(http), on_gone, s);
}

static void
answer_held(struct server *s)
{
	struct evhttp_request *http = s->held;

	s->held = NULL;
	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(http), NULL, NULL);
	web_reply(http, 503, "late");
}

static void
server_start(struct server *s, bool tls)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&s->config.addr;
	static char name[] = "test";
	struct err e = ERR_INIT;

	memset(s, 0, sizeof(*s));
	str_init(&s->body);
	s->base = event_base_new();
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->config.addr_len = sizeof(*in);
	s->config.name = s->config.address_text = name;
	s->config.max_body = 1000;
	s->config.max_connections = 3;
	s->config.tls_ctx = tls ? server_ctx : NULL;
	s->web = web_new(s->base, &s->config, &e);
	assert_non_null(s->web);
	web_handle(s->web, "/hello", EVHTTP_REQ_POST, on_hello, s);
	web_handle(s->web, "/hello", EVHTTP_REQ_GET, on_hello, s);
	web_handle(s->web, "/wait", EVHTTP_REQ_POST, on_wait, s);
}

static void
server_stop(struct server *s)
{
	web_free(&s->web);
	event_base_free(s->base);
	str_release(&s->body);
}

static struct client *
connect_to(struct server *s)
{
	return client_open(s->base, web_port(s->web),
	    s->config.tls_ctx != NULL ? client_ctx : NULL);
}

static int
ask(struct client *c, const char *method, const char *path, const char *body)
{
	client_request(
	    c, method, path, "", body, body != NULL ? strlen(body) : 0);
	return client_answer(c);
}

/* ------ */

static void
check_answers(bool tls)
{
	static const struct {
		const char *method, *path, *body;
		int status;
	} rows[] = {
		{ "GET", "/hello", NULL, 200 },
		{ "POST", "/hello", "body", 200 },
		{ "POST", "/hello?x=y", "", 200 },
		{ "GET", "/wait", NULL, 405 },
		{ "PUT", "/hello", "x", 405 },
		{ "DELETE", "/hello", NULL, 405 },
		{ "OPTIONS", "/hello", NULL, 405 },
		{ "GET", "/", NULL, 404 },
		{ "GET", "/hello/", NULL, 404 },
		{ "GET", "/hell", NULL, 404 },
		{ "GET", "/%68ello", NULL, 404 },
		{ "GET", "//hello", NULL, 404 },
	};
	struct server s;
	struct client *c;

	server_start(&s, tls);
	c = connect_to(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = ask(c, rows[i].method, rows[i].path, rows[i].body);

		if (status != rows[i].status)
			fail_msg(
			    "%s %s: %d", rows[i].method, rows[i].path, status);
		if (status == 200)
			assert_string_equal(s.body.data,
			    rows[i].body != NULL ? rows[i].body : "");
	}
	assert_non_null(strstr(c->got.data, "404 Not Found\r\n"));
	client_close(c);
	server_stop(&s);
}

static void
test_answers(void **state)
{
	(void)state;
	check_answers(false);
}

static void
test_answers_tls(void **state)
{
	(void)state;
	check_answers(true);
}

static void
test_too_much(void **state)
{
	struct server s;
	struct client *c;
	char large[20000];

	(void)state;
	memset(large, 'x', sizeof(large));
	large[1000] = '\0';
	server_start(&s, false);
	c = connect_to(&s);
	assert_int_equal(ask(c, "POST", "/hello", large), 200);
	assert_int_equal((int)s.body.len, 1000);
	large[1000] = 'x';
	large[1001] = '\0';
	assert_int_equal(ask(c, "POST", "/hello", large), 413);
	client_close(c);
	/* Chunks of which the sum is too long, announced by nobody. */
	c = connect_to(&s);
	client_request(
	    c, "POST", "/hello", "Transfer-Encoding: chunked\r\n", NULL, 0);
	large[600] = '\0';
	for (int i = 0; i < 3; i++) {
		struct str chunk = STR_INIT;

		str_addf(&chunk, "258\r\n%s\r\n", large);
		client_send(c, chunk.data, chunk.len);
		str_release(&chunk);
	}
	assert_int_not_equal(client_answer(c), 200);
	client_close(c);
	/* A header without end. */
	c = connect_to(&s);
	memset(large, 'x', sizeof(large));
	client_send(c, "GET /hello HTTP/1.1\r\nX: ", 24);
	client_send(c, large, sizeof(large));
	assert_int_not_equal(client_answer(c), 200);
	client_close(c);
	server_stop(&s);
}

static void
test_nonsense(void **state)
{
	static const char *const texts[] = {
		"\r\n\r\n", "GET\r\n\r\n", "GET /hello HTTP/9.9\r\n\r\n",
		"nonsense /hello HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02",
		"GET /hello HTTP/1.1\r\nA b\r\n\r\n",
		"POST /hello HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"POST /hello HTTP/1.1\r\nContent-Length: 1e9\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 9999999999999999999\r\n\r\n"
	};

	(void)state;
	for (size_t tls = 0; tls < 2; tls++) {
		struct server s;
		struct client *c;

		server_start(&s, tls);
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			c = client_open(s.base, web_port(s.web), NULL);
			client_send(c, texts[i], strlen(texts[i]));
			shutdown(c->fd, SHUT_WR);
			client_until_closed(c);
			client_close(c);
		}
		c = connect_to(&s);
		assert_int_equal(ask(c, "GET", "/hello", NULL), 200);
		client_close(c);
		server_stop(&s);
	}
}

/* As many as may be are served at once: the server sees ends in its time. */
static void
check_room(struct server *s)
{
	struct client *c[3];
	unsigned served = 0;

	while (served < 3) {
		served = 0;
		for (size_t i = 0; i < 3; i++)
			c[i] = connect_to(s);
		for (size_t i = 0; i < 3; i++)
			served += ask(c[i], "GET", "/hello", NULL) == 200;
		for (size_t i = 0; i < 3; i++)
			client_close(c[i]);
	}
}

/* The limit is three; what is over it is closed, and there is room again. */
static void
test_too_many(void **state)
{
	struct client *c[8];

	(void)state;
	for (size_t tls = 0; tls < 2; tls++) {
		struct server s;
		unsigned refused = 0;

		server_start(&s, tls);
		for (size_t i = 0; i < 8; i++) {
			c[i] = connect_to(&s);
			if (i < 3)
				assert_int_equal(
				    ask(c[i], "GET", "/hello", NULL), 200);
		}
		for (size_t i = 3; i < 8; i++) {
			if (c[i]->ssl == NULL || client_handshake(c[i]))
				client_until_closed(c[i]);
			refused++;
			client_close(c[i]);
		}
		assert_int_equal(refused, 5);
		assert_int_equal(ask(c[1], "GET", "/hello", NULL), 200);
		for (size_t i = 0; i < 3; i++)
			client_close(c[i]);
		check_room(&s);
		server_stop(&s);
	}
}

/* Half a minute later, by the clock that is played. */
static void
test_patience(void **state)
{
	struct client *silent, *slow, *idle;
	struct server s;

	(void)state;
	for (size_t tls = 0; tls < 2; tls++) {
		double since = seconds();

		server_start(&s, tls);
		silent = client_open(s.base, web_port(s.web), NULL);
		slow = connect_to(&s);
		client_send(slow, "POST /hello HTTP/1.1\r\nHost: x\r\nX:", 33);
		idle = connect_to(&s);
		assert_int_equal(ask(idle, "GET", "/hello", NULL), 200);
		played += 29000;
		/* One byte each: what is read does not prolong it. */
		while (seconds() - since < 1.5)
			turn(s.base, since);
		client_look(silent);
		assert_true(client_send(slow, "y", 1));
		assert_int_equal(ask(idle, "GET", "/hello", NULL), 200);
		assert_false(silent->ended);
		played += 2000;
		client_until_closed(silent);
		client_until_closed(slow);
		assert_int_equal(ask(idle, "GET", "/hello", NULL), 200);
		played += 31000;
		client_until_closed(idle);
		client_close(silent);
		client_close(slow);
		client_close(idle);
		server_stop(&s);
	}
}

/* A request that we have in hand is ours to answer. */
static void
test_in_hand(void **state)
{
	struct server s;
	struct client *c;
	double since;

	(void)state;
	server_start(&s, false);
	c = connect_to(&s);
	client_request(c, "POST", "/wait", "", "x", 1);
	since = seconds();
	while (s.held == NULL)
		turn(s.base, since);
	played += 60000;
	while (seconds() - since < 1.5)
		turn(s.base, since);
	assert_non_null(s.held);
	answer_held(&s);
	assert_int_equal(client_answer(c), 503);
	assert_non_null(strstr(c->got.data, "late\n"));
	/* And one whose client has gone: what it had is free again. */
	client_request(c, "POST", "/wait", "", "x", 1);
	while (s.held == NULL)
		turn(s.base, since);
	client_close(c);
	answer_held(&s);
	check_room(&s);
	server_stop(&s);
}

/* At the end: an answer that was given goes out, the others lose us. */
static void
test_end(void **state)
{
	struct server s;
	struct client *answered, *waiting, *silent;

	(void)state;
	for (size_t tls = 0; tls < 2; tls++) {
		double since = seconds();

		server_start(&s, tls);
		silent = client_open(s.base, web_port(s.web), NULL);
		waiting = connect_to(&s);
		client_request(waiting, "POST", "/wait", "", "x", 1);
		while (s.held == NULL)
			turn(s.base, since);
		s.held = NULL;
		answered = connect_to(&s);
		client_request(answered, "POST", "/wait", "", "x", 1);
		while (s.held == NULL)
			turn(s.base, since);
		answer_held(&s);
		web_free(&s.web);
		assert_null(s.web);
		assert_int_equal(s.gone, 1);
		assert_int_equal(client_answer(answered), 503);
		client_until_closed(answered);
		client_until_closed(waiting);
		client_until_closed(silent);
		assert_int_equal((int)waiting->got.len, 0);
		client_close(answered);
		client_close(waiting);
		client_close(silent);
		server_stop(&s);
	}
}

static void
test_in_use(void **state)
{
	struct server s;
	struct config_web other;
	struct err e = ERR_INIT;

	(void)state;
	server_start(&s, false);
	other = s.config;
	((struct sockaddr_in *)&other.addr)->sin_port =
	    htons((unsigned short)web_port(s.web));
	assert_null(web_new(s.base, &other, &e));
	assert_non_null(strstr(e.text, "cannot listen on 'test' (web 'test')"));
	server_stop(&s);
}

static int
set_up(void **state)
{
	const int64_t now = (int64_t)time(NULL) * 1000;
	const struct cert_form form = { "localhost", "DNS:localhost", true,
		now - 86400000, now + 86400000, NULL };
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *x = make_cert(&form, key, NULL, key);

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	server_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(server_ctx, x);
	SSL_CTX_use_PrivateKey(server_ctx, key);
	client_ctx = SSL_CTX_new(TLS_client_method());
	X509_STORE_add_cert(SSL_CTX_get_cert_store(client_ctx), x);
	SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, NULL);
	X509_free(x);
	EVP_PKEY_free(key);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answers_tls),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_in_hand),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_in_use),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
