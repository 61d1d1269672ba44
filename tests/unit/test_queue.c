/*
 * test_queue.c - what comes into memory from which shelf, and when.
 *
 * The store and the core are played here: leases are kept until the test
 * answers them, and recipients are counted as they come.
 */
#include "router/queue.h"

#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/core_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LEASES 64

static struct core core;
static struct message *message;
static struct store_lease *asked[LEASES];
static unsigned nasked, taken;

void
store_lease(struct store *s, struct store_lease *op)
{
	(void)s;
	assert_true(nasked < LEASES);
	asked[nasked++] = op;
}

void
core_take(struct core *c, struct recipient *r)
{
	(void)c;
	taken++;
	recipient_free(&r);
}

void
core_wake(struct core *c)
{
	(void)c;
}

void
core_store_answered(struct core *c, const struct store_request *req)
{
	(void)c;
	(void)req;
}

static int
set_up(void **state)
{
	(void)state;
	nasked = taken = 0;
	message = message_new(1);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	message_unref(&message);
	return 0;
}

/* The store's answer to the oldest lease: n recipients, and what else waits. */
static void
answer(size_t n, int64_t next_due)
{
	struct store_lease *op = asked[0];

	assert_true(nasked > 0 && n <= op->max);
	memmove(asked, asked + 1, --nasked * sizeof(asked[0]));
	op->req.status = STORE_OK;
	op->next_due = next_due;
	op->n = n;
	for (size_t i = 0; i < n; i++) {
		struct recipient *r = recipient_new(message, 0, "a@b.example");
		TAILQ_INSERT_TAIL(&op->recipients, r, link);
	}
	op->req.done(&op->req);
}

static void
answer_refusal(enum store_status status)
{
	struct store_lease *op = asked[0];

	memmove(asked, asked + 1, --nasked * sizeof(asked[0]));
	op->req.status = status;
	op->next_due = INT64_MAX;
	op->req.done(&op->req);
}

static void
release(struct queue *q, unsigned shelf, unsigned n)
{
	while (n-- > 0)
		queue_release(q, shelf);
}

static unsigned
fill(struct queue *q, unsigned shelf)
{
	unsigned n = 0;

	for (; queue_has_room(q, shelf); n++)
		queue_hold(q, shelf);
	return n;
}

/* Half of what is left, for each in turn; when nothing is left, a little. */
static void
nobody_fills_memory_for_others(void **state)
{
	struct queue *q = queue_new(&core, 1000);
	unsigned first = fill(q, 1), second = fill(q, 2), third = fill(q, 3);

	(void)state;
	assert_in_range(first, 300, 400);
	assert_in_range(second, 150, first);
	assert_in_range(third, 80, second);
	for (unsigned shelf = 4; queue_held(q) < 1000; shelf++)
		assert_in_range(fill(q, shelf), 16, third);
	assert_in_range(fill(q, 5000), 16, 17);
	assert_false(queue_has_room(q, 1));
	release(q, 1, first);
	assert_true(queue_has_room(q, 1));
	queue_free(&q);
	assert_null(q);
}

static void
leases_what_is_due(void **state)
{
	struct queue *q = queue_new(&core, 1000);
	int64_t now = clock_wall();

	(void)state;
	queue_note(q, 7, now);
	queue_note(q, 8, now + 3600000);
	queue_run(q);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked[0]->shelf, 7);
	assert_in_range(asked[0]->max, 1, 256);
	assert_false(queue_is_idle(q));
	/* One lease of a shelf at a time; what is noted meanwhile is not lost.
	 */
	queue_note(q, 7, now);
	queue_run(q);
	assert_int_equal(nasked, 1);
	answer(2, INT64_MAX);
	assert_true(queue_is_idle(q));
	assert_int_equal(taken, 2);
	assert_int_equal(queue_held(q), 2);
	queue_run(q);
	assert_int_equal(nasked, 1);
	answer(0, INT64_MAX);
	queue_run(q);
	assert_int_equal(nasked, 0);
	release(q, 7, 2);
	queue_free(&q);
}

static void
goes_on_while_there_is_more(void **state)
{
	struct queue *q = queue_new(&core, 1000);
	int64_t now = clock_wall();

	(void)state;
	queue_note(q, 7, now);
	queue_run(q);
	answer(asked[0]->max, now - 5000);
	queue_run(q);
	/* More than half of its room is held: it waits until that is free. */
	assert_int_equal(nasked, 0);
	assert_int_equal(queue_held(q), 256);
	release(q, 7, 60);
	queue_run(q);
	assert_int_equal(nasked, 1);
	answer(0, now + 3600000);
	release(q, 7, 196);
	queue_run(q);
	assert_int_equal(nasked, 0);
	queue_free(&q);
}

/* A failure does not turn round at once, and the shelf is not forgotten. */
static void
a_failed_lease_waits(void **state)
{
	struct queue *q = queue_new(&core, 1000);

	(void)state;
	log_set_level(LOG_ERROR);
	queue_note(q, 7, clock_wall());
	queue_run(q);
	answer_refusal(STORE_FAILED);
	queue_run(q);
	assert_int_equal(nasked, 0);
	queue_note_all(q);
	queue_run(q);
	assert_int_equal(nasked, 1);
	answer(0, INT64_MAX);
	queue_free(&q);
}

/* Nothing is asked while it is away, whatever is due; and then all of it. */
static void
waits_for_a_store_that_is_away(void **state)
{
	struct queue *q = queue_new(&core, 1000);

	(void)state;
	queue_note(q, 7, clock_wall());
	queue_note(q, 8, clock_wall());
	queue_run(q);
	assert_int_equal(nasked, 2);
	answer_refusal(STORE_AWAY);
	answer_refusal(STORE_AWAY);
	queue_note_all(q);
	queue_run(q);
	assert_int_equal(nasked, 0);
	queue_go_on(q);
	queue_run(q);
	assert_int_equal(nasked, 2);
	answer(0, INT64_MAX);
	answer(0, INT64_MAX);
	queue_free(&q);
}

/* A node that is fenced has no queue any more. */
static void
asks_for_nothing_when_fenced(void **state)
{
	struct queue *q = queue_new(&core, 1000);

	(void)state;
	queue_note(q, 7, clock_wall());
	queue_run(q);
	answer_refusal(STORE_FENCED);
	queue_note(q, 8, clock_wall());
	queue_note_all(q);
	queue_run(q);
	assert_int_equal(nasked, 0);
	assert_true(queue_is_idle(q));
	queue_free(&q);
}

/* A shelf of what is for other nodes is theirs for a while; others are not. */
static void
leaves_to_others_what_is_theirs(void **state)
{
	struct queue *q = queue_new(&core, 1000);

	(void)state;
	queue_avoid(q, 7);
	queue_note(q, 7, clock_wall());
	queue_note(q, 8, clock_wall());
	queue_run(q);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked[0]->shelf, 8);
	answer(0, INT64_MAX);
	queue_avoid_none(q);
	queue_note(q, 7, clock_wall());
	queue_run(q);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked[0]->shelf, 7);
	answer(0, INT64_MAX);
	queue_free(&q);
}

/* No more under way at once than the store should have to do, and all in turn.
 */
static void
many_shelves_take_turns(void **state)
{
	struct queue *q = queue_new(&core, 100000);
	bool seen[200] = { false };
	unsigned n = 0, most = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		queue_note(q, i, clock_wall());
	for (;;) {
		queue_run(q);
		if (nasked == 0)
			break;
		most = nasked > most ? nasked : most;
		assert_false(seen[asked[0]->shelf]);
		seen[asked[0]->shelf] = true;
		n++;
		answer(0, INT64_MAX);
	}
	assert_int_equal(n, 200);
	assert_int_equal(most, 16);
	queue_free(&q);
}

static void
what_was_changed_is_looked_at_again(void **state)
{
	struct queue *q = queue_new(&core, 1000);

	(void)state;
	queue_note(q, 7, clock_wall() + 3600000);
	queue_run(q);
	assert_int_equal(nasked, 0);
	queue_note_all(q);
	queue_run(q);
	assert_int_equal(nasked, 1);
	answer(0, INT64_MAX);
	/* Empty: nothing to look at. */
	queue_note_all(q);
	queue_run(q);
	assert_int_equal(nasked, 0);
	queue_free(&q);
}

static void
a_stopped_queue_leases_nothing(void **state)
{
	struct queue *q = queue_new(&core, 1000);

	(void)state;
	queue_note(q, 7, clock_wall());
	queue_run(q);
	queue_note(q, 8, clock_wall());
	queue_stop(q);
	queue_run(q);
	assert_int_equal(nasked, 1);
	answer(1, 0);
	queue_run(q);
	assert_int_equal(nasked, 0);
	assert_true(queue_is_idle(q));
	release(q, 7, 1);
	queue_free(&q);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(nobody_fills_memory_for_others),
		T(leases_what_is_due),
		T(goes_on_while_there_is_more),
		T(a_failed_lease_waits),
		T(many_shelves_take_turns),
		T(what_was_changed_is_looked_at_again),
		T(a_stopped_queue_leases_nothing),
		T(waits_for_a_store_that_is_away),
		T(asks_for_nothing_when_fenced),
		T(leaves_to_others_what_is_theirs),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
