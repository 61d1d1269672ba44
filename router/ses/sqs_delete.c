/*
 * sqs_delete.c - takes settled messages from the queue.
 *
 * What one commit of the store has settled goes in one request; nothing waits
 * for a batch to fill. What AWS would not delete is tried again a few times,
 * and after that it comes again and is known.
 */
#include "router/ses/sqs_int.h"

#include "mta/base/alloc.h"
#include "router/ses/amazon_int.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define TRIES	   3
#define TIMEOUT	   10000
#define MAX_ANSWER 65536

/* -- the answer ---------------------------------------------------------------
 */

/* An entry of `Failed`. What was our fault will not be better. */
static void
read_failed(struct sqs_batch *b, const json_t *entry)
{
	const char *id = json_string_value(json_object_get(entry, "Id"));
	struct sqs_item *item;

	if (id == NULL || json_is_true(json_object_get(entry, "SenderFault")))
		return;
	TAILQ_FOREACH(item, &b->items, link)
	if (item->n == strtoul(id, NULL, 10))
		item->again = true;
}

static void
read_answer(struct sqs_batch *b, const json_t *answer)
{
	size_t good = json_array_size(json_object_get(answer, "Successful"));
	const json_t *bad = json_object_get(answer, "Failed");

	b->poller->deleted += good < SQS_BATCH ? good : SQS_BATCH;
	for (size_t i = 0; i < json_array_size(bad) && i < SQS_BATCH; i++)
		read_failed(b, json_array_get(bad, i));
}

/* Whether any of it will be tried again. */
static bool
give_back(struct sqs_batch *b)
{
	struct sqs_item *item;
	bool any = false;

	while ((item = TAILQ_FIRST(&b->items)) != NULL) {
		TAILQ_REMOVE(&b->items, item, link);
		if (!item->again || ++item->tries >= TRIES) {
			sqs_item_free(item);
			continue;
		}
		TAILQ_INSERT_TAIL(&b->poller->done, item, link);
		any = true;
	}
	return any;
}

static void
batch_free(struct sqs_batch *b)
{
	struct sqs_item *item;

	aws_call_free(&b->call);
	while ((item = TAILQ_FIRST(&b->items)) != NULL) {
		TAILQ_REMOVE(&b->items, item, link);
		sqs_item_free(item);
	}
	LIST_REMOVE(b, link);
	b->poller->nbatches--;
	free(b->body);
	free(b);
}

static void
on_deleted(void *arg, const struct aws_answer *a)
{
	struct sqs_batch *b = arg;
	struct sqs_poller *p = b->poller;
	bool well = sqs_note(p, &p->removing, a);
	struct sqs_item *item;

	b->call = NULL; /* it frees itself */
	if (well)
		read_answer(b, a->json);
	else
		TAILQ_FOREACH(item, &b->items, link)
	item->again = true;
	if (give_back(b) || !well)
		p->delete_failures++;
	else
		p->delete_failures = 0;
	batch_free(b);
	if (!TAILQ_EMPTY(&p->done))
		sqs_after(p->deleting, sqs_backoff(p->delete_failures));
}

/* -- the request --------------------------------------------------------------
 */

static void
add_entry(json_t *entries, unsigned n, const struct sqs_item *item)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", n);
	json_array_append_new(entries,
	    json_pack("{s:s, s:s}", "Id", id, "ReceiptHandle", item->handle));
}

static void
send_batch(struct sqs_poller *p)
{
	struct sqs_batch *b = xcalloc(1, sizeof(*b));
	json_t *entries = json_array();
	struct sqs_item *item;

	b->poller = p;
	TAILQ_INIT(&b->items);
	LIST_INSERT_HEAD(&p->batches, b, link);
	p->nbatches++;
	for (unsigned n = 0; n < SQS_BATCH; n++) {
		if ((item = TAILQ_FIRST(&p->done)) == NULL)
			break;
		TAILQ_REMOVE(&p->done, item, link);
		TAILQ_INSERT_TAIL(&b->items, item, link);
		item->n = n;
		item->again = false;
		add_entry(entries, n, item);
	}
	b->call = sqs_ask(p, "AmazonSQS.DeleteMessageBatch",
	    json_pack("{s:o}", "Entries", entries), TIMEOUT, MAX_ANSWER,
	    &b->body, on_deleted, b);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct sqs_poller *p = arg;

	(void)fd;
	(void)what;
	while (!TAILQ_EMPTY(&p->done) && p->nbatches < 2 * p->config.pollers)
		send_batch(p);
}

/* Once this turn of the loop has brought all that is settled, unless we wait
 * because of a failure. */
void
sqs_delete(struct sqs_item *item)
{
	struct sqs_poller *p = item->poller;

	TAILQ_INSERT_TAIL(&p->done, item, link);
	if (!event_pending(p->deleting, EV_TIMEOUT, NULL))
		sqs_after(p->deleting, 0);
}

void
sqs_delete_start(struct sqs_poller *p)
{
	p->removing.of = "DeleteMessageBatch";
	TAILQ_INIT(&p->done);
	LIST_INIT(&p->batches);
	p->deleting = event_new(p->amazon->base, -1, 0, on_time, p);
}

void
sqs_delete_stop(struct sqs_poller *p)
{
	struct sqs_batch *b, *next;
	struct sqs_item *item;

	for (b = LIST_FIRST(&p->batches); b != NULL; b = next) {
		next = LIST_NEXT(b, link);
		batch_free(b);
	}
	while ((item = TAILQ_FIRST(&p->done)) != NULL) {
		TAILQ_REMOVE(&p->done, item, link);
		sqs_item_free(item);
	}
	event_free(p->deleting);
}
