/*
 * test_store_letters.c - dead letters, and addresses that are suppressed.
 */
#include "tests/unit/feedback_fixture.h"

/* -- dead letters -------------------------------------------------------- */

static bool
bury(const char *id, const char *body, size_t len)
{
	const struct dead_letter l = { .source = "sqs",
		.id = id,
		.why = "not JSON",
		.body = body,
		.len = len };
	struct store_feedback r;

	prepare_feedback(&r);
	r.letter = &l;
	r.bury = true;
	store_feedback(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	return r.buried;
}

/* "seq:id=body " each. */
struct listing {
	struct store_query query;
	int64_t after;
	size_t limit, n;
	struct str text;
	bool suppression;
	const char *scope, *from;
	unsigned states;
};

static void
see_letter(void *arg, const struct letter_row *row)
{
	struct listing *l = arg;

	assert_string_equal(row->source, "sqs");
	assert_string_equal(row->why, "not JSON");
	assert_true(row->at > 0);
	str_addf(&l->text, "%lld:%s=", (long long)row->seq, row->id);
	str_add(&l->text, row->body, row->len);
	assert_int_equal(row->body[row->len], '\0');
	str_adds(&l->text, " ");
	l->n++;
}

static void
see_suppression(void *arg, const struct suppression *s)
{
	struct listing *l = arg;

	assert_string_equal(s->scope, l->scope);
	str_addf(&l->text, "%s:%s,%s,%d,%lld ", s->address, s->cause, s->who,
	    (int)s->state, (long long)s->at);
	l->n++;
}

static void
run_listing(struct store_query *q, struct store_reader *r)
{
	struct listing *l = container_of(q, struct listing, query);
	size_t n = l->suppression ? store_read_suppression(r, l->scope, l->from,
					l->states, l->limit, see_suppression, l)
				  : store_read_letters(
					r, l->after, l->limit, see_letter, l);

	assert_int_equal(n, l->n);
}

static void
assert_listing(struct listing l, const char *expected, size_t len)
{
	l.query.reply_to = the->inbox;
	l.query.run = run_listing;
	l.query.done = on_query_answer;
	str_init(&l.text);
	str_clear(&l.text);
	store_query(the->store, &l.query);
	await(1);
	assert_int_equal(l.text.len, len);
	assert_memory_equal(l.text.data, expected, len);
	str_release(&l.text);
}

static void
assert_letters(int64_t after, size_t limit, const char *expected)
{
	assert_listing((struct listing){ .after = after, .limit = limit },
	    expected, strlen(expected));
}

static uint64_t
remove_letters(int64_t seq)
{
	struct store_letters r = { .seq = seq, .removed = 99 };

	prepare_request(&r.req);
	store_remove_letters(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	return r.removed;
}

static void
letters_are_read_from_a_cursor(void **state)
{
	(void)state;
	assert_letters(0, 100, "");
	assert_true(bury("a", "one", 3));
	assert_true(bury("b", "", 0));
	assert_true(bury("c", NULL, 0));
	assert_true(bury("", "three", 5));
	assert_letters(0, 100, "1:a=one 2:b= 3:c= 4:=three ");
	assert_letters(0, 1, "1:a=one ");
	assert_letters(1, 2, "2:b= 3:c= ");
	assert_letters(4, 100, "");
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_letters(3, 100, "4:=three ");
}

static void
any_bytes_are_a_letter(void **state)
{
	(void)state;
	assert_true(bury("x", "a\0b\377\n", 5));
	assert_listing((struct listing){ .limit = 9 }, "1:x=a\0b\377\n ", 10);
}

static void
the_same_letter_is_kept_once(void **state)
{
	(void)state;
	assert_true(bury("a", "one", 3));
	assert_true(bury("a", "one", 3));
	assert_true(bury("a", "two", 3));
	assert_true(bury("b", "one", 3));
	assert_true(bury("", "one", 3));
	assert_true(bury("", "one", 3));
	assert_letters(0, 100, "1:a=one 2:a=two 3:b=one 4:=one 5:=one ");
}

/* What is free below the reserve is for mail: feedback on it is taken, what
 * nobody knows has to come again. */
static void
no_letter_uses_up_the_reserve(void **state)
{
	const struct dead_letter l = {
		.source = "sqs", .id = "a", .why = "not JSON", .body = ""
	};
	struct feedback unknown = feedback(77, 0, FEEDBACK_DELIVERED);
	struct store_feedback r;

	(void)state;
	the->config.reserve_bytes = UINT64_MAX / 2;
	assert_int_equal(fixture_reopen(NULL), 0);
	prepare_feedback(&r);
	r.letter = &l;
	r.bury = true;
	store_feedback(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_FULL);
	prepare_feedback(&r);
	r.letter = &l;
	r.bury_unknown = true;
	STAILQ_INSERT_TAIL(&r.list, &unknown, link);
	store_feedback(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	assert_int_equal(r.unknown, 1);
	assert_false(r.buried);
	assert_letters(0, 100, "");
}

static void
numbers_of_letters_are_never_used_again(void **state)
{
	(void)state;
	bury("a", "1", 1);
	bury("b", "2", 1);
	bury("c", "3", 1);
	assert_int_equal(remove_letters(2), 1);
	assert_int_equal(remove_letters(2), 0);
	assert_letters(0, 100, "1:a=1 3:c=3 ");
	assert_int_equal(remove_letters(0), 2);
	assert_int_equal(remove_letters(0), 0);
	assert_int_equal(fixture_reopen(NULL), 0);
	bury("d", "4", 1);
	assert_letters(0, 100, "4:d=4 ");
}

/* With what is known and what is not in one. */
static void
what_nobody_knows_is_buried_when_asked(void **state)
{
	const struct dead_letter l = { .source = "sqs",
		.id = "a",
		.why = "not JSON",
		.body = "x",
		.len = 1 };
	int64_t id = put(1, 0, true);
	struct feedback f[2];
	struct store_feedback r;

	(void)state;
	send_off(id, 0, "user0@docomo.ne.jp", "");
	for (unsigned i = 0; i < 4; i++) {
		bool unknown = (i & 1) != 0, wanted = (i & 2) != 0;

		f[0] = feedback(id, 0, FEEDBACK_DELIVERED);
		f[1] = feedback(id, unknown ? 5 : 0, FEEDBACK_COMPLAINT);
		prepare_feedback(&r);
		STAILQ_INSERT_TAIL(&r.list, &f[0], link);
		STAILQ_INSERT_TAIL(&r.list, &f[1], link);
		r.letter = &l;
		r.bury_unknown = wanted;
		store_feedback(the->store, &r);
		await(1);
		assert_int_equal(r.req.status, STORE_OK);
		assert_int_equal(r.unknown, unknown);
		assert_int_equal(r.buried, unknown && wanted);
		assert_int_equal(
		    f[0].result, i == 0 ? FEEDBACK_DONE : FEEDBACK_KNOWN);
	}
	assert_letters(0, 100, "1:a=x ");
}

/* -- suppression --------------------------------------------------------- */

static uint64_t
suppress(const struct suppression *list, size_t n, bool remove)
{
	struct store_suppress r = {
		.n = n, .list = list, .remove = remove, .changed = 99
	};

	prepare_request(&r.req);
	store_suppress(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	return r.changed;
}

static void
assert_suppressed(const char *scope, const char *from, unsigned states,
    size_t limit, const char *expected)
{
	assert_listing((struct listing){ .suppression = true,
			   .scope = scope,
			   .from = from,
			   .states = states,
			   .limit = limit },
	    expected, strlen(expected));
}

#define ALL_STATES 7u

static const struct suppression three[] = {
	{ .scope = "ses", .address = "b@x.jp", .cause = "BOUNCE", .who = "ses", .state = SUPPRESSION_SYNCED, .at = 5 },
	{ .scope = "ses", .address = "a@x.jp", .cause = "COMPLAINT", .who = "ses", .state = SUPPRESSION_LOCAL, .at = 6 },
	{ .scope = "", .address = "a@x.jp", .cause = "manual", .who = "root", .state = SUPPRESSION_GONE, .at = 7 },
};

static void
suppressed_addresses_are_listed_by_scope(void **state)
{
	(void)state;
	assert_int_equal(suppress(three, 3, false), 3);
	assert_suppressed("ses", "", ALL_STATES, 10,
	    "a@x.jp:COMPLAINT,ses,1,6 b@x.jp:BOUNCE,ses,0,5 ");
	assert_suppressed(
	    "ses", "a@x.jp", ALL_STATES, 10, "b@x.jp:BOUNCE,ses,0,5 ");
	assert_suppressed(
	    "ses", "", ALL_STATES, 1, "a@x.jp:COMPLAINT,ses,1,6 ");
	assert_suppressed(
	    "ses", "", 1u << SUPPRESSION_SYNCED, 1, "b@x.jp:BOUNCE,ses,0,5 ");
	assert_suppressed(
	    "", "", 1u << SUPPRESSION_GONE, 9, "a@x.jp:manual,root,2,7 ");
	assert_suppressed("", "", 3, 9, "");
	assert_suppressed("other", "", ALL_STATES, 9, "");
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_suppressed("", "", ALL_STATES, 9, "a@x.jp:manual,root,2,7 ");
}

static void
a_suppression_replaces_the_one_before(void **state)
{
	const struct suppression other[] = {
		{ .scope = "ses", .address = "b@x.jp", .cause = "BOUNCE", .who = "ses", .state = SUPPRESSION_SYNCED, .at = 5 },
		{ .scope = "ses", .address = "a@x.jp", .cause = "COMPLAINT", .who = "ses", .state = SUPPRESSION_SYNCED, .at = 6 },
	};

	(void)state;
	assert_int_equal(suppress(three, 3, false), 3);
	assert_int_equal(suppress(three, 3, false), 0);
	assert_int_equal(suppress(other, 2, false), 1);
	assert_suppressed("ses", "", ALL_STATES, 10,
	    "a@x.jp:COMPLAINT,ses,0,6 b@x.jp:BOUNCE,ses,0,5 ");
}

static void
a_suppression_is_removed_by_scope_and_address(void **state)
{
	const struct suppression gone[] = {
		{ .scope = "ses", .address = "a@x.jp", .cause = "", .who = "", .state = SUPPRESSION_SYNCED, .at = 0 },
		{ .scope = "ses", .address = "nobody@x.jp", .cause = "", .who = "", .state = SUPPRESSION_SYNCED, .at = 0 },
	};

	(void)state;
	assert_int_equal(suppress(three, 3, false), 3);
	assert_int_equal(suppress(gone, 2, true), 1);
	assert_int_equal(suppress(gone, 2, true), 0);
	assert_suppressed("ses", "", ALL_STATES, 9, "b@x.jp:BOUNCE,ses,0,5 ");
	assert_suppressed("", "", ALL_STATES, 9, "a@x.jp:manual,root,2,7 ");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(letters_are_read_from_a_cursor),
		T(any_bytes_are_a_letter),
		T(the_same_letter_is_kept_once),
		SQLITE_OWN(no_letter_uses_up_the_reserve, "its disk"),
		T(numbers_of_letters_are_never_used_again),
		T(what_nobody_knows_is_buried_when_asked),
		T(suppressed_addresses_are_listed_by_scope),
		T(a_suppression_replaces_the_one_before),
		T(a_suppression_is_removed_by_scope_and_address),
	};

	return RUN_STORE_TESTS(tests);
}
