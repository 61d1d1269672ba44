/*
 * sql_whom.c - of whom the log of events tells where.
 *
 * An index of the log by address would be larger than any other and written to
 * at random: each event would cost a page and some 20 us. Instead every
 * thousand events have a Bloom filter of their recipients and senders' domains,
 * two bytes an event and written once; a search reads the filters and looks
 * only at those thousands that may hold what is looked for. Those after the
 * last filter are looked at as they are, so a filter may be missing and nothing
 * is overlooked: after a restart, a rollback or an upgrade they are made a
 * slice at a time, at the beginning of transactions, when what is seen is what
 * is committed.
 *
 * The filter of a key is the same on every machine: it is stored.
 */
#include "router/store/sql_int.h"

#include "mta/base/map.h"

#include <string.h>

#define SLICE 5000 /* events that are gone through in one transaction */
#define PICKS 6	   /* bits per key */
#define BITS  (WHOM_BYTES * 8)

#define FNV_PRIME UINT64_C(0x100000001b3)

/* -- keys ------------------------------------------------------------------ */

/* FNV-1a, whose upper bits are weak: mixed as MurmurHash3 does at its end. */
static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

/* In lower case: an address is looked for as people write it. Kinds are apart
 * from each other, for a domain may be sender and recipient. */
struct whom_key
sql_whom_key(enum whom_kind kind, const char *text)
{
	uint64_t h = HASH_START ^ (uint64_t)kind;

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		c |= c >= 'A' && c <= 'Z' ? 'a' - 'A' : 0;
		h = (h ^ c) * FNV_PRIME;
	}
	return (struct whom_key){ mix(h), mix(h + 1) | 1 };
}

static unsigned
pick(const struct whom_key *key, unsigned i)
{
	return (unsigned)((key->first + i * key->step) % BITS);
}

static void
put(unsigned char *bits, struct whom_key key)
{
	for (unsigned i = 0; i < PICKS; i++)
		bits[pick(&key, i) / 8] |=
		    (unsigned char)(1u << pick(&key, i) % 8);
}

bool
sql_whom_may_hold(const void *bits, size_t len, const struct whom_key *key)
{
	const unsigned char *byte = bits;

	if (len != WHOM_BYTES)
		return true;
	for (unsigned i = 0; i < PICKS; i++)
		if (!(byte[pick(key, i) / 8] >> pick(key, i) % 8 & 1))
			return false;
	return true;
}

/* -- as events are told -----------------------------------------------------
 */

static void
start(struct whom *w)
{
	memset(w->bits, 0, sizeof(w->bits));
	w->n = 0;
}

static enum store_status
finish(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_WHOM);
	struct whom *w = &eng->whom;
	enum store_status status;

	bind_int(st, 1, w->last);
	bind_int(st, 2, w->first);
	bind_blob(st, 3, w->bits, sizeof(w->bits));
	status = sql_run(eng->q, st, "note whom events are of", e);
	start(w);
	return status;
}

static enum store_status
add(struct sql_engine *eng, int64_t seq, const char *recipient,
    const char *sender, struct err *e)
{
	struct whom *w = &eng->whom;

	if (w->n == 0)
		w->first = w->last + 1;
	w->last = seq;
	put(w->bits, sql_whom_key(WHOM_RECIPIENT, recipient));
	put(w->bits, sql_whom_key(WHOM_SENDER, sender));
	return ++w->n < WHOM_EVENTS ? STORE_OK : finish(eng, e);
}

enum store_status
sql_whom_add(struct sql_engine *eng, int64_t seq, const char *recipient,
    const char *sender, struct err *e)
{
	return eng->whom.state == WHOM_READY
		   ? add(eng, seq, recipient, sender, e)
		   : STORE_OK;
}

void
sql_whom_forget(struct sql_engine *eng)
{
	eng->whom.state = WHOM_UNKNOWN;
}

/* -- from the log -----------------------------------------------------------
 */

static enum store_status
find_last(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_LAST_WHOM);
	enum store_status status;

	start(&eng->whom);
	if (sql_next(eng->q, st, "read events", &status, e))
		eng->whom.last = column_int(st, 0);
	sql_reset(st);
	if (status == STORE_OK)
		eng->whom.state = WHOM_BEHIND;
	return status;
}

enum store_status
sql_whom_warm(struct sql_engine *eng, bool *more, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_WHOM_AFTER);
	enum store_status status = STORE_OK, added = STORE_OK;
	size_t n = 0;

	*more = false;
	if (eng->whom.state == WHOM_READY)
		return STORE_OK;
	if (eng->whom.state == WHOM_UNKNOWN)
		status = find_last(eng, e);
	if (status != STORE_OK)
		return status;
	bind_int(st, 1, eng->whom.last);
	bind_int(st, 2, SLICE);
	while (added == STORE_OK &&
	       sql_next(eng->q, st, "read events", &status, e)) {
		added = add(eng, column_int(st, 0), column_text(st, 1),
		    column_text(st, 2), e);
		n++;
	}
	sql_reset(st);
	if (added != STORE_OK || status != STORE_OK)
		return added != STORE_OK ? added : status;
	*more = n == SLICE;
	if (!*more)
		eng->whom.state = WHOM_READY;
	return STORE_OK;
}

enum store_status
sql_whom_trim(struct sql_engine *eng, struct err *e)
{
	return sql_run(
	    eng->q, sql_stmt(eng->q, SQL_TRIM_WHOM), "remove old filters", e);
}
