/*
 * core_nodes.c - the core when there are other nodes that have the same store.
 *
 * The store says that something has changed (store_watch_changes); what it is
 * is read from it again, at most one reading of a kind at a time. Each second
 * the shelves are read in any case, and every few the rest: nothing is lost
 * for good with a notification.
 */
#include "router/core_nodes.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core_int.h"
#include "router/keep.h"
#include "router/node_sources.h"
#include "router/rules_follow.h"

#define TICK	     INT64_C(1000) /* ms; nodes do not go in step */
#define SOON	     INT64_C(100)  /* ms: what comes in it is one change */
#define KEPT_EVERY   INT64_C(5000)
#define NODES_EVERY  INT64_C(5000)
#define SOURCES_EACH INT64_C(60000)
#define PATIENCE     20 /* a reading of shelves takes so small a part of the time */

/* Something of the store that is read again and again. */
struct reading {
	struct store_query query;
	struct nodes *nodes;
	void (*take)(struct nodes *);
	bool asked, again;
	int64_t at; /* mono ms: when it is read next */
	int64_t every;
	int64_t began;
};
enum reading_of { OF_SHELVES, OF_KEPT, OF_NODES, READINGS };

struct shelf_due {
	unsigned shelf;
	int64_t due;
};

struct live {
	int64_t epoch;
	char *name, *ruleset, *sources;
	bool draining;
};

struct nodes {
	struct core *core;
	struct changes_watch watch;
	struct event *tick;
	struct reading readings[READINGS];
	bool started, stopped, shared, led;
	int64_t look_at_sources; /* mono ms */

	pthread_mutex_t lock;
	struct node_sources *here; /* guarded by it */

	/* What was read, each the reading thread's until it comes back. */
	struct shelf_due *shelves;
	size_t nshelves, room;
	struct kept *kept; /* strings are its own */
	size_t nkept;
	struct live *found;
	size_t nfound;

	struct live *live; /* by name */
	size_t nlive;
	char *trouble[NODE_TROUBLES];
};

/* -- who is there ---------------------------------------------------------- */

static void
live_free(struct live *live, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(live[i].name);
		free(live[i].ruleset);
		free(live[i].sources);
	}
	free(live);
}

static bool
is_here(const struct nodes *ns, const struct live *l)
{
	return l->epoch == store_epoch(ns->core->store);
}

/* "a,b" */
static bool
has_name(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (; *names != '\0'; names += *names == ',') {
		size_t n = strcspn(names, ",");

		if (n == len && memcmp(names, name, n) == 0)
			return true;
		names += n;
	}
	return false;
}

bool
nodes_have_here(const struct nodes *ns, const char *source)
{
	return ns == NULL || !ns->shared || source[0] == '\0' ||
	       node_sources_have(ns->here, source);
}

bool
nodes_have_elsewhere(const struct nodes *ns, const char *source)
{
	for (size_t i = 0; ns != NULL && i < ns->nlive; i++)
		if (!is_here(ns, &ns->live[i]) && !ns->live[i].draining &&
		    has_name(ns->live[i].sources, source))
			return true;
	return false;
}

static bool
has_any(const struct nodes *ns, const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->nsources; i++)
		if (node_sources_have(ns->here, pool->sources[i]->name))
			return true;
	return false;
}

bool
nodes_can_send(
    struct nodes *ns, const struct config *config, const struct route *route)
{
	const struct config_pool *pool;
	bool can;

	if (ns == NULL || !ns->shared || route->source[0] == '\0')
		return true;
	pool = config_pool_find(config, route->pool);
	pthread_mutex_lock(&ns->lock);
	can = pool == NULL || has_any(ns, pool);
	pthread_mutex_unlock(&ns->lock);
	return can;
}

unsigned
nodes_count(const struct nodes *ns)
{
	return ns != NULL && ns->nlive > 1 ? (unsigned)ns->nlive : 1;
}

unsigned
nodes_rank(const struct nodes *ns)
{
	for (size_t i = 0; ns != NULL && i < ns->nlive; i++)
		if (is_here(ns, &ns->live[i]))
			return (unsigned)i;
	return 0;
}

bool
nodes_leads(const struct nodes *ns)
{
	return ns == NULL || store_leads(ns->core->store);
}

void
nodes_each(const struct nodes *ns,
    void (*each)(void *, const struct other_node *), void *arg)
{
	for (size_t i = 0; ns != NULL && i < ns->nlive; i++) {
		const struct live *l = &ns->live[i];

		each(arg, &(struct other_node){ l->name, l->ruleset,
			      l->sources, l->draining, is_here(ns, l) });
	}
}

/* -- what is said of this one ---------------------------------------------- */

const char *
nodes_why(const struct nodes *ns)
{
	for (size_t i = 0; ns != NULL && i < NODE_TROUBLES; i++)
		if (ns->trouble[i] != NULL)
			return ns->trouble[i];
	return NULL;
}

const char *
nodes_sources(const struct nodes *ns)
{
	return ns != NULL ? node_sources_text(ns->here) : "";
}

void
nodes_trouble(struct nodes *ns, enum node_trouble which, const char *text)
{
	bool none = text[0] == '\0';
	char *old;

	if (ns == NULL)
		return;
	old = ns->trouble[which];
	if (old == NULL ? none : strcmp(old, text) == 0)
		return;
	if (!none)
		log_text(LOG_WARN, "node", "%s", text);
	ns->trouble[which] = none ? NULL : xstrdup(text);
	free(old);
}

/* -- reading --------------------------------------------------------------- */

static void run_reading(struct store_query *, struct store_reader *);
static void on_read(struct store_query *);

static void
ask(struct reading *r)
{
	if (r->asked) {
		r->again = true;
		return;
	}
	r->asked = true;
	r->began = clock_mono();
	if (r == &r->nodes->readings[OF_KEPT])
		keep_reading_begins(r->nodes->core);
	r->nodes->core->edits++;
	r->query = (struct store_query){ .reply_to = r->nodes->core->inbox,
		.run = run_reading,
		.done = on_read };
	store_query(r->nodes->core->store, &r->query);
}

/* Those that come together are one. */
static void
ask_soon(struct nodes *ns, enum reading_of which)
{
	struct reading *r = &ns->readings[which];
	int64_t at = clock_mono() + SOON;

	if (r->at > at)
		r->at = at;
}

static void
read_shelf(void *arg, unsigned shelf, int64_t due)
{
	struct nodes *ns = arg;

	if (ns->nshelves == ns->room) {
		ns->room = ns->room == 0 ? 64 : ns->room * 2;
		ns->shelves = xrealloc(
		    ns->shelves, ns->room * sizeof(*ns->shelves));
	}
	ns->shelves[ns->nshelves++] = (struct shelf_due){ shelf, due };
}

static void
read_kept(void *arg, const struct kept *k)
{
	struct nodes *ns = arg;

	ns->kept = xrealloc(ns->kept, (ns->nkept + 1) * sizeof(*ns->kept));
	ns->kept[ns->nkept++] = (struct kept){ .kind = k->kind,
		.key = xstrdup(k->key),
		.value = xstrdup(k->value),
		.expires = k->expires };
}

static void
read_node(void *arg, const struct node_row *row)
{
	struct nodes *ns = arg;

	if (row->lost)
		return;
	ns->found = xrealloc(ns->found, (ns->nfound + 1) * sizeof(*ns->found));
	ns->found[ns->nfound++] = (struct live){ .epoch = row->epoch,
		.name = xstrdup(row->name),
		.ruleset = xstrdup(row->ruleset),
		.sources = xstrdup(row->sources),
		.draining = row->draining };
}

/* Of these all that is kept is every node's. What else is kept is only read at a start, or where it is asked for. */
static const struct {
	const char *kind;
	void (*take)(struct core *, const struct kept *, size_t n);
} shared_kinds[] = {
	{ "pause", pauses_kept },
	{ "guard", guard_kept },
	{ "warm-up", sources_kept },
	{ "give-back", core_called_back },
};
#define KINDS (sizeof(shared_kinds) / sizeof(shared_kinds[0]))

static void
run_reading(struct store_query *query, struct store_reader *reader)
{
	struct reading *r = container_of(query, struct reading, query);
	struct nodes *ns = r->nodes;

	switch ((enum reading_of)(r - ns->readings)) {
	case OF_SHELVES:
		ns->nshelves = 0;
		store_read_shelves(reader, read_shelf, ns);
		break;
	case OF_KEPT:
		for (size_t i = 0; i < KINDS; i++)
			store_read_kept(reader, shared_kinds[i].kind, NULL,
			    read_kept, ns);
		break;
	case OF_NODES:
		store_read_nodes(reader, read_node, ns);
		break;
	case READINGS:
		break;
	}
}

/* -- and taking over ------------------------------------------------------- */

static void
take_shelves(struct nodes *ns)
{
	for (size_t i = 0; i < ns->nshelves; i++)
		queue_note(ns->core->queue, ns->shelves[i].shelf,
		    ns->shelves[i].due);
	core_wake(ns->core);
}

static void
take_kept(struct nodes *ns)
{
	size_t from = 0, to;

	for (size_t i = 0; i < KINDS; i++, from = to) {
		for (to = from; to < ns->nkept &&
				strcmp(ns->kept[to].kind,
				    shared_kinds[i].kind) == 0;
		    to++)
			;
		shared_kinds[i].take(ns->core, ns->kept + from, to - from);
	}
}

static bool
same_nodes(const struct nodes *ns)
{
	bool same = ns->nlive == ns->nfound;

	for (size_t i = 0; same && i < ns->nlive; i++)
		same = ns->live[i].epoch == ns->found[i].epoch &&
		       ns->live[i].draining == ns->found[i].draining &&
		       strcmp(ns->live[i].sources, ns->found[i].sources) == 0;
	return same;
}

/* Who was not for us may be by now, and who is gone may have been for whom it was; what nobody has a source for is
 * found out anew. */
static void
sources_changed(struct nodes *ns)
{
	nodes_trouble(ns, NODE_TROUBLE_SOURCES, "");
	queue_avoid_none(ns->core->queue);
}

static void
take_nodes(struct nodes *ns)
{
	bool same = same_nodes(ns);

	live_free(ns->live, ns->nlive);
	ns->live = ns->found;
	ns->nlive = ns->nfound;
	ns->found = NULL;
	ns->nfound = 0;
	if (same)
		return;
	sources_changed(ns);
	core_wake(ns->core);
}

static void
forget_read(struct nodes *ns, enum reading_of which)
{
	if (which == OF_KEPT) {
		for (size_t i = 0; i < ns->nkept; i++) {
			free((void *)(uintptr_t)ns->kept[i].key);
			free((void *)(uintptr_t)ns->kept[i].value);
		}
		ns->nkept = 0;
	} else if (which == OF_NODES) {
		live_free(ns->found, ns->nfound);
		ns->found = NULL;
		ns->nfound = 0;
	}
}

/* From three quarters to five quarters of it. */
static int64_t
jitter(int64_t ms)
{
	return ms * 3 / 4 + arc4random_uniform((uint32_t)(ms / 2 + 1));
}

static void
on_read(struct store_query *query)
{
	struct reading *r = container_of(query, struct reading, query);
	struct nodes *ns = r->nodes;
	enum reading_of which = (enum reading_of)(r - ns->readings);
	int64_t now = clock_mono(), wait = (now - r->began) * PATIENCE;

	r->asked = false;
	ns->core->edits--;
	if (!query->incomplete && !ns->stopped)
		r->take(ns);
	forget_read(ns, which);
	if (which == OF_KEPT)
		keep_reading_ends(ns->core);
	r->at = now + jitter(wait > r->every ? wait : r->every);
	if (r->again || query->incomplete)
		ask_soon(ns, which);
	r->again = false;
	core_wake(ns->core);
}

/* -- our own sources ------------------------------------------------------- */

static bool
is_lost(void *arg, const struct recipient *r)
{
	const struct nodes *ns = arg;

	return !nodes_have_here(ns, r->route.source);
}

static void
take_again(void *arg, struct recipient *r)
{
	core_take(arg, r);
}

/* An address may come to this machine, or leave it. */
static void
look_at_sources(struct nodes *ns)
{
	struct core *c = ns->core;
	bool changed;

	ns->look_at_sources = clock_mono() + SOURCES_EACH;
	pthread_mutex_lock(&ns->lock);
	changed = node_sources_look(ns->here, c->config);
	pthread_mutex_unlock(&ns->lock);
	if (!changed || !ns->shared)
		return;
	log_text(LOG_INFO, "node", "its sources are: %s",
	    node_sources_text(ns->here));
	sources_changed(ns);
	lanes_take(c->lanes, is_lost, take_again, c);
}

void
nodes_configure(struct nodes *ns)
{
	if (ns == NULL || !ns->started)
		return;
	look_at_sources(ns);
	queue_avoid_none(ns->core->queue);
}

/* -- time ------------------------------------------------------------------ */

static void
set_tick(struct nodes *ns)
{
	int64_t now = clock_mono(), wait = jitter(TICK);
	struct timeval tv;

	for (size_t i = 0; i < READINGS; i++)
		if (ns->readings[i].at - now < wait)
			wait = ns->readings[i].at - now;
	if (wait < 1)
		wait = 1;
	tv = (struct timeval){ .tv_sec = (time_t)(wait / 1000),
		.tv_usec = (suseconds_t)(wait % 1000 * 1000) };
	event_add(ns->tick, &tv);
}

static void
look_who_leads(struct nodes *ns)
{
	bool leads = nodes_leads(ns);

	if (leads == ns->led)
		return;
	ns->led = leads;
	guard_leads(ns->core->guard, leads);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct nodes *ns = arg;
	int64_t now = clock_mono();

	(void)fd;
	(void)what;
	look_who_leads(ns);
	for (size_t i = 0; i < READINGS; i++)
		if (now >= ns->readings[i].at) {
			ns->readings[i].at =
			    now + jitter(ns->readings[i].every);
			ask(&ns->readings[i]);
		}
	if (now >= ns->look_at_sources)
		look_at_sources(ns);
	rules_follow_tick(ns->core->follow);
	set_tick(ns);
}

static void
on_changed(struct changes_watch *w, unsigned changes)
{
	struct nodes *ns = container_of(w, struct nodes, watch);
	struct core *c = ns->core;

	if (ns->stopped)
		return;
	if (changes & STORE_WENT_AWAY)
		core_store_went(c, "the database cannot be reached");
	if (changes & STORE_CAME_BACK)
		core_store_came(c);
	if (changes & STORE_CHANGED_QUEUE)
		ask_soon(ns, OF_SHELVES);
	if (changes & STORE_CHANGED_KEPT)
		ask_soon(ns, OF_KEPT);
	if (changes & STORE_CHANGED_NODES)
		ask_soon(ns, OF_NODES);
	if (changes & STORE_CHANGED_RULES)
		rules_follow_look(c->follow);
	set_tick(ns);
}

/* -- its life -------------------------------------------------------------- */

struct nodes *
nodes_new(struct core *c)
{
	static const struct {
		void (*take)(struct nodes *);
		int64_t every;
	} of[READINGS] = {
		[OF_SHELVES] = { take_shelves, TICK },
		[OF_KEPT] = { take_kept, KEPT_EVERY },
		[OF_NODES] = { take_nodes, NODES_EVERY },
	};
	struct nodes *ns = xcalloc(1, sizeof(*ns));

	ns->core = c;
	ns->shared = store_is_shared(c->store);
	ns->led = true;
	ns->here = node_sources_new(c->config);
	pthread_mutex_init(&ns->lock, NULL);
	for (size_t i = 0; i < READINGS; i++)
		ns->readings[i] = (struct reading){ .nodes = ns,
			.take = of[i].take,
			.every = of[i].every };
	ns->tick = evtimer_new(c->base, on_tick, ns);
	return ns;
}

void
nodes_start(struct nodes *ns)
{
	if (ns == NULL)
		return;
	ns->started = true;
	if (!ns->shared)
		return;
	log_text(LOG_INFO, "node", "'%s', number %u; its sources are: %s",
	    store_node_name(ns->core->store), store_slot(ns->core->store),
	    node_sources_text(ns->here));
	ns->look_at_sources = clock_mono() + SOURCES_EACH;
	ns->watch.inbox = ns->core->inbox;
	ns->watch.told = on_changed;
	store_watch_changes(ns->core->store, &ns->watch);
	look_who_leads(ns);
	set_tick(ns);
}

void
nodes_stop(struct nodes *ns)
{
	if (ns == NULL || ns->stopped)
		return;
	ns->stopped = true;
	if (ns->shared && ns->started)
		store_unwatch_changes(ns->core->store, &ns->watch);
	event_del(ns->tick);
}

void
nodes_free(struct nodes **nsp)
{
	struct nodes *ns = *nsp;

	if (ns == NULL)
		return;
	event_free(ns->tick);
	live_free(ns->live, ns->nlive);
	node_sources_free(&ns->here);
	pthread_mutex_destroy(&ns->lock);
	for (size_t i = 0; i < NODE_TROUBLES; i++)
		free(ns->trouble[i]);
	free(ns->kept);
	free(ns->shelves);
	free(ns);
	*nsp = NULL;
}
