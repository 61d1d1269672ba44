/*
 * watch.c - who is told that there are events to read, what is counted, and
 * what other nodes have changed.
 *
 * The committer posts to each inbox after a commit that wrote events, or that
 * counted, unless what it posted before has not run yet; likewise does whoever
 * hears of a change.
 *
 * Where there are other nodes, it also hears every while what they have counted
 * (sql_heard.c). A watch knows up to which record it has been told, and begins
 * with those that it has not loaded: what is loaded ends with a certain record.
 * A record of this node's own is left out there, if its watches were told of it
 * at its commit: it says so itself. What is counted before anybody watches is
 * as if another node had counted it.
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"

#include <stdlib.h>

/* -- events ----------------------------------------------------------------- */

static void
on_watch(struct task *t)
{
	struct store_watch *w = container_of(t, struct store_watch, task);

	/* First: what is committed from now on is told again. */
	atomic_store(&w->posted, false);
	if (w->told != NULL)
		w->told(w);
}

void
store_watch_events(struct store *s, struct store_watch *w)
{
	w->task.run = on_watch;
	atomic_init(&w->posted, false);
	pthread_mutex_lock(&s->watching);
	w->next = s->watches;
	s->watches = w;
	pthread_mutex_unlock(&s->watching);
}

void
store_unwatch_events(struct store *s, struct store_watch *w)
{
	struct store_watch **at;

	pthread_mutex_lock(&s->watching);
	for (at = &s->watches; *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	pthread_mutex_unlock(&s->watching);
	w->told = NULL;
}

void
store_tell_watches(struct store *s)
{
	struct store_watch *w;

	pthread_mutex_lock(&s->watching);
	for (w = s->watches; w != NULL; w = w->next)
		if (!atomic_exchange(&w->posted, true))
			inbox_post(w->inbox, &w->task);
	pthread_mutex_unlock(&s->watching);
}

/* -- loading ---------------------------------------------------------------- */

/* From the first that is loaded until somebody watches all is as of one
 * moment, where others may count meanwhile. */
static void
begin_loading(struct store *s)
{
	if (s->loaded != 0)
		return;
	s->ops->reader_begin(s->reader);
	s->loaded = sql_count_certain(s->reader);
}

void
store_end_loading(struct store *s)
{
	if (s->loaded == 0)
		return;
	s->loaded = 0;
	sql_count_all(s->reader);
	s->ops->reader_end(s->reader);
}

static void
loaded(struct store *s)
{
	if (!sql_hears(s->engine))
		store_end_loading(s);
}

void
store_begin_reading(struct store *s)
{
	if (s->loaded == 0)
		s->ops->reader_begin(s->reader);
}

void
store_end_reading(struct store *s)
{
	if (s->loaded == 0)
		s->ops->reader_end(s->reader);
}

size_t
store_each_tally(struct store *s, const struct tally_filter *f,
    void (*each)(void *, const struct tally_row *), void *arg)
{
	size_t n;

	begin_loading(s);
	n = store_read_tallies(s->reader, f, each, arg);
	loaded(s);
	return n;
}

void
store_each_counter(struct store *s,
    void (*each)(void *, const struct counter_row *), void *arg)
{
	begin_loading(s);
	store_read_counters(s->reader, each, arg);
	loaded(s);
}

/* -- counters --------------------------------------------------------------- */

#define HEAR_EVERY 500	     /* ms */
#define UNKNOWN	   INT64_MAX /* from the next time on */

static void
on_counted(struct task *t)
{
	struct counters_watch *w = container_of(t, struct counters_watch, task);

	if (w->told != NULL)
		w->told(w);
}

static void
free_counters(struct counters *c)
{
	if (c == NULL)
		return;
	counters_release(c);
	free(c);
}

void
store_watch_counters(struct store *s, struct counters_watch *w)
{
	w->task.run = on_counted;
	w->pending = NULL;
	w->posted = false;
	w->after = s->loaded != 0 ? s->loaded : UNKNOWN;
	store_end_loading(s);
	pthread_mutex_lock(&s->watching);
	w->next = s->counting;
	s->counting = w;
	pthread_mutex_unlock(&s->watching);
}

void
store_unwatch_counters(struct store *s, struct counters_watch *w)
{
	struct counters_watch **at;

	pthread_mutex_lock(&s->watching);
	for (at = &s->counting; *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	pthread_mutex_unlock(&s->watching);
	free_counters(w->pending);
	w->pending = NULL;
	w->told = NULL;
}

static void
tell_of_counters(struct counters_watch *w, const struct counters *c)
{
	if (w->pending == NULL) {
		w->pending = xcalloc(1, sizeof(*w->pending));
		counters_init(w->pending);
	}
	counters_merge(w->pending, c);
	if (!w->posted)
		inbox_post(w->inbox, &w->task);
	w->posted = true;
}

enum store_status
store_count(struct store *s, struct err *e)
{
	pthread_mutex_lock(&s->watching);
	s->engine->teller = s->counting != NULL ? s->engine->epoch : 0;
	pthread_mutex_unlock(&s->watching);
	return s->ops->add_counters(
	    s->engine, &s->txn.counters, clock_wall(), e);
}

void
store_tell_counters(struct store *s)
{
	struct counters_watch *w;

	if (s->txn.counters.table.n == 0 ||
	    s->engine->teller != s->engine->epoch)
		return;
	pthread_mutex_lock(&s->watching);
	for (w = s->counting; w != NULL; w = w->next)
		tell_of_counters(w, &s->txn.counters);
	pthread_mutex_unlock(&s->watching);
}

/* -- of other nodes --------------------------------------------------------- */

struct hearing {
	struct store *store;
	int64_t after; /* who begins to watch meanwhile may need earlier ones */
};

static void
on_heard(void *arg, int64_t seq, const struct counters *c)
{
	const struct hearing *h = arg;
	struct counters_watch *w;

	pthread_mutex_lock(&h->store->watching);
	for (w = h->store->counting; w != NULL; w = w->next)
		if (w->after >= h->after && w->after < seq) {
			tell_of_counters(w, c);
			w->after = seq;
		}
	pthread_mutex_unlock(&h->store->watching);
}

/* What all who watch have been told of. False: nobody watches. */
static bool
heard_by_all(struct store *s, int64_t *after)
{
	bool any;

	*after = UNKNOWN;
	pthread_mutex_lock(&s->watching);
	any = s->counting != NULL;
	for (struct counters_watch *w = s->counting; w != NULL; w = w->next)
		if (w->after < *after)
			*after = w->after;
	pthread_mutex_unlock(&s->watching);
	return any;
}

static void
go_on(struct hearing *hearing, const struct heard *h)
{
	struct counters_watch *w;

	pthread_mutex_lock(&hearing->store->watching);
	for (w = hearing->store->counting; w != NULL; w = w->next)
		if ((w->after >= hearing->after && w->after < h->upto) ||
		    (w->after == UNKNOWN && !h->more))
			w->after = h->upto;
	pthread_mutex_unlock(&hearing->store->watching);
}

enum store_status
store_hear_counters(struct store *s, struct err *e)
{
	struct hearing hearing = { .store = s };
	enum store_status st;
	struct heard h;

	if (clock_mono() < s->hear_at)
		return STORE_OK;
	s->hear_at =
	    sql_hears(s->engine) ? clock_mono() + HEAR_EVERY : INT64_MAX;
	if (s->hear_at == INT64_MAX || !heard_by_all(s, &hearing.after))
		return STORE_OK;
	st = sql_hear_counted(
	    s->engine, hearing.after, &h, on_heard, &hearing, e);
	if (st != STORE_OK)
		return st;
	go_on(&hearing, &h);
	if (h.missed)
		log_text(LOG_ERROR, "store-missed",
		    "what other nodes counted a while ago is not known here");
	if (h.more)
		s->hear_at = 0;
	return STORE_OK;
}

/* -- taken ------------------------------------------------------------------ */

struct handing_over {
	void (*each)(void *arg, const struct tally_row *);
	void *arg;
};

static enum store_status
hand_over(void *arg, const struct tally_row *row)
{
	const struct handing_over *h = arg;

	h->each(h->arg, row);
	return STORE_OK;
}

void
store_take_counters(struct store *s, struct counters_watch *w,
    void (*each)(void *arg, const struct tally_row *), void *arg)
{
	struct handing_over h = { each, arg };
	struct counters *taken;

	pthread_mutex_lock(&s->watching);
	taken = w->pending;
	w->pending = NULL;
	w->posted = false;
	pthread_mutex_unlock(&s->watching);
	if (taken != NULL)
		counters_each_minute(taken, hand_over, &h);
	free_counters(taken);
}

/* -- changes ---------------------------------------------------------------- */

static void
on_changed(struct task *t)
{
	struct changes_watch *w = container_of(t, struct changes_watch, task);
	/* First: what changes from now on is told again. */
	unsigned changes = atomic_exchange(&w->changes, 0);

	if (w->told != NULL)
		w->told(w, changes);
}

static void
tell(struct changes_watch *w, unsigned changes)
{
	if (changes != 0 && atomic_fetch_or(&w->changes, changes) == 0)
		inbox_post(w->inbox, &w->task);
}

/* Who comes after that is told that this node is fenced, and else that all may
 * have changed since he looked. */
void
store_watch_changes(struct store *s, struct changes_watch *w)
{
	const unsigned all = STORE_CHANGED_KEPT | STORE_CHANGED_RULES |
			     STORE_CHANGED_QUEUE | STORE_CHANGED_NODES;

	w->task.run = on_changed;
	atomic_init(&w->changes, 0);
	pthread_mutex_lock(&s->watching);
	w->next = s->changing;
	s->changing = w;
	tell(w, (s->changed & STORE_FENCED_OUT) | (s->node != NULL ? all : 0));
	pthread_mutex_unlock(&s->watching);
}

void
store_unwatch_changes(struct store *s, struct changes_watch *w)
{
	struct changes_watch **at;

	pthread_mutex_lock(&s->watching);
	for (at = &s->changing; *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	pthread_mutex_unlock(&s->watching);
	w->told = NULL;
}

void
store_tell_changes(struct store *s, unsigned changes)
{
	struct changes_watch *w;

	pthread_mutex_lock(&s->watching);
	s->changed |= changes;
	for (w = s->changing; w != NULL; w = w->next)
		tell(w, changes);
	pthread_mutex_unlock(&s->watching);
}
