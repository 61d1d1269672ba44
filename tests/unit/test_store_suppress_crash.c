/*
 * test_store_suppress_crash.c - kill -9 while ends of mail change the
 * suppression list: each end has its event and its entry, or strike, or
 * neither.
 *
 * As in test_store_feedback_crash.c a child does what is left to do, tells what
 * has been answered, and is killed at some moment.
 */
#include "tests/unit/suppress_fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* Even messages bounce at once and suppress; odd ones are sent, and bounce
 * later, which is a strike. */
enum { MESSAGES = 150, TASKS = 2 * MESSAGES, BUSY = 16 };

struct queue {
	int64_t id[MESSAGES];
	bool done[TASKS];
	unsigned left;
};

/* -- the child ----------------------------------------------------------- */

struct job {
	struct store_settle settle;
	struct settlement s;
	struct store_feedback feedback;
	struct feedback f;
	struct suppress_cause cause;
	char address[32];
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
	answered(container_of(req, struct job, feedback.req), req);
}

static void
do_settle(struct job *j, int64_t id, bool bounces)
{
	j->s = settlement(
	    id, 0, SETTLE_FINAL, 1u << (bounces ? COUNT_BOUNCED : COUNT_SENT));
	j->s.event = bounces ? EVENT_BOUNCE : EVENT_SEND;
	j->s.suppress = bounces ? &j->cause : NULL;
	j->s.address = j->address;
	j->s.remember = bounces ? 0 : FOREVER;
	STAILQ_INIT(&j->settle.settlements);
	STAILQ_INSERT_TAIL(&j->settle.settlements, &j->s, link);
	j->settle.req.reply_to = the->inbox;
	j->settle.req.done = on_settled;
	store_settle(the->store, &j->settle);
}

static void
do_tell(struct job *j, int64_t id)
{
	j->f = feedback(id, 0, FEEDBACK_ENDED);
	j->f.suppress = &j->cause;
	j->cause.strikes = TASKS;
	j->cause.within = 1000000000;
	prepare_feedback(&j->feedback);
	j->feedback.req.done = on_told;
	STAILQ_INSERT_TAIL(&j->feedback.list, &j->f, link);
	store_feedback(the->store, &j->feedback);
}

/* Once there is nothing left it waits to be killed. */
static void
work(struct job *j)
{
	unsigned message;

	if (child.next == child.n)
		return;
	j->task = child.order[child.next++];
	message = j->task / 2;
	snprintf(j->address, sizeof(j->address), "u%u@x.jp", message);
	j->cause = (struct suppress_cause){ .scope = "",
		.cause = "userunknown",
		.source = "smtp",
		.evidence = "" };
	if (j->task % 2 == 0)
		do_settle(j, child.queue->id[message], message % 2 == 0);
	else
		do_tell(j, child.queue->id[message]);
}

static void
run_child(const struct queue *q, int fd, unsigned seed)
{
	srandom(seed);
	child.queue = q;
	child.fd = fd;
	child.n = child.next = 0;
	for (unsigned t = 0; t < TASKS; t++)
		if (!q->done[t])
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
	assert_true(task < TASKS && !q->done[task]);
	q->done[task] = true;
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

/* Each that has bounced is one entry or one strike, and what has been answered
 * is there. */
static void
assert_together(const struct queue *q)
{
	int64_t entries = fixture_sql("SELECT count(*) FROM suppression");
	int64_t strikes = fixture_sql("SELECT count(*) FROM strike");
	int64_t even = 0, odd = 0;

	for (unsigned t = 0; t < TASKS; t++) {
		even += q->done[t] && t % 4 == 0;
		odd += q->done[t] && t % 4 == 3;
	}
	assert_true(entries >= even && strikes >= odd);
	assert_int_equal(fixture_sql("SELECT count(*) FROM event WHERE type = 3"),
	    entries + strikes);
	assert_int_equal(
	    fixture_sql("SELECT count(*) FROM suppression s WHERE NOT EXISTS"
		    " (SELECT 1 FROM event e WHERE e.message = s.message"
		    "  AND e.recipient = s.address)"),
	    0);
}

static void
an_end_and_what_it_does_happen_together(void **state)
{
	struct queue *q = xcalloc(1, sizeof(*q));
	unsigned rounds = 0;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(EVENT_BOUNCE, 3);
	log_set_level(LOG_ERROR + 1);
	srandom(4712);
	told_at(0);
	for (unsigned i = 0; i < MESSAGES; i++)
		q->id[i] = put(1, told_at(0), true);
	for (unsigned t = 0; t < TASKS; t++) {
		q->done[t] = t % 4 == 1; /* the even ones are not remembered */
		q->left += !q->done[t];
	}
	for (; q->left > 0; rounds++) {
		unsigned seed = (unsigned)random();

		store_close(&the->store);
		round_of(q, seed % 12, seed);
		if (fixture_reopen(&e) < 0)
			fail_msg("round %u: %s", rounds, e.text);
		assert_together(q);
	}
	assert_true(rounds > 10);
	assert_int_equal(
	    fixture_sql("SELECT count(*) FROM suppression"), MESSAGES / 2);
	assert_int_equal(fixture_sql("SELECT count(*) FROM strike"), MESSAGES / 2);
	free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    an_end_and_what_it_does_happen_together, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
