/*
 * test_ses_event.c - what every event of SES means to us.
 *
 * Each row stands for one file of $OIWAKE_DATA/ses_events (default
 * ../shared/data), and has an event of the same kind of its own that is read
 * whether those files are at hand or not. Run from the top of the source: reads
 * conf/.
 */
#include "router/ses/event.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "rules/rules.h"

static struct ruleset
    *rules; /* those that ship: what carriers say is in them */

#define SEND	     FEEDBACK_SENT, EVENT_SEND, 0
#define DELIVERY     FEEDBACK_DELIVERED, EVENT_DELIVERY, 0
#define COMPLAINT    FEEDBACK_COMPLAINT, EVENT_COMPLAINT, 0
#define NOTE(event)  FEEDBACK_NOTE, event, 0
#define BOUNCED	     FEEDBACK_ENDED, EVENT_BOUNCE, COUNT_BOUNCED
#define FILTERED     FEEDBACK_ENDED, EVENT_BOUNCE, COUNT_FILTERED
#define EXPIRED	     FEEDBACK_ENDED, EVENT_EXPIRED, COUNT_EXPIRED
#define SUPPRESSED   FEEDBACK_ENDED, EVENT_SUPPRESSED, COUNT_SUPPRESSED
#define ENDED(event) FEEDBACK_ENDED, event, COUNT_BOUNCED

#define TO(more) "[{'emailAddress':'hanako@example.jp'" more "}]"
#define SAYS(status, text)                                                     \
	TO(",'action':'failed','status':'" status "','diagnosticCode':'" text  \
	   "'")
#define BOUNCE(type, sub, who)                                                 \
	"'bounce':{'bounceType':'" type "','bounceSubType':'" sub              \
	"','bouncedRecipients':" who ",'feedbackId':'0106-1',"                 \
	"'timestamp':'2026-11-22T01:02:05.678Z'}"
#define DELAY(type)                                                            \
	"'deliveryDelay':{'delayType':'" type "','delayedRecipients':" SAYS(   \
	    "4.2.1", "smtp; 451 4.2.1 come back") ","                          \
						  "'expirationTime':'2026-11-" \
						  "22T15:02:05.678Z',"         \
						  "'timestamp':'2026-11-"      \
						  "22T01:02:05.678Z'}"

/* clang-format off */
static const struct row {
	const char *file;   /* without .json */
	const char *type;
	enum feedback_kind kind;
	enum event_type event;
	enum counter counter;
	const char *reason;
	unsigned n;         /* recipients in that file */
	const char *to;     /* the first of them there */
	int code;           /* there */
	const char *status;
	const char *own;    /* the like, by us */
} rows[] = {
	{ "event_Send", "Send", SEND, "", 1, "recipient@example.com", 0, "", "'send':{}" },
	{ "real_sim_bounce_Send", "Send", SEND, "", 1, "bounce@simulator.amazonses.com", 0, "", "'send':{}" },

	{ "event_Delivery", "Delivery", DELIVERY, "delivered", 1, "recipient@example.com", 250, "2.6.0",
	    "'delivery':{'recipients':['hanako@example.jp'],'smtpResponse':'250 2.0.0 kept'}" },
	{ "notification_Delivery", "Delivery", DELIVERY, "delivered", 1, "jane@example.com", 250, "",
	    "'delivery':{'recipients':['hanako@example.jp'],'smtpResponse':'250 kept'}" },
	{ "real_sim_complaint_Delivery", "Delivery", DELIVERY, "delivered", 1, "complaint@simulator.amazonses.com", 250, "",
	    "'delivery':{'recipients':[]}" },
	{ "real_sim_ooto_Delivery", "Delivery", DELIVERY, "delivered", 1, "ooto@simulator.amazonses.com", 250, "",
	    "'delivery':{}" },

	{ "event_Bounce", "Bounce", BOUNCED, "userunknown", 1, "recipient@example.com", 550, "5.1.1",
	    BOUNCE("Permanent", "General", SAYS("5.1.1", "smtp; 550 5.1.1 nobody here")) },
	{ "notification_Bounce_dsn", "Bounce", BOUNCED, "userunknown", 1, "jane@example.com", 550, "5.1.1",
	    BOUNCE("Permanent", "General", SAYS("5.1.1", "smtp; 550 5.1.1 <hanako@example.jp>... nobody")) },
	{ "notification_Bounce_nodsn", "Bounce", BOUNCED, "undefined", 2, "jane@example.com", 0, "",
	    BOUNCE("Permanent", "General", TO("")) },
	{ "real_sim_bounce_Bounce_Permanent_General", "Bounce", BOUNCED, "userunknown", 1,
	    "bounce@simulator.amazonses.com", 550, "5.1.1",
	    BOUNCE("Permanent", "General", SAYS("5.1.1", "smtp; 550 user unknown <hanako@example.jp>")) },
	{ "real_sim_suppressionlist_Bounce_Permanent_General", "Bounce", BOUNCED, "userunknown", 1,
	    "suppressionlist@simulator.amazonses.com", 550, "5.1.1",
	    BOUNCE("Permanent", "WhatComesNext", SAYS("5.1.1", "smtp; 550 5.1.1 nobody")) },
	{ "composed_Bounce_Permanent_NoEmail", "Bounce", BOUNCED, "userunknown", 1, "recipient@example.com", 550, "5.1.1",
	    BOUNCE("Permanent", "NoEmail", SAYS("5.0.0", "smtp; 550 5.0.0 no")) },
	{ "real_notification_Bounce_Permanent_Suppressed", "Bounce", BOUNCED, "suppressed", 1,
	    "suppressionlist@simulator.amazonses.com", 0, "5.1.1",
	    BOUNCE("Permanent", "Suppressed", SAYS("5.1.1", "we had rather not")) },
	{ "real_Bounce_Permanent_OnAccountSuppressionList", "Bounce", SUPPRESSED, "suppressed", 1,
	    "recipient@example.com", 0, "5.1.1",
	    BOUNCE("Permanent", "OnAccountSuppressionList", SAYS("5.1.1", "it is on your list")) },
	{ "composed_Bounce_Permanent_OnTenantSuppressionList", "Bounce", SUPPRESSED, "suppressed", 1,
	    "recipient@example.com", 0, "5.1.1",
	    BOUNCE("Permanent", "OnTenantSuppressionList", SAYS("5.1.1", "it is on their list")) },
	{ "composed_Bounce_Permanent_EmailValidationSuppressed", "Bounce", SUPPRESSED, "suppressed", 1,
	    "recipient@example.com", 0, "5.1.1",
	    BOUNCE("Permanent", "EmailValidationSuppressed", TO("")) },
	{ NULL, "Bounce", SUPPRESSED, "suppressed", 0, NULL, 0, NULL,
	    BOUNCE("Permanent", "UnsubscribedRecipient", TO("")) },

	{ "composed_Bounce_Transient_MailboxFull", "Bounce", BOUNCED, "mailboxfull", 1, "recipient@example.com", 552, "5.2.2",
	    BOUNCE("Transient", "MailboxFull", SAYS("4.2.2", "smtp; 452 4.2.2 no room")) },
	{ "composed_Bounce_Transient_MessageTooLarge", "Bounce", BOUNCED, "mesgtoobig", 1, "recipient@example.com", 552, "5.3.4",
	    BOUNCE("Transient", "MessageTooLarge", TO("")) },
	{ "composed_Bounce_Transient_ContentRejected", "Bounce", FILTERED, "contenterror", 1, "recipient@example.com", 550, "5.3.0",
	    BOUNCE("Transient", "ContentRejected", SAYS("5.6.0", "smtp; 554 not that")) },
	{ "composed_Bounce_Transient_AttachmentRejected", "Bounce", FILTERED, "contenterror", 1, "recipient@example.com", 552, "5.7.0",
	    BOUNCE("Transient", "AttachmentRejected", TO("")) },
	{ "composed_Bounce_Transient_CustomTimeoutExceeded", "Bounce", EXPIRED, "expired", 1, "recipient@example.com", 550, "4.4.7",
	    BOUNCE("Transient", "CustomTimeoutExceeded", TO("")) },
	{ "composed_Bounce_Transient_General", "Bounce", EXPIRED, "expired", 1, "recipient@example.com", 550, "4.4.7",
	    BOUNCE("Transient", "General", SAYS("5.0.0", "smtp; 554 unable to deliver in 600 minutes")) },
	{ NULL, "Bounce", EXPIRED, "expired", 0, NULL, 0, NULL,
	    BOUNCE("Transient", "General", TO(",'status':'4.4.7'")) },
	{ NULL, "Bounce", BOUNCED, "mailboxfull", 0, NULL, 0, NULL,
	    BOUNCE("Transient", "General", SAYS("4.2.2", "smtp; 452 no room")) },
	{ NULL, "Bounce", BOUNCED, "undefined", 0, NULL, 0, NULL,
	    BOUNCE("Transient", "General", TO(",'action':'failed'")) },
	{ "real_sim_ooto_Bounce_Transient_General", "Bounce", NOTE(EVENT_NOTE), "vacation", 1,
	    "ooto@simulator.amazonses.com", 0, "",
	    BOUNCE("Transient", "General", TO("")) },
	{ NULL, "Bounce", NOTE(EVENT_NOTE), "vacation", 0, NULL, 0, NULL,
	    BOUNCE("Transient", "WhatComesNext", TO("")) },
	{ "composed_Bounce_Undetermined_Undetermined", "Bounce", BOUNCED, "undefined", 1, "recipient@example.com", 0, "",
	    BOUNCE("Undetermined", "Undetermined", TO("")) },
	{ NULL, "Bounce", BOUNCED, "undefined", 0, NULL, 0, NULL,
	    BOUNCE("WhatComesNext", "General", SAYS("5.2.2", "smtp; 552 no room")) },
	{ NULL, "Bounce", BOUNCED, "undefined", 0, NULL, 0, NULL, "'bounce':[]" },

	{ "event_Complaint", "Complaint", COMPLAINT, "feedback", 1, "recipient@example.com", 0, "",
	    "'complaint':{'complainedRecipients':" TO("") ",'complaintFeedbackType':'abuse'}" },
	{ "notification_Complaint_arf", "Complaint", COMPLAINT, "feedback", 1, "richard@example.com", 0, "",
	    "'complaint':{'complainedRecipients':" TO("") ",'complaintFeedbackType':'fraud'}" },
	{ "notification_Complaint_noarf", "Complaint", COMPLAINT, "feedback", 1, "richard@example.com", 0, "",
	    "'complaint':{'complainedRecipients':" TO("") "}" },
	{ "real_sim_complaint_Complaint_abuse", "Complaint", COMPLAINT, "feedback", 1, "complaint@simulator.amazonses.com", 0, "",
	    "'complaint':{'complaintSubType':null,'complainedRecipients':" TO("") ",'complaintFeedbackType':'virus'}" },
	{ "composed_Complaint_OnAccountSuppressionList", "Complaint", SUPPRESSED, "suppressed", 1, "recipient@example.com", 0, "",
	    "'complaint':{'complaintSubType':'OnAccountSuppressionList','complainedRecipients':" TO("") "}" },
	{ NULL, "Complaint", SUPPRESSED, "suppressed", 0, NULL, 0, NULL,
	    "'complaint':{'complaintSubType':'OnTenantSuppressionList','complainedRecipients':" TO("") "}" },
	{ NULL, "Complaint", NOTE(EVENT_NOTE), "", 0, NULL, 0, NULL,
	    "'complaint':{'complainedRecipients':" TO("") ",'complaintFeedbackType':'not-spam'}" },
	{ NULL, "Complaint", COMPLAINT, "feedback", 0, NULL, 0, NULL,
	    "'complaint':{'complaintSubType':'WhatComesNext','complaintFeedbackType':'other'}" },

	{ "event_DeliveryDelay", "DeliveryDelay", NOTE(EVENT_DELAY), "networkerror", 1, "recipient@example.com", 421, "4.4.1",
	    DELAY("TransientCommunicationFailure") },
	{ "composed_DeliveryDelay_General", "DeliveryDelay", NOTE(EVENT_DELAY), "systemerror", 1, "recipient@example.com", 451, "4.7.1",
	    DELAY("General") },
	{ "composed_DeliveryDelay_InternalFailure", "DeliveryDelay", NOTE(EVENT_DELAY), "systemerror", 1, "recipient@example.com", 451, "4.0.0",
	    DELAY("InternalFailure") },
	{ "composed_DeliveryDelay_MailboxFull", "DeliveryDelay", NOTE(EVENT_DELAY), "mailboxfull", 1, "recipient@example.com", 452, "4.2.2",
	    DELAY("MailboxFull") },
	{ "composed_DeliveryDelay_SpamDetected", "DeliveryDelay", NOTE(EVENT_DELAY), "spamdetected", 1, "recipient@example.com", 421, "4.7.1",
	    DELAY("SpamDetected") },
	{ "composed_DeliveryDelay_IPFailure", "DeliveryDelay", NOTE(EVENT_DELAY), "blocked", 1, "recipient@example.com", 421, "4.7.1",
	    DELAY("IPFailure") },
	{ "composed_DeliveryDelay_RecipientServerError", "DeliveryDelay", NOTE(EVENT_DELAY), "networkerror", 1, "recipient@example.com", 451, "4.3.0",
	    DELAY("RecipientServerError") },
	{ "composed_DeliveryDelay_SendingDeferral", "DeliveryDelay", NOTE(EVENT_DELAY), "systemerror", 1, "recipient@example.com", 0, "4.0.0",
	    DELAY("SendingDeferral") },
	{ "composed_DeliveryDelay_Undetermined", "DeliveryDelay", NOTE(EVENT_DELAY), "systemerror", 1, "recipient@example.com", 450, "4.0.0",
	    DELAY("Undetermined") },
	{ NULL, "DeliveryDelay", NOTE(EVENT_DELAY), "systemerror", 0, NULL, 0, NULL, DELAY("BYOIPHostNameLookupUnavailable") },
	{ NULL, "DeliveryDelay", NOTE(EVENT_DELAY), "systemerror", 0, NULL, 0, NULL, DELAY("WhatComesNext") },

	{ "event_Reject", "Reject", ENDED(EVENT_REJECT), "virusdetected", 1, "sender@example.com", 0, "",
	    "'reject':{'reason':'Bad content'}" },
	{ "event_RenderingFailure", "Rendering Failure", ENDED(EVENT_RENDERING), "contenterror", 1, "recipient@example.com", 0, "",
	    "'failure':{'templateName':'t','errorMessage':'no name'}" },
	{ "event_Open", "Open", NOTE(EVENT_OPEN), "", 1, "recipient@example.com", 0, "",
	    "'open':{'ipAddress':'192.0.2.9','userAgent':'a browser','isBotEvent':'Likely'}" },
	{ "event_Click", "Click", NOTE(EVENT_CLICK), "", 1, "recipient@example.com", 0, "",
	    "'click':{'ipAddress':'192.0.2.9','link':'https://example.jp/'}" },
	{ "event_Subscription", "Subscription", NOTE(EVENT_SUBSCRIPTION), "", 1, "recipient@example.com", 0, "",
	    "'subscription':{'contactList':'news','source':'UnsubscribeHeader'}" },
};
/* clang-format on */

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* -- help ---------------------------------------------------------------------
 */

/* JSON is easier to read in C with single quotes. */
static char *
json(const char *text)
{
	char *copy = xstrdup(text);

	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return copy;
}

static void
read_text(struct ses_event *ev, const char *text)
{
	ses_event_read(ev, text, strlen(text), rules, NULL);
}

#define MAIL(to)                                                               \
	"'mail':{'timestamp':'2026-11-22T01:02:03.456Z',"                      \
	"'messageId':'0106-own','destination':[" to "]}"

/* An event of that type to hanako@example.jp, with those members. */
static void
read_own(struct ses_event *ev, const char *family, const char *type,
    const char *members)
{
	struct str s = STR_INIT;
	char *text;

	str_addf(&s, "{'%s':'%s'," MAIL("'hanako@example.jp'") ",%s}\n", family,
	    type, members);
	text = json(s.data);
	read_text(ev, text);
	free(text);
	str_release(&s);
}

static void
check(const struct row *row, const struct ses_event *ev)
{
	assert_int_equal(ev->kind, SES_EVENT_MAIL);
	assert_string_equal(ev->type, row->type);
	assert_true(ev->n > 0);
	assert_true(ev->at >= ev->sent_at && ev->sent_at > 0);
	assert_true(ev->remote_id[0] != '\0');
	for (size_t i = 0; i < ev->n; i++) {
		const struct feedback *f = &ev->part[i].feedback;

		assert_string_equal(f->reason, row->reason);
		assert_int_equal(f->kind, row->kind);
		assert_int_equal(f->event, row->event);
		if (f->kind == FEEDBACK_ENDED)
			assert_int_equal(f->counter, row->counter);
		assert_int_equal(f->at, ev->at);
		assert_string_equal(f->remote_id, ev->remote_id);
		assert_ptr_equal(f->outcome, &ev->part[i].outcome);
		assert_ptr_equal(f->address, ev->part[i].address);
	}
}

/* -- files --------------------------------------------------------------------
 */

static const char *
data_directory(char buf[static 4096])
{
	const char *dir = getenv("OIWAKE_DATA");

	snprintf(
	    buf, 4096, "%s/ses_events", dir != NULL ? dir : "../shared/data");
	return buf;
}

static struct str
slurp(const char *dir, const char *name)
{
	struct str s = STR_INIT;
	char path[8192];
	FILE *fp;
	int c;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_non_null(fp = fopen(path, "r"));
	while ((c = getc(fp)) != EOF)
		str_addc(&s, (char)c);
	fclose(fp);
	return s;
}

static const struct row *
row_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].file != NULL && strlen(rows[i].file) == len &&
		    memcmp(rows[i].file, name, len) == 0)
			return &rows[i];
	return NULL;
}

static void
check_file(const struct row *row, const char *text, size_t len)
{
	struct ses_event ev;

	ses_event_read(&ev, text, len, rules, NULL);
	check(row, &ev);
	assert_int_equal(ev.n, row->n);
	assert_string_equal(ev.part[0].address, row->to);
	assert_int_equal(ev.part[0].outcome.code, row->code);
	assert_string_equal(ev.part[0].outcome.enhanced, row->status);
	ses_event_clear(&ev);
}

/* What SNS put around it is taken off by sns.c; here it is only unwrapped. */
static void
check_wrapped(const char *name, const char *text, size_t len)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	const char *inner = json_string_value(json_object_get(root, "Message"));
	struct ses_event ev;

	assert_non_null(inner);
	if (strncmp(name, "sns_control_", 12) == 0) {
		read_text(&ev, inner);
		assert_int_equal(ev.kind, SES_EVENT_CONTROL);
		assert_int_equal(ev.n, 0);
		ses_event_clear(&ev);
	} else {
		const struct row *row = row_of(name + 4, strlen(name) - 4 - 5);
		if (row == NULL)
			fail_msg("no row for %s", name);
		check_file(row, inner, strlen(inner));
	}
	json_decref(root);
}

static bool
is_json(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static void
every_fixture_is_read_as_documented(void **state)
{
	char buf[4096];
	const char *dir = data_directory(buf);
	unsigned plain = 0, wrapped = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);

	(void)state;
	if (d == NULL)
		skip();
	while ((entry = readdir(d)) != NULL) {
		const char *name = entry->d_name;
		const struct row *row;
		struct str text;

		if (!is_json(name))
			continue;
		text = slurp(dir, name);
		if (strncmp(name, "sns_", 4) == 0) {
			wrapped++;
			check_wrapped(name, text.data, text.len);
		} else if ((row = row_of(name, strlen(name) - 5)) != NULL) {
			plain++;
			check_file(row, text.data, text.len);
		} else {
			fail_msg("no row for %s", name);
		}
		str_release(&text);
	}
	closedir(d);
	assert_true(plain >= 43);
	assert_int_equal(wrapped, plain + 2);
}

/* -- our own ------------------------------------------------------------------
 */

static void
every_kind_is_read_from_both_families(void **state)
{
	static const char *const families[] = { "eventType",
		"notificationType" };

	(void)state;
	for (size_t i = 0; i < 2 * ROWS; i++) {
		const struct row *row = &rows[i / 2];
		struct ses_event ev;

		read_own(&ev, families[i % 2], row->type, row->own);
		check(row, &ev);
		assert_int_equal(ev.n, 1);
		assert_string_equal(ev.part[0].address, "hanako@example.jp");
		assert_true(ev.part[0].feedback.alone);
		assert_string_equal(ev.remote_id, "0106-own");
		ses_event_clear(&ev);
	}
}

static void
times_are_the_events_own(void **state)
{
	struct ses_event ev;

	(void)state;
	read_own(
	    &ev, "eventType", "Bounce", BOUNCE("Permanent", "General", TO("")));
	assert_int_equal(ev.sent_at, INT64_C(1795309323456));
	assert_int_equal(ev.at, ev.sent_at + 2222);
	ses_event_clear(&ev);
	read_own(&ev, "eventType", "Send", "'send':{}");
	assert_int_equal(ev.at, ev.sent_at);
	ses_event_clear(&ev);
	read_text(&ev, "{\"eventType\":\"Send\",\"mail\":{}}");
	assert_int_equal(ev.kind, SES_EVENT_MAIL);
	assert_int_equal(ev.at, 0);
	ses_event_clear(&ev);
}

/* -- diagnostics --------------------------------------------------------------
 */

/* clang-format off */
static const struct {
	const char *address, *status, *diagnostic;
	int code;
	const char *enhanced, *text;
	enum counter counter;
	const char *reason;
} diagnostics[] = {
	/* Unknown users, and filters that say the same: facts/carriers.md, section 2. */
	{ "a@docomo.ne.jp", "5.0.0", "smtp; 550 Unknown user a@docomo.ne.jp",
	    550, "5.0.0", "Unknown user a@docomo.ne.jp", COUNT_BOUNCED, "userunknown" },
	{ "a@docomo.ne.jp", "5.0.0", "smtp; 5.3.0 - Other mail system problem 550-'Unknown user a@docomo.ne.jp' (delivery attempts: 0)",
	    550, "", "Unknown user a@docomo.ne.jp", COUNT_BOUNCED, "userunknown" },
	{ "a@docomo.ne.jp", "5.0.0", "smtp; 550 Unknown user",
	    550, "5.0.0", "Unknown user", COUNT_FILTERED, "filtered" },
	{ "a@ezweb.ne.jp", "5.1.1", "smtp; 550 <a@ezweb.ne.jp>: User unknown",
	    550, "5.1.1", "<a@ezweb.ne.jp>: User unknown", COUNT_BOUNCED, "userunknown" },
	{ "a@ezweb.ne.jp", "5.1.1", "smtp; 550 : User unknown",
	    550, "5.1.1", ": User unknown", COUNT_FILTERED, "filtered" },
	{ "A@EZWEB.NE.JP", "5.1.1", "smtp; 550 : User unknown",
	    550, "5.1.1", ": User unknown", COUNT_FILTERED, "filtered" },
	{ "a@example.jp", "5.1.1", "smtp; 550 : User unknown",
	    550, "5.1.1", ": User unknown", COUNT_BOUNCED, "userunknown" },
	{ "a@docomo.ne.jp", "5.2.2", "smtp; 552 Too much mail data a@docomo.ne.jp",
	    552, "5.2.2", "Too much mail data a@docomo.ne.jp", COUNT_BOUNCED, "mailboxfull" },
	{ "a@docomo.ne.jp", "5.0.0", "smtp; 554:Transaction failed",
	    554, "5.0.0", "Transaction failed", COUNT_BOUNCED, "toomanyconn" },
	{ "a@softbank.ne.jp", "5.0.0", "smtp; 550 Invalid recipient: a@softbank.ne.jp",
	    550, "5.0.0", "Invalid recipient: a@softbank.ne.jp", COUNT_BOUNCED, "userunknown" },

	/* Forms of the same. */
	{ "a@example.jp", "5.1.1", "550 5.1.1 no", 550, "5.1.1", "no", COUNT_BOUNCED, "userunknown" },
	{ "a@example.jp", "5.1.1", "SMTP;550-5.1.1 no", 550, "5.1.1", "no", COUNT_BOUNCED, "userunknown" },
	{ "a@example.jp", "5.0.0", "smtp; 550 5.1.1", 550, "5.1.1", "", COUNT_BOUNCED, "userunknown" },
	{ "a@example.jp", "5.0.0", "smtp; 550", 550, "5.0.0", "", COUNT_BOUNCED, "undefined" },
	{ "a@example.jp", "5.0.0", "smtp; 5.1.0 - Unknown address error 550-'5.2.2 <a@example.jp>... Mailbox Full' (delivery attempts: 0)",
	    550, "5.2.2", "<a@example.jp>... Mailbox Full", COUNT_BOUNCED, "mailboxfull" },
	{ "a@example.jp", "5.7.1", "smtp; 521-5.7.1 go; client blocked\n 521 5.7.1 see there",
	    521, "5.7.1", "go; client blocked  521 5.7.1 see there", COUNT_BOUNCED, "policyviolation" },
	{ "a@example.jp", "5.4.4", "smtp; 550 5.4.4 Invalid domain", 550, "5.4.4", "Invalid domain", COUNT_BOUNCED, "hostunknown" },
	{ "a@example.jp", "5.1.1", "", 0, "5.1.1", "", COUNT_BOUNCED, "userunknown" },
	{ "a@example.jp", "", "smtp; 250 fine", 0, "", "250 fine", COUNT_BOUNCED, "undefined" },
	{ "a@example.jp", "", "smtp; 5501 odd", 0, "", "5501 odd", COUNT_BOUNCED, "undefined" },
	{ "a@example.jp", "5.1.1 and more", "x-unix; no", 0, "", "no", COUNT_BOUNCED, "undefined" },
	{ "a@example.jp", "5.1.1234", "no", 0, "", "no", COUNT_BOUNCED, "undefined" },
	{ "nobody", "5.0.0", "smtp; 550 no", 550, "5.0.0", "no", COUNT_BOUNCED, "undefined" },
};
/* clang-format on */

static void
read_diagnostic(struct ses_event *ev, const char *sub_type, const char *address,
    const char *status, const char *diagnostic)
{
	json_t *root = json_pack(
	    "{s:s, s:{s:s, s:[s]}, s:{s:s, s:s, s:[{s:s, s:s, s:s, s:s}]}}",
	    "eventType", "Bounce", "mail", "messageId", "0106", "destination",
	    address, "bounce", "bounceType",
	    sub_type != NULL ? "Transient" : "Permanent", "bounceSubType",
	    sub_type != NULL ? sub_type : "General", "bouncedRecipients",
	    "emailAddress", address, "action", "failed", "status", status,
	    "diagnosticCode", diagnostic);
	char *text = json_dumps(root, 0);

	assert_non_null(text);
	read_text(ev, text);
	free(text);
	json_decref(root);
}

static void
diagnostics_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(diagnostics) / sizeof(diagnostics[0]);
	     i++) {
		struct ses_event ev;
		const struct outcome *o;

		read_diagnostic(&ev, NULL, diagnostics[i].address,
		    diagnostics[i].status, diagnostics[i].diagnostic);
		assert_int_equal(ev.n, 1);
		o = &ev.part[0].outcome;
		assert_string_equal(o->text, diagnostics[i].text);
		assert_string_equal(o->enhanced, diagnostics[i].enhanced);
		assert_int_equal(o->code, diagnostics[i].code);
		assert_string_equal(ev.part[0].reason, diagnostics[i].reason);
		assert_int_equal(ev.part[0].feedback.kind, FEEDBACK_ENDED);
		assert_int_equal(
		    ev.part[0].feedback.counter, diagnostics[i].counter);
		ses_event_clear(&ev);
	}
}

/* clang-format off */
static const struct {
	const char *address, *diagnostic, *reason;
} expiries[] = {
	{ "a@example.jp", "smtp; 554 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.2 timed out>", "expired" },
	{ "a@example.jp", "smtp; 550 4.4.7 Message expired", "expired" },
	/* Whose endless 421 means that the address is unknown. */
	{ "a@ymobile.ne.jp", "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<421>", "userunknown" },
	{ "a@ymobile.ne.jp", "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 busy>", "expired" },
	{ "a@ymobile.ne.jp", "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<", "expired" },
};
/* clang-format on */

static void
what_expired_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expiries) / sizeof(expiries[0]); i++) {
		struct ses_event ev;

		read_diagnostic(&ev, "General", expiries[i].address, "4.4.7",
		    expiries[i].diagnostic);
		assert_int_equal(ev.part[0].feedback.counter, COUNT_EXPIRED);
		assert_int_equal(ev.part[0].feedback.event, EVENT_EXPIRED);
		assert_string_equal(ev.part[0].reason, expiries[i].reason);
		ses_event_clear(&ev);
	}
}

static void
without_rules_anybody_is_judged(void **state)
{
	static const char text[] =
	    "{\"eventType\":\"Bounce\",\"mail\":{\"messageId\":\"1\"},"
	    "\"bounce\":{\"bounceType\":\"Permanent\",\"bouncedRecipients\":["
	    "{\"emailAddress\":\"a@ezweb.ne.jp\","
	    "\"diagnosticCode\":\"smtp; 550 : User unknown\"}]}}";
	struct ses_event ev;

	(void)state;
	ses_event_read(&ev, text, strlen(text), NULL, NULL);
	assert_string_equal(ev.part[0].reason, "userunknown");
	ses_event_clear(&ev);
}

static void
a_long_diagnostic_is_cut_and_cleaned(void **state)
{
	struct ses_event ev;
	char text[4096] = "smtp; 550 5.7.1 ";
	const char *p;

	(void)state;
	for (size_t n = strlen(text); n + 4 < sizeof(text); n += 3)
		memcpy(text + n, "\xe6\x97\xa5", 4);
	memcpy(text + 16, "\r\nX\xc2\x85", 5);
	memcpy(text + 21, "...\033", 4);
	memcpy(text + 25, "...", 3);
	read_diagnostic(&ev, NULL, "a@example.jp", "5.7.1", text);
	p = ev.part[0].outcome.text;
	assert_memory_equal(p, "  X ... ...", 11);
	assert_in_range(strlen(p), sizeof(ev.part[0].outcome.text) - 3,
	    sizeof(ev.part[0].outcome.text) - 1);
	assert_memory_equal(p + strlen(p) - 3, "\xe6\x97\xa5", 3);
	ses_event_clear(&ev);
}

/* -- whom ---------------------------------------------------------------------
 */

static void
addresses_are_read_in_any_form(void **state)
{
	static const struct {
		const char *told, *address;
	} forms[] = {
		{ "hanako@example.jp", "hanako@example.jp" },
		{ "Hanako@EXAMPLE.jp", "Hanako@example.jp" },
		{ "Hanako S <hanako@example.jp>", "hanako@example.jp" },
		{ "\"a..b\"@docomo.ne.jp", "a..b@docomo.ne.jp" },
		{ "a..b@docomo.ne.jp", "a..b@docomo.ne.jp" },
		{ "not an\naddress", "not an address" },
		{ "<", "<" },
		{ ">", ">" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct ses_event ev;

		read_diagnostic(&ev, NULL, forms[i].told, "", "");
		assert_string_equal(ev.part[0].address, forms[i].address);
		ses_event_clear(&ev);
	}
}

static void
whom_it_is_about(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
		const char *first;
		bool alone;
	} events[] = {
		/* Forwarded: whoever bounced, it was our one recipient's. */
		{ "{'eventType':'Bounce'," MAIL(
		      "'a@example.jp'") ",'bounce':"
					"{'bouncedRecipients':[{'emailAddress':"
					"'b@example.com'}]}}",
		    1, "b@example.com", true },
		/* One of several. */
		{ "{'eventType':'Bounce'," MAIL(
		      "'a@example.jp','b@example.jp'") ",'bounce':{'"
						       "bouncedRecipients':"
						       "[{'emailAddress':'b@"
						       "example.jp'}]}}",
		    1, "b@example.jp", false },
		{ "{'eventType':'Send'," MAIL(
		      "'a@example.jp','b@example.jp'") "}",
		    2, "a@example.jp", false },
		{ "{'eventType':'Delivery','mail':{'messageId':'1'},'delivery':"
		  "{'recipients':['a@example.jp']}}",
		    1, "a@example.jp", true },
		{ "{'eventType':'Delivery','mail':{'messageId':'1'},'delivery':"
		  "{'recipients':['a@example.jp','b@example.jp']}}",
		    2, "a@example.jp", false },
		/* Names nobody. */
		{ "{'eventType':'Complaint'," MAIL(
		      "'a@example.jp'") ",'complaint':{'complainedRecipients':["
					"]}}",
		    1, "a@example.jp", true },
		{ "{'eventType':'Complaint'," MAIL(
		      "'a@example.jp','b@example.jp'") ",'complaint':{}}",
		    1, "", false },
		{ "{'eventType':'Send','mail':{'messageId':'1'}}", 1, "",
		    true },
		/* No addresses at all. */
		{ "{'eventType':'Bounce'," MAIL(
		      "1") ",'bounce':"
			   "{'bouncedRecipients':[7,{'emailAddress':null}]}}",
		    2, "", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		char *text = json(events[i].text);
		struct ses_event ev;

		read_text(&ev, text);
		assert_int_equal(ev.kind, SES_EVENT_MAIL);
		assert_int_equal(ev.n, events[i].n);
		assert_string_equal(ev.part[0].address, events[i].first);
		assert_int_equal(ev.part[0].feedback.alone, events[i].alone);
		ses_event_clear(&ev);
		free(text);
	}
}

static void
recipients_are_bounded(void **state)
{
	struct str s = STR_INIT;
	struct ses_event ev;

	(void)state;
	str_adds(&s, "{\"eventType\":\"Send\",\"mail\":{\"destination\":[");
	for (unsigned i = 0; i < 10000; i++)
		str_addf(&s, "%s\"u%u@example.jp\"", i > 0 ? "," : "", i);
	str_adds(&s, "]}}");
	read_text(&ev, s.data);
	assert_int_equal(ev.n, SES_EVENT_PARTS_MAX);
	assert_string_equal(
	    ev.part[SES_EVENT_PARTS_MAX - 1].address, "u99@example.jp");
	ses_event_clear(&ev);
	str_release(&s);
}

static void
peers_are_who_answered(void **state)
{
	static const struct {
		const char *members, *peer;
	} peers[] = {
		{ "'bounce':{'remoteMtaIp':'192.0.2.25',"
		  "'reportingMTA':'dns; a.example'}",
		    "192.0.2.25" },
		{ "'bounce':{'reportingMTA':'dns; a.example'}", "a.example" },
		{ "'bounce':{'reportingMTA':'a.example'}", "a.example" },
		{ "'bounce':{'reportingMTA':7}", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		struct ses_event ev;

		read_own(&ev, "eventType", "Bounce", peers[i].members);
		assert_string_equal(ev.part[0].feedback.peer, peers[i].peer);
		ses_event_clear(&ev);
	}
}

/* -- our tag ------------------------------------------------------------------
 */

static void
a_tag_names_its_recipient(void **state)
{
	static const unsigned indexes[] = { 0, 1, 99, UINT32_MAX };
	struct id_maker maker = { .maker = 3 };
	int64_t id = message_id_new(&maker, INT64_C(1795309323456)), found;
	char text[SES_TAG_ID_MAX];
	unsigned index;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		ses_tag_id(id, indexes[i], text);
		/* As SES wants tags: letters, digits, '_', '-'. */
		assert_int_equal(strspn(text, "0123456789-"
					      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
		    strlen(text));
		assert_int_equal(ses_tag_id_read(text, &found, &index), 0);
		assert_int_equal(found, id);
		assert_int_equal(index, indexes[i]);
	}
}

static void
other_tags_are_none(void **state)
{
	static const char *const texts[] = { "", "-", "0123456789ABC",
		"0123456789ABC-", "0123456789ABC.1", "0123456789ABC- 1",
		"0123456789ABC-+1", "0123456789ABC-01", "0123456789ABC--1",
		"0123456789ABC-1x", "0123456789ABC-4294967296",
		"0123456789ABC-99999999999999999999", "0000000000000-1",
		"ZZZZZZZZZZZZZ-1", "0123456789AB!-1" };
	int64_t id = 7;
	unsigned index = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(ses_tag_id_read(texts[i], &id, &index), -1);
	assert_int_equal(id, 7);
	assert_int_equal(index, 7);
}

static void
our_tag_is_found_in_an_event(void **state)
{
	static const struct {
		const char *tags;
		bool ours;
	} events[] = {
		{ "{'oiwake-id':['0123456789ABC-4'],'ses:x':['y']}", true },
		{ "{'oiwake-id':['0123456789ABC-4','0123456789ABC-5']}", true },
		{ "{'oiwake-id':['something']}", false },
		{ "{'oiwake-id':[]}", false },
		{ "{'oiwake-id':7}", false },
		{ "{}", false },
		{ "[]", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct str s = STR_INIT;
		struct ses_event ev;
		char *text;

		str_addf(&s, "{'eventType':'Send','mail':{'tags':%s}}",
		    events[i].tags);
		text = json(s.data);
		read_text(&ev, text);
		assert_int_equal(ev.message != 0, events[i].ours);
		assert_int_equal(ev.index, events[i].ours ? 4 : 0);
		assert_int_equal(ev.part[0].feedback.message, ev.message);
		assert_int_equal(ev.part[0].feedback.index, ev.index);
		ses_event_clear(&ev);
		free(text);
		str_release(&s);
	}
}

/* -- what else comes ----------------------------------------------------------
 */

static void
what_is_no_event_is_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum ses_event_kind kind;
	} texts[] = {
		{ "Successfully validated SNS topic for Amazon SES event "
		  "publishing.",
		    SES_EVENT_CONTROL },
		{ "\nSuccessfully validated SNS topic x\n", SES_EVENT_CONTROL },
		{ "{\"notificationType\":\"AmazonSnsSubscriptionSucceeded\","
		  "\"message\":\"you have\"}\n",
		    SES_EVENT_CONTROL },
		{ "Successfully", SES_EVENT_FOREIGN },
		{ "", SES_EVENT_FOREIGN },
		{ "\n", SES_EVENT_FOREIGN },
		{ "7", SES_EVENT_FOREIGN },
		{ "[]", SES_EVENT_FOREIGN },
		{ "{}", SES_EVENT_FOREIGN },
		{ "{\"a\":", SES_EVENT_FOREIGN },
		{ "{\"eventType\":\"Send\"}", SES_EVENT_FOREIGN },
		{ "{\"eventType\":\"Send\",\"mail\":[]}", SES_EVENT_FOREIGN },
		{ "{\"eventType\":7,\"mail\":{}}", SES_EVENT_FOREIGN },
		{ "{\"Records\":[{\"s3\":{}}]}", SES_EVENT_FOREIGN },
		{ "{\"eventType\":\"Send\",\"mail\":{}} {}",
		    SES_EVENT_FOREIGN },
		{ "{\"eventType\":\"\xff\",\"mail\":{}}", SES_EVENT_FOREIGN },
		{ "{\"eventType\":\"Smell\",\"mail\":{}}", SES_EVENT_UNKNOWN },
		{ "{\"notificationType\":\"Received\",\"mail\":"
		  "{\"messageId\":\"1\",\"destination\":[\"a@b.example\"]}}",
		    SES_EVENT_UNKNOWN },
		{ "{\"eventType\":\"Send\",\"mail\":"
		  "{\"subject\":\"a\\u0000b\"}}",
		    SES_EVENT_MAIL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ses_event ev;

		read_text(&ev, texts[i].text);
		assert_int_equal(ev.kind, texts[i].kind);
		if (ev.kind == SES_EVENT_UNKNOWN) {
			assert_int_equal(ev.n, 1);
			assert_int_equal(
			    ev.part[0].feedback.kind, FEEDBACK_NOTE);
			assert_int_equal(ev.part[0].feedback.event, EVENT_NOTE);
		}
		assert_int_equal(
		    ev.why.text[0] != '\0', ev.kind == SES_EVENT_FOREIGN ||
						ev.kind == SES_EVENT_UNKNOWN);
		ses_event_clear(&ev);
	}
}

static void
deep_json_is_refused(void **state)
{
	enum { DEPTH = 1000000 };
	char *text = xmalloc(DEPTH);
	struct ses_event ev;

	(void)state;
	memset(text, '[', DEPTH);
	ses_event_read(&ev, text, DEPTH, rules, NULL);
	assert_int_equal(ev.kind, SES_EVENT_FOREIGN);
	ses_event_clear(&ev);
	free(text);
}

static int
load_rules(void **state)
{
	struct rules_report report;

	(void)state;
	rules_report_init(&report);
	rules = ruleset_load("conf/oiwake.rules", NULL, &report);
	rules_report_clear(&report);
	return rules != NULL ? 0 : -1;
}

static int
free_rules(void **state)
{
	(void)state;
	ruleset_unref(rules);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fixture_is_read_as_documented),
		cmocka_unit_test(every_kind_is_read_from_both_families),
		cmocka_unit_test(times_are_the_events_own),
		cmocka_unit_test(diagnostics_are_judged),
		cmocka_unit_test(what_expired_says_why),
		cmocka_unit_test(without_rules_anybody_is_judged),
		cmocka_unit_test(a_long_diagnostic_is_cut_and_cleaned),
		cmocka_unit_test(addresses_are_read_in_any_form),
		cmocka_unit_test(whom_it_is_about),
		cmocka_unit_test(recipients_are_bounded),
		cmocka_unit_test(peers_are_who_answered),
		cmocka_unit_test(a_tag_names_its_recipient),
		cmocka_unit_test(other_tags_are_none),
		cmocka_unit_test(our_tag_is_found_in_an_event),
		cmocka_unit_test(what_is_no_event_is_told_apart),
		cmocka_unit_test(deep_json_is_refused),
	};

	return cmocka_run_group_tests(tests, load_rules, free_rules);
}
