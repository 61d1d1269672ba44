/*
 * sns_web.c - what SNS posts to /sns, from its arrival to its answer.
 *
 * sns_judge.c finds out whether it is genuine, sns_act.c does what it asks for.
 * A request lives until its answer, which may come after its client has gone,
 * or after we have.
 */
#include "router/ses/sns_web_int.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/http/web.h"
#include "router/ses/amazon_int.h"
#include "router/ses/sns_cert.h"
#include "router/ses/sns_seen.h"

#define SEEN_MOST   100000
#define LOG_SPACING 1000 /* ms, of each reason */

static const struct {
	int status;
	const char *text; /* what the client reads, and the log */
} endings[SNS_ENDINGS] = {
	[SNS_TAKEN] = { 200, "taken" },
	[SNS_KNOWN] = { 200, "taken before" },
	[SNS_RAW] = { 403, "raw delivery is not signed" },
	[SNS_NO_ENVELOPE] = { 400, "not an envelope of SNS" },
	[SNS_FOREIGN_TOPIC] = { 403, "not a topic of ours" },
	[SNS_WEAK_SIGNATURE] = { 403, "signature version too low" },
	[SNS_WRONG_TIME] = { 403, "too old, or of the future" },
	[SNS_WRONG_CERT_URL] = { 403, "not an address of SNS's certificates" },
	[SNS_WRONG_SUBSCRIBE_URL] = { 403, "not the topic's SubscribeURL" },
	[SNS_FORGED] = { 403, "not signed by SNS" },
	[SNS_IN_HAND] = { 503, "in hand" },
	[SNS_BUSY] = { 503, "busy" },
	[SNS_NO_CERTIFICATE] = { 503, "no certificate to verify with" },
	[SNS_UNCONFIRMED] = { 503, "cannot confirm" },
	[SNS_EARLY] = { 503, "its message is not known yet" },
	[SNS_TROUBLE] = { 503, "cannot store" },
	[SNS_STOPPING] = { 503, "stopping" },
};

/* ------ the end */

void
sns_request_free(struct sns_request *r)
{
	if (r->http != NULL)
		evhttp_connection_set_closecb(
		    evhttp_request_get_connection(r->http), NULL, NULL);
	if (r->sns != NULL)
		LIST_REMOVE(r, link);
	https_call_free(&r->confirm);
	sns_clear(&r->m);
	str_release(&r->letter);
	free(r);
}

const char *
sns_peer(const struct sns_request *r)
{
	char *address = NULL;
	ev_uint16_t port;

	if (r->http != NULL)
		evhttp_connection_get_peer(
		    evhttp_request_get_connection(r->http), &address, &port);
	return address;
}

/* A forger can make as many as he likes: a line a second for each reason. */
static void
log_refusal(
    struct sns_request *r, enum sns_ending ending, const struct err *why)
{
	int64_t now = clock_mono();
	struct logline l;

	r->sns->told[ending].unlogged++;
	if (r->sns->told[ending].logged != 0 &&
	    now - r->sns->told[ending].logged < LOG_SPACING)
		return;
	if (!log_start(&l, ending < SNS_IN_HAND ? LOG_WARN : LOG_INFO,
		ending < SNS_IN_HAND ? "sns-refused" : "sns-deferred"))
		return;
	log_str(&l, "reason", endings[ending].text);
	log_str(&l, "peer", sns_peer(r));
	log_str(&l, "id", r->m.message_id);
	log_str(&l, "topic", r->m.topic_arn);
	if (why != NULL && why->text[0] != '\0')
		log_str(&l, "why", why->text);
	log_int(&l, "count", r->sns->told[ending].unlogged);
	log_end(&l);
	r->sns->told[ending].logged = now;
	r->sns->told[ending].unlogged = 0;
}

void
sns_finish(struct sns_request *r, enum sns_ending ending, const struct err *why)
{
	struct evhttp_request *http = r->http;

	if (r->held && endings[ending].status == 200)
		sns_seen_settle(r->sns->seen, r->m.message_id);
	else if (r->held)
		sns_seen_release(r->sns->seen, r->m.message_id);
	if (endings[ending].status != 200)
		log_refusal(r, ending, why);
	sns_request_free(r);
	if (http != NULL)
		web_reply(http, endings[ending].status, endings[ending].text);
}

static void
on_gone(struct evhttp_connection *connection, void *arg)
{
	struct sns_request *r = arg;

	(void)connection;
	r->http = NULL;
}

static void
on_post(struct evhttp_request *http, void *arg)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(http);
	struct sns_request *r = xcalloc(1, sizeof(*r));
	size_t len = evbuffer_get_length(in);

	r->sns = arg;
	r->http = http;
	str_init(&r->letter);
	if (len > 0)
		str_add(&r->letter, evbuffer_pullup(in, -1), len);
	LIST_INSERT_HEAD(&r->sns->requests, r, link);
	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(http), on_gone, r);
	sns_judge(r);
}

/* ------ our life */

void
sns_web_serve(struct sns_web *sns, struct web *web)
{
	web_handle(web, "/sns", EVHTTP_REQ_POST, on_post, sns);
}

static int
open_listeners(struct sns_web *sns, struct err *e)
{
	const struct config *config = sns->config;

	sns->webs = xcalloc(config->nwebs + 1, sizeof(struct web *));
	for (size_t i = 0; i < config->nwebs; i++) {
		struct web *web;

		if (!config->webs[i].sns)
			continue;
		web = web_new(sns->amazon->base, &config->webs[i], e);
		if (web == NULL)
			return -1;
		sns->webs[sns->nwebs++] = web;
		sns_web_serve(sns, web);
	}
	return 0;
}

/* Others in place of those we have; these stay when there are none. */
static int
renew_certs(struct sns_web *sns, struct err *e)
{
	struct sns_certs *certs =
	    sns_certs_new(sns->amazon->https, &sns->amazon->config->sns, e);

	if (certs == NULL)
		return -1;
	sns_certs_free(&sns->certs);
	sns->certs = certs;
	return 0;
}

struct sns_web *
sns_web_new(struct amazon *amazon, struct err *e)
{
	struct sns_web *sns = xcalloc(1, sizeof(*sns));

	sns->amazon = amazon;
	sns->config = config_ref(amazon->config);
	sns->seen = sns_seen_new(SEEN_MOST);
	LIST_INIT(&sns->requests);
	if (renew_certs(sns, e) != 0 || open_listeners(sns, e) != 0)
		sns_web_free(&sns);
	return sns;
}

void
sns_web_configure(struct sns_web *sns)
{
	struct sns_request *r, *next;
	struct err e = ERR_INIT;

	if (renew_certs(sns, &e) != 0) {
		log_text(
		    LOG_ERROR, "sns", "%s; those of before are used", e.text);
		return;
	}
	for (r = LIST_FIRST(&sns->requests); r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		if (r->stage == SNS_CERTIFICATE)
			sns_await_certificate(r);
	}
}

/* What is with feedback.c answers later, to nobody. */
static void
orphan(struct sns_request *r)
{
	struct evhttp_request *http = r->http;

	if (r->held)
		sns_seen_release(r->sns->seen, r->m.message_id);
	if (http != NULL)
		evhttp_connection_set_closecb(
		    evhttp_request_get_connection(http), NULL, NULL);
	LIST_REMOVE(r, link);
	r->sns = NULL;
	r->http = NULL;
	if (http != NULL)
		web_reply(http, endings[SNS_STOPPING].status,
		    endings[SNS_STOPPING].text);
}

void
sns_web_free(struct sns_web **p)
{
	struct sns_web *sns = *p;
	struct sns_request *r, *next;

	*p = NULL;
	if (sns == NULL)
		return;
	sns_certs_free(&sns->certs);
	for (r = LIST_FIRST(&sns->requests); r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		if (r->stage == SNS_FEEDBACK)
			orphan(r);
		else
			sns_finish(r, SNS_STOPPING, NULL);
	}
	for (size_t i = 0; i < sns->nwebs; i++)
		web_free(&sns->webs[i]);
	free(sns->webs);
	sns_seen_free(&sns->seen);
	config_unref(&sns->config);
	free(sns);
}
