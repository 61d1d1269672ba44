/*
 * classify.h - from an outcome to what it means and what follows.
 *
 * One way for all inputs: (path kind, group, stage, code, enhanced status, text) -> reason in
 * Sisimai's vocabulary, and what is done. The stage decides where the text cannot: docomo's and
 * au's 550 is "no such user" at RCPT and "the user's filter" at the end of DATA. Pure, any thread.
 */
#ifndef ROUTER_CLASSIFY_H
#define ROUTER_CLASSIFY_H

#include <stdint.h>

#include "mta/outcome.h"
#include "router/config.h"

enum verdict_action {
	VERDICT_SENT,     /* the next hop took it */
	VERDICT_RETRY,    /* again later */
	VERDICT_BOUNCE,   /* never: the recipient's fate is settled */
	VERDICT_FILTERED, /* never, but the address is good */
	VERDICT_HOLD,     /* the path is broken: nothing counts as attempted, the path pauses */
};

struct verdict {
	enum verdict_action action;
	const char *reason;   /* "userunknown", "filtered", "networkerror" ...; "delivered" */
	int64_t pause;        /* ms the lane rests; 0: as back-off says. HOLD: the path rests for the
				 configured time of a probe */
	bool slow;            /* lower the lane's rate: the peer says too fast */
	bool reconnect;       /* the session is worn out, nothing is wrong: go on at once with a new one */
};

void classify(enum path_kind, const char *group, const struct outcome *, struct verdict *);

/* An enhanced status for a DSN and the log: the peer's, else one that fits the reason. */
const char *classify_status(const struct outcome *, const struct verdict *);

#endif
