/*
 * test_report.c - what a message that came back says, whatever form it has.
 *
 * Every message here is made up. The last test reads $OIWAKE_DATA/bounces
 * (default ../shared/data) where it is at hand. Run from the top of the source.
 */
#include "router/feedback/form.h"
#include "router/feedback/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#define DAEMON                                                                 \
	"Return-Path: <>\n"                                                    \
	"From: Mail Delivery System <MAILER-DAEMON@mx.sender.example>\n"       \
	"To: <info@sender.example>\n"                                          \
	"Date: Mon, 02 Nov 2026 10:00:00 +0900\n"                              \
	"Subject: Undelivered Mail Returned to Sender\n"                       \
	"MIME-Version: 1.0\n"
#define REPORT                                                                 \
	"Content-Type: multipart/report; report-type=delivery-status;\n"       \
	"\tboundary=\"b/1\"\n\n"
#define HUMAN(text)                                                            \
	"--b/1\nContent-Type: text/plain; charset=us-ascii\n\n" text "\n"
#define STATUS(text)                                                           \
	"--b/1\nContent-Type: message/delivery-status\n\n"                     \
	"Reporting-MTA: dns; mx.sender.example\n"                              \
	"X-Postfix-Sender: rfc822; bounce+x1@sender.example\n"                 \
	"Arrival-Date: Mon, 02 Nov 2026 09:59:00 +0900\n\n" text "\n"
#define QUOTED                                                                 \
	"--b/1\nContent-Type: message/rfc822\n\n"                              \
	"Return-Path: <bounce+x1@sender.example>\n"                            \
	"X-Oiwake-ID: 1a2b3c.4d@bounce.sender.example\n"                       \
	"Message-ID: <m1@sender.example>\n"                                    \
	"From: Info <Info@Sender.example>\n"                                   \
	"To: Taro <taro@docomo.example>\n"                                     \
	"Subject: hello\n\nhello\n--b/1--\n"

struct want {
	const char *name;
	const char *mail;
	enum report_kind kind;
	const char *recipient, *alias;
	enum smtp_stage stage;
	int code;
	const char *enhanced, *text, *host;
};

static const struct want wants[] = {
	{ "a standard bounce; the stage is in the text for people",
	    DAEMON REPORT HUMAN("<taro@docomo.example>: host mx.docomo.example"
				"[192.0.2.1] said: 550 Unknown\n"
				"    user (in reply to RCPT TO command)")
		STATUS("Final-Recipient: rfc822; Taro@docomo.example\n"
		       "Original-Recipient: rfc822;taro@docomo.example\n"
		       "Action: failed\nStatus: 5.0.0\n"
		       "Remote-MTA: dns; mx.docomo.example\n"
		       "Diagnostic-Code: smtp; 550 Unknown user\n") QUOTED,
	    REPORT_BOUNCE, "taro@docomo.example", "", STAGE_RCPT, 550, "5.0.0",
	    "Unknown user", "mx.docomo.example" },
	{ "the same words after the message",
	    DAEMON REPORT HUMAN("<taro@docomo.example>: host mx.docomo.example"
				"[192.0.2.1] said: 550 Unknown\n"
				"    user (in reply to end of DATA command)")
		STATUS("Final-Recipient: rfc822; taro@docomo.example\n"
		       "Action: failed\nStatus: 5.0.0\n"
		       "Diagnostic-Code: smtp; 550 Unknown user\n") QUOTED,
	    REPORT_BOUNCE, "taro@docomo.example", "", STAGE_DOT, 550, "5.0.0",
	    "Unknown user", "" },
	{ "the reply's status rather than the reporter's",
	    DAEMON REPORT HUMAN("Sorry.")
		STATUS("Final-Recipient: rfc822; <a@x.example>\n"
		       "Action: failed\nStatus: 5.0.0\n"
		       "Diagnostic-Code: smtp; 552-5.2.2 mailbox of\n"
		       " a@x.example is full\n") QUOTED,
	    REPORT_BOUNCE, "a@x.example", "", STAGE_NONE, 552, "5.2.2",
	    "mailbox of a@x.example is full", "" },
	{ "another address than ours, with ours beside it",
	    DAEMON REPORT HUMAN("Sorry.") STATUS(
		"Original-Recipient: rfc822;list@x.example\n"
		"Final-Recipient: RFC822; member@y.example\n"
		"Action: failed\nStatus: 5.1.1\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\n") QUOTED,
	    REPORT_BOUNCE, "member@y.example", "list@x.example", STAGE_NONE,
	    550, "5.1.1", "no such user", "" },
	{ "a file is no address",
	    DAEMON REPORT HUMAN("Sorry.") STATUS(
		"Original-Recipient: rfc822;a@x.example\n"
		"Final-Recipient: rfc822; /var/mail/a@x.example\n"
		"Action: failed\nStatus: 5.2.2\n"
		"Diagnostic-Code: x-unix; quota of a is exceeded\n") QUOTED,
	    REPORT_BOUNCE, "a@x.example", "", STAGE_NONE, 0, "5.2.2",
	    "quota of a is exceeded", "" },
	{ "a domain in brackets",
	    DAEMON REPORT HUMAN("Sorry.") STATUS(
		"Final-Recipient: rfc822; a@[IPv6:2001:db8::1]\n"
		"Action: failed\nStatus: 5.1.1\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\n") QUOTED,
	    REPORT_BOUNCE, "a@[ipv6:2001:db8::1]", "", STAGE_NONE, 550, "5.1.1",
	    "no such user", "" },
	{ "whatever else is in brackets is no domain",
	    DAEMON REPORT HUMAN("Sorry.") STATUS(
		"Original-Recipient: rfc822;a@x.example\n"
		"Final-Recipient: rfc822; a@[#x>4]\n"
		"Action: failed\nStatus: 5.1.1\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\n") QUOTED,
	    REPORT_BOUNCE, "a@x.example", "", STAGE_NONE, 550, "5.1.1",
	    "no such user", "" },
	{ "an address of RFC 6533",
	    DAEMON REPORT HUMAN("Sorry.") STATUS(
		"Final-Recipient: utf-8; \\x{592A}@x.example\n"
		"Action: failed\nStatus: 5.1.1\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\n") QUOTED,
	    REPORT_BOUNCE, "太@x.example", "", STAGE_NONE, 550, "5.1.1",
	    "no such user", "" },
	{ "a quoted local part of docomo's old kind",
	    DAEMON REPORT HUMAN("Sorry.") STATUS(
		"Final-Recipient: rfc822; \"Taro..x.\"@docomo.example\n"
		"Action: failed\nStatus: 5.1.1\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\n") QUOTED,
	    REPORT_BOUNCE, "taro..x.@docomo.example", "", STAGE_NONE, 550,
	    "5.1.1", "no such user", "" },
	{ "fields with blanks before the colon and no blank in front",
	    DAEMON REPORT HUMAN("Sorry.")
		STATUS("Action : failed\nStatus : 5.0.0\n"
		       "Diagnostic-Code : smtp;550 5.7.1 relaying\n"
		       "denied here\n"
		       "Final-Recipient : rfc/822;a@x.example\n") QUOTED,
	    REPORT_BOUNCE, "a@x.example", "", STAGE_NONE, 550, "5.7.1",
	    "relaying denied here", "" },
	{ "fields in the text, the MIME header lost",
	    "From: MAILER-DAEMON@x.example\nSubject: Returned mail\n\n"
	    "   ----- Transcript of session follows -----\n"
	    ">>> MAIL From:<i@sender.example>\n<<< 550 go away\n\n"
	    "Reporting-MTA: dns; x.example\n\n"
	    "Final-Recipient: rfc822; a@x.example\nAction: failed\n"
	    "Status: 5.0.0\nDiagnostic-Code: smtp; 550 go away\n\n"
	    "Return-Path: <i@sender.example>\nReceived: from here\n"
	    "Message-ID: <m1@sender.example>\nTo: <b@x.example>\n\nhello\n",
	    REPORT_BOUNCE, "a@x.example", "", STAGE_MAIL, 550, "5.0.0",
	    "go away", "" },
	{ "a delay",
	    DAEMON REPORT HUMAN("Not yet.") STATUS(
		"Final-Recipient: rfc822; a@x.example\n"
		"Action: delayed\nStatus: 4.4.1\n"
		"Diagnostic-Code: X-Postfix; connect to\n"
		"    mx.x.example[192.0.2.1]:25: Connection refused\n") QUOTED,
	    REPORT_DELAYED, "a@x.example", "", STAGE_CONNECT, 0, "4.4.1",
	    "connect to mx.x.example[192.0.2.1]:25: Connection refused",
	    "mx.x.example" },
	{ "it arrived",
	    DAEMON REPORT HUMAN("As you wished.")
		STATUS("Final-Recipient: rfc822; a@x.example\n"
		       "Action: relayed\nStatus: 2.1.5\n"
		       "Diagnostic-Code: smtp; 250 2.1.5 Ok\n") QUOTED,
	    REPORT_DELIVERED, "a@x.example", "", STAGE_NONE, 250, "2.1.5", "Ok",
	    "" },
	{ "a bounce that says it was sent in reply",
	    "Auto-Submitted: auto-replied\n" DAEMON REPORT HUMAN("Sorry.")
		STATUS("Final-Recipient: rfc822; a@x.example\n"
		       "Action: failed\nStatus: 5.1.1\n"
		       "Diagnostic-Code: smtp; 550 5.1.1 no such user\n")
		    QUOTED,
	    REPORT_BOUNCE, "a@x.example", "", STAGE_NONE, 550, "5.1.1",
	    "no such user", "" },
	{ "what was sent back is in the part, in base64",
	    DAEMON REPORT HUMAN(
		"Sorry.") "--b/1\nContent-Type: message/delivery-status\n"
			  "Content-Transfer-Encoding: base64\n\n"
			  "RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFAeC5leGFtcGxlCkFj"
			  "dGlvbjogZmFp\n"
			  "bGVkClN0YXR1czogNS4xLjEKRGlhZ25vc3RpYy1Db2RlOiBzbXRw"
			  "OyA1NTAgNS4x\n"
			  "LjEgbm8gc3VjaCB1c2VyCg==\n" QUOTED,
	    REPORT_BOUNCE, "a@x.example", "", STAGE_NONE, 550, "5.1.1",
	    "no such user", "" },
	{ "a bounce that a relay's daemon only wrapped up",
	    "From: MAILER-DAEMON@gate.example\nSubject: Returned mail\n"
	    "Content-Type: multipart/mixed; boundary=w\n\n"
	    "--w\nContent-Type: text/plain\n\nAs received:\n"
	    "--w\nContent-Type: message/rfc822\n\n" DAEMON REPORT HUMAN(
		"Sorry.")
		STATUS("Final-Recipient: rfc822; a@x.example\n"
		       "Action: failed\nStatus: 5.1.1\n"
		       "Diagnostic-Code: smtp; 550 5.1.1 no such user\n") QUOTED
	    "--w--\n",
	    REPORT_BOUNCE, "a@x.example", "", STAGE_NONE, 550, "5.1.1",
	    "no such user", "" },
	{ "a vacation notice",
	    "Return-Path: <hanako@x.example>\nFrom: Hanako <Hanako@x.example>\n"
	    "Subject: Re: hello\nAuto-Submitted: auto-replied (vacation)\n\n"
	    "I am away until Monday.\n",
	    REPORT_REPLY, "hanako@x.example", "", STAGE_NONE, 0, "",
	    "I am away until Monday.", "" },
	{ "one in Japanese, known by its subject alone",
	    "From: <hanako@x.example>\n"
	    "Subject: =?iso-2022-jp?B?GyRCPCtGMDF+RXobKEI=?=: hello\n"
	    "Content-Type: text/plain; charset=iso-2022-jp\n\n"
	    "\033$B5Y2K\033(B\n",
	    REPORT_REPLY, "hanako@x.example", "", STAGE_NONE, 0, "", "休暇",
	    "" },
	{ "one in Shift_JIS that says nothing of it",
	    "From: <hanako@x.example>\nSubject: Automatic reply: hello\n"
	    "\n\x82\xa8\x82\xe2\x82\xb7\x82\xdd\n",
	    REPORT_REPLY, "hanako@x.example", "", STAGE_NONE, 0, "", "おやすみ",
	    "" },
	{ "one in EUC-JP that names another charset",
	    "From: <hanako@x.example>\nSubject: Automatic reply: hello\n"
	    "Content-Type: text/plain; "
	    "charset=utf-8\n\n\xa4\xaa\xa4\xe4\xa4\xb9\xa4\xdf\n",
	    REPORT_REPLY, "hanako@x.example", "", STAGE_NONE, 0, "", "おやすみ",
	    "" },
	{ "one whose escape back to ASCII is lost",
	    "From: <hanako@x.example>\nSubject: Automatic reply: hello\n"
	    "Content-Type: text/plain; charset=none-such\n\n\033$B$*$d$9$_\n",
	    REPORT_REPLY, "hanako@x.example", "", STAGE_NONE, 0, "", "おやすみ",
	    "" },
	{ "one about a bounced mail's subject",
	    "From: <hanako@x.example>\n"
	    "Subject: Automatic reply: Undelivered mail\n\n550 is my room.\n",
	    REPORT_REPLY, "hanako@x.example", "", STAGE_NONE, 0, "",
	    "550 is my room.", "" },
	{ "one that the daemon itself sends",
	    "From: Postmaster@x.example\nSubject: Out of office: hello\n"
	    "Auto-Submitted: auto-replied\n\nUntil Monday.\n",
	    REPORT_REPLY, "postmaster@x.example", "", STAGE_NONE, 0, "",
	    "Until Monday.", "" },
	{ "the same fields without MIME, from nobody",
	    "Return-Path: <>\nFrom: <mta@x.example>\n"
	    "Subject: your mail\n\nReporting-MTA: dns; mx.x.example\n\n"
	    "Final-Recipient: rfc822; taro@y.example\nAction: failed\n"
	    "Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n",
	    REPORT_BOUNCE, "taro@y.example", "", STAGE_NONE, 550, "5.1.1",
	    "no such user", "" },
	{ "a complaint",
	    "From: <fbl@isp.example>\nTo: <abuse@sender.example>\n"
	    "Subject: FW: hello\n"
	    "Content-Type: multipart/report; report-type=feedback-report;\n"
	    " boundary=\"b/1\"\n\n" HUMAN(
		"This is an abuse report.\n\nBye.") "--b/1\nContent-Type: "
						    "message/"
						    "feedback-report\n\n"
						    "Feedback-Type: "
						    "abuse\nVersion: "
						    "1\nUser-Agent: FBL/1\n"
						    "Original-Mail-From: "
						    "<bounce+x1@sender.example>"
						    "\n"
						    "Original-Rcpt-To: "
						    "<Taro@isp.example>\n"
						    "Arrival-Date: Mon, 02 Nov "
						    "2026 09:59:00 "
						    "+0900\n\n" QUOTED,
	    REPORT_COMPLAINT, "taro@isp.example", "", STAGE_NONE, 0, "",
	    "This is an abuse report.", "" },
	{ "a complaint that hides who complained",
	    "From: <fbl@isp.example>\nTo: <abuse@sender.example>\n"
	    "Content-Type: multipart/report; report-type=feedback-report;\n"
	    " boundary=\"b/1\"\n\n" HUMAN(
		"This is an abuse report.") "--b/1\nContent-Type: "
					    "message/feedback-report\n\n"
					    "Feedback-Type: "
					    "abuse\nOriginal-Rcpt-To: "
					    "redacted-0f33\n\n" QUOTED,
	    REPORT_COMPLAINT, "redacted-0f33", "", STAGE_NONE, 0, "",
	    "This is an abuse report.", "" },
	{ "a complaint that is only the message, marked",
	    "From: staff@mail.example\nTo: <abuse@sender.example>\n"
	    "Subject: complaint about message from 192.0.2.9\n"
	    "Content-Type: multipart/mixed; boundary=\"b/1\"\n\n"
	    "--b/1\nContent-Type: message/rfc822\n\n"
	    "X-HmXmrOriginalRecipient: taro@mail.example\n"
	    "Message-ID: <m1@sender.example>\nTo: <other@mail.example>\n\nhi\n"
	    "--b/1--\n",
	    REPORT_COMPLAINT, "taro@mail.example", "", STAGE_NONE, 0, "", "",
	    "" },
	{ "a read receipt",
	    "From: <taro@x.example>\nSubject: Read: hello\n"
	    "Content-Type: multipart/report; boundary=\"b/1\";\n"
	    " report-type=disposition-notification\n\n" HUMAN(
		"Read.") "--b/1\nContent-Type: "
			 "message/disposition-notification\n\n"
			 "Final-Recipient: rfc822; taro@x.example\n"
			 "Disposition: manual-action/MDN-sent-manually; "
			 "displayed\n\n--b/1--\n",
	    REPORT_DELIVERED, "taro@x.example", "", STAGE_NONE, 0, "", "", "" },
};

static void
same(const struct want *w, const char *what, const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s is '%s', not '%s'", w->name, what, got, want);
}

static void
check(const struct want *w, const char *mail, size_t len)
{
	struct report r;
	const struct report_part *p;

	report_read(&r, mail, len);
	if (r.n != 1)
		fail_msg("%s: %zu parts", w->name, r.n);
	p = &r.part[0];
	same(w, "kind", report_kind_name(r.kind), report_kind_name(w->kind));
	same(w, "part", report_kind_name(p->kind), report_kind_name(w->kind));
	same(w, "recipient", p->recipient, w->recipient);
	same(w, "alias", p->alias, w->alias);
	same(w, "stage", stage_name(p->outcome.stage), stage_name(w->stage));
	same(w, "status", p->outcome.enhanced, w->enhanced);
	same(w, "text", p->outcome.text, w->text);
	same(w, "host", p->host, w->host);
	if (p->outcome.code != w->code)
		fail_msg("%s: code %d", w->name, p->outcome.code);
	report_clear(&r);
}

static void
kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		check(&wants[i], wants[i].mail, strlen(wants[i].mail));
}

static void
with_crlf(struct str *out, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n')
			str_addc(out, '\r');
		str_addc(out, data[i]);
	}
}

static void
line_ends_do_not_matter(void **state)
{
	struct str crlf = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		str_clear(&crlf);
		with_crlf(&crlf, wants[i].mail, strlen(wants[i].mail));
		check(&wants[i], crlf.data, crlf.len);
	}
	str_release(&crlf);
}

/* Mail that tells of bounces, and is none. */
static const char *const letters[] = {
	"From: Taro <taro@x.example>\nTo: info@sender.example\n"
	"Subject: question\n\nYour mail to a@y.example came back:\n"
	"550 5.1.1 <a@y.example>: User unknown\nWhy?\n",
	"From: Taro <taro@x.example>\nSubject: Re: delivery\n\n"
	"> Final-Recipient: rfc822; a@y.example\n> Action: failed\n"
	"> Status: 5.1.1\n\nWhat does this mean?\n",
	"From: News <news@shop.example>\nList-Unsubscribe: "
	"<mailto:u@shop.example>\n"
	"Precedence: bulk\nSubject: "
	"=?utf-8?B?44GK5LyR44G/44Gu44GK55+l44KJ44Gb?=\n\n"
	"We deliver on Monday. 550 new things.\n",
	"From: postfix-users@lists.example\nList-Id: <postfix-users>\n"
	"Subject: [list] why does it bounce\n\n"
	"<a@y.example>: host mx.y.example[192.0.2.3] said: 550 5.1.1 User\n"
	"    unknown (in reply to RCPT TO command)\n",
	"Return-Path: <hanako@x.example>\nFrom: <hanako@x.example>\n"
	"Subject: Re: Undelivered Mail Returned to Sender\n\n"
	"What is this?\n\nReporting-MTA: dns; mx.x.example\n\n"
	"Final-Recipient: rfc822; taro@y.example\nAction: failed\n"
	"Status: 5.1.1\n",
	"Return-Path: <>\nFrom: <news@x.example>\n"
	"List-Id: <news.x.example>\nSubject: Delivery status explained\n\n"
	"Like so:\n\nFinal-Recipient: rfc822; taro@y.example\n"
	"Action: failed\nStatus: 5.1.1\n",
	"Subject: nothing\n\n",
	"",
	"\n\n\n",
	"no header at all",
};

static void
letters_are_no_reports(void **state)
{
	struct report r;

	(void)state;
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		report_read(&r, letters[i], strlen(letters[i]));
		if (r.kind != REPORT_NONE || r.n != 0)
			fail_msg("letter %zu is taken for '%s' by '%s'", i,
			    report_kind_name(r.kind), r.form);
		report_clear(&r);
	}
}

static void
several_recipients(void **state)
{
	static const char mail[] = DAEMON REPORT HUMAN(
	    "<a@x.example>: host mx.x.example[192.0.2.1] said: 550 no\n"
	    "    (in reply to RCPT TO command)\n\n"
	    "<b@y.example>: host mx.y.example[192.0.2.2] said: 550 no\n"
	    "    (in reply to end of DATA command)\n")
	    STATUS("Final-Recipient: rfc822; a@x.example\nAction: failed\n"
		   "Status: 5.1.1\nDiagnostic-Code: smtp; 550 no\n\n"
		   "Final-Recipient: rfc822; b@y.example\nAction: failed\n"
		   "Status: 5.7.1\nDiagnostic-Code: smtp; 550 no\n\n"
		   "Final-Recipient: rfc822; c@z.example\nAction: delayed\n"
		   "Status: 4.4.1\n") QUOTED;
	struct report r;

	(void)state;
	report_read(&r, mail, strlen(mail));
	assert_int_equal(r.n, 3);
	assert_int_equal(r.kind, REPORT_BOUNCE);
	assert_string_equal(r.part[0].recipient, "a@x.example");
	assert_int_equal(r.part[0].outcome.stage, STAGE_RCPT);
	assert_string_equal(r.part[1].recipient, "b@y.example");
	assert_string_equal(r.part[1].outcome.enhanced, "5.7.1");
	assert_int_equal(r.part[1].outcome.stage, STAGE_DOT);
	assert_string_equal(r.part[2].recipient, "c@z.example");
	assert_int_equal(r.part[2].kind, REPORT_DELAYED);
	report_clear(&r);
}

/* Who may show whose it is. */
static void
what_it_is_about(void **state)
{
	struct report r;

	(void)state;
	report_read(&r, wants[0].mail, strlen(wants[0].mail));
	assert_string_equal(r.form, "rfc3464");
	assert_string_equal(r.to, "info@sender.example");
	assert_string_equal(r.return_path, "bounce+x1@sender.example");
	assert_string_equal(r.our_id, "1a2b3c.4d@bounce.sender.example");
	assert_string_equal(r.message_id, "<m1@sender.example>");
	assert_string_equal(r.addresser, "info@sender.example");
	assert_true(r.at == 1793581140000);
	assert_string_equal(r.part[0].action, "failed");
	assert_false(r.part[0].spasign);
	report_clear(&r);
}

static void
au_tells_of_its_filter(void **state)
{
	static const char mail[] = "X-SPASIGN: NG\n" DAEMON REPORT HUMAN("No.")
	    STATUS("Final-Recipient: rfc822; a@au.example\nAction: failed\n"
		   "Status: 5.0.0\nDiagnostic-Code: smtp; 550 refused\n")
		QUOTED;
	struct report r;

	(void)state;
	report_read(&r, mail, strlen(mail));
	assert_int_equal(r.n, 1);
	assert_true(r.part[0].spasign);
	report_clear(&r);
}

struct diagnosis {
	const char *text;
	enum smtp_stage stage;
	int code;
	const char *enhanced, *words;
};

static const struct diagnosis diagnoses[] = {
	{ "550 5.1.1 <a@x.example>: no such user", STAGE_NONE, 550, "5.1.1",
	    "<a@x.example>: no such user" },
	{ "550-5.7.1 blocked 550 5.7.1 see above", STAGE_NONE, 550, "5.7.1",
	    "blocked 550 5.7.1 see above" },
	{ "554 5.7.1 Client host [192.0.2.55] blocked", STAGE_NONE, 554,
	    "5.7.1", "Client host [192.0.2.55] blocked" },
	{ "host mx.x.example[5.1.1.7] said: 421 4.7.0 try later (in reply to "
	  "MAIL FROM command)",
	    STAGE_MAIL, 421, "4.7.0", "try later" },
	{ "host mx.x.example[192.0.2.1] refused to talk to me: 554 no",
	    STAGE_CONNECT, 554, "",
	    "host mx.x.example[192.0.2.1] refused to talk to me: 554 no" },
	{ "sorry, no mailbox here by that name. (#5.1.1)", STAGE_NONE, 0,
	    "5.1.1", "sorry, no mailbox here by that name. (#5.1.1)" },
	{ "the message is larger than 500 kb", STAGE_NONE, 0, "",
	    "the message is larger than 500 kb" },
	{ "connect to 4.5.4.2 port 587: Connection timed out", STAGE_CONNECT, 0,
	    "", "connect to 4.5.4.2 port 587: Connection timed out" },
	{ "Postfix 2.11.3 on Mon, 2 Nov 2026 10:00:00: user unknown",
	    STAGE_NONE, 0, "",
	    "Postfix 2.11.3 on Mon, 2 Nov 2026 10:00:00: user unknown" },
	{ "smtp error from remote mail server after end of data:\n"
	  "host mx.x.example [192.0.2.1]: 550 spam",
	    STAGE_DOT, 550, "",
	    "smtp error from remote mail server after end of data: host "
	    "mx.x.example [192.0.2.1]: 550 spam" },
	{ "554 4.4.7 expired <450 4.2.0 greylisted>", STAGE_NONE, 450, "4.2.0",
	    "554 4.4.7 expired <450 4.2.0 greylisted>" },
	{ "lost connection with mx.x.example[192.0.2.1] while sending end of "
	  "data -- message may be sent more than once",
	    STAGE_DOT, 0, "",
	    "lost connection with mx.x.example[192.0.2.1] while sending end of "
	    "data -- message may be sent more than once" },
	{ "mx.x.example [192.0.2.1] did not like our RCPT TO: 550 no",
	    STAGE_RCPT, 550, "",
	    "mx.x.example [192.0.2.1] did not like our RCPT TO: 550 no" },
	{ "... while talking to mx.x.example.:\n>>> DATA\n<<< 550 no",
	    STAGE_DATA, 550, "",
	    "... while talking to mx.x.example.: >>> DATA <<< 550 no" },
	{ "Host or domain name not found. Name service error for name=x",
	    STAGE_DNS, 0, "",
	    "Host or domain name not found. Name service error for name=x" },
};

static void
diagnosis(void **state)
{
	char empty[] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(diagnoses) / sizeof(diagnoses[0]); i++) {
		const struct diagnosis *d = &diagnoses[i];
		struct report_part p = { .host = xstrdup(empty) };

		report_diagnose(&p, d->text, strlen(d->text));
		if (p.outcome.code != d->code || p.outcome.stage != d->stage ||
		    strcmp(p.outcome.enhanced, d->enhanced) != 0 ||
		    strcmp(p.outcome.text, d->words) != 0)
			fail_msg("'%s': %s %d '%s' '%s'", d->text,
			    stage_name(p.outcome.stage), p.outcome.code,
			    p.outcome.enhanced, p.outcome.text);
		free(p.host);
	}
}

static void
a_long_diagnosis_is_cut_between_characters(void **state)
{
	struct str text = STR_INIT;
	struct report_part p = { .host = xstrdup("") };

	(void)state;
	for (int i = 0; i < 400; i++)
		str_adds(&text, "あ");
	report_diagnose(&p, text.data, text.len);
	assert_int_equal(strlen(p.outcome.text), 510);
	free(p.host);
	str_release(&text);
}

static void
fields_hold_no_controls(void **state)
{
	char *field = xstrdup("");

	(void)state;
	report_set(&field, "a\r\nb\0c\033d", 9);
	assert_string_equal(field, "abcd");
	free(field);
}

static void
recipients_are_bounded(void **state)
{
	struct str mail = STR_INIT;
	struct report r;

	(void)state;
	str_adds(&mail, DAEMON "Content-Type: message/delivery-status\n\n");
	for (int i = 0; i < 3 * REPORT_RECIPIENTS_MAX; i++)
		str_addf(&mail,
		    "Final-Recipient: rfc822; a%d@x.example\nAction: failed\n"
		    "Status: 5.1.1\n\n",
		    i);
	report_read(&r, mail.data, mail.len);
	assert_int_equal(r.n, REPORT_RECIPIENTS_MAX);
	assert_string_equal(r.part[r.n - 1].recipient, "a199@x.example");
	report_clear(&r);
	str_release(&mail);
}

/* Deeper than is looked, and more than is counted: what stands before is read.
 */
static void
parts_are_bounded(void **state)
{
	struct str mail = STR_INIT;
	struct report r;

	(void)state;
	str_adds(&mail,
	    DAEMON REPORT STATUS(
		"Final-Recipient: rfc822; a@x.example\nAction: failed\n"
		"Status: 5.1.1\nDiagnostic-Code: smtp; 550 no such user\n"));
	for (int i = 0; i < 10000; i++)
		str_addf(&mail,
		    "--b/1\nContent-Type: multipart/mixed; boundary=\"n%d\"\n\n"
		    "--n%d\n",
		    i, i);
	report_read(&r, mail.data, mail.len);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.part[0].recipient, "a@x.example");
	report_clear(&r);
	str_release(&mail);
}

/* A status part ten levels down is read, one at eleven is not. */
static void
depth_is_bounded(void **state)
{
	struct report r;

	(void)state;
	for (int depth = REPORT_DEPTH_MAX - 1; depth <= REPORT_DEPTH_MAX + 1;
	     depth++) {
		struct str mail = STR_INIT;

		str_adds(&mail, "From: taro@x.example\n");
		for (int i = 0; i < depth; i++)
			str_addf(&mail,
			    "Content-Type: multipart/mixed; "
			    "boundary=\"n%d\"\n\n"
			    "--n%d\n",
			    i, i);
		str_adds(&mail,
		    "Content-Type: message/delivery-status\n\n"
		    "Final-Recipient: rfc822; a@x.example\nAction: failed\n"
		    "Status: 5.1.1\nDiagnostic-Code: smtp; 550 no\n");
		report_read(&r, mail.data, mail.len);
		assert_int_equal(r.n, depth <= REPORT_DEPTH_MAX ? 1 : 0);
		report_clear(&r);
		str_release(&mail);
	}
}

static void
only_the_first_bytes_are_looked_at(void **state)
{
	struct str mail = STR_INIT;
	struct report r;

	(void)state;
	str_adds(&mail, DAEMON);
	while (mail.len < REPORT_BYTES_MAX)
		str_adds(&mail,
		    "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
	str_adds(&mail, REPORT STATUS("Final-Recipient: rfc822; a@x.example\n"
				      "Action: failed\nStatus: 5.1.1\n"));
	report_read(&r, mail.data, mail.len);
	assert_int_equal(r.kind, REPORT_NONE);
	report_clear(&r);
	str_release(&mail);
}

/* Every beginning of every message, in memory of exactly that size. */
static void
cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		for (size_t len = 0; len < strlen(wants[i].mail); len++) {
			struct report r;
			char *part = xmalloc(len + 1);

			memcpy(part + 1, wants[i].mail, len);
			report_read(&r, part + 1, len);
			report_clear(&r);
			free(part);
		}
}

/* ---- the sample, where it is at hand */

static char *
slurp(const char *dir, const char *name, size_t *len)
{
	char path[512], *data = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "%s/bounces/%s", dir, name);
	f = fopen(path, "rb");
	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0) {
		*len = (size_t)ftell(f);
		rewind(f);
		data = xmalloc(*len + 1);
		*len = fread(data, 1, *len, f);
		data[*len] = '\0';
	}
	fclose(f);
	return data;
}

static bool
names(const struct report *r, const char *recipient)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(recipient, "-") == 0 ||
		    strcmp(r->part[i].recipient, recipient) == 0)
			return true;
	return false;
}

static bool
sample_row_holds(const char *dir, const char *file, const char *recipient,
    const char *reason)
{
	struct report r;
	bool good;
	size_t len;
	char *mail = slurp(dir, file, &len);

	assert_non_null(mail);
	report_read(&r, mail, len);
	if (strcmp(reason, "notabounce") == 0) {
		if (r.n != 0)
			fail_msg("%s is no bounce", file);
		good = true;
	} else {
		good = names(&r, recipient);
	}
	report_clear(&r);
	free(mail);
	return good;
}

static void
the_sample(void **state)
{
	const char *dir = getenv("OIWAKE_DATA");
	char *rows, *line, *rest, *field[5];
	size_t len, n = 0, good = 0;

	(void)state;
	dir = dir != NULL ? dir : "../shared/data";
	rows = slurp(dir, "expected.tsv", &len);
	if (rows == NULL)
		skip();
	rest = rows;
	strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		for (int i = 0; i < 5; i++)
			field[i] = strsep(&line, "\t");
		n++;
		good += sample_row_holds(dir, field[0], field[1], field[4]);
	}
	free(rows);
	if (good * 100 < n * 99)
		fail_msg("%zu of %zu recipients", good, n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(line_ends_do_not_matter),
		cmocka_unit_test(letters_are_no_reports),
		cmocka_unit_test(several_recipients),
		cmocka_unit_test(what_it_is_about),
		cmocka_unit_test(au_tells_of_its_filter),
		cmocka_unit_test(diagnosis),
		cmocka_unit_test(a_long_diagnosis_is_cut_between_characters),
		cmocka_unit_test(fields_hold_no_controls),
		cmocka_unit_test(recipients_are_bounded),
		cmocka_unit_test(parts_are_bounded),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(only_the_first_bytes_are_looked_at),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(the_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
