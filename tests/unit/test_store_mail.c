/*
 * test_store_mail.c - what events need besides their rows: what is kept of a
 * message, where to begin reading, and who is told that there is something to
 * read.
 */
#include "tests/unit/feedback_fixture.h"

#include "mta/base/str.h"

/* -- what is kept of a message ------------------------------------------- */

struct reading {
	struct store_query query;
	int64_t message, since;
	const char *message_id;
	struct str json;
	bool found;
	size_t n;
	int64_t ids[STORE_SAME_ID_MAX];
	int64_t first, last, before;
};

static void
see_mail(void *arg, const char *json)
{
	str_adds(&((struct reading *)arg)->json, json);
}

static void
run_reading(struct store_query *q, struct store_reader *r)
{
	struct reading *v = container_of(q, struct reading, query);

	v->found = store_read_mail(r, v->message, see_mail, v);
	if (v->message_id != NULL)
		v->n = store_read_by_message_id(r, v->message_id, v->ids);
	v->first = store_read_first_event(r);
	v->last = store_read_last_event(r);
	v->before = store_read_event_before(r, v->since);
}

static void
read_it(struct reading *v)
{
	str_init(&v->json);
	v->query.reply_to = the->inbox;
	v->query.run = run_reading;
	v->query.done = on_query_answer;
	store_query(the->store, &v->query);
	await(1);
}

/* Its id is of the time when it came. */
static int64_t
put_mail(const char *message_id, const char *json, int64_t received)
{
	static unsigned makers = 2;
	struct id_maker ids = { .maker = makers++ };
	struct store_enqueue *r = new_message(1, received, 10);
	int64_t id = r->message->id = message_id_new(&ids, received);

	free(r->message->message_id);
	r->message->message_id = xstrdup(message_id);
	r->mail = json;
	r->leased = true;
	assert_int_equal(ask_enqueue(r), STORE_OK);
	free_message(r);
	return id;
}

static void
assert_mail(int64_t id, const char *expected)
{
	struct reading v = { .message = id };

	read_it(&v);
	assert_int_equal(v.found, expected != NULL);
	assert_string_equal(v.json.data, expected != NULL ? expected : "");
	str_release(&v.json);
}

static void
mail_is_kept_longer_than_the_message(void **state)
{
	int64_t a = put_mail("", "{\"a\":1}", told_at(0));
	int64_t b = put_mail("", NULL, told_at(0));

	(void)state;
	settle_final(a, 0);
	assert_mail(a, "{\"a\":1}");
	assert_mail(b, NULL);
	assert_mail(a + 1, NULL);
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_mail(a, "{\"a\":1}");
}

static void
mail_goes_with_its_events(void **state)
{
	int64_t old = put_mail("<o@x>", "{}", clock_wall() - 2000000000);
	int64_t young = put_mail("<y@x>", "{}", told_at(0));
	struct reading v = { .message_id = "<o@x>" };

	(void)state;
	assert_int_equal(fixture_reopen(NULL), 0);
	put(1, told_at(0), true);
	assert_mail(old, NULL);
	assert_mail(young, "{}");
	read_it(&v);
	assert_int_equal(v.n, 0);
}

static void
a_message_is_found_by_its_message_id(void **state)
{
	struct reading v = { .message_id = "<same@x.jp>" };
	int64_t id[12];

	(void)state;
	for (int i = 0; i < 12; i++)
		id[i] = put_mail("<same@x.jp>", "{}", told_at(i));
	put_mail("<other@x.jp>", "{}", told_at(0));
	put_mail("", "{}", told_at(0));
	read_it(&v);
	assert_int_equal(v.n, STORE_SAME_ID_MAX);
	for (size_t i = 0; i < v.n; i++)
		assert_int_equal(v.ids[i], id[11 - i]);
	v.message_id = "<Same@x.jp>";
	read_it(&v);
	assert_int_equal(v.n, 0);
	v.message_id = "";
	read_it(&v);
	assert_int_equal(v.n, 0);
}

/* -- where to begin ------------------------------------------------------ */

static void
note(int64_t id, int64_t at)
{
	struct feedback f = feedback(id, 0, FEEDBACK_NOTE);

	f.at = at;
	assert_int_equal(tell(f), FEEDBACK_DONE);
}

static int64_t
before(int64_t since)
{
	struct reading v = { .since = since };

	read_it(&v);
	return v.before;
}

#define HOUR INT64_C(3600000)

/* Events are told in any order of their times. */
static void
reading_begins_at_a_time(void **state)
{
	static const int hour[] = { 9, 5, 8, 5, 2, 8, 1, 6 };
	enum { N = sizeof(hour) / sizeof(hour[0]) };
	int64_t now = clock_wall(), id = put(1, told_at(0), true);
	struct reading v = { .since = 0 };
	struct settlement first =
	    settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);
	int64_t seq[N + 1];
	struct view *all;

	(void)state;
	read_it(&v);
	assert_int_equal(v.first, 0);
	assert_int_equal(v.last, 0);
	assert_int_equal(v.before, 0);
	first.at = now - 20 * HOUR;
	first.event = EVENT_SEND;
	first.remember = FOREVER;
	assert_int_equal(ask_settle(&first, NULL), STORE_OK); /* seq[0] */
	for (int i = 0; i < N; i++) {
		if (i == 4)
			assert_int_equal(fixture_reopen(NULL), 0);
		note(id, now - hour[i] * HOUR - i); /* seq[i + 1] */
	}
	all = look();
	assert_int_equal(all->nevents, N + 1);
	for (int i = 0; i < N + 1; i++)
		seq[i] = all->event[i].seq;
	look_away(all);
	read_it(&v);
	assert_int_equal(v.first, seq[0]);
	assert_int_equal(v.last, seq[N]);
	for (int64_t since = now - 22 * HOUR; since < now + HOUR;
	     since += HOUR / 4) {
		int64_t expected = seq[N];

		for (int i = N - 1; i >= 0; i--)
			if (now - hour[i] * HOUR - i >= since)
				expected = seq[i + 1] - 1;
		if (now - 20 * HOUR >= since)
			expected = seq[0] - 1;
		assert_int_equal(before(since), expected);
	}
	assert_int_equal(before(INT64_MIN), seq[0] - 1);
	assert_int_equal(before(INT64_MAX), seq[N]);
}

/* -- who is told --------------------------------------------------------- */

struct watching {
	struct store_watch watch;
	unsigned told;
};

static void
on_told(struct store_watch *w)
{
	container_of(w, struct watching, watch)->told++;
}

static void
drain(void)
{
	put(1, told_at(0), true);
	event_base_loop(the->base, EVLOOP_NONBLOCK);
}

static void
who_watches_is_told_of_events(void **state)
{
	struct watching w[2] = { { .told = 0 }, { .told = 0 } };
	int64_t id = put(3, told_at(0), true);
	unsigned told;

	(void)state;
	for (int i = 0; i < 2; i++) {
		w[i].watch.inbox = the->inbox;
		w[i].watch.told = on_told;
		store_watch_events(the->store, &w[i].watch);
	}
	drain();
	assert_int_equal(w[0].told, 0);
	send_off(id, 0, "user0@docomo.ne.jp", "");
	while (w[0].told == 0 || w[1].told == 0)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_int_equal(w[0].told, 1);
	assert_int_equal(w[1].told, 1);
	store_unwatch_events(the->store, &w[0].watch);
	send_off(id, 1, "user1@docomo.ne.jp", "");
	while (w[1].told == 1)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_int_equal(w[0].told, 1);
	/* What lies in the inbox when it ends. */
	send_off(id, 2, "user2@docomo.ne.jp", "");
	store_unwatch_events(the->store, &w[1].watch);
	told = w[1].told;
	drain();
	assert_int_equal(w[1].told, told);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(mail_is_kept_longer_than_the_message),
		T(mail_goes_with_its_events),
		T(a_message_is_found_by_its_message_id),
		T(reading_begins_at_a_time),
		T(who_watches_is_told_of_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
