/*
 * test_reasons.c - the table language with its mistakes, what matches, and what
 * the table that ships says of replies as they are.
 */
#include "router/reasons.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mta/base/alloc.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct reasons *
read_table(const char *text)
{
	struct str report = STR_INIT;
	struct reasons *t = reasons_read("t", text, strlen(text), &report);

	if (t == NULL)
		fail_msg("%s", report.data);
	assert_int_equal(report.len, 0);
	str_release(&report);
	return t;
}

static struct reasons_query
query(const char *text)
{
	return (struct reasons_query){ .group = "",
		.host = "",
		.domain = "",
		.enhanced = "",
		.text = text,
		.reporter = "" };
}

/* -- the language --------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *text, *report;
} mistakes[] = {
	{ "any \"user\" -> userunknown\n", "t:1: no source: say after # where it is known from\n" },
	{ "\n\nsystem a host b.c\n", "t:3: no source: say after # where it is known from\n" },
	{ "any -> userunknow # x\n", "t:1: unknown reason 'userunknow', did you mean 'userunknown'?\n" },
	{ "any -> qqq # x\n", "t:1: unknown reason 'qqq'\n" },
	{ "any # x\n", "t:1: expected '->' and a reason\n" },
	{ "any -> # x\n", "t:1: expected a reason\n" },
	{ "nowhere -> expired # x\n", "t:1: unknown system 'nowhere'\n" },
	{ "\"x y\" -> expired # x\n", "t:1: expected a system, or 'any', not 'x y'\n" },
	{ "any stage rcpt,end -> expired # x\n", "t:1: expected stages such as 'rcpt' or 'data,dot', not 'rcpt,end'\n" },
	{ "any stage -> expired # x\n", "t:1: expected its value, not '->'\n" },
	{ "any stage rcpt stage data -> expired # x\n", "t:1: 'stage' stands twice\n" },
	{ "any code 5 -> expired # x\n", "t:1: expected codes such as 550, 55x or 5xx, not '5'\n" },
	{ "any code 5x0 -> expired # x\n", "t:1: expected codes such as 550, 55x or 5xx, not '5x0'\n" },
	{ "any code 650 -> expired # x\n", "t:1: expected codes such as 550, 55x or 5xx, not '650'\n" },
	{ "any status 5.1 -> expired # x\n", "t:1: expected statuses such as 5.1.1 or x.2.2, not '5.1'\n" },
	{ "any status 5.1.1.1 -> expired # x\n", "t:1: expected statuses such as 5.1.1 or x.2.2, not '5.1.1.1'\n" },
	{ "any status 5.1.1, -> expired # x\n", "t:1: expected statuses such as 5.1.1 or x.2.2, not '5.1.1,'\n" },
	{ "any when -> expired # x\n", "t:1: expected a condition, a text or '->', not 'when'\n" },
	{ "any -> expired hot # x\n", "t:1: expected 'hard', 'soft' or 'scope', not 'hot'\n" },
	{ "any -> expired scope world # x\n", "t:1: expected recipient, message, lane or path, not 'world'\n" },
	{ "any \"no end -> expired # x\n", "t:1: the text has no end: '\"' missing\n" },
	{ "any /no end -> expired # x\n", "t:1: the pattern has no end: '/' missing\n" },
	{ "any \"ab\" -> expired # x\n", "t:1: a text has from 3 to 200 characters\n" },
	{ "any \"from\" \"spam to Abuse@example.jp\" -> expired # x\n",
	    "t:1: no address is found in a text: 'spam to abuse@example.jp'\n" },
	{ "any /\\S+ abuse@example\\.jp/ -> expired # x\n", "t:1: no address is found in a text: ' abuse@example.jp'\n" },
	{ "any /a.b/ -> expired # x\n", "t:1: the pattern has no plain part of 3 characters outside of its groups\n" },
	{ "any /(abc|def)/ -> expired # x\n", "t:1: the pattern has no plain part of 3 characters outside of its groups\n" },
	{ "any /abc|def/ -> expired # x\n", "t:1: write the alternatives as patterns of their own\n" },
	{ "any /abc(?i)d/ -> expired # x\n", "t:1: no options or verbs in patterns here\n" },
	{ "any /(*ACCEPT)abc/ -> expired # x\n", "t:1: no options or verbs in patterns here\n" },
	{ "any /abc\\x41/ -> expired # x\n", "t:1: no \\x in patterns here\n" },
	{ "any /abc(/ -> expired # x\n", "t:1: bad pattern: missing closing parenthesis\n" },
	{ "system A host b.c # x\n", "t:1: expected a system's name in lower case, not 'A'\n" },
	{ "system any host b.c # x\n", "t:1: no system can be called 'any'\n" },
	{ "system a b.c # x\n", "t:1: expected 'host' or 'domain', not 'b.c'\n" },
	{ "system a host b.c # x\nsystem a host d # x\n", "t:2: system 'a' stands twice\n" },
	{ "texts code \"abc\" # x\n", "t:1: expected a list's name in lower case, not 'code'\n" },
	{ "texts a # x\n", "t:1: expected \"words\" or a /pattern/\n" },
	{ "texts a \"abc\" # x\ntexts a \"abc\" # x\n", "t:2: list 'a' stands twice\n" },
	/* Each on its own line, and the good ones between them are none. */
	{ "any -> a # x\nany\n    stage x\n    -> expired # x\nany -> expired # x\nany -> b # x\n",
	    "t:1: unknown reason 'a'\n"
	    "t:3: expected stages such as 'rcpt' or 'data,dot', not 'x'\n"
	    "t:6: unknown reason 'b'\n" },
	{ "any -> expired\x01 # x\n", "t:1: control character\n" },
};
/* clang-format on */

static void
every_mistake_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(mistakes); i++) {
		struct str report = STR_INIT;
		struct reasons *t = reasons_read(
		    "t", mistakes[i].text, strlen(mistakes[i].text), &report);

		if (t != NULL || strcmp(report.data, mistakes[i].report) != 0)
			fail_msg("%s gives\n%s and not\n%s", mistakes[i].text,
			    report.data, mistakes[i].report);
		str_release(&report);
	}
}

static void
a_statement_may_go_on(void **state)
{
	struct reasons *t =
	    read_table("# a remark\n"
		       "\n"
		       "texts none \"no such\"\n"
		       "  # in between\n"
		       "  \"nobody\"  # here\n"
		       "any stage rcpt\n"
		       "\tnone\r\n"
		       "    -> userunknown soft scope lane  # there\n");
	struct reasons_query q = query("there is NOBODY");
	struct reasons_answer a;

	(void)state;
	q.stage = STAGE_RCPT;
	reasons_find(t, &q, &a);
	assert_string_equal(a.reason, "userunknown");
	assert_false(a.hard);
	assert_int_equal(a.scope, SCOPE_LANE);
	assert_string_equal(a.file, "t");
	assert_int_equal(a.line, 6);
	assert_string_equal(a.source, "there");
	reasons_unref(&t);
	assert_null(t);
}

static void
no_line_no_answer(void **state)
{
	struct reasons *t = read_table("");
	struct reasons_query q = query("user unknown");
	struct reasons_answer a;

	(void)state;
	reasons_find(t, &q, &a);
	assert_string_equal(a.reason, "undefined");
	assert_false(a.hard);
	assert_int_equal(a.line, 0);
	assert_string_equal(a.file, "");
	assert_string_equal(a.source, "");
	reasons_unref(&t);
}

/* -- what matches --------------------------------------------------------- */

static const char conditions[] =
    "system one host a.example b.example domain one.jp # x\n"
    "system two domain two.jp # x\n"
    "one,two code 55x \"both\" -> blocked # 3\n"
    "one \"said\" -> hasmoved # 4\n"
    "any status 5.1.1,x.2.2 \"said\" -> mailboxfull # 5\n"
    "any stage data,unknown \"said\" -> expired # 6\n"
    "any form qmail \"said\" -> mailererror # 7\n"
    "any /q(?:u|x)ota (\\d+) exceeded/ -> systemfull # 8\n"
    "any \"it's full\" -> mesgtoobig # 9\n"
    "any code 4xx text -> onhold # 10\n"
    "any \"worm\" -> virusdetected # 11\n"
    "any /user [^ ]+@\\S+ gone/ -> userunknown # 12\n";

/* clang-format off */
static const struct {
	const char *group, *host, *domain;
	enum smtp_stage stage;
	int code;
	const char *enhanced, *text, *reporter;
	unsigned line;
} asked[] = {
	{ "one", "", "", STAGE_RCPT, 550, "", "they said", "", 4 },
	{ "", "a.example", "", STAGE_RCPT, 550, "", "they SAID", "", 4 },
	{ "", "mx.B.example", "", STAGE_RCPT, 550, "", "they said", "", 4 },
	{ "", "", "one.jp", STAGE_RCPT, 550, "", "they said", "", 4 },
	{ "", "", "sub.one.jp", STAGE_RCPT, 550, "", "they said", "", 4 },
	{ "", "", "notone.jp", STAGE_RCPT, 550, "", "they said", "", 0 },
	{ "", "one.jp", "a.example", STAGE_RCPT, 550, "", "they said", "", 0 },
	{ "one.jp", "", "", STAGE_RCPT, 550, "", "they said", "", 0 },
	{ "", "", "two.jp", STAGE_RCPT, 559, "", "both", "", 3 },
	{ "", "", "two.jp", STAGE_RCPT, 560, "", "both", "", 0 },
	{ "", "", "two.jp", STAGE_RCPT, 0, "", "both", "", 0 },
	{ "", "", "", STAGE_RCPT, 0, "5.1.1", "said", "", 5 },
	{ "", "", "", STAGE_RCPT, 0, "4.2.2", "said", "", 5 },
	{ "", "", "", STAGE_RCPT, 0, "5.1.10", "said", "", 0 },
	{ "", "", "", STAGE_RCPT, 0, "5.1", "said", "", 0 },
	{ "", "", "", STAGE_DATA, 0, "", "said", "", 6 },
	{ "", "", "", STAGE_NONE, 0, "", "said", "", 6 },
	{ "", "", "", STAGE_DOT, 0, "", "said", "", 0 },
	{ "", "", "", STAGE_DOT, 0, "", "said", "qmail", 7 },
	{ "", "", "", STAGE_DOT, 0, "", "Quota  12\r\n exceeded", "", 8 },
	{ "", "", "", STAGE_DOT, 0, "", "quota x exceeded", "", 0 },
	{ "", "", "", STAGE_DOT, 0, "", "IT\xe2\x80\x99S FULL", "", 9 },
	{ "", "", "", STAGE_DOT, 450, "", "what", "", 10 },
	{ "", "", "", STAGE_DOT, 450, "", " ", "", 0 },
	{ "", "", "", STAGE_DOT, 550, "", "what", "", 0 },
	/* What stands in an address is nobody's word. */
	{ "", "", "", STAGE_RCPT, 550, "", "<bookworm@example.jp>", "", 0 },
	{ "", "", "", STAGE_RCPT, 550, "", "taro@worm.example", "", 0 },
	{ "", "", "", STAGE_RCPT, 550, "", "to=worm.@worm-.jp", "", 0 },
	{ "", "", "", STAGE_RCPT, 550, "", "worm@", "", 11 },
	{ "", "", "", STAGE_RCPT, 550, "", "@worm", "", 11 },
	{ "", "", "", STAGE_RCPT, 550, "", "taro@example.jp...worm", "", 11 },
	{ "", "", "", STAGE_RCPT, 550, "", "worm=taro@example.jp", "", 11 },
	{ "", "", "", STAGE_RCPT, 550, "", "taro@example.jp\xe3\x81\xafworm", "", 11 },
	{ "", "", "", STAGE_RCPT, 550, "", "User worm@worm.jp gone", "", 12 },
};
/* clang-format on */

static void
conditions_hold_together(void **state)
{
	struct reasons *t = read_table(conditions);

	(void)state;
	for (size_t i = 0; i < N(asked); i++) {
		struct reasons_query q = { .group = asked[i].group,
			.host = asked[i].host,
			.domain = asked[i].domain,
			.stage = asked[i].stage,
			.code = asked[i].code,
			.enhanced = asked[i].enhanced,
			.text = asked[i].text,
			.reporter = asked[i].reporter };
		struct reasons_answer a;

		reasons_find(t, &q, &a);
		if (a.line != asked[i].line)
			fail_msg("row %zu: line %u", i, a.line);
	}
	reasons_unref(&t);
}

/* A pattern that would take for ever is given up, and a text of megabytes is
 * cut. */
static void
hostile_texts_end_soon(void **state)
{
	struct reasons *t = read_table("any /abc(?:a+)+$/ -> expired # x\n"
				       "any \"abc\" -> onhold # x\n");
	size_t len = (size_t)8 << 20;
	char *text = xmalloc(len + 1);
	struct reasons_query q = query(text);
	struct reasons_answer a;

	(void)state;
	memset(text, 'a', len);
	memcpy(text, "abc", 3);
	text[1500] = '!';
	text[len] = '\0';
	reasons_find(t, &q, &a);
	assert_string_equal(a.reason, "onhold");
	free(text);
	reasons_unref(&t);
}

static void
many_lines_many_words(void **state)
{
	struct str text = STR_INIT;
	struct reasons_answer a;
	struct reasons_query q;
	struct reasons *t;

	(void)state;
	for (int i = 0; i < 4000; i++)
		str_addf(
		    &text, "any \"word number %d!\" -> expired # %d\n", i, i);
	t = read_table(text.data);
	q = query("a word number 3999! and word number 77!");
	reasons_find(t, &q, &a);
	assert_int_equal(a.line, 78);
	assert_string_equal(a.source, "77");
	reasons_unref(&t);
	str_release(&text);
}

static void
too_many_lines(void **state)
{
	struct str text = STR_INIT, report = STR_INIT;

	(void)state;
	for (int i = 0; i < 5000; i++)
		str_adds(&text, "any -> expired # x\n");
	assert_null(reasons_read("t", text.data, text.len, &report));
	assert_non_null(strstr(report.data, "t:4097: more than 4096 lines\n"));
	assert_null(strstr(report.data, "t:4297:")); /* enough is enough */
	str_release(&report);
	str_release(&text);
}

static void
files(void **state)
{
	struct str report = STR_INIT;
	struct reasons *t = reasons_load("conf/reasons.table", &report);

	(void)state;
	assert_non_null(t);
	reasons_unref(&t);
	assert_null(reasons_load("/nonexistent/reasons", &report));
	assert_string_equal(report.data,
	    "cannot open '/nonexistent/reasons': No such file or "
	    "directory\n");
	str_clear(&report);
	assert_null(reasons_load("/dev/null", &report));
	assert_non_null(strstr(report.data, "no regular file"));
	str_release(&report);
}

/* -- the table that ships ------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *group, *host, *domain;
	enum smtp_stage stage;
	int code;
	const char *enhanced, *text, *reason;
	bool hard;
} known[] = {
	{ "docomo", "", "", STAGE_RCPT, 550, "", "Unknown user <a@docomo.ne.jp>", "userunknown", true },
	{ "", "", "a.example", STAGE_NONE, 0, "5.1.1", "We have suppressed it: it is on the suppression list", "suppressed", false },
	{ "", "", "a.example", STAGE_DOT, 552, "5.0.0", "no quota left", "mailboxfull", false },
	{ "", "", "a.example", STAGE_MAIL, 450, "4.7.1", "Error: too much mail from 192.0.2.7", "ratelimited", false },
	{ "", "", "docomo.ne.jp", STAGE_DOT, 550, "", "Unknown user <a@docomo.ne.jp>", "filtered", false },
	{ "", "mfsmax.docomo.ne.jp", "", STAGE_NONE, 550, "", "Unknown user <a@docomo.ne.jp>", "filtered", false },
	{ "docomo", "", "", STAGE_CONNECT, 421, "", "Service not available, closing transmission channel", "blocked", false },
	{ "docomo", "", "", STAGE_RCPT, 552, "", "Too much mail data <a@docomo.ne.jp>", "mailboxfull", false },
	{ "kddi", "", "", STAGE_RCPT, 550, "", "<a@ezweb.ne.jp>: User unknown", "userunknown", true },
	{ "kddi", "", "", STAGE_DOT, 550, "", ": User unknown", "filtered", false },
	{ "kddi", "", "", STAGE_NONE, 550, "", ": User unknown", "filtered", false },
	{ "", "", "au.com", STAGE_NONE, 550, "", "<a@au.com>: User unknown", "userunknown", true },
	{ "", "", "au.com", STAGE_NONE, 0, "", "The user(s) account is temporarily over quota", "mailboxfull", false },
	{ "", "", "i.softbank.jp", STAGE_RCPT, 550, "", "Invalid recipient: <a@i.softbank.jp>", "userunknown", true },
	{ "", "", "softbank.ne.jp", STAGE_RCPT, 553, "", "<example.jp> does not exist", "rejected", false },
	{ "yahoo", "", "", STAGE_CONNECT, 421, "", "[TSS04] Messages from 192.0.2.1 temporarily deferred", "blocked", false },
	{ "", "", "gmail.com", STAGE_RCPT, 552, "5.2.2", "The recipient's inbox is out of storage space.", "mailboxfull", false },
	{ "", "aspmx.l.google.com", "", STAGE_DOT, 550, "5.7.26", "This mail has been blocked because the sender is unauthenticated.", "authfailure", false },
	{ "", "gmail-smtp-in.l.google.com", "", STAGE_DOT, 421, "4.7.28", "Our system has detected an unusual rate of mail", "spamdetected", false },
	{ "", "x.mail.protection.outlook.com", "", STAGE_RCPT, 550, "5.7.606", "Access denied, banned sending IP [192.0.2.1]", "blocked", false },
	{ "", "x.olc.protection.outlook.com", "", STAGE_RCPT, 451, "4.7.650", "The mail server has been temporarily rate limited due to IP reputation.", "badreputation", false },
	{ "", "x.mail.protection.outlook.com", "", STAGE_RCPT, 550, "5.4.1", "Recipient address rejected: Access denied.", "userunknown", true },
	{ "", "mta5.am0.yahoodns.net", "", STAGE_DOT, 554, "", "delivery error: dd This user doesn't have a yahoo.com account (x@yahoo.com)", "userunknown", true },
	{ "", "mx1.qq.com", "", STAGE_DOT, 550, "", "Mail content denied. http://service.mail.qq.com/", "spamdetected", false },
	{ "", "smtp-in.orange.fr", "", STAGE_RCPT, 550, "5.1.1", "Adresse d au moins un destinataire invalide. OFR_416 [416]", "userunknown", true },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.1.1", "<x@example.jp>: Recipient address rejected: User unknown in local recipient table", "userunknown", true },
	{ "", "", "example.jp", STAGE_RCPT, 550, "", "No such user here", "userunknown", true },
	{ "", "", "example.jp", STAGE_DOT, 550, "", "No such user here", "filtered", false },
	{ "", "", "example.jp", STAGE_RCPT, 452, "4.2.2", "Mailbox full", "mailboxfull", false },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.1.1", "mailbox is over quota", "mailboxfull", false },
	{ "", "", "example.jp", STAGE_RCPT, 554, "5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "blocked", false },
	{ "", "", "example.jp", STAGE_RCPT, 554, "5.7.1", "<x@example.jp>: Relay access denied", "norelaying", false },
	{ "", "", "example.jp", STAGE_MAIL, 553, "5.1.8", "Domain of sender address a@b does not exist", "rejected", false },
	{ "", "", "example.jp", STAGE_DOT, 552, "5.3.4", "Message size exceeds fixed limit", "mesgtoobig", false },
	{ "", "", "example.jp", STAGE_DOT, 554, "5.7.1", "virus found in message", "virusdetected", false },
	{ "", "", "example.jp", STAGE_DNS, 0, "5.1.2", "", "hostunknown", true },
	{ "", "", "example.jp", STAGE_NONE, 0, "", "Host unknown (Name server: x: host not found)", "hostunknown", true },
	{ "", "", "example.jp", STAGE_NONE, 0, "4.4.1", "connect to x[192.0.2.1]:25: Connection timed out", "expired", false },
	{ "", "", "example.jp", STAGE_CONNECT, 0, "4.4.1", "", "networkerror", false },
	{ "", "", "example.jp", STAGE_RCPT, 450, "4.7.1", "Greylisted, try again", "onhold", false },
	{ "", "", "example.jp", STAGE_RCPT, 556, "5.1.10", "null MX", "notaccept", true },
	{ "", "", "example.jp", STAGE_NONE, 0, "5.1.6", "", "hasmoved", true },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.1.1", "<bookworm@example.jp>: User unknown", "userunknown", true },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.1.1", "User marble unknown", "userunknown", true },
	{ "", "", "example.jp", STAGE_RCPT, 550, "", "\xe5\xae\x9b\xe5\x85\x88\xe3\x81\xae\xe3\x83\xa1\xe3\x83\xbc\xe3\x83\xab\xe3\x82\xa2\xe3\x83\x89\xe3\x83\xac\xe3\x82\xb9\xe3\x81\xaf\xe5\xad\x98\xe5\x9c\xa8\xe3\x81\x97\xe3\x81\xbe\xe3\x81\x9b\xe3\x82\x93", "userunknown", true },
	{ "", "", "example.jp", STAGE_RCPT, 450, "4.1.1", "<x@example.jp>: Recipient address rejected: unverified address: connect to 192.0.2.1[192.0.2.1]:25: Connection refused", "networkerror", false },
	{ "", "", "example.jp", STAGE_CONNECT, 421, "4.7.0", "Too many connections from your host", "toomanyconn", false },
	{ "", "", "example.jp", STAGE_DOT, 550, "5.7.1", "Blocked by SpamAssassin", "spamdetected", false },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.2.1", "This mailbox has been blocked due to inactivity", "suspend", false },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.7.1", "The user has chosen to receive mail from known senders only", "filtered", false },
	{ "", "", "example.jp", STAGE_RCPT, 450, "4.7.1", "<x@example.jp>: Recipient address rejected: Service is unavailable", "blocked", false },
	{ "", "", "example.jp", STAGE_RCPT, 554, "5.7.1", "<x@example.jp>: Recipient address rejected: You are not authorized", "policyviolation", false },
	{ "", "", "example.jp", STAGE_RCPT, 554, "5.7.1", "<x@example.jp>: Recipient address rejected: Access denied", "userunknown", true },
	{ "", "", "example.jp", STAGE_RCPT, 550, "", "Access denied", "blocked", false },
	{ "", "", "example.jp", STAGE_MAIL, 550, "5.7.1", "Your domain is not found in our list", "rejected", false },
	{ "", "", "example.jp", STAGE_CONNECT, 550, "", "Unknown host [192.0.2.1]", "blocked", false },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.7.1", "Sender's mailbox does not exist", "rejected", false },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.1.2", "Domain does not exist", "hostunknown", true },
	{ "", "", "example.jp", STAGE_CONNECT, 554, "", "This server no longer accepts mail from your network", "blocked", false },
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.1.1", "The mailbox taro has been deleted", "userunknown", true },
	/* A block of our address is no fault of the recipient, whatever words it has for it. */
	{ "", "", "example.jp", STAGE_RCPT, 550, "5.7.1", "Your IP address has a bad reputation", "badreputation", false },
};
/* clang-format on */

static void
the_table_knows(void **state)
{
	struct reasons *t = reasons_builtin();

	(void)state;
	for (size_t i = 0; i < N(known); i++) {
		struct reasons_query q = { .group = known[i].group,
			.host = known[i].host,
			.domain = known[i].domain,
			.stage = known[i].stage,
			.code = known[i].code,
			.enhanced = known[i].enhanced,
			.text = known[i].text,
			.reporter = "" };
		struct reasons_answer a;

		reasons_find(t, &q, &a);
		if (strcmp(a.reason, known[i].reason) != 0 ||
		    a.hard != known[i].hard)
			fail_msg("'%s' is %s%s by line %u", known[i].text,
			    a.reason, a.hard ? ", hard" : "", a.line);
	}
	reasons_unref(&t);
}

static void
words(void **state)
{
	(void)state;
	assert_true(reason_is_known("userunknown"));
	assert_true(reason_is_known("undefined"));
	assert_false(reason_is_known("User unknown"));
	assert_true(reason_is_hard("hostunknown"));
	assert_true(reason_is_hard("hasmoved"));
	assert_false(reason_is_hard("filtered"));
	assert_false(reason_is_hard("notaccept"));
	assert_false(reason_is_hard(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_is_told),
		cmocka_unit_test(a_statement_may_go_on),
		cmocka_unit_test(no_line_no_answer),
		cmocka_unit_test(conditions_hold_together),
		cmocka_unit_test(hostile_texts_end_soon),
		cmocka_unit_test(many_lines_many_words),
		cmocka_unit_test(too_many_lines),
		cmocka_unit_test(files),
		cmocka_unit_test(the_table_knows),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
