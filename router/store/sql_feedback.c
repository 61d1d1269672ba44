/*
 * sql_feedback.c - what is told of recipients after they left: their rows,
 * their counters, their events.
 *
 * A recipient is found among the remembered ones (sql_sent.c), else in the
 * queue, where it gets a row before its settlement. Whatever is told proves
 * that the next hop has it: one that only waits for another try because a reply
 * was unread leaves the queue here.
 */
#include "router/store/sql_int.h"

#include <assert.h>
#include <string.h>

/* One feedback on its way. */
struct telling {
	struct sql_engine *eng;
	const struct store_feedback *r;
	const struct feedback *f;
	struct txn *txn;
	struct err *e;
	struct sent was, is; /* was.state 0: no row yet */
	bool leaves;	     /* the queue, which it had waited in for a reply */
	bool late;	     /* somebody else has made the row meanwhile */
};

void
sql_announce_feedback(struct engine *base, struct store_request *req)
{
	struct store_feedback *r =
	    container_of(req, struct store_feedback, req);
	const struct feedback *f;

	STAILQ_FOREACH(f, &r->list, link)
	sql_announce_sent(sql_of(base), f);
}

/* -- whom it is about ---------------------------------------------------- */

/* The index of a recipient in the queue: of that address, or the only one. */
static enum store_status
find_index(
    struct telling *t, enum statement which, unsigned *index, bool *found)
{
	struct stmt *st = sql_stmt(t->eng->q, which);
	enum store_status status;

	bind_int(st, 1, t->f->message);
	if (which == SQL_FIND_RECIPIENT)
		bind_text(st, 2, t->f->address);
	*found = sql_next(t->eng->q, st, "read the queue", &status, t->e);
	if (*found)
		*index = (unsigned)column_int(st, 0);
	sql_reset(st);
	return status;
}

/* The recipient in the queue, in eng->stored. */
static enum store_status
find_queued(struct telling *t, unsigned *index, bool *found)
{
	const struct feedback *f = t->f;
	enum store_status status;

	*index = f->index;
	if (f->index != FEEDBACK_ANY) {
		status = sql_load(t->eng, f->message, *index, found, t->e);
		if (status != STORE_OK || f->alone ||
		    (*found && sql_sent_is_about(f, t->eng->stored.address)))
			return status;
	}
	status = find_index(t, SQL_FIND_RECIPIENT, index, found);
	return status == STORE_OK && *found
		   ? sql_load(t->eng, f->message, *index, found, t->e)
		   : status;
}

static void
take_queued(struct telling *t, unsigned index)
{
	const struct stored *s = &t->eng->stored;

	t->is = (struct sent){ .message = t->f->message,
		.index = index,
		.at = t->r->now,
		.remember = t->r->remember,
		.state = SENT_EARLY,
		.address = s->address,
		.remote_id = t->f->remote_id,
		.reason = "",
		.sender = s->sender,
		.route = s->route };
	t->was = t->is;
	t->was.state = 0;
}

/* One that waits in the store for its next try leaves; one in memory does so
 * when it comes back. */
static void
see_if_it_leaves(struct telling *t)
{
	const struct stored *s = &t->eng->stored;

	t->leaves = s->state == RCPT_WAITING && s->unread;
	if (!t->leaves)
		return;
	t->is.state &= ~(unsigned)SENT_EARLY;
	t->is.route = s->route;
	t->is.sender = s->sender;
}

/* Nothing says which: then it is about the only one there is, of those that
 * have left or, if none has, of those in the queue. */
static enum store_status
find_only(struct telling *t, bool *sent, unsigned *index, bool *queued)
{
	enum store_status st = sql_sent_find_only(t->eng, t->f, sent, t->e);

	if (st != STORE_OK || *sent)
		return st;
	st = find_index(t, SQL_FIND_RECIPIENT_ONLY, index, queued);
	return st == STORE_OK && *queued
		   ? sql_load(t->eng, t->f->message, *index, queued, t->e)
		   : st;
}

static bool
is_any(const struct feedback *f)
{
	return f->message != 0 && f->index == FEEDBACK_ANY &&
	       (f->alone || f->address[0] == '\0');
}

static enum store_status
find(struct telling *t, bool *found)
{
	bool sent = false, queued = false;
	unsigned index;
	enum store_status st = sql_sent_find(t->eng, t->f, &sent, t->e);

	if (st == STORE_OK && !sent && t->f->message != 0)
		st = find_queued(t, &index, &queued);
	if (st == STORE_OK && !sent && !queued && is_any(t->f))
		st = find_only(t, &sent, &index, &queued);
	/* It may have left the queue by another node between these looks. */
	if (st == STORE_OK && !sent && !queued && t->eng->q->far)
		st = sql_sent_find(t->eng, t->f, &sent, t->e);
	*found = sent || queued;
	if (st != STORE_OK)
		return st;
	if (sent) {
		t->was = t->is = t->eng->sent;
		if (t->is.state & SENT_EARLY)
			st = sql_load(
			    t->eng, t->is.message, t->is.index, &queued, t->e);
	} else if (queued)
		take_queued(t, index);
	if (queued)
		see_if_it_leaves(t);
	return st;
}

/* -- what it changes ----------------------------------------------------- */

/* True when it is new. */
static bool
add_note(struct sent *s, enum event_type type, int64_t at)
{
	unsigned char note[SENT_NOTE_SIZE] = { (unsigned char)type };

	for (size_t i = 1; i < SENT_NOTE_SIZE; i++)
		note[i] = (unsigned char)((uint64_t)at >>
					  8 * (SENT_NOTE_SIZE - 1 - i));
	for (size_t i = 0; i < s->nnote; i += SENT_NOTE_SIZE)
		if (memcmp(s->note + i, note, SENT_NOTE_SIZE) == 0)
			return false;
	if (s->nnote == SENT_NOTES_MAX) {
		s->nnote -= SENT_NOTE_SIZE;
		memmove(s->note, s->note + SENT_NOTE_SIZE, s->nnote);
	}
	memcpy(s->note + s->nnote, note, SENT_NOTE_SIZE);
	s->nnote += SENT_NOTE_SIZE;
	return true;
}

static bool
is_end(enum counter c)
{
	return c == COUNT_BOUNCED || c == COUNT_FILTERED ||
	       c == COUNT_EXPIRED || c == COUNT_SUPPRESSED;
}

static void
end(struct sent *s, const struct feedback *f)
{
	s->state |=
	    (unsigned)f->counter << SENT_ENDED_AT | sql_sent_manner(f->also);
	s->reason = f->reason;
}

/* True when it tells something new. */
static bool
apply(struct telling *t)
{
	const struct feedback *f = t->f;
	struct sent *s = &t->is;
	bool noted = false;

	if (!(s->state & SENT_EARLY))
		s->state |= SENT_SENT;
	if (f->is_delivered && !(s->state & SENT_DELIVERED))
		s->state |= SENT_IS_DELIVERED;
	switch (f->kind) {
	case FEEDBACK_SENT:
		break;
	case FEEDBACK_DELIVERED:
		if (!sql_sent_is_delivered(t->was.state))
			s->state |= SENT_DELIVERED;
		break;
	case FEEDBACK_ENDED:
		assert(is_end(f->counter));
		if (sent_end(s->state) == 0)
			end(s, f);
		break;
	case FEEDBACK_COMPLAINT:
		s->state |= SENT_COMPLAINED;
		break;
	case FEEDBACK_NOTE:
		noted = add_note(s, f->event, f->at);
		break;
	}
	return noted || s->state != t->was.state;
}

/* -- how it is recorded -------------------------------------------------- */

/* Nothing happens in the future, and what does not say when, now. */
static int64_t
time_of(const struct telling *t)
{
	return t->f->at > 0 && t->f->at < t->r->now ? t->f->at : t->r->now;
}

static enum store_status
add_event(struct telling *t, enum event_type type, bool as_told)
{
	const struct sent *s = &t->is;
	struct event_row ev = { .at = time_of(t),
		.message = s->message,
		.index = s->index,
		.type = type,
		.sender = s->sender,
		.recipient = s->address,
		.path = s->route.path,
		.carrier = s->route.carrier,
		.group = s->route.group,
		.source = s->route.source,
		.rule = s->route.rule,
		.reason = as_told ? t->f->reason : "",
		.peer = as_told ? t->f->peer : "",
		.remote_id = s->remote_id };

	if (type == EVENT_NONE)
		return STORE_OK;
	sql_event_outcome(&ev, as_told ? t->f->outcome : NULL);
	return sql_add_event(t->eng, &ev, t->e);
}

/* That one was sent is told once: here when it is the news, when it leaves the
 * queue before anything else, and by its settlement while that is to come. */
static enum store_status
add_events(struct telling *t)
{
	enum store_status st = STORE_OK;

	if (t->f->kind == FEEDBACK_SENT && t->is.state & SENT_EARLY)
		return STORE_OK;
	if (t->leaves && t->f->kind != FEEDBACK_SENT)
		st = add_event(t, sql_sent_event(t->is.state), false);
	return st == STORE_OK ? add_event(t, t->f->event, true) : st;
}

/* A delivery that is told after the end of the same mail lifts nothing. */
static enum store_status
suppress_or_lift(struct telling *t)
{
	const struct suppressing what = { .address = t->is.address,
		.path = t->is.route.path,
		.message = t->is.message,
		.index = t->is.index,
		.at = time_of(t) };
	enum store_status st = STORE_OK;

	if (t->f->kind == FEEDBACK_DELIVERED && sent_end(t->is.state) == 0)
		st = sql_lift(t->eng, &what, t->e);
	if (st == STORE_OK && t->f->suppress != NULL)
		st = sql_suppress_cause(t->eng, t->f->suppress, &what, t->e);
	return st;
}

static enum store_status
record(struct telling *t)
{
	enum store_status st = STORE_OK;
	bool added;

	if (t->is.remote_id[0] == '\0')
		t->is.remote_id = t->f->remote_id;
	if (t->was.state == 0) {
		st = sql_sent_add(t->eng, &t->was, &added, t->e);
		t->is.key = t->was.key;
		t->late = st == STORE_OK && !added;
	}
	if (t->late)
		return st;
	if (st == STORE_OK)
		st = sql_sent_change(
		    t->eng, &t->was, &t->is, time_of(t), t->txn, t->e);
	if (st == STORE_OK)
		st = add_events(t);
	if (st == STORE_OK)
		st = suppress_or_lift(t);
	if (st == STORE_OK && t->leaves)
		st = sql_remove(
		    t->eng, t->is.message, t->is.index, t->txn, t->e);
	return st;
}

static enum store_status
tell_once(struct telling *t, struct feedback *f)
{
	enum store_status st;
	bool found;

	f->result = FEEDBACK_UNKNOWN;
	st = find(t, &found);
	if (st != STORE_OK || !found)
		return st;
	f->result = FEEDBACK_KNOWN;
	if (!apply(t))
		return STORE_OK;
	f->result = FEEDBACK_DONE;
	return record(t);
}

/* Of a row that another node has made meanwhile nobody takes the lock away
 * again: the second time it is found. */
static enum store_status
tell(struct sql_engine *eng, struct store_feedback *r, struct feedback *f,
    struct txn *txn)
{
	struct telling t = {
		.eng = eng, .r = r, .f = f, .txn = txn, .e = &r->req.err
	};
	enum store_status st = tell_once(&t, f);

	if (!t.late)
		return st;
	t = (struct telling){
		.eng = eng, .r = r, .f = f, .txn = txn, .e = &r->req.err
	};
	return tell_once(&t, f);
}

enum store_status
sql_feedback(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_feedback *r =
	    container_of(req, struct store_feedback, req);
	struct sql_engine *eng = sql_of(base);
	enum store_status st = STORE_OK;
	struct feedback *f;

	r->unknown = 0;
	STAILQ_FOREACH(f, &r->list, link)
	{
		st = tell(eng, r, f, txn);
		if (st != STORE_OK)
			return st;
		r->unknown += f->result == FEEDBACK_UNKNOWN;
	}
	r->buried = r->letter != NULL &&
		    (r->bury || (r->bury_unknown && r->unknown > 0));
	return r->buried ? sql_add_letter(eng, r->letter, r->now, &req->err)
			 : STORE_OK;
}
