/*
 * sqlite_read.c - reading for people, by a connection of its own.
 */
#include "router/store/sqlite_int.h"

#include "mta/base/log.h"

struct sqlite *
sqlite_of_reader(struct store_reader *r)
{
	return &container_of(r, struct sqlite_reader, reader)->q;
}

bool
sqlite_read_next(struct sqlite *q, sqlite3_stmt *st)
{
	struct err e = ERR_INIT;
	enum store_status status;
	bool row = sqlite_next(q, st, "read", &status, &e) == SQLITE_ROW;

	if (status != STORE_OK)
		log_text(LOG_ERROR, "store-read", "%s", e.text);
	if (!row)
		sqlite3_reset(st);
	return row;
}

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

void
sqlite_bind_filter(sqlite3_stmt *st, const struct queue_filter *f)
{
	sqlite3_bind_int(st, 1, f->index);
	bind_text(st, 2, or_empty(f->to));
	bind_text(st, 3, or_empty(f->domain));
	bind_text(st, 4, or_empty(f->sender));
	bind_text(st, 5, or_empty(f->path));
	bind_text(st, 6, or_empty(f->carrier));
}

void
sqlite_read_counters(struct store_reader *r,
    void (*each)(void *, const struct counter_row *), void *arg)
{
	struct sqlite *q = sqlite_of_reader(r);
	sqlite3_stmt *st = sqlite_stmt(q, SQL_READ_COUNTERS);
	struct counter_row row;

	while (sqlite_read_next(q, st)) {
		row = (struct counter_row){
			.path = column_text(st, 0),
			.carrier = column_text(st, 1),
			.group = column_text(st, 2),
			.sender = column_text(st, 3),
			.source = column_text(st, 4),
			.rule = column_text(st, 5),
		};
		for (int c = 0; c < COUNT_MAX; c++)
			row.n[c] = sqlite3_column_int64(st, 6 + c);
		each(arg, &row);
	}
}

uint64_t
sqlite_queued(struct sqlite *q)
{
	sqlite3_stmt *st = sqlite_stmt(q, SQL_READ_QUEUE_SIZE);
	uint64_t n = 0;

	if (sqlite_read_next(q, st)) {
		n = (uint64_t)sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return n;
}

uint64_t
sqlite_read_queue_size(struct store_reader *r)
{
	return sqlite_queued(sqlite_of_reader(r));
}

size_t
sqlite_read_queue(struct store_reader *r, const struct queue_filter *f,
    void (*each)(void *, const struct queue_row *), void *arg)
{
	struct sqlite *q = sqlite_of_reader(r);
	sqlite3_stmt *st = sqlite_stmt(q, SQL_READ_QUEUE);
	struct recipient *rcpt;
	struct message *m;
	size_t n = 0;

	sqlite_bind_filter(st, f);
	sqlite3_bind_int64(st, 7, f->message);
	sqlite3_bind_int64(st, 8, f->message != 0 ? f->message : INT64_MAX);
	sqlite3_bind_int64(st, 9, f->limit != 0 ? (int64_t)f->limit : -1);
	for (; sqlite_read_next(q, st); n++) {
		m = sqlite_row_message(st, R_COLUMNS);
		rcpt = sqlite_row_recipient(st, m);
		message_unref(&m);
		each(arg, &(struct queue_row){
			      rcpt, (enum recipient_state)sqlite3_column_int(
					st, R_STATE) });
		recipient_free(&rcpt);
	}
	return n;
}

static void
read_event(sqlite3_stmt *st, struct event_row *ev)
{
	const char **whom[] = { &ev->sender, &ev->recipient, &ev->path,
		&ev->carrier, &ev->group, &ev->source, &ev->rule };
	const char **what[] = { &ev->enhanced, &ev->stage, &ev->reason,
		&ev->text, &ev->peer, &ev->remote_id };
	int i = 0;

	ev->seq = sqlite3_column_int64(st, i++);
	ev->at = sqlite3_column_int64(st, i++);
	ev->message = sqlite3_column_int64(st, i++);
	ev->index = (unsigned)sqlite3_column_int64(st, i++);
	ev->type = (enum event_type)sqlite3_column_int(st, i++);
	for (size_t k = 0; k < sizeof(whom) / sizeof(whom[0]); k++)
		*whom[k] = column_text(st, i++);
	ev->code = sqlite3_column_int(st, i++);
	for (size_t k = 0; k < sizeof(what) / sizeof(what[0]); k++)
		*what[k] = column_text(st, i++);
}

size_t
sqlite_read_events(struct store_reader *r, int64_t message, int64_t after,
    size_t limit, void (*each)(void *, const struct event_row *), void *arg)
{
	struct sqlite *q = sqlite_of_reader(r);
	sqlite3_stmt *st = sqlite_stmt(
	    q, message != 0 ? SQL_READ_MESSAGE_EVENTS : SQL_READ_EVENTS);
	struct event_row row;
	size_t n = 0;

	if (message != 0)
		sqlite3_bind_int64(st, 1, message);
	sqlite3_bind_int64(st, 2, after);
	sqlite3_bind_int64(st, 3, (int64_t)limit);
	for (; sqlite_read_next(q, st); n++) {
		read_event(st, &row);
		each(arg, &row);
	}
	return n;
}
