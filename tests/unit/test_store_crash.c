/*
 * test_store_crash.c - kill -9 at random moments: what was answered is there
 * afterwards.
 *
 * A child process works on a store and tells through a pipe what it is about to
 * ask and what has been answered. The parent kills it, opens the store and
 * compares: a change that was answered has happened, one that was only asked
 * may have, nothing else has. Then the next child goes on with the same store.
 * Likewise the envelopes that are kept to try rules on, which come with the
 * enqueue or not at all, and the rule sets that were in force.
 * STORE_CRASH_ROUNDS in the environment makes it longer.
 */
#include "tests/unit/store_fixture.h"

#include "rules/rules.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum { ROUNDS = 30, BUSY = 16, RECIPIENTS = 2, KNOWN_MAX = 100000 };
#define FOUND (1u << 31) /* in known.index while comparing */
#define DUE   INT64_C(1767225600000)

enum what {
	ASK_ENQUEUE,
	ENQUEUED,
	ASK_FINAL,
	FINAL,
	ASK_RETRY,
	RETRIED,
	ASK_RULESET,
	IN_FORCE,
};

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

/* One rule set after the other, while mail comes in. Their files are as many
 * as the number of the version says, up to three. */
struct applying {
	struct store_ruleset r;
	struct rules_file file[3];
	char version[24];
	int64_t number;
};

static void apply_next(struct applying *);

static void
on_applied(struct store_request *req)
{
	struct applying *a = container_of(req, struct applying, r.req);

	check(req);
	tell(IN_FORCE, a->number, 0);
	apply_next(a);
}

static void
apply_next(struct applying *a)
{
	static char text[20000];

	memset(text, '#', sizeof(text) - 1);
	a->number = message_id_new(&the->ids, clock_wall());
	snprintf(a->version, sizeof(a->version), "%lld", (long long)a->number);
	for (size_t i = 0; i < 3; i++)
		a->file[i] =
		    (struct rules_file){ a->version, text, sizeof(text) - 1 };
	a->r = (struct store_ruleset){ .at = a->number,
		.who = "child",
		.version = a->version,
		.n = 1 + (size_t)(a->number % 3),
		.file = a->file };
	a->r.req.reply_to = the->inbox;
	a->r.req.done = on_applied;
	tell(ASK_RULESET, a->number, 0);
	store_ruleset(the->store, &a->r);
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
	/* So that its envelope is known again. */
	j->enqueue.message->received = j->id;
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
	apply_next(xcalloc(1, sizeof(struct applying)));
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

/* Of a message's envelope or a rule set: stored in this round. */
struct record_known {
	int64_t id;
	enum certainty stored;
	bool seen;
};

struct model {
	struct known *known;
	size_t n;
	struct record_known *envelope, *ruleset;
	size_t nenvelopes, nrulesets;
	int64_t traffic_after, ruleset_after; /* cursors over earlier rounds */
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

static struct record_known *
find_record(struct record_known *list, size_t n, int64_t id)
{
	while (n-- > 0)
		if (list[n].id == id)
			return &list[n];
	return NULL;
}

static void
learn_record(
    struct record_known *list, size_t *n, int64_t id, enum certainty stored)
{
	struct record_known *k = find_record(list, *n, id);

	if (k == NULL) {
		assert_true(*n < KNOWN_MAX);
		k = &list[(*n)++];
		*k = (struct record_known){ .id = id };
	}
	if (k->stored < stored)
		k->stored = stored;
}

static void
learn(struct model *m, const struct record *r)
{
	struct known *k;

	if (r->what == ASK_RULESET || r->what == IN_FORCE) {
		learn_record(m->ruleset, &m->nrulesets, r->id,
		    r->what == IN_FORCE ? YES : MAYBE);
		return;
	}
	if (r->what == ASK_ENQUEUE || r->what == ENQUEUED)
		learn_record(m->envelope, &m->nenvelopes, r->id,
		    r->what == ENQUEUED ? YES : MAYBE);
	k = find(m, r->id, r->index);
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
	case ASK_RULESET:
	case IN_FORCE:
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

/* -- the parent, on envelopes and rule sets ------------------------------ */

struct reading {
	struct store_query query;
	struct model *m;
	const struct view *queue;
	size_t files;
	int64_t newest;
};

static bool
in_queue(const struct view *v, int64_t id)
{
	for (size_t i = 0; i < v->nrecipients; i++)
		if (v->recipient[i].message == id)
			return true;
	return false;
}

/* Every recipient of a message in one row, and numbered without a gap. */
static void
see_traffic(void *arg, const struct traffic_row *row)
{
	struct reading *g = arg;
	struct model *m = g->m;
	struct record_known *k =
	    find_record(m->envelope, m->nenvelopes, row->at);

	assert_non_null(k);
	if (k->seen) {
		assert_int_equal(row->seq, m->traffic_after);
		return;
	}
	k->seen = true;
	assert_int_equal(row->seq, m->traffic_after + RECIPIENTS);
	m->traffic_after = row->seq;
}

static void
see_file(void *arg, const struct rules_file *f)
{
	struct reading *g = arg;

	g->files++;
	assert_int_equal(strtoll(f->name, NULL, 10), g->newest);
	assert_int_equal(f->len, strlen(f->text));
	assert_int_equal(f->len, 19999);
}

static void
see_ruleset(void *arg, const struct ruleset_row *row)
{
	struct reading *g = arg;
	struct record_known *k;

	if (row->number <= g->m->ruleset_after)
		return;
	k = find_record(g->m->ruleset, g->m->nrulesets, row->at);
	assert_non_null(k);
	assert_false(k->seen);
	k->seen = true;
	assert_int_equal(strtoll(row->version, NULL, 10), row->at);
	assert_int_equal(row->files, 1 + row->at % 3);
	if (g->newest == 0)
		g->newest = row->at;
}

static void
see_number(void *arg, const struct ruleset_row *row)
{
	*(int64_t *)arg = row->number;
}

static void
read_records_kept(struct store_query *q, struct store_reader *r)
{
	struct reading *g = container_of(q, struct reading, query);
	int64_t newest = 0;

	store_read_traffic(
	    r, 0, g->m->traffic_after, KNOWN_MAX, see_traffic, g);
	store_read_rulesets(r, 0, KNOWN_MAX, see_ruleset, g);
	store_read_rulesets(r, 0, 1, see_number, &newest);
	if (g->newest != 0) {
		store_read_ruleset_files(r, newest, see_file, g);
		assert_int_equal(g->files, 1 + g->newest % 3);
	}
	g->m->ruleset_after = newest;
}

/* What was answered is kept, and an envelope is where its message is. */
static void
compare_records(struct model *m, const struct view *queue)
{
	struct reading g = { .query = { .reply_to = the->inbox,
				 .run = read_records_kept,
				 .done = on_query_answer },
		.m = m,
		.queue = queue };

	store_query(the->store, &g.query);
	await(1);
	for (size_t i = 0; i < m->nenvelopes; i++) {
		const struct record_known *k = &m->envelope[i];

		assert_int_equal(
		    k->seen, k->stored == YES || in_queue(queue, k->id));
	}
	for (size_t i = 0; i < m->nrulesets; i++)
		assert_true(m->ruleset[i].seen || m->ruleset[i].stored != YES);
	m->nenvelopes = m->nrulesets = 0;
}

/* What is in the queue is known, and what is known is in the queue unless it
 * may be gone. The model is then what is there. */
static void
compare(struct model *m)
{
	struct view *v = look();
	size_t kept = 0;

	assert_equation(v);
	compare_records(m, v);
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
	struct model m = { .known = xcalloc(KNOWN_MAX, sizeof(*m.known)),
		.envelope = xcalloc(KNOWN_MAX, sizeof(*m.envelope)),
		.ruleset = xcalloc(KNOWN_MAX, sizeof(*m.ruleset)) };
	struct err e = ERR_INIT;

	(void)state;
	log_set_level(LOG_ERROR + 1);
	srandom(4711);
	the->config.traffic_keep = 10000000;
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
	free(m.envelope);
	free(m.ruleset);
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
