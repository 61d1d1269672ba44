/*
 * test_quota.c - what a ses path may send: the account's rate and quota, what
 * others use of it, what is kept for transactional mail, over a restart.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/core_fixture.h"

#include "router/config_int.h"
#include "router/ses/quota.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000)
#define DAY    (24 * 3600 * SECOND)

static struct config *config;
static int64_t now; /* the caller's clock: any mono ms */

static const char settings[] =
    "hostname = mail.example.jp\n"
    "listener r { type = relay address = \"127.0.0.1:2525\" "
    "networks = { 127.0.0.0/8 } }\n"
    "path ses { type = ses region = r rate = 1000 quota-reserve = 10 }\n"
    "path stop { type = ses region = r probation = stop }\n"
    "path smtp { type = ses transport = smtp host = h user = u\n"
    "password = p quota = 10 rate = 0 }\n";

static struct ses_account
healthy(double quota, double sent)
{
	return (struct ses_account){
		.at = 1,
		.max_24_hours = quota,
		.rate = 2000,
		.sent_24_hours = sent,
		.enforcement_text = "HEALTHY",
		.sending_enabled = true,
		.production = true,
	};
}

static void
tell(const char *path, struct ses_account account)
{
	quotas_account(core.quotas, path, &account);
}

static unsigned
room(const char *path, bool transactional)
{
	int64_t at;

	return quotas_room(core.quotas, path, transactional, now, &at);
}

/* Sends n, one at a time, each over at once. Returns how many could leave. */
static unsigned
send_all(const char *path, bool transactional, unsigned n, int64_t step)
{
	struct quota_ticket t;
	unsigned sent = 0;

	for (; sent < n && room(path, transactional) > 0; sent++) {
		quotas_start(core.quotas, path, 1, false, 1, now, &t);
		quotas_end(&t, now);
		now += step;
	}
	return sent;
}

static void
an_unwatched_path_has_the_settings(void **state)
{
	(void)state;
	assert_int_equal(room("mta", false), UINT_MAX);
	assert_int_equal(send_all("smtp", true, 100, 1), 10);
	assert_int_equal(room("smtp", true), 0);
	now += DAY - 20;
	assert_int_equal(room("smtp", true), 0);
	now += 40;
	assert_true(room("smtp", true) > 0);
}

static void
a_watched_path_waits_for_its_account(void **state)
{
	struct ses_account none = { .trouble = "AccessDenied" };

	(void)state;
	assert_int_equal(room("ses", true), 0);
	tell("ses", none);
	assert_true(room("ses", true) > 0); /* by the settings alone */
	tell("ses", healthy(100000, 0));
	assert_true(room("ses", false) > 0);
}

static void
bulk_waits_near_the_end(void **state)
{
	int64_t at;

	(void)state;
	tell("ses", healthy(100, 0));
	assert_int_equal(send_all("ses", false, 1000, 10), 90);
	assert_int_equal(room("ses", false), 0);
	assert_int_equal(send_all("ses", true, 1000, 10), 10);
	assert_int_equal(quotas_room(core.quotas, "ses", true, now, &at), 0);
	now += DAY + 1;
	assert_true(room("ses", false) > 0);
}

static void
what_others_send_counts(void **state)
{
	(void)state;
	tell("ses", healthy(100, 50));
	assert_int_equal(send_all("ses", true, 1000, 10), 50);
	/* Ours are in SES's number by now; nothing is new. */
	tell("ses", healthy(100, 100));
	assert_int_equal(room("ses", true), 0);
	/* The others' have grown old. */
	now += SECOND;
	tell("ses", healthy(100, 60));
	assert_int_equal(room("ses", true), 40);
}

static void
simulators_are_free(void **state)
{
	struct quota_ticket t;

	(void)state;
	assert_true(ses_is_simulator("bounce+x@simulator.amazonses.com"));
	assert_false(ses_is_simulator("a@simulator.amazonses.com.example.jp"));
	tell("ses", healthy(10, 0));
	for (unsigned i = 0; i < 100; i++, now += 10) {
		assert_true(room("ses", true) > 0);
		quotas_start(core.quotas, "ses", 1, true, 1, now, &t);
		quotas_end(&t, now);
	}
	assert_int_equal(send_all("ses", true, 1000, 10), 10);
}

/* One that takes long counts from its start to a day after its end: whenever it
 * was counted at SES, no window of 24 hours holds more. */
static void
the_window_is_the_peers(void **state)
{
	struct quota_ticket slow[10];

	(void)state;
	tell("ses", healthy(10, 0));
	for (unsigned i = 0; i < 10; i++) {
		assert_true(room("ses", true) > 0);
		quotas_start(core.quotas, "ses", 1, false, 1, now, &slow[i]);
		now += 10;
	}
	now += 2 * DAY;
	assert_int_equal(room("ses", true), 0);
	for (unsigned i = 0; i < 10; i++)
		quotas_end(&slow[i], now);
	assert_int_equal(room("ses", true), 0);
	now += DAY + 1;
	assert_int_equal(send_all("ses", true, 100, 10), 10);
}

static void
closed_by_the_account(void **state)
{
	struct ses_account a = healthy(1000, 0);

	(void)state;
	tell("ses", a);
	assert_false(lanes_path_closed(core.lanes, "ses"));
	a.enforcement = SES_SHUTDOWN;
	tell("ses", a);
	assert_true(lanes_path_closed(core.lanes, "ses"));
	assert_int_equal(room("ses", true), 0);
	a.enforcement = SES_HEALTHY;
	a.sending_enabled = false;
	tell("ses", a);
	assert_true(lanes_path_closed(core.lanes, "ses"));
	tell("ses", healthy(1000, 0));
	assert_false(lanes_path_closed(core.lanes, "ses"));
	a = healthy(1000, 0);
	a.enforcement = SES_PROBATION;
	tell("stop", a);
	assert_true(lanes_path_closed(core.lanes, "stop"));
	tell("ses", a);
	assert_false(lanes_path_closed(core.lanes, "ses"));
}

/* Numbers of an account that no account can have, and that nobody may count
 * with. */
static void
odd_numbers(void **state)
{
	static const double odd[] = { 1e12, 1e-300, 3e9, -1, -1e12 };
	struct ses_account a;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		a = healthy(odd[i], 0);
		a.rate = odd[i];
		tell("ses", a);
		assert_true(room("ses", true) > 0);
		tell("stop", a);
		assert_true(room("stop", true) > 0);
		a = healthy(1000, odd[i]);
		tell("ses", a);
		assert_int_equal(room("ses", true) > 0, odd[i] < 1000);
	}
}

/* An account that nobody looks at any more would keep its path closed for ever.
 */
static void
who_is_not_watched_any_more(void **state)
{
	struct ses_account a = healthy(1000, 1000);

	(void)state;
	a.enforcement = SES_SHUTDOWN;
	tell("ses", a);
	assert_true(lanes_path_closed(core.lanes, "ses"));
	for (size_t i = 0; i < config->npaths; i++)
		config->paths[i].account_check = 0;
	quotas_configure(core.quotas);
	quotas_review(core.quotas, now + 2 * SECOND);
	assert_false(lanes_path_closed(core.lanes, "ses"));
	assert_true(room("ses", true) > 0);
}

struct seen {
	const char *path;
	struct quota_row row;
};

static void
see(void *arg, const struct quota_row *row)
{
	struct seen *s = arg;

	if (strcmp(row->path, s->path) == 0)
		s->row = *row;
}

static struct quota_row
row_of(const char *path)
{
	struct seen s = { .path = path };

	quotas_each(core.quotas, now, see, &s);
	assert_non_null(s.row.path);
	return s.row;
}

static void
probation_slows(void **state)
{
	struct ses_account a = healthy(1000, 0);

	(void)state;
	tell("ses", a);
	assert_float_equal(row_of("ses").rate, 1000, 0); /* the settings' */
	a.enforcement = SES_PROBATION;
	a.rate = 50;
	tell("ses", a);
	assert_float_equal(row_of("ses").rate, 25, 0);
}

static void
a_spent_quota_is_believed(void **state)
{
	(void)state;
	tell("ses", healthy(1000, 0));
	quotas_spent(core.quotas, "ses");
	quotas_review(core.quotas, now);
	assert_true(lanes_path_closed(core.lanes, "ses"));
	assert_true(row_of("ses").spent);
	tell("ses", healthy(1000, 1000));
	assert_true(lanes_path_closed(core.lanes, "ses"));
	tell("ses", healthy(1000, 500));
	assert_false(lanes_path_closed(core.lanes, "ses"));
}

/* But only where somebody tells when there is quota again. */
static void
a_spent_quota_of_an_unseen_account(void **state)
{
	(void)state;
	quotas_spent(core.quotas, "smtp");
	quotas_spent(core.quotas, "ses");
	quotas_review(core.quotas, now + 2 * SECOND);
	assert_false(lanes_path_closed(core.lanes, "smtp"));
	assert_false(lanes_path_closed(core.lanes, "ses"));
}

/* Whoever lowers a quota and raises it again has not sent less by that. */
static void
a_lower_quota_forgets_nothing(void **state)
{
	struct config_path *smtp = NULL;

	(void)state;
	for (size_t i = 0; i < config->npaths; i++)
		if (strcmp(config->paths[i].name, "smtp") == 0)
			smtp = &config->paths[i];
	assert_non_null(smtp);
	smtp->quota = 1000;
	quotas_configure(core.quotas);
	now = clock_mono();
	assert_int_equal(send_all("smtp", true, 600, 0), 600);
	smtp->quota = 20;
	quotas_configure(core.quotas);
	assert_int_equal(room("smtp", true), 0);
	smtp->quota = 100;
	quotas_configure(core.quotas);
	assert_int_equal(room("smtp", true), 0);
	smtp->quota = 1000;
	quotas_configure(core.quotas);
	assert_in_range(row_of("smtp").used, 600, 610);
	assert_in_range(room("smtp", true), 390, 400);
	smtp->quota = 0; /* none at all */
	quotas_configure(core.quotas);
	smtp->quota = 1000;
	quotas_configure(core.quotas);
	assert_in_range(room("smtp", true), 390, 400);
	now += DAY + SECOND;
	assert_in_range(room("smtp", true), 990, 1000);
}

/* The store knows more than has left, never less. */
static void
a_restart_forgets_nothing(void **state)
{
	(void)state;
	now = clock_mono();
	tell("ses", healthy(1000, 0));
	assert_int_equal(send_all("ses", true, 300, 1), 300);
	core_settle();
	core_restart();
	quotas_load(core.quotas);
	now = clock_mono();
	tell("ses", healthy(1000, 0));
	assert_in_range(row_of("ses").used, 300, 310);
	now += 1000;
	assert_in_range(send_all("ses", true, 2000, 1), 680, 700);
}

static int
set_up_quota(void **state)
{
	struct str report = STR_INIT;

	set_up(state);
	config =
	    config_parse("t.conf", settings, sizeof(settings) - 1, &report);
	if (config == NULL) {
		print_error("%s", report.data);
		return -1;
	}
	str_release(&report);
	core_set_up(config);
	quotas_configure(core.quotas);
	now = clock_mono();
	return 0;
}

static int
tear_down_quota(void **state)
{
	core_tear_down();
	config_unref(&config);
	return tear_down(state);
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, set_up_quota, tear_down_quota)
	const struct CMUnitTest tests[] = {
		TEST(an_unwatched_path_has_the_settings),
		TEST(a_watched_path_waits_for_its_account),
		TEST(bulk_waits_near_the_end),
		TEST(what_others_send_counts),
		TEST(simulators_are_free),
		TEST(the_window_is_the_peers),
		TEST(closed_by_the_account),
		TEST(odd_numbers),
		TEST(who_is_not_watched_any_more),
		TEST(probation_slows),
		TEST(a_spent_quota_is_believed),
		TEST(a_spent_quota_of_an_unseen_account),
		TEST(a_lower_quota_forgets_nothing),
		TEST(a_restart_forgets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
