/*
 * test_store_crash.c - kill -9 at random moments: what was answered is there
 * afterwards.
 *
 * A child process works on a store and tells through a pipe what it is about to
 * ask and what has been answered. The parent kills it, opens the store and
 * compares: a change that was answered has happened, one that was only asked
 * may have, nothing else has. Then the next child goes on with the same store.
 * STORE_CRASH_ROUNDS in the environment makes it longer.
 */
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum { ROUNDS = 30, BUSY = 16, RECIPIENTS = 2, KNOWN_MAX = 100000 };
#define FOUND (1u << 31) /* in known.index while comparing */
#define DUE   INT64_C(1767225600000)

enum what { ASK_ENQUEUE, ENQUEUED, ASK_FINAL, FINAL, ASK_RETRY, RETRIED };

struct record {
	int64_t id;
	unsigned index;
	enum what what;
};

static int told; /* the child's end of the pipe */

static void
tell(enum what what, int64_t id, unsigned index)
{
	struct record r = { .id = id, .index = index, .what = what };

	if (write(told, &r, sizeof(r)) != sizeof(r))
		_exit(1);
}

/* -- the child ----------------------------------------------------------- */

struct job {
	struct store_enqueue enqueue;
	struct store_begin begin;
	struct store_settle settle;
	struct settlement s[RECIPIENTS];
	unsigned index[RECIPIENTS], attempts[RECIPIENTS];
	bool gone[RECIPIENTS];
	int64_t id;
};

static void start(struct job *);

static void
check(const struct store_request *req)
{
	if (req->status != STORE_OK)
		_exit(2);
}

static void on_settled(struct store_request *req);

static void
on_begun(struct store_request *req)
{
	struct job *j = container_of(req, struct job, begin.req);

	check(req);
	body_unref(&j->begin.body);
	STAILQ_INIT(&j->settle.settlements);
	for (unsigned i = 0; i < RECIPIENTS; i++) {
		bool final = random() % 2 == 0;

		if (j->gone[i])
			continue;
		j->s[i] =
		    settlement(j->id, i, final ? SETTLE_FINAL : SETTLE_RETRY,
			1u << (final ? COUNT_SENT : COUNT_DEFERRED));
		j->s[i].event = final ? EVENT_DELIVERY : EVENT_NONE;
		j->s[i].due = DUE;
		j->s[i].shelf = 7;
		tell(final ? ASK_FINAL : ASK_RETRY, j->id, i);
		STAILQ_INSERT_TAIL(&j->settle.settlements, &j->s[i], link);
	}
	j->settle.req.reply_to = the->inbox;
	j->settle.req.done = on_settled;
	store_settle(the->store, &j->settle);
}

static void
begin(struct job *j)
{
	size_t n = 0;

	for (unsigned i = 0; i < RECIPIENTS; i++)
		if (!j->gone[i])
			j->index[n++] = i;
	j->begin = (struct store_begin){ .message = j->id,
		.n = n,
		.index = j->index,
		.route = &to_docomo,
		.want_body = random() % 4 == 0 };
	j->begin.req.reply_to = the->inbox;
	j->begin.req.done = on_begun;
	store_begin(the->store, &j->begin);
}

static void
on_settled(struct store_request *req)
{
	struct job *j = container_of(req, struct job, settle.req);
	unsigned left = 0;

	check(req);
	for (unsigned i = 0; i < RECIPIENTS; i++) {
		if (j->gone[i])
			continue;
		j->gone[i] = j->s[i].as == SETTLE_FINAL;
		left += !j->gone[i];
		tell(j->gone[i] ? FINAL : RETRIED, j->id, i);
	}
	/* Some stay in the queue: the next process finds them. */
	if (left > 0 && random() % 8 != 0)
		begin(j);
	else
		start(j);
}

static void
on_enqueued(struct store_request *req)
{
	struct job *j = container_of(req, struct job, enqueue.req);

	check(req);
	free_recipients(&j->enqueue.recipients);
	message_unref(&j->enqueue.message);
	for (unsigned i = 0; i < RECIPIENTS; i++)
		tell(ENQUEUED, j->id, i);
	begin(j);
}

static void
start(struct job *j)
{
	static const size_t size[] = { 100, 5000, 5000, 40000, 5000, 5000,
		200000 };
	struct store_enqueue *r =
	    new_message(RECIPIENTS, DUE, size[random() % 7]);

	j->enqueue = *r;
	TAILQ_INIT(&j->enqueue.recipients);
	TAILQ_CONCAT(&j->enqueue.recipients, &r->recipients, link);
	free(r);
	j->id = j->enqueue.message->id;
	j->enqueue.leased = true;
	j->enqueue.req.done = on_enqueued;
	for (unsigned i = 0; i < RECIPIENTS; i++) {
		j->gone[i] = false;
		tell(ASK_ENQUEUE, j->id, i);
	}
	store_enqueue(the->store, &j->enqueue);
}

static void
work(int fd, unsigned seed)
{
	struct err e = ERR_INIT;

	told = fd;
	srandom(seed);
	if (fixture_reopen(&e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		_exit(1);
	}
	for (int i = 0; i < BUSY; i++)
		start(xcalloc(1, sizeof(struct job)));
	event_base_dispatch(the->base);
	_exit(1);
}

/* -- the parent ---------------------------------------------------------- */

enum certainty { NO, MAYBE, YES };

struct known { /* of one recipient */
	int64_t id;
	unsigned index;
	enum certainty queued, gone;
	unsigned retries_asked, retried;
};

struct model {
	struct known *known;
	size_t n;
};

/* Recipients become known in the order of their ids, but for those of one
 * instant: look back. */
static struct known *
find(struct model *m, int64_t id, unsigned index)
{
	for (size_t i = m->n; i-- > 0;)
		if (m->known[i].id == id && m->known[i].index == index)
			return &m->known[i];
	return NULL;
}

static void
learn(struct model *m, const struct record *r)
{
	struct known *k = find(m, r->id, r->index);

	if (r->what == ASK_ENQUEUE) {
		assert_null(k);
		assert_true(m->n < KNOWN_MAX);
		m->known[m->n++] = (struct known){
			.id = r->id, .index = r->index, .queued = MAYBE
		};
		return;
	}
	assert_non_null(k);
	switch (r->what) {
	case ASK_ENQUEUE:
		break;
	case ENQUEUED:
		k->queued = YES;
		break;
	case ASK_FINAL:
		k->gone = MAYBE;
		break;
	case FINAL:
		k->gone = YES;
		break;
	case ASK_RETRY:
		k->retries_asked++;
		break;
	case RETRIED:
		k->retried++;
		break;
	}
}

static void
assert_known(struct model *m, const struct seen_recipient *s)
{
	struct known *k = find(m, s->message, s->index);

	assert_non_null(k);
	assert_int_not_equal(k->gone, YES);
	assert_int_equal(s->state, RCPT_WAITING);
	assert_true(s->attempts >= k->retried);
	/* What was in the air at the end counts as an attempt as well. */
	assert_true(s->attempts <= k->retries_asked + 1);
	k->queued = YES;
	k->gone = NO;
	k->retries_asked = k->retried = s->attempts;
	k->index |= FOUND;
}

/* What is in the queue is known, and what is known is in the queue unless it
 * may be gone. The model is then what is there. */
static void
compare(struct model *m)
{
	struct view *v = look();
	size_t kept = 0;

	assert_equation(v);
	for (size_t i = 0; i < v->nrecipients; i++)
		assert_known(m, &v->recipient[i]);
	for (size_t i = 0; i < m->n; i++) {
		struct known *k = &m->known[i];

		if (!(k->index & FOUND)) {
			assert_true(k->queued != YES || k->gone != NO);
			continue;
		}
		k->index &= ~FOUND;
		m->known[kept++] = *k;
	}
	m->n = kept;
	look_away(v);
}

static void
read_records(struct model *m, int fd)
{
	struct record r;
	ssize_t n;

	while ((n = read(fd, &r, sizeof(r))) == sizeof(r))
		learn(m, &r);
	assert_int_equal(n, 0);
}

/* Kills it after it has told `records` things, so that no round is empty
 * however slow the disk. */
static void
round_of(struct model *m, unsigned seed, unsigned records)
{
	struct record r;
	int fd[2], status;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fd[0]);
		work(fd[1], seed);
	}
	close(fd[1]);
	while (records-- > 0 && read(fd[0], &r, sizeof(r)) == sizeof(r))
		learn(m, &r);
	kill(pid, SIGKILL);
	read_records(m, fd[0]);
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Keeps the queue short enough to be looked at. */
static void
empty_queue(struct model *m)
{
	ask_edit((struct queue_filter){ .index = -1 }, true, DUE);
	m->n = 0;
}

static void
what_was_answered_survives(void **state)
{
	const char *rounds = getenv("STORE_CRASH_ROUNDS");
	int n = rounds != NULL ? atoi(rounds) : ROUNDS;
	struct model m = { .known = xcalloc(KNOWN_MAX, sizeof(*m.known)) };
	struct err e = ERR_INIT;

	(void)state;
	log_set_level(LOG_ERROR + 1);
	srandom(4711);
	for (int i = 0; i < n; i++) {
		unsigned seed = (unsigned)random();

		store_close(&the->store);
		round_of(&m, seed, 100 + seed % 2000);
		if (fixture_reopen(&e) < 0)
			fail_msg("round %d: %s", i, e.text);
		compare(&m);
		if (m.n > SEEN_MAX / 2)
			empty_queue(&m);
	}
	free(m.known);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_was_answered_survives, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
