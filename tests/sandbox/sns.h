/*
 * sns.h - the sandbox's SNS: one topic, which posts what it is told to its HTTPS subscriptions, signed.
 */
#ifndef TESTS_SANDBOX_SNS_H
#define TESTS_SANDBOX_SNS_H

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "tests/sandbox/aws.h"

#define SNS_TOPIC     "ses-events"
#define SNS_TOPIC_ARN "arn:aws:sns:" AWS_REGION ":" AWS_ACCOUNT ":" SNS_TOPIC

struct sandbox;
struct sns;

/* Its keys are made when they are first needed; by then the sandbox's CA (tls.h) is there. */
struct sns *sns_new(struct sandbox *);
/* To all who are subscribed. */
void sns_publish(struct sandbox *, const char *subject, const char *message);

/* `set sns KEY VALUE`, `sns VERB ...` and `get sns`, as main.c lists. 0 or -1. */
int sns_set(struct sandbox *, const char *key, const char *value, struct err *);
int sns_command(struct sandbox *, char *args, struct str *out, struct err *);
void sns_show(const struct sandbox *, struct str *);

#endif
