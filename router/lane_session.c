/*
 * lane_session.c - a lane's sessions: who carries what.
 *
 * A session that is free takes the next recipient in turn, together with others of the same message.
 * The core settles them when the delivery is back; lane_judge.c then judges session and lane.
 */
#include "router/lane_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/body.h"
#include "router/config.h"
#include "router/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* -- deliveries -------------------------------------------------------------------------------------- */

/*
 * One never tried has its try first, however late, unless its lane has been trying for it; and so has
 * one that was to wait for its path for as long as that takes.
 */
static bool
is_expired(const struct recipient *r, int64_t now)
{
	return r->attempts > 0 && r->expires <= now && !lane_waits_for_path(r);
}

/* The first of that sender whose time is not over; the others are settled. NULL: nobody waits any more. */
static struct recipient *
first_in_time(struct dest *d, struct sender *s, int64_t now)
{
	struct recipient *r;
	bool last;

	while ((r = TAILQ_FIRST(&s->waiting)) != NULL) {
		if (!is_expired(r, now))
			return r;
		last = TAILQ_NEXT(r, link) == NULL;
		dest_unlink(d, s, r);
		dest_forget_sender(d, s);
		settle_expired(d->lane->lanes->core->settler, r);
		if (last)
			break;
	}
	return NULL;
}

/* The guard slows its mail: noted, for the lane to wake. */
static bool
is_slowed(struct dest *d, const struct recipient *r, int64_t mono)
{
	struct mail_scope mail = core_mail_of(r, &r->route);
	int64_t at = guard_leave_at(d->lane->lanes->core->guard, &mail, mono);

	if (at <= mono)
		return false;
	if (d->slowed_until == 0 || at < d->slowed_until)
		d->slowed_until = at;
	return true;
}

/*
 * Whose turn it is. Who may not go now is passed over, and keeps his place; those whose time is over are settled
 * on the way. NULL: nobody waits, or nobody may go.
 */
static struct sender *
next_sender(struct dest *d)
{
	int64_t now = clock_wall(), mono = clock_mono();
	const struct recipient *r;
	struct sender *s, *next;

	d->slowed_until = 0;
	for (s = TAILQ_FIRST(&d->senders); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		r = first_in_time(d, s, now);
		if (r != NULL && !is_slowed(d, r, mono))
			return s;
	}
	return NULL;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
lane_session_limit(const struct lane *l)
{
	unsigned limit = l->shape.recipients_per_session;

	if (l->split > 0 && (limit == 0 || l->split < limit))
		limit = l->split;
	return limit;
}

bool
lane_limits_recipients(const struct lane *l)
{
	return lane_session_limit(l) > 0;
}

/* How many recipients one transaction of that session may carry. */
static unsigned
transaction_limit(const struct session *s)
{
	unsigned limit = s->lane->shape.recipients_per_message;
	unsigned session = lane_session_limit(s->lane);

	if (session > 0)
		limit = least(limit, session - s->recipients);
	limit = least(limit, lane_room(s->lane, clock_mono()));
	return limit > 0 ? limit : 1;
}

static bool
needs_tls(const struct lane *l, const struct recipient *r)
{
	struct rules_shape shape;

	route_shape(l->config, &r->route, r->domain, &shape);
	return shape.require_tls;
}

/* Recipients of one destination are of one domain and need the same, but behind a relay. */
static bool
is_safe_for(const struct session *s, const struct recipient *r)
{
	return s->require_tls || s->domain[0] != '\0' ||
	    s->path->kind != PATH_MTA || !needs_tls(s->lane, r);
}

static bool
goes_along(const struct recipient *r, const struct recipient *first)
{
	return r != NULL && r->message == first->message &&
	    r->requoted == first->requoted &&
	    route_equal(&r->route, &first->route);
}

/* Whether irregular local parts go out as they are: the rule's word, else that of the domain's shape. */
static bool
goes_raw(const struct lane *l, const struct recipient *r)
{
	struct rules_shape shape;
	bool raw;

	if (r->route.local_part != LOCAL_PART_SHAPE) {
		raw = r->route.local_part == LOCAL_PART_RAW;
	} else {
		route_shape(l->config, &r->route, r->domain, &shape);
		raw = shape.raw;
	}
	return raw != r->requoted;
}

static void
fill_delivery(struct delivery *d)
{
	unsigned *index = xcalloc(d->n, sizeof(*index));

	d->rcpt = xcalloc(d->n, sizeof(*d->rcpt));
	for (size_t i = 0; i < d->n; i++) {
		const struct recipient *r = d->recipients[i];
		index[i] = r->index;
		d->rcpt[i].orcpt = r->orcpt;
		d->rcpt[i].notify = r->notify;
	}
	d->begin.message = d->message->id;
	d->begin.n = d->n;
	d->begin.index = index;
	d->begin.route = &d->route;
	d->begin.want_body = d->body == NULL;
	d->begin.suppressed = xcalloc(d->n, sizeof(*d->begin.suppressed));
}

/* Takes the first recipient of that sender and those of the same message behind it. */
static struct delivery *
take_delivery(struct session *session, struct sender *s)
{
	struct dest *dest = session->dest;
	struct recipient *first = TAILQ_FIRST(&s->waiting), *r;
	unsigned limit = transaction_limit(session);
	struct delivery *d = xcalloc(1, sizeof(*d));

	d->session = session;
	d->message = message_ref(first->message);
	if (first->message->body != NULL)
		d->body = body_ref(first->message->body);
	d->route = first->route;
	d->raw = goes_raw(dest->lane, first);
	d->recipients = xcalloc(limit, sizeof(struct recipient *));
	for (r = first; d->n < limit && goes_along(r, first) &&
	     (r == first || is_safe_for(session, r));
	     r = TAILQ_FIRST(&s->waiting)) {
		dest_unlink(dest, s, r);
		d->recipients[d->n++] = r;
	}
	fill_delivery(d);
	/* The next one is another sender's turn. */
	TAILQ_REMOVE(&dest->senders, s, link);
	TAILQ_INSERT_TAIL(&dest->senders, s, link);
	dest_forget_sender(dest, s);
	return d;
}

void
delivery_free(struct delivery *d)
{
	free((void *)(uintptr_t)d->begin.index);
	for (size_t i = 0; i < d->n; i++)
		free(d->begin.suppressed[i]);
	free(d->begin.suppressed);
	body_unref(&d->body);
	message_unref(&d->message);
	free(d->recipients);
	free(d->rcpt);
	free(d);
}

/* -- sessions ------------------------------------------------------------------------------------------ */

static struct session *
session_new(struct dest *dest, const struct recipient *first)
{
	struct lane *l = dest->lane;
	struct session *s = xcalloc(1, sizeof(*s));

	s->core = l->lanes->core;
	s->io = core_next_io(s->core);
	s->config = config_ref(l->config);
	s->path = l->settings;
	s->source = l->source[0] != '\0'
	    ? config_source_find(l->config, l->source)
	    : NULL;
	s->domain = xstrdup(dest->domain);
	s->require_tls = needs_tls(l, first);
	s->lane = l;
	s->dest = dest;
	TAILQ_INIT(&s->delivered);
	shared_start(l->open, 1);
	dest->sessions++;
	l->sessions++;
	l->state->sessions++;
	l->lanes->sessions++;
	return s;
}

static bool
path_has_room(const struct lane *l)
{
	return l->state->sessions < l->settings->max_connections;
}

/* All connections of its path are in use: it is woken in its turn. */
static void
want_connection(struct lane *l)
{
	if (l->wants)
		return;
	l->wants = true;
	/* Somebody else was quicker: it is still its turn. */
	if (l->woken)
		TAILQ_INSERT_HEAD(&l->state->wanting, l, want_link);
	else
		TAILQ_INSERT_TAIL(&l->state->wanting, l, want_link);
}

void
lane_wants_no_more(struct lane *l)
{
	if (l->wants)
		TAILQ_REMOVE(&l->state->wanting, l, want_link);
	l->wants = false;
}

/* A connection is free: for the lane that has wanted one for longest. One at a time, for with ten
 * thousand of them a look at each would cost more than the delivery; when it has no use for it after
 * all, the next is asked (lanes_run). */
static void
wake_for_connection(struct path_state *state)
{
	struct lane *l = TAILQ_FIRST(&state->wanting);

	if (l == NULL)
		return;
	lane_wants_no_more(l);
	l->woken = true;
	lane_make_runnable(l);
}

void
session_forget(struct session *s)
{
	resend_forget(&s->delivered);
	wake_for_connection(s->lane->state);
	shared_end(s->lane->open, 1, clock_mono());
	s->dest->sessions--;
	s->lane->sessions--;
	s->lane->state->sessions--;
	s->lane->lanes->sessions--;
	courier_bury(s);
}

void
lane_close_session(struct session *s)
{
	courier_close(s);
}

static bool
session_is_used_up(const struct session *s)
{
	unsigned messages = s->lane->shape.messages;
	unsigned recipients = lane_session_limit(s->lane);

	return (messages > 0 && s->messages >= messages) ||
	    (recipients > 0 && s->recipients >= recipients) ||
	    s->config != s->lane->config || core_is_stopping(s->core) ||
	    lane_has_too_many(s->lane);
}

static void
dispatch(struct session *s, struct delivery *d, bool fresh)
{
	struct lane *l = s->lane;

	s->delivery = d;
	s->started = clock_mono();
	s->messages++;
	s->recipients += (unsigned)d->n;
	l->sending += (unsigned)d->n;
	l->state->sending += (unsigned)d->n;
	l->lanes->sending += (unsigned)d->n;
	lane_leaves(l, d, s->started);
	if (fresh)
		courier_open(s);
	else
		courier_deliver(s, d);
}

void
session_next(struct session *s, const struct delivery *d, bool worn)
{
	/* One that is not usable is on its way out: `closed` follows. */
	if (s->gone) {
		session_forget(s);
	} else if (d->usable && (worn || session_is_used_up(s))) {
		lane_close_session(s);
	} else if (d->usable) {
		s->idle_since = clock_mono();
		s->lane->state->idle++;
		TAILQ_INSERT_HEAD(&s->dest->idle, s, link);
	}
}

void
session_busy(struct session *s)
{
	TAILQ_REMOVE(&s->dest->idle, s, link);
	s->lane->state->idle--;
}

static struct session *
idle_session(struct dest *d)
{
	struct session *s = TAILQ_FIRST(&d->idle);

	if (s != NULL)
		session_busy(s);
	return s;
}

bool
lane_close_idle(struct lane *l)
{
	struct session *s;
	struct dest *d;

	TAILQ_FOREACH (d, &l->dests, link)
		if ((s = idle_session(d)) != NULL) {
			lane_close_session(s);
			return true;
		}
	return false;
}

/*
 * Makes room for a busy destination: an idle session goes, of another destination of the lane or,
 * when it is the path whose connections are all in use, of another lane.
 */
static void
close_an_idle(struct lane *l)
{
	struct lane *other;

	if (l->state->idle == 0 || lane_close_idle(l) || path_has_room(l))
		return;
	TAILQ_FOREACH (other, &l->lanes->all, link)
		if (other->state == l->state && lane_close_idle(other))
			return;
}

static bool
may_connect(const struct lane *l)
{
	return l->sessions < lane_connections(l) && path_has_room(l) &&
	    shared_room(l->open, clock_mono()) > 0;
}

/* One delivery for that destination. False: it can have none now. */
static bool
dest_run(struct dest *d)
{
	struct sender *from = next_sender(d);
	struct session *s;

	if (from == NULL)
		return false;
	s = idle_session(d);
	/* It may be used up by now: a split since it went idle lowers its limit. */
	if (s != NULL &&
	    (session_is_used_up(s) ||
		!is_safe_for(s, TAILQ_FIRST(&from->waiting)))) {
		lane_close_session(s);
		s = NULL;
	}
	if (s != NULL) {
		dispatch(s, take_delivery(s, from), false);
		return true;
	}
	if (!may_connect(d->lane)) {
		if (!path_has_room(d->lane))
			want_connection(d->lane);
		close_an_idle(d->lane);
		return false;
	}
	s = session_new(d, TAILQ_FIRST(&from->waiting));
	dispatch(s, take_delivery(s, from), true);
	return true;
}

/* The next destination in turn that has someone waiting and does not rest. */
static bool
run_one(struct lane *l, int64_t now)
{
	struct dest *d = TAILQ_FIRST(&l->dests), *last;

	if (d == NULL)
		return false;
	last = TAILQ_LAST(&l->dests, dest_list);
	for (;;) {
		TAILQ_REMOVE(&l->dests, d, link);
		TAILQ_INSERT_TAIL(&l->dests, d, link);
		if (d->waiting > 0 && !backoff_rests(&d->backoff, now) &&
		    dest_run(d))
			return true;
		if (d == last)
			return false;
		d = TAILQ_FIRST(&l->dests);
	}
}

static void
set_timer(struct lane *l, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (ms % 1000) * 1000 };

	evtimer_add(l->timer, &tv);
}

/* When one that cannot go now may be tried again. */
static int64_t
dest_again(const struct dest *d, int64_t now)
{
	return d->backoff.until > now ? d->backoff.until
	    : d->slowed_until > 0     ? d->slowed_until
				      : INT64_MAX;
}

/* Wakes when the first resting destination may be tried again. */
static void
wake_for_dests(struct lane *l, int64_t now)
{
	int64_t at = INT64_MAX;
	struct dest *d;

	TAILQ_FOREACH (d, &l->dests, link)
		if (d->waiting > 0 && dest_again(d, now) < at)
			at = dest_again(d, now);
	if (at != INT64_MAX)
		set_timer(l, at > now ? at - now : 0);
}

static void
lane_run(struct lane *l)
{
	int64_t now = clock_mono(), at;

	while (l->waiting > 0) {
		at = lane_leave_at(l, now);
		if (at > now) {
			if (at != INT64_MAX)
				set_timer(l, at - now);
			return;
		}
		if (!run_one(l, now)) {
			wake_for_dests(l, now);
			return;
		}
	}
}

void
lanes_run(struct lanes *ls)
{
	int64_t now = clock_mono();
	struct lane *l;

	while ((l = TAILQ_FIRST(&ls->run)) != NULL) {
		TAILQ_REMOVE(&ls->run, l, run_link);
		l->runnable = false;
		if (!core_is_stopping(ls->core))
			lane_run(l);
		l->woken = false;
		if (path_has_room(l))
			wake_for_connection(l->state);
	}
	lanes_sweep(ls, now);
}

void
lanes_configure(struct lanes *ls)
{
	struct lane *l;

	TAILQ_FOREACH (l, &ls->all, link)
		/* One whose path is no more ends with the sessions it has. */
		if (config_path_find(ls->core->config, l->path) != NULL)
			lane_configure(l, ls->core->config);
	lanes_close_sessions(ls);
}

void
lanes_close_sessions(struct lanes *ls)
{
	struct session *s;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link)
		TAILQ_FOREACH (d, &l->dests, link)
			while ((s = idle_session(d)) != NULL)
				lane_close_session(s);
}
