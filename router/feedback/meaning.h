/*
 * meaning.h - what one part of a report means: the one answer of the daemon and of `oiwake classify`.
 *
 * The table of reasons (router/reasons.h) is asked; what no table can know is known here. Whom the report is
 * about, and whether it is believed, is judge.h's. Pure, any thread.
 */
#ifndef ROUTER_FEEDBACK_MEANING_H
#define ROUTER_FEEDBACK_MEANING_H

#include <stdbool.h>

#include "router/reasons.h"

struct report;
struct report_part;

struct meaning {
	const char *reason;           /* lives as long as the table */
	bool hard;
	struct reasons_answer answer; /* the line; its line 0: none was asked for, or none fits */
};

/* `domain` and `group`: of the recipient, as in reasons.h. */
void meaning_find(const struct reasons *, const struct report *, const struct report_part *, const char *domain,
    const char *group, struct meaning *);

/* Some types of feedback come in the form of a complaint and are none: not-spam (RFC 6430), auth-failure
 * (RFC 6591). */
bool meaning_is_complaint(const char *feedback_type);

/* The reason of an automatic reply, a delivery or a complaint: no bounce, though it may look like one. */
bool meaning_is_no_end(const char *reason);

#endif
