/*
 * feedback_fixture.h - a store (store_fixture.h) that is told of what left it.
 */
#ifndef TESTS_UNIT_FEEDBACK_FIXTURE_H
#define TESTS_UNIT_FEEDBACK_FIXTURE_H

#include "tests/unit/store_fixture.h"

#define FOREVER (INT64_MAX / 2)

/* A time of which events are young, the same for the whole process. */
static inline int64_t
told_at(int64_t n)
{
	static int64_t start;

	if (start == 0)
		start = clock_wall() - 1000000;
	return start + n;
}

static inline struct feedback
feedback(int64_t message, unsigned index, enum feedback_kind kind)
{
	static const enum event_type event[] = {
		[FEEDBACK_SENT] = EVENT_SEND,
		[FEEDBACK_DELIVERED] = EVENT_DELIVERY,
		[FEEDBACK_ENDED] = EVENT_BOUNCE,
		[FEEDBACK_COMPLAINT] = EVENT_COMPLAINT,
		[FEEDBACK_NOTE] = EVENT_OPEN,
	};

	return (struct feedback){ .message = message,
		.index = index,
		.remote_id = "",
		.address = "",
		.alone = true,
		.kind = kind,
		.counter = COUNT_BOUNCED,
		.event = event[kind],
		.at = told_at(0),
		.reason = "",
		.peer = "",
		.result = (enum feedback_result)99 };
}

/* Of which the caller may set `letter` and the like. */
static inline void
prepare_feedback(struct store_feedback *r)
{
	*r = (struct store_feedback){
		.now = clock_wall(), .remember = FOREVER, .unknown = 99
	};
	STAILQ_INIT(&r->list);
	prepare_request(&r->req);
}

static inline enum store_status
ask_feedback(struct feedback *f)
{
	struct store_feedback r;

	prepare_feedback(&r);
	STAILQ_INSERT_TAIL(&r.list, f, link);
	store_feedback(the->store, &r);
	await(1);
	if (r.req.status == STORE_OK)
		assert_int_equal(r.unknown, f->result == FEEDBACK_UNKNOWN);
	return r.req.status;
}

static inline enum feedback_result
tell(struct feedback f)
{
	assert_int_equal(ask_feedback(&f), STORE_OK);
	return f.result;
}

/* A recipient that was put `leased` leaves as sent, to be remembered. */
static inline void
send_off(int64_t id, unsigned index, const char *address, const char *remote)
{
	struct settlement s =
	    settlement(id, index, SETTLE_FINAL, 1u << COUNT_SENT);

	s.address = address;
	s.remote_id = remote;
	s.event = EVENT_SEND;
	s.remember = FOREVER;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
}

/* -- reading ------------------------------------------------------------- */

struct seen_sent {
	unsigned index;
	char address[64], remote_id[64], path[16], ended[16];
	bool sent, delivered, complained;
};

struct sent_view {
	struct store_query query;
	int64_t message;
	int index;
	size_t n;
	struct seen_sent row[100];
	uint64_t size; /* of all */
};

static inline void
see_sent(void *arg, const struct sent_row *row)
{
	struct sent_view *v = arg;
	struct seen_sent *s = &v->row[v->n++];

	assert_true(v->n < 100);
	assert_int_equal(row->message, v->message);
	*s = (struct seen_sent){ .index = row->index,
		.sent = row->sent,
		.delivered = row->delivered,
		.complained = row->complained };
	copy(s->address, sizeof(s->address), row->address);
	copy(s->remote_id, sizeof(s->remote_id), row->remote_id);
	copy(s->path, sizeof(s->path), row->path);
	copy(s->ended, sizeof(s->ended), row->ended);
}

static inline void
run_sent_view(struct store_query *q, struct store_reader *r)
{
	struct sent_view *v = container_of(q, struct sent_view, query);

	size_t n = store_read_sent(r, v->message, v->index, see_sent, v);

	assert_int_equal(n, v->n);
	v->size = store_read_sent_size(r);
}

static inline void
look_sent(struct sent_view *v, int64_t message, int index)
{
	*v = (struct sent_view){ .message = message,
		.index = index,
		.query = { .reply_to = the->inbox,
		    .run = run_sent_view,
		    .done = on_query_answer } };
	store_query(the->store, &v->query);
	await(1);
}

#endif
