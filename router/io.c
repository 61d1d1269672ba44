/*
 * io.c - one I/O thread.
 */
#include "router/io.h"

#include "mta/base/alloc.h"
#include "mta/base/https.h"
#include "mta/dns/resolver.h"
#include "mta/sts_client.h"
#include "router/config.h"
#include "router/core.h"
#include "router/intake_int.h"
#include "router/listener.h"
#include "router/tls_keep.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

static void
on_sts_fetched(void *arg, const char *domain, const struct sts_cached *cached)
{
	tls_keep_policy(arg, domain, cached);
}

static void
make_sts(struct io *io)
{
	struct tls_keep *keep = core_tls(io->core);
	struct sts_client_config config = {
		.cache = tls_keep_policies(keep),
		.fetched = on_sts_fetched,
		.arg = keep,
	};

	io->sts = sts_client_new(io->resolver, &config);
	io->tls_results = tls_keep_results(keep);
}

struct io *
io_new(unsigned number, const struct io_shared *shared, struct err *e)
{
	const struct config *c = shared->config;
	struct resolver_config rc = {
		.servers = (const char *const *)c->dns_servers,
		.nservers = c->ndns_servers,
		.trust_anchor_file = c->dns_trust_anchor,
	};
	struct io *io = xcalloc(1, sizeof(*io));

	io->number = number;
	io->core = shared->core;
	io->store = shared->store;
	io->users = shared->users;
	io->listeners = shared->listeners;
	io->nlisteners = shared->nlisteners;
	io->config = config_ref(shared->config);
	io->ids = core_ids(shared->core, number + 1); /* 0 is the core's */
	LIST_INIT(&io->intakes);
	io->base = event_base_new();
	io->inbox = inbox_new(io->base);
	io->https = https_new(io->base);
	io->resolver = resolver_new(io->base, &rc, e);
	if (io->resolver == NULL)
		io_free(&io);
	else
		make_sts(io);
	return io;
}

static void *
io_main(void *arg)
{
	struct io *io = arg;

	for (size_t i = 0; i < io->nlisteners; i++)
		listener_start(io->listeners[i], io);
	event_base_loop(io->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

int
io_start(struct io *io, struct err *e)
{
	int rc = pthread_create(&io->thread, NULL, io_main, io);

	if (rc != 0)
		return err_set(e, "cannot start thread: %s", strerror(rc));
	io->running = true;
	return 0;
}

struct set_config {
	struct task task;
	struct io *io;
	struct config *config;
};

static void
on_set_config(struct task *t)
{
	struct set_config *s = container_of(t, struct set_config, task);

	config_unref(&s->io->config);
	s->io->config = s->config;
	free(s);
}

void
io_set_config(struct io *io, struct config *config)
{
	struct set_config *s = xcalloc(1, sizeof(*s));

	s->task.run = on_set_config;
	s->io = io;
	s->config = config_ref(config);
	inbox_post(io->inbox, &s->task);
}

static void
answer_when_idle(struct io *io)
{
	struct io_stop *stop = io->stop;

	if (stop == NULL || !LIST_EMPTY(&io->intakes))
		return;
	io->stop = NULL;
	stop->task.run = stop->idle;
	inbox_post(core_inbox(io->core), &stop->task);
}

static void
shut_intakes(struct io *io)
{
	struct intake *in, *next;

	for (in = LIST_FIRST(&io->intakes); in != NULL; in = next) {
		next = LIST_NEXT(in, link); /* shutting down may end it at once */
		intake_shutdown(in);
	}
}

static void
on_stop(struct task *t)
{
	struct io_stop *stop = container_of(t, struct io_stop, task);
	struct io *io = stop->io;

	for (size_t i = 0; i < io->nlisteners; i++)
		listener_stop(io->listeners[i], io);
	io->stop = stop;
	shut_intakes(io);
	answer_when_idle(io);
}

struct shut {
	struct task task;
	struct io *io;
};

static void
on_shut(struct task *t)
{
	struct shut *s = container_of(t, struct shut, task);

	shut_intakes(s->io);
	free(s);
}

void
io_shut_intakes(struct io *io)
{
	struct shut *s = xcalloc(1, sizeof(*s));

	s->task.run = on_shut;
	s->io = io;
	inbox_post(io->inbox, &s->task);
}

void
io_stop_intake(struct io *io, struct io_stop *stop)
{
	stop->io = io;
	stop->task.run = on_stop;
	inbox_post(io->inbox, &stop->task);
}

void
io_intake_gone(struct io *io)
{
	answer_when_idle(io);
}

struct quit {
	struct task task;
	struct io *io;
};

static void
on_quit(struct task *t)
{
	event_base_loopbreak(container_of(t, struct quit, task)->io->base);
}

void
io_free(struct io **iop)
{
	struct io *io = *iop;
	struct quit quit = { .task.run = on_quit, .io = io };

	if (io == NULL)
		return;
	if (io->running) {
		inbox_post(io->inbox, &quit.task);
		pthread_join(io->thread, NULL);
	}
	sts_client_free(&io->sts);
	resolver_free(&io->resolver);
	inbox_free(&io->inbox);
	https_free(&io->https); /* what was left in the inbox may have called */
	config_unref(&io->config);
	event_base_free(io->base);
	free(io);
	*iop = NULL;
}
