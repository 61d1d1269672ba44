/*
 * sql_tally.c - counts by time: minutes, hours, days.
 *
 * What was counted (sql_counted.c) is added to its minute only. Minutes that nothing
 * is expected for any more are folded into their hours and days later, in
 * between; how far that has come is stored with it (tally_state), so that it is
 * done once whenever the process ends. What is counted in a minute that has
 * been folded goes to all three.
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"

#include <stdlib.h>

/* A minute is folded when it has been over for that long: ms after it began. */
#define FOLD_AFTER (INT64_C(3) * 60 * 1000)

const int64_t sql_tally_span[LEVELS] = {
	[LEVEL_MINUTE] = INT64_C(60) * 1000,
	[LEVEL_HOUR] = INT64_C(3600) * 1000,
	[LEVEL_DAY] = INT64_C(86400) * 1000,
};

int64_t
sql_tally_begin(enum tally_level level, int64_t at)
{
	return at - at % sql_tally_span[level];
}

struct tally_mark
sql_row_mark(struct stmt *st)
{
	return (struct tally_mark){ column_int(st, 0), column_int(st, 1) };
}

enum store_status
sql_tally_load(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_TALLY_STATE);
	enum store_status status;

	if (sql_next(eng->q, st, "read what is counted", &status, e)) {
		eng->folded = sql_row_mark(st);
		eng->committed_fold = eng->folded;
		eng->engine.counted_since = column_int(st, 2);
		eng->counted.upto = column_int(st, 3);
		eng->counted.folder = column_int(st, 4);
		eng->counted.at = column_int(st, 5);
		eng->committed_counted = eng->counted;
	}
	sql_reset(st);
	return status;
}

/* -- one row -----------------------------------------------------------------
 */

static void
bind_place(struct stmt *st, enum tally_level level, int64_t at, int64_t key)
{
	bind_int(st, 1, (int)level);
	bind_int(st, 2, at);
	bind_int(st, 3, key);
}

/* What a row says is added to *t. Nothing, when somebody has tampered with it:
 * mail goes on. */
static void
add_row(struct tally *t, struct stmt *st, int column)
{
	struct err e = ERR_INIT;

	if (tally_unpack(t, column_blob(st, column),
		(size_t)column_bytes(st, column), &e) < 0)
		log_text(LOG_ERROR, "store-tally", "%s", e.text);
}

/* What is there already is added to *t. */
static enum store_status
add_stored(struct sql_engine *eng, enum tally_level level, int64_t at,
    int64_t key, struct tally *t, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_TALLY);
	enum store_status status;

	bind_place(st, level, at, key);
	if (sql_next(eng->q, st, "read what is counted", &status, e))
		add_row(t, st, 0);
	sql_reset(st);
	return status;
}

/* Adds to the row of the period that `at` is in. */
static enum store_status
add_to(struct sql_engine *eng, enum tally_level level, int64_t at, int64_t key,
    const struct tally *more, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_PUT_TALLY);
	struct str *packed = &eng->packed_tally;
	struct tally all = TALLY_INIT;
	enum store_status status;

	at = sql_tally_begin(level, at);
	status = add_stored(eng, level, at, key, &all, e);
	if (status == STORE_OK) {
		tally_merge(&all, more);
		str_clear(packed);
		tally_pack(&all, packed);
		bind_place(st, level, at, key);
		bind_blob(st, 4, packed->data, packed->len);
		status = sql_run(eng->q, st, "count", e);
	}
	tally_clear(&all);
	return status;
}

/* -- what is counted now ------------------------------------------------------
 */

/* Until that before now a period is kept, and written to as long as it is; a
 * little longer than it is read. */
static int64_t
kept_from(const struct sql_engine *eng, enum tally_level level, int64_t now)
{
	const int64_t *span = sql_tally_span;
	const int64_t since[LEVELS] = {
		[LEVEL_MINUTE] = now - TALLY_MINUTES_KEEP - span[LEVEL_HOUR],
		[LEVEL_HOUR] = now - TALLY_HOURS_KEEP - span[LEVEL_DAY],
		[LEVEL_DAY] = now - eng->tally_keep - span[LEVEL_DAY],
	};

	return since[level];
}

static bool
is_folded(const struct sql_engine *eng, int64_t at, int64_t key)
{
	return at < eng->folded.at ||
	       (at == eng->folded.at && key <= eng->folded.key);
}

/* What is counted there and then: in its minute, or, when that has been folded,
 * in all three that are kept. */
static bool
goes_to(const struct sql_engine *eng, enum tally_level level, int64_t at,
    int64_t key, int64_t now)
{
	if (!is_folded(eng, at, key))
		return level == LEVEL_MINUTE;
	return sql_tally_begin(level, at) >= kept_from(eng, level, now);
}

static enum store_status
key_of(struct sql_engine *eng, const struct tally_row *row, int64_t *key,
    struct err *e)
{
	return sql_tally_key(
	    eng, &row->key, sql_tally_begin(LEVEL_DAY, row->at), key, e);
}

enum store_status
sql_add_tally(struct engine *base, const struct tally_row *row, int64_t now,
    struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	int64_t key = 0;
	enum store_status st = key_of(eng, row, &key, e);

	for (int i = 0; i < LEVELS && st == STORE_OK; i++) {
		enum tally_level level = (enum tally_level)i;

		if (goes_to(eng, level, row->at, key, now))
			st = add_to(eng, level, row->at, key, row->tally, e);
	}
	return st;
}

/* Once: the second time it is another. */
static void
announce(struct sql_engine *eng, enum tally_level level, int64_t at,
    int64_t key, struct keyed_table *asked)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_TALLY);
	const int64_t place[] = { (int)level, sql_tally_begin(level, at), key };

	str_clear(&eng->tally_key);
	str_add(&eng->tally_key, place, sizeof(place));
	if (keyed_find(asked, &eng->tally_key) != NULL)
		return;
	keyed_add(asked, sizeof(struct keyed), &eng->tally_key);
	bind_place(st, level, place[1], key);
	sql_ahead(eng->q, st, "read what is counted");
}

enum store_status
sql_announce_tally(struct sql_engine *eng, const struct tally_row *row,
    int64_t now, struct keyed_table *asked, struct err *e)
{
	int64_t key = 0;
	enum store_status st = key_of(eng, row, &key, e);

	for (int i = 0; i < LEVELS && st == STORE_OK; i++)
		if (goes_to(eng, (enum tally_level)i, row->at, key, now))
			announce(eng, (enum tally_level)i, row->at, key, asked);
	return st;
}

/* -- what was counted then ----------------------------------------------------
 */

struct counted {
	int64_t key;
	struct tally tally;
};

/* The next rows that are to be folded: of one minute, the first of all, at most
 * max. */
static enum store_status
next_minute(struct sql_engine *eng, int64_t before, size_t max, int64_t *at,
    struct counted *row, size_t *n, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_NEXT_MINUTE);
	enum store_status status = STORE_OK;

	bind_int(st, 1, eng->folded.at);
	bind_int(st, 2, eng->folded.key);
	bind_int(st, 3, before);
	bind_int(st, 4, (int64_t)max);
	while (status == STORE_OK && *n < max &&
	       sql_next(eng->q, st, "read what is counted", &status, e)) {
		if (*n > 0 && column_int(st, 0) != *at)
			break;
		*at = column_int(st, 0);
		row[*n].key = column_int(st, 1);
		add_row(&row[*n].tally, st, 2);
		++*n;
	}
	sql_reset(st);
	return status;
}

static enum store_status
set_folded(struct sql_engine *eng, int64_t at, int64_t key, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_FOLDED);

	eng->folded = (struct tally_mark){ at, key };
	bind_int(st, 1, at);
	bind_int(st, 2, key);
	return sql_run(eng->q, st, "count", e);
}

/* Their keys differ. */
static void
announce_hours(
    struct sql_engine *eng, int64_t at, const struct counted *row, size_t n)
{
	struct keyed_table asked = { 0 };

	for (size_t i = 0; i < n; i++)
		for (int level = LEVEL_HOUR; level < LEVELS; level++)
			announce(eng, (enum tally_level)level, at, row[i].key,
			    &asked);
	keyed_clear(&asked, NULL);
	free(asked.slot);
}

enum store_status
sql_fold_tallies(
    struct engine *base, int64_t now, size_t max, size_t *folded, struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	struct counted *row = xcalloc(max, sizeof(*row));
	enum store_status st;
	int64_t at = 0;
	size_t n = 0;

	st = next_minute(eng, now - FOLD_AFTER, max, &at, row, &n, e);
	if (st == STORE_OK && eng->q->far)
		announce_hours(eng, at, row, n);
	for (size_t i = 0; i < n && st == STORE_OK; i++)
		for (int level = LEVEL_HOUR; level < LEVELS && st == STORE_OK;
		     level++)
			st = add_to(eng, (enum tally_level)level, at,
			    row[i].key, &row[i].tally, e);
	/* All of it, with any key that comes yet, when there were no more. */
	if (st == STORE_OK && n > 0)
		st = set_folded(
		    eng, at, n < max ? INT64_MAX : row[n - 1].key, e);
	for (size_t i = 0; i < n; i++)
		tally_clear(&row[i].tally);
	free(row);
	*folded = n;
	return st;
}

static enum store_status
trim_level(struct sql_engine *eng, enum tally_level level, int64_t now,
    size_t max, size_t *trimmed, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_TRIM_TALLIES);
	bool all = level != LEVEL_MINUTE;
	enum store_status status;

	bind_int(st, 1, (int)level);
	bind_int(st, 2, kept_from(eng, level, now));
	bind_int(st, 3, all ? INT64_MAX : eng->folded.at);
	bind_int(st, 4, all ? INT64_MAX : eng->folded.key);
	bind_int(st, 5, (int64_t)max);
	status = sql_run(eng->q, st, "remove old counts", e);
	*trimmed += (size_t)sql_changes(eng->q);
	return status;
}

/* Those that no day kept has counted under. */
static enum store_status
trim_keys(struct sql_engine *eng, int64_t now, size_t max, size_t *trimmed,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_TRIM_TALLY_KEYS);
	enum store_status status;
	size_t n;

	bind_int(st, 1, kept_from(eng, LEVEL_DAY, now));
	bind_int(st, 2, (int64_t)max);
	status = sql_run(eng->q, st, "remove old keys", e);
	n = (size_t)sql_changes(eng->q);
	*trimmed += n;
	if (n > 0)
		sql_tally_keys_forget(eng);
	return status;
}

enum store_status
sql_trim_tallies(struct engine *base, int64_t now, size_t max, size_t *trimmed,
    struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	enum store_status st = STORE_OK;

	*trimmed = 0;
	for (int level = 0; level < LEVELS && st == STORE_OK; level++)
		st = trim_level(
		    eng, (enum tally_level)level, now, max, trimmed, e);
	return st == STORE_OK ? trim_keys(eng, now, max, trimmed, e) : st;
}
