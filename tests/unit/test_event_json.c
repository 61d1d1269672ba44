/*
 * test_event_json.c - events as the application is told: SES's members, its
 * words, its types; and JSON whatever bytes a header holds. one thread
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/smtp/header.h"
#include "router/events/event_json.h"
#include "router/message.h"

#define AT INT64_C(1795500000000)

/* -- what is kept -----------------------------------------------------------
 */

static struct message *
new_message(void)
{
	struct id_maker ids = { .maker = 1 };
	struct message *m = message_new(message_id_new(&ids, AT));

	message_set_from(m, "news@example.jp");
	m->received = AT;
	free(m->client);
	m->client = xstrdup("192.0.2.1");
	free(m->user);
	m->user = xstrdup("app");
	return m;
}

static char *
kept_text(const char *fields, size_t len)
{
	struct message *m = new_message();
	struct header h;
	char *text;

	header_init(&h);
	header_feed(&h, fields, len);
	header_finish(&h);
	text = event_mail_json(m, &h, fields, len);
	header_clear(&h);
	message_unref(&m);
	return text;
}

/* It is JSON, and not too much of it. */
static json_t *
kept_bytes(const char *fields, size_t len)
{
	char *text = kept_text(fields, len);
	json_t *kept;

	assert_true(strlen(text) <= EVENT_MAIL_MAX);
	kept = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(kept);
	free(text);
	return kept;
}

static json_t *
kept(const char *fields)
{
	return kept_bytes(fields, strlen(fields));
}

static const char fields[] =
    "Received: from here\r\n\tby there; now\r\n"
    "DKIM-Signature: v=1; b=xxxx\r\n"
    "From: =?UTF-8?B?44GK?= <news@example.jp>\r\n"
    "To: \"Last, First\" <a@docomo.ne.jp>,\r\n b@au.com (one, two)\r\n"
    "Cc: c@example.com\r\n"
    "Reply-To: r@example.jp\r\n"
    "Date: Sun, 22 Nov 2026 10:35:07 +0000\r\n"
    "Message-ID: <m1@example.jp>\r\n"
    "Subject: one\r\n two \"three\" \\ four\r\n"
    "X-SES-MESSAGE-TAGS: campaign=spring, kind=news, campaign=twice\r\n"
    "\r\n";

static const char *
member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (text == NULL)
		fail_msg("no text '%s'", name);
	return text;
}

static const char *
nth(const json_t *array, size_t i)
{
	return json_string_value(json_array_get(array, i));
}

static void
test_mail_is_kept(void **state)
{
	json_t *mail = kept(fields);
	const json_t *common = json_object_get(mail, "commonHeaders");
	const json_t *headers = json_object_get(mail, "headers");
	const json_t *to = json_object_get(common, "to");
	const json_t *tags = json_object_get(mail, "tags");
	char at[25];

	(void)state;
	assert_string_equal(member(mail, "timestamp"), clock_iso(AT, at));
	assert_string_equal(member(mail, "source"), "news@example.jp");
	assert_true(json_is_false(json_object_get(mail, "headersTruncated")));
	/* The trace and the signature are left out. */
	assert_int_equal(json_array_size(headers), 8);
	assert_string_equal(member(json_array_get(headers, 0), "name"), "From");
	assert_string_equal(
	    member(common, "subject"), "one two \"three\" \\ four");
	assert_int_equal(json_array_size(to), 2);
	assert_string_equal(nth(to, 0), "\"Last, First\" <a@docomo.ne.jp>");
	assert_string_equal(nth(to, 1), "b@au.com (one, two)");
	assert_string_equal(
	    nth(json_object_get(common, "replyTo"), 0), "r@example.jp");
	assert_string_equal(
	    nth(json_object_get(tags, "campaign"), 0), "spring");
	assert_int_equal(json_array_size(json_object_get(tags, "campaign")), 1);
	assert_string_equal(nth(json_object_get(tags, "kind"), 0), "news");
	assert_string_equal(
	    nth(json_object_get(tags, "ses:source-ip"), 0), "192.0.2.1");
	assert_string_equal(
	    nth(json_object_get(tags, "ses:from-domain"), 0), "example.jp");
	assert_string_equal(
	    nth(json_object_get(tags, "ses:caller-identity"), 0), "app");
	json_decref(mail);
}

static void
test_mail_is_bounded(void **state)
{
	struct str s = STR_INIT;
	json_t *mail;

	(void)state;
	str_adds(&s, "From: a@example.jp\r\nSubject: s\r\nX-Long: ");
	for (unsigned i = 0; i < 100000; i++)
		str_addc(&s, (char)(i % 2 ? 0x01 : '"'));
	str_adds(&s, "\r\nTo: ");
	for (unsigned i = 0; i < 1000; i++)
		str_addf(&s, "user%u@docomo.ne.jp,\r\n ", i);
	str_adds(&s, "x@y\r\n");
	for (unsigned i = 0; i < 1000; i++)
		str_addf(&s, "X-Field-%u: %u\r\n", i, i);
	str_adds(&s, "X-Oiwake-Tags: ");
	for (unsigned i = 0; i < 50; i++)
		str_addf(&s, "%sname%u=%0200u", i ? "," : "", i, i);
	str_adds(&s, "\r\nX-Last: yes\r\n\r\n");
	mail = kept_bytes(s.data, s.len);
	assert_true(json_is_true(json_object_get(mail, "headersTruncated")));
	assert_string_equal(
	    member(json_object_get(mail, "commonHeaders"), "subject"), "s");
	assert_null(
	    json_object_get(json_object_get(mail, "commonHeaders"), "to"));
	assert_true(json_array_size(json_object_get(mail, "headers")) > 20);
	json_decref(mail);
	str_release(&s);
}

static void
test_hostile_bytes(void **state)
{
	static const char *const odd[] = {
		"",
		"\r\n",
		": nothing\r\n\r\n",
		"From:\r\n\r\n",
		"Subject: \xff\xfe \xc3\xa9 \xed\xa0\x80 "
		"\xf5\x80\x80\x80\r\n\r\n",
		"Subject: cut \xe3\x81",
		"To: ,,, , \"a, b\r\n\r\n",
		"To: (((((\r\nCc: <a,b\r\nBcc: \\\r\n\r\n",
		"Sub\xff"
		"ject: x\r\n\r\n",
		"no field at all\r\n\r\n",
		" folded first\r\nFrom: a@b\r\n\r\n",
		"X-SES-MESSAGE-TAGS: =x,y=,a=b,,=\r\n\r\n",
	};
	static const char nul[] = "Subject: a\0b\r\n\r\n";
	json_t *mail;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		json_decref(kept(odd[i]));
	mail = kept("Subject: \xff\xc3\xa9\r\n\r\n");
	assert_string_equal(
	    member(json_object_get(mail, "commonHeaders"), "subject"),
	    "\xef\xbf\xbd\xc3\xa9");
	json_decref(mail);
	/* A NUL is escaped: only a reader that allows it takes it. */
	free(kept_text(nul, sizeof(nul) - 1));
}

/* -- events -----------------------------------------------------------------
 */

static struct event_row
new_row(enum event_type type, const char *reason)
{
	struct id_maker ids = { .maker = 1 };

	return (struct event_row){ .seq = 17,
		.at = AT + 1500,
		.message = message_id_new(&ids, AT),
		.index = 3,
		.type = type,
		.sender = "example.jp",
		.recipient = "taro@docomo.ne.jp",
		.path = "mta",
		.carrier = "docomo",
		.group = "docomo",
		.source = "tokyo1",
		.rule = "keitai",
		.code = 550,
		.enhanced = "5.1.1",
		.stage = "rcpt",
		.reason = reason,
		.text = "user unknown",
		.peer = "mfsmax.docomo.ne.jp[192.0.2.9]:25",
		.remote_id = "" };
}

static json_t *
tell(const struct event_row *row, enum event_type type)
{
	char *mail = kept_text(fields, sizeof(fields) - 1);
	struct event_json_context ctx = {
		.mail = mail, .hostname = "mx.example.jp", .expiry = 86400000
	};
	json_t *event = event_json(row, type, &ctx);

	free(mail);
	return event;
}

static const json_t *
only(const json_t *object, const char *name)
{
	const json_t *list = json_object_get(object, name);

	assert_true(json_is_array(list));
	assert_int_equal(json_array_size(list), 1);
	return json_array_get(list, 0);
}

static void
test_bounce(void **state)
{
	struct event_row row = new_row(EVENT_BOUNCE, "userunknown");
	json_t *event = tell(&row, EVENT_BOUNCE);
	const json_t *bounce = json_object_get(event, "bounce");
	const json_t *mail = json_object_get(event, "mail");
	const json_t *who = only(bounce, "bouncedRecipients");
	const json_t *tags = json_object_get(mail, "tags");
	const char *id = member(mail, "messageId");

	(void)state;
	assert_string_equal(member(event, "eventType"), "Bounce");
	assert_string_equal(member(bounce, "bounceType"), "Permanent");
	assert_string_equal(member(bounce, "bounceSubType"), "General");
	assert_string_equal(member(who, "emailAddress"), "taro@docomo.ne.jp");
	assert_string_equal(member(who, "action"), "failed");
	assert_string_equal(member(who, "status"), "5.1.1");
	assert_string_equal(
	    member(who, "diagnosticCode"), "smtp; 550 5.1.1 user unknown");
	assert_string_equal(
	    member(bounce, "reportingMTA"), "dns; mx.example.jp");
	assert_string_equal(member(bounce, "remoteMtaIp"), "192.0.2.9");
	assert_true(strlen(member(bounce, "feedbackId")) > 0);
	assert_memory_equal(id, "oiwake-", 7);
	assert_string_equal(
	    member(json_object_get(mail, "commonHeaders"), "messageId"), id);
	assert_string_equal(
	    nth(json_object_get(mail, "destination"), 0), "taro@docomo.ne.jp");
	assert_string_equal(
	    nth(json_object_get(tags, "oiwake:path"), 0), "mta");
	assert_string_equal(
	    nth(json_object_get(tags, "oiwake:reason"), 0), "userunknown");
	assert_string_equal(nth(json_object_get(tags, "kind"), 0), "news");
	json_decref(event);
}

/* Applications stop writing to what bounced as Permanent. */
static void
test_bounce_types(void **state)
{
	static const struct {
		enum event_type type;
		const char *reason, *kind, *sub_kind;
	} rows[] = {
		{ EVENT_BOUNCE, "userunknown", "Permanent", "General" },
		{ EVENT_BOUNCE, "hostunknown", "Permanent", "General" },
		{ EVENT_BOUNCE, "hasmoved", "Permanent", "General" },
		{ EVENT_BOUNCE, "suppressed", "Permanent", "Suppressed" },
		{ EVENT_SUPPRESSED, "suppressed", "Permanent",
		    "OnAccountSuppressionList" },
		{ EVENT_SUPPRESSED, "userunknown", "Permanent",
		    "OnAccountSuppressionList" },
		{ EVENT_EXPIRED, "userunknown", "Transient", "General" },
		{ EVENT_EXPIRED, "expired", "Transient", "General" },
		{ EVENT_BOUNCE, "mailboxfull", "Transient", "MailboxFull" },
		{ EVENT_BOUNCE, "mesgtoobig", "Transient", "MessageTooLarge" },
		{ EVENT_BOUNCE, "blocked", "Transient", "General" },
		{ EVENT_BOUNCE, "badreputation", "Transient", "General" },
		{ EVENT_BOUNCE, "filtered", "Transient", "ContentRejected" },
		{ EVENT_BOUNCE, "spamdetected", "Transient",
		    "ContentRejected" },
		{ EVENT_BOUNCE, "a new one", "Transient", "General" },
		{ EVENT_BOUNCE, "undefined", "Undetermined", "Undetermined" },
		{ EVENT_BOUNCE, "", "Undetermined", "Undetermined" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event_row row = new_row(rows[i].type, rows[i].reason);
		json_t *event = tell(&row, rows[i].type);
		const json_t *bounce = json_object_get(event, "bounce");

		assert_string_equal(member(event, "eventType"), "Bounce");
		assert_string_equal(member(bounce, "bounceType"), rows[i].kind);
		assert_string_equal(
		    member(bounce, "bounceSubType"), rows[i].sub_kind);
		json_decref(event);
	}
}

static void
test_types_of_a_row(void **state)
{
	struct event_row row = new_row(EVENT_DELIVERY, "delivered");
	struct event_json_context ctx = { .mail = "{}" };
	enum event_type types[EVENT_TOLD_MAX];

	(void)state;
	assert_int_equal(event_json_types(&row, &ctx, types), 2);
	assert_int_equal(types[0], EVENT_SEND);
	assert_int_equal(types[1], EVENT_DELIVERY);
	row.type = EVENT_SEND;
	assert_int_equal(event_json_types(&row, &ctx, types), 2);
	assert_int_equal(types[1], EVENT_DELIVERY);
	ctx.by_ses = true; /* and its id could not be read */
	assert_int_equal(event_json_types(&row, &ctx, types), 1);
	row.type = EVENT_DELIVERY;
	row.remote_id = "0106-000000";
	assert_int_equal(event_json_types(&row, &ctx, types), 1);
	assert_int_equal(types[0], EVENT_DELIVERY);
	row.sender = "";
	assert_int_equal(event_json_types(&row, &ctx, types), 1);
	ctx.mail = NULL;
	assert_int_equal(event_json_types(&row, &ctx, types), 0);
	row.sender = "example.jp";
	row.type = EVENT_UNREAD;
	assert_int_equal(event_json_types(&row, &ctx, types), 0);
	row.type = EVENT_REMOVED;
	assert_int_equal(event_json_types(&row, &ctx, types), 0);
	row.type = EVENT_NOTE;
	assert_int_equal(event_json_types(&row, &ctx, types), 0);
	assert_true(event_json_is_name("Rendering Failure"));
	assert_false(event_json_is_name("bounce"));
}

static void
test_expired(void **state)
{
	struct event_row row = new_row(EVENT_EXPIRED, "expired");
	json_t *event;
	const json_t *who;

	(void)state;
	row.at = AT + 840 * 60000;
	row.code = 421;
	row.enhanced = "4.4.1";
	row.text = "Failed to establish connection";
	event = tell(&row, EVENT_EXPIRED);
	who = only(json_object_get(event, "bounce"), "bouncedRecipients");
	assert_string_equal(member(who, "status"), "4.4.7");
	assert_string_equal(member(who, "diagnosticCode"),
	    "smtp; 550 4.4.7 Message expired: unable to deliver in 840 "
	    "minutes.<421 4.4.1 Failed to establish connection>");
	json_decref(event);
}

static void
test_delay(void **state)
{
	struct event_row row = new_row(EVENT_DELAY, "mailboxfull");
	json_t *event = tell(&row, EVENT_DELAY);
	const json_t *delay = json_object_get(event, "deliveryDelay");
	char at[25];

	(void)state;
	assert_string_equal(member(delay, "delayType"), "MailboxFull");
	assert_string_equal(
	    member(delay, "expirationTime"), clock_iso(AT + 86400000, at));
	json_decref(event);
}

static void
test_hostile_row(void **state)
{
	struct event_row row = new_row(EVENT_BOUNCE, "userunknown");
	struct event_json_context ctx = { .mail = "not JSON",
		.hostname = "mx.example.jp" };
	json_t *event;
	char *text;

	(void)state;
	row.text = "\xff\x01\"";
	row.recipient = "\xe3\x81@x";
	row.peer = "[[[]";
	row.remote_id = "\xc0\x80";
	event = event_json(&row, EVENT_BOUNCE, &ctx);
	text = json_dumps(event, 0);
	assert_non_null(text);
	free(text);
	json_decref(event);
}

/* -- against what SES sends --------------------------------------------------
 */

/* Each member that ours has beside SES's own is of the same type there. */
static void
compare(const json_t *ours, const json_t *theirs, const char *where)
{
	const char *name;
	json_t *value;

	if (json_is_array(ours) && json_array_size(theirs) > 0) {
		assert_true(json_array_size(ours) > 0);
		compare(
		    json_array_get(ours, 0), json_array_get(theirs, 0), where);
	}
	if (!json_is_object(ours))
		return;
	json_object_foreach((json_t *)(uintptr_t)ours, name, value)
	{
		const json_t *other = json_object_get(theirs, name);

		if (other == NULL || json_is_null(other) ||
		    json_is_null(value))
			continue;
		if (json_typeof(value) != json_typeof(other) &&
		    !(json_is_boolean(value) && json_is_boolean(other)))
			fail_msg("%s: '%s' is of another type", where, name);
		compare(value, other, name);
	}
}

/* What SES tells and we do not know, or only sometimes. */
static const char *const not_ours[] = { "sourceArn", "sendingAccountId",
	"userAgent", "linkTags", "newTopicPreferences", "oldTopicPreferences",
	"headers", "commonHeaders", "tags", "diagnosticCode", "action",
	"status", "bcc", "cc", "date", "returnPath", "replyTo", "feedbackId" };

static bool
is_optional(const char *name)
{
	for (size_t i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++)
		if (strcmp(not_ours[i], name) == 0)
			return true;
	return false;
}

static void
has_all(const json_t *ours, const json_t *theirs, const char *where)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)theirs, name, value)
	{
		const json_t *mine = json_object_get(ours, name);

		if (mine == NULL && !is_optional(name))
			fail_msg("%s: no '%s'", where, name);
		if (json_is_object(value) && !is_optional(name))
			has_all(mine, value, name);
	}
}

static void
compare_file(const char *dir, const char *file)
{
	static const enum event_type types[] = { EVENT_SEND, EVENT_DELIVERY,
		EVENT_BOUNCE, EVENT_COMPLAINT, EVENT_DELAY, EVENT_REJECT,
		EVENT_OPEN, EVENT_CLICK, EVENT_RENDERING, EVENT_SUBSCRIPTION };
	struct str path = STR_INIT;
	const char *name;
	json_t *theirs, *ours;

	str_addf(&path, "%s/%s", dir, file);
	theirs = json_load_file(path.data, 0, NULL);
	name = json_string_value(json_object_get(theirs, "eventType"));
	for (size_t i = 0; name && i < sizeof(types) / sizeof(types[0]); i++) {
		struct event_row row = new_row(types[i], "userunknown");

		if (strcmp(event_json_name(types[i]), name) != 0)
			continue;
		ours = tell(&row, types[i]);
		compare(ours, theirs, file);
		has_all(ours, theirs, file);
		json_decref(ours);
	}
	json_decref(theirs);
	str_release(&path);
}

static void
test_as_ses_tells(void **state)
{
	const char *data = getenv("OIWAKE_DATA");
	struct str dir = STR_INIT;
	struct dirent *entry;
	unsigned n = 0;
	DIR *d;

	(void)state;
	str_addf(&dir, "%s/ses_events", data != NULL ? data : "../shared/data");
	d = opendir(dir.data);
	if (d == NULL) {
		str_release(&dir);
		skip();
	}
	while ((entry = readdir(d)) != NULL)
		if (strncmp(entry->d_name, "event_", 6) == 0 ||
		    strncmp(entry->d_name, "real_sim", 8) == 0 ||
		    strncmp(entry->d_name, "composed_", 9) == 0) {
			compare_file(dir.data, entry->d_name);
			n++;
		}
	closedir(d);
	str_release(&dir);
	assert_true(n >= 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail_is_kept),
		cmocka_unit_test(test_mail_is_bounded),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_bounce_types),
		cmocka_unit_test(test_types_of_a_row),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_hostile_row),
		cmocka_unit_test(test_as_ses_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
