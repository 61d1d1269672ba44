/*
 * hooks.c - the thread of the hooks: its beginning, its end, its settings.
 *
 * A commit that wrote events wakes it.
 */
#include "router/events/hooks_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define TICK_S 1

int64_t
hook_cursor(const struct hook *h)
{
	const struct hook_item *first = TAILQ_FIRST(&h->window);

	return first != NULL ? first->seq - 1 : h->read_to;
}

/* -- moments --- */

static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	hooks_keep(arg);
}

/* What was told last by whom is on disk. */
static void
begin_to_tell(struct hooks *hooks)
{
	struct hook *h;

	LIST_FOREACH(h, &hooks->list, link)
	if (!h->gone)
		hook_find(h, FIND_KEPT, 0);
}

/* What is on its way may be told once more by whoever tells now. */
static void
end_telling(struct hooks *hooks)
{
	struct hook *h;

	LIST_FOREACH(h, &hooks->list, link)
	{
		if (h->gone)
			continue;
		hook_forget_window(h);
		hook_file_close(h);
		event_del(h->timer);
		h->known = h->moved = false;
	}
}

static void
read_on(struct hooks *hooks)
{
	struct hook *h;

	atomic_fetch_add(&hooks->commits, 1);
	hooks->news = true;
	LIST_FOREACH(h, &hooks->list, link)
	{
		h->more = true;
		hook_read(h);
	}
}

/* Nobody tells of what other nodes commit. */
static void
look_at_others(struct hooks *hooks)
{
	bool leads = store_leads(hooks->store);

	if (!hooks->shared)
		return;
	if (leads != hooks->leads) {
		hooks->leads = leads;
		log_text(LOG_INFO, "hook", "%s",
		    leads ? "this node tells the application"
			  : "another node tells the application");
		if (leads)
			begin_to_tell(hooks);
		else
			end_telling(hooks);
	}
	read_on(hooks);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct hooks *hooks = arg;

	(void)fd;
	(void)what;
	look_at_others(hooks);
	hooks_keep(hooks);
	hooks_look(hooks);
}

/* -- one hook ---------------------------------------------------------------
 */

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	hook_tell(arg);
}

static void
hook_new(struct hooks *hooks, const struct config_hook *config)
{
	struct hook *h = xcalloc(1, sizeof(*h));

	h->hooks = hooks;
	h->config = config;
	h->kind = config->kind;
	h->name = xstrdup(config->name);
	h->fd = -1;
	TAILQ_INIT(&h->window);
	LIST_INIT(&h->posts);
	h->timer = event_new(hooks->base, -1, 0, on_time, h);
	if (h->timer == NULL)
		abort(); /* out of memory */
	pthread_mutex_lock(&hooks->lock);
	LIST_INSERT_HEAD(&hooks->list, h, link);
	pthread_mutex_unlock(&hooks->lock);
	if (hooks->leads)
		hook_find(h, FIND_KEPT, 0);
}

static void
hook_free(struct hook *h)
{
	pthread_mutex_lock(&h->hooks->lock);
	LIST_REMOVE(h, link);
	pthread_mutex_unlock(&h->hooks->lock);
	hook_forget_window(h);
	hook_file_close(h);
	event_free(h->timer);
	free(h->name);
	free(h);
}

/* From now on it tells nothing. Its cursor stays: it may come back. */
static void
hook_end(struct hook *h)
{
	pthread_mutex_lock(&h->hooks->lock);
	h->gone = true;
	pthread_mutex_unlock(&h->hooks->lock);
	h->config = NULL;
	hook_forget_window(h);
	hook_file_close(h);
	event_del(h->timer);
}

struct hook *
hooks_find(struct hooks *hooks, const char *name)
{
	struct hook *h;

	LIST_FOREACH(h, &hooks->list, link)
	if (!h->gone && strcmp(h->name, name) == 0)
		return h;
	return NULL;
}

const struct config_hook *
hooks_find_config(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->nhooks; i++)
		if (strcmp(config->hooks[i].name, name) == 0)
			return &config->hooks[i];
	return NULL;
}

/* -- the settings -----------------------------------------------------------
 */

/* What it was waiting for may have been mended. */
static void
hook_configure(struct hook *h, const struct config_hook *config)
{
	struct hook_item *item;

	/* A line is not on its way anywhere: nothing else may be. */
	if (config->kind != h->kind)
		hook_post_free_all(h);
	h->config = config;
	h->kind = config->kind;
	h->next = 0;
	hook_file_close(h);
	TAILQ_FOREACH(item, &h->window, link)
	item->not_before = 0;
}

static void
configure(struct hooks *hooks)
{
	const struct config *c = hooks->config;
	const struct config_hook *config;
	struct hook *h;

	LIST_FOREACH(h, &hooks->list, link)
	{
		if (h->gone)
			continue;
		config = hooks_find_config(c, h->name);
		if (config == NULL)
			hook_end(h);
		else
			hook_configure(h, config);
	}
	for (size_t i = 0; i < c->nhooks; i++)
		if (hooks_find(hooks, c->hooks[i].name) == NULL)
			hook_new(hooks, &c->hooks[i]);
}

struct change {
	struct task task;
	struct hooks *hooks;
	struct config *config;
};

static void
on_change(struct task *task)
{
	struct change *c = container_of(task, struct change, task);
	struct hooks *hooks = c->hooks;
	struct config *old = hooks->config;
	struct hook *h;

	if (hooks->stopping) {
		config_unref(&c->config);
		free(c);
		return;
	}
	hooks_keep(hooks);
	pthread_mutex_lock(&hooks->lock);
	hooks->config = c->config;
	pthread_mutex_unlock(&hooks->lock);
	configure(hooks);
	config_unref(&old);
	free(c);
	LIST_FOREACH(h, &hooks->list, link)
	hook_tell(h);
	hooks_look_for_end(hooks);
}

void
hooks_configure(struct hooks *hooks, struct config *config)
{
	struct change *c = xcalloc(1, sizeof(*c));

	c->task.run = on_change;
	c->hooks = hooks;
	c->config = config_ref(config);
	inbox_post(hooks->inbox, &c->task);
}

/* -- the log ----------------------------------------------------------------
 */

static void
on_events(struct store_watch *watch)
{
	read_on(container_of(watch, struct hooks, watch));
}

/* -- beginning and end ------------------------------------------------------
 */

void
hooks_begun(struct hooks *hooks)
{
	const struct hook *h;

	LIST_FOREACH(h, &hooks->list, link)
	if (hooks->leads && !h->known && !h->gone)
		return;
	pthread_mutex_lock(&hooks->lock);
	hooks->ready = true;
	pthread_cond_broadcast(&hooks->begun);
	pthread_mutex_unlock(&hooks->lock);
	hooks_keep(hooks);
}

static void *
run(void *arg)
{
	static const struct timeval second = { .tv_sec = TICK_S };
	struct hooks *hooks = arg;

	hooks->watch.inbox = hooks->inbox;
	hooks->watch.told = on_events;
	store_watch_events(hooks->store, &hooks->watch);
	configure(hooks);
	hooks_begun(hooks);
	event_add(hooks->tick, &second);
	event_base_loop(hooks->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static void
hooks_free(struct hooks *hooks)
{
	struct hook *h, *next;

	/* What lies in it is run first. */
	inbox_free(&hooks->inbox);
	for (h = LIST_FIRST(&hooks->list); h != NULL; h = next) {
		next = LIST_NEXT(h, link);
		hook_free(h);
	}
	https_free(&hooks->https);
	event_free(hooks->tick);
	event_free(hooks->soon);
	event_base_free(hooks->base);
	pthread_mutex_destroy(&hooks->lock);
	pthread_cond_destroy(&hooks->begun);
	config_unref(&hooks->config);
	free(hooks);
}

struct hooks *
hooks_start(struct store *store, struct config *config, struct err *e)
{
	struct hooks *hooks = xcalloc(1, sizeof(*hooks));
	int rc;

	LIST_INIT(&hooks->list);
	hooks->base = event_base_new();
	if (hooks->base == NULL)
		abort(); /* out of memory */
	hooks->inbox = inbox_new(hooks->base);
	hooks->https = https_new(hooks->base);
	hooks->tick = event_new(hooks->base, -1, EV_PERSIST, on_tick, hooks);
	hooks->soon = event_new(hooks->base, -1, 0, on_soon, hooks);
	if (hooks->tick == NULL || hooks->soon == NULL)
		abort(); /* out of memory */
	hooks->store = store;
	hooks->shared = store_is_shared(store);
	hooks->leads = store_leads(store);
	hooks->config = config_ref(config);
	pthread_mutex_init(&hooks->lock, NULL);
	pthread_cond_init(&hooks->begun, NULL);
	rc = pthread_create(&hooks->thread, NULL, run, hooks);
	if (rc != 0) {
		err_set(e, "cannot start the thread of the hooks: %s",
		    strerror(rc));
		hooks_free(hooks);
		return NULL;
	}
	/* No event of what comes from now on is before a new hook's beginning.
	 */
	pthread_mutex_lock(&hooks->lock);
	while (!hooks->ready)
		pthread_cond_wait(&hooks->begun, &hooks->lock);
	pthread_mutex_unlock(&hooks->lock);
	return hooks;
}

void
hooks_look_for_end(struct hooks *hooks)
{
	struct hook *h, *next;
	bool pending = hooks->keep_pending || hooks->looking;

	for (h = LIST_FIRST(&hooks->list); h != NULL; h = next) {
		next = LIST_NEXT(h, link);
		if (h->readings > 0 || h->burying > 0)
			pending = true;
		else if (h->gone && !hooks->keep_pending)
			hook_free(h);
	}
	if (hooks->stopping && !pending)
		event_base_loopbreak(hooks->base);
}

struct end {
	struct task task;
	struct hooks *hooks;
};

static void
on_end(struct task *task)
{
	struct end *end = container_of(task, struct end, task);
	struct hooks *hooks = end->hooks;
	struct hook *h;

	hooks_keep(hooks);
	hooks->stopping = true;
	store_unwatch_events(hooks->store, &hooks->watch);
	event_del(hooks->tick);
	event_del(hooks->soon);
	LIST_FOREACH(h, &hooks->list, link)
	{
		event_del(h->timer);
		hook_post_free_all(h);
	}
	hooks_look_for_end(hooks);
}

void
hooks_stop(struct hooks **hooksp)
{
	struct hooks *hooks = *hooksp;
	struct end end = { .task.run = on_end, .hooks = hooks };

	*hooksp = NULL;
	if (hooks == NULL)
		return;
	inbox_post(hooks->inbox, &end.task);
	pthread_join(hooks->thread, NULL);
	hooks_free(hooks);
}
