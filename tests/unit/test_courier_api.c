/*
 * test_courier_api.c - deliveries carried by SES's API: what is sent and when,
 * what comes back to the core, and what happens to a session in trouble.
 *
 * The core, the store and Amazon's thread are played here; SES is a small web
 * server on loopback.
 */
#include "router/courier.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "router/body.h"
#include "router/config.h"
#include "router/core.h"
#include "router/io.h"
#include "router/ses/amazon.h"
#include "router/ses/call.h"
#include "router/ses/credentials.h"
#include "router/ses/event.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGE "From: a@b\r\nDKIM-Signature: x\r\n\r\nHello.\r\n"
#define HEADER	32
#define SES_ID	"0106017033dbb64d-be13a01e-dbf1-44b7-b876-3622165dacc1-000000"

static struct {
	struct event_base *base;
	struct io io;
	struct config_path path;
	struct session *session;
	struct delivery delivery;
	struct recipient *recipient;
	struct message *message;
	struct aws_site *site;
	bool site_asked;

	/* the store */
	struct store_begin *begun; /* not answered yet */
	bool shared;		   /* with other nodes */
	unsigned term;		   /* 0: they have taken all back */

	/* what the core is told */
	unsigned done, closed;

	/* whose keys */
	int keys_after; /* times that there are none */

	/* SES */
	struct evhttp *http;
	unsigned port;
	unsigned requests;
	int status;
	const char *type, *answer;
	bool hang_up;
	char *body;
	size_t body_len;
} the;

/* -- the neighbours ------------------------------------------------------- */

/* Nobody speaks SMTP here. */
const struct courier_class courier_smtp = { .new = NULL };

struct amazon *
core_amazon(struct core *core)
{
	(void)core;
	return NULL;
}

struct aws_site *
amazon_site(struct amazon *amazon, const char *path)
{
	(void)amazon;
	assert_string_equal(path, "ses");
	the.site_asked = true;
	return the.site;
}

struct credentials *
credentials_now(struct credentials_provider *p, struct err *e)
{
	(void)p;
	if (the.keys_after > 0) {
		the.keys_after--;
		err_set(e, "no keys yet");
		return NULL;
	}
	return credentials_new("AKIATEST", "secret", NULL, 0, "settings");
}

void
store_begin(struct store *store, struct store_begin *begin)
{
	(void)store;
	assert_null(the.begun);
	the.begun = begin;
}

bool
store_is_shared(const struct store *store)
{
	(void)store;
	return the.shared;
}

unsigned
store_term(const struct store *store)
{
	(void)store;
	return the.term;
}

void
session_done(struct delivery *d)
{
	assert_ptr_equal(d, &the.delivery);
	assert_true(d->begun && d->finished);
	the.done++;
	the.session->delivery = NULL;
}

void
session_closed(struct session *s)
{
	assert_ptr_equal(s, the.session);
	the.closed++;
}

void
config_unref(struct config **c)
{
	*c = NULL;
}

/* -- SES ------------------------------------------------------------------ */

static void
on_request(struct evhttp_request *r, void *arg)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(r);
	struct evkeyvalq *head = evhttp_request_get_output_headers(r);
	struct evbuffer *out;

	(void)arg;
	the.requests++;
	assert_string_equal(
	    evhttp_request_get_uri(r), "/v2/email/outbound-emails");
	assert_int_equal(evhttp_request_get_command(r), EVHTTP_REQ_POST);
	free(the.body);
	the.body_len = evbuffer_get_length(in);
	the.body = xmalloc(the.body_len + 1);
	evbuffer_remove(in, the.body, the.body_len);
	the.body[the.body_len] = '\0';
	if (the.hang_up) {
		bufferevent_setfd(evhttp_connection_get_bufferevent(
				      evhttp_request_get_connection(r)),
		    -1);
		evhttp_connection_free(evhttp_request_get_connection(r));
		return;
	}
	out = evbuffer_new();
	evbuffer_add_printf(out, "%s", the.answer);
	if (the.type != NULL)
		evhttp_add_header(head, "x-amzn-ErrorType", the.type);
	evhttp_send_reply(r, the.status, "Answer", out);
	evbuffer_free(out);
}

static void
listen_as_ses(void)
{
	struct evhttp_bound_socket *s;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	the.http = evhttp_new(the.base);
	evhttp_set_gencb(the.http, on_request, NULL);
	evhttp_set_max_body_size(the.http, 100 << 20);
	s = evhttp_bind_socket_with_handle(the.http, "127.0.0.1", 0);
	assert_non_null(s);
	assert_int_equal(getsockname(evhttp_bound_socket_get_fd(s),
			     (struct sockaddr *)(void *)&sin, &len),
	    0);
	the.port = ntohs(sin.sin_port);
}

/* -- one session ---------------------------------------------------------- */

static int
set_up(void **state)
{
	char endpoint[64];

	(void)state;
	memset(&the, 0, sizeof(the));
	the.base = event_base_new();
	listen_as_ses();
	the.term = 1;
	the.status = 200;
	the.answer = "{\"MessageId\":\"" SES_ID "\"}";
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", the.port);
	the.site = aws_site_new("ap-northeast-1", "ses", endpoint, NULL, NULL);
	the.path.name = xstrdup("ses");
	the.path.transport = SES_API;
	the.path.kind = PATH_SES;
	the.path.repair_headers = true;
	the.io.base = the.base;
	the.io.inbox = inbox_new(the.base);
	the.io.https = https_new(the.base);
	the.session = xcalloc(1, sizeof(*the.session));
	the.session->io = &the.io;
	the.session->path = &the.path;
	the.message = message_new(1);
	message_set_from(the.message, "info@example.jp");
	the.message->header_size = HEADER;
	the.recipient = recipient_new(the.message, 0, "taro@example.com");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (the.closed == 0) {
		courier_close(the.session);
		event_base_loop(the.base, EVLOOP_NONBLOCK);
	}
	courier_bury(the.session);
	event_base_loop(the.base, EVLOOP_NONBLOCK);
	inbox_free(&the.io.inbox);
	https_free(&the.io.https);
	evhttp_free(the.http);
	event_base_free(the.base);
	body_unref(&the.delivery.body);
	free(the.delivery.rcpt);
	recipient_free(&the.recipient);
	message_unref(&the.message);
	aws_site_free(&the.site);
	free(the.path.name);
	free(the.body);
	return 0;
}

/* As the core hands one over, with the body or without. */
static void
prepare(bool with_body)
{
	struct delivery *d = &the.delivery;

	body_unref(&d->body);
	free(d->rcpt);
	memset(d, 0, sizeof(*d));
	d->session = the.session;
	d->term = the.term;
	d->message = the.message;
	d->n = 1;
	d->recipients = &the.recipient;
	d->rcpt = xcalloc(1, sizeof(*d->rcpt));
	d->route.configuration_set = "";
	if (with_body)
		d->body = body_take(xstrdup(MESSAGE), strlen(MESSAGE));
	the.session->delivery = d;
}

static void
open_session(void)
{
	prepare(true);
	courier_open(the.session);
	event_base_loop(the.base, EVLOOP_NONBLOCK);
}

static void
deliver(void)
{
	prepare(true);
	courier_deliver(the.session, &the.delivery);
	event_base_loop(the.base, EVLOOP_NONBLOCK);
}

static void
answer_begin(enum store_status status, struct body *body)
{
	struct store_begin *begin = the.begun;

	assert_non_null(begin);
	the.begun = NULL;
	begin->body = body;
	begin->req.status = status;
	begin->req.done(&begin->req);
}

static void
run_until(const unsigned *count, unsigned n)
{
	int64_t by = clock_mono() + 20000;

	while (*count < n) {
		assert_true(clock_mono() < by);
		event_base_loop(the.base, EVLOOP_ONCE);
	}
}

static const struct outcome *
said(void)
{
	return &the.delivery.rcpt[0].outcome;
}

/* -- tests ---------------------------------------------------------------- */

static void
it_is_sent_with_permission(void **state)
{
	char id[SES_TAG_ID_MAX];
	json_t *j;

	(void)state;
	open_session();
	for (unsigned i = 0; i < 20; i++)
		event_base_loop(the.base, EVLOOP_NONBLOCK);
	assert_int_equal(the.requests, 0);
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	assert_int_equal(the.requests, 1);
	assert_int_equal(said()->code, 250);
	assert_string_equal(said()->text, "Ok " SES_ID);
	assert_true(the.delivery.usable);
	assert_false(the.delivery.untried);
	assert_memory_equal(the.delivery.peer, "127.0.0.1:", 10);
	j = json_loads(the.body, 0, NULL);
	assert_non_null(j);
	/* Of the header the signature is gone. */
	assert_string_equal(
	    json_string_value(json_object_get(
		json_object_get(json_object_get(j, "Content"), "Raw"), "Data")),
	    "RnJvbTogYUBiDQoNCkhlbGxvLg0K");
	assert_string_equal(json_string_value(json_object_get(
				j, "FeedbackForwardingEmailAddress")),
	    "info@example.jp");
	assert_string_equal(
	    json_string_value(json_object_get(
		json_array_get(json_object_get(j, "EmailTags"), 0), "Value")),
	    ses_tag_id(1, 0, id));
	json_decref(j);
}

static void
one_after_another(void **state)
{
	(void)state;
	open_session();
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	for (unsigned i = 2; i <= 5; i++) {
		deliver();
		answer_begin(STORE_OK, NULL);
		run_until(&the.done, i);
		assert_int_equal(said()->code, 250);
	}
	assert_int_equal(the.requests, 5);
	assert_int_equal(the.closed, 0);
	courier_close(the.session);
	run_until(&the.closed, 1);
	assert_int_equal(the.session->why.code, 0);
	assert_string_equal(the.session->why.text, "");
}

/* It comes with the store's answer. */
static void
a_body_that_is_fetched(void **state)
{
	(void)state;
	prepare(false);
	courier_open(the.session);
	event_base_loop(the.base, EVLOOP_NONBLOCK);
	answer_begin(STORE_OK, body_take(xstrdup(MESSAGE), strlen(MESSAGE)));
	run_until(&the.done, 1);
	assert_int_equal(said()->code, 250);
}

/* Not recorded, not sent; and the session is as good as before. */
static void
without_permission(void **state)
{
	static const enum store_status bad[] = { STORE_REJECTED, STORE_FULL,
		STORE_FAILED };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		if (i == 0)
			open_session();
		else
			deliver();
		answer_begin(bad[i], NULL);
		assert_int_equal(the.done, i + 1);
		assert_true(the.delivery.untried);
		assert_true(the.delivery.usable);
	}
	deliver();
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 4);
	assert_int_equal(the.requests, 1);
}

/* As a node among others: the body is asked for piece by piece. */
static void
a_node_that_holds_it(void **state)
{
	(void)state;
	the.shared = true;
	open_session();
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	assert_int_equal(said()->code, 250);
	assert_false(the.delivery.untried);
	assert_int_equal(the.requests, 1);
}

/* Begun, and lost before all of it was sent. */
static void
a_node_that_has_lost_it(void **state)
{
	(void)state;
	the.shared = true;
	open_session();
	the.term = 0;
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	assert_true(the.delivery.untried);
	assert_int_equal(the.requests, 0);
}

/* Held again, after a time in which others may have used what was reserved for it. */
static void
a_node_that_had_lost_it(void **state)
{
	(void)state;
	the.shared = true;
	open_session();
	the.term++;
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	assert_true(the.delivery.untried);
	assert_int_equal(the.requests, 0);
}

static void
errors_leave_the_session(void **state)
{
	(void)state;
	the.status = 400;
	the.type = "MessageRejected:http://x/";
	the.answer = "{\"message\":\"Bad content\"}";
	open_session();
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	assert_int_equal(said()->code, 554);
	assert_string_equal(said()->text, "MessageRejected: Bad content");
	assert_true(the.delivery.usable);
	assert_int_equal(the.closed, 0);
}

static void
trouble_ends_it(void **state)
{
	static const struct {
		int status;
		const char *type, *answer;
		int code;
		bool unread;
	} row[] = {
		{ 403, "AccessDeniedException", "{\"message\":\"no\"}", 535,
		    false },
		{ 503, NULL, "<html>busy</html>", 451, false },
		{ 302, NULL, "", 451, false },
		{ 200, NULL, "<html>hello</html>", 0, true },
		{ 504, NULL, "<html>late</html>", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		if (i > 0) {
			tear_down(NULL);
			set_up(NULL);
		}
		the.status = row[i].status;
		the.type = row[i].type;
		the.answer = row[i].answer;
		open_session();
		answer_begin(STORE_OK, NULL);
		run_until(&the.closed, 1);
		assert_int_equal(the.done, 1);
		assert_int_equal(said()->code, row[i].code);
		assert_int_equal(said()->unread, row[i].unread);
		assert_false(the.delivery.usable);
		assert_string_equal(the.session->why.text, said()->text);
	}
}

/* The request was there and no answer came: never again from here. */
static void
an_answer_that_never_comes(void **state)
{
	(void)state;
	the.hang_up = true;
	open_session();
	answer_begin(STORE_OK, NULL);
	run_until(&the.closed, 1);
	assert_int_equal(the.requests, 1);
	assert_true(said()->unread);
	assert_int_equal(said()->stage, STAGE_DOT);
	assert_int_equal(outcome_class(said()), 4);
}

static void
nobody_there(void **state)
{
	(void)state;
	evhttp_free(the.http);
	the.http = evhttp_new(the.base);
	open_session();
	answer_begin(STORE_OK, NULL);
	run_until(&the.closed, 1);
	assert_false(said()->unread);
	assert_int_equal(said()->stage, STAGE_CONNECT);
	assert_int_equal(outcome_class(said()), 4);
}

/* Keys that come late are waited for; those that are gone when the call is made
 * are the path's trouble. */
static void
keys(void **state)
{
	(void)state;
	the.keys_after = 3;
	open_session();
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	assert_int_equal(said()->code, 250);
	assert_true(the.delivery.connected > 0);
	the.keys_after = 1;
	deliver();
	answer_begin(STORE_OK, NULL);
	run_until(&the.closed, 1);
	assert_int_equal(the.done, 2);
	assert_int_equal(said()->scope, SCOPE_PATH);
	assert_string_equal(said()->text, "no keys yet");
	assert_int_equal(the.requests, 1);
}

/* Its first was not recorded while it waited for keys: nobody knows of it any
 * more. */
static void
an_orphan_closes(void **state)
{
	(void)state;
	the.keys_after = 2;
	open_session();
	answer_begin(STORE_REJECTED, NULL);
	assert_int_equal(the.done, 1);
	assert_true(the.delivery.untried);
	assert_false(the.delivery.usable);
	run_until(&the.closed, 1);
	assert_int_equal(the.requests, 0);
}

static void
refused_before_it_is_sent(void **state)
{
	(void)state;
	open_session();
	the.message->header_size = HEADER;
	body_unref(&the.delivery.body);
	the.delivery.body = body_take(
	    xstrdup("From: a@b\r\nFrom: c@d\r\nA: bcde\r\n\r\nHello.\r\n"), 42);
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	assert_int_equal(the.requests, 0);
	assert_int_equal(outcome_class(said()), 5);
	assert_string_equal(said()->enhanced, "5.6.0");
	assert_true(the.delivery.usable);
	/* and one that cannot be read now */
	deliver();
	body_unref(&the.delivery.body);
	the.delivery.body = body_spooled("/nonexistent", "m", 100);
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 2);
	assert_int_equal(the.requests, 0);
	assert_int_equal(outcome_class(said()), 4);
	assert_true(the.delivery.usable);
}

static void
a_large_one_in_pieces(void **state)
{
	size_t n = 5000000;
	char *text = xmalloc(n);

	(void)state;
	memset(text, 'x', n);
	memcpy(text, MESSAGE, strlen(MESSAGE));
	open_session();
	body_unref(&the.delivery.body);
	the.delivery.body = body_take(text, n);
	answer_begin(STORE_OK, NULL);
	run_until(&the.done, 1);
	assert_int_equal(said()->code, 250);
	assert_true(the.body_len > n / 3 * 4);
	assert_string_equal(the.body + the.body_len - 4, "\"}}}");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_sent_with_permission),
		TEST(one_after_another),
		TEST(a_body_that_is_fetched),
		TEST(without_permission),
		TEST(a_node_that_holds_it),
		TEST(a_node_that_has_lost_it),
		TEST(a_node_that_had_lost_it),
		TEST(errors_leave_the_session),
		TEST(trouble_ends_it),
		TEST(an_answer_that_never_comes),
		TEST(nobody_there),
		TEST(keys),
		TEST(an_orphan_closes),
		TEST(refused_before_it_is_sent),
		TEST(a_large_one_in_pieces),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
