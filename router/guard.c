/*
 * guard.c - counts come in, scopes are looked at, things are done.
 *
 * The store tells of every commit that counts; a tenth of a second later the
 * scopes that have changed are judged, narrower ones first. Once a second those
 * whose level is not ok are judged again, for a level may end, and a pause
 * does.
 */
#include "router/guard_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core_nodes.h"

/* -- who is watched ------------------------------------------------------ */

struct guard_watch *
guard_watch_get(struct guard *g, struct reputation_scope *scope)
{
	struct guard_watch *w = scope->watch;
	struct str name = STR_INIT;

	if (w != NULL)
		return w;
	w = xcalloc(1, sizeof(*w));
	w->scope = scope;
	mail_scope_add(&name, &scope->of);
	w->name = str_detach(&name);
	w->evidence = xstrdup("");
	scope->watch = w;
	TAILQ_INSERT_TAIL(&g->watches, w, link);
	return w;
}

void
guard_watch_end(struct guard *g, struct guard_watch *w)
{
	g->slowed -= w->s.level == GUARD_SLOW;
	TAILQ_REMOVE(&g->watches, w, link);
	w->scope->watch = NULL;
	free(w->name);
	free(w->evidence);
	free(w);
}

/* Nothing is to be remembered of it. */
static bool
is_done(const struct guard_watch *w, int64_t now)
{
	return w->s.level == GUARD_OK &&
	       (w->s.length == 0 || now - w->s.reopened >= GUARD_GOOD_TIME);
}

/* -- what is done -------------------------------------------------------- */

/* The thresholds' part of a sentence. */
static void
add_threshold(struct str *out, const struct guard_rules *rules,
    const struct guard_state *s)
{
	enum guard_level level =
	    s->level == GUARD_PROBE ? GUARD_PAUSE : s->judged;

	if (s->level == GUARD_PAUSE)
		level = GUARD_PAUSE;
	if (level == GUARD_OK)
		return;
	str_addf(out, ", %s at ", guard_level_name(level));
	guard_text_percent(out, rules->limit[s->kind][level - GUARD_WARN]);
	if (level > GUARD_WARN && s->level == GUARD_WARN)
		str_adds(out, ", not enforced");
}

static void
take_evidence(struct guard_watch *w, const struct guard_rules *rules,
    enum guard_action action)
{
	struct str text = STR_INIT;

	guard_text_rate(
	    &text, &w->scope->of, w->s.kind, w->s.window, &w->s.rate);
	add_threshold(&text, rules, &w->s);
	if (action == GUARD_PROBING)
		str_addf(&text, "; %u recipients go to see", rules->probe);
	free(w->evidence);
	w->evidence = str_detach(&text);
}

static void
tell(const struct guard_watch *w, enum guard_action action)
{
	char until[25];
	struct logline l;

	if (!log_start(
		&l, action == GUARD_REOPENED ? LOG_INFO : LOG_WARN, "guard"))
		return;
	log_str(&l, "action", guard_action_name(action));
	log_str(&l, "mail", w->name);
	if (w->s.until != 0)
		log_str(&l, "until", clock_iso(w->s.until, until));
	log_str(&l, "why", w->evidence);
	log_end(&l);
}

static void
set_pause(struct guard *g, const struct guard_watch *w)
{
	pauses_set(g->core->pauses,
	    &(struct pause){ .kind = PAUSE_MAIL,
		.name = w->name,
		.who = PAUSE_GUARD,
		.why = w->evidence,
		.at = w->s.since,
		.until = w->s.until },
	    NULL, NULL);
}

static bool
has_pause(const struct guard *g, const struct guard_watch *w)
{
	const struct pause *p =
	    pauses_find(g->core->pauses, PAUSE_MAIL, w->name);

	return p != NULL && strcmp(p->who, PAUSE_GUARD) == 0;
}

/* New mail comes by itself; what is held is asked for. Each node has its part. */
void
guard_let_some_go(struct guard *g, const struct guard_watch *w, unsigned n)
{
	unsigned nodes = nodes_count(g->core->nodes);

	n = n / nodes + (nodes_rank(g->core->nodes) < n % nodes);
	if (n == 0)
		return;
	pauses_let_pass(g->core->pauses, w->name, n);
	core_let_go(g->core, &w->scope->of, n, NULL, NULL);
}

static void
begin_probe(struct guard *g, struct guard_watch *w,
    const struct guard_rules *rules, int64_t now)
{
	reputation_anew(&g->rep, w->scope, now);
	set_pause(g, w);
	guard_let_some_go(g, w, rules->probe);
}

/* All that is kept and told comes before what it does. */
static void
act(struct guard *g, struct guard_watch *w, const struct guard_rules *rules,
    enum guard_action action, enum guard_level before, int64_t now)
{
	if (w->s.level == GUARD_SLOW && before != GUARD_SLOW)
		guard_slow_begin(w, rules->ses, now);
	g->slowed += w->s.level == GUARD_SLOW;
	g->slowed -= before == GUARD_SLOW;
	if (action == GUARD_ASKS_AGAIN) {
		if (g->counting != NULL)
			guard_keep(g, w, GUARD_NOTHING, now);
		guard_let_some_go(g, w, rules->probe);
		return;
	}
	take_evidence(w, rules, action);
	guard_keep(g, w, action, now);
	tell(w, action);
	if (action == GUARD_PAUSED)
		set_pause(g, w);
	else if (action == GUARD_PROBING)
		begin_probe(g, w, rules, now);
	else if (before == GUARD_PROBE)
		pauses_end(g->core->pauses, PAUSE_MAIL, w->name, PAUSE_GUARD,
		    NULL, NULL);
	if (before == GUARD_SLOW) {
		lanes_wake(g->core->lanes);
		core_wake(g->core);
	}
}

/* Let go, without a probe. */
static void
reopen(struct guard *g, struct guard_watch *w, enum guard_action action,
    const char *why)
{
	int64_t now = clock_wall();

	g->slowed -= w->s.level == GUARD_SLOW;
	w->s.level = w->s.judged = GUARD_OK;
	w->s.since = w->s.reopened = now;
	w->s.until = 0;
	free(w->evidence);
	w->evidence = xstrdup(why);
	guard_keep(g, w, action, now);
	tell(w, action);
}

/* -- looking at a scope -------------------------------------------------- */

/* An operator has stopped just this: it is his now. */
static bool
is_taken_over(const struct guard *g, const struct guard_watch *w)
{
	const struct pause *p =
	    pauses_find(g->core->pauses, PAUSE_MAIL, w->name);

	return p != NULL && strcmp(p->who, PAUSE_GUARD) != 0;
}

static bool
is_stopped(const struct guard_watch *w)
{
	return w->s.level == GUARD_PAUSE || w->s.level == GUARD_PROBE;
}

/* What nobody judges any more, or nobody is to stop any more, is let go. */
static void
let_go(struct guard *g, struct guard_watch *w, const char *why)
{
	bool stopped = is_stopped(w);

	reopen(g, w, GUARD_REOPENED, why);
	if (stopped)
		pauses_end(g->core->pauses, PAUSE_MAIL, w->name, PAUSE_GUARD,
		    NULL, NULL);
	reputation_anew(&g->rep, w->scope, clock_wall());
	lanes_wake(g->core->lanes);
	core_wake(g->core);
}

static bool
may_pause(const struct guard *g, const struct guard_watch *w)
{
	return is_stopped(w) ||
	       pauses_of_mail(g->core->pauses) < PAUSE_MAIL_MAX / 2;
}

static void
step(struct guard *g, struct reputation_scope *scope,
    const struct guard_rules *rules, int64_t now)
{
	struct guard_judged judged;
	struct guard_watch *w = scope->watch;
	enum guard_level before;
	enum guard_action action;
	int64_t own[COUNT_MAX];

	guard_view(g, rules, scope, now, &judged);
	if (w == NULL && judged.level == GUARD_OK)
		return;
	w = guard_watch_get(g, scope);
	if (judged.level == GUARD_PAUSE && !may_pause(g, w))
		judged.level = GUARD_SLOW;
	guard_view_own(scope, now, own);
	before = w->s.level;
	action = guard_step(rules, &judged, own, now, &w->s);
	if (action != GUARD_NOTHING)
		act(g, w, rules, action, before, now);
}

static void
look_at(struct guard *g, struct reputation_scope *scope, int64_t now)
{
	struct guard_watch *w = scope->watch;
	struct guard_rules rules;
	bool judged = guard_rules_of(g, scope, &rules);

	scope->changed = false;
	if (w != NULL && is_taken_over(g, w)) {
		if (w->s.level != GUARD_OK)
			reopen(g, w, GUARD_RESUMED,
			    "an operator has paused it instead");
	} else if (w != NULL && is_stopped(w) && !judged) {
		let_go(g, w, "it is no longer guarded");
	} else if (w != NULL && is_stopped(w) && !rules.enforce) {
		let_go(g, w, "the settings say that nothing is enforced");
	} else if (judged) {
		step(g, scope, &rules, now);
	}
}

/* Senders, then users, then what they are part of. */
static int
turn_of(const struct reputation_scope *s)
{
	return s->of.user[0] != '\0' ? 1 : s->of.sender[0] != '\0' ? 0 : 2;
}

void
guard_look_soon(struct guard *g)
{
	static const struct timeval tenth = { .tv_usec = 100000 };

	if (!g->stopped && !event_pending(g->soon, EV_TIMEOUT, NULL))
		event_add(g->soon, &tenth);
}

static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct guard *g = arg;
	struct reputation_scope *s;
	int64_t now = clock_wall();
	bool again = false;

	(void)fd;
	(void)what;
	if (g->follows)
		return;
	for (int turn = 0; turn < 3; turn++)
		TAILQ_FOREACH(s, &g->rep.scopes, link)
	if (s->changed && turn_of(s) == turn)
		look_at(g, s, now);
	/* The last have found that others are to blame. */
	TAILQ_FOREACH(s, &g->rep.scopes, link)
	again |= s->changed;
	if (again)
		guard_look_soon(g);
}

/* After a crash between the two, or a start, the pause may not know of it. */
static void
mend(struct guard *g, struct guard_watch *w, int64_t now)
{
	struct guard_rules rules;

	if (!is_stopped(w) || is_taken_over(g, w))
		return;
	if (!has_pause(g, w))
		set_pause(g, w);
	if (w->s.level != GUARD_PROBE || w->s.asked != 0 ||
	    !guard_rules_of(g, w->scope, &rules))
		return;
	w->s.asked = now;
	guard_let_some_go(g, w, rules.probe);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct guard *g = arg;
	struct guard_watch *w, *next;
	int64_t now = clock_wall();

	(void)fd;
	(void)what;
	if (g->follows)
		return;
	for (w = TAILQ_FIRST(&g->watches); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		mend(g, w, now);
		look_at(g, w->scope, now);
		if (!is_done(w, now))
			continue;
		guard_forget(g, w);
		guard_watch_end(g, w);
	}
}

/* -- counts come in ------------------------------------------------------ */

static void
feed(struct guard *g, struct reputation_scope *s, int64_t at,
    const int64_t n[static COUNT_MAX], const enum reputation_ring *ring,
    int64_t now)
{
	if (s == NULL)
		return;
	if (ring != NULL)
		reputation_load(s, *ring, at, n, now);
	else
		reputation_count(&g->rep, s, at, n, now);
}

/* "*" stands for all senders beyond what the store tells apart. */
static bool
is_domain(const char *sender)
{
	return sender[0] != '\0' && strcmp(sender, "*") != 0;
}

/* Of an mta path each carrier is judged, of a ses path the account. */
static bool
is_guarded(const struct guard *g, const char *name, const char *carrier,
    const char **of_carrier)
{
	const struct config_path *path =
	    config_path_find(g->core->config, name);

	if (path == NULL)
		return false;
	*of_carrier = path->kind == PATH_MTA ? carrier : "";
	return path->kind == PATH_SES ||
	       (path->kind == PATH_MTA && carrier[0] != '\0');
}

void
guard_feed(struct guard *g, const struct tally_row *row,
    const enum reputation_ring *ring, int64_t now)
{
	const struct tally_key *k = &row->key;
	struct mail_scope of = { .path = k->path, .sender = "", .user = "" };
	struct reputation_scope *wide;

	if (strcmp(k->group, TALLY_SIMULATOR) == 0 ||
	    !is_guarded(g, k->path, k->carrier, &of.carrier))
		return;
	wide = reputation_find(&g->rep, &of, true);
	feed(g, wide, row->at, row->tally->n, ring, now);
	if (!is_domain(k->sender))
		return;
	of.sender = k->sender;
	feed(g, reputation_within(&g->rep, &of, wide), row->at, row->tally->n,
	    ring, now);
}

/* With other nodes all counts are read together (guard_nodes.c). */
static void
on_row(void *arg, const struct tally_row *row)
{
	struct guard *g = arg;

	if (g->counting == NULL)
		guard_feed(arg, row, NULL, clock_wall());
}

static void
on_counted(struct counters_watch *cw)
{
	struct guard *g = container_of(cw, struct guard, counted);

	store_take_counters(g->core->store, cw, on_row, g);
	if (g->counting == NULL)
		guard_look_soon(g);
}

void
guard_settled(struct guard *g, const struct recipient *r, unsigned counters)
{
	struct mail_scope of = core_mail_of(r, &r->route);
	int64_t n[COUNT_MAX] = { 0 }, now = clock_wall();
	struct reputation_scope *wide, *user;
	const char *sender = of.sender;

	n[COUNT_ATTEMPTED] = (counters >> COUNT_ATTEMPTED) & 1;
	n[COUNT_UNKNOWN] = (counters >> COUNT_UNKNOWN) & 1;
	if (g == NULL || of.user[0] == '\0' || n[COUNT_ATTEMPTED] == 0 ||
	    !is_guarded(g, of.path, of.carrier, &of.carrier) ||
	    of.carrier[0] == '\0')
		return;
	wide = reputation_find(
	    &g->rep, &(struct mail_scope){ of.path, of.carrier, "", "" }, true);
	of.sender = "";
	user = reputation_within(&g->rep, &of, wide);
	feed(g, user, now, n, NULL, now);
	if (user == NULL || !is_domain(sender))
		return;
	of.sender = sender;
	feed(g, reputation_within(&g->rep, &of, user), now, n, NULL, now);
}

/* -- for others ---------------------------------------------------------- */

/* Those of a scope's own pause are told of, unless the guard itself has ended
 * it. */
void
guard_resumed(struct guard *g, const struct mail_scope *mail)
{
	struct reputation_scope *s;
	int64_t now = clock_wall();

	/* Who judges hears of it as well. */
	if (g == NULL || g->follows)
		return;
	TAILQ_FOREACH(s, &g->rep.scopes, link)
	{
		if (!mail_scope_holds(mail, &s->of))
			continue;
		reputation_anew(&g->rep, s, now);
		if (s->watch != NULL && is_stopped(s->watch) &&
		    pauses_find(g->core->pauses, PAUSE_MAIL, s->watch->name) ==
			NULL)
			reopen(g, s->watch, GUARD_RESUMED,
			    "an operator has let it go on");
	}
}

void
guard_configure(struct guard *g)
{
	struct reputation_scope *s;

	if (g == NULL)
		return;
	TAILQ_FOREACH(s, &g->rep.scopes, link)
	s->changed = true;
	guard_look_soon(g);
}

/* -- its life ------------------------------------------------------------ */

struct guard *
guard_new(struct core *c)
{
	struct guard *g = xcalloc(1, sizeof(*g));

	g->core = c;
	reputation_init(&g->rep);
	TAILQ_INIT(&g->watches);
	g->soon = evtimer_new(c->base, on_soon, g);
	g->tick = event_new(c->base, -1, EV_PERSIST, on_tick, g);
	g->counted.inbox = c->inbox;
	g->counted.told = on_counted;
	return g;
}

void
guard_start(struct guard *g)
{
	static const struct timeval second = { .tv_sec = 1 };

	guard_load(g);
	store_watch_counters(g->core->store, &g->counted);
	if (store_is_shared(g->core->store))
		guard_count_all(g);
	event_add(g->tick, &second);
	guard_configure(g);
}

void
guard_stop(struct guard *g)
{
	store_unwatch_counters(g->core->store, &g->counted);
	g->stopped = true;
	guard_count_stop(g);
	event_del(g->soon);
	event_del(g->tick);
}

void
guard_free(struct guard **gp)
{
	struct guard *g = *gp;
	struct guard_watch *w;

	if (g == NULL)
		return;
	while ((w = TAILQ_FIRST(&g->watches)) != NULL)
		guard_watch_end(g, w);
	guard_count_free(g);
	reputation_clear(&g->rep);
	event_free(g->soon);
	event_free(g->tick);
	free(g);
	*gp = NULL;
}
