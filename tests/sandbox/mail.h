/*
 * mail.h - the transaction of a session, and what the journal says of it.
 */
#ifndef TESTS_SANDBOX_MAIL_H
#define TESTS_SANDBOX_MAIL_H

#include <stdbool.h>

#include "tests/sandbox/session.h"

struct verdict { /* on a message after its final dot */
	bool accepted;
	int code;         /* 0: no reply is sent */
	const char *what; /* delivered, refused, closed-after-dot ... */
};

/* Adds a recipient, refused until told otherwise; takes `to`, copies `params`. The pointer is
 * good until the next one is added. */
struct rcpt *mail_add(struct session *, char *to, const char *params);

/* The line "message"; s->reply holds the text of the reply. */
void mail_journal(struct session *, const struct verdict *, bool complete);
/* The line "refused" for a sender (to NULL) or recipient; s->reply holds the text. */
void mail_journal_refused(struct session *, enum stage, const char *to, int code);

/* What the journal says of a message's own header. */
void mail_journal_fields(struct str *, const char *data, size_t len);

/* Remembers the message about to be written down as accepted, and takes all of them back. */
void mail_remember(struct session *);
void mail_withdraw(struct session *);

#endif
