/*
 * test_net.c - addresses as text, special ranges, prefixes.
 */
#include "mta/base/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
test_endpoints(void **state)
{
	static const struct {
		const char *text, *endpoint; /* NULL: refused */
	} cases[] = {
		{ "192.0.2.1:25", "192.0.2.1:25" },
		{ "[2001:db8::1]:25", "[2001:db8::1]:25" },
		{ ":25", "[::]:25" },
		{ "*:25", "[::]:25" },
		{ "[::]:0", "[::]:0" },
		{ "0.0.0.0:65535", "0.0.0.0:65535" },
		{ "[::ffff:192.0.2.1]:25", "192.0.2.1:25" },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
		{ "", NULL },
		{ "25", NULL },
		{ ":", NULL },
		{ "192.0.2.1", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:99999999999999999999", NULL },
		{ "192.0.2.1:-1", NULL },
		{ "192.0.2.1:+1", NULL },
		{ "192.0.2.1: 1", NULL },
		{ "192.0.2.1:1 ", NULL },
		{ "192.0.2.1:0x19", NULL },
		{ "192.0.2.256:25", NULL },
		{ "192.0.2:25", NULL },
		{ "2001:db8::1:25", NULL },
		{ "[2001:db8::1:25", NULL },
		{ "2001:db8::1]:25", NULL },
		{ "[192.0.2.1]:25", NULL },
		{ "[]:25", NULL },
		{ "[:25", NULL },
		{ "[fe80::1%eth0]:25", NULL },
		{ "mx.example.jp:25", NULL },
		{ "[00000000000000000000000000000000000000000000000000000000000"
		  "00000000000000000000::1]:25",
		    NULL },
	};
	char buf[NET_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sockaddr_storage ss;
		socklen_t len;
		struct err e = ERR_INIT;
		int r = net_parse_endpoint(cases[i].text, &ss, &len, &e);

		assert_int_equal(r, cases[i].endpoint ? 0 : -1);
		if (r != 0) {
			assert_string_not_equal(e.text, "");
			continue;
		}
		assert_string_equal(e.text, "");
		assert_int_equal(len, ss.ss_family == AF_INET
					  ? sizeof(struct sockaddr_in)
					  : sizeof(struct sockaddr_in6));
		assert_string_equal(
		    net_endpoint_text((struct sockaddr *)&ss, buf),
		    cases[i].endpoint);
	}
}

static void
parse(const char *text, struct sockaddr_storage *ss)
{
	socklen_t len;

	assert_int_equal(net_parse_address(text, 25, ss, &len, NULL), 0);
}

static void
test_address(void **state)
{
	struct sockaddr_storage ss;
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	socklen_t len;
	struct err e = ERR_INIT;
	char buf[NET_TEXT_MAX];

	(void)state;
	parse("2001:db8::1", &ss);
	assert_int_equal(net_port((struct sockaddr *)&ss), 25);
	assert_string_equal(
	    net_address_text((struct sockaddr *)&ss, buf), "2001:db8::1");
	parse("::ffff:192.0.2.1", &ss);
	assert_string_equal(
	    net_address_text((struct sockaddr *)&ss, buf), "192.0.2.1");
	assert_int_equal(net_parse_address("mx", 25, &ss, &len, &e), -1);
	assert_string_equal(e.text, "not an IP address: 'mx'");
	assert_int_equal(
	    net_parse_address("192.0.2.1", 65536, &ss, &len, &e), -1);
	assert_string_equal(
	    net_address_text((struct sockaddr *)&local, buf), "local");
	assert_string_equal(
	    net_endpoint_text((struct sockaddr *)&local, buf), "local");
	assert_int_equal(net_port((struct sockaddr *)&local), 0);
	assert_true(net_is_special((struct sockaddr *)&local));
}

/* The first and last address of every range, and their neighbours outside. */
static void
test_special(void **state)
{
	static const char *const special[] = { "0.0.0.0", "0.255.255.255",
		"10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
		"127.0.0.1", "127.255.255.255", "169.254.0.0",
		"169.254.169.254", "169.254.255.255", "172.16.0.0",
		"172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0",
		"192.0.2.255", "192.88.99.0", "192.88.99.255", "192.168.0.0",
		"192.168.255.255", "198.18.0.0", "198.19.255.255",
		"198.51.100.0", "198.51.100.255", "203.0.113.0",
		"203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0",
		"255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
		"::ffff:10.1.2.3", "64:ff9b::127.0.0.1", "64:ff9b::a00:1",
		"2002:7f00:1::1", "2002:a00:1::", "2002:c0a8:101::1",
		"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
		"100::", "100::ffff:ffff:ffff:ffff" };
	static const char *const global[] = { "1.0.0.0", "9.255.255.255",
		"11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
		"128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
		"172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0",
		"192.88.98.255", "192.88.100.0", "192.167.255.255",
		"192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255",
		"198.51.101.0", "203.0.112.255", "203.0.114.0",
		"223.255.255.255", "::2", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
		"2002:808:808::1", "fbff::1", "fe00::1", "fec0::1",
		"2001:db7::1", "2001:db9::1", "2001:218::1", "2400::1",
		"100:0:0:1::1" };
	struct sockaddr_storage ss;

	(void)state;
	for (size_t i = 0; i < COUNT(special); i++) {
		parse(special[i], &ss);
		if (!net_is_special((struct sockaddr *)&ss))
			fail_msg("%s is special", special[i]);
	}
	for (size_t i = 0; i < COUNT(global); i++) {
		parse(global[i], &ss);
		if (net_is_special((struct sockaddr *)&ss))
			fail_msg("%s is global", global[i]);
	}
}

static void
test_prefixes(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool has;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "::ffff:10.0.0.1", true },
		{ "10.0.0.0/8", "a00::1", false },
		{ "10.0.0.0/9", "10.127.255.255", true },
		{ "10.0.0.0/9", "10.128.0.0", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.0/31", "192.0.2.1", true },
		{ "0.0.0.0/0", "203.0.113.1", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "::1", "::2", false },
	};
	struct net_prefix prefix;
	struct sockaddr_storage ss;
	struct sockaddr_un local = { .sun_family = AF_UNIX };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(
		    net_parse_prefix(cases[i].prefix, &prefix, NULL), 0);
		parse(cases[i].address, &ss);
		assert_int_equal(
		    net_prefix_has(&prefix, (struct sockaddr *)&ss),
		    cases[i].has);
	}
	assert_int_equal(net_parse_prefix("::/0", &prefix, NULL), 0);
	assert_false(net_prefix_has(&prefix, (struct sockaddr *)&local));
}

static void
test_bad_prefixes(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "not a network: ''" },
		{ "/8", "not a network: '/8'" },
		{ "10.0.0/8", "not a network: '10.0.0/8'" },
		{ "any", "not a network: 'any'" },
		{ "10.0.0.0/", "prefix length is not in 0-32: '10.0.0.0/'" },
		{ "10.0.0.0/33",
		    "prefix length is not in 0-32: '10.0.0.0/33'" },
		{ "10.0.0.0/8/8",
		    "prefix length is not in 0-32: '10.0.0.0/8/8'" },
		{ "10.0.0.0/-1",
		    "prefix length is not in 0-32: '10.0.0.0/-1'" },
		{ "::/129", "prefix length is not in 0-128: '::/129'" },
		{ "10.0.0.1/8",
		    "address has bits beyond its prefix length: '10.0.0.1/8'" },
		{ "2001:db8::1/64", "address has bits beyond its prefix "
				    "length: '2001:db8::1/64'" },
	};
	struct net_prefix prefix;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(
		    net_parse_prefix(cases[i].text, &prefix, &e), -1);
		assert_string_equal(e.text, cases[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_bad_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
