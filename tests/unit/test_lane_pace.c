/*
 * test_lane_pace.c - rests, what a peer bears, and shapes taken on, on a lane
 * without a core. Rates: test_pace.c.
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const unsigned minute[] = { 60 }, soon[] = { 2 };
static const struct rules_shape usual = { .retry = minute, .nretry = 1 };
static const struct rules_shape eager = { .retry = soon, .nretry = 1 };

/* How long a rest is, from now. */
static void
assert_rest(const struct backoff *b, int64_t least, int64_t most)
{
	int64_t now = clock_mono(), rest = b->until - now;

	/* A fifth either way for the jitter, a second for a slow machine. */
	assert_true(rest >= least * 4 / 5 - 1000);
	assert_true(rest <= most * 6 / 5 + 1);
	assert_true(backoff_rests(b, now));
	assert_false(backoff_rests(b, b->until));
}

static void
rests_double_up_to_half_an_hour(void **state)
{
	struct backoff b = { 0 };
	int64_t expected = 5000;

	(void)state;
	for (unsigned i = 1; i <= 100; i++) {
		backoff_fail(&b, &usual, 0, 0, "connection refused");
		assert_int_equal(b.failures, i);
		assert_rest(&b, expected, expected);
		expected = expected * 2 < 1800000 ? expected * 2 : 1800000;
	}
	assert_string_equal(b.why, "connection refused");
	backoff_succeed(&b);
	assert_int_equal(b.failures, 0);
	assert_false(backoff_rests(&b, clock_mono()));
	assert_string_equal(b.why, "");
}

static void
rests_follow_who_asks(void **state)
{
	struct backoff b = { 0 }, c = { 0 }, d = { 0 };
	char longest[600];

	(void)state;
	backoff_fail(&b, &eager, 0, 0, "x"); /* the shape's own, when shorter */
	assert_rest(&b, 2000, 2000);
	backoff_fail(&c, &usual, 3600000, 0, "x"); /* at least */
	assert_rest(&c, 3600000, 3600000);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned i = 0; i < 5; i++) /* a probe's, however often */
		backoff_fail(&d, &usual, 3600000, 30000, longest);
	assert_rest(&d, 30000, 30000);
	assert_int_equal(strlen(d.why), sizeof(d.why) - 1);
}

static void
rests_do_not_end_together(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct backoff b = { 0 };
		int64_t rest;

		backoff_fail(&b, &usual, 1000000, 0, "x");
		rest = b.until - clock_mono();
		least = rest < least ? rest : least;
		most = rest > most ? rest : most;
	}
	assert_true(most - least > 200000);
}

static void
no_rate_no_wait(void **state)
{
	struct path_state path = { 0 };
	struct lane l = { .state = &path, .scale = 1, .width = 1 };

	(void)state;
	pace_start(&l.pace, 1000, 5, l.scale);
	lane_slow_down(&l, 1);
	assert_int_equal(lane_open_at(&l, 6), 6);
}

/* Halved when the peer pushes back, slowly more with each success. */
static void
slower_and_faster_again(void **state)
{
	struct path_state path = { 0 };
	struct lane l = { .state = &path,
		.scale = 1,
		.width = 8,
		.shape.connections = 8 };

	(void)state;
	lane_slow_down(&l, 1);
	assert_float_equal(l.scale, 0.5, 0);
	assert_int_equal(lane_connections(&l), 4);
	/* Sessions that set out before that meet the same trouble. */
	lane_slow_down(&l, 1);
	lane_slow_down(&l, l.slowed);
	assert_float_equal(l.scale, 0.5, 0);
	for (unsigned i = 0; i < 100; i++)
		lane_slow_down(&l, l.slowed + 1);
	assert_true(l.scale > 0.01); /* never to a halt */
	assert_int_equal(lane_connections(&l), 1);
	lane_speed_up(&l);
	assert_true(l.scale < 0.03);
	assert_int_equal(lane_connections(&l), 1);
	for (unsigned i = 0; i < 60; i++)
		lane_speed_up(&l);
	assert_int_equal(lane_connections(&l), 2);
	for (unsigned i = 0; i < 400; i++)
		lane_speed_up(&l);
	assert_float_equal(l.scale, 1, 0);
	assert_int_equal(lane_connections(&l), 8);
}

static void
the_longest_rest_counts(void **state)
{
	struct path_state path = { 0 };
	struct lane l = { .state = &path,
		.scale = 1,
		.width = 8,
		.shape.connections = 8 };

	(void)state;
	assert_int_equal(lane_open_at(&l, 100), 100);
	assert_int_equal(lane_connections(&l), 8);
	l.backoff.until = 300;
	l.backoff.failures = 1;
	assert_int_equal(lane_open_at(&l, 100), 300);
	assert_int_equal(lane_connections(&l), 1); /* a probe */
	path.hold.until = 500;
	path.hold.failures = 1;
	assert_int_equal(lane_open_at(&l, 100), 500);
	assert_int_equal(lane_open_at(&l, 600), 600);
	l.backoff.failures = 0;
	assert_int_equal(lane_connections(&l), 1);
	path.hold.failures = 0;
	assert_int_equal(lane_connections(&l), 8);
}

/* -- from the configuration */

static char folder[] = "/tmp/test_lane_pace.XXXXXX";

static void
put(const char *name, const char *text)
{
	FILE *fp = fopen(name, "w");

	assert_non_null(fp);
	fputs(text, fp);
	assert_int_equal(fclose(fp), 0);
}

static struct config *
load(void)
{
	struct str report = STR_INIT;
	struct config *c;

	put("t.conf", "hostname = mail.example.jp\nadmin-socket = sock\n"
		      "rules = t.rules\nstate-directory = .\n"
		      "listener r { type = relay address = \"127.0.0.1:2525\" "
		      "networks = { 127.0.0.0/8 } }\n"
		      "path mta { type = mta }\n"
		      "path ses { type = ses transport = smtp host = h.example.com user = u "
		      "password-file = p rate = 14 connections = 5 }\n");
	put("t.rules", "carrier docomo group docomo docomo.ne.jp\n"
		       "route default to any via mta\n"
		       "route never to example.org via ses\n"
		       "shape default connections 20 recipients 50/message\n"
		       "shape carrier docomo connections 2 rate 120/min\n");
	c = config_load_part("t.conf", CONFIG_RULES, &report);
	assert_string_equal(report.data, "");
	assert_non_null(c);
	str_release(&report);
	assert_int_equal(unlink("t.conf"), 0);
	assert_int_equal(unlink("t.rules"), 0);
	return c;
}

static void
a_shape_is_taken_on(void **state)
{
	static char mta[] = "mta", ses[] = "ses", docomo[] = "docomo",
		    other[] = "example.com", none[] = "";
	struct config *c = load(), *again = load();
	struct lane l = { .path = mta, .group = docomo, .carrier = "docomo" };
	struct lane m = { .path = mta, .group = other, .carrier = "" };
	struct lane s = { .path = ses, .group = none, .carrier = "" };

	(void)state;
	TAILQ_INIT(&l.deliveries);
	TAILQ_INIT(&m.deliveries);
	TAILQ_INIT(&s.deliveries);
	lane_configure(&l, c);
	assert_int_equal(l.shape.connections, 2);
	assert_float_equal(l.width, 2, 0);
	assert_int_equal(l.pace.count, 120);
	assert_int_equal(l.pace.period, 60000);
	lane_configure(&m, c);
	assert_int_equal(m.shape.connections, 20);
	assert_int_equal(m.shape.recipients_per_message, 50);
	assert_int_equal(m.pace.count, 0);
	/* SES judges a message as a whole; the rate is the account's, of all
	 * its lanes: quota.h. */
	lane_configure(&s, c);
	assert_int_equal(s.shape.recipients_per_message, 1);
	assert_int_equal(s.shape.connections, 5);
	assert_int_equal(s.pace.count, 0);
	lane_configure(&l, again);
	assert_ptr_equal(l.settings, config_path_find(again, "mta"));
	config_unref(&l.config);
	config_unref(&m.config);
	config_unref(&s.config);
	config_unref(&c);
	config_unref(&again);
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rests_double_up_to_half_an_hour),
		cmocka_unit_test(rests_follow_who_asks),
		cmocka_unit_test(rests_do_not_end_together),
		cmocka_unit_test(no_rate_no_wait),
		cmocka_unit_test(slower_and_faster_again),
		cmocka_unit_test(the_longest_rest_counts),
		cmocka_unit_test(a_shape_is_taken_on),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
