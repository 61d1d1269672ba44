/*
 * test_dsn.c - notices to senders, as another implementation of MIME reads them
 * (python3's email), and against hostile envelopes and peers.
 */
#include "router/dsn.h"

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "mta/smtp/server.h"
#include "router/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE_MAX_BYTES 998 /* RFC 5322 2.1.1, CRLF not counted */
#define NOTICE_ID      INT64_C(0x123456789abcd)

static char file[] = "/tmp/test_dsn.XXXXXX";

/* What a mail reader makes of the notice in argv[1], a line per fact. */
static const char script[] =
    "import email, email.policy, sys\n"
    "p = email.policy.SMTPUTF8\n"
    "raw = open(sys.argv[1], 'rb').read().decode('utf-8', 'replace')\n"
    "m = email.message_from_string(raw, policy=p)\n"
    "out = lambda *a: print(*a, sep='|')\n"
    "out('type', m.get_content_type(), m.get_param('report-type'))\n"
    "for n in 'From', 'To', 'Subject', 'Auto-Submitted', 'In-Reply-To':\n"
    "    out(n, m.get(n, ''))\n"
    "out('to', *[a.addr_spec for a in m['To'].addresses])\n"
    "out('defects', *[type(d).__name__ for d in m.defects])\n"
    "for part in m.get_payload():\n"
    "    out('part', part.get_content_type(),\n"
    "        part.get('Content-Transfer-Encoding', '7bit'))\n"
    "    out('part defects', *[type(d).__name__ for d in part.defects])\n"
    "b = '--' + m.get_boundary()\n"
    "status = raw.split(b)[2].split('\\r\\n\\r\\n', 1)[1]\n"
    "for i, group in enumerate(status.strip().split('\\r\\n\\r\\n')):\n"
    "    for line in group.split('\\r\\n'):\n"
    "        name, value = line.split(': ', 1)\n"
    "        out('%d' % i, name, value)\n"
    "if len(m.get_payload()) > 2:\n"
    "    o = m.get_payload()[2].get_payload()\n"
    "    o = o if isinstance(o, str) else o[0].as_string()\n"
    "    out('original', len(o), o.count('\\n'))\n";

struct notice {
	struct message *original;
	struct recipient *r;
	struct outcome o;
	struct dsn_report report;
	struct body *body;
	struct message *made;
	struct str said; /* by the script */
};

static void
set(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value);
}

static void
start(struct notice *n, const char *from, const char *to)
{
	memset(n, 0, sizeof(*n));
	str_init(&n->said);
	n->original = message_new(1);
	message_set_from(n->original, from);
	n->original->received = INT64_C(1795341600000);
	n->r = recipient_new(n->original, 0, to);
	outcome_set(&n->o, SCOPE_RECIPIENT, STAGE_RCPT, true,
	    "Unknown user <u@docomo.ne.jp>");
	n->o.code = 550;
	n->report = (struct dsn_report){ .kind = DSN_FAILED,
		.hostname = "mail.example.jp",
		.status = "5.1.1",
		.outcome = &n->o,
		.remote = "mfsmax.docomo.ne.jp",
		.at = INT64_C(1795341660000),
		.retry_until = INT64_C(1795773600000) };
}

static void
set_body(struct notice *n, const char *header, const char *text)
{
	struct str s = STR_INIT;

	str_adds(&s, header);
	n->original->header_size = s.len;
	str_adds(&s, text);
	n->original->size = s.len;
	n->body = body_take(str_detach(&s), n->original->size);
}

/* What holds for every notice, whatever goes into it. */
static void
check_bytes(const struct message *m, bool lines)
{
	const char *p = body_data(m->body), *end = p + m->size;
	size_t line = 0;

	assert_string_equal(m->from, "");
	assert_int_equal(m->size, body_size(m->body));
	assert_memory_equal(p + m->header_size - 4, "\r\n\r\n", 4);
	for (; p < end; p++) {
		if (*p == '\r')
			assert_true(p + 1 < end && p[1] == '\n');
		assert_int_not_equal(*p, 0);
		line = *p == '\n' ? 0 : line + 1;
		if (*p == '\n')
			assert_int_equal(p[-1], '\r');
		if (lines)
			assert_true(line <= LINE_MAX_BYTES + 1);
	}
}

static void
read_script(struct notice *n)
{
	char command[sizeof(script) + 200], buf[4096];
	size_t got;
	FILE *fp;

	fp = fopen(file, "w");
	assert_non_null(fp);
	fwrite(body_data(n->made->body), 1, n->made->size, fp);
	assert_int_equal(fclose(fp), 0);
	snprintf(command, sizeof(command),
	    "PYTHONIOENCODING=utf-8 python3 - '%s' <<'EOF'\n%s\nEOF\n", file,
	    script);
	fp = popen(command, "r");
	assert_non_null(fp);
	while ((got = fread(buf, 1, sizeof(buf), fp)) > 0)
		str_add(&n->said, buf, got);
	assert_int_equal(pclose(fp), 0);
}

static void
make(struct notice *n)
{
	n->made = dsn_new(NOTICE_ID, n->r, n->body, &n->report);
	check_bytes(n->made, true);
	read_script(n);
}

static void
end(struct notice *n)
{
	message_unref(&n->made);
	body_unref(&n->body);
	recipient_free(&n->r);
	message_unref(&n->original);
	str_release(&n->said);
}

static void
expect(const struct notice *n, const char *line)
{
	struct str s = STR_INIT;

	str_addf(&s, "\n%s\n", line);
	if (strstr(n->said.data, s.data) == NULL)
		fail_msg("no '%s' in:%s", line, n->said.data);
	str_release(&s);
}

static void
expect_none(const struct notice *n, const char *text)
{
	if (strstr(n->said.data, text) != NULL)
		fail_msg("'%s' in:%s", text, n->said.data);
}

/* -- structure and fields */

static void
a_failure(void **state)
{
	struct notice n;

	(void)state;
	start(&n, "a@example.jp", "u@docomo.ne.jp");
	set(&n.original->envid, "QQ314159");
	set(&n.original->message_id, "<1@example.jp>");
	set(&n.r->orcpt, "rfc822;U@docomo.ne.jp");
	set_body(&n, "From: a@example.jp\r\nSubject: x\r\n\r\n", "text\r\n");
	make(&n);
	assert_memory_equal(
	    n.said.data, "type|multipart/report|delivery-status\n", 38);
	expect(&n, "To|a@example.jp");
	expect(&n, "to|a@example.jp");
	expect(&n, "Auto-Submitted|auto-replied");
	expect(&n, "In-Reply-To|<1@example.jp>");
	expect(&n, "defects");
	expect(&n, "part|text/plain|8bit");
	expect(&n, "part|message/delivery-status|7bit");
	expect(&n, "part|text/rfc822-headers|7bit");
	expect(&n, "0|Reporting-MTA|dns; mail.example.jp");
	expect(&n, "0|Original-Envelope-Id|QQ314159");
	expect(&n, "0|Arrival-Date|Sun, 22 Nov 2026 10:00:00 +0000");
	expect(&n, "1|Original-Recipient|rfc822;U@docomo.ne.jp");
	expect(&n, "1|Final-Recipient|rfc822; u@docomo.ne.jp");
	expect(&n, "1|Action|failed");
	expect(&n, "1|Status|5.1.1");
	expect(&n, "1|Remote-MTA|dns; mfsmax.docomo.ne.jp");
	expect(&n, "1|Diagnostic-Code|smtp; 550 Unknown user <u@docomo.ne.jp>");
	expect(&n, "1|Last-Attempt-Date|Sun, 22 Nov 2026 10:01:00 +0000");
	expect_none(&n, "Will-Retry-Until");
	end(&n);
}

static void
a_delay(void **state)
{
	struct notice n;

	(void)state;
	start(&n, "a@example.jp", "u@docomo.ne.jp");
	n.report.kind = DSN_DELAYED;
	n.report.status = "4.4.1";
	n.report.remote = "";
	outcome_set(&n.o, SCOPE_LANE, STAGE_CONNECT, false, "timed out");
	n.original->ret = 'F'; /* asks for the whole of failures only */
	set_body(&n, "Subject: x\r\n\r\n", "text\r\n");
	make(&n);
	expect(&n, "1|Action|delayed");
	expect(&n, "1|Status|4.4.1");
	expect(&n, "1|Diagnostic-Code|x-oiwake; timed out");
	expect(&n, "1|Will-Retry-Until|Fri, 27 Nov 2026 10:00:00 +0000");
	expect(&n, "part|text/rfc822-headers|7bit");
	expect_none(&n, "Remote-MTA");
	expect_none(&n, "Original-");
	end(&n);
}

static void
a_relay(void **state)
{
	struct notice n;

	(void)state;
	start(&n, "a@example.jp", "u@example.org");
	n.report.kind = DSN_RELAYED;
	n.report.status = "2.0.0";
	outcome_set(&n.o, SCOPE_RECIPIENT, STAGE_DOT, false, "taken");
	n.o.code = 250;
	make(&n); /* and without a body */
	expect(&n, "1|Action|relayed");
	expect(&n, "1|Status|2.0.0");
	expect(&n, "1|Diagnostic-Code|smtp; 250 taken");
	expect_none(&n, "original|");
	expect_none(&n, "rfc822-headers");
	end(&n);
}

/* -- what goes back */

static void
returned(char ret, size_t body_size_wanted, const char *part)
{
	char *text = xmalloc(body_size_wanted + 1);
	struct notice n;

	memset(text, 'x', body_size_wanted);
	for (size_t i = 70; i + 1 < body_size_wanted; i += 72)
		memcpy(text + i, "\r\n", 2);
	text[body_size_wanted] = '\0';
	start(&n, "a@example.jp", "u@docomo.ne.jp");
	n.original->ret = ret;
	set_body(&n, "Subject: x\r\n\r\n", text);
	make(&n);
	expect(&n, part);
	assert_int_equal(strstr(body_data(n.made->body), "xxxx") != NULL,
	    strstr(part, "message/") != NULL);
	end(&n);
	free(text);
}

static void
as_much_as_asked_for(void **state)
{
	(void)state;
	returned('F', 1000, "part|message/rfc822|7bit");
	returned('H', 1000, "part|text/rfc822-headers|7bit");
	returned(0, 1000, "part|text/rfc822-headers|7bit");
	returned('F', 100000, "part|text/rfc822-headers|7bit"); /* too large */
}

static void
a_huge_header_is_cut(void **state)
{
	struct str header = STR_INIT;
	struct notice n;

	(void)state;
	while (header.len < 200000)
		str_adds(&header, "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
	str_adds(&header, "\r\n");
	start(&n, "a@example.jp", "u@docomo.ne.jp");
	set_body(&n, header.data, "text\r\n");
	make(&n);
	assert_true(n.made->size < 70000);
	expect(&n, "defects");
	end(&n);
	str_release(&header);
}

/* The original holds the boundary that this id would have had. */
static void
the_boundary_is_not_in_the_original(void **state)
{
	char id[MESSAGE_ID_TEXT];
	struct str text = STR_INIT;
	struct notice n;

	(void)state;
	message_id_text(NOTICE_ID, id);
	start(&n, "a@example.jp", "u@docomo.ne.jp");
	n.original->ret = 'F';
	str_addf(&text,
	    "--=_dsn_%s\r\n\r\nx\r\n--=_dsn_%s_0\r\n\r\nx\r\n--=_dsn_%s_1--"
	    "\r\n",
	    id, id, id);
	set_body(&n, "Subject: x\r\n\r\n", text.data);
	make(&n);
	expect(&n, "defects");
	expect(&n, "part|message/rfc822|7bit");
	expect(&n, "original|99|9");
	end(&n);
	str_release(&text);
}

static void
eight_bits_are_labelled(void **state)
{
	struct notice n;

	(void)state;
	start(&n, "a@example.jp", "u@docomo.ne.jp");
	set_body(&n, "Subject: \x93\xfa\x96\x7b\r\n\r\n", "text\r\n");
	make(&n);
	expect(&n, "part|text/rfc822-headers|8bit");
	expect(&n, "part|message/delivery-status|7bit");
	assert_true(n.made->body_8bit);
	end(&n);
}

/* -- hostile */

static void
nothing_breaks_out(void **state)
{
	struct notice n;

	(void)state;
	start(&n, "x>,\r\n <victim@example.org@evil.example",
	    "a\r\nStatus: 2.0.0\r\n\r\n@docomo.ne.jp");
	set(&n.original->envid, "e\r\nAction: delivered\r\n\r\n\x1b[2J");
	set(&n.r->orcpt, "rfc822;\xff\r\n\r\nx@\xe3\x81\x82");
	set(&n.original->message_id, "<a\nBcc: victim@example.org>");
	n.report.remote = "mx\r\nStatus: 2.0.0";
	strcpy(n.o.text,
	    "no\r\n\r\n--=_dsn_\r\nStatus: 2.0.0\r\n\xff\xe3\x81\x82");
	set_body(&n, "Subject: x\r\n\r\n", "text");
	make(&n);
	expect(&n, "to|\"x>,   <victim@example.org\"@evil.example");
	expect(&n, "defects");
	expect(&n, "0|Original-Envelope-Id|e  Action: delivered     [2J");
	expect(&n, "1|Original-Recipient|rfc822;?    x@???");
	expect(&n, "1|Status|5.1.1");
	expect(&n, "1|Remote-MTA|dns; mx  Status: 2.0.0");
	expect(&n,
	    "1|Diagnostic-Code|smtp; 550 no    --=_dsn_  Status: 2.0.0  ????");
	expect_none(&n, "2|");
	expect_none(&n, "|Status|2.0.0");
	expect_none(&n, "\nBcc");
	end(&n);
}

static void
the_longest_of_everything(void **state)
{
	char local[65], remote[400], envid[101], orcpt[501], id[251];
	struct str domain = STR_INIT, from = STR_INIT, to = STR_INIT;
	struct notice n;

	(void)state;
	memset(local, '"', 64);
	local[64] = '\0';
	while (domain.len < 250)
		str_adds(&domain, "aaaa.");
	str_adds(&domain, "jp");
	str_addf(&from, "%s@%s", local, domain.data);
	str_addf(&to, "%s@%s", local, domain.data);
	start(&n, from.data, to.data);
	memset(remote, 'r', sizeof(remote) - 1);
	remote[sizeof(remote) - 1] = '\0';
	memset(envid, 'e', sizeof(envid) - 1);
	envid[sizeof(envid) - 1] = '\0';
	memset(orcpt, 'o', sizeof(orcpt) - 1);
	orcpt[sizeof(orcpt) - 1] = '\0';
	memset(id, 'i', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	memset(n.o.text, 't', sizeof(n.o.text) - 1);
	n.report.remote = remote;
	set(&n.original->envid, envid);
	set(&n.r->orcpt, orcpt);
	set(&n.original->message_id, id);
	make(&n); /* check_bytes measures the lines */
	expect(&n, "defects");
	end(&n);
	str_release(&domain);
	str_release(&from);
	str_release(&to);
}

/* -- addresses */

static void
addresses(void **state)
{
	struct notice n;

	(void)state;
	/* A live address that breaks the RFC is named as people know it. */
	start(&n, "a..b@docomo.ne.jp", "c..d.@docomo.ne.jp");
	make(&n);
	assert_non_null(strstr(
	    body_data(n.made->body), "\r\nTo: <\"a..b\"@docomo.ne.jp>\r\n"));
	expect(&n, "1|Final-Recipient|rfc822; c..d.@docomo.ne.jp");
	end(&n);
	start(&n, "a b@example.jp", "c d@example.org");
	make(&n);
	expect(&n, "to|\"a b\"@example.jp");
	expect(&n, "1|Final-Recipient|rfc822; \"c d\"@example.org");
	end(&n);
}

static void
smtputf8(void **state)
{
	struct notice n;

	(void)state;
	start(&n, "\xe6\x9c\xac@example.jp", "\xe5\xb1\xb1@example.org");
	n.original->smtputf8 = true;
	set_body(&n, "Subject: \xe6\x9c\xac\r\n\r\n", "text\r\n");
	make(&n);
	assert_true(n.made->smtputf8);
	expect(&n, "to|\xe6\x9c\xac@example.jp");
	expect(&n, "part|message/global-delivery-status|8bit");
	expect(&n, "part|message/global-headers|8bit");
	expect(&n, "1|Final-Recipient|utf-8; \xe5\xb1\xb1@example.org");
	end(&n);
	start(&n, "\xe6\x9c\xac@example.jp", "u@example.org");
	n.original->smtputf8 = true;
	n.original->ret = 'F';
	set_body(&n, "Subject: x\r\n\r\n", "\xe6\x9c\xac\r\n");
	make(&n);
	expect(&n, "part|message/global|8bit");
	expect(&n, "1|Final-Recipient|rfc822; u@example.org");
	end(&n);
}

/* -- who wants one */

static void
who_wants_one(void **state)
{
	static const struct {
		const char *from;
		unsigned notify;
		bool failed, delayed, relayed;
	} row[] = {
		{ "a@example.jp", 0, true, true, false },
		{ "a@example.jp", NOTIFY_NEVER, false, false, false },
		{ "a@example.jp", NOTIFY_FAILURE, true, false, false },
		{ "a@example.jp", NOTIFY_DELAY, false, true, false },
		{ "a@example.jp", NOTIFY_SUCCESS, false, false, true },
		{ "a@example.jp",
		    NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, true, true,
		    true },
		{ "", 0, false, false, false },
		{ "", NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, false,
		    false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct notice n;

		start(&n, row[i].from, "u@docomo.ne.jp");
		n.r->notify = row[i].notify;
		assert_int_equal(dsn_is_wanted(DSN_FAILED, n.r), row[i].failed);
		assert_int_equal(
		    dsn_is_wanted(DSN_DELAYED, n.r), row[i].delayed);
		assert_int_equal(
		    dsn_is_wanted(DSN_RELAYED, n.r), row[i].relayed);
		end(&n);
	}
}

static int
make_file(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 || close(fd) != 0;
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure),
		cmocka_unit_test(a_delay),
		cmocka_unit_test(a_relay),
		cmocka_unit_test(as_much_as_asked_for),
		cmocka_unit_test(a_huge_header_is_cut),
		cmocka_unit_test(the_boundary_is_not_in_the_original),
		cmocka_unit_test(eight_bits_are_labelled),
		cmocka_unit_test(nothing_breaks_out),
		cmocka_unit_test(the_longest_of_everything),
		cmocka_unit_test(addresses),
		cmocka_unit_test(smtputf8),
		cmocka_unit_test(who_wants_one),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
