/*
 * commit.c - the store thread: which requests make one transaction, and what a
 *failure means.
 *
 * Whatever gathered while the last commit ran is the next transaction. Nobody
 *is answered before it is on disk. When it fails it is rolled back whole, and
 *then:
 *
 *	STORE_REJECTED	the request at fault is answered, the others start again
 *	STORE_FULL	the less important kinds are refused, the ballast is
 *given up, the others start again; settlements are kept until they succeed, for
 *what has been sent must be recorded
 *	STORE_FAILED	everything is refused from now on. A failed fsync is not
 *tried again: the kernel may have dropped the data and would report success
 */
#include "router/store/store_int.h"

#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/body.h"
#include "rules/rules.h"

#include <stdlib.h>

#define COMPANY	   4	       /* requests in the last group that show load */
#define GATHER	   400000      /* ns until the next group is taken then */
#define GROUP_MAX  512	       /* requests in one transaction */
#define PAUSE	   500	       /* ms between attempts while there is no space */
#define TRIM_SLICE 500	       /* rows removed in one transaction */
#define TRIM_EVERY (10 * 1000) /* ms between looks for what is to be removed */

#define KIND(k) (1u << (k))

/* Kinds refused after the nth failure for lack of space. */
static const unsigned refused[] = {
	KIND(STORE_ENQUEUE) | KIND(STORE_RULESET),
	KIND(STORE_BEGIN) | KIND(STORE_LEASE) | KIND(STORE_QUEUE_EDIT) |
	    KIND(STORE_KEEP),
};
#define LAST_REFUSED (sizeof(refused) / sizeof(refused[0]))

/* -- answers ------------------------------------------------------------- */

static void
run_done(struct task *t)
{
	struct store_request *req = request_of(t);

	req->done(req);
}

/* Takes those with the same inbox as the first out of *list. */
static struct inbox *
split_by_inbox(struct task_list *list, struct task_list *same)
{
	struct inbox *in = request_of(STAILQ_FIRST(list))->reply_to;
	struct task_list rest = STAILQ_HEAD_INITIALIZER(rest);
	struct task *t;

	while ((t = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		t->run = run_done;
		if (request_of(t)->reply_to == in)
			STAILQ_INSERT_TAIL(same, t, link);
		else
			STAILQ_INSERT_TAIL(&rest, t, link);
	}
	STAILQ_CONCAT(list, &rest);
	return in;
}

void
store_answer(struct task_list *list)
{
	struct task_list same = STAILQ_HEAD_INITIALIZER(same);
	struct inbox *in;

	while (!STAILQ_EMPTY(list)) {
		in = split_by_inbox(list, &same);
		inbox_post_all(in, &same);
	}
}

/* Answers those of the given kinds; the others stay in *list. */
static void
refuse(struct task_list *list, unsigned kinds, enum store_status st,
    const struct err *why)
{
	struct task_list no = STAILQ_HEAD_INITIALIZER(no), yes;
	struct task *t;

	STAILQ_INIT(&yes);
	while ((t = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		if (kinds & KIND(request_of(t)->kind)) {
			request_of(t)->status = st;
			request_of(t)->err = *why;
			STAILQ_INSERT_TAIL(&no, t, link);
		} else
			STAILQ_INSERT_TAIL(&yes, t, link);
	}
	STAILQ_CONCAT(list, &yes);
	store_answer(&no);
}

static void
refuse_all(struct task_list *list, enum store_status st, const struct err *why)
{
	refuse(list, ~0u, st, why);
}

/* -- one transaction ----------------------------------------------------- */

/* What a request that is not committed must not keep. */
static void
take_back(struct store_request *req)
{
	struct recipient *r;

	if (req->kind == STORE_BEGIN)
		body_unref(&container_of(req, struct store_begin, req)->body);
	if (req->kind == STORE_LEASE) {
		struct store_lease *l =
		    container_of(req, struct store_lease, req);

		while ((r = TAILQ_FIRST(&l->recipients)) != NULL) {
			TAILQ_REMOVE(&l->recipients, r, link);
			recipient_free(&r);
		}
		l->n = 0;
	}
}

static enum store_status
roll_back(struct store *s, struct task_list *list, enum store_status st)
{
	struct task *t;

	s->ops->rollback(s->engine);
	STAILQ_FOREACH(t, list, link)
	take_back(request_of(t));
	return st;
}

struct flush {
	struct store *store;
	struct err *e;
};

static enum store_status
add_counters(void *arg, const struct counter_row *row)
{
	struct flush *f = arg;

	return f->store->ops->add_counters(f->store->engine, row, f->e);
}

static enum store_status
flush_and_commit(struct store *s, struct err *e)
{
	struct flush f = { s, e };
	enum store_status st =
	    counters_each(&s->txn.counters, add_counters, &f);

	return st == STORE_OK ? s->ops->commit(s->engine, e) : st;
}

static enum store_status
begin(struct store *s, struct err *e)
{
	counters_clear(&s->txn.counters);
	str_clear(&s->txn.dropped);
	return s->ops->begin(s->engine, e);
}

static enum store_status
trim(struct store *s, struct err *e)
{
	size_t events = 0, kept = 0;
	bool more = false;
	enum store_status st;
	int64_t now = clock_wall();

	if (clock_mono() < s->trim_at)
		return STORE_OK;
	st = s->ops->trim_events(
	    s->engine, now - s->event_keep, TRIM_SLICE, &events, e);
	if (st == STORE_OK)
		st = s->ops->trim_kept(s->engine, now, TRIM_SLICE, &kept, e);
	if (st == STORE_OK)
		st = s->ops->trim_traffic(s->engine, &more, e);
	if (st != STORE_OK ||
	    (events < TRIM_SLICE && kept < TRIM_SLICE && !more))
		s->trim_at = clock_mono() + TRIM_EVERY;
	return st;
}

/* Carries out and commits the whole list, or nothing of it. *culprit is the
 * request that failed, or NULL when the failure is not one request's. */
static enum store_status
transact(struct store *s, struct task_list *list,
    struct store_request **culprit, struct err *e)
{
	enum store_status st = begin(s, e);
	struct store_request *req;
	struct task *t;

	*culprit = NULL;
	if (st == STORE_OK)
		st = trim(s, e);
	STAILQ_FOREACH(t, list, link)
	{
		if (st != STORE_OK)
			break;
		req = request_of(t);
		st = s->ops->execute[req->kind](s->engine, req, &s->txn);
		if (st != STORE_OK) {
			*culprit = req;
			*e = req->err;
		}
	}
	if (st == STORE_OK)
		st = flush_and_commit(s, e);
	return st == STORE_OK ? st : roll_back(s, list, st);
}

enum store_status
commit_recovery(struct store *s, struct store_recovery *recovery, struct err *e)
{
	struct task_list none = STAILQ_HEAD_INITIALIZER(none);
	enum store_status st = begin(s, e);

	if (st == STORE_OK)
		st = s->ops->recover(
		    s->engine, clock_wall(), recovery, &s->txn, e);
	if (st == STORE_OK)
		st = flush_and_commit(s, e);
	return st == STORE_OK ? st : roll_back(s, &none, st);
}

/* -- failures ------------------------------------------------------------ */

void
store_fail(struct store *s, const char *doing, const struct err *why)
{
	if (!atomic_exchange(&s->failed, true))
		log_text(LOG_ERROR, "store-failed",
		    "store '%s' accepts nothing more after %s: %s",
		    s->directory, doing, why->text);
}

static void
answer_culprit(
    struct task_list *list, struct store_request *culprit, enum store_status st)
{
	struct task_list one = STAILQ_HEAD_INITIALIZER(one);

	STAILQ_REMOVE(list, &culprit->task, task, link);
	culprit->status = st;
	STAILQ_INSERT_TAIL(&one, &culprit->task, link);
	store_answer(&one);
}

static void
tidy(struct store *s, bool at_once)
{
	struct err e = ERR_INIT;

	if (!atomic_load(&s->failed) &&
	    s->ops->tidy(s->engine, at_once, &e) == STORE_FAILED)
		store_fail(s, "a failed checkpoint", &e);
}

/* The nth failure for lack of space. False: there is nothing more to give up.
 */
static bool
make_room(
    struct store *s, struct task_list *list, size_t n, const struct err *why)
{
	if (!space_give_up_ballast(&s->space))
		tidy(s, true);
	if (n >= LAST_REFUSED)
		return false;
	refuse(list, refused[n], STORE_FULL, why);
	return true;
}

static void
keep_stuck(struct store *s, struct task_list *list)
{
	STAILQ_CONCAT(&s->stuck, list);
	s->retry_at = s->trim_at = clock_mono() + PAUSE;
}

/* Commits what can be committed; *list then holds just that. */
static void
commit_all(struct store *s, struct task_list *list)
{
	struct store_request *culprit;
	enum store_status st;
	struct err e = ERR_INIT;
	size_t n = 0;

	while ((st = transact(s, list, &culprit, &e)) != STORE_OK) {
		if (st == STORE_REJECTED && culprit != NULL)
			answer_culprit(list, culprit, st);
		else if (st != STORE_FULL) {
			store_fail(s, "a failed transaction", &e);
			refuse_all(list, STORE_FAILED, &e);
			return;
		} else if (!make_room(s, list, n++, &e)) {
			keep_stuck(s, list);
			return;
		}
	}
}

/* -- the thread ---------------------------------------------------------- */

/* An edit with more to look at goes to the end of what is waiting. */
static void
requeue_edits(struct store *s, struct task_list *list)
{
	struct task_list finished = STAILQ_HEAD_INITIALIZER(finished);
	struct store_queue_edit *edit;
	struct task *t;

	while ((t = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		request_of(t)->status = STORE_OK;
		if (request_of(t)->kind == STORE_QUEUE_EDIT) {
			edit = container_of(
			    request_of(t), struct store_queue_edit, req);
			edit->at = edit->next;
			edit->changed = edit->at.changed;
			if (edit->at.more) {
				worker_post(&s->committer, t);
				continue;
			}
		}
		STAILQ_INSERT_TAIL(&finished, t, link);
	}
	STAILQ_CONCAT(list, &finished);
}

static void
after_commit(struct store *s, struct task_list *list)
{
	requeue_edits(s, list);
	store_answer(list);
	spool_remove(s, &s->txn.dropped);
	tidy(s, false);
}

/* Rules may be large: they go to the log and then to the database, and must
 * not come to the end of the disk half way. */
static bool
has_room_for(struct store *s, const struct store_ruleset *r)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < r->n; i++)
		bytes += r->file[i].len;
	return space_has_room(&s->space, 2 * bytes);
}

static void
refuse_large_rules(struct store *s, struct task_list *list)
{
	struct store_request *req;
	struct task *t, *next;

	for (t = STAILQ_FIRST(list); t != NULL; t = next) {
		next = STAILQ_NEXT(t, link);
		req = request_of(t);
		if (req->kind != STORE_RULESET ||
		    has_room_for(
			s, container_of(req, struct store_ruleset, req)))
			continue;
		err_set(&req->err, "not enough space for the rules in '%s'",
		    s->directory);
		answer_culprit(list, req, STORE_FULL);
	}
}

static void
refuse_when_low(struct store *s, struct task_list *list)
{
	struct err e = ERR_INIT;

	refuse_large_rules(s, list);
	if (!space_is_low(&s->space))
		return;
	err_set(&e, "less than %llu bytes are free in '%s'",
	    (unsigned long long)s->space.reserve, s->directory);
	refuse(list, refused[0], STORE_FULL, &e);
	/* While the reserve can still take what is in the log. */
	tidy(s, true);
}

static void
run_group(struct store *s, struct task_list *list)
{
	struct err e = ERR_INIT;

	if (atomic_load(&s->failed)) {
		err_set(&e, "store '%s' has failed", s->directory);
		refuse_all(list, STORE_FAILED, &e);
		return;
	}
	refuse_when_low(s, list);
	if (STAILQ_EMPTY(list) && clock_mono() < s->trim_at)
		return;
	commit_all(s, list);
	after_commit(s, list);
	space_restore_ballast(&s->space);
}

/* While settlements wait for space nothing else can have it. */
static void
run_while_stuck(struct store *s, struct task_list *list)
{
	static const struct err full = { .text = "no space left" };

	refuse(list, ~KIND(STORE_SETTLE), STORE_FULL, &full);
	STAILQ_CONCAT(&s->stuck, list);
	if (clock_mono() < s->retry_at && !atomic_load(&s->failed))
		return;
	STAILQ_CONCAT(list, &s->stuck);
	run_group(s, list);
}

/* When there is something to do even if nothing comes. */
static int64_t
next_chore(struct store *s)
{
	if (atomic_load(&s->failed))
		return INT64_MAX;
	return STAILQ_EMPTY(&s->stuck) ? s->trim_at : s->retry_at;
}

/*
 * Under load a commit that waits for company is cheaper for everybody: each one costs an fsync and
 * the pages that all of its requests share. One that comes alone never waits.
 */
static void
gather(size_t last)
{
	static const struct timespec pause = { .tv_nsec = GATHER };

	if (last >= COMPANY)
		nanosleep(&pause, NULL);
}

static size_t
count(const struct task_list *list)
{
	const struct task *t;
	size_t n = 0;

	STAILQ_FOREACH (t, list, link)
		n++;
	return n;
}

void *
commit_main(void *arg)
{
	struct store *s = arg;
	struct task_list list = STAILQ_HEAD_INITIALIZER(list);
	static const struct err full = { .text = "no space left" };
	size_t last = 0;

	for (;; gather(last)) {
		if (!worker_take(
			&s->committer, &list, GROUP_MAX, next_chore(s)))
			break;
		last = count(&list);
		if (STAILQ_EMPTY(&s->stuck))
			run_group(s, &list);
		else
			run_while_stuck(s, &list);
	}
	refuse_all(&s->stuck, STORE_FULL, &full);
	return NULL;
}
