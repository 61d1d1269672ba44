/*
 * queue.c - which of the recipients in the store are in memory.
 */
#include "router/queue.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/core_int.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LEASE_MAX 256 /* recipients per lease */
#define FLOOR	  16  /* a shelf's room when memory is nearly full */
#define NEVER	  INT64_MAX

struct shelf {
	int64_t due;           /* earliest waiting in the store; NEVER: none */
	_Atomic unsigned held; /* in memory; written by the core, read by intake */
	bool leasing;          /* a lease is under way */
	bool ready;            /* in the list of those to look at */
	uint8_t avoided;       /* so many times in a row */
	int64_t avoid_until;   /* mono ms */
};

struct queue {
	struct core *core;
	size_t capacity;
	_Atomic size_t held; /* of all shelves */
	struct shelf shelves[STORE_SHELVES];
	unsigned ready[STORE_SHELVES]; /* a ring */
	size_t first, n;
	unsigned leases;               /* under way */
	int64_t scanned;               /* mono ms of the last look at all shelves */
	int64_t away_until;            /* mono ms: the store is not asked before */
	int64_t away_for;              /* ms: how long it was waited for last; 0: it is there */
	bool stopped;
	_Atomic bool resting;
};

struct queue *
queue_new(struct core *core, size_t capacity)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	q->core = core;
	q->capacity = capacity;
	for (unsigned i = 0; i < STORE_SHELVES; i++)
		q->shelves[i].due = NEVER;
	return q;
}

void
queue_free(struct queue **qp)
{
	free(*qp);
	*qp = NULL;
}

/* How many of one shelf may be in memory while so many are in all. */
static size_t
threshold(const struct queue *q)
{
	size_t held = atomic_load_explicit(&q->held, memory_order_relaxed);

	return held < q->capacity ? FLOOR + (q->capacity - held) / 2 : FLOOR;
}

bool
queue_has_room(const struct queue *q, unsigned shelf)
{
	return !atomic_load_explicit(&q->resting, memory_order_relaxed) &&
	    atomic_load_explicit(&q->shelves[shelf].held,
		memory_order_relaxed) < threshold(q);
}

static void
make_ready(struct queue *q, unsigned shelf)
{
	struct shelf *s = &q->shelves[shelf];

	if (s->ready || s->leasing)
		return;
	s->ready = true;
	q->ready[(q->first + q->n++) % STORE_SHELVES] = shelf;
}

void
queue_hold(struct queue *q, unsigned shelf)
{
	atomic_fetch_add_explicit(
	    &q->shelves[shelf].held, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&q->held, 1, memory_order_relaxed);
}

void
queue_release(struct queue *q, unsigned shelf)
{
	unsigned was = atomic_fetch_sub_explicit(
	    &q->shelves[shelf].held, 1, memory_order_relaxed);

	assert(was > 0);
	atomic_fetch_sub_explicit(&q->held, 1, memory_order_relaxed);
	if (q->shelves[shelf].due != NEVER)
		make_ready(q, shelf);
}

void
queue_note(struct queue *q, unsigned shelf, int64_t due)
{
	struct shelf *s = &q->shelves[shelf];

	if (due < s->due)
		s->due = due;
	if (s->due <= clock_wall())
		make_ready(q, shelf);
}

void
queue_note_all(struct queue *q)
{
	for (unsigned i = 0; i < STORE_SHELVES; i++)
		if (q->shelves[i].due != NEVER || q->shelves[i].leasing)
			queue_note(q, i, clock_wall());
}

/* -- what is for other nodes ------------------------------------------------ */

#define AVOID_FIRST INT64_C(4000) /* ms */
#define AVOID_TIMES 4             /* doubled so often at most */

/* From three quarters to five quarters of it, so that nodes do not go in step. */
static int64_t
jitter(int64_t ms)
{
	return ms * 3 / 4 + arc4random_uniform((uint32_t)(ms / 2 + 1));
}

void
queue_avoid(struct queue *q, unsigned shelf)
{
	struct shelf *s = &q->shelves[shelf];
	int64_t now = clock_mono();

	/* The others of the same lease say the same. */
	if (now < s->avoid_until)
		return;
	s->avoid_until = now + jitter(AVOID_FIRST << s->avoided);
	if (s->avoided < AVOID_TIMES)
		s->avoided++;
}

void
queue_avoid_none(struct queue *q)
{
	for (unsigned i = 0; i < STORE_SHELVES; i++) {
		q->shelves[i].avoid_until = 0;
		q->shelves[i].avoided = 0;
	}
}

/* -- leases --------------------------------------------------------------- */

struct lease {
	struct store_lease op;
	struct queue *queue;
};

#define AWAY_FIRST INT64_C(500) /* ms */
#define AWAY_MOST  INT64_C(8000)

/* All that is due asks again at its time, one of each shelf: not all nodes at once, for one that comes back has enough
 * to do. */
static void
wait_for_store(struct queue *q)
{
	int64_t now = clock_mono();

	if (now < q->away_until)
		return; /* others that were under way say the same */
	q->away_for = q->away_for == 0 ? AWAY_FIRST : q->away_for * 2;
	if (q->away_for > AWAY_MOST)
		q->away_for = AWAY_MOST;
	q->away_until = now + jitter(q->away_for);
}

void
queue_go_on(struct queue *q)
{
	q->away_until = q->away_for = 0;
}

/* What is due on the shelf is due still. */
static void
not_leased(struct queue *q, const struct store_lease *op)
{
	switch (op->req.status) {
	case STORE_AWAY:
		queue_note(q, op->shelf, clock_wall());
		wait_for_store(q);
		break;
	case STORE_FENCED:
		q->stopped = true;
		break;
	case STORE_OK:
	case STORE_FULL:
	case STORE_REJECTED:
	case STORE_FAILED:
		log_text(LOG_WARN, "lease", "%s", op->req.err.text);
		queue_note(q, op->shelf, clock_wall() + 1000);
		break;
	}
}

static void
on_leased(struct store_request *req)
{
	struct store_lease *op = container_of(req, struct store_lease, req);
	struct lease *l = container_of(op, struct lease, op);
	struct queue *q = l->queue;
	struct shelf *s = &q->shelves[op->shelf];
	struct recipient *r;

	s->leasing = false;
	q->leases--;
	core_store_answered(q->core, req);
	if (req->status != STORE_OK)
		not_leased(q, op);
	else if (op->next_due < s->due)
		s->due = op->next_due;
	if (req->status == STORE_OK)
		queue_go_on(q);
	if (s->due <= clock_wall())
		make_ready(q, op->shelf); /* noted meanwhile, or more than asked for */
	while ((r = TAILQ_FIRST(&op->recipients)) != NULL) {
		TAILQ_REMOVE(&op->recipients, r, link);
		queue_hold(q, op->shelf);
		core_take(q->core, r);
	}
	free(l);
	core_wake(q->core);
}

/* The room is taken when the answer comes; leases under way are bounded by the threshold's half. */
static void
lease(struct queue *q, unsigned shelf, size_t room)
{
	struct lease *l = xcalloc(1, sizeof(*l));
	struct shelf *s = &q->shelves[shelf];

	l->queue = q;
	l->op.req.reply_to = q->core->inbox;
	l->op.req.done = on_leased;
	l->op.shelf = shelf;
	l->op.now = clock_wall();
	l->op.max = room < LEASE_MAX ? room : LEASE_MAX;
	TAILQ_INIT(&l->op.recipients);
	s->leasing = true;
	s->due = NEVER; /* what is noted meanwhile counts again */
	q->leases++;
	store_lease(q->core->store, &l->op);
}

/*
 * A shelf that is nearly full waits until half of its room is free, so that a busy one is leased
 * in batches and not one by one.
 */
static void
look_at(struct queue *q, unsigned shelf, int64_t now)
{
	struct shelf *s = &q->shelves[shelf];
	size_t held = atomic_load_explicit(&s->held, memory_order_relaxed);
	size_t most = threshold(q);

	s->ready = false;
	if (s->due > now || s->leasing || held * 2 > most ||
	    (s->avoid_until != 0 && clock_mono() < s->avoid_until))
		return;
	lease(q, shelf, most - held);
}

/* Due times pass without anybody saying so: each second all shelves are looked at. */
static void
scan(struct queue *q, int64_t now)
{
	int64_t mono = clock_mono();

	if (mono - q->scanned < 1000)
		return;
	q->scanned = mono;
	for (unsigned i = 0; i < STORE_SHELVES; i++)
		if (q->shelves[i].due <= now)
			make_ready(q, i);
}

#define LEASES_MAX 16 /* under way at once */

void
queue_run(struct queue *q)
{
	int64_t now = clock_wall();
	size_t n;

	if (q->stopped || atomic_load(&q->resting) ||
	    (q->away_for != 0 && clock_mono() < q->away_until))
		return;
	scan(q, now);
	for (n = q->n; n > 0 && q->leases < LEASES_MAX; n--) {
		unsigned shelf = q->ready[q->first];
		q->first = (q->first + 1) % STORE_SHELVES;
		q->n--;
		look_at(q, shelf, now);
	}
}

void
queue_stop(struct queue *q)
{
	q->stopped = true;
}

void
queue_rest(struct queue *q, bool rest)
{
	atomic_store(&q->resting, rest);
}

bool
queue_is_idle(const struct queue *q)
{
	return q->leases == 0;
}

size_t
queue_held(const struct queue *q)
{
	return atomic_load_explicit(&q->held, memory_order_relaxed);
}
