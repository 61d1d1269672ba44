/*
 * core_back.c - a delivery has come back: what becomes of its recipients.
 *
 * Each outcome is classified. Most are settled as an attempt; some go back as if nothing had been
 * tried, because nothing was wrong with them: the path is broken, the session was worn out or held too many.
 * The one that says most is then told to the lane (lane_judge.c).
 */
#include "router/core_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/ses/amazon.h"
#include "router/ses/replies.h"
#include "router/session.h"

#include <stdlib.h>
#include <string.h>

/* The one that says most of lane and path: the widest radius, and of two alike the worse. */
static bool
says_more(const struct outcome *a, const struct verdict *va,
    const struct outcome *b, const struct verdict *vb)
{
	if (va->action == VERDICT_HOLD || vb->action == VERDICT_HOLD)
		return va->action == VERDICT_HOLD;
	if (va->resend != vb->resend || va->split != vb->split)
		return va->resend || (va->split && !vb->resend);
	if (a->scope != b->scope)
		return a->scope > b->scope;
	return va->pause > vb->pause || (va->slow && !vb->slow);
}

/* Nothing was wrong with the recipient: back without an attempt counted. "Too many" in a session of
 * one is a refusal like others. */
static bool
goes_back(const struct delivery *d, const struct verdict *v)
{
	return v->action == VERDICT_HOLD ||
	    (v->reconnect && d->session->messages > 1) ||
	    (v->split && d->session->recipients > 1);
}

/* When its turn comes again: at once where a new session or another path will do. */
static int64_t
back_at(const struct core *c, const struct recipient *r,
    const struct verdict *v, int64_t now)
{
	return v->reconnect || v->split || core_may_fall_back(c, r)
	    ? now
	    : now + c->config->probe;
}

/*
 * A local part that was refused for its form is tried in the other one, once. With a regular one, or
 * when both were refused, the refusal stands.
 */
static void
try_other_form(struct recipient *r, struct verdict *v)
{
	if (!v->requote)
		return;
	if (!r->irregular || r->requoted)
		v->action = VERDICT_BOUNCE;
	else
		r->requoted = true;
}

/* A session that may yet lose what it has delivered: its shape bounds its recipients. */
static void
keep_in_mind(struct delivery *d, size_t i, const struct verdict *v)
{
	struct session *s = d->session;

	if (v->action == VERDICT_SENT && s->path->kind == PATH_MTA &&
	    lane_limits_recipients(s->lane))
		resend_remember(&s->delivered, d, i);
}

static void
settle(struct core *c, struct delivery *d, size_t i, struct verdict *v)
{
	struct recipient *r = d->recipients[i];

	try_other_form(r, v);
	keep_in_mind(d, i, v);
	if (goes_back(d, v))
		settle_return(
		    c->settler, r, back_at(c, r, v, clock_wall()));
	else
		settle_attempt(c->settler, r, d, &d->rcpt[i].outcome, v);
}

/* Nothing was said of it, because the session was cut for what was said of another. */
static bool
was_cut_off(const struct outcome *o)
{
	return o->code == 0 && !o->unread && o->scope >= SCOPE_SESSION;
}

/* Returns which of the outcomes says most. */
static size_t
classify_all(struct core *c, const struct delivery *d, struct verdict *v)
{
	size_t worst = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct outcome *o = &d->rcpt[i].outcome;

		classify(c->config->rules, c->config->reasons,
		    d->session->path->kind, d->route.group, o, &v[i]);
		if (i > 0 &&
		    says_more(o, &v[i], &d->rcpt[worst].outcome, &v[worst]))
			worst = i;
	}
	for (size_t i = 0; v[worst].resend && i < d->n; i++)
		if (was_cut_off(&d->rcpt[i].outcome))
			v[i] = v[worst];
	return worst;
}

static void
give_back_untried(struct core *c, struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->begin.suppressed[i] != NULL)
			settle_suppressed(c->settler, d->recipients[i],
			    d->begin.suppressed[i]);
		else
			settle_return(c->settler, d->recipients[i],
			    clock_wall() + 1000);
	lane_delivered(d, NULL, NULL);
}

/* The day's quota is spent, as SES's only word that holds a path for speed says. */
static bool
says_spent(const struct delivery *d, const struct verdict *v)
{
	return d->session->path->kind == PATH_SES &&
	    v->action == VERDICT_HOLD && strcmp(v->reason, "speeding") == 0;
}

/* The account or its keys are not what they were. */
static bool
says_look(const struct delivery *d, const struct verdict *v,
    const struct outcome *o)
{
	return d->session->path->kind == PATH_SES &&
	    (v->action == VERDICT_HOLD ||
		(strcmp(v->reason, "securityerror") == 0 &&
		    !ses_blames_sender(o)));
}

/*
 * A sender whom SES does not know closes the path, but not while it takes others' mail: else anybody who may send
 * by us could keep it closed for all. His own waits, by the schedule of what has failed. Whoever has a fallback
 * takes it, for which the path must be closed.
 */
static void
spare_others(const struct core *c, struct delivery *d, struct verdict *v,
    struct outcome *o)
{
	const struct config_path *path = d->session->path;

	if (path->kind != PATH_SES || v->action != VERDICT_HOLD ||
	    d->route.fallback != NULL || !ses_blames_sender(o) ||
	    !lanes_path_takes_others(
		c->lanes, path->name, d->message->from_domain))
		return;
	v->action = VERDICT_RETRY;
	o->scope = SCOPE_MESSAGE;
}

static void
take_back(struct core *c, struct delivery *d)
{
	struct verdict *v = xcalloc(d->n, sizeof(*v));
	size_t worst = classify_all(c, d, v);
	struct outcome *why = &d->rcpt[worst].outcome;

	spare_others(c, d, &v[worst], why);
	for (size_t i = 0; i < d->n; i++)
		settle(c, d, i, &v[i]);
	if (says_spent(d, &v[worst]))
		quotas_spent(c->quotas, d->session->path->name);
	if (says_look(d, &v[worst], why))
		amazon_look(c->amazon, d->session->path->name);
	if (v[worst].resend)
		resend_all(c, &d->session->delivered, why);
	if (lane_delivered(d, &v[worst], why))
		core_paths_changed(c);
	free(v);
}

static void
on_delivered(struct task *t)
{
	struct delivery *d = container_of(t, struct delivery, task);
	struct core *c = d->session->core;

	if (d->untried)
		give_back_untried(c, d);
	else
		take_back(c, d);
	core_wake(c);
}

void
session_done(struct delivery *d)
{
	d->task.run = on_delivered;
	inbox_post(d->session->core->inbox, &d->task);
}
