/*
 * lane.c - deliveries waiting for one destination from one source.
 *
 * A lane owns its waiting recipients and its sessions. core.c puts recipients in; a session that is
 * free takes the next; settle.c has them afterwards. When it may send is lane_pace.c's.
 */
#include "router/lane_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/map.h"
#include "router/body.h"
#include "router/config.h"
#include "router/io.h"
#include "router/path.h"
#include "router/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void lane_make_runnable(struct lane *);

/* -- making and unmaking ------------------------------------------------------------------------ */

struct lanes *
lanes_new(struct core *core)
{
	struct lanes *ls = xcalloc(1, sizeof(*ls));

	ls->core = core;
	ls->by_key = map_new();
	TAILQ_INIT(&ls->all);
	TAILQ_INIT(&ls->run);
	TAILQ_INIT(&ls->paths);
	return ls;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lane *l = arg;

	(void)fd;
	(void)what;
	lane_make_runnable(l);
	core_wake(l->lanes->core);
}

static struct path_state *
path_state(struct lanes *ls, const char *name)
{
	struct path_state *p;

	TAILQ_FOREACH (p, &ls->paths, link)
		if (strcmp(p->name, name) == 0)
			return p;
	p = xcalloc(1, sizeof(*p));
	p->name = xstrdup(name);
	TAILQ_INSERT_TAIL(&ls->paths, p, link);
	return p;
}

static struct lane *
lane_new(struct lanes *ls, char *key, const struct recipient *r,
    const char *group)
{
	struct lane *l = xcalloc(1, sizeof(*l));

	l->lanes = ls;
	l->key = key;
	l->path = xstrdup(r->route.path);
	l->carrier = r->route.carrier;
	l->source = xstrdup(r->route.source);
	l->group = xstrdup(group);
	l->state = path_state(ls, l->path);
	l->scale = 1;
	l->by_domain = map_new();
	TAILQ_INIT(&l->dests);
	lane_configure(l, ls->core->config);
	l->timer = evtimer_new(ls->core->base, on_timer, l);
	map_put(ls->by_key, l->key, l);
	TAILQ_INSERT_TAIL(&ls->all, l, link);
	return l;
}

static void
lane_free(struct lane *l)
{
	assert(l->waiting == 0 && l->sessions == 0 && TAILQ_EMPTY(&l->dests));
	if (l->runnable)
		TAILQ_REMOVE(&l->lanes->run, l, run_link);
	TAILQ_REMOVE(&l->lanes->all, l, link);
	map_remove(l->lanes->by_key, l->key);
	map_free(&l->by_domain);
	event_free(l->timer);
	config_unref(&l->config);
	free(l->key);
	free(l->path);
	free(l->source);
	free(l->group);
	free(l);
}

static struct dest *
dest_get(struct lane *l, const char *domain)
{
	struct dest *d = map_get(l->by_domain, domain);

	if (d != NULL)
		return d;
	d = xcalloc(1, sizeof(*d));
	d->lane = l;
	d->domain = xstrdup(domain);
	d->by_sender = map_new();
	TAILQ_INIT(&d->senders);
	TAILQ_INIT(&d->idle);
	map_put(l->by_domain, d->domain, d);
	TAILQ_INSERT_TAIL(&l->dests, d, link);
	return d;
}

static void
dest_free(struct dest *d)
{
	assert(TAILQ_EMPTY(&d->senders) && d->sessions == 0);
	map_remove(d->lane->by_domain, d->domain);
	TAILQ_REMOVE(&d->lane->dests, d, link);
	map_free(&d->by_sender);
	free(d->domain);
	free(d);
}

static struct sender *
sender_get(struct dest *d, const char *domain)
{
	struct sender *s = map_get(d->by_sender, domain);

	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->domain = xstrdup(domain);
	TAILQ_INIT(&s->waiting);
	map_put(d->by_sender, s->domain, s);
	TAILQ_INSERT_TAIL(&d->senders, s, link);
	return s;
}

/* A sender of whom nobody waits is forgotten. */
static void
sender_forget_if_empty(struct dest *d, struct sender *s)
{
	if (!TAILQ_EMPTY(&s->waiting))
		return;
	map_remove(d->by_sender, s->domain);
	TAILQ_REMOVE(&d->senders, s, link);
	free(s->domain);
	free(s);
}

/* Lanes at rest with nothing to do are dropped, so memory follows what is going on. */
static void
sweep(struct lanes *ls, int64_t now)
{
	struct lane *l, *next_lane;
	struct dest *d, *next_dest;

	for (l = TAILQ_FIRST(&ls->all); l != NULL; l = next_lane) {
		next_lane = TAILQ_NEXT(l, link);
		for (d = TAILQ_FIRST(&l->dests); d != NULL; d = next_dest) {
			next_dest = TAILQ_NEXT(d, link);
			if (d->waiting == 0 && d->sessions == 0 &&
			    !backoff_rests(&d->backoff, now))
				dest_free(d);
		}
		if (TAILQ_EMPTY(&l->dests) && l->sessions == 0 &&
		    lane_open_at(l, now) <= now)
			lane_free(l);
	}
}

void
lanes_free(struct lanes **lsp)
{
	struct lanes *ls = *lsp;
	struct path_state *p;

	if (ls == NULL)
		return;
	sweep(ls, INT64_MAX - 1);
	assert(TAILQ_EMPTY(&ls->all));
	while ((p = TAILQ_FIRST(&ls->paths)) != NULL) {
		TAILQ_REMOVE(&ls->paths, p, link);
		free(p->name);
		free(p);
	}
	map_free(&ls->by_key);
	free(ls);
	*lsp = NULL;
}

/* -- waiting -------------------------------------------------------------------------------------- */

static void
lane_make_runnable(struct lane *l)
{
	if (l->runnable)
		return;
	l->runnable = true;
	TAILQ_INSERT_TAIL(&l->lanes->run, l, run_link);
}

/* An mta path has a lane per receiving system, another kind one for all. */
static struct lane *
lane_for(struct lanes *ls, const struct recipient *r)
{
	const struct config_path *path =
	    config_path_find(ls->core->config, r->route.path);
	const char *group = path->kind == PATH_MTA ? r->route.group : "";
	struct str key = STR_INIT;
	struct lane *l;

	str_addf(&key, "%s\n%s\n%s", r->route.path, r->route.source, group);
	l = map_get(ls->by_key, key.data);
	if (l == NULL)
		return lane_new(ls, str_detach(&key), r, group);
	str_release(&key);
	return l;
}

void
lanes_add(struct lanes *ls, struct recipient *r, bool first)
{
	struct lane *l = lane_for(ls, r);
	bool one_endpoint = l->settings->kind != PATH_MTA ||
	    l->settings->relay_host != NULL;
	struct dest *d = dest_get(l, one_endpoint ? "" : r->domain);
	struct sender *s = sender_get(d, r->message->from_domain);

	if (first)
		TAILQ_INSERT_HEAD(&s->waiting, r, link);
	else
		TAILQ_INSERT_TAIL(&s->waiting, r, link);
	d->waiting++;
	l->waiting++;
	lane_make_runnable(l);
}

static void
unlink_waiting(struct dest *d, struct sender *s, struct recipient *r)
{
	TAILQ_REMOVE(&s->waiting, r, link);
	d->waiting--;
	d->lane->waiting--;
}

void
lanes_take(struct lanes *ls, bool (*wanted)(void *, const struct recipient *),
    void (*each)(void *, struct recipient *), void *arg)
{
	struct recipient_list out = TAILQ_HEAD_INITIALIZER(out);
	struct recipient *r, *next;
	struct sender *s, *next_sender;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link)
		TAILQ_FOREACH (d, &l->dests, link)
			for (s = TAILQ_FIRST(&d->senders); s != NULL;
			     s = next_sender) {
				next_sender = TAILQ_NEXT(s, link);
				for (r = TAILQ_FIRST(&s->waiting); r != NULL;
				     r = next) {
					next = TAILQ_NEXT(r, link);
					if (!wanted(arg, r))
						continue;
					unlink_waiting(d, s, r);
					TAILQ_INSERT_TAIL(&out, r, link);
				}
				sender_forget_if_empty(d, s);
			}
	/* `each` may add to lanes again: only now. */
	while ((r = TAILQ_FIRST(&out)) != NULL) {
		TAILQ_REMOVE(&out, r, link);
		each(arg, r);
	}
}

static bool
everyone(void *arg, const struct recipient *r)
{
	(void)arg;
	(void)r;
	return true;
}

struct drain {
	void (*each)(void *, struct recipient *);
	void *arg;
};

static void
drain_one(void *arg, struct recipient *r)
{
	struct drain *d = arg;

	d->each(d->arg, r);
}

void
lanes_drain(
    struct lanes *ls, void (*each)(void *, struct recipient *), void *arg)
{
	struct drain d = { each, arg };

	lanes_take(ls, everyone, drain_one, &d);
}

static unsigned
count_wanted(const struct dest *d,
    bool (*wanted)(void *, const struct recipient *), void *arg)
{
	const struct recipient *r;
	const struct sender *s;
	unsigned n = 0;

	TAILQ_FOREACH (s, &d->senders, link)
		TAILQ_FOREACH (r, &s->waiting, link)
			n += wanted(arg, r);
	return n;
}

unsigned
lanes_retry(struct lanes *ls, bool (*wanted)(void *, const struct recipient *),
    void *arg)
{
	unsigned n, total = 0;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link)
		TAILQ_FOREACH (d, &l->dests, link) {
			if ((n = count_wanted(d, wanted, arg)) == 0)
				continue;
			total += n;
			l->state->hold.until = 0;
			l->backoff.until = 0;
			d->backoff.until = 0;
			lane_make_runnable(l);
		}
	return total;
}

/* -- deliveries -------------------------------------------------------------------------------------- */

static bool
is_expired(const struct recipient *r, int64_t now)
{
	return r->attempts > 0 && r->expires <= now;
}

/* The next recipient of the next sender; those whose time is over are settled on the way. */
static struct recipient *
next_recipient(struct dest *d, struct sender **from)
{
	int64_t now = clock_wall();
	struct recipient *r;
	struct sender *s;

	while ((s = TAILQ_FIRST(&d->senders)) != NULL) {
		r = TAILQ_FIRST(&s->waiting);
		if (!is_expired(r, now)) {
			*from = s;
			return r;
		}
		unlink_waiting(d, s, r);
		sender_forget_if_empty(d, s);
		settle_expired(d->lane->lanes->core->settler, r);
	}
	return NULL;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many recipients one transaction of that session may carry. */
static unsigned
transaction_limit(const struct session *s)
{
	const struct rules_shape *shape = &s->lane->shape;
	unsigned limit = shape->recipients_per_message;

	if (shape->recipients_per_session > 0)
		limit = least(
		    limit, shape->recipients_per_session - s->recipients);
	return limit > 0 ? limit : 1;
}

static bool
goes_along(const struct recipient *r, const struct recipient *first)
{
	return r != NULL && r->message == first->message &&
	    route_equal(&r->route, &first->route);
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
}

/* Takes the next recipient, who is there, and those of the same message behind it. */
static struct delivery *
next_delivery(struct session *session)
{
	struct dest *dest = session->dest;
	struct sender *s = NULL;
	struct recipient *first = next_recipient(dest, &s), *r;
	unsigned limit = transaction_limit(session);
	struct delivery *d;

	assert(first != NULL);
	d = xcalloc(1, sizeof(*d));
	d->session = session;
	d->message = message_ref(first->message);
	if (first->message->body != NULL)
		d->body = body_ref(first->message->body);
	d->route = first->route;
	d->raw = dest->lane->shape.raw;
	d->recipients = xcalloc(limit, sizeof(struct recipient *));
	for (r = first; d->n < limit && goes_along(r, first);
	     r = TAILQ_FIRST(&s->waiting)) {
		unlink_waiting(dest, s, r);
		d->recipients[d->n++] = r;
	}
	fill_delivery(d);
	/* The next one is another sender's turn. */
	TAILQ_REMOVE(&dest->senders, s, link);
	TAILQ_INSERT_TAIL(&dest->senders, s, link);
	sender_forget_if_empty(dest, s);
	return d;
}

static void
delivery_free(struct delivery *d)
{
	free((void *)(uintptr_t)d->begin.index);
	body_unref(&d->body);
	message_unref(&d->message);
	free(d->recipients);
	free(d->rcpt);
	free(d);
}

/* -- sessions ------------------------------------------------------------------------------------------ */

static struct session *
session_new(struct dest *dest)
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
	s->lane = l;
	s->dest = dest;
	dest->sessions++;
	l->sessions++;
	l->state->sessions++;
	l->lanes->sessions++;
	return s;
}

/* Lanes that wait because the path has all its connections in use. */
static void
wake_for_connection(struct lanes *ls, const struct path_state *state)
{
	struct lane *l;

	TAILQ_FOREACH (l, &ls->all, link)
		if (l->state == state && l->waiting > 0)
			lane_make_runnable(l);
}

static void
session_forget(struct session *s)
{
	if (s->lane->state->sessions >= s->lane->settings->max_connections)
		wake_for_connection(s->lane->lanes, s->lane->state);
	s->dest->sessions--;
	s->lane->sessions--;
	s->lane->state->sessions--;
	s->lane->lanes->sessions--;
	courier_bury(s);
}

static void
session_close(struct session *s)
{
	if (s->closing)
		return;
	s->closing = true;
	courier_close(s);
}

static bool
session_is_used_up(const struct session *s)
{
	const struct rules_shape *shape = &s->lane->shape;

	return (shape->messages > 0 && s->messages >= shape->messages) ||
	    (shape->recipients_per_session > 0 &&
		s->recipients >= shape->recipients_per_session) ||
	    s->config != s->lane->config || core_is_stopping(s->core);
}

static void
dispatch(struct session *s, struct delivery *d, bool fresh)
{
	struct lane *l = s->lane;

	s->delivery = d;
	s->messages++;
	s->recipients += (unsigned)d->n;
	l->sending += (unsigned)d->n;
	l->lanes->sending += (unsigned)d->n;
	lane_spend(l, (unsigned)d->n, clock_mono());
	if (fresh)
		courier_open(s);
	else
		courier_deliver(s, d);
}

static void
session_rest(struct session *s)
{
	s->idle_since = clock_mono();
	TAILQ_INSERT_HEAD(&s->dest->idle, s, link);
}

static struct session *
idle_session(struct dest *d)
{
	struct session *s = TAILQ_FIRST(&d->idle);

	if (s != NULL)
		TAILQ_REMOVE(&d->idle, s, link);
	return s;
}

/* Makes room for a busy destination: an idle session of another one of the lane goes. */
static void
close_an_idle(struct lane *l)
{
	struct session *s;
	struct dest *d;

	TAILQ_FOREACH (d, &l->dests, link)
		if ((s = idle_session(d)) != NULL) {
			session_close(s);
			return;
		}
}

static bool
may_connect(const struct lane *l)
{
	return l->sessions < lane_connections(l) &&
	    l->state->sessions < l->settings->max_connections;
}

/* One delivery for that destination. False: it can have none now. */
static bool
dest_run(struct dest *d)
{
	struct sender *from;
	struct session *s;

	if (next_recipient(d, &from) == NULL)
		return false;
	s = idle_session(d);
	if (s != NULL) {
		dispatch(s, next_delivery(s), false);
		return true;
	}
	if (!may_connect(d->lane)) {
		close_an_idle(d->lane);
		return false;
	}
	s = session_new(d);
	dispatch(s, next_delivery(s), true);
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

/* Wakes when the first resting destination may be tried again. */
static void
wake_for_dests(struct lane *l, int64_t now)
{
	int64_t at = INT64_MAX;
	struct dest *d;

	TAILQ_FOREACH (d, &l->dests, link)
		if (d->waiting > 0 && d->backoff.until > now &&
		    d->backoff.until < at)
			at = d->backoff.until;
	if (at != INT64_MAX)
		set_timer(l, at - now);
}

static void
lane_run(struct lane *l)
{
	int64_t now = clock_mono(), at;

	while (l->waiting > 0) {
		at = lane_open_at(l, now);
		if (at > now) {
			set_timer(l, at - now);
			return;
		}
		if (!run_one(l, now)) {
			wake_for_dests(l, now);
			return;
		}
	}
}

static void
close_old(struct lanes *ls, int64_t now)
{
	struct session *s, *prev;
	struct lane *l;
	struct dest *d;

	TAILQ_FOREACH (l, &ls->all, link)
		TAILQ_FOREACH (d, &l->dests, link)
			for (s = TAILQ_LAST(&d->idle, session_list);
			     s != NULL &&
			     now - s->idle_since >= l->config->idle_session;
			     s = prev) {
				prev = TAILQ_PREV(s, session_list, link);
				TAILQ_REMOVE(&d->idle, s, link);
				session_close(s);
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
	}
	if (now - ls->swept >= 500) {
		ls->swept = now;
		close_old(ls, now);
		sweep(ls, now);
	}
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
				session_close(s);
}

/* -- what came of it -------------------------------------------------------------------------------------- */

static void
log_rest(const struct lane *l, const char *what, const struct backoff *b)
{
	struct logline line;

	if (!log_start(&line, LOG_WARN, what))
		return;
	log_str(&line, "path", l->path);
	if (l->source[0] != '\0')
		log_str(&line, "source", l->source);
	if (l->group[0] != '\0')
		log_str(&line, "group", l->group);
	log_ms(&line, "rest", b->until - clock_mono());
	log_int(&line, "failures", b->failures);
	log_str(&line, "why", b->why);
	log_end(&line);
}

/* A rest need not be longer than the longest wait of the lane's own schedule. */
static int64_t
longest_rest(const struct lane *l, int64_t pause)
{
	int64_t longest = (int64_t)l->shape.retry[l->shape.nretry - 1] * 1000;

	return pause < longest ? pause : longest;
}

/* Trouble whose radius is wider than a message: somebody rests. */
static void
push_back(struct session *s, const struct verdict *v, const struct outcome *why)
{
	struct lane *l = s->lane;

	if (v->action == VERDICT_HOLD) {
		backoff_fail(&l->state->hold, &l->shape, 0, l->config->probe,
		    why->text);
		log_rest(l, "path_closed", &l->state->hold);
	} else if (why->stage == STAGE_DNS) {
		backoff_fail(&s->dest->backoff, &l->shape, 0, 0, why->text);
		log_rest(l, "destination_rests", &s->dest->backoff);
	} else if (l->sessions <= 1 || v->pause > 0) {
		/* While others of the lane talk, one that fails is no verdict on the lane. */
		backoff_fail(&l->backoff, &l->shape, longest_rest(l, v->pause),
		    0, why->text);
		log_rest(l, "lane_rests", &l->backoff);
	}
}

static void
judge(struct session *s, const struct verdict *v, const struct outcome *why)
{
	struct lane *l = s->lane;

	if (v->slow)
		lane_slow_down(l);
	else if (v->action == VERDICT_SENT)
		lane_speed_up(l);
	if (v->reconnect)
		return;
	if (v->action == VERDICT_HOLD || v->pause > 0 ||
	    (why->scope >= SCOPE_SESSION && v->action != VERDICT_SENT)) {
		push_back(s, v, why);
		return;
	}
	/* The peer judged a message or a recipient: it is there and the path works. */
	if (l->state->hold.failures > 0)
		log_text(LOG_INFO, "path_open", "path '%s' works again", l->path);
	backoff_succeed(&l->backoff);
	backoff_succeed(&s->dest->backoff);
	backoff_succeed(&l->state->hold);
}

void
lane_delivered(
    struct delivery *d, const struct verdict *worst, const struct outcome *why)
{
	struct session *s = d->session;
	struct lane *l = s->lane;

	assert(s->delivery == d);
	s->delivery = NULL;
	l->sending -= (unsigned)d->n;
	l->lanes->sending -= (unsigned)d->n;
	if (worst != NULL)
		judge(s, worst, why);
	/* One that is not usable is on its way out: `closed` follows. */
	if (s->gone)
		session_forget(s);
	else if (d->usable &&
	    (session_is_used_up(s) || (worst != NULL && worst->reconnect)))
		session_close(s);
	else if (d->usable)
		session_rest(s);
	delivery_free(d);
	lane_make_runnable(l);
}

void
lane_session_closed(struct session *s)
{
	struct lane *l = s->lane;
	struct session *idle;

	s->gone = true;
	TAILQ_FOREACH (idle, &s->dest->idle, link)
		if (idle == s) {
			TAILQ_REMOVE(&s->dest->idle, s, link);
			break;
		}
	if (s->delivery == NULL)
		session_forget(s);
	lane_make_runnable(l);
}

/* -- for people ------------------------------------------------------------------------------------------------ */

void
lanes_each(struct lanes *ls, void (*each)(void *, const struct lane_row *),
    void *arg)
{
	int64_t mono = clock_mono(), wall = clock_wall();
	struct str state = STR_INIT;
	struct lane *l;

	TAILQ_FOREACH (l, &ls->all, link) {
		const struct backoff *b = l->state->hold.until > mono
		    ? &l->state->hold
		    : &l->backoff;
		bool rests = backoff_rests(b, mono);
		str_clear(&state);
		if (b == &l->state->hold)
			str_addf(&state, "path closed: %s", b->why);
		else if (rests)
			str_addf(&state, "resting: %s", b->why);
		else
			str_adds(&state, "open");
		each(arg,
		    &(struct lane_row){ .path = l->path,
			.source = l->source,
			.group = l->group,
			.state = state.data,
			.waiting = l->waiting,
			.sending = l->sending,
			.connections = l->sessions,
			.blocked_until =
			    rests ? wall + b->until - mono : 0 });
	}
	str_release(&state);
}

unsigned
lanes_sessions(const struct lanes *ls)
{
	return ls->sessions;
}

unsigned
lanes_sending(const struct lanes *ls)
{
	return ls->sending;
}
