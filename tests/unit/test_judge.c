/*
 * test_judge.c - what a report does to our recipients: whom it is believed
 * about, what it is counted as, and whom it suppresses.
 */
#include "router/feedback/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mta/base/str.h"
#include "mta/return_path.h"
#include "router/config.h"
#include "router/feedback/report.h"
#include "router/reasons.h"

#define DOMAIN "bounce.example.jp"
#define DAY    (INT64_C(24) * 3600 * 1000)
#define NOW    (INT64_C(20780) * DAY + DAY / 2) /* 2026-11-23 12:00 */

static char domain[] = DOMAIN, empty[] = "";

struct fixture {
	struct config config;
};

static int
setup(void **state)
{
	static const char secret[] = "0123456789abcdef0123456789abcdef";
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;

	assert_non_null(f);
	f->config.return_path.domain = domain;
	f->config.return_path.key =
	    return_path_key_new(secret, strlen(secret), &e);
	f->config.reasons = reasons_builtin();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	return_path_key_free(&f->config.return_path.key);
	reasons_unref(&f->config.reasons);
	free(f);
	return 0;
}

/* -- reports --------------------------------------------------------------- */

#define PARTS 4

struct said {
	enum report_kind kind;
	const char *recipient, *alias;
	enum smtp_stage stage;
	int code;
	const char *enhanced, *text;
	bool spasign;
};

/* A report of constants; only its parts' own memory is written. */
struct made {
	struct report report;
	struct report_part part[PARTS];
	char text[PARTS][2][128];
};

static void
make(struct made *m, const struct said *said)
{
	memset(m, 0, sizeof(*m));
	m->report = (struct report){ .form = "rfc3464",
		.part = m->part,
		.feedback_type = empty,
		.to = empty,
		.return_path = empty,
		.our_id = empty,
		.message_id = empty,
		.addresser = empty };
	for (; m->report.n < PARTS && said->kind != REPORT_NONE; said++) {
		size_t i = m->report.n++;
		struct report_part *p = &m->part[i];

		if (said->kind > m->report.kind)
			m->report.kind = said->kind;
		p->kind = said->kind;
		snprintf(m->text[i][0], sizeof(m->text[i][0]), "%s",
		    said->recipient != NULL ? said->recipient : "");
		snprintf(m->text[i][1], sizeof(m->text[i][1]), "%s",
		    said->alias != NULL ? said->alias : "");
		p->recipient = m->text[i][0];
		p->alias = m->text[i][1];
		p->action = p->host = empty;
		p->spasign = said->spasign;
		outcome_set(&p->outcome, SCOPE_RECIPIENT, said->stage,
		    said->kind == REPORT_BOUNCE, "%s",
		    said->text != NULL ? said->text : "");
		p->outcome.code = said->code;
		snprintf(p->outcome.enhanced, sizeof(p->outcome.enhanced), "%s",
		    said->enhanced != NULL ? said->enhanced : "");
	}
}

#define UNKNOWN(to)                                                            \
	{                                                                      \
		REPORT_BOUNCE, to, NULL, STAGE_RCPT, 550, "5.1.1",             \
		    "user unknown", false                                      \
	}
#define FULL(to)                                                               \
	{                                                                      \
		REPORT_BOUNCE, to, NULL, STAGE_RCPT, 552, "5.2.2",             \
		    "mailbox full", false                                      \
	}
#define LATER(to)                                                              \
	{                                                                      \
		REPORT_DELAYED, to, NULL, STAGE_NONE, 452, "4.2.2",            \
		    "mailbox full", false                                      \
	}
#define ARRIVED(to)                                                            \
	{                                                                      \
		REPORT_DELIVERED, to, NULL, STAGE_NONE, 250, "2.0.0", "ok",    \
		    false                                                      \
	}
#define COMPLAINT(to)                                                          \
	{                                                                      \
		REPORT_COMPLAINT, to, NULL, STAGE_NONE, 0, NULL, NULL, false   \
	}
#define NIHIL                                                                  \
	{                                                                      \
		REPORT_NONE, NULL, NULL, STAGE_NONE, 0, NULL, NULL, false      \
	}

static char a_address[] = "a@docomo.ne.jp", b_address[] = "b@example.com",
	    c_address[] = "c@example.com", mta[] = "mta", docomo[] = "docomo";

static const struct judge_known known[] = {
	{ 7, 0, a_address, mta, docomo, docomo },
	{ 7, 1, b_address, mta, empty, empty },
	{ 7, 2, c_address, mta, empty, empty },
};

/* -- the judgement as a text ----------------------------------------------- */

static const char *const kinds[] = {
	[FEEDBACK_SENT] = "sent",
	[FEEDBACK_DELIVERED] = "delivered",
	[FEEDBACK_ENDED] = "ended",
	[FEEDBACK_COMPLAINT] = "complaint",
	[FEEDBACK_NOTE] = "note",
};

/* Of each: message.index kind[ counter] event reason[ !cause/source]; "any" for
 * whom the store has to find, '~' where the address must be ours. */
static void
describe(struct str *out, const struct judgement *j)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct feedback *f = &j->told[i].feedback;

		str_addf(
		    out, "%s%lld.", i > 0 ? "; " : "", (long long)f->message);
		if (f->index == FEEDBACK_ANY)
			str_adds(out, "any");
		else
			str_addf(out, "%u", f->index);
		str_addf(out, "%s %s", f->alone ? "" : "~", kinds[f->kind]);
		if (f->kind == FEEDBACK_ENDED)
			str_addf(out, " %s", counter_name(f->counter));
		str_addf(out, " %s %s", event_type_name(f->event), f->reason);
		if (f->suppress != NULL)
			str_addf(out, " !%s/%s", f->suppress->cause,
			    f->suppress->source);
	}
	if (j->why != NULL)
		str_addf(out, "%s?", j->n > 0 ? " " : "");
}

static void
expect(struct fixture *f, const struct made *m, const struct judge_claim *claim,
    size_t from, size_t n, const char *expected)
{
	struct judgement j = { 0 };
	struct str s = STR_INIT;

	judge(&f->config, &m->report, claim, known + from, n, NOW, &j);
	describe(&s, &j);
	assert_string_equal(s.data, expected);
	str_release(&s);
	judgement_clear(&j);
}

/* -- to a signed address ----------------------------------------------------
 */

static const struct {
	struct said said[PARTS];
	const char *expected;
} one[] = {
	{ { UNKNOWN("a@docomo.ne.jp"), NIHIL },
	    "7.0 ended bounced Bounce userunknown !userunknown/dsn" },
	{ { UNKNOWN("A@DOCOMO.ne.jp"), NIHIL },
	    "7.0 ended bounced Bounce userunknown !userunknown/dsn" },
	{ { UNKNOWN(""), NIHIL },
	    "7.0 ended bounced Bounce userunknown !userunknown/dsn" },
	/* he is meant, whoever is named */
	{ { UNKNOWN("b@example.com"), NIHIL },
	    "7.0 ended bounced Bounce userunknown !userunknown/dsn" },
	/* one thing is told, of him: not that of the others */
	{ { UNKNOWN("b@example.com"), FULL("a@docomo.ne.jp"),
	      UNKNOWN("c@example.com"), NIHIL },
	    "7.0 ended bounced Bounce mailboxfull" },
	{ { UNKNOWN("b@example.com"), LATER("a@docomo.ne.jp"), NIHIL },
	    "7.0 note DeliveryDelay mailboxfull" },
	{ { LATER("a@docomo.ne.jp"), FULL("a@docomo.ne.jp"), NIHIL },
	    "7.0 ended bounced Bounce mailboxfull" },
	/* that others have it, or wait, is nothing of his */
	{ { ARRIVED("b@example.com"), NIHIL }, "" },
	{ { LATER("b@example.com"), NIHIL }, "" },
	{ { ARRIVED("a@docomo.ne.jp"), NIHIL },
	    "7.0 delivered Delivery delivered" },
	{ { COMPLAINT("someone else"), NIHIL },
	    "7.0 complaint Complaint feedback !complaint/arf" },
	{ { { REPORT_REPLY, "a@docomo.ne.jp", NULL, STAGE_NONE, 0, NULL, NULL,
		false },
	      NIHIL },
	    "" },
	{ { NIHIL }, "?" },
	/* a filter's refusal is no dead address */
	{ { { REPORT_BOUNCE, "a@docomo.ne.jp", NULL, STAGE_NONE, 550, "5.1.1",
		"user unknown", true },
	      NIHIL },
	    "7.0 ended filtered Bounce filtered" },
	/* what was said of the connection or the sender is no word of him */
	{ { { REPORT_BOUNCE, "b@example.com", NULL, STAGE_MAIL, 550, "5.1.1",
		"user unknown", false },
	      NIHIL },
	    "7.0 ended bounced Bounce rejected" },
	{ { { REPORT_BOUNCE, "b@example.com", NULL, STAGE_CONNECT, 550, "5.1.1",
		"user unknown", false },
	      NIHIL },
	    "7.0 ended bounced Bounce userunknown" },
	/* nothing that any line knows, in words: as `oiwake classify` has it */
	{ { { REPORT_BOUNCE, "b@example.com", NULL, STAGE_NONE, 0, "",
		"qwertz uiop", false },
	      NIHIL },
	    "7.0 ended bounced Bounce onhold" },
	{ { { REPORT_BOUNCE, "x@y", "a@docomo.ne.jp", STAGE_RCPT, 550, "5.1.1",
		"user unknown", false },
	      LATER("b@example.com"), NIHIL },
	    "7.0 ended bounced Bounce userunknown !userunknown/dsn" },
};

static void
one_recipient(void **state)
{
	static const enum judge_proof proofs[] = { PROOF_ADDRESS,
		PROOF_RETURN_PATH };
	struct made m;

	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++)
		for (size_t k = 0; k < 2; k++) {
			struct judge_claim claim = { proofs[k], 7, 0 };

			make(&m, one[i].said);
			expect(*state, &m, &claim, 0, 1, one[i].expected);
		}
}

/* Nobody remembers him: the store is asked all the same, by the token. */
static void
one_forgotten(void **state)
{
	static const struct said said[] = { UNKNOWN("x@y.example"), NIHIL };
	struct judge_claim claim = { PROOF_ADDRESS, 7, 3 };
	struct made m;

	make(&m, said);
	expect(*state, &m, &claim, 0, 0,
	    "7.3 ended bounced Bounce userunknown !userunknown/dsn");
}

/* -- by our id, by Message-ID -----------------------------------------------
 */

static const struct {
	struct said said[PARTS];
	size_t from, n;
	const char *proved, *unproved;
} many[] = {
	{ { COMPLAINT("b@example.com"), NIHIL }, 0, 3,
	    "7.1 complaint Complaint feedback !complaint/arf",
	    "7.1 complaint Complaint feedback" },
	{ { UNKNOWN("b@example.com"), UNKNOWN("A@docomo.ne.jp"),
	      UNKNOWN("nobody@example.com"), NIHIL },
	    0, 3,
	    "7.1 ended bounced Bounce userunknown !userunknown/dsn; "
	    "7.0 ended bounced Bounce userunknown !userunknown/dsn",
	    "7.1 ended bounced Bounce userunknown; "
	    "7.0 ended bounced Bounce userunknown" },
	/* hidden: by the domain, if that is only one's; or there is but one */
	{ { COMPLAINT("redacted-6b1@docomo.ne.jp"), NIHIL }, 0, 3,
	    "7.0 complaint Complaint feedback !complaint/arf", "?" },
	{ { COMPLAINT("redacted@example.com"), NIHIL }, 0, 3, "?", "?" },
	{ { COMPLAINT(""), NIHIL }, 0, 3, "?", "?" },
	{ { COMPLAINT(""), NIHIL }, 2, 1,
	    "7.2 complaint Complaint feedback !complaint/arf", "?" },
	/* a bounce hides nobody */
	{ { UNKNOWN("redacted@docomo.ne.jp"), NIHIL }, 0, 3, "?", "?" },
	/* that it arrived would take entries off the list: not by anybody's
	   word */
	{ { ARRIVED("b@example.com"), NIHIL }, 0, 3,
	    "7.1 delivered Delivery delivered", "" },
	{ { LATER("b@example.com"), NIHIL }, 0, 3,
	    "7.1 note DeliveryDelay mailboxfull",
	    "7.1 note DeliveryDelay mailboxfull" },
	/* nobody is remembered: the store looks by the address */
	{ { COMPLAINT("b@example.com"), NIHIL }, 0, 0,
	    "7.any~ complaint Complaint feedback !complaint/arf", "?" },
};

static void
by_message(void **state)
{
	struct made m;

	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		struct judge_claim by_id = { PROOF_ID, 7, RETURN_PATH_MESSAGE };
		struct judge_claim by_address = { PROOF_ADDRESS, 7,
			RETURN_PATH_MESSAGE };
		struct judge_claim by_message_id = { PROOF_MESSAGE_ID, 0,
			RETURN_PATH_MESSAGE };

		make(&m, many[i].said);
		expect(*state, &m, &by_id, many[i].from, many[i].n,
		    many[i].proved);
		expect(*state, &m, &by_address, many[i].from, many[i].n,
		    many[i].proved);
		expect(*state, &m, &by_message_id, many[i].from, many[i].n,
		    many[i].unproved);
	}
}

static void
by_nothing(void **state)
{
	static const struct said said[] = { UNKNOWN("a@docomo.ne.jp"), NIHIL };
	struct judge_claim none = { PROOF_NONE, 0, RETURN_PATH_MESSAGE };
	struct made m;

	make(&m, said);
	expect(*state, &m, &none, 0, 3, "?");
}

/* -- types of complaint, times ----------------------------------------------
 */

static void
what_is_no_complaint(void **state)
{
	static const struct said said[] = { COMPLAINT("a@docomo.ne.jp"),
		NIHIL };
	struct judge_claim claim = { PROOF_ADDRESS, 7, 0 };
	char types[][16] = { "abuse", "fraud", "opt-out", "Not-Spam",
		"auth-failure" };
	struct made m;

	for (size_t i = 0; i < 5; i++) {
		make(&m, said);
		m.report.feedback_type = types[i];
		expect(*state, &m, &claim, 0, 1,
		    i < 3 ? "7.0 complaint Complaint feedback !complaint/arf"
			  : "");
	}
}

static void
when_it_was(void **state)
{
	static const struct said said[] = { UNKNOWN("a@docomo.ne.jp"), NIHIL };
	static const int64_t told[][2] = { { 0, NOW }, { NOW, NOW },
		{ NOW + 1, NOW }, { NOW - DAY, NOW - DAY },
		{ NOW - 31 * DAY, NOW }, { INT64_MIN, NOW },
		{ INT64_MAX, NOW } };
	struct judge_claim claim = { PROOF_ADDRESS, 7, 0 };
	struct fixture *f = *state;
	struct made m;

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct judgement j = { 0 };

		make(&m, said);
		m.report.at = told[i][0];
		judge(&f->config, &m.report, &claim, known, 1, NOW, &j);
		assert_int_equal(j.n, 1);
		assert_int_equal(j.told[0].feedback.at, told[i][1]);
		judgement_clear(&j);
	}
}

/* -- what it claims ---------------------------------------------------------
 */

static void
token(const struct fixture *f, unsigned index, int64_t expires, char text[128])
{
	struct return_path rp = { 99, index, expires };
	char local[RETURN_PATH_LOCAL_MAX + 1];

	snprintf(text, 128, "<%s@" DOMAIN ">",
	    return_path_make(f->config.return_path.key, DOMAIN, &rp, local));
}

static void
claim_of(struct fixture *f, struct report *r, const struct return_path *to,
    const char *expected)
{
	struct judge_claim c;
	char text[128];

	judge_claim(&f->config, r, to, NOW, &c);
	snprintf(text, sizeof(text), "%s %lld.%d", judge_proof_name(c.proof),
	    (long long)c.message,
	    c.index == RETURN_PATH_MESSAGE ? -1 : (int)c.index);
	assert_string_equal(text, expected);
	assert_int_equal(judge_is_proved(c.proof),
	    c.proof != PROOF_NONE && c.proof != PROOF_MESSAGE_ID);
}

static void
who_says_whose_it_is(void **state)
{
	struct fixture *f = *state;
	struct return_path to = { 5, 2, NOW };
	char recipient[128], message[128], old[128], forged[128],
	    id[] = "<x@y>";
	struct made m;
	struct report *r = &m.report;

	token(f, 4, NOW, recipient);
	token(f, RETURN_PATH_MESSAGE, NOW, message);
	token(f, 4, NOW - 2 * DAY, old);
	memcpy(forged, recipient, sizeof(forged));
	forged[20] = forged[20] == 'a' ? 'b' : 'a';

	make(&m, (const struct said[]){ NIHIL });
	claim_of(f, r, NULL, " 0.-1");
	r->message_id = id;
	claim_of(f, r, NULL, "message-id 0.-1");
	r->our_id = message;
	claim_of(f, r, NULL, "x-oiwake-id 99.-1");
	r->return_path = recipient;
	claim_of(f, r, NULL, "return-path 99.4");
	claim_of(f, r, &to, "address 5.2");

	/* of a message to several, good and ours */
	r->return_path = message;
	claim_of(f, r, NULL, "return-path 99.-1");
	r->our_id = empty;
	r->return_path = old;
	claim_of(f, r, NULL, "message-id 0.-1");
	r->return_path = forged;
	claim_of(f, r, NULL, "message-id 0.-1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_recipient),
		cmocka_unit_test(one_forgotten),
		cmocka_unit_test(by_message),
		cmocka_unit_test(by_nothing),
		cmocka_unit_test(what_is_no_complaint),
		cmocka_unit_test(when_it_was),
		cmocka_unit_test(who_says_whose_it_is),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
