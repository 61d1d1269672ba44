/*
 * test_door.c - who gets into the console: sessions, guesses, what a request
 * says of itself, and the role that each address takes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/net.h"
#include "router/config.h"
#include "router/http/console_head.h"
#include "router/http/guesses.h"
#include "router/http/session.h"

#define HOUR (INT64_C(3600) * 1000)

static const struct users_seen seen = { .role = ROLE_OPERATE };

/* -- sessions -------------------------------------------------------------- */

static void
sessions_last(void **state)
{
	struct sessions *s = sessions_new(12 * HOUR, 7 * 24 * HOUR, 10);
	const struct session *session;
	char token[SESSION_TOKEN], key[SESSION_TOKEN];
	int64_t now = 5;

	(void)state;
	session = sessions_add(s, "taro", &seen, now, token);
	memcpy(key, session->key, sizeof(key));
	assert_int_equal(strlen(token), 64);
	assert_string_not_equal(token, key);
	assert_string_not_equal(token, session->csrf);
	assert_int_equal(session->seen.role, ROLE_OPERATE);
	assert_ptr_equal(sessions_use(s, token, now), session);
	assert_null(sessions_use(s, key, now));
	assert_null(sessions_use(s, "", now));

	/* Used every eleven hours, it lasts a week and no longer. */
	for (int i = 0; i < 15; i++)
		assert_non_null(sessions_use(s, token, now += 11 * HOUR));
	assert_non_null(sessions_use(s, token, 5 + 7 * 24 * HOUR - 1));
	assert_null(sessions_use(s, token, 5 + 7 * 24 * HOUR));
	assert_int_equal(sessions_count(s), 0);
	sessions_free(&s);
	assert_null(s);
}

static void
unused_sessions_end(void **state)
{
	struct sessions *s = sessions_new(12 * HOUR, 7 * 24 * HOUR, 10);
	char token[SESSION_TOKEN], key[SESSION_TOKEN];

	(void)state;
	memcpy(key, sessions_add(s, "taro", &seen, 0, token)->key, sizeof(key));
	assert_non_null(sessions_use(s, token, 12 * HOUR - 1));
	/* To look for it is not to use it. */
	assert_non_null(sessions_find(s, key, 24 * HOUR - 2));
	assert_null(sessions_find(s, key, 24 * HOUR - 1));
	assert_null(sessions_use(s, token, 0));

	memcpy(key, sessions_add(s, "taro", &seen, 0, token)->key, sizeof(key));
	sessions_end(s, key);
	sessions_end(s, key);
	assert_null(sessions_use(s, token, 0));
	sessions_free(&s);
}

static void
sessions_are_bounded(void **state)
{
	struct sessions *s = sessions_new(12 * HOUR, 7 * 24 * HOUR, 3);
	char tokens[5][SESSION_TOKEN];

	(void)state;
	for (int i = 0; i < 3; i++)
		sessions_add(s, "taro", &seen, i, tokens[i]);
	assert_non_null(sessions_use(s, tokens[0], 3));
	sessions_add(s, "jiro", &seen, 4, tokens[3]);
	assert_int_equal(sessions_count(s), 3);
	assert_null(sessions_use(s, tokens[1], 5)); /* the oldest by use */
	assert_non_null(sessions_use(s, tokens[0], 5));
	sessions_add(s, "jiro", &seen, 6, tokens[4]);
	assert_null(sessions_use(s, tokens[2], 7));
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(tokens[i], tokens[j]);
	sessions_free(&s);
}

/* -- guesses --------------------------------------------------------------- */

/* One of them shares a cell with who was guessed at once in 4,096 runs. */
static bool
somebody_else_may(const struct guesses *g, const char *address, int64_t now)
{
	return guesses_wait(g, "jiro", address, now) == 0 ||
	       guesses_wait(g, "hana", address, now) == 0 ||
	       guesses_wait(g, "saki", address, now) == 0;
}

static void
guesses_wait_longer(void **state)
{
	static const int64_t waits[] = { 0, 0, 0, 0, 500, 1000, 2000, 4000,
		4000, 4000, 4000 };
	struct guesses *g = guesses_new();
	char address[16];

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		/* From everywhere. */
		snprintf(address, sizeof(address), "192.0.2.%zu", i);
		assert_int_equal(
		    guesses_wait(g, "taro", address, 1000), waits[i]);
		guesses_failed(g, "taro", address, 1000);
	}
	assert_true(somebody_else_may(g, "192.0.2.1", 1000));
	/* A failure is forgotten every 20 seconds. */
	assert_int_equal(
	    guesses_wait(g, "taro", "198.51.100.1", 1000 + 6 * 20000), 1000);
	assert_int_equal(
	    guesses_wait(g, "taro", "198.51.100.1", 1000 + 8 * 20000), 0);

	/* Nor does a thousand of them lock anybody out. */
	for (int i = 0; i < 1000; i++)
		guesses_failed(g, "taro", "192.0.2.1", 5000);
	assert_int_equal(
	    guesses_wait(g, "taro", "198.51.100.1", 5000), GUESSES_WAIT_MOST);
	assert_int_equal(
	    guesses_wait(g, "taro", "198.51.100.1", 5000 + 20 * 20000), 0);
	guesses_free(&g);
	assert_null(g);
}

static void
an_address_waits_a_little(void **state)
{
	struct guesses *g = guesses_new();
	char name[16];

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		guesses_failed(g, name, "192.0.2.1", 0);
	}
	assert_int_equal(guesses_wait(g, "hana", "192.0.2.1", 0), 1000);
	assert_true(somebody_else_may(g, "192.0.2.2", 0) ||
		    somebody_else_may(g, "192.0.2.3", 0));
	guesses_free(&g);
}

/* -- Host, Origin ---------------------------------------------------------- */

static void
listen_on(struct config_web *config, const char *endpoint)
{
	struct err e = ERR_INIT;

	memset(config, 0, sizeof(*config));
	assert_int_equal(
	    net_parse_endpoint(endpoint, &config->addr, &config->addr_len, &e),
	    0);
}

static void
hosts(void **state)
{
	static const struct {
		const char *listen, *host;
		bool fits;
	} cases[] = {
		{ "127.0.0.1:80", "127.0.0.1", true },
		{ "127.0.0.1:80", "127.0.0.1:9999", true },
		{ "127.0.0.1:80", "localhost:80", true },
		{ "127.0.0.1:80", "LocalHost", true },
		{ "127.0.0.1:80", "[::1]:80", true },
		{ "127.0.0.1:80", "console.test:80", true },
		{ "127.0.0.1:80", "CONSOLE.test", true },
		{ "127.0.0.1:80", "192.0.2.1", false },
		{ "127.0.0.1:80", "evil.test", false },
		{ "127.0.0.1:80", "127.0.0.1.evil.test", false },
		{ "127.0.0.1:80", "localhost.", false },
		{ "127.0.0.1:80", "localhost:", true },
		{ "127.0.0.1:80", "localhost:x", false },
		{ "127.0.0.1:80", "localhost:123456", false },
		{ "127.0.0.1:80", "localhost:1:1", false },
		{ "127.0.0.1:80", "user@localhost", false },
		{ "127.0.0.1:80", "", false },
		{ "127.0.0.1:80", ":80", false },
		{ "127.0.0.1:80", "[]", false },
		{ "127.0.0.1:80", "[::1", false },
		{ "127.0.0.1:80", "[::1]x", false },
		{ "127.0.0.1:80", "0x7f.1", false },
		{ "127.0.0.1:80", "2130706433", false },
		{ "[::1]:80", "[::1]", true },
		{ "[::1]:80", "localhost", true },
		{ "192.0.2.1:443", "192.0.2.1:443", true },
		{ "192.0.2.1:443", "192.0.2.2", false },
		{ "192.0.2.1:443", "localhost", false },
		{ "192.0.2.1:443", "127.0.0.1", false },
		{ "192.0.2.1:443", "console.test", true },
		{ "[2001:db8::1]:443", "[2001:db8:0:0::1]", true },
		{ "[2001:db8::1]:443", "[2001:db8::2]", false },
		{ "0.0.0.0:443", "198.51.100.7", true },
		{ "*:443", "[2001:db8::7]:443", true },
		{ "*:443", "evil.test", false },
		{ "*:443", "localhost", false },
	};
	char other[] = "other.test", console[] = "console.test";
	char *names[] = { other, console };
	struct config_web config;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		listen_on(&config, cases[i].listen);
		config.names = names;
		config.nnames = 2;
		if (console_host_fits(&config, cases[i].host) != cases[i].fits)
			fail_msg("%s at %s", cases[i].host, cases[i].listen);
	}
	assert_false(console_host_fits(&config, NULL));
}

static void
origins(void **state)
{
	static const struct {
		const char *origin, *host;
		bool clear, tls;
	} cases[] = {
		{ "http://a.test:80", "a.test:80", true, false },
		{ "https://a.test:80", "a.test:80", true, true },
		{ "HTTPS://A.test", "a.TEST", true, true },
		{ "https://a.test", "a.test:443", false, false },
		{ "https://a.test.evil", "a.test", false, false },
		{ "https://evil/a.test", "a.test", false, false },
		{ "https://a.test/", "a.test", false, false },
		{ "null", "a.test", false, false },
		{ "", "", false, false },
		{ "a.test", "a.test", false, false },
		{ "ftp://a.test", "a.test", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    console_origin_fits(cases[i].origin, cases[i].host, false),
		    cases[i].clear);
		assert_int_equal(
		    console_origin_fits(cases[i].origin, cases[i].host, true),
		    cases[i].tls);
	}
}

/* -- cookies and what a client takes --------------------------------------- */

static void
cookies(void **state)
{
	static const struct {
		const char *cookies, *value; /* NULL: none */
	} cases[] = {
		{ "s=abc", "abc" },
		{ "a=1; s=abc; b=2", "abc" },
		{ "a=1;s=abc", "abc" },
		{ " ;; s=abc", "abc" },
		{ "s=", "" },
		{ "s=a=b", "a=b" },
		{ "s=one; s=two", "one" },
		{ "s=1234567890; s=two", "two" }, /* does not fit */
		{ "xs=abc", NULL },
		{ "sx=abc", NULL },
		{ "S=abc", NULL },
		{ "s", NULL },
		{ "s =abc", NULL },
		{ "", NULL },
		{ ";", NULL },
		{ NULL, NULL },
	};
	char value[8];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool found =
		    console_cookie(cases[i].cookies, "s", value, sizeof(value));

		if (found != (cases[i].value != NULL) ||
		    (found && strcmp(value, cases[i].value) != 0))
			fail_msg("%s", cases[i].cookies);
	}
}

static void
languages(void **state)
{
	static const struct {
		const char *accepted, *language;
	} cases[] = {
		{ "en", "en" },
		{ "en-GB,ja;q=0.5", "en" },
		{ "ja-JP, en", "ja" },
		{ "fr, en;q=0.3, ja;q=0.2", "en" },
		{ "en;q=0, ja", "ja" },
		{ "en ; q=0.000, fr", "ja" },
		{ "EN", "en" },
		{ "eno, de", "ja" },
		{ "*", "ja" },
		{ "", "ja" },
		{ ",,,", "ja" },
		{ NULL, "ja" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
		    console_language(cases[i].accepted), cases[i].language);
}

static void
encodings(void **state)
{
	static const struct {
		const char *accepted;
		bool takes;
	} cases[] = {
		{ "gzip", true },
		{ "br, gzip;q=0.1", true },
		{ "GZIP", true },
		{ "gzip;q=0", false },
		{ "gzip; q=0.0, br", false },
		{ "xgzip, gzipx", false },
		{ "identity", false },
		{ "", false },
		{ NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
		    console_takes_gzip(cases[i].accepted), cases[i].takes);
}

static void
tags(void **state)
{
	static const char *const same[] = { "\"ab\"", "W/\"ab\"", "*",
		"\"x\", \"ab\"", "\"x\",W/\"ab\"", " \"ab\" " };
	static const char *const other[] = { "\"a\"", "\"abc\"", "ab", "", "W/",
		"\"x\", \"y\"", "**" };

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_true(console_has_tag(same[i], "\"ab\""));
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_false(console_has_tag(other[i], "\"ab\""));
	assert_false(console_has_tag(NULL, "\"ab\""));
}

/* -- roles ----------------------------------------------------------------- */

static void
roles(void **state)
{
	(void)state;
	for (int i = ROLE_VIEW; i <= ROLE_ADMIN; i++)
		assert_int_equal(
		    user_role_of(user_role_name((enum user_role)i)), i);
	assert_int_equal(user_role_of("none"), ROLE_NONE);
	assert_int_equal(user_role_of(""), ROLE_NONE);
	assert_int_equal(user_role_of("Admin"), ROLE_NONE);
	assert_true(ROLE_VIEW < ROLE_OPERATE && ROLE_OPERATE < ROLE_ADMIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_last),
		cmocka_unit_test(unused_sessions_end),
		cmocka_unit_test(sessions_are_bounded),
		cmocka_unit_test(guesses_wait_longer),
		cmocka_unit_test(an_address_waits_a_little),
		cmocka_unit_test(hosts),
		cmocka_unit_test(origins),
		cmocka_unit_test(cookies),
		cmocka_unit_test(languages),
		cmocka_unit_test(encodings),
		cmocka_unit_test(tags),
		cmocka_unit_test(roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
