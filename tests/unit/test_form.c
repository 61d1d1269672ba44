/*
 * test_form.c - bounces of no standard: each form with its recipients, replies,
 * stages and kinds; what is no bounce; what is written to do harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "mta/base/str.h"
#include "router/feedback/form_int.h"
#include "tests/unit/form_cases.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
init(struct report *r)
{
	*r = (struct report){ .form = "" };
}

static bool
read_case(struct report *r, const struct form_case *c)
{
	struct form_input in = {
		.from = c->from,
		.subject = c->subject,
		.header = c->header,
		.text = c->text,
		.quoted = c->quoted,
		.status = "",
	};

	init(r);
	return form_read(r, &in);
}

static void
check_part(const struct form_case *c, const struct report_part *p, size_t i)
{
	bool wrong = strcmp(p->recipient, c->who[i].recipient) != 0 ||
		     p->kind != c->kind || p->outcome.code != c->who[i].code ||
		     strcmp(p->outcome.enhanced, c->who[i].enhanced) != 0 ||
		     p->outcome.stage != c->who[i].stage;

	if (c->who[i].words != NULL)
		wrong |= strstr(p->outcome.text, c->who[i].words) == NULL;
	if (c->who[i].host != NULL)
		wrong |= strcmp(p->host, c->who[i].host) != 0;
	if (wrong)
		fail_msg("%s: got %s %s %d %s %s '%s' '%s'", c->name,
		    report_kind_name(p->kind), p->recipient, p->outcome.code,
		    p->outcome.enhanced, stage_name(p->outcome.stage), p->host,
		    p->outcome.text);
}

static void
test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct form_case *c = &cases[i];
		struct report r;
		size_t n = 0;

		if (!read_case(&r, c))
			fail_msg("%s: not read", c->name);
		if (strcmp(r.form, c->form) != 0)
			fail_msg("%s: form is %s", c->name, r.form);
		while (n < 4 && c->who[n].recipient != NULL)
			n++;
		if (r.n != n)
			fail_msg("%s: %zu recipients", c->name, r.n);
		for (size_t k = 0; k < n; k++)
			check_part(c, &r.part[k], k);
		report_clear(&r);
	}
}

static void
test_other_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct form_input in = {
			.from = others[i].from,
			.subject = others[i].subject,
			.header = others[i].header,
			.text = others[i].text,
			.quoted = "To: jiro@example.com\n",
			.status = "",
		};
		struct report r;

		init(&r);
		if (form_read(&r, &in) || r.n != 0)
			fail_msg("%s: taken for a bounce", others[i].name);
		report_clear(&r);
	}
}

/* A standard part keeps what it knows and gets what it lacks. */
static void
test_completes(void **state)
{
	struct form_input in = {
		.from = "MAILER-DAEMON@a.example.jp",
		.subject = "Delivery status notification: failed",
		.header = TO_US,
		.text =
		    "This is the MAILER-DAEMON, please DO NOT REPLY to this "
		    "email.\n\n    the following list of recipients:\n\n"
		    "jiro@example.com: 550 5.7.26 not signed\n"
		    "hanako@example.com: 550 5.1.1 nobody\n"
		    "saburo@example.com: 550 5.1.1 nobody\n",
		.quoted = "",
		.status = "Final-Recipient: rfc822; jiro@example.com\n",
	};
	struct report r;
	struct report_part *p;

	(void)state;
	init(&r);
	p = report_add(&r, REPORT_BOUNCE, "jiro@example.com");
	memcpy(p->outcome.enhanced, "5.0.0", 6);
	p = report_add(&r, REPORT_BOUNCE, "hanako@example.com");
	memcpy(p->outcome.enhanced, "5.2.2", 6);
	report_diagnose(p, "552 5.2.2 full", 14);
	r.form = "rfc3464";
	assert_true(form_read(&r, &in));
	assert_int_equal(r.n, 2);
	assert_string_equal(r.form, "rfc3464");
	assert_string_equal(r.part[0].outcome.enhanced, "5.7.26");
	assert_int_equal(r.part[0].outcome.code, 550);
	assert_string_equal(r.part[0].outcome.text, "not signed");
	assert_string_equal(r.part[1].outcome.enhanced, "5.2.2");
	assert_int_equal(r.part[1].outcome.code, 552);
	assert_string_equal(r.part[1].outcome.text, "full");
	report_clear(&r);
}

/* Each row must be reachable by its own words. */
static void
test_rows(void **state)
{
	const struct form_line *const tables[] = { form_unix_lines,
		form_office_lines, form_provider_lines };
	const char *rest;

	(void)state;
	for (size_t t = 0; t < 3; t++)
		for (const struct form_line *l = tables[t]; l->words; l++) {
			const struct form_line *found;

			assert_true(strlen(l->words) >= FORM_WORDS_MIN);
			assert_true(l->is != 0);
			found =
			    form_line_find(l->words, strlen(l->words), &rest);
			if (found != l)
				fail_msg("two rows '%s'", l->words);
		}
}

static void
test_line(void **state)
{
	static const char line[] = "I\xe2\x80\x99m  Sorry to have to INFORM "
				   "you that x",
			  plain[] = "i'm sorry to  have to inform\tyou that x";
	const char *rest;

	(void)state;
	assert_non_null(form_line_find(plain, sizeof plain - 1, &rest));
	assert_string_equal(rest, " x");
	assert_null(form_line_find(line, 4, &rest));
	assert_null(form_line_find("", 0, &rest));
}

/* A MB of one thing over and over, or of one line: read in the time that its
 * bytes take, whatever they are. */
static void
test_hostile(void **state)
{
	static const char *const bits[] = { "<a@b.example>\n", "a@", "@", ">",
		">>> ", "<<< ", ">>> RCPT TO:<a@b.example>\n<<< 550 no\n",
		"550 <a@b.example>... no\n", "a@b.example, ", "... ", "\n",
		"(reason: ", "Reason: x\n", "final-recipient: rfc822; a@b\n",
		"the following addresses had permanent fatal errors\n", "  ",
		"5.5.5", "550 ", "\"", "\xff\xfe", "-",
		"<mailto:", "user unknown a@b.example\n" };
	enum { SIZE = 1024 * 1024 };
	clock_t start = clock();

	(void)state;
	for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
		for (int listed = 0; listed < 2; listed++) {
			struct str text = STR_INIT;
			struct form_input in = {
				.from = "MAILER-DAEMON@a.example",
				.subject = "Returned mail",
				.header = "",
				.quoted = "",
				.status = "",
			};
			struct report r;

			if (listed)
				str_adds(&text, "Hi. This is the qmail-send "
						"program at x\n\n"
						"<first@b.example>:\n");
			while (text.len < SIZE)
				str_adds(&text, bits[i]);
			in.text = text.data;
			init(&r);
			form_read(&r, &in);
			assert_true(r.n <= REPORT_RECIPIENTS_MAX);
			report_clear(&r);
			str_release(&text);
		}
	/* 46 MB; what is not linear takes hours. */
	assert_true(clock() - start < 60 * CLOCKS_PER_SEC);
}

static void
test_many(void **state)
{
	struct str text = STR_INIT;
	struct form_input in = {
		.from = "MAILER-DAEMON@a.example",
		.subject = "failure notice",
		.header = "",
		.quoted = "",
		.status = "",
	};
	struct report r;

	(void)state;
	str_adds(&text, "Hi. This is the qmail-send program at x\n\n");
	for (int i = 0; i < 1000; i++)
		str_addf(&text, "<u%d@b.example>:\nno (#5.1.1)\n\n", i);
	in.text = text.data;
	init(&r);
	assert_true(form_read(&r, &in));
	assert_int_equal(r.n, REPORT_RECIPIENTS_MAX);
	assert_string_equal(r.part[0].recipient, "u0@b.example");
	assert_string_equal(r.part[199].recipient, "u199@b.example");
	assert_string_equal(r.part[198].outcome.enhanced, "5.1.1");
	report_clear(&r);
	str_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_other_mail),
		cmocka_unit_test(test_completes),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
