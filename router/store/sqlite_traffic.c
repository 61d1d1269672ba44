/*
 * sqlite_traffic.c - the envelopes of recent mail, to try rules on.
 *
 * Written with the enqueue that they belong to, and cheaply: one row per
 * message, few columns, no index. All text of a row is one value, five strings
 * and then the recipients, each behind a flag; NUL ends them all, the one byte
 * that none can hold. The oldest rows go in passing, many at once and not
 * often.
 */
#include "router/store/sqlite_int.h"

#include "mta/base/log.h"

#include <string.h>

#define ROW_MAX 100  /* recipients in a row */
#define SLACK	1000 /* recipients kept beyond the number that was asked for */
#define SLICE	4000 /* recipients let go at once: a few ms */

enum { REGULAR = '-', IRREGULAR = '!' };

/* -- putting ------------------------------------------------------------- */

static void
add_string(struct str *to, const char *s)
{
	str_add(to, s, strlen(s) + 1);
}

/* Packs up to ROW_MAX recipients from *r on and moves *r behind them. */
static int64_t
pack(struct str *to, const struct message *m, const struct recipient **r)
{
	int64_t n = 0;

	str_clear(to);
	add_string(to, m->from);
	add_string(to, m->header_from);
	add_string(to, m->user);
	add_string(to, m->listener);
	add_string(to, m->tags);
	for (; *r != NULL && n < ROW_MAX; *r = TAILQ_NEXT(*r, link), n++) {
		str_addc(to, (*r)->irregular ? IRREGULAR : REGULAR);
		add_string(to, (*r)->address);
	}
	return n;
}

static enum store_status
add_row(struct sqlite_engine *eng, const struct message *m, int64_t recipients,
    struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_ADD_TRAFFIC);
	struct traffic_ends *t = &eng->traffic;
	int i = 1;

	t->seq += recipients;
	if (t->latest < m->received)
		t->latest = m->received;
	sqlite3_bind_int64(st, i++, t->seq);
	sqlite3_bind_int64(st, i++, m->received);
	sqlite3_bind_int64(st, i++, t->latest - m->received);
	sqlite3_bind_int64(st, i++, (int64_t)m->size);
	sqlite3_bind_blob64(
	    st, i, eng->packed.data, eng->packed.len, SQLITE_STATIC);
	return sqlite_run(&eng->q, st, "keep an envelope", e);
}

/* The last seq that is too old. */
static int64_t
too_old(const struct sqlite_engine *eng)
{
	return eng->traffic.seq - (int64_t)eng->traffic_keep;
}

/* A small number is meant as such. */
static int64_t
slack(const struct sqlite_engine *eng)
{
	return eng->traffic_keep / 32 < SLACK
		   ? (int64_t)(eng->traffic_keep / 32)
		   : SLACK;
}

/* Lets go of at most so many recipients, if it is worth it. */
static enum store_status
trim(struct sqlite_engine *eng, int64_t max, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(&eng->q, SQL_TRIM_TRAFFIC);
	struct traffic_ends *t = &eng->traffic;
	int64_t until = too_old(eng);

	if (until - t->trimmed <= slack(eng))
		return STORE_OK;
	if (until > t->trimmed + max)
		until = t->trimmed + max;
	t->trimmed = until;
	sqlite3_bind_int64(st, 1, until);
	return sqlite_run(&eng->q, st, "let go of old envelopes", e);
}

enum store_status
sqlite_add_traffic(struct sqlite_engine *eng, const struct message *m,
    const struct recipient_list *recipients, struct err *e)
{
	const struct recipient *r = TAILQ_FIRST(recipients);
	enum store_status st = STORE_OK;
	int64_t before = eng->traffic.seq;

	if (eng->traffic_keep == 0 || strcmp(m->listener, "dsn") == 0)
		return STORE_OK;
	while (r != NULL && st == STORE_OK)
		st = add_row(eng, m, pack(&eng->packed, m, &r), e);
	/* More goes than came, however much that was. */
	return st == STORE_OK
		   ? trim(eng, SLICE + 2 * (eng->traffic.seq - before), e)
		   : st;
}

enum store_status
sqlite_trim_traffic(struct engine *base, bool *more, struct err *e)
{
	struct sqlite_engine *eng = sqlite_of(base);
	enum store_status st = trim(eng, SLICE, e);

	*more = too_old(eng) - eng->traffic.trimmed > slack(eng);
	return st;
}

/* -- the ends ------------------------------------------------------------ */

/* *first and *last are 0 when there is no row. */
static enum store_status
get_ends(struct sqlite *q, int64_t *first, int64_t *last, struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(q, SQL_TRAFFIC_ENDS);
	enum store_status status;

	*first = *last = 0;
	if (sqlite_next(q, st, "read envelopes", &status, e) == SQLITE_ROW) {
		*first = sqlite3_column_int64(st, 0);
		*last = sqlite3_column_int64(st, 1);
	}
	sqlite3_reset(st);
	return status;
}

/* Of the first row behind `after`: its seq, and the latest time of it and all
 * before it. They stay as they are when there is none. */
static enum store_status
get_next(struct sqlite *q, int64_t after, int64_t *seq, int64_t *latest,
    struct err *e)
{
	sqlite3_stmt *st = sqlite_stmt(q, SQL_TRAFFIC_NEXT);
	enum store_status status;

	sqlite3_bind_int64(st, 1, after);
	if (sqlite_next(q, st, "read envelopes", &status, e) == SQLITE_ROW) {
		*seq = sqlite3_column_int64(st, 0);
		*latest = sqlite3_column_int64(st, 1);
	}
	sqlite3_reset(st);
	return status;
}

enum store_status
sqlite_traffic_load(struct sqlite_engine *eng, struct err *e)
{
	struct traffic_ends *t = &eng->traffic;
	enum store_status st;
	int64_t first;

	st = get_ends(&eng->q, &first, &t->seq, e);
	if (st == STORE_OK && t->seq > 0) {
		t->trimmed = first - 1;
		st = get_next(&eng->q, t->seq - 1, &t->seq, &t->latest, e);
	}
	eng->committed = eng->traffic;
	return st;
}

/* -- reading ------------------------------------------------------------- */

/* A seq with nothing since that time up to it and, as far as the order of the
 * rows tells, nothing older behind it. */
static enum store_status
skip_old(struct sqlite *q, int64_t since, int64_t *after, struct err *e)
{
	int64_t high, middle, seq = *after, latest = since;
	enum store_status st = get_ends(q, &seq, &high, e);

	if (*after < seq - 1)
		*after = seq - 1;
	while (st == STORE_OK && *after < high) {
		middle = *after + (high - *after) / 2;
		st = get_next(q, middle, &seq, &latest, e);
		if (latest >= since)
			high = middle;
		else
			*after = seq;
	}
	return st;
}

/* What is left of a row's text. */
struct packed {
	const char *p, *end;
};

/* The next string; NULL at the end, and where a NUL is missing: nothing here
 * wrote that. */
static const char *
take(struct packed *text)
{
	const char *s = text->p, *nul = NULL;

	if (s < text->end)
		nul = memchr(s, '\0', (size_t)(text->end - s));
	text->p = nul != NULL ? nul + 1 : text->end;
	return nul != NULL ? s : NULL;
}

static const char *
take_or_empty(struct packed *text)
{
	const char *s = take(text);

	return s != NULL ? s : "";
}

static void
read_row(sqlite3_stmt *st, void (*each)(void *, const struct traffic_row *),
    void *arg)
{
	const char *data = sqlite3_column_blob(st, 3), *s;
	struct packed text = { data, data + sqlite3_column_bytes(st, 3) };
	struct traffic_row row = {
		.seq = sqlite3_column_int64(st, 0),
		.at = sqlite3_column_int64(st, 1),
		.size = (uint64_t)sqlite3_column_int64(st, 2),
	};

	row.from = take_or_empty(&text);
	row.header_from = take_or_empty(&text);
	row.user = take_or_empty(&text);
	row.listener = take_or_empty(&text);
	row.tags = take_or_empty(&text);
	while ((s = take(&text)) != NULL && *s != '\0') {
		row.irregular = *s == IRREGULAR;
		row.address = s + 1;
		each(arg, &row);
	}
}

size_t
sqlite_read_traffic(struct store_reader *r, int64_t since, int64_t after,
    size_t limit, void (*each)(void *, const struct traffic_row *), void *arg)
{
	struct sqlite *q = sqlite_of_reader(r);
	sqlite3_stmt *st = sqlite_stmt(q, SQL_READ_TRAFFIC);
	struct err e = ERR_INIT;
	size_t n = 0;

	/* Only a short cut: what it finds is looked at in any case. */
	if (skip_old(q, since, &after, &e) != STORE_OK)
		log_text(LOG_ERROR, "store-read", "%s", e.text);
	sqlite3_bind_int64(st, 1, after);
	sqlite3_bind_int64(st, 2, since);
	sqlite3_bind_int64(st, 3, (int64_t)limit);
	for (; sqlite_read_next(q, st); n++)
		read_row(st, each, arg);
	return n;
}
