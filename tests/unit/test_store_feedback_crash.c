/*
 * test_store_feedback_crash.c - kill -9 in the middle of feedback: nothing is
 * counted twice, nothing is lost.
 *
 * The parent plays a queue that brings everything until it is told that it
 * may be deleted: settlements and what SES tells, mixed at random. A child
 * takes it, tells what has been answered, and is killed at some moment; the
 * next one gets what is left, of which some has happened already. When the
 * queue is empty all of it must have happened once.
 */
#include "tests/unit/feedback_fixture.h"

#include <signal.h>
#include <sys/wait.h>

enum { MESSAGES = 60, WIDTH = 3, RECIPIENTS = MESSAGES * WIDTH, BUSY = 24 };
#define DUE INT64_C(1767225600000)

/* What there is to do about each recipient, if at all. */
enum what { SETTLE, SENT, DELIVERED, ENDED, COMPLAINT, OPEN, CLICK, WHATS };
enum { TASKS = RECIPIENTS * WHATS };

struct queue {
	int64_t id[MESSAGES];
	bool deleted[TASKS];
	unsigned left;
};

static enum what
what_of(unsigned task)
{
	return (enum what)(task % WHATS);
}

/* Every second one bounces, every third complains. */
static bool
is_wanted(unsigned task)
{
	unsigned rcpt = task / WHATS;

	return (what_of(task) != ENDED || rcpt % 2 == 0) &&
	       (what_of(task) != COMPLAINT || rcpt % 3 == 0);
}

/* -- the child ----------------------------------------------------------- */

struct job {
	struct store_settle settle;
	struct settlement s;
	struct store_feedback feedback;
	struct feedback f;
	unsigned task;
};

static struct {
	const struct queue *queue;
	unsigned order[TASKS], n, next;
	int fd;
} child;

static void work(struct job *);

static void
answered(struct job *j, const struct store_request *req)
{
	if (req->status != STORE_OK ||
	    write(child.fd, &j->task, sizeof(j->task)) != sizeof(j->task))
		_exit(1);
	work(j);
}

static void
on_settled(struct store_request *req)
{
	answered(container_of(req, struct job, settle.req), req);
}

static void
on_told(struct store_request *req)
{
	struct job *j = container_of(req, struct job, feedback.req);

	if (j->f.result == FEEDBACK_UNKNOWN)
		_exit(2);
	answered(j, req);
}

static void
do_settle(struct job *j, int64_t id, unsigned index)
{
	j->s = settlement(id, index, SETTLE_FINAL, 1u << COUNT_SENT);
	j->s.event = EVENT_SEND;
	j->s.remember = FOREVER;
	STAILQ_INIT(&j->settle.settlements);
	STAILQ_INSERT_TAIL(&j->settle.settlements, &j->s, link);
	j->settle.req.reply_to = the->inbox;
	j->settle.req.done = on_settled;
	store_settle(the->store, &j->settle);
}

static void
do_tell(struct job *j, int64_t id, unsigned index)
{
	static const enum feedback_kind kind[] = { [SENT] = FEEDBACK_SENT,
		[DELIVERED] = FEEDBACK_DELIVERED,
		[ENDED] = FEEDBACK_ENDED,
		[COMPLAINT] = FEEDBACK_COMPLAINT,
		[OPEN] = FEEDBACK_NOTE,
		[CLICK] = FEEDBACK_NOTE };

	j->f = feedback(id, index, kind[what_of(j->task)]);
	if (what_of(j->task) == CLICK)
		j->f.event = EVENT_CLICK;
	prepare_feedback(&j->feedback);
	j->feedback.req.done = on_told;
	STAILQ_INSERT_TAIL(&j->feedback.list, &j->f, link);
	store_feedback(the->store, &j->feedback);
}

/* Once there is nothing left it waits to be killed. */
static void
work(struct job *j)
{
	unsigned rcpt;

	if (child.next == child.n)
		return;
	j->task = child.order[child.next++];
	rcpt = j->task / WHATS;
	(what_of(j->task) == SETTLE ? do_settle : do_tell)(
	    j, child.queue->id[rcpt / WIDTH], rcpt % WIDTH);
}

static void
run_child(const struct queue *q, int fd, unsigned seed)
{
	srandom(seed);
	child.queue = q;
	child.fd = fd;
	child.n = child.next = 0;
	for (unsigned t = 0; t < TASKS; t++)
		if (!q->deleted[t])
			child.order[child.n++] = t;
	for (unsigned i = child.n; i > 1; i--) {
		unsigned k = (unsigned)random() % i, t = child.order[k];

		child.order[k] = child.order[i - 1];
		child.order[i - 1] = t;
	}
	log_set_level(LOG_ERROR + 1);
	if (fixture_reopen(NULL) < 0)
		_exit(3);
	for (int i = 0; i < BUSY; i++)
		work(xcalloc(1, sizeof(struct job)));
	event_base_dispatch(the->base);
	_exit(4);
}

/* -- the parent ---------------------------------------------------------- */

static void
take_word(struct queue *q, unsigned task)
{
	assert_true(task < TASKS && !q->deleted[task]);
	q->deleted[task] = true;
	q->left--;
}

/* Killed after that many answers, or when all is done. */
static void
round_of(struct queue *q, unsigned answers, unsigned seed)
{
	unsigned task;
	int fd[2], status;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fd[0]);
		run_child(q, fd[1], seed);
	}
	close(fd[1]);
	while (answers-- > 0 && q->left > 0 &&
	       read(fd[0], &task, sizeof(task)) == sizeof(task))
		take_word(q, task);
	kill(pid, SIGKILL);
	while (read(fd[0], &task, sizeof(task)) == sizeof(task))
		take_word(q, task);
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
fill(struct queue *q)
{
	told_at(0); /* the same for every child */
	for (unsigned i = 0; i < MESSAGES; i++)
		q->id[i] = put(WIDTH, DUE, i % 2 == 0);
	for (unsigned t = 0; t < TASKS; t++) {
		q->deleted[t] = !is_wanted(t);
		q->left += is_wanted(t);
	}
}

static size_t
count_events(const struct view *v, enum event_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < v->nevents; i++)
		n += v->event[i].type == type;
	return n;
}

static void
assert_all_happened_once(void)
{
	enum { BOUNCED = RECIPIENTS / 2, COMPLAINED = RECIPIENTS / 3 };
	struct view *v = look();

	assert_equation(v);
	assert_int_equal(v->nrecipients, 0);
	assert_int_equal(count_of(v, "mta", COUNT_ACCEPTED), RECIPIENTS);
	assert_int_equal(count_of(v, "mta", COUNT_SENT), RECIPIENTS);
	assert_int_equal(
	    count_of(v, "mta", COUNT_DELIVERED), RECIPIENTS - BOUNCED);
	assert_int_equal(count_of(v, "mta", COUNT_BOUNCED), BOUNCED);
	assert_int_equal(count_of(v, "mta", COUNT_RETURNED), BOUNCED);
	assert_int_equal(count_of(v, "mta", COUNT_COMPLAINED), COMPLAINED);
	assert_int_equal(count_events(v, EVENT_SEND), RECIPIENTS);
	assert_int_equal(count_events(v, EVENT_DELIVERY), RECIPIENTS);
	assert_int_equal(count_events(v, EVENT_BOUNCE), BOUNCED);
	assert_int_equal(count_events(v, EVENT_COMPLAINT), COMPLAINED);
	assert_int_equal(count_events(v, EVENT_OPEN), RECIPIENTS);
	assert_int_equal(count_events(v, EVENT_CLICK), RECIPIENTS);
	look_away(v);
}

static void
whatever_is_killed_all_of_it_happens_once(void **state)
{
	struct queue *q = xcalloc(1, sizeof(*q));
	unsigned rounds = 0;
	struct err e = ERR_INIT;

	(void)state;
	log_set_level(LOG_ERROR + 1);
	srandom(4711);
	fill(q);
	for (; q->left > 0; rounds++) {
		unsigned seed = (unsigned)random();
		struct view *v;

		store_close(&the->store);
		round_of(q, seed % 80, seed);
		if (fixture_reopen(&e) < 0)
			fail_msg("round %u: %s", rounds, e.text);
		v = look();
		assert_equation(v);
		look_away(v);
	}
	assert_true(rounds > 10);
	assert_all_happened_once();
	free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    whatever_is_killed_all_of_it_happens_once, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
