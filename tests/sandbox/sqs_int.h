/*
 * sqs_int.h - what the files of the sandbox's SQS share: queues, long polls, a request under way.
 */
#ifndef TESTS_SANDBOX_SQS_INT_H
#define TESTS_SANDBOX_SQS_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "mta/base/str.h"
#include "tests/sandbox/aws.h"
#include "tests/sandbox/sqs.h"
#include "tests/sandbox/sqs_queue.h"

#define SQS_VISIBLE_MOST 43200 /* seconds */

struct event;
struct queue;
struct waiter { /* a ReceiveMessage that waits */
	TAILQ_ENTRY(waiter) link;
	struct aws_exchange *x;
	struct queue *queue;
	struct event *timer;
	unsigned most, visibility;
	bool attributes;
};

struct queue {
	LIST_ENTRY(queue) link;
	struct sqs *sqs;
	char *name;
	struct sqs_queue *messages;
	TAILQ_HEAD(, waiter) waiters;
	unsigned n_waiters;
};

enum sqs_mood { MOOD_NORMAL, MOOD_SAME, MOOD_ERROR, MOOD_GONE };

struct sqs {
	struct sandbox *sandbox;
	LIST_HEAD(, queue) queues;
	char *events; /* name of the queue for SES's events */
	unsigned mood;
	bool raw;
	bool spoilt; /* by a mood that is aws.c's */
};

struct call {
	struct aws_exchange *x;
	struct sqs *sqs;
	struct queue *queue; /* NULL: the action names none */
	json_t *in;
	struct str out; /* the answer's members */
};

struct queue *sqs_find(const struct sqs *, const char *name); /* NULL: there is none */
struct queue *sqs_made(struct sqs *, const char *name);       /* if need be */

/* sqs_receive.c: ReceiveMessage, and those who wait, when there is something. */
int sqs_receive(struct call *);
void sqs_serve(struct queue *);

/* sqs_actions.c: a member's text, "" for none; an answer of these members; a refusal, which returns -1. */
const char *sqs_text(const json_t *, const char *name);
void sqs_answer(struct aws_exchange *, const struct str *members);
int sqs_refuse(struct call *, const char *type, const char *message);

#endif
