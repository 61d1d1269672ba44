/*
 * sql_search.c - what happened to an address, from a sender, to a message:
 * the log of events backwards, and the queue backwards.
 *
 * Neither has an index by address, for that would cost every message a page
 * written at random; but the log has where it is far. Else it has filters of
 * what is in each thousand events (sql_whom.c); of the queue, which is read as
 * it is, a caller says how much is to be looked at, and goes on from there.
 */
#include "router/store/sql_int.h"

#include <stdlib.h>
#include <string.h>

#define FILTER_COST 4 /* events that could be looked at instead of a filter */

/* -- the log ----------------------------------------------------------------
 */

struct search {
	struct sql *q;
	struct event_search *what;
	struct whom_key recipient, sender;
	int64_t after; /* seq: nothing up to here is asked for */
	bool enough;   /* the caller has what he wants */
	bool (*each)(void *, const struct event_row *);
	void *arg;
};

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* Those from `first` on that come before what->before: newest first. */
static void
look_at(struct search *s, int64_t first)
{
	struct stmt *st = sql_stmt(s->q, SQL_SEARCH_EVENTS);
	struct event_search *w = s->what;
	struct event_row row;

	if (first <= s->after)
		first = s->after + 1;
	if (first >= w->before)
		return;
	/* As many as may be looked at: of what is beyond, another time. */
	if (w->before - first > (int64_t)w->rows)
		first = w->before - (int64_t)w->rows;
	w->rows -= (size_t)(w->before - first);
	bind_int(st, 1, first);
	bind_int(st, 2, w->before - 1);
	bind_text(st, 3, or_empty(w->recipient));
	bind_text(st, 4, or_empty(w->sender));
	while (!s->enough && sql_read_next(s->q, st)) {
		sql_read_event(st, &row);
		w->before = row.seq;
		s->enough = !s->each(s->arg, &row);
	}
	sql_reset(st);
	if (!s->enough)
		w->before = first;
}

static bool
may_hold(const struct search *s, struct stmt *st)
{
	const void *bits = column_blob(st, 2);
	size_t len = (size_t)column_bytes(st, 2);

	return (s->what->recipient == NULL ||
		   sql_whom_may_hold(bits, len, &s->recipient)) &&
	       (s->what->sender == NULL ||
		   sql_whom_may_hold(bits, len, &s->sender));
}

/* Of a thousand events: past them, or at them. */
static void
look_at_filter(struct search *s, struct stmt *st)
{
	int64_t last = column_int(st, 0);
	int64_t first = column_int(st, 1);

	/* What lies between it and the one before has none. */
	look_at(s, last + 1);
	if (s->enough || s->what->rows == 0)
		return;
	s->what->rows -=
	    s->what->rows < FILTER_COST ? s->what->rows : FILTER_COST;
	if (may_hold(s, st))
		look_at(s, first);
	else if (s->what->before > first)
		s->what->before = first;
}

static void
look_at_filters(struct search *s)
{
	struct stmt *st = sql_stmt(s->q, SQL_READ_WHOM);

	bind_int(st, 1, s->what->before);
	bind_int(st, 2, s->after);
	while (!s->enough && s->what->rows > 0 && sql_read_next(s->q, st))
		look_at_filter(s, st);
	sql_reset(st);
}

/* By an index: what is looked at is what is found. Without a recipient, all of
 * them are. */
static void
search_far(struct search *s)
{
	struct event_search *w = s->what;
	bool all = w->recipient == NULL;
	struct stmt *st =
	    sql_stmt(s->q, all ? SQL_SEARCH_ALL_EVENTS : SQL_SEARCH_EVENTS);
	struct event_row row;
	int i = 1;

	bind_int(st, i++, s->after + 1);
	bind_int(st, i++, w->before - 1);
	if (!all)
		bind_text(st, i++, w->recipient);
	bind_text(st, i++, or_empty(w->sender));
	bind_int(st, i, (int64_t)w->rows);
	while (!s->enough && w->rows > 0 && sql_read_next(s->q, st)) {
		sql_read_event(st, &row);
		w->before = row.seq;
		w->rows--;
		if (column_int(st, E_COLUMNS) != 0)
			s->enough = !s->each(s->arg, &row);
	}
	sql_reset(st);
	w->more = s->enough || w->rows == 0;
}

void
store_search_events(struct store_reader *r, struct event_search *what,
    bool (*each)(void *, const struct event_row *), void *arg)
{
	int64_t last;
	struct search s = { .q = sql_of_reader(r),
		.what = what,
		.recipient =
		    sql_whom_key(WHOM_RECIPIENT, or_empty(what->recipient)),
		.sender = sql_whom_key(WHOM_SENDER, or_empty(what->sender)),
		.each = each,
		.arg = arg };

	if (what->since > 0)
		s.after = store_read_event_before(r, what->since);
	if (s.q->far) {
		search_far(&s);
		return;
	}
	last = store_read_last_event(r);
	if (what->before > last + 1)
		what->before = last + 1;
	look_at_filters(&s);
	if (!s.enough && what->rows > 0)
		look_at(&s, 1);
	what->more = what->before > s.after + 1;
}

size_t
store_read_recipient_events(struct store_reader *r, int64_t message,
    unsigned index, int64_t after, size_t limit,
    void (*each)(void *, const struct event_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_RECIPIENT_EVENTS);
	struct event_row row;
	size_t n = 0;

	bind_int(st, 1, message);
	bind_int(st, 2, index);
	bind_int(st, 3, after);
	bind_int(st, 4, (int64_t)limit);
	for (; sql_read_next(q, st); n++) {
		sql_read_event(st, &row);
		each(arg, &row);
	}
	return n;
}

/* -- of a message ------------------------------------------------------------
 */

size_t
store_read_recipients(struct store_reader *r, int64_t message, int after,
    size_t limit, void (*each)(void *, unsigned), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_RECIPIENTS);
	size_t n = 0;

	bind_int(st, 1, message);
	bind_int(st, 2, after);
	bind_int(st, 3, (int64_t)limit);
	for (; sql_read_next(q, st); n++)
		each(arg, (unsigned)column_int(st, 0));
	return n;
}

bool
store_read_by_remote_id(struct store_reader *r, const char *remote_id,
    int64_t *message, unsigned *index)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_BY_REMOTE_ID);

	bind_text(st, 1, remote_id);
	if (!sql_read_next(q, st))
		return false;
	*message = column_int(st, 0);
	*index = (unsigned)column_int(st, 1);
	sql_reset(st);
	return true;
}

/* -- the queue ----------------------------------------------------------------
 */

/* The last row that may be looked at, going back from there. */
static void
find_floor(
    struct sql *q, struct queue_search *s, int64_t *message, int64_t *index)
{
	struct stmt *st = sql_stmt(q, SQL_QUEUE_FLOOR);

	*message = 0;
	*index = -1;
	bind_int(st, 1, s->before_message);
	bind_int(st, 2, s->before_index);
	bind_int(st, 3, (int64_t)s->rows);
	s->more = sql_read_next(q, st);
	if (s->more) {
		*message = column_int(st, 0);
		*index = column_int(st, 1);
		sql_reset(st);
	}
}

/* What comes next, from where a page was full. */
static void
end_page(struct queue_search *s, const struct recipient *last)
{
	s->before_message = last->message->id;
	s->before_index = last->index;
	s->more = true;
}

static void
tell_row(struct queue_search *s, struct stmt *st, bool full,
    void (*each)(void *, const struct queue_row *), void *arg)
{
	struct message *m = sql_row_message(st, R_COLUMNS);
	struct recipient *rcpt = sql_row_recipient(st, m);
	struct queue_row row = { rcpt,
		(enum recipient_state)column_int(st, R_STATE) };

	message_unref(&m);
	each(arg, &row);
	if (full)
		end_page(s, rcpt);
	recipient_free(&rcpt);
}

size_t
store_search_queue(struct store_reader *r, struct queue_search *s,
    void (*each)(void *, const struct queue_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_SEARCH_QUEUE);
	int64_t message, index;
	size_t n = 0;

	find_floor(q, s, &message, &index);
	sql_bind_filter(st, &s->filter);
	bind_int(st, 7, s->before_message);
	bind_int(st, 8, s->before_index);
	bind_int(st, 9, message);
	bind_int(st, 10, index);
	bind_int(st, 11, (int64_t)s->filter.limit);
	while (n < s->filter.limit && sql_read_next(q, st))
		tell_row(s, st, ++n == s->filter.limit, each, arg);
	sql_reset(st);
	if (n < s->filter.limit && s->more) {
		s->before_message = message;
		s->before_index = (unsigned)(index + 1);
	}
	return n;
}

uint64_t
store_count_queue(struct store_reader *r, const struct queue_filter *f)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_COUNT_QUEUE);
	uint64_t n = 0;

	sql_bind_filter(st, f);
	bind_int(st, 7, f->message);
	bind_int(st, 8, f->message != 0 ? f->message : INT64_MAX);
	if (sql_read_next(q, st)) {
		n = (uint64_t)column_int(st, 0);
		sql_reset(st);
	}
	return n;
}
