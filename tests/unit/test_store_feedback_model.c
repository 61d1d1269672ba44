/*
 * test_store_feedback_model.c - random histories of settlements and feedback,
 * against a model that knows no rows and no bits.
 *
 * The model writes down what has happened to each recipient and counts that
 * anew at every look. STORE_FEEDBACK_ROUNDS in the environment makes it longer.
 */
#include "tests/unit/feedback_fixture.h"

enum { ROUNDS = 12, STEPS = 400, MESSAGES = 15, WIDTH = 4 };
#define DUE INT64_C(1767225600000)

static const struct route *const routes[] = { &to_docomo, &to_ses };
static const enum counter ends[] = { COUNT_BOUNCED, COUNT_FILTERED,
	COUNT_EXPIRED, COUNT_SUPPRESSED };

enum whereabouts { WAITING, LEASED, SENDING, GONE };

struct rcpt {
	int64_t id;
	unsigned index, route;
	enum whereabouts where;
	bool unread;
	bool by_mta; /* sent is delivered */

	/* As it left. */
	bool left_sent, unseen; /* unseen: nothing was to be remembered */
	bool left_delivered;	/* and unseen */
	enum counter left_as;	/* the end, when not sent */
	int unreads, deferred;

	/* As it is told. */
	bool remembered, proved, delivered, complained, end_told;
	enum counter end;
	unsigned told_route; /* counted under, when unseen */
	int64_t noted;
};

struct world {
	struct rcpt r[MESSAGES * WIDTH];
	size_t n;
	long events[EVENT_NOTE + 1];
	int64_t clock;
};

static unsigned
pick(unsigned n)
{
	return (unsigned)random() % n;
}

/* -- what happens -------------------------------------------------------- */

static void
new_recipients(struct world *w)
{
	unsigned n = 1 + pick(WIDTH);
	bool leased = pick(2) == 0;
	int64_t id = put(n, DUE, leased);

	for (unsigned i = 0; i < n; i++)
		w->r[w->n++] = (struct rcpt){
			.id = id,
			.index = i,
			.by_mta = pick(2) == 0,
			.where = leased ? LEASED : WAITING,
		};
}

static void
lease(struct world *w)
{
	struct recipient *rcpt;
	struct store_lease l;

	ask_lease(&l, 7, DUE, 1 + pick(4));
	TAILQ_FOREACH(rcpt, &l.recipients, link)
	for (size_t i = 0; i < w->n; i++)
		if (w->r[i].id == rcpt->message->id &&
		    w->r[i].index == rcpt->index) {
			assert_int_equal(w->r[i].where, WAITING);
			assert_int_equal(w->r[i].unread, rcpt->unread);
			w->r[i].where = LEASED;
		}
	free_recipients(&l.recipients);
}

static void
begin(struct rcpt *r)
{
	unsigned route = pick(2);
	bool refused = r->unread && r->remembered;

	if (r->where == WAITING || r->where == GONE)
		return;
	assert_int_equal(ask_begin(r->id, r->index, routes[route], NULL),
	    refused ? STORE_REJECTED : STORE_OK);
	if (refused)
		return;
	r->where = SENDING;
	r->route = route;
}

static bool
is_delivered(const struct rcpt *r)
{
	return r->delivered || (r->by_mta && r->where == GONE && !r->unseen &&
				   (r->left_sent || r->proved));
}

/* That it was delivered is told once. */
static void
leave_as_sent(struct world *w, struct rcpt *r)
{
	r->where = GONE;
	r->left_sent = true;
	if (!r->by_mta)
		w->events[EVENT_SEND]++;
	else if (!r->delivered)
		w->events[EVENT_DELIVERY]++;
}

static void
settle_wait(struct world *w, struct rcpt *r)
{
	bool again = pick(2) == 0, unread = again && (r->unread || pick(2));
	struct settlement s =
	    settlement(r->id, r->index, again ? SETTLE_RETRY : SETTLE_RETURN,
		(again ? 1u << COUNT_DEFERRED : 0) |
		    (unread ? 1u << COUNT_UNREAD : 0));

	r->route = pick(2);
	s.route = routes[r->route];
	s.event = unread ? EVENT_UNREAD : EVENT_NONE;
	s.unread = unread;
	s.due = DUE;
	s.shelf = 7;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	r->unreads += unread;
	w->events[EVENT_UNREAD] += unread;
	r->unread = r->unread || unread;
	if (r->unread && r->remembered) {
		leave_as_sent(w, r);
		return;
	}
	r->where = WAITING;
	r->deferred += again;
}

static void
settle_last(struct world *w, struct rcpt *r)
{
	bool sent = pick(3) > 0, remember = pick(8) > 0;
	enum counter end = ends[pick(4)];
	struct settlement s = settlement(
	    r->id, r->index, SETTLE_FINAL, 1u << (sent ? COUNT_SENT : end));
	bool delivered = sent && r->by_mta;

	r->route = pick(2);
	s.route = routes[r->route];
	s.counters |= delivered ? 1u << COUNT_DELIVERED : 0;
	s.event = delivered ? EVENT_DELIVERY
		  : sent    ? EVENT_SEND
			    : EVENT_EXPIRED;
	s.address = pick(2) ? NULL : "user9@docomo.ne.jp";
	s.remember = remember ? FOREVER : 0;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	if (r->remembered && remember) {
		leave_as_sent(w, r);
		r->delivered = r->delivered || delivered;
		return;
	}
	w->events[s.event]++;
	r->where = GONE;
	r->delivered = r->delivered || (delivered && remember);
	r->left_delivered = delivered && !remember;
	r->left_sent = sent;
	r->left_as = end;
	r->unseen = !remember;
	r->remembered = r->remembered || remember;
}

/* -- what is told -------------------------------------------------------- */

/* A remembered one that had left otherwise was sent after all. */
static bool
prove(struct world *w, struct rcpt *r, enum feedback_kind kind)
{
	if (r->where == WAITING && r->unread) {
		if (kind == FEEDBACK_SENT ||
		    (kind == FEEDBACK_DELIVERED && r->by_mta)) {
			r->where = GONE;
			r->left_sent = true;
		} else {
			leave_as_sent(w, r);
		}
		return true;
	}
	if (r->where != GONE || r->unseen || r->left_sent || r->proved)
		return false;
	r->proved = true;
	return true;
}

static bool
set(bool *fact)
{
	bool news = !*fact;

	*fact = true;
	return news;
}

static bool
hear(struct rcpt *r, const struct feedback *f, bool delivered)
{
	switch (f->kind) {
	case FEEDBACK_SENT:
		return false;
	case FEEDBACK_DELIVERED:
		return !delivered && set(&r->delivered);
	case FEEDBACK_ENDED:
		if (r->where == GONE && !r->left_sent && !r->unseen)
			return false;
		if (r->end_told)
			return false;
		r->end = f->counter;
		return set(&r->end_told);
	case FEEDBACK_COMPLAINT:
		return set(&r->complained);
	case FEEDBACK_NOTE:
		if (f->at == r->noted)
			return false;
		r->noted = f->at;
		return true;
	}
	return false;
}

static enum feedback_result
expect(struct world *w, struct rcpt *r, const struct feedback *f)
{
	bool fresh = !r->remembered, delivered = is_delivered(r), moved, news;

	if (fresh && r->where == GONE)
		return FEEDBACK_UNKNOWN;
	if (fresh)
		r->told_route = r->route;
	r->remembered = true;
	moved = prove(w, r, f->kind);
	news = hear(r, f, delivered);
	if (!fresh && !moved && !news)
		return FEEDBACK_KNOWN;
	if (f->kind != FEEDBACK_SENT || (r->where == GONE && !r->unseen))
		w->events[f->event]++;
	return FEEDBACK_DONE;
}

static void
hear_of(struct world *w, struct rcpt *r)
{
	struct feedback f =
	    feedback(r->id, r->index, (enum feedback_kind)pick(5));
	enum feedback_result expected;

	f.is_delivered = r->by_mta;
	f.counter = ends[pick(4)];
	f.at = r->noted == 0 || pick(2) ? ++w->clock : r->noted;
	expected = expect(w, r, &f);
	assert_int_equal(tell(f), expected);
}

/* -- what is to be seen -------------------------------------------------- */

static void
count_one(const struct rcpt *r, int64_t n[2][COUNT_MAX])
{
	bool queued = r->where != GONE, row = r->remembered && !r->unseen;
	int64_t *left = n[r->route];
	int64_t *told = n[row && !queued ? r->route : r->told_route];
	bool ended = r->end_told;

	left[COUNT_ACCEPTED]++;
	if (!queued && r->left_sent)
		left[COUNT_SENT]++;
	if (!queued && !r->left_sent) {
		left[r->left_as]++;
		ended = ended || !r->unseen;
	}
	if (r->proved) {
		left[COUNT_SENT]++;
		left[COUNT_RETURNED]++;
	}
	if (r->end_told) {
		told[r->end]++;
		told[COUNT_RETURNED]++;
	}
	left[COUNT_DELIVERED] += r->left_delivered;
	told[COUNT_DELIVERED] += is_delivered(r) && !ended;
	told[COUNT_COMPLAINED] += r->complained;
}

/* Attempts are counted under the route of each, which the model forgets. */
static void
assert_counters(const struct world *w, const struct view *v)
{
	static const char *const path[] = { "mta", "ses" };
	int64_t n[2][COUNT_MAX] = { 0 }, unreads = 0, deferred = 0;

	for (size_t i = 0; i < w->n; i++) {
		count_one(&w->r[i], n);
		unreads += w->r[i].unreads;
		deferred += w->r[i].deferred;
	}
	for (int p = 0; p < 2; p++)
		for (int c = 0; c < COUNT_MAX; c++)
			if (c != COUNT_UNREAD && c != COUNT_DEFERRED)
				assert_int_equal(
				    count_of(v, path[p], (enum counter)c),
				    n[p][c]);
	assert_int_equal(unreads, count_of(v, "mta", COUNT_UNREAD) +
				      count_of(v, "ses", COUNT_UNREAD));
	assert_int_equal(deferred, count_of(v, "mta", COUNT_DEFERRED) +
				       count_of(v, "ses", COUNT_DEFERRED));
}

static void
assert_world(const struct world *w)
{
	struct view *v = look();
	long events[EVENT_NOTE + 1] = { 0 };
	size_t queued = 0;

	assert_equation(v);
	for (size_t i = 0; i < w->n; i++)
		queued += w->r[i].where != GONE;
	assert_int_equal(v->nrecipients, queued);
	for (size_t i = 0; i < v->nevents; i++)
		events[v->event[i].type]++;
	for (int t = 0; t <= EVENT_NOTE; t++)
		assert_int_equal(events[t], w->events[t]);
	assert_counters(w, v);
	look_away(v);
}

static void
assert_rows(const struct world *w)
{
	struct sent_view v;
	uint64_t rows = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct rcpt *r = &w->r[i];

		look_sent(&v, r->id, (int)r->index);
		assert_int_equal(v.n, r->remembered);
		rows += v.n;
		if (v.n == 0)
			continue;
		assert_int_equal(v.row[0].delivered, is_delivered(r));
		assert_int_equal(v.row[0].complained, r->complained);
	}
	assert_true(w->n == 0 || v.size == rows);
}

static void
step(struct world *w)
{
	struct rcpt *r = &w->r[pick((unsigned)w->n)];

	switch (pick(8)) {
	case 0:
		lease(w);
		break;
	case 1:
		begin(r);
		break;
	case 2:
		if (r->where == LEASED || r->where == SENDING)
			settle_wait(w, r);
		break;
	case 3:
		if (r->where == LEASED || r->where == SENDING)
			settle_last(w, r);
		break;
	default:
		hear_of(w, r);
		break;
	}
}

static void
round_of(unsigned seed)
{
	struct world *w = xcalloc(1, sizeof(*w));

	srandom(seed);
	w->clock = told_at(0);
	for (int i = 0; i < MESSAGES; i++)
		new_recipients(w);
	for (int i = 0; i < STEPS; i++) {
		step(w);
		if (i % 50 == 49)
			assert_world(w);
	}
	assert_rows(w);
	free(w);
}

static void
any_history_leaves_what_the_model_says(void **state)
{
	const char *rounds = getenv("STORE_FEEDBACK_ROUNDS");
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
		cmocka_unit_test(any_history_leaves_what_the_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
