/*
 * ses_take.h - a message that came by an API, whichever: scenarios, mood, verdict, journal.
 */
#ifndef TESTS_SANDBOX_SES_TAKE_H
#define TESTS_SANDBOX_SES_TAKE_H

#include "tests/sandbox/aws.h"
#include "tests/sandbox/submit.h"

/* Judges and journals it. SES_OK: it has an id, and the caller answers with that. Otherwise the
 * exchange has been answered and is gone. Clears neither. */
enum ses_fault ses_take(
    struct aws_exchange *, struct submission *, const char *data, size_t len);
/* Answers a request to send that cannot even be read, and journals that. */
void ses_take_not(struct aws_exchange *, const char *operation, const char *text);
/* Any other action: journals it. False: it came too soon after the one before, and has been answered. */
bool ses_take_call(struct aws_exchange *, const char *operation);
/* The one address in "A <a@b>" or "a@b", freed by the caller. */
char *ses_take_address(const char *text);
/* Recipients of the header, for a request that names none. */
void ses_take_header(struct submission *, const char *data, size_t len);
/* A message of From, To, Cc, Subject and one or two bodies; text or html may be NULL. */
struct ses_simple {
	const char *from, *to, *cc, *reply_to, *subject, *text, *html;
	const char *more; /* header lines with their ends */
};
void ses_take_compose(const struct ses_simple *, struct str *out);

#endif
