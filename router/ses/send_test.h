/*
 * send_test.h - one message to each address of SES's mailbox simulator, as any other mail (facts/aws.md,
 * section 1). Core thread only.
 *
 * It goes the whole way: rules, path, quota, feedback. What should come back of each is in
 * ses_send_test_addresses; who asked for it looks for that in the events of the message.
 */
#ifndef ROUTER_SES_SEND_TEST_H
#define ROUTER_SES_SEND_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"

struct core;

/* In the order of the message's recipients: index 0 is the first. */
struct ses_test_address {
	const char *local;     /* of @simulator.amazonses.com */
	const char *events[3]; /* names of event types that must come after Send; ends with NULL */
};
extern const struct ses_test_address ses_test_addresses[];
#define SES_TESTS 5

/*
 * -1 with *e: the rules send one of them elsewhere than by a ses path, or `from` is no address. Else `done` is
 * called once it is in the store, with the id of the message and NULL, or with the reason why it is not.
 */
int ses_send_test(struct core *, const char *from,
    void (*done)(void *arg, int64_t message, const char *why), void *arg, struct err *e);

#endif
