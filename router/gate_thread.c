/*
 * gate_thread.c - the thread that makes the gate's checks.
 *
 * It knows neither the gate nor what follows from a check. Each check has a
 * resolver of its own, for a cache that outlives a check would hide for hours
 * that a record has been mended.
 */
#include "router/gate_int.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "mta/dns/resolver.h"
#include "router/config.h"

struct gate_thread {
	struct event_base *base;
	struct inbox *inbox, *reply_to;
	void (*done)(struct task *);
	pthread_t thread;
	bool ending;
	TAILQ_HEAD(, gate_check) checks; /* being made */
};

/* -- one check, in the thread ---------------------------------------------- */

/* From the loop, with nothing of preflight or resolver on the stack. */
static void
on_finished(struct task *task)
{
	struct gate_check *k = container_of(task, struct gate_check, task);
	struct gate_thread *t = k->thread;

	TAILQ_REMOVE(&t->checks, k, link);
	resolver_free(&k->resolver);
	if (t->ending) {
		gate_check_free(&k);
		return;
	}
	k->task.run = t->done;
	inbox_post(t->reply_to, &k->task);
}

static void
finish(struct gate_check *k)
{
	k->task.run = on_finished;
	inbox_post(k->thread->inbox, &k->task);
}

static void
on_finding(void *arg, const struct finding *f)
{
	struct gate_check *k = arg;

	gate_findings_add(&k->found, f, false);
}

static void
on_done(void *arg)
{
	struct gate_check *k = arg;

	k->preflight = NULL; /* frees itself */
	finish(k);
}

static void
fail(struct gate_check *k, const char *what)
{
	struct finding f = {
		.level = FINDING_UNKNOWN,
		.check = "dns",
		.subject =
		    k->domain != NULL ? k->domain : k->request.sources[0].name,
		.what = what,
		.carriers = PREFLIGHT_ALL,
	};

	on_finding(k, &f);
	finish(k);
}

static void
on_check(struct task *task)
{
	struct gate_check *k = container_of(task, struct gate_check, task);
	struct gate_thread *t = k->thread;
	struct resolver_config rc = {
		.servers = (const char *const *)k->config->dns_servers,
		.nservers = k->config->ndns_servers,
		.trust_anchor_file = k->config->dns_trust_anchor,
		.cache_bytes = 1 << 20,
	};
	struct err e = ERR_INIT;

	TAILQ_INSERT_TAIL(&t->checks, k, link);
	k->resolver = resolver_new(t->base, &rc, &e);
	if (k->resolver == NULL) {
		fail(k, e.text);
		return;
	}
	k->preflight =
	    preflight_new(k->resolver, &k->request, on_finding, on_done, k);
}

/* -- its life -------------------------------------------------------------- */

static void *
run(void *arg)
{
	struct gate_thread *t = arg;

	event_base_loop(t->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

struct gate_thread *
gate_thread_new(struct inbox *reply_to, void (*done)(struct task *))
{
	struct gate_thread *t = xcalloc(1, sizeof(*t));
	int rc;

	t->base = event_base_new();
	t->inbox = inbox_new(t->base);
	t->reply_to = reply_to;
	t->done = done;
	TAILQ_INIT(&t->checks);
	rc = pthread_create(&t->thread, NULL, run, t);
	if (rc == 0)
		return t;
	log_text(LOG_ERROR, "gate", "cannot start a thread for checks: %s",
	    strerror(rc));
	inbox_free(&t->inbox);
	event_base_free(t->base);
	free(t);
	return NULL;
}

void
gate_thread_check(struct gate_thread *t, struct gate_check *k)
{
	k->thread = t;
	k->task.run = on_check;
	inbox_post(t->inbox, &k->task);
}

struct quit {
	struct task task;
	struct gate_thread *thread;
};

/* Those without a preflight any more are on their way to on_finished. */
static void
on_quit(struct task *task)
{
	struct gate_thread *t = container_of(task, struct quit, task)->thread;
	struct gate_check *k, *next;

	t->ending = true;
	for (k = TAILQ_FIRST(&t->checks); k != NULL; k = next) {
		next = TAILQ_NEXT(k, link);
		if (k->preflight == NULL)
			continue;
		preflight_free(&k->preflight);
		TAILQ_REMOVE(&t->checks, k, link);
		resolver_free(&k->resolver);
		gate_check_free(&k);
	}
	event_base_loopbreak(t->base);
}

void
gate_thread_free(struct gate_thread **tp)
{
	struct gate_thread *t = *tp;
	struct quit quit = { .task.run = on_quit, .thread = t };

	if (t == NULL)
		return;
	inbox_post(t->inbox, &quit.task);
	pthread_join(t->thread, NULL);
	inbox_free(&t->inbox);
	event_base_free(t->base);
	free(t);
	*tp = NULL;
}
