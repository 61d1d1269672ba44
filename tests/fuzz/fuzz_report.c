/*
 * fuzz_report.c - whatever comes back as mail, what is read of it keeps
 * report.h's word: bounds, clean texts, kinds that fit.
 *
 * Input: a message.
 */
#include "router/feedback/report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const char *text, size_t longest)
{
	if (text == NULL || strlen(text) > longest)
		abort();
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
}

static void
check_part(const struct report *r, const struct report_part *p)
{
	check_text(p->recipient, 2048);
	check_text(p->alias, 2048);
	check_text(p->action, 2048);
	check_text(p->host, 2048);
	check_text(p->outcome.text, sizeof(p->outcome.text) - 1);
	check_text(p->outcome.enhanced, sizeof(p->outcome.enhanced) - 1);
	if (p->kind == REPORT_NONE || p->kind > r->kind ||
	    p->outcome.scope != SCOPE_RECIPIENT ||
	    p->outcome.stage >= STAGE_MAX || p->outcome.code < 0 ||
	    p->outcome.code > 599)
		abort();
	/* In quotes a local part may have brackets (RFC 5321 4.1.2). */
	for (const char *c = p->recipient;
	     *c != '\0' && p->kind == REPORT_BOUNCE; c++)
		if ((*c >= 'A' && *c <= 'Z') ||
		    ((*c == '<' || *c == '>') && *p->recipient != '"'))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct report r;
	char *mail = malloc(len + 1);

	/* Of exactly that size: there is no NUL behind a message. */
	mail = realloc(mail, len > 0 ? len : 1);
	if (mail == NULL)
		abort();
	memcpy(mail, data, len);
	report_read(&r, mail, len);
	if ((r.kind == REPORT_NONE) != (r.n == 0) ||
	    r.n > REPORT_RECIPIENTS_MAX || (r.kind == REPORT_REPLY && r.n != 1))
		abort();
	for (size_t i = 0; i < r.n; i++)
		check_part(&r, &r.part[i]);
	check_text(r.form, 40);
	check_text(r.feedback_type, 2048);
	check_text(r.to, 2048);
	check_text(r.return_path, 2048);
	check_text(r.our_id, 2048);
	check_text(r.message_id, 2048);
	check_text(r.addresser, 2048);
	report_clear(&r);
	free(mail);
	return 0;
}
