/*
 * lint.h - what in a message's form a receiving system is known to refuse, found before it is sent.
 *
 * Fed with the bytes of the message as they come in; keeps no more than counters and the name of one
 * field. Says what it found and never changes anything: a signature over the message stands.
 * Sources: facts of the carriers (SoftBank: empty From or Message-ID, header size; docomo: lines over
 * 1000 bytes with their end), RFC 5322 3.6 (fields that may occur once).
 */
#ifndef MTA_SMTP_LINT_H
#define MTA_SMTP_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"

struct lint {
	/* Results, of what was fed so far. */
	uint64_t size;             /* bytes */
	uint64_t header_size;      /* the empty line included; exact once the header has ended */
	uint64_t longest_line;     /* bytes without its end */
	uint64_t longest_at;       /* its line number, from 1 */
	bool no_from, empty_from;  /* meaningful once the header has ended */
	bool no_message_id, empty_message_id;
	const char *twice;         /* name of the first field that occurs twice and must not; NULL */

	/* Inside. */
	enum lint_state {
		LINT_LINE,  /* at the first byte of a line of the header */
		LINT_EMPTY, /* behind a CR that began one */
		LINT_NAME,  /* in a field name */
		LINT_COLON, /* in blanks between name and colon */
		LINT_VALUE, /* in the rest of a line */
		LINT_BODY
	} state;
	uint64_t line, line_length; /* the one in hand; a CR at its end is not counted yet */
	bool cr;                    /* that CR */
	unsigned seen;              /* bits of the fields that may occur once */
	char name[32];              /* one that is longer is none of them */
	size_t name_len;
	int field;                  /* the one of them in hand; -1: another */
	bool filled;                /* its value holds something */
};

void lint_init(struct lint *);
/* The message in pieces of any size; header and body. */
void lint_feed(struct lint *, const char *data, size_t len);
/* At the end of a line: lines are numbered from 1 again. What was fed so far is not the author's. */
void lint_number_lines(struct lint *);
void lint_finish(struct lint *);

struct lint_limits {
	uint64_t size;             /* bytes; 0: no limit, as below */
	uint64_t header;
	uint64_t line;
	uint64_t added;            /* bytes that sending will add to the header: counted with it and
				      with the size */
};

/* After lint_finish. 0: nothing to say against it; -1 with *e: the first thing wrong, as a sentence
 * that names number and limit: "a line of 1204 bytes (line 17) is longer than 998". e->code is
 * EMSGSIZE when it is the size of the message, else 0. */
int lint_judge(const struct lint *, const struct lint_limits *, struct err *e);

#endif
