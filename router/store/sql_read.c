/*
 * sql_read.c - reading for people, by a connection of its own.
 */
#include "router/store/sql_int.h"

#include "mta/base/log.h"

struct sql *
sql_of_reader(struct store_reader *r)
{
	return container_of(r, struct sql_reader, reader)->q;
}

bool
sql_read_next(struct sql *q, struct stmt *st)
{
	struct err e = ERR_INIT;
	enum store_status status;
	bool row = sql_next(q, st, "read", &status, &e);

	if (status != STORE_OK) {
		/* Of a database that is away its state is told, and nothing else. */
		log_text(status == STORE_AWAY ? LOG_DEBUG : LOG_ERROR,
		    "store-read", "%s", e.text);
		q->unread = true;
	}
	if (!row)
		sql_reset(st);
	return row;
}

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

void
sql_bind_filter(struct stmt *st, const struct queue_filter *f)
{
	bind_int(st, 1, f->index);
	bind_text(st, 2, or_empty(f->to));
	bind_text(st, 3, or_empty(f->domain));
	bind_text(st, 4, or_empty(f->sender));
	bind_text(st, 5, or_empty(f->path));
	bind_text(st, 6, or_empty(f->carrier));
}

/* -- counters ---------------------------------------------------------------
 */

struct showing {
	void (*each)(void *, const struct counter_row *);
	void *arg;
};

static enum store_status
show(void *arg, const struct counter_row *row)
{
	const struct showing *s = arg;

	s->each(s->arg, row);
	return STORE_OK;
}

static void
read_row(struct stmt *st, struct counter_row *row)
{
	*row = (struct counter_row){
		.path = column_text(st, 0),
		.carrier = column_text(st, 1),
		.group = column_text(st, 2),
		.sender = column_text(st, 3),
		.source = column_text(st, 4),
		.rule = column_text(st, 5),
		.configuration_set = column_text(st, 6),
	};
	for (int c = 0; c < COUNT_MAX; c++)
		row->n[c] = column_int(st, 7 + c);
}

/* With what has not been added to them yet, and at last of which there is
 * nothing else. */
void
store_read_counters(struct store_reader *r,
    void (*each)(void *, const struct counter_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_COUNTERS);
	struct showing s = { each, arg };
	struct counter_row row;
	struct counters c;

	counters_init(&c);
	sql_read_counted(r, &c);
	while (sql_read_next(q, st)) {
		read_row(st, &row);
		counters_take(&c, &row);
		each(arg, &row);
	}
	counters_each(&c, show, &s);
	counters_release(&c);
}

/* -- the queue, and events --------------------------------------------------
 */

static int64_t
read_number(struct sql *q, struct stmt *st)
{
	int64_t n = 0;

	if (sql_read_next(q, st)) {
		n = column_int(st, 0);
		sql_reset(st);
	}
	return n;
}

uint64_t
sql_queued(struct sql *q)
{
	return (uint64_t)read_number(q, sql_stmt(q, SQL_READ_QUEUE_SIZE));
}

uint64_t
store_read_queue_size(struct store_reader *r)
{
	return sql_queued(sql_of_reader(r));
}

size_t
store_read_queue(struct store_reader *r, const struct queue_filter *f,
    void (*each)(void *, const struct queue_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_QUEUE);
	struct recipient *rcpt;
	struct message *m;
	size_t n = 0;

	sql_bind_filter(st, f);
	bind_int(st, 7, f->message != 0 ? f->message : f->after_message);
	bind_int(st, 8, f->message != 0 ? f->message : INT64_MAX);
	bind_int(st, 9, f->limit != 0 ? (int64_t)f->limit : -1);
	bind_int(st, 10, f->after_message);
	bind_int(st, 11, f->after_index);
	for (; sql_read_next(q, st); n++) {
		m = sql_row_message(st, R_COLUMNS);
		rcpt = sql_row_recipient(st, m);
		message_unref(&m);
		each(arg, &(struct queue_row){ rcpt,
			      (enum recipient_state)column_int(st, R_STATE) });
		recipient_free(&rcpt);
	}
	return n;
}

void
sql_read_event(struct stmt *st, struct event_row *ev)
{
	const char **whom[] = { &ev->sender, &ev->recipient, &ev->path,
		&ev->carrier, &ev->group, &ev->source, &ev->rule };
	const char **what[] = { &ev->enhanced, &ev->stage, &ev->reason,
		&ev->text, &ev->peer, &ev->remote_id, &ev->ruleset };
	int i = 0;

	ev->seq = column_int(st, i++);
	ev->at = column_int(st, i++);
	ev->message = column_int(st, i++);
	ev->index = (unsigned)column_int(st, i++);
	ev->type = (enum event_type)column_int(st, i++);
	for (size_t k = 0; k < sizeof(whom) / sizeof(whom[0]); k++)
		*whom[k] = column_text(st, i++);
	ev->code = column_int(st, i++);
	for (size_t k = 0; k < sizeof(what) / sizeof(what[0]); k++)
		*what[k] = column_text(st, i++);
}

size_t
store_read_events(struct store_reader *r, int64_t message, int64_t after,
    size_t limit, void (*each)(void *, const struct event_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(
	    q, message != 0 ? SQL_READ_MESSAGE_EVENTS : SQL_READ_EVENTS);
	struct event_row row;
	size_t n = 0;
	int i = 1;

	if (message != 0)
		bind_int(st, i++, message);
	bind_int(st, i++, after);
	bind_int(st, i, (int64_t)limit);
	for (; sql_read_next(q, st); n++) {
		sql_read_event(st, &row);
		each(arg, &row);
	}
	return n;
}

int64_t
store_read_last_event(struct store_reader *r)
{
	struct sql *q = sql_of_reader(r);

	return read_number(q, sql_stmt(q, SQL_READ_LAST_EVENT));
}

int64_t
store_read_first_event(struct store_reader *r)
{
	struct sql *q = sql_of_reader(r);

	return read_number(q, sql_stmt(q, SQL_READ_FIRST_EVENT));
}

int64_t
store_read_event_before(struct store_reader *r, int64_t since)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_EVENT_BEFORE);

	bind_int(st, 1, since);
	return read_number(q, st);
}
