/*
 * test_store_tally.c - counts by time against a ledger that knows no rows.
 *
 * The ledger is written anew at every look from what has happened to each
 * recipient. All happens in an hour to come, so that the store's own thread
 * folds none of it: what is folded, and when, is chosen here, with the engine
 * alone while the store is closed. STORE_TALLY_ROUNDS in the environment makes
 * it longer.
 */
#include "tests/unit/feedback_fixture.h"

#include "router/store/sqlite_int.h"

#define MINUTE INT64_C(60000)
#define HOUR   INT64_C(3600000)
#define DAY    INT64_C(86400000)

enum { ROUNDS = 6, STEPS = 400, MESSAGES = 14, WIDTH = 3, MINUTES = 200 };

/* Of the last two only the configuration set differs. */
static const struct route to_set2 = { .path = "ses", .pool = "", .source = "",
	.carrier = "", .group = "example.com", .rule = "default", .ruleset = "v1",
	.configuration_set = "set2" };
static const struct route *const routes[] = { &to_docomo, &to_ses, &to_set2 };
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static const char *const reasons[] = { "userunknown", "filtered", "expired",
	"mailboxfull" };
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

static const enum counter ends[] = { COUNT_BOUNCED, COUNT_FILTERED,
	COUNT_EXPIRED, COUNT_SUPPRESSED };
static const enum counter manners[] = { COUNT_HARD, COUNT_UNKNOWN,
	COUNT_EXEMPT };

struct cell { /* of one route and minute */
	int64_t n[COUNT_MAX], reason[COUNT_MAX][REASONS];
	int64_t times, buckets; /* deliveries, and the sum of their buckets */
};

struct ledger {
	struct cell cell[ROUTES][MINUTES];
};

struct an_end {
	enum counter as;
	unsigned manner; /* bits */
	unsigned reason;
};

enum whereabouts { WAITING, LEASED, GONE };

struct rcpt {
	int64_t id;
	unsigned index, route;
	enum whereabouts where;
	bool unread, by_mta;

	bool known;    /* remembered: told of, or as it left */
	int64_t at;    /* since then: the minute of what is counted for it */
	bool sent, ended, delivered, complained, unseen;
	struct an_end end;

	bool timed;    /* how long its delivery took is counted, there: */
	unsigned timed_route;
	int64_t timed_at, took;
};

struct world {
	struct rcpt r[MESSAGES * WIDTH];
	size_t n;
	struct ledger direct; /* what befell attempts, and those not remembered */
	struct ledger all, seen, watched;
	int64_t unread_at_start; /* by recovery, in the minute of the real clock */
	struct counters_watch watch;
	int64_t base, folded;
};

static struct world *w;

static unsigned
pick(unsigned n)
{
	return (unsigned)random() % n;
}

static int64_t
some_time(void)
{
	return w->base + (int64_t)pick(MINUTES - 10) * MINUTE +
	       (int64_t)pick(60000);
}

static struct cell *
cell_of(struct ledger *l, unsigned route, int64_t at)
{
	int64_t minute = (at - w->base) / MINUTE;

	assert_true(at >= w->base && minute < MINUTES);
	return &l->cell[route][minute];
}

static struct an_end
some_end(void)
{
	struct an_end e = { .as = ends[pick(4)], .reason = pick(REASONS) };

	for (size_t i = 0; i < 3; i++)
		if (pick(3) == 0)
			e.manner |= 1u << manners[i];
	return e;
}

static void
count_end(struct cell *c, const struct an_end *e)
{
	c->n[e->as]++;
	if (e->as != COUNT_REMOVED)
		c->reason[e->as][e->reason]++;
	for (size_t i = 0; i < 3; i++)
		c->n[manners[i]] += e->manner >> manners[i] & 1;
}

/* -- the ledger -------------------------------------------------------------- */

static bool
is_delivered(const struct rcpt *r)
{
	return !r->ended && (r->delivered || (r->by_mta && r->sent));
}

static void
write_down(const struct rcpt *r)
{
	struct cell *c =
	    cell_of(&w->all, r->route, message_id_time(r->id));

	c->n[COUNT_ACCEPTED]++;
	if (r->timed) {
		c = cell_of(&w->all, r->timed_route, r->timed_at);
		c->times++;
		c->buckets += tally_bucket(r->took);
	}
	if (!r->known)
		return;
	c = cell_of(&w->all, r->route, r->at);
	c->n[COUNT_SENT] += r->sent;
	c->n[COUNT_DELIVERED] += is_delivered(r);
	c->n[COUNT_COMPLAINED] += r->complained;
	if (!r->ended)
		return;
	count_end(c, &r->end);
	c->n[COUNT_RETURNED] += r->sent || r->where != GONE;
}

static void
write_ledger(void)
{
	w->all = w->direct;
	for (size_t i = 0; i < w->n; i++)
		write_down(&w->r[i]);
}

/* After whatever may have delivered it, at that time. */
static void
take_time(struct rcpt *r, int64_t at)
{
	if (r->timed || !is_delivered(r))
		return;
	r->timed = true;
	r->timed_route = r->route;
	r->timed_at = r->at;
	r->took = at - message_id_time(r->id);
}

/* -- what happens -------------------------------------------------------------- */

static void
new_recipients(void)
{
	struct store_enqueue *q = new_message(1 + pick(WIDTH), w->base, 10);
	struct recipient *r;

	q->message->id =
	    message_id_new(&the->ids, w->base + (int64_t)pick(60) * MINUTE);
	q->leased = pick(2) == 0;
	TAILQ_FOREACH(r, &q->recipients, link)
	{
		unsigned route = pick(ROUTES);

		r->route = *routes[route];
		w->r[w->n++] = (struct rcpt){ .id = q->message->id,
			.index = r->index,
			.route = route,
			.by_mta = pick(2) == 0,
			.where = q->leased ? LEASED : WAITING };
	}
	assert_int_equal(ask_enqueue(q), STORE_OK);
	free_message(q);
}

static void
lease(void)
{
	struct recipient *rcpt;
	struct store_lease l;

	ask_lease(&l, 7, w->base, 1 + pick(6));
	TAILQ_FOREACH(rcpt, &l.recipients, link)
	for (size_t i = 0; i < w->n; i++)
		if (w->r[i].id == rcpt->message->id &&
		    w->r[i].index == rcpt->index)
			w->r[i].where = LEASED;
	free_recipients(&l.recipients);
}

/* Begins, or is refused for what has been told: and what it is counted under
 * moves. */
static void
begin(struct rcpt *r)
{
	unsigned route = pick(ROUTES);
	bool refused = r->unread && r->known;

	if (r->known) /* what is told early stays where it is until it leaves */
		return;
	assert_int_equal(ask_begin(r->id, r->index, routes[route], NULL),
	    refused ? STORE_REJECTED : STORE_OK);
	r->route = route;
}

/* It leaves as sent, at that time, told of before or not. */
static void
leave_as_sent(struct rcpt *r, int64_t at)
{
	r->where = GONE;
	r->sent = true;
	if (!r->known)
		r->at = at;
	r->known = true;
	take_time(r, at);
}

static void
settle_wait(struct rcpt *r)
{
	bool unread = r->unread || pick(3) == 0, proved = unread && r->known;
	unsigned reason = pick(REASONS), route = r->known ? r->route
							  : pick(ROUTES);
	struct settlement s = settlement(r->id, r->index, SETTLE_RETRY,
	    1u << COUNT_DEFERRED | 1u << COUNT_ATTEMPTED |
		(unread ? 1u << COUNT_UNREAD : 0));
	struct cell *c;

	s.at = some_time();
	s.route = routes[route];
	s.reason = reasons[reason];
	s.unread = unread;
	s.due = w->base;
	s.shelf = 7;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	r->route = route;
	r->unread = unread;
	c = cell_of(&w->direct, route, s.at);
	c->n[COUNT_ATTEMPTED]++;
	c->n[COUNT_UNREAD] += unread;
	r->where = WAITING;
	if (proved) {
		leave_as_sent(r, s.at);
		return;
	}
	c->n[COUNT_DEFERRED]++;
	c->reason[COUNT_DEFERRED][reason]++;
}

static void
forget(struct rcpt *r, const struct settlement *s, const struct an_end *e)
{
	struct cell *c = cell_of(&w->direct, r->route, s->at);

	r->unseen = true;
	if (e != NULL) {
		count_end(c, e);
		return;
	}
	c->n[COUNT_SENT]++;
	if ((s->counters & 1u << COUNT_DELIVERED) == 0)
		return;
	c->n[COUNT_DELIVERED]++;
	c->times++;
	c->buckets += tally_bucket(s->at - message_id_time(r->id));
}

static unsigned
bits_of(const struct an_end *e)
{
	return 1u << e->as | e->manner;
}

static void
settle_last(struct rcpt *r)
{
	bool sent = pick(3) > 0, remember = r->known || pick(6) > 0;
	struct an_end e = some_end();
	struct settlement s = settlement(r->id, r->index, SETTLE_FINAL,
	    1u << COUNT_ATTEMPTED | (sent ? 1u << COUNT_SENT : bits_of(&e)));

	r->route = pick(ROUTES);
	if (sent && r->by_mta)
		s.counters |= 1u << COUNT_DELIVERED;
	s.at = some_time();
	s.route = routes[r->route];
	s.reason = sent ? "" : reasons[e.reason];
	s.address = pick(2) ? NULL : "user9@docomo.ne.jp";
	s.remember = remember ? FOREVER : 0;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	cell_of(&w->direct, r->route, s.at)->n[COUNT_ATTEMPTED]++;
	r->where = GONE;
	if (!remember) {
		forget(r, &s, sent ? NULL : &e);
	} else if (r->known || sent) {
		leave_as_sent(r, s.at);
	} else {
		r->known = r->ended = true;
		r->at = s.at;
		r->end = e;
	}
}

/* By an operator, while it waits; one that may have been sent is remembered. */
static void
remove_one(struct rcpt *r)
{
	struct store_queue_edit q = { .filter = { .message = r->id,
					  .index = (int)r->index },
		.delete = true,
		.now = some_time(),
		.remember = FOREVER };

	if (r->known || r->where != WAITING)
		return;
	prepare_request(&q.req);
	store_queue_edit(the->store, &q);
	await(1);
	assert_int_equal(q.req.status, STORE_OK);
	assert_int_equal(q.changed, 1);
	r->where = GONE;
	if (r->unread) {
		r->known = r->ended = true;
		r->at = q.now;
		r->end = (struct an_end){ .as = COUNT_REMOVED };
		return;
	}
	r->unseen = true;
	cell_of(&w->direct, r->route, q.now)->n[COUNT_REMOVED]++;
}

/* -- what is told ------------------------------------------------------------- */

static void
hear(struct rcpt *r, const struct feedback *f, const struct an_end *e)
{
	switch (f->kind) {
	case FEEDBACK_DELIVERED:
		r->delivered = true;
		break;
	case FEEDBACK_ENDED:
		if (!r->ended)
			r->end = *e;
		r->ended = true;
		break;
	case FEEDBACK_COMPLAINT:
		r->complained = true;
		break;
	case FEEDBACK_SENT:
	case FEEDBACK_NOTE:
		break;
	}
}

static void
hear_of(struct rcpt *r)
{
	struct feedback f =
	    feedback(r->id, r->index, (enum feedback_kind)pick(4));
	struct an_end e = some_end();
	struct store_feedback q;

	prepare_feedback(&q);
	q.now = some_time();
	f.at = q.now - (int64_t)pick(2) * (int64_t)pick(100000);
	f.is_delivered = r->by_mta;
	f.counter = e.as;
	f.also = e.manner;
	f.reason = f.kind == FEEDBACK_ENDED ? reasons[e.reason] : "";
	STAILQ_INSERT_TAIL(&q.list, &f, link);
	store_feedback(the->store, &q);
	await(1);
	assert_int_equal(q.req.status, STORE_OK);
	if (r->unseen) {
		assert_int_equal(f.result, FEEDBACK_UNKNOWN);
		return;
	}
	if (!r->known)
		r->at = q.now;
	r->known = true;
	hear(r, &f, &e);
	if (r->where == WAITING && r->unread)
		r->where = GONE;
	r->sent = r->sent || r->where == GONE;
	take_time(r, f.at);
}

/* -- folding, and the end of processes ------------------------------------------ */

static struct engine *
open_engine(void)
{
	struct err e = ERR_INIT;
	struct engine *eng = sqlite_engine.open(&the->config, &e);

	if (eng == NULL)
		fail_msg("%s", e.text);
	return eng;
}

/* Folds what is over at that time, at most so many slices of so many rows, and
 * adds up what was counted before one of them; each is rolled back by chance. */
static void
fold(int64_t now, size_t slices, size_t rows)
{
	struct engine *eng = open_engine();
	struct err e = ERR_INIT;
	size_t n = 1;
	bool more;

	for (; slices > 0 && n > 0; slices--) {
		assert_int_equal(eng->ops->begin(eng, &e), STORE_OK);
		if (pick(4) == 0)
			assert_int_equal(
			    sql_count_up(eng, now, &more, &e), STORE_OK);
		assert_int_equal(
		    sql_fold_tallies(eng, now, rows, &n, &e), STORE_OK);
		if (pick(4) > 0)
			assert_int_equal(eng->ops->commit(eng, &e), STORE_OK);
		else
			eng->ops->rollback(eng);
	}
	eng->ops->close(&eng);
}

static void see(void *, const struct tally_row *);

static void
take_watched(void)
{
	store_take_counters(the->store, &w->watch, see, &w->watched);
}

static void
stop_watching(void)
{
	event_base_loop(the->base, EVLOOP_NONBLOCK);
	take_watched();
	store_unwatch_counters(the->store, &w->watch);
}

static void
watch(void)
{
	w->watch.inbox = the->inbox;
	w->watch.told = NULL; /* taken by hand */
	store_watch_counters(the->store, &w->watch);
}

/* What was in memory comes back; what was being sent is unread. */
static void
restart(void)
{
	stop_watching();
	w->unread_at_start +=
	    fixture_sql("SELECT count(*) FROM recipient WHERE state = 2");
	store_close(&the->store);
	fold(some_time(), 1 + pick(40), 1 + pick(5));
	assert_int_equal(fixture_reopen(NULL), 0);
	watch();
}

/* -- what is to be seen ----------------------------------------------------------- */

static unsigned
route_of(const struct tally_key *k)
{
	unsigned i = 0;

	while (strcmp(routes[i]->path, k->path) != 0 ||
	       strcmp(routes[i]->configuration_set, k->configuration_set) != 0)
		assert_true(++i < ROUTES);
	assert_string_equal(k->group, routes[i]->group);
	assert_string_equal(k->carrier, routes[i]->carrier);
	assert_string_equal(k->rule, routes[i]->rule);
	assert_string_equal(k->source, routes[i]->source);
	assert_string_equal(k->sender, "example.jp");
	return i;
}

static void
see_tally(struct cell *c, const struct tally *t)
{
	for (int k = 0; k < COUNT_MAX; k++)
		c->n[k] += t->n[k];
	for (size_t i = 0; i < t->nreason; i++)
		for (size_t k = 0; k < REASONS; k++)
			if (strcmp(t->reason[i].name, reasons[k]) == 0)
				c->reason[t->reason[i].counter][k] +=
				    t->reason[i].n;
	for (unsigned b = t->times.from; b < t->times.to; b++) {
		c->times += t->times.n[b - t->times.from];
		c->buckets += t->times.n[b - t->times.from] * b;
	}
}

/* In the cell where its period begins; recovery's are of the real clock. */
static void
see(void *arg, const struct tally_row *row)
{
	struct ledger *l = arg;
	int64_t at = row->at < w->base ? w->base : row->at;

	assert_int_equal(row->at % row->span, 0);
	if (row->at + row->span <= w->base) {
		assert_true(row->tally->n[COUNT_UNREAD] > 0);
		return;
	}
	see_tally(cell_of(l, route_of(&row->key), at), row->tally);
}

struct look {
	struct store_query query;
	struct tally_filter filter;
	int64_t last; /* begin of the row before */
	size_t n;
};

static void
see_in_order(void *arg, const struct tally_row *row)
{
	struct look *l = arg;

	if (l->filter.step == TALLY_MINUTE)
		assert_true(row->at <= l->last);
	l->last = row->at;
	see(&w->seen, row);
}

static void
run_look(struct store_query *q, struct store_reader *r)
{
	struct look *l = container_of(q, struct look, query);

	l->n = store_read_tallies(r, &l->filter, see_in_order, l);
}

static size_t
read_tallies(struct tally_filter f)
{
	struct look l = { .filter = f, .last = INT64_MAX };

	memset(&w->seen, 0, sizeof(w->seen));
	l.query.reply_to = the->inbox;
	l.query.run = run_look;
	l.query.done = on_query_answer;
	store_query(the->store, &l.query);
	await(1);
	return l.n;
}

/* All of a ledger from since until before until, by periods of that length. */
static void
add_up(struct ledger *to, const struct ledger *from, int64_t since,
    int64_t until, int64_t span)
{
	const int64_t words = sizeof(struct cell) / sizeof(int64_t);

	memset(to, 0, sizeof(*to));
	for (unsigned r = 0; r < ROUTES; r++)
		for (int64_t m = 0; m < MINUTES; m++) {
			int64_t at = w->base + m * MINUTE, begin;
			const int64_t *a = (const int64_t *)&from->cell[r][m];
			int64_t *b;

			if (at < since || at >= until)
				continue;
			begin = at - at % span;
			if (begin < w->base)
				begin = w->base;
			b = (int64_t *)cell_of(to, r, begin);
			for (int64_t i = 0; i < words; i++)
				b[i] += a[i];
		}
}

/* What recovery has counted is in the hours and days of the real clock. */
static bool
is_blurred(enum counter c, int64_t span)
{
	return c == COUNT_UNREAD && span > MINUTE && w->unread_at_start > 0;
}

static void
assert_ledger(const struct ledger *expected, const struct ledger *seen,
    int64_t span)
{
	for (unsigned r = 0; r < ROUTES; r++)
		for (int m = 0; m < MINUTES; m++) {
			const struct cell *a = &expected->cell[r][m];
			const struct cell *b = &seen->cell[r][m];

			for (int c = 0; c < COUNT_MAX; c++) {
				if (!is_blurred((enum counter)c, span))
					assert_int_equal(a->n[c], b->n[c]);
				assert_memory_equal(a->reason[c], b->reason[c],
				    sizeof(a->reason[c]));
			}
			assert_int_equal(a->times, b->times);
			assert_int_equal(a->buckets, b->buckets);
		}
}

static void
assert_steps(void)
{
	static const int64_t span[] = { [TALLY_MINUTE] = MINUTE,
		[TALLY_HOUR] = HOUR, [TALLY_DAY] = DAY };
	static struct ledger expected;

	for (int s = TALLY_MINUTE; s <= TALLY_DAY; s++) {
		read_tallies((struct tally_filter){
		    .since = w->base - DAY, .step = (enum tally_step)s });
		add_up(&expected, &w->all, w->base, INT64_MAX, span[s]);
		assert_ledger(&expected, &w->seen, span[s]);
	}
}

/* Everything in one cell: rows of a window are of any length. */
static void
add_all(struct ledger *to, const struct ledger *from)
{
	struct ledger copy = *from;

	add_up(to, &copy, w->base, INT64_MAX, INT64_C(1000) * DAY);
}

static void
assert_window(int64_t since, int64_t until)
{
	static struct ledger expected, seen;

	read_tallies(
	    (struct tally_filter){ .since = since, .until = until });
	add_all(&seen, &w->seen);
	add_up(&expected, &w->all, since - since % MINUTE,
	    until != 0 ? until - until % MINUTE : INT64_MAX, DAY * 1000);
	assert_ledger(&expected, &seen, DAY);
}

static void
assert_windows(void)
{
	assert_window(0, 0);
	assert_window(some_time(), 0);
	assert_window(0, some_time());
	for (int i = 0; i < 4; i++)
		assert_window(some_time(), some_time());
}

/* Of all time, under each path; and nothing is ever less than none. */
static void
assert_totals(void)
{
	struct view *v = look();
	int64_t n[ROUTES][COUNT_MAX] = { 0 };

	assert_equation(v);
	for (unsigned r = 0; r < ROUTES; r++)
		for (int m = 0; m < MINUTES; m++)
			for (int c = 0; c < COUNT_MAX; c++) {
				assert_true(w->all.cell[r][m].n[c] >= 0);
				n[r][c] += w->all.cell[r][m].n[c];
			}
	n[0][COUNT_UNREAD] += w->unread_at_start;
	for (size_t i = 0; i < v->ncounters; i++) {
		const struct counter_row *c = &v->counter[i];
		const struct tally_key k = { c->path, c->carrier, c->group,
			c->sender, c->source, c->rule, c->configuration_set };
		unsigned r = route_of(&k);

		for (int j = 0; j < COUNT_MAX; j++)
			n[j == COUNT_UNREAD ? 0 : r][j] -= c->n[j];
	}
	for (unsigned r = 1; r < ROUTES; r++)
		n[0][COUNT_UNREAD] += n[r][COUNT_UNREAD],
		    n[r][COUNT_UNREAD] = 0;
	for (unsigned r = 0; r < ROUTES; r++)
		for (int c = 0; c < COUNT_MAX; c++)
			assert_int_equal(n[r][c], 0);
	look_away(v);
}

static void
assert_world(void)
{
	write_ledger();
	assert_totals();
	assert_steps();
	assert_windows();
	take_watched();
	assert_ledger(&w->all, &w->watched, MINUTE);
}

/* -- histories ----------------------------------------------------------------- */

static void
step(void)
{
	struct rcpt *r = &w->r[pick((unsigned)w->n)];

	switch (pick(12)) {
	case 0:
		lease();
		break;
	case 1:
		if (r->where == LEASED)
			begin(r);
		break;
	case 2:
	case 3:
		if (r->where == LEASED)
			settle_wait(r);
		break;
	case 4:
	case 5:
		if (r->where == LEASED)
			settle_last(r);
		break;
	case 6:
		if (pick(3) == 0)
			remove_one(r);
		break;
	default:
		hear_of(r);
		break;
	}
}

/* Those in memory are in no process's any more. */
static void
after_restart(void)
{
	struct view *v = look();

	for (size_t i = 0; i < v->nrecipients; i++)
		for (size_t k = 0; k < w->n; k++)
			if (v->recipient[i].message == w->r[k].id &&
			    v->recipient[i].index == w->r[k].index) {
				w->r[k].where = WAITING;
				w->r[k].unread = v->recipient[i].unread;
			}
	look_away(v);
}

static void
round_of(unsigned seed)
{
	w = xcalloc(1, sizeof(*w));
	srandom(seed);
	w->base = clock_wall() + HOUR;
	w->base -= w->base % MINUTE;
	watch();
	for (int i = 0; i < MESSAGES; i++)
		new_recipients();
	for (int i = 0; i < STEPS; i++) {
		step();
		if (i % 40 == 39) {
			assert_world();
			restart();
			after_restart();
			assert_world();
		}
	}
	store_unwatch_counters(the->store, &w->watch);
	free(w);
}

static void
any_history_is_counted_in_its_minutes(void **state)
{
	const char *rounds = getenv("STORE_TALLY_ROUNDS");
	int n = rounds != NULL ? atoi(rounds) : ROUNDS;

	for (int i = 0; i < n; i++) {
		set_up(state);
		round_of(4711 + (unsigned)i);
		tear_down(state);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_history_is_counted_in_its_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
