/*
 * reply.h - reads a server's replies as they arrive (RFC 5321 4.2, RFC 2034,
 * RFC 3463).
 *
 * Fed pieces of any size, it says when one reply, all its lines included, is
 * complete. Servers are strangers: lines may end in a bare LF, hold control
 * bytes (which become spaces) or carry any separator after the code
 * ("554:Transaction failed"), but a reply is bounded in size, its code is three
 * digits from 200 to 599, and all its lines have the same one.
 */
#ifndef MTA_SMTP_REPLY_H
#define MTA_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"
#include "mta/outcome.h"

enum reply_progress {
	REPLY_MORE, /* all bytes taken, the reply goes on */
	REPLY_DONE, /* complete; the next reply_feed begins another one */
	REPLY_BAD,  /* no SMTP reply; `bad` says why. Feed it no more */
};

struct reply {
	int code;	 /* of the first line; 0 before it is complete */
	struct str text; /* text of the lines without codes, joined by LF, no
			    other control byte */
	const char *bad; /* why REPLY_BAD, as a sentence */

	/* Inside. */
	struct str line; /* a line whose end has not come yet */
	size_t size;	 /* bytes of this reply so far */
	size_t max;
	bool done;
};

void reply_init(struct reply *, size_t max);
void reply_release(struct reply *);

/* Takes bytes up to the end of one reply; *used says how many. */
enum reply_progress reply_feed(
    struct reply *, const char *data, size_t len, size_t *used);

/* True between the first byte of a reply and its last. */
bool reply_begun(const struct reply *);

/*
 * The complete reply as an outcome: the lines joined by one space, without the
 * enhanced status where its class is that of the code (RFC 2034 4). `permanent`
 * follows the code.
 */
void reply_outcome(const struct reply *, enum outcome_scope, enum smtp_stage,
    struct outcome *);

#endif
