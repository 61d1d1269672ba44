/*
 * test_store_feedback.c - what is told of recipients after they left, or just
 * before: in any order, twice, late, and of the wrong ones.
 */
#include "tests/unit/feedback_fixture.h"

#define DUE INT64_C(1767225600000)
#define SES "010001993fa20b41-a0b1c2d3-0000-4000-8000-5f6e7d8c9b0a-000000"

/* "Send Delivery ..." of all there are. */
static void
assert_events(int64_t id, const char *expected)
{
	struct view *v = xcalloc(1, sizeof(*v));
	struct str names = STR_INIT;

	v->filter.index = -1;
	v->events_of = id;
	look_at(v);
	str_clear(&names);
	for (size_t i = 0; i < v->nevents; i++)
		str_addf(&names, "%s ", event_type_name(v->event[i].type));
	assert_string_equal(names.data, expected);
	str_release(&names);
	look_away(v);
}

static void
assert_counts(const char *path, int sent, int delivered, int bounced,
    int complained, int returned)
{
	struct view *v = look();

	assert_equation(v);
	assert_int_equal(count_of(v, path, COUNT_SENT), sent);
	assert_int_equal(count_of(v, path, COUNT_DELIVERED), delivered);
	assert_int_equal(count_of(v, path, COUNT_BOUNCED), bounced);
	assert_int_equal(count_of(v, path, COUNT_COMPLAINED), complained);
	assert_int_equal(count_of(v, path, COUNT_RETURNED), returned);
	look_away(v);
}

/* -- order --------------------------------------------------------------- */

/* The settlement is the fifth thing that can happen. */
static void
happen(int64_t id, unsigned what, bool again)
{
	enum feedback_result r;

	if (what == FEEDBACK_NOTE) {
		if (!again)
			send_off(id, 0, "user0@docomo.ne.jp", SES);
		return;
	}
	r = tell(feedback(id, 0, (enum feedback_kind)what));
	if (again)
		assert_int_equal(r, FEEDBACK_KNOWN);
	else if (what != FEEDBACK_SENT)
		assert_int_equal(r, FEEDBACK_DONE);
}

/* All orders of the five, each of them twice. */
static void
any_order_comes_to_the_same(void **state)
{
	int n = 0;

	(void)state;
	for (unsigned code = 0; code < 5 * 5 * 5 * 5 * 5; code++) {
		unsigned what[5], seen = 0;
		int64_t id;

		for (unsigned i = 0, c = code; i < 5; i++, c /= 5) {
			what[i] = c % 5;
			seen |= 1u << what[i];
		}
		if (seen != 31)
			continue;
		id = put(1, DUE, true);
		for (unsigned i = 0; i < 5; i++) {
			happen(id, what[i], false);
			happen(id, what[i], true);
		}
		n++;
		if (n % 40 == 0)
			assert_counts("mta", n, 0, n, n, n);
	}
	assert_int_equal(n, 120);
}

static void
each_is_counted_once(void **state)
{
	struct sent_view v;
	int64_t id = put(1, DUE, true);

	(void)state;
	send_off(id, 0, "user0@docomo.ne.jp", SES);
	assert_counts("mta", 1, 0, 0, 0, 0);
	assert_int_equal(tell(feedback(id, 0, FEEDBACK_SENT)), FEEDBACK_KNOWN);
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_DONE);
	assert_counts("mta", 1, 1, 0, 0, 0);
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_KNOWN);
	assert_counts("mta", 1, 1, 0, 0, 0);
	assert_int_equal(tell(feedback(id, 0, FEEDBACK_ENDED)), FEEDBACK_DONE);
	assert_counts("mta", 1, 0, 1, 0, 1);
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_COMPLAINT)), FEEDBACK_DONE);
	assert_counts("mta", 1, 0, 1, 1, 1);
	assert_events(id, "Send Delivery Bounce Complaint ");
	look_sent(&v, id, 0);
	assert_int_equal(v.n, 1);
	assert_true(v.row[0].sent && v.row[0].delivered);
	assert_true(v.row[0].complained);
	assert_string_equal(v.row[0].ended, "bounced");
	assert_string_equal(v.row[0].remote_id, SES);
}

/* Of a reply that was unread, and of what was told while it was awaited. */
static void
sent_is_delivered_where_that_is_the_same(void **state)
{
	static const struct {
		enum feedback_kind kind;
		int delivered, bounced, complained;
		const char *events, *early;
	} row[] = {
		{ FEEDBACK_COMPLAINT, 1, 0, 1, "Unread Delivery Complaint ",
		    "Complaint Unread Delivery " },
		{ FEEDBACK_NOTE, 1, 0, 0, "Unread Delivery Open ",
		    "Open Unread Delivery " },
		{ FEEDBACK_ENDED, 0, 1, 0, "Unread Delivery Bounce ",
		    "Bounce Unread Delivery " },
		{ FEEDBACK_DELIVERED, 1, 0, 0, "Unread Delivery ",
		    "Delivery Unread " },
	};
	int delivered = 0, bounced = 0, complained = 0, sent = 0;

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(row) / sizeof(row[0]); i++) {
		bool early = i % 2 == 1;
		int64_t id = put(1, DUE, true);
		struct feedback f = feedback(id, 0, row[i / 2].kind);
		struct settlement s =
		    settlement(id, 0, SETTLE_RETRY, 1u << COUNT_UNREAD);

		f.is_delivered = true;
		s.unread = true;
		s.event = EVENT_UNREAD;
		if (early) {
			assert_int_equal(tell(f), FEEDBACK_DONE);
			/* Not yet: it may be a lie, and it be refused. */
			assert_counts("mta", sent,
			    delivered + (f.kind == FEEDBACK_DELIVERED),
			    bounced + row[i / 2].bounced,
			    complained + row[i / 2].complained,
			    bounced + row[i / 2].bounced);
		}
		assert_int_equal(ask_settle(&s, NULL), STORE_OK);
		if (!early)
			assert_int_equal(tell(f), FEEDBACK_DONE);
		assert_int_equal(tell(f), FEEDBACK_KNOWN);
		delivered += row[i / 2].delivered;
		bounced += row[i / 2].bounced;
		complained += row[i / 2].complained;
		assert_counts(
		    "mta", ++sent, delivered, bounced, complained, bounced);
		assert_events(id, early ? row[i / 2].early : row[i / 2].events);
		f = feedback(id, 0, FEEDBACK_DELIVERED);
		f.is_delivered = true;
		assert_int_equal(tell(f), FEEDBACK_KNOWN);
		f = feedback(id, 0, FEEDBACK_ENDED);
		f.is_delivered = true;
		bounced += !row[i / 2].bounced;
		delivered -= row[i / 2].delivered;
		tell(f);
		assert_counts(
		    "mta", sent, delivered, bounced, complained, bounced);
	}
}

static void
the_first_end_is_the_end(void **state)
{
	int64_t id = put(1, DUE, true);
	struct feedback f = feedback(id, 0, FEEDBACK_ENDED);
	struct view *v;

	(void)state;
	send_off(id, 0, "user0@docomo.ne.jp", SES);
	f.counter = COUNT_SUPPRESSED;
	assert_int_equal(tell(f), FEEDBACK_DONE);
	f.counter = COUNT_EXPIRED;
	assert_int_equal(tell(f), FEEDBACK_KNOWN);
	/* Told, but no delivery any more. */
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_DONE);
	assert_events(id, "Send Bounce Delivery ");
	v = look();
	assert_equation(v);
	assert_int_equal(count_of(v, "mta", COUNT_SUPPRESSED), 1);
	assert_int_equal(count_of(v, "mta", COUNT_EXPIRED), 0);
	assert_int_equal(count_of(v, "mta", COUNT_DELIVERED), 0);
	look_away(v);
}

static void
an_event_says_what_was_told(void **state)
{
	int64_t id = put(1, DUE, true);
	struct feedback f = feedback(id, 0, FEEDBACK_ENDED);
	struct outcome o = { .code = 550,
		.stage = STAGE_DOT,
		.enhanced = "5.1.1",
		.text = "no such user" };
	struct view *v;

	(void)state;
	send_off(id, 0, "user0@docomo.ne.jp", SES);
	f.outcome = &o;
	f.reason = "userunknown";
	f.peer = "mx.example.jp";
	assert_int_equal(tell(f), FEEDBACK_DONE);
	v = look();
	assert_int_equal(v->nevents, 2);
	assert_int_equal(v->event[1].code, 550);
	assert_string_equal(v->event[1].enhanced, "5.1.1");
	assert_string_equal(v->event[1].text, "no such user");
	assert_string_equal(v->event[1].stage, stage_name(STAGE_DOT));
	assert_string_equal(v->event[1].reason, "userunknown");
	assert_string_equal(v->event[1].peer, "mx.example.jp");
	assert_string_equal(v->event[1].remote_id, SES);
	assert_string_equal(v->event[1].recipient, "user0@docomo.ne.jp");
	assert_string_equal(v->event[1].path, "mta");
	assert_string_equal(v->event[1].sender, "example.jp");
	look_away(v);
}

static void
notes_are_known_again_by_type_and_time(void **state)
{
	int64_t id = put(1, DUE, true);
	struct feedback f = feedback(id, 0, FEEDBACK_NOTE);

	(void)state;
	send_off(id, 0, "user0@docomo.ne.jp", SES);
	assert_int_equal(tell(f), FEEDBACK_DONE);
	assert_int_equal(tell(f), FEEDBACK_KNOWN);
	f.event = EVENT_CLICK;
	assert_int_equal(tell(f), FEEDBACK_DONE);
	for (f.at = told_at(1); f.at < told_at(8); f.at++)
		assert_int_equal(tell(f), FEEDBACK_DONE);
	for (f.at = told_at(1); f.at < told_at(8); f.at++)
		assert_int_equal(tell(f), FEEDBACK_KNOWN);
	f.at = told_at(0);
	assert_int_equal(tell(f), FEEDBACK_KNOWN);
	/* The ninth before is forgotten. */
	f.event = EVENT_OPEN;
	assert_int_equal(tell(f), FEEDBACK_DONE);
	assert_counts("mta", 1, 0, 0, 0, 0);
}

/* -- whom it is about ---------------------------------------------------- */

static void
told_of(struct feedback f, const char *address, bool alone,
    enum feedback_result expected, const char *expected_address)
{
	struct sent_view before, after;

	f.address = address;
	f.alone = alone;
	look_sent(&before, f.message, -1);
	assert_int_equal(tell(f), expected);
	look_sent(&after, f.message, -1);
	for (size_t i = 0; i < after.n; i++)
		assert_int_equal(after.row[i].complained,
		    before.row[i].complained ||
			strcmp(after.row[i].address, expected_address) == 0);
}

static void
it_is_about_the_address_it_names(void **state)
{
	int64_t id = put(3, DUE, true);
	struct feedback f = feedback(id, 1, FEEDBACK_COMPLAINT);

	(void)state;
	send_off(id, 0, "a@docomo.ne.jp", SES);
	send_off(id, 1, "b@docomo.ne.jp", SES);
	send_off(id, 2, "c@docomo.ne.jp", SES);
	told_of(f, "", false, FEEDBACK_UNKNOWN, "-");
	told_of(f, "x@docomo.ne.jp", false, FEEDBACK_UNKNOWN, "-");
	told_of(f, "B@DOCOMO.ne.jp", false, FEEDBACK_DONE, "b@docomo.ne.jp");
	/* Of the same message, under the id of another. */
	told_of(f, "c@docomo.ne.jp", false, FEEDBACK_DONE, "c@docomo.ne.jp");
	told_of(f, "c@docomo.ne.jp", false, FEEDBACK_KNOWN, "-");
	f.index = 0;
	told_of(
	    f, "forwarded@example.com", true, FEEDBACK_DONE, "a@docomo.ne.jp");
	f.index = 3;
	told_of(f, "a@docomo.ne.jp", true, FEEDBACK_UNKNOWN, "-");
}

static void
without_our_id_it_is_found_by_that_of_ses(void **state)
{
	static const char *const ids[] = { SES,
		"010001993fa20b41-a0b1c2d3-0000-4000-8000-000000000000-000000",
		"short", "" };
	struct feedback f = feedback(0, 0, FEEDBACK_COMPLAINT);
	struct sent_view v;
	int64_t id[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		id[i] = put(2, DUE, true);
		send_off(id[i], 0, "a@docomo.ne.jp", ids[i]);
		send_off(id[i], 1, "b@docomo.ne.jp", ids[i]);
	}
	for (int i = 0; i < 3; i++) {
		f.remote_id = ids[i];
		f.alone = false;
		f.address = "b@docomo.ne.jp";
		assert_int_equal(tell(f), FEEDBACK_DONE);
		f.address = "c@docomo.ne.jp";
		assert_int_equal(tell(f), FEEDBACK_UNKNOWN);
		look_sent(&v, id[i], -1);
		assert_false(v.row[0].complained);
		assert_true(v.row[1].complained);
	}
	f.alone = true;
	f.remote_id = "";
	assert_int_equal(tell(f), FEEDBACK_UNKNOWN);
	f.remote_id = "other";
	assert_int_equal(tell(f), FEEDBACK_UNKNOWN);
	f.remote_id = SES;
	f.kind = FEEDBACK_DELIVERED;
	assert_int_equal(tell(f), FEEDBACK_DONE);
	assert_counts("mta", 8, 1, 0, 3, 0);
	look_sent(&v, id[3], 1);
	assert_int_equal(v.n, 1);
	assert_int_equal(v.size, 8);
}

static void
what_is_not_to_be_remembered_is_not(void **state)
{
	struct feedback f;
	int64_t id = put(1, DUE, true);
	struct sent_view v;

	(void)state;
	settle_final(id, 0);
	f = feedback(id, 0, FEEDBACK_DELIVERED);
	assert_int_equal(tell(f), FEEDBACK_UNKNOWN);
	look_sent(&v, id, -1);
	assert_int_equal(v.n, 0);
	assert_int_equal(v.size, 0);
	assert_counts("mta", 1, 0, 0, 0, 0);
}

/* -- before the settlement ----------------------------------------------- */

static void
retry(int64_t id, unsigned index, bool unread)
{
	struct settlement s = settlement(id, index, SETTLE_RETRY,
	    1u << COUNT_DEFERRED | (unread ? 1u << COUNT_UNREAD : 0));

	s.event = unread ? EVENT_UNREAD : EVENT_NONE;
	s.unread = unread;
	s.due = DUE;
	s.shelf = 7;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
}

static void
one_that_waits_for_a_reply_leaves_at_once(void **state)
{
	static const enum feedback_kind kind[] = { FEEDBACK_SENT,
		FEEDBACK_DELIVERED, FEEDBACK_ENDED, FEEDBACK_COMPLAINT,
		FEEDBACK_NOTE };
	static const char *const events[] = { "Unread Send ",
		"Unread Send Delivery ", "Unread Send Bounce ",
		"Unread Send Complaint ", "Unread Send Open " };
	struct view *v;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		int64_t id = put(1, DUE, true);

		retry(id, 0, true);
		assert_int_equal(tell(feedback(id, 0, kind[i])), FEEDBACK_DONE);
		assert_int_equal(
		    tell(feedback(id, 0, kind[i])), FEEDBACK_KNOWN);
		assert_events(id, events[i]);
	}
	assert_counts("mta", 5, 1, 1, 1, 1);
	v = look();
	assert_int_equal(v->nrecipients, 0);
	assert_int_equal(count_of(v, "mta", COUNT_UNREAD), 5);
	look_away(v);
}

static void
one_that_waits_for_another_reason_stays(void **state)
{
	int64_t id = put(2, DUE, true);
	struct view *v;

	(void)state;
	retry(id, 0, false);
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_DONE);
	assert_int_equal(tell(feedback(id, 1, FEEDBACK_SENT)), FEEDBACK_DONE);
	v = look();
	assert_int_equal(v->nrecipients, 2);
	look_away(v);
	assert_counts("mta", 0, 1, 0, 0, 0);
	send_off(id, 0, "user0@docomo.ne.jp", SES);
	send_off(id, 1, "user1@docomo.ne.jp", SES);
	assert_counts("mta", 2, 1, 0, 0, 0);
	assert_events(id, "Delivery Send Send ");
}

static void
one_in_memory_may_not_go_again(void **state)
{
	static const enum settle_as as[] = { SETTLE_RETURN, SETTLE_RETRY };
	struct store_lease l;
	struct view *v;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		int64_t id = put(2, DUE, true);
		struct settlement s = settlement(id, 0, as[i],
		    as[i] == SETTLE_RETRY ? 1u << COUNT_DEFERRED : 0);

		retry(id, 0, true);
		retry(id, 1, true);
		ask_lease(&l, 7, DUE, 10);
		assert_int_equal(l.n, 2);
		free_recipients(&l.recipients);
		assert_int_equal(
		    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_DONE);
		assert_int_equal(
		    ask_begin(id, 0, &to_ses, NULL), STORE_REJECTED);
		assert_int_equal(ask_begin(id, 1, &to_docomo, NULL), STORE_OK);
		s.unread = as[i] == SETTLE_RETRY;
		s.route = NULL;
		s.sender = NULL;
		s.address = NULL;
		s.due = DUE;
		s.shelf = 7;
		assert_int_equal(ask_settle(&s, NULL), STORE_OK);
		v = look();
		assert_int_equal(v->nrecipients, 1);
		assert_int_equal(v->recipient[0].index, 1);
		look_away(v);
		settle_final(id, 1);
		assert_events(id, "Unread Unread Delivery Send ");
	}
	assert_counts("mta", 4, 2, 0, 0, 0);
	assert_counts("ses", 0, 0, 0, 0, 0);
}

/* The reply of the last try was unread, too, and patience is at its end. */
static void
one_that_arrived_does_not_expire(void **state)
{
	int64_t id = put(1, DUE, true);
	struct store_enqueue *dsn = new_message(1, DUE, 100);
	struct settlement s = settlement(
	    id, 0, SETTLE_FINAL, 1u << COUNT_EXPIRED | 1u << COUNT_UNREAD);
	struct view *v;

	(void)state;
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_DONE);
	s.remember = FOREVER;
	s.before = EVENT_UNREAD;
	s.event = EVENT_EXPIRED;
	s.notice = dsn->message;
	s.notice_to = TAILQ_FIRST(&dsn->recipients);
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	free_message(dsn);
	v = look();
	assert_int_equal(v->nrecipients, 0);
	assert_int_equal(count_of(v, "mta", COUNT_EXPIRED), 0);
	assert_int_equal(count_of(v, "mta", COUNT_UNREAD), 1);
	look_away(v);
	assert_counts("mta", 1, 1, 0, 0, 0);
	assert_events(id, "Delivery Unread Send ");
}

static void
counters_follow_to_the_route_it_left_by(void **state)
{
	int64_t id = put(1, DUE, true);
	struct settlement s = settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);
	struct sent_view sent;

	(void)state;
	tell(feedback(id, 0, FEEDBACK_DELIVERED));
	tell(feedback(id, 0, FEEDBACK_ENDED));
	tell(feedback(id, 0, FEEDBACK_COMPLAINT));
	assert_counts("mta", 0, 0, 1, 1, 1);
	assert_int_equal(ask_begin(id, 0, &to_ses, NULL), STORE_OK);
	assert_counts("mta", 0, 0, 1, 1, 1);
	s.route = &to_ses;
	s.remember = FOREVER;
	s.remote_id = SES;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	assert_counts("mta", 0, 0, 0, 0, 0);
	assert_counts("ses", 1, 0, 1, 1, 1);
	look_sent(&sent, id, 0);
	assert_string_equal(sent.row[0].path, "ses");
	assert_string_equal(sent.row[0].remote_id, SES);
}

/* Removed here, or settled by something that does not remember. */
static void
one_that_left_unseen_keeps_the_books_even(void **state)
{
	int64_t id = put(2, DUE, true);

	(void)state;
	tell(feedback(id, 0, FEEDBACK_DELIVERED));
	tell(feedback(id, 1, FEEDBACK_ENDED));
	settle_final(id, 0);
	retry(id, 1, false);
	assert_int_equal(
	    ask_edit((struct queue_filter){ .index = -1 }, true, DUE), 1);
	assert_counts("mta", 1, 1, 1, 0, 1);
	tell(feedback(id, 0, FEEDBACK_ENDED));
	tell(feedback(id, 1, FEEDBACK_DELIVERED));
	assert_counts("mta", 1, 0, 2, 0, 2);
}

/* It was settled as bounced or expired, and then we are told that it went. */
static void
what_is_proved_after_an_end_is_sent_and_returned(void **state)
{
	int64_t id = put(1, DUE, true);
	struct settlement s =
	    settlement(id, 0, SETTLE_FINAL, 1u << COUNT_EXPIRED);
	struct view *v;

	(void)state;
	s.remember = FOREVER;
	s.event = EVENT_EXPIRED;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	assert_int_equal(tell(feedback(id, 0, FEEDBACK_SENT)), FEEDBACK_DONE);
	assert_int_equal(tell(feedback(id, 0, FEEDBACK_SENT)), FEEDBACK_KNOWN);
	assert_int_equal(tell(feedback(id, 0, FEEDBACK_ENDED)), FEEDBACK_KNOWN);
	assert_events(id, "Expired Send ");
	assert_counts("mta", 1, 0, 0, 0, 1);
	v = look();
	assert_int_equal(count_of(v, "mta", COUNT_EXPIRED), 1);
	look_away(v);
}

static void
proof_outlives_a_restart(void **state)
{
	int64_t id = put(1, DUE, true);
	struct settlement s = settlement(id, 0, SETTLE_RETURN, 0);
	struct store_lease l;

	(void)state;
	assert_int_equal(ask_begin(id, 0, &to_docomo, NULL), STORE_OK);
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_DONE);
	log_set_level(LOG_ERROR + 1);
	assert_int_equal(fixture_reopen(NULL), 0);
	/* A node among others has given it back when it left. */
	if (the->url == NULL)
		assert_int_equal(the->recovery.unread, 1);
	ask_lease(&l, 7, DUE, 10);
	assert_int_equal(l.n, 1);
	free_recipients(&l.recipients);
	assert_int_equal(ask_begin(id, 0, &to_docomo, NULL), STORE_REJECTED);
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	assert_counts("mta", 1, 1, 0, 0, 0);
	/* And is known as long as it is remembered. */
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_KNOWN);
}

/* What one item leaves is there for the next. */
static void
several_in_one_request_are_one_transaction(void **state)
{
	int64_t id = put(3, DUE, true);
	struct feedback f[5];
	struct store_feedback r;

	(void)state;
	prepare_feedback(&r);
	send_off(id, 0, "user0@docomo.ne.jp", SES);
	f[0] = feedback(id, 0, FEEDBACK_DELIVERED);
	f[1] = feedback(id, 1, FEEDBACK_DELIVERED);
	f[2] = feedback(id, 9, FEEDBACK_DELIVERED);
	f[3] = feedback(id, 0, FEEDBACK_DELIVERED);
	f[4] = feedback(0, 0, FEEDBACK_DELIVERED);
	f[4].address = "user0@docomo.ne.jp";
	f[4].remote_id = SES;
	for (int i = 0; i < 5; i++)
		STAILQ_INSERT_TAIL(&r.list, &f[i], link);
	store_feedback(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	assert_int_equal(r.unknown, 1);
	assert_int_equal(f[0].result, FEEDBACK_DONE);
	assert_int_equal(f[1].result, FEEDBACK_DONE);
	assert_int_equal(f[2].result, FEEDBACK_UNKNOWN);
	assert_int_equal(f[3].result, FEEDBACK_KNOWN);
	assert_int_equal(f[4].result, FEEDBACK_KNOWN);
	assert_counts("mta", 1, 2, 0, 0, 0);
}

static void
the_future_is_now_in_an_event(void **state)
{
	int64_t id = put(1, DUE, true);
	struct feedback f = feedback(id, 0, FEEDBACK_NOTE);

	(void)state;
	send_off(id, 0, "user0@docomo.ne.jp", SES);
	f.at = INT64_MAX;
	assert_int_equal(tell(f), FEEDBACK_DONE);
	assert_int_equal(tell(f), FEEDBACK_KNOWN);
	f.at = 0;
	assert_int_equal(tell(f), FEEDBACK_DONE);
	f.at = -5;
	assert_int_equal(tell(f), FEEDBACK_DONE);
	/* All of them are young enough to be kept. */
	the->config.event_keep = 60000;
	assert_int_equal(fixture_reopen(NULL), 0);
	put(1, DUE, true);
	assert_events(id, "Send Open Open Open ");
}

/* -- for how long -------------------------------------------------------- */

static void
what_was_sent_is_forgotten_in_time(void **state)
{
	enum { MANY = 1300 };
	struct store_enqueue *r = new_message(MANY, DUE, 10);
	int64_t id = r->message->id;
	struct store_settle settle;
	struct settlement *s = xcalloc(MANY, sizeof(*s));
	struct sent_view v;

	(void)state;
	r->leased = true;
	assert_int_equal(ask_enqueue(r), STORE_OK);
	free_message(r);
	STAILQ_INIT(&settle.settlements);
	prepare_request(&settle.req);
	for (unsigned i = 0; i < MANY; i++) {
		s[i] = settlement(id, i, SETTLE_FINAL, 1u << COUNT_SENT);
		s[i].remember = i < 7 ? FOREVER : 1000 + i;
		STAILQ_INSERT_TAIL(&settle.settlements, &s[i], link);
	}
	store_settle(the->store, &settle);
	await(1);
	free(s);
	assert_int_equal(fixture_reopen(NULL), 0);
	do {
		put(1, DUE, false); /* each commit takes a slice */
		look_sent(&v, id, 0);
	} while (v.size > 7);
	assert_int_equal(v.n, 1);
	assert_int_equal(v.size, 7);
	assert_int_equal(
	    tell(feedback(id, 6, FEEDBACK_DELIVERED)), FEEDBACK_DONE);
	assert_int_equal(
	    tell(feedback(id, 7, FEEDBACK_DELIVERED)), FEEDBACK_UNKNOWN);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(any_order_comes_to_the_same),
		T(each_is_counted_once),
		T(sent_is_delivered_where_that_is_the_same),
		T(the_first_end_is_the_end),
		T(an_event_says_what_was_told),
		T(notes_are_known_again_by_type_and_time),
		T(it_is_about_the_address_it_names),
		T(without_our_id_it_is_found_by_that_of_ses),
		T(what_is_not_to_be_remembered_is_not),
		T(one_that_waits_for_a_reply_leaves_at_once),
		T(one_that_waits_for_another_reason_stays),
		T(one_in_memory_may_not_go_again),
		T(one_that_arrived_does_not_expire),
		T(counters_follow_to_the_route_it_left_by),
		T(one_that_left_unseen_keeps_the_books_even),
		T(what_is_proved_after_an_end_is_sent_and_returned),
		T(proof_outlives_a_restart),
		T(several_in_one_request_are_one_transaction),
		T(the_future_is_now_in_an_event),
		T(what_was_sent_is_forgotten_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
