/*
 * node.c - this process as one of the nodes that share a store: says how it is,
 * drains, and starts anew when it is fenced.
 *
 * A node that the others have given up holds nothing any more, whatever is in
 * its memory. The one safe way to forget it all is to become another process:
 * all sockets close without a word, nothing is settled, and what starts then
 * joins under a new epoch. When it cannot, as while the database is away, it
 * tries until it can: nobody has asked for its end.
 */
#include "router/node.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core_int.h"
#include "router/core_nodes.h"
#include "router/http/health.h"
#include "router/io.h"
#include "router/version.h"
#include "rules/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_AGAIN 75 /* EX_TEMPFAIL: whoever watches over it starts it again */
#define ANEW	   "OIWAKE_STARTED_ANEW" /* in the environment of who was fenced */
#define ANEW_WAIT  2			 /* s between tries to join again */

struct core_node {
	struct core *core;
	struct changes_watch watch;
	struct event *second;
	char *name;
	int64_t started;          /* wall ms */
	_Atomic bool draining;
	bool wanted;              /* alone in its store: as an operator said */
	bool stopped;
};

/* -- starting anew ------------------------------------------------------- */

/* As the kernel has it, each with its NUL. */
static void
read_arguments(struct str *to)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	char buf[4096];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		str_add(to, buf, (size_t)n);
	if (fd >= 0)
		close(fd);
}

static char **
split_arguments(struct str *text)
{
	size_t n = 0, room = 1;
	char **argv;

	for (size_t i = 0; i < text->len; i++)
		room += text->data[i] == '\0';
	argv = xcalloc(room, sizeof(*argv));
	for (char *p = text->data; n + 1 < room; p += strlen(p) + 1)
		argv[n++] = p;
	return argv;
}

/* Nothing of this process goes along but its standard descriptors. */
static void
start_anew(void)
{
	struct str text = STR_INIT;
	sigset_t none;
	char **argv;

	read_arguments(&text);
	argv = split_arguments(&text);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	if (argv[0] != NULL && setenv(ANEW, "1", 1) == 0 &&
	    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		execv("/proc/self/exe", argv);
	log_text(LOG_ERROR, "node-fenced", "cannot start anew: %s",
	    strerror(errno));
	_exit(EXIT_AGAIN);
}

void
node_try_again(void)
{
	if (getenv(ANEW) == NULL)
		return;
	log_text(LOG_ERROR, "node-fenced",
	    "cannot join again, the next try is in %d s", ANEW_WAIT);
	sleep(ANEW_WAIT);
	start_anew();
}

/* -- draining ------------------------------------------------------------ */

bool
core_is_draining(const struct core *c)
{
	return c->node != NULL && atomic_load(&c->node->draining);
}

static void
return_waiting(void *arg, struct recipient *r)
{
	struct core *c = arg;

	settle_return(c->settler, r, r->due);
}

/* What a session or a lease under way brings back comes here by the second. */
static void
empty(struct core *c)
{
	lanes_drain(c->lanes, return_waiting, c);
	lanes_close_sessions(c->lanes);
	core_wake(c);
}

static bool
is_wanted(const struct core_node *n)
{
	const struct store *s = n->core->store;

	return store_is_shared(s) ? store_is_draining(s) : n->wanted;
}

static void
look_whether_to_drain(struct core_node *n)
{
	struct core *c = n->core;
	bool drain = is_wanted(n);

	if (n->stopped || drain == atomic_load(&n->draining))
		return;
	atomic_store(&n->draining, drain);
	log_text(LOG_INFO, "drain",
	    drain ? "takes no more mail, and gives back what waits"
		  : "takes mail again");
	queue_rest(c->queue, drain);
	if (!drain)
		return;
	for (unsigned i = 0; i < c->nios; i++)
		io_shut_intakes(c->ios[i]);
	empty(c);
}

struct draining {
	struct store_drain op;
	char *name;
	void (*done)(void *, const char *, bool);
	void *arg;
};

static void
on_drained(struct store_request *req)
{
	struct store_drain *op = container_of(req, struct store_drain, req);
	struct draining *d = container_of(op, struct draining, op);
	const char *why = req->status == STORE_OK ? NULL : req->err.text;

	d->done(d->arg, why, req->status != STORE_REJECTED);
	free(d->name);
	free(d);
}

static void
drain_alone(struct core_node *n, const char *name, bool undo,
    void (*done)(void *, const char *, bool), void *arg)
{
	struct err e = ERR_INIT;
	bool known = strcmp(name, n->name) == 0;

	if (known) {
		n->wanted = !undo;
		look_whether_to_drain(n);
	} else {
		err_set(&e, "there is no node '%s' but '%s'", name, n->name);
	}
	done(arg, known ? NULL : e.text, known);
}

void
core_node_drain(struct core_node *n, const char *name, bool undo,
    void (*done)(void *, const char *, bool), void *arg)
{
	struct draining *d;

	if (!store_is_shared(n->core->store)) {
		drain_alone(n, name, undo, done, arg);
		return;
	}
	d = xcalloc(1, sizeof(*d));
	d->name = xstrdup(name);
	d->done = done;
	d->arg = arg;
	d->op.req.reply_to = n->core->inbox;
	d->op.req.done = on_drained;
	d->op.name = d->name;
	d->op.undo = undo;
	store_drain(n->core->store, &d->op);
}

/* -- how it is ----------------------------------------------------------- */

static const char *
trouble_of(const struct core_node *n)
{
	const char *trouble = n->stopped || atomic_load(&n->draining)
				  ? NULL
				  : health_trouble(n->core);

	if (trouble == NULL)
		trouble = nodes_why(n->core->nodes);
	return trouble != NULL ? trouble : "";
}

static void
say(struct core_node *n)
{
	struct core *c = n->core;
	struct node_says says = {
		.sources = nodes_sources(c->nodes),
		.ruleset = ruleset_version(c->config->rules),
		.trouble = trouble_of(n),
		.leases = queue_held(c->queue),
		.draining = n->stopped,
	};

	store_say(c->store, &says);
}

struct node_row
core_node_row(const struct core_node *n)
{
	const struct core *c = n->core;

	return (struct node_row){
		.epoch = store_epoch(c->store),
		.name = n->name,
		.host = n->name,
		.version = OIWAKE_VERSION,
		.ruleset = ruleset_version(c->config->rules),
		.sources = nodes_sources(c->nodes),
		.trouble = trouble_of(n),
		.started = n->started,
		.heard = clock_wall(),
		.leases = queue_held(c->queue),
		.draining = n->stopped || atomic_load(&n->draining),
	};
}

const char *
core_node_name(const struct core_node *n)
{
	return n->name;
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct core_node *n = arg;

	(void)fd;
	(void)what;
	if (atomic_load(&n->draining))
		empty(n->core);
	say(n);
}

/* -- its life ------------------------------------------------------------ */

static void
on_changes(struct changes_watch *w, unsigned changes)
{
	struct core_node *n = container_of(w, struct core_node, watch);

	if (changes & STORE_FENCED_OUT)
		start_anew();
	if (changes & STORE_CHANGED_NODES)
		look_whether_to_drain(n);
}

static char *
name_of(struct store *s)
{
	char host[256] = "";

	if (store_is_shared(s))
		return xstrdup(store_node_name(s));
	gethostname(host, sizeof(host) - 1);
	return xstrdup(host);
}

struct core_node *
core_node_new(struct core *c)
{
	struct core_node *n = xcalloc(1, sizeof(*n));

	n->core = c;
	n->name = name_of(c->store);
	n->started = clock_wall();
	return n;
}

void
core_node_start(struct core_node *n)
{
	static const struct timeval second = { .tv_sec = 1 };

	n->second = event_new(n->core->base, -1, EV_PERSIST, on_second, n);
	event_add(n->second, &second);
	n->watch.inbox = n->core->inbox;
	n->watch.told = on_changes;
	store_watch_changes(n->core->store, &n->watch);
	say(n);
	look_whether_to_drain(n);
}

void
core_node_stop(struct core_node *n)
{
	if (n->stopped || n->second == NULL)
		return;
	n->stopped = true;
	event_del(n->second);
	store_unwatch_changes(n->core->store, &n->watch);
	say(n);
}

void
core_node_free(struct core_node **np)
{
	struct core_node *n = *np;

	if (n == NULL)
		return;
	if (n->second != NULL)
		event_free(n->second);
	free(n->name);
	free(n);
	*np = NULL;
}
