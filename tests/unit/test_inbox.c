/*
 * test_inbox.c - tasks from several threads: each runs once, in the owner's
 * thread, in the order of its poster.
 */
#include "mta/base/inbox.h"

#include "mta/base/alloc.h"

#include <event2/event.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define POSTERS 4
#define TASKS	20000 /* of each */

struct note {
	struct task task;
	struct poster *poster;
	unsigned number;
};

struct poster {
	pthread_t thread;
	struct inbox *inbox;
	struct event_base *base;
	unsigned *left; /* of all posters; the owner's */
	unsigned next;	/* expected; the owner's */
	pthread_t owner;
	struct note *notes;
};

static void
on_note(struct task *t)
{
	struct note *n = container_of(t, struct note, task);
	struct poster *p = n->poster;

	assert_true(pthread_equal(pthread_self(), p->owner));
	assert_int_equal(n->number, p->next);
	p->next++;
	if (--*p->left == 0)
		event_base_loopbreak(p->base);
}

/* One by one, and in lists of growing length. */
static void *
post(void *arg)
{
	struct poster *p = arg;
	struct task_list list = STAILQ_HEAD_INITIALIZER(list);

	for (unsigned i = 0; i < TASKS;) {
		unsigned n = i / 16 % 7;

		inbox_post_all(p->inbox, &list); /* empty: nothing */
		if (n == 0) {
			inbox_post(p->inbox, &p->notes[i++].task);
			continue;
		}
		for (; n > 0 && i < TASKS; n--, i++)
			STAILQ_INSERT_TAIL(&list, &p->notes[i].task, link);
		inbox_post_all(p->inbox, &list);
	}
	return NULL;
}

static void
in_order_and_once(void **state)
{
	struct event_base *base = event_base_new();
	struct inbox *inbox = inbox_new(base);
	struct poster posters[POSTERS] = { 0 };
	unsigned left = POSTERS * TASKS;

	(void)state;
	for (unsigned k = 0; k < POSTERS; k++) {
		struct poster *p = &posters[k];

		*p = (struct poster){ .inbox = inbox,
			.base = base,
			.left = &left,
			.owner = pthread_self() };
		p->notes = xcalloc(TASKS, sizeof(*p->notes));
		for (unsigned i = 0; i < TASKS; i++)
			p->notes[i] = (struct note){
				.task.run = on_note, .poster = p, .number = i
			};
	}
	for (unsigned k = 0; k < POSTERS; k++)
		assert_int_equal(
		    pthread_create(&posters[k].thread, NULL, post, &posters[k]),
		    0);
	event_base_dispatch(base);
	assert_int_equal(left, 0);
	for (unsigned k = 0; k < POSTERS; k++) {
		pthread_join(posters[k].thread, NULL);
		assert_int_equal(posters[k].next, TASKS);
		free(posters[k].notes);
	}
	inbox_free(&inbox);
	assert_null(inbox);
	event_base_free(base);
}

struct chain {
	struct task task;
	struct inbox *inbox;
	unsigned left, ran;
};

/* Posted again from within: the inbox does not touch a task that runs. */
static void
on_chain(struct task *t)
{
	struct chain *c = container_of(t, struct chain, task);

	c->ran++;
	if (--c->left > 0)
		inbox_post(c->inbox, &c->task);
}

static void
what_is_left_runs_before_the_end(void **state)
{
	struct event_base *base = event_base_new();
	struct chain c = { .task.run = on_chain, .left = 5 };
	struct inbox *inbox = inbox_new(base);

	(void)state;
	c.inbox = inbox;
	inbox_post(inbox, &c.task);
	inbox_free(&inbox);
	assert_int_equal(c.ran, 5);
	inbox_free(&inbox);
	event_base_free(base);
}

/* A task that posts goes behind what else the loop has to do: nobody starves.
 */
static void
a_chain_takes_turns_with_the_loop(void **state)
{
	struct event_base *base = event_base_new();
	struct chain c = { .task.run = on_chain, .left = 3 };
	struct inbox *inbox = inbox_new(base);

	(void)state;
	c.inbox = inbox;
	inbox_post(inbox, &c.task);
	for (unsigned turn = 1; turn <= 3; turn++) {
		event_base_loop(base, EVLOOP_ONCE);
		assert_int_equal(c.ran, turn);
	}
	inbox_free(&inbox);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_and_once),
		cmocka_unit_test(what_is_left_runs_before_the_end),
		cmocka_unit_test(a_chain_takes_turns_with_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
