/*
 * suppress.h - which addresses must not be written to, and why.
 *
 * What is suppressed is the store's (store.h), which looks before a recipient comes into memory and before each
 * attempt; here is the policy: what an end with some reason does to the list. Only causes that lie with the
 * recipient suppress: userunknown, hostunknown, hasmoved, a complaint at once; mailboxfull, suspend and others that
 * the settings name after so many in so long. Never filtered, blocked, policyviolation, badreputation, spamdetected
 * or a sender's fault, whatever the settings say: `oiwake check` refuses them. Pure, any thread.
 */
#ifndef ROUTER_SUPPRESS_H
#define ROUTER_SUPPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct outcome;
struct suppress_cause;

/*
 * The key of an address: one for all its forms. Its local part unquoted, all ASCII letters in lower case; "a..b@x"
 * and "\"a..b\"@X" are the same. Free it. NULL: no address.
 */
char *suppress_key(const char *address);

#define SUPPRESS_COMPLAINT "complaint"
#define SUPPRESS_MANUAL    "manual" /* a cause, and no reason: an operator's */

/* What a reason of the vocabulary says of the address: that it is no more, or is not wanted any more; that it takes
 * no mail for now; nothing. */
enum suppress_nature { SUPPRESS_HARD, SUPPRESS_SOFT, SUPPRESS_NEVER };

struct suppress_reason {
	const char *name;
	enum suppress_nature nature;
	const char *why_never; /* in words; NULL but for NEVER */
};
const struct suppress_reason *suppress_reason_find(const char *name); /* NULL: there is no such reason */

/* An end of somebody's mail, as it bears on the list. */
struct suppress_ask {
	const char *path;              /* that sent it; NULL, "": the store will know */
	const char *carrier;           /* the recipient's, for the time an entry is good; "" */
	const char *reason;            /* "complaint" for complaints */
	const struct outcome *outcome; /* what was said; NULL: nothing that bears on it */
	bool soft;                     /* whoever said so does not take it to be for ever */
	int64_t at;                    /* wall ms */
};

/*
 * What it does to the list; false: nothing. What was said before a recipient was named says nothing of him, whatever
 * its words. A receiving system that says in RCPT that it knows the domain not, or will not relay for it, may be the
 * one in disorder, for all of its subscribers at once: it must say so SUPPRESS_RELAY_STRIKES times.
 * out->evidence and ->source are left to the caller.
 */
#define SUPPRESS_RELAY_STRIKES 3
bool suppress_by_outcome(const struct config *, const struct suppress_ask *, struct suppress_cause *out);

#endif
