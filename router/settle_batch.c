/*
 * settle_batch.c - settlements on their way to the store, and let go when they
 * are on disk.
 *
 * What has gathered in one turn of the loop is one request.
 */
#include "router/settle_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/body.h"

#include <assert.h>
#include <stdlib.h>

struct batch {
	struct store_settle op;
	struct settler *settler;
	unsigned tries; /* before this one */
};

#define TRIES_MOST 5

struct settler *
settler_new(struct core *core)
{
	struct settler *st = xcalloc(1, sizeof(*st));

	st->core = core;
	STAILQ_INIT(&st->gathered);
	return st;
}

void
settler_free(struct settler **stp)
{
	if (*stp == NULL)
		return;
	assert((*stp)->pending == 0);
	free(*stp);
	*stp = NULL;
}

unsigned
settle_pending(const struct settler *st)
{
	return st->pending;
}


struct job *
job_new(struct settler *st, struct recipient *r, enum settle_as as)
{
	struct job *j = xcalloc(1, sizeof(*j));
	struct settlement *s = &j->s;

	j->settler = st;
	j->r = r;
	j->status = j->reason = "";
	s->message = r->message->id;
	s->index = r->index;
	s->as = as;
	s->route = &r->route;
	s->sender = r->message->from_domain;
	s->address = r->address;
	s->at = clock_wall();
	s->shelf = r->shelf;
	s->expires = r->expires;
	s->delay_told = r->delay_told;
	s->requoted = r->requoted;
	s->unread = r->unread;
	s->reason = s->peer = s->remote_id = "";
	st->pending++;
	return j;
}

/* -- to the store and after ------------------------------------------------ */

static void
job_free(struct job *j)
{
	message_unref(&j->s.notice);
	recipient_free(&j->s.notice_to);
	body_unref(&j->body);
	free(j->evidence);
	recipient_free(&j->r);
	j->settler->pending--;
	free(j);
}

static void
let_go(struct job *j)
{
	struct queue *queue = j->settler->core->queue;

	job_log(j);
	guard_settled(j->settler->core->guard, j->r, j->s.counters);
	queue_release(queue, j->r->shelf);
	if (j->s.as != SETTLE_FINAL)
		queue_note(queue, j->s.shelf, j->s.due);
	if (j->s.notice_to != NULL)
		queue_note(queue, j->s.notice_to->shelf, j->s.notice_to->due);
	job_free(j);
}

/* The store is out of order: what is on disk stays as it is, and is recovered at the next start. */
static void
give_up(struct job *j)
{
	queue_release(j->settler->core->queue, j->r->shelf);
	job_free(j);
}

static void on_settled(struct store_request *);

static void
send_batch(struct settler *st, struct settlement_list *jobs, unsigned tries)
{
	struct batch *b = xcalloc(1, sizeof(*b));

	b->settler = st;
	b->tries = tries;
	b->op.req.reply_to = st->core->inbox;
	b->op.req.done = on_settled;
	STAILQ_INIT(&b->op.settlements);
	STAILQ_CONCAT(&b->op.settlements, jobs);
	store_settle(st->core->store, &b->op);
}

/*
 * One of them contradicts what is stored; only a notice can, whose id was taken (a clock set back).
 * Each goes alone now, a notice under a new id.
 */
static void
again_one_by_one(struct batch *b)
{
	struct settlement_list one;
	struct settlement *s;

	log_text(LOG_WARN, "settle", "once more: %s", b->op.req.err.text);
	while ((s = STAILQ_FIRST(&b->op.settlements)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->op.settlements, link);
		if (s->notice != NULL)
			s->notice->id = message_id_new(
			    &b->settler->core->makers[0], clock_wall());
		STAILQ_INIT(&one);
		STAILQ_INSERT_TAIL(&one, s, link);
		send_batch(b->settler, &one, b->tries + 1);
	}
	free(b);
}

static void
on_settled(struct store_request *req)
{
	struct store_settle *op = container_of(req, struct store_settle, req);
	struct batch *b = container_of(op, struct batch, op);
	struct core *core = b->settler->core;
	struct settlement *s;

	if (req->status == STORE_REJECTED && b->tries < TRIES_MOST) {
		again_one_by_one(b);
		return;
	}
	/* A node that is fenced has nothing to settle any more. */
	if (req->status != STORE_OK && req->status != STORE_FENCED) {
		log_text(LOG_ERROR, "settle", "%s", req->err.text);
		core->store_failed = true;
	}
	while ((s = STAILQ_FIRST(&op->settlements)) != NULL) {
		STAILQ_REMOVE_HEAD(&op->settlements, link);
		if (req->status == STORE_OK)
			let_go(container_of(s, struct job, s));
		else
			give_up(container_of(s, struct job, s));
	}
	free(b);
	core_wake(core);
}

void
settle_flush(struct settler *st)
{
	if (!STAILQ_EMPTY(&st->gathered))
		send_batch(st, &st->gathered, 0);
}