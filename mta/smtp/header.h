/*
 * header.h - reads the header of a message as it streams by (RFC 5322 2.2).
 *
 * Feed it the message (dots already unstuffed, lines end in CRLF) in pieces of any size until it
 * says that the header has ended. It keeps the few fields that routing, loop detection and DKIM
 * need, and nothing else, so its memory does not grow with the message.
 */
#ifndef MTA_SMTP_HEADER_H
#define MTA_SMTP_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"

struct header {
	/* Results, valid at any time for what was fed so far. */
	bool ended;              /* the empty line was seen, or a line that is no header field */
	size_t size;             /* bytes of header so far, the empty line included once seen */
	unsigned received;       /* Received fields: hops (RFC 5321 6.3) */
	bool has_date, has_message_id, has_from;
	struct str from_domain;  /* domain of the first mailbox in the first From, lower case; "" */
	struct str message_id;   /* first Message-ID with its brackets, at most 250 bytes; "" */
	struct str tags;         /* of X-SES-MESSAGE-TAGS and X-Oiwake-Tags: "name=value,name=value" with
				    no blanks, what is no such pair left out; at most 50 pairs; "" */

	/* Inside. */
	enum header_state {
		HEADER_LINE,  /* at the first byte of a line */
		HEADER_EMPTY, /* behind a CR that began a line */
		HEADER_NAME,  /* in a field name */
		HEADER_COLON, /* in blanks between name and colon */
		HEADER_VALUE, /* in the rest of a line */
	} state;
	const struct header_field *field; /* the one whose value is being kept, or NULL */
	struct str line;                  /* a name, or that value unfolded; bounded */
	size_t line_start;                /* `size` at the beginning of this line */
};

void header_init(struct header *);
void header_clear(struct header *);

/*
 * Takes the next bytes; after the end it takes none.
 * Returns how many of the bytes belong to the header: len until it ended, less in the piece in
 * which it ends. When the message turns to its body without an empty line (a first line that is
 * no field), the header ends before that line; `size` is exact then also when that line began in an
 * earlier piece.
 */
size_t header_feed(struct header *, const char *data, size_t len);
/* The message is over: takes in the last field where no line followed that would have ended it. */
void header_finish(struct header *);

#endif
