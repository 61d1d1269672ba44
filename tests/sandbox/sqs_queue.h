/*
 * sqs_queue.h - the messages of one queue of the sandbox's SQS.
 *
 * A message is waiting or in flight; in flight it becomes waiting again when its visibility timeout is over.
 * Made for a million messages: bodies that are the same are shared, ids and handles are derived, not kept.
 */
#ifndef TESTS_SANDBOX_SQS_QUEUE_H
#define TESTS_SANDBOX_SQS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/base/str.h"

struct event_base;
struct sqs_queue;

struct sqs_body {
	size_t refs, len;
	char md5[33];
	char data[];
};
struct sqs_body *sqs_body_new(const char *data, size_t len); /* one reference */
void sqs_body_unref(struct sqs_body **);

struct sqs_message {
	struct sqs_body *body;
	uint64_t number; /* of its queue, from 1 */
	size_t slot;
	int64_t sent, first; /* wall ms: put in, first received (0: not yet) */
	unsigned received;   /* how often */
	/* sqs_queue.c only */
	TAILQ_ENTRY(sqs_message) link; /* while it waits */
	struct event *timer; /* NULL: waiting */
	struct sqs_queue *queue;
};

struct sqs_counts {
	uint64_t sent, received, deleted;
	size_t waiting, in_flight;
};

/* `filled` is called when a message has come to wait; not from within take or remove. */
struct sqs_queue *sqs_queue_new(struct event_base *, void (*filled)(void *arg), void *arg);
void sqs_queue_push(struct sqs_queue *, struct sqs_body *); /* takes a reference of its own */
/* The next one that waits, now in flight for so many seconds (0: it waits on, behind the others). NULL: none. */
struct sqs_message *sqs_queue_take(struct sqs_queue *, unsigned visibility);
/* By handle: 1, 0 when it is gone already, -1 when that is no handle. `again`: it is put back instead. */
int sqs_queue_remove(struct sqs_queue *, const char *handle, bool again);
int sqs_queue_visibility(struct sqs_queue *, const char *handle, unsigned seconds); /* as remove */
void sqs_queue_purge(struct sqs_queue *);
void sqs_queue_counts(const struct sqs_queue *, struct sqs_counts *);

void sqs_message_handle(const struct sqs_message *, struct str *); /* appended */
void sqs_number_id(uint64_t number, struct str *);                 /* a message's id, appended */
uint64_t sqs_queue_last(const struct sqs_queue *);                 /* number of the last one put in */

#endif
