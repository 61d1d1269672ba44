/*
 * test_sns_web.c - /sns as SNS and forgers meet it: by real sockets, with
 * Amazon's web, the intake of feedback and the clock played by this file.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/http/web.h"
#include "router/ses/amazon_int.h"
#include "router/ses/feedback.h"
#include "router/ses/sns_web.h"
#include "tests/unit/sns_help.h"
#include "tests/unit/web_client.h"

#define MINUTE 60000
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define START  1795500000000 /* 2026-11-24T06:00:00Z */

/* ------ the clock */

static int64_t now = START, more; /* that only the monotonic one knows of */

int64_t
clock_mono(void)
{
	return now + more;
}

int64_t
clock_wall(void)
{
	return now;
}

/* ------ Amazon's web */

struct https_call {
	STAILQ_ENTRY(https_call) link;
	char *url;
	void (*done)(void *, const struct https_answer *);
	void *arg;
};

struct page {
	const char *url; /* its beginning */
	int status;
	struct str body;
};

static struct {
	struct event *turn;
	STAILQ_HEAD(calls, https_call) calls;
	bool held; /* calls wait */
	unsigned asked;
	char *url, *ca_file, *connect; /* of the latest */
	struct page pages[4];
} amazon_web;

struct https_call *
https_call_new(struct https *https, const struct https_request *request,
    void (*done)(void *, const struct https_answer *), void *arg)
{
	struct https_call *call = xcalloc(1, sizeof(*call));

	assert_null(https);
	assert_string_equal(request->method, "GET");
	assert_in_range(request->timeout, 1, 10000);
	assert_in_range(request->max_answer, 1, 65536);
	assert_null(request->body);
	call->url = xstrdup(request->url);
	call->done = done;
	call->arg = arg;
	STAILQ_INSERT_TAIL(&amazon_web.calls, call, link);
	amazon_web.asked++;
	free(amazon_web.url);
	free(amazon_web.ca_file);
	free(amazon_web.connect);
	amazon_web.url = xstrdup(request->url);
	amazon_web.ca_file = xstrdup(request->ca_file);
	amazon_web.connect = xstrdup(request->connect);
	event_active(amazon_web.turn, EV_TIMEOUT, 1);
	return call;
}

static void
call_free(struct https_call *call)
{
	STAILQ_REMOVE(&amazon_web.calls, call, https_call, link);
	free(call->url);
	free(call);
}

void
https_call_free(struct https_call **call)
{
	if (*call != NULL)
		call_free(*call);
	*call = NULL;
}

static void
answer_calls(evutil_socket_t fd, short what, void *arg)
{
	struct https_call *call;

	(void)fd;
	(void)what;
	(void)arg;
	while (!amazon_web.held &&
	       (call = STAILQ_FIRST(&amazon_web.calls)) != NULL) {
		struct https_answer a = { .status = 404, .body = "" };

		for (size_t i = 0; i < 4; i++) {
			const struct page *p = &amazon_web.pages[i];

			if (p->url == NULL ||
			    strncmp(call->url, p->url, strlen(p->url)) != 0)
				continue;
			a.status = p->status;
			a.body = p->body.data;
			a.len = p->body.len;
			if (a.status == 0)
				err_set(&a.why, "cannot connect");
		}
		call->done(call->arg, &a);
		call_free(call);
	}
}

static struct str *
serve(size_t i, const char *url, int status)
{
	amazon_web.pages[i].url = url;
	amazon_web.pages[i].status = status;
	str_clear(&amazon_web.pages[i].body);
	return &amazon_web.pages[i].body;
}

/* ------ the intake of feedback */

static struct {
	enum feedback_end end;
	bool held;
	unsigned taken, pending;
	struct str event, letter, id;
	void (*done)(void *, enum feedback_end); /* held */
	void *arg;
} intake;

void
feedback_take(struct feedback_intake *f, const struct feedback_source *source,
    const char *event, size_t len, const char *letter, size_t letter_len,
    void (*done)(void *, enum feedback_end), void *arg)
{
	assert_null(f);
	assert_string_equal(source->name, "sns");
	assert_int_equal(source->receipts, 0);
	intake.taken++;
	str_clear(&intake.event);
	str_clear(&intake.letter);
	str_clear(&intake.id);
	str_add(&intake.event, event, len);
	str_add(&intake.letter, letter, letter_len);
	str_adds(&intake.id, source->id);
	intake.done = done;
	intake.arg = arg;
	if (!intake.held)
		done(arg, intake.end);
}

unsigned
feedback_pending(const struct feedback_intake *f)
{
	(void)f;
	return intake.pending;
}

/* ------ the settings: as many holders as there are */

static unsigned holders;

struct config *
config_ref(struct config *config)
{
	holders++;
	return config;
}

void
config_unref(struct config **config)
{
	if (*config != NULL)
		holders--;
	*config = NULL;
}

/* ------ all of it */

static struct pki pki;
static char ca_file[] = "/tmp/oiwake-sns-ca-XXXXXX";
static char log_file[] = "/tmp/oiwake-sns-log-XXXXXX";
static char topic[] = TOPIC, dial[] = "127.0.0.1:1", here[] = "here";
static char *topics[] = { topic };

static struct {
	struct amazon amazon;
	struct config config;
	struct config_web web;
	struct web *listener;
	struct client *client;
} all;

static void
open_sns(void)
{
	struct err e = ERR_INIT;

	all.amazon.sns = sns_web_new(&all.amazon, &e);
	if (all.amazon.sns == NULL)
		fail_msg("%s", e.text);
	all.listener = web_new(all.amazon.base, &all.web, &e);
	assert_non_null(all.listener);
	sns_web_serve(all.amazon.sns, all.listener);
	all.client = client_open(all.amazon.base, web_port(all.listener), NULL);
}

static void
close_sns(void)
{
	sns_web_free(&all.amazon.sns);
	web_free(&all.listener);
	client_close(all.client);
}

static int
set_up(void **state)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&all.web.addr;

	(void)state;
	now = START;
	all.amazon.base = event_base_new();
	all.amazon.config = &all.config;
	amazon_web.turn = event_new(all.amazon.base, -1, 0, answer_calls, NULL);
	STAILQ_INIT(&amazon_web.calls);
	amazon_web.held = intake.held = false;
	amazon_web.asked = intake.taken = intake.pending = 0;
	intake.end = FEEDBACK_SETTLED;
	for (size_t i = 0; i < 4; i++)
		serve(i, NULL, 0);
	add_pem(serve(0, CERT_URL, 200), pki.cert);
	add_pem(&amazon_web.pages[0].body, pki.between);
	serve(1, "https://sns.ap-northeast-1.amazonaws.com/?Action=", 200);
	in->sin_family = AF_INET;
	in->sin_port = 0;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	all.web.addr_len = sizeof(*in);
	all.web.name = all.web.address_text = here;
	all.web.max_body = 300000;
	all.web.max_connections = 50;
	all.web.sns = true;
	all.web.tls_ctx = NULL;
	all.config.nwebs = 0;
	all.config.sns = (struct config_sns){
		.topics = topics,
		.ntopics = 1,
		.replay_window = HOUR,
		.signature_version = 1,
		.ca_file = ca_file,
		.connect = dial,
	};
	open_sns();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close_sns();
	assert_int_equal(holders, 0);
	assert_true(STAILQ_EMPTY(&amazon_web.calls));
	event_free(amazon_web.turn);
	event_base_free(all.amazon.base);
	return 0;
}

static int
post_by(struct client *c, const char *headers, const char *text, size_t len)
{
	client_request(c, "POST", "/sns", headers, text, len);
	return client_answer(c);
}

static int
post(const char *text)
{
	return post_by(all.client,
	    "Content-Type: text/plain; charset=UTF-8\r\n"
	    "x-amz-sns-message-type: Notification\r\n",
	    text, strlen(text));
}

static struct note
a_note(void)
{
	static unsigned number;
	static char id[40];

	snprintf(id, sizeof(id), "00000000-0000-0000-0000-%012u", ++number);
	return (struct note){
		.type = "Notification",
		.version = 1,
		.id = id,
		.topic = TOPIC,
		.subject = "Amazon SES Email Event Notification",
		.message = "{\"eventType\":\"Send\"}\n",
		.cert_url = CERT_URL,
		.at = now,
	};
}

static int
post_note(const struct note *n)
{
	char *text = make_note(n, pki.key);
	int status = post(text);

	free(text);
	return status;
}

static bool
said(const char *text)
{
	return strstr(all.client->got.data, text) != NULL;
}

/* ------ */

static void
test_notification(void **state)
{
	struct note n = a_note();
	char *text;

	(void)state;
	for (n.version = 1; n.version <= 2; n.version++) {
		n.id = n.version == 1 ? "one" : "two";
		text = make_note(&n, pki.key);
		assert_int_equal(post(text), 200);
		assert_true(said("taken\n"));
		assert_string_equal(intake.event.data, n.message);
		assert_string_equal(intake.letter.data, text);
		assert_string_equal(intake.id.data, n.id);
		free(text);
	}
	assert_int_equal(intake.taken, 2);
	assert_int_equal(amazon_web.asked, 1); /* and kept */
	assert_string_equal(amazon_web.url, CERT_URL);
	assert_string_equal(amazon_web.ca_file, ca_file);
	assert_string_equal(amazon_web.connect, dial);
}

static void
test_confirmation(void **state)
{
	struct note n = a_note();

	(void)state;
	n.type = "SubscriptionConfirmation";
	n.token = "23&=";
	n.subscribe_url =
	    "https://sns.ap-northeast-1.amazonaws.com/"
	    "?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=23%26%3D";
	serve(1, "https://sns.ap-northeast-1.amazonaws.com/?Action=", 0);
	assert_int_equal(post_note(&n), 503);
	assert_int_equal(amazon_web.asked, 2);
	serve(1, "https://sns.ap-northeast-1.amazonaws.com/?Action=", 403);
	assert_int_equal(post_note(&n), 503);
	serve(1, "https://sns.ap-northeast-1.amazonaws.com/?Action=", 200);
	assert_int_equal(post_note(&n), 200);
	assert_int_equal(amazon_web.asked, 4);
	assert_string_equal(amazon_web.url,
	    "https://sns.ap-northeast-1.amazonaws.com/?Action="
	    "ConfirmSubscription&TopicArn=arn%3Aaws%3Asns%3Aap-northeast-1%3A"
	    "123456789012%3Ases-events&Token=23%26%3D");
	assert_string_equal(amazon_web.connect, dial);
	assert_int_equal(post_note(&n), 200);
	assert_true(said("taken before"));
	assert_int_equal(amazon_web.asked, 4);
	assert_int_equal(intake.taken, 0);
}

static void
test_unsubscribed(void **state)
{
	struct note n = a_note();

	(void)state;
	n.type = "UnsubscribeConfirmation";
	n.version = 2;
	assert_int_equal(post_note(&n), 200);
	assert_int_equal(amazon_web.asked, 1); /* the certificate alone */
	assert_int_equal(intake.taken, 0);
}

/* What never comes to a fetch, and what says why. */
static void
test_refused(void **state)
{
	static const char site[] = "https://sns.us-east-1.amazonaws.com/";
	static const struct {
		const char *topic, *cert_url, *type, *subscribe_url;
		int64_t age;
		int status;
		const char *text;
	} rows[] = {
		{ "arn:aws:sns:ap-northeast-1:123456789012:other", NULL, NULL,
		    NULL, 0, 403, "topic" },
		{ TOPIC "x", NULL, NULL, NULL, 0, 403, "topic" },
		{ "nonsense", NULL, NULL, NULL, 0, 403, "topic" },
		{ NULL, NULL, NULL, NULL, HOUR + 30 * MINUTE + 1, 403, "old" },
		{ NULL, NULL, NULL, NULL, -30 * MINUTE - 1, 403, "future" },
		{ NULL, "https://evil.com/x.pem", NULL, NULL, 0, 403,
		    "certificates" },
		{ NULL, "http://169.254.169.254/latest/", NULL, NULL, 0, 403,
		    "certificates" },
		{ NULL, NULL, "SubscriptionConfirmation",
		    "http://169.254.169.254/latest/meta-data/", 0, 403,
		    "SubscribeURL" },
		{ NULL, NULL, "UnsubscribeConfirmation", site, 0, 403,
		    "SubscribeURL" },
		{ NULL, NULL, "Other", NULL, 0, 400, "envelope" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct note n = a_note();

		n.topic = rows[i].topic != NULL ? rows[i].topic : TOPIC;
		n.type = rows[i].type != NULL ? rows[i].type : n.type;
		n.cert_url =
		    rows[i].cert_url != NULL ? rows[i].cert_url : CERT_URL;
		n.subscribe_url = rows[i].subscribe_url;
		n.at = now - rows[i].age;
		if (post_note(&n) != rows[i].status || !said(rows[i].text))
			fail_msg("%zu: %s", i, all.client->got.data);
	}
	assert_int_equal(amazon_web.asked, 0);
	assert_int_equal(intake.taken, 0);
}

static void
test_age(void **state)
{
	struct note n = a_note();

	(void)state;
	n.at = now - HOUR - 30 * MINUTE;
	assert_int_equal(post_note(&n), 200);
	n.id = "future";
	n.at = now + 30 * MINUTE;
	assert_int_equal(post_note(&n), 200);
}

/* Raw delivery has no signature; other bodies have nothing. */
static void
test_raw(void **state)
{
	static const char *const bodies[] = { "", "{}", "x",
		"{\"eventType\":\"Send\",\"mail\":{}}" };
	struct note n = a_note();
	char *text = make_note(&n, pki.key);

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		assert_int_equal(post(bodies[i]), 400);
	assert_int_equal(post_by(all.client, "X-Amz-Sns-RawDelivery: true\r\n",
			     text, strlen(text)),
	    403);
	assert_true(said("raw delivery"));
	client_request(all.client, "GET", "/sns", "", NULL, 0);
	assert_int_equal(client_answer(all.client), 405);
	assert_int_equal(amazon_web.asked, 0);
	assert_int_equal(intake.taken, 0);
	free(text);
}

/* Version 1 is no way around version 2. */
static void
test_downgrade(void **state)
{
	struct note n = a_note();

	(void)state;
	all.config.sns.signature_version = 2;
	assert_int_equal(post_note(&n), 403);
	assert_true(said("signature version"));
	assert_int_equal(amazon_web.asked, 0);
	n.version = 2;
	assert_int_equal(post_note(&n), 200);
}

static void
test_forged(void **state)
{
	struct note n = a_note();
	char *text = make_note(&n, pki.ca_key);

	(void)state;
	assert_int_equal(post(text), 403);
	assert_true(said("not signed by SNS"));
	assert_int_equal(intake.taken, 0);
	/* It does not stand in the way of the genuine one of its id. */
	assert_int_equal(post_note(&n), 200);
	assert_int_equal(intake.taken, 1);
	/* And comes too late. */
	assert_int_equal(post(text), 200);
	assert_true(said("taken before"));
	assert_int_equal(intake.taken, 1);
	free(text);
}

/* ------ the same again */

static void
wait_for_taken(unsigned n)
{
	double since = seconds();

	while (intake.taken < n)
		turn(all.amazon.base, since);
}

static void
test_repeated(void **state)
{
	struct client *other =
	    client_open(all.amazon.base, web_port(all.listener), NULL);
	struct note n = a_note();
	char *text = make_note(&n, pki.key);

	(void)state;
	intake.held = true;
	client_request(other, "POST", "/sns", "", text, strlen(text));
	wait_for_taken(1);
	assert_int_equal(post(text), 503); /* not durable yet */
	assert_true(said("in hand"));
	intake.done(intake.arg, FEEDBACK_TROUBLE);
	assert_int_equal(client_answer(other), 503);
	client_request(other, "POST", "/sns", "", text, strlen(text));
	wait_for_taken(2);
	intake.done(intake.arg, FEEDBACK_SETTLED);
	assert_int_equal(client_answer(other), 200);
	assert_int_equal(post(text), 200);
	assert_true(said("taken before"));
	assert_int_equal(intake.taken, 2);
	client_close(other);
	free(text);
}

/* Two of the same come while the certificate is being fetched. */
static void
test_together(void **state)
{
	struct client *other =
	    client_open(all.amazon.base, web_port(all.listener), NULL);
	struct note n = a_note();
	char *text = make_note(&n, pki.key);
	int one, two;
	double since = seconds();

	(void)state;
	amazon_web.held = intake.held = true;
	client_request(other, "POST", "/sns", "", text, strlen(text));
	client_request(all.client, "POST", "/sns", "", text, strlen(text));
	while (seconds() - since < 0.2)
		turn(all.amazon.base, since);
	assert_int_equal(amazon_web.asked, 1); /* they share it */
	amazon_web.held = false;
	event_active(amazon_web.turn, EV_TIMEOUT, 1);
	wait_for_taken(1);
	turn(all.amazon.base, seconds());
	intake.done(intake.arg, FEEDBACK_SETTLED);
	one = client_answer(other);
	two = client_answer(all.client);
	assert_int_equal(one + two, 200 + 503);
	assert_int_equal(intake.taken, 1);
	client_close(other);
	free(text);
}

static void
test_ends(void **state)
{
	static const struct {
		enum feedback_end end;
		int status;
	} rows[] = { { FEEDBACK_SETTLED, 200 }, { FEEDBACK_LETTERED, 200 },
		{ FEEDBACK_EARLY, 503 }, { FEEDBACK_TROUBLE, 503 } };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct note n = a_note();

		intake.end = rows[i].end;
		assert_int_equal(post_note(&n), rows[i].status);
		/* What was not settled is tried again. */
		intake.end = FEEDBACK_SETTLED;
		assert_int_equal(post_note(&n), 200);
		assert_int_equal(said("taken before"), rows[i].status == 200);
	}
}

static void
test_busy(void **state)
{
	struct note n = a_note();

	(void)state;
	intake.pending = FEEDBACK_MOST;
	assert_int_equal(post_note(&n), 503);
	assert_int_equal(amazon_web.asked, 0);
	intake.pending = FEEDBACK_MOST - 1;
	assert_int_equal(post_note(&n), 200);
}

/* ------ certificates */

/* A failure is remembered for some seconds. */
static void
test_no_certificate(void **state)
{
	static const struct {
		int status;
		const char *body;
	} rows[] = { { 0, "" }, { 404, "" }, { 302, "" }, { 200, "" },
		{ 200, "nonsense" },
		{ 200, "-----BEGIN CERTIFICATE-----\nAAAA\n"
		       "-----END CERTIFICATE-----\n" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct note n = a_note();

		amazon_web.asked = 0;
		str_adds(serve(0, CERT_URL, rows[i].status), rows[i].body);
		assert_int_equal(post_note(&n), 503);
		now += 4000;
		assert_int_equal(post_note(&n), 503);
		assert_int_equal(amazon_web.asked, 1);
		now += 2000;
		assert_int_equal(post_note(&n), 503);
		assert_int_equal(amazon_web.asked, 2);
		now += 6000;
	}
}

/* Fetched, but not to be trusted. */
static void
test_bad_certificate(void **state)
{
	const struct cert_form forms[] = {
		{ "sns.example.com", NULL, false, START - DAY, START + DAY,
		    NULL },
		{ "sns.amazonaws.com", NULL, false, START - DAY, START - HOUR,
		    NULL },
		{ "sns.amazonaws.com", NULL, false, START + HOUR, START + DAY,
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		X509 *x = make_cert(&forms[i], pki.key, pki.ca, pki.ca_key);
		struct note n = a_note();

		add_pem(serve(0, CERT_URL, 200), x);
		assert_int_equal(post_note(&n), 503);
		assert_int_equal(intake.taken, 0);
		X509_free(x);
		now += 6000;
	}
	/* Nobody vouches for it: what is between is not there. */
	struct note n = a_note();
	add_pem(serve(0, CERT_URL, 200), pki.cert);
	assert_int_equal(post_note(&n), 503);
}

/* One that was good is so until its day. */
static void
test_expiry(void **state)
{
	struct note n = a_note();

	(void)state;
	assert_int_equal(post_note(&n), 200);
	now += DAY - HOUR;
	n = a_note();
	assert_int_equal(post_note(&n), 200);
	assert_int_equal(amazon_web.asked, 1);
	now += 2 * HOUR;
	n = a_note();
	assert_int_equal(post_note(&n), 503);
	assert_int_equal(amazon_web.asked, 2); /* there may be another */
}

/* Where Amazon's authority says that its certificate is, and nowhere else. */
static void
test_issuer(void **state)
{
	static const struct {
		const char *url;
		unsigned asked;
		int status;
	} rows[] = {
		{ "http://crt.r2m01.amazontrust.com/r2m01.cer", 2, 200 },
		{ "http://crt.r2m01.amazontrust.com/r2m02.cer", 1, 503 },
		{ "http://crt.r2m01.amazontrust.com.evil.com/r2m01.cer", 1,
		    503 },
		{ "http://crt.a.b.amazontrust.com/a.b.cer", 1, 503 },
		{ "http://crt..amazontrust.com/.cer", 1, 503 },
		{ "http://169.254.169.254/r2m01.cer", 1, 503 },
		{ "https://crt.r2m01.amazontrust.com/r2m01.cer", 1, 503 },
		{ "http://crt.r2m01.amazontrust.com:80/r2m01.cer", 1, 503 },
	};
	unsigned char *der = NULL;
	int len = i2d_X509(pki.between, &der);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cert_form form = { "sns.amazonaws.com", NULL,
			false, START - DAY, START + DAY, rows[i].url };
		X509 *x = make_cert(&form, pki.key, pki.between, pki.ca_key);
		struct note n = a_note();

		close_sns();
		open_sns();
		amazon_web.asked = 0;
		add_pem(serve(0, CERT_URL, 200), x);
		str_add(serve(2, rows[i].url, 200), der, (size_t)len);
		assert_int_equal(post_note(&n), rows[i].status);
		assert_int_equal(amazon_web.asked, rows[i].asked);
		X509_free(x);
	}
	OPENSSL_free(der);
}

/* Nonsense in its place, or one that nobody vouches for, changes nothing. */
static void
test_bad_issuer(void **state)
{
	static const char url[] = "http://crt.r2m01.amazontrust.com/r2m01.cer";
	const struct cert_form form = { "sns.amazonaws.com", NULL, false,
		START - DAY, START + DAY, url };
	X509 *x = make_cert(&form, pki.key, pki.between, pki.ca_key);
	unsigned char *der = NULL;
	struct note n = a_note();
	int len = i2d_X509(pki.cert, &der);

	(void)state;
	add_pem(serve(0, CERT_URL, 200), x);
	str_adds(serve(2, url, 200), "nonsense");
	assert_int_equal(post_note(&n), 503);
	now += 6000;
	str_add(serve(2, url, 200), der, (size_t)len);
	assert_int_equal(post_note(&n), 503);
	now += 6000;
	serve(2, url, 404);
	assert_int_equal(post_note(&n), 503);
	assert_int_equal(amazon_web.asked, 6);
	OPENSSL_free(der);
	X509_free(x);
}

/* A forger's URLs: few are fetched, and none pushes out the good one. */
static void
test_many_urls(void **state)
{
	struct note n = a_note();
	char url[200];

	(void)state;
	assert_int_equal(post_note(&n), 200);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(url, sizeof(url),
		    "https://sns.ap-northeast-1.amazonaws.com/"
		    "SimpleNotificationService-%032x.pem",
		    i);
		n = a_note();
		n.cert_url = url;
		assert_int_equal(post_note(&n), 503);
	}
	assert_in_range(amazon_web.asked, 2, 6);
	n = a_note();
	assert_int_equal(post_note(&n), 200);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(url, sizeof(url),
		    "https://sns.ap-northeast-1.amazonaws.com/"
		    "SimpleNotificationService-%032x.pem",
		    i);
		now += 1000;
		n = a_note();
		n.cert_url = url;
		post_note(&n);
	}
	assert_in_range(amazon_web.asked, 40, 60);
	amazon_web.asked = 0;
	n = a_note();
	assert_int_equal(post_note(&n), 200);
	assert_int_equal(amazon_web.asked, 0);
}

/* ------ our own life */

static void
test_configure(void **state)
{
	static char other[] = "arn:aws:sns:ap-northeast-1:123456789012:other";
	static char none[] = "/nonexistent";
	struct note n = a_note();
	char *text = make_note(&n, pki.key);
	double since = seconds();

	(void)state;
	/* One waits for its certificate, and gets it of the new settings. */
	amazon_web.held = true;
	client_request(all.client, "POST", "/sns", "", text, strlen(text));
	while (amazon_web.asked == 0)
		turn(all.amazon.base, since);
	sns_web_configure(all.amazon.sns);
	amazon_web.held = false;
	event_active(amazon_web.turn, EV_TIMEOUT, 1);
	assert_int_equal(client_answer(all.client), 200);
	assert_int_equal(amazon_web.asked, 2);
	free(text);
	/* Authorities that cannot be read are not taken over. */
	all.config.sns.ca_file = none;
	sns_web_configure(all.amazon.sns);
	n = a_note();
	assert_int_equal(post_note(&n), 200);
	all.config.sns.ca_file = ca_file;
	topics[0] = other;
	sns_web_configure(all.amazon.sns);
	n = a_note();
	assert_int_equal(post_note(&n), 403);
	n.topic = other;
	assert_int_equal(post_note(&n), 200);
	topics[0] = topic;
}

/* At the end some wait: for a certificate, a confirmation, the store. */
static void
test_end(void **state)
{
	struct client *c[3];
	struct note n = a_note();
	char *text;
	double since = seconds();

	(void)state;
	for (size_t i = 0; i < 3; i++)
		c[i] =
		    client_open(all.amazon.base, web_port(all.listener), NULL);
	intake.held = true;
	text = make_note(&n, pki.key);
	client_request(c[0], "POST", "/sns", "", text, strlen(text));
	wait_for_taken(1);
	free(text);
	amazon_web.held = true;
	n = a_note();
	n.type = "SubscriptionConfirmation";
	text = make_note(&n, pki.key);
	client_request(c[1], "POST", "/sns", "", text, strlen(text));
	free(text);
	n = a_note();
	n.cert_url = "https://sns.ap-northeast-1.amazonaws.com/"
		     "SimpleNotificationService-"
		     "ffffffffffffffffffffffffffffffff.pem";
	text = make_note(&n, pki.key);
	client_request(c[2], "POST", "/sns", "", text, strlen(text));
	free(text);
	while (amazon_web.asked < 3)
		turn(all.amazon.base, since);
	sns_web_free(&all.amazon.sns);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(client_answer(c[i]), 503);
		assert_non_null(strstr(c[i]->got.data, "stopping"));
		client_close(c[i]);
	}
	intake.done(intake.arg, FEEDBACK_SETTLED); /* nobody minds */
	assert_true(STAILQ_EMPTY(&amazon_web.calls));
}

/* Its own listener, as the settings say. */
static void
test_listener(void **state)
{
	struct config_web webs[2] = { all.web, all.web };
	struct note n = a_note();
	char *text = make_note(&n, pki.key);
	struct err e = ERR_INIT;
	struct client *c;
	unsigned port = web_port(all.listener) ^ 1;

	(void)state;
	close_sns();
	webs[0].sns = false;
	((struct sockaddr_in *)&webs[1].addr)->sin_port =
	    htons((unsigned short)port);
	all.config.webs = webs;
	all.config.nwebs = 2;
	all.amazon.sns = sns_web_new(&all.amazon, &e);
	if (all.amazon.sns == NULL) { /* somebody else's port */
		assert_non_null(strstr(e.text, "cannot listen"));
		assert_int_equal(holders, 0);
	} else {
		c = client_open(all.amazon.base, port, NULL);
		assert_int_equal(post_by(c, "", text, strlen(text)), 200);
		/* A second one finds it taken. */
		assert_null(sns_web_new(&all.amazon, &e));
		assert_non_null(strstr(e.text, "cannot listen"));
		client_close(c);
		sns_web_free(&all.amazon.sns);
	}
	all.config.nwebs = 0;
	free(text);
	open_sns();
}

/* A forger does not fill the log. */
static void
test_log(void **state)
{
	struct note n = a_note();
	char *whole, *line;
	unsigned lines = 0;

	(void)state;
	n.topic = "a forger's\nlevel=error";
	log_open(log_file, NULL);
	for (int i = 0; i < 50; i++)
		assert_int_equal(post_note(&n), 403);
	now += 1000;
	assert_int_equal(post_note(&n), 403);
	assert_int_equal(post("x"), 400);
	log_open("/dev/null", NULL);
	whole = read_whole(log_file);
	for (line = strtok(whole, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		lines++;
		assert_non_null(strstr(line, "sns-refused"));
		if (lines == 2)
			assert_non_null(strstr(line, "count=50"));
	}
	assert_int_equal(lines, 3);
	free(whole);
}

/* ------ every change of AWS's own messages, through all of it */

static bool
is_taken(const char *text, size_t len)
{
	unsigned taken = intake.taken, asked = amazon_web.asked;
	int status = post_by(all.client, "", text, len);
	bool yes;

	if (all.client->ended) { /* evhttp ends some connections itself */
		client_close(all.client);
		all.client =
		    client_open(all.amazon.base, web_port(all.listener), NULL);
	}
	yes = intake.taken > taken || (status == 200 && said("taken\n")) ||
	      (amazon_web.asked > asked &&
		  strstr(amazon_web.url, "ConfirmSubscription") != NULL);
	assert_true(yes || status == 400 || status == 403 || status == 503);
	if (status == 200) { /* forget its id */
		close_sns();
		open_sns();
	}
	return yes;
}

static void
change_every_byte(const char *text)
{
	size_t len = strlen(text);
	enum byte_kind *kinds = calloc(len, sizeof(*kinds));
	char *changed = malloc(len + 1);

	mark_bytes(text, kinds);
	for (size_t i = 0; i < len; i++) {
		const char by[] = { (char)(text[i] ^ 1),
			(char)(text[i] ^ 0x20) };

		more += 10000; /* what failed to be fetched may be again */
		memcpy(changed, text, i);
		memcpy(changed + i, text + i + 1, len - i - 1);
		if (is_taken(changed, len - 1) != (kinds[i] != SEALED))
			fail_msg("byte %zu left out", i);
		memcpy(changed, text, len);
		for (size_t b = 0; b < sizeof(by); b++) {
			changed[i] = by[b];
			if (is_taken(changed, len) !=
			    may_replace(text, kinds, i, by[b]))
				fail_msg("byte %zu becomes '%c'", i, by[b]);
		}
	}
	free(changed);
	free(kinds);
}

static void
test_genuine(void **state)
{
	static char aws_topic[] = SIGNED_TOPIC, aws_ca[] = SIGNED_PEM;
	DIR *folder = opendir(SIGNED_FOLDER);
	struct dirent *entry;
	char *pem, *text, path[600];
	unsigned files = 0;

	(void)state;
	if (folder == NULL)
		skip();
	close_sns();
	now = SIGNED_NOW;
	topics[0] = aws_topic;
	all.config.sns.ca_file = aws_ca; /* it vouches for itself here */
	pem = read_whole(SIGNED_PEM);
	str_adds(serve(0, SIGNED_URL, 200), pem);
	free(pem);
	/* Nothing is ever settled, so each is judged for itself. */
	serve(1, "https://sns.us-west-2.amazonaws.com/?Action=", 500);
	intake.end = FEEDBACK_EARLY;
	open_sns();
	while ((entry = readdir(folder)) != NULL) {
		if (strstr(entry->d_name, ".json") == NULL)
			continue;
		snprintf(
		    path, sizeof(path), SIGNED_FOLDER "/%s", entry->d_name);
		text = read_whole(path);
		assert_true(is_taken(text, strlen(text)));
		change_every_byte(text);
		free(text);
		files++;
	}
	closedir(folder);
	topics[0] = topic;
	assert_int_equal(files, 5);
}

static int
begin(void **state)
{
	struct str pem = STR_INIT;
	int fd = mkstemp(ca_file);

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_make(&pki, START, NULL);
	add_pem(&pem, pki.ca);
	assert_int_equal(write(fd, pem.data, pem.len), (ssize_t)pem.len);
	close(fd);
	close(mkstemp(log_file));
	str_release(&pem);
	str_init(&intake.event);
	str_init(&intake.letter);
	str_init(&intake.id);
	for (size_t i = 0; i < 4; i++)
		str_init(&amazon_web.pages[i].body);
	log_set_level(LOG_WARN);
	log_open("/dev/null", NULL);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	pki_clear(&pki);
	unlink(ca_file);
	unlink(log_file);
	str_release(&intake.event);
	str_release(&intake.letter);
	str_release(&intake.id);
	for (size_t i = 0; i < 4; i++)
		str_release(&amazon_web.pages[i].body);
	free(amazon_web.url);
	free(amazon_web.ca_file);
	free(amazon_web.connect);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_notification),
		TEST(test_confirmation),
		TEST(test_unsubscribed),
		TEST(test_refused),
		TEST(test_age),
		TEST(test_raw),
		TEST(test_downgrade),
		TEST(test_forged),
		TEST(test_repeated),
		TEST(test_together),
		TEST(test_ends),
		TEST(test_busy),
		TEST(test_no_certificate),
		TEST(test_bad_certificate),
		TEST(test_expiry),
		TEST(test_issuer),
		TEST(test_bad_issuer),
		TEST(test_many_urls),
		TEST(test_configure),
		TEST(test_end),
		TEST(test_listener),
		TEST(test_log),
		TEST(test_genuine),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
