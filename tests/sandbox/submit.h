/*
 * submit.h - one message handed to SES, by whichever way: taken apart, judged, told of.
 */
#ifndef TESTS_SANDBOX_SUBMIT_H
#define TESTS_SANDBOX_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"
#include "tests/sandbox/events.h"
#include "tests/sandbox/ses.h"

struct sandbox;

struct submission {
	const char *operation; /* "SMTP", "SendEmail", "SendRawEmail" */
	size_t most;           /* bytes a message may have */
	char *source;          /* reverse-path */
	char *from;            /* sender named beside it; NULL: none */
	char **to;
	size_t nto;
	char *set;             /* configuration set; NULL: none */
	struct ses_mail_tag *tags;
	size_t ntags;
	struct str id;         /* given when accepted; data NULL until then */
};

void submission_clear(struct submission *);
void submission_to(struct submission *, const char *address);
void submission_set(struct submission *, const char *set); /* replaces; "" is none */
void submission_tag(struct submission *, const char *name, size_t name_len, const char *value,
    size_t value_len);

/* Reads X-SES-CONFIGURATION-SET (unless a set is there already) and X-SES-MESSAGE-TAGS. */
void submission_read(struct submission *, const char *data, size_t len);
/* Everything SES looks at, in its order; SES_OK spends rate and quota and gives the id. `text`: the
 * sentence, unless SES_OK. `size` may be more than `len`, when only the beginning is at hand. */
enum ses_fault submission_judge(struct sandbox *, struct submission *, const char *data,
    size_t len, size_t size, struct str *text);
/* configuration_set, tags, ses_id for the journal. */
void submission_journal(const struct submission *, struct str *o);
/* After the journal's line: tells events.c of a message that was accepted. Returns the ms by which the
 * answer to it is to be held back. */
unsigned submission_tell(
    struct sandbox *, const struct submission *, const char *data, size_t len);

#endif
