/*
 * test_compare.c - which of two paths delivers better: whether it is called
 * right when chance has a say, in which words, and with which warnings.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "router/compare.h"
#include "router/proportion.h"
#include "router/store/store.h"

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)
#define DAY0 INT64_C(1795392000000) /* 2026-11-23 */

/* -- chance, the same in each run ------------------------------------------ */

static uint64_t dice;

/* S. Vigna's splitmix64. */
static uint64_t throw(void)
{
	uint64_t z = dice += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool
happens(double share)
{
	return (double)(throw() >> 11) * 0x1p-53 < share;
}

static int64_t
count_happens(double share, int64_t of)
{
	int64_t n = 0;

	for (int64_t i = 0; i < of; i++)
		n += happens(share);
	return n;
}

/* -- what is compared ------------------------------------------------------ */

struct given {
	const char *rule, *carrier, *path, *sender;
	int64_t at, delivered, failed;
	bool ses;
	int64_t unconfirmed, waiting, ms;
};

static void
add(struct compare *c, const struct given *g)
{
	struct tally t = { .n = {
			       [COUNT_ACCEPTED] = g->delivered + g->failed +
						  g->unconfirmed + g->waiting,
			       [COUNT_SENT] = g->delivered + g->unconfirmed,
			       [COUNT_DELIVERED] = g->delivered,
			       [COUNT_BOUNCED] = g->failed,
			   } };
	struct tally_row row = { .at = g->at != 0 ? g->at : DAY0,
		.span = HOUR,
		.key = { .path = g->path,
		    .carrier = g->carrier != NULL ? g->carrier : "docomo",
		    .group = g->carrier != NULL ? g->carrier : "docomo",
		    .sender = g->sender != NULL ? g->sender : "news.example",
		    .source = "",
		    .rule = g->rule != NULL ? g->rule : "compare",
		    .configuration_set = "" },
		.tally = &t };

	if (g->ms > 0)
		tally_add_time(&t, g->ms, g->delivered);
	compare_add(c, &row, g->ses);
	tally_clear(&t);
}

static struct compare *
compare_of(const struct given *given, size_t n)
{
	struct compare *c = compare_new(NULL, NULL, DAY);

	for (size_t i = 0; i < n; i++)
		add(c, &given[i]);
	return c;
}

static struct compare *
compare_two(int64_t d1, int64_t n1, int64_t d2, int64_t n2,
    const struct compare_row **row)
{
	const struct given given[] = {
		{ .path = "ses",
		    .ses = true,
		    .delivered = d2,
		    .failed = n2 - d2 },
		{ .path = "mta", .delivered = d1, .failed = n1 - d1 },
	};
	struct compare *c = compare_of(given, 2);

	assert_int_equal(compare_rows(c, row), 1);
	return c;
}

static void
is(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.6f is not %.6f", got, want);
}

static void
says(const struct compare_words *words, const char *en, const char *ja)
{
	assert_string_equal(words->en.data, en);
	assert_string_equal(words->ja.data, ja);
}

/* -- called right ---------------------------------------------------------- */

#define RUNS 1000

struct trial {
	double a, b;  /* what is true */
	int64_t n, m; /* messages by each path */
	int verdicts[4], covered, covered_a, covered_b, small_p;
};

static void
run_trial(struct trial *t)
{
	for (int run = 0; run < RUNS; run++) {
		const struct compare_row *row;
		struct compare *c = compare_two(count_happens(t->a, t->n), t->n,
		    count_happens(t->b, t->m), t->m, &row);
		const struct rate *a = &row->side[0].rate,
				  *b = &row->side[1].rate;

		t->verdicts[row->verdict]++;
		t->covered +=
		    row->low <= t->a - t->b && t->a - t->b <= row->high;
		t->covered_a += a->low <= t->a && t->a <= a->high;
		t->covered_b += b->low <= t->b && t->b <= b->high;
		t->small_p += row->p_value < 0.05;
		compare_free(&c);
	}
}

/* Of 1,000 runs 950 are to be covered; chance moves that by 6.9 (standard
 * deviation), and the methods' own coverage wavers a little around 95 %: four
 * deviations. */
static void
about_95_percent(int covered)
{
	assert_in_range(covered, 922, 978);
}

/* Show 4: 95 % against 90 %. */
static void
a_true_difference_is_found(void **state)
{
	struct trial halves = { .a = 0.95, .b = 0.90, .n = 1500, .m = 1500 };
	struct trial few = { .a = 0.95, .b = 0.90, .n = 9500, .m = 500 };
	struct trial worse = { .a = 0.90, .b = 0.95, .n = 1500, .m = 1500 };

	(void)state;
	dice = 1;
	run_trial(&halves);
	about_95_percent(halves.covered);
	about_95_percent(halves.covered_a);
	about_95_percent(halves.covered_b);
	/* Five standard errors apart: hardly ever missed. */
	assert_true(halves.verdicts[COMPARE_BETTER] >= 995);
	assert_int_equal(halves.verdicts[COMPARE_WORSE], 0);
	assert_int_equal(halves.verdicts[COMPARE_EQUAL], 0);
	/* As in the sample rules, 5 % by ses: 3.7 errors apart. */
	run_trial(&few);
	about_95_percent(few.covered);
	about_95_percent(few.covered_b);
	assert_true(few.verdicts[COMPARE_BETTER] >= 900);
	assert_int_equal(few.verdicts[COMPARE_WORSE], 0);
	run_trial(&worse);
	assert_true(worse.verdicts[COMPARE_WORSE] >= 995);
	assert_int_equal(worse.verdicts[COMPARE_BETTER], 0);
}

static void
no_difference_is_rarely_found(void **state)
{
	static const struct {
		double share;
		int64_t n, m;
	} cases[] = { { 0.92, 1500, 1500 }, { 0.97, 9500, 500 },
		{ 0.99, 20000, 20000 } };

	(void)state;
	dice = 2;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trial t = { .a = cases[i].share,
			.b = cases[i].share,
			.n = cases[i].n,
			.m = cases[i].m };
		int wrong;

		run_trial(&t);
		about_95_percent(t.covered);
		wrong = t.verdicts[COMPARE_BETTER] + t.verdicts[COMPARE_WORSE];
		/* 50, give or take four deviations; asking the interval as
		 * well may only take from it. */
		assert_in_range(t.small_p, 22, 78);
		assert_true(wrong <= t.small_p && wrong >= 15);
	}
}

/* With as many messages as it asks for, four of five are settled. */
static void
as_many_as_needed_settle_it(void **state)
{
	static const struct {
		double a, b, first; /* first: its share of the messages */
	} cases[] = { { 0.95, 0.93, 0.5 }, { 0.95, 0.90, 0.95 },
		{ 0.80, 0.83, 0.3 } };

	(void)state;
	dice = 3;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double all = proportion_needed(cases[i].a, cases[i].b,
		    (1 - cases[i].first) / cases[i].first);
		struct trial t = { .a = cases[i].a,
			.b = cases[i].b,
			.n = (int64_t)(all * cases[i].first),
			.m = (int64_t)(all * (1 - cases[i].first)) };
		int right;

		run_trial(&t);
		right = t.verdicts[cases[i].a > cases[i].b ? COMPARE_BETTER
							   : COMPARE_WORSE];
		/* 800; four deviations are 51. The formula takes both
		 * variances as they are on average. */
		assert_in_range(right, 749, 851);
	}
}

/* -- numbers and words ----------------------------------------------------- */

static void
better_in_words(void **state)
{
	const struct compare_row *row;
	struct compare *c = compare_two(9410, 9500, 475, 500, &row);

	(void)state;
	assert_string_equal(row->side[0].path, "mta");
	assert_int_equal(row->verdict, COMPARE_BETTER);
	assert_int_equal(row->needed, -1);
	is(row->difference, 9410.0 / 9500 - 0.95, 1e-12);
	assert_true(row->p_value < 1e-6);
	assert_int_equal(row->nwarnings, 0);
	says(&row->text,
	    "mta delivers 4.1 points more to docomo than ses, 95 % sure "
	    "(2.4 to 6.3)",
	    "docomo宛の到達率はmtaがsesより4.1ポイント高い"
	    "（信頼度95 %、2.4～6.3ポイント）");
	compare_free(&c);
	c = compare_two(475, 500, 9410, 9500, &row);
	assert_int_equal(row->verdict, COMPARE_WORSE);
	says(&row->text,
	    "ses delivers 4.1 points more to docomo than mta, 95 % sure "
	    "(2.4 to 6.3)",
	    "docomo宛の到達率はsesがmtaより4.1ポイント高い"
	    "（信頼度95 %、2.4～6.3ポイント）");
	compare_free(&c);
}

static void
open_in_words(void **state)
{
	const struct compare_row *row;
	struct compare *c = compare_two(475, 500, 465, 500, &row);

	(void)state;
	assert_int_equal(row->verdict, COMPARE_OPEN);
	assert_int_equal(row->needed,
	    (int64_t)ceil(proportion_needed(0.95, 0.93, 1)) - 1000);
	says(&row->text,
	    "mta delivers 2.0 points more to docomo than ses so far, which "
	    "may be chance; 3,400 more messages would settle it",
	    "docomo宛の到達率は今のところmtaがsesより2.0ポイント高いが、"
	    "偶然かもしれない。あと約3,400通で決着する見込み");
	compare_free(&c);
	/* A single message on each side. */
	c = compare_two(1, 1, 0, 1, &row);
	assert_int_equal(row->verdict, COMPARE_OPEN);
	assert_true(row->needed >= 1);
	compare_free(&c);
	/* No difference at all, of too few to call it none. */
	c = compare_two(50, 50, 50, 50, &row);
	assert_int_equal(row->verdict, COMPARE_OPEN);
	assert_int_equal(row->needed, -1);
	is(row->p_value, 1, 0);
	says(&row->text,
	    "mta and ses deliver about the same to docomo so far: the "
	    "difference is between -7.1 and +7.1 points, 95 % sure",
	    "docomo宛の到達率は今のところmtaとsesでほぼ同じ"
	    "（差は-7.1～+7.1ポイント、信頼度95 %）");
	compare_free(&c);
}

static void
same_in_words(void **state)
{
	const struct compare_row *row;
	struct compare *c = compare_two(9900, 10000, 9899, 10000, &row);

	(void)state;
	assert_int_equal(row->verdict, COMPARE_EQUAL);
	assert_int_equal(row->needed, -1);
	says(&row->text,
	    "mta and ses deliver the same to docomo, within 0.3 points, 95 % "
	    "sure",
	    "docomo宛の到達率はmtaとsesで変わらない"
	    "（差は0.3ポイント以内、信頼度95 %）");
	assert_string_equal(compare_verdict_name(row->verdict), "same");
	compare_free(&c);
}

static void
nothing_known_in_words(void **state)
{
	static const struct given given[] = {
		{ .path = "mta", .carrier = "", .delivered = 10 },
		{ .path = "ses", .carrier = "", .ses = true, .unconfirmed = 9 },
	};
	struct compare *c = compare_of(given, 2);
	const struct compare_row *row;

	(void)state;
	assert_int_equal(compare_rows(c, &row), 1);
	assert_false(row->known);
	assert_int_equal(row->verdict, COMPARE_OPEN);
	assert_int_equal(row->needed, -1);
	assert_int_equal(row->side[1].unconfirmed, 9);
	assert_int_equal(row->side[1].p50, -1);
	assert_int_equal(row->nwarnings, 0);
	says(&row->text,
	    "nothing is known yet of what ses delivered to other domains",
	    "その他のドメイン宛にsesで届いたかどうかはまだ何もわからない");
	compare_free(&c);
}

/* -- which rows ------------------------------------------------------------ */

static void
pairs_of_paths(void **state)
{
	static const struct given given[] = {
		{ .path = "tokyo", .delivered = 5, .ms = 2000 },
		{ .path = "mta", .delivered = 5, .ms = 100 },
		{ .path = "osaka", .delivered = 5 },
		/* One path alone, and one by which nothing has ended. */
		{ .path = "mta", .carrier = "au", .delivered = 5 },
		{ .path = "ses", .carrier = "au", .ses = true, .waiting = 5 },
		/* Other rules and carriers are no other side. */
		{ .path = "ses", .rule = "bulk", .ses = true, .delivered = 5 },
		{ .path = "mta", .rule = "otp", .delivered = 5 },
		/* The simulator is no carrier. */
		{ .path = "a", .carrier = TALLY_SIMULATOR, .delivered = 5 },
		{ .path = "b", .carrier = TALLY_SIMULATOR, .delivered = 5 },
	};
	static const char *const want[][2] = { { "mta", "osaka" },
		{ "mta", "tokyo" }, { "osaka", "tokyo" } };
	struct compare *c = compare_of(given, sizeof(given) / sizeof(given[0]));
	const struct compare_row *rows;

	(void)state;
	assert_int_equal(compare_rows(c, &rows), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(rows[i].carrier, "docomo");
		assert_string_equal(rows[i].rule, "compare");
		for (size_t k = 0; k < 2; k++)
			assert_string_equal(rows[i].side[k].path, want[i][k]);
	}
	assert_in_range(rows[1].side[0].p50, 100, 107);
	assert_in_range(rows[1].side[1].p95, 2000, 2130);
	assert_int_equal(rows[2].side[0].p50, -1);
	/* Asked again, after more has come. */
	add(c, &given[8]);
	assert_int_equal(compare_rows(c, &rows), 3);
	compare_free(&c);
	c = compare_of(NULL, 0);
	assert_int_equal(compare_rows(c, &rows), 0);
	compare_free(&c);
}

/* -- warnings -------------------------------------------------------------- */

static bool
only_mta(void *arg, const char *rule, const char *path)
{
	(void)arg;
	return strcmp(rule, "compare") == 0 && strcmp(path, "mta") == 0;
}

static void
not_of_the_split(void **state)
{
	static const struct given given[] = {
		{ .path = "mta", .delivered = 50 },
		{ .path = "ses", .ses = true, .delivered = 50 },
	};
	struct compare *c = compare_new(only_mta, NULL, DAY);
	const struct compare_row *row;

	(void)state;
	add(c, &given[0]);
	add(c, &given[1]);
	assert_int_equal(compare_rows(c, &row), 1);
	assert_int_equal(row->nwarnings, 1);
	says(&row->warning[0],
	    "ses is not in the split of rule compare: what went there, as by "
	    "a fallback or an earlier rule, is no fair sample",
	    "sesはルールcompareの振り分け先ではない。フォールバックや"
	    "以前のルールで流れたメールは公平な標本ではない");
	compare_free(&c);
}

static void
other_senders(void **state)
{
	static const struct given given[] = {
		{ .path = "mta", .sender = "a.jp", .delivered = 900 },
		{ .path = "mta", .sender = "b.jp", .delivered = 100 },
		{ .path = "ses",
		    .sender = "a.jp",
		    .ses = true,
		    .delivered = 50,
		    .failed = 10 },
		{ .path = "ses",
		    .sender = "b.jp",
		    .ses = true,
		    .delivered = 40 },
	};
	struct compare *c = compare_of(given, 4);
	const struct compare_row *row;

	(void)state;
	assert_int_equal(compare_rows(c, &row), 1);
	assert_int_equal(row->nwarnings, 1);
	says(&row->warning[0],
	    "the senders differ: a.jp is 90 % of mta's mail and 60 % of "
	    "ses's",
	    "差出人の構成が違う: a.jpはmtaの90 %、sesの60 %を占める");
	compare_free(&c);
	/* A tenth apart is alike; so is what chance explains. */
	c = compare_of(
	    (const struct given[]){
		{ .path = "mta", .sender = "a.jp", .delivered = 90000 },
		{ .path = "mta", .sender = "b.jp", .delivered = 10000 },
		{ .path = "ses", .sender = "a.jp", .delivered = 80001 },
		{ .path = "ses", .sender = "b.jp", .delivered = 19999 } },
	    4);
	assert_int_equal(compare_rows(c, &row), 1);
	assert_int_equal(row->nwarnings, 0);
	compare_free(&c);
	c = compare_of(
	    (const struct given[]){
		{ .path = "mta", .sender = "a.jp", .delivered = 9 },
		{ .path = "ses", .sender = "b.jp", .delivered = 1 },
		{ .path = "mta", .sender = "b.jp", .delivered = 9 },
	    },
	    3);
	assert_int_equal(compare_rows(c, &row), 1);
	assert_int_equal(row->nwarnings, 0);
	compare_free(&c);
}

static void
other_days(void **state)
{
	const struct given given[] = {
		{ .path = "mta", .at = DAY0, .delivered = 500 },
		{ .path = "mta", .at = DAY0 + DAY + HOUR, .delivered = 500 },
		{ .path = "ses",
		    .at = DAY0 + DAY + 5 * HOUR,
		    .delivered = 100 },
	};
	struct compare *c = compare_of(given, 3);
	const struct compare_row *row;

	(void)state;
	assert_int_equal(compare_rows(c, &row), 1);
	assert_int_equal(row->nwarnings, 1);
	says(&row->warning[0],
	    "the times differ: 2026-11-23 (UTC) is 50 % of mta's mail and 0 % "
	    "of ses's",
	    "送った時期が違う: 2026-11-23（UTC）はmtaの50 %、sesの0 %を占める");
	compare_free(&c);
	/* By the hour, of a short window. */
	c = compare_new(NULL, NULL, HOUR);
	add(c, &given[1]);
	add(c, &given[2]);
	assert_int_equal(compare_rows(c, &row), 1);
	assert_int_equal(row->nwarnings, 1);
	assert_non_null(strstr(row->warning[0].en.data, "2026-11-24 01:00"));
	compare_free(&c);
}

/* Splits by chance, of many senders and days, few by one side: hardly ever
 * warned of. */
static void
chance_is_no_other_mix(void **state)
{
	static const int64_t few[] = { 20, 100, 1000 };
	int warned = 0;

	(void)state;
	dice = 4;
	for (int run = 0; run < 300; run++) {
		struct compare *c = compare_new(NULL, NULL, DAY);
		const struct compare_row *row;

		for (int64_t i = 0; i < 3000 + few[run % 3]; i++) {
			char sender[16];
			struct given g = {
				.path = i < 3000 ? "mta" : "ses",
				.sender = sender,
				.at = DAY0 + (int64_t)(throw() % 7) * DAY,
				.delivered = 1,
			};

			snprintf(sender, sizeof(sender), "%u.jp",
			    (unsigned)(throw() % 20));
			add(c, &g);
		}
		assert_int_equal(compare_rows(c, &row), 1);
		warned += row->nwarnings > 0;
		compare_free(&c);
	}
	assert_true(warned <= 3);
}

static void
not_settled_yet(void **state)
{
	static const struct given given[] = {
		{ .path = "mta", .delivered = 950, .failed = 50 },
		{ .path = "ses",
		    .ses = true,
		    .delivered = 900,
		    .failed = 60,
		    .unconfirmed = 40 },
	};
	struct compare *c = compare_of(given, 2);
	const struct compare_row *row;

	(void)state;
	assert_int_equal(compare_rows(c, &row), 1);
	assert_int_equal(row->nwarnings, 1);
	/* 95 % against at least 90 % and at most 94 %. */
	says(&row->warning[0],
	    "0.0 % of mta's mail and 4.0 % of ses's is neither delivered nor "
	    "failed yet (unconfirmed or waiting): whatever becomes of it, the "
	    "difference ends between +1.0 and +5.0 points",
	    "mtaの0.0 %、sesの4.0 %はまだ届いたとも失敗したともわからない"
	    "（未確認または待機中）。結果がどうなっても、差は+1.0～+5.0"
	    "ポイントに収まる");
	compare_free(&c);
	/* What waits is as open as what is unconfirmed; both alike is fair. */
	c = compare_of((const struct given[]){ { .path = "mta",
						   .delivered = 950,
						   .failed = 10,
						   .waiting = 40 },
			   given[1] },
	    2);
	assert_int_equal(compare_rows(c, &row), 1);
	assert_int_equal(row->side[0].waiting, 40);
	assert_int_equal(row->nwarnings, 0);
	compare_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_true_difference_is_found),
		cmocka_unit_test(no_difference_is_rarely_found),
		cmocka_unit_test(as_many_as_needed_settle_it),
		cmocka_unit_test(better_in_words),
		cmocka_unit_test(open_in_words),
		cmocka_unit_test(same_in_words),
		cmocka_unit_test(nothing_known_in_words),
		cmocka_unit_test(pairs_of_paths),
		cmocka_unit_test(not_of_the_split),
		cmocka_unit_test(other_senders),
		cmocka_unit_test(other_days),
		cmocka_unit_test(chance_is_no_other_mix),
		cmocka_unit_test(not_settled_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
