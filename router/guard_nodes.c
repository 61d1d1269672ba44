/*
 * guard_nodes.c - the guard where there are other nodes.
 *
 * One node judges, by what all have counted: it reads that from the store every
 * second, or less often where that takes long, as at a start. What it does is kept, and the others do the same
 * as soon as they have read it: pauses as such (pause.h), how fast what is
 * slowed may go, and who may go to see whether a way is open again.
 *
 * The store's counts know no user: of users the one that judges knows what it
 * has sent itself.
 */
#include "router/guard_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/keep.h"

#define EVERY	 1000 /* ms: what a bad list sends meanwhile is sent */
#define PATIENCE 20   /* reading takes so small a part of the time */
#define KIND	 "guard"

/* -- all counts ------------------------------------------------------------ */

struct counted_row {
	enum reputation_ring ring;
	int64_t at;
	char *words; /* those of the key, one behind the other */
	struct tally_key key;
	int64_t n[COUNT_MAX];
};

struct guard_counting {
	struct store_query query;
	struct guard *guard;
	struct event *timer;
	bool asked, cut;
	int64_t began; /* mono ms */
	enum reputation_ring ring;
	struct counted_row *row;
	size_t n, room;
};

static char *
copy_word(char **at, const char *word)
{
	char *copy = *at;

	*at = stpcpy(copy, word) + 1;
	return copy;
}

static void
copy_key(struct counted_row *row, const struct tally_key *k)
{
	char *at = row->words = xmalloc(strlen(k->path) + strlen(k->carrier) +
				    strlen(k->group) + strlen(k->sender) + 4);

	row->key.path = copy_word(&at, k->path);
	row->key.carrier = copy_word(&at, k->carrier);
	row->key.group = copy_word(&at, k->group);
	row->key.sender = copy_word(&at, k->sender);
}

static void
take_row(void *arg, const struct tally_row *from)
{
	struct guard_counting *c = arg;
	struct counted_row *row;

	if (c->n == c->room) {
		c->room = c->room == 0 ? 256 : c->room * 2;
		c->row = xrealloc(c->row, c->room * sizeof(*c->row));
	}
	row = &c->row[c->n++];
	*row = (struct counted_row){ .ring = c->ring, .at = from->at };
	memcpy(row->n, from->tally->n, sizeof(row->n));
	copy_key(row, &from->key);
}

static void
run_count(struct store_query *query, struct store_reader *reader)
{
	struct guard_counting *c =
	    container_of(query, struct guard_counting, query);
	struct tally_filter f;
	int64_t now = clock_wall();

	for (unsigned i = 0; i < REPUTATION_RINGS; i++) {
		c->ring = (enum reputation_ring)i;
		f = guard_window_of(c->ring, now);
		store_read_tallies(reader, &f, take_row, c);
	}
}

static void
forget_rows(struct guard_counting *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->row[i].words);
	c->n = 0;
}

/* Of users what this node has counted itself stays. */
static void
forget_counts(struct guard *g)
{
	struct reputation_scope *s;

	TAILQ_FOREACH(s, &g->rep.scopes, link)
	if (s->of.user[0] == '\0')
		memset(s->cells, 0, sizeof(s->cells));
}

static void
feed_all(struct guard_counting *c)
{
	struct guard *g = c->guard;
	struct reputation_scope *s;
	struct tally tally = { 0 };
	int64_t now = clock_wall();

	forget_counts(g);
	for (size_t i = 0; i < c->n; i++) {
		const struct counted_row *row = &c->row[i];

		memcpy(tally.n, row->n, sizeof(row->n));
		guard_feed(g,
		    &(struct tally_row){
			.at = row->at, .key = row->key, .tally = &tally },
		    &row->ring, now);
	}
	if (c->cut)
		guard_cut_again(g);
	c->cut = false;
	TAILQ_FOREACH(s, &g->rep.scopes, link)
	s->changed = true;
	guard_look_soon(g);
}

static void
count_again(struct guard_counting *c, int64_t took)
{
	int64_t wait = took * PATIENCE > EVERY ? took * PATIENCE : EVERY;
	struct timeval tv = { .tv_sec = (time_t)(wait / 1000),
		.tv_usec = (suseconds_t)(wait % 1000 * 1000) };

	if (!c->guard->stopped && !c->guard->follows)
		event_add(c->timer, &tv);
}

static void
on_count(struct store_query *query)
{
	struct guard_counting *c =
	    container_of(query, struct guard_counting, query);
	struct core *core = c->guard->core;

	c->asked = false;
	core->edits--;
	core_wake(core);
	if (!query->incomplete && !c->guard->stopped && !c->guard->follows)
		feed_all(c);
	forget_rows(c);
	count_again(c, clock_mono() - c->began);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct guard_counting *c = arg;
	const struct guard *g = c->guard;

	(void)fd;
	(void)what;
	if (c->asked || g->stopped || g->follows)
		return;
	c->asked = true;
	c->began = clock_mono();
	g->core->edits++;
	c->query = (struct store_query){
		.reply_to = g->core->inbox, .run = run_count, .done = on_count
	};
	store_query(g->core->store, &c->query);
}

void
guard_count_all(struct guard *g)
{
	struct guard_counting *c = g->counting;

	if (c == NULL) {
		c = g->counting = xcalloc(1, sizeof(*c));
		c->guard = g;
		c->timer = evtimer_new(g->core->base, on_time, c);
	}
	count_again(c, 0);
}

void
guard_count_stop(struct guard *g)
{
	if (g->counting != NULL)
		event_del(g->counting->timer);
}

void
guard_count_free(struct guard *g)
{
	struct guard_counting *c = g->counting;

	if (c == NULL)
		return;
	forget_rows(c);
	event_free(c->timer);
	free(c->row);
	free(c);
	g->counting = NULL;
}

/* -- who judges ------------------------------------------------------------ */

void
guard_leads(struct guard *g, bool leads)
{
	if (g == NULL || g->follows == !leads)
		return;
	g->follows = !leads;
	log_text(LOG_INFO, "guard", "%s",
	    leads ? "this node judges, for all" : "another node judges");
	if (g->follows) {
		guard_count_stop(g);
		return;
	}
	guard_count_all(g);
	g->counting->cut = true;
}

/* -- what another one has done --------------------------------------------- */

static bool
has_changed(const struct guard_state *a, const struct guard_state *b)
{
	return a->level != b->level || a->since != b->since;
}

static bool
take_over(struct guard *g, const struct kept *k)
{
	struct guard_rules rules;
	struct guard_state was;
	struct guard_watch *w = guard_watch_of(g, k->key);

	if (w == NULL)
		return false;
	was = w->s;
	w = guard_take(g, k);
	w->kept = true;
	if (w->s.level == GUARD_PROBE && w->s.asked != was.asked &&
	    guard_rules_of(g, w->scope, &rules))
		guard_let_some_go(g, w, rules.probe);
	return has_changed(&was, &w->s);
}

static bool
end_others(struct guard *g)
{
	struct guard_watch *w, *next;
	bool ended = false;

	for (w = TAILQ_FIRST(&g->watches); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->kept)
			continue;
		guard_watch_end(g, w);
		ended = true;
	}
	return ended;
}

void
guard_kept(struct core *c, const struct kept *kept, size_t n)
{
	struct guard *g = c->guard;
	struct guard_watch *w;
	bool changed = false;

	if (g == NULL || !g->follows)
		return;
	TAILQ_FOREACH(w, &g->watches, link)
	w->kept = keep_is_ours(c, KIND, w->name);
	for (size_t i = 0; i < n; i++)
		if (!keep_is_ours(c, KIND, kept[i].key))
			changed |= take_over(g, &kept[i]);
	if (end_others(g) || changed) {
		lanes_wake(c->lanes);
		core_wake(c);
	}
}
