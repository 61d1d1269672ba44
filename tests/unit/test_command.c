/*
 * test_command.c - verbs, paths and parameters.
 */
#include "mta/smtp/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define X10	 "xxxxxxxxxx"
#define X100	 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

/* clang-format off */
static const struct {
	const char *args;
	enum server_reply reply;
	const char *from, *envid;
	size_t size;
	char ret;
} mails[] = {
	{ "FROM:<a@b>", R_NONE, "a@b", "", 0, 0 },
	{ "from: <>", R_NONE, "", "", 0, 0 },
	{ "FROM:<\"a>b\"@c>", R_NONE, "\"a>b\"@c", "", 0, 0 },
	{ "FROM:<\"a\\\">b\"@c> RET=full", R_NONE, "\"a\\\">b\"@c", "", 0, 'F' },
	{ "FROM:<@x,@y:a@b>  SIZE=12  ENVID=a+2Bb+20c", R_NONE, "a@b", "a+b c", 12, 0 },
	{ "FROM:<a@b> BODY=7BIT AUTH=a+3Db@c", R_NONE, "a@b", "", 0, 0 },
	{ "FROM:<a@b> ENVID=" X100, R_NONE, "a@b", X100, 0, 0 },
	{ "FROM:<a@b> SIZE=99999999999999999999", R_NONE, "a@b", "", SIZE_MAX, 0 },
	{ "", R_MAIL_SYNTAX, NULL, NULL, 0, 0 },
	{ "<a@b>", R_MAIL_SYNTAX, NULL, NULL, 0, 0 },
	{ "FROM:a@b", R_MAIL_SYNTAX, NULL, NULL, 0, 0 },
	{ "FROM:<a@b", R_MAIL_SYNTAX, NULL, NULL, 0, 0 },
	{ "FROM:<\"a@b>", R_MAIL_SYNTAX, NULL, NULL, 0, 0 },
	{ "FROM:<a@b>SIZE=1", R_MAIL_SYNTAX, NULL, NULL, 0, 0 },
	{ "TO:<a@b>", R_MAIL_SYNTAX, NULL, NULL, 0, 0 },
	{ "FROM:<a>", R_MAIL_ADDRESS, NULL, NULL, 0, 0 },
	{ "FROM:<<a@b>>", R_MAIL_SYNTAX, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> SMTPUTF8=", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> SIZE", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> SIZE=", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> SIZE=-1", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> SIZE=123456789012345678901", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> SIZE=1 SIZE=1", R_PARAM_TWICE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> BODY=BINARYMIME", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> RET=ALL", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> SMTPUTF8=1", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=a+0D+0AX", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=a+00", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=a+7F", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=a+FF", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=a+4", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=a+4g", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=a=b", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=\x01", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=\xe3\x81\x82", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> ENVID=" X100 "x", R_PARAM_VALUE, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> NOTIFY=NEVER", R_PARAM_UNKNOWN, NULL, NULL, 0, 0 },
	{ "FROM:<a@b> =", R_PARAM_UNKNOWN, NULL, NULL, 0, 0 },
	{ "FROM:<\xe3\x81\x82@b>", R_NEEDS_SMTPUTF8, NULL, NULL, 0, 0 },
};

static const struct {
	const char *args;
	bool smtputf8;
	enum server_reply reply;
	const char *to, *orcpt;
	unsigned notify;
} rcpts[] = {
	{ "TO:<a..b@docomo.ne.jp>", 0, R_NONE, "a..b@docomo.ne.jp", "", 0 },
	{ "to:<a.@ezweb.ne.jp> notify=never", 0, R_NONE, "a.@ezweb.ne.jp", "", NOTIFY_NEVER },
	{ "TO:<a@b> NOTIFY=FAILURE,SUCCESS", 0, R_NONE, "a@b", "", NOTIFY_FAILURE | NOTIFY_SUCCESS },
	{ "TO:<a@b> ORCPT=rfc822;x+2By@z", 0, R_NONE, "a@b", "rfc822;x+y@z", 0 },
	{ "TO:<a@b> ORCPT=utf-8;\xe3\x81\x82@z", 1, R_NONE, "a@b", "utf-8;\xe3\x81\x82@z", 0 },
	{ "TO:<POSTMASTER>", 0, R_NONE, "POSTMASTER@mx.example", "", 0 },
	{ "TO:<>", 0, R_RCPT_ADDRESS, NULL, NULL, 0 },
	{ "FROM:<a@b>", 0, R_RCPT_SYNTAX, NULL, NULL, 0 },
	{ "TO:<a@b> NOTIFY", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> NOTIFY=", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> NOTIFY=NEVER,DELAY", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> NOTIFY=SUCCESS,", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> NOTIFY=NEVER notify=NEVER", 0, R_PARAM_TWICE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=x@y", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=;x", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=rfc822;", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=a+0Ab;x", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=rfc822;x+0Ay", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=utf-8;\xe3\x81\x82@z", 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=utf-8;\xe3\x81@z", 1, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> ORCPT=rfc822;" X100 X100 X100 X100 X100, 0, R_PARAM_VALUE, NULL, NULL, 0 },
	{ "TO:<a@b> SIZE=1", 0, R_PARAM_UNKNOWN, NULL, NULL, 0 },
	{ "TO:<\xe3\x81\x82@b>", 0, R_NEEDS_SMTPUTF8, NULL, NULL, 0 },
	{ "TO:<\xe3\x81\x82@b>", 1, R_NONE, "\xe3\x81\x82@b", "", 0 },
};
/* clang-format on */

static void
reads_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mails); i++) {
		struct command_text args = { mails[i].args,
			strlen(mails[i].args) };
		char buf[ADDRESS_TEXT_MAX];
		struct smtp_mail m;

		print_message("MAIL %s\n", mails[i].args);
		assert_int_equal(command_mail(&m, &args), mails[i].reply);
		if (mails[i].reply != R_NONE)
			continue;
		assert_string_equal(
		    address_format(&m.from, QUOTE_RAW, buf), mails[i].from);
		assert_string_equal(m.envid, mails[i].envid);
		if (mails[i].size == SIZE_MAX)
			assert_true(m.size > SIZE_MAX / 100);
		else
			assert_int_equal(m.size, mails[i].size);
		assert_int_equal(m.ret, mails[i].ret);
	}
}

static void
reads_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rcpts); i++) {
		struct command_text args = { rcpts[i].args,
			strlen(rcpts[i].args) };
		char buf[ADDRESS_TEXT_MAX];
		struct smtp_rcpt r;

		print_message("RCPT %s\n", rcpts[i].args);
		assert_int_equal(
		    command_rcpt(&r, &args, rcpts[i].smtputf8, "mx.example"),
		    rcpts[i].reply);
		if (rcpts[i].reply != R_NONE)
			continue;
		assert_string_equal(
		    address_format(&r.to, QUOTE_RAW, buf), rcpts[i].to);
		assert_string_equal(r.orcpt, rcpts[i].orcpt);
		assert_int_equal(r.notify, rcpts[i].notify);
	}
}

/* RFC 2034: every reply but those to EHLO, DATA and a challenge has an enhanced
 * status of the same class; each is one line. */
static void
table_of_replies_is_sound(void **state)
{
	(void)state;
	for (int id = R_NONE + 1; id < R_MAX; id++) {
		struct str s = STR_INIT;
		int class, subject, detail;

		server_reply_add(&s, (enum server_reply)id);
		assert_ptr_equal(strstr(s.data, "\r\n"), s.data + s.len - 2);
		assert_true(s.len <= 512);
		assert_int_equal(
		    server_reply_class((enum server_reply)id), s.data[0] - '0');
		if (s.data[0] != '3') {
			assert_int_equal(sscanf(s.data + 4, "%d.%d.%d", &class,
					     &subject, &detail),
			    3);
			assert_int_equal(class, s.data[0] - '0');
		}
		str_release(&s);
	}
}

static void
replies_hold_no_controls(void **state)
{
	struct str s = STR_INIT;
	struct smtp_reply r;

	(void)state;
	smtp_reply_set(&r, 550, "5.7.1", "a\r\nb%cc\x1b\xff", '\t');
	server_reply_add_custom(&s, &r);
	assert_string_equal(s.data, "550 5.7.1 a??b?c??\r\n");
	str_clear(&s);
	smtp_reply_set(&r, 250, "", "ok");
	server_reply_add_custom(&s, &r);
	assert_string_equal(s.data, "250 ok\r\n");
	str_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_mail),
		cmocka_unit_test(reads_rcpt),
		cmocka_unit_test(table_of_replies_is_sound),
		cmocka_unit_test(replies_hold_no_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
