/*
 * journal.h - what the sandbox received, one JSON object per line, for tests to count against.
 *
 * A line is written with one write(2) to a file opened for appending, and before the reply that
 * it tells of is sent: what a client was told is in the journal, whoever dies next.
 */
#ifndef TESTS_SANDBOX_JOURNAL_H
#define TESTS_SANDBOX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

struct journal;

/* Path NULL: nothing is written. `keep` NULL: no message is kept. NULL on failure. */
struct journal *journal_new(const char *path, const char *keep, struct err *);

/* The number that the next line will bear as "seq". */
uint64_t journal_next(const struct journal *);

/* Begins a line with seq, time, ms and event; add members with json_*, then journal_end. */
struct str *journal_start(struct journal *, const char *event);
struct str *journal_line(struct journal *); /* the line begun */
void journal_end(struct journal *); /* a failed write ends the process: the count would be wrong */

bool journal_keeps(const struct journal *);
/* Stores the bytes of a message as KEEP/SEQ.eml, seq being that of the next line. */
void journal_keep(struct journal *, const char *data, size_t len);

#endif
