/*
 * test_return_path.c - bounce addresses: what we made is known again, nothing
 * else.
 */
#include "mta/return_path.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mta/smtp/address.h"

#define DOMAIN "bounce.example.jp"
#define DAY    (INT64_C(24) * 3600 * 1000)
#define NOON   (INT64_C(20780) * DAY + DAY / 2) /* 2026-11-23 12:00 */

static const char secret[] = "0123456789abcdef0123456789abcdef";

static struct return_path_key *
new_key(const char *text)
{
	struct err e = ERR_INIT;
	struct return_path_key *k = return_path_key_new(text, strlen(text), &e);

	assert_string_equal(e.text, "");
	assert_non_null(k);
	return k;
}

static int
setup(void **state)
{
	*state = new_key(secret);
	return 0;
}

static int
teardown(void **state)
{
	struct return_path_key *k = *state;

	return_path_key_free(&k);
	assert_null(k);
	return 0;
}

static const struct return_path usual = {
	.message = INT64_C(0x123456789abcd),
	.index = 3,
	.expires = NOON,
};

static char *
make(const struct return_path_key *k, const struct return_path *rp,
    char buf[static RETURN_PATH_LOCAL_MAX + 1])
{
	memset(buf, '!', RETURN_PATH_LOCAL_MAX + 1);
	assert_ptr_equal(return_path_make(k, DOMAIN, rp, buf), buf);
	return buf;
}

static enum return_path_verdict
verdict(const struct return_path_key *k, const char *local)
{
	struct return_path rp;

	return return_path_read(k, DOMAIN, local, NOON, &rp);
}

static void
test_there_and_back(void **state)
{
	static const struct return_path cases[] = {
		{ 0, 0, 0 },
		{ 1, 1, DAY },
		{ INT64_C(0x123456789abcd), 3, NOON },
		{ INT64_MAX, 0xffffffffu, INT64_C(0xffffff) * DAY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[RETURN_PATH_LOCAL_MAX + 1];
		struct return_path out = { -1, 9, -1 };

		make(*state, &cases[i], buf);
		assert_int_equal(return_path_read(*state, DOMAIN, buf, 0, &out),
		    RETURN_PATH_GOOD);
		assert_int_equal(out.message, cases[i].message);
		assert_int_equal(out.index, cases[i].index);
		assert_int_equal(
		    out.expires, (cases[i].expires / DAY + 1) * DAY - 1);
	}
}

/* A local part that any mail system takes as it is. */
static void
test_form(void **state)
{
	char buf[RETURN_PATH_LOCAL_MAX + 1], text[ADDRESS_TEXT_MAX],
	    mailbox[sizeof(buf) + sizeof(DOMAIN) + 1];
	struct address a;
	struct err e;

	make(*state, &usual, buf);
	assert_memory_equal(buf, "b=", 2);
	assert_in_range(strlen(buf), 20, RETURN_PATH_LOCAL_MAX);
	for (const char *p = buf + 2; *p != '\0'; p++)
		assert_true(
		    islower((unsigned char)*p) || isdigit((unsigned char)*p));
	snprintf(mailbox, sizeof(mailbox), "%s@%s", buf, DOMAIN);
	assert_int_equal(address_parse(&a, mailbox, strlen(mailbox), &e), 0);
	assert_string_equal(address_format(&a, QUOTE_IRREGULAR, text), mailbox);
}

static void
test_case_is_of_no_account(void **state)
{
	char buf[RETURN_PATH_LOCAL_MAX + 1];
	struct return_path rp;

	make(*state, &usual, buf);
	for (char *p = buf; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	assert_int_equal(verdict(*state, buf), RETURN_PATH_GOOD);
	for (char *p = buf; *p != '\0'; p += 2)
		*p = (char)tolower((unsigned char)*p);
	assert_int_equal(verdict(*state, buf), RETURN_PATH_GOOD);
	assert_int_equal(
	    return_path_read(*state, "BOUNCE.Example.JP", buf, NOON, &rp),
	    RETURN_PATH_GOOD);
}

/* Every byte at every place, one left out, one put in. */
static void
test_one_change_is_never_good(void **state)
{
	char good[RETURN_PATH_LOCAL_MAX + 1];
	unsigned forged = 0;
	size_t len;

	len = strlen(make(*state, &usual, good));
	for (size_t i = 0; i < len; i++) {
		for (int c = 1; c < 256; c++) {
			char bad[sizeof(good)];
			enum return_path_verdict v;

			if (tolower(c) == good[i])
				continue;
			memcpy(bad, good, len + 1);
			bad[i] = (char)c;
			v = verdict(*state, bad);
			assert_true(
			    v == RETURN_PATH_FORGED || v == RETURN_PATH_OTHER);
			forged += v == RETURN_PATH_FORGED;
		}
	}
	/* 31 other digits, and the letters of them twice */
	assert_true(forged > (len - 2) * 31);
	for (size_t i = 0; i < len; i++) {
		char bad[sizeof(good)];

		memcpy(bad, good, i);
		strcpy(bad + i, good + i + 1);
		assert_int_equal(verdict(*state, bad), RETURN_PATH_OTHER);
		memcpy(bad, good, i);
		bad[i] = 'a';
		strcpy(bad + i + 1, good + i);
		assert_int_equal(verdict(*state, bad), RETURN_PATH_OTHER);
	}
}

static void
test_what_is_no_token(void **state)
{
	static const char *const cases[] = {
		"",
		"b",
		"b=",
		"b=a",
		"postmaster",
		"=b",
		"bounce+b=aaaa",
		"b=0000000000000000000000000000000000000000",
		"b=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=",
		"b-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"b=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	char every[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(verdict(*state, cases[i]), RETURN_PATH_OTHER);
	assert_int_equal(
	    verdict(*state, "b=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	    RETURN_PATH_FORGED);
	for (int i = 0; i < 255; i++)
		every[i] = (char)(i + 1);
	every[255] = '\0';
	assert_int_equal(verdict(*state, every), RETURN_PATH_OTHER);
}

/* Good until the last millisecond of its day in UTC, whatever the hour it was
 * made for. */
static void
test_expires_with_its_day(void **state)
{
	const int64_t day = NOON - DAY / 2,
		      made_for[] = { day, NOON, day + DAY - 1 };

	for (size_t i = 0; i < 3; i++) {
		struct return_path rp = usual, out;
		char buf[RETURN_PATH_LOCAL_MAX + 1];

		rp.expires = made_for[i];
		make(*state, &rp, buf);
		assert_int_equal(
		    return_path_read(*state, DOMAIN, buf, day + DAY - 1, &out),
		    RETURN_PATH_GOOD);
		memset(&out, 0, sizeof(out));
		assert_int_equal(
		    return_path_read(*state, DOMAIN, buf, day + DAY, &out),
		    RETURN_PATH_EXPIRED);
		assert_int_equal(out.message, usual.message);
		assert_int_equal(out.index, usual.index);
		assert_int_equal(out.expires, day + DAY - 1);
	}
}

/* Times that no clock should say. */
static void
test_odd_times(void **state)
{
	struct return_path rp = usual, out;
	char buf[RETURN_PATH_LOCAL_MAX + 1];

	rp.expires = INT64_MIN;
	make(*state, &rp, buf);
	assert_int_equal(return_path_read(*state, DOMAIN, buf, NOON, &out),
	    RETURN_PATH_EXPIRED);
	rp.expires = INT64_MAX;
	make(*state, &rp, buf);
	assert_int_equal(return_path_read(*state, DOMAIN, buf, NOON, &out),
	    RETURN_PATH_GOOD);
}

static void
test_other_key_other_domain(void **state)
{
	struct return_path_key *other =
	    new_key("0123456789abcdef0123456789abcdeg");
	char buf[RETURN_PATH_LOCAL_MAX + 1];
	struct return_path rp;

	make(*state, &usual, buf);
	assert_int_equal(verdict(*state, buf), RETURN_PATH_GOOD);
	assert_int_equal(verdict(other, buf), RETURN_PATH_FORGED);
	assert_int_equal(
	    return_path_read(*state, "bounce.example.com", buf, NOON, &rp),
	    RETURN_PATH_FORGED);
	assert_int_equal(
	    return_path_read(*state, "", buf, NOON, &rp), RETURN_PATH_FORGED);
	return_path_key_free(&other);
}

/* As fields and reports show it. */
static void
test_as_an_address(void **state)
{
	static const struct {
		const char *before, *after;
		enum return_path_verdict v;
	} rows[] = {
		{ "", "@bounce.example.jp", RETURN_PATH_GOOD },
		{ "<", "@bounce.example.jp>", RETURN_PATH_GOOD },
		{ " \t<", "@BOUNCE.Example.jp> \r\n", RETURN_PATH_GOOD },
		{ "", "", RETURN_PATH_OTHER },
		{ "", "@", RETURN_PATH_OTHER },
		{ "", "@bounce.example.j", RETURN_PATH_OTHER },
		{ "", "@bounce.example.jpx", RETURN_PATH_OTHER },
		{ "", "@x.bounce.example.jp", RETURN_PATH_OTHER },
		{ "", "@bounce.example.jp@bounce.example.jp",
		    RETURN_PATH_OTHER },
		{ "x@y <", "@bounce.example.jp>", RETURN_PATH_OTHER },
		{ "0123456789012345678901234567890", "@bounce.example.jp",
		    RETURN_PATH_OTHER },
	};
	char local[RETURN_PATH_LOCAL_MAX + 1], text[256];
	struct return_path rp = { 0, 0, 0 };

	make(*state, &usual, local);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%s%s%s", rows[i].before, local,
		    rows[i].after);
		assert_int_equal(
		    return_path_read_text(*state, DOMAIN, text, NOON, &rp),
		    rows[i].v);
	}
	assert_int_equal(rp.message, usual.message);
	local[20] = local[20] == 'a' ? 'b' : 'a';
	snprintf(text, sizeof(text), "<%s@%s>", local, DOMAIN);
	assert_int_equal(return_path_read_text(*state, DOMAIN, text, NOON, &rp),
	    RETURN_PATH_FORGED);
	assert_int_equal(return_path_read_text(*state, DOMAIN, "", NOON, &rp),
	    RETURN_PATH_OTHER);
}

/* What is in a token shows nothing of the next one's MAC. */
static void
test_each_has_its_own_mac(void **state)
{
	char a[RETURN_PATH_LOCAL_MAX + 1], b[RETURN_PATH_LOCAL_MAX + 1];
	struct return_path next = usual;

	next.index++;
	make(*state, &usual, a);
	make(*state, &next, b);
	memcpy(a + 2, b + 2, 24); /* the claim of one, the MAC of the other */
	assert_int_equal(verdict(*state, a), RETURN_PATH_FORGED);
	assert_string_not_equal(a, b);
}

static void
test_secret_needs_a_length(void **state)
{
	struct err e = ERR_INIT;
	struct return_path_key *k;

	(void)state;
	assert_null(return_path_key_new("0123456789abcde", 15, &e));
	assert_string_equal(
	    e.text, "a secret of 15 bytes is too short, it needs 16");
	assert_null(return_path_key_new("", 0, &e));
	k = return_path_key_new("0123456789\0bcdef", 16, &e);
	assert_non_null(k);
	return_path_key_free(&k);
	return_path_key_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_case_is_of_no_account),
		cmocka_unit_test(test_one_change_is_never_good),
		cmocka_unit_test(test_what_is_no_token),
		cmocka_unit_test(test_expires_with_its_day),
		cmocka_unit_test(test_odd_times),
		cmocka_unit_test(test_other_key_other_domain),
		cmocka_unit_test(test_as_an_address),
		cmocka_unit_test(test_each_has_its_own_mac),
		cmocka_unit_test(test_secret_needs_a_length),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
