/*
 * serve.c - the daemon: set up in order, run, taken down in the opposite one.
 *
 * Nothing is bound before the configuration is right and the store is open; nothing is accepted
 * before everything is bound.
 */
#include "router/serve.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core_run.h"
#include "router/events/hooks.h"
#include "router/http/admin.h"
#include "router/http/fronts.h"
#include "router/http/metrics.h"
#include "router/io.h"
#include "router/listener.h"
#include "router/node.h"
#include "router/rules_recover.h"
#include "router/ses/amazon.h"
#include "router/store/store.h"
#include "router/users.h"
#include "router/version.h"
#include "rules/rules.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct daemon {
	struct config *config;
	struct store *store;
	struct users *users;
	struct core *core;
	struct listener **listeners;
	size_t nlisteners;
	struct io **ios;
	unsigned nios;
	struct amazon *amazon;
	struct hooks *hooks;
	struct admin *admin;
	struct metrics *metrics;
	struct fronts *fronts;
	struct event *on_term, *on_int, *on_hup, *reload;
};

static int
fail(const char *text)
{
	fprintf(stderr, "oiwake: %s\n", text);
	return -1;
}

/* Each session is a descriptor or two: as many as the system allows. */
static void
raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) != 0)
			log_text(LOG_WARN, "start",
			    "cannot raise the limit of open files");
	}
}

static int
open_store(struct daemon *d)
{
	const struct config *c = d->config;
	struct store_config sc = {
		.directory = c->state_directory,
		.url = c->store.url.value,
		.password_file = c->store.password_file,
		.token_command = c->store.token_command,
		.node = c->store.node,
		.lease = c->store.lease,
		.reserve_bytes = c->reserve,
		.event_keep = c->event_keep,
		.tally_keep = c->stats_keep,
		.traffic_keep = c->traffic_keep,
	};
	struct store_recovery found;
	struct err e = ERR_INIT;
	struct logline l;

	d->store = store_open(&sc, &found, &e);
	if (d->store == NULL)
		return fail(e.text);
	if (store_slot(d->store) >= MESSAGE_ID_NODES)
		return fail("there are too many nodes already");
	if (log_start(&l, LOG_INFO, "store")) {
		log_int(&l, "queued", (int64_t)found.queued);
		log_int(&l, "returned", (int64_t)found.returned);
		log_int(&l, "unread", (int64_t)found.unread);
		log_int(&l, "orphans", (int64_t)found.orphans);
		log_end(&l);
	}
	return 0;
}

static int
open_listeners(struct daemon *d)
{
	const struct config *c = d->config;
	struct err e = ERR_INIT;

	d->listeners = xcalloc(c->nlisteners, sizeof(struct listener *));
	for (size_t i = 0; i < c->nlisteners; i++) {
		d->listeners[i] =
		    listener_new(&c->listeners[i], c->io_threads, &e);
		if (d->listeners[i] == NULL)
			return fail(e.text);
		d->nlisteners++;
	}
	return 0;
}

static int
make_threads(struct daemon *d)
{
	struct io_shared shared = {
		.core = d->core,
		.store = d->store,
		.users = d->users,
		.config = d->config,
		.listeners = d->listeners,
		.nlisteners = d->nlisteners,
	};
	struct err e = ERR_INIT;

	d->ios = xcalloc(d->config->io_threads, sizeof(struct io *));
	for (unsigned i = 0; i < d->config->io_threads; i++) {
		d->ios[i] = io_new(i, &shared, &e);
		if (d->ios[i] == NULL)
			return fail(e.text);
		d->nios++;
	}
	return 0;
}

static int
start_threads(struct daemon *d)
{
	struct err e = ERR_INIT;

	for (unsigned i = 0; i < d->nios; i++)
		if (io_start(d->ios[i], &e) != 0)
			return fail(e.text);
	if (amazon_start(d->amazon, &e) != 0)
		return fail(e.text);
	return 0;
}

static int
make_amazon(struct daemon *d)
{
	struct err e = ERR_INIT;

	d->amazon = amazon_new(d->core, d->store, d->config, &e);
	return d->amazon != NULL ? 0 : fail(e.text);
}

static int
start_hooks(struct daemon *d)
{
	struct err e = ERR_INIT;

	d->hooks = hooks_start(d->store, d->config, &e);
	core_set_hooks(d->core, d->hooks);
	return d->hooks != NULL ? 0 : fail(e.text);
}

static void
stop_hooks(struct daemon *d)
{
	if (d->core != NULL)
		core_set_hooks(d->core, NULL);
	hooks_stop(&d->hooks);
}

static int
open_admin(struct daemon *d)
{
	struct err e = ERR_INIT;

	d->admin = admin_new(
	    core_base(d->core), d->core, d->config->admin_socket, &e);
	return d->admin != NULL ? 0 : fail(e.text);
}

/* After the listeners of mail, which the metrics count. */
static int
open_fronts(struct daemon *d)
{
	struct err e = ERR_INIT;

	d->metrics = metrics_new(d->core, d->listeners, d->nlisteners);
	d->fronts =
	    fronts_new(d->core, d->admin, d->metrics, d->config, &e);
	return d->fronts != NULL ? 0 : fail(e.text);
}

static void
on_stopped(void *arg)
{
	struct daemon *d = arg;

	event_base_loopexit(core_base(d->core), NULL);
}

static void
on_stop_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	log_text(LOG_INFO, "stop", "signal %d", (int)sig);
	core_stop(d->core, on_stopped, d);
}

static void
on_reload(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct str report = STR_INIT;

	(void)fd;
	(void)what;
	/* Says in the log what came of it. */
	core_reload(d->core, "SIGHUP", NULL, NULL, &report);
	str_release(&report);
}

/* Called for each signal; those that have come by one turn of the loop want the same. */
static void
on_reload_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)sig;
	(void)what;
	event_active(d->reload, EV_TIMEOUT, 0);
}

static void
watch_signals(struct daemon *d)
{
	struct event_base *base = core_base(d->core);

	signal(SIGPIPE, SIG_IGN);
	d->on_term = evsignal_new(base, SIGTERM, on_stop_signal, d);
	d->on_int = evsignal_new(base, SIGINT, on_stop_signal, d);
	d->on_hup = evsignal_new(base, SIGHUP, on_reload_signal, d);
	d->reload = event_new(base, -1, 0, on_reload, d);
	event_add(d->on_term, NULL);
	event_add(d->on_int, NULL);
	event_add(d->on_hup, NULL);
}

/* Of a change of the rules that was cut off. */
static void
log_ended(struct str *ended)
{
	for (const char *line = ended->data; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		log_text(LOG_WARN, "rules", "%.*s", (int)len, line);
		line += len + (line[len] == '\n');
	}
	str_release(ended);
}

static int
set_up(struct daemon *d, const char *config_file)
{
	struct str report = STR_INIT, ended = STR_INIT;
	struct err e = ERR_INIT;

	rules_recover(config_file, &ended);
	d->config = config_load(config_file, &report);
	if (d->config == NULL) {
		fputs(ended.data, stderr);
		fputs(report.data, stderr);
		str_release(&ended);
		str_release(&report);
		return -1;
	}
	str_release(&report);
	log_set_level(d->config->log_level);
	if (log_open(d->config->log_file, &e) != 0)
		return fail(e.text);
	log_ended(&ended);
	raise_descriptor_limit();
	if (open_store(d) != 0)
		return -1;
	if (d->config->users_file != NULL)
		d->users = users_new(d->config->users_file);
	d->core = core_new(d->store, d->config);
	watch_signals(d);
	if (open_listeners(d) != 0 || open_admin(d) != 0 ||
	    open_fronts(d) != 0 || make_threads(d) != 0 || make_amazon(d) != 0 ||
	    start_hooks(d) != 0)
		return -1;
	core_start(d->core, d->ios, d->nios, d->amazon);
	return start_threads(d);
}

static void
free_signals(struct daemon *d)
{
	if (d->on_term == NULL)
		return;
	event_free(d->on_term);
	event_free(d->on_int);
	event_free(d->on_hup);
	event_free(d->reload);
}

static void
take_down(struct daemon *d)
{
	fronts_free(&d->fronts);
	admin_free(&d->admin);
	metrics_free(&d->metrics);
	for (unsigned i = 0; i < d->nios; i++)
		io_free(&d->ios[i]);
	free(d->ios);
	amazon_free(&d->amazon);
	stop_hooks(d);
	for (size_t i = 0; i < d->nlisteners; i++)
		listener_free(&d->listeners[i]);
	free(d->listeners);
	users_free(&d->users);
	free_signals(d);
	store_close(&d->store);
	core_free(&d->core);
	config_unref(&d->config);
}

/*
 * A stop that ran out of time leaves sessions to other people's hosts open: what they hold is on
 * disk as "may be sent", and is recovered as such. Their memory goes with the process.
 */
static bool
all_came_back(struct daemon *d)
{
	struct core_totals t;

	core_totals(d->core, &t);
	return t.connections == 0 && t.in_memory == 0 && t.intakes == 0 &&
	       t.store_away == 0;
}

int
serve(const char *config_file)
{
	struct daemon d = { 0 };

	if (set_up(&d, config_file) != 0) {
		take_down(&d);
		node_try_again();
		return 1;
	}
	log_text(LOG_INFO, "ready", "version %s, rules %s, %u threads",
	    OIWAKE_VERSION, ruleset_version(d.config->rules), d.nios);
	event_base_dispatch(core_base(d.core));
	stop_hooks(&d);
	if (!all_came_back(&d)) {
		store_abandon(d.store);
		log_text(LOG_INFO, "stopped", "with sessions left open");
		_exit(0);
	}
	take_down(&d);
	log_text(LOG_INFO, "stopped", "everything is on disk");
	return 0;
}
