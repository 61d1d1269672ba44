/*
 * test_sts.c - MTA-STS records, policies, whom they allow, and their cache.
 */
#include "mta/sts_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 86400\n"

/* ------ records */

#define STRINGS_MAX 3

/* As TXT RDATA: each text is one string of it. */
static size_t
make_rdata(const char *const *texts, uint8_t *out)
{
	size_t n = 0;

	for (int i = 0; i < STRINGS_MAX && texts[i] != NULL; i++) {
		size_t len = strlen(texts[i]);

		out[n++] = (uint8_t)len;
		memcpy(out + n, texts[i], len);
		n += len;
	}
	return n;
}

static void
test_record(void **state)
{
	static const struct {
		const char *texts[STRINGS_MAX];
		const char *id; /* NULL: no policy */
	} rows[] = {
		{ { "v=STSv1; id=20160831085700Z;" }, "20160831085700Z" },
		{ { "v=STSv1;id=1" }, "1" },
		{ { "v=STSv1 ; id=a1 ; " }, "a1" },
		{ { "v=STSv1; x-y.z_1=abc; id=1" }, "1" },
		{ { "v=STSv1; id=1; id=2" }, "1" },
		{ { "v=STSv1; id=01234567890123456789012345678901" },
		    "01234567890123456789012345678901" },
		{ { "v=STS", "v1; i", "d=77;" }, "77" },
		{ { "v=STSv1; id=012345678901234567890123456789012" }, NULL },
		{ { "v=STSv1; id=" }, NULL },
		{ { "v=STSv1; id=a-b" }, NULL },
		{ { "v=STSv1; id" }, NULL },
		{ { "v=STSv1;" }, NULL },
		{ { "v=STSv1" }, NULL },
		{ { "v=STSv1; other=1" }, NULL },
		{ { "v=STSv1; id=1; bad value=2" }, NULL },
		{ { "v=STSv1; id=1;; id=2" }, NULL },
		{ { " v=STSv1; id=1" }, NULL },
		{ { "v=STSv2; id=1" }, NULL },
		{ { "V=STSv1; id=1" }, NULL },
		{ { "v=STSv11; id=1" }, NULL },
		{ { "" }, NULL },
		{ { NULL }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[512];
		const uint8_t *rdata[] = { bytes };
		size_t len = make_rdata(rows[i].texts, bytes);
		char id[STS_ID_MAX + 1] = "";
		int rc = sts_record_read(rdata, &len, 1, id);

		assert_int_equal(rc, rows[i].id != NULL ? 0 : -1);
		if (rows[i].id != NULL)
			assert_string_equal(id, rows[i].id);
	}
}

static void
test_several_records(void **state)
{
	static const char *const texts[][STRINGS_MAX] = {
		{ "v=spf1 -all" },
		{ "v=STSv1; id=1;" },
		{ "v=STSv1; id=2;" },
	};
	uint8_t bytes[3][64];
	const uint8_t *rdata[] = { bytes[0], bytes[1], bytes[2] };
	size_t len[3];
	char id[STS_ID_MAX + 1];

	(void)state;
	for (int i = 0; i < 3; i++)
		len[i] = make_rdata(texts[i], bytes[i]);
	assert_int_equal(sts_record_read(rdata, len, 2, id), 0);
	assert_string_equal(id, "1");
	assert_int_equal(sts_record_read(rdata, len, 3, id), -1);
	assert_int_equal(sts_record_read(rdata, len, 1, id), -1);
	assert_int_equal(sts_record_read(rdata, len, 0, id), -1);
	/* A string that is longer than what there is. */
	bytes[1][0]++;
	assert_int_equal(sts_record_read(rdata, len, 2, id), -1);
}

/* ------ policies */

static void
test_policy(void **state)
{
	static const struct {
		const char *text;
		const char *canonical; /* NULL: not a policy */
		const char *problem;
	} rows[] = {
		{ HEAD "mx: mail.example.com\nmx: *.example.net\n",
		    "version:STSv1\nmode:enforce\nmax_age:86400\n"
		    "mx:mail.example.com\nmx:*.example.net\n",
		    NULL },
		{ "version: STSv1\r\nmode: testing\r\nmx: MAIL.Example.com\r\n"
		  "max_age: 1\r\n",
		    "version:STSv1\nmode:testing\nmax_age:1\n"
		    "mx:mail.example.com\n",
		    NULL },
		{ "max_age:0\nmode:none\nversion:STSv1",
		    "version:STSv1\nmode:none\nmax_age:0\n", NULL },
		{ HEAD
		    "mode: none\nmax_age: 7\nnew_field: x: y\n\nmx: a.b \t\n",
		    "version:STSv1\nmode:enforce\nmax_age:86400\nmx:a.b\n",
		    NULL },
		{ "version: STSv1\nmode: enforce\nmx: a.b\nmax_age: "
		  "9999999999\n",
		    "version:STSv1\nmode:enforce\nmax_age:31557600\nmx:a.b\n",
		    NULL },
		{ "", NULL, "version is missing" },
		{ "mode: enforce\nmax_age: 1\nmx: a.b\n", NULL,
		    "version is missing" },
		{ "version: STSv2\n", NULL, "unknown version" },
		{ "version: STSv1\nmax_age: 1\nmx: a.b\n", NULL,
		    "mode is missing" },
		{ "version: STSv1\nmode: Enforce\n", NULL, "unknown mode" },
		{ "version: STSv1\nmode: enforce\nmx: a.b\n", NULL,
		    "max_age is missing" },
		{ "max_age: 12345678901\n", NULL,
		    "max_age is no number of seconds" },
		{ "max_age: -1\n", NULL, "max_age is no number of seconds" },
		{ "max_age: 1d\n", NULL, "max_age is no number of seconds" },
		{ "max_age:\n", NULL, "max_age is no number of seconds" },
		{ HEAD, NULL, "mx is missing" },
		{ HEAD "mx: \n", NULL, "mx is no host name" },
		{ HEAD "mx: *\n", NULL, "mx is no host name" },
		{ HEAD "mx: *.\n", NULL, "mx is no host name" },
		{ HEAD "mx: *.*.example.com\n", NULL, "mx is no host name" },
		{ HEAD "mx: a*.example.com\n", NULL, "mx is no host name" },
		{ HEAD "mx: a b.example.com\n", NULL, "mx is no host name" },
		{ HEAD "mx: a.example.com, b.example.com\n", NULL,
		    "mx is no host name" },
		{ "<html>\n", NULL, "a line without a colon" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sts_policy p;
		struct err e = ERR_INIT;
		int rc =
		    sts_policy_read(&p, rows[i].text, strlen(rows[i].text), &e);
		char *text;

		assert_int_equal(rc, rows[i].canonical != NULL ? 0 : -1);
		if (rc != 0) {
			assert_string_equal(e.text, rows[i].problem);
			continue;
		}
		text = sts_policy_text(&p);
		assert_string_equal(text, rows[i].canonical);
		free(text);
		sts_policy_clear(&p);
	}
}

static void
test_hostile_policy(void **state)
{
	size_t size = STS_POLICY_MAX + 1;
	char *text = malloc(size), nul[] = HEAD "mx: a\0b.example.com\n";
	struct sts_policy p;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(sts_policy_read(&p, nul, sizeof(nul) - 1, &e), -1);
	memset(text, '\n', size);
	memcpy(text, HEAD "mx:a.b", strlen(HEAD "mx:a.b"));
	assert_int_equal(sts_policy_read(&p, text, size - 1, &e), 0);
	sts_policy_clear(&p);
	assert_int_equal(sts_policy_read(&p, text, size, &e), -1);
	assert_string_equal(e.text, "longer than 65536 bytes");
	memset(text, 'm', size);
	memcpy(text, HEAD "mx:", strlen(HEAD "mx:"));
	assert_int_equal(sts_policy_read(&p, text, size - 1, &e), -1);
	free(text);
}

static void
test_allows(void **state)
{
	static const char text[] = HEAD "mx: mail.example.com\n"
					"mx: *.example.net\n";
	static const struct {
		const char *host;
		bool allowed;
	} rows[] = {
		{ "mail.example.com", true },
		{ "MAIL.example.COM", true },
		{ "mail.example.com.", true },
		{ "mx1.example.net", true },
		{ "a.b.example.net", false },
		{ "example.net", false },
		{ ".example.net", false },
		{ "evilexample.net", false },
		{ "mail.example.com.evil.test", false },
		{ "xmail.example.com", false },
		{ "", false },
		{ ".", false },
		{ "mail.example.com\nmail", false },
	};
	struct sts_policy p;

	(void)state;
	assert_int_equal(sts_policy_read(&p, text, strlen(text), NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    sts_policy_allows(&p, rows[i].host), rows[i].allowed);
	sts_policy_clear(&p);
}

/* ------ the cache */

static void
put(struct sts_cache *cache, const char *domain, const char *id,
    int64_t fetched, int max_age)
{
	struct sts_cached c = { .fetched = fetched };
	char text[256];

	snprintf(c.id, sizeof(c.id), "%s", id);
	snprintf(text, sizeof(text),
	    "version: STSv1\nmode: enforce\nmx: %s.mx\nmax_age: %d\n", id,
	    max_age);
	assert_int_equal(
	    sts_policy_read(&c.policy, text, strlen(text), NULL), 0);
	sts_cache_put(cache, domain, &c);
	sts_policy_clear(&c.policy);
}

static void
expect(struct sts_cache *cache, const char *domain, int64_t now, const char *id)
{
	struct sts_cached c;

	if (id == NULL) {
		assert_false(sts_cache_get(cache, domain, now, &c));
		return;
	}
	assert_true(sts_cache_get(cache, domain, now, &c));
	assert_string_equal(c.id, id);
	sts_policy_clear(&c.policy);
}

static void
test_cache(void **state)
{
	struct sts_cache *cache = sts_cache_new(0);

	(void)state;
	expect(cache, "a.example", 0, NULL);
	put(cache, "a.example", "1", 1000, 10);
	expect(cache, "a.example", 1000, "1");
	expect(cache, "b.example", 1000, NULL);
	expect(cache, "a.example", 10999, "1");
	expect(cache, "a.example", 11000, NULL);
	put(cache, "a.example", "2", 5000, 10);
	expect(cache, "a.example", 11000, "2");
	sts_cache_free(&cache);
	assert_null(cache);
}

static void
test_failures(void **state)
{
	struct sts_cache *cache = sts_cache_new(0);

	(void)state;
	assert_true(sts_cache_may_fetch(cache, "a.example", "1", 0));
	sts_cache_note_failure(cache, "a.example", "1", 1000);
	assert_false(sts_cache_may_fetch(cache, "a.example", "1", 1000));
	assert_true(sts_cache_may_fetch(cache, "a.example", "2", 1000));
	assert_true(sts_cache_may_fetch(cache, "b.example", "1", 1000));
	assert_false(sts_cache_may_fetch(cache, "a.example", "1", 300999));
	assert_true(sts_cache_may_fetch(cache, "a.example", "1", 301000));
	/* The clock was set back: not for ever. */
	assert_true(sts_cache_may_fetch(cache, "a.example", "1", 999));
	expect(cache, "a.example", 1000, NULL);
	/* One that has a policy keeps it. */
	put(cache, "b.example", "1", 1000, 10);
	sts_cache_note_failure(cache, "b.example", "2", 2000);
	expect(cache, "b.example", 2000, "1");
	sts_cache_free(&cache);
}

static void
test_bounded(void **state)
{
	struct sts_cache *cache = sts_cache_new(64 * 1024);
	char domain[32];
	int left = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		put(cache, domain, "1", 1000, 10);
	}
	for (int i = 0; i < 1000; i++) {
		struct sts_cached c;

		snprintf(domain, sizeof(domain), "d%d.example", i);
		if (!sts_cache_get(cache, domain, 1000, &c))
			continue;
		assert_true(i > 500);
		sts_policy_clear(&c.policy);
		left++;
	}
	assert_in_range(left, 50, 250);
	sts_cache_free(&cache);
}

static void
test_as_text(void **state)
{
	static const char *const bad[] = { "", "1", "1 5", "1 5\n",
		"1 x\n" HEAD "mx:a.b", "1\n" HEAD "mx:a.b", "1 5\nnonsense",
		"012345678901234567890123456789012 5\n" HEAD "mx:a.b" };
	struct sts_cache *cache = sts_cache_new(0);
	struct sts_cached c, again;
	char *text;

	(void)state;
	put(cache, "a.example", "77", 1234567890123, 600);
	assert_true(sts_cache_get(cache, "a.example", 1234567890123, &c));
	text = sts_cached_write(&c);
	assert_int_equal(sts_cached_read(&again, text), 0);
	assert_string_equal(again.id, "77");
	assert_true(again.fetched == c.fetched);
	assert_true(sts_cached_expires(&again) == 1234567890123 + 600000);
	assert_string_equal(again.policy.mx, "77.mx\n");
	free(text);
	sts_policy_clear(&c.policy);
	sts_policy_clear(&again.policy);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sts_cached_read(&c, bad[i]), -1);
	sts_cache_free(&cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_several_records),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_hostile_policy),
		cmocka_unit_test(test_allows),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
