/*
 * core.c - the core thread: what comes in from the other threads, and the turn of the loop.
 *
 * core_take (core_take.c) routes a recipient and gives it to its lane; session_done (core_back.c) takes
 * a delivery back and settles it; core_wake makes one round of queue, lanes and settler per turn of the loop.
 */
#include "router/core_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/body.h"
#include "router/config.h"
#include "router/core_nodes.h"
#include "router/core_run.h"
#include "router/io.h"
#include "router/keep.h"
#include "router/route.h"
#include "router/rules_follow.h"
#include "router/ses/amazon.h"
#include "router/tls_keep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* -- one turn of the loop -------------------------------------------------------------------------- */

static void
check_stopped(struct core *c)
{
	bool late = clock_mono() >= c->stop_by;
	bool cut = late && c->store_away != 0;

	if (c->stop_by == 0 || c->stopped == NULL)
		return;
	/* What a database that is away cannot be told others find out. */
	if (!cut &&
	    (settle_pending(c->settler) > 0 || !queue_is_idle(c->queue) ||
		c->edits > 0))
		return;
	if (!late && (c->intakes > 0 || lanes_sessions(c->lanes) > 0))
		return;
	if (!shares_stop(c->shares, clock_mono()) && !cut)
		return;
	if (late)
		log_text(LOG_WARN, "stop",
		    "time is over: %u inbound threads, %u sessions with %u "
		    "recipients left to the next start",
		    c->intakes, lanes_sessions(c->lanes),
		    lanes_sending(c->lanes));
	c->stopped(c->stopped_arg);
	c->stopped = NULL;
}

static void
on_work(evutil_socket_t fd, short what, void *arg)
{
	struct core *c = arg;

	(void)fd;
	(void)what;
	if (!c->store_failed) {
		quotas_review(c->quotas, clock_mono());
		queue_run(c->queue);
		if (c->store_away == 0)
			lanes_run(c->lanes);
		shares_run(c->shares, clock_mono());
	}
	settle_flush(c->settler);
	check_stopped(c);
}

void
core_wake(struct core *c)
{
	event_active(c->work, EV_TIMEOUT, 1);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	core_wake(arg);
}

bool
core_is_stopping(const struct core *c)
{
	return c->stop_by != 0;
}

/* -- recipients come in ------------------------------------------------------------------------------ */

/* What this node has no source for is for others to find. */
static void
note_waiting(struct core *c, const struct recipient *r)
{
	if (nodes_can_send(c->nodes, c->config, &r->route))
		queue_note(c->queue, r->shelf, r->due);
	else
		queue_avoid(c->queue, r->shelf);
}

static void
on_accepted(struct task *t)
{
	struct core_accepted *a = container_of(t, struct core_accepted, task);
	struct core *c = a->core;
	struct recipient *r;

	if (!a->leased)
		body_unref(&a->message->body);
	while ((r = TAILQ_FIRST(&a->recipients)) != NULL) {
		TAILQ_REMOVE(&a->recipients, r, link);
		if (a->leased) {
			queue_hold(c->queue, r->shelf);
			core_take(c, r);
		} else {
			note_waiting(c, r);
			recipient_free(&r);
		}
	}
	message_unref(&a->message);
	free(a);
	core_wake(c);
}

void
core_accepted(struct core *c, struct core_accepted *a)
{
	a->core = c;
	a->task.run = on_accepted;
	inbox_post(c->inbox, &a->task);
}

/* -- accounts are told of --------------------------------------------------------------------------------- */

void
core_take_account(struct task *t)
{
	struct amazon_news *news = container_of(t, struct amazon_news, task);

	quotas_account(news->core->quotas, news->path, &news->account);
	free(news->path);
	free(news);
}

/* -- sessions end ------------------------------------------------------------------------------------------- */

static void
on_session_closed(struct task *t)
{
	struct session *s = container_of(t, struct session, task);
	struct core *c = s->core;

	lane_session_closed(s); /* from here its I/O thread may free it */
	core_wake(c);
}

void
session_closed(struct session *s)
{
	s->task.run = on_session_closed;
	inbox_post(s->core->inbox, &s->task);
}

struct io *
core_next_io(struct core *c)
{
	return c->ios[c->next_io++ % c->nios];
}

/* -- for others ---------------------------------------------------------------------------------------------- */

struct config *
core_config(struct core *c)
{
	struct config *config;

	pthread_mutex_lock(&c->config_lock);
	config = config_ref(c->config);
	pthread_mutex_unlock(&c->config_lock);
	return config;
}

struct store *
core_store(struct core *c)
{
	return c->store;
}

struct pauses *
core_pauses(struct core *c)
{
	return c->pauses;
}

struct sources *
core_sources(struct core *c)
{
	return c->sources;
}

struct tls_keep *
core_tls(struct core *c)
{
	return c->tls;
}

struct core_node *
core_this_node(struct core *c)
{
	return c->node;
}

struct quotas *
core_quotas(struct core *c)
{
	return c->quotas;
}

struct amazon *
core_amazon(struct core *c)
{
	return c->amazon;
}

struct hooks *
core_hooks(struct core *c)
{
	return c->hooks;
}

void
core_set_hooks(struct core *c, struct hooks *hooks)
{
	c->hooks = hooks;
}

struct gate *
core_gate(struct core *c)
{
	return c->gate;
}

struct guard *
core_guard(struct core *c)
{
	return c->guard;
}

struct nodes *
core_nodes(struct core *c)
{
	return c->nodes;
}

struct id_maker *
core_ids(struct core *c, unsigned thread)
{
	return &c->makers[thread % MESSAGE_ID_MAKERS];
}

struct inbox *
core_inbox(struct core *c)
{
	return c->inbox;
}

struct queue *
core_queue(struct core *c)
{
	return c->queue;
}

void
core_each_lane(
    struct core *c, void (*each)(void *, const struct lane_row *), void *arg)
{
	lanes_each(c->lanes, each, arg);
}

const char *
core_path_closed(struct core *c, const char *path)
{
	return lanes_why_closed(c->lanes, path);
}

void
core_totals(struct core *c, struct core_totals *t)
{
	*t = (struct core_totals){
		.in_memory = queue_held(c->queue),
		.sending = lanes_sending(c->lanes),
		.connections = lanes_sessions(c->lanes),
		.intakes = c->intakes,
		.pattern_limits = route_pattern_limits(),
		.stopping = core_is_stopping(c),
		.store_failed = c->store_failed,
		.store_away = c->store_away,
		.store_why = c->store_why.text,
	};
}

/* -- its life -------------------------------------------------------------------------------------------------- */

struct core *
core_new(struct store *store, struct config *config)
{
	static const struct timeval tenth = { .tv_usec = 100000 };
	struct core *c = xcalloc(1, sizeof(*c));

	c->base = event_base_new();
	event_base_priority_init(c->base, 1);
	c->inbox = inbox_new(c->base);
	c->store = store;
	c->config = config_ref(config);
	pthread_mutex_init(&c->config_lock, NULL);
	c->queue = queue_new(c, config->queue_memory);
	c->lanes = lanes_new(c);
	c->settler = settler_new(c);
	c->shares = shares_new(c);
	c->pauses = pauses_new(c);
	c->sources = sources_new(c);
	c->quotas = quotas_new(c);
	c->gate = gate_new(c);
	c->guard = guard_new(c);
	c->tls = tls_keep_new(c);
	c->node = core_node_new(c);
	c->nodes = nodes_new(c);
	c->follow = rules_follow_new(c);
	for (unsigned i = 0; i < MESSAGE_ID_MAKERS; i++)
		c->makers[i].maker =
		    store_slot(store) * MESSAGE_ID_MAKERS + i;
	c->work = event_new(c->base, -1, 0, on_work, c);
	c->tick = event_new(c->base, -1, EV_PERSIST, on_tick, c);
	event_add(c->tick, &tenth);
	return c;
}

struct event_base *
core_base(struct core *c)
{
	return c->base;
}

static void
note_shelf(void *arg, unsigned shelf, int64_t due)
{
	queue_note(arg, shelf, due);
}

void
core_start(
    struct core *c, struct io **ios, unsigned nios, struct amazon *amazon)
{
	c->amazon = amazon;
	c->began = clock_mono();
	c->ios = ios;
	c->nios = nios;
	store_each_shelf(c->store, note_shelf, c->queue);
	lanes_load(c->lanes);
	quotas_load(c->quotas);
	guard_start(c->guard);
	gate_start(c->gate);
	rules_follow_start(c->follow);
	core_look_at_held(c); /* the rules may have changed while nobody ran */
	core_node_start(c->node);
	nodes_start(c->nodes);
	core_wake(c);
}

static void
return_waiting(void *arg, struct recipient *r)
{
	struct core *c = arg;

	settle_return(c->settler, r, r->due);
}

static void
on_intake_idle(struct task *t)
{
	struct io_stop *stop = container_of(t, struct io_stop, task);
	struct core *c = stop->io->core;

	c->intakes--;
	free(stop);
	core_wake(c);
}

void
core_stop(struct core *c, void (*stopped)(void *), void *arg)
{
	if (core_is_stopping(c))
		return;
	c->stop_by = clock_mono() + c->config->stop_timeout;
	c->stopped = stopped;
	c->stopped_arg = arg;
	core_node_stop(c->node);
	queue_stop(c->queue);
	gate_stop(c->gate);
	guard_stop(c->guard);
	nodes_stop(c->nodes);
	keep_stop(c);
	tls_keep_flush(c->tls);
	c->intakes = c->nios;
	for (unsigned i = 0; i < c->nios; i++) {
		struct io_stop *stop = xcalloc(1, sizeof(*stop));
		stop->idle = on_intake_idle;
		io_stop_intake(c->ios[i], stop);
	}
	lanes_drain(c->lanes, return_waiting, c);
	lanes_close_sessions(c->lanes);
	core_wake(c);
}

void
core_free(struct core **cp)
{
	struct core *c = *cp;

	if (c == NULL)
		return;
	inbox_free(&c->inbox);
	lanes_free(&c->lanes);
	settler_free(&c->settler);
	keep_stop(c);
	core_calls_free(c);
	rules_follow_free(&c->follow);
	nodes_free(&c->nodes);
	tls_keep_free(&c->tls);
	core_node_free(&c->node);
	guard_free(&c->guard);
	gate_free(&c->gate);
	quotas_free(&c->quotas);
	sources_free(&c->sources);
	shares_free(&c->shares);
	pauses_free(&c->pauses);
	queue_free(&c->queue);
	event_free(c->work);
	event_free(c->tick);
	config_unref(&c->config);
	pthread_mutex_destroy(&c->config_lock);
	event_base_free(c->base);
	free(c);
	*cp = NULL;
}
