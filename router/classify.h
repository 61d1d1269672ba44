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
#include "router/reasons.h"
#include "rules/rules.h"

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
	const char *at_expiry;/* the reason when it was the answer until the end; NULL: "expired" */
	int64_t pause;        /* ms the lane rests; 0: as back-off says. HOLD: the path rests for the
				 configured time of a probe */
	bool pause_source;    /* that rest is of all lanes of the source */
	bool slow;            /* halve the lane's rate and connections: the peer says too fast */
	bool split;           /* again at once, with fewer recipients in a session */
	bool resend;          /* the same; what the session had delivered is lost as well */
	bool requote;         /* again at once, its local part in the other form */
	bool reconnect;       /* the session is worn out, nothing is wrong: go on at once with a new one */
};

/* The rules say what replies of a group mean and what is done (ruleset_reply); NULL: none do. The table of
 * reasons says what all others mean; NULL: the one that is compiled in. */
void classify(const struct ruleset *, const struct reasons *, enum path_kind, const char *group,
    const struct outcome *, struct verdict *);

/* Why a recipient has expired whose last answer, as recipient.last keeps it, was this: "expired", or
 * what the group's reply means when it never changes. */
const char *classify_expired(const struct ruleset *, const char *group, const char *last);

/* An enhanced status for a DSN and the log: the peer's, else one that fits the reason. */
const char *classify_status(const struct outcome *, const struct verdict *);

#endif
