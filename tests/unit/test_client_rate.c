/*
 * test_client_rate.c - so many a second from each, in memory that does not
 * grow.
 */
#include "router/client_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "mta/base/err.h"
#include "mta/base/net.h"

static bool
take(struct client_rate *r, const char *client, double rate, int64_t now)
{
	struct sockaddr_storage a;
	struct err e = ERR_INIT;
	socklen_t len;

	assert_int_equal(net_parse_address(client, 0, &a, &len, &e), 0);
	return client_rate_take(r, (struct sockaddr *)&a, rate, now);
}

static unsigned
taken(struct client_rate *r, const char *client, unsigned n, double rate,
    int64_t now)
{
	unsigned good = 0;

	while (n-- > 0)
		good += take(r, client, rate, now);
	return good;
}

static void
rate_and_burst(void **state)
{
	struct client_rate *r = client_rate_new();

	(void)state;
	assert_int_equal(taken(r, "192.0.2.1", 100, 2, 1000), 20);
	assert_int_equal(taken(r, "192.0.2.1", 100, 2, 1400), 0);
	assert_int_equal(taken(r, "192.0.2.1", 100, 2, 1500), 1);
	assert_int_equal(taken(r, "192.0.2.1", 100, 2, 3500), 4);
	assert_int_equal(taken(r, "192.0.2.1", 100, 2, 3600000), 20);
	/* a clock that goes back gives nothing */
	assert_int_equal(taken(r, "192.0.2.1", 100, 2, 1000), 0);
	client_rate_free(&r);
	assert_null(r);
}

static void
who_is_one_client(void **state)
{
	struct client_rate *r = client_rate_new();

	(void)state;
	assert_int_equal(taken(r, "192.0.2.1", 5, 0.1, 0), 1);
	assert_int_equal(taken(r, "::ffff:192.0.2.1", 5, 0.1, 0), 0);
	assert_int_equal(taken(r, "192.0.2.2", 5, 0.1, 0), 1);
	assert_int_equal(taken(r, "2001:db8::1", 5, 0.1, 0), 1);
	assert_int_equal(taken(r, "2001:db8::ffff:1", 5, 0.1, 0), 0);
	assert_int_equal(taken(r, "2001:db8:0:1::1", 5, 0.1, 0), 1);
	client_rate_free(&r);
}

static void
no_limit_and_a_slow_one(void **state)
{
	struct client_rate *r = client_rate_new();

	(void)state;
	assert_int_equal(taken(r, "192.0.2.1", 1000, 0, 0), 1000);
	/* one at once, however slow */
	assert_int_equal(taken(r, "192.0.2.3", 10, 0.01, 0), 1);
	assert_int_equal(taken(r, "192.0.2.3", 10, 0.01, 99000), 0);
	assert_int_equal(taken(r, "192.0.2.3", 10, 0.01, 100001), 1);
	client_rate_free(&r);
}

/* Who is busy stays known while a crowd passes; the table is of one size. */
static void
a_crowd(void **state)
{
	struct client_rate *r = client_rate_new();
	unsigned busy = 0;
	char client[32];

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(client, sizeof(client), "10.%u.%u.%u", i >> 16,
		    i >> 8 & 255, i & 255);
		assert_true(take(r, client, 0.1, i));
		busy += take(r, "192.0.2.1", 0.1, i);
	}
	assert_in_range(busy, 9, 10); /* in 100 s */
	client_rate_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_and_burst),
		cmocka_unit_test(who_is_one_client),
		cmocka_unit_test(no_limit_and_a_slow_one),
		cmocka_unit_test(a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
