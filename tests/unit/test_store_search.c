/*
 * test_store_search.c - what happened to an address or from a sender, newest
 * first and a page at a time; the queue backwards.
 */
#include "tests/unit/store_fixture.h"

enum { FOUND_MAX = 200 };

/* One look at the store. */
struct looking {
	struct store_query query;
	struct event_search events;
	struct queue_search queue;
	int64_t message;
	size_t page, n;		/* found */
	int64_t seq[FOUND_MAX]; /* of events, */
	int64_t id[FOUND_MAX];	/* of their messages or of what is queued */
	unsigned index[FOUND_MAX];
};

static void
look_at_once(
    struct looking *l, void (*run)(struct store_query *, struct store_reader *))
{
	l->n = 0;
	l->query.reply_to = the->inbox;
	l->query.run = run;
	l->query.done = on_query_answer;
	(store_query)(the->store, &l->query);
	await(1);
}

static void
look_with(
    struct looking *l, void (*run)(struct store_query *, struct store_reader *))
{
	await_older_transactions();
	look_at_once(l, run);
}

/* -- events ------------------------------------------------------------------
 */

static bool
see(void *arg, const struct event_row *e)
{
	struct looking *l = arg;

	assert_true(l->n < FOUND_MAX);
	l->seq[l->n] = e->seq;
	l->id[l->n] = e->message;
	l->index[l->n++] = e->index;
	return l->n < l->page;
}

static void
run_events(struct store_query *q, struct store_reader *r)
{
	struct looking *l = container_of(q, struct looking, query);

	store_search_events(r, &l->events, see, l);
}

/* Whom event number i is about. */
static void
tell(unsigned i, const char *address, const char *sender)
{
	int64_t id = put(1, clock_wall(), true);
	struct settlement s = settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);

	s.event = EVENT_SEND;
	s.address = address;
	s.sender = sender;
	s.at += i;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
}

static void
tell_all(void)
{
	static const char *const to[] = { "Ann@a.jp", "bob@a.jp", "ann@A.jp",
		"ann@b.jp", "anna@a.jp" };
	static const char *const from[] = { "x.jp", "y.jp", "X.jp" };

	for (unsigned i = 0; i < 30; i++)
		tell(i, to[i % 5], from[i % 3]);
}

static struct looking *
all_of(const char *recipient, const char *sender)
{
	struct looking *l = xcalloc(1, sizeof(*l));

	l->page = FOUND_MAX;
	l->events = (struct event_search){ .recipient = recipient,
		.sender = sender,
		.before = INT64_MAX,
		.rows = 10000 };
	look_with(l, run_events);
	assert_false(l->events.more);
	for (size_t i = 1; i < l->n; i++)
		assert_true(l->seq[i] < l->seq[i - 1]);
	return l;
}

static size_t
how_many(const char *recipient, const char *sender)
{
	struct looking *l = all_of(recipient, sender);
	size_t n = l->n;

	free(l);
	return n;
}

static void
events_are_found_by_who_they_are_of(void **state)
{
	(void)state;
	tell_all();
	assert_int_equal(how_many("ann@a.jp", NULL), 12);
	assert_int_equal(how_many("BOB@a.jp", NULL), 6);
	assert_int_equal(how_many("ann@c.jp", NULL), 0);
	assert_int_equal(how_many(NULL, "x.jp"), 20);
	assert_int_equal(how_many(NULL, "Y.JP"), 10);
	assert_int_equal(how_many("ann@a.jp", "x.jp"), 8);
	assert_int_equal(how_many("anna@a.jp", "z.jp"), 0);
	assert_int_equal(how_many(NULL, NULL), 30);
}

/* Each page goes on where the last one ended, and all are what one would be. */
static void
pages_make_the_whole(void **state)
{
	struct looking *all, l = { .page = 5 };
	size_t n = 0;

	(void)state;
	tell_all();
	all = all_of(NULL, "x.jp");
	l.events =
	    (struct event_search){ .sender = "x.jp", .before = INT64_MAX };
	do {
		l.events.rows = 1000;
		look_with(&l, run_events);
		assert_true(l.n <= 5);
		for (size_t i = 0; i < l.n; i++)
			assert_int_equal(l.seq[i], all->seq[n++]);
	} while (l.events.more);
	assert_int_equal(n, all->n);
	free(all);
}

/* Whatever may be looked at at once, everything is found in the end. */
static void
no_more_is_looked_at_than_asked_for(void **state)
{
	struct looking l = { .page = FOUND_MAX };
	size_t n = 0, turns = 0;

	(void)state;
	tell_all();
	l.events =
	    (struct event_search){ .sender = "y.jp", .before = INT64_MAX };
	do {
		l.events.rows = 7;
		look_with(&l, run_events);
		assert_true(l.n <= 7);
		n += l.n;
		turns++;
	} while (l.events.more);
	assert_int_equal(n, 10);
	assert_true(turns >= 3);
}

static void
events_of_long_ago_are_left_out(void **state)
{
	struct looking l = { .page = FOUND_MAX };

	(void)state;
	tell_all();
	l.events = (struct event_search){ .recipient = "ann@a.jp",
		.since = clock_wall() + 60000,
		.before = INT64_MAX,
		.rows = 1000 };
	look_with(&l, run_events);
	assert_int_equal(l.n, 0);
	assert_false(l.events.more);
}

/* -- of a message -------------------------------------------------------------
 */

static void
see_index(void *arg, unsigned index)
{
	struct looking *l = arg;

	l->index[l->n++] = index;
}

static void
run_recipients(struct store_query *q, struct store_reader *r)
{
	struct looking *l = container_of(q, struct looking, query);

	store_read_recipients(r, l->message, 0, 2, see_index, l);
}

static void
see_of_one(void *arg, const struct event_row *e)
{
	see(arg, e);
}

static void
run_of_one(struct store_query *q, struct store_reader *r)
{
	struct looking *l = container_of(q, struct looking, query);

	store_read_recipient_events(r, l->message, 1, 0, 10, see_of_one, l);
}

static void
a_message_has_who_waits_and_who_has_left(void **state)
{
	struct looking l = { .page = FOUND_MAX };
	struct settlement s;

	(void)state;
	l.message = put(4, clock_wall(), true);
	s = settlement(l.message, 1, SETTLE_FINAL, 1u << COUNT_SENT);
	s.before = EVENT_UNREAD;
	s.event = EVENT_SEND;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	look_with(&l, run_recipients);
	assert_int_equal(l.n, 2); /* behind 0, at most two */
	assert_int_equal(l.index[0], 1);
	assert_int_equal(l.index[1], 2);
	look_with(&l, run_of_one);
	assert_int_equal(l.n, 2);
	assert_true(l.seq[0] > l.seq[1]);
}

/* An operator who asks what happened to mail is not told that nothing did,
 * because somebody else writes something large. */
static void
who_writes_for_long_hides_nothing(void **state)
{
	struct looking l = { .page = FOUND_MAX };
	struct settlement s;
	size_t found[3];
	PGconn *conn;

	(void)state;
	if (the->url == NULL)
		skip();
	conn = PQconnectdb(the->url);
	pg_number(conn, "BEGIN");
	pg_number(conn, "SELECT pg_current_xact_id()::text");
	l.message = put(2, clock_wall(), true);
	s = settlement(l.message, 1, SETTLE_FINAL, 1u << COUNT_SENT);
	s.event = EVENT_SEND;
	s.address = "ann@a.jp";
	s.sender = "x.jp";
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	look_at_once(&l, run_of_one);
	found[0] = l.n;
	l.events = (struct event_search){ .recipient = "ann@a.jp",
		.before = INT64_MAX,
		.rows = 10 };
	look_at_once(&l, run_events);
	found[1] = l.n;
	l.events = (struct event_search){ .sender = "x.jp",
		.before = INT64_MAX,
		.rows = 10 };
	look_at_once(&l, run_events);
	found[2] = l.n;
	PQfinish(conn); /* before what follows may fail: others wait for it */
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(found[i], 1);
}

/* -- the queue
 * ----------------------------------------------------------------- */

static void
see_queued(void *arg, const struct queue_row *row)
{
	struct looking *l = arg;

	assert_true(l->n < FOUND_MAX);
	l->id[l->n] = row->recipient->message->id;
	l->index[l->n++] = row->recipient->index;
}

static void
run_queue(struct store_query *q, struct store_reader *r)
{
	struct looking *l = container_of(q, struct looking, query);

	store_search_queue(r, &l->queue, see_queued, l);
}

static void
the_queue_is_read_backwards(void **state)
{
	struct looking l = { 0 };
	int64_t id[6];
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 6; i++)
		id[i] = put(2, clock_wall(), i % 2 != 0);
	l.queue = (struct queue_search){ .filter = { .index = -1, .limit = 5 },
		.before_message = INT64_MAX };
	do {
		l.queue.rows = 100;
		look_with(&l, run_queue);
		for (size_t i = 0; i < l.n; i++, n++) {
			assert_int_equal(l.id[i], id[5 - n / 2]);
			assert_int_equal(l.index[i], 1 - n % 2);
		}
	} while (l.queue.more && l.n > 0);
	assert_int_equal(n, 12);
}

static void
few_of_the_queue_are_looked_at(void **state)
{
	struct looking l = { 0 };
	size_t n = 0, turns = 0;

	(void)state;
	for (int i = 0; i < 6; i++)
		put(2, clock_wall(), false);
	l.queue = (struct queue_search){ .filter = { .index = -1,
					     .to = "USER1@docomo.ne.jp",
					     .domain = "ne.jp",
					     .sender = "Example.JP",
					     .limit = 100 },
		.before_message = INT64_MAX };
	do {
		l.queue.rows = 4;
		look_with(&l, run_queue);
		n += l.n;
		turns++;
	} while (l.queue.more);
	assert_int_equal(n, 6);
	assert_true(turns >= 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(events_are_found_by_who_they_are_of),
		STORE_TEST(pages_make_the_whole),
		STORE_TEST(no_more_is_looked_at_than_asked_for),
		STORE_TEST(events_of_long_ago_are_left_out),
		STORE_TEST(a_message_has_who_waits_and_who_has_left),
		STORE_TEST(who_writes_for_long_hides_nothing),
		STORE_TEST(the_queue_is_read_backwards),
		STORE_TEST(few_of_the_queue_are_looked_at),
	};

	return RUN_STORE_TESTS(tests);
}
