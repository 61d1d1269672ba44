/*
 * test_call.c - signed requests to AWS against a server that verifies them,
 * and what is made of its answers.
 */
#include "router/ses/call.h"

#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/ses/call_int.h"
#include "router/ses/credentials.h"
#include "tests/unit/https_server.h"

#define OK_JSON "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"a\": true}"
#define HOUR	((int64_t)3600 * 1000)

static struct event_base *base;
static struct https *client;
static struct credentials_provider *keys;
static struct https_server server;
static struct aws_site *site;
static struct hs_ca ca;
static SSL_CTX *ctx;
static char ca_file[] = "/tmp/test_call_ca_XXXXXX";

struct result {
	int calls, status;
	char error[80], message[512], request_id[80], why[512];
	bool json, may_be_sent, no_credentials;
};

static void
on_done(void *arg, const struct aws_answer *a)
{
	struct result *r = arg;

	r->calls++;
	r->status = a->status;
	strcpy(r->error, a->error);
	strcpy(r->message, a->message);
	strcpy(r->request_id, a->request_id);
	strcpy(r->why, a->why.text);
	r->json = a->json != NULL;
	r->may_be_sent = a->may_be_sent;
	r->no_credentials = a->no_credentials;
	event_base_loopbreak(base);
}

static void
start_as(const char *access_key, const char *secret,
    const struct https_server_step *script, size_t n)
{
	struct config_credentials config = { .kind = CREDENTIALS_STATIC,
		.access_key = (char *)(uintptr_t)access_key,
		.secret_key.value = (char *)(uintptr_t)secret };

	base = event_base_new();
	client = https_new(base);
	hs_start(&server, base, ctx, script, n);
	keys = credentials_provider_new(client, &config, NULL, NULL);
	site = aws_site_new("ap-northeast-1", "ses", server.url, ca_file, keys);
}

#define START(script)                                                          \
	start_as("AKID", "secret", script, sizeof(script) / sizeof((script)[0]))

static void
stop(void)
{
	aws_site_free(&site);
	credentials_provider_free(&keys);
	https_free(&client);
	hs_stop(&server);
	event_base_free(base);
}

static struct result
send_request(const struct aws_request *r)
{
	struct result result = { .calls = 0 };

	aws_call_new(client, site, r, on_done, &result);
	event_base_dispatch(base);
	assert_int_equal(result.calls, 1);
	return result;
}

static struct result
get(const char *path)
{
	struct aws_request r = { .method = "GET", .path = path };

	return send_request(&r);
}

/* ------ the signature of what has come to the server */

static const struct sigv4_key *
find_key(void *arg, const char *access_key)
{
	static const struct sigv4_key key = { "AKID", "secret", NULL };

	(void)arg;
	return strcmp(access_key, key.access_key) == 0 ? &key : NULL;
}

/* Splits a request in place. */
static enum sigv4_verdict
verify(char *text, int64_t now)
{
	struct sigv4_header headers[20];
	struct sigv4_request r = {
		.method = text, .headers = headers, .query = ""
	};
	struct sigv4_terms terms = { .find = find_key,
		.region = "ap-northeast-1",
		.service = "ses",
		.now = now,
		.window = 5 * 60 * 1000 };
	char hash[SIGV4_HASH_TEXT], *line, *colon, *end, *query;
	char *body = strstr(text, "\r\n\r\n") + 4;
	struct err e;

	sigv4_hash(body, strlen(body), hash);
	r.payload_hash = hash;
	body[-2] = '\0';
	line = strchr(text, ' ');
	*line++ = '\0';
	r.path = line;
	end = strchr(line, ' ');
	*end = '\0';
	query = strchr(line, '?');
	if (query != NULL) {
		*query++ = '\0';
		r.query = query;
	}
	for (line = strstr(end + 1, "\r\n") + 2; *line != '\0';
	     line = end + 2) {
		end = strstr(line, "\r\n");
		*end = '\0';
		colon = strchr(line, ':');
		*colon = '\0';
		headers[r.nheaders++] = (struct sigv4_header){ line,
			colon + 1 + strspn(colon + 1, " ") };
	}
	return sigv4_verify(&r, &terms, NULL, 0, &e);
}

static void
test_signed(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_ANSWER, OK_JSON, 0 },
		{ HS_ANSWER, OK_JSON, 0 },
		{ HS_ANSWER, OK_JSON, 0 },
		{ HS_ANSWER, OK_JSON, 0 },
	};
	static const struct aws_request requests[] = {
		{ .method = "GET", .path = "/v2/email/account" },
		{ .method = "POST",
		    .path = "/v2/email/outbound-emails",
		    .content_type = "application/json",
		    .body = "{\"a\":1}",
		    .body_len = 7 },
		{ .method = "DELETE",
		    .path = "/v2/email/suppression/addresses/"
			    "a%2Bb..c%2Fd%25e%40docomo.ne.jp" },
		{ .method = "GET",
		    .path = "/v2/email/suppression/addresses",
		    .query = "Reason=BOUNCE&PageSize=1000&NextToken=a%2Fb" },
	};

	(void)state;
	START(script);
	for (size_t i = 0; i < 4; i++) {
		struct result got = send_request(&requests[i]);

		assert_int_equal(got.status, 200);
		assert_true(got.json);
		assert_string_equal(got.error, "");
		assert_int_equal(
		    verify(server.requests[i].data, clock_wall()), SIGV4_GOOD);
	}
	assert_int_equal(server.connections, 1);
	stop();
}

static void
test_encode(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	aws_encode(&s, "a+b..c/d%e@x-y_z~ \xe3\x81");
	assert_string_equal(s.data, "a%2Bb..c%2Fd%25e%40x-y_z~%20%E3%81");
	str_release(&s);
}

static void
test_endpoints(void **state)
{
	static const struct {
		const char *region, *service, *want;
	} rows[] = {
		{ "ap-northeast-1", "ses",
		    "https://email.ap-northeast-1.amazonaws.com" },
		{ "us-east-1", "sqs", "https://sqs.us-east-1.amazonaws.com" },
		{ "cn-north-1", "sns",
		    "https://sns.cn-north-1.amazonaws.com.cn" },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct aws_site *s = aws_site_new(
		    rows[i].region, rows[i].service, NULL, NULL, NULL);

		assert_string_equal(s->endpoint, rows[i].want);
		aws_site_free(&s);
	}
}

/* ------ answers */

static void
test_errors(void **state)
{
	static const struct {
		int status;
		const char *type, *body, *error, *message;
	} rows[] = {
		{ 200, "Ignored", "{\"message\":\"x\"}", "", "" },
		{ 400, "MessageRejected", "{\"message\":\"not verified\"}",
		    "MessageRejected", "not verified" },
		{ 429, "TooManyRequestsException:http://internal.amazon.com/#x",
		    "{}", "TooManyRequestsException", "" },
		{ 404, "com.amazonaws.sesv2#NotFoundException", "{}",
		    "NotFoundException", "" },
		{ 403, NULL,
		    "{\"__type\":\"com.amazon.coral.service"
		    "#UnrecognizedClientException\",\"Message\":\"M\"}",
		    "UnrecognizedClientException", "M" },
		{ 403, "A", "{\"__type\":\"B\"}", "A", "" },
		{ 403, ":x", "{\"__type\":\"B\"}", "B", "" },
		{ 400, "A\x01z", "{\"message\":\"a\\u0001\\nb\"}", "A",
		    "a  b" },
		{ 500, NULL, "<html>", "", "" },
		{ 500, NULL, "", "", "" },
		{ 500, NULL, "[1,2]", "", "" },
		{ 500, NULL, "{\"message\":17,\"__type\":[]}", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct aws_answer_headers h = { .error_type = rows[i].type,
			.request_id = "id-1" };
		struct aws_answer a = { .status = 0 };

		aws_answer_read(
		    &a, rows[i].status, &h, rows[i].body, strlen(rows[i].body));
		assert_int_equal(a.status, rows[i].status);
		assert_string_equal(a.error, rows[i].error);
		assert_string_equal(a.message, rows[i].message);
		assert_string_equal(a.request_id, "id-1");
		json_decref((json_t *)(uintptr_t)a.json);
	}
}

static void
test_long_texts(void **state)
{
	struct str body = STR_INIT, type = STR_INIT;
	struct aws_answer_headers h = { .error_type = NULL };
	struct aws_answer a = { .status = 0 };

	(void)state;
	str_adds(&body, "{\"message\":\"x");
	for (int i = 0; i < 400; i++) {
		str_adds(&body, "\xe3\x81\x82");
		str_adds(&type, "Long");
	}
	str_adds(&body, "\"}");
	h.error_type = h.request_id = type.data;
	aws_answer_read(&a, 400, &h, body.data, body.len);
	assert_int_equal(strlen(a.error), sizeof(a.error) - 1);
	assert_int_equal(strlen(a.request_id), sizeof(a.request_id) - 1);
	/* No half a character at its end. */
	assert_int_equal(strlen(a.message), 1 + 3 * 170);
	json_decref((json_t *)(uintptr_t)a.json);
	str_release(&body);
	str_release(&type);
}

static void
test_date(void **state)
{
	int64_t t = 7;

	(void)state;
	assert_int_equal(aws_date_read("Sun, 06 Nov 1994 08:49:37 GMT", &t), 0);
	assert_int_equal(t, INT64_C(784111777000));
	assert_int_equal(
	    aws_date_read("Sun, 06 Nov 1994 08:49:37 GMT+1", &t), -1);
	assert_int_equal(aws_date_read("yesterday", &t), -1);
	assert_int_equal(aws_date_read("", &t), -1);
	assert_int_equal(t, INT64_C(784111777000));
}

/* ------ no answer */

static void
test_no_answer(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_CLOSE, NULL, 0 },
		{ HS_ANSWER,
		    "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", 0 },
		{ HS_ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno!",
		    0 },
	};
	struct result got;

	(void)state;
	START(script);
	for (int i = 0; i < 2; i++) {
		got = get("/");
		assert_int_equal(got.status, 0);
		assert_true(got.may_be_sent);
		assert_false(got.no_credentials);
		assert_true(got.why[0] != '\0');
	}
	got = get("/");
	assert_int_equal(got.status, 200);
	assert_false(got.json);
	assert_int_equal(server.nrequests, 3);
	stop();
}

static void
test_no_credentials(void **state)
{
	struct config_credentials config = { .kind = CREDENTIALS_ENVIRONMENT };
	struct aws_request r = { .method = "GET", .path = "/" };
	struct aws_call *call;
	struct result got = { .calls = 0 };

	(void)state;
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	start_as("AKID", "secret", NULL, 0);
	credentials_provider_free(&keys);
	keys = credentials_provider_new(client, &config, NULL, NULL);
	site->credentials = keys;
	call = aws_call_new(client, site, &r, on_done, &got);
	assert_int_equal(got.calls, 0); /* not before the loop runs */
	event_base_dispatch(base);
	assert_int_equal(got.calls, 1);
	assert_int_equal(got.status, 0);
	assert_true(got.no_credentials);
	assert_false(got.may_be_sent);
	assert_true(got.why[0] != '\0');
	call = aws_call_new(client, site, &r, on_done, &got);
	aws_call_free(&call);
	assert_null(call);
	assert_int_equal(got.calls, 1);
	stop();
}

/* ------ clocks that differ */

/* An answer with a Date that many ms from now. */
static char *
dated(const char *status, const char *type, int64_t ahead)
{
	time_t t = (time_t)((clock_wall() + ahead) / 1000);
	struct str s = STR_INIT;
	char date[64];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	str_addf(&s,
	    "HTTP/1.1 %s\r\nDate: %s\r\nx-amzn-ErrorType: %s\r\n"
	    "Content-Length: 2\r\n\r\n{}",
	    status, date, type);
	return str_detach(&s);
}

static void
expect_near(int64_t value, int64_t want)
{
	assert_true(value > want - 10000 && value < want + 10000);
}

static void
test_skew(void **state)
{
	char *refused =
	    dated("403 Forbidden", "InvalidSignatureException", -HOUR);
	char *taken = dated("200 OK", "", -HOUR);
	char *right_refused =
	    dated("403 Forbidden", "InvalidSignatureException", 0);
	char *right = dated("200 OK", "", 0);
	struct https_server_step script[] = {
		{ HS_ANSWER, refused, 0 },	 /* signed by our clock */
		{ HS_ANSWER, taken, 0 },	 /* by AWS's */
		{ HS_ANSWER, taken, 0 },	 /* and so is the next */
		{ HS_ANSWER, right_refused, 0 }, /* ours was set right */
		{ HS_ANSWER, right, 0 }, { HS_ANSWER, right, 0 },
		{ HS_ANSWER, right_refused, 0 }, /* not for the time */
	};
	struct result got;

	(void)state;
	START(script);
	got = get("/1");
	assert_int_equal(got.status, 200);
	assert_int_equal(server.nrequests, 2);
	assert_true(site->skewed);
	expect_near(site->skew, -HOUR);
	assert_int_equal(
	    verify(server.requests[0].data, clock_wall()), SIGV4_GOOD);
	assert_int_equal(
	    verify(server.requests[1].data, clock_wall() - HOUR), SIGV4_GOOD);
	got = get("/2");
	assert_int_equal(got.status, 200);
	assert_int_equal(
	    verify(server.requests[2].data, clock_wall() - HOUR), SIGV4_GOOD);
	got = get("/3");
	assert_int_equal(got.status, 200);
	assert_int_equal(server.nrequests, 5);
	assert_false(site->skewed);
	assert_int_equal(
	    verify(server.requests[4].data, clock_wall()), SIGV4_GOOD);
	got = get("/4");
	assert_int_equal(got.status, 200);
	got = get("/5");
	assert_int_equal(got.status, 403);
	assert_string_equal(got.error, "InvalidSignatureException");
	assert_int_equal(server.nrequests, 7);
	stop();
	free(refused);
	free(taken);
	free(right_refused);
	free(right);
}

/* An answer by a clock that agrees again ends it as well; and what is refused
 * twice is not sent a third time. */
static void
test_skew_ends(void **state)
{
	char *refused = dated("403 Forbidden", "SignatureDoesNotMatch", HOUR);
	char *later = dated("403 Forbidden", "SignatureDoesNotMatch", 3 * HOUR);
	char *right = dated("404 Not Found", "NotFoundException", 0);
	struct https_server_step script[] = {
		{ HS_ANSWER, refused, 0 },
		{ HS_ANSWER, later, 0 },
		{ HS_ANSWER, right, 0 },
	};
	struct result got;

	(void)state;
	START(script);
	got = get("/");
	assert_int_equal(got.status, 403);
	assert_int_equal(server.nrequests, 2);
	assert_true(site->skewed);
	expect_near(site->skew, 3 * HOUR);
	got = get("/");
	assert_int_equal(got.status, 404);
	assert_false(site->skewed);
	stop();
	free(refused);
	free(later);
	free(right);
}

struct source {
	const char *text;
	size_t at;
	int rewound;
};

static ssize_t
read_source(void *arg, char *buf, size_t room)
{
	struct source *s = arg;

	(void)room;
	*buf = s->text[s->at++];
	return 1;
}

static void
rewind_source(void *arg)
{
	struct source *s = arg;

	s->at = 0;
	s->rewound++;
}

static void
test_streamed(void **state)
{
	char *refused =
	    dated("403 Forbidden", "InvalidSignatureException", HOUR);
	struct https_server_step script[] = {
		{ HS_ANSWER, refused, 0 },
		{ HS_ANSWER, OK_JSON, 0 },
		{ HS_ANSWER, refused, 0 },
	};
	struct source s = { .text = "{\"streamed\":1}" };
	char hash[SIGV4_HASH_TEXT];
	struct aws_request r = { .method = "POST",
		.path = "/",
		.content_type = "application/json",
		.read = read_source,
		.rewind = rewind_source,
		.read_arg = &s,
		.body_len = 14,
		.body_hash = hash };
	struct result got;

	(void)state;
	sigv4_hash(s.text, 14, hash);
	START(script);
	got = send_request(&r);
	assert_int_equal(got.status, 200);
	assert_int_equal(s.rewound, 1);
	assert_int_equal(
	    verify(server.requests[1].data, clock_wall() + HOUR), SIGV4_GOOD);
	/* Without a way back it is not sent again. */
	site->skewed = false;
	s.at = 0;
	r.rewind = NULL;
	got = send_request(&r);
	assert_int_equal(got.status, 403);
	assert_int_equal(server.nrequests, 3);
	stop();
	free(refused);
}

/* ------ calls that nobody waits for */

static void
never(void *arg, const struct aws_answer *a)
{
	(void)arg;
	(void)a;
	fail();
}

static void
test_freed(void **state)
{
	static const struct https_server_step script[] = {
		{ HS_SILENT, NULL, 0 },
	};
	struct aws_request r = { .method = "GET", .path = "/" };
	struct aws_call *call;

	(void)state;
	START(script);
	call = aws_call_new(client, site, &r, never, NULL);
	while (server.nrequests == 0)
		event_base_loop(base, EVLOOP_ONCE);
	aws_call_free(&call);
	assert_null(call);
	stop();
}

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
	ctx = hs_context(&ca, "IP:127.0.0.1");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(ca_file);
	hs_ca_stop(&ca);
	SSL_CTX_free(ctx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_no_credentials),
		cmocka_unit_test(test_skew),
		cmocka_unit_test(test_skew_ends),
		cmocka_unit_test(test_streamed),
		cmocka_unit_test(test_freed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
