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
 *	STORE_AWAY	it is tried again, or all but settlements refused
 *			(away.c)
 *	STORE_FENCED	everything is refused from now on, settlements too: others
 *			have what this node held
 *	STORE_FAILED	everything is refused from now on. A failed fsync is not
 *tried again: the kernel may have dropped the data and would report success
 */
#include "router/store/sql_int.h"

#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/body.h"
#include "rules/rules.h"

#include <stdlib.h>

#define COMPANY	   4	  /* requests in the last group that show load */
#define GATHER	   400000 /* ns until the next group is taken then */
#define PAUSE	   500	  /* ms between attempts while there is no space */
#define TRIM_SLICE 500	  /* rows removed in one transaction */
#define TRIM_EVERY                                                             \
	(10 * 1000) /* ms between looks for what is to be removed              \
		     */

#define KIND(k) (1u << (k))

/* Kinds refused after the nth failure for lack of space. */
static const unsigned refused[] = {
	KIND(STORE_ENQUEUE) | KIND(STORE_RULESET),
	KIND(STORE_BEGIN) | KIND(STORE_LEASE) | KIND(STORE_QUEUE_EDIT) |
	    KIND(STORE_KEEP) | KIND(STORE_FEEDBACK) | KIND(STORE_LETTERS) |
	    KIND(STORE_SUPPRESS) | KIND(STORE_UNSUPPRESS) | KIND(STORE_DRAIN) |
	    KIND(STORE_BURY) | KIND(STORE_SHARE),
};
#define LAST_REFUSED (sizeof(refused) / sizeof(refused[0]))

/* -- answers ------------------------------------------------------------- */

static void
run_done(struct task *t)
{
	struct store_request *req = request_of(t);

	if (req->kind == STORE_UNSUPPRESS)
		free(container_of(req, struct store_unsuppress, req)->progress);
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

/* The store's own requests, which have no inbox. */
static void
run_all(struct task_list *list)
{
	struct task *t;

	while ((t = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		t->run(t);
	}
}

void
store_answer(struct task_list *list)
{
	struct task_list same = STAILQ_HEAD_INITIALIZER(same);
	struct inbox *in;

	while (!STAILQ_EMPTY(list)) {
		in = split_by_inbox(list, &same);
		if (in != NULL)
			inbox_post_all(in, &same);
		else
			run_all(&same);
	}
}

void
store_refuse(struct task_list *list, unsigned kinds, enum store_status st,
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
	store_refuse(list, ~0u, st, why);
}

/* -- one transaction ----------------------------------------------------- */

static void
take_back_enqueue(struct store_enqueue *q)
{
	struct recipient *r;

	TAILQ_FOREACH(r, &q->recipients, link)
	{
		free(r->suppressed);
		r->suppressed = NULL;
	}
}

static void
take_back_begin(struct store_begin *b)
{
	body_unref(&b->body);
	for (size_t i = 0; b->suppressed != NULL && i < b->n; i++) {
		free(b->suppressed[i]);
		b->suppressed[i] = NULL;
	}
}

static void
take_back_lease(struct store_lease *l)
{
	struct recipient *r;

	while ((r = TAILQ_FIRST(&l->recipients)) != NULL) {
		TAILQ_REMOVE(&l->recipients, r, link);
		recipient_free(&r);
	}
	l->n = 0;
}

/* What a request that is not committed must not keep. */
static void
take_back(struct store_request *req)
{
	if (req->kind == STORE_ENQUEUE)
		take_back_enqueue(container_of(req, struct store_enqueue, req));
	if (req->kind == STORE_BEGIN)
		take_back_begin(container_of(req, struct store_begin, req));
	if (req->kind == STORE_LEASE)
		take_back_lease(container_of(req, struct store_lease, req));
}

static enum store_status
roll_back(struct store *s, struct task_list *list, enum store_status st)
{
	struct task *t;

	s->ops->rollback(s->engine);
	counters_clear(&s->txn.counters);
	STAILQ_FOREACH(t, list, link)
	{
		take_back(request_of(t));
		request_of(t)->err = (struct err)ERR_INIT;
	}
	return st;
}

static enum store_status
flush_and_commit(struct store *s, struct err *e)
{
	enum store_status st = store_count(s, e);

	if (st == STORE_OK)
		st = sql_tell_changes(s->engine, e);
	return st == STORE_OK ? s->ops->commit(s->engine, e) : st;
}

static enum store_status
begin(struct store *s, struct err *e)
{
	counters_clear(&s->txn.counters);
	str_clear(&s->txn.dropped);
	s->engine->told = false;
	s->engine->changes = 0;
	s->engine->low = space_is_low(&s->space);
	return s->ops->begin(s->engine, e);
}

static enum store_status
trim(struct store *s, struct err *e)
{
	size_t events = 0, kept = 0, sent = 0, suppressed = 0, mail = 0;
	bool more = false, cold = false, counts;
	bool turn = clock_mono() >= s->trim_at;
	enum store_status st;
	int64_t now = clock_wall();

	st = sql_keep_counts(s->engine, now, turn, TRIM_SLICE, &counts, e);
	if (st == STORE_OK)
		st = store_hear_counters(s, e);
	if (!turn)
		return st;
	if (st == STORE_OK)
		st = sql_warm(s->engine, &cold, e);
	if (st == STORE_OK)
		st = sql_trim_events(
		    s->engine, now - s->event_keep, TRIM_SLICE, &events, e);
	if (st == STORE_OK)
		st = sql_trim_kept(s->engine, now, TRIM_SLICE, &kept, e);
	if (st == STORE_OK)
		st = sql_trim_sent(s->engine, now, TRIM_SLICE, &sent, e);
	if (st == STORE_OK)
		st = sql_trim_suppressed(
		    s->engine, now, TRIM_SLICE, &suppressed, e);
	if (st == STORE_OK)
		st = sql_trim_mail(
		    s->engine, now - s->event_keep, TRIM_SLICE, &mail, e);
	if (st == STORE_OK)
		st = sql_trim_traffic(s->engine, &more, e);
	if (st != STORE_OK ||
	    (events < TRIM_SLICE && kept < TRIM_SLICE && sent < TRIM_SLICE &&
		suppressed < TRIM_SLICE && mail < TRIM_SLICE && !counts &&
		!more && !cold))
		s->trim_at = clock_mono() + TRIM_EVERY;
	return st;
}

/* Each round trip saved by that is one for all of the group. */
static void
announce_all(struct store *s, struct task_list *list)
{
	struct task *t;

	if (!sql_of(s->engine)->q->far)
		return;
	STAILQ_FOREACH(t, list, link)
	{
		s->engine->running = request_of(t);
		sql_announce(s->engine, request_of(t));
	}
	s->engine->running = NULL;
}

/* *culprit is the request that failed. */
static enum store_status
execute_all(struct store *s, struct task_list *list,
    struct store_request **culprit, struct err *e)
{
	enum store_status st = STORE_OK;
	struct store_request *req;
	struct task *t;

	STAILQ_FOREACH(t, list, link)
	{
		req = request_of(t);
		s->engine->running = req;
		st = sql_execute(s->engine, req, &s->txn);
		if (st != STORE_OK) {
			*culprit = req;
			*e = req->err;
			break;
		}
	}
	s->engine->running = NULL;
	return st;
}

/* Carries out and commits the whole list, or nothing of it. *culprit is the
 * request that failed, or NULL when the failure is not one request's. */
static enum store_status
transact(struct store *s, struct task_list *list,
    struct store_request **culprit, struct err *e)
{
	enum store_status st = begin(s, e);

	*culprit = NULL;
	if (st == STORE_OK)
		st = trim(s, e);
	if (st == STORE_OK) {
		announce_all(s, list);
		st = execute_all(s, list, culprit, e);
	}
	if (st == STORE_OK)
		st = flush_and_commit(s, e);
	if (st == STORE_OK || s->engine->in_doubt)
		return st;
	roll_back(s, list, st);
	/* Where it shows late it is not the one that was carried out then. */
	if (s->engine->culprit != NULL)
		*culprit = s->engine->culprit;
	if (*culprit != NULL)
		(*culprit)->err = *e;
	return st;
}

enum store_status
commit_recovery(struct store *s, struct store_recovery *recovery, struct err *e)
{
	struct task_list none = STAILQ_HEAD_INITIALIZER(none);
	enum store_status st = begin(s, e);

	if (st == STORE_OK)
		st = sql_recover(
		    s->engine, clock_wall(), recovery, &s->txn, e);
	if (st == STORE_OK)
		st = flush_and_commit(s, e);
	return st == STORE_OK ? st : roll_back(s, &none, st);
}

enum store_status
commit_bury(struct store *s, struct store_bury *b, struct err *e)
{
	struct task_list none = STAILQ_HEAD_INITIALIZER(none);
	enum store_status st = begin(s, e);

	if (st == STORE_OK) {
		st = sql_bury(s->engine, &b->req, &s->txn);
		if (st != STORE_OK)
			*e = b->req.err;
	}
	if (st == STORE_OK)
		st = flush_and_commit(s, e);
	if (st == STORE_OK)
		b->at = b->next;
	return st == STORE_OK ? st : roll_back(s, &none, st);
}

enum store_status
commit_leave(struct store *s, struct bury_progress *p, struct err *e)
{
	struct task_list none = STAILQ_HEAD_INITIALIZER(none);
	enum store_status st = begin(s, e);

	if (st == STORE_OK)
		st = sql_leave(s->engine, p, &s->txn, e);
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

void
store_fence(struct store *s, const struct err *why)
{
	if (atomic_exchange(&s->fenced, true))
		return;
	log_text(LOG_ERROR, "node-fenced", "%s", why->text);
	store_tell_changes(s, STORE_FENCED_OUT);
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
	store_refuse(list, refused[n], STORE_FULL, why);
	return true;
}

static void
keep_stuck(struct store *s, struct task_list *list)
{
	STAILQ_CONCAT(&s->stuck, list);
	s->retry_at = s->trim_at = clock_mono() + PAUSE;
}

/* Nothing will ever be committed again. */
static void
end(struct store *s, struct task_list *list, enum store_status st,
    const struct err *why)
{
	if (st == STORE_FENCED)
		store_fence(s, why);
	else
		store_fail(s, "a failed transaction", why);
	STAILQ_CONCAT(list, &s->stuck);
	refuse_all(list, st == STORE_FENCED ? st : STORE_FAILED, why);
}

/* Commits what can be committed: true; *list then holds just that. Else it is
 * empty. */
static bool
commit_all(struct store *s, struct task_list *list)
{
	struct store_request *culprit;
	unsigned full = 0, away = 0;
	enum store_status st;
	struct err e = ERR_INIT;

	while ((st = transact(s, list, &culprit, &e)) != STORE_OK) {
		if (st == STORE_REJECTED && culprit != NULL)
			answer_culprit(list, culprit, st);
		else if (st == STORE_AWAY) {
			if (!away_try_again(s, list, away++, &e))
				return false;
		} else if (st != STORE_FULL) {
			end(s, list, st, &e);
			return false;
		} else if (!make_room(s, list, full++, &e)) {
			keep_stuck(s, list);
			return false;
		}
	}
	away_is_over(s);
	return true;
}

/* -- the thread ---------------------------------------------------------- */

/* An edit or the like that has more to look at. */
static bool
has_more(struct store_request *req)
{
	struct store_queue_edit *edit;
	struct store_unsuppress *un;
	struct store_bury *bury;

	if (req->kind == STORE_QUEUE_EDIT) {
		edit = container_of(req, struct store_queue_edit, req);
		edit->at = edit->next;
		edit->changed = edit->at.changed;
		return edit->at.more;
	}
	if (req->kind == STORE_UNSUPPRESS) {
		un = container_of(req, struct store_unsuppress, req);
		un->progress->at = un->progress->next;
		un->changed = un->progress->at.changed;
		return un->progress->at.more;
	}
	if (req->kind == STORE_BURY) {
		bury = container_of(req, struct store_bury, req);
		bury->at = bury->next;
		return bury->at.more;
	}
	return false;
}

/* A beginning that found its recipients suppressed has changed nothing: no
 * need to undo what came with it. */
static enum store_status
status_of(struct store_request *req)
{
	struct store_begin *b;

	if (req->kind != STORE_BEGIN)
		return STORE_OK;
	b = container_of(req, struct store_begin, req);
	for (size_t i = 0; b->suppressed != NULL && i < b->n; i++)
		if (b->suppressed[i] != NULL) {
			err_set(&req->err, "a recipient is on the suppression "
					   "list");
			return STORE_REJECTED;
		}
	return STORE_OK;
}

/* What has more to look at goes to the end of what is waiting. */
static void
requeue_edits(struct store *s, struct task_list *list)
{
	struct task_list finished = STAILQ_HEAD_INITIALIZER(finished);
	struct task *t;

	while ((t = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		request_of(t)->status = status_of(request_of(t));
		if (has_more(request_of(t)))
			worker_post(&s->committer, t);
		else
			STAILQ_INSERT_TAIL(&finished, t, link);
	}
	STAILQ_CONCAT(list, &finished);
}

static void
after_commit(struct store *s, struct task_list *list)
{
	/* First: who begins to watch after an answer is told of none before. */
	store_tell_counters(s);
	requeue_edits(s, list);
	store_answer(list);
	if (s->engine->told)
		store_tell_watches(s);
	if (s->node != NULL)
		node_changed(s->node, s->engine->changes);
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

/* Whoever may send to our queues must not be able to use up what mail needs:
 * what nobody knows stays where it is, and comes again. */
static void
refuse_letters(struct task_list *list, const struct err *e)
{
	struct store_request *req;
	struct store_feedback *r;
	struct task *t, *next;

	for (t = STAILQ_FIRST(list); t != NULL; t = next) {
		next = STAILQ_NEXT(t, link);
		req = request_of(t);
		if (req->kind != STORE_FEEDBACK)
			continue;
		r = container_of(req, struct store_feedback, req);
		r->bury_unknown = false;
		if (!r->bury)
			continue;
		req->err = *e;
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
	store_refuse(list, refused[0], STORE_FULL, &e);
	refuse_letters(list, &e);
	/* While the reserve can still take what is in the log. */
	tidy(s, true);
}

void
commit_group(struct store *s, struct task_list *list)
{
	if (commit_all(s, list))
		after_commit(s, list);
}

void
commit_happened(struct store *s, struct task_list *list)
{
	after_commit(s, list);
}

void
commit_did_not_happen(struct store *s, struct task_list *list)
{
	roll_back(s, list, STORE_AWAY);
}

static bool
has_ended(struct store *s)
{
	return atomic_load(&s->failed) || atomic_load(&s->fenced);
}

/* When there is something to do even if nothing comes. */
static int64_t
next_chore(struct store *s)
{
	if (has_ended(s))
		return INT64_MAX;
	if (!STAILQ_EMPTY(&s->stuck) || s->away)
		return s->retry_at;
	return s->hear_at < s->trim_at ? s->hear_at : s->trim_at;
}

static void
run_group(struct store *s, struct task_list *list)
{
	struct err e = ERR_INIT;

	if (has_ended(s)) {
		err_set(&e, "store '%s' has %s", s->directory,
		    atomic_load(&s->failed) ? "failed" : "been given up");
		refuse_all(list,
		    atomic_load(&s->failed) ? STORE_FAILED : STORE_FENCED, &e);
		return;
	}
	if (s->away) {
		away_run(s, list);
		return;
	}
	refuse_when_low(s, list);
	if (STAILQ_EMPTY(list) && clock_mono() < next_chore(s))
		return;
	commit_group(s, list);
	space_restore_ballast(&s->space);
}

/* While settlements wait for space nothing else can have it. */
static void
run_while_stuck(struct store *s, struct task_list *list)
{
	static const struct err full = { .text = "no space left" };

	store_refuse(list, ~KIND(STORE_SETTLE), STORE_FULL, &full);
	STAILQ_CONCAT(&s->stuck, list);
	if (clock_mono() < s->retry_at && !has_ended(s))
		return;
	STAILQ_CONCAT(list, &s->stuck);
	run_group(s, list);
}

/*
 * Under load a commit that waits for company is cheaper for everybody: each one
 * costs an fsync and the pages that all of its requests share. One that comes
 * alone never waits.
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

	STAILQ_FOREACH(t, list, link)
	n++;
	return n;
}

/* So that whoever looks into a store that is closed finds it added up. With
 * other nodes it never is. */
static void
count_up(struct store *s)
{
	enum store_status st = STORE_OK;
	struct err e = ERR_INIT;
	bool more = true;

	if (sql_hears(s->engine))
		return;
	while (more && st == STORE_OK && !has_ended(s)) {
		st = begin(s, &e);
		if (st == STORE_OK)
			st = sql_count_up(s->engine, clock_wall(), &more, &e);
		if (st == STORE_OK)
			st = s->ops->commit(s->engine, &e);
		if (st != STORE_OK)
			s->ops->rollback(s->engine);
	}
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
			&s->committer, &list, STORE_GROUP_MAX, next_chore(s)))
			break;
		last = count(&list);
		if (STAILQ_EMPTY(&s->stuck) || s->away)
			run_group(s, &list);
		else
			run_while_stuck(s, &list);
	}
	away_close(s);
	refuse_all(&s->stuck, s->away ? STORE_AWAY : STORE_FULL,
	    s->away ? &s->away_why : &full);
	count_up(s);
	return NULL;
}
