/*
 * settle.c - the one place where a recipient's story goes on or ends.
 *
 * A settlement goes: decide (settle_attempt and its like) -> fetch the body, only where a DSN quotes
 * it and it is not at hand -> batch -> store -> log and let go. Here it is decided; settle_int.h says
 * where the rest is.
 */
#include "router/settle_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/reasons.h"
#include "router/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

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

	j->s.counters |= 1u << COUNT_SENT;
	if (delivered)
		j->s.counters |= 1u << COUNT_DELIVERED;
	j->s.event = delivered ? EVENT_DELIVERY : EVENT_SEND;
	j->event = delivered ? "delivered" : "sent";
	j->s.lifts = kind == PATH_MTA;
	if (kind == PATH_SES) {
		ses_message_id(&j->outcome, j->remote_id);
		j->s.remote_id = j->remote_id;
	}
	if (d == NULL || !d->relayed_dsn)
		job_want_dsn(j, DSN_RELAYED);
}

/* The next hop was told of this recipient. */
static bool
is_attempted(const struct delivery *d, const struct outcome *o,
    const struct verdict *v)
{
	return d != NULL &&
	       (v->action == VERDICT_SENT || o->stage >= STAGE_RCPT);
}

static void
count_unknown(struct job *j)
{
	if (strcmp(j->reason, "userunknown") == 0)
		j->s.counters |= 1u << COUNT_UNKNOWN;
}

/* By whom it was sent to, for good. Of SES it is told later, in its words. */
static void
count_refusal(struct job *j, enum path_kind kind)
{
	count_unknown(j);
	if (kind == PATH_MTA && (j->s.counters & 1u << COUNT_BOUNCED) &&
	    reason_is_hard(j->reason))
		j->s.counters |= 1u << COUNT_HARD;
}

static void
settle_refused(struct job *j, bool filtered)
{
	j->s.counters |= 1u << (filtered ? COUNT_FILTERED : COUNT_BOUNCED);
	j->s.event = EVENT_BOUNCE;
	j->event = filtered ? "filtered" : "bounced";
	job_want_dsn(j, DSN_FAILED);
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
	job_want_dsn(j, DSN_FAILED);
	if (j->r->attempts == 0)
		return;
	count_unknown(j);
	job_suppress(j, job_path(j, NULL));
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

bool
settle_is_delayed(
    const struct settler *st, const struct recipient *r, int64_t now)
{
	int64_t after = st->core->config->delay_notice;

	return after > 0 && !r->delay_told &&
	    !lanes_keep(st->core->lanes, r) &&
	    now - r->message->received >= after;
}

static void
settle_again(struct job *j, const struct verdict *v)
{
	const struct config *config = j->settler->core->config;
	struct recipient *r = j->r;
	struct rules_shape shape;
	char *last;

	if (j->outcome.unread) {
		r->unread = true;
		j->s.counters |= 1u << COUNT_UNREAD;
		j->s.event = EVENT_UNREAD;
	}
	j->event = j->outcome.unread ? "unread" : "deferred";
	last = outcome_reply(&j->outcome);
	recipient_set_last(r, last);
	free(last);
	j->s.last = r->last;
	j->s.unread = r->unread;
	if (r->expires <= j->s.at &&
	    !lanes_keep(j->settler->core->lanes, r)) {
		settle_too_late(j);
		return;
	}
	if (j->s.event == EVENT_NONE)
		j->s.event = EVENT_DEFERRED;
	j->s.counters |= 1u << COUNT_DEFERRED;
	route_shape(config, &r->route, r->domain, &shape);
	j->s.due = v->requote ? j->s.at : next_due(&shape, r, j->s.at);
	if (settle_is_delayed(j->settler, r, j->s.at)) {
		job_want_dsn(j, DSN_DELAYED);
		j->s.delay_told = true;
		if (j->s.event == EVENT_DEFERRED)
			j->s.event = EVENT_DELAY;
	}
}

enum path_kind
job_path(const struct job *j, const struct delivery *d)
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
	if (is_attempted(d, o, v))
		j->s.counters |= 1u << COUNT_ATTEMPTED;
	switch (v->action) {
	case VERDICT_SENT:
		settle_sent(j, d, job_path(j, d));
		break;
	case VERDICT_BOUNCE:
	case VERDICT_FILTERED:
		settle_refused(j, v->action == VERDICT_FILTERED);
		/* Without a session nobody was asked: a rule refused it. */
		if (d == NULL)
			break;
		count_refusal(j, job_path(j, d));
		job_suppress(j, job_path(j, d));
		break;
	case VERDICT_RETRY:
		settle_again(j, v);
		break;
	case VERDICT_HOLD:
		assert(!"a held recipient is returned, not settled");
	}
	job_submit(j, d);
}

void
settle_return(struct settler *st, struct recipient *r, int64_t due)
{
	struct job *j = job_new(st, r, SETTLE_RETURN);

	j->s.due = due;
	job_gather(j);
}

void
settle_give_back(
    struct settler *st, struct recipient *r, int64_t due, const char *why)
{
	struct job *j = job_new(st, r, SETTLE_RETURN);

	if (strcmp(why, r->last) != 0) {
		recipient_set_last(r, why);
		j->s.last = r->last;
	}
	j->s.due = due;
	job_gather(j);
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
	job_gather(j);
}

void
settle_hold(struct settler *st, struct recipient *r, const char *held)
{
	struct job *j = job_new(st, r, SETTLE_RETURN);

	free(r->held);
	r->held = xstrdup(held);
	j->s.held = r->held;
	j->s.due = SETTLE_HELD_UNTIL;
	job_gather(j);
}

void
settle_delayed(struct settler *st, struct recipient *r, const char *why)
{
	struct job *j = job_new(st, r, SETTLE_RETURN);

	outcome_set(&j->outcome, SCOPE_LANE, STAGE_NONE, false, "%s", why);
	j->status = "4.4.0";
	j->s.due = j->s.at;
	j->s.delay_told = true;
	job_want_dsn(j, DSN_DELAYED);
	j->s.event = EVENT_DELAY;
	j->s.outcome = &j->outcome;
	job_submit(j, NULL);
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
	job_gather(j);
}

void
settle_suppressed(struct settler *st, struct recipient *r, const char *why)
{
	struct job *j = job_new(st, r, SETTLE_FINAL);

	outcome_set(&j->outcome, SCOPE_RECIPIENT, STAGE_NONE, true, "%s", why);
	j->s.outcome = &j->outcome;
	j->s.reason = j->reason = "suppressed";
	j->status = "5.1.1"; /* as SES says of such an address */
	j->s.counters = 1u << COUNT_SUPPRESSED;
	j->s.event = EVENT_SUPPRESSED;
	j->event = "suppressed";
	j->queued = j->s.at - r->message->received;
	job_want_dsn(j, DSN_FAILED);
	job_submit(j, NULL);
}

void
settle_expired(struct settler *st, struct recipient *r)
{
	struct job *j = job_new(st, r, SETTLE_FINAL);

	outcome_set(&j->outcome, SCOPE_RECIPIENT, STAGE_NONE, true, "%s",
	    r->last[0] != '\0' ? r->last : "not delivered in time");
	j->s.outcome = &j->outcome;
	settle_too_late(j);
	job_submit(j, NULL);
}
