/*
 * sqs_receive.c - ReceiveMessage: at once, or as a long poll that waits.
 */
#include "mta/base/alloc.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/sqs_int.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <poll.h>
#include <stdlib.h>

#define RECEIVE_MOST 10
#define WAIT_MOST    20 /* seconds */
#define VISIBLE_S    30 /* of a queue that nobody asked otherwise */

static void
add_attributes(const struct sqs_message *m, struct str *o)
{
	const struct {
		const char *name;
		int64_t value;
	} rows[] = {
		{ "SentTimestamp", m->sent },
		{ "ApproximateReceiveCount", m->received },
		{ "ApproximateFirstReceiveTimestamp", m->first },
	};
	struct str text = STR_INIT;
	size_t i;

	json_open(o, "Attributes", '{');
	json_str(o, "SenderId", "AIDASANDBOXSNS");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		str_clear(&text);
		str_addf(&text, "%lld", (long long)rows[i].value);
		json_str(o, rows[i].name, text.data);
	}
	json_close(o, '}');
	str_release(&text);
}

static void
add_message(const struct sqs_message *m, bool attributes, struct str *o)
{
	struct str text = STR_INIT;

	json_open(o, NULL, '{');
	sqs_number_id(m->number, &text);
	json_str(o, "MessageId", text.data);
	str_clear(&text);
	sqs_message_handle(m, &text);
	json_str(o, "ReceiptHandle", text.data);
	json_str(o, "MD5OfBody", m->body->md5);
	json_mem(o, "Body", m->body->data, m->body->len);
	if (attributes)
		add_attributes(m, o);
	json_close(o, '}');
	str_release(&text);
}

/* How many there were. */
static unsigned
take(struct queue *q, const struct waiter *w, struct str *o)
{
	struct sqs_message *m;
	unsigned n = 0;

	while (n < w->most &&
	       (m = sqs_queue_take(q->messages, w->visibility)) != NULL) {
		if (n++ == 0)
			json_open(o, "Messages", '[');
		add_message(m, w->attributes, o);
	}
	if (n > 0)
		json_close(o, ']');
	return n;
}

static void
waiter_end(struct waiter *w, struct str *members)
{
	struct aws_exchange *x = w->x;

	TAILQ_REMOVE(&w->queue->waiters, w, link);
	w->queue->n_waiters--;
	event_free(w->timer);
	free(w);
	sqs_answer(x, members);
}

static void
on_waited(evutil_socket_t fd, short what, void *arg)
{
	struct str none = STR_INIT;

	(void)fd;
	(void)what;
	waiter_end(arg, &none);
}

/* A poller that was killed must not get what its successor is waiting for. */
static bool
has_gone(const struct aws_exchange *x)
{
	struct evhttp_connection *c = evhttp_request_get_connection(x->http);
	struct pollfd p = { .events = POLLRDHUP };

	if (c == NULL)
		return true;
	p.fd = bufferevent_getfd(evhttp_connection_get_bufferevent(c));
	return p.fd < 0 || poll(&p, 1, 0) > 0;
}

void
sqs_serve(struct queue *q)
{
	struct waiter *w;
	struct str o = STR_INIT;

	while ((w = TAILQ_FIRST(&q->waiters)) != NULL) {
		str_clear(&o);
		if (!has_gone(w->x) && take(q, w, &o) == 0)
			break;
		waiter_end(w, &o);
	}
	str_release(&o);
}

static void
wait_for_more(struct call *c, const struct waiter *asked, unsigned seconds)
{
	struct waiter *w = xmalloc(sizeof(*w));
	struct timeval tv = { .tv_sec = seconds };

	*w = *asked;
	w->x = c->x;
	w->queue = c->queue;
	w->timer = evtimer_new(c->sqs->sandbox->base, on_waited, w);
	evtimer_add(w->timer, &tv);
	TAILQ_INSERT_TAIL(&c->queue->waiters, w, link);
	c->queue->n_waiters++;
}

/* A number of `low` to `high`, or the preset when there is none. */
static int
number_of(struct call *c, const json_t *o, const char *name, unsigned low,
    unsigned high, unsigned *to)
{
	const json_t *value = json_object_get(o, name);
	json_int_t n = json_integer_value(value);

	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || n < low || n > high)
		return sqs_refuse(c, "InvalidParameterValue",
		    "Value for a parameter is invalid. Reason: Must be in its "
		    "range.");
	*to = (unsigned)n;
	return 0;
}

int
sqs_receive(struct call *c)
{
	struct waiter w = { .most = 1, .visibility = VISIBLE_S };
	unsigned wait = 0;

	if (number_of(c, c->in, "MaxNumberOfMessages", 1, RECEIVE_MOST,
		&w.most) < 0 ||
	    number_of(c, c->in, "VisibilityTimeout", 0, SQS_VISIBLE_MOST,
		&w.visibility) < 0 ||
	    number_of(c, c->in, "WaitTimeSeconds", 0, WAIT_MOST, &wait) < 0)
		return -1;
	w.attributes = json_object_get(c->in, "AttributeNames") != NULL ||
		       json_object_get(c->in, "MessageSystemAttributeNames");
	if (take(c->queue, &w, &c->out) > 0 || wait == 0)
		return 0;
	wait_for_more(c, &w, wait);
	return -1;
}
