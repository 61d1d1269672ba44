/*
 * test_store_traffic.c - the envelopes of recent mail that the store keeps to
 * try rules on.
 */
#include "tests/unit/store_fixture.h"

#define NOW INT64_C(1767225600000)

/* -- what is kept -------------------------------------------------------- */

static void
set(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

static void
enqueue(struct store_enqueue *r, enum store_status expected)
{
	assert_int_equal(ask_enqueue(r), expected);
	free_message(r);
}

/* A message of n recipients taken in at that time. */
static void
take_in(int64_t at, unsigned n)
{
	struct store_enqueue *r = new_message(n, NOW, 10);

	r->message->received = at;
	enqueue(r, STORE_OK);
}

struct seen_traffic {
	struct store_query query;
	int64_t since, after;
	size_t limit, messages, n;
	struct {
		int64_t seq, at;
		char from[64], header_from[64], user[32], listener[32],
		    tags[64], address[128];
		uint64_t size;
		bool irregular;
	} row[2000];
};

static void
see_row(void *arg, const struct traffic_row *t)
{
	struct seen_traffic *s = arg;
	size_t i = s->n++;

	assert_true(i < sizeof(s->row) / sizeof(s->row[0]));
	s->row[i].seq = t->seq;
	s->row[i].at = t->at;
	s->row[i].size = t->size;
	s->row[i].irregular = t->irregular;
	copy(s->row[i].from, sizeof(s->row[i].from), t->from);
	copy(s->row[i].header_from, sizeof(s->row[i].header_from),
	    t->header_from);
	copy(s->row[i].user, sizeof(s->row[i].user), t->user);
	copy(s->row[i].listener, sizeof(s->row[i].listener), t->listener);
	copy(s->row[i].tags, sizeof(s->row[i].tags), t->tags);
	copy(s->row[i].address, sizeof(s->row[i].address), t->address);
}

static void
read_traffic(struct store_query *q, struct store_reader *r)
{
	struct seen_traffic *s = container_of(q, struct seen_traffic, query);

	s->messages =
	    store_read_traffic(r, s->since, s->after, s->limit, see_row, s);
}

/* Freed by the caller. */
static struct seen_traffic *
traffic(int64_t since, int64_t after, size_t limit)
{
	struct seen_traffic *s = xcalloc(1, sizeof(*s));

	s->since = since;
	s->after = after;
	s->limit = limit;
	s->query.reply_to = the->inbox;
	s->query.run = read_traffic;
	s->query.done = on_query_answer;
	store_query(the->store, &s->query);
	await(1);
	return s;
}

static void
assert_kept(size_t messages, size_t recipients)
{
	struct seen_traffic *s = traffic(0, 0, 10000);

	assert_int_equal(s->messages, messages);
	assert_int_equal(s->n, recipients);
	free(s);
}

static void
an_envelope_is_kept_as_it_came(void **state)
{
	struct store_enqueue *r = new_message(2, NOW, 5000);
	struct message *m = r->message;
	struct seen_traffic *s;

	(void)state;
	set(&m->header_from, "example.jp");
	set(&m->user, "alice\ninjected");
	set(&m->listener, "submission");
	set(&m->tags, "campaign=spring,kind=news");
	TAILQ_FIRST(&r->recipients)->irregular = true;
	set(&TAILQ_FIRST(&r->recipients)->address, "a..\n-b@docomo.ne.jp");
	enqueue(r, STORE_OK);
	s = traffic(0, 0, 10);
	assert_int_equal(s->messages, 1);
	assert_int_equal(s->n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(s->row[i].seq, 2);
		assert_int_equal(s->row[i].at, NOW);
		assert_string_equal(s->row[i].from, "news@example.jp");
		assert_string_equal(s->row[i].header_from, "example.jp");
		assert_string_equal(s->row[i].user, "alice\ninjected");
		assert_string_equal(s->row[i].listener, "submission");
		assert_string_equal(
		    s->row[i].tags, "campaign=spring,kind=news");
		assert_int_equal(s->row[i].size, 5000);
	}
	assert_string_equal(s->row[0].address, "a..\n-b@docomo.ne.jp");
	assert_true(s->row[0].irregular);
	assert_string_equal(s->row[1].address, "user1@docomo.ne.jp");
	assert_false(s->row[1].irregular);
	free(s);
}

static void
it_stays_when_its_recipient_is_settled(void **state)
{
	int64_t id = put(1, NOW, true);

	(void)state;
	settle_final(id, 0);
	assert_kept(1, 1);
}

static void
our_own_notices_are_no_traffic(void **state)
{
	int64_t id = put(1, NOW, true);
	struct store_enqueue *dsn = new_message(1, NOW, 100);
	struct store_enqueue *queued = new_message(1, NOW, 100);
	struct settlement s =
	    settlement(id, 0, SETTLE_FINAL, 1u << COUNT_BOUNCED);

	(void)state;
	set(&dsn->message->listener, "dsn");
	s.notice = dsn->message;
	s.notice_to = TAILQ_FIRST(&dsn->recipients);
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	free_message(dsn);
	set(&queued->message->listener, "dsn");
	enqueue(queued, STORE_OK);
	assert_kept(1, 1);
}

static void
what_is_not_stored_is_no_traffic(void **state)
{
	struct store_enqueue *r[3];
	struct seen_traffic *s;

	(void)state;
	for (int i = 0; i < 3; i++)
		r[i] = new_message((unsigned)i + 1, NOW, 10);
	r[1]->message->id = r[0]->message->id;
	for (int i = 0; i < 3; i++)
		store_enqueue(the->store, r[i]);
	await(3);
	assert_int_equal(r[1]->req.status, STORE_REJECTED);
	s = traffic(0, 0, 10);
	assert_int_equal(s->messages, 2);
	assert_int_equal(s->n, 4);
	/* Numbered as if the one between had never been. */
	assert_int_equal(s->row[0].seq, 1);
	assert_int_equal(s->row[3].seq, 4);
	free(s);
	for (int i = 0; i < 3; i++)
		free_message(r[i]);
}

static void
a_message_to_many_is_in_rows_of_a_hundred(void **state)
{
	static const unsigned n[] = { 99, 100, 101, 350 };
	static const size_t rows[] = { 1, 1, 2, 4 };
	struct seen_traffic *s;
	size_t messages = 0, recipients = 0;
	int64_t after = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		take_in(NOW, n[i]);
		messages += rows[i];
		recipients += n[i];
	}
	assert_kept(messages, recipients);
	/* A page at a time: every recipient once, none of them split. */
	for (size_t seen = 0; seen < messages; seen++) {
		s = traffic(0, after, 1);
		assert_int_equal(s->messages, 1);
		assert_true(s->n <= 100);
		assert_int_equal(s->row[0].seq, after + (int64_t)s->n);
		after = s->row[0].seq;
		free(s);
	}
	assert_int_equal(after, recipients);
	s = traffic(0, after, 1);
	assert_int_equal(s->messages, 0);
	free(s);
}

/* -- when ---------------------------------------------------------------- */

static size_t
count_since(const int64_t *at, size_t n, int64_t since, size_t after)
{
	size_t count = 0;

	for (size_t i = after; i < n; i++)
		count += at[i] >= since;
	return count;
}

/* Every time and cursor against a walk over all. */
static void
assert_since(const int64_t *at, size_t n, int64_t since, size_t after)
{
	struct seen_traffic *s = traffic(since, (int64_t)after, 10000);
	size_t k = 0;

	assert_int_equal(s->messages, count_since(at, n, since, after));
	for (size_t i = after; i < n; i++)
		if (at[i] >= since)
			assert_int_equal(s->row[k++].seq, i + 1);
	free(s);
}

enum { GROUP = 10, N = 15 * GROUP };

/* All at once, while something else is committed: they come to lie in one row,
 * or in few. */
static void
take_in_group(const int64_t *at)
{
	struct store_lease first = { .shelf = 99, .now = NOW, .max = 1 };
	struct store_enqueue *r[GROUP];

	prepare_request(&first.req);
	store_lease(the->store, &first);
	for (size_t i = 0; i < GROUP; i++) {
		r[i] = new_message(1, NOW, 10);
		r[i]->message->received = at[i];
		store_enqueue(the->store, r[i]);
	}
	await(GROUP + 1);
	for (size_t i = 0; i < GROUP; i++) {
		assert_int_equal(r[i]->req.status, STORE_OK);
		free_message(r[i]);
	}
}

/* In order but for a little; then a clock an hour fast for a while, and one
 * that starts in 1970. */
static void
set_times(int64_t *at)
{
	srandom(4711);
	for (size_t i = 0; i < N; i++) {
		at[i] = NOW + (int64_t)i * 1000 - random() % 5000;
		if (i > 40 && i < 50)
			at[i] += 3600 * 1000;
		if (i > 90 && i < 100)
			at[i] = (int64_t)i;
	}
}

static void
since_is_right_whatever_the_clock_did(void **state)
{
	int64_t at[N];

	(void)state;
	set_times(at);
	for (size_t i = 0; i < N; i += GROUP) {
		take_in_group(at + i);
		/* The order is kept over a restart. */
		if (i == 40 || i == 90)
			assert_int_equal(fixture_reopen(NULL), 0);
	}
	for (size_t i = 0; i < N; i += 7)
		for (size_t after = 0; after < N; after += 37) {
			assert_since(at, N, at[i], after);
			assert_since(at, N, at[i] + 1, after);
		}
	assert_since(at, N, INT64_MIN, 0);
	assert_since(at, N, INT64_MAX, 0);
}

static void
a_page_may_end_within_a_row(void **state)
{
	struct seen_traffic *s;
	int64_t at[N], after = 0;

	(void)state;
	set_times(at);
	take_in_group(at);
	take_in_group(at + GROUP);
	while (after < 2 * GROUP) {
		s = traffic(0, after, 3);
		assert_int_equal(
		    s->messages, after < 18 ? 3 : 2 * GROUP - after);
		for (size_t i = 0; i < s->messages; i++) {
			assert_int_equal(s->row[i].at, at[after]);
			assert_int_equal(s->row[i].seq, ++after);
		}
		free(s);
	}
}

/* -- how much ------------------------------------------------------------ */

static void
reopen_keeping(uint64_t keep)
{
	the->config.traffic_keep = keep;
	assert_int_equal(fixture_reopen(NULL), 0);
}

/* The newest `keep` of `n` single recipients, and at most `more` of those
 * before. */
static void
assert_newest(size_t n, size_t keep, size_t more)
{
	struct seen_traffic *s = traffic(0, 0, 10000);

	assert_true(s->n >= keep && s->n <= keep + more);
	for (size_t i = 0; i < s->n; i++)
		assert_int_equal(s->row[i].seq, n - s->n + i + 1);
	free(s);
}

static void
only_so_many_are_kept(void **state)
{
	size_t n = 0;

	(void)state;
	reopen_keeping(320); /* a 32nd of it may be more */
	for (; n < 320; n++)
		take_in(NOW, 1);
	assert_newest(n, 320, 0);
	for (; n < 700; n++) {
		take_in(NOW, 1);
		if (n % 50 == 0)
			assert_newest(n + 1, 320, 10);
	}
	/* More at once than is kept. */
	take_in(NOW, 1000);
	n += 1000;
	take_in(NOW, 1);
	assert_kept(5, 401); /* rows that reach into the newest 320 */
}

/* In slices, without anybody asking for anything. */
static void
await_kept(size_t recipients)
{
	struct seen_traffic *s;
	size_t n;

	do {
		s = traffic(0, 0, 10000);
		n = s->n;
		free(s);
		assert_true(n >= recipients);
	} while (n > recipients);
}

static void
a_lower_setting_holds_at_the_next_start(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		take_in(NOW, 10);
	assert_kept(100, 1000);
	reopen_keeping(30);
	await_kept(30);
	assert_kept(3, 30);
	reopen_keeping(200000);
	take_in(NOW, 1);
	assert_kept(4, 31);
}

static void
zero_keeps_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		take_in(NOW, 3);
	reopen_keeping(0);
	await_kept(0);
	take_in(NOW, 3);
	assert_kept(0, 0);
	reopen_keeping(10);
	take_in(NOW, 3);
	assert_kept(1, 3);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_envelope_is_kept_as_it_came),
		T(it_stays_when_its_recipient_is_settled),
		T(our_own_notices_are_no_traffic),
		T(what_is_not_stored_is_no_traffic),
		T(a_message_to_many_is_in_rows_of_a_hundred),
		T(since_is_right_whatever_the_clock_did),
		T(a_page_may_end_within_a_row),
		T(only_so_many_are_kept),
		T(a_lower_setting_holds_at_the_next_start),
		T(zero_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
