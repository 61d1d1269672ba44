/*
 * sqs.h - the sandbox's SQS: queues by name, kept in memory, spoken to in the JSON protocol.
 */
#ifndef TESTS_SANDBOX_SQS_H
#define TESTS_SANDBOX_SQS_H

#include <stddef.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

#define SQS_QUEUE "ses-events" /* where SES's events go unless `set sqs events` says otherwise */

struct sandbox;
struct sqs;

struct sqs *sqs_new(struct sandbox *);
/* An event of SES, as its topic has it: put into the events' queue, in an SNS envelope unless raw is on. */
void sqs_publish(struct sandbox *, const char *subject, const char *message);

/* `set sqs KEY VALUE`, `sqs VERB ...` and `get sqs`, as main.c lists. 0 or -1. */
int sqs_set(struct sandbox *, const char *key, const char *value, struct err *);
int sqs_command(struct sandbox *, char *args, struct str *out, struct err *);
void sqs_show(const struct sandbox *, struct str *);

#endif
