/*
 * fuzz_spf_text.c - SPF records as text: what is put in a record's place is a
 * record, without a mistake, and stays as it is when it is mended again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/preflight/spf_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_mended(const char *txt, const struct spf_wanted *wanted)
{
	const struct spf_wanted none = { .all = "~all" };
	struct str once = STR_INIT, twice = STR_INIT;
	struct spf_text t;

	spf_text_mend(&once, &txt, 1, wanted);
	assert(spf_text_kind(once.data) == SPF_TEXT_RECORD);
	spf_text_read(&t, once.data);
	/* What was too many terms may still be. */
	assert(!t.plus_all);
	if (t.nterms < SPF_TERMS_MAX)
		assert(!t.fatal && t.faults.len == 0);
	spf_text_mend(&twice, (const char *const[]){ once.data }, 1, &none);
	if (t.nterms < SPF_TERMS_MAX)
		assert(strcmp(once.data, twice.data) == 0);
	spf_text_release(&t);
	str_release(&once);
	str_release(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const addresses[] = { "203.0.113.5", "2001:db8::1" };
	const struct spf_wanted none = { .all = "~all" };
	const struct spf_wanted wanted = { .addresses = addresses,
		.naddresses = 2,
		.include = "amazonses.com",
		.all = "a -all" };
	char *text = malloc(size + 1);
	struct spf_text t;

	memcpy(text, data, size);
	text[size] = '\0';
	spf_text_read(&t, text);
	assert(!t.fatal || t.faults.len > 0);
	if (spf_text_kind(text) == SPF_TEXT_OTHER)
		assert(t.nterms == 0 && t.faults.len == 0);
	for (size_t i = 0; i < t.nterms; i++)
		assert(strpbrk(t.terms[i].text, " \t\r\n") == NULL);
	spf_text_release(&t);
	check_mended(text, &none);
	check_mended(text, &wanted);
	free(text);
	return 0;
}
