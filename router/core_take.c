/*
 * core_take.c - a recipient has come into memory: where it goes.
 *
 * Five questions, each time anew: what do the rules say now (decide), is the
 * path that they name closed and may another stand in for it (fall_back), does
 * preflight let it go there (pass_gate), is such mail paused (pass_pauses), and
 * what does the path do with it: most wait in a lane, some are settled at once.
 *
 * Falling back. A rule with `fallback PATH` names the path to take while its
 * own is closed (lane_path.c says what closed is, and who tries a closed path).
 * When a path is closed or opened, all that wait in lanes and would go
 * elsewhere now are taken again. When both are closed everybody waits for the
 * rule's own but one at a time that tries the other after its rest, so nobody
 * is passed to and fro. A fallback is for this once: whoever comes back into
 * memory is decided on anew, and takes the rule's own path as soon as that is
 * open.
 */
#include "router/core_int.h"

#include "mta/base/clock.h"
#include "router/body.h"
#include "router/config.h"
#include "router/core_nodes.h"
#include "router/path.h"
#include "router/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* -- what the rules say
 * -----------------------------------------------------------------------------
 */

/* A path of this configuration that sends mail somewhere. */
static bool
sends(const struct core *c, const char *path)
{
	const struct config_path *p = config_path_find(c->config, path);

	return p != NULL && path_class(p->kind) != NULL;
}

/*
 * One whose last attempt ended "final dot sent, reply unread" stays on its path
 * while that exists: by another it might arrive twice. What sends nothing
 * (hold, reject, discard) may still have it.
 */
static bool
stays(const struct core *c, const struct recipient *r, const struct route *to)
{
	return r->unread && strcmp(to->path, r->route.path) != 0 &&
	       sends(c, to->path) && sends(c, r->route.path) &&
	       (r->route.source[0] == '\0' ||
		   config_source_find(c->config, r->route.source) != NULL);
}

/* Time does not count while a recipient is held: one that is let go has its
 * try. */
static void
give_time(struct core *c, struct recipient *r)
{
	int64_t now = clock_wall();
	struct rules_shape shape;

	if (r->expires > now)
		return;
	route_shape(c->config, &r->route, r->domain, &shape);
	r->expires = now + (int64_t)shape.expiry * 1000;
}

static void
decide(struct core *c, struct recipient *r)
{
	bool held = strcmp(r->route.path, RULES_PATH_HOLD) == 0;
	struct route route;

	route_decide(c->config, r->message, r, &route);
	if (stays(c, r, &route))
		return;
	r->route = route;
	if (held)
		give_time(c, r);
}

/* What was found for a path holds for that path; no entry is for `hold`, so
 * what was found for one that was held is for all. */
static bool
holds_for(const char *looked_by, const char *path)
{
	return strcmp(looked_by, path) == 0 ||
	       strcmp(looked_by, RULES_PATH_HOLD) == 0;
}

/*
 * The store found its address on the suppression list, by the path that it had
 * then. On another, the store looks once more before it goes out; one that does
 * not go out at all is nobody's burden.
 */
static bool
settles_suppressed(struct core *c, struct recipient *r, const char *looked_by)
{
	if (r->suppressed == NULL)
		return false;
	if (sends(c, r->route.path) && holds_for(looked_by, r->route.path)) {
		settle_suppressed(c->settler, r, r->suppressed);
		return true;
	}
	free(r->suppressed);
	r->suppressed = NULL;
	return false;
}

/* -- from which source
 * -------------------------------------------------------------------------------
 */

static const struct config_pool *
pool_of(const struct core *c, const struct recipient *r)
{
	return r->route.source[0] != '\0'
		   ? config_pool_find(c->config, r->route.pool)
		   : NULL;
}

static unsigned
count_waiting(void *arg, const struct route *route)
{
	const struct core *c = arg;

	return lanes_waiting(c->lanes, route);
}

static bool
is_shut(void *arg, const struct route *route)
{
	const struct core *c = arg;

	return gate_shuts_source(c->gate, route);
}

static struct sources_asks
asks(struct core *c)
{
	return (struct sources_asks){ count_waiting, is_shut, c };
}

/* On whatever node: one that may have been delivered already stays with it. */
static bool
is_there(const struct core *c, const char *source)
{
	return config_source_find(c->config, source) != NULL &&
	       (nodes_have_here(c->nodes, source) ||
		   nodes_have_elsewhere(c->nodes, source));
}

/* The rules know the pool; which of its sources is free is known here. One
 * that may have been delivered already stays with its source while that
 * exists. */
static void
choose_source(struct core *c, struct recipient *r, const char *before)
{
	const struct config_pool *pool = pool_of(c, r);
	struct sources_asks a = asks(c);

	if (pool == NULL)
		return;
	if (r->unread && is_there(c, before))
		r->route.source = before;
	else
		sources_choose(c->sources, pool, &r->route, r->message, &a);
}

#define FOR_OTHERS 300	 /* ms until others may take it; and as much again, as chance has it */
#define FOR_NOBODY 30000 /* ms */

static bool
is_elsewhere(const struct core *c, const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->nsources; i++)
		if (nodes_have_elsewhere(c->nodes, pool->sources[i]->name))
			return true;
	return false;
}

/*
 * A source is one machine's. What this node has none for goes back, for one
 * that has; and what else lies on that shelf is theirs as well, most likely.
 */
static bool
is_for_others(struct core *c, struct recipient *r)
{
	const struct config_pool *pool = pool_of(c, r);
	struct str why = STR_INIT;
	int64_t wait = FOR_NOBODY;

	if (pool == NULL || nodes_have_here(c->nodes, r->route.source))
		return false;
	str_addf(&why, "no node that lives has a source of pool '%s'",
	    pool->name);
	if (is_elsewhere(c, pool))
		wait = FOR_OTHERS;
	else
		nodes_trouble(c->nodes, NODE_TROUBLE_SOURCES, why.data);
	queue_avoid(c->queue, r->shelf);
	settle_give_back(c->settler, r,
	    clock_wall() + wait + arc4random_uniform((uint32_t)wait),
	    wait == FOR_NOBODY ? why.data : r->last);
	str_release(&why);
	return true;
}

static bool
should_leave(void *arg, const struct recipient *r)
{
	struct core *c = arg;
	const struct config_pool *pool = pool_of(c, r);
	struct sources_asks a = asks(c);

	return pool != NULL && !r->unread &&
	       sources_should_leave(c->sources, pool, &r->route, &a);
}

static void
hold(struct recipient *r)
{
	r->route.path = RULES_PATH_HOLD;
	r->route.pool = r->route.source = r->route.configuration_set = "";
}

/* -- when the path is closed
 * ------------------------------------------------------------------------- */

/* One that is closed itself may still be tried: else nobody might ever, when
 * all come to it so. */
static bool
finds_fallback(
    const struct core *c, const struct recipient *r, struct route *out)
{
	const char *why;

	return route_fallback(c->config, r, out) &&
	       gate_lets(c->gate, r->message, out, &why) &&
	       (!lanes_path_closed(c->lanes, out->path) ||
		   lanes_wants_probe(c->lanes, out, r->domain));
}

bool
core_may_fall_back(const struct core *c, const struct recipient *r)
{
	struct route route;

	return finds_fallback(c, r, &route);
}

static void
fall_back(struct core *c, struct recipient *r)
{
	struct route route;

	if (!lanes_path_closed(c->lanes, r->route.path) ||
	    !finds_fallback(c, r, &route) ||
	    lanes_wants_probe(c->lanes, &r->route, r->domain))
		return;
	r->route = route;
}

/* In a lane, and would not be put there now. */
static bool
is_misplaced(void *arg, const struct recipient *r)
{
	const struct core *c = arg;

	return lanes_path_closed(c->lanes, r->route.path) &&
	       (r->route.instead != NULL || core_may_fall_back(c, r));
}

static void
take_again(void *arg, struct recipient *r)
{
	core_take(arg, r);
}

/* -- when such mail is paused
 * -------------------------------------------------------------------------
 */

struct mail_scope
core_mail_of(const struct recipient *r, const struct route *route)
{
	return (struct mail_scope){ .path = route->path,
		.carrier = route->carrier,
		.sender = r->message->from_domain,
		.user = r->message->user };
}

static bool
is_paused(void *arg, const struct recipient *r)
{
	const struct core *c = arg;
	struct mail_scope mail = core_mail_of(r, &r->route);
	const char *why;
	int64_t until;

	return pauses_mail(c->pauses, &mail, &until, &why);
}

/* As pass_gate. It waits where what is held waits: in the store, without a time. */
static const char *
pass_pauses(struct core *c, struct recipient *r, int64_t *wait)
{
	struct mail_scope mail = core_mail_of(r, &r->route);
	const char *why;
	int64_t until;

	if (!sends(c, r->route.path) ||
	    !pauses_mail(c->pauses, &mail, &until, &why) ||
	    pauses_pass(c->pauses, &mail))
		return NULL;
	/* One that may have been delivered already keeps its route. */
	if (r->unread)
		*wait = c->config->probe;
	else
		hold(r);
	return why;
}

void
core_mail_resumed(struct core *c, const struct mail_scope *mail)
{
	core_let_go(c, mail, 0, NULL, NULL);
	guard_resumed(c->guard, mail);
}

void
core_pauses_changed(struct core *c)
{
	if (pauses_of_mail(c->pauses) > 0)
		lanes_take(c->lanes, is_paused, take_again, c);
	lanes_take(c->lanes, should_leave, take_again, c);
	lanes_wake(c->lanes);
	core_wake(c);
}

void
core_paths_changed(struct core *c)
{
	lanes_take(c->lanes, is_misplaced, take_again, c);
	if (c->held_from_fallback)
		core_look_at_held(c);
}

/* -- when preflight does not let it go
 * ---------------------------------------------------------------
 */

static bool
goes_around(struct core *c, struct recipient *r)
{
	struct route route, own = r->route;
	const char *why;

	if (!finds_fallback(c, r, &route))
		return false;
	r->route = route;
	choose_source(c, r, own.source);
	if (nodes_have_here(c->nodes, r->route.source) && gate_lets(c->gate, r->message, &r->route, &why))
		return true;
	r->route = own;
	return false;
}

#define FIRST_CHECK 10000 /* ms of patience with it */

/* How long (ms) one that is not let through had better wait with the route that
 * it has; 0: it may go around, or be held. One that may have been delivered
 * already keeps its route, for whoever lets it go may know other paths by then;
 * and a first check is over in a moment. */
static int64_t
waits_as_it_is(const struct core *c, const struct recipient *r)
{
	if (r->unread)
		return c->config->probe;
	return gate_is_undecided(c->gate) &&
		clock_wall() - r->message->received < FIRST_CHECK
	    ? 1000
	    : 0;
}

/* Its route, or its fallback, may be taken now: NULL. Else it is to be held, or
 * to wait so long (ms), and why. */
static const char *
pass_gate(struct core *c, struct recipient *r, int64_t *wait)
{
	const char *why;

	*wait = 0;
	if (gate_lets(c->gate, r->message, &r->route, &why))
		return NULL;
	*wait = waits_as_it_is(c, r);
	if (*wait > 0)
		return why;
	if (goes_around(c, r) ||
	    gate_lets(c->gate, r->message, &r->route, &why))
		return NULL;
	c->held_from_fallback |= r->route.fallback != NULL;
	hold(r);
	return why;
}

static bool
is_shut_out(void *arg, const struct recipient *r)
{
	const struct core *c = arg;
	const char *why;

	return !gate_lets(c->gate, r->message, &r->route, &why);
}

void
core_gates_changed(struct core *c, bool closed)
{
	if (closed)
		lanes_take(c->lanes, is_shut_out, take_again, c);
	/* Those that were held a moment ago have to be in the store first. */
	settle_flush(c->settler);
	core_look_at_held(c);
	core_wake(c);
}

/* -- and there
 * ------------------------------------------------------------------------------------------
 */

/* Bodies in memory are bounded: beyond that, one is read again when its turn
 * comes. */
static void
keep_body(struct core *c, struct message *m)
{
	if (m->body != NULL &&
	    (body_is_spooled(m->body) ||
		body_bytes_in_memory() > c->config->body_memory))
		body_unref(&m->body);
}

static void
move_shelf(struct core *c, struct recipient *r, unsigned shelf)
{
	if (shelf == r->shelf)
		return;
	queue_hold(c->queue, shelf);
	queue_release(c->queue, r->shelf);
	r->shelf = shelf;
}

/* Settled without a dialogue. */
static void
settle_at_once(struct core *c, struct recipient *r, enum path_kind kind,
    const struct outcome *o)
{
	struct verdict v;

	classify(c->config->rules, c->config->reasons, kind, r->route.group, o,
	    &v);
	settle_attempt(c->settler, r, NULL, o, &v);
}

static void
discard(struct core *c, struct recipient *r)
{
	struct outcome o;

	outcome_set(&o, SCOPE_RECIPIENT, STAGE_NONE, false, "discarded");
	o.code = 250;
	settle_at_once(c, r, PATH_DISCARD, &o);
}

static void
reject(struct core *c, struct recipient *r)
{
	struct outcome o;

	outcome_set(
	    &o, SCOPE_RECIPIENT, STAGE_NONE, true, "%s", r->route.reject);
	o.code = 550;
	strcpy(o.enhanced, "5.7.1");
	settle_at_once(c, r, PATH_REJECT, &o);
}

static void
arrive(struct core *c, struct recipient *r, enum path_kind kind,
    const char *held)
{
	switch (kind) {
	case PATH_MTA:
	case PATH_SES:
		keep_body(c, r->message);
		lanes_add(c->lanes, r, false);
		break;
	case PATH_DISCARD:
		discard(c, r);
		break;
	case PATH_HOLD:
		settle_held(c->settler, r, held);
		break;
	case PATH_REJECT:
		reject(c, r);
		break;
	}
}

#define PROOF_WAIT 10000 /* ms after a start */

/*
 * How long (ms) one that was on its way when the last process ended waits: what SES has told meanwhile lies in
 * a queue or is posted again, and may prove that it arrived.
 */
static int64_t
waits_for_proof(const struct core *c, const struct recipient *r,
    const struct config_path *path)
{
	int64_t until = c->began + PROOF_WAIT;
	bool told = c->config->nsqs > 0 || c->config->sns.ntopics > 0;

	return r->unread && told && path->kind == PATH_SES
	    ? until - clock_mono()
	    : 0;
}

void
core_take(struct core *c, struct recipient *r)
{
	const char *source = r->route.source, *path_then = r->route.path;
	const char *held;
	const struct config_path *path;
	struct outcome why;
	unsigned shelf;
	int64_t wait;
	bool room;

	if (core_is_stopping(c)) {
		settle_return(c->settler, r, r->due);
		return;
	}
	if (core_holds(c, r))
		return;
	decide(c, r);
	if (settles_suppressed(c, r, path_then))
		return;
	fall_back(c, r);
	choose_source(c, r, source);
	if (is_for_others(c, r))
		return;
	held = pass_gate(c, r, &wait);
	if (held == NULL)
		held = pass_pauses(c, r, &wait);
	if (wait > 0) {
		settle_return(c->settler, r, clock_wall() + wait);
		return;
	}
	path = config_path_find(c->config, r->route.path);
	assert(path != NULL);
	wait = waits_for_proof(c, r, path);
	if (wait > 0) {
		settle_return(c->settler, r, clock_wall() + wait);
		return;
	}
	shelf = route_shelf(c->config, &r->route, r->message->from_domain);
	room = shelf == r->shelf || queue_has_room(c->queue, shelf);
	move_shelf(c, r, shelf);
	if (core_settles_unfit(c, r, path))
		return;
	if (!path_carries(path->kind, r, &why))
		settle_at_once(c, r, path->kind, &why);
	else if (!room && path_class(path->kind) != NULL)
		/* It was planned otherwise and its new shelf is full: wait
		 * there. */
		settle_return(c->settler, r, r->due);
	else
		arrive(c, r, path->kind, held);
}
