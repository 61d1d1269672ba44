/*
 * test_store_cause.c - what became of mail changes the suppression list, once,
 * with the counters and the event of it.
 */
#include "tests/unit/suppress_fixture.h"

#define USER "user0@docomo.ne.jp"

static struct suppress_cause
cause(const char *name, bool soft, int64_t expires)
{
	return (struct suppress_cause){ .scope = "",
		.cause = name,
		.source = "smtp",
		.evidence = "550 no",
		.expires = expires,
		.soft = soft };
}

/* A message to USER, settled at once with that cause. */
static int64_t
bounce_at(const struct suppress_cause *c, int64_t at)
{
	int64_t id = put(1, told_at(0), true);
	struct settlement s =
	    settlement(id, 0, SETTLE_FINAL, 1u << COUNT_BOUNCED);

	s.address = USER;
	s.at = at;
	s.suppress = c;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	return id;
}

static void
deliver_at(int64_t at)
{
	int64_t id = put(1, told_at(0), true);
	struct settlement s = settlement(
	    id, 0, SETTLE_FINAL, 1u << COUNT_SENT | 1u << COUNT_DELIVERED);

	s.address = "User0@DOCOMO.ne.jp";
	s.at = at;
	s.lifts = true;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
}

/* -- settlements --------------------------------------------------------- */

static void
an_end_suppresses(void **state)
{
	struct suppress_cause c = cause("userunknown", false, told_at(9000000));
	char expected[200];
	int64_t id;

	(void)state;
	id = bounce_at(&c, told_at(5));
	snprintf(expected, sizeof(expected),
	    "/" USER ":userunknown,oiwake,1,5,smtp,550 no,mta,%lld,0,9000000,0",
	    (long long)id);
	assert_details(expected);
	assert_true(is_suppressed());
}

static void
an_end_of_nobody_suppresses_nobody(void **state)
{
	struct suppress_cause c = cause("userunknown", false, 0);
	int64_t id = put(1, told_at(0), true);
	struct settlement s =
	    settlement(id, 0, SETTLE_FINAL, 1u << COUNT_BOUNCED);
	unsigned skipped;

	(void)state;
	settle_final(id, 0);
	s.suppress = &c;
	assert_int_equal(ask_settle(&s, &skipped), STORE_OK);
	assert_int_equal(skipped, 1);
	assert_entries("");
}

/* It failed for all that we saw, and had arrived. */
static void
what_was_sent_after_all_suppresses_nobody(void **state)
{
	struct suppress_cause c = cause("userunknown", false, 0);
	int64_t id = put(1, told_at(0), true);
	struct settlement s =
	    settlement(id, 0, SETTLE_FINAL, 1u << COUNT_BOUNCED);

	(void)state;
	assert_int_equal(
	    tell(feedback(id, 0, FEEDBACK_DELIVERED)), FEEDBACK_DONE);
	s.suppress = &c;
	s.remember = FOREVER;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	assert_entries("");
}

/* What waits again has not ended. */
static void
a_try_that_failed_suppresses_nobody(void **state)
{
	struct suppress_cause c = cause("userunknown", false, 0);
	int64_t id = put(1, told_at(0), true);
	struct settlement s = settlement(id, 0, SETTLE_RETRY, 0);

	(void)state;
	s.suppress = &c;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	assert_entries("");
}

/* -- what gives way to what ---------------------------------------------- */

static void
the_stronger_stays_and_the_later_expiry(void **state)
{
	static const struct {
		const char *there;
		bool soft;
		int64_t expires; /* as told_at; 0: never */
		const char *comes;
		bool comes_soft;
		int64_t comes_expires;
		const char *left;
		int64_t left_expires;
		bool left_soft;
	} row[] = {
		{ "mailboxfull", true, 90000000, "mailboxfull", true, 80000000,
		    "mailboxfull", 90000000, true },
		{ "mailboxfull", true, 90000000, "userunknown", false, 0,
		    "userunknown", 0, false },
		{ "userunknown", false, 90000000, "mailboxfull", true, 95000000,
		    "userunknown", 95000000, false },
		{ "userunknown", false, 0, "mailboxfull", true, 95000000,
		    "userunknown", 0, false },
		{ "userunknown", false, 90000000, "hasmoved", false, 80000000,
		    "hasmoved", 90000000, false },
		{ "userunknown", false, 90000000, "complaint", false, 0,
		    "complaint", 0, false },
		{ "complaint", false, 90000000, "userunknown", false, 95000000,
		    "complaint", 95000000, false },
		{ "COMPLAINT", false, 0, "userunknown", false, 95000000,
		    "COMPLAINT", 0, false },
		{ "BOUNCE", false, 0, "mailboxfull", true, 95000000, "BOUNCE",
		    0, false },
		{ "manual", false, 0, "complaint", false, 95000000, "manual", 0,
		    false },
		{ "manual", false, 90000000, "mailboxfull", true, 0, "manual",
		    0, false },
		/* It has expired: it stands for nothing. */
		{ "manual", false, 5, "mailboxfull", true, 90000000,
		    "mailboxfull", 90000000, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct suppression s = entry(USER);
		struct suppress_cause c = cause(row[i].comes, row[i].comes_soft,
		    row[i].comes_expires != 0 ? told_at(row[i].comes_expires)
					      : 0);
		struct list l = { .more = true, .n = 0 };
		char expected[100];

		s.cause = row[i].there;
		s.soft = row[i].soft;
		s.expires = row[i].expires != 0 ? told_at(row[i].expires) : 0;
		suppress(s);
		bounce_at(&c, told_at(10));
		str_init(&l.text);
		l.after_scope = l.after_address = "";
		l.limit = 10;
		l.query.reply_to = the->inbox;
		l.query.run = run_list;
		l.query.done = on_query_answer;
		store_query(the->store, &l.query);
		await(1);
		snprintf(
		    expected, sizeof(expected), "/" USER ":%s,", row[i].left);
		assert_int_equal(
		    strncmp(l.text.data, expected, strlen(expected)), 0);
		snprintf(expected, sizeof(expected), ",0,%lld,%d",
		    (long long)row[i].left_expires, row[i].left_soft);
		if (strstr(l.text.data, expected) == NULL &&
		    (snprintf(expected, sizeof(expected), ",1,%lld,%d",
			 (long long)row[i].left_expires, row[i].left_soft),
			strstr(l.text.data, expected) == NULL))
			fail_msg("row %zu: %s", i, l.text.data);
		str_release(&l.text);
		ask_suppress(&s, 1, true, false);
	}
}

/* SES has it: it has it still. */
static void
an_entry_stays_as_it_stands_to_ses(void **state)
{
	static const struct {
		enum suppression_state was, is;
	} row[] = { { SUPPRESSION_SYNCED, SUPPRESSION_SYNCED },
		{ SUPPRESSION_LOCAL, SUPPRESSION_LOCAL },
		{ SUPPRESSION_GONE, SUPPRESSION_LOCAL } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct suppression s = entry(USER);
		struct suppress_cause c = cause("hasmoved", false, 0);
		char expected[200];
		int64_t id;

		s.scope = c.scope = "mta";
		s.state = row[i].was;
		suppress(s);
		id = bounce_at(&c, told_at(5));
		snprintf(expected, sizeof(expected),
		    "mta/" USER ":hasmoved,oiwake,%d,5,smtp,550 no,mta,%lld,0,"
		    "0,0",
		    (int)row[i].is, (long long)id);
		assert_details(expected);
		ask_suppress(&s, 1, true, false);
	}
}

/* -- strikes ------------------------------------------------------------- */

static struct suppress_cause
three_in_ten(const char *name)
{
	struct suppress_cause c = cause(name, true, 0);

	c.strikes = 3;
	c.within = 10;
	return c;
}

static void
so_many_in_so_long_suppress(void **state)
{
	enum { S = 1000000 };
	struct suppress_cause c = three_in_ten("mailboxfull");
	struct suppress_cause other = three_in_ten("suspend");

	(void)state;
	c.within *= S;
	other.within *= S;
	bounce_at(&c, told_at(100 * S));
	bounce_at(&c, told_at(105 * S));
	bounce_at(&other, told_at(106 * S));
	assert_entries("");
	assert_int_equal(fixture_reopen(NULL), 0);
	/* The first is too long ago. */
	bounce_at(&c, told_at(110 * S));
	assert_entries("");
	bounce_at(&c, told_at(111 * S));
	assert_entries("/" USER ":mailboxfull");
}

static void
once_suppressed_it_begins_again(void **state)
{
	struct suppress_cause c = three_in_ten("mailboxfull");

	(void)state;
	for (int i = 0; i < 3; i++)
		bounce_at(&c, told_at(100));
	assert_entries("/" USER ":mailboxfull");
	assert_int_equal(
	    unsuppress((struct suppression_filter){ .cause = "" }, 0), 1);
	bounce_at(&c, told_at(101));
	bounce_at(&c, told_at(101));
	assert_entries("");
	bounce_at(&c, told_at(101));
	assert_entries("/" USER ":mailboxfull");
}

/* -- lifted -------------------------------------------------------------- */

static void
a_delivery_takes_strikes_away(void **state)
{
	struct suppress_cause c = three_in_ten("mailboxfull");

	(void)state;
	bounce_at(&c, told_at(100));
	bounce_at(&c, told_at(101));
	deliver_at(told_at(100));
	/* One of them was later than the delivery. */
	bounce_at(&c, told_at(102));
	assert_entries("");
	bounce_at(&c, told_at(103));
	assert_entries("/" USER ":mailboxfull");
}

static void
a_delivery_takes_away_what_is_soft(void **state)
{
	struct suppression s[] = { entry(USER), entry(USER), entry(USER),
		entry("user1@docomo.ne.jp") };

	(void)state;
	s[0].scope = "mta";
	s[0].soft = true;
	s[1].scope = "ses";
	s[1].soft = true;
	s[1].at = told_at(200);
	s[3].soft = true;
	assert_int_equal(ask_suppress(s, 4, false, false), 4);
	deliver_at(told_at(100));
	assert_entries("/" USER ":userunknown /user1@docomo.ne.jp:userunknown "
		       "ses/" USER ":userunknown");
}

/* -- feedback ------------------------------------------------------------ */

/* Sent to USER, and remembered. */
static int64_t
sent(void)
{
	int64_t id = put(1, told_at(0), true);

	send_off(id, 0, USER, "");
	return id;
}

static void
a_late_bounce_suppresses_once(void **state)
{
	struct suppress_cause c = cause("userunknown", false, 0);
	int64_t id = sent();
	struct feedback f = feedback(id, 0, FEEDBACK_ENDED);
	char expected[200];

	(void)state;
	c.source = "dsn";
	f.suppress = &c;
	f.address = "somebody@else.jp"; /* as it names it; it is about ours */
	f.at = told_at(3);
	assert_int_equal(tell(f), FEEDBACK_DONE);
	snprintf(expected, sizeof(expected),
	    "/" USER ":userunknown,oiwake,1,3,dsn,550 no,mta,%lld,0,0,0",
	    (long long)id);
	assert_details(expected);
	unsuppress((struct suppression_filter){ .cause = "" }, 0);
	assert_int_equal(tell(f), FEEDBACK_KNOWN);
	f.message++;
	assert_int_equal(tell(f), FEEDBACK_UNKNOWN);
	assert_entries("");
}

static void
told_again_and_again_it_is_one_strike(void **state)
{
	struct suppress_cause c = three_in_ten("mailboxfull");
	struct feedback f = feedback(0, 0, FEEDBACK_NOTE);

	(void)state;
	f.suppress = &c;
	f.message = sent();
	for (int i = 0; i < 5; i++) {
		f.at = told_at(i);
		assert_int_equal(tell(f), FEEDBACK_DONE);
	}
	assert_entries("");
}

static void
that_it_was_delivered_lifts(void **state)
{
	struct suppress_cause c = cause("mailboxfull", true, 0);
	int64_t id = sent();
	struct feedback f = feedback(id, 0, FEEDBACK_DELIVERED);

	(void)state;
	bounce_at(&c, told_at(10));
	f.at = told_at(9);
	assert_int_equal(tell(f), FEEDBACK_DONE);
	assert_entries("/" USER ":mailboxfull");
	f.message = sent();
	f.at = told_at(11);
	assert_int_equal(tell(f), FEEDBACK_DONE);
	assert_entries("");
}

/* The two come in any order. */
static void
a_delivery_before_the_bounce_of_it_lifts_nothing(void **state)
{
	struct suppress_cause c = cause("mailboxfull", true, 0);
	int64_t id = sent();
	struct feedback f = feedback(id, 0, FEEDBACK_ENDED);

	(void)state;
	f.suppress = &c;
	f.at = told_at(10);
	assert_int_equal(tell(f), FEEDBACK_DONE);
	f = feedback(id, 0, FEEDBACK_DELIVERED);
	f.at = told_at(11);
	assert_int_equal(tell(f), FEEDBACK_DONE);
	assert_entries("/" USER ":mailboxfull");
}

/* -- without an index ---------------------------------------------------- */

static struct feedback
any(int64_t message, const char *address, bool alone)
{
	struct feedback f = feedback(message, FEEDBACK_ANY, FEEDBACK_NOTE);
	static int64_t at;

	f.address = address;
	f.alone = alone;
	f.at = told_at(at++);
	return f;
}

static unsigned
last_index(void)
{
	struct view *v = look();
	unsigned index = v->event[v->nevents - 1].index;

	assert_int_equal(v->event[v->nevents - 1].type, EVENT_OPEN);
	look_away(v);
	return index;
}

static void
without_an_index_the_address_finds_it(void **state)
{
	int64_t id = put(4, told_at(0), true);

	(void)state;
	send_off(id, 0, "user0@docomo.ne.jp", "");
	send_off(id, 2, "user2@docomo.ne.jp", "");
	assert_int_equal(
	    tell(any(id, "USER2@docomo.ne.jp", false)), FEEDBACK_DONE);
	assert_int_equal(last_index(), 2);
	/* In the queue still. */
	assert_int_equal(
	    tell(any(id, "user3@docomo.ne.jp", true)), FEEDBACK_DONE);
	assert_int_equal(last_index(), 3);
	assert_int_equal(
	    tell(any(id, "user9@docomo.ne.jp", true)), FEEDBACK_UNKNOWN);
	assert_int_equal(tell(any(id, "", true)), FEEDBACK_UNKNOWN);
}

static void
without_an_index_it_is_about_the_only_one(void **state)
{
	int64_t id = put(2, told_at(0), true), one = put(1, told_at(0), true);

	(void)state;
	assert_int_equal(tell(any(id, "", true)), FEEDBACK_UNKNOWN);
	send_off(id, 1, "user1@docomo.ne.jp", "");
	assert_int_equal(tell(any(id, "", false)), FEEDBACK_DONE);
	assert_int_equal(last_index(), 1);
	assert_int_equal(tell(any(id, "x@y.jp", true)), FEEDBACK_DONE);
	assert_int_equal(last_index(), 1);
	assert_int_equal(tell(any(id, "x@y.jp", false)), FEEDBACK_UNKNOWN);
	assert_int_equal(tell(any(one, "x@y.jp", false)), FEEDBACK_UNKNOWN);
	assert_int_equal(tell(any(one, "x@y.jp", true)), FEEDBACK_DONE);
	assert_int_equal(tell(any(one + 1, "", true)), FEEDBACK_UNKNOWN);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_end_suppresses),
		T(an_end_of_nobody_suppresses_nobody),
		T(what_was_sent_after_all_suppresses_nobody),
		T(a_try_that_failed_suppresses_nobody),
		T(the_stronger_stays_and_the_later_expiry),
		T(an_entry_stays_as_it_stands_to_ses),
		T(so_many_in_so_long_suppress),
		T(once_suppressed_it_begins_again),
		T(a_delivery_takes_strikes_away),
		T(a_delivery_takes_away_what_is_soft),
		T(a_late_bounce_suppresses_once),
		T(told_again_and_again_it_is_one_strike),
		T(that_it_was_delivered_lifts),
		T(a_delivery_before_the_bounce_of_it_lifts_nothing),
		T(without_an_index_the_address_finds_it),
		T(without_an_index_it_is_about_the_only_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
