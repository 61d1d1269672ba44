/*
 * sql_counted.c - what transactions count, written down and added up later.
 *
 * A transaction that settles a hundred recipients may count under as many keys.
 * To change the row of each would cost more than all else that it does, and of
 * several nodes each would wait for the others: those rows are everybody's. So
 * a transaction writes one row of its own, a record (counters.c) of all that it
 * counts. Some time later what has gathered is added to the tables `counter`
 * and `tally`, each key once, and tally_state.counted says up to which record
 * that is done: it is part of that transaction, so that each is added once
 * whatever happens in between. Who reads adds up himself what comes after it.
 *
 * Of several nodes one at a time does this, the one that gets the lock; the
 * others go on. Only it writes to these tables. It takes no record before all
 * with a smaller seq are there (sql_heard.c), and leaves those that it has
 * added until all nodes have heard of them.
 */
#include "router/store/sql_int.h"

#include "mta/base/clock.h"
#include "mta/base/log.h"

#include <stdlib.h>

#define MUCH	    (4u << 20)	   /* bytes: those of some 20,000 recipients */
#define SLICE	    500		   /* records added up in one transaction */
#define AT_LATEST   60000	   /* ms after the last time */
#define TOGETHER    5000	   /* ms: so seldom, of all nodes together */
#define HEARD_AFTER INT64_C(60000) /* ms that every node has for hearing */

static bool
is_shared(const struct sql_engine *eng)
{
	return sql_stmt(eng->q, SQL_COUNT_LOCK) != NULL;
}

/* -- written down ------------------------------------------------------------
 */

enum store_status
sql_add_counters(
    struct engine *base, const struct counters *c, int64_t now, struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_COUNTED);

	str_clear(&eng->record);
	if (!counters_pack(c, &eng->record))
		return STORE_OK;
	eng->counted.bytes += eng->record.len;
	bind_int(st, 1, base->teller);
	bind_int(st, 2, now);
	bind_int(st, 3, counters_queued(c));
	bind_blob(st, 4, eng->record.data, eng->record.len);
	return sql_run(eng->q, st, "count", e);
}

/* -- added up ----------------------------------------------------------------
 */

struct adding {
	struct sql_engine *eng;
	int64_t now;
	struct keyed_table asked;
	struct err *e;
};

/* The next records. *more: not all that there are. */
static enum store_status
next_records(
    struct sql_engine *eng, struct counters *to, bool *more, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_NEXT_COUNTED);
	enum store_status status = STORE_OK;
	struct err damaged = ERR_INIT;
	size_t n = 0, bytes = 0;

	bind_int(st, 1, eng->counted.upto);
	bind_int(st, 2, SLICE);
	while (bytes < MUCH &&
	       sql_next(eng->q, st, "read what was counted", &status, e)) {
		eng->counted.upto = column_int(st, 0);
		if (counters_unpack(to, column_blob(st, 1), column_bytes(st, 1),
			&damaged) < 0)
			log_text(LOG_ERROR, "store-count", "%s", damaged.text);
		bytes += column_bytes(st, 1);
		n++;
	}
	sql_reset(st);
	*more = n == SLICE || bytes >= MUCH;
	return status;
}

static enum store_status
announce(void *arg, const struct tally_row *row)
{
	struct adding *a = arg;

	return sql_announce_tally(a->eng, row, a->now, &a->asked, a->e);
}

static enum store_status
add_minute(void *arg, const struct tally_row *row)
{
	struct adding *a = arg;

	return sql_add_tally(&a->eng->engine, row, a->now, a->e);
}

static enum store_status
add_all_time(void *arg, const struct counter_row *row)
{
	struct adding *a = arg;
	struct stmt *st = sql_stmt(a->eng->q, SQL_ADD_COUNTER);
	const char *key[] = { row->path, row->carrier, row->group, row->sender,
		row->source, row->rule, row->configuration_set };
	int i = 1;

	for (size_t k = 0; k < sizeof(key) / sizeof(key[0]); k++)
		bind_text(st, i++, key[k]);
	for (int k = 0; k < COUNT_MAX; k++)
		bind_int(st, i++, row->n[k]);
	return sql_run(a->eng->q, st, "count", a->e);
}

/* Far away all that is there already is asked for at once. */
static enum store_status
add_all(struct adding *a, const struct counters *c)
{
	enum store_status st = STORE_OK;

	if (a->eng->q->far)
		st = counters_each_minute(c, announce, a);
	if (st == STORE_OK)
		st = counters_each_minute(c, add_minute, a);
	if (st == STORE_OK)
		st = counters_each(c, add_all_time, a);
	keyed_clear(&a->asked, NULL);
	free(a->asked.slot);
	return st;
}

static enum store_status
add_records(struct sql_engine *eng, int64_t now, bool *more, struct err *e)
{
	struct adding a = { .eng = eng, .now = now, .e = e };
	struct counters c;
	enum store_status st;

	counters_init(&c);
	st = next_records(eng, &c, more, e);
	if (st == STORE_OK)
		st = add_all(&a, &c);
	counters_release(&c);
	return st;
}

/* How many wait when the store is opened. */
enum store_status
sql_count_load(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_COUNTED_BYTES);
	enum store_status status;

	if (is_shared(eng))
		return STORE_OK;
	if (sql_next(eng->q, st, "read what was counted", &status, e))
		eng->counted.bytes = (size_t)column_int(st, 0);
	sql_reset(st);
	eng->committed_counted = eng->counted;
	return status;
}

/* -- whose turn it is --------------------------------------------------------
 */

/* What others have done in their turns is not in memory. */
static enum store_status
take_turn(struct sql_engine *eng, int64_t now, bool *mine, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_COUNT_LOCK);
	enum store_status status;

	*mine = true;
	if (!is_shared(eng))
		return STORE_OK;
	*mine = sql_next(eng->q, st, "take turns", &status, e) &&
		column_int(st, 0) != 0;
	sql_reset(st);
	if (status == STORE_OK && *mine)
		status = sql_tally_load(eng, e);
	if (status != STORE_OK || !*mine)
		return status;
	if (eng->counted.folder != eng->engine.epoch)
		sql_tally_keys_forget(eng);
	/* A clock that was wrong holds nobody up. */
	*mine = now < eng->counted.at || now >= eng->counted.at + TOGETHER;
	return STORE_OK;
}

/* That it is done; `more`: but not with all. */
static enum store_status
end_turn(struct sql_engine *eng, int64_t now, bool more, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_COUNTED);
	enum store_status status;

	if (!is_shared(eng) && eng->counted.upto == eng->committed_counted.upto)
		return STORE_OK;
	eng->counted.folder = eng->engine.epoch;
	eng->counted.at = more ? 0 : now;
	bind_int(st, 1, eng->counted.upto);
	bind_int(st, 2, eng->counted.folder);
	bind_int(st, 3, eng->counted.at);
	status = sql_run(eng->q, st, "count", e);
	if (status != STORE_OK)
		return status;
	st = sql_stmt(eng->q, SQL_TRIM_COUNTED);
	bind_int(st, 1, eng->counted.upto);
	bind_int(st, 2, is_shared(eng) ? now - HEARD_AFTER : INT64_MAX);
	return sql_run(eng->q, st, "remove old counts", e);
}

static bool
is_time(const struct sql_engine *eng, bool turn)
{
	if (is_shared(eng))
		return turn;
	return eng->counted.bytes >= MUCH ||
	       (turn && clock_mono() >= eng->count_up_at);
}

static enum store_status
count_up(struct sql_engine *eng, int64_t now, bool *more, struct err *e)
{
	enum store_status st = add_records(eng, now, more, e);

	if (st == STORE_OK && !*more) {
		eng->counted.bytes = 0;
		eng->count_up_at = clock_mono() + AT_LATEST;
	}
	return st;
}

/* Minutes, and what is old. */
static enum store_status
keep_tallies(
    struct sql_engine *eng, int64_t now, size_t max, bool *more, struct err *e)
{
	size_t folded = 0, trimmed = 0;
	enum store_status st =
	    sql_fold_tallies(&eng->engine, now, max, &folded, e);

	if (st == STORE_OK)
		st = sql_trim_tallies(&eng->engine, now, max, &trimmed, e);
	*more = *more || folded > 0 || trimmed >= max;
	return st;
}

enum store_status
sql_keep_counts(struct engine *base, int64_t now, bool turn, size_t max,
    bool *more, struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	enum store_status st;
	bool mine;

	*more = false;
	if (!turn && !is_time(eng, turn))
		return STORE_OK;
	st = take_turn(eng, now, &mine, e);
	if (st != STORE_OK || !mine)
		return st;
	if (is_time(eng, turn))
		st = count_up(eng, now, more, e);
	if (st == STORE_OK && turn)
		st = keep_tallies(eng, now, max, more, e);
	return st == STORE_OK ? end_turn(eng, now, *more, e) : st;
}

enum store_status
sql_count_up(struct engine *base, int64_t now, bool *more, struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	enum store_status st;

	*more = false;
	if (is_shared(eng) || eng->counted.bytes == 0)
		return STORE_OK;
	st = count_up(eng, now, more, e);
	return st == STORE_OK ? end_turn(eng, now, *more, e) : st;
}
