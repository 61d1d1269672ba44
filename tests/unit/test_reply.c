/*
 * test_reply.c - replies of good, careless and hostile servers.
 */
#include "mta/smtp/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mta/smtp/capability.h"

#define MAX 1000

/* Feeds in pieces; what came of the first reply. */
static enum reply_progress
feed(struct reply *r, const char *data, size_t len, size_t piece)
{
	enum reply_progress progress = REPLY_MORE;
	size_t used;

	for (; len > 0 && progress == REPLY_MORE; data += used, len -= used) {
		progress =
		    reply_feed(r, data, piece < len ? piece : len, &used);
		if (progress == REPLY_MORE)
			assert_int_equal(used, piece < len ? piece : len);
		if (progress == REPLY_BAD)
			break;
	}
	return progress;
}

#define TEXT(s) s, sizeof(s) - 1

static void
test_good(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		int code;
		const char *enhanced, *text;
	} rows[] = {
		{ TEXT("250 2.0.0 Ok: queued as 3F\r\n"), 250, "2.0.0",
		    "Ok: queued as 3F" },
		{ TEXT("250\r\n"), 250, "", "" },
		{ TEXT("250 \r\n"), 250, "", "" },
		{ TEXT("354 go ahead\n"), 354, "", "go ahead" },
		{ TEXT("550-5.1.1 no such\r\n550-5.1.1\r\n550 5.1.1  user here "
		       "\r\n"),
		    550, "5.1.1", "no such user here" },
		{ TEXT("550-first\r\n550 5.1.1 second\r\n"), 550, "5.1.1",
		    "first second" },
		{ TEXT("550-5.1.1 a\r\n550 5.7.1 b\r\n"), 550, "5.1.1",
		    "a 5.7.1 b" },
		{ TEXT("550 Unknown user taro@docomo.ne.jp\r\n"), 550, "",
		    "Unknown user taro@docomo.ne.jp" },
		{ TEXT("550 : User unknown\r\n"), 550, "", ": User unknown" },
		{ TEXT("554:Transaction failed\r\n"), 554, "",
		    "Transaction failed" },
		{ TEXT("421 4.7.0 [TSS04] wait\r\n"), 421, "4.7.0",
		    "[TSS04] wait" },
		/* Not an enhanced status: class, form, address. */
		{ TEXT("550 4.2.1 x\r\n"), 550, "", "4.2.1 x" },
		{ TEXT("354 3.0.0 x\r\n"), 354, "", "3.0.0 x" },
		{ TEXT("550 5.1.1.1 x\r\n"), 550, "", "5.1.1.1 x" },
		{ TEXT("550 5.1.1234 x\r\n"), 550, "", "5.1.1234 x" },
		{ TEXT("550 5.. x\r\n"), 550, "", "5.. x" },
		{ TEXT("550 5.1.1\r\n"), 550, "5.1.1", "" },
		{ TEXT("550 5.999.999 x\r\n"), 550, "5.999.999", "x" },
		/* Control bytes. */
		{ TEXT("550 a\0b\033[1mc\rd\te\r\n"), 550, "", "a b [1mc d e" },
		{ TEXT("550 \xe5\xae\x9b\xe5\x85\x88 \xff\r\n"), 550, "",
		    "\xe5\xae\x9b\xe5\x85\x88 \xff" },
	};
	struct outcome o;
	struct reply r;

	(void)state;
	reply_init(&r, MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 80; piece += 7) {
			assert_int_equal(
			    feed(&r, rows[i].in, rows[i].len, piece),
			    REPLY_DONE);
			assert_false(reply_begun(&r));
			reply_outcome(&r, SCOPE_MESSAGE, STAGE_DOT, &o);
			assert_int_equal(o.code, rows[i].code);
			assert_string_equal(o.enhanced, rows[i].enhanced);
			assert_string_equal(o.text, rows[i].text);
			assert_int_equal(o.scope, SCOPE_MESSAGE);
			assert_int_equal(o.stage, STAGE_DOT);
		}
	reply_release(&r);
}

static void
test_bad(void **state)
{
	static const char *const rows[] = {
		"\r\n",
		"hello\r\n",
		"25 x\r\n",
		"2501 x\r\n",
		"250ok\r\n",
		"150 x\r\n",
		"650 x\r\n",
		"000 x\r\n",
		" 250 x\r\n",
		"-250 x\r\n",
		"250-a\r\n550 b\r\n",
		"250-a\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
	};
	struct reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 30; piece += 4) {
			reply_init(&r, MAX);
			assert_int_equal(
			    feed(&r, rows[i], strlen(rows[i]), piece),
			    REPLY_BAD);
			assert_non_null(r.bad);
			reply_release(&r);
		}
}

/* Neither a line nor a number of lines goes on for ever. */
static void
test_bounds(void **state)
{
	struct str big = STR_INIT, lines = STR_INIT;
	struct reply r;

	(void)state;
	str_adds(&big, "250 ");
	while (big.len < 2 * MAX)
		str_addc(&big, 'x');
	while (lines.len < 2 * MAX)
		str_adds(&lines, "250-x\r\n");
	for (size_t piece = 1; piece < 3000; piece += 331) {
		reply_init(&r, MAX);
		assert_int_equal(feed(&r, big.data, big.len, piece), REPLY_BAD);
		assert_true(r.text.len + r.line.len <= MAX);
		reply_release(&r);
		reply_init(&r, MAX);
		assert_int_equal(
		    feed(&r, lines.data, lines.len, piece), REPLY_BAD);
		assert_true(r.text.len + r.line.len <= MAX);
		reply_release(&r);
	}
	str_release(&big);
	str_release(&lines);
}

/* An outcome holds 511 bytes of text, and no half of a character. */
static void
test_cut(void **state)
{
	struct str in = STR_INIT;
	struct outcome o;
	struct reply r;

	(void)state;
	str_adds(&in, "550 ");
	for (int i = 0; i < 200; i++)
		str_adds(&in, "\xe8\xbf\xbd");
	str_adds(&in, "\r\n");
	reply_init(&r, MAX);
	assert_int_equal(feed(&r, in.data, in.len, 100), REPLY_DONE);
	reply_outcome(&r, SCOPE_SESSION, STAGE_DOT, &o);
	assert_int_equal(strlen(o.text), 510);
	assert_memory_equal(o.text + 507, "\xe8\xbf\xbd", 3);
	reply_release(&r);
	str_release(&in);
}

/* One feed ends at the end of one reply; memory of a long one is given back. */
static void
test_sequence(void **state)
{
	const char *in = "250-a\r\n250 b\r\n354 c\r\n25";
	size_t used, len = strlen(in);
	struct reply r;

	(void)state;
	reply_init(&r, MAX);
	assert_false(reply_begun(&r));
	assert_int_equal(reply_feed(&r, in, len, &used), REPLY_DONE);
	assert_int_equal(used, 14);
	assert_string_equal(r.text.data, "a\nb");
	in += used, len -= used;
	assert_int_equal(reply_feed(&r, in, len, &used), REPLY_DONE);
	assert_int_equal(r.code, 354);
	in += used, len -= used;
	assert_int_equal(reply_feed(&r, in, len, &used), REPLY_MORE);
	assert_int_equal(used, 2);
	assert_true(reply_begun(&r));
	reply_release(&r);
}

static void
test_capabilities(void **state)
{
	static const struct {
		const char *text;
		unsigned have;
		uint64_t size;
	} rows[] = {
		{ "mx", 0, 0 },
		{ "PIPELINING", 0, 0 },
		{ "mx\nPIPELINING\nsize 1000\n8BitMIME",
		    CAP_PIPELINING | CAP_SIZE | CAP_8BITMIME, 1000 },
		{ "mx\nSIZE", CAP_SIZE, 0 },
		{ "mx\nSIZE x", CAP_SIZE, 0 },
		{ "mx\nSIZE 99999999999999999999999", CAP_SIZE, 0 },
		{ "mx\nAUTH PLAIN LOGIN CRAM-MD5",
		    CAP_AUTH_PLAIN | CAP_AUTH_LOGIN, 0 },
		{ "mx\nAUTH=LOGIN", CAP_AUTH_LOGIN, 0 },
		{ "mx\nAUTH  XPLAIN  LOGIN ", CAP_AUTH_LOGIN, 0 },
		{ "mx\nAUTH", 0, 0 },
		{ "mx\nSTARTTLS\nDSN\nSMTPUTF8\nPIPELININGX\n\nX",
		    CAP_STARTTLS | CAP_DSN | CAP_SMTPUTF8, 0 },
	};
	struct capabilities c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		capability_parse(&c, rows[i].text);
		assert_int_equal(c.have, rows[i].have);
		assert_true(c.size == rows[i].size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
