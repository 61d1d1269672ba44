/*
 * share_model.h - nodes that share a budget, in a time of their own.
 *
 * Each node is what the program has of one (budget.h), the database is a list
 * of rows under share_divide; in between questions and answers take their time,
 * are lost, and nodes join, leave, stop for a while and die. What each node
 * sends arrives at some moment between its start and its end; whoever asks is
 * told whether any window held more than the limit.
 */
#ifndef TESTS_UNIT_SHARE_MODEL_H
#define TESTS_UNIT_SHARE_MODEL_H

#include "router/budget.h"
#include "router/store/share_divide.h"

#include "mta/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_LEASE   10000
#define MODEL_NODES   64
#define MODEL_FLIGHTS 4096

struct model_trial { /* how bad the world is */
	unsigned limit, nodes;
	int64_t period;
	unsigned length;     /* ms that one is on its way, at most */
	unsigned slow;	     /* ms of a question or an answer, at most */
	unsigned lost;	     /* of 100 questions */
	unsigned deaths;     /* ms between two, about; 0: none */
	unsigned pauses;     /* likewise */
	unsigned per_second; /* arrivals of demand per node; 0: always more */
};

struct model_flight {
	int node;
	int64_t arrives, ends;
	bool arrived;
};

struct model_node {
	bool lives;
	int64_t epoch, ahead; /* its clock is */
	int64_t asleep_until, lease_until;
	struct budget budget;
	struct share question;
	int64_t asks_at, answers_at; /* the question under way */
	uint64_t waiting, done, last_done;
	int64_t longest; /* without any */
};

struct model {
	struct model_trial trial;
	int64_t now, db_ahead, next_epoch;
	struct model_node node[MODEL_NODES];
	struct share_row rows[1000];
	size_t nrows;
	struct model_flight flight[MODEL_FLIGHTS];
	size_t nflights;
	int64_t *journal;
	size_t narrivals, room;
	uint64_t most; /* reserved at once */
	size_t questions;
};

static unsigned
chance(unsigned n)
{
	return n > 0 ? (unsigned)random() % n : 0;
}

/* -- the database ---------------------------------------------------------- */

static void
put_row(struct model *m, const struct share_row *r, bool add)
{
	for (size_t i = 0; i < m->nrows; i++)
		if (m->rows[i].epoch == r->epoch) {
			uint64_t had = m->rows[i].reserved;

			m->rows[i] = *r;
			m->rows[i].reserved += add ? had : 0;
			return;
		}
	if (m->nrows == sizeof(m->rows) / sizeof(m->rows[0]))
		abort();
	m->rows[m->nrows++] = *r;
}

static void
execute(struct model *m, struct model_node *n)
{
	int64_t db = m->now + m->db_ahead, until;
	struct share_row mine;
	uint64_t sum = 0;
	size_t kept = 0;

	for (size_t i = 0; i < m->nrows; i++)
		if (m->rows[i].until > db)
			m->rows[kept++] = m->rows[i];
	m->nrows = kept;
	m->questions++;
	share_divide(&n->question, m->rows, m->nrows, n->epoch, db, &mine);
	mine.until =
	    db + m->trial.period + (n->question.rests ? 0 : MODEL_LEASE);
	put_row(m, &mine, false);
	if (n->question.spent > 0) {
		until = share_lapses(db, m->trial.period);
		put_row(m,
		    &(struct share_row){ .epoch = -until,
			.reserved = n->question.spent,
			.until = until },
		    true);
	}
	n->question.valid = MODEL_LEASE;
	for (size_t i = 0; i < m->nrows; i++)
		sum += m->rows[i].reserved;
	if (sum > m->most)
		m->most = sum;
}

/* -- nodes ----------------------------------------------------------------- */

static int64_t
clock_of(const struct model *m, const struct model_node *n)
{
	return m->now + n->ahead;
}

static void
join(struct model *m, struct model_node *n)
{
	memset(n, 0, sizeof(*n));
	n->lives = true;
	n->epoch = ++m->next_epoch;
	n->ahead = (int64_t)chance(2000000);
	n->last_done = (uint64_t)m->now;
	budget_init(&n->budget);
	budget_set(&n->budget, m->trial.limit, m->trial.period, clock_of(m, n));
}

static void
die(struct model *m, int i)
{
	size_t kept = 0;

	for (size_t k = 0; k < m->nflights; k++)
		if (m->flight[k].node != i)
			m->flight[kept++] = m->flight[k];
	m->nflights = kept;
	budget_clear(&m->node[i].budget);
	m->node[i].lives = false;
}

static void
arrive(struct model *m, struct model_node *n)
{
	if (m->narrivals == m->room) {
		m->room = m->room * 2 + 1000;
		m->journal =
		    xrealloc(m->journal, m->room * sizeof(*m->journal));
	}
	m->journal[m->narrivals++] = m->now;
	if (m->now - (int64_t)n->last_done > n->longest)
		n->longest = m->now - (int64_t)n->last_done;
	n->last_done = (uint64_t)m->now;
	n->done++;
}

static void
start(struct model *m, int i)
{
	struct model_node *n = &m->node[i];
	unsigned length = 1 + chance(m->trial.length);

	if (m->nflights == MODEL_FLIGHTS)
		abort();
	budget_start(&n->budget, 1);
	if (n->waiting > 0)
		n->waiting--;
	m->flight[m->nflights++] = (struct model_flight){ .node = i,
		.arrives = m->now + chance(length),
		.ends = m->now + length };
	/* What is open counts from its beginning. */
	if (m->trial.period == 0)
		arrive(m, n);
}

static uint64_t
demand(const struct model *m, const struct model_node *n)
{
	uint64_t more =
	    m->trial.per_second == 0 ? 2 * m->trial.limit : n->waiting;

	return m->trial.period == 0 ? more + n->budget.out : more;
}

static void
talk(struct model *m, struct model_node *n)
{
	int64_t now = clock_of(m, n);

	if (n->asks_at > 0 && n->asks_at <= m->now) {
		n->asks_at = 0;
		if (chance(100) < m->trial.lost) {
			budget_no_answer(&n->budget);
			n->answers_at = 0;
		} else
			execute(m, n);
	}
	if (n->answers_at > 0 && n->answers_at <= m->now && n->asks_at == 0) {
		n->answers_at = 0;
		budget_answer(&n->budget, &n->question);
	}
	if (n->answers_at == 0 && budget_due(&n->budget) <= now) {
		budget_ask(&n->budget, demand(m, n), now, &n->question);
		n->asks_at = m->now + 1 + chance(m->trial.slow);
		n->answers_at = n->asks_at + 1 + chance(m->trial.slow);
	}
}

static void
run_node(struct model *m, int i)
{
	struct model_node *n = &m->node[i];
	int64_t now = clock_of(m, n);

	if (m->trial.per_second > 0 && chance(1000) < m->trial.per_second)
		n->waiting++;
	/* It sees that its lease has ended, and begins anew. */
	if (n->lease_until > 0 && m->now >= n->lease_until) {
		die(m, i);
		join(m, n);
		return;
	}
	n->lease_until = m->now + MODEL_LEASE;
	talk(m, n);
	while ((m->trial.per_second == 0 || n->waiting > 0) &&
	       budget_room(&n->budget, now) > 0)
		start(m, i);
}

/* What is on its way of a node that sleeps arrives when it wakes, if the node
 * holds its lease then. */
static void
run_flights(struct model *m)
{
	size_t kept = 0;

	for (size_t k = 0; k < m->nflights; k++) {
		struct model_flight *f = &m->flight[k];
		struct model_node *n = &m->node[f->node];

		if (n->asleep_until > m->now) {
			m->flight[kept++] = *f;
			continue;
		}
		if (!f->arrived && f->arrives <= m->now) {
			f->arrived = true;
			if (m->trial.period > 0 &&
			    clock_of(m, n) < n->budget.valid)
				arrive(m, n);
		}
		if (f->ends <= m->now)
			budget_end(&n->budget, 1, clock_of(m, n));
		else
			m->flight[kept++] = *f;
	}
	m->nflights = kept;
}

static void
trouble(struct model *m)
{
	const struct model_trial *t = &m->trial;
	int i = (int)chance(t->nodes);

	if (t->deaths > 0 && chance(t->deaths) == 0) {
		if (m->node[i].lives)
			die(m, i);
		else
			join(m, &m->node[i]);
	}
	if (t->pauses > 0 && chance(t->pauses) == 0)
		m->node[i].asleep_until =
		    m->now + 1 +
		    chance(t->period > 0 ? 30000 : MODEL_LEASE / 2);
}

static unsigned
open_now(const struct model *m)
{
	return (unsigned)m->nflights;
}

/* ms; returns how many were open at once at most. */
static unsigned
model_run(struct model *m, int64_t length)
{
	int64_t end = m->now + length;
	unsigned open = 0;

	for (; m->now < end; m->now++) {
		trouble(m);
		run_flights(m);
		for (unsigned i = 0; i < m->trial.nodes; i++)
			if (m->node[i].lives &&
			    m->node[i].asleep_until <= m->now)
				run_node(m, (int)i);
		if (open_now(m) > open)
			open = open_now(m);
	}
	return open;
}

static struct model *
model_new(const struct model_trial *t)
{
	struct model *m = xcalloc(1, sizeof(*m));

	m->trial = *t;
	m->now = 1000000;
	m->db_ahead = 1700000000000;
	for (unsigned i = 0; i < t->nodes; i++)
		join(m, &m->node[i]);
	return m;
}

static void
model_free(struct model *m)
{
	for (int i = 0; i < MODEL_NODES; i++)
		if (m->node[i].lives)
			budget_clear(&m->node[i].budget);
	free(m->journal);
	free(m);
}

/* The most in any window. */
static size_t
model_worst(const struct model *m)
{
	size_t worst = 0, first = 0;

	for (size_t i = 0; i < m->narrivals; i++) {
		while (m->journal[i] - m->journal[first] >= m->trial.period)
			first++;
		if (i - first + 1 > worst)
			worst = i - first + 1;
	}
	return worst;
}

#endif
