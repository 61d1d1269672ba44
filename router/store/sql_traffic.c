/*
 * sql_traffic.c - the envelopes of recent mail, to try rules on.
 *
 * Written in the transaction of the enqueue that they belong to, and cheaply:
 * the messages of a transaction are packed into one row, without an index.
 *
 *	row = entry...	entry = seq at size from header-from user listener tags
 *				recipient... NUL
 *
 * Numbers are of 8 bytes, lowest first. Strings end in NUL, the one byte that
 * none can hold; a recipient has a flag in front. An entry is a message, or a
 * hundred recipients of a larger one; its seq, and that of its row, is the
 * number of its last recipient. The oldest rows go in passing, many at once and
 * not often.
 *
 * Where many nodes number them the database gives a row its numbers when it is
 * put (far): until then its entries count from 1. Each node lets go of the
 * oldest when it has put some; traffic.trimmed says how many it has put since.
 */
#include "router/store/sql_int.h"

#include "mta/base/log.h"

#include <string.h>

#define ENTRY_MAX 100  /* recipients in an entry */
#define ROW_FULL  100  /* recipients after which a row takes no more entries */
#define SLACK	  1000 /* recipients kept beyond the number that was asked for */
#define SLICE	  4000 /* recipients let go at once: a few ms */

enum { REGULAR = '-', IRREGULAR = '!' };

/* -- packing ------------------------------------------------------------- */

static void
put_number(char *to, int64_t n)
{
	for (int i = 0; i < 8; i++)
		to[i] = (char)((uint64_t)n >> 8 * i & 0xff);
}

static void
add_number(struct str *to, int64_t n)
{
	char bytes[8];

	put_number(bytes, n);
	str_add(to, bytes, sizeof(bytes));
}

static void
add_string(struct str *to, const char *s)
{
	str_add(to, s, strlen(s) + 1);
}

/* Up to ENTRY_MAX recipients from r on. Returns the first that is left. */
static const struct recipient *
add_recipients(struct str *to, const struct recipient *r, int64_t *n)
{
	for (*n = 0; r != NULL && *n < ENTRY_MAX; r = TAILQ_NEXT(r, link)) {
		str_addc(to, r->irregular ? IRREGULAR : REGULAR);
		add_string(to, r->address);
		++*n;
	}
	str_addc(to, '\0');
	return r;
}

static const struct recipient *
add_entry(struct sql_engine *eng, const struct message *m,
    const struct recipient *r, int64_t *all)
{
	struct traffic_ends *t = &eng->traffic;
	struct str *to = &eng->packed;
	size_t start = to->len;
	int64_t n;

	add_number(to, 0); /* seq: when it is known */
	add_number(to, m->received);
	add_number(to, (int64_t)m->size);
	add_string(to, m->from);
	add_string(to, m->header_from);
	add_string(to, m->user);
	add_string(to, m->listener);
	add_string(to, m->tags);
	r = add_recipients(to, r, &n);
	t->seq += n;
	if (t->latest < m->received)
		t->latest = m->received;
	eng->npacked += n;
	*all += n;
	put_number(to->data + start, t->seq);
	return r;
}

/* -- putting ------------------------------------------------------------- */

void
sql_traffic_forget(struct sql_engine *eng)
{
	eng->traffic = eng->committed;
	str_clear(&eng->packed);
	eng->npacked = 0;
}

enum store_status
sql_traffic_flush(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_TRAFFIC);
	enum store_status status;

	if (eng->npacked == 0)
		return STORE_OK;
	bind_int(st, 1, eng->q->far ? eng->npacked : eng->traffic.seq);
	bind_int(st, 2, eng->traffic.latest);
	bind_blob(st, 3, eng->packed.data, eng->packed.len);
	status = sql_run(eng->q, st, "keep envelopes", e);
	str_clear(&eng->packed);
	eng->npacked = 0;
	if (eng->q->far)
		eng->traffic.seq = 0;
	return status;
}

/* The last seq that is too old. */
static int64_t
too_old(const struct sql_engine *eng)
{
	return eng->traffic.seq - (int64_t)eng->traffic_keep;
}

/* A small number is meant as such. */
static int64_t
slack(const struct sql_engine *eng)
{
	return eng->traffic_keep / 32 < SLACK
		   ? (int64_t)(eng->traffic_keep / 32)
		   : SLACK;
}

/* Lets go of at most so many recipients, if it is worth it. */
static enum store_status
trim(struct sql_engine *eng, int64_t max, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_TRIM_TRAFFIC);
	struct traffic_ends *t = &eng->traffic;
	int64_t until = too_old(eng);

	if (until - t->trimmed <= slack(eng))
		return STORE_OK;
	if (until > t->trimmed + max)
		until = t->trimmed + max;
	t->trimmed = until;
	bind_int(st, 1, until);
	return sql_run(eng->q, st, "let go of old envelopes", e);
}

static enum store_status
trim_far(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_TRIM_TRAFFIC);

	eng->traffic.trimmed = 0;
	bind_int(st, 1, (int64_t)eng->traffic_keep);
	bind_int(st, 2, SLICE);
	return sql_run(eng->q, st, "let go of old envelopes", e);
}

static enum store_status
count_far(struct sql_engine *eng, int64_t n, struct err *e)
{
	eng->traffic.trimmed += n;
	return eng->traffic.trimmed >= slack(eng) ? trim_far(eng, e) : STORE_OK;
}

enum store_status
sql_add_traffic(struct sql_engine *eng, const struct message *m,
    const struct recipient_list *recipients, struct err *e)
{
	const struct recipient *r = TAILQ_FIRST(recipients);
	enum store_status st = STORE_OK;
	int64_t before = eng->traffic.seq, n = 0;

	if (eng->traffic_keep == 0 || strcmp(m->listener, "dsn") == 0)
		return STORE_OK;
	while (r != NULL && st == STORE_OK) {
		r = add_entry(eng, m, r, &n);
		if (eng->npacked >= ROW_FULL)
			st = sql_traffic_flush(eng, e);
	}
	if (st != STORE_OK)
		return st;
	if (eng->q->far)
		return count_far(eng, n, e);
	/* More goes than came, however much that was. */
	return trim(eng, SLICE + 2 * (eng->traffic.seq - before), e);
}

enum store_status
sql_trim_traffic(struct engine *base, bool *more, struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	enum store_status st;

	if (eng->q->far) {
		st = trim_far(eng, e);
		*more = sql_changes(eng->q) == SLICE;
		return st;
	}
	st = trim(eng, SLICE, e);
	*more = too_old(eng) - eng->traffic.trimmed > slack(eng);
	return st;
}

/* -- the ends ------------------------------------------------------------ */

/* *first and *last are 0 when there is no row. */
static enum store_status
get_ends(struct sql *q, int64_t *first, int64_t *last, struct err *e)
{
	struct stmt *st = sql_stmt(q, SQL_TRAFFIC_ENDS);
	enum store_status status;

	*first = *last = 0;
	if (sql_next(q, st, "read envelopes", &status, e)) {
		*first = column_int(st, 0);
		*last = column_int(st, 1);
	}
	sql_reset(st);
	return status;
}

/* Of the first row behind `after`: its seq, and the latest time of it and all
 * before it. They stay as they are when there is none. */
static enum store_status
get_next(
    struct sql *q, int64_t after, int64_t *seq, int64_t *latest, struct err *e)
{
	struct stmt *st = sql_stmt(q, SQL_TRAFFIC_NEXT);
	enum store_status status;

	bind_int(st, 1, after);
	if (sql_next(q, st, "read envelopes", &status, e)) {
		*seq = column_int(st, 0);
		*latest = column_int(st, 1);
	}
	sql_reset(st);
	return status;
}

enum store_status
sql_traffic_load(struct sql_engine *eng, struct err *e)
{
	struct traffic_ends *t = &eng->traffic;
	enum store_status st;
	int64_t first;

	if (eng->q->far)
		return STORE_OK;
	st = get_ends(eng->q, &first, &t->seq, e);
	if (st == STORE_OK && t->seq > 0) {
		t->trimmed = first - 1;
		st = get_next(eng->q, t->seq - 1, &t->seq, &t->latest, e);
	}
	eng->committed = eng->traffic;
	return st;
}

/* -- reading ------------------------------------------------------------- */

/* Moves *after on: rows up to it have nothing since that time and, as far as
 * their order tells, rows behind it nothing older. */
static enum store_status
skip_old(struct sql *q, int64_t since, int64_t *after, struct err *e)
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

/* What is left of a row. */
struct packed {
	const char *p, *end;
};

/* What is cut off reads as 0, "" and no recipient; nothing here writes that. */
static int64_t
take_number(struct packed *text)
{
	uint64_t n = 0;

	if (text->end - text->p < 8) {
		text->p = text->end;
		return 0;
	}
	for (int i = 7; i >= 0; i--)
		n = n << 8 | (unsigned char)text->p[i];
	text->p += 8;
	return (int64_t)n;
}

static const char *
take_string(struct packed *text)
{
	const char *s = text->p, *nul = NULL;

	if (s < text->end)
		nul = memchr(s, '\0', (size_t)(text->end - s));
	text->p = nul != NULL ? nul + 1 : text->end;
	return nul != NULL ? s : "";
}

/* All but the recipients. */
static void
take_envelope(struct packed *text, struct traffic_row *row)
{
	row->seq = take_number(text);
	row->at = take_number(text);
	row->size = (uint64_t)take_number(text);
	row->from = take_string(text);
	row->header_from = take_string(text);
	row->user = take_string(text);
	row->listener = take_string(text);
	row->tags = take_string(text);
}

struct reading {
	int64_t since, after, base;
	size_t limit, n;
	void (*each)(void *, const struct traffic_row *);
	void *arg;
};

static void
read_row(struct reading *g, struct packed text)
{
	struct traffic_row row;
	const char *s;
	bool wanted;

	while (text.p < text.end && g->n < g->limit) {
		take_envelope(&text, &row);
		row.seq += g->base;
		wanted = row.seq > g->after && row.at >= g->since;
		for (s = take_string(&text); *s != '\0';
		     s = take_string(&text)) {
			row.irregular = *s == IRREGULAR;
			row.address = s + 1;
			if (wanted)
				g->each(g->arg, &row);
		}
		g->n += wanted;
	}
}

size_t
store_read_traffic(struct store_reader *r, int64_t since, int64_t after,
    size_t limit, void (*each)(void *, const struct traffic_row *), void *arg)
{
	struct reading g = { since, after, 0, limit, 0, each, arg };
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_TRAFFIC);
	struct err e = ERR_INIT;
	int64_t row = after;

	/* Only a short cut over rows: each entry is looked at in any case. */
	if (skip_old(q, since, &row, &e) != STORE_OK)
		log_text(LOG_ERROR, "store-read", "%s", e.text);
	bind_int(st, 1, row);
	while (g.n < limit && sql_read_next(q, st)) {
		const char *data = column_blob(st, 0);

		g.base = column_int(st, 1);
		read_row(
		    &g, (struct packed){ data, data + column_bytes(st, 0) });
	}
	sql_reset(st);
	return g.n;
}

int64_t
store_read_traffic_end(struct store_reader *r)
{
	struct err e = ERR_INIT;
	int64_t first, last;

	if (get_ends(sql_of_reader(r), &first, &last, &e) != STORE_OK)
		log_text(LOG_ERROR, "store-read", "%s", e.text);
	return last;
}
