/*
 * lint.h - what in a message's form a receiving system is known to refuse, found before it is sent.
 *
 * Fed with the bytes of the message as they come in; keeps no more than counters and the start of
 * each field. Says what it found and never changes anything: a signature over the message stands.
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
	uint64_t header_size;      /* the empty line included */
	uint64_t longest_line;     /* bytes without CRLF */
	uint64_t longest_at;       /* its line number, from 1 */
	bool no_from, empty_from;  /* meaningful once the header has ended */
	bool no_message_id, empty_message_id;
	const char *twice;         /* name of the first field that occurs twice and must not; NULL */

	/* Inside. */
	uint64_t line, line_length;
	unsigned seen;             /* bits of the single fields */
	bool ended, at_start, in_name, cr, value_seen;
	char name[32];
	size_t name_len;
	int field;                 /* the single field in hand; -1: none */
};

void lint_init(struct lint *);
/* The message in pieces of any size; header and body. */
void lint_feed(struct lint *, const char *data, size_t len);
void lint_finish(struct lint *);

struct lint_limits {
	uint64_t size;             /* bytes; 0: no limit, as below */
	uint64_t header;
	uint64_t line;
};

/* 0: nothing to say against it; -1 with *e: the first thing wrong, as a sentence that names number
 * and limit: "a line of 1204 bytes (line 17) is longer than 998". */
int lint_judge(const struct lint *, const struct lint_limits *, struct err *e);

#endif
