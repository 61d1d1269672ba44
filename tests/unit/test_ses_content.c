/*
 * test_ses_content.c - what of a message goes to SES: fields taken once, the
 * application's words read, tags and configuration set chosen, sizes.
 */
#include "router/ses/content.h"

#include "mta/base/alloc.h"
#include "router/body.h"
#include "router/config.h"
#include "router/path.h"
#include "router/ses/content_fields.h"
#include "router/ses/event.h"
#include "router/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* clang-format off */
static const struct {
	const char *header, *out; /* NULL: as it is */
	unsigned repaired;
	const char *refused;      /* when repairs are not wanted; NULL: it goes all the same */
} headers[] = {
	{ "", NULL, 0, NULL },
	{ "\r\n", NULL, 0, NULL },
	{ "From: a@b\r\nTo: c@d\r\nSubject: x\r\n\r\n", NULL, 0, NULL },
	/* what goes whoever says it */
	{ "DKIM-Signature: v=1;\r\n b=x\r\nA: b\r\ndkim-signature: v=2\r\n\r\n", "A: b\r\n\r\n", 0, NULL },
	{ "Return-Path: <a@b>\r\nRETURN-PATH : <c@d>\r\n\r\n", "\r\n", 0, NULL },
	{ "X-Oiwake-Tags: a=b\r\nX-OIWAKE-Else: 1\r\nX-Oiwak: 2\r\n\r\n", "X-Oiwak: 2\r\n\r\n", 0, NULL },
	{ "X-Oiwake-ID: b=a@b\r\nX-Oiwake-IDs: 1\r\nX-OIWAKE-ID : c\r\n\r\n", "X-Oiwake-ID: b=a@b\r\nX-OIWAKE-ID : c\r\n\r\n", 0, NULL },
	{ "X-SES-MESSAGE-TAGS: a=b\r\nX-SES-CONFIGURATION-SET: c\r\nX-SES-SOURCE-ARN: d\r\n\r\n",
	    "X-SES-SOURCE-ARN: d\r\n\r\n", 0, NULL },
	/* once only: the first stays, the same or not */
	{ "Subject: x\r\nA: b\r\nSubject: x\r\n\r\n", "Subject: x\r\nA: b\r\n\r\n", 1, "Subject" },
	{ "Subject: x\r\nsubject: y\r\nSUBJECT\t: z\r\n\r\n", "Subject: x\r\n\r\n", 2, "Subject" },
	{ "Content-Type: text/plain;\r\n charset=utf-8\r\nMIME-Version: 1.0\r\nContent-Type: text/html;\r\n\tcharset=x\r\n\r\n",
	    "Content-Type: text/plain;\r\n charset=utf-8\r\nMIME-Version: 1.0\r\n\r\n", 1, "Content-Type" },
	{ "Message-ID: <1>\r\nMessage-ID: <2>\r\nDate: 1\r\nDate: 2\r\nVBR-Info: 1\r\nVBR-Info: 2\r\n\r\n",
	    "Message-ID: <1>\r\nDate: 1\r\nVBR-Info: 1\r\n\r\n", 3, "Message-ID" },
	{ "Accept-Language: ja\r\nacceptLanguage: ja\r\n\r\n", NULL, 0, NULL },
	{ "Accept-Language: ja\r\nAccept-Language: en\r\n\r\n", "Accept-Language: ja\r\n\r\n", 1, "Accept-Language" },
	/* as often as one likes */
	{ "Received: a\r\nReceived: b\r\nX-A: 1\r\nX-A: 1\r\nResent-From: a\r\nResent-From: b\r\n\r\n", NULL, 0, NULL },
	{ "Subjects: a\r\nSubjects: b\r\nSubjec: a\r\nSubjec: b\r\n\r\n", NULL, 0, NULL },
	/* lists are joined */
	{ "Reply-To: a@b\r\nA: b\r\nReply-To: c@d\r\n\r\n", "Reply-To: a@b,\r\n c@d\r\nA: b\r\n\r\n", 1, "Reply-To" },
	{ "Reply-To: a@b\r\nReply-To: a@b\r\n\r\n", "Reply-To: a@b\r\n\r\n", 1, "Reply-To" },
	{ "Keywords: a\r\nKeywords: b\r\nKeywords: c", "Keywords: a,\r\n b,\r\n c\r\n", 2, "Keywords" },
	{ "To: a@b,\r\n\tc@d \r\nTo:\r\n e@f\r\n\r\n", "To: a@b,\r\n\tc@d,\r\n e@f\r\n\r\n", 1, NULL },
	{ "Cc: a@b,\r\nCc: \r\nCc: c@d\r\n\r\n", "Cc: a@b,\r\n c@d\r\n\r\n", 2, NULL },
	{ "Bcc:\r\nBcc: c@d, ,\r\n\r\n", "Bcc: c@d\r\n\r\n", 1, NULL },
	{ "Cc:\r\nCc:\r\n\r\n", "Cc:\r\n\r\n", 1, NULL },
	/* bytes beyond ASCII, NUL-free garbage, no line end */
	{ "Subject: \343\201\202\r\nSubject: \033$B$\"\033(B\r\n\r\n", "Subject: \343\201\202\r\n\r\n", 1, "Subject" },
	{ "Subject: x\nSubject: y\n\n", "Subject: x\n\n", 1, "Subject" },
	{ "Subject: x\r\nSubject: y", "Subject: x\r\n", 1, "Subject" },
	{ "no field\r\nno field\r\n", NULL, 0, NULL },
	{ ": x\r\n: y\r\n", NULL, 0, NULL },
};
/* clang-format on */

static void
make(struct ses_fields *f, const char *header, bool repair)
{
	/* A copy without an end, so that one byte too far is noticed. */
	size_t n = strlen(header);
	char *copy = xmalloc(n > 0 ? n : 1);

	memcpy(copy, header, n);
	ses_fields_make(f, copy, n, repair);
	free(copy);
}

static void
headers_are_repaired(void **state)
{
	struct ses_fields f;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		make(&f, headers[i].header, true);
		assert_null(f.refused);
		if (f.changed != (headers[i].out != NULL))
			fail_msg("row %zu: changed %d", i, f.changed);
		assert_string_equal(
		    f.out.data, f.changed ? headers[i].out : "");
		assert_int_equal(f.repaired, headers[i].repaired);
		ses_fields_clear(&f);
	}
}

static void
or_the_message_is_refused(void **state)
{
	struct ses_fields f;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		make(&f, headers[i].header, false);
		if (headers[i].refused == NULL) {
			assert_null(f.refused);
		} else {
			assert_non_null(f.refused);
			assert_string_equal(f.refused, headers[i].refused);
		}
		assert_int_equal(f.repaired, 0);
		ses_fields_clear(&f);
	}
}

static void
two_senders_are_never_repaired(void **state)
{
	struct ses_fields f;

	(void)state;
	for (int repair = 0; repair < 2; repair++) {
		make(&f, "From: a@b\r\nSubject: x\r\nfrom : c@d\r\n\r\n",
		    repair);
		assert_non_null(f.refused);
		assert_string_equal(f.refused, "From");
		ses_fields_clear(&f);
	}
}

/* The guide's list, in its order; a name missed in the table is a bounce. */
static void
every_field_of_the_guide(void **state)
{
	static const char *const once[] = { "Accept-Language", "acceptLanguage",
		"Archived-At", "Auto-Submitted", "Bounces-to", "Comments",
		"Content-Alternative", "Content-Base", "Content-Class",
		"Content-Description", "Content-Disposition",
		"Content-Duration", "Content-ID", "Content-Language",
		"Content-Length", "Content-Location", "Content-MD5",
		"Content-Transfer-Encoding", "Content-Type", "Date",
		"Delivered-To", "Disposition-Notification-Options",
		"Disposition-Notification-To", "DomainKey-Signature",
		"Errors-To", "From", "Importance", "In-Reply-To", "Keywords",
		"List-Archive", "List-Help", "List-Id", "List-Owner",
		"List-Post", "List-Subscribe", "List-Unsubscribe",
		"List-Unsubscribe-Post", "Message-Context", "Message-ID",
		"MIME-Version", "Organization", "Original-From",
		"Original-Message-ID", "Original-Recipient", "Original-Subject",
		"Precedence", "Priority", "References", "Reply-To",
		"Return-Receipt-To", "Sender", "Solicitation", "Sensitivity",
		"Subject", "Thread-Index", "Thread-Topic", "User-Agent",
		"VBR-Info" };
	char header[128];
	struct ses_fields f;

	(void)state;
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		snprintf(header, sizeof(header), "%s: 1\r\n%s: 2\r\n\r\n",
		    once[i], once[i]);
		make(&f, header, false);
		if (f.refused == NULL)
			fail_msg("%s", once[i]);
		assert_string_equal(f.refused, once[i]);
		ses_fields_clear(&f);
	}
}

static void
sets_of_the_application(void **state)
{
	static const struct {
		const char *header, *set;
	} row[] = {
		{ "A: b\r\n\r\n", "" },
		{ "X-SES-Configuration-Set: news-1_A\r\n\r\n", "news-1_A" },
		{ "X-SES-CONFIGURATION-SET:\r\n \tnews \r\n\r\n", "news" },
		{ "X-SES-CONFIGURATION-SET: a\r\nX-SES-CONFIGURATION-SET: "
		  "b\r\n\r\n",
		    "a" },
		{ "X-SES-CONFIGURATION-SET:\r\nX-SES-CONFIGURATION-SET: "
		  "b\r\n\r\n",
		    "b" },
		{ "X-SES-CONFIGURATION-SET: two words\r\n\r\n", "" },
		{ "X-SES-CONFIGURATION-SET: \343\201\202\r\n\r\n", "" },
		{ "X-SES-CONFIGURATION-SET: "
		  "123456789012345678901234567890123456789012345678901234567890"
		  "1234\r\n\r\n",
		    "1234567890123456789012345678901234567890123456789012345678"
		    "901234" },
		{ "X-SES-CONFIGURATION-SET: "
		  "123456789012345678901234567890123456789012345678901234567890"
		  "12345\r\n\r\n",
		    "" },
	};
	struct ses_fields f;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		make(&f, row[i].header, true);
		assert_string_equal(f.set, row[i].set);
		ses_fields_clear(&f);
	}
}

/* Time in proportion to the header, whatever is in it. */
static void
a_header_of_many_fields(void **state)
{
	struct str header = STR_INIT;
	struct ses_fields f;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		str_addf(&header, "To: a%u@b\r\n", i);
	str_adds(&header, "\r\n");
	ses_fields_make(&f, header.data, header.len, true);
	assert_int_equal(f.repaired, 99999);
	assert_non_null(strstr(f.out.data, ",\r\n a99999@b\r\n\r\n"));
	ses_fields_clear(&f);
	str_release(&header);
}

/* -- the whole message ---------------------------------------------------- */

static struct {
	struct config_path path;
	struct session session;
	struct delivery delivery;
	struct recipient *recipient;
	struct message *message;
} the;

static const char *const path_tags[] = { "path=p", "kind=bulk" };

static int
set_up(void **state)
{
	(void)state;
	memset(&the, 0, sizeof(the));
	the.message = message_new(1);
	the.recipient = recipient_new(the.message, 3, "taro@example.jp");
	the.session.path = &the.path;
	the.delivery.message = the.message;
	the.delivery.n = 1;
	the.delivery.recipients = &the.recipient;
	the.delivery.route.configuration_set = "";
	the.path.transport = SES_API;
	the.path.repair_headers = true;
	the.path.application_wins = true;
	the.path.configuration_set = xstrdup("default");
	the.path.tags = (char **)(uintptr_t)path_tags;
	the.path.ntags = 2;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	body_unref(&the.delivery.body);
	free(the.path.configuration_set);
	recipient_free(&the.recipient);
	message_unref(&the.message);
	return 0;
}

static void
set_message(const char *header, const char *tags)
{
	char *text;

	body_unref(&the.delivery.body);
	text = xmalloc(strlen(header) + 16);
	sprintf(text, "%sHello.\r\n", header);
	the.delivery.body = body_take(text, strlen(text));
	the.message->header_size = strlen(header);
	free(the.message->tags);
	the.message->tags = xstrdup(tags);
}

/* All of the message as it goes out. */
static char *
whole(const struct ses_content *c)
{
	struct str s = STR_INIT;
	char buf[64];
	uint64_t at = c->content.offset, end = at + c->content.length;

	str_add(&s, c->content.head, c->content.head_len);
	while (at < end) {
		size_t want =
		    end - at < sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
		ssize_t n = c->content.read(c->content.arg, at, buf, want);
		assert_true(n > 0);
		str_add(&s, buf, (size_t)n);
		at += (uint64_t)n;
	}
	assert_int_equal(s.len, ses_content_size(c));
	return str_detach(&s);
}

static void
expect_tags(const struct ses_content *c, const char *expected)
{
	struct str s = STR_INIT;

	for (size_t i = 0; i < c->ntags; i++)
		str_addf(&s, "%s%s=%s", i > 0 ? "," : "", c->tag[i].name,
		    c->tag[i].value);
	assert_string_equal(s.data, expected);
	str_release(&s);
}

/* "oiwake-id=ID-3" and what follows. */
static const char *
with_id(const char *rest)
{
	static char buf[65536];
	char id[SES_TAG_ID_MAX];

	snprintf(buf, sizeof(buf), "%s=%s%s", SES_TAG_ID, ses_tag_id(1, 3, id),
	    rest);
	return buf;
}

static void
expect(const char *text, const char *set, const char *tags)
{
	struct ses_content c;
	struct outcome why;
	struct err e = ERR_INIT;
	char *got;

	assert_int_equal(
	    ses_content_make(&the.session, &the.delivery, &c, &why, &e), 0);
	got = whole(&c);
	assert_string_equal(got, text);
	free(got);
	if (set == NULL)
		assert_null(c.configuration_set);
	else
		assert_string_equal(c.configuration_set, set);
	expect_tags(&c, with_id(tags));
	ses_content_clear(&c);
}

static void
what_is_said_by_whom(void **state)
{
	static const char header[] = "X-SES-CONFIGURATION-SET: app\r\nA: "
				     "b\r\nX-SES-MESSAGE-TAGS: x\r\n\r\n";

	(void)state;
	set_message("A: b\r\n\r\n", "");
	expect("A: b\r\n\r\nHello.\r\n", "default", ",path=p,kind=bulk");
	the.delivery.route.configuration_set = "rule";
	expect("A: b\r\n\r\nHello.\r\n", "rule", ",path=p,kind=bulk");
	set_message(header, "kind=mail,user=7");
	expect("A: b\r\n\r\nHello.\r\n", "app", ",kind=mail,user=7,path=p");
	the.path.application_wins = false;
	expect("A: b\r\n\r\nHello.\r\n", "rule", ",path=p,kind=bulk,user=7");
	/* Where nobody else says anything it is heard all the same. */
	the.delivery.route.configuration_set = "";
	free(the.path.configuration_set);
	the.path.configuration_set = NULL;
	expect("A: b\r\n\r\nHello.\r\n", "app", ",path=p,kind=bulk,user=7");
	set_message("A: b\r\n\r\n", "");
	expect("A: b\r\n\r\nHello.\r\n", NULL, ",path=p,kind=bulk");
}

static void
tags_that_ses_knows(void **state)
{
	struct str tags = STR_INIT, expected = STR_INIT;

	(void)state;
	the.path.ntags = 0;
	set_message("A: b\r\n\r\n",
	    "a=1,b=two.words,c,=d,e=,f=x=y,\343\201\202=1,g=\343\201\202,a=2,"
	    "oiwake-id=forged,Z_-9=9-_z");
	expect("A: b\r\n\r\nHello.\r\n", "default", ",a=1,Z_-9=9-_z");
	/* A name, and a value, of 256 bytes and of one more. */
	str_addf(&tags, "%0256d=1,%0257d=1,a=%0256d,b=%0257d", 1, 2, 3, 4);
	str_addf(&expected, ",%0256d=1,a=%0256d", 1, 3);
	set_message("A: b\r\n\r\n", tags.data);
	expect("A: b\r\n\r\nHello.\r\n", "default", expected.data);
	str_clear(&tags);
	str_clear(&expected);
	for (unsigned i = 0; i < 60; i++)
		str_addf(&tags, "t%u=%u,", i, i);
	for (unsigned i = 0; i < SES_TAGS_MAX - 1; i++)
		str_addf(&expected, ",t%u=%u", i, i);
	set_message("A: b\r\n\r\n", tags.data);
	expect("A: b\r\n\r\nHello.\r\n", "default", expected.data);
	str_release(&tags);
	str_release(&expected);
}

static void
expect_refusal(const char *enhanced, const char *text)
{
	struct ses_content c;
	struct outcome why;
	struct err e = ERR_INIT;

	assert_int_equal(
	    ses_content_make(&the.session, &the.delivery, &c, &why, &e), 1);
	assert_int_equal(outcome_class(&why), 5);
	assert_int_equal(why.stage, STAGE_NONE);
	assert_int_equal(why.scope, SCOPE_MESSAGE);
	assert_string_equal(why.enhanced, enhanced);
	assert_non_null(strstr(why.text, text));
	ses_content_clear(&c);
}

static void
refusals_say_why(void **state)
{
	(void)state;
	set_message("From: a@b\r\nFrom: c@d\r\n\r\n", "");
	expect_refusal("5.6.0", "From");
	set_message("Subject: a\r\nSubject: b\r\n\r\n", "");
	the.path.repair_headers = false;
	expect_refusal("5.6.0", "Subject");
	set_message("Subject: a\r\n\r\n", "");
	the.message->smtputf8 = true;
	expect_refusal("5.6.7", "SMTPUTF8");
}

/* Over SMTP set and tags are one field each, in lines that are no longer than
 * RFC 5322 has them. */
static void
fields_for_smtp(void **state)
{
	struct str tags = STR_INIT, head = STR_INIT;
	struct smtp_content content;
	struct outcome why;
	struct err e = ERR_INIT;
	size_t seen = 0;

	(void)state;
	the.path.transport = SES_SMTP;
	for (unsigned i = 0; i < 40; i++)
		str_addf(&tags, "t%u=%0200u,", i, i);
	set_message("A: b\r\nX-SES-MESSAGE-TAGS: x=y\r\n\r\n", tags.data);
	assert_int_equal(path_ses.content(&the.session, &the.delivery, &content,
			     &head, &why, &e),
	    0);
	assert_ptr_equal(content.head, head.data);
	assert_int_equal(content.head_len, head.len);
	assert_memory_equal(
	    head.data, "X-SES-CONFIGURATION-SET: default\r\n", 34);
	assert_memory_equal(head.data + 34, "X-SES-MESSAGE-TAGS: ", 20);
	assert_non_null(strstr(head.data, "=p, kind=bulk\r\nA: b\r\n\r\n"));
	for (const char *p = head.data, *nl; *p != '\0'; p = nl + 1) {
		nl = strchr(p, '\n');
		assert_non_null(nl);
		assert_true(nl - p < 998);
		seen += strncmp(p, "X-SES-", 6) == 0;
	}
	assert_int_equal(seen, 2);
	assert_int_equal(content.length, strlen("Hello.\r\n"));
	str_release(&tags);
	str_release(&head);
}

/* A body that nobody reads: only its size counts. */
static void
set_size(uint64_t size)
{
	body_unref(&the.delivery.body);
	the.delivery.body = body_take(xcalloc(1, (size_t)size), (size_t)size);
	the.message->header_size = 0;
}

static void
sizes(void **state)
{
	struct ses_content c;
	struct outcome why;
	struct err e = ERR_INIT;
	static const struct {
		enum ses_transport transport;
		uint64_t most;
	} row[] = {
		{ SES_API, SES_MESSAGE_MAX / 4 * 3 },
		{ SES_SMTP, SES_MESSAGE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		the.path.transport = row[i].transport;
		set_size(row[i].most);
		assert_int_equal(
		    ses_content_make(&the.session, &the.delivery, &c, &why, &e),
		    0);
		ses_content_clear(&c);
		set_size(row[i].most + 1);
		expect_refusal("5.3.4", "larger");
	}
}

/* The header of a body in a file is read; one that is gone is no refusal. */
static void
spooled(void **state)
{
	char dir[] = "/tmp/test_ses_content.XXXXXX", path[64];
	struct ses_content c;
	struct outcome why;
	struct err e = ERR_INIT;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/m", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("Subject: x\r\nSubject: y\r\n\r\nHello.\r\n", f);
	fclose(f);
	the.path.ntags = 0;
	the.message->header_size = 26;
	the.delivery.body = body_spooled(dir, "m", 34);
	expect("Subject: x\r\n\r\nHello.\r\n", "default", "");
	unlink(path);
	body_unref(&the.delivery.body);
	the.delivery.body = body_spooled(dir, "m", 34);
	assert_int_equal(
	    ses_content_make(&the.session, &the.delivery, &c, &why, &e), -1);
	assert_string_not_equal(e.text, "");
	ses_content_clear(&c);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_repaired),
		cmocka_unit_test(or_the_message_is_refused),
		cmocka_unit_test(two_senders_are_never_repaired),
		cmocka_unit_test(every_field_of_the_guide),
		cmocka_unit_test(sets_of_the_application),
		cmocka_unit_test(a_header_of_many_fields),
		cmocka_unit_test_setup_teardown(
		    what_is_said_by_whom, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    tags_that_ses_knows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    refusals_say_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    fields_for_smtp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sizes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(spooled, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
