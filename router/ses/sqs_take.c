/*
 * sqs_take.c - messages of a queue, handed to feedback.c.
 *
 * Unwrapped where SNS has put them into an envelope: who may write to the queue
 * is IAM's business, and no signature is asked for. What feedback.c has settled
 * or buried is deleted (sqs_delete.c); the rest is left to come again.
 */
#include "router/ses/sqs_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/ses/amazon_int.h"
#include "router/ses/feedback.h"
#include "router/ses/sns.h"

#include <stdlib.h>
#include <string.h>

#define STALE 5 /* receipts: what comes that often is not worth haste */

/* -- messages -----------------------------------------------------------------
 */

void
sqs_item_free(struct sqs_item *item)
{
	if (item->poller != NULL)
		item->poller->items--;
	free(item->handle);
	free(item);
}

static void
on_settled(void *arg, enum feedback_end end)
{
	struct sqs_item *item = arg;

	if (item->poller != NULL)
		TAILQ_REMOVE(&item->poller->taken, item, link);
	if (item->poller != NULL &&
	    (end == FEEDBACK_SETTLED || end == FEEDBACK_LETTERED))
		sqs_delete(item);
	else
		sqs_item_free(item);
}

static const char *const not_told[] = {
	[SNS_SUBSCRIPTION_CONFIRMATION] =
	    "an SNS subscription of the queue that waits to be confirmed",
	[SNS_UNSUBSCRIBE_CONFIRMATION] =
	    "an SNS subscription of the queue that has ended",
};

/*
 * False: it is none. IAM has said who may write to the queue, so it is not
 * verified; and it is read once, for most of what comes is an envelope.
 */
static bool
take_envelope(struct sqs_item *item, const struct feedback_source *source,
    const char *body, size_t len)
{
	struct feedback_intake *in = item->poller->amazon->feedback;
	struct sns_message m;
	struct err e = ERR_INIT;

	if (memmem(body, len, "\"TopicArn\"", 10) == NULL)
		return false;
	if (sns_read(&m, body, len, &e) < 0) {
		if (!sns_is_envelope(body, len))
			return false;
		feedback_bury(in, source, body, len, e.text, on_settled, item);
	} else if (m.type != SNS_NOTIFICATION) {
		feedback_bury(
		    in, source, body, len, not_told[m.type], on_settled, item);
	} else {
		feedback_take(in, source, m.message, strlen(m.message), body,
		    len, on_settled, item);
	}
	sns_clear(&m);
	return true;
}

static void
take_body(struct sqs_item *item, const struct feedback_source *source,
    const json_t *body)
{
	struct feedback_intake *in = item->poller->amazon->feedback;
	const char *text = json_string_value(body);
	size_t len = json_string_length(body);

	if (text == NULL)
		feedback_bury(in, source, "", 0, "a message without a body",
		    on_settled, item);
	else if (!take_envelope(item, source, text, len))
		feedback_take(
		    in, source, text, len, text, len, on_settled, item);
}

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static unsigned
receipts_of(const json_t *message)
{
	const json_t *attributes = json_object_get(message, "Attributes");
	const char *text = text_of(attributes, "ApproximateReceiveCount");
	unsigned long n = strtoul(text, NULL, 10);

	return n < 1000000 ? (unsigned)n : 1000000;
}

static void
take_message(struct sqs_poller *p, const json_t *message)
{
	struct feedback_source source = {
		.name = p->config.name,
		.id = text_of(message, "MessageId"),
		.receipts = receipts_of(message),
	};
	struct sqs_item *item = xcalloc(1, sizeof(*item));

	item->poller = p;
	item->handle = xstrdup(text_of(message, "ReceiptHandle"));
	TAILQ_INSERT_TAIL(&p->taken, item, link);
	p->items++;
	p->received++;
	take_body(item, &source, json_object_get(message, "Body"));
}

bool
sqs_take(struct sqs_poller *p, const json_t *messages)
{
	bool any = false;

	for (size_t i = 0; i < json_array_size(messages); i++) {
		const json_t *message = json_array_get(messages, i);

		/* AWS gives no more than it was asked for. */
		if (i == SQS_BATCH || !json_is_object(message))
			break;
		any = any || receipts_of(message) <= STALE;
		take_message(p, message);
	}
	if (json_array_size(messages) > 0)
		p->received_at = clock_wall();
	return any;
}

void
sqs_take_start(struct sqs_poller *p)
{
	TAILQ_INIT(&p->taken);
}

/* feedback.c still has them, and will say how they end. */
void
sqs_take_stop(struct sqs_poller *p)
{
	struct sqs_item *item;

	while ((item = TAILQ_FIRST(&p->taken)) != NULL) {
		TAILQ_REMOVE(&p->taken, item, link);
		item->poller = NULL;
		p->items--;
	}
}
