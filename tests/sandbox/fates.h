/*
 * fates.h - what becomes of a recipient that SES has accepted, as a table.
 *
 * A fate is a row, or several that follow each other and bear the same word: an event each.
 */
#ifndef TESTS_SANDBOX_FATES_H
#define TESTS_SANDBOX_FATES_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"

enum event_type {
	EVENT_SEND,
	EVENT_DELIVERY,
	EVENT_BOUNCE,
	EVENT_COMPLAINT,
	EVENT_REJECT,
	EVENT_DELAY,
	EVENT_TYPES,
	EVENT_NONE = EVENT_TYPES, /* of a fate: nothing is told */
};

struct fate {
	const char *word;
	enum event_type type;
	const char *kind;      /* bounceType, complaintFeedbackType, delayType */
	const char *sub;       /* bounceSubType, complaintSubType */
	const char *status;    /* with it: action, status and diagnosticCode */
	const char *text;      /* diagnosticCode, smtpResponse; holds {addr}. NULL: what the receiving system says */
	const char *reporting; /* reportingMTA */
	const char *agent;     /* userAgent of a complaint */
};

/* The first row for an address; the next rows of the same word belong to it. */
const struct fate *fate_of(const char *address);
/* The rows for an address on the account's suppression list, there for a complaint or a bounce. */
const struct fate *fate_suppressed(bool complaint);
/* Whether suppressionlist@simulator... answers as documented or as seen in 2026. */
void fate_simulator_today(bool);

/* The row behind it, NULL after the last of the fate. */
const struct fate *fate_next(const struct fate *);
/* Appends the text for an address; the status that goes with it. */
const char *fate_text(const struct fate *, const char *address, struct str *);

#endif
