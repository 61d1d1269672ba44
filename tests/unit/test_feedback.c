/*
 * test_feedback.c - what SES tells, settled in a real store: once, whatever the
 * order and however often it comes; what means nothing to us kept as a dead
 * letter.
 */
#include "router/ses/feedback.h"

#include "tests/unit/store_fixture.h"

#include "router/config.h"
#include "router/ses/amazon_int.h"
#include "router/ses/event.h"

#include <signal.h>
#include <sys/resource.h>

#define MINUTE INT64_C(60000)

static struct config config = { .sent_keep = INT64_C(15) * 24 * 3600 * 1000 };
static struct amazon amazon;

static int
set_up_feedback(void **state)
{
	set_up(state);
	amazon = (struct amazon){ .base = the->base,
		.inbox = the->inbox,
		.store = the->store,
		.config = &config };
	amazon.feedback = feedback_intake_new(&amazon);
	return 0;
}

static int
tear_down_feedback(void **state)
{
	assert_int_equal(feedback_pending(amazon.feedback), 0);
	feedback_intake_free(&amazon.feedback);
	assert_null(amazon.feedback);
	return tear_down(state);
}

/* -- telling ------------------------------------------------------------------
 */

static unsigned ended[FEEDBACK_TROUBLE + 1];
static struct feedback_source source = { .name = "queue", .id = "m-1" };

static void
on_end(void *arg, enum feedback_end end)
{
	(void)arg;
	ended[end]++;
	the->answers++;
}

/* An event of that type, with those members, of a message with that SES id and
 * tag (NULL: none). */
static char *
event_text(const char *type, const char *tag, const char *remote_id,
    int64_t sent_at, const char *members)
{
	struct str s = STR_INIT;
	char when[25];

	str_addf(&s,
	    "{'eventType':'%s','mail':{'timestamp':'%s',"
	    "'messageId':'%s','destination':['user0@docomo.ne.jp']",
	    type, clock_iso(sent_at, when), remote_id);
	if (tag != NULL)
		str_addf(&s, ",'tags':{'" SES_TAG_ID "':['%s']}", tag);
	str_addf(&s, "}%s}\n", members);
	for (char *p = s.data; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return str_detach(&s);
}

static void
take(const char *text)
{
	unsigned before = the->answers;

	feedback_take(amazon.feedback, &source, text, strlen(text), text,
	    strlen(text), on_end, NULL);
	/* Never from within. */
	assert_int_equal(the->answers, before);
}

static enum feedback_end
end_of_one(void)
{
	memset(ended, 0, sizeof(ended));
	await(1);
	for (unsigned e = 0; e <= FEEDBACK_TROUBLE; e++)
		if (ended[e] == 1)
			return (enum feedback_end)e;
	fail();
	return FEEDBACK_TROUBLE;
}

static enum feedback_end
tell_text(const char *text)
{
	take(text);
	return end_of_one();
}

static enum feedback_end
tell(const char *type, const char *tag, const char *remote_id, int64_t sent_at,
    const char *members)
{
	char *text = event_text(type, tag, remote_id, sent_at, members);
	enum feedback_end end = tell_text(text);

	free(text);
	return end;
}

#define BOUNCE(address)                                                        \
	",'bounce':{'bounceType':'Permanent','bounceSubType':'General',"       \
	"'timestamp':'2026-11-22T01:02:03.000Z','bouncedRecipients':[{"        \
	"'emailAddress':'" address "','status':'5.1.1',"                       \
	"'diagnosticCode':'smtp; 550 5.1.1 nobody'}]}"
#define DELIVERY                                                               \
	",'delivery':{'timestamp':'2026-11-22T01:02:02.000Z',"                 \
	"'recipients':['user0@docomo.ne.jp'],'smtpResponse':'250 kept'}"
#define DELAY                                                                  \
	",'deliveryDelay':{'timestamp':'2026-11-22T01:02:02.000Z',"            \
	"'delayType':'IPFailure','delayedRecipients':[]}"

/* -- mail that was sent -------------------------------------------------------
 */

static void
settle_as_sent(int64_t id, unsigned index, const char *remote_id)
{
	struct settlement s =
	    settlement(id, index, SETTLE_FINAL, 1u << COUNT_SENT);

	s.address = index == 0 ? "user0@docomo.ne.jp" : "user1@docomo.ne.jp";
	s.remote_id = remote_id;
	s.remember = clock_wall() + config.sent_keep;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
}

/* To n recipients; all went in submissions of their own: "0106-a", "0106-b". */
static int64_t
sent(unsigned n)
{
	static const char *const ids[] = { "0106-a", "0106-b" };
	int64_t id = put(n, clock_wall(), true);

	for (unsigned i = 0; i < n; i++)
		settle_as_sent(id, i, ids[i]);
	return id;
}

static void
assert_counts(int64_t delivered, int64_t bounced, int64_t returned)
{
	struct view *v = look();

	assert_int_equal(count_of(v, "mta", COUNT_DELIVERED), delivered);
	assert_int_equal(count_of(v, "mta", COUNT_BOUNCED), bounced);
	assert_int_equal(count_of(v, "mta", COUNT_RETURNED), returned);
	look_away(v);
}

/* -- dead letters -------------------------------------------------------------
 */

struct letters {
	struct store_query query;
	size_t n;
	char source[32], id[32], why[200], body[2000];
	size_t len;
};

static void
see_letter(void *arg, const struct letter_row *row)
{
	struct letters *l = arg;

	copy(l->source, sizeof(l->source), row->source);
	copy(l->id, sizeof(l->id), row->id);
	copy(l->why, sizeof(l->why), row->why);
	copy(l->body, sizeof(l->body), row->body);
	l->len = row->len;
}

static void
run_letters(struct store_query *q, struct store_reader *r)
{
	struct letters *l = container_of(q, struct letters, query);

	l->n = store_read_letters(r, 0, 100, see_letter, l);
}

static struct letters
letters(void)
{
	struct letters l = { .query = { .reply_to = the->inbox,
				 .run = run_letters,
				 .done = on_query_answer } };

	store_query(the->store, &l.query);
	await(1);
	return l;
}

/* -- tests --------------------------------------------------------------------
 */

static void
a_bounce_moves_what_was_delivered(void **state)
{
	char tag[SES_TAG_ID_MAX];
	struct feedback_counts n;

	(void)state;
	ses_tag_id(sent(1), 0, tag);
	assert_int_equal(tell("Delivery", tag, "", clock_wall(), DELIVERY),
	    FEEDBACK_SETTLED);
	assert_counts(1, 0, 0);
	assert_int_equal(
	    tell("Bounce", tag, "", clock_wall(), BOUNCE("user0@docomo.ne.jp")),
	    FEEDBACK_SETTLED);
	assert_counts(0, 1, 1);
	feedback_counts(amazon.feedback, &n);
	assert_int_equal(n.taken, 2);
	assert_int_equal(n.settled, 2);
	assert_int_equal(n.known, 0);
}

static void
the_same_again_changes_nothing(void **state)
{
	char tag[SES_TAG_ID_MAX];
	struct feedback_counts n;

	(void)state;
	ses_tag_id(sent(1), 0, tag);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(tell("Bounce", tag, "", clock_wall(),
				     BOUNCE("user0@docomo.ne.jp")),
		    FEEDBACK_SETTLED);
	/* As ever, in whatever order. */
	assert_int_equal(tell("Delivery", tag, "", clock_wall(), DELIVERY),
	    FEEDBACK_SETTLED);
	assert_counts(0, 1, 1);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
		    tell("DeliveryDelay", tag, "", clock_wall(), DELAY),
		    FEEDBACK_SETTLED);
	feedback_counts(amazon.feedback, &n);
	assert_true(n.known >= 3);
	assert_int_equal(n.known + n.settled, n.taken);
	assert_int_equal(letters().n, 0);
}

static void
without_a_tag_the_id_of_ses_finds_it(void **state)
{
	struct view *v;

	(void)state;
	sent(2);
	assert_int_equal(tell("Bounce", NULL, "0106-b", clock_wall(),
			     BOUNCE("somewhere@else.example")),
	    FEEDBACK_SETTLED);
	assert_counts(0, 1, 1);
	v = look();
	assert_int_equal(v->event[v->nevents - 1].type, EVENT_BOUNCE);
	assert_int_equal(v->event[v->nevents - 1].index, 1);
	assert_string_equal(v->event[v->nevents - 1].reason, "userunknown");
	assert_int_equal(v->event[v->nevents - 1].code, 550);
	assert_string_equal(v->event[v->nevents - 1].enhanced, "5.1.1");
	look_away(v);
}

static void
an_event_before_our_own_record_comes_again(void **state)
{
	int64_t id;
	struct feedback_counts n;

	(void)state;
	id = put(1, clock_wall(), true);
	assert_int_equal(tell("Bounce", NULL, "0106-a", clock_wall(),
			     BOUNCE("user0@docomo.ne.jp")),
	    FEEDBACK_EARLY);
	assert_int_equal(letters().n, 0);
	assert_counts(0, 0, 0);
	settle_as_sent(id, 0, "0106-a");
	assert_int_equal(tell("Bounce", NULL, "0106-a", clock_wall(),
			     BOUNCE("user0@docomo.ne.jp")),
	    FEEDBACK_SETTLED);
	assert_counts(0, 1, 1);
	feedback_counts(amazon.feedback, &n);
	assert_int_equal(n.early, 1);
	assert_int_equal(n.settled, 1);
}

static void
by_its_tag_nothing_is_early(void **state)
{
	char tag[SES_TAG_ID_MAX];
	int64_t id;

	(void)state;
	id = put(1, clock_wall(), true);
	ses_tag_id(id, 0, tag);
	assert_int_equal(tell("Bounce", tag, "0106-a", clock_wall(),
			     BOUNCE("user0@docomo.ne.jp")),
	    FEEDBACK_SETTLED);
	settle_as_sent(id, 0, "0106-a");
	assert_counts(0, 1, 1);
}

/* -- what nobody knows --------------------------------------------------------
 */

/* -- what it suppresses */

struct entries {
	struct store_query query;
	size_t n;
	char address[64], cause[32], source[8], evidence[100], path[16];
};

static void
see_entry(void *arg, const struct suppression *s)
{
	struct entries *e = arg;

	e->n++;
	assert_string_equal(s->scope, "");
	copy(e->address, sizeof(e->address), s->address);
	copy(e->cause, sizeof(e->cause), s->cause);
	copy(e->source, sizeof(e->source), s->source);
	copy(e->evidence, sizeof(e->evidence), s->evidence);
	copy(e->path, sizeof(e->path), s->path);
}

static void
run_entries(struct store_query *q, struct store_reader *r)
{
	static const struct suppression_filter any = { .address = "" };

	store_read_suppressions(r, &any, "", "", 100, see_entry,
	    container_of(q, struct entries, query));
}

static struct entries
entries(void)
{
	struct entries e = { .query = { .reply_to = the->inbox,
				 .run = run_entries,
				 .done = on_query_answer } };

	store_query(the->store, &e.query);
	await(1);
	return e;
}

#define OF_KIND(type, subtype, diagnosis)                                      \
	",'bounce':{'bounceType':'" type "','bounceSubType':'" subtype "',"    \
	"'timestamp':'2026-11-22T01:02:03.000Z','bouncedRecipients':[{"        \
	"'emailAddress':'user0@docomo.ne.jp','status':'5.0.0',"                \
	"'diagnosticCode':'smtp; " diagnosis "'}]}"
#define COMPLAINT(type)                                                        \
	",'complaint':{'timestamp':'2026-11-22T01:02:03.000Z',"                \
	"'complaintFeedbackType':'" type "','complainedRecipients':[{"         \
	"'emailAddress':'user0@docomo.ne.jp'}]}"

static const struct {
	const char *type, *members, *cause; /* NULL: it suppresses nobody */
} told[] = {
	{ "Bounce", BOUNCE("user0@docomo.ne.jp"), "userunknown" },
	{ "Bounce", OF_KIND("Permanent", "NoEmail", "550 5.1.1 no mailbox"),
	    "userunknown" },
	{ "Bounce", OF_KIND("Permanent", "Suppressed", "Amazon SES has"),
	    NULL },
	{ "Bounce",
	    OF_KIND("Permanent", "OnAccountSuppressionList", "Amazon SES did"),
	    NULL },
	{ "Bounce",
	    OF_KIND("Permanent", "General", "554 5.7.1 blocked as spam"),
	    NULL },
	/* In the words of an unknown user, but not SES's word for one. */
	{ "Bounce",
	    OF_KIND("Permanent", "General",
		"5.3.0 - Other mail system problem 550-'Unknown user "
		"user0@docomo.ne.jp' (delivery attempts: 0)"),
	    NULL },
	{ "Bounce",
	    OF_KIND("Permanent", "General", "550 5.7.1 Unknown user "
					    "user0@docomo.ne.jp"),
	    NULL },
	{ "Bounce",
	    OF_KIND("Permanent", "General", "550 5.1.1 Unknown user "
					    "user0@docomo.ne.jp"),
	    "userunknown" },
	{ "Bounce",
	    OF_KIND("Transient", "General", "550 5.1.1 Unknown user "
					    "user0@docomo.ne.jp"),
	    NULL },
	{ "Bounce",
	    OF_KIND("Undetermined", "Undetermined", "550 5.1.1 Unknown user "
						    "user0@docomo.ne.jp"),
	    NULL },
	{ "Bounce", OF_KIND("Transient", "MailboxFull", "552 5.2.2 full"),
	    NULL },
	{ "Bounce", OF_KIND("Transient", "ContentRejected", "550 5.7.1 no"),
	    NULL },
	{ "Complaint", COMPLAINT("abuse"), "complaint" },
	{ "Complaint", COMPLAINT("not-spam"), NULL },
	{ "Complaint", COMPLAINT("auth-failure"), NULL },
	{ "Delivery", DELIVERY, NULL },
	{ "DeliveryDelay", DELAY, NULL },
};

static void
what_says_that_an_address_is_no_more_suppresses_it(void **state)
{
	char tag[SES_TAG_ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct suppression gone = { .scope = "",
			.address = "user0@docomo.ne.jp",
			.cause = "",
			.who = "" };
		struct store_suppress r = {
			.n = 1, .list = &gone, .remove = true
		};
		int64_t id = put(1, clock_wall(), true);
		struct entries e;

		ses_tag_id(id, 0, tag);
		settle_as_sent(id, 0, "");
		tell(told[i].type, tag, "", clock_wall(), told[i].members);
		e = entries();
		if (e.n != (told[i].cause != NULL))
			fail_msg("%s: %zu", told[i].members, e.n);
		if (e.n == 0)
			continue;
		assert_string_equal(e.cause, told[i].cause);
		assert_string_equal(e.address, "user0@docomo.ne.jp");
		assert_string_equal(e.source, "ses");
		assert_string_equal(e.path, "mta");
		assert_true(e.evidence[0] != '\0');
		prepare_request(&r.req);
		store_suppress(the->store, &r);
		await(1);
		assert_int_equal(r.changed, 1);
	}
}

static void
what_nobody_knows_becomes_a_letter(void **state)
{
	struct letters l;
	char *text;

	(void)state;
	text = event_text("Bounce", NULL, "0106-other",
	    clock_wall() - 11 * MINUTE, BOUNCE("user0@docomo.ne.jp"));
	assert_int_equal(tell_text(text), FEEDBACK_LETTERED);
	l = letters();
	assert_int_equal(l.n, 1);
	assert_string_equal(l.source, "queue");
	assert_string_equal(l.id, "m-1");
	assert_string_equal(l.why, "about a message that nobody knows");
	assert_string_equal(l.body, text);
	assert_int_equal(l.len, strlen(text));
	free(text);
}

/* clang-format off */
static const struct {
	int64_t age; /* of the mail */
	unsigned receipts;
	enum feedback_end end;
} unknown[] = {
	{ 0,                0, FEEDBACK_EARLY },
	{ 0,                1, FEEDBACK_EARLY },
	{ 9 * MINUTE,       5, FEEDBACK_EARLY },
	{ 0,                6, FEEDBACK_LETTERED },
	{ 11 * MINUTE,      0, FEEDBACK_LETTERED },
	{ 11 * MINUTE,      1, FEEDBACK_LETTERED },
	{ 13 * 1440 * MINUTE, 1, FEEDBACK_LETTERED },
	/* Their clock is ahead; nobody's is by so much. */
	{ -9 * MINUTE,      0, FEEDBACK_EARLY },
	{ -11 * MINUTE,     0, FEEDBACK_LETTERED },
};
/* clang-format on */

static void
it_is_early_for_ten_minutes_and_five_receipts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		source.receipts = unknown[i].receipts;
		assert_int_equal(tell("Send", NULL, "0106-other",
				     clock_wall() - unknown[i].age, ""),
		    unknown[i].end);
	}
	source.receipts = 0;
}

static void
what_has_no_time_is_not_early(void **state)
{
	(void)state;
	assert_int_equal(tell_text("{\"eventType\":\"Send\",\"mail\":{}}"),
	    FEEDBACK_LETTERED);
}

/* -- what is no event ---------------------------------------------------------
 */

static void
control_messages_mean_nothing(void **state)
{
	struct feedback_counts n;

	(void)state;
	assert_int_equal(
	    tell_text("Successfully validated SNS topic for Amazon SES event "
		      "publishing.\n"),
	    FEEDBACK_SETTLED);
	feedback_counts(amazon.feedback, &n);
	assert_int_equal(n.control, 1);
	assert_int_equal(n.settled, 0);
	assert_int_equal(letters().n, 0);
}

static void
what_is_no_event_becomes_a_letter(void **state)
{
	struct letters l;

	(void)state;
	assert_int_equal(tell_text("{\"Records\":[]}"), FEEDBACK_LETTERED);
	l = letters();
	assert_int_equal(l.n, 1);
	assert_string_equal(l.body, "{\"Records\":[]}");
	assert_true(l.why[0] != '\0');
}

static void
what_is_buried_is_a_letter(void **state)
{
	struct letters l;
	struct feedback_counts n;

	(void)state;
	feedback_bury(amazon.feedback, &source, "some\0thing", 10, "it smells",
	    on_end, NULL);
	assert_int_equal(the->answers, 0);
	assert_int_equal(feedback_pending(amazon.feedback), 1);
	assert_int_equal(end_of_one(), FEEDBACK_LETTERED);
	l = letters();
	assert_int_equal(l.n, 1);
	assert_string_equal(l.why, "it smells");
	assert_int_equal(l.len, 10);
	feedback_counts(amazon.feedback, &n);
	assert_int_equal(n.lettered, 1);
}

static void
an_unknown_type_is_noted_where_its_mail_is_known(void **state)
{
	char tag[SES_TAG_ID_MAX];
	struct letters l;
	struct view *v;

	(void)state;
	ses_tag_id(sent(1), 0, tag);
	assert_int_equal(tell("Smell", tag, "", clock_wall(), ",'smell':{}"),
	    FEEDBACK_SETTLED);
	v = look();
	assert_int_equal(v->event[v->nevents - 1].type, EVENT_NOTE);
	look_away(v);
	assert_int_equal(
	    tell("Smell", NULL, "0106-other", 0, ""), FEEDBACK_LETTERED);
	l = letters();
	assert_int_equal(l.n, 1);
	assert_string_equal(l.why, "unknown type of event 'Smell'");
}

/* -- many ---------------------------------------------------------------------
 */

static void
many_are_settled_in_groups(void **state)
{
	enum { MANY = 3000 };
	int64_t id = put(1, clock_wall(), true);
	char remote[32], *text;
	struct view *v;

	(void)state;
	settle_as_sent(id, 0, "0106-a");
	memset(ended, 0, sizeof(ended));
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(remote, sizeof(remote), "%s",
		    i % 2 == 0 ? "0106-a" : "0106-other");
		text = event_text("Delivery", NULL, remote,
		    clock_wall() - 60 * MINUTE, DELIVERY);
		take(text);
		free(text);
	}
	assert_int_equal(feedback_pending(amazon.feedback), MANY);
	await(MANY);
	assert_int_equal(ended[FEEDBACK_SETTLED], MANY / 2);
	assert_int_equal(ended[FEEDBACK_LETTERED], MANY / 2);
	v = look();
	assert_int_equal(count_of(v, "mta", COUNT_DELIVERED), 1);
	look_away(v);
}

/* -- trouble ------------------------------------------------------------------
 */

/* No file may grow: writing fails, and the store says that it is broken. */
static void
break_store(bool broken)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = broken ? 0 : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, broken ? SIG_IGN : SIG_DFL);
}

static void
what_a_broken_store_did_not_take_comes_again(void **state)
{
	char tag[SES_TAG_ID_MAX];
	struct feedback_counts n;

	(void)state;
	ses_tag_id(sent(1), 0, tag);
	break_store(true);
	assert_int_equal(
	    tell("Bounce", tag, "", clock_wall(), BOUNCE("user0@docomo.ne.jp")),
	    FEEDBACK_TROUBLE);
	assert_int_equal(tell("Smell", NULL, "", 0, ""), FEEDBACK_TROUBLE);
	break_store(false);
	feedback_counts(amazon.feedback, &n);
	assert_int_equal(n.trouble, 2);
	assert_int_equal(n.settled, 0);
	assert_int_equal(fixture_reopen(NULL), 0);
	amazon.store = the->store;
	assert_counts(0, 0, 0);
	assert_int_equal(
	    tell("Bounce", tag, "", clock_wall(), BOUNCE("user0@docomo.ne.jp")),
	    FEEDBACK_SETTLED);
	assert_counts(0, 1, 1);
	assert_int_equal(letters().n, 0);
}

/* -- the log ------------------------------------------------------------------
 */

static void
bounces_are_logged_and_forge_no_line(void **state)
{
	char file[100], line[4096], tag[SES_TAG_ID_MAX];
	unsigned lines = 0;
	FILE *fp;

	(void)state;
	ses_tag_id(sent(1), 0, tag);
	snprintf(file, sizeof(file), "%s/log", the->dir);
	log_set_level(LOG_INFO);
	assert_int_equal(log_open(file, NULL), 0);
	tell("Bounce", tag, "0106-a", clock_wall(),
	    ",'bounce':{'bounceType':'Permanent','bouncedRecipients':[{"
	    "'emailAddress':'user0@docomo.ne.jp','diagnosticCode':"
	    "'smtp; 550 5.1.1 no\\nfeedback to=x'}]}");
	tell("Delivery", tag, "0106-a", clock_wall(), DELIVERY);
	assert_int_equal(log_open(NULL, NULL), 0);
	log_set_level(LOG_ERROR);
	assert_non_null(fp = fopen(file, "r"));
	while (fgets(line, sizeof(line), fp) != NULL) {
		lines++;
		assert_non_null(strstr(line, " feedback via=queue "));
		assert_non_null(strstr(line, " type=Bounce "));
		assert_non_null(strstr(line, " result=recorded "));
		assert_non_null(strstr(line, " counted=bounced "));
		assert_non_null(strstr(line, " reason=userunknown "));
	}
	fclose(fp);
	assert_int_equal(lines, 1);
}

int
main(void)
{
#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, set_up_feedback, tear_down_feedback)
	const struct CMUnitTest tests[] = {
		T(a_bounce_moves_what_was_delivered),
		T(the_same_again_changes_nothing),
		T(without_a_tag_the_id_of_ses_finds_it),
		T(an_event_before_our_own_record_comes_again),
		T(by_its_tag_nothing_is_early),
		T(what_says_that_an_address_is_no_more_suppresses_it),
		T(what_nobody_knows_becomes_a_letter),
		T(it_is_early_for_ten_minutes_and_five_receipts),
		T(what_has_no_time_is_not_early),
		T(control_messages_mean_nothing),
		T(what_is_no_event_becomes_a_letter),
		T(what_is_buried_is_a_letter),
		T(an_unknown_type_is_noted_where_its_mail_is_known),
		T(many_are_settled_in_groups),
		T(what_a_broken_store_did_not_take_comes_again),
		T(bounces_are_logged_and_forge_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
