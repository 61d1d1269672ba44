/*
 * test_store_unfit.c - what intake found out about a message and its recipients
 * is known again when they come back into memory.
 */
#include "tests/unit/store_fixture.h"

#define DUE INT64_C(1767225600000)

/* Every value of what shares the flags of a row. */
static void
fill(struct recipient *r, unsigned n)
{
	r->unfit = (enum unfit)(n % 3);
	r->irregular = n & 1;
	r->utf8 = n & 2;
	r->requoted = n & 4;
	r->due = n % 3 == 0 ? DUE : DUE + 5000;
}

static int64_t
put_some(unsigned n, bool returns)
{
	struct store_enqueue *q = new_message(n, DUE, 10);
	int64_t id = q->message->id;
	struct recipient *r;

	q->message->returns = returns;
	TAILQ_FOREACH(r, &q->recipients, link)
		fill(r, r->index);
	assert_int_equal(ask_enqueue(q), STORE_OK);
	free_message(q);
	return id;
}

/* All that is due by then: unfit only as `unfit` says of that index. */
static size_t
lease_and_look(int64_t now, enum unfit (*unfit)(unsigned))
{
	struct store_lease l;
	struct recipient *r;
	size_t n;

	ask_lease(&l, 7, now, 100);
	n = l.n;
	TAILQ_FOREACH(r, &l.recipients, link)
	{
		assert_int_equal(r->unfit, unfit(r->index));
		assert_int_equal(r->irregular, (r->index & 1) != 0);
		assert_int_equal(r->utf8, (r->index & 2) != 0);
		assert_int_equal(r->requoted, (r->index & 4) != 0);
	}
	free_recipients(&l.recipients);
	return n;
}

static enum unfit
as_filled(unsigned index)
{
	return (enum unfit)(index % 3);
}

static enum unfit
fit(unsigned index)
{
	(void)index;
	return FIT;
}

static void
unfit_is_kept(void **state)
{
	(void)state;
	put_some(12, false);
	assert_int_equal(lease_and_look(DUE + 5000, as_filled), 12);
}

static void
a_sender_that_is_kept_is_known(void **state)
{
	int64_t id[] = { put_some(1, false), put_some(1, true) };
	struct store_lease l;
	struct recipient *r;

	(void)state;
	ask_lease(&l, 7, DUE, 10);
	assert_int_equal(l.n, 2);
	TAILQ_FOREACH(r, &l.recipients, link)
		assert_int_equal(r->message->returns, r->message->id == id[1]);
	free_recipients(&l.recipients);
}

static uint64_t
retry(bool release)
{
	struct store_queue_edit e = {
		.filter = { .index = -1 }, .release = release, .now = DUE
	};

	prepare_request(&e.req);
	store_queue_edit(the->store, &e);
	await(1);
	assert_int_equal(e.req.status, STORE_OK);
	return e.changed;
}

static void
a_retry_leaves_it(void **state)
{
	(void)state;
	put_some(12, false);
	assert_int_equal(retry(false), 12);
	assert_int_equal(lease_and_look(DUE, as_filled), 12);
}

static void
a_release_takes_it_away_and_nothing_else(void **state)
{
	(void)state;
	put_some(12, false);
	assert_int_equal(retry(true), 12);
	assert_int_equal(lease_and_look(DUE, fit), 12);
}

static void
it_stays_when_it_is_held_again(void **state)
{
	int64_t id = put_some(2, false);
	struct settlement s = settlement(id, 1, SETTLE_RETURN, 0);

	(void)state;
	s.due = DUE;
	s.shelf = 7;
	s.last = "held";
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	assert_int_equal(lease_and_look(DUE, as_filled), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(unfit_is_kept),
		T(a_sender_that_is_kept_is_known),
		T(a_retry_leaves_it),
		T(a_release_takes_it_away_and_nothing_else),
		T(it_stays_when_it_is_held_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
