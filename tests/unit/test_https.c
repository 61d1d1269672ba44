/*
 * test_https.c - requests over HTTP and HTTPS: what goes out, what is taken
 * back, and above all that nothing goes out twice.
 */
#include "mta/base/https.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mta/base/alloc.h"
#include "tests/unit/https_server.h"

#define OK_2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct event_base *base;
static struct https *client;
static struct https_server server;
static char ca_file[] = "/tmp/test_https_ca_XXXXXX";
static struct hs_ca ca, unknown_ca;
static SSL_CTX *good_ctx, *other_name_ctx, *unknown_ctx;

struct result {
	int status, calls;
	struct str body, header, why;
	bool untrusted, may_be_sent;
};

static void
on_done(void *arg, const struct https_answer *a)
{
	struct result *r = arg;
	const char *h;

	r->calls++;
	r->status = a->status;
	r->untrusted = a->untrusted;
	r->may_be_sent = a->may_be_sent;
	str_init(&r->body);
	str_init(&r->header);
	str_init(&r->why);
	str_add(&r->body, a->body, a->len);
	assert_int_equal(a->body[a->len], '\0');
	str_adds(&r->why, a->why.text);
	h = https_header(a, "x-test");
	str_adds(&r->header, h != NULL ? h : "(none)");
	event_base_loopbreak(base);
}

static void
release(struct result *r)
{
	str_release(&r->body);
	str_release(&r->header);
	str_release(&r->why);
}

static void
start(SSL_CTX *ctx, const struct https_server_step *script, size_t n)
{
	base = event_base_new();
	client = https_new(base);
	hs_start(&server, base, ctx, script, n);
}

static void
stop(void)
{
	https_free(&client);
	hs_stop(&server);
	event_base_free(base);
}

#define START(ctx, script)                                                     \
	start(ctx, script, sizeof(script) / sizeof((script)[0]))

static struct https_request
request(const char *method, const char *body)
{
	return (struct https_request){ .method = method,
		.url = server.url,
		.body = body,
		.body_len = body != NULL ? strlen(body) : 0,
		.ca_file = ca_file,
		.connect_timeout = 20000,
		.timeout = 50000, /* megabytes, and TSan */
		.max_answer = 1000 };
}

static struct result
send_request(const struct https_request *r)
{
	struct result result = { .calls = 0 };

	https_call_new(client, r, on_done, &result);
	event_base_dispatch(base);
	assert_int_equal(result.calls, 1);
	return result;
}

static struct result
go(const char *method, const char *body)
{
	struct https_request r = request(method, body);

	return send_request(&r);
}

/* ------ what goes out and comes back */

static void
expect_wire(const char *text)
{
	char *want = xstrdup(text);
	char *port = strstr(want, "PORT");
	struct str s = STR_INIT;

	*port = '\0';
	str_addf(&s, "%s%u%s", want, server.port, port + 4);
	assert_string_equal(server.requests[server.nrequests - 1].data, s.data);
	str_release(&s);
	free(want);
}

static void
test_wire(void **state)
{
	static const char two_tests[] =
	    "HTTP/1.1 201 Created\r\nX-Test: one\r\nX-Test:  two \r\n"
	    "Content-Length: 3\r\n\r\na\0b";
	static const struct https_server_step script[] = {
		{ HS_ANSWER, two_tests, sizeof(two_tests) - 1 },
		{ HS_ANSWER, OK_2, 0 },
		{ HS_ANSWER, OK_2, 0 },
		{ HS_ANSWER, "HTTP/1.1 204 No Content\r\n\r\n", 0 },
		{ HS_ANSWER,
		    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
		    "Content-Length: 0\r\n\r\n",
		    0 },
	};
	const char *headers[] = { "X-One: 1", "content-type: text/x" };
	struct https_request r;
	struct result got;

	(void)state;
	START(NULL, script);
	r = request("POST", "a body");
	r.headers = headers;
	r.nheaders = 2;
	got = send_request(&r);
	expect_wire("POST / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
		    "User-Agent: oiwake\r\nAccept: */*\r\nX-One: 1\r\n"
		    "content-type: text/x\r\nContent-Length: 6\r\n\r\na body");
	assert_int_equal(got.status, 201);
	assert_int_equal(got.body.len, 3);
	assert_memory_equal(got.body.data, "a\0b", 3);
	assert_string_equal(got.header.data, "two");
	release(&got);
	got = go("GET", NULL);
	expect_wire("GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
		    "User-Agent: oiwake\r\nAccept: */*\r\n\r\n");
	assert_string_equal(got.header.data, "(none)");
	release(&got);
	got = go("PUT", NULL);
	expect_wire("PUT / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
		    "User-Agent: oiwake\r\nAccept: */*\r\n"
		    "Content-Length: 0\r\n\r\n");
	release(&got);
	got = go("DELETE", NULL);
	assert_int_equal(got.status, 204);
	release(&got);
	got = go("GET", NULL);
	assert_int_equal(got.status, 302); /* and it was not followed */
	release(&got);
	assert_int_equal(server.connections, 1);
	stop();
}

/* A body that comes in pieces, of more than any buffer on its way. */
struct source {
	size_t left, fail_at;
	int reset_at; /* the n-th reading finds all connections reset */
	int readings;
};

static ssize_t
read_source(void *arg, char *buf, size_t room)
{
	struct source *s = arg;
	size_t n = s->left < room ? s->left : room;

	if (++s->readings == s->reset_at)
		hs_drop_all(&server);
	if (s->left <= s->fail_at)
		return -1;
	if (n > 5000)
		n = 5000;
	memset(buf, 'x', n);
	s->left -= n;
	return (ssize_t)n;
}

static struct result
go_streaming(size_t len, struct source *s)
{
	struct https_request r = request("POST", NULL);

	s->left = r.body_len = len;
	r.read = read_source;
	r.read_arg = s;
	return send_request(&r);
}

static void
test_streamed(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER, OK_2, 0 },
		{ HS_ANSWER, OK_2, 0 },
	};
	struct source s = { .left = 0 };
	struct result got;

	(void)state;
	START(good_ctx, script);
	got = go_streaming(5 << 20, &s);
	assert_int_equal(got.status, 200);
	assert_null(strstr(server.requests[0].data, "Expect"));
	assert_non_null(
	    strstr(server.requests[0].data, "Content-Length: 5242880\r\n"));
	assert_int_equal(
	    server.requests[0].data[server.requests[0].len - 1], 'x');
	release(&got);
	s.fail_at = 1 << 20;
	got = go_streaming(2 << 20, &s);
	assert_int_equal(got.status, 0);
	assert_false(got.may_be_sent);
	assert_string_equal(got.why.data, "the request's body cannot be read");
	release(&got);
	assert_int_equal(server.nrequests, 1);
	stop();
}

/* ------ answers that are none */

static void
test_bad_answers(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *why; /* a part of it */
	} rows[] = {
		{ OK_2, 200, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 0, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 0, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", 0,
		    "" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "zz\r\n",
		    0, "" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "2\r\nok\r\n",
		    0, "" },
		{ "SSH-2.0-hello\r\n\r\n", 0, "HTTP/0.9" },
		{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 0, "" },
		{ "HTTP/1.1 100 Continue\r\n\r\n" OK_2, 200, "" },
		{ "HTTP/1.1 200 OK\r\n", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct https_server_step step = { HS_ANSWER_CLOSE, rows[i].text,
			0 };
		struct result got;

		start(NULL, &step, 1);
		got = go("POST", "x");
		if (got.status != rows[i].status ||
		    strstr(got.why.data, rows[i].why) == NULL)
			fail_msg("%zu: %d %s", i, got.status, got.why.data);
		assert_int_equal(got.may_be_sent, rows[i].status == 0);
		assert_int_equal(got.why.len > 0, rows[i].status == 0);
		assert_int_equal(server.nrequests, 1);
		release(&got);
		stop();
	}
}

static void
expect_too_long(const char *head, const char *piece, size_t n, const char *why)
{
	struct str text = STR_INIT;
	struct https_server_step step;
	struct result got;

	str_adds(&text, head);
	for (size_t i = 0; i < n; i++)
		str_adds(&text, piece);
	step = (struct https_server_step){ HS_ANSWER, text.data, 0 };
	start(NULL, &step, 1);
	got = go("GET", NULL);
	assert_int_equal(got.status, 0);
	assert_string_equal(got.why.data, why);
	release(&got);
	stop();
	str_release(&text);
}

static void
test_too_long(void **state)
{
	(void)state;
	expect_too_long("HTTP/1.1 200 OK\r\n\r\n", "0123456789", 10000,
	    "its answer is longer than 1000 bytes");
	expect_too_long("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
	    "0123456789", 100, "its answer is longer than 1000 bytes");
	expect_too_long("HTTP/1.1 200 OK\r\n", "A: 0123456789\r\n", 10000,
	    "the headers of its answer are longer than 65536 bytes");
	expect_too_long("", "HTTP/1.1 100 Continue\r\n\r\n", 10000,
	    "the headers of its answer are longer than 65536 bytes");
}

static void
test_time(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_SILENT, NULL, 0 },
	};
	struct https_request r;
	struct result got;

	(void)state;
	START(NULL, script);
	r = request("POST", "x");
	r.timeout = 100;
	got = send_request(&r);
	assert_int_equal(got.status, 0);
	assert_true(got.may_be_sent);
	assert_non_null(strstr(got.why.data, "timed out"));
	release(&got);
	stop();
}

/* ------ certificates, and whom it dials */

static void
expect_trust(SSL_CTX *ctx, bool trusted)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER, OK_2, 0 },
	};
	struct result got;

	START(ctx, script);
	got = go("POST", "x");
	assert_int_equal(got.status, trusted ? 200 : 0);
	assert_int_equal(got.untrusted, !trusted);
	assert_false(got.may_be_sent);
	assert_int_equal(server.nrequests, trusted);
	release(&got);
	stop();
}

static void
test_trust(void **state)
{
	(void)state;
	expect_trust(good_ctx, true);
	expect_trust(other_name_ctx, false);
	expect_trust(unknown_ctx, false);
}

static void
test_whom(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER, OK_2, 0 },
		{ HS_ANSWER, OK_2, 0 },
	};
	char connect[64], url[64];
	struct https_request r;
	struct result got;

	(void)state;
	START(other_name_ctx, script);
	r = request("GET", NULL);
	r.url = "https://aws.example/path";
	snprintf(connect, sizeof(connect), "127.0.0.1:%u", server.port);
	r.connect = connect;
	got = send_request(&r);
	assert_int_equal(got.status, 200);
	assert_non_null(strstr(server.requests[0].data,
	    "GET /path HTTP/1.1\r\nHost: aws.example\r\n"));
	release(&got);
	r.connect = NULL;
	snprintf(url, sizeof(url), "https://aws.example:%u/", server.port);
	r.url = url;
	r.resolve = "127.0.0.2,127.0.0.1";
	got = send_request(&r);
	assert_int_equal(got.status, 200);
	release(&got);
	r.url = "gopher://aws.example/";
	got = send_request(&r);
	assert_int_equal(got.status, 0);
	assert_false(got.may_be_sent);
	release(&got);
	r.url = "no url at all";
	got = send_request(&r);
	assert_int_equal(got.status, 0);
	release(&got);
	stop();
}

static void
test_nobody(void **state)
{
	struct result got;

	(void)state;
	start(NULL, NULL, 0);
	evconnlistener_disable(server.listener);
	close(evconnlistener_get_fd(server.listener));
	got = go("POST", "x");
	assert_int_equal(got.status, 0);
	assert_false(got.may_be_sent);
	release(&got);
	https_free(&client);
	evconnlistener_free(server.listener);
	event_base_free(base);
}

static void
test_fresh(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER, OK_2, 0 },
		{ HS_ANSWER, OK_2, 0 },
		{ HS_ANSWER, OK_2, 0 },
	};
	struct https_request r;
	struct result got;

	(void)state;
	START(good_ctx, script);
	for (int i = 0; i < 3; i++) {
		r = request("GET", NULL);
		r.fresh = i == 1;
		got = send_request(&r);
		assert_int_equal(got.status, 200);
		release(&got);
	}
	assert_int_equal(server.connections, 2);
	stop();
}

/* ------ connections that break: never a second copy */

static const enum https_server_act breaks[] = { HS_CLOSE, HS_RESET };

/* A good request first, so that the next one goes by a used connection. */
static void
break_second(SSL_CTX *ctx, enum https_server_act act, const char *method,
    const char *body)
{
	struct https_server_step script[] = {
		{ HS_ANSWER, OK_2, 0 }, { act, NULL, 0 },
		{ HS_ANSWER, OK_2, 0 }, /* what a second copy would get */
	};
	struct result got;

	START(ctx, script);
	got = go("GET", NULL);
	assert_int_equal(got.status, 200);
	release(&got);
	got = go(method, body);
	assert_int_equal(got.status, 0);
	assert_true(got.may_be_sent);
	assert_true(got.why.len > 0);
	release(&got);
	/* The good one, and one copy. */
	assert_int_equal(server.nrequests, 2);
	got = go("GET", NULL);
	assert_int_equal(got.status, 200);
	assert_int_equal(server.nrequests, 3);
	assert_int_equal(server.requests[2].data[0], 'G');
	release(&got);
	stop();
}

static void
test_no_second_copy(void **state)
{
	static const struct {
		const char *method, *body;
	} rows[] = {
		{ "POST", "a body" },
		{ "POST", NULL },
		{ "PUT", "a body" },
		{ "PUT", NULL },
		{ "GET", NULL },
		{ "DELETE", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; k < 2; k++) {
			break_second(
			    NULL, breaks[k], rows[i].method, rows[i].body);
			break_second(
			    good_ctx, breaks[k], rows[i].method, rows[i].body);
		}
}

/* Likewise on a connection that was never used. */
static void
test_first_breaks(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct https_server_step script[] = {
			{ breaks[k], NULL, 0 },
			{ HS_ANSWER, OK_2, 0 },
		};
		struct result got;

		START(good_ctx, script);
		got = go("POST", "a body");
		assert_int_equal(got.status, 0);
		assert_true(got.may_be_sent);
		assert_int_equal(server.nrequests, 1);
		release(&got);
		stop();
	}
}

/* Broken in mid-body: the server cannot have had all of it. */
static void
test_part_of_a_body(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER, OK_2, 0 },
		{ HS_RESET_EARLY, NULL, 0 },
		{ HS_ANSWER, OK_2, 0 },
	};
	SSL_CTX *contexts[] = { NULL, good_ctx };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct source s = { .left = 0 };
		struct result got;

		START(contexts[i], script);
		got = go("GET", NULL);
		release(&got);
		got = go_streaming(20 << 20, &s);
		assert_int_equal(got.status, 0);
		assert_false(got.may_be_sent);
		assert_true(s.left > 0);
		assert_int_equal(server.nrequests, 1);
		release(&got);
		stop();
	}
}

/* The head is out when the connection breaks, and then the first or the second
 * and last piece of the body finds it broken. Of that last one nobody can say
 * any more whether it was written: it may have been. */
static void
test_broken_between(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER, OK_2, 0 },
		{ HS_ANSWER, OK_2, 0 },
	};

	(void)state;
	for (int at = 1; at <= 2; at++) {
		struct source s = { .reset_at = at };
		struct result got;

		START(NULL, script);
		got = go("GET", NULL);
		release(&got);
		got = go_streaming(10000, &s);
		assert_int_equal(got.status, 0);
		assert_int_equal(got.may_be_sent, at == 2);
		assert_int_equal(server.nrequests, 1);
		release(&got);
		stop();
	}
}

/* A server that closes a connection nobody uses: the next request goes by a new
 * one. */
static void
test_idle_closed(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER_CLOSE, OK_2, 0 },
		{ HS_ANSWER_CLOSE, OK_2, 0 },
		{ HS_ANSWER, OK_2, 0 },
	};
	SSL_CTX *contexts[] = { NULL, good_ctx };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct result got;

		START(contexts[i], script);
		for (size_t n = 1; n <= 3; n++) {
			got = go("POST", "a body");
			assert_int_equal(got.status, 200);
			assert_int_equal(server.nrequests, n);
			release(&got);
			while (n < 3 && !LIST_EMPTY(&server.peers))
				event_base_loop(base, EVLOOP_ONCE);
		}
		assert_int_equal(server.connections, 3);
		stop();
	}
}

/* ------ several at once, and none any more */

struct several {
	int left;
	struct https_call *other; /* freed by the first of them that ends */
};

static void
on_several(void *arg, const struct https_answer *a)
{
	struct several *s = arg;

	assert_int_equal(a->status, 200);
	if (s->other != NULL)
		https_call_free(&s->other);
	if (--s->left == 0)
		event_base_loopbreak(base);
}

/* Nobody says which of ten connections is answered first. */
static void
on_other(void *arg, const struct https_answer *a)
{
	struct several *s = arg;

	assert_int_equal(a->status, 200);
	s->other = NULL;
}

static void
test_several(void **state)
{
	struct https_server_step script[20];
	struct several s = { .left = 9 };
	struct https_request r;

	(void)state;
	for (size_t i = 0; i < 20; i++)
		script[i] = (struct https_server_step){ HS_ANSWER, OK_2, 0 };
	START(good_ctx, script);
	r = request("POST", "x");
	for (int i = 0; i < 9; i++)
		https_call_new(client, &r, on_several, &s);
	s.other = https_call_new(client, &r, on_other, &s);
	event_base_dispatch(base);
	assert_int_equal(s.left, 0);
	assert_null(s.other);
	stop();
}

struct own {
	struct https_call *call;
	int calls;
};

static void
free_oneself(void *arg, const struct https_answer *a)
{
	struct own *o = arg;

	(void)a;
	o->calls++;
	https_call_free(&o->call);
	event_base_loopbreak(base);
}

static void
test_freed(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER, OK_2, 0 },
		{ HS_SILENT, NULL, 0 },
	};
	struct own o = { .calls = 0 };
	struct https_request r;

	(void)state;
	START(NULL, script);
	r = request("POST", "x");
	o.call = https_call_new(client, &r, free_oneself, &o);
	event_base_dispatch(base);
	assert_int_equal(o.calls, 1);
	assert_null(o.call);
	/* Before it has begun, and in the middle of it. */
	o.call = https_call_new(client, &r, free_oneself, &o);
	https_call_free(&o.call);
	o.call = https_call_new(client, &r, free_oneself, &o);
	while (server.nrequests < 2)
		event_base_loop(base, EVLOOP_ONCE);
	https_call_free(&o.call);
	assert_int_equal(o.calls, 1);
	stop();
}

/* ------ */

static int
set_up(void **state)
{
	int fd = mkstemp(ca_file);

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	if (fd < 0)
		return -1;
	close(fd);
	hs_ca_start(&ca, "test CA", ca_file);
	hs_ca_start(&unknown_ca, "unknown CA", NULL);
	good_ctx = hs_context(&ca, "IP:127.0.0.1");
	other_name_ctx = hs_context(&ca, "DNS:aws.example");
	unknown_ctx = hs_context(&unknown_ca, "IP:127.0.0.1");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(ca_file);
	hs_ca_stop(&ca);
	hs_ca_stop(&unknown_ca);
	SSL_CTX_free(good_ctx);
	SSL_CTX_free(other_name_ctx);
	SSL_CTX_free(unknown_ctx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_streamed),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_whom),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_no_second_copy),
		cmocka_unit_test(test_first_breaks),
		cmocka_unit_test(test_part_of_a_body),
		cmocka_unit_test(test_broken_between),
		cmocka_unit_test(test_idle_closed),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_freed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
