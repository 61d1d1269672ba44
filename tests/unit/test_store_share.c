/*
 * test_store_share.c - what the store reserves: with SQLite all of it, with
 * other nodes a part.
 */
#include "store_fixture.h"

static struct share
ask(struct store *store, struct share s)
{
	struct store_share op = { .n = 1, .shares = &s };

	prepare_request(&op.req);
	store_share(store, &op);
	await(1);
	assert_int_equal(op.req.status, STORE_OK);
	return s;
}

static struct store *
another_node(const char *name)
{
	struct store_config config = the->config;
	struct store_recovery recovery;
	struct err e = ERR_INIT;
	char directory[100];
	struct store *s;

	snprintf(directory, sizeof(directory), "%s/%s", the->dir, name);
	assert_int_equal(mkdir(directory, 0700), 0);
	config.directory = directory;
	config.node = name;
	s = store_open(&config, &recovery, &e);
	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

static void
test_alone(void **state)
{
	struct share s;

	(void)state;
	s = ask(the->store,
	    (struct share){
		.name = "a", .limit = 10, .period = 1000, .want = 20 });
	assert_int_equal(s.reserved, 10);
	assert_int_equal(s.others, 0);
	assert_int_equal(store_is_shared(the->store), the->url != NULL);
	if (the->url == NULL) {
		assert_true(s.valid == INT64_MAX);
		return;
	}
	assert_in_range(s.valid, 1, FIXTURE_LEASE);
	assert_in_range(s.again, 1, FIXTURE_LEASE / 3);
}

/* Names are texts of any form. */
static void
test_two_nodes(void **state)
{
	struct share mine = { .name = "rate mta\nt'1\n\303\244",
		.limit = 10,
		.period = 1000,
		.want = 20 };
	struct share theirs = mine;
	struct store *other;

	(void)state;
	if (the->url == NULL)
		skip();
	other = another_node("other");
	mine = ask(the->store, mine);
	assert_int_equal(mine.reserved, 10);
	theirs = ask(other, theirs);
	assert_int_equal(theirs.reserved, 0);
	assert_int_equal(theirs.others, 20);

	/* Seven of it are in use: more than what is left to it. */
	mine.held = mine.keep = 7;
	mine = ask(the->store, mine);
	assert_int_equal(mine.reserved, 5);
	assert_int_equal(ask(other, theirs).reserved, 3);
	mine.held = mine.keep = 5;
	mine = ask(the->store, mine);
	theirs = ask(other, theirs);
	assert_int_equal(theirs.reserved, 5);
	assert_int_equal(theirs.used, 5);

	/* Nobody else may use what a node had reserved until a lease and a
	 * period after its death; it left a moment ago. */
	store_close(&other);
	mine = ask(the->store, mine);
	assert_int_equal(mine.reserved, 5);
}

/* What was spent counts by itself, and what all have spent is told. */
static void
test_spent(void **state)
{
	struct share s = { .name = "ses a quota",
		.limit = 100,
		.period = INT64_C(86400000),
		.want = 20 };
	struct store *other;

	(void)state;
	if (the->url == NULL)
		skip();
	other = another_node("other");
	s.keep = s.reserved = ask(the->store, s).reserved;
	assert_int_equal(s.reserved, 20);
	s.spent = 15;
	s.keep = 5;
	s.held = 2;
	s.want = 5;
	s = ask(the->store, s);
	assert_int_equal(s.reserved, 5);
	assert_int_equal(s.used, 17);
	s = ask(other, (struct share){ .name = "ses a quota",
			   .limit = 100,
			   .period = INT64_C(86400000),
			   .want = 200 });
	assert_int_equal(s.reserved, 80);
	assert_int_equal(s.used, 17);
	store_close(&other);
}

/* Nothing is kept of what nobody uses. */
static void
test_no_rows_left(void **state)
{
	struct share s = {
		.name = "a", .limit = 10, .period = 1000, .want = 5
	};

	(void)state;
	if (the->url == NULL)
		skip();
	ask(the->store, s);
	assert_int_equal(fixture_sql("SELECT count(*) FROM share"), 1);
	s.want = 0;
	s.rests = true;
	ask(the->store, s);
	assert_int_equal(fixture_sql("SELECT count(*) FROM share"), 0);
}

/* Two that ask about the same at once wait for each other, whatever the order
 * in which they began. */
static void
test_at_once(void **state)
{
	struct share mine[2] = {
		{ .name = "a", .limit = 1, .period = 1000, .want = 1 },
		{ .name = "b", .limit = 1, .period = 1000, .want = 1 }
	};
	struct share theirs[2] = { mine[0], mine[1] };
	struct store_share a = { .n = 2, .shares = mine };
	struct store_share b = { .n = 2, .shares = theirs };
	struct store *other;

	(void)state;
	if (the->url == NULL)
		skip();
	other = another_node("other");
	for (int i = 0; i < 50; i++) {
		prepare_request(&a.req);
		prepare_request(&b.req);
		store_share(i % 2 ? the->store : other, i % 2 ? &a : &b);
		store_share(i % 2 ? other : the->store, i % 2 ? &b : &a);
		await(2);
		assert_int_equal(a.req.status, STORE_OK);
		assert_int_equal(b.req.status, STORE_OK);
		for (int k = 0; k < 2; k++)
			assert_in_range(
			    mine[k].reserved + theirs[k].reserved, 0, 1);
	}
	store_close(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_alone),
		STORE_TEST(test_two_nodes),
		STORE_TEST(test_spent),
		STORE_TEST(test_no_rows_left),
		STORE_TEST(test_at_once),
	};

	return RUN_STORE_TESTS(tests);
}
