/*
 * sqs.c - takes feedback from an SQS queue by long polling.
 *
 * A poller keeps several requests for messages waiting at AWS. What comes is
 * handed to feedback.c, unwrapped where SNS has put it into an envelope: who
 * may write to the queue is IAM's business, and no signature is asked for. What
 * it has settled or buried is deleted (sqs_delete.c); the rest is left to come
 * again.
 */
#include "router/ses/sqs_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/ses/amazon_int.h"
#include "router/ses/feedback.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND	   INT64_C(1000)
#define GRACE	   (10 * SECOND) /* for the answer, beyond the wait */
#define FULL_WAIT  100		 /* ms until we look whether there is room */
#define MAX_ANSWER ((size_t)16 << 20)
#define STALE	   5 /* receipts: what comes that often is not worth haste */

/* One request for messages at a time, or the time until the next one. */
struct sqs_poll {
	struct sqs_poller *poller;
	struct aws_call *call;
	char *body;
	struct event *timer;
	int64_t asked;	   /* mono ms */
	unsigned failures; /* in a row */
	unsigned most;	   /* messages to ask for */
};

/* -- requests -----------------------------------------------------------------
 */

int64_t
sqs_backoff(unsigned failures)
{
	int64_t ms;

	if (failures == 0)
		return 0;
	ms = failures > 6 ? 60 * SECOND : SECOND << (failures - 1);
	return ms - arc4random_uniform((uint32_t)(ms / 2));
}

void
sqs_after(struct event *timer, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	event_add(timer, &tv);
}

struct aws_call *
sqs_ask(struct sqs_poller *p, const char *target, json_t *args, int64_t timeout,
    size_t max_answer, char **body,
    void (*done)(void *arg, const struct aws_answer *), void *arg)
{
	struct aws_request r = {
		.method = "POST",
		.path = "/",
		.content_type = "application/x-amz-json-1.0",
		.target = target,
		.timeout = timeout,
		.max_answer = max_answer,
	};

	json_object_set_new(args, "QueueUrl", json_string(p->config.queue));
	free(*body);
	*body = json_dumps(args, JSON_COMPACT);
	json_decref(args);
	r.body = *body;
	r.body_len = strlen(*body);
	return aws_call_new(p->amazon->https, p->site, &r, done, arg);
}

static void
log_turn(const struct sqs_poller *p, const struct sqs_trouble *t,
    enum log_level level, const char *result)
{
	struct logline l;

	if (!log_start(&l, level, "sqs"))
		return;
	log_str(&l, "name", p->config.name);
	log_str(&l, "queue", p->config.queue);
	log_str(&l, "request", t->of);
	log_str(&l, "result", result);
	if (t->text[0] != '\0')
		log_str(&l, "why", t->text);
	log_end(&l);
}

static void
note_trouble(
    struct sqs_poller *p, struct sqs_trouble *t, const struct aws_answer *a)
{
	const char *error = a->status == 0	  ? "no answer"
			    : a->error[0] != '\0' ? a->error
						  : "odd answer";
	bool is_news = strcmp(t->error, error) != 0;

	snprintf(t->error, sizeof(t->error), "%s", error);
	if (a->status == 0)
		snprintf(t->text, sizeof(t->text), "%s", a->why.text);
	else
		snprintf(t->text, sizeof(t->text), "%s, status %d: %s", error,
		    a->status, a->message);
	t->at = clock_wall();
	if (is_news)
		log_turn(p, t, LOG_WARN, "trouble");
}

bool
sqs_note(
    struct sqs_poller *p, struct sqs_trouble *t, const struct aws_answer *a)
{
	if (a->status < 200 || a->status > 299 || !json_is_object(a->json)) {
		note_trouble(p, t, a);
		return false;
	}
	if (t->error[0] != '\0') {
		t->error[0] = t->text[0] = '\0';
		log_turn(p, t, LOG_INFO, "well again");
	}
	return true;
}

/* -- polling ------------------------------------------------------------------
 */

/* A queue that answers at once with nothing new is asked once a second. */
static int64_t
pause_after(const struct sqs_poll *poll, bool any)
{
	int64_t since = clock_mono() - poll->asked;

	return any || since >= SECOND ? 0 : SECOND - since;
}

static void
on_received(void *arg, const struct aws_answer *a)
{
	struct sqs_poll *poll = arg;
	struct sqs_poller *p = poll->poller;
	bool any;

	poll->call = NULL; /* it frees itself */
	if (!sqs_note(p, &p->receiving, a)) {
		/* Were it the length of the answer: one by one, then. */
		poll->most = 1;
		sqs_after(poll->timer, sqs_backoff(++poll->failures));
		return;
	}
	poll->failures = 0;
	poll->most = SQS_BATCH;
	any = sqs_take(p, json_object_get(a->json, "Messages"));
	sqs_after(poll->timer, pause_after(poll, any));
}

static void
ask(struct sqs_poll *poll)
{
	struct sqs_poller *p = poll->poller;
	int64_t wait = p->config.wait / 1000;
	json_t *args =
	    json_pack("{s:i, s:I, s:I, s:[s]}", "MaxNumberOfMessages",
		(int)poll->most, "WaitTimeSeconds", (json_int_t)wait,
		"VisibilityTimeout", (json_int_t)(p->config.visibility / 1000),
		"MessageSystemAttributeNames", "ApproximateReceiveCount");

	poll->asked = clock_mono();
	poll->call = sqs_ask(p, "AmazonSQS.ReceiveMessage", args,
	    p->config.wait + GRACE, MAX_ANSWER, &poll->body, on_received, poll);
}

static bool
has_room(const struct sqs_poller *p)
{
	return p->items <= FEEDBACK_MOST &&
	       feedback_pending(p->amazon->feedback) <= FEEDBACK_MOST;
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct sqs_poll *poll = arg;

	(void)fd;
	(void)what;
	if (has_room(poll->poller))
		ask(poll);
	else
		sqs_after(poll->timer, FULL_WAIT);
}

/* -- the poller ---------------------------------------------------------------
 */

/* Of the settings, what is asked of AWS; as whom, the site knows. */
static void
copy_config(struct config_sqs *to, const struct config_sqs *from)
{
	to->name = xstrdup(from->name);
	to->queue = xstrdup(from->queue);
	to->pollers = from->pollers > 0 ? from->pollers : 1;
	to->visibility = from->visibility;
	to->wait = from->wait;
}

static struct aws_site *
site_of(struct amazon *amazon, const struct config_sqs *c)
{
	const char *url = c->queue, *host = strstr(url, "://");
	struct aws_site *site;
	char *endpoint;

	host = host != NULL ? host + 3 : url;
	endpoint = xstrndup(url, (size_t)(host - url) + strcspn(host, "/"));
	site = amazon_site_for(amazon, "sqs", c->region,
	    c->endpoint != NULL ? c->endpoint : endpoint, c->ca_file,
	    &c->credentials);
	free(endpoint);
	return site;
}

static void
start_poll(struct sqs_poller *p, struct sqs_poll *poll)
{
	poll->poller = p;
	poll->most = SQS_BATCH;
	poll->timer = event_new(p->amazon->base, -1, 0, on_time, poll);
	sqs_after(poll->timer, 0);
}

struct sqs_poller *
sqs_poller_new(struct amazon *amazon, const struct config_sqs *config)
{
	struct sqs_poller *p = xcalloc(1, sizeof(*p));

	p->amazon = amazon;
	copy_config(&p->config, config);
	p->receiving.of = "ReceiveMessage";
	p->site = site_of(amazon, config);
	sqs_take_start(p);
	sqs_delete_start(p);
	p->polls = xcalloc(p->config.pollers, sizeof(*p->polls));
	for (unsigned i = 0; i < p->config.pollers; i++)
		start_poll(p, &p->polls[i]);
	LIST_INSERT_HEAD(&amazon->pollers, p, link);
	return p;
}

void
sqs_poller_free(struct sqs_poller **pp)
{
	struct sqs_poller *p = *pp;

	if (p == NULL)
		return;
	LIST_REMOVE(p, link);
	for (unsigned i = 0; i < p->config.pollers; i++) {
		aws_call_free(&p->polls[i].call);
		event_free(p->polls[i].timer);
		free(p->polls[i].body);
	}
	free(p->polls);
	sqs_take_stop(p);
	sqs_delete_stop(p);
	free(p->config.name);
	free(p->config.queue);
	free(p);
	*pp = NULL;
}

struct sqs_poller *
sqs_poller_next(const struct sqs_poller *p)
{
	return LIST_NEXT(p, link);
}

bool
sqs_poller_is(const struct sqs_poller *p, const struct config_sqs *c)
{
	return strcmp(p->config.name, c->name) == 0 &&
	       strcmp(p->config.queue, c->queue) == 0 &&
	       p->config.pollers == (c->pollers > 0 ? c->pollers : 1) &&
	       p->config.visibility == c->visibility &&
	       p->config.wait == c->wait && p->site == site_of(p->amazon, c);
}

const char *
sqs_poller_name(const struct sqs_poller *p)
{
	return p->config.name;
}

void
sqs_poller_state(const struct sqs_poller *p, struct sqs_state *out)
{
	const struct sqs_trouble *t = &p->receiving;

	if (t->error[0] == '\0' && p->removing.error[0] != '\0')
		t = &p->removing;
	*out = (struct sqs_state){
		.name = p->config.name,
		.queue = p->config.queue,
		.trouble = t->text,
		.trouble_at = t->at,
		.received_at = p->received_at,
		.received = p->received,
		.deleted = p->deleted,
	};
}
