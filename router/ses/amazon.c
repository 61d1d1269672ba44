/*
 * amazon.c - the life of the thread that talks to AWS: what begins and ends
 * with the daemon and with each configuration.
 *
 * Whatever it does is a row of things on one event base: providers of keys and
 * sites (amazon_sites.c), watches (watch.c), pollers (sqs.c), the web server of
 * SNS (sns_web.c), operations on suppression lists (suppression.c). All of them
 * end at once when it stops, but for what the store has not answered yet.
 */
#include "router/ses/amazon.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/https.h"
#include "router/config.h"
#include "router/core.h"
#include "router/ses/amazon_int.h"
#include "router/ses/feedback.h"
#include "router/ses/sns_web.h"
#include "router/ses/sqs.h"

#define TURN	     1050  /* ms; SES takes one a second, and clocks differ */
#define LOOK_FOR_END 20000 /* microseconds */

/* ------ what a configuration wants */

static bool
is_watched(const struct config_path *p)
{
	return p != NULL && p->kind == PATH_SES && p->region != NULL &&
	       p->credentials.kind != CREDENTIALS_NONE && p->account_check > 0;
}

/* All anew: their settings may differ, and looking once more costs little. */
static void
configure_watches(struct amazon *a)
{
	struct ses_watch *w;

	while ((w = LIST_FIRST(&a->watches)) != NULL)
		ses_watch_free(&w);
	for (size_t i = 0; i < a->config->npaths; i++)
		if (is_watched(&a->config->paths[i]))
			ses_watch_new(a, a->config->paths[i].name);
}

static const struct config_sqs *
find_section(const struct amazon *a, const struct sqs_poller *p)
{
	for (size_t i = 0; i < a->config->nsqs; i++)
		if (sqs_poller_is(p, &a->config->sqs[i]))
			return &a->config->sqs[i];
	return NULL;
}

static bool
has_poller(struct amazon *a, const struct config_sqs *section)
{
	struct sqs_poller *p = LIST_FIRST(&a->pollers);

	while (p != NULL && !sqs_poller_is(p, section))
		p = sqs_poller_next(p);
	return p != NULL;
}

/* A long poll that is to stay is not cut short. */
static void
configure_pollers(struct amazon *a)
{
	struct sqs_poller *p = LIST_FIRST(&a->pollers), *next;

	for (; p != NULL; p = next) {
		next = sqs_poller_next(p);
		if (find_section(a, p) == NULL)
			sqs_poller_free(&p);
	}
	for (size_t i = 0; i < a->config->nsqs; i++)
		if (!has_poller(a, &a->config->sqs[i]))
			sqs_poller_new(a, &a->config->sqs[i]);
}

/* ------ its life */

struct amazon *
amazon_new(struct core *core, struct store *store, struct config *config,
    struct err *e)
{
	struct amazon *a = xcalloc(1, sizeof(*a));

	a->base = event_base_new();
	if (a->base == NULL)
		abort(); /* out of memory */
	a->inbox = inbox_new(a->base);
	a->core = core;
	a->store = store;
	a->config = config_ref(config);
	a->https = https_new(a->base);
	a->turn = TURN;
	pthread_mutex_init(&a->lock, NULL);
	a->feedback = feedback_intake_new(a);
	amazon_sites_configure(a);
	a->sns = sns_web_new(a, e);
	if (a->sns == NULL)
		amazon_free(&a);
	return a;
}

static void *
run(void *arg)
{
	struct amazon *a = arg;

	configure_watches(a);
	configure_pollers(a);
	event_base_loop(a->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

int
amazon_start(struct amazon *a, struct err *e)
{
	int rc = pthread_create(&a->thread, NULL, run, a);

	if (rc != 0)
		return err_set(
		    e, "cannot start the Amazon thread: %s", strerror(rc));
	a->running = true;
	return 0;
}

/* ------ its end */

static void
look_for_end(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { .tv_usec = LOOK_FOR_END };
	struct amazon *a = arg;

	(void)fd;
	(void)what;
	if (feedback_pending(a->feedback) > 0 || !LIST_EMPTY(&a->operations))
		event_add(a->ending, &soon);
	else
		event_base_loopbreak(a->base);
}

static void
end_all(struct amazon *a)
{
	struct ses_watch *w;
	struct sqs_poller *p;

	a->stopping = true;
	while ((p = LIST_FIRST(&a->pollers)) != NULL)
		sqs_poller_free(&p);
	while ((w = LIST_FIRST(&a->watches)) != NULL)
		ses_watch_free(&w);
	sns_web_free(&a->sns);
	ses_suppression_stop(a);
}

struct end {
	struct task task;
	struct amazon *amazon;
};

static void
on_end(struct task *task)
{
	struct end *end = container_of(task, struct end, task);
	struct amazon *a = end->amazon;

	end_all(a);
	a->ending = evtimer_new(a->base, look_for_end, a);
	if (a->ending == NULL)
		abort(); /* out of memory */
	look_for_end(-1, 0, a);
}

void
amazon_free(struct amazon **amazon)
{
	struct amazon *a = *amazon;
	struct end end = { .task.run = on_end, .amazon = a };

	*amazon = NULL;
	if (a == NULL)
		return;
	if (a->running) {
		inbox_post(a->inbox, &end.task);
		pthread_join(a->thread, NULL);
	} else {
		end_all(a);
	}
	inbox_free(&a->inbox);
	feedback_intake_free(&a->feedback);
	amazon_sites_free(a);
	https_free(&a->https);
	if (a->ending != NULL)
		event_free(a->ending);
	pthread_mutex_destroy(&a->lock);
	config_unref(&a->config);
	event_base_free(a->base);
	free(a);
}

/* ------ another configuration */

struct change {
	struct task task;
	struct amazon *amazon;
	struct config *config;
	pthread_mutex_t lock;
	pthread_cond_t known;
	bool done;
};

static void
put_in_force(struct amazon *a, struct config *config)
{
	config_unref(&a->config);
	a->config = config;
	amazon_sites_configure(a);
}

static void
on_change(struct task *task)
{
	struct change *c = container_of(task, struct change, task);
	struct amazon *a = c->amazon;

	put_in_force(a, c->config);
	pthread_mutex_lock(&c->lock);
	c->done = true;
	pthread_cond_signal(&c->known);
	pthread_mutex_unlock(&c->lock);
	/* From here on `c` is gone. */
	configure_watches(a);
	configure_pollers(a);
	sns_web_configure(a->sns);
}

void
amazon_configure(struct amazon *a, struct config *config)
{
	struct change c = {
		.task.run = on_change, .amazon = a, .config = config_ref(config)
	};

	if (!a->running) {
		put_in_force(a, c.config);
		sns_web_configure(a->sns);
		return;
	}
	pthread_mutex_init(&c.lock, NULL);
	pthread_cond_init(&c.known, NULL);
	inbox_post(a->inbox, &c.task);
	pthread_mutex_lock(&c.lock);
	while (!c.done)
		pthread_cond_wait(&c.known, &c.lock);
	pthread_mutex_unlock(&c.lock);
	pthread_cond_destroy(&c.known);
	pthread_mutex_destroy(&c.lock);
}

/* ------ a look at an account */

struct look {
	struct task task;
	struct amazon *amazon;
	char *path;
};

static void
on_look(struct task *task)
{
	struct look *l = container_of(task, struct look, task);
	struct ses_watch *w = ses_watch_find(l->amazon, l->path);

	if (w != NULL)
		ses_watch_now(w);
	free(l->path);
	free(l);
}

void
amazon_look(struct amazon *a, const char *path)
{
	struct look *l = xcalloc(1, sizeof(*l));

	l->task.run = on_look;
	l->amazon = a;
	l->path = xstrdup(path);
	inbox_post(a->inbox, &l->task);
}
