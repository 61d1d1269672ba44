/*
 * test_address.c - mailboxes: regular, irregular, quoted, international,
 * hostile.
 */
#include "mta/smtp/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define L64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LABEL63                                                                \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

/* clang-format off */
static const struct {
	const char *text, *local, *domain;
	bool irregular, utf8;
	const char *quoted, *raw; /* as written; NULL: as text */
} good[] = {
	{ "taro@docomo.ne.jp", "taro", "docomo.ne.jp", 0, 0, NULL, NULL },
	{ "Taro.Yamada@DOCOMO.NE.JP", "Taro.Yamada", "docomo.ne.jp", 0, 0,
	  "Taro.Yamada@docomo.ne.jp", "Taro.Yamada@docomo.ne.jp" },
	{ "a..b@docomo.ne.jp", "a..b", "docomo.ne.jp", 1, 0, "\"a..b\"@docomo.ne.jp", NULL },
	{ "a.@ezweb.ne.jp", "a.", "ezweb.ne.jp", 1, 0, "\"a.\"@ezweb.ne.jp", NULL },
	{ ".a@docomo.ne.jp", ".a", "docomo.ne.jp", 1, 0, "\".a\"@docomo.ne.jp", NULL },
	{ ".@docomo.ne.jp", ".", "docomo.ne.jp", 1, 0, "\".\"@docomo.ne.jp", NULL },
	{ "\"a..b\"@docomo.ne.jp", "a..b", "docomo.ne.jp", 1, 0, NULL, "a..b@docomo.ne.jp" },
	{ "\"foo\"@d.example", "foo", "d.example", 0, 0, "foo@d.example", "foo@d.example" },
	{ "\"a b\"@d.example", "a b", "d.example", 0, 0, NULL, NULL },
	{ "\"a@b\"@d.example", "a@b", "d.example", 0, 0, NULL, NULL },
	{ "\"a\\\"b\\\\c\"@d", "a\"b\\c", "d", 0, 0, NULL, NULL },
	{ "\"\\a>\"@d", "a>", "d", 0, 0, "\"a>\"@d", "\"a>\"@d" },
	{ "!#$%&'*+/=?^`{|}~-_@d", "!#$%&'*+/=?^`{|}~-_", "d", 0, 0, NULL, NULL },
	{ "a@d.example.", "a", "d.example", 0, 0, "a@d.example", "a@d.example" },
	{ "a@a_b.example", "a", "a_b.example", 0, 0, NULL, NULL },
	{ "a@[192.0.2.1]", "a", "[192.0.2.1]", 0, 0, NULL, NULL },
	{ "a@[IPv6:2001:DB8::1]", "a", "[ipv6:2001:db8::1]", 0, 0,
	  "a@[ipv6:2001:db8::1]", "a@[ipv6:2001:db8::1]" },
	{ "@x.example,@y:a@d", "a", "d", 0, 0, "a@d", "a@d" },
	{ "\xe5\xa4\xaa\xe9\x83\x8e@d.example", "\xe5\xa4\xaa\xe9\x83\x8e", "d.example", 0, 1, NULL, NULL },
	{ "a@\xe4\xbe\x8b.example", "a", "\xe4\xbe\x8b.example", 0, 1, NULL, NULL },
	{ L64 "@d", L64, "d", 0, 0, NULL, NULL },
	{ "a@" LABEL63 ".jp", "a", LABEL63 ".jp", 0, 0, NULL, NULL },
};

#define T(s) { s, sizeof(s) - 1 }
static const struct {
	const char *text;
	size_t len;
} bad[] = {
	T(""), T("@"), T("a"), T("a@"), T("@d"), T("postmaster"), T("\"\"@d"), T("a@d@e"), T("a b@d"),
	T("a@d e"), T("a@.d"), T("a@d..e"), T("a@d.."), T("a@."), T("a@-d"), T("a@d-"), T("a@d/e"),
	T("\"a@d"), T("\"a\\"), T("\"a\\\""), T("\"a\"b@d"), T("a\"b\"@d"), T("a@[1.2.3]"),
	T("a@[1.2.3.4"), T("a@[]"), T("a@["), T("a@[IPv6:zz]"), T("a@[IPv6:]"), T("a@[x-tag:1]"),
	T("a@[192.0.2.1].jp"), T("@x"), T("@x:"), T("@x,y:a@d"), T("x:a@d"), T("@x y:a@d"),
	T("a\r\n@d"), T("\"a\r\nb\"@d"), T("\"a\nb\"@d"), T("\"a\\\rb\"@d"), T("\"a\\\nb\"@d"),
	T("\"a\0b\"@d"), T("a\0@d"), T("a@d\0e"), T("a@d\r"), T("a@d\n"), T("\"a\tb\"@d"),
	T("\"a\x7f\"@d"), T("a@d\x01"),
	T("\xff@d"), T("\xc0\xaf@d"), T("\xe0\x80\x80@d"), T("\xed\xa0\x80@d"), T("\xf4\x90\x80\x80@d"),
	T("\xe5\xa4@d"), T("a@\xe5\xa4"), T("\xc2\x85@d"), T("a@\x80"),
	T(L64 "x@d"), T("a@" LABEL63 "x.jp"), T("<a@d>"), T("a@d>"), T("(c)a@d"), T("a,b@d"),
};
/* clang-format on */

static void
parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct address a, again;
		char buf[ADDRESS_TEXT_MAX];
		struct err e = ERR_INIT;
		const char *t = good[i].text;

		if (address_parse(&a, t, strlen(t), &e) == -1)
			fail_msg("%s: %s", t, e.text);
		assert_string_equal(a.local, good[i].local);
		assert_string_equal(a.domain, good[i].domain);
		assert_false(a.null);
		assert_int_equal(a.irregular, good[i].irregular);
		assert_int_equal(a.utf8, good[i].utf8);
		assert_string_equal(address_format(&a, QUOTE_RAW, buf),
		    good[i].raw != NULL ? good[i].raw : t);
		assert_string_equal(address_format(&a, QUOTE_IRREGULAR, buf),
		    good[i].quoted != NULL ? good[i].quoted : t);
		assert_int_equal(
		    address_parse(&again, buf, strlen(buf), &e), 0);
		assert_string_equal(again.local, a.local);
		assert_string_equal(again.domain, a.domain);
		assert_int_equal(again.irregular, a.irregular);
	}
}

static void
refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct address a;
		struct err e = ERR_INIT;

		if (address_parse(&a, bad[i].text, bad[i].len, &e) == 0)
			fail_msg("row %zu taken: %s", i, bad[i].text);
		assert_true(e.text[0] != '\0');
	}
}

static void
refuses_a_long_domain(void **state)
{
	char text[2 + 2 * 128 + 1] = "a@";
	struct address a;

	(void)state;
	for (size_t n = 2; n < sizeof(text) - 1; n += 2)
		memcpy(text + n, "d.", 3);
	/* 255 octets and a dot at the end, which does not count; then one label
	 * more. */
	text[2 + 255] = '\0';
	assert_int_equal(address_parse(&a, text, 2 + 255, NULL), 0);
	text[2 + 255] = 'd';
	assert_int_equal(address_parse(&a, text, 2 + 256, NULL), -1);
}

static void
null_reverse_path(void **state)
{
	struct address a;
	char buf[ADDRESS_TEXT_MAX] = "x";

	(void)state;
	assert_int_equal(address_parse_reverse_path(&a, "", 0, NULL), 0);
	assert_true(a.null);
	assert_string_equal(a.local, "");
	assert_string_equal(a.domain, "");
	assert_string_equal(address_format(&a, QUOTE_IRREGULAR, buf), "");
	assert_int_equal(address_parse_reverse_path(&a, "a@d", 3, NULL), 0);
	assert_false(a.null);
	assert_int_equal(address_parse_reverse_path(&a, "a", 1, NULL), -1);
}

/* The longest local part, every byte of it escaped, fits the room promised. */
static void
longest_text_fits(void **state)
{
	struct address a = { .null = false };
	char buf[ADDRESS_TEXT_MAX];

	(void)state;
	memset(a.local, '"', ADDRESS_LOCAL_MAX);
	memset(a.domain, 'd', ADDRESS_DOMAIN_MAX);
	address_format(&a, QUOTE_IRREGULAR, buf);
	assert_int_equal(strlen(buf), ADDRESS_TEXT_MAX - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_a_long_domain),
		cmocka_unit_test(null_reverse_path),
		cmocka_unit_test(longest_text_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
