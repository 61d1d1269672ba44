/*
 * test_hooks.c - the parts of the hooks that need no network: who goes next,
 * how long a failure waits, what is kept of a place, what is signed. one thread
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/events/hooks_int.h"

/* -- who goes next --------------------------------------------------------- */

static struct config_hook settings = {
	.kind = HOOK_WEBHOOK, .batch = 1, .retry_min = 100, .retry_max = 1000
};

static void
setup(struct hook *h)
{
	*h = (struct hook){ .config = &settings, .kind = HOOK_WEBHOOK };
	TAILQ_INIT(&h->window);
}

static struct hook_item *
add(struct hook *h, int64_t seq, int64_t message, unsigned index)
{
	struct hook_item *item = xcalloc(1, sizeof(*item));

	item->seq = seq;
	item->message = message;
	item->index = index;
	TAILQ_INSERT_TAIL(&h->window, item, link);
	h->n++;
	return item;
}

static void
clear(struct hook *h)
{
	struct hook_item *item;

	while ((item = TAILQ_FIRST(&h->window)) != NULL) {
		TAILQ_REMOVE(&h->window, item, link);
		hook_item_free(&item);
	}
}

static void
picks(struct hook *h, const char *want)
{
	struct hook_item *out[HOOK_BATCH];
	size_t n = hook_pick(h, out, 1000);
	struct str got = STR_INIT;

	for (size_t i = 0; i < n; i++)
		str_addf(
		    &got, "%s%lld", i > 0 ? " " : "", (long long)out[i]->seq);
	assert_string_equal(got.data, want);
	str_release(&got);
}

static void
test_order(void **state)
{
	struct hook_item *first, *second;
	struct hook h;

	(void)state;
	setup(&h);
	first = add(&h, 1, 7, 0);
	second = add(&h, 2, 7, 0); /* of the same recipient */
	add(&h, 3, 7, 1);
	picks(&h, "1");
	first->flying = true;
	picks(&h, "3"); /* not 2 while 1 is on its way */
	first->flying = false;
	first->not_before = 2000;
	picks(&h, "3"); /* nor while 1 waits */
	settings.batch = 10;
	picks(&h, "3");
	first->not_before = 0;
	picks(&h, "1 2 3"); /* together they may */
	second->alone = true;
	picks(&h, "1 3"); /* what was refused in company goes alone */
	first->alone = true;
	picks(&h, "1");
	settings.batch = 2;
	first->alone = second->alone = false;
	picks(&h, "1 2");
	settings.batch = 1;
	clear(&h);
}

static void
test_one_that_chokes(void **state)
{
	struct hook_item *first;
	struct hook h;

	(void)state;
	setup(&h);
	first = add(&h, 1, 7, 0);
	add(&h, 2, 7, 0);
	add(&h, 3, 8, 0);
	h.failures = 1;
	picks(&h, "1");
	first->tries = 1;
	picks(&h, "3"); /* has failed less; 2 must not pass 1 */
	clear(&h);
}

/* -- waits ----------------------------------------------------------------- */

static void
test_backoff(void **state)
{
	static const int64_t want[] = { 100, 200, 400, 800, 1000, 1000 };

	(void)state;
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		for (unsigned k = 0; k < 50; k++) {
			int64_t ms = hook_backoff(&settings, i + 1);

			assert_in_range(ms, want[i] - want[i] / 4, want[i]);
		}
	assert_in_range(hook_backoff(&settings, 4000000000u), 750, 1000);
}

/* 1994-11-06 08:49:37 */
#define THEN INT64_C(784111777000)

static void
test_retry_after(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} tries[] = {
		{ "0", 0 },
		{ "1", 1000 },
		{ "60", 60000 },
		{ "61", 60000 },
		{ "999999999", 60000 },
		{ "99999999999999999999999999", 60000 },
		{ "-1", 0 },
		{ "-99999999999999999999", 0 },
		{ "1.5", 0 },
		{ "5x", 0 },
		{ "", 0 },
		{ "soon", 0 },
		{ "Sun, 06 Nov 1994 08:49:47 GMT", 10000 },
		{ "Sunday, 06-Nov-94 08:49:47 GMT", 10000 },
		{ "Sun, 06 Nov 1994 08:49:27 GMT", 0 },
		{ "Sun, 06 Nov 2094 08:49:37 GMT", 60000 },
		{ "Sun, 99 Nov 1994 99:99:99 GMT", 0 },
		{ "GMT", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		print_message("%s\n", tries[i].text);
		assert_int_equal(hook_retry_after(tries[i].text, THEN, 60000),
		    tries[i].want);
	}
}

static void
test_refusals(void **state)
{
	static const int yes[] = { 400, 409, 413, 415, 422, 499 };
	static const int no[] = { 0, 200, 301, 308, 401, 403, 404, 408, 410,
		429, 500, 503, 599 };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(hook_is_refusal(yes[i]));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(hook_is_refusal(no[i]));
}

/* -- the place ------------------------------------------------------------- */

static void
test_place(void **state)
{
	struct str text = STR_INIT;
	const char *p;
	struct hook h;

	(void)state;
	setup(&h);
	h.read_to = 1041;
	hook_place_add(&text, &h);
	assert_string_equal(text.data, "1041");
	str_clear(&text);
	add(&h, 1030, 7, 0);
	add(&h, 1030, 7, 0); /* told as two */
	add(&h, 1037, 7, 1);
	hook_place_add(&text, &h);
	assert_string_equal(text.data, "1041 1030 1037");
	p = text.data;
	assert_int_equal(hook_place_next(&p), 1041);
	assert_int_equal(hook_place_next(&p), 1030);
	assert_int_equal(hook_place_next(&p), 1037);
	assert_int_equal(hook_place_next(&p), -1);
	str_release(&text);
	clear(&h);
}

static void
test_place_of_nobody(void **state)
{
	static const char *const bad[] = { "", "-5", "x", " ", "-" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *p = bad[i];

		assert_int_equal(hook_place_next(&p), -1);
	}
}

/* -- what is sent ---------------------------------------------------------- */

/* Of the Standard Webhooks specification's own example. */
static void
test_signature(void **state)
{
	static unsigned char key[] =
	    "\x31\xf2\x90\xf6\xbf\x06\x29\x8a\xab\x4f\x08\xd4"
	    "\x3c\x3f\x08\x2c\xf6\x48\xa3\x62\xda\x2d\xa4\xb0";
	static const char body[] = "{\"test\": 2432232314}";
	struct config_hook c = { .kind = HOOK_WEBHOOK,
		.secret.value = (char *)key,
		.secret_len = 24 };
	struct str first = STR_INIT, second = STR_INIT;

	(void)state;
	hook_post_signature(&first, &c, "msg_p5jXN8AQM9LWM0D4loKWxJek",
	    1614265330, body, sizeof(body) - 1);
	assert_string_equal(
	    first.data, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	/* Each part counts. */
	hook_post_signature(&second, &c, "msg_p5jXN8AQM9LWM0D4loKWxJek",
	    1614265331, body, sizeof(body) - 1);
	assert_string_not_equal(first.data, second.data);
	str_clear(&second);
	key[0] ^= 1;
	hook_post_signature(&second, &c, "msg_p5jXN8AQM9LWM0D4loKWxJek",
	    1614265330, body, sizeof(body) - 1);
	key[0] ^= 1;
	assert_string_not_equal(first.data, second.data);
	str_release(&first);
	str_release(&second);
}

static void
test_sns_body(void **state)
{
	struct config_hook c = { .kind = HOOK_SNS,
		.topic = (char *)(uintptr_t) "arn:aws:sns:x:1:\"quoted\"" };
	char text[] = "{\"eventType\":\"Send\",\"x\":\"\\\"\"}";
	struct hook_item item = { .id = "a_1_Send",
		.text = text,
		.len = sizeof(text) - 1,
		.at = THEN };
	struct str out = STR_INIT;
	json_t *body;
	const char *id;

	(void)state;
	hook_post_sns_body(&out, &c, &item);
	body = json_loadb(out.data, out.len, 0, NULL);
	assert_non_null(body);
	assert_string_equal(
	    json_string_value(json_object_get(body, "TopicArn")), c.topic);
	assert_string_equal(
	    json_string_value(json_object_get(body, "Timestamp")),
	    "1994-11-06T08:49:37.000Z");
	assert_string_equal(json_string_value(json_object_get(body, "Message")),
	    "{\"eventType\":\"Send\",\"x\":\"\\\"\"}\n");
	id = json_string_value(json_object_get(body, "MessageId"));
	assert_int_equal(strlen(id), 36);
	assert_int_equal(id[14], '8'); /* RFC 9562 5.8 */
	json_decref(body);
	str_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_one_that_chokes),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_place_of_nobody),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_sns_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
