/*
 * settle.c - the one place where a recipient's story goes on or ends.
 *
 * A settlement goes: decide (settle_attempt and its like) -> fetch the body, only where a DSN quotes
 * it and it is not at hand -> batch -> store -> log and let go.
 */
#include "router/settle.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/body.h"
#include "router/config.h"
#include "router/core_int.h"
#include "router/dsn.h"
#include "router/route.h"
#include "router/ses/replies.h"
#include "router/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct settler {
	struct core *core;
	struct settlement_list gathered;
	unsigned pending; /* jobs that are not done, gathered ones included */
};

/* One recipient's settlement and what its log line will say. */
struct job {
	struct settlement s;
	struct settler *settler;
	struct recipient *r;
	const char *event; /* name of the log line; NULL: none */
	struct outcome outcome;
	const char *status, *reason;
	char peer[PEER_TEXT_MAX], tls[64], remote_id[SES_ID_MAX];
	int64_t queued, connecting, talking; /* ms */
	enum dsn_kind dsn;
	bool wants_dsn;
	struct body *body;
	struct store_begin fetch;
};

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

static struct job *
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

/* -- the DSN -------------------------------------------------------------------------------------- */

/* Our own message goes by the rules like any other. */
static struct recipient *
address_notice(struct core *core, struct message *m, const char *to)
{
	struct recipient *r = recipient_new(m, 0, to);
	struct rules_shape shape;

	route_decide(core->config, m, r, &r->route);
	route_shape(core->config, &r->route, r->domain, &shape);
	r->shelf = route_shelf(core->config, &r->route, m->from_domain);
	r->due = m->received;
	r->expires = m->received + (int64_t)shape.expiry * 1000;
	return r;
}

static void
write_dsn(struct job *j)
{
	struct core *core = j->settler->core;
	struct dsn_report report = {
		.kind = j->dsn,
		.hostname = core->config->hostname,
		.status = j->status,
		.outcome = &j->outcome,
		.remote = j->peer,
		.at = j->s.at,
		.retry_until = j->r->expires,
	};

	j->s.notice = dsn_new(
	    message_id_new(&core->ids, j->s.at), j->r, j->body, &report);
	j->s.notice_to = address_notice(core, j->s.notice, j->r->message->from);
}

static void
gather(struct job *j)
{
	if (j->wants_dsn)
		write_dsn(j);
	STAILQ_INSERT_TAIL(&j->settler->gathered, &j->s, link);
	core_wake(j->settler->core);
}

static void
on_fetched(struct store_request *req)
{
	struct store_begin *op = container_of(req, struct store_begin, req);
	struct job *j = container_of(op, struct job, fetch);

	j->body = op->body; /* NULL when the store has trouble: a DSN without it */
	gather(j);
}

/* With its body at hand, or asked for, when a DSN is to quote it. */
static void
submit(struct job *j, const struct delivery *d)
{
	struct body *at_hand = d != NULL && d->body != NULL
	    ? d->body
	    : j->r->message->body;

	if (j->wants_dsn && at_hand == NULL) {
		j->fetch.req.reply_to = j->settler->core->inbox;
		j->fetch.req.done = on_fetched;
		j->fetch.message = j->r->message->id;
		j->fetch.want_body = true;
		store_begin(j->settler->core->store, &j->fetch);
		return;
	}
	if (j->wants_dsn)
		j->body = body_ref(at_hand);
	gather(j);
}

static void
want_dsn(struct job *j, enum dsn_kind kind)
{
	j->dsn = kind;
	j->wants_dsn = dsn_is_wanted(kind, j->r);
}

/* -- what becomes of an attempt ----------------------------------------------------------------------- */

static void
take_report(struct job *j, const struct delivery *d, const struct outcome *o,
    const struct verdict *v)
{
	j->outcome = *o;
	j->reason = v->reason;
	j->status = classify_status(&j->outcome, v);
	j->s.outcome = &j->outcome;
	j->s.reason = v->reason;
	j->queued = j->s.at - j->r->message->received;
	if (d == NULL)
		return;
	memcpy(j->peer, d->peer, sizeof(j->peer));
	memcpy(j->tls, d->tls, sizeof(j->tls));
	j->s.peer = j->peer;
	if (d->connected > 0)
		j->connecting = d->connected - d->started;
	j->talking = d->ended - d->started - j->connecting;
	j->queued -= d->ended - d->started;
}

static void
settle_sent(struct job *j, const struct delivery *d, enum path_kind kind)
{
	bool delivered = kind != PATH_SES; /* SES tells later, elsewhere */

	j->s.counters = 1u << COUNT_SENT;
	if (delivered)
		j->s.counters |= 1u << COUNT_DELIVERED;
	j->s.event = delivered ? EVENT_DELIVERY : EVENT_SEND;
	j->event = delivered ? "delivered" : "sent";
	if (kind == PATH_SES) {
		ses_message_id(&j->outcome, j->remote_id);
		j->s.remote_id = j->remote_id;
	}
	if (d == NULL || !d->relayed_dsn)
		want_dsn(j, DSN_RELAYED);
}

static void
settle_refused(struct job *j, bool filtered)
{
	j->s.counters = 1u << (filtered ? COUNT_FILTERED : COUNT_BOUNCED);
	j->s.event = EVENT_BOUNCE;
	j->event = filtered ? "filtered" : "bounced";
	want_dsn(j, DSN_FAILED);
}

/* An answer that never changed may have meant something that only the end of patience tells. */
static void
take_meaning_of_expiry(struct job *j)
{
	const char *reason = classify_expired(j->settler->core->config->rules,
	    j->r->route.group, j->r->last);

	if (strcmp(reason, "expired") != 0 || j->reason[0] == '\0')
		j->s.reason = j->reason = reason;
}

static void
settle_too_late(struct job *j)
{
	take_meaning_of_expiry(j);
	j->s.as = SETTLE_FINAL;
	j->s.counters |= 1u << COUNT_EXPIRED;
	j->s.before = j->s.event; /* its last attempt may have arrived all the same */
	j->s.event = EVENT_EXPIRED;
	j->event = "expired";
	if (j->outcome.enhanced[0] == '\0')
		j->status = "5.4.7";
	want_dsn(j, DSN_FAILED);
}

/* The n-th wait of the schedule, a tenth more or less, and not past its expiry. */
static int64_t
next_due(const struct rules_shape *shape, const struct recipient *r,
    int64_t now)
{
	size_t n = r->attempts > 0 ? r->attempts - 1 : 0;
	int64_t wait = (int64_t)shape->retry[n < shape->nretry
				   ? n
				   : shape->nretry - 1] *
	    1000;
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) ==
	    sizeof(random))
		wait += wait / 10 * ((int64_t)(random % 2001) - 1000) / 1000;
	if (now + wait > r->expires && r->expires > now)
		return r->expires;
	return now + wait;
}

/* The reply as the peer said it, for the listing and for a later notice. */
static void
remember_last(struct recipient *r, const struct outcome *o)
{
	struct str s = STR_INIT;

	if (o->code != 0)
		str_addf(&s, "%d ", o->code);
	if (o->enhanced[0] != '\0')
		str_addf(&s, "%s ", o->enhanced);
	str_adds(&s, o->text);
	recipient_set_last(r, s.data);
	str_release(&s);
}

bool
settle_is_delayed(
    const struct settler *st, const struct recipient *r, int64_t now)
{
	int64_t after = st->core->config->delay_notice;

	return after > 0 && !r->delay_told &&
	    !lanes_keep(st->core->lanes, r) &&
	    now - r->message->received >= after &&
	    dsn_is_wanted(DSN_DELAYED, r);
}

static void
settle_again(struct job *j, const struct verdict *v)
{
	const struct config *config = j->settler->core->config;
	struct recipient *r = j->r;
	struct rules_shape shape;

	if (j->outcome.unread) {
		r->unread = true;
		j->s.counters |= 1u << COUNT_UNREAD;
		j->s.event = EVENT_UNREAD;
	}
	j->event = j->outcome.unread ? "unread" : "deferred";
	remember_last(r, &j->outcome);
	j->s.last = r->last;
	j->s.unread = r->unread;
	if (r->expires <= j->s.at &&
	    !lanes_keep(j->settler->core->lanes, r)) {
		settle_too_late(j);
		return;
	}
	j->s.counters |= 1u << COUNT_DEFERRED;
	route_shape(config, &r->route, r->domain, &shape);
	j->s.due = v->requote ? j->s.at : next_due(&shape, r, j->s.at);
	if (settle_is_delayed(j->settler, r, j->s.at)) {
		want_dsn(j, DSN_DELAYED);
		j->s.delay_told = true;
	}
}

/* The path of the session, which a reload may have taken out of the configuration meanwhile. */
static enum path_kind
taken_by(const struct job *j, const struct delivery *d)
{
	const struct config_path *path = d != NULL
	    ? d->session->path
	    : config_path_find(j->settler->core->config, j->r->route.path);

	return path != NULL ? path->kind : PATH_DISCARD;
}

void
settle_attempt(struct settler *st, struct recipient *r,
    const struct delivery *d, const struct outcome *o, const struct verdict *v)
{
	struct job *j = job_new(st, r,
	    v->action == VERDICT_RETRY ? SETTLE_RETRY : SETTLE_FINAL);

	r->attempts++;
	take_report(j, d, o, v);
	switch (v->action) {
	case VERDICT_SENT:
		settle_sent(j, d, taken_by(j, d));
		break;
	case VERDICT_BOUNCE:
		settle_refused(j, false);
		break;
	case VERDICT_FILTERED:
		settle_refused(j, true);
		break;
	case VERDICT_RETRY:
		settle_again(j, v);
		break;
	case VERDICT_HOLD:
		assert(!"a held recipient is returned, not settled");
	}
	submit(j, d);
}

void
settle_return(struct settler *st, struct recipient *r, int64_t due)
{
	struct job *j = job_new(st, r, SETTLE_RETURN);

	j->s.due = due;
	gather(j);
}

void
settle_held(struct settler *st, struct recipient *r, const char *why)
{
	struct job *j = job_new(st, r, SETTLE_RETURN);
	struct str text = STR_INIT;

	if (why != NULL)
		str_adds(&text, why);
	else
		str_addf(&text, "held by rule %s", r->route.rule);
	/* Looked at again after each reload, and told of once. */
	if (strcmp(text.data, r->last) != 0) {
		j->event = "held";
		recipient_set_last(r, text.data);
		outcome_set(&j->outcome, SCOPE_RECIPIENT, STAGE_NONE, false,
		    "%s", text.data);
	}
	str_release(&text);
	j->s.due = SETTLE_HELD_UNTIL;
	j->s.last = r->last;
	gather(j);
}

void
settle_delayed(struct settler *st, struct recipient *r, const char *why)
{
	struct job *j = job_new(st, r, SETTLE_RETURN);

	outcome_set(&j->outcome, SCOPE_LANE, STAGE_NONE, false, "%s", why);
	j->status = "4.4.0";
	j->s.due = j->s.at;
	j->s.delay_told = true;
	want_dsn(j, DSN_DELAYED);
	submit(j, NULL);
}

void
settle_removed(struct settler *st, struct recipient *r)
{
	struct job *j = job_new(st, r, SETTLE_FINAL);

	outcome_set(&j->outcome, SCOPE_RECIPIENT, STAGE_NONE, true,
	    "removed by an operator");
	j->s.outcome = &j->outcome;
	j->s.counters = 1u << COUNT_REMOVED;
	j->s.event = EVENT_REMOVED;
	j->event = "removed";
	gather(j);
}

void
settle_expired(struct settler *st, struct recipient *r)
{
	struct job *j = job_new(st, r, SETTLE_FINAL);

	outcome_set(&j->outcome, SCOPE_RECIPIENT, STAGE_NONE, true, "%s",
	    r->last[0] != '\0' ? r->last : "not delivered in time");
	j->s.outcome = &j->outcome;
	settle_too_late(j);
	submit(j, NULL);
}

/* -- to the store and after ----------------------------------------------------------------------------------- */

static void
log_event(const struct job *j, const char *event)
{
	const struct recipient *r = j->r;
	char id[RECIPIENT_ID_TEXT];
	struct logline l;

	if (!log_start(&l, LOG_INFO, event))
		return;
	log_str(&l, "id", recipient_id_text(r->message->id, r->index, id));
	log_str(&l, "from", r->message->from);
	log_str(&l, "to", r->address);
	log_str(&l, "rule", r->route.rule);
	log_str(&l, "ruleset", r->route.ruleset);
	log_str(&l, "path", r->route.path);
	if (r->route.instead != NULL)
		log_str(&l, "fallback", r->route.instead);
	if (r->route.carrier[0] != '\0')
		log_str(&l, "carrier", r->route.carrier);
	if (r->route.source[0] != '\0')
		log_str(&l, "source", r->route.source);
	if (j->peer[0] != '\0')
		log_str(&l, "relay", j->peer);
	if (j->tls[0] != '\0')
		log_str(&l, "tls", j->tls);
	log_ms(&l, "delay", j->s.at - r->message->received);
	log_ms(&l, "queued", j->queued);
	log_ms(&l, "connecting", j->connecting);
	log_ms(&l, "talking", j->talking);
	log_int(&l, "attempts", r->attempts);
	if (j->s.as == SETTLE_RETRY)
		log_ms(&l, "next", j->s.due - j->s.at);
	log_str(&l, "stage", stage_name(j->outcome.stage));
	if (j->status[0] != '\0')
		log_str(&l, "status", j->status);
	if (j->reason[0] != '\0')
		log_str(&l, "reason", j->reason);
	if (j->outcome.code != 0)
		log_int(&l, "code", j->outcome.code);
	if (j->remote_id[0] != '\0')
		log_str(&l, "remote_id", j->remote_id);
	log_str(&l, "reply", j->outcome.text);
	log_end(&l);
}

/* The final line of a recipient, or of one attempt; of both when it ended unread. */
static void
log_job(const struct job *j)
{
	if (j->s.before == EVENT_UNREAD)
		log_event(j, "unread");
	if (j->event != NULL)
		log_event(j, j->event);
}

static void
job_free(struct job *j)
{
	message_unref(&j->s.notice);
	recipient_free(&j->s.notice_to);
	body_unref(&j->body);
	recipient_free(&j->r);
	j->settler->pending--;
	free(j);
}

static void
let_go(struct job *j)
{
	struct queue *queue = j->settler->core->queue;

	log_job(j);
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
			    &b->settler->core->ids, clock_wall());
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
	if (req->status != STORE_OK) {
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
