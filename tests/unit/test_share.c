/*
 * test_share.c - that what all nodes share is divided fairly, is used, and is
 * never exceeded, whatever becomes of them.
 */
#include "share_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* -- dividing -------------------------------------------------------------- */

#define NOW 1000000

/* The asker is node 1. */
struct division {
	const char *what;
	struct share ask;
	struct share_row rows[6];
	uint64_t target, reserved, others;
};

#define OTHER(e, r, w)                                                         \
	{                                                                      \
		.epoch = (e), .reserved = (r), .want = (w), .limit = 100,      \
		.until = NOW + 5000, .asked = NOW - 500, .since = NOW - 500    \
	}
#define DEAD(e, r, w)                                                          \
	{                                                                      \
		.epoch = (e), .reserved = (r), .want = (w), .limit = 100,      \
		.until = NOW + 1000, .asked = NOW - 6000                       \
	}
#define ASK(l, p, k, w)                                                        \
	{                                                                      \
		.limit = (l), .period = (p), .held = (k), .keep = (k),         \
		.want = (w)                                                    \
	}

static const struct division divisions[] = {
	{ "alone, with half of the rest lent", ASK(10, 1000, 0, 4), { { 0 } },
	    7, 7, 0 },
	{ "alone, and it is to be spent", ASK(10, 60000, 0, 4), { { 0 } }, 4, 4,
	    0 },
	{ "alone, and it wants more than there is", ASK(10, 1000, 0, 40),
	    { { 0 } }, 10, 10, 0 },
	{ "the other has all", ASK(10, 1000, 0, 10), { OTHER(2, 10, 10) }, 0, 0,
	    10 },
	{ "it has all itself", ASK(10, 1000, 10, 10), { OTHER(2, 0, 10) }, 5,
	    10, 10 },
	{ "part of it is in use", ASK(10, 1000, 7, 10), { OTHER(2, 0, 10) }, 5,
	    7, 10 },
	{ "who wants little gets it", ASK(10, 1000, 0, 10),
	    { OTHER(2, 2, 2), OTHER(3, 3, 10) }, 4, 4, 12 },
	{ "what others have too much is not there yet", ASK(10, 1000, 0, 10),
	    { OTHER(2, 2, 2), OTHER(3, 6, 10) }, 2, 2, 12 },
	{ "of the dead it stands", ASK(10, 1000, 0, 10), { DEAD(2, 4, 10) }, 6,
	    6, 0 },
	{ "what has lapsed does not count", ASK(10, 1000, 0, 10),
	    { { .epoch = 2,
		.reserved = 9,
		.want = 9,
		.limit = 10,
		.until = NOW,
		.asked = NOW - 100 } },
	    10, 10, 0 },
	{ "what was spent does", ASK(10, 60000, 0, 10),
	    { { .epoch = -9, .reserved = 9, .until = NOW + 1 } }, 1, 1, 0 },
	{ "and what is being told",
	    { .limit = 10, .period = 60000, .spent = 3, .want = 10 },
	    { { .epoch = -9, .reserved = 6, .until = NOW + 1 } }, 1, 1, 0 },
	{ "the smaller limit holds", ASK(10, 1000, 0, 10),
	    { { .epoch = 2,
		.reserved = 1,
		.want = 1,
		.limit = 5,
		.until = NOW + 1,
		.asked = NOW } },
	    4, 4, 1 },
	{ "the limit has become smaller than what is in use",
	    ASK(3, 1000, 7, 10), { { 0 } }, 3, 7, 0 },
	{ "who wants nothing keeps what is in use", ASK(10, 1000, 2, 0),
	    { OTHER(2, 1, 1) }, 0, 2, 1 },
	{ "nothing is left of a turn of others", ASK(1, 1000, 0, 1),
	    { OTHER(2, 1, 1) }, 0, 0, 1 },
};

static void
test_division(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(divisions) / sizeof(divisions[0]); i++) {
		const struct division *d = &divisions[i];
		struct share ask = d->ask;
		struct share_row mine;

		share_divide(&ask, d->rows, 6, 1, NOW, &mine);
		if (ask.reserved != d->target || mine.reserved != d->reserved ||
		    ask.others != d->others)
			fail_msg("%s: %llu of %llu, others %llu", d->what,
			    (unsigned long long)ask.reserved,
			    (unsigned long long)mine.reserved,
			    (unsigned long long)ask.others);
	}
}

/* -- many of them ---------------------------------------------------------- */

struct expectation {
	const char *what;
	struct model_trial trial;
	unsigned used;	  /* of 100 that might be, at least */
	unsigned uneven;  /* the busiest node has so many of 100 of the idlest,
			     at  most */
	unsigned longest; /* ms that a node is without, at most */
};

static const struct expectation busy[] = {
	{ "10/s of 3", { 10, 3, 1000, 60, 15, 0, 0, 0, 0 }, 90, 130, 3000 },
	{ "100/s of 7", { 100, 7, 1000, 60, 15, 0, 0, 0, 0 }, 90, 115, 3000 },
	{ "1000/s of 50", { 1000, 50, 1000, 30, 15, 0, 0, 0, 0 }, 90, 120,
	    3000 },
	{ "1/s of 50", { 1, 50, 1000, 10, 10, 0, 0, 0, 0 }, 90, 400, 250000 },
	{ "5 in 5 s of 8", { 5, 8, 5000, 60, 15, 0, 0, 0, 0 }, 90, 160, 60000 },
	{ "600/min of 4", { 600, 4, 60000, 60, 15, 0, 0, 0, 0 }, 90, 160,
	    120000 },
	{ "100 in 20 s of 10", { 100, 10, 20000, 60, 15, 0, 0, 0, 0 }, 90, 160,
	    60000 },
};

static void
check_model(const struct model *m, const char *what, unsigned open)
{
	size_t worst = m->trial.period > 0 ? model_worst(m) : open;

	if (worst > m->trial.limit || m->most > m->trial.limit)
		fail_msg("%s: %zu in a window, %llu reserved of %u", what,
		    worst, (unsigned long long)m->most, m->trial.limit);
}

/* What came before is no matter of what follows. */
static size_t
settle_in(struct model *m)
{
	model_run(m, 20000);
	for (unsigned i = 0; i < m->trial.nodes; i++)
		m->node[i].done = 0;
	m->questions = 0;
	return m->narrivals;
}

static void
check_use(const struct model *m, size_t before, const struct expectation *e,
    int64_t length)
{
	double might =
	    (double)m->trial.limit * (double)length / (double)m->trial.period;
	uint64_t most = 0, least = UINT64_MAX;
	int64_t longest = 0;

	for (unsigned i = 0; i < m->trial.nodes; i++) {
		const struct model_node *n = &m->node[i];

		most = n->done > most ? n->done : most;
		least = n->done < least ? n->done : least;
		longest = n->longest > longest ? n->longest : longest;
	}
	print_message("%-18s used %.1f %%, a node %llu to %llu, longest wait "
		      "%.1f s, %.1f questions/s\n",
	    e->what, 100 * (double)(m->narrivals - before) / might,
	    (unsigned long long)least, (unsigned long long)most,
	    (double)longest / 1000,
	    (double)m->questions * 1000 / (double)length);
	assert_true((double)(m->narrivals - before) * 100 >= e->used * might);
	assert_true(most * 100 <= least * e->uneven);
	assert_true(longest <= e->longest);
}

static void
test_busy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++) {
		const struct expectation *e = &busy[i];
		int64_t length = e->trial.limit == 1 ? 600000 : 300000;
		struct model *m = model_new(&e->trial);
		size_t before = settle_in(m);
		unsigned open = model_run(m, length);

		check_model(m, e->what, open);
		check_use(m, before, e, length);
		model_free(m);
	}
}

static void
test_trouble(void **state)
{
	struct model_trial t;
	char what[100];

	(void)state;
	for (unsigned seed = 0; seed < 60; seed++) {
		static const int64_t periods[] = { 0, 100, 1000, 1000, 5000,
			20000, 60000 };

		srandom(seed);
		t = (struct model_trial){ .nodes = 1 + chance(8),
			.period = periods[chance(7)],
			.length = 1 + chance(3) * 700,
			.slow = 1 + chance(3) * 400,
			.lost = chance(3) * 10,
			.deaths = chance(2) * 5000,
			.pauses = chance(2) * 5000,
			.per_second = chance(2) * 20 };
		t.limit = 1 + chance(1 + chance(60));
		snprintf(what, sizeof(what),
		    "seed %u: %u in %lld ms of %u nodes", seed, t.limit,
		    (long long)t.period, t.nodes);
		struct model *m = model_new(&t);
		unsigned open = model_run(m, 120000);

		check_model(m, what, open);
		model_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_division),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
