/*
 * fuzz_dmarc.c - DMARC records as text: what is put in a record's place is a
 * good one, and stays as it is when it is mended again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/preflight/dmarc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_mended(const struct dmarc *d)
{
	struct str once = STR_INIT, twice = STR_INIT;
	struct dmarc again;

	dmarc_mend(&once, d, "example.jp");
	dmarc_read(&again, once.data);
	assert(again.state == DMARC_GOOD);
	assert(again.faults.len == 0);
	assert(d->policy == NULL || strcmp(d->policy, again.policy) == 0);
	assert(d->adkim_strict == again.adkim_strict);
	assert(d->aspf_strict == again.aspf_strict);
	dmarc_mend(&twice, &again, "example.jp");
	assert(strcmp(once.data, twice.data) == 0);
	dmarc_release(&again);
	str_release(&once);
	str_release(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct dmarc d;

	memcpy(text, data, size);
	text[size] = '\0';
	dmarc_read(&d, text);
	assert(d.state != DMARC_GOOD || d.policy != NULL);
	assert(d.state != DMARC_BROKEN || d.faults.len > 0);
	assert((d.state == DMARC_OTHER) == !dmarc_is_meant(text));
	if (d.state != DMARC_OTHER)
		check_mended(&d);
	dmarc_release(&d);
	free(text);
	return 0;
}
