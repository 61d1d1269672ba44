/*
 * test_tally.c - what was counted: added up, in buckets, packed.
 */
#include "router/store/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
every_counter_has_a_name(void **state)
{
	(void)state;
	for (int c = 0; c < COUNT_MAX; c++) {
		assert_non_null(counter_name((enum counter)c));
		for (int d = 0; d < c; d++)
			assert_string_not_equal(counter_name((enum counter)c),
			    counter_name((enum counter)d));
	}
	assert_string_equal(counter_name(COUNT_ACCEPTED), "accepted");
	assert_string_equal(counter_name(COUNT_ATTEMPTED), "attempted");
	assert_string_equal(counter_name(COUNT_EXEMPT), "exempt");
}

/* -- buckets ----------------------------------------------------------------- */

static void
assert_in_its_bucket(int64_t ms)
{
	unsigned b = tally_bucket(ms);
	int64_t low, high;

	tally_bucket_range(b, &low, &high);
	assert_true(b < TALLY_BUCKETS);
	assert_true(low <= ms && ms < high);
	/* Exact below 16, then to one part in sixteen. */
	assert_true(high == INT64_MAX || (high - 1 - low) * 16 <= low);
}

static void
a_time_is_in_a_narrow_bucket(void **state)
{
	int64_t sixty_days = INT64_C(60) * 86400 * 1000, low, high;

	(void)state;
	for (int64_t ms = 0; ms < 100000; ms++)
		assert_in_its_bucket(ms);
	for (int64_t ms = 100000; ms < sixty_days; ms += ms / 1000)
		assert_in_its_bucket(ms);
	assert_true(tally_bucket(sixty_days) < TALLY_BUCKETS - 1);
	assert_int_equal(tally_bucket(INT64_MAX), TALLY_BUCKETS - 1);
	assert_int_equal(tally_bucket(-5), 0);
	assert_int_equal(tally_bucket(INT64_MIN), 0);
	tally_bucket_range(TALLY_BUCKETS - 1, &low, &high);
	assert_true(high == INT64_MAX);
}

static void
buckets_follow_each_other(void **state)
{
	int64_t low, high, end = 0;

	(void)state;
	for (unsigned b = 0; b < TALLY_BUCKETS; b++) {
		tally_bucket_range(b, &low, &high);
		assert_true(low == end && high > low);
		assert_int_equal(tally_bucket(low), b);
		assert_int_equal(tally_bucket(high - 1), b);
		end = high;
	}
}

static void
quantiles(void **state)
{
	struct tally t = TALLY_INIT;
	int64_t ms = 7;

	(void)state;
	assert_false(tally_quantile(&t, 0.5, &ms));
	assert_int_equal(ms, 7);
	for (int i = 1; i <= 10; i++)
		tally_add_time(&t, i, 1);
	assert_true(tally_quantile(&t, 0.5, &ms));
	assert_int_equal(ms, 5);
	assert_true(tally_quantile(&t, 0.95, &ms));
	assert_int_equal(ms, 10);
	assert_true(tally_quantile(&t, 0, &ms));
	assert_int_equal(ms, 1);
	assert_true(tally_quantile(&t, 1, &ms));
	assert_int_equal(ms, 10);
	tally_add_time(&t, 1000000, 90);
	assert_true(tally_quantile(&t, 0.5, &ms));
	assert_true(ms >= 1000000 && ms < 1063000);
	tally_clear(&t);
	tally_add_time(&t, INT64_MAX, 1);
	assert_true(tally_quantile(&t, 0.5, &ms));
	assert_true(ms > 0);
	tally_clear(&t);
	tally_add_time(&t, 5, 0);
	tally_add_time(&t, 5, -1);
	assert_true(tally_is_empty(&t));
}

/* -- reasons ----------------------------------------------------------------- */

static int64_t
of(const struct tally *t, enum counter c, const char *name)
{
	for (size_t i = 0; i < t->nreason; i++)
		if (t->reason[i].counter == c &&
		    strcmp(t->reason[i].name, name) == 0)
			return t->reason[i].n;
	return 0;
}

static void
reasons_add_up_and_go_when_none_is_left(void **state)
{
	struct tally t = TALLY_INIT;

	(void)state;
	tally_add_reason(&t, COUNT_BOUNCED, "userunknown", 2);
	tally_add_reason(&t, COUNT_EXPIRED, "userunknown", 1);
	tally_add_reason(&t, COUNT_BOUNCED, "filtered", 5);
	tally_add_reason(&t, COUNT_BOUNCED, "userunknown", 3);
	tally_add_reason(&t, COUNT_BOUNCED, "none", 0);
	assert_int_equal(t.nreason, 3);
	assert_int_equal(of(&t, COUNT_BOUNCED, "userunknown"), 5);
	tally_add_reason(&t, COUNT_BOUNCED, "userunknown", -5);
	assert_int_equal(t.nreason, 2);
	tally_add_reason(&t, COUNT_BOUNCED, "filtered", -6);
	assert_int_equal(of(&t, COUNT_BOUNCED, "filtered"), -1);
	tally_add_reason(&t, COUNT_BOUNCED, "filtered", 1);
	tally_add_reason(&t, COUNT_EXPIRED, "userunknown", -1);
	assert_true(tally_is_empty(&t));
	tally_clear(&t);
}

static void
no_reason_is_too_long_or_unclean(void **state)
{
	struct tally t = TALLY_INIT;
	char name[100];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	tally_add_reason(&t, COUNT_BOUNCED, name, 1);
	assert_int_equal(strlen(t.reason[0].name), TALLY_REASON_MAX - 1);
	tally_add_reason(&t, COUNT_BOUNCED, "a\r\nb c\x80", 1);
	assert_int_equal(of(&t, COUNT_BOUNCED, "a??b?c?"), 1);
	tally_add_reason(&t, COUNT_BOUNCED, "", 1);
	tally_add_reason(&t, COUNT_BOUNCED, NULL, 1);
	assert_int_equal(of(&t, COUNT_BOUNCED, "undefined"), 2);
	tally_clear(&t);
}

static void
too_many_reasons_are_other(void **state)
{
	struct tally t = TALLY_INIT;
	int64_t n[COUNT_MAX] = { 0 };
	char name[20];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "reason%d", i % 1000);
		tally_add_reason(&t, (enum counter)(i % COUNT_MAX), name, 1);
	}
	assert_true(t.nreason <= TALLY_REASONS_MAX);
	for (size_t i = 0; i < t.nreason; i++)
		n[t.reason[i].counter] += t.reason[i].n;
	for (int c = 0; c < COUNT_MAX; c++) {
		assert_int_equal(n[c], 10000 / COUNT_MAX);
		assert_true(of(&t, (enum counter)c, "other") > 0);
	}
	tally_clear(&t);
}

/* -- packed ------------------------------------------------------------------ */

/* Three kinds of everything, by chance. */
static void
draw(struct tally *t)
{
	char name[20];

	for (int i = (int)(random() % 6); i > 0; i--)
		t->n[random() % COUNT_MAX] += random() % 1000 - 300;
	for (int i = (int)(random() % 5); i > 0; i--) {
		snprintf(name, sizeof(name), "r%ld", random() % 9);
		tally_add_reason(t, (enum counter)(random() % COUNT_MAX), name,
		    random() % 100 - 30);
	}
	for (int i = (int)(random() % 4); i > 0; i--)
		tally_add_time(t, random() >> random() % 31, 1 + random() % 9);
}

static int64_t
in_bucket(const struct tally *t, unsigned bucket)
{
	const struct tally_times *of = &t->times;

	return bucket >= of->from && bucket < of->to
		   ? of->n[bucket - of->from]
		   : 0;
}

static void
assert_same(const struct tally *a, const struct tally *b)
{
	assert_memory_equal(a->n, b->n, sizeof(a->n));
	assert_int_equal(a->nreason, b->nreason);
	for (size_t i = 0; i < a->nreason; i++)
		assert_int_equal(of(b, a->reason[i].counter, a->reason[i].name),
		    a->reason[i].n);
	for (unsigned i = 0; i < TALLY_BUCKETS; i++)
		assert_int_equal(in_bucket(a, i), in_bucket(b, i));
}

static void
what_is_packed_comes_back_and_adds_up(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	srandom(1);
	for (int round = 0; round < 3000; round++) {
		struct tally a = TALLY_INIT, b = TALLY_INIT, c = TALLY_INIT;
		struct str p = STR_INIT, q = STR_INIT;

		draw(&a);
		draw(&b);
		tally_pack(&a, &p);
		assert_int_equal(tally_unpack(&c, p.data, p.len, &e), 0);
		assert_same(&a, &c);
		tally_pack(&c, &q);
		assert_int_equal(p.len, q.len);
		assert_memory_equal(p.data, q.data, p.len);
		/* b + packed a = a + b */
		assert_int_equal(tally_unpack(&b, p.data, p.len, &e), 0);
		tally_merge(&a, &b);
		tally_merge(&a, &c); /* b is a + b: a + b + a + a */
		assert_int_equal(tally_unpack(&b, p.data, p.len, &e), 0);
		assert_int_equal(tally_unpack(&b, p.data, p.len, &e), 0);
		assert_same(&a, &b);
		tally_clear(&a);
		tally_clear(&b);
		tally_clear(&c);
		str_release(&p);
		str_release(&q);
	}
}

static void
a_usual_one_is_a_few_dozen_bytes(void **state)
{
	struct tally t = TALLY_INIT;
	struct str p = STR_INIT;

	(void)state;
	t.n[COUNT_ACCEPTED] = t.n[COUNT_SENT] = t.n[COUNT_DELIVERED] = 1200;
	t.n[COUNT_ATTEMPTED] = 1230;
	t.n[COUNT_BOUNCED] = 30;
	tally_add_reason(&t, COUNT_BOUNCED, "userunknown", 30);
	for (int64_t ms = 400; ms < 1000; ms += 5)
		tally_add_time(&t, ms, 10);
	tally_pack(&t, &p);
	assert_true(p.len < 120);
	str_release(&p);
	tally_clear(&t);
}

static void
the_bytes_are_the_same_on_every_machine(void **state)
{
	static const char packed[] = "\x01\x03\x02\x80\x04"
				     "\x01\x03\x04" "full" "\x01"
				     "\x02\x03\x02\x05\x04";
	struct tally t = TALLY_INIT;
	struct str p = STR_INIT;

	(void)state;
	t.n[COUNT_ACCEPTED] = 1;
	t.n[COUNT_SENT] = 256;
	tally_add_reason(&t, COUNT_BOUNCED, "full", -1);
	tally_add_time(&t, 3, 1);
	tally_add_time(&t, 8, 2);
	tally_pack(&t, &p);
	assert_int_equal(p.len, sizeof(packed) - 1);
	assert_memory_equal(p.data, packed, p.len);
	str_release(&p);
	tally_clear(&t);
}

static void
what_is_damaged_changes_nothing(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
#define BAD(s) { s, sizeof(s) - 1 }
		BAD(""),
		BAD("\x02\x00\x00\x00"),             /* another format */
		BAD("\x01"),
		BAD("\x01\x00\x00"),
		BAD("\x01\x00\x00\x00\x00"),         /* more than there is */
		BAD("\x01\x80\x80\x04\x02\x00\x00"), /* a counter too many */
		BAD("\x01\x00\x01\x10\x01" "a\x02\x00"),  /* of no counter */
		BAD("\x01\x00\x01\x03\x00\x02\x00"), /* without a name */
		BAD("\x01\x00\x01\x03\x20" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "\x02\x00"),
		BAD("\x01\x00\x01\x03\x01\n\x02\x00"),
		BAD("\x01\x00\x01\x03\x05" "abc"),
		BAD("\x01\x00\x41"),                 /* reasons */
		BAD("\x01\x00\x00\x01\x80\x04\x02"), /* a bucket too far */
		BAD("\x01\x00\x00\x02\xff\x03\x02\x01\x02"),
		BAD("\x01\x00\x00\x01\x01\x01"),     /* fewer than none */
		BAD("\x01\x00\x00\x81\x04"),
		BAD("\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
		    "\x00\x00"),
	};
	struct tally t = TALLY_INIT;

	(void)state;
	t.n[COUNT_SENT] = 3;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(
		    tally_unpack(&t, bad[i].bytes, bad[i].len, &e), -1);
		assert_non_null(strstr(e.text, "is damaged"));
		assert_int_equal(t.n[COUNT_SENT], 3);
		assert_int_equal(t.nreason, 0);
		assert_null(t.times.n);
	}
}

static void
nothing_overflows(void **state)
{
	struct tally a = TALLY_INIT, b = TALLY_INIT;

	(void)state;
	a.n[0] = b.n[0] = INT64_MAX - 1;
	a.n[1] = b.n[1] = INT64_MIN + 1;
	tally_add_time(&a, 5, INT64_MAX);
	tally_add_time(&a, 6, INT64_MAX);
	tally_add_reason(&a, COUNT_BOUNCED, "x", INT64_MIN);
	tally_add_reason(&a, COUNT_BOUNCED, "x", -1);
	tally_merge(&b, &a);
	tally_merge(&b, &a);
	assert_true(b.n[0] == INT64_MAX);
	assert_true(b.n[1] == INT64_MIN);
	assert_true(of(&b, COUNT_BOUNCED, "x") == INT64_MIN);
	tally_clear(&a);
	tally_clear(&b);
}

static void
counts_without_their_reasons(void **state)
{
	struct tally t = TALLY_INIT, got = TALLY_INIT;
	struct str p = STR_INIT;
	struct err e = ERR_INIT;

	(void)state;
	t.n[COUNT_BOUNCED] = 300;
	t.n[COUNT_DELIVERED] = 2;
	tally_add_reason(&t, COUNT_BOUNCED, "userunknown", 290);
	tally_add_reason(&t, COUNT_BOUNCED, "mailboxfull", 10);
	tally_add_time(&t, 250, 2);
	tally_pack(&t, &p);
	for (size_t len = 0; len < p.len; len++) {
		assert_int_equal(
		    tally_unpack_counts(&got, p.data, len, &e), -1);
		assert_true(tally_is_empty(&got));
	}
	assert_int_equal(tally_unpack_counts(&got, p.data, p.len, &e), 0);
	assert_memory_equal(got.n, t.n, sizeof(t.n));
	for (unsigned i = 0; i < TALLY_BUCKETS; i++)
		assert_int_equal(in_bucket(&got, i), in_bucket(&t, i));
	assert_int_equal(got.nreason, 0);
	str_release(&p);
	tally_clear(&t);
	tally_clear(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_has_a_name),
		cmocka_unit_test(a_time_is_in_a_narrow_bucket),
		cmocka_unit_test(buckets_follow_each_other),
		cmocka_unit_test(quantiles),
		cmocka_unit_test(reasons_add_up_and_go_when_none_is_left),
		cmocka_unit_test(no_reason_is_too_long_or_unclean),
		cmocka_unit_test(too_many_reasons_are_other),
		cmocka_unit_test(what_is_packed_comes_back_and_adds_up),
		cmocka_unit_test(a_usual_one_is_a_few_dozen_bytes),
		cmocka_unit_test(the_bytes_are_the_same_on_every_machine),
		cmocka_unit_test(what_is_damaged_changes_nothing),
		cmocka_unit_test(counts_without_their_reasons),
		cmocka_unit_test(nothing_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
