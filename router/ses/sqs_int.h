/*
 * sqs_int.h - the inside of a queue's poller: asking (sqs.c), taking what comes (sqs_take.c), deleting
 * it when it is settled (sqs_delete.c).
 */
#ifndef ROUTER_SES_SQS_INT_H
#define ROUTER_SES_SQS_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "router/config.h"
#include "router/ses/call.h"
#include "router/ses/sqs.h"

struct event;
struct sqs_poll;

/* A message that has come and is not deleted yet. */
struct sqs_item {
	TAILQ_ENTRY(sqs_item) link;
	struct sqs_poller *poller; /* NULL: gone while it was being settled */
	char *handle;              /* what deletes it */
	unsigned tries;            /* to delete it */
	unsigned n;                /* its number in its batch */
	bool again;                /* this try has failed, and the next may not */
};
TAILQ_HEAD(sqs_items, sqs_item);

#define SQS_BATCH 10 /* as many as AWS gives and takes at once */

/* One DeleteMessageBatch under way. */
struct sqs_batch {
	LIST_ENTRY(sqs_batch) link;
	struct sqs_poller *poller;
	struct aws_call *call;
	char *body;
	struct sqs_items items;
};

/* How a kind of request fares; all empty while it fares well. */
struct sqs_trouble {
	const char *of;
	char error[80];            /* by which one trouble is told from another */
	char text[640];
	int64_t at;
};

struct sqs_poller {
	LIST_ENTRY(sqs_poller) link;
	struct amazon *amazon;
	struct config_sqs config;  /* its strings are owned */
	struct aws_site *site;

	struct sqs_poll *polls;    /* config.pollers of them */
	struct sqs_items taken;    /* with feedback.c */
	struct sqs_items done;     /* settled, to be deleted */
	LIST_HEAD(, sqs_batch) batches;
	unsigned items, nbatches;  /* in all three; in the last */
	unsigned delete_failures;  /* in a row */
	struct event *deleting;    /* when to look at `done` */

	struct sqs_trouble receiving, removing; /* of ReceiveMessage, of DeleteMessageBatch */
	int64_t received_at;
	uint64_t received, deleted;
};

/* ms to wait after that many failures in a row: doubled from a second to a minute, less up to half of it. */
int64_t sqs_backoff(unsigned failures);
void sqs_after(struct event *, int64_t ms);

/* How a request ended; true: well, and there is JSON. What is news of it goes to the log. */
bool sqs_note(struct sqs_poller *, struct sqs_trouble *, const struct aws_answer *);
/* A request on behalf of the queue. Takes over `args`, adds its URL; *body is the caller's until the end. */
struct aws_call *sqs_ask(struct sqs_poller *, const char *target, json_t *args, int64_t timeout,
    size_t max_answer, char **body, void (*done)(void *arg, const struct aws_answer *), void *arg);

/* sqs_take.c. True: there was something worth asking on for at once. */
bool sqs_take(struct sqs_poller *, const json_t *messages);
void sqs_take_start(struct sqs_poller *);
void sqs_take_stop(struct sqs_poller *);
void sqs_item_free(struct sqs_item *);

/* sqs_delete.c */
void sqs_delete_start(struct sqs_poller *);
void sqs_delete_stop(struct sqs_poller *);
void sqs_delete(struct sqs_item *); /* it is in `done` */

#endif
