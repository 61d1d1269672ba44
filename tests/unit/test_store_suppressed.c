/*
 * test_store_suppressed.c - who is on the suppression list is found, as mail
 * comes in, as it comes into memory, and before each attempt; and the list is
 * read, put and taken away.
 */
#include "tests/unit/suppress_fixture.h"

/* -- looked up ----------------------------------------------------------- */

static void
an_address_is_found_as_it_comes_in(void **state)
{
	char *why;

	(void)state;
	assert_false(is_suppressed());
	suppress((struct suppression){ .scope = "",
	    .address = "user0@docomo.ne.jp",
	    .cause = "userunknown",
	    .who = "oiwake",
	    .at = INT64_C(1793664000000),
	    .source = "smtp",
	    .evidence = "550 5.1.1\r\nUnknown" });
	why = ask_is_suppressed();
	assert_string_equal(why,
	    "on the suppression list since 2026-11-03: userunknown (smtp): "
	    "550 5.1.1  Unknown");
	free(why);
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_true(is_suppressed());
}

/* Which entries hold for user0@docomo.ne.jp by the path mta. */
static void
only_what_holds_is_found(void **state)
{
	static const struct {
		const char *scope, *address;
		enum suppression_state state;
		int64_t expires; /* after now; 0: never */
		bool found;
	} row[] = {
		{ "", "user0@docomo.ne.jp", SUPPRESSION_LOCAL, 0, true },
		{ "", "user0@docomo.ne.jp", SUPPRESSION_SYNCED, 0, true },
		{ "mta", "user0@docomo.ne.jp", SUPPRESSION_LOCAL, 0, true },
		{ "mta", "user0@docomo.ne.jp", SUPPRESSION_GONE, 0, false },
		{ "ses", "user0@docomo.ne.jp", SUPPRESSION_LOCAL, 0, false },
		{ "", "user@docomo.ne.jp", SUPPRESSION_LOCAL, 0, false },
		{ "", "user00@docomo.ne.jp", SUPPRESSION_LOCAL, 0, false },
		{ "", "user0@docomo.ne.jp", SUPPRESSION_LOCAL, 60000, true },
		{ "", "user0@docomo.ne.jp", SUPPRESSION_LOCAL, -1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct suppression s = entry(row[i].address);

		s.scope = row[i].scope;
		s.state = row[i].state;
		if (row[i].expires != 0)
			s.expires = clock_wall() + row[i].expires;
		suppress(s);
		if (is_suppressed() != row[i].found)
			fail_msg("row %zu", i);
		ask_suppress(&s, 1, true, false);
		assert_false(is_suppressed());
	}
}

static void
all_forms_of_an_address_are_one(void **state)
{
	struct store_enqueue *r = new_message(3, told_at(0), 10);
	struct recipient *rcpt = TAILQ_FIRST(&r->recipients);
	static const char *const address[] = { "USER0@docomo.ne.jp",
		"a..b.@docomo.ne.jp", "a.b@docomo.ne.jp" };

	(void)state;
	suppress(entry("user0@docomo.ne.jp"));
	suppress(entry("a..b.@docomo.ne.jp"));
	for (size_t i = 0; i < 3; i++, rcpt = TAILQ_NEXT(rcpt, link)) {
		free(rcpt->address);
		rcpt->address = xstrdup(address[i]);
		rcpt->domain = strrchr(rcpt->address, '@') + 1;
	}
	assert_int_equal(ask_enqueue(r), STORE_OK);
	rcpt = TAILQ_FIRST(&r->recipients);
	assert_non_null(rcpt->suppressed);
	rcpt = TAILQ_NEXT(rcpt, link);
	assert_non_null(rcpt->suppressed);
	assert_null(TAILQ_NEXT(rcpt, link)->suppressed);
	free_message(r);
}

static void
an_address_is_found_as_it_comes_into_memory(void **state)
{
	struct store_lease l;
	const struct recipient *r;

	(void)state;
	put(3, told_at(0), false);
	suppress(entry("user1@docomo.ne.jp"));
	ask_lease(&l, 7, told_at(1), 10);
	assert_int_equal(l.n, 3);
	TAILQ_FOREACH(r, &l.recipients, link)
	assert_int_equal(r->suppressed != NULL, r->index == 1);
	free_recipients(&l.recipients);
}

/* -- before an attempt --------------------------------------------------- */

static enum store_status
begin_all(int64_t id, const struct route *route, char **suppressed)
{
	static const unsigned index[] = { 0, 1, 2 };
	struct store_begin r = { .message = id,
		.n = 3,
		.index = index,
		.route = route,
		.suppressed = suppressed };

	prepare_request(&r.req);
	store_begin(the->store, &r);
	await(1);
	return r.req.status;
}

static unsigned
count_state(enum recipient_state s)
{
	struct view *v = look();
	unsigned n = 0;

	for (size_t i = 0; i < v->nrecipients; i++)
		n += v->recipient[i].state == s;
	assert_equation(v);
	look_away(v);
	return n;
}

static void
an_attempt_does_not_begin_for_one_on_the_list(void **state)
{
	int64_t id = put(3, told_at(0), true);
	char *why[3] = { NULL };

	(void)state;
	suppress(entry("user1@docomo.ne.jp"));
	assert_int_equal(begin_all(id, &to_docomo, why), STORE_REJECTED);
	assert_null(why[0]);
	assert_non_null(strstr(why[1], "userunknown (smtp)"));
	assert_null(why[2]);
	assert_int_equal(count_state(RCPT_SENDING), 0);
	free(why[1]);
	why[1] = NULL;
	/* Who does not look does not find. */
	assert_int_equal(begin_all(id, &to_docomo, NULL), STORE_OK);
	assert_int_equal(count_state(RCPT_SENDING), 3);
}

/* By the path that it goes by now, whatever was planned. */
static void
the_path_of_the_attempt_counts(void **state)
{
	int64_t id = put(3, told_at(0), true);
	struct suppression s = entry("user1@docomo.ne.jp");
	char *why[3] = { NULL };

	(void)state;
	s.scope = "ses";
	suppress(s);
	assert_int_equal(begin_all(id, &to_docomo, why), STORE_OK);
	assert_int_equal(begin_all(id, &to_ses, why), STORE_REJECTED);
	assert_non_null(why[1]);
	free(why[1]);
}

/* In one transaction with others, which are not held up by it. */
static void
others_of_the_transaction_begin(void **state)
{
	enum { N = 100 };
	static const unsigned index[] = { 0, 1, 2 };
	struct store_begin r[N];
	char *why[N][3] = { { NULL } };
	int64_t id[N];

	(void)state;
	for (size_t i = 0; i < N; i++)
		id[i] = put(i % 2 == 0 ? 3 : 1, told_at(0), true);
	suppress(entry("user2@docomo.ne.jp"));
	for (size_t i = 0; i < N; i++) {
		r[i] = (struct store_begin){ .message = id[i],
			.n = i % 2 == 0 ? 3 : 1,
			.index = index,
			.route = &to_docomo,
			.suppressed = why[i] };
		prepare_request(&r[i].req);
		store_begin(the->store, &r[i]);
	}
	await(N);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(
		    r[i].req.status, i % 2 == 0 ? STORE_REJECTED : STORE_OK);
		assert_int_equal(why[i][2] != NULL, i % 2 == 0);
		free(why[i][2]);
	}
	assert_int_equal(count_state(RCPT_SENDING), N / 2);
}

/* -- put ----------------------------------------------------------------- */

static void
an_entry_says_where_it_comes_from(void **state)
{
	struct suppression s = entry("a@x.jp");

	(void)state;
	s.expires = told_at(5);
	s.soft = true;
	suppress(s);
	assert_list((struct list){ .more = true, .filter.expired = true },
	    "/a@x.jp:userunknown,oiwake,1,0,smtp,550 User unknown,mta,7,1,5,1");
	assert_int_equal(ask_suppress(&s, 1, false, false), 0);
	s.evidence = "551";
	assert_int_equal(ask_suppress(&s, 1, false, false), 1);
}

/* Whole characters of it. */
static void
evidence_is_cut(void **state)
{
	struct suppression s = entry("a@x.jp");
	char text[1000], expected[1100];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + 499, "\xe3\x81\x82", 4);
	s.evidence = text;
	suppress(s);
	snprintf(expected, sizeof(expected),
	    "/a@x.jp:userunknown,oiwake,1,0,smtp,%.499s,mta,7,1,0,0", text);
	assert_details(expected);
	assert_int_equal(ask_suppress(&s, 1, false, false), 0);
}

/* As by the sync with SES, which only knows cause and time. */
static void
who_knows_nothing_of_the_rest_leaves_it(void **state)
{
	struct suppression s = entry("a@x.jp");
	struct suppression bare = { .scope = "",
		.address = "a@x.jp",
		.cause = s.cause,
		.who = "oiwake",
		.state = SUPPRESSION_SYNCED,
		.at = s.at };

	(void)state;
	suppress(s);
	suppress(bare);
	assert_details(
	    "/a@x.jp:userunknown,oiwake,0,0,smtp,550 User unknown,mta,7,1,0,0");
	assert_int_equal(ask_suppress(&bare, 1, false, false), 0);
	bare.at++;
	suppress(bare);
	assert_details("/a@x.jp:userunknown,oiwake,0,1,,,,0,0,0,0");
}

static void
what_is_there_may_be_kept(void **state)
{
	struct suppression s = entry("a@x.jp"), manual = entry("a@x.jp");

	(void)state;
	manual.cause = "manual";
	s.expires = clock_wall() + 100000;
	suppress(s);
	assert_int_equal(ask_suppress(&manual, 1, false, true), 0);
	assert_entries("/a@x.jp:userunknown");
	s.expires = told_at(0);
	suppress(s);
	assert_int_equal(ask_suppress(&manual, 1, false, true), 1);
	assert_entries("/a@x.jp:manual");
	s.expires = 0;
	s.state = SUPPRESSION_GONE;
	suppress(s);
	assert_int_equal(ask_suppress(&manual, 1, false, true), 1);
	assert_entries("/a@x.jp:manual");
}

/* -- read and taken away by what they are -------------------------------- */

static void
fill(void)
{
	struct suppression s[] = { entry("a@x.jp"), entry("a@x.jp"),
		entry("b@x.jp"), entry("c@y.jp"), entry("d@sub.x.jp"),
		entry("b@x.jp"), entry("e@z.jp") };

	s[1].scope = "ses";
	s[1].state = SUPPRESSION_SYNCED;
	s[2].cause = "complaint";
	s[2].source = "arf";
	s[3].path = "ses";
	s[3].at = told_at(100);
	s[4].who = "root";
	s[4].at = told_at(200);
	s[5].scope = "mta";
	s[6].expires = told_at(0) - 1;
	assert_int_equal(ask_suppress(s, 7, false, false), 7);
}

#define ALL                                                                    \
	"/a@x.jp:userunknown /b@x.jp:complaint /c@y.jp:userunknown "           \
	"/d@sub.x.jp:userunknown mta/b@x.jp:userunknown "                      \
	"ses/a@x.jp:userunknown"

static void
entries_are_read_by_scope_and_address(void **state)
{
	(void)state;
	fill();
	assert_entries(ALL);
	assert_list((struct list){ .limit = 2 },
	    "/a@x.jp:userunknown /b@x.jp:complaint");
	assert_list(
	    (struct list){
		.limit = 3, .after_scope = "", .after_address = "b@x.jp" },
	    "/c@y.jp:userunknown /d@sub.x.jp:userunknown "
	    "mta/b@x.jp:userunknown");
	assert_list(
	    (struct list){
		.limit = 3, .after_scope = "mta", .after_address = "b@x.jp" },
	    "ses/a@x.jp:userunknown");
	assert_list(
	    (struct list){
		.limit = 3, .after_scope = "ses", .after_address = "a@x.jp" },
	    "");
}

static const struct {
	struct suppression_filter filter;
	const char *matches;
} filters[] = {
	{ { .scope = "" },
	    "/a@x.jp:userunknown /b@x.jp:complaint /c@y.jp:userunknown "
	    "/d@sub.x.jp:userunknown" },
	{ { .scope = "ses" }, "ses/a@x.jp:userunknown" },
	{ { .scope = "none" }, "" },
	{ { .address = "a@x.jp" },
	    "/a@x.jp:userunknown ses/a@x.jp:userunknown" },
	{ { .address = "a@x.jp", .scope = "ses" }, "ses/a@x.jp:userunknown" },
	{ { .address = "@x.jp" },
	    "/a@x.jp:userunknown /b@x.jp:complaint mta/b@x.jp:userunknown "
	    "ses/a@x.jp:userunknown" },
	{ { .cause = "complaint" }, "/b@x.jp:complaint" },
	{ { .path = "ses" }, "/c@y.jp:userunknown" },
	{ { .source = "arf" }, "/b@x.jp:complaint" },
	{ { .who = "root" }, "/d@sub.x.jp:userunknown" },
	{ { .address = "e@z.jp", .expired = true }, "/e@z.jp:userunknown" },
	{ { .address = "e@z.jp" }, "" },
	{ { .address = "%" }, "" },
};

static void
entries_are_read_by_what_they_are(void **state)
{
	struct suppression_filter f = { .since = told_at(100),
		.until = told_at(200) };

	(void)state;
	fill();
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		assert_list((struct list){ .filter = filters[i].filter },
		    filters[i].matches);
	assert_list((struct list){ .filter = f }, "/c@y.jp:userunknown");
	f.until++;
	assert_list((struct list){ .filter = f },
	    "/c@y.jp:userunknown /d@sub.x.jp:userunknown");
}

/* What a filter shows is what it takes away. */
static void
entries_are_taken_away_by_what_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *at = filters[i].matches;
		uint64_t n = 0;

		unsuppress((struct suppression_filter){ .expired = true }, 0);
		ask_suppress(&(struct suppression){ .scope = "ses",
				 .address = "a@x.jp" },
		    1, true, false);
		fill();
		for (; (at = strchr(at, ':')) != NULL; at++)
			n++;
		assert_int_equal(unsuppress(filters[i].filter, 0), n);
		assert_int_equal(unsuppress(filters[i].filter, 0), 0);
		assert_list((struct list){ .filter = filters[i].filter }, "");
		assert_int_equal(
		    unsuppress(
			(struct suppression_filter){ .expired = true }, 0),
		    7 - n);
	}
}

static void
states_of_ses(struct store_query *q, struct store_reader *r)
{
	struct list *l = container_of(q, struct list, query);

	store_read_suppression(r, "ses", "", 7, 100, see_entry, l);
}

/* SES is to hear of what it may have. */
static void
what_ses_has_is_gone_until_it_hears(void **state)
{
	struct suppression s[] = { entry("a@x.jp"), entry("b@x.jp"),
		entry("c@x.jp"), entry("d@x.jp"), entry("d@x.jp") };
	struct list l = { .more = true,
		.text = STR_INIT,
		.query = { .reply_to = the->inbox,
		    .run = states_of_ses,
		    .done = on_query_answer } };
	const int64_t day = INT64_C(24) * 3600 * 1000;
	long long until[2];
	int soft;

	(void)state;
	s[0].state = SUPPRESSION_SYNCED;
	s[1].cause = "BOUNCE";
	s[3].scope = "";
	s[3].cause = "BOUNCE";
	for (size_t i = 0; i < 5; i++)
		if (i != 3)
			s[i].scope = "ses";
	assert_int_equal(ask_suppress(s, 5, false, false), 5);
	assert_int_equal(
	    unsuppress((struct suppression_filter){ .cause = "" }, 0), 5);
	assert_entries("");
	store_query(the->store, &l.query);
	await(1);
	/* For 30 days: SES may never be asked again. */
	assert_int_equal(
	    sscanf(l.text.data,
		"ses/a@x.jp:userunknown,oiwake,2,0,smtp,550 User unknown,mta,7,"
		"1,%lld,0 ses/b@x.jp:BOUNCE,oiwake,2,0,smtp,550 User unknown,"
		"mta,7,1,%lld,%d",
		&until[0], &until[1], &soft),
	    3);
	for (int i = 0; i < 2; i++) {
		assert_true(told_at(until[i]) > clock_wall() + 29 * day);
		assert_true(told_at(until[i]) <= clock_wall() + 30 * day);
	}
	str_release(&l.text);
}

/* More than one slice, and limits within and beyond. */
static void
many_are_taken_away_in_slices(void **state)
{
	enum { N = 2500 };
	struct suppression *s = xcalloc(N, sizeof(*s));
	static char address[N][24];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		snprintf(address[i], sizeof(address[i]), "u%zu@x.jp", i);
		s[i] = entry(address[i]);
		s[i].cause = i % 2 == 0 ? "complaint" : "userunknown";
	}
	assert_int_equal(ask_suppress(s, N, false, false), N);
	assert_int_equal(
	    unsuppress((struct suppression_filter){ .cause = "complaint" }, 7),
	    7);
	assert_int_equal(
	    unsuppress(
		(struct suppression_filter){ .cause = "complaint" }, 900),
	    900);
	assert_int_equal(
	    unsuppress((struct suppression_filter){ .cause = "complaint" }, 0),
	    N / 2 - 907);
	assert_int_equal(
	    unsuppress((struct suppression_filter){ .scope = "" }, N), N / 2);
	assert_entries("");
	free(s);
}

/* -- by time ------------------------------------------------------------- */

static void
what_has_expired_goes(void **state)
{
	struct suppression s[] = { entry("a@x.jp"), entry("b@x.jp"),
		entry("c@x.jp") };
	struct suppression_filter f = { .expired = true };
	struct list l = { .more = true,
		.text = STR_INIT,
		.query = { .reply_to = the->inbox,
		    .run = states_of_ses,
		    .done = on_query_answer } };

	(void)state;
	s[0].expires = told_at(1);
	s[1].expires = told_at(1);
	s[1].scope = "ses";
	s[1].state = SUPPRESSION_SYNCED;
	assert_int_equal(ask_suppress(s, 3, false, false), 3);
	/* It looks for that when it starts. */
	assert_int_equal(fixture_reopen(NULL), 0);
	put(1, told_at(0), true);
	assert_list((struct list){ .filter = f }, "/c@x.jp:userunknown");
	store_query(the->store, &l.query);
	await(1);
	assert_non_null(strstr(l.text.data, "ses/b@x.jp:userunknown,oiwake,2"));
	str_release(&l.text);
}

/* -- many ---------------------------------------------------------------- */

enum { MANY = 12000 };

static void
fill_many(unsigned from)
{
	struct suppression *s = xcalloc(MANY, sizeof(*s));
	char(*address)[32] = xcalloc(MANY, sizeof(*address));

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(address[i], sizeof(address[i]), "user%u@docomo.ne.jp",
		    2 * (from + i));
		s[i] = entry(address[i]);
	}
	assert_int_equal(ask_suppress(s, MANY, false, false), MANY);
	free(address);
	free(s);
}

/* Even ones are on the list. user0 to user1999, of which those below
 * `freed` are not any more. */
static void
assert_even_ones_are_found(unsigned freed)
{
	struct store_enqueue *r = new_message(2000, told_at(0), 10);
	const struct recipient *rcpt;

	r->leased = true;
	assert_int_equal(ask_enqueue(r), STORE_OK);
	TAILQ_FOREACH(rcpt, &r->recipients, link)
	if ((rcpt->suppressed != NULL) !=
	    (rcpt->index % 2 == 0 && rcpt->index >= freed))
		fail_msg("%s: %s", rcpt->address,
		    rcpt->suppressed != NULL ? rcpt->suppressed : "free");
	free_message(r);
}

/* While what is held in memory grows, is filled anew, and is out of date. */
static void
each_of_many_is_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		fill_many(i * MANY);
		assert_even_ones_are_found(0);
		if (i % 2 != 0)
			assert_int_equal(fixture_reopen(NULL), 0);
		for (int k = 0; k < 5; k++)
			assert_even_ones_are_found(0);
	}
	assert_int_equal(
	    unsuppress((struct suppression_filter){ .scope = "" }, 500), 500);
	assert_even_ones_are_found(1000);
	assert_int_equal(fixture_reopen(NULL), 0);
	for (int k = 0; k < 20; k++)
		assert_even_ones_are_found(1000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_address_is_found_as_it_comes_in),
		T(only_what_holds_is_found),
		T(all_forms_of_an_address_are_one),
		T(an_address_is_found_as_it_comes_into_memory),
		T(an_attempt_does_not_begin_for_one_on_the_list),
		T(the_path_of_the_attempt_counts),
		T(others_of_the_transaction_begin),
		T(an_entry_says_where_it_comes_from),
		T(evidence_is_cut),
		T(who_knows_nothing_of_the_rest_leaves_it),
		T(what_is_there_may_be_kept),
		T(entries_are_read_by_scope_and_address),
		T(entries_are_read_by_what_they_are),
		T(entries_are_taken_away_by_what_they_are),
		T(what_ses_has_is_gone_until_it_hears),
		T(many_are_taken_away_in_slices),
		T(what_has_expired_goes),
		T(each_of_many_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
