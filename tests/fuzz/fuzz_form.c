/*
 * fuzz_form.c - bounces of no standard from outside: the header's signs, the
 * text, the message quoted; alone, and beside a part that a standard gave.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "router/feedback/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct report *r)
{
	assert(r->n <= REPORT_RECIPIENTS_MAX);
	for (size_t i = 0; i < r->n; i++) {
		const struct report_part *p = &r->part[i];

		assert(p->kind != REPORT_NONE);
		for (const char *t = p->outcome.text; *t != '\0'; t++)
			assert(*t != '\r' && *t != '\n');
		for (const char *t = p->recipient; *t != '\0'; t++)
			assert((unsigned char)*t >= ' ');
		assert(
		    strlen(p->outcome.enhanced) < sizeof p->outcome.enhanced);
	}
}

static void
read_it(const struct form_input *in, bool standard)
{
	struct report r = { .form = "" };
	struct report_part *p;

	if (standard) {
		p = report_add(&r, REPORT_BOUNCE, "taro@example.jp");
		report_diagnose(p, "x-unix; 77", 10);
	}
	if (form_read(&r, in))
		assert(r.n > 0 && r.form != NULL);
	check(&r);
	report_clear(&r);
}

/* Up to four pieces, parted by a byte 1: text, subject, header, quoted. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *piece[4], *p = text;
	struct form_input in = { .status = "" };

	memcpy(text, data, size);
	text[size] = '\0';
	for (int i = 0; i < 4; i++) {
		piece[i] = p;
		p += strcspn(p, "\001");
		if (*p != '\0')
			*p++ = '\0';
	}
	in.text = piece[0];
	in.subject = piece[1];
	in.header = piece[2];
	in.quoted = piece[3];
	in.from = "MAILER-DAEMON@example.com";
	read_it(&in, false);
	read_it(&in, true);
	in.from = "Taro <taro@example.jp>";
	read_it(&in, false);
	free(text);
	return 0;
}
