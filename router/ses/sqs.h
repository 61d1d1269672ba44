/*
 * sqs.h - takes feedback from an SQS queue by long polling (facts/aws.md, section 5). Amazon thread only.
 *
 * A message is deleted only after feedback.h has settled or buried it. What cannot be deleted comes again, and
 * is known then. Beyond FEEDBACK_MOST nothing more is asked for.
 */
#ifndef ROUTER_SES_SQS_H
#define ROUTER_SES_SQS_H

#include <stdbool.h>
#include <stdint.h>

struct amazon;
struct config_sqs;
struct sqs_poller;

/* Starts at once, and stands in amazon->pollers until it is freed. Copies the settings. */
struct sqs_poller *sqs_poller_new(struct amazon *, const struct config_sqs *);
/* At any time: a long poll is cut short. What is being settled will be, comes again, and is known then. */
void sqs_poller_free(struct sqs_poller **);
/* The one after it in amazon->pollers, NULL: it is the last. */
struct sqs_poller *sqs_poller_next(const struct sqs_poller *);
/* Whether that section says what this poller does. */
bool sqs_poller_is(const struct sqs_poller *, const struct config_sqs *);
const char *sqs_poller_name(const struct sqs_poller *);

struct sqs_state {
	const char *name, *queue;
	const char *trouble;      /* of the last request; "" when it went well */
	int64_t trouble_at, received_at;
	uint64_t received, deleted;
};
void sqs_poller_state(const struct sqs_poller *, struct sqs_state *);

#endif
