/*
 * test_header.c - what is read from a header, whatever the pieces it comes in.
 */
#include "mta/smtp/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format off */
static const struct {
	const char *text;
	size_t size; /* of the header; 0: it never ends */
	unsigned received;
	const char *domain, *id;
} rows[] = {
	{ "From: a@B.Example\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n", 40, 0, "b.example", "<1@x>" },
	{ "\r\nFrom: a@b\r\n", 2, 0, "", "" },
	{ "From: a@b\r\nno field\r\n\r\n", 11, 0, "b", "" },
	{ "From: a@b\r\n: x\r\n", 11, 0, "b", "" },
	{ "From: a@b\r\n\rx: y\r\n", 11, 0, "b", "" },
	{ "Received: 1\r\nreceived : 2\r\n by x\r\nX-Received: 3\r\nReceivedx: 4\r\n\r\n", 65, 2, "", "" },
	{ "From: a@b\r\n", 0, 0, "b", "" },
	{ "From: \"x, <y@z>\" (c <d@e> \\) (f)) <a@b>\r\n\r\n", 43, 0, "b", "" },
	{ "From: x@y <a@b>, c@d\r\n\r\n", 24, 0, "b", "" },
	{ "From: a@b, c@d\r\n\r\n", 18, 0, "b", "" },
	{ "From: team: a@b, c@d;\r\n\r\n", 25, 0, "b", "" },
	{ "From: <@r,@s:a@b>\r\n\r\n", 21, 0, "b", "" },
	{ "From: a@[IPv6:2001:DB8::1]\r\n\r\n", 30, 0, "[ipv6:2001:db8::1]", "" },
	{ "From: folded\r\n\t<a@\r\n b.example.>\r\n\r\n", 36, 0, "b.example", "" },
	{ "From: \033$B<@\"(\033(B <a@docomo.ne.jp>\r\n\r\n", 37, 0, "docomo.ne.jp", "" },
	{ "From: a..b@docomo.ne.jp\r\nFrom: c@d\r\n\r\n", 38, 0, "docomo.ne.jp", "" },
	{ "From: nobody\r\n\r\n", 16, 0, "", "" },
	{ "From:\r\n\r\n", 9, 0, "", "" },
	{ "From: a@\xff\r\n\r\n", 13, 0, "", "" },
	{ "Message-ID:\r\n <a@b>\r\n\r\n", 23, 0, "", "<a@b>" },
	{ "Message-ID: <a b>\r\n\r\n", 21, 0, "", "" },
	{ "Message-ID: a@b\r\nMessage-ID: <c@d>\r\n\r\n", 38, 0, "", "" },
	{ " folded first\r\nFrom: a@b\r\n", 0, 0, "", "" },
};
/* clang-format on */

static void
check(const struct header *h, size_t row, size_t at)
{
	bool ends = rows[row].size > 0 || rows[row].text[0] == ' ';

	if (h->ended != ends || h->received != rows[row].received ||
	    h->size != (ends ? rows[row].size : strlen(rows[row].text)) ||
	    strcmp(h->from_domain.data, rows[row].domain) != 0 ||
	    strcmp(h->message_id.data, rows[row].id) != 0)
		fail_msg("row %zu cut at %zu: ended %d size %zu received %u "
			 "domain '%s' id '%s'",
		    row, at, h->ended, h->size, h->received,
		    h->from_domain.data, h->message_id.data);
}

static void
reads_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *t = rows[i].text;
		size_t len = strlen(t);

		for (size_t at = 0; at <= len; at++) {
			struct header h;

			header_init(&h);
			header_feed(&h, t, at);
			header_feed(&h, t + at, len - at);
			header_finish(&h);
			check(&h, i, at);
			header_clear(&h);
		}
	}
}

static void
says_what_belongs_to_it(void **state)
{
	static const char text[] = "A: b\r\n\r\nbody";
	struct header h;
	size_t n = 0;

	(void)state;
	header_init(&h);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		n += header_feed(&h, text + i, 1);
	assert_int_equal(n, 8);
	header_clear(&h);
	assert_int_equal(header_feed(&h, text, sizeof(text) - 1), 8);
	assert_int_equal(header_feed(&h, text, sizeof(text) - 1), 0);
	header_clear(&h);
}

static void
notes_presence(void **state)
{
	struct header h;

	(void)state;
	header_init(&h);
	header_feed(&h, "Date:\r\nMESSAGE-ID: x\r\n", 22);
	assert_true(h.has_date);
	assert_true(h.has_message_id);
	assert_false(h.has_from);
	header_clear(&h);
}

#define N256                                                                   \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"     \
	"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"     \
	"0123456789_bcdef0123456789_bcdef0123456789_bcdef0123456789_bcdef"     \
	"0123456789-bcdef0123456789-bcdef0123456789-bcdef0123456789-bcdef"

/* clang-format off */
static const struct {
	const char *text, *tags;
} tag_rows[] = {
	{ "X-SES-MESSAGE-TAGS: a=1, b=2\r\n", "a=1,b=2" },
	{ "x-ses-message-tags:a=1,b=2\r\n", "a=1,b=2" },
	{ "X-OIWAKE-TAGS :\ta=1 \t,\tb=2 \r\n", "a=1,b=2" },
	{ "X-Oiwake-Tags: b=2\r\nX-SES-Message-Tags: a=1,b=2\r\nX-Oiwake-Tags: c=3\r\n", "b=2,a=1,b=2,c=3" },
	{ "X-Oiwake-Tags: a=1,\r\n b=2\r\n\t, c=3\r\n", "a=1,b=2,c=3" },
	{ "X-Oiwake-Tags:\r\n a=1\r\n \r\n", "a=1" },
	{ "X-Oiwake-Tags: a=1\n b=2\nX-Oiwake-Tags: c=3\n", "c=3" },
	{ "X-Oiwake-Tags: a=1", "a=1" },
	{ "X-Oiwake-Tags: a-B_9=x.y@z:1/2+3=\r\n", "a-B_9=x.y@z:1/2+3=" },
	/* What is no pair is left out, and nothing else. */
	{ "X-Oiwake-Tags:\r\n", "" },
	{ "X-Oiwake-Tags: ,, ,a=1,,\r\n", "a=1" },
	{ "X-Oiwake-Tags: a, =b, c=, =, d=1\r\n", "d=1" },
	{ "X-Oiwake-Tags: a =1, b= 2, c=3 d, e=\r\n 5, f\r\n =6, g=7\r\n", "g=7" },
	{ "X-Oiwake-Tags: \"a\"=1, b=\"2\", c='3', d=\xe5\xb1\xb1, e=1\x7f, f=1\x01, g=7\r\n", "g=7" },
	{ "X-Oiwake-Tags: a=1\r, b=\r2\r\n", "" },
	{ "X-Oiwake-Tags: " N256 "=" N256 ", x" N256 "=1, b=x" N256 ", c=3\r\n", N256 "=" N256 ",c=3" },
	/* Other fields. */
	{ "X-Oiwake-Tag: a=1\r\nX-SES-MESSAGE-TAGS-: b=2\r\nTags: c=3\r\n X-Oiwake-Tags: d=4\r\n", "" },
	{ "From: a@b\r\n\r\nX-Oiwake-Tags: a=1\r\n", "" },
};
/* clang-format on */

static void
feed(struct header *h, const char *text)
{
	header_feed(h, text, strlen(text));
}

static void
reads_tags(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tag_rows); i++) {
		const char *t = tag_rows[i].text;
		size_t len = strlen(t);

		for (size_t at = 0; at <= len; at++) {
			struct header h;

			header_init(&h);
			header_feed(&h, t, at);
			header_feed(&h, t + at, len - at);
			header_finish(&h);
			if (strcmp(h.tags.data, tag_rows[i].tags) != 0)
				fail_msg("row %zu cut at %zu: '%s'", i, at,
				    h.tags.data);
			header_clear(&h);
		}
	}
}

static void
does_not_cut_a_value_at_a_nul(void **state)
{
	static const char text[] = "X-Oiwake-Tags: a=1\0, b=2\0x, c=3\r\n";
	struct header h;

	(void)state;
	header_init(&h);
	header_feed(&h, text, sizeof(text) - 1);
	header_finish(&h);
	assert_string_equal(h.tags.data, "c=3");
	header_clear(&h);
}

/* Fifty of the longest pairs, folded as mailers fold them, and one too many. */
static void
takes_fifty_tags(void **state)
{
	struct header h;

	(void)state;
	header_init(&h);
	feed(&h, "X-Oiwake-Tags: a=b");
	for (unsigned i = 1; i < 49; i++)
		feed(&h, ",\r\n " N256 "=" N256);
	feed(&h, "\r\nX-SES-MESSAGE-TAGS: y=1, z=2\r\nX-Oiwake-Tags: n=1");
	header_finish(&h);
	assert_int_equal(h.tags.len, 3 + 48 * 514 + 4);
	assert_string_equal(h.tags.data + h.tags.len - 8, "cdef,y=1");
	header_clear(&h);
}

/* Of a pair that runs over the bound, neither a part nor the whole is taken. */
static void
takes_no_part_of_a_tag(void **state)
{
	for (unsigned spaces = 32768 - 20; spaces < 32768 + 10; spaces++) {
		struct header h;

		(void)state;
		header_init(&h);
		feed(&h, "X-Oiwake-Tags:a=1,");
		for (unsigned i = 0; i < spaces; i++)
			feed(&h, " ");
		feed(&h, "b=12345\rc\r\nX-Oiwake-Tags: d=4\r\n");
		feed(&h, "\r\n");
		assert_true(h.ended);
		assert_string_equal(h.tags.data, "a=1,d=4");
		header_clear(&h);
	}
}

/* Neither a field without end nor fields without number. */
static void
bounds_tags(void **state)
{
	struct header h;

	(void)state;
	header_init(&h);
	feed(&h, "X-SES-MESSAGE-TAGS: ");
	for (unsigned i = 0; i < 100000; i++)
		feed(&h, "name=value,\r\n ");
	assert_true(h.line.room <= 65536);
	feed(&h, "\r\n");
	for (unsigned i = 0; i < 10000; i++)
		feed(&h, "X-Oiwake-Tags: " N256 "=" N256 "\r\n");
	assert_int_equal(h.tags.len, 50 * 11 - 1);
	assert_true(h.line.room <= 65536);
	header_clear(&h);
}

/* However long a field or a name, what is kept of it is bounded. */
static void
stays_small(void **state)
{
	struct header h;

	(void)state;
	header_init(&h);
	header_feed(&h, "From: a@b (", 11);
	for (unsigned i = 0; i < 100000; i++)
		header_feed(&h, "0123456789\r\n ", 13);
	assert_true(h.line.room <= 16384);
	header_feed(&h, "\r\n", 2);
	for (unsigned i = 0; i < 100000; i++)
		header_feed(&h, "name", 4);
	assert_true(h.line.room <= 16384);
	assert_string_equal(h.from_domain.data, "b");
	header_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fields),
		cmocka_unit_test(says_what_belongs_to_it),
		cmocka_unit_test(notes_presence),
		cmocka_unit_test(reads_tags),
		cmocka_unit_test(does_not_cut_a_value_at_a_nul),
		cmocka_unit_test(takes_fifty_tags),
		cmocka_unit_test(takes_no_part_of_a_tag),
		cmocka_unit_test(bounds_tags),
		cmocka_unit_test(stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
