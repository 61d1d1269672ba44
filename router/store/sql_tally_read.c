/*
 * sql_tally_read.c - counts by time, read: a window is made of as few rows
 * as will do.
 *
 * Its days, the hours at its ends that make no day, the minutes at theirs, and
 * the minutes in between that have not been folded yet (sql_tally.c). To
 * these comes what has not been added to its minute yet (sql_counted.c).
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"

#include <stdlib.h>
#include <string.h>

#define NO_END INT64_MAX

struct span { /* from since until before until */
	int64_t since, until;
};

/* A key that is wanted. */
struct wanted {
	int64_t id;
	struct tally_key key;
	char *text;
	struct tally *to; /* of a sum; NULL: not asked yet */
};

/* What was counted in a minute under a key, and is in no table yet. */
struct recent {
	int64_t at;
	struct tally_key key;
	const struct tally *tally;
};

struct reading {
	struct store_reader *reader;
	struct sql *q;
	const struct tally_filter *filter;
	void (*each)(void *, const struct tally_row *);
	struct tally *(*into)(void *, const struct tally_key *);
	void *arg;
	enum tally_level shown_as; /* at least */
	struct span of;
	struct tally_mark folded;
	struct wanted *wanted; /* by id */
	size_t nwanted, n;
	struct counters counted;
	struct recent *recent; /* of these; newest first */
	size_t nrecent, shown; /* so many have been */
};

/* -- keys --------------------------------------------------------------------
 */

static bool
is_one(const char *wanted, const char *value)
{
	return wanted == NULL || strcmp(wanted, value) == 0;
}

static bool
is_wanted(const struct tally_filter *f, const struct tally_key *k)
{
	return is_one(f->path, k->path) && is_one(f->carrier, k->carrier) &&
	       is_one(f->sender, k->sender) && is_one(f->rule, k->rule);
}

static void
want(struct reading *r, int64_t id, const struct tally_key *key)
{
	struct str text = STR_INIT;
	struct wanted *w;

	if ((r->nwanted & (r->nwanted - 1)) == 0)
		r->wanted = xrealloc(r->wanted,
		    (r->nwanted == 0 ? 1 : r->nwanted * 2) * sizeof(*w));
	w = &r->wanted[r->nwanted++];
	tally_key_add(&text, key);
	*w = (struct wanted){ .id = id };
	w->text = str_detach(&text);
	tally_key_read(&w->key, w->text);
}

static void
read_keys(struct reading *r)
{
	struct stmt *st = sql_stmt(r->q, SQL_TALLY_KEYS);
	struct tally_key key;

	while (sql_read_next(r->q, st)) {
		sql_row_tally_key(st, 2, &key);
		if (is_wanted(r->filter, &key))
			want(r, column_int(st, 0), &key);
	}
}

static void
forget_keys(struct reading *r)
{
	for (size_t i = 0; i < r->nwanted; i++)
		free(r->wanted[i].text);
	free(r->wanted);
}

static int
compare(const void *id, const void *wanted)
{
	const struct wanted *w = wanted;
	int64_t i = *(const int64_t *)id;

	return i < w->id ? -1 : i > w->id;
}

/* -- rows ---------------------------------------------------------------------
 */

static void
unpack(struct tally *to, struct stmt *st, struct reading *r)
{
	const void *data = column_blob(st, 2);
	size_t len = (size_t)column_bytes(st, 2);
	struct err e = ERR_INIT;

	if ((r->filter->no_reasons ? tally_unpack_counts(to, data, len, &e)
				   : tally_unpack(to, data, len, &e)) == 0)
		r->n++;
	else
		log_text(LOG_ERROR, "store-read", "%s", e.text);
}

static void
add_to_sum(struct reading *r, struct wanted *w, struct stmt *st)
{
	if (w->to == NULL)
		w->to = r->into(r->arg, &w->key);
	unpack(w->to, st, r);
}

static void
show_one(struct reading *r, enum tally_level level, int64_t at,
    const struct tally_key *key, const struct tally *t)
{
	struct tally_row row = { .key = *key, .tally = t };

	if (level < r->shown_as)
		level = r->shown_as;
	row.at = sql_tally_begin(level, at);
	row.span = sql_tally_span[level];
	r->each(r->arg, &row);
}

/* Those of that time and later. */
static void
show_recent(struct reading *r, int64_t since)
{
	for (; r->shown < r->nrecent; r->shown++) {
		const struct recent *one = &r->recent[r->shown];

		if (one->at < since)
			break;
		r->n++;
		if (r->into != NULL)
			tally_merge(r->into(r->arg, &one->key), one->tally);
		else
			show_one(
			    r, LEVEL_MINUTE, one->at, &one->key, one->tally);
	}
}

static void
show(struct reading *r, enum tally_level level, struct stmt *st)
{
	int64_t at = column_int(st, 0), id = column_int(st, 1);
	struct wanted *w = r->nwanted == 0 ? NULL
					   : bsearch(&id, r->wanted, r->nwanted,
						 sizeof(*w), compare);
	struct tally t = TALLY_INIT;
	size_t before = r->n;

	show_recent(r, at);
	if (w == NULL)
		return;
	if (r->into != NULL) {
		add_to_sum(r, w, st);
		return;
	}
	unpack(&t, st, r);
	if (r->n > before)
		show_one(r, level, at, &w->key, &t);
	tally_clear(&t);
}

/* What is of that level. `unfolded`: of minutes only those that are in no hour
 * yet. */
static void
read_rows(
    struct reading *r, enum tally_level level, struct span of, bool unfolded)
{
	struct tally_mark after = { -1, 0 };
	struct stmt *st = sql_stmt(r->q, SQL_READ_TALLIES);

	if (unfolded)
		after = r->folded;
	if (of.since < after.at)
		of.since = after.at;
	if (of.since >= of.until)
		return;
	bind_int(st, 1, (int)level);
	bind_int(st, 2, of.since);
	bind_int(st, 3, of.until);
	bind_int(st, 4, after.at);
	bind_int(st, 5, after.key);
	while (sql_read_next(r->q, st))
		show(r, level, st);
}

/* -- what is in no table yet -------------------------------------------------
 */

static enum store_status
add_recent(void *arg, const struct tally_row *row)
{
	struct reading *r = arg;

	if (!is_wanted(r->filter, &row->key) || row->at < r->of.since ||
	    row->at >= r->of.until)
		return STORE_OK;
	if ((r->nrecent & (r->nrecent - 1)) == 0)
		r->recent = xrealloc(r->recent,
		    (r->nrecent == 0 ? 1 : r->nrecent * 2) *
			sizeof(*r->recent));
	r->recent[r->nrecent++] =
	    (struct recent){ row->at, row->key, row->tally };
	return STORE_OK;
}

static int
newest_first(const void *a, const void *b)
{
	const struct recent *x = a, *y = b;

	return x->at > y->at ? -1 : x->at < y->at;
}

static void
read_recent(struct reading *r)
{
	counters_init(&r->counted);
	sql_read_counted(r->reader, &r->counted);
	counters_each_minute(&r->counted, add_recent, r);
	if (r->nrecent > 0)
		qsort(r->recent, r->nrecent, sizeof(*r->recent), newest_first);
}

static void
forget_recent(struct reading *r)
{
	free(r->recent);
	counters_release(&r->counted);
}

/* -- windows ------------------------------------------------------------------
 */

static int64_t
round_down(int64_t t, enum tally_level level)
{
	return t == NO_END ? t : sql_tally_begin(level, t);
}

static int64_t
round_up(int64_t t, enum tally_level level)
{
	int64_t span = sql_tally_span[level];

	return t > NO_END - span ? NO_END : round_down(t + span - 1, level);
}

/* The shortest periods that are kept of that time. */
static enum tally_level
finest(int64_t t, int64_t now)
{
	if (t < now - TALLY_HOURS_KEEP)
		return LEVEL_DAY;
	return t < now - TALLY_MINUTES_KEEP ? LEVEL_HOUR : LEVEL_MINUTE;
}

static int64_t
to_what_is_kept(int64_t t, enum tally_level least, int64_t now)
{
	enum tally_level level = finest(t, now);

	return round_down(t > 0 ? t : 0, level > least ? level : least);
}

static void read_span(struct reading *, enum tally_level, struct span);

/* In the middle longer periods, this one at both ends. What is in no hour yet
 * is in minutes. */
static void
read_around(struct reading *r, enum tally_level level, struct span of,
    struct span middle)
{
	read_rows(r, level, (struct span){ middle.until, of.until }, false);
	if (level == LEVEL_MINUTE)
		read_rows(r, level, middle, true);
	read_span(r, (enum tally_level)(level + 1), middle);
	read_rows(r, level, (struct span){ of.since, middle.since }, false);
}

static void
read_span(struct reading *r, enum tally_level level, struct span of)
{
	enum tally_level longer = (enum tally_level)(level + 1);
	struct span middle = of;

	if (level < LEVEL_DAY)
		middle = (struct span){ round_up(of.since, longer),
			round_down(of.until, longer) };
	if (level < LEVEL_DAY && middle.since < middle.until)
		read_around(r, level, of, middle);
	else
		read_rows(r, level, of, false);
}

static void
read_steps(struct reading *r, struct span of)
{
	if (r->shown_as > LEVEL_MINUTE)
		read_rows(r, LEVEL_MINUTE, of, true);
	read_rows(r, r->shown_as, of, false);
}

static void
read_mark(struct reading *r)
{
	struct stmt *st = sql_stmt(r->q, SQL_TALLY_STATE);

	if (sql_read_next(r->q, st)) {
		r->folded = sql_row_mark(st);
		sql_reset(st);
	}
}

static size_t
read_all(struct reading *r, int64_t now)
{
	const struct tally_filter *f = r->filter;

	r->of = (struct span){ to_what_is_kept(f->since, r->shown_as, now),
		NO_END };
	if (f->until != 0)
		r->of.until = to_what_is_kept(f->until, r->shown_as, now);
	read_mark(r);
	read_keys(r);
	read_recent(r);
	if (f->step == TALLY_SUM)
		read_span(r, LEVEL_MINUTE, r->of);
	else
		read_steps(r, r->of);
	show_recent(r, INT64_MIN);
	forget_recent(r);
	forget_keys(r);
	return r->n;
}

size_t
sql_read_tallies(struct store_reader *base, const struct tally_filter *f,
    int64_t now, void (*each)(void *, const struct tally_row *), void *arg)
{
	static const enum tally_level levels[] = {
		[TALLY_SUM] = LEVEL_MINUTE,
		[TALLY_MINUTE] = LEVEL_MINUTE,
		[TALLY_HOUR] = LEVEL_HOUR,
		[TALLY_DAY] = LEVEL_DAY,
	};
	struct reading r = { .reader = base,
		.q = sql_of_reader(base),
		.filter = f,
		.each = each,
		.arg = arg,
		.shown_as = levels[f->step] };

	return read_all(&r, now);
}

size_t
sql_sum_tallies(struct store_reader *base, const struct tally_filter *f,
    int64_t now, struct tally *(*into)(void *, const struct tally_key *),
    void *arg)
{
	struct tally_filter sum = *f;
	struct reading r = { .reader = base,
		.q = sql_of_reader(base),
		.filter = &sum,
		.into = into,
		.arg = arg,
		.shown_as = LEVEL_MINUTE };

	sum.step = TALLY_SUM;
	return read_all(&r, now);
}
